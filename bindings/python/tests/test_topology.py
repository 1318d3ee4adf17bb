"""Runtimes of several processes, linked as one topology.toml says."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import mycelium
import pytest
from conftest import CONTRACT
from desk import Note, Tick, Tock
from mycelium import Actor, Child, Supervisor, on

TOPOLOGY = """
socket_dir = "run"
[deployment]
mode = "{mode}"
[[nodes]]
name = "desk"
services = ["model"]
[[nodes]]
name = "market"
services = ["feed"]
"""

COUNT = 1000


@pytest.fixture
def topology(tmp_path: Path) -> Path:
    # The path of a socket is short.
    path = tmp_path / "topology.toml"
    path.write_text(TOPOLOGY.format(mode="bundled"))
    return path


class Doubles(Actor):
    """Says that it is there until the feed begins."""

    def __init__(self) -> None:
        self.seen = 0
        self.calls = self.ctx.schedule_every(0.01, self.call)

    def call(self) -> None:
        self.ctx.publish(Note(0, "begin", []))

    @on(Tick)
    def tick(self, tick: Tick) -> None:
        self.calls.cancel()
        self.seen += 1
        self.ctx.publish(Tock(2 * tick.number))


FEED = """
    import sys
    import desk, mycelium
    from desk import Note, Tick, Tock

    with mycelium.Runtime.from_topology(sys.argv[1], "feed", desk) as rt:
        notes, tocks = rt.subscribe(Note), rt.subscribe(Tock)
        assert notes.recv(timeout=60).text == "begin"
        rt.publish_many(Tick(number) for number in range({count}))
        doubled = [tocks.recv(timeout=60).number for _ in range({count})]
        assert doubled == [2 * number for number in range({count})], doubled
        rt.publish(Note(1, "done", []))
    print("closed")
"""


def two_processes_talk(topology: Path, socket: Path | None = None) -> None:
    text = textwrap.dedent(FEED.format(count=COUNT))
    with mycelium.Runtime(contract=CONTRACT, topology_path=topology, service_name="model") as rt:
        notes = rt.subscribe(Note)
        rt.start(Supervisor(children=[Child("doubles", Doubles)]))
        assert socket is None or socket.exists(), "it listens"
        told = subprocess.run(
            [sys.executable, "-X", "faulthandler", "-c", text, str(topology)], capture_output=True, text=True, timeout=120
        )
        assert told.returncode == 0 and told.stdout == "closed\n", told.stderr
        # What the feed has published before it closed has come.
        last = next(note for note in notes if note.text != "begin")
        assert last == Note(1, "done", [])


def test_two_processes_talk_over_one_topology_and_close_in_order(topology: Path) -> None:
    socket = topology.parent / "run" / "desk.sock"
    two_processes_talk(topology, socket)
    assert not socket.exists()


@pytest.mark.skipif("MYCELIUM_TLS_TOPOLOGY" not in os.environ, reason="cargo makes the certificates: tests/tests/python.rs")
def test_two_processes_talk_over_tls() -> None:
    two_processes_talk(Path(os.environ["MYCELIUM_TLS_TOPOLOGY"]))


def test_tls_wants_certificates_and_says_which(topology: Path) -> None:
    encrypted = TOPOLOGY.format(mode="distributed").replace("[[nodes]]", 'tls = "certs"\n[[nodes]]', 1)
    for port, name in enumerate(("desk", "market")):
        encrypted = encrypted.replace(f'name = "{name}"', f'name = "{name}"\nendpoint.kind = "tcp"\nport = {45_500 + port}')
    topology.write_text(encrypted)
    with pytest.raises(mycelium.TopologyError) as told:
        mycelium.Runtime(contract=CONTRACT, topology_path=topology, service_name="feed")
    assert "market.crt" in str(told.value) or "ca.crt" in str(told.value), told.value
    assert "mycelium certs" in str(told.value), told.value


def test_in_a_monolith_the_same_program_is_one_process(topology: Path) -> None:
    topology.write_text(TOPOLOGY.format(mode="monolith"))
    with mycelium.Runtime.from_topology(topology, "feed", CONTRACT, threads=1) as rt:
        tocks = rt.subscribe(Tock)
        rt.start(Supervisor(children=[Child("doubles", Doubles)]))
        rt.publish(Tick(4))
        assert tocks.recv(timeout=60) == Tock(8)


def test_mistakes_of_a_topology_say_where_and_what_to_do(topology: Path) -> None:
    def error(text: str | None = None, name: str = "feed", path: os.PathLike[str] = topology) -> str:
        if text is not None:
            topology.write_text(text)
        with pytest.raises(mycelium.TopologyError) as told:
            mycelium.Runtime(contract=CONTRACT, topology_path=path, service_name=name)
        assert isinstance(told.value, ValueError)
        return str(told.value)

    unknown = error(name="fed")
    assert "topology.toml" in unknown and "fed" in unknown and "feed" in unknown, unknown
    assert "missing.toml" in error(path=topology.parent / "missing.toml")
    mode = error(TOPOLOGY.format(mode="bundle"))
    assert "topology.toml" in mode and "line 4" in mode and "bundled" in mode, mode
    twice = error(TOPOLOGY.format(mode="bundled").replace("market", "desk"))
    assert "line" in twice and "desk" in twice, twice


def test_a_topology_is_given_with_a_name() -> None:
    for given, missing in (("topology_path", "service_name"), ("service_name", "topology_path")):
        with pytest.raises(ValueError, match=f"{missing} is missing"):
            mycelium.Runtime(contract=CONTRACT, **{given: "x"})  # type: ignore[arg-type]


def test_a_socket_that_is_in_use_is_an_error_and_leaves_nothing(topology: Path) -> None:
    with mycelium.Runtime.from_topology(topology, "desk", CONTRACT):
        with pytest.raises(mycelium.TopologyError, match="desk.sock"):
            mycelium.Runtime.from_topology(topology, "desk", CONTRACT)
    mycelium.Runtime.from_topology(topology, "desk", CONTRACT).close()
