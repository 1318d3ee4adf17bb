//! Interest and credit of one message type, both ways.

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
        self.tell_interest = self.announced;
        self.tell_credit = self.granted > 0;
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
}
