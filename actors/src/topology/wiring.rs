//! From a plan to listeners and dialers.

use std::cell::RefCell;
use std::env::VarError;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mycelium_remote::topology::{
    Endpoint, Given, LinkRule, Mistake, NodePlan, QueuePolicy, QueueRule, TOPOLOGY_BYTES_MAX, Topology,
};

use super::TopologyError;
use crate::{BusBuilder, LinkAddress, LinkError, LinkOptions, MessageBus, Subscription, WireMessage};

pub(super) fn read(path: &Path) -> Result<Topology, TopologyError> {
    let unreadable = |cause| TopologyError::Read { path: path.to_owned(), cause };
    let wrong = |mistake: Mistake| TopologyError::Mistake { path: path.to_owned(), mistake };
    let bytes = mycelium_toml::read(path, TOPOLOGY_BYTES_MAX, "a topology").map_err(unreadable)?;
    let text = mycelium_toml::text(&bytes).map_err(wrong)?;
    let whole = std::path::absolute(path).map_err(unreadable)?;
    let directory = whole.parent().unwrap_or(Path::new("/"));
    let no_text = RefCell::new(None);
    let variable = |name: &str| match std::env::var(name) {
        Ok(value) => Some(value),
        Err(VarError::NotPresent) => None,
        Err(VarError::NotUnicode(_)) => {
            no_text.replace(Some(format!("the variable `{name}` is not UTF-8")));
            None
        }
    };
    let parsed = Topology::parse(text, &Given { directory, variable: &variable });
    // It is there, so its default is not meant.
    match no_text.take() {
        Some(cause) => Err(unreadable(io::Error::new(io::ErrorKind::InvalidData, cause))),
        None => parsed.map_err(wrong),
    }
}

/// The bus of a node: it listens, and dials.
pub(super) fn bus(
    path: &Path,
    topology: &Topology,
    plan: &NodePlan,
    builder: BusBuilder,
) -> Result<MessageBus, TopologyError> {
    let mut builder = builder.node(plan.node.clone());
    builder.names.homes = Arc::new(topology.homes());
    builder.names.services = Arc::new(topology.services().cloned().collect());
    let bus = builder.build();
    let failed = |doing: String| {
        let node = &plan.node;
        move |cause| TopologyError::Link {
            path: path.to_owned(),
            doing: format!("`{node}` cannot {doing}"),
            cause,
        }
    };
    // One that is listened at by a tool alone has nothing to carry either.
    if plan.links.is_empty() && bus.core.wire.table().known().is_empty() {
        return Ok(bus);
    }
    let certificate = NodeCertificate::of(path, topology, plan)?;
    let security = |options: LinkOptions| if topology.plaintext() { options.plaintext() } else { options };
    let options = |rule: LinkRule| options(rule, topology);
    let accepted = plan.links.iter().filter(|link| !link.dials);
    // A side that is dialed spins before it knows by whom.
    let spin = accepted.clone().filter_map(|link| link.rule.spin).max();
    let listening = accepted
        .fold(options(listening_rule(spin)), |all, link| all.peer(link.peer.clone(), options(link.rule)));
    // Of all peers: it comes before their names.
    let listening = unlinked(topology, plan).fold(security(listening), LinkOptions::refuse);
    for endpoint in &plan.listens {
        listen(&bus, endpoint, certificate.over(endpoint, listening.clone()))
            .and_then(|bound| bound.map_or(Ok(()), |bound| is_reached(topology, plan, &bound)))
            .map_err(failed(format!("listen at {endpoint}")))?;
    }
    for link in plan.links.iter().filter(|link| link.dials) {
        let options = security(options(link.rule)).expect(link.peer.clone());
        let options = certificate.over(&link.endpoint, options);
        let dialed = address(&link.endpoint).and_then(|address| bus.connect_with(address, options));
        dialed.map_err(failed(format!("dial `{}` at {}", link.peer, link.endpoint)))?;
    }
    Ok(bus)
}

/// The nodes with which the file says that this one has no link.
fn unlinked<'a>(topology: &'a Topology, plan: &'a NodePlan) -> impl Iterator<Item = Arc<str>> {
    let names = topology.nodes().iter().map(|node| &node.name);
    let linked = |name: &Arc<str>| plan.links.iter().any(|link| link.peer == *name);
    names.filter(move |name| **name != plan.node && !linked(name)).cloned()
}

/// What a node shows to others over TCP: its certificate, if the file wants one.
struct NodeCertificate {
    #[cfg(feature = "tls")]
    identity: Option<crate::TlsIdentity>,
}

impl NodeCertificate {
    /// Files are read only where the node has a link over TCP.
    #[cfg(feature = "tls")]
    fn of(path: &Path, topology: &Topology, plan: &NodePlan) -> Result<Self, TopologyError> {
        let Some(directory) = topology.tls().filter(|_| is_over_tcp(plan)) else {
            return Ok(Self { identity: None });
        };
        let file = |name: &str, kind: &str| directory.join(format!("{name}.{kind}"));
        let own = |kind: &str| file(&plan.node, kind);
        match crate::TlsIdentity::from_files(file("ca", "crt"), own("crt"), own("key")) {
            Ok(identity) => Ok(Self { identity: Some(identity) }),
            Err(error) => Err(TopologyError::Tls {
                path: path.to_owned(),
                node: Arc::clone(&plan.node),
                cause: error.to_string(),
            }),
        }
    }

    #[cfg(not(feature = "tls"))]
    fn of(path: &Path, topology: &Topology, plan: &NodePlan) -> Result<Self, TopologyError> {
        if topology.tls().is_none() || !is_over_tcp(plan) {
            return Ok(Self {});
        }
        let cause =
            "the program is built without it: write features = [\"tls\"] for `mycelium` in its Cargo.toml";
        Err(TopologyError::Tls {
            path: path.to_owned(),
            node: Arc::clone(&plan.node),
            cause: cause.to_owned(),
        })
    }

    #[cfg(feature = "tls")]
    fn over(&self, endpoint: &Endpoint, options: LinkOptions) -> LinkOptions {
        match (&self.identity, endpoint) {
            (Some(identity), Endpoint::Tcp(_)) => options.tls(identity.clone()),
            _ => options,
        }
    }

    #[cfg(not(feature = "tls"))]
    fn over(&self, _: &Endpoint, options: LinkOptions) -> LinkOptions {
        options
    }
}

fn is_over_tcp(plan: &NodePlan) -> bool {
    let dialed = plan.links.iter().map(|link| &link.endpoint);
    plan.listens.iter().chain(dialed).any(|endpoint| matches!(endpoint, Endpoint::Tcp(_)))
}

/// Listens there: at which address of TCP.
fn listen(
    bus: &MessageBus,
    endpoint: &Endpoint,
    options: LinkOptions,
) -> Result<Option<Arc<str>>, LinkError> {
    match endpoint {
        #[cfg(unix)]
        Endpoint::Unix(path) => bus.bind_unix_with(path, options).map(|_| None),
        #[cfg(target_os = "linux")]
        Endpoint::Shm(path) => bus.bind_shm_with(path, options).map(|_| None),
        Endpoint::Tcp(address) => {
            bus.bind_tcp_with(address.clone(), options).map(|listener| Some(listener.address()))
        }
        _ => Err(unsupported(endpoint)),
    }
}

/// Whether those who dial this node reach it where it listens: a machine may have its own name for an address
/// of its own alone.
///
/// # Errors
/// They do not, and the file says nothing of where to listen.
fn is_reached(topology: &Topology, plan: &NodePlan, bound: &str) -> Result<(), LinkError> {
    let node = |name: &str| topology.nodes().iter().find(|node| *node.name == *name);
    let Some(own) = node(&plan.node).filter(|own| !own.is_loopback()) else { return Ok(()) };
    let mut dialing = plan.links.iter().filter(|link| !link.dials).filter_map(|link| node(&link.peer));
    let is_local = bound.parse().is_ok_and(|bound: SocketAddr| bound.ip().is_loopback());
    match dialing.find(|peer| peer.host() != own.host()) {
        Some(peer) if is_local => {
            let cause = format!(
                "`{}` is an address of this machine alone here (see /etc/hosts), and `{}` is to reach it from {}: \
                 write bind = \"0.0.0.0\", or another address of this machine",
                own.host(),
                peer.name,
                peer.host()
            );
            let cause = io::Error::new(io::ErrorKind::AddrNotAvailable, cause);
            Err(LinkError::System { doing: "be reached at", address: bound.into(), cause })
        }
        _ => Ok(()),
    }
}

fn address(endpoint: &Endpoint) -> Result<LinkAddress, LinkError> {
    match endpoint {
        #[cfg(unix)]
        Endpoint::Unix(path) => Ok(LinkAddress::unix(path)),
        #[cfg(target_os = "linux")]
        Endpoint::Shm(path) => Ok(LinkAddress::shm(path)),
        Endpoint::Tcp(address) => Ok(LinkAddress::tcp(address.clone())),
        _ => Err(unsupported(endpoint)),
    }
}

/// Not on this system.
fn unsupported(endpoint: &Endpoint) -> LinkError {
    let cause = std::io::Error::new(std::io::ErrorKind::Unsupported, "this system has no such links");
    LinkError::System { doing: "be linked over", address: endpoint.to_string().into(), cause }
}

/// What holds of a link before it is known with whom.
fn listening_rule(spin: Option<Duration>) -> LinkRule {
    let mut rule = LinkRule::default();
    rule.spin = spin;
    rule
}

fn options(rule: LinkRule, topology: &Topology) -> LinkOptions {
    let mut options = LinkOptions::default().queue(queue(rule.queue));
    if let Some(hold) = rule.hold {
        options = options.hold(hold);
    }
    if let Some(spin) = rule.spin {
        options = options.spin(spin);
    }
    if let Some(kib) = rule.ring_kib.and_then(|kib| usize::try_from(kib).ok()) {
        options = options.ring(kib << 10);
    }
    let topics = topology.topics().iter();
    topics.fold(options, |options, (topic, own)| options.topic(topic.clone(), queue(own.or(rule.queue))))
}

fn queue(rule: QueueRule) -> Subscription<WireMessage> {
    let queue = match rule.overflow {
        None | Some(QueuePolicy::Block) => Subscription::block(),
        Some(QueuePolicy::DropOldest) => Subscription::drop_oldest(),
        Some(QueuePolicy::DropNewest) => Subscription::drop_newest(),
        Some(QueuePolicy::Fail) => Subscription::fail(),
        // None of them is lossy in another way.
        Some(_) => Subscription::block(),
    };
    match rule.capacity.and_then(|capacity| usize::try_from(capacity).ok()) {
        Some(capacity) => queue.capacity(capacity),
        None => queue,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_this_machine_alone_is_no_address_for_others() {
        let parse = |other: &str| {
            let text = format!(
                "socket_dir = \"run\"\n[deployment]\nmode = \"distributed\"\nplaintext = true\n[[nodes]]\nname = \"a\"\nhost = \"trader-1\"\n\
                 port = 7000\n[[nodes]]\nname = \"b\"\nhost = \"{other}\"\nport = 7001\n"
            );
            Topology::parse(&text, &Given { directory: Path::new("/"), variable: &|_| None }).unwrap()
        };
        let reached = |other: &str, node: &str, bound: &str| {
            let topology = parse(other);
            is_reached(&topology, &topology.plan(node).unwrap(), bound).map_err(|error| error.to_string())
        };
        assert_eq!(
            reached("trader-2", "a", "127.0.1.1:7000").unwrap_err(),
            "cannot be reached at 127.0.1.1:7000: `trader-1` is an address of this machine alone here (see /etc/hosts), \
             and `b` is to reach it from trader-2: write bind = \"0.0.0.0\", or another address of this machine"
        );
        reached("trader-2", "a", "10.0.0.1:7000").unwrap();
        reached("trader-1", "a", "127.0.1.1:7000").unwrap();
        // It dials.
        reached("trader-2", "b", "127.0.1.1:7001").unwrap();
    }
}
