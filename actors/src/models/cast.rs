//! Messages, actors and helpers that the models share.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::tree::{Backoff, Child, Redelivery, Shutdown};
use crate::{
    Actor, BoxError, Context, Handler, Message, MessageBus, Responder, StopReason, Subscription,
    Subscriptions,
};

/// A numbered message of a numbered sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tick {
    pub(super) from: u32,
    pub(super) number: u32,
}

impl Message for Tick {
    const NAME: &'static str = "Tick";
    const TYPE_ID: u16 = 1;
    const TOPIC: &'static str = "ticks";
}

/// The same, on another topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tock(pub(super) Tick);

impl Message for Tock {
    const NAME: &'static str = "Tock";
    const TYPE_ID: u16 = 2;
    const TOPIC: &'static str = "tocks";
}

/// Asks how many messages this life has handled.
pub(super) struct Count;

/// Stops its receiver.
pub(super) struct Leave;

/// A bus with small queues.
pub(super) fn bus() -> MessageBus {
    MessageBus::builder().seed(1).topic_capacity(2).inbox_capacity(2).build()
}

/// A number below `bound`, which follows from the schedule's seed.
pub(super) fn below(bound: u32) -> u32 {
    use shuttle::rand::Rng;
    shuttle::rand::thread_rng().gen_range(0..bound)
}

/// Lets others run, `0..most` times.
pub(super) async fn pause(most: u32) {
    for _ in 0..below(most) {
        shuttle::future::yield_now().await;
    }
}

/// What happened, in order, as lines. No scheduling point: a model may look at it whenever it likes.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<(Mutex<Vec<String>>, Notify)>);

impl Log {
    pub(super) fn add(&self, line: impl Into<String>) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).push(line.into());
        self.0.1.notify_waiters();
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many lines begin with this.
    pub(super) fn count(&self, with: &str) -> usize {
        self.lines().iter().filter(|line| line.starts_with(with)).count()
    }

    /// Waits for so many lines that begin with this: for ever if they do not come, which is a deadlock.
    pub(super) async fn wait_for(&self, with: &str, times: usize) {
        loop {
            let more = self.0.1.notified();
            if self.count(with) >= times {
                return;
            }
            more.await;
        }
    }

    /// That there was never more than one life of this name at a time, and that none is left.
    pub(super) fn check_lives(&self, name: &str) {
        let lines = self.lines();
        let mut lives = lines.iter().filter(|line| line[1..] == *name && line.starts_with(['+', '~']));
        while let Some(begun) = lives.next() {
            assert!(begun.starts_with('+'), "{name}: {lines:?}");
            assert!(lives.next().is_some_and(|ended| ended.starts_with('~')), "{name}: {lines:?}");
        }
    }

    /// The lines that begin with this, without it.
    pub(super) fn after(&self, with: &str) -> Vec<String> {
        self.lines().iter().filter_map(|line| line.strip_prefix(with)).map(str::to_owned).collect()
    }

    /// Of each sender's messages in the lines that begin with this: every number from 0 to `numbers`, once
    /// and in order.
    pub(super) fn check_complete(&self, with: &str, senders: Range<u32>, numbers: u32) {
        for from in senders {
            let heard = self.after(&format!("{with} {from}."));
            let sent: Vec<String> = (0..numbers).map(|number| number.to_string()).collect();
            assert_eq!(heard, sent, "{with} of sender {from}");
        }
    }

    /// The same without the last ones, and with gaps if they are allowed.
    pub(super) fn check_order(&self, with: &str, senders: Range<u32>, gaps: bool) {
        for from in senders {
            let heard = self.after(&format!("{with} {from}."));
            let heard: Vec<u32> = heard.iter().map(|number| number.parse().unwrap()).collect();
            assert!(heard.is_sorted_by(|a, b| a < b), "{with} of sender {from}: {heard:?}");
            let complete = heard.iter().copied().eq(0..heard.len() as u32);
            assert!(gaps || complete, "{with} of sender {from}: {heard:?}");
        }
    }
}

/// How a handler fails.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    Error,
    Panic,
    /// After it has waited.
    Late,
}

/// Which messages fail, how, and how often still. It outlives the lives.
#[derive(Clone, Default)]
pub(super) struct Faults(Arc<Mutex<BTreeMap<u32, (Fault, u32)>>>);

impl Faults {
    pub(super) fn add(&self, number: u32, fault: Fault, times: u32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(number, (fault, times));
    }

    /// Any of the faults, for any of these numbers, once or twice.
    pub(super) fn draw(numbers: u32, most: u32) -> Self {
        let faults = Self::default();
        for _ in 0..below(most + 1) {
            let fault = [Fault::Error, Fault::Panic, Fault::Late][below(3) as usize];
            faults.add(below(numbers), fault, 1 + below(2));
        }
        faults
    }

    fn next(&self, number: u32) -> Option<Fault> {
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (fault, times) = faults.get_mut(&number)?;
        *times = times.checked_sub(1)?;
        Some(*fault)
    }

    async fn strike(&self, number: u32) -> Result<(), BoxError> {
        let Some(fault) = self.next(number) else { return Ok(()) };
        match fault {
            Fault::Error => Err("an error".into()),
            Fault::Panic => panic_quietly(),
            Fault::Late => {
                pause(3).await;
                panic_quietly()
            }
        }
    }
}

/// A panic that is part of the model: not worth a line on the screen.
fn panic_quietly() -> ! {
    std::panic::resume_unwind(Box::new("told to"))
}

/// Reads ticks and what it is told, writes down what it has handled, and fails where its faults say.
#[derive(Clone)]
pub(super) struct Reader {
    pub(super) name: &'static str,
    pub(super) log: Log,
    pub(super) faults: Faults,
    handled: u32,
    life: Option<Arc<Life>>,
}

/// Writes `+name` when it begins and `~name` when it ends.
struct Life(&'static str, Log);

impl Life {
    fn new(name: &'static str, log: &Log) -> Self {
        log.add(format!("+{name}"));
        Self(name, log.clone())
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.1.add(format!("~{}", self.0));
    }
}

impl Reader {
    pub(super) fn new(name: &'static str, log: &Log) -> Self {
        Self { name, log: log.clone(), faults: Faults::default(), handled: 0, life: None }
    }

    pub(super) fn with(mut self, faults: &Faults) -> Self {
        self.faults = faults.clone();
        self
    }

    /// As a child that is not killed for being slow, because a model's clock may be fast.
    pub(super) fn child(&self) -> Child {
        let this = self.clone();
        Child::actor(self.name, move || this.clone()).shutdown(Shutdown::Infinity)
    }

    /// The same, which tries a message three times.
    pub(super) fn patient_child(&self) -> Child {
        self.child().redelivery(Redelivery::Retry { attempts: 3 })
    }

    async fn read(&mut self, what: &str, tick: &Tick) -> Result<(), BoxError> {
        self.faults.strike(tick.number).await?;
        pause(2).await;
        self.handled += 1;
        self.log.add(format!("{} {what} {}.{}", self.name, tick.from, tick.number));
        Ok(())
    }
}

impl Actor for Reader {
    type Error = BoxError;

    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_with(Subscription::<Tick>::block().capacity(2));
    }

    async fn started(&mut self, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.life = Some(Arc::new(Life::new(self.name, &self.log)));
        pause(2).await;
        Ok(())
    }

    async fn stopping(&mut self, _: &StopReason, _: &mut Context<Self>) {
        self.log.add(format!("-{}", self.name));
    }
}

impl Handler<Tick> for Reader {
    async fn handle(&mut self, tick: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.read("tick", tick).await
    }
}

/// Told, not published.
impl Handler<Tock> for Reader {
    async fn handle(&mut self, tock: &Tock, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.read("told", &tock.0).await
    }
}

impl Handler<Leave> for Reader {
    async fn handle(&mut self, _: &Leave, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.stop();
        Ok(())
    }
}

impl Responder<Count> for Reader {
    type Reply = u32;

    async fn answer(&mut self, _: &Count, _: &mut Context<Self>) -> u32 {
        pause(2).await;
        self.handled
    }
}

/// Publishes each tick as a tock.
pub(super) struct Relay;

impl Actor for Relay {
    type Error = BoxError;

    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_with(Subscription::<Tick>::block().capacity(2));
    }
}

impl Handler<Tick> for Relay {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        Ok(ctx.publish(Tock(*tick)).await?)
    }
}

/// Reads tocks, of which it keeps the latest only, if it is lossy.
pub(super) struct Sink {
    pub(super) log: Log,
}

impl Actor for Sink {
    type Error = BoxError;

    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_with(Subscription::<Tock>::block().capacity(2));
    }
}

impl Handler<Tock> for Sink {
    async fn handle(&mut self, tock: &Tock, _: &mut Context<Self>) -> Result<(), BoxError> {
        pause(2).await;
        self.log.add(format!("sink tock {}.{}", tock.0.from, tock.0.number));
        Ok(())
    }
}

/// Reads ticks one at a time and drops the older.
pub(super) struct Lossy {
    pub(super) log: Log,
}

impl Actor for Lossy {
    type Error = BoxError;

    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_with(Subscription::<Tick>::drop_oldest().capacity(1));
    }
}

impl Handler<Tick> for Lossy {
    async fn handle(&mut self, tick: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.log.add(format!("lossy tick {}.{}", tick.from, tick.number));
        Ok(())
    }
}

/// A task that publishes so many ticks of this sender and returns how many were taken: all, unless the bus
/// closes.
pub(super) fn publish_ticks(
    bus: &MessageBus,
    from: u32,
    numbers: u32,
) -> impl Future<Output = u32> + Send + 'static {
    let publisher = bus.publisher::<Tick>().unwrap();
    let task = crate::rt::spawn(async move {
        let mut taken = 0;
        while taken < numbers && publisher.publish(Tick { from, number: taken }).await.is_ok() {
            taken += 1;
        }
        taken
    });
    async { task.await.unwrap() }
}

/// At once after the first restart, then later.
pub(super) fn short_backoff() -> Backoff {
    Backoff { initial: std::time::Duration::from_millis(1), ..Backoff::default() }
}
