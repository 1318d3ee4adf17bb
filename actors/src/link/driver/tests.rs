use std::future::poll_fn;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use mycelium_remote::link::{Agreement, Ended, Greeting, Handshake, Hello, LinkConfig};
use tokio::io::{AsyncRead, ReadBuf};

use super::*;
use crate::MessageBus;

/// The peer writes and closes while this end looks elsewhere: what it has said is read once a write has
/// failed.
struct Closed {
    said: Vec<u8>,
    failed: bool,
}

impl AsyncRead for Closed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut TaskContext<'_>,
        space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.failed {
            return Poll::Pending;
        }
        space.put_slice(&std::mem::take(&mut self.said));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Closed {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut TaskContext<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        self.failed = true;
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Socket for Closed {}

/// The task of a link that has a connection of this kind, and the other end of it.
fn attached(
    core: &Arc<BusCore>,
    hub: &Arc<Hub>,
    socket: impl FnOnce(&mut Link) -> Box<dyn Socket>,
) -> Driver {
    let peer = Arc::new(Peer::new("tool/desk"));
    let mut driver = Driver::new(Arc::clone(hub), Arc::clone(core), peer, Arc::default());
    let mut bytes = Vec::new();
    Hello { name: "tool/desk", nonce: 1, value_len_max: 1 << 20, offers: &[] }.encode(&mut bytes).unwrap();
    let mut decoder = Decoder::new();
    assert_eq!(decoder.feed(&bytes), bytes.len());
    let greeting = Handshake::new(0, 2).frame(&decoder.next_frame().unwrap().unwrap());
    let Ok(Greeting::Hello(hello)) = greeting else { panic!("{greeting:?}") };
    let agreement = Agreement::of(&[], &hello);
    let mut other = Link::new(LinkConfig::default(), 7);
    let (stated, theirs) = (driver.link.standing(), other.standing());
    other.attach(0, &agreement, &theirs, &stated).unwrap();
    let socket = socket(&mut other);
    let (done, _) = oneshot::channel();
    let arrival = Arrival { socket, decoder: Decoder::new(), agreement, stated, theirs, done };
    assert!(driver.attach(arrival).is_ok());
    driver
}

#[test]
fn the_last_words_of_a_peer_are_read_whichever_write_finds_that_it_has_closed() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let bus = MessageBus::builder().node("tool/market").build();
        let hub = Hub::of(&bus).unwrap();
        for by_clock in [true, false] {
            let mut driver = attached(&bus.core, &hub, |other| {
                let mut said = Vec::new();
                other.bye(Ended::Shutdown, &mut said);
                Box::new(Closed { said, failed: false })
            });
            // There is an acknowledgement to be written at once.
            poll_fn(|cx| {
                if by_clock {
                    driver.look_at_clock(cx);
                } else {
                    driver.turn(cx);
                }
                if driver.line.is_none() { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            assert_eq!(driver.peer.stats().fault.as_deref(), Some("the peer shuts down"), "{by_clock}");
        }
    });
}

#[test]
fn a_link_that_rested_when_its_connection_was_lost_does_not_spin() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let bus = MessageBus::builder().node("tool/market").build();
        let hub = Hub::of(&bus).unwrap();
        let mut driver = attached(&bus.core, &hub, |_| Box::new(Closed { said: Vec::new(), failed: false }));
        let busy = poll_fn(|cx| {
            driver.turn(cx);
            if driver.line.is_some() {
                // It has read nothing for want of room.
                driver.rested = true;
                driver.end_line(&Cut::Closed);
            }
            // A path that only the peer can open.
            driver.opening = true;
            Poll::Ready((0..10).map(|_| driver.turn(cx)).collect::<Vec<_>>())
        });
        assert_eq!(busy.await.last(), Some(&false));
    });
}

/// Keeps what was written to it until it was asked often enough to end.
struct Reluctant {
    asks_left: u32,
    ended: Arc<AtomicBool>,
}

impl AsyncRead for Reluctant {
    fn poll_read(self: Pin<&mut Self>, _: &mut TaskContext<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // The peer closes when it has read the last words.
        if self.ended.load(Ordering::SeqCst) { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

impl AsyncWrite for Reluctant {
    fn poll_write(self: Pin<&mut Self>, _: &mut TaskContext<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        if self.asks_left > 0 {
            self.asks_left -= 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.ended.store(true, Ordering::SeqCst);
        Poll::Ready(Ok(()))
    }
}

impl Socket for Reluctant {}

#[test]
fn a_connection_that_keeps_what_is_written_has_said_the_last_words_before_it_is_closed() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let bus = MessageBus::builder().node("tool/market").build();
        let (hub, ended) = (Hub::of(&bus).unwrap(), Arc::new(AtomicBool::new(false)));
        let socket = Reluctant { asks_left: 3, ended: Arc::clone(&ended) };
        let mut driver = attached(&bus.core, &hub, |_| Box::new(socket));
        let line = driver.line.as_mut().unwrap();
        driver.link.bye(Ended::Shutdown, &mut line.out);
        line.ends = true;
        poll_fn(|cx| {
            while driver.turn(cx) {}
            if driver.line.is_none() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        assert!(ended.load(Ordering::SeqCst));
    });
}
