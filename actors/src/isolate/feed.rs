//! Feeds: messages with times of their own, which the run loop publishes straight from their iterator.
//!
//! A service that slept and published for each message would do the same, through one more future per
//! message. While a feed runs, its service waits in `replay` and is resumed when the feed is over or was
//! refused.
//!
//! Where nothing else is to do before the next message, as on most bars of a backtest, it goes to its
//! receivers straight from here, without the queue of events: nothing could have come between.

use std::cell::{Cell, OnceCell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, Waker};

use mycelium_mailbox::{Confined, Held};

use super::core::{IsolateCore, Refusal};
use super::handle::{Place, refused};
use super::lane::Lane;
use crate::{Message, PublishError, Timestamp};

/// What the core knows of a feed.
pub(crate) trait AnyFeed: 'static {
    /// Its number among the feeds of its isolate, once it was added; 0 before.
    fn number(&self) -> &Cell<u64>;
    /// When its next message is due; `None` when it is over or was refused.
    fn at(&self) -> Option<i64>;
    /// The service that waits for it.
    fn seat(&self) -> u32;
    /// The task within that service that waits for it, if it is one.
    fn take_waker(&self) -> Option<Waker> {
        None
    }
    /// Whether each message that it publishes is a step of the run.
    fn takes_steps(&self) -> bool {
        true
    }
    /// Publishes the message that is due, and those after it that are due by `limit` while nothing else is to
    /// do. Says when the next one is due. `None`: its service must decide.
    fn fire(&self, core: &IsolateCore, limit: i64) -> Option<i64>;
}

struct Feed<M, I> {
    seat: u32,
    number: Cell<u64>,
    messages: RefCell<I>,
    /// Whether the iterator knows an end.
    is_bounded: bool,
    next: RefCell<Option<M>>,
    at: Cell<Option<i64>>,
    refusal: Cell<Option<Refusal>>,
    published: Cell<u64>,
    /// How many of them the core knows of.
    told: Cell<u64>,
    waker: Cell<Option<Waker>>,
    /// Its service has let it go.
    closed: Cell<bool>,
    /// The topic, once anybody has subscribed to it: looked up once, not for each message.
    lane: OnceCell<Rc<Lane<M>>>,
}

impl<M: Message, I: Iterator<Item = (Timestamp, M)>> Feed<M, I> {
    /// Takes the next message from the iterator; one from the past is due now.
    #[inline(always)]
    fn take_next(messages: &mut I, now: i64) -> Option<(i64, M)> {
        let (at, message) = messages.next()?;
        Some((at.as_nanos().max(now), message))
    }

    /// Keeps the next message for when it is due; says when.
    #[inline(always)]
    fn keep(&self, next: Option<(i64, M)>) -> Option<i64> {
        let at = next.as_ref().map(|(at, _)| *at);
        self.at.set(at);
        // The message that stood there was published, so this drops nothing.
        *self.next.borrow_mut() = next.map(|(_, message)| message);
        at
    }

    /// It is waited for with this waker.
    fn wakes(&self, core: &IsolateCore, waker: &Waker) {
        // Where it is the service itself that waits, the run loop resumes that.
        let is_task = core.seat_polled_with(waker) != Some(self.seat);
        drop(self.waker.replace(is_task.then(|| waker.clone())));
    }

    fn load(&self, now: i64) -> Option<i64> {
        let next = Self::take_next(&mut self.messages.borrow_mut(), now);
        self.keep(next)
    }

    /// Tells the core how many messages have come, if they come to an end. Not of each: of what a fire has
    /// published, and after a panic with the next one.
    fn tell_input(&self, core: &IsolateCore) {
        let new = self.published.get() - self.told.replace(self.published.get());
        if self.is_bounded {
            core.replayed.set(core.replayed.get() + new);
        }
    }

    /// See [`AnyFeed::fire`].
    #[inline(always)]
    fn publish_until(&self, core: &IsolateCore, limit: i64) -> Option<i64> {
        // The iterator is the service's code: a panic in it is the service's.
        core.running.set(self.seat);
        let lane =
            self.lane.get().or_else(|| core.find_topic::<M>().map(|lane| self.lane.get_or_init(|| lane)));
        let mut messages = self.messages.borrow_mut();
        let waiting = self.next.borrow_mut().take();
        let Some(message) = waiting else {
            // A handler panicked over the one before.
            let next = Self::take_next(&mut messages, core.now.get());
            return self.keep(next);
        };
        let Some(lane) = lane.filter(|lane| lane.is_open() && core.may_hand_out()) else {
            drop(messages);
            *self.next.borrow_mut() = Some(message);
            return self.publish(core);
        };
        lane.write(message);
        loop {
            self.published.set(self.published.get() + 1);
            core.bounds.count_event();
            lane.hand_out_next(self.seat);
            core.running.set(self.seat);
            if self.closed.get() {
                return self.keep(None);
            }
            match Self::take_next(&mut messages, core.now.get()) {
                Some((at, message)) if at <= limit && lane.is_open() && core.is_quiet_until(at) => {
                    core.now.set(at);
                    // Here, and not at the beginning of the loop, so that it is moved once.
                    lane.write(message);
                }
                next => return self.keep(next),
            }
        }
    }

    /// Puts the message that is due into the queue.
    #[cold]
    fn publish(&self, core: &IsolateCore) -> Option<i64> {
        let mut message = Held::new(self.next.take()?, ());
        let published = core.publish(self.seat, &mut message);
        *self.next.borrow_mut() = message.take();
        match published {
            Ok(()) => {
                self.published.set(self.published.get() + 1);
                self.tell_input(core);
                self.load(core.now.get())
            }
            Err(refusal) => {
                self.refusal.set(Some(refusal));
                self.at.set(None);
                None
            }
        }
    }
}

impl<M: Message, I: Iterator<Item = (Timestamp, M)> + 'static> AnyFeed for Feed<M, I> {
    fn number(&self) -> &Cell<u64> {
        &self.number
    }

    fn at(&self) -> Option<i64> {
        self.at.get()
    }

    fn seat(&self) -> u32 {
        self.seat
    }

    fn take_waker(&self) -> Option<Waker> {
        self.waker.take()
    }

    fn fire(&self, core: &IsolateCore, limit: i64) -> Option<i64> {
        let next = self.publish_until(core, limit);
        self.tell_input(core);
        next
    }
}

/// The isolate's half of [`ServiceContext::replay`](crate::ServiceContext::replay).
pub(crate) struct IsolateReplay<'a, M: Message, I: Iterator<Item = (Timestamp, M)> + 'static> {
    place: &'a Place,
    messages: Option<I>,
    feed: Option<Confined<Feed<M, I>>>,
}

// Nothing in it is pinned: the iterator is moved into the feed.
impl<M: Message, I: Iterator<Item = (Timestamp, M)> + 'static> Unpin for IsolateReplay<'_, M, I> {}

impl Place {
    pub(crate) fn replay<M, I>(&self, messages: I) -> IsolateReplay<'_, M, I>
    where
        M: Message,
        I: Iterator<Item = (Timestamp, M)> + 'static,
    {
        IsolateReplay { place: self, messages: Some(messages), feed: None }
    }
}

impl<M: Message, I: Iterator<Item = (Timestamp, M)> + 'static> Future for IsolateReplay<'_, M, I> {
    type Output = Result<u64, PublishError<M>>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        // Off its thread it can never be ready; the isolate reports the service that waits.
        let Some(core) = this.place.core() else { return Poll::Pending };
        if let Some(messages) = this.messages.take() {
            let feed = Rc::new(Feed {
                seat: this.place.seat(),
                number: Cell::new(0),
                is_bounded: messages.size_hint().1.is_some(),
                messages: RefCell::new(messages),
                next: RefCell::new(None),
                at: Cell::new(None),
                refusal: Cell::new(None),
                published: Cell::new(0),
                told: Cell::new(0),
                waker: Cell::new(None),
                closed: Cell::new(false),
                lane: OnceCell::new(),
            });
            if feed.load(core.now.get()).is_none() {
                if core.goes_on(cx) {
                    return Poll::Ready(Ok(0));
                }
                this.feed = Some(Confined::new(feed));
                return Poll::Pending;
            }
            feed.wakes(core, cx.waker());
            core.add_feed(Rc::clone(&feed) as Rc<dyn AnyFeed>);
            this.feed = Some(Confined::new(feed));
            return Poll::Pending;
        }
        let Some(feed) = this.feed.as_ref().and_then(Confined::get) else { return Poll::Pending };
        feed.wakes(core, cx.waker());
        if feed.at().is_none() && feed.publish(core).is_some() {
            // It was its turn.
            core.list_feed(feed);
            return Poll::Pending;
        }
        match feed.refusal.take() {
            Some(Refusal::Over) => {
                // In the next run it is due again.
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Refusal::Full(_)) => {
                // Once woken, it is due again.
                core.wait_for_topic(M::TYPE_ID, this.place.seat(), cx.waker());
                Poll::Pending
            }
            Some(refusal) => match feed.next.take() {
                Some(message) => Poll::Ready(Err(refused(Some(core), refusal, message))),
                None => Poll::Ready(Ok(feed.published.get())),
            },
            None if feed.at().is_none() => Poll::Ready(Ok(feed.published.get())),
            None => Poll::Pending,
        }
    }
}

impl<M: Message, I: Iterator<Item = (Timestamp, M)> + 'static> Drop for IsolateReplay<'_, M, I> {
    fn drop(&mut self) {
        if let (Some(core), Some(feed)) = (self.place.core(), self.feed.as_ref().and_then(Confined::get)) {
            feed.closed.set(true);
            core.remove_feed(feed);
        }
    }
}
