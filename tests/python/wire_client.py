"""A client of a bus, written from docs/wire.md alone, with nothing but the standard library.

It links itself with the bus at a Unix socket, hears its ticks and sends an echo of each, and cuts its
connection in the middle of that, at any byte, again and again: nothing may be lost, doubled or reordered.

    python3 wire_client.py SOCKET TICKS CUTS SEED
"""

import random
import socket
import struct
import sys
import time

# The types that it exchanges: type id, name, and fields, of which the last versions are 1.
TICK, ECHO = 7, 9
CONTRACT = {TICK: ("Tick", [("n", "u64")], 8), ECHO: ("Echo", [("n", "u64")], 8)}

HELLO, ACCEPT, REJECT, INTEREST, CREDIT, ACK, BYE = 1, 2, 3, 4, 5, 6, 7
PING, PONG, BEGIN = 10, 11, 12
CONTROL, DIRECT, RUN = 2, 4, 8
STALE = 6
NOT_WANTED = 0xFFFF

HEADER = struct.Struct("<2sBBIHHIIIQq16s8s")
# The longest value that this client reads: a control value may always have 16 KiB.
VALUE_MAX = 1 << 20
# How many ticks the bus may send beyond those that are handled.
WINDOW = 16
# How long a peer may be silent, and this side too (seconds).
SILENCE, HEARTBEAT = 5.0, 1.0


class Broken(Exception):
    """The bytes of the peer are none that the page allows."""


class Cut(Exception):
    """The connection has ended."""


class Refused(Exception):
    """The peer has sent a Reject."""

    def __init__(self, reason, text):
        super().__init__(f"reason {reason}: {text}")
        self.reason = reason


def _table():
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return table


CRC = _table()


def checksum(frame, value_len):
    crc = ~int.from_bytes(frame[0:4], "little") & 0xFFFFFFFF
    for byte in frame[8 : 64 + value_len]:
        crc = (crc >> 8) ^ CRC[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def encode(type_id, value, flags=0, root_len=0, sequence=0, publish_ns=0):
    """The bytes of one frame."""
    head = HEADER.pack(
        b"MY", 1, flags, 0, type_id, 1, len(value), root_len, 0, sequence, publish_ns, bytes(16), bytes(8)
    )
    frame = bytearray(head + value + bytes(-len(value) % 8))
    frame[4:8] = struct.pack("<I", checksum(frame, len(value)))
    return bytes(frame)


def decode(buffer):
    """The first frame of the buffer, and its length; None if it is not whole."""
    if len(buffer) < 64:
        return None
    magic, protocol, flags, crc, type_id, version, value_len, root_len, _, sequence, _, _, _ = HEADER.unpack(
        buffer[:64]
    )
    if magic != b"MY" or protocol != 1 or flags & ~(1 | CONTROL | DIRECT | RUN):
        raise Broken("no frame begins here")
    if value_len > VALUE_MAX or root_len > value_len:
        raise Broken(f"a value of {value_len} bytes with a root of {root_len}")
    whole = 64 + value_len + (-value_len % 8)
    if len(buffer) < whole:
        return None
    if flags & 1 or any(buffer[64 + value_len : whole]) or checksum(buffer, value_len) != crc:
        raise Broken("a damaged frame")
    return (flags, type_id, version, root_len, sequence, bytes(buffer[64 : 64 + value_len])), whole


def fnv(text):
    digest = 0xCBF29CE484222325
    for byte in text.encode():
        digest = (digest ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return digest


def layout_digest(name, fields):
    lines = ["mycelium layout 1", f"message {name}"] + [f"{field} {kind}" for field, kind in fields]
    return fnv("".join(line + "\n" for line in lines))


def text(words):
    return struct.pack("<H", len(words.encode())) + words.encode()


def hello(name, nonce):
    value = struct.pack("<HQI", 2, nonce, VALUE_MAX) + text(name)
    for type_id, (message, fields, root_len) in sorted(CONTRACT.items()):
        value += struct.pack("<H", type_id) + text(message) + struct.pack("<HH", 1, 1)
        value += struct.pack("<HIQ", 1, root_len, layout_digest(message, fields)) + struct.pack("<H", 0)
    return encode(HELLO, value, CONTROL)


class Reader:
    """Takes fields off a value."""

    def __init__(self, value):
        self.value, self.at = value, 0

    def take(self, form):
        form = struct.Struct("<" + form)
        if self.at + form.size > len(self.value):
            raise Broken("a value is too short")
        fields = form.unpack_from(self.value, self.at)
        self.at += form.size
        return fields if len(fields) > 1 else fields[0]

    def text(self):
        length = self.take("H")
        return self.take(f"{length}s").decode()

    def rest(self, form):
        while self.at < len(self.value):
            yield self.take(form)


def agreed(offers):
    """The type ids of this contract that the offers mean in the same way."""
    same = set()
    for type_id, (name, version, layouts) in offers.items():
        if type_id not in CONTRACT or name != CONTRACT[type_id][0] or version < 1:
            continue
        _, fields, root_len = CONTRACT[type_id]
        if layouts.get(1) == (root_len, layout_digest(name, fields)):
            same.add(type_id)
    return same


def read_hello(value):
    reader = Reader(value)
    version, nonce, _ = reader.take("HQI")
    if version != 2:
        raise Broken(f"version {version} of links")
    name, offers = reader.text(), {}
    while reader.at < len(value):
        type_id = reader.take("H")
        message = reader.text()
        current, count = reader.take("HH")
        layouts = {}
        for _ in range(count):
            since, root_len, digest = reader.take("HIQ")
            layouts[since] = (root_len, digest)
        for _ in range(reader.take("H")):
            reader.text()
            reader.take("B")
            for _ in range(reader.take("H")):
                reader.text()
        offers[type_id] = (message, current, layouts)
    return name, nonce, offers


class Link:
    """What outlives connections: where this end stands, and what it has sent and heard."""

    def __init__(self, chance):
        self.chance = chance
        self.end = chance.getrandbits(63) + 1
        self.known = 0
        self.last = self.acked = self.received = 0
        # Sent and not acknowledged, by rising sequences.
        self.kept = []
        # What the peer wants, how much it grants of each type in all, and how much was sent.
        self.wants, self.limits, self.sent = {}, {}, {}
        # Messages that have come and are handled, of each type.
        self.handled = {TICK: 0}
        self.heard, self.waiting = [], []
        self.duplicates = self.resent = 0

    def accept(self, nonce):
        return encode(ACCEPT, struct.pack("<QQQQ", nonce, self.end, self.known, self.received), CONTROL)

    def attach(self, end, peer_end, received):
        """The peer's Accept, by the rules of the page."""
        if self.known not in (0, end):
            raise Broken("the bus is another process than before")
        if peer_end not in (0, self.end):
            raise Refused(STALE, "it speaks of an end that this one never was")
        self.known = end
        if peer_end == self.end:
            self.acknowledge(received)

    def acknowledge(self, upto):
        if upto > self.last:
            raise Broken(f"{upto} is acknowledged, and {self.last} were sent")
        self.acked = max(self.acked, upto)
        self.kept = [(sequence, frame) for sequence, frame in self.kept if sequence > upto]

    def take(self, sequence, type_id, value):
        """A message has come."""
        if sequence <= self.received:
            self.duplicates += 1
            return
        if sequence != self.received + 1 or type_id != TICK or len(value) != 8:
            raise Broken(f"sequence {sequence} behind {self.received}, of type id {type_id}")
        self.received = sequence
        self.waiting.append(struct.unpack("<Q", value)[0])

    def may_send(self, type_id):
        return type_id in self.wants and self.sent.get(type_id, 0) < self.limits.get(type_id, 0)

    def send(self, type_id, n):
        """The frame of a message, which is kept until it is acknowledged."""
        self.last += 1
        self.sent[type_id] = self.sent.get(type_id, 0) + 1
        frame = encode(type_id, struct.pack("<Q", n), 0, 8, self.last, time.time_ns())
        self.kept.append((self.last, frame))
        return frame


class Connection:
    """One connection, up to its end."""

    def __init__(self, link, path, cut_after):
        self.link, self.buffer = link, bytearray()
        # It is cut once so many bytes were written and read: at any byte.
        self.left = cut_after
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(path)
        self.spoke = time.monotonic()
        self.acked_to_peer = 0

    def write(self, frame):
        if self.left is not None and len(frame) > self.left:
            self.socket.sendall(frame[: self.left])
            raise Cut("here")
        self.left = None if self.left is None else self.left - len(frame)
        self.socket.sendall(frame)
        self.spoke = time.monotonic()

    def frame(self, wait):
        """The next frame; None: none has come within the time."""
        until = time.monotonic() + wait
        while True:
            found = decode(self.buffer)
            if found is not None:
                frame, length = found
                del self.buffer[:length]
                return frame
            self.socket.settimeout(max(until - time.monotonic(), 0.001))
            try:
                got = self.socket.recv(4096)
            except TimeoutError:
                return None
            if not got:
                raise Cut("the bus has closed it")
            if self.left is not None:
                got = got[: self.left]
                self.left -= len(got)
                if self.left == 0:
                    raise Cut("here")
            self.buffer += got

    def control(self, expected):
        frame = self.frame(SILENCE)
        if frame is None:
            raise Cut("the bus says nothing")
        flags, type_id, _, _, _, value = frame
        if flags == CONTROL and type_id == REJECT:
            reader = Reader(value)
            raise Refused(reader.take("B"), reader.text())
        if flags != CONTROL or type_id != expected:
            raise Broken(f"type id {type_id} came where {expected} should")
        return value

    def greet(self):
        """The handshake of the side that dials, and what each end says behind it."""
        link, nonce = self.link, self.link.chance.getrandbits(64)
        self.write(hello("desk", nonce))
        name, theirs, offers = read_hello(self.control(HELLO))
        if name != "market" or agreed(offers) != set(CONTRACT):
            raise Broken(f"{name} offers {offers}")
        echoed, end, peer_end, received = struct.unpack("<QQQQ", self.control(ACCEPT))
        if echoed != nonce:
            raise Broken("the nonce of another connection")
        self.write(link.accept(theirs))
        link.attach(end, peer_end, received)
        self.write(encode(INTEREST, struct.pack("<HHI", TICK, 0, 0), CONTROL))
        self.grant()
        for _, frame in link.kept:
            link.resent += 1
            self.write(frame)

    def grant(self):
        limit = self.link.handled[TICK] + WINDOW
        self.write(encode(CREDIT, struct.pack("<HQ", TICK, limit), CONTROL))

    def take(self, frame):
        """What a frame behind the handshake means."""
        flags, type_id, version, _, sequence, value = frame
        link = self.link
        if flags & CONTROL:
            reader = Reader(value)
            if type_id == INTEREST:
                for wanted, channel, round_ in reader.rest("HHI"):
                    if channel == NOT_WANTED:
                        link.wants.pop(wanted, None)
                    else:
                        link.wants[wanted] = channel
                        if round_:
                            # Messages of other subscribers than before begin behind what was sent.
                            self.write(encode(BEGIN, struct.pack("<HIQ", wanted, round_, link.last), CONTROL))
            elif type_id == CREDIT:
                for of, limit in reader.rest("HQ"):
                    link.limits[of] = max(link.limits.get(of, 0), limit)
            elif type_id == ACK:
                link.acknowledge(reader.take("Q"))
            elif type_id == PING:
                self.write(encode(PONG, b"", CONTROL))
            elif type_id == REJECT:
                raise Refused(reader.take("B"), reader.text())
            elif type_id == BYE:
                raise Cut("the bus needs the link no more")
            elif type_id != BEGIN:
                raise Broken(f"type id {type_id} of a control frame")
        elif flags & RUN:
            reader = Reader(value)
            while reader.at < len(value):
                length, _, of, _, _ = reader.take("IIHHI")
                entry = reader.take(f"{length}s")
                reader.at += -length % 8
                link.take(sequence, of, entry)
                sequence += 1
        elif flags & DIRECT or version != 1:
            raise Broken("a message that was not asked for")
        else:
            link.take(sequence, type_id, value)

    def work(self):
        """Handles what has come, and sends an echo of each tick while the bus grants it."""
        link = self.link
        while link.waiting and link.may_send(ECHO):
            n = link.waiting.pop(0)
            link.heard.append(n)
            link.handled[TICK] += 1
            self.write(link.send(ECHO, n))
            if link.handled[TICK] % (WINDOW // 2) == 0:
                self.grant()
        quiet = time.monotonic() - self.spoke
        if link.received > self.acked_to_peer or quiet > HEARTBEAT:
            self.acked_to_peer = link.received
            self.write(encode(ACK, struct.pack("<Q", link.received), CONTROL))

    def close(self):
        self.socket.close()


def run(path, ticks, cuts, chance):
    link = Link(chance)
    connections = 0
    while True:
        cut_after = chance.randrange(64, 6_000) if cuts > 0 else None
        connection = Connection(link, path, cut_after)
        connections += 1
        try:
            connection.greet()
            while len(link.heard) < ticks or link.acked < link.last:
                frame = connection.frame(0.05)
                if frame is not None:
                    connection.take(frame)
                connection.work()
            connection.write(encode(ACK, struct.pack("<Q", link.received), CONTROL))
            connection.write(encode(BYE, b"\x01", CONTROL))
            connection.socket.shutdown(socket.SHUT_WR)
            return link, connections
        except (Cut, ConnectionError):
            cuts -= 1
        except Refused as refused:
            if refused.reason != STALE:
                raise
        finally:
            connection.close()


def main():
    path, ticks, cuts, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    link, connections = run(path, ticks, cuts, random.Random(seed))
    if link.heard != list(range(ticks)):
        raise SystemExit(f"heard {link.heard}")
    print(f"heard {ticks} connections {connections} resent {link.resent} duplicates {link.duplicates}")


if __name__ == "__main__":
    main()
