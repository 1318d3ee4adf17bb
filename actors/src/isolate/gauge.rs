//! What a lane and the ways into its receivers count together, off the path of a message that is handled at
//! once.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;

use super::changes::LaneChanges;
use crate::DeadLetterCause;
use crate::life::MARKER;

/// What goes by a lane.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Label {
    /// The name of the message.
    pub(crate) message: &'static str,
    /// The topic; `None`: it is sent to one actor alone.
    pub(crate) topic: Option<&'static str>,
    /// Whether its handler takes it.
    pub(crate) by_value: bool,
    /// Nobody has sent it: a marker, a message of the actor's own timer, a notice. While it waits it is no
    /// message to the actor, and no dead letter if that ends.
    pub(crate) own: bool,
}

impl Label {
    /// What it is when its handler, which had it, has failed.
    pub(crate) fn lost_in_hand(&self, attempts: u32) -> DeadLetterCause {
        if self.by_value { DeadLetterCause::Taken } else { DeadLetterCause::InHand { attempts } }
    }
}

impl Label {
    /// Whether it is that of the framework's own markers.
    pub(crate) fn is_marker(self) -> bool {
        self.topic.is_none() && self.message == MARKER
    }
}

/// What a lane shares with its subscriptions: how many of them refuse, and what became of messages that were
/// not handled at once.
pub(crate) struct Gauge {
    pub(crate) label: Label,
    /// Whether somebody receives and nobody refuses: all that the usual publish looks at.
    open: Cell<bool>,
    heard: Cell<bool>,
    /// Whether the topic retains messages: each publish takes the long way.
    retains: Cell<bool>,
    /// Subscriptions that are full and refuse publishes.
    full: Cell<u32>,
    /// Those of them that fail publishes.
    failing: Cell<u32>,
    /// The lane, and where it tells that there may be room.
    lane: OnceCell<(Rc<LaneChanges>, u32)>,
    pub(crate) oldest: Cell<u64>,
    pub(crate) newest: Cell<u64>,
    pub(crate) conflated: Cell<u64>,
    pub(crate) dead: Cell<u64>,
    left: Cell<u64>,
    /// Messages that were delivered, and ended as dead letters or left behind.
    lost: Cell<u64>,
    in_hand: Cell<u64>,
}

impl Gauge {
    pub(crate) fn new(label: Label) -> Self {
        let (open, heard, full, oldest, newest, conflated, dead, left, lost, in_hand) = Default::default();
        let (retains, failing, lane) = Default::default();
        Self {
            label,
            open,
            heard,
            retains,
            full,
            failing,
            lane,
            oldest,
            newest,
            conflated,
            dead,
            left,
            lost,
            in_hand,
        }
    }

    /// That of messages to one actor alone.
    pub(crate) fn direct(message: &'static str, by_value: bool) -> Rc<Self> {
        Rc::new(Self::new(Label { message, topic: None, by_value, own: false }))
    }

    /// That of what one actor gets, and nobody sends.
    pub(crate) fn own(message: &'static str, by_value: bool) -> Rc<Self> {
        Rc::new(Self::new(Label { message, topic: None, by_value, own: true }))
    }

    /// Whether somebody receives and nobody refuses.
    #[inline(always)]
    pub(crate) fn is_open(&self) -> bool {
        self.open.get()
    }

    /// Whether anybody receives.
    pub(crate) fn heard(&self) -> bool {
        self.heard.get()
    }

    /// It is that of this lane, and tells there when there may be room.
    pub(crate) fn is_of(&self, changes: &Rc<LaneChanges>, lane: u32) {
        self.lane.get_or_init(|| (Rc::clone(changes), lane));
    }

    /// A subscription begins, or ceases, to refuse publishes: it is that of this seat, and fails them or has
    /// them wait.
    pub(crate) fn refuses(&self, begins: bool, seat: u32, fails: bool) {
        let change = |full: &Cell<u32>| full.set(if begins { full.get() + 1 } else { full.get() - 1 });
        change(&self.full);
        if fails {
            change(&self.failing);
        }
        self.look();
        if let Some((changes, lane)) = self.lane.get() {
            changes.room.changed(*lane);
            if begins && !fails {
                changes.room.own_is_full(seat);
            }
        }
    }

    /// Whether a publish has to wait: nobody fails it either.
    pub(crate) fn is_waited_for(&self) -> bool {
        self.heard.get() && self.full.get() > 0 && self.failing.get() == 0
    }

    pub(crate) fn is_heard(&self, heard: bool) {
        self.heard.set(heard);
        self.look();
    }

    fn look(&self) {
        self.open.set(self.heard.get() && self.full.get() == 0 && !self.retains.get());
    }

    /// From now on the topic retains messages.
    pub(crate) fn retains(&self) {
        self.retains.set(true);
        self.look();
    }

    /// Whether somebody refuses publishes.
    pub(crate) fn is_refused(&self) -> bool {
        self.full.get() > 0
    }

    /// Messages of the queue went with a receiver that left.
    pub(crate) fn left(&self, messages: u64) {
        self.left.set(self.left.get() + messages);
    }

    /// Messages that a receiver kept went with it.
    pub(crate) fn left_with(&self, messages: u64) {
        self.left(messages);
        self.lost.set(self.lost.get() + messages);
    }

    /// A message that was delivered is a dead letter.
    pub(crate) fn died(&self) {
        count(&self.dead);
        count(&self.lost);
    }

    pub(crate) fn left_behind(&self) -> u64 {
        self.left.get()
    }

    /// Messages that handlers have which wait, and that are tried again.
    pub(crate) fn in_hand(&self) -> u64 {
        self.in_hand.get()
    }

    /// How many of the delivered are counted elsewhere. Messages that a policy takes out had been kept.
    pub(crate) fn undone(&self) -> u64 {
        self.lost.get() + self.oldest.get() + self.conflated.get()
    }
}

/// A message that an actor has begun to handle, and that did not simply return: it waits, or something is to
/// follow.
pub(crate) struct PendingHand(Rc<Gauge>);

impl PendingHand {
    pub(crate) fn new(gauge: &Rc<Gauge>) -> Self {
        count(&gauge.in_hand);
        Self(Rc::clone(gauge))
    }

    /// Whether it is the framework's own.
    pub(crate) fn is_marker(&self) -> bool {
        self.0.label.is_marker()
    }

    /// It is not handled, nor tried again. Returns its label.
    pub(crate) fn die(self) -> Label {
        self.0.died();
        self.0.label
    }

    /// Its actor takes no more of its topic.
    pub(crate) fn stay_behind(self) {
        self.0.left_with(1);
    }
}

/// It is in nobody's hand any more: handled, unless counted otherwise.
impl Drop for PendingHand {
    fn drop(&mut self) {
        self.0.in_hand.set(self.0.in_hand.get() - 1);
    }
}

/// Adds one to a counter.
#[inline]
pub(crate) fn count(counter: &Cell<u64>) {
    counter.set(counter.get() + 1);
}

/// Says what is to be done if code that follows unwinds; forgotten when it has returned, it costs nothing.
pub(crate) struct OnUnwind<F: Fn()>(pub(crate) F);

impl<F: Fn()> Drop for OnUnwind<F> {
    #[inline(always)]
    fn drop(&mut self) {
        (self.0)();
    }
}
