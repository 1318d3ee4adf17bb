//! The task of one link: it alone has the link's machine and its connection, and never waits for anything but
//! everything at once.
//!
//! Each poll is one turn: what is asked and ordered, what has come on the connection, what has room here,
//! what the peer takes, what is to be written. As long as there is more to do it lets others run and goes on.

mod absence;
mod awaited;
mod clock;
mod cut;
mod direct;
mod drain;
mod intake;
mod line;
mod mail;
mod mailboxes;
#[cfg(test)]
mod scripted;
mod spin;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) mod to_and_fro;
mod words;

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use mycelium_mailbox::caught;
use mycelium_remote::frame::Decoder;
use mycelium_remote::link::{AttachError, Input, Link};
use tokio::io::AsyncWrite;
use tokio::sync::oneshot;

use self::absence::Absence;
use self::cut::Cut;
pub(super) use self::direct::DriverTask;
use self::drain::LastPing;
use self::mail::{OwedAnswers, pass};
use self::mailboxes::OpenMailboxes;
use super::expose::Exposed;
use super::greet::refuse;
use super::hub::{Hub, Orders, Phase};
use super::inflow::Inflow;
use super::interest::Interest;
use super::outflow::Outflow;
use super::peer::{Arrival, Ask, Ending, HandedBack, Peer};
use super::sockets::Socket;
use super::{LinkOptions, TARGET};
use crate::LinkState;
use crate::live::{Bridge, BusCore, QueueOwner};
use crate::rt::{self, Instant, Sleep};

/// How much is read and written in one turn, at least, if there is as much: others are to have theirs
/// (bytes).
const TURN_BYTES: usize = 128 << 10;
/// How many messages are taken from queues in one turn: others are to have theirs (messages).
const TURN_MAX: usize = 1_024;
/// What the buffer of an idle connection keeps (bytes).
const KEEP_BYTES: usize = 4 << 10;

pub(super) struct Driver {
    hub: Arc<Hub>,
    peer: Arc<Peer>,
    link: Link,
    line: Option<Line>,
    inflow: Inflow,
    outflow: Outflow,
    hold: Duration,
    /// How often the orders had changed when they were looked at last.
    seen: u64,
    phase: Phase,
    wanted: Arc<Interest>,
    /// `None`: there is a connection, or nothing waits for one.
    broken: Option<Absence>,
    /// Messages of one type, in a row, that have come and wait nowhere: the link is told once of all.
    consumed: (u16, u64),
    alarm: Pin<Box<Sleep>>,
    /// When the alarm goes off; `None`: it has, or is not set.
    set_for: Option<Instant>,
    interest: Vec<(u16, u16)>,
    /// Actors of the peer that somebody here has asked for, by the numbers of their mailboxes.
    mailboxes: OpenMailboxes,
    /// Actors of this bus that the peer writes to, by the places of their mailboxes, each with its channel.
    exposed: Vec<Option<(Exposed, Option<u16>)>>,
    /// Answers to questions of the peer that the link has not taken yet.
    answers: OwedAnswers,
    /// When so much of them waits, the peer's further questions wait (bytes).
    answers_max: usize,
    /// The peer has not said yet who is behind one of these.
    opening: bool,
    /// The last turn has not read on, because too much waits for room.
    rested: bool,
    /// Something has come, gone or been asked for in this turn.
    moved: bool,
    /// Those who wait for the peer's answers to pings, in order.
    pings: VecDeque<oneshot::Sender<u64>>,
    /// What the peer has said since it was looked at last.
    news: News,
    /// While this bus ends: messages of the peer were passed over, which it will never see acknowledged.
    skipped: bool,
    /// Messages that came for subscribers who had left.
    outdated: u64,
    /// The peer has wanted topics since it is the process that it is.
    wanted_some: bool,
    /// Whether the peer has read all that is for it, while this bus drains.
    probe: Option<LastPing>,
    /// `None`: the task has not been polled.
    ring: Option<Ring>,
    /// Messages that have come, whatever has become of them.
    taken: u64,
    /// As many as when something was sent directly last.
    taken_before: u64,
    /// It has gone to sleep, and moved nothing since.
    rests: bool,
    /// A receiver looks for what comes.
    is_lent: bool,
    /// How often receivers have looked.
    looks: u32,
}

/// What the bell of a link wakes.
struct Ring {
    /// What sends at once.
    direct: Waker,
    task: Waker,
}

/// What is to be looked at when frames were read.
#[derive(Default)]
struct News {
    /// The link itself has said something, whatever it was.
    words: bool,
    interest: bool,
    opened: bool,
    described: bool,
}

/// The connection.
struct Line {
    socket: Box<dyn Socket>,
    decoder: Decoder,
    out: Vec<u8>,
    /// How much of `out` is written.
    written: usize,
    /// It takes no more now.
    full: bool,
    /// The last words are in `out`.
    ends: bool,
    /// They were written, and the peer has until then to read them.
    lingers: Option<Instant>,
    /// Nothing of them is kept back.
    ended: bool,
    /// Something was heard.
    lasted: bool,
    done: oneshot::Sender<Ending>,
}

impl Driver {
    pub(super) fn new(hub: Arc<Hub>, core: Arc<BusCore>, peer: Arc<Peer>, options: Arc<LinkOptions>) -> Self {
        let id = hub.id().get();
        let owner = QueueOwner::link(hub.id(), &peer.name(), Arc::clone(&peer.bell));
        let answers_max = options.held_bytes;
        Self {
            link: Link::new(options.config, hub.secret.draw()),
            line: None,
            inflow: Inflow::new(Arc::clone(&core), id, options.held_bytes),
            hold: options.hold,
            outflow: Outflow::new(core, owner, options),
            seen: 0,
            phase: Phase::Open,
            wanted: Arc::default(),
            broken: None,
            consumed: (0, 0),
            alarm: Box::pin(rt::sleep(Duration::ZERO)),
            set_for: None,
            interest: Vec::new(),
            mailboxes: OpenMailboxes::default(),
            exposed: Vec::new(),
            answers: OwedAnswers::default(),
            answers_max,
            opening: false,
            rested: false,
            moved: false,
            pings: VecDeque::new(),
            news: News::default(),
            skipped: false,
            outdated: 0,
            wanted_some: false,
            probe: None,
            ring: None,
            taken: 0,
            taken_before: 0,
            rests: false,
            is_lent: false,
            looks: 0,
            hub,
            peer,
        }
    }

    /// One turn. Whether there is more to do at once.
    fn turn(&mut self, cx: &mut TaskContext<'_>) -> bool {
        let mut busy = false;
        self.moved = false;
        if self.hub.is_behind() {
            self.hub.look();
        }
        if self.seen != self.hub.version() {
            self.obey();
        }
        if self.phase == Phase::Ended {
            return false;
        }
        while let Some(ask) = self.peer.take_ask() {
            self.answer(ask);
            busy = true;
        }
        match self.read(cx) {
            Ok(more) => busy |= more,
            Err(loss) => self.lose(&loss),
        }
        self.hear_news();
        let Self { link, inflow, hub, peer, answers, seen, .. } = self;
        // Questions that fail here add no bytes.
        let room = self.answers_max.saturating_sub(answers.bytes());
        let answered = || peer.answered_bytes() >= room;
        let gone = |passed| pass(link, hub.now(), answers, passed);
        // For one who has come since the look, topics may be in one channel that were in several, and nothing
        // is to pass what waits. All else goes on.
        busy |= inflow.publish(cx, || hub.has_news(*seen), answered, gone);
        busy |= hub.has_news(*seen);
        // First, as topics may take all the room that there is in the window.
        busy |= self.answer_questions();
        let (sent, more) = self.outflow.send(&mut self.link, TURN_MAX);
        busy |= more;
        self.moved |= sent || busy;
        if self.phase > Phase::Open {
            // No answer is taken any more: actors that wait for one could not end.
            self.outflow.forget(&mut self.link);
        }
        // One waits since this turn has read.
        busy |= self.rested && self.waits_for_peer();
        // Before the peer can know of it.
        if self.moved {
            self.count();
        }
        busy |= self.write_or_lose(cx);
        busy |= self.look_at_clock(cx);
        if self.phase >= Phase::Draining {
            self.drain();
        }
        busy
    }

    /// Does what was ordered.
    fn obey(&mut self) {
        let (seen, Orders { phase, paused, wanted }) = self.hub.orders();
        (self.seen, self.phase) = (seen, phase);
        self.moved = true;
        self.inflow.pause(paused);
        self.open_mailboxes();
        // A message that is not on its way yet is to wait, or be counted, where it is.
        let _nothing = self.link.step(self.hub.now(), Input::Pause(paused || phase > Phase::Open));
        if !Arc::ptr_eq(&wanted, &self.wanted) {
            self.want(&wanted);
        }
        self.expose();
    }

    fn answer(&mut self, ask: Ask) {
        match ask {
            // An asker that has gone meanwhile wants no answer.
            Ask::Standing(reply) => _ = reply.send(self.link.standing()),
            Ask::Attach(arrival, reply) => _ = reply.send(self.attach(*arrival)),
            Ask::Ping(reply) => self.ping(reply),
        }
    }

    fn attach(&mut self, arrival: Arrival) -> Result<(), HandedBack> {
        let Arrival { socket, decoder, began, agreement, stated, theirs, done } = arrival;
        let now = self.hub.now();
        match self.link.attach(now, began, &agreement, &stated, &theirs) {
            Ok(attached) => {
                if self.line.is_some() {
                    self.end_line(&Cut::Replaced);
                }
                caught(|| tracing::info!(target: TARGET, peer = &*self.peer.name(), ?attached, "link up"));
                self.tell_disabled(agreement);
                self.link.keep_acks(socket.spins());
                let (out, ends, lasted) = (Vec::new(), false, false);
                let (lingers, ended, written, full) = (None, false, 0, false);
                self.line =
                    Some(Line { socket, decoder, out, written, full, ends, lingers, ended, lasted, done });
                self.broken = None;
                self.peer.tell_state(LinkState::Linked, None);
                self.count();
                self.peer.set_attached(true);
                self.follow();
                self.describe_all();
                Ok(())
            }
            Err(error) => {
                if let AttachError::PeerRestarted { lost } = error {
                    // Its subscribers have died with it.
                    self.wanted_some = false;
                    self.leave();
                    self.outflow.begin_all_anew();
                    match self.broken {
                        Some(_) => self.begin_mailboxes_anew(),
                        // It was given up before, and may be gone again before it is linked.
                        None => self.lose_mailboxes(),
                    }
                    let unsent = self.outflow.unsent;
                    let peer = &*self.peer.name();
                    caught(
                        || tracing::warn!(target: TARGET, peer, lost, unsent, "the peer is another process than before"),
                    );
                    self.count();
                }
                Err((error, socket, decoder))
            }
        }
    }

    /// Has queues for what the peer wants.
    fn follow(&mut self) {
        self.outflow.begin_anew(&self.link.take_withdrawn());
        self.interest.clear();
        self.interest.extend(self.link.interest());
        self.wanted_some |= !self.interest.is_empty();
        self.outflow.follow(&self.interest);
        let names = self.outflow.names();
        self.peer.tell(|stats| stats.wants = names);
    }

    /// The same as [`write`](Self::write); a connection that takes nothing any more is lost.
    fn write_or_lose(&mut self, cx: &mut TaskContext<'_>) -> bool {
        self.write(cx).unwrap_or_else(|cut| {
            // The peer's last bytes before it closed the connection may still be there to read.
            let last_words = loop {
                match self.read(cx) {
                    // It stops where somebody has come, who is looked at first.
                    Ok(true) if self.hub.has_news(self.seen) => {
                        self.hub.look();
                        self.obey();
                    }
                    read => break read.err(),
                }
            };
            self.lose(&last_words.unwrap_or(cut));
            // There may be words that nobody has looked at.
            true
        })
    }

    /// Writes what there is to write, for one turn at most. Whether there may be more.
    fn write(&mut self, cx: &mut TaskContext<'_>) -> Result<bool, Cut> {
        let Self { line: Some(line), link, hub, moved, .. } = self else { return Ok(false) };
        let mut total = 0;
        line.full = false;
        // Of all of it: a look at the clock costs as much as a short frame.
        let now = hub.now();
        loop {
            if line.written == line.out.len() {
                line.out.clear();
                line.written = 0;
                if !line.ends {
                    link.speak(now, &mut line.out);
                } else if !link.is_mid_frame() {
                    return Ok(line.end(cx));
                }
            }
            // What the link says itself stands between frames; the messages are written from where they lie.
            let said = line.written < line.out.len();
            let of_link = !said || link.is_mid_frame();
            let bytes = match (said || line.ends, of_link) {
                (true, true) => link.rest_of_frame(),
                (true, false) => &line.out[line.written..],
                (false, _) => link.unwritten(now),
            };
            if bytes.is_empty() {
                line.out.shrink_to(KEEP_BYTES);
                return line.flush(cx);
            }
            if total >= TURN_BYTES {
                return Ok(true);
            }
            let count = match Pin::new(&mut line.socket).poll_write(cx, bytes) {
                Poll::Pending => {
                    line.full = true;
                    return Ok(false);
                }
                Poll::Ready(Ok(0)) => return Err(Cut::Closed),
                Poll::Ready(Ok(count)) => count,
                Poll::Ready(Err(error)) => return Err(Cut::Io(error)),
            };
            if of_link {
                link.wrote(now, count);
            } else {
                line.written += count;
            }
            total += count;
            *moved = true;
        }
    }

    /// The connection is of no use any more.
    fn lose(&mut self, loss: &Cut) {
        self.end_line(loss);
        // Detaching breaks no rule.
        let _nothing = self.link.step(self.hub.now(), Input::Detach);
        if matches!(loss, Cut::Bye(_) | Cut::Done) || self.hold.is_zero() {
            self.give_up();
        } else {
            let absence = self.broken.insert(Absence::begin(Instant::now(), self.hold));
            self.peer.tell_state(LinkState::Gone, Some(absence.since()));
        }
        self.count();
        self.peer.set_attached(false);
    }

    fn end_line(&mut self, loss: &Cut) {
        let Some(mut line) = self.line.take() else { return };
        self.rested = false;
        self.pings.clear();
        if let Cut::Fault(fault) = loss
            && let Some(reject) = fault.reject()
            && line.written == line.out.len()
            && !self.link.is_mid_frame()
        {
            // Behind a frame that was written in part it would not be understood.
            let mut socket = std::mem::replace(&mut line.socket, Box::new(tokio::io::empty()));
            self.hub.handshakes.spawn(async move {
                refuse(&mut *socket, None, &reject).await;
            });
        }
        let (peer, text) = (self.peer.name(), loss.text());
        match loss {
            Cut::Fault(_) => {
                caught(|| tracing::warn!(target: TARGET, peer = &*peer, reason = text, "link down"));
            }
            _ => caught(|| tracing::info!(target: TARGET, peer = &*peer, reason = text, "link down")),
        }
        self.peer.tell(|stats| stats.fault = Some(text.into()));
        let _nobody_dials = line.done.send(Ending { at_once: loss.is_over_at_once(), lasted: line.lasted });
    }

    /// No queue is for the peer any more: what is published now is not for it.
    fn leave(&mut self) {
        self.outflow.leave(&mut self.link);
        self.peer.tell(|stats| stats.wants = Vec::new());
    }

    /// Nothing waits for the peer any more but what it may have received.
    fn give_up(&mut self) {
        self.broken = None;
        let before = self.outflow.unsent;
        self.leave();
        // Code that sees it gone sees what it has left behind.
        self.count();
        self.peer.tell_state(LinkState::Gone, None);
        self.lose_mailboxes();
        self.count();
        let (unsent, waiting) = (self.outflow.unsent - before, self.link.stats().waiting);
        if unsent + waiting > 0 {
            let peer = &*self.peer.name();
            caught(|| tracing::warn!(target: TARGET, peer, unsent, waiting, "the peer was given up"));
        }
    }

    /// Tells what is counted.
    fn count(&self) {
        let of = self.link.stats();
        let (held, refused) = (self.inflow.held() as u64, self.inflow.refused());
        let (too_long, unsent) = (self.outflow.too_long, self.outflow.unsent);
        let outdated = self.outdated + self.inflow.outdated();
        self.peer.tell(|stats| {
            stats.sent = of.sent;
            stats.acknowledged = of.acknowledged;
            stats.lost = of.lost;
            stats.waiting = of.waiting;
            stats.resent = of.resent;
            stats.received = of.received;
            stats.duplicates = of.duplicates;
            stats.connections = of.attached;
            stats.peer_restarts = of.peer_restarts;
            stats.held = held;
            stats.refused = refused;
            stats.outdated = outdated;
            stats.too_long = too_long;
            stats.unsent = unsent;
        });
    }

    /// Goes to sleep until something happens; whether something has already.
    fn sleep(&mut self, cx: &mut TaskContext<'_>) -> bool {
        if !self.peer.bell.prepare(self.direct_ring().unwrap_or(cx.waker())) {
            return true;
        }
        let awake = self.outflow.arm() || self.peer.has_work() || self.seen != self.hub.version();
        if awake {
            self.peer.bell.cancel();
        }
        awake
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        let driver = self.get_mut();
        driver.rests = false;
        // One that has found nothing, and one that has something to do then.
        for _ in 0..2 {
            let busy = driver.turn(cx);
            if driver.is_over() {
                return Poll::Ready(());
            }
            if busy || driver.sleep(cx) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if driver.moved || driver.is_lent || !driver.spin() {
                driver.rests = true;
                return Poll::Pending;
            }
            driver.peer.bell.cancel();
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.count();
        self.peer.tell_left(self.outflow.waiting(), self.inflow.late());
        self.outflow.forget(&mut self.link);
        // In this order: a mailbox that is made meanwhile is lost too, and none of the next link is.
        self.peer.tell_state(LinkState::Gone, None);
        if self.hub.is_current(&self.peer) {
            self.lose_mailboxes();
        }
        self.peer.close();
    }
}
