//! A probe sees each call of a handler, whatever the host and the way by which the message came.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mycelium::testing::Faults;
use mycelium::{
    Actor, ActorRef, AskError, BoxError, Call, CallOutcome, Context, Down, Every, Handler, Probe, Responder,
    StopReason, Subscriptions,
};

use crate::common::Tick;
use crate::host::Host;

/// Writes down each call and how it has ended.
#[derive(Default)]
struct Recorder(Mutex<Vec<String>>);
impl Recorder {
    fn note(&self, call: &Call, what: &dyn std::fmt::Display) {
        self.0.lock().unwrap().push(format!("{} {} {what}", call.actor, call.message));
    }
    fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}
impl Probe for Recorder {
    fn begins(&self, call: &Call) {
        self.note(call, &"begins");
    }
    fn ended(&self, call: &Call, outcome: &CallOutcome<'_>) {
        self.note(call, outcome);
    }
}

/// Told by its number what to do.
struct Note(u32);
struct Ask;
#[derive(Clone)]
struct Beat;

#[derive(Default)]
struct Worker {
    watches: Option<ActorRef<Worker>>,
    beats: u32,
}
impl Actor for Worker {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if let Some(other) = &self.watches {
            ctx.watch(other);
        }
        Ok(())
    }
}
impl Handler<Tick> for Worker {
    async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        Ok(())
    }
}
impl Handler<Note> for Worker {
    async fn handle(&mut self, note: &Note, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        match note.0 {
            0 => return Err("zero".into()),
            1 => panic!("one"),
            2 => std::future::pending().await,
            3 => ctx.sleep(Duration::from_millis(1)).await,
            _ => {
                ctx.schedule_every(Every::new(Duration::from_millis(1)), Beat);
            }
        }
        Ok(())
    }
}
impl Handler<Beat> for Worker {
    async fn handle(&mut self, _: &Beat, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.beats += 1;
        if self.beats == 2 {
            ctx.stop();
        }
        Ok(())
    }
}
impl Handler<Down> for Worker {
    async fn handle(&mut self, _: &Down, _: &mut Context<Self>) -> Result<(), BoxError> {
        Ok(())
    }
}
impl Responder<Ask> for Worker {
    type Reply = ();
    async fn answer(&mut self, _: &Ask, _: &mut Context<Self>) {}
}

/// What is told to a worker, and the calls that follow.
fn courses() -> [(u32, &'static [&'static str]); 5] {
    const ZERO: &[&str] = &["Worker Note begins", "Worker Note failed: zero"];
    const ONE: &[&str] = &["Worker Note begins", "Worker Note panicked"];
    const TWO: &[&str] = &["Worker Note begins", "Worker Note was dropped"];
    const THREE: &[&str] = &["Worker Note begins", "Worker Note is done"];
    const FOUR: &[&str] = &[
        "Worker Note begins",
        "Worker Note is done",
        "Worker Beat begins",
        "Worker Beat is done",
        "Worker Beat begins",
        "Worker Beat is done",
    ];
    [(0, ZERO), (1, ONE), (2, TWO), (3, THREE), (4, FOUR)]
}

const TICK: [&str; 2] = ["Worker Tick begins", "Worker Tick is done"];
const ASK: [&str; 2] = ["Worker Ask begins", "Worker Ask is done"];
const DOWN: [&str; 2] = ["Worker Down begins", "Worker Down is done"];

conformance!(a_probe_sees_each_call_whatever_the_way_by_which_its_message_came);
fn a_probe_sees_each_call_whatever_the_way_by_which_its_message_came<H: Host>() {
    for (number, calls) in courses() {
        let recorder = Arc::new(Recorder::default());
        let mut host = H::probed(recorder.clone());
        let worker = host.spawn(Worker::default()).unwrap();
        host.publish(Tick(1)).unwrap();
        host.ask(&worker, Ask).unwrap();
        // An answer is there before its call has ended.
        host.settle();
        assert_eq!(recorder.take(), [TICK, ASK].concat());
        host.spawn(Worker { watches: Some(worker.clone()), beats: 0 }).unwrap();
        host.settle();
        assert_eq!(recorder.take(), [""; 0], "`started` is no call");
        host.tell(&worker, Note(number)).unwrap();
        // The one that waits for ever is dropped by the kill.
        let before = calls.iter().filter(|call| !call.ends_with("was dropped")).count();
        host.until(|| recorder.len() >= before);
        worker.kill();
        host.ended(&worker);
        host.until(|| recorder.len() >= calls.len() + DOWN.len());
        assert_eq!(recorder.take(), [calls, &DOWN].concat(), "{number}");
    }
}

conformance!(an_injected_failure_is_a_panic_with_its_place_to_all_that_hear_of_it);
fn an_injected_failure_is_a_panic_with_its_place_to_all_that_hear_of_it<H: Host>() {
    let faults = Arc::new(Faults::new().panic_at::<Worker, Tick>(2).panic_at::<Worker, Ask>(1));
    let mut host = H::probed(faults.clone());
    let worker = host.spawn(Worker::default()).unwrap();
    for number in 0..2 {
        host.publish(Tick(number)).unwrap();
    }
    let place = "injected at message 2 of type Tick of Worker";
    assert_eq!(host.ended(&worker), StopReason::Panicked(place.into()));
    assert_eq!(host.letters().dead, 1);
    let letter = host.dead_letters().recent.remove(0).to_string();
    assert_eq!(letter, format!("1 Tick was being handled when {} panicked: {place}", worker.identity()));
    let worker = host.spawn(Worker::default()).unwrap();
    assert!(matches!(host.ask(&worker, Ask), Err(AskError::Stopped(_))));
    let place = "injected at message 1 of type Ask of Worker";
    assert_eq!(host.ended(&worker), StopReason::Panicked(place.into()));
    assert_eq!(faults.injected(), 2);
}

conformance!(what_a_probed_actor_handles_is_counted_as_without_a_probe);
fn what_a_probed_actor_handles_is_counted_as_without_a_probe<H: Host>() {
    let recorder = Arc::new(Recorder::default());
    let mut host = H::probed(recorder.clone());
    let workers = [0; 3].map(|_| host.spawn(Worker::default()).unwrap());
    for number in 0..1_000 {
        host.publish(Tick(number)).unwrap();
    }
    for worker in &workers {
        host.ask(worker, Ask).unwrap();
    }
    host.settle();
    let calls = recorder.take();
    assert_eq!(calls.iter().filter(|call| *call == TICK[1]).count(), 3_000);
    assert_eq!(calls.len(), 2 * 3_003);
    let topic = host.topic::<Tick>();
    assert_eq!((topic.published, topic.delivered, topic.waiting), (1_000, 3_000, 0));
}
