//! The life of an actor is the same live and in an isolate: how it ends, what others hear of it, and when its
//! name is free again.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::Tick;
use mycelium::{
    Actor, ActorRef, BoxError, Context, Handler, Isolate, MessageBus, OnFailure, RunError, Service,
    ServiceContext, StopReason, Subscriptions,
};

type Said = Arc<Mutex<Vec<&'static str>>>;

/// Takes its leave slowly, and panics over it if it is told to.
#[derive(Clone, Default)]
struct Leaver {
    said: Said,
    panics: bool,
}
impl Actor for Leaver {
    type Error = BoxError;
    async fn started(&mut self, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.said.lock().unwrap().push("started");
        Ok(())
    }
    async fn stopping(&mut self, _: &StopReason, ctx: &mut Context<Self>) {
        ctx.sleep(Duration::from_millis(5)).await;
        self.said.lock().unwrap().push("last words");
        assert!(!self.panics, "in its last words");
    }
}
impl Handler<u32> for Leaver {
    async fn handle(&mut self, number: &u32, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        match number {
            0 => Err("zero".into()),
            1 => std::future::pending().await,
            _ => {
                ctx.stop();
                Ok(())
            }
        }
    }
}

/// Waits for the end of another.
struct Mourner {
    of: ActorRef<Leaver>,
    said: Said,
    reason: Arc<Mutex<Option<StopReason>>>,
}
impl Service for Mourner {
    type Error = BoxError;
    async fn run(&mut self, _: &ServiceContext) -> Result<(), BoxError> {
        *self.reason.lock().unwrap() = Some(self.of.ended().await);
        self.said.lock().unwrap().push("its end");
        Ok(())
    }
}

/// What a leaver goes through that is told these numbers, and killed if the last one waits; what is said of
/// it, why it has ended, and how many dead letters there are.
type Course = (Vec<&'static str>, String, u64);

fn in_isolate(numbers: &[u32], panics: bool) -> Course {
    let (said, reason) = (Said::default(), Arc::default());
    let mut isolate = Isolate::new(1);
    isolate.on_failure(OnFailure::GoOn);
    let leaver = isolate.spawn(Leaver { said: Arc::clone(&said), panics }).unwrap();
    let mourner = Mourner { of: leaver.clone(), said: Arc::clone(&said), reason: Arc::clone(&reason) };
    isolate.spawn_service(mourner).unwrap();
    let _ = isolate.run_for(Duration::from_secs(1));
    numbers.iter().for_each(|number| isolate.tell(&leaver, *number).unwrap());
    let _ = isolate.run_for(Duration::from_secs(1));
    if numbers.contains(&1) {
        leaver.kill();
        let _ = isolate.run_for(Duration::from_secs(1));
    }
    let reason = reason.lock().unwrap().as_ref().map(ToString::to_string);
    (said.lock().unwrap().clone(), reason.unwrap_or_default(), isolate.stats().dead_letters)
}

async fn live(numbers: &[u32], panics: bool) -> Course {
    let said = Said::default();
    let bus = MessageBus::new();
    let leaver = bus.spawn(Leaver { said: Arc::clone(&said), panics }).unwrap();
    for number in numbers {
        leaver.tell(*number).await.unwrap();
    }
    if numbers.contains(&1) {
        tokio::time::sleep(Duration::from_millis(20)).await;
        leaver.kill();
    }
    let reason = leaver.ended().await;
    said.lock().unwrap().push("its end");
    (
        said.lock().unwrap().clone(),
        reason.to_string(),
        bus.dead_letters().in_hand + bus.dead_letters().waiting,
    )
}

#[tokio::test]
async fn an_end_is_known_after_the_last_words_and_a_panic_in_them_is_its_reason() {
    for panics in [false, true] {
        let live = live(&[2], panics).await;
        assert_eq!(live.0, ["started", "last words", "its end"]);
        assert_eq!(live.1.contains("in its last words"), panics, "{}", live.1);
        assert_eq!(in_isolate(&[2], panics), live);
    }
}

#[tokio::test]
async fn what_a_killed_actor_had_in_hand_is_a_dead_letter_like_what_waited() {
    let live = live(&[1, 2, 2], false).await;
    assert_eq!((&live.0[..], live.2), (&["started", "its end"][..], 3));
    assert_eq!(in_isolate(&[1, 2, 2], false), live);
}

/// Writes down which ticks it hears, and panics over the one it is given.
struct Hearer {
    of: Option<u64>,
    heard: Arc<Mutex<Vec<u64>>>,
}
impl Actor for Hearer {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
}
impl Handler<Tick> for Hearer {
    async fn handle(&mut self, tick: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        assert_ne!(self.of, Some(tick.0), "told to");
        self.heard.lock().unwrap().push(tick.0);
        Ok(())
    }
}

/// Five actors of which the first, third and fourth panic over the tick 2, two of them in a row.
fn hearers() -> [(Hearer, Arc<Mutex<Vec<u64>>>); 5] {
    [Some(2), None, Some(2), Some(2), None].map(|of| {
        let heard = Arc::default();
        (Hearer { of, heard: Arc::clone(&heard) }, heard)
    })
}

#[tokio::test]
async fn a_panic_that_nobody_looks_after_ends_its_actor_alone_live_and_in_an_isolate() {
    let all = [vec![1], vec![1, 2, 3], vec![1], vec![1], vec![1, 2, 3]];
    let bus = MessageBus::new();
    let ticks = bus.publisher::<Tick>().unwrap();
    let (actors, heard): (Vec<_>, Vec<_>) = hearers().into_iter().unzip();
    let actors: Vec<_> = actors.into_iter().map(|hearer| bus.spawn(hearer).unwrap()).collect();
    for number in [1, 2, 3] {
        ticks.publish(Tick(number)).await.unwrap();
    }
    while heard.iter().map(|heard| heard.lock().unwrap().clone()).collect::<Vec<_>>() != all {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let alive: Vec<_> = actors.iter().map(ActorRef::is_alive).collect();
    assert_eq!(alive, [false, true, false, false, true]);
    for on_failure in [OnFailure::GoOn, OnFailure::StopRun] {
        let mut isolate = Isolate::new(1);
        isolate.on_failure(on_failure);
        let (actors, heard): (Vec<_>, Vec<_>) = hearers().into_iter().unzip();
        let actors: Vec<_> = actors.into_iter().map(|hearer| isolate.spawn(hearer).unwrap()).collect();
        for number in [1, 2, 3] {
            isolate.publish(Tick(number)).unwrap();
        }
        let run = isolate.run();
        let heard: Vec<_> = heard.iter().map(|heard| heard.lock().unwrap().clone()).collect();
        let topic = isolate.topics().remove(0);
        match on_failure {
            OnFailure::GoOn => {
                run.unwrap();
                assert_eq!(heard, all);
                assert_eq!((topic.delivered, topic.dead_letters, topic.waiting), (5 + 2 + 2, 3, 0));
                assert_eq!(topic.dropped_unsubscribed, 3, "the third tick for each that had ended");
            }
            _ => {
                assert!(matches!(run, Err(RunError::ActorFailed { .. })), "{run:?}");
                assert_eq!(heard, [vec![1], vec![1, 2], vec![1], vec![1], vec![1, 2]]);
                assert_eq!(topic.dead_letters, 3, "{topic:?}");
            }
        }
        assert_eq!(
            actors.iter().map(ActorRef::is_alive).collect::<Vec<_>>(),
            [false, true, false, false, true]
        );
    }
}

/// Has a name.
struct Dice;
impl Actor for Dice {
    type Error = BoxError;
}

/// Another type, so that a name of the one is none of the other.
struct Other;
impl Actor for Other {
    type Error = BoxError;
}

#[test]
fn a_name_in_an_isolate_is_free_again_after_the_end() {
    let mut isolate = Isolate::new(7);
    let dice = isolate.spawn_named("dice", Dice).unwrap();
    assert_eq!(isolate.lookup::<Dice>("dice").map(|dice| dice.id()), Some(dice.id()));
    assert!(isolate.lookup::<Other>("dice").is_none());
    assert!(isolate.spawn_named("dice", Other).is_err());
    dice.kill();
    assert!(isolate.lookup::<Dice>("dice").is_none());
    isolate.spawn_named("dice", Other).unwrap();
    assert!(isolate.lookup::<Other>("dice").is_some());
}
