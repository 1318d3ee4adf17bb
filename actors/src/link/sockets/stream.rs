//! A connection over a Unix socket that wakes its thread for what comes, and for room only where it has found
//! none.
//!
//! Whenever the other side has read, the kernel tells those who listen for room. A stream of tokio listens for
//! room at all times: each message that was read would wake the thread of its writer, for nothing.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};

/// After so many writes in a row that found room it listens for room no more. To change it takes two system
/// calls, and a socket that was full may soon be full again (writes).
const ROOMY_WRITES: u32 = 64;

/// A connection over a Unix socket. One task reads and writes.
pub(in crate::link) struct UnixSocket {
    /// `None`: it could not be registered anew, and is lost.
    stream: Option<AsyncFd<UnixStream>>,
    /// So many more writes are to find room before it listens for room no more; `None`: it does not.
    listens_for_room: Option<u32>,
}

impl UnixSocket {
    /// Inside a runtime with IO.
    pub(in crate::link) fn new(stream: tokio::net::UnixStream) -> io::Result<Self> {
        let stream = Some(register(stream.into_std()?, Interest::READABLE)?);
        Ok(Self { stream, listens_for_room: None })
    }

    fn registered(&self) -> io::Result<&AsyncFd<UnixStream>> {
        self.stream.as_ref().ok_or_else(|| ErrorKind::NotConnected.into())
    }

    /// Writes what there is room for, and waits for none.
    pub(in crate::link) fn write_now(&self, from: &[u8]) -> io::Result<usize> {
        self.registered()?.get_ref().write(from)
    }

    /// Waits until `read` finds something.
    pub(in crate::link) fn poll_read_by<T>(
        &self,
        cx: &mut Context<'_>,
        mut read: impl FnMut(&UnixStream) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            let mut guard = ready!(self.registered()?.poll_read_ready(cx))?;
            match guard.try_io(|stream| read(stream.get_ref())) {
                Ok(Err(error)) if error.kind() == ErrorKind::Interrupted => {}
                Ok(done) => return Poll::Ready(done),
                Err(_would_block) => {}
            }
        }
    }

    /// Listens for room from now on, or no more.
    fn listen_for_room(&mut self, cx: &Context<'_>, room: Option<u32>) -> io::Result<()> {
        let Some(stream) = self.stream.take() else { return Err(ErrorKind::NotConnected.into()) };
        let interest = room.map_or(Interest::READABLE, |_| Interest::READABLE | Interest::WRITABLE);
        self.stream = Some(register(stream.into_inner(), interest)?);
        self.listens_for_room = room;
        // The task waits for bytes with the registration that is gone.
        cx.waker().wake_by_ref();
        Ok(())
    }
}

#[allow(deprecated, reason = "unsound where a descriptor changes; this stream's stays the same")]
fn register(stream: UnixStream, interest: Interest) -> io::Result<AsyncFd<UnixStream>> {
    AsyncFd::with_interest(stream, interest)
}

impl AsyncRead for UnixSocket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let stream = self.registered()?;
        loop {
            let mut guard = ready!(stream.poll_read_ready(cx))?;
            let space = to.initialize_unfilled();
            let len = space.len();
            match guard.get_inner().read(space) {
                Ok(count) => {
                    // All that there was: the kernel tells of what comes from here on.
                    if (1..len).contains(&count) {
                        guard.clear_ready();
                    }
                    to.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => guard.clear_ready(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for UnixSocket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        let socket = self.get_mut();
        loop {
            let Some(writes) = socket.listens_for_room else {
                match socket.write_now(from) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        socket.listen_for_room(cx, Some(ROOMY_WRITES))?;
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    written => return Poll::Ready(written),
                }
                continue;
            };
            let mut guard = ready!(socket.registered()?.poll_write_ready(cx))?;
            match guard.try_io(|stream| stream.get_ref().write(from)) {
                Ok(Ok(count)) => {
                    match writes.checked_sub(1) {
                        None => socket.listen_for_room(cx, None)?,
                        left => socket.listens_for_room = left,
                    }
                    return Poll::Ready(Ok(count));
                }
                Ok(Err(error)) if error.kind() == ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_would_block) => socket.listens_for_room = Some(ROOMY_WRITES),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// The other side finds the end behind what was written.
    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.registered()?.get_ref().shutdown(Shutdown::Write))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::{Wake, Waker};
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::rt;

    const HANGS: Duration = Duration::from_secs(60);

    #[derive(Default)]
    struct Parks(AtomicU32);

    /// A runtime of this thread that counts how often the thread goes to sleep.
    fn counting() -> (tokio::runtime::Runtime, Arc<Parks>) {
        let parks = Arc::new(Parks::default());
        let counter = Arc::clone(&parks);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .on_thread_park(move || _ = counter.0.fetch_add(1, Ordering::SeqCst))
            .build();
        (runtime.unwrap(), parks)
    }

    async fn pair() -> (UnixSocket, std::os::unix::net::UnixStream) {
        let (near, far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        (UnixSocket::new(tokio::net::UnixStream::from_std(near).unwrap()).unwrap(), far)
    }

    struct Noted(AtomicU32);

    impl Wake for Noted {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_writer_is_not_woken_when_the_other_side_has_read() {
        let (runtime, parks) = counting();
        runtime.block_on(async {
            let (mut socket, far) = pair().await;
            let echo = std::thread::spawn(move || {
                let (mut far, mut word) = (far, [0; 8]);
                for _ in 0..100 {
                    far.read_exact(&mut word).unwrap();
                    // So that the writer sleeps, and would be woken for room alone.
                    std::thread::sleep(Duration::from_millis(2));
                    far.write_all(&word).unwrap();
                }
            });
            let before = parks.0.load(Ordering::SeqCst);
            for word in 0..100_u64 {
                socket.write_all(&word.to_le_bytes()).await.unwrap();
                assert_eq!(socket.read_u64_le().await.unwrap(), word);
            }
            let slept = parks.0.load(Ordering::SeqCst) - before;
            assert!(slept < 150, "slept {slept} times for 100 words");
            echo.join().unwrap();
        });
    }

    #[test]
    fn all_comes_through_a_socket_that_is_full_again_and_again() {
        let (runtime, _) = counting();
        let sends = async {
            let (mut socket, far) = pair().await;
            let reads = std::thread::spawn(move || {
                let (mut far, mut all) = (far, Vec::new());
                let mut part = [0; 100_000];
                loop {
                    match far.read(&mut part).unwrap() {
                        0 => return (all, far),
                        count => all.extend_from_slice(&part[..count]),
                    }
                    std::thread::sleep(Duration::from_micros(300));
                }
            });
            let sent: Vec<u8> = (0..4_000_000_u32).map(|at| (at % 251) as u8).collect();
            for piece in sent.chunks(30_011) {
                socket.write_all(piece).await.unwrap();
            }
            // Small ones find room, and it listens for room no more.
            for piece in sent.chunks(10).take(10 * ROOMY_WRITES as usize) {
                socket.write_all(piece).await.unwrap();
                tokio::time::sleep(Duration::from_micros(100)).await;
            }
            assert_eq!(socket.listens_for_room, None);
            socket.shutdown().await.unwrap();
            let (all, _far) = reads.join().unwrap();
            assert!(all[..sent.len()] == sent[..], "what came is not what was sent");
            assert_eq!(all.len(), sent.len() + 100 * ROOMY_WRITES as usize);
        };
        runtime.block_on(async { rt::timeout(HANGS, sends).await.expect("it is read") });
    }

    #[test]
    fn one_who_waits_for_bytes_is_woken_by_them_also_after_it_began_to_listen_for_room() {
        let (runtime, _) = counting();
        runtime.block_on(async {
            let (mut socket, mut far) = pair().await;
            let noted = Arc::new(Noted(AtomicU32::new(0)));
            let waker = Waker::from(Arc::clone(&noted));
            let (mut cx, mut word) = (Context::from_waker(&waker), [0; 8]);
            assert!(Pin::new(&mut socket).poll_read(&mut cx, &mut ReadBuf::new(&mut word)).is_pending());
            while Pin::new(&mut socket).poll_write(&mut cx, &[0; 4_096]).is_ready() {}
            assert!(socket.listens_for_room.is_some());
            assert!(noted.0.load(Ordering::SeqCst) > 0, "it is to look for bytes again");
            assert!(Pin::new(&mut socket).poll_read(&mut cx, &mut ReadBuf::new(&mut word)).is_pending());
            let before = noted.0.load(Ordering::SeqCst);
            far.write_all(b"12345678").unwrap();
            let woken = async {
                while noted.0.load(Ordering::SeqCst) == before {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            rt::timeout(HANGS, woken).await.expect("bytes have come");
            let mut space = ReadBuf::new(&mut word);
            assert!(Pin::new(&mut socket).poll_read(&mut cx, &mut space).is_ready());
            assert_eq!(space.filled(), b"12345678");
        });
    }
}
