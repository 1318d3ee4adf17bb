//! Interest and credit of one message type, both ways.

use super::control::{Control, Fields};
use super::{Link, LinkFault, Output};

/// How many entries a frame of interest or credit has at most.
const ENTRIES_MAX: usize = 1_024;
/// The channel of an interest that is withdrawn, or paused.
pub(super) const NO_CHANNEL: u16 = u16::MAX;

/// What travels of one message type. Counts are of this pair of incarnations.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow {
    pub(super) type_id: u16,
    /// Whether both ends mean the same by it.
    pub(super) agreed: bool,
    /// Messages sent, and how many the peer takes in all.
    pub(super) sent: u64,
    pub(super) limit: u64,
    /// The channel in which the peer wants it.
    pub(super) asked: Option<u16>,
    /// Messages received.
    pub(super) taken: u64,
    /// Messages consumed. Below zero by what came from an earlier incarnation and still waits.
    consumed: i64,
    /// How many the peer was told that it may send in all.
    pub(super) granted: u64,
    /// The channel in which this end wants it.
    pub(super) wanted: Option<u16>,
    /// What the peer has to be told.
    pub(super) tell_interest: bool,
    pub(super) tell_credit: bool,
    /// Whether the peer knows of an interest, or has to be told that there is none.
    announced: bool,
    /// How often this end has withdrawn its interest, and taken it up again.
    round: u32,
    /// The first sequence of this round, as far as the peer has said.
    pub(super) due_from: u64,
    /// The round in which the peer wants it, and the last sequence before that round.
    asked_round: u32,
    begins_behind: u64,
    tell_begin: bool,
    /// The peer has withdrawn its interest since that was asked last.
    left: bool,
}

impl Flow {
    pub(super) fn new(type_id: u16) -> Self {
        Self {
            type_id,
            agreed: false,
            sent: 0,
            limit: 0,
            asked: None,
            taken: 0,
            consumed: 0,
            granted: 0,
            wanted: None,
            tell_interest: false,
            tell_credit: false,
            announced: false,
            round: 0,
            due_from: 0,
            asked_round: 0,
            begins_behind: 0,
            tell_begin: false,
            left: false,
        }
    }

    pub(super) fn credit(&self) -> u64 {
        if self.agreed && self.asked.is_some() { self.limit.saturating_sub(self.sent) } else { 0 }
    }

    /// Messages that have come and are not consumed, of whatever incarnation.
    pub(super) fn unconsumed(&self) -> u64 {
        (self.taken as i64 - self.consumed).unsigned_abs()
    }

    pub(super) fn want(&mut self, channel: Option<u16>, credit: u32) {
        if self.wanted == channel {
            return;
        }
        if channel.is_none() {
            // Of what comes of it, the peer will say where that ends and the next round begins.
            (self.round, self.due_from) = (self.round.wrapping_add(1), u64::MAX);
        } else if self.wanted.is_none() && self.announced {
            // So that what was said before, and comes late on another connection, is known to be older.
            self.round = self.round.wrapping_add(1);
        }
        self.wanted = channel;
        self.announced = true;
        self.tell_interest = true;
        self.grant(credit);
    }

    /// `count` messages were consumed. The peer is told when half of its credit has come back.
    pub(super) fn consume(&mut self, count: u64, credit: u32) {
        let count = count.min(self.unconsumed());
        self.consumed += count as i64;
        self.grant(credit);
    }

    /// Raises what the peer may send once that is worth a frame.
    fn grant(&mut self, credit: u32) {
        if self.wanted.is_none() {
            return;
        }
        let limit = u64::try_from(self.consumed + i64::from(credit)).unwrap_or(0);
        let half = u64::from(credit / 2).max(1);
        if limit >= self.granted + half {
            self.granted = limit;
            self.tell_credit = true;
        }
    }

    /// The peer wants it in this channel, or not now. In another round than before, others want it: what
    /// was sent up to `last` was not for them.
    pub(super) fn ask(&mut self, channel: Option<u16>, round: u32, last: u64) {
        if round.wrapping_sub(self.asked_round) > u32::MAX / 2 {
            // It was said before, on a connection of which this end has heard later than of the next one.
            return;
        }
        if round != self.asked_round {
            (self.asked_round, self.begins_behind) = (round, last);
            (self.tell_begin, self.left) = (true, true);
        }
        self.asked = channel;
    }

    /// The peer has said behind which sequence this round begins. It may say so again, and nothing else. The
    /// first round begins with the first message.
    pub(super) fn begin(&mut self, round: u32, sequence: u64) {
        if round == self.round && self.due_from == u64::MAX {
            self.due_from = sequence.saturating_add(1);
        }
    }

    /// Has the peer told of this end's interest.
    pub(super) fn tell_anew(&mut self) {
        self.tell_interest = self.announced;
    }

    /// Appends what the peer has to know of this end's interest.
    fn tell_interest(&mut self, paused: bool, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.tell_interest) {
            let channel = self.wanted.filter(|_| !paused).unwrap_or(NO_CHANNEL);
            out.extend_from_slice(&self.type_id.to_le_bytes());
            out.extend_from_slice(&channel.to_le_bytes());
            out.extend_from_slice(&self.round.to_le_bytes());
        }
    }

    /// Appends where the round begins in which the peer wants it.
    fn tell_begin(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.tell_begin) {
            out.extend_from_slice(&self.type_id.to_le_bytes());
            out.extend_from_slice(&self.asked_round.to_le_bytes());
            out.extend_from_slice(&self.begins_behind.to_le_bytes());
        }
    }

    /// The other end is another process than before.
    pub(super) fn restart(&mut self, credit: u32) {
        *self = Self {
            wanted: self.wanted,
            consumed: -(self.unconsumed() as i64),
            announced: self.wanted.is_some(),
            ..Self::new(self.type_id)
        };
        self.grant(credit);
    }

    /// A connection has come: the peer is told again what it may have missed.
    pub(super) fn attach(&mut self, agreed: bool) {
        self.agreed = agreed;
        self.tell_anew();
        self.tell_credit = self.granted > 0;
        self.tell_begin = self.asked_round != 0;
    }
}

impl Link {
    /// Appends what the peer has to know of interest and credit.
    pub(super) fn tell_flows(&mut self, out: &mut Vec<u8>) {
        let (mut interest, mut credit, mut begins) = (Vec::new(), Vec::new(), Vec::new());
        let Self { flows, words, paused, .. } = self;
        for flow in flows.iter_mut().filter(|flow| flow.agreed) {
            flow.tell_interest(*paused, &mut interest);
            flow.tell_begin(&mut begins);
            if std::mem::take(&mut flow.tell_credit) {
                credit.extend_from_slice(&flow.type_id.to_le_bytes());
                credit.extend_from_slice(&flow.granted.to_le_bytes());
            }
        }
        let interests = interest.chunks(8 * ENTRIES_MAX);
        interests.for_each(|entries| Control::Interest.encode_as(words.next(), entries, out));
        credit.chunks(10 * ENTRIES_MAX).for_each(|entries| Control::Credit.encode(entries, out));
        begins.chunks(14 * ENTRIES_MAX).for_each(|entries| Control::Begin.encode(entries, out));
    }

    /// The peer has said what it wants. `is_late`: it has said something else since.
    pub(super) fn of_interest(&mut self, mut fields: Fields<'_>, is_late: bool) -> Result<Output, LinkFault> {
        let last = self.window.last();
        while !fields.rest().is_empty() {
            let (type_id, channel, round) = (fields.u16()?, fields.u16()?, fields.u32()?);
            let flow = self.agreed_flow(type_id)?;
            if !is_late {
                flow.ask(Some(channel).filter(|channel| *channel != NO_CHANNEL), round, last);
            }
        }
        self.tells = true;
        Ok(Output::Interest)
    }

    /// What the peer wants: type ids, rising, each with its channel.
    pub fn interest(&self) -> impl Iterator<Item = (u16, u16)> {
        let wanted = self.flows.iter().filter(|flow| flow.agreed);
        wanted.filter_map(|flow| Some((flow.type_id, flow.asked?)))
    }

    /// From which sequence on messages of this type are for those who want it now: earlier ones were for
    /// others, who have left, and are to be consumed and no more.
    #[must_use]
    pub fn due_from(&self, type_id: u16) -> u64 {
        self.find_from(self.last, type_id).map_or(0, |at| self.flows[at].due_from)
    }

    /// The type ids of which the peer has withdrawn its interest since this was asked last, rising. If it
    /// wants one of them again, others there do than before. Look before anything more is sent.
    pub fn take_withdrawn(&mut self) -> Vec<u16> {
        let left =
            self.flows.iter_mut().filter_map(|flow| std::mem::take(&mut flow.left).then_some(flow.type_id));
        left.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_process_has_sent_uses_up_credit_until_it_is_consumed() {
        let mut flow = Flow::new(1);
        flow.want(Some(0), 8);
        assert_eq!(flow.granted, 8);
        flow.taken = 6;
        flow.restart(8);
        assert_eq!((flow.taken, flow.unconsumed(), flow.granted), (0, 6, 0), "two are not worth a frame");
        flow.consume(2, 8);
        assert_eq!((flow.granted, flow.unconsumed()), (4, 4));
        flow.taken = 4;
        flow.consume(100, 8);
        assert_eq!((flow.granted, flow.unconsumed()), (12, 0), "no more is consumed than has come");
    }

    #[test]
    fn an_interest_that_was_withdrawn_and_is_back_is_of_the_next_round() {
        let entries = |flow: &mut Flow, paused| {
            let mut out = Vec::new();
            flow.tell_interest(paused, &mut out);
            let entry = |at: &[u8]| (u16::from_le_bytes([at[2], at[3]]), at[4]);
            out.chunks(8).map(entry).collect::<Vec<_>>()
        };
        let (mut flow, mut other) = (Flow::new(7), Flow::new(7));
        flow.want(Some(0), 8);
        flow.begin(0, 3);
        assert_eq!(flow.due_from, 0, "the first round has no beginning to be told");
        assert_eq!((entries(&mut flow, false), entries(&mut flow, false)), (vec![(0, 0)], vec![]));
        other.ask(Some(0), 0, 0);
        assert!(!other.left);
        flow.want(None, 8);
        flow.want(Some(1), 8);
        assert_eq!((entries(&mut flow, false), flow.due_from), (vec![(1, 2)], u64::MAX));
        // Told again on another connection, and paused, it is the same one.
        other.ask(Some(1), 2, 5);
        assert!(std::mem::take(&mut other.left));
        flow.attach(true);
        assert_eq!(entries(&mut flow, true), [(NO_CHANNEL, 2)]);
        other.ask(None, 2, 9);
        assert_eq!((other.left, other.asked, other.begins_behind), (false, None, 5));
        other.ask(Some(1), 2, 9);
        assert_eq!((other.left, other.asked, other.begins_behind), (false, Some(1), 5));
        flow.begin(0, 3);
        assert_eq!(flow.due_from, u64::MAX, "of an earlier round");
        flow.begin(2, 5);
        flow.begin(2, u64::MAX);
        flow.want(Some(2), 8);
        assert_eq!((entries(&mut flow, false), flow.due_from), (vec![(2, 2)], 6));
        flow.want(None, 8);
        assert_eq!(entries(&mut flow, false), [(NO_CHANNEL, 3)]);
        other.ask(None, 3, 12);
        other.ask(Some(2), 2, 13);
        assert_eq!((other.asked, other.begins_behind), (None, 12), "an earlier round was said before");
    }

    #[test]
    fn who_wants_again_is_not_taken_for_gone_by_what_comes_late_on_another_connection() {
        let told = |flow: &mut Flow| {
            let mut out = Vec::new();
            flow.tell_interest(false, &mut out);
            let channel = u16::from_le_bytes([out[2], out[3]]);
            (
                Some(channel).filter(|channel| *channel != NO_CHANNEL),
                u32::from_le_bytes(out[4..8].try_into().unwrap()),
            )
        };
        let (mut flow, mut other) = (Flow::new(7), Flow::new(7));
        flow.want(Some(0), 8);
        let first = told(&mut flow);
        flow.want(None, 8);
        let gone = told(&mut flow);
        flow.want(Some(0), 8);
        let back = told(&mut flow);
        let mut hear = |(channel, round), last| {
            other.ask(channel, round, last);
            (other.asked, other.begins_behind)
        };
        assert_eq!(hear(first, 0), (Some(0), 0));
        assert_eq!(hear(gone, 3), (None, 3));
        assert_eq!(hear(back, 4), (Some(0), 4));
        assert_eq!(hear(gone, 5), (Some(0), 4), "it was said before");
        flow.begin(gone.1, 3);
        assert_eq!(flow.due_from, u64::MAX, "of an earlier round");
        flow.begin(back.1, 4);
        assert_eq!(flow.due_from, 5);
    }
}
