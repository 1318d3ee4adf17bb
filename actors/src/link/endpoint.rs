//! OpenSocket and dialing: tasks that make connections and have them greeted.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::backoff::Backoff;
use super::greet::{GreetError, greet};
use super::hub::Hub;
use super::peer::Peer;
use super::sockets::{OpenSocket, dial};
use super::{LinkAddress, LinkOptions, TARGET};
use crate::rt::{self, AbortHandle};

/// How long it may take to be connected.
const DIAL_LIMIT: Duration = Duration::from_secs(5);
/// How long a listener rests after the system refused it a connection: it may have no descriptors left.
const REST: Duration = Duration::from_millis(100);

/// A socket at which a bus listens for others: see [`MessageBus::bind_unix`](crate::MessageBus::bind_unix).
/// Dropping it changes nothing.
#[derive(Clone)]
pub struct LinkListener {
    address: Arc<str>,
    task: AbortHandle,
}

impl LinkListener {
    pub(super) fn new(address: Arc<str>, task: AbortHandle) -> Self {
        Self { address, task }
    }

    /// Where it listens: the path of a Unix socket; of TCP the address with the port that the system has
    /// chosen where 0 was asked for.
    #[must_use]
    pub fn address(&self) -> Arc<str> {
        Arc::clone(&self.address)
    }

    /// Ends it: nobody links itself here any more. Links that exist stay.
    pub fn close(&self) {
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
        loop {
            let changed = self.seen.changed.notified();
            match self.seen.peer() {
                Some(peer) => {
                    peer.attached().await;
                    return peer.name();
                }
                None => changed.await,
            }
        }
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
pub(super) async fn listen(hub: Arc<Hub>, listening: OpenSocket, options: Arc<LinkOptions>) {
    loop {
        match listening.accept().await {
            Ok(socket) => {
                let (greeting, options) = (Arc::clone(&hub), Arc::clone(&options));
                hub.handshakes.spawn(async move {
                    match greet(&greeting, socket, false, &options).await {
                        Ok(_) => {}
                        Err(error) => tracing::info!(target: TARGET, %error, "link refused"),
                    }
                });
            }
            Err(None) => tracing::warn!(target: TARGET, error = "another user", "link refused"),
            Err(Some(error)) if is_of_one(&error) => {}
            Err(Some(error)) => {
                tracing::warn!(target: TARGET, %error, "a listener has to rest");
                rt::sleep(REST).await;
            }
        }
    }
}

/// Whether only the connection that was about to come is concerned.
fn is_of_one(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, NotConnected};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted | NotConnected)
}

/// Dials until it is ended.
pub(super) async fn keep_dialing(
    hub: Arc<Hub>,
    address: LinkAddress,
    options: Arc<LinkOptions>,
    seen: Arc<Reached>,
) {
    let mut backoff = Backoff::default();
    let mut said = String::new();
    loop {
        if let Some(peer) = seen.peer() {
            // It may have come by itself.
            peer.detached().await;
        }
        let dialed = rt::timeout(DIAL_LIMIT, dial(&address, options.plaintext)).await;
        let dialed = dialed.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let at_once = match dialed {
            Ok(socket) => match greet(&hub, socket, true, &options).await {
                Ok((peer, ended)) => {
                    seen.set(peer);
                    said.clear();
                    let ended = ended.await.unwrap_or_default();
                    if ended.lasted {
                        backoff.reset();
                    }
                    ended.at_once
                }
                Err(error) => {
                    complain(&address, &error, &mut said, &seen);
                    error.is_over_at_once()
                }
            },
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
        tracing::debug!(target: TARGET, %address, %error, "not linked yet");
    } else {
        tracing::warn!(target: TARGET, %address, %error, "not linked yet");
        *said = text;
    }
}
