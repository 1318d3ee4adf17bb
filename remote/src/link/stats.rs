//! What a link counts.

/// What an end of a link has counted since it was made, and what it holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkStats {
    /// Messages given to the link to send.
    pub sent: u64,
    /// Of these, how many the peer has acknowledged: its process has them.
    pub acknowledged: u64,
    /// Of these, how many were not acknowledged when the peer turned out to be another process than before.
    /// The dead one may have received some of them.
    pub lost: u64,
    /// Messages that wait for their acknowledgement: `sent - acknowledged - lost`.
    pub waiting: u64,
    /// Bytes of frames that wait for their acknowledgement.
    pub waiting_bytes: u64,
    /// Messages written again after a connection was cut.
    pub resent: u64,
    /// Messages received, each counted once.
    pub received: u64,
    /// Messages that came a second time after a connection was cut, and were left out.
    pub duplicates: u64,
    /// Messages received that their receiver has not consumed yet: they use up credit.
    pub unconsumed: u64,
    /// How often a connection was attached.
    pub attached: u64,
    /// How often the peer turned out to be another process than before.
    pub peer_restarts: u64,
}
