//! When messages of an isolate are dropped, and what becomes of a destructor that panics.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::common::PERIOD;
use mycelium::{
    Actor, BoxError, Context, Handler, Isolate, Message, RunError, Service, ServiceContext, Subscription,
    Supervisor,
};

/// How many messages are alive, and how many were ever dropped.
#[derive(Clone, Debug, Default)]
struct Tally(Arc<(AtomicU32, AtomicU32)>);

impl Tally {
    fn alive(&self) -> u32 {
        self.0.0.load(Ordering::SeqCst)
    }
    fn dropped(&self) -> u32 {
        self.0.1.load(Ordering::SeqCst)
    }
    fn letter(&self, number: u32) -> Letter {
        self.0.0.fetch_add(1, Ordering::SeqCst);
        Letter { number, tally: self.clone(), bomb: false }
    }
    /// One whose drop panics, if `bomb`.
    fn bomb(&self, number: u32, bomb: bool) -> Letter {
        let mut letter = self.letter(number);
        letter.bomb = bomb;
        letter
    }
}

/// A message with a destructor.
#[derive(Debug)]
struct Letter {
    number: u32,
    tally: Tally,
    /// Whether its drop panics.
    bomb: bool,
}

impl Clone for Letter {
    fn clone(&self) -> Self {
        self.tally.bomb(self.number, self.bomb)
    }
}
impl Drop for Letter {
    fn drop(&mut self) {
        self.tally.0.0.fetch_sub(1, Ordering::SeqCst);
        self.tally.0.1.fetch_add(1, Ordering::SeqCst);
        assert!(!self.bomb, "letter {} explodes", self.number);
    }
}
impl Message for Letter {
    const NAME: &'static str = "Letter";
    const TYPE_ID: u16 = 1;
    const TOPIC: &'static str = "letters";
}

/// Notes how many letters were alive when it read each, and waits over each as long as it is told.
#[derive(Default)]
struct Reader {
    read: Vec<(u32, u32)>,
    pause: Duration,
    subscription: Option<Subscription<Letter>>,
}
impl Actor for Reader {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.subscribe(self.subscription.unwrap_or_default())?;
        Ok(())
    }
}
impl Handler<Letter> for Reader {
    async fn handle(&mut self, letter: &Letter, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.read.push((letter.number, letter.tally.alive()));
        if !self.pause.is_zero() {
            ctx.sleep(self.pause).await;
        }
        Ok(())
    }
}

const SECOND: Duration = Duration::from_secs(1);

fn numbers(isolate: &mut Isolate, reader: &mycelium::ActorRef<Reader>) -> Vec<u32> {
    isolate.with(reader, |reader| reader.read.iter().map(|(number, _)| *number).collect()).unwrap()
}

#[test]
fn a_message_is_dropped_right_after_its_last_handler() {
    // Published to one, to two, sent to one, and by a service.
    for way in 0..4 {
        let (mut isolate, tally) = (Isolate::new(1), Tally::default());
        let first = isolate.spawn(Reader::default()).unwrap();
        if way == 1 {
            isolate.spawn(Reader::default()).unwrap();
        }
        isolate.run().unwrap();
        for number in 0..100 {
            match way {
                2 => isolate.tell(&first, tally.letter(number)).unwrap(),
                _ => isolate.publish(tally.letter(number)).unwrap(),
            }
        }
        assert_eq!(tally.alive(), 100);
        isolate.run().unwrap();
        assert_eq!(tally.alive(), 0, "nothing waits, so nothing is kept");
        let read = isolate.take(&first).unwrap().read;
        assert!(read.iter().all(|(number, alive)| *alive == 100 - number), "{read:?}");
    }
}

#[test]
fn large_messages_take_room_only_while_they_wait() {
    struct Source(Tally);
    impl Service for Source {
        type Error = BoxError;
        async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
            for number in 0..3_000 {
                ctx.sleep(SECOND).await;
                ctx.publish(self.0.letter(number)).await?;
            }
            Ok(())
        }
    }
    struct Keeper(Tally);
    impl Service for Keeper {
        type Error = BoxError;
        async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
            let mut letters = ctx.subscribe::<Letter>(Subscription::block())?;
            while let Some(letter) = letters.recv().await {
                assert_eq!(self.0.alive(), 1, "letter {} and no copy", letter.number);
            }
            Ok(())
        }
    }
    let (mut isolate, tally) = (Isolate::new(1), Tally::default());
    let reader = isolate.spawn(Reader::default()).unwrap();
    isolate.spawn_service(Source(tally.clone())).unwrap();
    isolate.run().unwrap();
    assert!(isolate.take(&reader).unwrap().read.iter().all(|(_, alive)| *alive == 1));
    let mut isolate = Isolate::new(1);
    isolate.spawn_service(Keeper(tally.clone())).unwrap();
    isolate.spawn_service(Source(tally.clone())).unwrap();
    isolate.run().unwrap();
    // The keeper was shown them and has copied none.
    assert_eq!((tally.alive(), tally.dropped()), (0, 6_000));
}

#[test]
fn a_handler_that_waits_keeps_its_message_and_those_behind_it_alone() {
    let (mut isolate, tally) = (Isolate::new(1), Tally::default());
    isolate.spawn(Reader::default()).unwrap();
    let slow = isolate.spawn(Reader { pause: SECOND, ..Reader::default() }).unwrap();
    isolate.run().unwrap();
    for number in 0..5 {
        isolate.publish(tally.letter(number)).unwrap();
    }
    for passed in 0..5 {
        isolate.run_until(crate::common::at_ms(1_000 * i64::from(passed))).unwrap();
        assert_eq!(tally.alive(), 5 - passed);
    }
    isolate.run().unwrap();
    assert_eq!((tally.alive(), numbers(&mut isolate, &slow)), (0, vec![0, 1, 2, 3, 4]));
}

#[test]
fn a_destructor_that_panics_is_its_last_readers_and_loses_no_other_message() {
    let letters = |isolate: &mut Isolate, tally: &Tally| {
        for number in 0..6 {
            isolate.publish(tally.bomb(number, number % 2 == 1)).unwrap();
        }
    };
    let (mut isolate, tally) = (Isolate::new(1), Tally::default());
    let first = isolate.spawn(Reader::default()).unwrap();
    isolate.spawn(Reader::default()).unwrap();
    isolate.run().unwrap();
    letters(&mut isolate, &tally);
    let error = isolate.run().unwrap_err();
    let RunError::ActorFailed { actor, .. } = &error else { panic!("{error}") };
    assert_eq!(actor.id.get(), 2);
    assert!(error.to_string().contains("letter 1 explodes"), "{error}");
    assert_eq!(numbers(&mut isolate, &first), [0, 1]);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(isolate))).is_err(), "letter 3");
    assert_eq!((tally.alive(), tally.dropped()), (0, 6), "all of them, however many panic");

    // Under a supervisor it is a failure like any other.
    let (mut isolate, tally) = (Isolate::new(1), Tally::default());
    let other = isolate.spawn(Reader::default()).unwrap();
    isolate.run().unwrap();
    let root = Supervisor::builder("root").intensity(10, PERIOD).actor("reader", Reader::default);
    let tree = isolate.supervise(&root).unwrap();
    isolate.run().unwrap();
    letters(&mut isolate, &tally);
    isolate.run().unwrap();
    assert_eq!(numbers(&mut isolate, &other), [0, 1, 2, 3, 4, 5]);
    let supervised = tree.lookup::<Reader>("root/reader").unwrap();
    assert_eq!(numbers(&mut isolate, &supervised), [0_u32; 0], "it failed over the last letter");
    assert_eq!((tally.alive(), tally.dropped()), (0, 6));
}

#[test]
fn a_destructor_that_panics_in_a_queue_is_nobodys() {
    for subscription in [
        Subscription::drop_oldest(),
        Subscription::conflate(|_: &Letter| 7),
        Subscription::drop_newest(),
        Subscription::block(),
    ] {
        let (mut isolate, tally) = (Isolate::new(1), Tally::default());
        let subscription = subscription.capacity(2);
        let slow = Reader { pause: SECOND, subscription: Some(subscription), ..Reader::default() };
        let slow = isolate.spawn(slow).unwrap();
        isolate.run().unwrap();
        for number in 0..6 {
            let letter = tally.bomb(number, number > 0 && number < 5);
            // A refused message comes back, and is dropped here.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(isolate.publish(letter))));
            isolate.run_until(isolate.now()).unwrap();
        }
        let ended = isolate.end_reason(&slow);
        assert_eq!(ended, None, "{ended:?}");
        slow.kill();
        let _ = isolate.run();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(isolate)));
        assert_eq!((tally.alive(), tally.dropped()), (0, 6));
    }
}
