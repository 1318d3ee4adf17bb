//! A guard that fails a test in which messages were lost.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use crate::{Isolate, Message, MessageBus, TopicStats};

/// How often a guard looks, a millisecond apart, whether an actor has told what it has handled.
const SETTLING_LOOKS: u32 = 20;

/// A bus or an isolate that must lose nothing: its drop panics if a message was dropped, became a dead
/// letter, was left behind or still waits. It can be used as what it guards. While the test panics anyway, it
/// says nothing.
///
/// It looks at counters. On a live bus let the work end before: await the last answer, or look at
/// [`losses`](Self::losses).
///
/// ```
/// use mycelium::testing::Guarded;
/// use mycelium::{Actor, BoxError, Context, Handler, Isolate};
///
/// struct Idle;
/// impl Actor for Idle { type Error = BoxError; }
/// impl Handler<u32> for Idle {
///     async fn handle(&mut self, _: &u32, _: &mut Context<Self>) -> Result<(), BoxError> { Ok(()) }
/// }
/// # fn main() -> Result<(), BoxError> {
/// let mut isolate = Guarded::new(Isolate::new(1));
/// let idle = isolate.spawn(Idle)?;
/// isolate.tell(&idle, 7)?;
/// isolate.run()?;
/// # Ok(())
/// # } // Here it looks.
/// ```
#[must_use = "it looks when it is dropped"]
pub struct Guarded<H: Ledger> {
    host: H,
    allowed: Vec<(Option<&'static str>, Loss)>,
}

/// One way to lose messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Loss {
    /// Dropped by a policy: `DropOldest`, `DropNewest`, or `Conflate` with too many keys. A message
    /// that `Conflate` replaces is not lost.
    Dropped,
    /// It was in the hand of an actor that failed, or waited for one that has ended.
    DeadLetter,
    /// It waited for a subscriber that has left.
    LeftBehind,
    /// It waits in a subscriber's queue; or, told or asked, in the inbox of an actor, behind the one that is
    /// in hand.
    Waiting,
}

/// A loss: of which messages, how, and how many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Losses {
    /// The name of the message, `None` for dead letters and for what waits in mailboxes, of all kinds
    /// together; and how many were lost so.
    pub entries: Vec<(Option<&'static str>, Loss, u64)>,
}

impl Losses {
    /// Whether nothing was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl fmt::Display for Losses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing was lost");
        }
        f.write_str("messages were lost:")?;
        self.entries.iter().try_for_each(|(message, loss, count)| {
            let how = match loss {
                Loss::Dropped => "dropped by a policy",
                Loss::DeadLetter => "dead letters",
                Loss::LeftBehind => "left behind by a subscriber",
                Loss::Waiting => "still waiting",
            };
            write!(f, "\n  {}: {count} {how}", message.unwrap_or("all messages"))
        })
    }
}

/// The hosts that can be [guarded](Guarded): a [`MessageBus`] or an [`Isolate`].
pub trait Ledger: sealed::Counts {}
impl Ledger for MessageBus {}
impl Ledger for Isolate {}

#[allow(unnameable_types, reason = "nobody else implements it")]
mod sealed {
    use crate::TopicStats;

    pub trait Counts {
        fn counts(&self) -> Vec<TopicStats>;
        fn letters(&self) -> u64;
        /// Told and asked messages that wait.
        fn told(&self) -> u64;
    }
}

impl sealed::Counts for MessageBus {
    fn counts(&self) -> Vec<TopicStats> {
        self.topics()
    }
    fn letters(&self) -> u64 {
        let letters = self.dead_letters();
        letters.in_hand + letters.waiting
    }
    fn told(&self) -> u64 {
        let members = self.core.members.youngest_first();
        // One is in hand, or will be.
        let behind = || members.iter().map(|member| member.unhandled().saturating_sub(1)).sum();
        // An actor that runs tells at the end of its batch what it has handled: an answer comes before that.
        for _ in 0..SETTLING_LOOKS {
            match behind() {
                0 => return 0,
                _ => std::thread::sleep(Duration::from_millis(1)),
            }
        }
        behind()
    }
}

impl sealed::Counts for Isolate {
    fn counts(&self) -> Vec<TopicStats> {
        self.topics()
    }
    fn letters(&self) -> u64 {
        self.stats().dead_letters
    }
    fn told(&self) -> u64 {
        self.told_waiting()
    }
}

impl<H: Ledger> Guarded<H> {
    /// Guards a bus or an isolate.
    pub fn new(host: H) -> Self {
        Self { host, allowed: Vec::new() }
    }

    /// Lets `M` be lost so: a test of a policy that drops. Dead letters are counted for all messages
    /// together: see [`allow_all`](Self::allow_all).
    pub fn allow<M: Message>(mut self, loss: Loss) -> Self {
        self.allowed.push((Some(M::NAME), loss));
        self
    }

    /// Lets all messages be lost so.
    pub fn allow_all(mut self, loss: Loss) -> Self {
        self.allowed.push((None, loss));
        self
    }

    /// The losses so far that are not allowed.
    #[must_use]
    pub fn losses(&self) -> Losses {
        let mut losses = Losses::default();
        for topic in self.host.counts() {
            let TopicStats { message, dropped_oldest, dropped_newest, dropped_unsubscribed, waiting, .. } =
                topic;
            let dropped = dropped_oldest + dropped_newest;
            for (loss, count) in
                [(Loss::Dropped, dropped), (Loss::LeftBehind, dropped_unsubscribed), (Loss::Waiting, waiting)]
            {
                self.note(&mut losses, Some(message), loss, count);
            }
        }
        self.note(&mut losses, None, Loss::Waiting, self.host.told());
        self.note(&mut losses, None, Loss::DeadLetter, self.host.letters());
        losses
    }

    fn note(&self, losses: &mut Losses, message: Option<&'static str>, loss: Loss, count: u64) {
        let is_allowed = |(name, allowed): &(Option<&'static str>, Loss)| {
            *allowed == loss && (name.is_none() || *name == message)
        };
        if count > 0 && !self.allowed.iter().any(is_allowed) {
            losses.entries.push((message, loss, count));
        }
    }
}

impl<H: Ledger> Deref for Guarded<H> {
    type Target = H;

    fn deref(&self) -> &H {
        &self.host
    }
}

impl<H: Ledger> DerefMut for Guarded<H> {
    fn deref_mut(&mut self) -> &mut H {
        &mut self.host
    }
}

impl<H: Ledger> Drop for Guarded<H> {
    /// # Panics
    /// When something was lost, unless the thread panics already.
    fn drop(&mut self) {
        let losses = self.losses();
        assert!(losses.is_empty() || std::thread::panicking(), "{losses}");
    }
}

impl<H: Ledger> fmt::Debug for Guarded<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").field("losses", &self.losses()).finish_non_exhaustive()
    }
}
