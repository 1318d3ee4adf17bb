//! How each two nodes are linked.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use mycelium_toml::{Mistake, Place};

use super::host::LOOPBACK;
use super::keys::Between;
use super::{EndpointKind, LinkRule, Mode, SOCKET_PATH_MAX, TopologyNode};

/// Where a node listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// A Unix socket at this path.
    Unix(PathBuf),
    /// Shared memory, which is handed over by a Unix socket at this path.
    Shm(PathBuf),
    /// TCP at this host and port.
    Tcp(Arc<str>),
}

/// Two nodes and their link.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct NodePair {
    /// The numbers of both, in the order of the file.
    pub nodes: (usize, usize),
    /// The number of the node that dials, and where; `None`: the file says that they are not linked.
    pub link: Option<PairLink>,
    /// Why they are linked that way, as half a sentence.
    pub why: Arc<str>,
    /// What the file says of their link.
    pub rule: LinkRule,
}

/// The link of a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PairLink {
    /// The number of the node that dials.
    pub dialer: usize,
    /// Where it dials.
    pub endpoint: Endpoint,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix {}", path.display()),
            Self::Shm(path) => write!(f, "shm {}", path.display()),
            Self::Tcp(address) => write!(f, "tcp {address}"),
        }
    }
}

impl TopologyNode {
    /// Where nodes dial it over TCP, if it has a port.
    pub(super) fn dialed(&self, mode: Mode) -> Option<Arc<str>> {
        let host = if mode == Mode::Distributed { self.host.dialed() } else { LOOPBACK };
        Some(format!("{host}:{}", self.port?).into())
    }

    /// Where it listens for TCP, if it has a port.
    pub(super) fn listens(&self, mode: Mode) -> Option<Arc<str>> {
        match &self.bind {
            Some(bind) if mode == Mode::Distributed => {
                Some(format!("{}:{}", bind.dialed(), self.port?).into())
            }
            _ => self.dialed(mode),
        }
    }

    /// Whether it listens at addresses of a network.
    fn is_open(&self, mode: Mode) -> bool {
        mode == Mode::Distributed && !self.bind.as_ref().unwrap_or(&self.host).loopback
    }

    /// Whether it listens for TCP also if no node dials it. `may_leave`: TCP may leave the machine.
    pub(super) fn is_for_tools(&self, mode: Mode, may_leave: bool) -> bool {
        self.kind == EndpointKind::Tcp && (may_leave || !self.is_open(mode))
    }

    /// Where it listens, if it is not reached there by its host.
    fn missed(&self, mode: Mode) -> Option<Arc<str>> {
        let bind = self.bind.as_ref().filter(|bind| mode == Mode::Distributed && bind.misses(&self.host))?;
        Some(format!("{}:{}", bind.dialed(), self.port?).into())
    }

    /// The path of its socket, if it has one.
    pub(super) fn socket(&self) -> Option<&Path> {
        self.socket.as_deref()
    }

    /// What it listens at there.
    pub(super) fn at_socket(&self) -> Option<Endpoint> {
        let path = self.socket.clone()?;
        Some(if self.kind == EndpointKind::Shm { Endpoint::Shm(path) } else { Endpoint::Unix(path) })
    }
}

/// Each two nodes of a topology, with what is said of them. `may_leave`: TCP may leave the machine.
pub(super) fn of(
    mode: Mode,
    may_leave: bool,
    nodes: &[TopologyNode],
    defaults: LinkRule,
    between: &[Between],
) -> Result<Vec<NodePair>, Mistake> {
    if mode == Mode::Monolith {
        return Ok(Vec::new());
    }
    let said: BTreeMap<(usize, usize), &Between> =
        between.iter().map(|between| (between.nodes, between)).collect();
    let mut pairs = Vec::new();
    for (second, other) in nodes.iter().enumerate() {
        for (first, one) in nodes[..second].iter().enumerate() {
            let said = said.get(&(first, second));
            let rule = said.map_or(defaults, |between| between.rule.or(defaults));
            let (link, why) = match said {
                Some(between) if !between.linked => (None, "the file says linked = false".to_owned()),
                _ => {
                    let (listener_first, endpoint, why) = route(mode, one, other)?;
                    if let Some((key, place)) = said.and_then(|between| between.of_shm)
                        && !matches!(endpoint, Endpoint::Shm(_))
                    {
                        let listener = if listener_first { one } else { other };
                        return Err(no_shm(key, place, &endpoint, listener));
                    }
                    (Some(PairLink { dialer: if listener_first { second } else { first }, endpoint }), why)
                }
            };
            pairs.push(NodePair { nodes: (first, second), link, why: why.into(), rule });
        }
    }
    pairs.sort_by_key(|pair| pair.nodes);
    check_endpoints(mode, may_leave, nodes, &pairs)?;
    Ok(pairs)
}

/// Whether the first one listens, where, and why it is so.
fn route(mode: Mode, one: &TopologyNode, other: &TopologyNode) -> Result<(bool, Endpoint, String), Mistake> {
    let together = mode == Mode::Bundled || one.host.is_same(&other.host);
    let on = match mode {
        Mode::Bundled => "mode is bundled, so both are on one machine".to_owned(),
        _ if together => format!("both are on {}", one.host.text),
        _ => format!("they are on {} and {}", one.host.text, other.host.text),
    };
    // The one whose name comes first listens, so that they never dial each other.
    let first_listens = one.name < other.name;
    let tcp = [one, other].into_iter().find(|node| node.kind == EndpointKind::Tcp);
    if together && tcp.is_none() {
        let listener = if first_listens { one } else { other };
        let endpoint = listener.at_socket().ok_or_else(|| no_socket(listener))?;
        return Ok((first_listens, endpoint, on));
    }
    let asked = tcp.filter(|_| together).map(|node| format!(", and `{}` asks for TCP", node.name));
    let why = format!("{on}{}", asked.unwrap_or_default());
    // A node that only its own machine reaches dials those of others.
    let reached = |node: &TopologyNode| node.port.is_some() && (together || !node.host.loopback);
    let (first_listens, because) = match (reached(one), reached(other)) {
        (true, true) => (first_listens, String::new()),
        (true, false) => (true, format!("; {}", not_dialed(other, together))),
        (false, true) => (false, format!("; {}", not_dialed(one, together))),
        (false, false) => return Err(unreachable(one, other, together)),
    };
    let listener = if first_listens { one } else { other };
    let Some(address) = listener.dialed(mode) else { return Err(unreachable(one, other, together)) };
    Ok((first_listens, Endpoint::Tcp(address), format!("{why}{because}")))
}

fn not_dialed(node: &TopologyNode, together: bool) -> String {
    if node.port.is_none() {
        return format!("`{}` has no port", node.name);
    }
    debug_assert!(!together, "on one machine a port is enough");
    format!("`{}` is on localhost, where others do not reach it", node.name)
}

fn no_shm(key: &str, place: Place, endpoint: &Endpoint, listener: &TopologyNode) -> Mistake {
    let kind = if matches!(endpoint, Endpoint::Tcp(_)) { "TCP" } else { "a Unix socket" };
    place.mistake(format!(
        "`{key}` is for shared memory, and these nodes are linked over {kind}: take it out, or write endpoint.kind = \"shm\" \
         for `{}`, which listens, if both are on one machine",
        listener.name
    ))
}

fn no_socket(node: &TopologyNode) -> Mistake {
    node.place.mistake(format!(
        "`{}` has no path for its socket: write socket_dir = \"run\" at the head of the file, or endpoint.path here",
        node.name
    ))
}

fn unreachable(one: &TopologyNode, other: &TopologyNode, together: bool) -> Mistake {
    let (a, b) = (&one.name, &other.name);
    let remedy = if one.port.is_none() && other.port.is_none() {
        format!("give `{b}` a port")
    } else {
        format!("give the machine of `{a}` or `{b}` its address in `host`, and the node a port")
    };
    let (a, b) = (not_dialed(one, together), not_dialed(other, together));
    other.place.mistake(format!(
        "`{}` and `{}` cannot reach each other: {a}, and {b}. {}{}, or write linked = false for them in [[links]]",
        one.name,
        other.name,
        remedy[..1].to_uppercase(),
        &remedy[1..]
    ))
}

/// What is listened at: each by one node, of a length that systems take, and open to a network only if that
/// was asked for.
fn check_endpoints(
    mode: Mode,
    may_leave: bool,
    nodes: &[TopologyNode],
    pairs: &[NodePair],
) -> Result<(), Mistake> {
    for (number, node) in nodes.iter().enumerate() {
        let Some(path) = node.socket() else { continue };
        let bytes = path.as_os_str().len();
        if bytes > SOCKET_PATH_MAX {
            let shorter = if node.names_socket { "endpoint.path" } else { "socket_dir" };
            return Err(node.place.mistake(format!(
                "the socket of `{}` is {}, which has {bytes} bytes: systems take {SOCKET_PATH_MAX}; choose a shorter \
                 {shorter}",
                node.name,
                path.display()
            )));
        }
        // Nodes of different machines have the same path without harm.
        let together = |first: &TopologyNode| mode == Mode::Bundled || first.host.is_same(&node.host);
        let same = |first: &TopologyNode| first.socket().is_some_and(|other| plain(other) == plain(path));
        let first = nodes[..number].iter().find(|first| same(first) && together(first));
        if let Some(first) = first {
            return Err(node.place.mistake(format!(
                "`{}` and `{}` (line {}) have one socket, {}: give each a path of its own",
                node.name,
                first.name,
                first.place.line,
                plain(path).display()
            )));
        }
    }
    let mut ports: BTreeMap<Arc<str>, &TopologyNode> = BTreeMap::new();
    for (number, node) in nodes.iter().enumerate() {
        let is_dialed = |pair: &&NodePair| {
            let (first, second) = pair.nodes;
            let link = pair.link.as_ref().filter(|link| matches!(link.endpoint, Endpoint::Tcp(_)));
            link.is_some_and(|link| link.dialer != number && (first == number || second == number))
        };
        let dialed = pairs.iter().find(is_dialed);
        let peer = dialed.map(|pair| if pair.nodes.0 == number { pair.nodes.1 } else { pair.nodes.0 });
        if peer.is_none() && !node.is_for_tools(mode, may_leave) {
            continue;
        }
        let Some(address) = node.dialed(mode) else { continue };
        if let (Some(at), Some(peer)) = (node.missed(mode), peer) {
            let all = if address.starts_with('[') { "::" } else { "0.0.0.0" };
            return Err(node.place.mistake(format!(
                "`{}` dials `{}` at {address}, and `{1}` listens at {at} alone, where nobody reaches it by that \
                 address: take `bind` out, or write bind = \"{all}\"",
                nodes[peer].name, node.name
            )));
        }
        if let Some(peer) = peer.filter(|_| node.is_open(mode) && !may_leave) {
            return Err(node.place.mistake(format!(
                "`{}` dials `{}` at {address}, over a network, and links are not encrypted: write tls = \"certs\" in \
                 [deployment] (`mycelium certs`), or plaintext = true if nobody else reaches that network",
                nodes[peer].name, node.name
            )));
        }
        if let Some(first) = ports.insert(Arc::clone(&address), node) {
            return Err(node.place.mistake(format!(
                "`{}` and `{}` (line {}) listen both at {address}: give each a port of its own",
                node.name, first.name, first.place.line
            )));
        }
    }
    Ok(())
}

/// A path without steps that lead nowhere. It may be another one where directories are symbolic links.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            // Above the root is the root.
            Component::ParentDir => drop(plain.pop()),
            component => plain.push(component),
        }
    }
    plain
}
