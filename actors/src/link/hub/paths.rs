//! Actors by their names: those of this bus that peers may write to, and those of peers that somebody here
//! writes to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mycelium_remote::link::{MAILBOX_LEN_MAX, MAILBOXES_MAX, TAKES_MAX};
use mycelium_toml::suggestion;

use super::{Hub, LINKS_MAX, lock};
use crate::link::LinkError;
use crate::link::expose::{Door, Exposed, ExposedChild};
use crate::link::interest::{Interest, WantedRow};
use crate::link::mailbox::{Reach, RemoteMailbox, absent};
use crate::live::Topics;
use crate::rt::AbortHandle;
use crate::{ActorId, Message, StopReason};

/// An actor of this bus that peers may write to, with the tasks that wait for its end.
pub(super) struct Exposure {
    exposed: Exposed,
    /// The child that it is an actor of; `None`: the program has exposed it.
    child: Option<ExposedChild>,
    watches: Vec<AbortHandle>,
}

impl Exposure {
    fn is_alive(&self) -> bool {
        self.exposed.doors().iter().any(|door| door.is_alive())
    }

    /// Whether several actors are behind the name.
    fn is_of_several(&self) -> bool {
        let mut actors = self.exposed.doors().iter().map(|door| door.actor());
        let first = actors.next();
        actors.any(|actor| Some(actor) != first)
    }
}

/// The exposures of a bus, by their names.
pub(super) type Exposures = BTreeMap<Arc<str>, Exposure>;

/// Actors of one node that somebody here has asked for.
pub(super) struct AskedFor {
    /// By rising ids: in the order in which that was.
    mailboxes: Vec<Arc<RemoteMailbox>>,
    /// So many make a look at who uses them worth its while.
    sweep_at: usize,
}

/// How many there are before it is looked whether somebody uses them.
const SWEEP_AT: usize = 64;

impl Default for AskedFor {
    fn default() -> Self {
        Self { mailboxes: Vec::new(), sweep_at: SWEEP_AT }
    }
}

impl AskedFor {
    /// Forgets those to whom nobody has a reference any more. Messages to them are on their way all the same.
    fn forget_unused(&mut self) {
        // References are made from others, or under the lock that is held here.
        self.mailboxes.retain(|mailbox| Arc::strong_count(mailbox) > 1 || mailbox.is_watched());
        self.sweep_at = (2 * self.mailboxes.len()).clamp(SWEEP_AT, MAILBOXES_MAX);
    }
}

impl Hub {
    /// Has peers find an actor under this name. The last one of a name counts, but that of a `child` of a
    /// tree not while another one lives. The former actor of the same child has been told to end.
    pub(in crate::link) fn expose(
        self: &Arc<Self>,
        name: &str,
        exposed: Exposed,
        child: Option<ExposedChild>,
    ) -> Result<(), LinkError> {
        check_name(name)?;
        if exposed.doors().len() > TAKES_MAX {
            return Err(LinkError::TooManyKinds { name: name.into(), max: TAKES_MAX });
        }
        let mut all = lock(&self.exposed);
        let other = all.get(name).filter(|other| child.is_some() && other.child != child);
        if other.is_some_and(Exposure::is_alive) {
            return Err(LinkError::Exposed { name: name.into() });
        }
        if all.len() >= MAILBOXES_MAX && !all.contains_key(name) {
            // Those that have ended leave by themselves, a moment later.
            all.retain(|_, exposure| exposure.is_alive());
            if all.len() >= MAILBOXES_MAX {
                return Err(LinkError::Mailbox { name: name.into() });
            }
        }
        let name: Arc<str> = name.into();
        let watch = |door: &Arc<dyn Door>| {
            let (ended, name, weak) = (door.ended(), Arc::clone(&name), Arc::downgrade(self));
            self.spawn(async move {
                let reason = ended.await;
                if let Some(hub) = weak.upgrade() {
                    hub.ended(&name, reason);
                }
            })
        };
        let watches = exposed.doors().iter().map(watch).collect();
        let exposure = Exposure { exposed, child, watches };
        let is_of_several = exposure.is_of_several();
        let former = all.insert(Arc::clone(&name), exposure);
        drop(all);
        if is_of_several {
            // What they receive is in one channel from now on.
            self.note_change();
            self.look();
        }
        self.exposed_anew(&name, former, None);
        Ok(())
    }

    /// Has peers find nobody under this name any more; whether they did.
    pub(in crate::link) fn unexpose(&self, name: &str) -> bool {
        let former = lock(&self.exposed).remove(name);
        let was_alive = former.as_ref().is_some_and(Exposure::is_alive);
        self.exposed_anew(name, former, None);
        was_alive
    }

    /// An actor that was exposed under this name has ended.
    fn ended(&self, name: &str, reason: StopReason) {
        let mut all = lock(&self.exposed);
        // Another one may have the name by now.
        let is_over = all.get(name).is_some_and(|exposure| !exposure.is_alive());
        let former = is_over.then(|| all.remove(name)).flatten();
        drop(all);
        self.exposed_anew(name, former, Some(reason));
    }

    /// Tells everybody of another one, or of nobody, behind this name.
    fn exposed_anew(&self, name: &str, former: Option<Exposure>, ended: Option<StopReason>) {
        former.into_iter().flat_map(|former| former.watches).for_each(|watch| watch.abort());
        self.tell_own(name, ended);
        self.order(|_| ());
    }

    /// Tells senders of this bus who use a path how the actor of this name can be reached now.
    fn tell_own(&self, name: &str, ended: Option<StopReason>) {
        // Under the lock: so a mailbox that is made meanwhile is not missed, and the last word counts.
        let all = lock(&self.mailboxes);
        let own = all.iter().filter(|(node, _)| self.is_own(node));
        let own = own.flat_map(|(_, of_node)| &of_node.mailboxes);
        let reach = if self.exposed(name).is_some() { Reach::Here } else { absent(ended) };
        own.filter(|mailbox| mailbox.name() == name).for_each(|mailbox| mailbox.set(reach.clone()));
    }

    /// Whether this bus is called so, or does what the bus of this name would do elsewhere.
    fn is_own(&self, node: &str) -> bool {
        *self.home(node) == *self.name
    }

    /// The bus that is meant by this name, which may be that of a service.
    fn home<'a>(&'a self, name: &'a str) -> &'a str {
        self.homes.get(name).map_or(name, |home| home)
    }

    /// What may be told and asked under this name, by those who live.
    pub(in crate::link) fn exposed(&self, name: &str) -> Option<Exposed> {
        let all = lock(&self.exposed);
        all.get(name).filter(|exposure| exposure.is_alive()).map(|exposure| exposure.exposed.clone())
    }

    /// The channel of the topics that those behind the name receive from peers, if they receive any.
    pub(in crate::link) fn channel_of(&self, exposed: &Exposed, wanted: &Interest) -> Option<u16> {
        let core = self.core.upgrade()?;
        let receives = |type_id| exposed.doors().iter().any(|door| receives(&core.topics, type_id, door));
        wanted.iter().find(|wanted| receives(wanted.type_id)).map(|wanted| wanted.channel)
    }

    /// What several actors behind one name receive is in one channel, with what is written to that name: each
    /// of them gets all in order.
    pub(super) fn tie_exposed(&self, wanted: &mut [WantedRow], topics: &Topics) {
        let all = lock(&self.exposed);
        let several = all.values().filter(|exposure| exposure.is_of_several());
        let several: Vec<Exposed> = several.map(|exposure| exposure.exposed.clone()).collect();
        drop(all);
        // As if there were one more receiver of all of it.
        for (number, exposed) in several.iter().enumerate() {
            for (type_id, _, receivers) in &mut *wanted {
                if exposed.doors().iter().any(|door| receives(topics, *type_id, door)) {
                    receivers.push(usize::MAX - number);
                }
            }
        }
    }

    /// The actor of this name at the bus of this name.
    pub(in crate::link) fn mailbox(&self, node: &str, name: &str) -> Result<Arc<RemoteMailbox>, LinkError> {
        check_name(name)?;
        let core = self.core.upgrade().ok_or(LinkError::Closed)?;
        let mut all = lock(&self.mailboxes);
        if !all.contains_key(node) && all.len() >= LINKS_MAX {
            all.values_mut().for_each(AskedFor::forget_unused);
            all.retain(|_, of_node| !of_node.mailboxes.is_empty());
        }
        let of_node = all.entry(node.into()).or_default();
        if let Some(found) = of_node.mailboxes.iter().find(|mailbox| mailbox.name() == name) {
            return Ok(Arc::clone(found));
        }
        if of_node.mailboxes.len() >= of_node.sweep_at {
            of_node.forget_unused();
        }
        if of_node.mailboxes.len() >= MAILBOXES_MAX {
            return Err(LinkError::Mailbox { name: name.into() });
        }
        // Known before any task sees it, which says more. One that gives its peer up does that first, and
        // then looks at all mailboxes: so either it is seen here, or it sees this one.
        let peer = lock(&self.table).links.get(node).map(|entry| Arc::clone(&entry.peer));
        let reach = match &peer {
            _ if self.is_own(node) && self.exposed(name).is_some() => Reach::Here,
            _ if self.is_own(node) => absent(None),
            Some(peer) if peer.is_waited_for() => Reach::Opening,
            _ => Reach::NotLinked,
        };
        let (id, spinning) = (core.next_id(), Arc::clone(&core.links.spinning));
        let mailbox = Arc::new(RemoteMailbox::new(id, node, name, self.is_own(node), reach, spinning));
        of_node.mailboxes.push(Arc::clone(&mailbox));
        drop(all);
        if peer.is_some() {
            self.order(|_| ());
        }
        Ok(mailbox)
    }

    /// Messages of this type may travel.
    fn check_contract<M: Message>(&self) -> Result<(), LinkError> {
        if self.knows(M::TYPE_ID) { Ok(()) } else { Err(LinkError::NotInContract { message: M::NAME }) }
    }

    /// The actor at this path, for messages of this type.
    pub(in crate::link) fn mailbox_at<M: Message>(
        &self,
        path: &str,
    ) -> Result<Arc<RemoteMailbox>, LinkError> {
        self.check_contract::<M>()?;
        self.mailbox_of(path)
    }

    /// The actor at this path.
    pub(in crate::link) fn mailbox_of(&self, path: &str) -> Result<Arc<RemoteMailbox>, LinkError> {
        let named = path.split_once('/').filter(|(node, name)| !node.is_empty() && !name.is_empty());
        let (node, name) = named.ok_or_else(|| LinkError::Path { path: path.into() })?;
        // An actor of this bus keeps the name by which it was asked for.
        let node = if self.is_own(node) { node } else { self.home(node) };
        self.mailbox(node, name)
    }

    /// The actor that this service exposes under its own name, for messages of this type.
    pub(in crate::link) fn mailbox_of_service<M: Message>(
        &self,
        service: &str,
    ) -> Result<Arc<RemoteMailbox>, LinkError> {
        self.check_contract::<M>()?;
        if let Some(cause) = not_a_service(&self.homes, &self.services, service) {
            return Err(LinkError::Service { service: service.into(), cause: cause.into() });
        }
        let node = if self.is_own(service) { service } else { self.home(service) };
        self.mailbox(node, service)
    }

    /// The actors of this peer that somebody here has asked for, in the order in which that was, behind this
    /// one.
    pub(in crate::link) fn mailboxes(&self, peer: &str, behind: ActorId) -> Vec<Arc<RemoteMailbox>> {
        let all = lock(&self.mailboxes);
        // Those of this bus are no peer's, whatever it calls itself.
        let Some(of_peer) = all.get(peer).filter(|_| !self.is_own(peer)) else { return Vec::new() };
        let from = of_peer.mailboxes.partition_point(|mailbox| mailbox.id() <= behind);
        of_peer.mailboxes[from..].to_vec()
    }
}

/// Whether the actor behind this door receives the topic.
fn receives(topics: &Topics, type_id: u16, door: &Arc<dyn Door>) -> bool {
    topics.receives(type_id, door.actor().get())
}

/// Why this names no service of the topology; `None` where there is no topology to know them.
fn not_a_service(
    homes: &BTreeMap<Arc<str>, Arc<str>>,
    services: &BTreeSet<Arc<str>>,
    name: &str,
) -> Option<String> {
    if homes.is_empty() || services.contains(name) {
        return None;
    }
    let names = || services.iter().map(|service| &**service);
    let all = match names().next() {
        Some(_) => format!("; its services are {}", names().collect::<Vec<_>>().join(", ")),
        None => "; it has none".to_owned(),
    };
    Some(match homes.contains_key(name) {
        true => format!("it is a node of the topology and no service{all}"),
        false => format!("the topology has no such service{}", suggestion(name, names()).unwrap_or(all)),
    })
}

fn check_name(name: &str) -> Result<(), LinkError> {
    if name.is_empty() || name.len() > MAILBOX_LEN_MAX {
        return Err(LinkError::Mailbox { name: name.into() });
    }
    Ok(())
}
