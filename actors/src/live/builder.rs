//! How a live bus is set up.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mycelium_mailbox::INBOX_CAPACITY_DEFAULT;
use mycelium_mailbox::wire::Messages;
use tokio::runtime::Handle;

use super::links::NodeNames;
use super::lookout::CIRCLE_AFTER;
use super::topics::{Retaining, Retentions};
#[cfg(doc)]
use crate::MessageBus;
use crate::wire::Table;
use crate::{DEFAULT_CAPACITY, Message, Probe, Retention};

/// Sets a bus up; see [`MessageBus::builder`].
///
/// ```
/// # use mycelium::MessageBus;
/// # use std::time::Duration;
/// let bus = MessageBus::builder().topic_capacity(4_096).ask_limit(Duration::from_secs(1)).seed(42).build();
/// # drop(bus);
/// ```
#[derive(Clone)]
#[must_use = "a builder makes nothing before `build`"]
pub struct BusBuilder {
    pub(super) topic_capacity: usize,
    pub(super) inbox_capacity: u32,
    pub(super) seed: u64,
    pub(super) runtime: Option<Handle>,
    pub(super) ask_limit: Option<Duration>,
    pub(super) circle_after: Duration,
    pub(super) table: Table,
    pub(super) probe: Option<Arc<dyn Probe>>,
    pub(super) retentions: Retentions,
    pub(crate) names: NodeNames,
}

impl Default for BusBuilder {
    fn default() -> Self {
        Self {
            topic_capacity: DEFAULT_CAPACITY,
            inbox_capacity: INBOX_CAPACITY_DEFAULT,
            seed: 0,
            runtime: None,
            ask_limit: None,
            circle_after: CIRCLE_AFTER,
            probe: None,
            table: Table::default(),
            retentions: Retentions::new(),
            names: NodeNames::default(),
        }
    }
}

impl BusBuilder {
    /// How many messages may wait for a subscriber that asks for no capacity of its own, rounded up to a
    /// power of two; so many slots the ring of each topic has, unless a `Block` subscriber asks for more.
    ///
    /// ```
    /// # use mycelium::MessageBus;
    /// let bus = MessageBus::builder().topic_capacity(4_096).build();
    /// # drop(bus);
    /// ```
    pub fn topic_capacity(mut self, messages: usize) -> Self {
        self.topic_capacity = messages.max(1);
        self
    }

    /// How many direct messages (tells and asks) wait for one actor.
    ///
    /// ```
    /// # use mycelium::MessageBus;
    /// let bus = MessageBus::builder().inbox_capacity(64).build(); // the 65th tell to one actor waits
    /// # drop(bus);
    /// ```
    pub fn inbox_capacity(mut self, messages: u32) -> Self {
        self.inbox_capacity = messages.max(1);
        self
    }

    /// From which the actors' random generators are seeded ([`Context::random`](crate::Context::random)).
    ///
    /// ```
    /// # use mycelium::MessageBus;
    /// let bus = MessageBus::builder().seed(42).build();
    /// # drop(bus);
    /// ```
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The runtime that actors and services run on; by default the one in which each is spawned.
    ///
    /// ```
    /// # use mycelium::{MessageBus, Result, actor};
    /// # struct Quiet;
    /// # #[actor] impl Quiet {}
    /// # fn main() -> Result {
    /// let runtime = tokio::runtime::Runtime::new()?;
    /// let bus = MessageBus::builder().runtime(runtime.handle().clone()).build();
    /// bus.spawn(Quiet)?; // outside of async code: it runs there
    /// # Ok(())
    /// # }
    /// ```
    pub fn runtime(mut self, runtime: Handle) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// How long an ask waits at most that does not say it itself
    /// ([`ask_within`](crate::ActorRef::ask_within)): then [`AskError::Timeout`](crate::AskError::Timeout).
    /// By default an ask waits until there is an answer, or the actor has ended.
    ///
    /// ```
    /// # use mycelium::{AskError, Context, MessageBus, Result, actor};
    /// # use std::time::Duration;
    /// # struct Slow;
    /// # struct Total;
    /// # #[actor] impl Slow {
    /// #     #[ask] async fn total(&mut self, _: &Total, ctx: &mut Context<Self>) -> u64 { ctx.sleep(Duration::from_secs(60)).await; 0 }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result {
    /// let bus = MessageBus::builder().ask_limit(Duration::from_millis(10)).build();
    /// let slow = bus.spawn(Slow)?;
    /// assert!(matches!(slow.ask(Total).await, Err(AskError::Timeout(_))));
    /// # Ok(())
    /// # }
    /// ```
    pub fn ask_limit(mut self, limit: Duration) -> Self {
        self.ask_limit = Some(limit);
        self
    }

    /// After how long the log names actors and services that wait for each other in a circle: for answers,
    /// for room in mailboxes, or for room in topics under `Block`. By default 5 seconds. It looks four times
    /// within that, and only while somebody waits. Circles through other tasks, other buses and what is
    /// waited for otherwise are not seen, nor waits of a `FuturesUnordered`, and those that keep a thread
    /// which is not their own ([`OwnThread`](crate::OwnThread)). Waiting for any worker of a pool is waiting
    /// for all of them.
    ///
    /// ```
    /// # use mycelium::MessageBus;
    /// # use std::time::Duration;
    /// let bus = MessageBus::builder().circle_after(Duration::from_millis(500)).build();
    /// # drop(bus);
    /// ```
    pub fn circle_after(mut self, time: Duration) -> Self {
        self.circle_after = time;
        self
    }

    /// The messages of a contract, that frames may carry into and out of the bus: generated code has them as
    /// `CONTRACT`. May be called for several contracts; a message that two of them have is one message if
    /// they agree on it, else it is disabled with an error that says what they contradict each other about,
    /// and the others go on. See [`MessageBus::publish_wire`] and [`MessageBus::subscribe_wire`]; code that
    /// publishes and receives types needs none of it, but for this: topics retain what the contract says
    /// (`retain`), where [`retain`](Self::retain) is not called for their messages.
    #[allow(clippy::needless_pass_by_value, reason = "it is a constant, mostly")]
    pub fn contract(mut self, messages: impl Messages) -> Self {
        self.table = self.table.with(&messages);
        messages.each(&mut Retaining(&mut self.retentions));
        self
    }

    /// What other buses call this one: a bus needs a name of its own to be linked with others
    /// ([`MessageBus::connect`]). 1 to 64 of the letters `a` to `z` and `A` to `Z`, digits and `-_./`; that
    /// is checked when a link is asked for.
    ///
    /// ```
    /// # use mycelium::MessageBus;
    /// let bus = MessageBus::builder().node("desk").build();
    /// # drop(bus);
    /// ```
    pub fn node(mut self, name: impl Into<Arc<str>>) -> Self {
        self.names.own = Some(name.into());
        self
    }

    /// How long a value may be that is published as bytes, in bytes;
    /// [`WIRE_VALUE_MAX`](crate::WIRE_VALUE_MAX) unless this is called.
    ///
    /// ```
    /// # use mycelium::MessageBus;
    /// let bus = MessageBus::builder().wire_value_max(64 * 1_024).build();
    /// # drop(bus);
    /// ```
    pub fn wire_value_max(mut self, bytes: usize) -> Self {
        self.table = self.table.value_max(bytes);
        self
    }

    /// Lets `probe` look on while the bus's actors handle messages.
    ///
    /// They handle one at a time then, so that each costs more; without a probe nothing does.
    ///
    /// ```
    /// # use mycelium::{MessageBus, testing::Faults};
    /// # use std::sync::Arc;
    /// let faults = Arc::new(Faults::new());
    /// let bus = MessageBus::builder().probe(faults.clone()).build();
    /// # drop(bus);
    /// ```
    pub fn probe(mut self, probe: Arc<dyn Probe>) -> Self {
        self.probe = Some(probe);
        self
    }

    /// Has the topic of `M` retain messages for subscribers that come late and ask for them
    /// ([`with_retained`](crate::Subscription::with_retained)). It does so from the first publish on, whether
    /// or not anybody is subscribed. The last call for one message counts. Topics for which this is not
    /// called keep nothing.
    ///
    /// ```
    /// # use mycelium::{Message, MessageBus, Result, Retention, Subscription};
    /// # #[derive(Clone, Debug, PartialEq)] struct Tick(u64);
    /// # impl Message for Tick { const NAME: &'static str = "Tick"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "ticks"; }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result {
    /// let bus = MessageBus::builder().retain(Retention::<Tick>::last()).build();
    /// bus.publisher()?.publish(Tick(7)).await?;
    /// let mut late = bus.subscriber_with::<Tick>(Subscription::block().with_retained())?;
    /// assert_eq!(late.recv().await.as_deref(), Some(&Tick(7)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn retain<M: Message>(mut self, retention: Retention<M>) -> Self {
        self.retentions.insert(M::TYPE_ID, Arc::new(retention));
        self
    }
}

impl fmt::Debug for BusBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BusBuilder").field("seed", &self.seed).finish_non_exhaustive()
    }
}
