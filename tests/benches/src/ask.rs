//! Question and answer: the round trip between a task and an actor.

use std::future::Future;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};

use crate::harness::{OURS, Report, Round, clock_cost, median};
use crate::load::{FLAVOURS, Flavour};
use crate::ours;
use crate::peers::{kameo, ractor};

/// Questions per round.
const QUESTIONS: u64 = 20_000;

/// Something that answers `n` with `n + 1`.
pub(crate) trait Asked: Sized + Send + 'static {
    /// Starts the answering side.
    fn start() -> impl Future<Output = Self> + Send;
    /// Asks and waits.
    fn ask(&mut self, number: u64) -> impl Future<Output = u64> + Send;
    /// Ends the answering side.
    fn stop(self) -> impl Future<Output = ()> + Send;
}

/// One question at a time.
pub(crate) fn round_trip(report: &mut Report) {
    for flavour in FLAVOURS {
        let contenders: Vec<(&str, Round)> = vec![
            (OURS, asking::<ours::Ask>(flavour)),
            ("tokio mpsc + oneshot", asking::<Bare>(flavour)),
            ("kameo ask", asking::<kameo::Ask>(flavour)),
            ("ractor call", asking::<ractor::Call>(flavour)),
        ];
        report.contest("ask", flavour.name(), "ns per round trip, p50", contenders);
    }
}

/// A round of questions, one at a time.
pub(crate) fn asking<A: Asked>(flavour: Flavour) -> Round {
    let clock = clock_cost();
    Box::new(move || flavour.run(ask_once::<A>(clock, QUESTIONS)))
}

/// The median round trip, in nanoseconds, less what the clock costs.
pub(crate) async fn ask_once<A: Asked>(clock: f64, questions: u64) -> f64 {
    let mut asked = A::start().await;
    let mut samples = Vec::with_capacity(usize::try_from(questions).unwrap_or_default());
    for number in 0..questions {
        let begin = Instant::now();
        let answer = asked.ask(number).await;
        samples.push(begin.elapsed().as_nanos() as f64 - clock);
        assert_eq!(answer, number + 1, "the answer belongs to the question");
    }
    asked.stop().await;
    median(&samples)
}

/// By hand: a question travels with the sender of its answer.
#[derive(Debug)]
pub(crate) struct Bare(mpsc::Sender<(u64, oneshot::Sender<u64>)>);

impl Asked for Bare {
    async fn start() -> Self {
        let (sender, mut receiver) = mpsc::channel::<(u64, oneshot::Sender<u64>)>(1024);
        tokio::spawn(async move {
            while let Some((number, reply)) = receiver.recv().await {
                reply.send(number + 1).ok();
            }
        });
        Self(sender)
    }

    async fn ask(&mut self, number: u64) -> u64 {
        let (reply, answer) = oneshot::channel();
        self.0.send((number, reply)).await.expect("the task is alive");
        answer.await.expect("the task answers")
    }

    async fn stop(self) {}
}
