//! What the task of a link does for actors of this bus that are told and asked across it, and for answers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Context as TaskContext;
use std::time::Duration;

use mycelium_remote::frame::{Flags, Frame, Header};
use mycelium_remote::link::{Direct, Failure, Input, Link, Question, SendError, Served, Taken, message_of};

use super::Driver;
use crate::AskError;
use crate::clock::later;
use crate::link::expose::{Exposed, WayBack, failure_of};
use crate::link::inflow::{DirectMail, Relieved};
use crate::link::peer::answer_len;
use crate::link::pending_answer::PendingAnswer;
use crate::rt::Instant;
use crate::wire::WireValue;

/// Answers that wait for the link.
#[derive(Default)]
pub(super) struct OwedAnswers {
    queue: VecDeque<(Question, Result<WireValue, Failure>)>,
    bytes: usize,
}

impl OwedAnswers {
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// How many bytes wait.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn push(&mut self, question: Question, answer: Result<WireValue, Failure>) {
        self.bytes += answer_len(&answer);
        self.queue.push_back((question, answer));
    }

    fn pop(&mut self) {
        if let Some((_, answer)) = self.queue.pop_front() {
            self.bytes -= answer_len(&answer);
        }
    }

    /// The first one cannot be sent.
    fn fail(&mut self) {
        if let Some((_, answer)) = self.queue.front_mut() {
            self.bytes -= answer_len(answer);
            *answer = Err(Failure::Unanswerable);
        }
    }
}

impl Driver {
    /// Tells the peer who is behind the mailboxes that it has opened.
    pub(super) fn expose(&mut self) {
        let served = self.link.served().map(|(place, name)| (place, name.to_owned())).collect();
        self.expose_at(served);
    }

    pub(super) fn expose_at(&mut self, mailboxes: Vec<(usize, String)>) {
        for (place, name) in mailboxes {
            let exposed = self.hub.exposed(&name);
            // As the peer knows it: it was told of what is wanted before.
            let exposed = exposed.map(|exposed| (self.hub.channel_of(&exposed, &self.wanted), exposed));
            let now = exposed.as_ref().map(|(channel, exposed)| {
                let mut takes: Vec<Taken> = exposed.doors().iter().map(|door| door.taken()).collect();
                takes.sort_unstable();
                Served { channel: *channel, takes }
            });
            if self.exposed.len() <= place {
                self.exposed.resize_with(place + 1, || None);
            }
            self.exposed[place] = exposed.map(|(channel, exposed)| (exposed, channel));
            self.link.serve(place, now);
        }
        let channels = self.exposed.iter().map(|exposed| exposed.as_ref().and_then(|(_, channel)| *channel));
        self.inflow.set_channels(&self.wanted, channels.collect());
    }

    /// Gives the link the answers that it takes. Whether there is room for more by now, and was none before.
    pub(super) fn answer_questions(&mut self) -> bool {
        for (question, answer) in self.peer.take_answers() {
            self.answers.push(question, answer);
            self.moved = true;
        }
        while let Some((question, answer)) = self.answers.queue.front() {
            let sent = match answer {
                Ok(value) => self.link.answer(*question, value.header(), value.bytes()),
                Err(failure) => self.link.fail(*question, *failure),
            };
            match (sent, answer) {
                (Err(SendError::Full { .. }), _) => break,
                (Err(_), Ok(_)) => self.answers.fail(),
                _ => self.answers.pop(),
            }
            self.moved = true;
        }
        let full = self.owes_enough();
        std::mem::replace(&mut self.inflow.questions_wait, full) && !full
    }

    /// Whether as many bytes of answers as may wait for the peer, with those that the task has not seen yet.
    fn owes_enough(&self) -> bool {
        self.answers.bytes() + self.peer.answered_bytes() >= self.answers_max
    }
}

/// Tells the link what waits no more.
pub(super) fn pass(link: &mut Link, now: u64, answers: &mut OwedAnswers, passed: Relieved) {
    match passed {
        // It breaks no rule.
        Relieved::Message(type_id) => _ = link.step(now, Input::Consumed { type_id, count: 1 }),
        Relieved::Told(place) => link.delivered(place, 1),
        Relieved::Asked => {}
        Relieved::Failed(question, failure) => answers.push(question, Err(failure)),
    }
}

impl Driver {
    /// A direct message has come.
    pub(super) fn receive(&mut self, direct: Direct, frame: &Frame<'_>, cx: &mut TaskContext<'_>) {
        let header = Header { flags: Flags::NONE, ..frame.header };
        let (type_id, bytes) = (header.type_id, message_of(frame.value));
        let (place, question, limit_ns) = match direct {
            Direct::Tell { place } => (place, None, None),
            Direct::Ask { place, question, limit_ns } => (place, Some(question), limit_ns),
            Direct::Answer { ask } => return self.hear(ask, Ok(WireValue::new(header, bytes))),
            Direct::Failed { ask, failure } => return self.hear(ask, Err(failure_of(failure))),
            _ => return,
        };
        let exposed: Option<&(Exposed, _)> = self.exposed.get(place).and_then(Option::as_ref);
        let door =
            exposed.and_then(|(exposed, _)| exposed.door(Taken { type_id, asked: question.is_some() }));
        let door = door.map(Arc::clone);
        // An actor that has ended since the peer was told of it is no actor that does not know the message.
        let failure = if exposed.is_some() { Failure::NotTaken } else { Failure::Stopped };
        let passed = match (door, question) {
            (Some(door), question) => {
                let way_back = question.map(|question| {
                    let due = limit_ns.map(|limit| later(Instant::now(), Duration::from_nanos(limit)));
                    let (peer, runtime) = (Arc::clone(&self.peer), self.hub.runtime().clone());
                    WayBack::Peer(PendingAnswer::new(peer, question, due, runtime))
                });
                if way_back.is_some() {
                    self.inflow.questions_wait |= self.owes_enough();
                }
                self.inflow.take_mail(&header, bytes, DirectMail { place, door, way_back }, cx)
            }
            (None, Some(question)) => Some(Relieved::Failed(question, failure)),
            (None, None) => {
                self.inflow.refuse_mail(type_id);
                Some(Relieved::Told(place))
            }
        };
        if let Some(passed) = passed {
            pass(&mut self.link, self.hub.now(), &mut self.answers, passed);
        }
    }

    /// A question of this end is answered, or will not be.
    fn hear(&mut self, ask: u64, answer: Result<WireValue, AskError>) {
        if let Some(asker) = self.outflow.asks.remove(&ask) {
            // An asker that has gone hears nothing.
            _ = asker.give(answer);
        }
    }
}
