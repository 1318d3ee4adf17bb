//! The handshake of one connection, up to its handing over to the task of its link.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mycelium_remote::frame::Decoder;
use mycelium_remote::link::{
    Accept, Agreement, AttachError, Greeting, HANDSHAKE_NS, HELLO_LEN_MAX, Handshake, Hello, HelloError,
    LinkFault, PeerHello, Reason, Reject, Standing,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

use super::LinkOptions;
use super::hub::Hub;
use super::peer::{Arrival, Ending, Peer};
use super::sockets::Socket;
use crate::rt;

/// How long a peer that was refused may take to read that.
pub(super) const LINGER: Duration = Duration::from_millis(200);

/// How long a handshake may take at first, and at most.
const HANDSHAKE: Duration = Duration::from_nanos(HANDSHAKE_NS);
const HANDSHAKE_MAX: Duration = Duration::from_secs(60);

/// Control frames may be as long as this, however short values have to be (bytes).
const CONTROL_MAX: usize = 16 << 10;

/// A connection does not become that of a link.
#[derive(Debug)]
pub(super) enum GreetError {
    Io(io::Error),
    Fault(LinkFault),
    Attach(AttachError),
    /// Refused here, for this reason.
    Refused(Reject),
    Hello(HelloError),
    /// It is the peer that was reached before, which has a connection by now.
    Linked,
    /// The task of the link has ended.
    Gone,
}

impl GreetError {
    /// Whether the next attempt is expected to succeed.
    pub(super) fn is_over_at_once(&self) -> bool {
        match self {
            Self::Attach(error) => matches!(error, AttachError::Stale | AttachError::PeerRestarted { .. }),
            Self::Fault(LinkFault::Rejected(reject)) => reject.reason == Reason::Stale,
            _ => false,
        }
    }

    /// What to tell the peer.
    fn reject(&self) -> Option<Reject> {
        match self {
            Self::Io(_) | Self::Hello(_) | Self::Linked | Self::Gone => None,
            Self::Fault(fault) => fault.reject(),
            Self::Attach(error) => Some(error.reject()),
            Self::Refused(reject) => Some(reject.clone()),
        }
    }
}

impl fmt::Display for GreetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::Fault(fault) => write!(f, "{fault}"),
            Self::Attach(error) => write!(f, "{error}"),
            Self::Refused(reject) => write!(f, "{}", reject.text),
            Self::Hello(error) => write!(f, "{error}"),
            Self::Linked => f.write_str("the peer is linked already"),
            Self::Gone => f.write_str("the link has ended meanwhile"),
        }
    }
}

impl From<io::Error> for GreetError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<LinkFault> for GreetError {
    fn from(fault: LinkFault) -> Self {
        Self::Fault(fault)
    }
}

/// How long the handshakes of one listener or dialer may take: twice as long after each that was late, up to
/// a third of the time for which a peer is waited for, and half as long after each for which half would have
/// been enough. Two processes that live are linked on a machine that is busy too, if not at the first
/// attempt.
pub(super) struct Patience {
    late: AtomicU32,
    most: Duration,
}

impl Patience {
    pub(super) fn of(options: &LinkOptions) -> Self {
        Self { late: AtomicU32::new(0), most: (options.hold / 3).clamp(HANDSHAKE, HANDSHAKE_MAX) }
    }

    fn limit(&self) -> Duration {
        self.limit_after(self.late.load(Ordering::Relaxed))
    }

    fn limit_after(&self, late: u32) -> Duration {
        HANDSHAKE.saturating_mul(1_u32.checked_shl(late).unwrap_or(u32::MAX)).min(self.most)
    }

    /// A handshake that had this limit has ended after so long a time.
    fn learn<T>(&self, limit: Duration, took: Duration, result: &Result<T, GreetError>) {
        let is_late = match result {
            Ok(_) if took < limit / 2 => return self.change(limit, |late| late.checked_sub(1)),
            Err(GreetError::Fault(LinkFault::HandshakeLate { .. })) => true,
            // The other side was late first, and begins with more time: so does this one, or the two would
            // grow in turns.
            Err(GreetError::Io(error)) => is_closed(error) && took >= limit / 2,
            _ => false,
        };
        if is_late && limit < self.most {
            self.change(limit, |late| late.checked_add(1));
        }
    }

    /// Goes a step from this limit, unless another handshake has meanwhile.
    fn change(&self, from: Duration, step: impl FnOnce(u32) -> Option<u32>) {
        let late = self.late.load(Ordering::Relaxed);
        if self.limit_after(late) == from
            && let Some(next) = step(late)
        {
            let (this, other) = (Ordering::Relaxed, Ordering::Relaxed);
            // Of several at the same time one counts.
            let _changed = self.late.compare_exchange(late, next, this, other);
        }
    }
}

/// Whether an error says that the other side has closed the connection.
fn is_closed(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

/// A link that has a new connection, and what tells how that ends.
pub(super) type Greeted = (Arc<Peer>, oneshot::Receiver<Ending>);

/// The link of a peer that is being greeted. It is released where that leads to nothing, also if the greeting
/// is given up for another one.
struct Guest<'h> {
    hub: &'h Arc<Hub>,
    peer: Option<Arc<Peer>>,
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        self.peer.take().into_iter().for_each(|peer| self.hub.release(&peer));
    }
}

/// On which side of a connection this bus is.
#[derive(Clone, Copy)]
pub(super) enum Side<'p> {
    /// It has dialed. The peer that it has reached before, if any, is not to have this connection too.
    Dialed(Option<&'p Peer>),
    Accepted,
}

/// Greets the other side of a connection, which becomes that of its link.
pub(super) async fn greet(
    hub: &Arc<Hub>,
    mut socket: Box<dyn Socket>,
    side: Side<'_>,
    options: &Arc<LinkOptions>,
    patience: &Patience,
) -> Result<Greeted, GreetError> {
    let mut guest = Guest { hub, peer: None };
    let (limit, began) = (patience.limit(), rt::Instant::now());
    let greeting = shake_hands(hub, &mut *socket, side, options, &mut guest.peer);
    let greeted = rt::timeout(limit, greeting).await;
    let late = || {
        let limit_ns = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
        Err(LinkFault::HandshakeLate { limit_ns }.into())
    };
    let greeted = greeted.unwrap_or_else(|_| late());
    patience.learn(limit, began.elapsed(), &greeted);
    let mut rest = None;
    let mut result = match greeted {
        Ok(found) => hand_over(hub, &mut socket, &mut rest, found).await,
        Err(error) => Err(error),
    };
    if let Err(error) = &result
        && let Some(reject) = error.reject()
        && let Some(answer) = refuse(&mut *socket, rest, &reject).await
        && matches!(error, GreetError::Attach(AttachError::Stale))
    {
        // The peer knows better: another process has this name.
        result = Err(LinkFault::Rejected(answer).into());
    }
    if result.is_ok() {
        guest.peer = None;
    }
    result
}

/// What a handshake has found.
struct Found {
    peer: Arc<Peer>,
    began: u64,
    agreement: Agreement,
    stated: Standing,
    theirs: Standing,
    decoder: Decoder,
}

async fn shake_hands(
    hub: &Arc<Hub>,
    socket: &mut dyn Socket,
    side: Side<'_>,
    options: &Arc<LinkOptions>,
    guest: &mut Option<Arc<Peer>>,
) -> Result<Found, GreetError> {
    let nonce = hub.secret.draw();
    // The deadline is kept by the caller.
    let mut handshake = Handshake::new(hub.now(), nonce);
    let mut decoder = Decoder::with_value_len_max(HELLO_LEN_MAX);
    let mut out = Vec::new();
    hub.hello(nonce).encode(&mut out).map_err(GreetError::Hello)?;
    if matches!(side, Side::Dialed(_)) {
        socket.write_all(&std::mem::take(&mut out)).await?;
        socket.flush().await?;
    }
    let mut met: Option<(PeerHello, Arc<Peer>, Standing)> = None;
    loop {
        while let Some(frame) = decoder.next_frame().map_err(LinkFault::from)? {
            match handshake.frame(&frame)? {
                Greeting::Hello(hello) => {
                    if let Err(cause) = socket.admits(hello.name()) {
                        let text = format!("`{}` may not have that name: {cause}", hello.name());
                        return Err(GreetError::Refused(Reject { reason: Reason::NotAllowed, text }));
                    }
                    let own = hub.name();
                    if let (Side::Accepted, Some(text)) = (&side, options.unwanted(hello.name(), own)) {
                        return Err(GreetError::Refused(Reject { reason: Reason::NotAllowed, text }));
                    }
                    if let Side::Dialed(before) = side {
                        if let Some(cause) = options.unexpected(hello.name()) {
                            return Err(io::Error::other(cause).into());
                        }
                        if before.is_some_and(|peer| *peer.name() == *hello.name() && peer.is_attached()) {
                            return Err(GreetError::Linked);
                        }
                    }
                    let peer = hub.peer(hello.name(), options).map_err(GreetError::Refused)?;
                    *guest = Some(Arc::clone(&peer));
                    let stated = peer.standing().await.ok_or(GreetError::Gone)?;
                    Accept { nonce: hello.nonce(), standing: stated }.encode(&mut out);
                    socket.write_all(&std::mem::take(&mut out)).await?;
                    socket.flush().await?;
                    met = Some((hello, peer, stated));
                }
                Greeting::Accepted(theirs) => {
                    let Some((hello, peer, stated)) = met.take() else {
                        unreachable!("the machine reads a Hello first")
                    };
                    let agreement = Agreement::of(&hub.offers, &hello);
                    let began = handshake.began();
                    return Ok(Found { peer, began, agreement, stated, theirs, decoder });
                }
            }
        }
        // Only where a frame was to begin.
        let is_first = met.is_none() && decoder.pending() == 0;
        let space = decoder.space();
        let count = socket.read(space).await?;
        if is_first && is_tls(&space[..count]) {
            return Err(io::Error::other(
                "the other side speaks TLS, and this one does not: give both `tls`, or neither",
            )
            .into());
        }
        if count == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it was closed in the handshake").into());
        }
        decoder.advance(count);
    }
}

/// Whether bytes are a record of TLS, where a frame was to begin.
fn is_tls(bytes: &[u8]) -> bool {
    matches!(bytes, [20..=23, 3, ..])
}

/// Hands the connection to the task of its link. If that refuses it, it is back in `socket`, and what has
/// come on it in `rest`.
async fn hand_over(
    hub: &Arc<Hub>,
    socket: &mut Box<dyn Socket>,
    rest: &mut Option<Decoder>,
    found: Found,
) -> Result<Greeted, GreetError> {
    let Found { peer, began, agreement, stated, theirs, mut decoder } = found;
    decoder.set_value_len_max(hub.longest().max(CONTROL_MAX));
    let taken = std::mem::replace(socket, Box::new(tokio::io::empty()));
    let (done, ended) = oneshot::channel();
    let arrival = Arrival { socket: taken, decoder, began, agreement, stated, theirs, done };
    match peer.attach(arrival).await {
        None => Err(GreetError::Gone),
        Some(Ok(())) => Ok((peer, ended)),
        Some(Err((error, back, decoder))) => {
            *socket = back;
            *rest = Some(decoder);
            Err(GreetError::Attach(error))
        }
    }
}

/// Tells the peer why, and waits a little until it has read that: what is closed with unread bytes in it
/// may take the last words with it. Returns the refusal of the peer, if it refuses meanwhile too; its bytes
/// so far are in `decoder`.
pub(super) async fn refuse(
    socket: &mut dyn Socket,
    decoder: Option<Decoder>,
    reject: &Reject,
) -> Option<Reject> {
    let mut out = Vec::new();
    reject.encode(&mut out);
    let mut answer = None;
    let told = async {
        let mut decoder = decoder.unwrap_or_default();
        // It may have closed its side already, and said why.
        let _closed = socket.write_all(&out).await;
        let _closed = socket.shutdown().await;
        loop {
            while answer.is_none()
                && let Ok(Some(frame)) = decoder.next_frame()
            {
                if let Err(LinkFault::Rejected(reject)) = Handshake::new(0, 0).frame(&frame) {
                    answer = Some(reject);
                }
            }
            let mut rest = [0; 512];
            let count = socket.read(&mut rest).await?;
            if count == 0 {
                return Ok::<_, io::Error>(());
            }
            let _broken = decoder.feed(&rest[..count]);
        }
    };
    let _late = rt::timeout(LINGER, told).await;
    answer
}

impl Hub {
    /// What this bus says of itself on a new connection.
    fn hello(&self, nonce: u64) -> Hello<'_> {
        let value_len_max = u32::try_from(self.longest()).unwrap_or(u32::MAX);
        Hello { name: self.name(), nonce, value_len_max, offers: &self.offers }
    }
}

#[cfg(test)]
mod tests;
