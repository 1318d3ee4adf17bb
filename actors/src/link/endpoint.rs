//! Listening and dialing: tasks that make connections and have them greeted.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use mycelium_mailbox::caught;

use super::backoff::Backoff;
use super::greet::{GreetError, Patience, Side, greet};
use super::hub::Hub;
use super::lookup::HostLookup;
use super::peer::Peer;
use super::sockets::{AcceptedSocket, FileLook, OpenSocket, Socket, dial};
use super::{LinkAddress, LinkError, LinkOptions, TARGET};
use crate::live::cancellable;
use crate::rt::{self, AbortHandle, Instant};
use crate::sync::Notify;

/// How long it may take to be connected.
const DIAL_LIMIT: Duration = Duration::from_secs(5);
/// How long an address is left alone while the peer that was reached there is linked by another way, at first
/// and at most: another bus may listen there by then.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
const LOOK_AGAIN_MAX: Duration = Duration::from_secs(60);
/// How often a listener looks whether its file is there.
const LOOK_AFTER_FILE: Duration = Duration::from_secs(2);
/// How long a listener rests after the system refused it a connection: it may have no descriptors left.
const REST: Duration = Duration::from_millis(100);

/// A socket at which a bus listens for others: see [`MessageBus::bind_unix`](crate::MessageBus::bind_unix).
/// Dropping it changes nothing.
#[derive(Clone)]
pub struct LinkListener {
    address: Arc<str>,
    open: Arc<ListeningSocket>,
    task: AbortHandle,
}

/// A socket that is listened at. It is closed when that is asked for, and not when its task comes to it: its
/// address is free then.
pub(super) struct ListeningSocket(Mutex<Option<OpenSocket>>);

impl ListeningSocket {
    pub(super) fn new(socket: OpenSocket) -> Self {
        Self(Mutex::new(Some(socket)))
    }

    fn socket(&self) -> MutexGuard<'_, Option<OpenSocket>> {
        // It is there, or it is not.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.socket().is_none()
    }

    pub(super) fn close(&self) {
        *self.socket() = None;
    }

    fn has_file(&self) -> bool {
        self.socket().as_ref().is_some_and(OpenSocket::has_file)
    }

    /// See [`OpenSocket::look_after_file`]; `None`: it is closed.
    fn look_after_file(&self) -> Option<Result<FileLook, LinkError>> {
        self.socket().as_mut().map(OpenSocket::look_after_file)
    }

    /// The next connection; `None`: it is closed.
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<Option<AcceptedSocket>> {
        match &*self.socket() {
            Some(open) => open.poll_accept(cx).map(Some),
            None => Poll::Ready(None),
        }
    }
}

impl LinkListener {
    pub(super) fn new(address: Arc<str>, open: Arc<ListeningSocket>, task: AbortHandle) -> Self {
        Self { address, open, task }
    }

    /// Where it listens: the path of a Unix socket; of TCP the address with the port that the system has
    /// chosen where 0 was asked for.
    #[must_use]
    pub fn address(&self) -> Arc<str> {
        Arc::clone(&self.address)
    }

    /// Ends it: nobody links itself here any more, and the address is free. Links that exist stay.
    pub fn close(&self) {
        self.open.close();
        self.task.abort();
    }
}

impl fmt::Debug for LinkListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkListener").field("address", &self.address).finish_non_exhaustive()
    }
}

/// What dials another bus until it is linked, and again when the connection is lost: see
/// [`MessageBus::connect`](crate::MessageBus::connect). Dropping it changes nothing.
#[derive(Clone)]
pub struct Dialer {
    address: LinkAddress,
    task: AbortHandle,
    seen: Arc<Reached>,
}

/// Whom a dialer has reached.
#[derive(Default)]
pub(super) struct Reached {
    peer: Mutex<Option<Arc<Peer>>>,
    fault: Mutex<Option<Arc<str>>>,
    changed: Notify,
}

impl Reached {
    fn peer(&self) -> Option<Arc<Peer>> {
        self.peer.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, peer: Arc<Peer>) {
        *self.peer.lock().unwrap_or_else(PoisonError::into_inner) = Some(peer);
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.changed.notify_waiters();
    }

    async fn linked(&self) -> Arc<str> {
        loop {
            let changed = self.changed.notified();
            match self.peer() {
                Some(peer) => {
                    peer.attached().await;
                    return peer.name();
                }
                None => changed.await,
            }
        }
    }
}

impl Dialer {
    pub(super) fn new(address: LinkAddress, task: AbortHandle, seen: Arc<Reached>) -> Self {
        Self { address, task, seen }
    }

    /// Whom it dials.
    #[must_use]
    pub fn address(&self) -> &LinkAddress {
        &self.address
    }

    /// Waits until the bus there is linked with this one; its name. It does not say that the bus there knows
    /// yet what is subscribed to here. Never ready if nobody ever answers: put a timeout around it.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, nothing has changed.
    pub async fn linked(&self) -> Arc<str> {
        cancellable(self.seen.linked()).await
    }

    /// How long a word takes to the bus there and back: through both link tasks and the connection between
    /// them, and no queue of messages. `None`: it is not linked, or the connection was lost meanwhile.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, nothing has changed.
    pub async fn round_trip(&self) -> Option<Duration> {
        cancellable(self.seen.peer()?.round_trip()).await
    }

    /// Why the last attempt has failed; `None`: it has not, or there was none yet.
    #[must_use]
    pub fn fault(&self) -> Option<Arc<str>> {
        self.seen.fault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends it: that address is dialed no more. A link that exists stays until its connection is lost.
    pub fn close(&self) {
        self.task.abort();
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Accepts connections until the listener is closed.
pub(super) async fn listen(
    hub: Arc<Hub>,
    listening: Arc<ListeningSocket>,
    address: Arc<str>,
    options: Arc<LinkOptions>,
) {
    let patience = Arc::new(Patience::of(&options));
    let (mut looks, mut said) =
        (listening.has_file().then(|| Instant::now() + LOOK_AFTER_FILE), String::new());
    loop {
        let accept = poll_fn(|cx| listening.poll_accept(cx));
        let accepted = match &mut looks {
            None => accept.await,
            Some(next) => match rt::timeout_at(*next, accept).await {
                Ok(accepted) => accepted,
                Err(_) => {
                    *next = Instant::now() + LOOK_AFTER_FILE;
                    look_after_file(&listening, &address, &mut said);
                    continue;
                }
            },
        };
        let Some(accepted) = accepted else { return };
        match accepted {
            Ok((socket, from)) => {
                let (greeting, options) = (Arc::clone(&hub), Arc::clone(&options));
                let patience = Arc::clone(&patience);
                hub.handshakes.spawn(async move {
                    match greet(&greeting, socket, Side::Accepted, &options, &patience).await {
                        Ok(_) => {}
                        Err(error) => {
                            let from = from.map(tracing::field::display);
                            caught(|| tracing::info!(target: TARGET, from, %error, "link refused"));
                        }
                    }
                });
            }
            Err(None) => caught(|| tracing::warn!(target: TARGET, error = "another user", "link refused")),
            Err(Some(error)) if is_of_one(&error) => {}
            Err(Some(error)) => {
                caught(|| tracing::warn!(target: TARGET, %error, "a listener has to rest"));
                rt::sleep(REST).await;
            }
        }
    }
}

/// Has a listener be found again whose file was removed, and says once why it cannot.
fn look_after_file(listening: &ListeningSocket, address: &str, said: &mut String) {
    let fault = match listening.look_after_file() {
        None | Some(Ok(FileLook::There)) => String::new(),
        Some(Ok(FileLook::Renewed)) => {
            caught(
                || tracing::warn!(target: TARGET, address, "the file of a listener was removed: it is made again"),
            );
            String::new()
        }
        Some(Ok(FileLook::Anothers)) => {
            "another file lies in its place: remove that, or end who listens there".to_owned()
        }
        Some(Err(error)) => error.to_string(),
    };
    if !fault.is_empty() && *said != fault {
        caught(
            || tracing::warn!(target: TARGET, address, error = fault, "nobody finds a listener: its file was removed"),
        );
    }
    *said = fault;
}

/// Whether only the connection that was about to come is concerned.
fn is_of_one(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, NotConnected};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted | NotConnected)
}

/// How the other side is reached.
pub(super) trait Dial: Send {
    /// One attempt, which takes no longer than this.
    fn dial(&mut self, limit: Duration) -> impl Future<Output = io::Result<Box<dyn Socket>>> + Send;
}

/// By the sockets of the system.
pub(super) struct SocketDial {
    pub(super) address: LinkAddress,
    pub(super) options: Arc<LinkOptions>,
    /// Who knows the addresses of hosts.
    pub(super) lookup: HostLookup,
}

impl Dial for SocketDial {
    async fn dial(&mut self, limit: Duration) -> io::Result<Box<dyn Socket>> {
        dial(&self.address, &self.options, &mut self.lookup, limit).await
    }
}

/// Dials until it is ended.
pub(super) async fn keep_dialing(
    hub: Arc<Hub>,
    address: LinkAddress,
    options: Arc<LinkOptions>,
    seen: Arc<Reached>,
    mut way: impl Dial,
) {
    let (mut backoff, patience) = (Backoff::default(), Patience::of(&options));
    let mut said = String::new();
    let mut look_again = LOOK_AGAIN;
    loop {
        let before = seen.peer();
        if let Some(peer) = &before {
            // It may have come by itself.
            match options.expects_one() {
                true => peer.detached().await,
                false => _ = rt::timeout(look_again, peer.detached()).await,
            }
        }
        let dialed = rt::timeout(DIAL_LIMIT, way.dial(DIAL_LIMIT)).await;
        let dialed = dialed.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let side = Side::Dialed(before.as_deref());
        let at_once = match dialed {
            Ok(socket) => match greet(&hub, socket, side, &options, &patience).await {
                Ok((peer, ended)) => {
                    seen.set(peer);
                    said.clear();
                    look_again = LOOK_AGAIN;
                    let ended = ended.await.unwrap_or_default();
                    if ended.lasted {
                        backoff.reset();
                    }
                    ended.at_once
                }
                Err(GreetError::Linked) => {
                    look_again = (2 * look_again).min(LOOK_AGAIN_MAX);
                    continue;
                }
                Err(error) => {
                    complain(&address, &error, &mut said, &seen);
                    error.is_over_at_once()
                }
            },
            // It is linked, and nobody listens there any more.
            Err(_) if before.as_ref().is_some_and(|peer| peer.is_attached()) => {
                look_again = (2 * look_again).min(LOOK_AGAIN_MAX);
                continue;
            }
            Err(error) => {
                complain(&address, &GreetError::Io(error), &mut said, &seen);
                false
            }
        };
        rt::sleep(backoff.next(at_once, hub.secret.draw())).await;
    }
}

/// Says once why it fails, and again when that changes.
fn complain(address: &LinkAddress, error: &GreetError, said: &mut String, seen: &Reached) {
    let text = error.to_string();
    *seen.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(text.as_str().into());
    if error.is_over_at_once() || *said == text {
        caught(|| tracing::debug!(target: TARGET, %address, %error, "not linked yet"));
    } else {
        caught(|| tracing::warn!(target: TARGET, %address, %error, "not linked yet"));
        *said = text;
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};

    use super::*;
    use crate::wire::Contract;
    use crate::{LinkState, MessageBus};

    fn bus(name: &str) -> MessageBus {
        let raws = "mycelium contract 1\nschema raw 1\nmessage Raw 40 1 raws\nfield n 1 u64\n";
        MessageBus::builder().node(name).contract(Contract::parse(raws).unwrap()).build()
    }

    async fn until_linked(bus: &MessageBus) {
        while !bus.stats().links.iter().any(|link| link.state == LinkState::Linked) {
            rt::sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test]
    async fn a_host_that_has_moved_is_found_at_its_new_address_by_the_dialer_that_had_reached_it() {
        static PORT: AtomicU16 = AtomicU16::new(0);
        static LOOKS: AtomicU32 = AtomicU32::new(0);
        let look = |name: &str| {
            LOOKS.fetch_add(1, Ordering::SeqCst);
            assert_eq!(name, "feed.example:7000");
            Ok(vec![SocketAddr::from(([127, 0, 0, 1], PORT.load(Ordering::SeqCst)))])
        };
        let listen = |bus: &MessageBus| {
            let address: SocketAddr = bus.bind_tcp("127.0.0.1:0").unwrap().address().parse().unwrap();
            address.port()
        };
        let (first, desk) = (bus("feed"), bus("desk"));
        PORT.store(listen(&first), Ordering::SeqCst);
        let hub = Hub::of(&desk).unwrap();
        let address = LinkAddress::tcp("feed.example:7000");
        let (options, seen) = (Arc::<LinkOptions>::default(), Arc::new(Reached::default()));
        let lookup = HostLookup::by(look);
        let way = SocketDial { address: address.clone(), options: Arc::clone(&options), lookup };
        let dialing = keep_dialing(hub, address, options, seen, way);
        let dialing = tokio::spawn(dialing);
        until_linked(&first).await;
        let before = LOOKS.load(Ordering::SeqCst);

        let moved = bus("feed");
        PORT.store(listen(&moved), Ordering::SeqCst);
        first.shutdown().await.unwrap();
        until_linked(&moved).await;
        assert!(LOOKS.load(Ordering::SeqCst) > before);
        dialing.abort();
        moved.shutdown().await.unwrap();
        desk.shutdown().await.unwrap();
    }
}
