//! Which nodes of a topology belong to this machine.

use std::net::{IpAddr, ToSocketAddrs, UdpSocket};

use mycelium::topology::{Mode, Topology, TopologyNode};

/// The machine of a node, as far as this one knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whereabouts {
    Here,
    Elsewhere,
    /// On localhost, which is each machine of a topology that has several.
    Anywhere,
}

/// Where the process of a node runs.
///
/// # Errors
/// Its host cannot be looked up, or this machine lets its programs listen at addresses of others: the text
/// names the node, and says what to do.
pub(crate) fn of(topology: &Topology, node: &TopologyNode) -> Result<Whereabouts, String> {
    if topology.mode() != Mode::Distributed {
        return Ok(Whereabouts::Here);
    }
    if node.is_loopback() {
        let alone = topology.nodes().iter().all(TopologyNode::is_loopback);
        return Ok(if alone { Whereabouts::Here } else { Whereabouts::Anywhere });
    }
    let host = node.host().trim_matches(['[', ']']);
    let found = (host, 0_u16).to_socket_addrs().map_err(|cause| {
        format!(
            "the host `{host}` of `{}` cannot be looked up ({cause}), so it is not known whether it is this machine: \
             name the nodes of this machine with --node",
            node.name
        )
    })?;
    for address in found.map(|address| address.ip()) {
        if address.is_loopback() {
            return Ok(Whereabouts::Here);
        }
        if UdpSocket::bind((address, 0)).is_ok() {
            if may_listen_for_others(address) {
                return Err(format!(
                    "this machine lets programs listen at addresses of others (net.ipv{}.ip_nonlocal_bind), so it is \
                     not known whether `{}` ({host}) is on it: name the nodes of this machine with --node",
                    if address.is_ipv4() { 4 } else { 6 },
                    node.name
                ));
            }
            return Ok(Whereabouts::Here);
        }
    }
    Ok(Whereabouts::Elsewhere)
}

/// Whether an address of another machine can be bound, as beside keepalived.
fn may_listen_for_others(address: IpAddr) -> bool {
    let file = match address {
        IpAddr::V4(_) => "/proc/sys/net/ipv4/ip_nonlocal_bind",
        IpAddr::V6(_) => "/proc/sys/net/ipv6/ip_nonlocal_bind",
    };
    std::fs::read_to_string(file).is_ok_and(|text| text.trim() == "1")
}
