//! What comes on the connection, on its way to whoever it is for.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use mycelium_remote::frame::{Flags, Frame};
use mycelium_remote::link::{Input, Link, Output};
use tokio::io::{AsyncRead, ReadBuf};

use super::cut::Cut;
use super::{Driver, Line, Phase, TURN_BYTES};

impl Driver {
    /// Whether somebody here goes on only when the peer has been heard: what they wait for may lie behind
    /// what has no room, and be what makes room.
    pub(super) fn waits_for_peer(&self) -> bool {
        self.outflow.needs_peer() || !self.answers.is_empty() || !self.pings.is_empty() || self.opening
    }

    /// Reads what has come, for one turn at most. Whether there may be more.
    pub(super) fn read(&mut self, cx: &mut TaskContext<'_>) -> Result<bool, Cut> {
        self.read_most(TURN_BYTES, cx)
    }

    /// The same, once: nobody is woken when more comes.
    pub(super) fn read_once(&mut self, cx: &mut TaskContext<'_>) -> Result<(), Cut> {
        self.read_most(1, cx).map(drop)
    }

    /// Reads until so many bytes have come, or there are no more. Whether there may be more.
    fn read_most(&mut self, most: usize, cx: &mut TaskContext<'_>) -> Result<bool, Cut> {
        let read = self.read_frames(most, cx);
        self.consume();
        // Also if the connection has ended behind it: before anything more is sent.
        self.follow_news();
        read
    }

    /// Has queues for what the peer wants by now, if it has said so.
    fn follow_news(&mut self) {
        if std::mem::take(&mut self.news.interest) {
            self.follow();
        }
    }

    /// Tells the link of the last messages that wait nowhere.
    fn consume(&mut self) {
        let (type_id, count) = std::mem::take(&mut self.consumed);
        consumed(&mut self.link, type_id, count);
    }

    fn read_frames(&mut self, most: usize, cx: &mut TaskContext<'_>) -> Result<bool, Cut> {
        // Its frames are looked at where they lie.
        let Some(mut line) = self.line.take() else { return Ok(false) };
        let read = self.read_from(&mut line, most, cx);
        self.line = Some(line);
        read
    }

    fn read_from(&mut self, line: &mut Line, most: usize, cx: &mut TaskContext<'_>) -> Result<bool, Cut> {
        let mut total = 0;
        // The time of what was read last: a look at the clock costs more than a frame.
        let mut now = if line.decoder.pending() > 0 { self.hub.now() } else { 0 };
        let more = loop {
            if line.lingers.is_some() {
                return line.read_to_end(cx);
            }
            let takes = self.phase == Phase::Open;
            let rests = takes && !self.waits_for_peer();
            self.rested = rests && self.inflow.is_full();
            if self.rested {
                // It stays in the socket until there is room: this end is slow, and not the peer silent.
                self.link.step(self.hub.now(), Input::Busy).map_err(Cut::Fault)?;
                break false;
            }
            // Bytes that came behind the handshake are there already.
            while let Some(frame) = line.decoder.next_frame().map_err(|error| Cut::Fault(error.into()))? {
                self.moved = true;
                if !takes && !frame.header.flags.contains(Flags::CONTROL) {
                    // It stays with the peer, which is told nothing, and has been heard.
                    self.skipped = true;
                    self.link.step(now, Input::Busy).map_err(Cut::Fault)?;
                    continue;
                }
                let stepped = self.link.step(now, Input::Frame(&frame)).map_err(Cut::Fault)?;
                line.lasted = true;
                if self.news.interest && !frame.header.flags.contains(Flags::CONTROL) {
                    // Whoever gets this message may answer it, and the peer has said before that it listens.
                    self.follow_news();
                }
                let is_word = frame.header.flags.contains(Flags::CONTROL);
                self.taken += u64::from(!is_word);
                self.news.words |= is_word;
                match stepped {
                    Output::Message if self.take(&frame) => self.waits_nowhere(frame.header.type_id, 1),
                    Output::Run { skip } => self.receive_run(&frame, skip),
                    Output::Direct(direct) => self.receive(direct, &frame, cx),
                    // Behind the last words of this end nothing is for the peer any more.
                    Output::Interest => self.news.interest |= !line.ends,
                    Output::Opened => self.news.opened = true,
                    Output::Mailboxes => self.news.described = true,
                    Output::Pong => self.answered(),
                    Output::Bye(ended) => return Err(Cut::Bye(ended)),
                    _ => {}
                }
                if rests && self.inflow.is_full() {
                    break;
                }
                if self.hub.has_news(self.seen) {
                    // They may be in one channel from now on.
                    return Ok(true);
                }
            }
            if rests && self.inflow.is_full() {
                continue;
            }
            if total >= most {
                break true;
            }
            let mut space = ReadBuf::new(line.decoder.space());
            match Pin::new(&mut line.socket).poll_read(cx, &mut space) {
                Poll::Pending => break false,
                Poll::Ready(read) => read.map_err(Cut::Io)?,
            }
            let count = space.filled().len();
            if count == 0 {
                return Err(Cut::Closed);
            }
            total += count;
            self.moved = true;
            line.decoder.advance(count);
            now = self.hub.now();
            self.link.step(now, Input::Heard { bytes: count }).map_err(Cut::Fault)?;
        };
        Ok(more)
    }

    /// The peer has answered a ping. The asker is to know what it has said before.
    fn answered(&mut self) {
        self.follow_news();
        // One who has gone hears nothing.
        _ = self.pings.pop_front().map(|asked| asked.send(self.link.standing().received));
    }

    /// A message of a topic has come. Whether it waits nowhere.
    fn take(&mut self, frame: &Frame<'_>) -> bool {
        let is_due = frame.header.sequence >= self.link.due_from(frame.header.type_id);
        self.outdated += u64::from(!is_due);
        !is_due || self.inflow.take(&frame.header, frame.value)
    }

    /// Messages of topics that share a frame have come.
    fn receive_run(&mut self, frame: &Frame<'_>, skip: usize) {
        let Some(mut run) = frame.run() else { return };
        run.by_ref().take(skip).for_each(drop);
        let mut sequence = frame.header.sequence + skip as u64;
        while let Some(type_id) = run.next_type() {
            let due_from = self.link.due_from(type_id);
            let mut taken = 0;
            // Those who wanted these have left.
            while sequence < due_from && run.next_type() == Some(type_id) {
                run.next();
                (sequence, taken) = (sequence + 1, taken + 1);
            }
            self.outdated += taken;
            if run.next_type() == Some(type_id) {
                let (gone, waiting) = self.inflow.take_row(&mut run);
                taken += gone;
                sequence += gone + waiting;
            }
            if taken > 0 {
                self.waits_nowhere(type_id, taken);
            }
        }
        // One is counted where the frame is.
        self.taken += (sequence - frame.header.sequence).saturating_sub(1);
    }

    /// So many messages of one type have come and wait nowhere.
    fn waits_nowhere(&mut self, type_id: u16, count: u64) {
        if self.consumed.0 != type_id {
            let (before, count) = std::mem::replace(&mut self.consumed, (type_id, 0));
            consumed(&mut self.link, before, count);
        }
        self.consumed.1 += count;
    }
}

fn consumed(link: &mut Link, type_id: u16, count: u64) {
    if count > 0 {
        // This breaks no rule, whatever the time: a look at the clock costs as much as a message.
        let _nothing = link.step(0, Input::Consumed { type_id, count });
    }
}
