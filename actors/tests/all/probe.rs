//! A probe sees each call of a handler, whatever the host and the way by which the message came.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::Tick;
use mycelium::{
    Actor, ActorRef, BoxError, Call, CallOutcome, Context, Down, Every, Handler, Isolate, MessageBus,
    OnFailure, Probe, Responder, Subscriptions,
};

/// Writes down each call and how it has ended.
#[derive(Default)]
struct Recorder(Mutex<Vec<String>>);
impl Recorder {
    fn note(&self, call: &Call, what: &dyn std::fmt::Display) {
        self.0.lock().unwrap().push(format!("{} {} {what}", call.actor, call.message));
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

#[test]
fn a_probe_of_an_isolate_sees_each_call() {
    for (number, calls) in courses() {
        let recorder = Arc::new(Recorder::default());
        let mut isolate = Isolate::new(1);
        isolate.on_failure(OnFailure::GoOn);
        isolate.probe(recorder.clone());
        let worker = isolate.spawn(Worker::default()).unwrap();
        isolate.publish(Tick(1)).unwrap();
        isolate.ask(&worker, Ask).unwrap();
        assert_eq!(recorder.take(), [TICK, ASK].concat());
        let _ = isolate.spawn(Worker { watches: Some(worker.clone()), beats: 0 }).unwrap();
        isolate.run_for(Duration::ZERO).unwrap();
        isolate.tell(&worker, Note(number)).unwrap();
        isolate.run_for(Duration::from_secs(1)).unwrap();
        worker.kill();
        isolate.run_for(Duration::from_secs(1)).unwrap();
        assert_eq!(recorder.take(), [calls, &DOWN].concat(), "{number}");
    }
}

#[tokio::test]
async fn a_probe_of_a_bus_sees_each_call() {
    for (number, calls) in courses() {
        let recorder = Arc::new(Recorder::default());
        let bus = MessageBus::builder().probe(recorder.clone()).build();
        let worker = bus.spawn(Worker::default()).unwrap();
        bus.publisher::<Tick>().unwrap().publish(Tick(1)).await.unwrap();
        worker.ask(Ask).await.unwrap();
        assert_eq!(recorder.take(), [TICK, ASK].concat());
        let watcher = bus.spawn(Worker { watches: Some(worker.clone()), beats: 0 }).unwrap();
        watcher.ask(Ask).await.unwrap();
        recorder.take();
        worker.tell(Note(number)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        worker.kill();
        worker.ended().await;
        let mut seen = Vec::new();
        while seen.len() < calls.len() + 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
            seen.extend(recorder.take());
        }
        assert_eq!(seen, [calls, &DOWN].concat(), "{number}");
    }
}

#[tokio::test]
async fn what_a_probed_actor_handles_is_counted_as_without_a_probe() {
    let recorder = Arc::new(Recorder::default());
    let bus = MessageBus::builder().probe(recorder.clone()).build();
    let workers = [0; 3].map(|_| bus.spawn(Worker::default()).unwrap());
    let ticks = bus.publisher::<Tick>().unwrap();
    for number in 0..1_000 {
        ticks.publish(Tick(number)).await.unwrap();
    }
    for worker in &workers {
        worker.ask(Ask).await.unwrap();
    }
    let calls = recorder.take();
    assert_eq!(calls.iter().filter(|call| *call == TICK[1]).count(), 3_000);
    assert_eq!(calls.len(), 2 * 3_003);
    let topic = bus.topics().into_iter().find(|topic| topic.message == "Tick").unwrap();
    assert_eq!((topic.published, topic.delivered, topic.waiting), (1_000, 3_000, 0));
}
