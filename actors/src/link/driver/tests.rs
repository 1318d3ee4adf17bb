use std::future::poll_fn;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use mycelium_mailbox::Doorbell;
use mycelium_remote::link::{Agreement, Ended, Greeting, Handshake, Hello, LinkConfig};
use tokio::io::ReadBuf;

use super::scripted::{Script, Scripted};
use super::to_and_fro::ToAndFro;
use super::*;
use crate::live::SpinningLink;
use crate::{MessageBus, Subscription};

/// The peer writes and closes while this end looks elsewhere: what it has said is read once a write has
/// failed.
struct Closed {
    said: Vec<u8>,
    failed: bool,
}

impl Script for Closed {
    fn read(&mut self, space: &mut ReadBuf<'_>) -> Poll<()> {
        if !self.failed {
            return Poll::Pending;
        }
        space.put_slice(&std::mem::take(&mut self.said));
        Poll::Ready(())
    }

    fn write(&mut self, _: &[u8]) -> io::Result<()> {
        self.failed = true;
        Err(io::ErrorKind::BrokenPipe.into())
    }
}

/// The task of a link that has a connection of this kind, and the other end of it.
pub(super) fn attached(
    core: &Arc<BusCore>,
    hub: &Arc<Hub>,
    socket: impl FnOnce(&mut Link) -> Box<dyn Socket>,
) -> Driver {
    attached_with(LinkOptions::default(), core, hub, socket)
}

/// The same with these options.
pub(super) fn attached_with(
    options: LinkOptions,
    core: &Arc<BusCore>,
    hub: &Arc<Hub>,
    socket: impl FnOnce(&mut Link) -> Box<dyn Socket>,
) -> Driver {
    let peer = Arc::new(Peer::new("tool/desk"));
    let mut driver = Driver::new(Arc::clone(hub), Arc::clone(core), peer, Arc::new(options));
    let mut bytes = Vec::new();
    let hello = Hello { name: "tool/desk", nonce: 1, value_len_max: 1 << 20, offers: &hub.offers };
    hello.encode(&mut bytes).unwrap();
    let mut decoder = Decoder::new();
    assert_eq!(decoder.feed(&bytes), bytes.len());
    let greeting = Handshake::new(0, 2).frame(&decoder.next_frame().unwrap().unwrap());
    let Ok(Greeting::Hello(hello)) = greeting else { panic!("{greeting:?}") };
    let agreement = Agreement::of(&hub.offers, &hello);
    let mut other = Link::new(LinkConfig::default(), 7);
    let (stated, theirs) = (driver.link.standing(), other.standing());
    other.attach(0, 0, &agreement, &theirs, &stated).unwrap();
    let socket = socket(&mut other);
    let (done, _) = oneshot::channel();
    let (decoder, began) = (Decoder::new(), hub.now());
    let arrival = Arrival { socket, decoder, began, agreement, stated, theirs, done };
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
                Box::new(Scripted(Closed { said, failed: false }))
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
        let mut driver =
            attached(&bus.core, &hub, |_| Box::new(Scripted(Closed { said: Vec::new(), failed: false })));
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

#[test]
fn a_peer_that_is_another_process_than_before_wants_nothing_until_it_says_so() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let bus = MessageBus::builder().node("tool/market").build();
        let hub = Hub::of(&bus).unwrap();
        let mut driver = attached(&bus.core, &hub, |_| Box::new(tokio::io::empty()));
        driver.peer.tell(|stats| stats.wants = vec!["Tick"]);
        driver.lose(&Cut::Closed);
        assert_eq!(driver.peer.stats().wants, ["Tick"], "it is waited for");
        let (next, agreement) = (Link::new(LinkConfig::default(), 8), Agreement::default());
        let (stated, theirs) = (driver.link.standing(), next.standing());
        let (done, _) = oneshot::channel();
        let socket = Box::new(tokio::io::empty());
        let (decoder, began) = (Decoder::new(), hub.now());
        let arrival = Arrival { socket, decoder, began, agreement, stated, theirs, done };
        assert!(matches!(driver.attach(arrival), Err((AttachError::PeerRestarted { .. }, ..))));
        assert!(driver.peer.stats().wants.is_empty());
    });
}

#[test]
fn a_link_whose_task_did_not_run_for_a_while_has_not_waited_for_its_peer_meanwhile() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let bus = MessageBus::builder().node("tool/market").build();
        let hub = Hub::of(&bus).unwrap();
        let mut driver = attached(&bus.core, &hub, |_| Box::new(tokio::io::empty()));
        let hold = driver.hold;
        driver.lose(&Cut::Closed);
        let mut after = async |time| {
            poll_fn(|cx| Poll::Ready(driver.turn(cx))).await;
            tokio::time::advance(time).await;
            poll_fn(|cx| Poll::Ready(driver.turn(cx))).await;
            driver.broken.is_some()
        };
        assert!(after(100 * hold).await, "it was given up while nobody could see it come");
        let mut waited = 0;
        while after(hold / 100).await {
            waited += 1;
        }
        assert!((80..=120).contains(&waited), "{waited} hundredths of the time");
    });
}

/// Keeps what was written to it until it was asked often enough to end.
struct Reluctant {
    asks_left: u32,
    ended: Arc<AtomicBool>,
}

impl Script for Reluctant {
    fn read(&mut self, _: &mut ReadBuf<'_>) -> Poll<()> {
        // The peer closes when it has read the last words.
        if self.ended.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
    }

    fn flush(&mut self) -> Poll<()> {
        Poll::Pending
    }

    fn shutdown(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        if self.asks_left > 0 {
            self.asks_left -= 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.ended.store(true, Ordering::SeqCst);
        Poll::Ready(())
    }
}

#[test]
fn a_connection_that_keeps_what_is_written_has_said_the_last_words_before_it_is_closed() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let bus = MessageBus::builder().node("tool/market").build();
        let (hub, ended) = (Hub::of(&bus).unwrap(), Arc::new(AtomicBool::new(false)));
        let socket = Scripted(Reluctant { asks_left: 3, ended: Arc::clone(&ended) });
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

#[test]
fn what_a_peer_wants_behind_the_last_words_is_owed_to_nobody() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let raws = "mycelium contract 1\nschema raw 1\nmessage Raw 40 1 raws\nfield n 1 u64\n";
        let contract = crate::wire::Contract::parse(raws).unwrap();
        let bus = MessageBus::builder().node("market").contract(contract).build();
        let hub = Hub::of(&bus).unwrap();
        for ends in [false, true] {
            let mut driver = attached(&bus.core, &hub, |other| {
                let mut said = Vec::new();
                other.step(0, Input::Want { type_id: 40, channel: Some(0) }).unwrap();
                other.fill(0, &mut said);
                Box::new(Scripted(Spinning { looks: Arc::default(), news_at: 0, rings_at: None, said }))
            });
            let line = driver.line.as_mut().unwrap();
            line.ends = ends;
            let mut names = Vec::new();
            poll_fn(|cx| {
                hub.look();
                driver.obey();
                // The connection ends behind it.
                assert!(driver.read(cx).is_err());
                names = driver.outflow.names();
                Poll::Ready(())
            })
            .await;
            assert_eq!(names.is_empty(), ends, "{names:?}");
        }
    });
}

#[tokio::test(start_paused = true)]
async fn a_link_that_spins_and_reads_no_more_for_now_leaves_its_thread_to_others() {
    let mut link = ToAndFro::with(LinkOptions::default().held_bytes(1), true);
    let mut full = link.bus.subscribe_wire_with(["ones"], Subscription::block().capacity(1)).unwrap();
    (0..3).for_each(|_| drop(link.exchange()));
    // One has room, one waits for it, and one stays where it is.
    for _ in 0..3 {
        link.say();
        (0..4).for_each(|_| link.poll());
    }
    assert_eq!(link.heard(), 1);
    let before = link.woken.wakes();
    (0..10).for_each(|_| link.poll());
    assert_eq!(link.woken.wakes(), before, "it wakes itself");
    link.task.shared.receivers.have_looked();
    assert!(!link.task.shared.look(1, &|| false), "a receiver would look for nothing");
    for _ in 0..3 {
        assert!(full.try_recv().is_some());
        assert!(link.woken.wakes() > before, "there is room");
        link.exchange();
    }
    assert_eq!((link.heard(), full.try_recv().is_none()), (2, true));
}

#[tokio::test(start_paused = true)]
async fn only_a_connection_that_spins_keeps_acknowledgements_back_from_messages() {
    for spins in [false, true] {
        let mut link = ToAndFro::with(LinkOptions::default(), spins);
        link.say();
        link.exchange();
        link.publish();
        link.exchange();
        let stats = link.other.stats();
        assert_eq!((stats.received, stats.acknowledged), (1, u64::from(!spins)), "{spins}");
        // As the documentation of `LinkOptions::spin` says.
        tokio::time::advance(Duration::from_micros(2_501)).await;
        link.publish();
        link.exchange();
        assert_eq!(link.other.stats().acknowledged, 1);
    }
}

/// Has something to read once it was looked at so often, or rings the bell of its link then.
struct Spinning {
    looks: Arc<AtomicU32>,
    news_at: u32,
    rings_at: Option<(u32, Arc<Doorbell>)>,
    said: Vec<u8>,
}

impl Script for Spinning {
    fn read(&mut self, space: &mut ReadBuf<'_>) -> Poll<()> {
        if self.looks.load(Ordering::SeqCst) < self.news_at {
            return Poll::Pending;
        }
        space.put_slice(&std::mem::take(&mut self.said));
        Poll::Ready(())
    }

    fn look(&self) -> Option<bool> {
        let look = self.looks.fetch_add(1, Ordering::SeqCst) + 1;
        if let Some((_, bell)) = self.rings_at.as_ref().filter(|(at, _)| *at == look) {
            bell.ring();
        }
        Some(look >= self.news_at)
    }
}

#[test]
fn a_link_that_spins_looks_where_it_is_for_a_moment_and_not_when_it_has_moved_something() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let bus = MessageBus::builder().node("tool/market").build();
        let hub = Hub::of(&bus).unwrap();
        let looks = Arc::new(AtomicU32::new(0));
        let spinning = |news_at, other: &mut Link| {
            let mut said = Vec::new();
            other.bye(Ended::Shutdown, &mut said);
            Scripted(Spinning { looks: Arc::clone(&looks), news_at, rings_at: None, said })
        };
        let poll = async |driver: &mut Driver| {
            let before = looks.load(Ordering::SeqCst);
            poll_fn(|cx| Poll::Ready(Pin::new(&mut *driver).poll(cx))).await.is_pending().then_some(())?;
            Some(looks.load(Ordering::SeqCst) - before)
        };
        // There is an acknowledgement to be written: whoever has got something by such a turn runs first.
        let mut driver = attached(&bus.core, &hub, |other| Box::new(spinning(3, other)));
        assert_eq!(poll(&mut driver).await, Some(0));
        // What comes while it looks is read in the same turn.
        assert_eq!((poll(&mut driver).await, driver.line.is_none()), (Some(3), true));
        assert_eq!(driver.peer.stats().fault.as_deref(), Some("the peer shuts down"));

        looks.store(0, Ordering::SeqCst);
        let mut driver = attached(&bus.core, &hub, |other| Box::new(spinning(u32::MAX, other)));
        poll(&mut driver).await;
        for _ in 0..10 {
            let looked = poll(&mut driver).await.unwrap();
            assert!((1..=super::spin::LOOKS_MAX).contains(&looked), "{looked}");
            assert!(driver.peer.bell.is_asleep(), "whoever has something for it wakes it");
        }

        looks.store(0, Ordering::SeqCst);
        let mut driver = attached(&bus.core, &hub, |other| Box::new(spinning(u32::MAX, other)));
        poll(&mut driver).await;
        let mut socket = spinning(u32::MAX, &mut Link::new(LinkConfig::default(), 9));
        socket.0.rings_at = Some((1, Arc::clone(&driver.peer.bell)));
        driver.line.as_mut().unwrap().socket = Box::new(socket);
        assert_eq!(poll(&mut driver).await, Some(1), "the bell rings at the first look");
    });
}
