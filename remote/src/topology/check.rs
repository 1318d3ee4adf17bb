//! Names that stand for one thing each.

use std::collections::BTreeMap;
use std::sync::Arc;

use mycelium_toml::{Mistake, Place};

use super::TopologyNode;
use super::keys::Between;

/// A name with its place.
#[derive(Clone)]
pub(super) struct Name {
    pub(super) text: Arc<str>,
    pub(super) place: Place,
}

/// The names of nodes and services, each with the number of its node.
#[derive(Default)]
pub(super) struct Names {
    nodes: Vec<Name>,
    services: BTreeMap<Arc<str>, (usize, Place)>,
    numbers: BTreeMap<Arc<str>, usize>,
}

impl Names {
    pub(super) fn node(&mut self, number: usize, name: Name) -> Result<(), Mistake> {
        if let Some(first) = self.numbers.insert(Arc::clone(&name.text), number) {
            let line = self.nodes[first].place.line;
            return Err(name.place.mistake(format!(
                "there is a node `{}` in line {line} already: give each node a name of its own",
                name.text
            )));
        }
        self.nodes.push(name);
        Ok(())
    }

    pub(super) fn last_node(&self) -> Arc<str> {
        self.nodes.last().map_or_else(|| "".into(), |name| Arc::clone(&name.text))
    }

    pub(super) fn service(&mut self, number: usize, name: Name) -> Result<Arc<str>, Mistake> {
        if let Some((first, place)) = self.services.insert(Arc::clone(&name.text), (number, name.place)) {
            let cause = if first == number {
                format!("`{}` stands here twice: take one of them out", name.text)
            } else {
                format!(
                    "the service `{}` runs in the node `{}` already (line {}): a service runs in one node",
                    name.text, self.nodes[first].text, place.line
                )
            };
            return Err(name.place.mistake(cause));
        }
        Ok(name.text)
    }

    /// A process asks for its plan by the name of its node or of a service: that is one node.
    pub(super) fn check(&self) -> Result<(), Mistake> {
        for (service, (home, place)) in &self.services {
            let Some(node) = self.numbers.get(service).filter(|node| *node != home) else { continue };
            return Err(place.mistake(format!(
                "the service `{service}` is called as the node in line {}, where it does not run: rename one of them",
                self.nodes[*node].place.line
            )));
        }
        Ok(())
    }
}

/// Two nodes have one rule.
pub(super) fn unique_links(between: &[(Between, Place)]) -> Result<(), Mistake> {
    let mut seen = BTreeMap::new();
    for (between, place) in between {
        if let Some(first) = seen.insert(between.nodes, place) {
            return Err(place.mistake(format!(
                "what is said of these two nodes stands in line {} already: say it in one place",
                first.line
            )));
        }
    }
    Ok(())
}

/// Nodes that become one process do not contradict each other.
pub(super) fn one_environment(nodes: &[TopologyNode]) -> Result<(), Mistake> {
    let mut seen: BTreeMap<&str, (&TopologyNode, &str)> = BTreeMap::new();
    for node in nodes {
        for (name, value) in &node.env {
            let (first, set) = *seen.entry(name.as_str()).or_insert((node, value.as_str()));
            if set != value {
                return Err(node.place.mistake(format!(
                    "`{}` and `{}` (line {}) set the variable `{name}` to different values, and in a monolith they are \
                     one process: give it one value, or each node a variable of its own",
                    node.name, first.name, first.place.line
                )));
            }
        }
    }
    Ok(())
}

/// The names of nodes can stand in certificates.
pub(super) fn certificate_names(nodes: &[TopologyNode]) -> Result<(), Mistake> {
    let wrong = nodes.iter().find(|node| !is_certificate_name(&node.name));
    wrong.map_or(Ok(()), |node| {
        Err(node.place.mistake(format!(
            "`{}` cannot be in a certificate, which `tls` needs: name the node by {CERTIFICATE_NAMES}",
            node.name
        )))
    })
}

/// Which names can stand in certificates, as half a sentence.
pub const CERTIFICATE_NAMES: &str = "1 to 63 small letters, digits, `-`, `_` and `.`, the last three inside only and not beside `.`, what follows the last `.` \
     no number, and not `ca` or `tool`";

/// Whether a node of this name can have a certificate, which has it as a DNS name. `ca` is the authority, and
/// `tool` all tools.
#[must_use]
pub fn is_certificate_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    let ends = |part: &str| part.starts_with(['-', '_']) || part.ends_with(['-', '_']);
    (1..=CERTIFICATE_NAME_MAX).contains(&name.len())
        && name.bytes().all(plain)
        && name.split('.').all(|part| !part.is_empty() && !ends(part))
        && !name.rsplit('.').next().is_some_and(is_number)
        && !["ca", "tool"].contains(&name)
}

/// Whether this is a number where it ends the name of a host: such a host would be an address.
fn is_number(part: &str) -> bool {
    let hexadecimal =
        part.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()));
    hexadecimal || part.bytes().all(|byte| byte.is_ascii_digit())
}

/// The longest name in a certificate, in bytes: that of a part of a DNS name.
const CERTIFICATE_NAME_MAX: usize = 63;

/// So many names are listed in a message.
const LISTED_MAX: usize = 20;

/// Names for a message.
pub(super) fn listed<'n>(names: impl Iterator<Item = &'n str> + Clone) -> String {
    let more = names.clone().count().saturating_sub(LISTED_MAX);
    let names: Vec<&str> = names.take(LISTED_MAX).collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", names.join(", "))
}
