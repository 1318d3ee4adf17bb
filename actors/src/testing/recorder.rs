//! A record of messages.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use crate::error::short_type_name;
use crate::sync::Notify;
use crate::{
    Actor, BoxError, Context, Handler, Isolate, Message, MessageBus, Recipient, SpawnError, Subscription,
    Subscriptions, rt,
};

/// How many messages one [`Recorder`] holds. One more fails its actor: take them out in between.
pub const RECORDED_MAX: usize = 1_000_000;

/// For how long [`Recorder::next`] and [`Recorder::expect_next`] wait, on the clock of tokio.
pub const RECORDER_WAIT: Duration = Duration::from_secs(10);

/// How many of the messages before it a failed expectation shows.
const SHOWN_MAX: usize = 8;

/// The messages of one type that were published ([`Isolate::record`], [`MessageBus::record`]), or that were
/// told to its [`recipient`](Self::recipient) ([`Isolate::recorder`], [`MessageBus::recorder`]), in the order
/// in which they came.
///
/// An actor records them. On a topic it is a `Block` subscriber like others: it hears what is published after
/// it was made.
///
/// ```
/// use mycelium::{BoxError, Isolate, Message};
///
/// #[derive(Clone, Debug, PartialEq)]
/// struct Fill { quantity: i64 }
/// impl Message for Fill {
///     const NAME: &'static str = "Fill";
///     const TYPE_ID: u16 = 1;
///     const TOPIC: &'static str = "fills";
/// }
/// # fn main() -> Result<(), BoxError> {
/// let mut isolate = Isolate::new(1);
/// let fills = isolate.record::<Fill>()?;
/// isolate.publish(Fill { quantity: 3 })?;
/// isolate.run()?;
/// fills.expect(&Fill { quantity: 3 });
/// fills.expect_none();
/// # Ok(())
/// # }
/// ```
pub struct Recorder<M> {
    record: Arc<Record<M>>,
    recipient: Recipient<M>,
}

struct Record<M> {
    messages: Mutex<Messages<M>>,
    changed: Notify,
}

struct Messages<M> {
    /// Recorded and not looked at.
    next: VecDeque<M>,
    /// The last ones that were looked at, for the text of a failure.
    before: VecDeque<M>,
    /// Why the recorder's actor has failed: what came from then on is not here.
    failed: Option<&'static str>,
}

impl<M> Record<M> {
    fn lock(&self) -> MutexGuard<'_, Messages<M>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Records messages that are told.
struct Recording<M>(Arc<Record<M>>);

/// Records messages that are published.
struct Listening<M>(Recording<M>);

impl<M: Clone + Send + Sync + 'static> Recording<M> {
    fn put(&self, message: &M) -> Result<(), BoxError> {
        let mut messages = self.0.lock();
        if messages.next.len() >= RECORDED_MAX {
            messages.failed = Some("nobody took its messages");
            return Err(format!(
                "a recorder of {} has {RECORDED_MAX} messages that nobody took",
                short_type_name::<M>()
            )
            .into());
        }
        messages.failed = Some("a clone has panicked");
        let copy = message.clone();
        messages.failed = None;
        messages.next.push_back(copy);
        drop(messages);
        self.0.changed.notify_waiters();
        Ok(())
    }
}

impl<M: Clone + Send + Sync + 'static> Actor for Recording<M> {
    type Error = BoxError;
    fn name() -> &'static str {
        "Recorder"
    }
}

impl<M: Clone + Send + Sync + 'static> Handler<M> for Recording<M> {
    async fn handle(&mut self, message: &M, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.put(message)
    }
}

impl<M: Message> Actor for Listening<M> {
    type Error = BoxError;
    fn name() -> &'static str {
        "Recorder"
    }
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_with(Subscription::<M>::block());
    }
}

impl<M: Message> Handler<M> for Listening<M> {
    async fn handle(&mut self, message: &M, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.put(message)
    }
}

impl<M: Clone + Send + Sync + 'static> Recorder<M> {
    fn new(spawn: impl FnOnce(Recording<M>) -> Result<Recipient<M>, SpawnError>) -> Result<Self, SpawnError> {
        let messages = Mutex::new(Messages { next: VecDeque::new(), before: VecDeque::new(), failed: None });
        let record = Arc::new(Record { messages, changed: Notify::new() });
        let recipient = spawn(Recording(Arc::clone(&record)))?;
        Ok(Self { record, recipient })
    }

    /// The address of the recorder's actor, for code under test that tells messages to somebody.
    ///
    /// ```
    /// # use mycelium::{Isolate, Recipient};
    /// # fn code_under_test(alerts: &Recipient<u64>) { alerts.try_tell(7).unwrap(); }
    /// let mut isolate = Isolate::new(42);
    /// let alerts = isolate.recorder::<u64>()?;
    /// code_under_test(&alerts.recipient());
    /// isolate.run()?;
    /// alerts.expect(&7);
    /// # Ok::<(), mycelium::BoxError>(())
    /// ```
    #[must_use]
    pub fn recipient(&self) -> Recipient<M> {
        self.recipient.clone()
    }

    /// Takes out what was recorded and not looked at yet.
    ///
    /// ```
    /// # use mycelium::{Isolate, Message};
    /// # #[derive(Clone, Debug, PartialEq)] struct Tick(u64);
    /// # impl Message for Tick { const NAME: &'static str = "Tick"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "ticks"; }
    /// let mut isolate = Isolate::new(42);
    /// let ticks = isolate.record::<Tick>()?;
    /// for number in [1, 2] {
    ///     isolate.publish(Tick(number))?;
    /// }
    /// isolate.run()?;
    /// assert_eq!(ticks.take(), [Tick(1), Tick(2)]);
    /// # Ok::<(), mycelium::BoxError>(())
    /// ```
    #[must_use]
    pub fn take(&self) -> Vec<M> {
        self.record.lock().next.drain(..).collect()
    }

    /// How many messages were recorded and not looked at yet.
    ///
    /// ```
    /// # use mycelium::{Isolate, Message};
    /// # #[derive(Clone, Debug, PartialEq)] struct Tick(u64);
    /// # impl Message for Tick { const NAME: &'static str = "Tick"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "ticks"; }
    /// let mut isolate = Isolate::new(42);
    /// let ticks = isolate.record::<Tick>()?;
    /// for number in [1, 2] {
    ///     isolate.publish(Tick(number))?;
    /// }
    /// isolate.run()?;
    /// assert_eq!(ticks.len(), 2);
    /// # Ok::<(), mycelium::BoxError>(())
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.record.lock().next.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The next message, if one was recorded by now.
    ///
    /// ```
    /// # use mycelium::{Isolate, Message};
    /// # #[derive(Clone, Debug, PartialEq)] struct Tick(u64);
    /// # impl Message for Tick { const NAME: &'static str = "Tick"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "ticks"; }
    /// let mut isolate = Isolate::new(42);
    /// let ticks = isolate.record::<Tick>()?;
    /// for number in [1, 2] {
    ///     isolate.publish(Tick(number))?;
    /// }
    /// isolate.run()?;
    /// assert_eq!(ticks.try_next(), Some(Tick(1)));
    /// assert_eq!(ticks.try_next(), Some(Tick(2)));
    /// assert_eq!(ticks.try_next(), None);
    /// # Ok::<(), mycelium::BoxError>(())
    /// ```
    #[must_use]
    pub fn try_next(&self) -> Option<M> {
        let mut messages = self.record.lock();
        // First: one whose clone panics stays.
        let shown = messages.next.front()?.clone();
        if messages.before.len() >= SHOWN_MAX {
            messages.before.pop_front();
        }
        messages.before.push_back(shown);
        messages.next.pop_front()
    }
}

impl<M: Clone + fmt::Debug + Send + Sync + 'static> Recorder<M> {
    /// The next message; waits for it, for [`RECORDER_WAIT`] at most. For live buses: in an isolate nothing
    /// comes while a test waits.
    ///
    /// ```
    /// # use mycelium::{Message, MessageBus, Result};
    /// # #[derive(Clone, Debug, PartialEq)] struct Tick(u64);
    /// # impl Message for Tick { const NAME: &'static str = "Tick"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "ticks"; }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result {
    /// let bus = MessageBus::new();
    /// let ticks = bus.record::<Tick>()?;
    /// bus.publisher()?.publish(Tick(7)).await?;
    /// assert_eq!(ticks.next().await, Tick(7));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    /// When none comes.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, no message is lost.
    pub async fn next(&self) -> M {
        let mut limit = pin!(rt::sleep(RECORDER_WAIT));
        loop {
            let mut changed = pin!(self.record.changed.notified());
            // Before the look: what is recorded after it is told.
            if let Some(next) = self.try_next() {
                return next;
            }
            let timely = poll_fn(|cx| match changed.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(true),
                Poll::Pending => limit.as_mut().poll(cx).map(|()| false),
            });
            assert!(
                timely.await,
                "no {} came within {RECORDER_WAIT:?}{}",
                short_type_name::<M>(),
                self.shown()
            );
        }
    }

    /// That nothing was recorded that was not looked at.
    ///
    /// ```
    /// # use mycelium::{Isolate, Message};
    /// # #[derive(Clone, Debug, PartialEq)] struct Tick(u64);
    /// # impl Message for Tick { const NAME: &'static str = "Tick"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "ticks"; }
    /// let mut isolate = Isolate::new(42);
    /// let ticks = isolate.record::<Tick>()?;
    /// for number in [1, 2] {
    ///     isolate.publish(Tick(number))?;
    /// }
    /// isolate.run()?;
    /// ticks.expect_all(&[Tick(1), Tick(2)]);
    /// ticks.expect_none(); // two, and no third one
    /// # Ok::<(), mycelium::BoxError>(())
    /// ```
    ///
    /// # Panics
    /// When there is something, and when the recorder's actor has failed, which has missed messages then.
    #[track_caller]
    pub fn expect_none(&self) {
        let next: Vec<M> = self.record.lock().next.iter().take(SHOWN_MAX).cloned().collect();
        let (name, count) = (short_type_name::<M>(), self.len());
        assert!(next.is_empty(), "expected no more {name}, but there are {count}: {next:?}{}", self.shown());
        let failed = self.record.lock().failed;
        assert!(failed.is_none(), "expected no more {name}, but it is not known{}", self.shown());
    }

    fn shown(&self) -> String {
        let messages = self.record.lock();
        if let Some(why) = messages.failed {
            return format!("\n  the recorder has failed and misses messages: {why}");
        }
        if messages.before.is_empty() {
            return "\n  it would be the first one".to_owned();
        }
        format!("\n  the ones before it, the last at the end: {:?}", messages.before)
    }
}

impl<M: Clone + fmt::Debug + PartialEq + Send + Sync + 'static> Recorder<M> {
    /// That the next message was recorded by now and is this one. It is taken out.
    ///
    /// ```
    /// # use mycelium::{Isolate, Message};
    /// # #[derive(Clone, Debug, PartialEq)] struct Tick(u64);
    /// # impl Message for Tick { const NAME: &'static str = "Tick"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "ticks"; }
    /// let mut isolate = Isolate::new(42);
    /// let ticks = isolate.record::<Tick>()?;
    /// for number in [1, 2] {
    ///     isolate.publish(Tick(number))?;
    /// }
    /// isolate.run()?;
    /// ticks.expect(&Tick(1));
    /// ticks.expect(&Tick(2));
    /// # Ok::<(), mycelium::BoxError>(())
    /// ```
    ///
    /// # Panics
    /// When there is none, or another one: the text shows both, and those before.
    #[track_caller]
    pub fn expect(&self, expected: &M) {
        let before = self.shown();
        let name = short_type_name::<M>();
        match self.try_next() {
            Some(next) => {
                assert!(
                    next == *expected,
                    "expected the next {name} to be\n  {expected:?}, but it is\n  {next:?}{before}"
                );
            }
            None => panic!("expected the next {name} to be\n  {expected:?}, but none has come{before}"),
        }
    }

    /// The same of several, in order.
    ///
    /// ```
    /// # use mycelium::{Isolate, Message};
    /// # #[derive(Clone, Debug, PartialEq)] struct Tick(u64);
    /// # impl Message for Tick { const NAME: &'static str = "Tick"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "ticks"; }
    /// let mut isolate = Isolate::new(42);
    /// let ticks = isolate.record::<Tick>()?;
    /// for number in [1, 2] {
    ///     isolate.publish(Tick(number))?;
    /// }
    /// isolate.run()?;
    /// ticks.expect_all(&[Tick(1), Tick(2)]);
    /// ticks.expect_none();
    /// # Ok::<(), mycelium::BoxError>(())
    /// ```
    ///
    /// # Panics
    /// As [`expect`](Self::expect).
    #[track_caller]
    pub fn expect_all(&self, expected: &[M]) {
        for one in expected {
            self.expect(one);
        }
    }

    /// That the next message is this one; waits for it as [`next`](Self::next) does.
    ///
    /// ```
    /// # use mycelium::{Message, MessageBus, Result};
    /// # #[derive(Clone, Debug, PartialEq)] struct Tick(u64);
    /// # impl Message for Tick { const NAME: &'static str = "Tick"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "ticks"; }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result {
    /// let bus = MessageBus::new();
    /// let ticks = bus.record::<Tick>()?;
    /// bus.publisher()?.publish(Tick(7)).await?;
    /// ticks.expect_next(&Tick(7)).await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    /// When it is another one, or none comes.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, no message is lost.
    pub async fn expect_next(&self, expected: &M) {
        let before = self.shown();
        let (next, name) = (self.next().await, short_type_name::<M>());
        assert!(
            next == *expected,
            "expected the next {name} to be\n  {expected:?}, but it is\n  {next:?}{before}"
        );
    }
}

impl<M> fmt::Debug for Recorder<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recorder<{}> of {} messages", short_type_name::<M>(), self.record.lock().next.len())
    }
}

impl Isolate {
    /// Records every `M` that is published from now on: see [`Recorder`].
    ///
    /// # Errors
    /// Those of [`spawn`](Self::spawn).
    pub fn record<M: Message>(&mut self) -> Result<Recorder<M>, SpawnError> {
        Recorder::new(|recording| Ok(self.spawn(Listening(recording))?.recipient()))
    }

    /// Records every `M` that is told to its [`recipient`](Recorder::recipient).
    ///
    /// # Errors
    /// Those of [`spawn`](Self::spawn).
    pub fn recorder<M: Clone + Send + Sync + 'static>(&mut self) -> Result<Recorder<M>, SpawnError> {
        Recorder::new(|recording| Ok(self.spawn(recording)?.recipient()))
    }
}

impl MessageBus {
    /// Records every `M` that is published from now on: see [`Recorder`](crate::testing::Recorder).
    ///
    /// ```
    /// # use mycelium::{BoxError, Message, MessageBus};
    /// # #[derive(Clone, Debug, PartialEq)]
    /// # struct Fill { quantity: i64 }
    /// # impl Message for Fill {
    /// #     const NAME: &'static str = "Fill";
    /// #     const TYPE_ID: u16 = 1;
    /// #     const TOPIC: &'static str = "fills";
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let bus = MessageBus::new();
    /// let fills = bus.record::<Fill>()?;
    /// bus.publisher()?.publish(Fill { quantity: 3 }).await?;
    /// fills.expect_next(&Fill { quantity: 3 }).await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`spawn`](Self::spawn).
    pub fn record<M: Message>(&self) -> Result<Recorder<M>, SpawnError> {
        Recorder::new(|recording| Ok(self.spawn(Listening(recording))?.recipient()))
    }

    /// Records every `M` that is told to its [`recipient`](Recorder::recipient).
    ///
    /// # Errors
    /// Those of [`spawn`](Self::spawn).
    pub fn recorder<M: Clone + Send + Sync + 'static>(&self) -> Result<Recorder<M>, SpawnError> {
        Recorder::new(|recording| Ok(self.spawn(recording)?.recipient()))
    }
}
