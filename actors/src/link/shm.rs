//! Connections through shared memory: a ring each way, and a Unix socket that carries the descriptors of
//! both, wakes whoever sleeps, and ends when either process does.
//!
//! The side that dials makes both rings and sends them with [`GREETING`]; the other one maps them and answers
//! with [`READY`]. From then on the socket carries nothing but single bytes, each of which says: look at the
//! rings. One is sent only to a side that has said that it sleeps, so two sides that are busy make no system
//! call.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use mycelium_mailbox::shm::{ShmAccess, ShmMode, ShmReader, ShmSegment, ShmSendError, ShmWriter};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, send, sendmsg,
};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::UnixStream;

use crate::rt;

/// What the side that dials sends, beside two descriptors: the ring in which it writes, and the one in which
/// it reads. It is as long as the header of a frame, so that a side that waits for frames refuses it at once.
const GREETING: [u8; 64] = {
    let mut bytes = [0; 64];
    bytes.split_at_mut(8).0.copy_from_slice(b"MYCSHM\x01\0");
    bytes
};
/// The answer to it, once the rings are mapped and read.
const READY: u8 = 1;
/// A byte that says: look at the rings.
const CALL: u8 = 2;
/// The largest segment of a stranger that is mapped (bytes).
const SEGMENT_MAX: u64 = (64 << 20) + (64 << 10);
/// How often a side that spins is polled before it looks at the clock, and at the socket, which tells when
/// the other side has gone.
const POLLS_PER_CLOCK: u32 = 16;
/// How often one poll looks at a ring that changes all the time. Others of this thread have their turn then.
const LOOKS_PER_POLL: u32 = 32;
/// How many bytes that only say "look" are read at once.
const CALLS: usize = 64;

/// A connection through shared memory.
pub(super) struct ShmSocket {
    stream: UnixStream,
    /// `None`: the side that listens waits for them.
    rings: Option<Rings>,
    /// Whether both sides have mapped them.
    ready: bool,
    spin: Spin,
}

/// For how long a side that has nothing to read looks again, before it sleeps.
struct Spin {
    limit: Duration,
    /// Since when it does, by the clock of the system: while a thread is busy, a clock of tokio that is
    /// stopped does not go on.
    since: Option<Instant>,
    /// Something has come since the clock was looked at.
    found: bool,
    /// How often it was polled.
    polls: u32,
}

/// What a side that has nothing to read does.
enum NextLook {
    /// It looks at the ring.
    Ring,
    /// At the socket too.
    RingAndSocket,
    /// It sleeps.
    Sleep,
}

struct Rings {
    reader: ShmReader,
    writer: ShmWriter,
    /// Which of the two waits for a call.
    reader_waits: bool,
    writer_waits: bool,
    /// The other process has closed the socket, or has died.
    ended: bool,
}

/// Makes both rings, each of so many bytes, and hands them over. The other side has not answered yet: it may
/// be slow, and whoever reads or writes first waits for that, with the patience of a handshake.
pub(super) async fn dial(stream: UnixStream, ring: u64, spin: Duration) -> io::Result<ShmSocket> {
    let make = || ShmSegment::create(ring).map_err(io::Error::other);
    let (there, back) = (make()?, make()?);
    // Before the other side can write.
    let rings = Rings::new(&back, &there)?;
    loop {
        stream.writable().await?;
        match stream.try_io(Interest::WRITABLE, || hand_over(&stream, &there, &back)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            sent => break sent?,
        }
    }
    Ok(ShmSocket { stream, rings: Some(rings), ready: false, spin: Spin::new(spin) })
}

fn hand_over(stream: &UnixStream, there: &ShmSegment, back: &ShmSegment) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    let both = [there.as_fd(), back.as_fd()];
    // It has room for two.
    let _fits = beside.push(SendAncillaryMessage::ScmRights(&both));
    match sendmsg(stream, &[IoSlice::new(&GREETING)], &mut beside, SendFlags::NOSIGNAL)? {
        count if count == GREETING.len() => Ok(()),
        // No socket takes a part of so few bytes.
        _ => Err(io::ErrorKind::WriteZero.into()),
    }
}

/// A descriptor more than there should be, so that too many are noticed.
fn take_over(stream: &UnixStream) -> io::Result<[OwnedFd; 2]> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let mut greeting = [0; GREETING.len()];
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let received = recvmsg(stream, &mut [IoSliceMut::new(&mut greeting)], &mut beside, flags)?;
    let mut found = Vec::new();
    for message in beside.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            found.extend(descriptors);
        }
    }
    let whole = received.bytes == GREETING.len() && greeting == GREETING;
    two_of(found, whole, received.flags.contains(ReturnFlags::CTRUNC)).map_err(invalid)
}

/// The descriptors of both segments, where this is what has come of a greeting. `cut`: more were sent than
/// have come.
fn two_of<D>(found: Vec<D>, whole: bool, cut: bool) -> Result<[D; 2], &'static str> {
    if whole && cut && found.len() < 2 {
        return Err(
            "this process has no descriptors left for the segments of whoever has connected: raise their number \
             (`ulimit -n`, LimitNOFILE=)",
        );
    }
    if !whole || cut {
        return Err("whoever has connected does not ask for shared memory: connect with `LinkAddress::shm`");
    }
    found.try_into().map_err(|_| "whoever has connected has not sent two segments")
}

fn invalid(text: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

impl Rings {
    fn new(inbound: &ShmSegment, outbound: &ShmSegment) -> io::Result<Self> {
        let reader = inbound.reader(ShmMode::Block).map_err(invalid)?;
        let writer = outbound.writer(ShmAccess::Sole).map_err(invalid)?;
        Ok(Self { reader, writer, reader_waits: false, writer_waits: false, ended: false })
    }
}

impl ShmSocket {
    /// The side that listens. Bytes that the other one sends are looked at when it is first read.
    pub(super) fn accepted(stream: UnixStream, spin: Duration) -> Self {
        Self { stream, rings: None, ready: false, spin: Spin::new(spin) }
    }

    /// Whether there is something to read, but for the end; `None`: its reader does not spin.
    pub(super) fn look(&self) -> Option<bool> {
        let rings = self.rings.as_ref()?;
        (self.spin.since.is_some() && !rings.reader_waits).then(|| rings.reader.has_bytes())
    }

    /// Whether its reader spins before it sleeps.
    pub(super) fn spins(&self) -> bool {
        !self.spin.limit.is_zero()
    }

    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.rings {
            _ if self.ready => Poll::Ready(Ok(())),
            Some(_) => self.poll_answer(cx),
            None => self.poll_rings(cx),
        }
    }

    /// The side that dials waits until its rings are mapped.
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut answer = [0];
        let mut space = ReadBuf::new(&mut answer);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut space))?;
        match space.filled() {
            [READY] => self.ready = true,
            [] => {
                return Poll::Ready(Err(invalid(
                    "whoever listens there has closed the connection before it had the rings: its log says why, it may \
                     be out of descriptors (`ulimit -n`), or have no `bind_shm`",
                )));
            }
            _ => {
                return Poll::Ready(Err(invalid(
                    "nobody listens there for links through shared memory (`bind_shm`)",
                )));
            }
        }
        Poll::Ready(Ok(()))
    }

    /// The side that listens waits for the rings.
    fn poll_rings(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.rings.is_none() {
            ready!(self.stream.poll_read_ready(cx))?;
            let stream = &self.stream;
            let [inbound, outbound] = match stream.try_io(Interest::READABLE, || take_over(stream)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                taken => taken?,
            };
            let segment = |file| ShmSegment::from_fd(file, SEGMENT_MAX).map_err(invalid);
            self.rings = Some(Rings::new(&segment(inbound)?, &segment(outbound)?)?);
            self.ready = true;
            tell(&self.stream, READY);
        }
        Poll::Ready(Ok(()))
    }

    /// Takes calls. Ready when there were some, or the other side has gone.
    fn poll_calls(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut calls = [0; CALLS];
        let mut space = ReadBuf::new(&mut calls);
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut space));
        let Some(rings) = &mut self.rings else { return Poll::Ready(read) };
        // One that was killed with calls in its socket has reset it: that is its end, and no error.
        rings.ended |= read.is_err() || space.filled().is_empty();
        Poll::Ready(Ok(()))
    }
}

impl Spin {
    fn new(limit: Duration) -> Self {
        Self { limit, since: None, found: false, polls: 0 }
    }

    /// What to do while there is nothing to read. The clock and the socket are seldom asked, as that takes as
    /// long as a look at the ring.
    fn next(&mut self) -> NextLook {
        if self.limit.is_zero() {
            return NextLook::Sleep;
        }
        self.polls = self.polls.wrapping_add(1);
        match self.since {
            Some(_) if !self.polls.is_multiple_of(POLLS_PER_CLOCK) => NextLook::Ring,
            Some(since) if !std::mem::take(&mut self.found) => {
                if since.elapsed() < self.limit {
                    NextLook::RingAndSocket
                } else {
                    NextLook::Sleep
                }
            }
            _ => {
                self.since = Some(Instant::now());
                NextLook::RingAndSocket
            }
        }
    }
}

/// One byte for the other side. If the socket is full it has enough to wake up for, and if it is closed
/// nobody is to be woken.
fn tell(stream: &UnixStream, byte: u8) {
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    let _told = send(stream, &[byte], flags);
}

impl AsyncRead for ShmSocket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let socket = self.get_mut();
        ready!(socket.poll_open(cx))?;
        for _ in 0..LOOKS_PER_POLL {
            let Some(rings) = &mut socket.rings else { return Poll::Ready(Ok(())) };
            let count = rings.reader.read_bytes(to.initialize_unfilled()).map_err(invalid)?;
            if rings.reader.take_calls() {
                tell(&socket.stream, CALL);
            }
            if count > 0 || to.remaining() == 0 {
                to.advance(count);
                if std::mem::take(&mut rings.reader_waits) {
                    rings.reader.disarm();
                }
                socket.spin.found = true;
                return Poll::Ready(Ok(()));
            }
            if rings.ended || rings.reader.is_finished() {
                return Poll::Ready(Ok(()));
            }
            match socket.spin.next() {
                NextLook::Sleep => {}
                // However long it spins, and whatever it cannot write: the end of the other side is seen.
                NextLook::RingAndSocket if socket.poll_calls(cx)?.is_ready() => continue,
                NextLook::Ring | NextLook::RingAndSocket => {
                    // Others of this thread have their turn meanwhile.
                    rt::poll_later(cx);
                    return Poll::Pending;
                }
            }
            let Some(rings) = &mut socket.rings else { return Poll::Ready(Ok(())) };
            rings.reader_waits = true;
            if rings.reader.arm() {
                continue;
            }
            if rings.reader.take_calls() {
                tell(&socket.stream, CALL);
            }
            ready!(socket.poll_calls(cx))?;
            if let Some(rings) = &mut socket.rings {
                rings.reader_waits = false;
                if std::mem::take(&mut rings.writer_waits) {
                    // It may have been for the writer.
                    cx.waker().wake_by_ref();
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl AsyncWrite for ShmSocket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        let socket = self.get_mut();
        if from.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if socket.rings.is_some() {
            ready!(socket.poll_open(cx))?;
        }
        for _ in 0..LOOKS_PER_POLL {
            let Some(rings) = &mut socket.rings else {
                return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
            };
            if rings.ended {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            let count = from.len().min(rings.writer.longest());
            let sent = rings.writer.send(&from[..count]);
            if rings.writer.take_calls() {
                tell(&socket.stream, CALL);
            }
            match sent {
                Ok(()) => return Poll::Ready(Ok(count)),
                Err(ShmSendError::Full { .. }) => {}
                Err(ShmSendError::Closed) => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
                Err(error) => return Poll::Ready(Err(invalid(error))),
            }
            rings.writer_waits = true;
            if rings.writer.arm(count) {
                continue;
            }
            ready!(socket.poll_calls(cx))?;
            if let Some(rings) = &mut socket.rings {
                rings.writer_waits = false;
                if std::mem::take(&mut rings.reader_waits) {
                    // It may have been for the reader.
                    cx.waker().wake_by_ref();
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// The other side reads what there is, and then finds the end. The socket stays, for calls.
    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let socket = self.get_mut();
        if let Some(rings) = &mut socket.rings {
            rings.writer.close();
            rings.writer.take_calls();
            // Also to one whose writer waits for room.
            tell(&socket.stream, CALL);
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::{Wake, Waker};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[derive(Default)]
    struct Wakes(AtomicU32);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn one_who_dials_waits_in_the_handshake_and_not_before_until_the_rings_are_mapped() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (stream, other) = UnixStream::pair().unwrap();
            let dialed = rt::timeout(Duration::from_secs(5), dial(stream, 4_096, Duration::ZERO)).await;
            let mut dialed = dialed.expect("it waits for nobody").unwrap();
            let (mut listens, mut read) = (ShmSocket::accepted(other, Duration::ZERO), [0; 5]);
            let written = rt::timeout(Duration::from_millis(1), dialed.write_all(b"hello")).await;
            assert!(written.is_err(), "nobody has mapped them");
            let both = async { tokio::join!(dialed.write_all(b"hello"), listens.read_exact(&mut read)) };
            let (written, got) = rt::timeout(Duration::from_secs(60), both).await.expect("they are mapped");
            written.unwrap();
            assert_eq!((got.unwrap(), &read), (5, b"hello"));
            // One who gets another answer says why, and one whom nobody answers too.
            for answer in [&b"x"[..], b""] {
                let (stream, mut other) = UnixStream::pair().unwrap();
                let mut dialed = dial(stream, 4_096, Duration::ZERO).await.unwrap();
                let mut greeting = [0; GREETING.len()];
                other.read_exact(&mut greeting).await.unwrap();
                other.write_all(answer).await.unwrap();
                drop(other);
                let error = dialed.write_all(b"hello").await.unwrap_err();
                assert!(error.to_string().contains("bind_shm"), "{error}");
            }
        });
    }

    #[test]
    fn what_has_come_of_a_greeting_is_told_by_what_is_missing() {
        assert_eq!(two_of(vec![1, 2], true, false), Ok([1, 2]));
        let rows = [
            // The kernel gives as many as there is room for, and says that it has cut the rest off.
            (vec![], true, true, "no descriptors left"),
            (vec![1], true, true, "no descriptors left"),
            (vec![1, 2, 3], true, true, "does not ask for shared memory"),
            (vec![1, 2], false, false, "does not ask for shared memory"),
            (vec![], false, true, "does not ask for shared memory"),
            (vec![1], true, false, "has not sent two segments"),
            (vec![1, 2, 3], true, false, "has not sent two segments"),
        ];
        for (found, whole, cut, expected) in rows {
            let refused = two_of(found.clone(), whole, cut).unwrap_err();
            assert!(refused.contains(expected), "{found:?} {whole} {cut}: {refused}");
        }
    }

    #[test]
    fn a_side_that_spins_is_polled_again_when_all_others_have_had_their_turn() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            for (spin, spins) in [(Duration::from_secs(3_600), true), (Duration::ZERO, false)] {
                let (stream, _other) = UnixStream::pair().unwrap();
                let [there, back] = [(); 2].map(|()| ShmSegment::create(4_096).unwrap());
                let rings = Some(Rings::new(&back, &there).unwrap());
                let mut socket = ShmSocket { stream, rings, ready: true, spin: Spin::new(spin) };
                let wakes = Arc::new(Wakes::default());
                let waker = Waker::from(Arc::clone(&wakes));
                let mut bytes = [0; 8];
                let read = Pin::new(&mut socket)
                    .poll_read(&mut Context::from_waker(&waker), &mut ReadBuf::new(&mut bytes));
                assert!(read.is_pending());
                let woken = || wakes.0.load(Ordering::SeqCst);
                assert_eq!(woken(), 0, "it would go on in place of what the runtime blocks on");
                assert_eq!(socket.look(), spins.then_some(false));
                tokio::task::yield_now().await;
                assert_eq!(woken() > 0, spins);
                back.writer(ShmAccess::Sole).unwrap().send(b"news").unwrap();
                assert_eq!(socket.look(), spins.then_some(true));
            }
        });
    }
}
