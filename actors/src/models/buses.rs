//! Buses without supervisors: publishers and actors against shutdowns, drops and cancellations.

use std::task::Poll;
use std::time::Duration;

use super::cast::{
    Count, Leave, Log, Lossy, Reader, Relay, Sink, Tick, Tock, below, bus, pause, publish_ticks,
};
use super::explore;
use crate::rt;
use crate::{BoxError, PublishError, Service, ServiceContext, Subscription};

const NUMBERS: u32 = 4;

/// Nothing is lost while nobody ends, however the actors wake and sleep.
#[test]
fn shuttle_messages_reach_the_end_of_a_chain() {
    explore(|| async {
        let (bus, log) = (bus(), Log::default());
        bus.spawn(Sink { log: log.clone() }).unwrap();
        bus.spawn(Relay).unwrap();
        bus.spawn(Reader::new("reader", &log)).unwrap();
        bus.spawn(Lossy { log: log.clone() }).unwrap();
        let publishers = [0, 1].map(|from| publish_ticks(&bus, from, NUMBERS));
        for publisher in publishers {
            assert_eq!(publisher.await, NUMBERS);
        }
        log.wait_for("sink", 2 * NUMBERS as usize).await;
        log.wait_for("reader tick", 2 * NUMBERS as usize).await;
        log.check_complete("sink tock", 0..2, NUMBERS);
        log.check_complete("reader tick", 0..2, NUMBERS);
        bus.shutdown().await.unwrap();
        log.check_order("lossy tick", 0..2, true);
        assert_eq!(bus.alive(), 0);
    });
}

/// A shutdown ends everybody, whoever publishes meanwhile; what was published was handled, or is a dead
/// letter.
#[test]
fn shuttle_a_shutdown_meets_publishers() {
    explore(|| async {
        let (bus, log) = (bus(), Log::default());
        let reader = bus.spawn(Reader::new("reader", &log)).unwrap();
        let publishers = [0, 1].map(|from| publish_ticks(&bus, from, NUMBERS));
        let teller = reader.clone();
        let told = rt::spawn(async move {
            let mut taken = 0;
            while taken < NUMBERS && teller.tell(Tock(Tick { from: 2, number: taken })).await.is_ok() {
                taken += 1;
            }
            taken
        });
        pause(20).await;
        let ended = bus.shutdown().await;
        // An impatient clock may kill.
        assert!(reader.ended().await == crate::StopReason::Shutdown || ended.is_err());
        assert_eq!(bus.alive(), 0);
        let mut taken = [0; 3];
        for (from, publisher) in publishers.into_iter().enumerate() {
            taken[from] = publisher.await;
        }
        taken[2] = told.await.unwrap();
        log.check_order("reader tick", 0..2, false);
        log.check_order("reader told", 0..3, false);
        let letters = bus.dead_letters();
        let published = bus.topics()[0].published;
        let accounted = log.count("reader t") as u64 + letters.in_hand + letters.waiting;
        assert_eq!(
            accounted,
            published + u64::from(taken[2]),
            "{letters:?}, {:?}, {:?}",
            bus.topics(),
            log.lines()
        );
        assert!(u64::from(taken[0] + taken[1]) >= published);
        let late = bus.publisher::<Tick>().unwrap();
        assert!(matches!(late.publish(Tick { from: 9, number: 9 }).await, Err(PublishError::Closed(_))));
    });
}

struct Patient;

impl Service for Patient {
    type Error = BoxError;

    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        ctx.stopped().await;
        Ok(())
    }
}

/// A member that is spawned while a shutdown begins is refused, or ended; each message that it was told by
/// its name was handled, or is a dead letter.
#[test]
fn shuttle_a_shutdown_meets_late_spawns() {
    explore(|| async {
        let (bus, log) = (bus(), Log::default());
        let spawner = {
            let (bus, log) = (bus.clone(), log.clone());
            rt::spawn(async move {
                pause(4).await;
                for _ in 0..2 {
                    if let Ok(actor) = bus.spawn_named("late", Reader::new("late", &log)) {
                        actor.ended().await;
                        assert!(bus.lookup::<Reader>("late").is_none_or(|found| found.id() != actor.id()));
                    }
                    if let Ok(service) = bus.spawn_service(Patient) {
                        service.ended().await;
                    }
                }
            })
        };
        let teller = {
            let bus = bus.clone();
            rt::spawn(async move {
                let mut taken = 0;
                for number in 0..3 * NUMBERS {
                    let late = bus.lookup::<Reader>("late");
                    let told = late.map(|late| late.try_tell(Tock(Tick { from: 0, number })));
                    taken += u64::from(told.is_some_and(|told| told.is_ok()));
                    pause(3).await;
                }
                taken
            })
        };
        pause(8).await;
        let ended = bus.shutdown().await;
        spawner.await.unwrap();
        assert_eq!(bus.alive(), 0, "{ended:?}");
        let (taken, letters) = (teller.await.unwrap(), bus.dead_letters());
        assert_eq!(log.count("late told") as u64 + letters.in_hand + letters.waiting, taken, "{letters:?}");
        assert!(bus.spawn(Reader::new("later", &log)).is_err());
    });
}

/// The last handle of a bus ends everybody on it.
#[test]
fn shuttle_a_dropped_bus_ends_its_actors() {
    explore(|| async {
        let (bus, log) = (bus(), Log::default());
        let reader = bus.spawn(Reader::new("reader", &log)).unwrap();
        let service = bus.spawn_service(Patient).unwrap();
        let publisher = publish_ticks(&bus, 0, NUMBERS);
        let weak = bus.downgrade();
        let other = rt::spawn(async move {
            pause(4).await;
            drop(weak.upgrade());
        });
        pause(10).await;
        drop(bus);
        reader.ended().await;
        service.ended().await;
        publisher.await;
        other.await.unwrap();
        log.check_order("reader tick", 0..1, false);
    });
}

/// An ask ends with its answer, its deadline, or its actor, and an answer is given in its place in the order.
#[test]
fn shuttle_asks_meet_the_end_of_their_actor() {
    explore(|| async {
        let (bus, log) = (bus(), Log::default());
        let reader = bus.spawn(Reader::new("reader", &log)).unwrap();
        let askers = [0, 1, 2].map(|asker| {
            let reader = reader.clone();
            rt::spawn(async move {
                for number in 0..2 {
                    let told = reader.tell(Tock(Tick { from: asker, number })).await.is_ok();
                    let answer = match asker {
                        0 => reader.ask_within(Count, Duration::from_millis(1)).await,
                        _ => reader.ask(Count).await,
                    };
                    if let Ok(handled) = answer {
                        assert!(told && handled > number, "an answer comes after what was told before");
                    }
                }
            })
        });
        pause(20).await;
        match below(3) {
            0 => reader.stop(),
            1 => reader.kill(),
            _ => drop(reader.try_tell(Leave)),
        }
        for asker in askers {
            asker.await.unwrap();
        }
        reader.stop();
        reader.ended().await;
        assert_eq!(bus.alive(), 0);
        log.check_order("reader told", 0..3, false);
    });
}

/// A publish that is dropped has published or has not; the others lose nothing and do not wait for it.
#[test]
fn shuttle_cancelled_publishes_hold_nobody_up() {
    explore(|| async {
        let bus = bus();
        let readers = [1, 2].map(|capacity| {
            let subscription = Subscription::<Tick>::block().capacity(capacity);
            let mut stream = bus.subscriber_with(subscription).unwrap();
            rt::spawn(async move {
                let mut heard = Vec::new();
                while let Some(tick) = stream.recv().await {
                    pause(2).await;
                    heard.push(tick.into_owned());
                }
                heard
            })
        });
        let publisher = bus.publisher::<Tick>().unwrap();
        let hasty = rt::spawn(async move {
            let mut taken = Vec::new();
            for number in 0..2 * NUMBERS {
                let mut publish = std::pin::pin!(publisher.publish(Tick { from: 0, number }));
                let patience = below(3);
                let mut polls = 0;
                let published = std::future::poll_fn(|cx| {
                    polls += 1;
                    match publish.as_mut().poll(cx) {
                        Poll::Ready(published) => Poll::Ready(Some(published)),
                        Poll::Pending if polls > patience => Poll::Ready(None),
                        Poll::Pending => {
                            cx.waker().wake_by_ref();
                            Poll::Pending
                        }
                    }
                });
                if let Some(published) = published.await {
                    published.unwrap();
                    taken.push(number);
                }
            }
            taken
        });
        let patient = publish_ticks(&bus, 1, NUMBERS);
        assert_eq!(patient.await, NUMBERS);
        let taken = hasty.await.unwrap();
        bus.shutdown().await.unwrap();
        for reader in readers {
            let heard = reader.await.unwrap();
            let of = |from| heard.iter().filter(move |tick| tick.from == from).map(|tick| tick.number);
            assert!(of(0).eq(taken.iter().copied()), "{heard:?}, {taken:?}");
            assert!(of(1).eq(0..NUMBERS), "{heard:?}");
        }
    });
}
