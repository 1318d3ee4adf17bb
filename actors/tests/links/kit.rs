//! Messages, buses and waiting, for all tests of links.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mycelium::wire::{Layout, Messages, Visitor, Wire};
use mycelium::{BusBuilder, LinkStats, Message, MessageBus};

#[path = "messages.rs"]
mod messages;
pub(crate) use messages::{Fill, Order, Text, Tick};

pub(crate) struct Contract;
impl Messages for Contract {
    fn each<V: Visitor>(&self, visitor: &mut V) {
        visitor.typed::<Tick>();
        visitor.typed::<Fill>();
        visitor.typed::<Order>();
        visitor.typed::<Text>();
    }
}

pub(crate) fn builder(name: &str) -> BusBuilder {
    MessageBus::builder().node(name).contract(Contract)
}

pub(crate) fn bus(name: &str) -> MessageBus {
    builder(name).build()
}

/// A path for a socket, in a directory of its own that is made when it is used, and removed at the end.
pub(crate) struct SocketPath(PathBuf);

pub(crate) fn socket() -> SocketPath {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::SeqCst);
    SocketPath(std::env::temp_dir().join(format!("mycelium-{}-{number}", std::process::id())).join("bus"))
}

impl Deref for SocketPath {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl AsRef<Path> for SocketPath {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for SocketPath {
    fn drop(&mut self) {
        let directory = self.0.parent().unwrap();
        let _ = std::fs::remove_file(directory).or_else(|_| std::fs::remove_dir_all(directory));
    }
}

/// Waits until it is so.
pub(crate) async fn until(mut so: impl FnMut() -> bool) {
    while !so() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// The link of `bus` to the peer of this name, if it has one.
pub(crate) fn find(bus: &MessageBus, peer: &str) -> Option<LinkStats> {
    bus.stats().links.into_iter().find(|link| &*link.peer == peer)
}

pub(crate) fn link(bus: &MessageBus, peer: &str) -> LinkStats {
    find(bus, peer).unwrap_or_else(|| panic!("no link to {peer}"))
}

/// Waits until `peer` wants these messages of `bus`.
pub(crate) async fn until_wanted(bus: &MessageBus, peer: &str, messages: &[&str]) {
    until(|| find(bus, peer).is_some_and(|link| messages.iter().all(|message| link.wants.contains(message))))
        .await;
}

/// Two buses, linked over TCP.
pub(crate) async fn linked() -> (MessageBus, MessageBus) {
    let (market, desk) = (bus("market"), bus("desk"));
    let listener = market.bind_tcp("127.0.0.1:0").unwrap();
    let dialer = desk.connect(mycelium::LinkAddress::tcp(listener.address())).unwrap();
    assert_eq!(&*dialer.linked().await, "market");
    until(|| find(&market, "desk").is_some_and(|link| link.state == mycelium::LinkState::Linked)).await;
    (market, desk)
}
