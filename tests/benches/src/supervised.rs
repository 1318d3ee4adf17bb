//! Mycelium under supervision: children that crash.

use std::time::{Duration, Instant};

use mycelium::tree::{Builder, Child};
use mycelium::{Actor, ActorRef, BoxError, Context, Handler, MessageBus, Responder, Supervisor};

use crate::crash::Stage;

/// Restarts that a supervisor allows itself within a nanosecond: the most that it accepts.
const RESTARTS: u32 = 1_000_000;

/// A supervisor that restarts at once and never gives up.
fn patient(id: &str) -> Builder {
    Supervisor::builder(id).intensity(RESTARTS, Duration::from_nanos(1))
}

/// An actor that crashes when told to.
struct Crasher(Stage);

impl Actor for Crasher {
    type Error = BoxError;
}

#[derive(Clone, Copy)]
struct Boom;
struct Next;

impl Handler<Boom> for Crasher {
    async fn handle(&mut self, _: &Boom, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.crash();
    }
}

impl Responder<Next> for Crasher {
    type Reply = Instant;
    async fn answer(&mut self, _: &Next, _: &mut Context<Self>) -> Instant {
        Instant::now()
    }
}

/// Crashes a child and times each crash until the child handles its next message, which waits in its mailbox.
pub(crate) async fn crashes(times: usize) -> Vec<f64> {
    let stage = Stage::default();
    let crasher = stage.clone();
    let child = Child::actor("crasher", move || Crasher(crasher.clone()));
    let bus = MessageBus::new();
    let tree = patient("root").child(child).start(&bus).await.expect("the tree starts");
    let child: ActorRef<Crasher> = tree.actor_ref("root/crasher").expect("it runs");
    let mut samples = Vec::with_capacity(times);
    for _ in 0..times {
        child.tell(Boom).await.expect("the reference outlives its crashes");
        let handled = child.ask(Next).await.expect("the child answers in its next life");
        samples.push(stage.since_crash(handled));
    }
    tree.shutdown().await.expect("the tree ends in time");
    samples
}
