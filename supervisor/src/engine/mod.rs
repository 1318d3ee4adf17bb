//! The engine of a tree: it carries out what the [`Supervisor`]s of one tree decide, through a [`Host`].
//!
//! A supervisor decides, and knows no other supervisor. The engine knows the nodes of a tree, the lives of
//! their children, how long each may take, and what an ended life leaves to the next. A host starts and stops
//! children, and passes on what is told to users. The engine is a pure machine like the supervisor: a report
//! and the time go in, calls of the host come out. It reads no clock, starts no task and writes no log. The
//! dry run ([`sim`](crate::sim)), isolates and live trees are its hosts.
//!
//! # What it promises
//! - A supervisor hears of each of its lives once that it started or not, and once that it ended. Reports
//!   about a life that is over mean nothing.
//! - Reports are dealt with in the order in which the host has them handled. A report of the engine to
//!   itself (that a supervisor below has started, ended, or is to stop) goes through [`Host::post`] into
//!   the same order.
//! - A supervisor that is killed takes all below it along before anything else happens, last started first.
//!   Observers are told of each.
//! - The remains of a life ([`Left`]) go to the next life of the same child, or are released. A supervisor
//!   that ends and may be restarted leaves what it keeps to its successor. Nothing is released while the
//!   supervisor starts or stops a child, because that may still decide whether another life comes.
//! - A child that is not ready within its time is given up, which is a start that failed. A child that cannot
//!   be killed within the time which its host allows is given up too, and is among the
//!   [missed](Host::missed).
//!
//! # One engine for one task or for many nodes
//! In a dry run and in an isolate one engine has all supervisors of a tree: everything happens in one order.
//! In a live tree each supervisor is a task of its own, so that no supervisor waits for another one's
//! children. There each task has an engine of one node, and supervisors below are children like others: the
//! host says so by never answering [`Begun::Supervisor`].

mod ends;
mod node;
mod steps;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::message::{Action, CallError, CallId, ChildRef, Event, Notice, Reply};
use crate::reason::ExitReason;
use crate::spec::{ChildSpec, Flags, SpecError};
use crate::supervisor::Supervisor;

pub use self::node::{Body, Node};

/// A supervisor that runs, by a number that is never used twice in one engine.
pub type NodeId = u64;

/// The root of the engine.
pub const ROOT: NodeId = 0;

/// One life of one child in a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LifeId {
    /// Its supervisor.
    pub node: NodeId,
    /// Which life.
    pub child: ChildRef,
}

/// The supervisor that a call of the host is about.
pub struct At<'a, H: Host> {
    /// Its number.
    pub node: NodeId,
    /// Its path.
    pub path: &'a Arc<str>,
    /// Its decisions.
    pub core: &'a Supervisor<H::Start>,
    /// Nothing that stops from now on is started again by this supervisor.
    pub ending: bool,
}

impl<H: Host> At<'_, H> {
    /// The path of the child of this id.
    #[must_use]
    pub fn child_path(&self, id: &str) -> Arc<str> {
        format!("{}/{id}", self.path).into()
    }
}

/// What a start has begun.
pub enum Begun<H: Host> {
    /// A child that reports by itself what becomes of it.
    Worker(H::Body),
    /// A supervisor, which the engine runs.
    Supervisor {
        /// Its flags.
        flags: Flags,
        /// Its children in start order.
        children: Vec<ChildSpec<H::Start>>,
    },
}

/// What an ended life leaves to the next life of the same child.
pub enum Left<H: Host> {
    /// Of a worker: what outlives its lives, such as its mailbox.
    Worker(H::Kept),
    /// Of a supervisor: what its children have left, by their ids.
    Tree(Estate<H>),
}

/// What is kept for the next life of a child.
pub struct Parked<H: Host> {
    /// What the child was started with: another child of the same id gets nothing of it.
    from: H::Start,
    /// Whether its supervisor had asked it to stop.
    asked: bool,
    left: Left<H>,
}

/// What the children of one supervisor have left, by their ids: in an order that is the same in each run.
pub type Estate<H> = BTreeMap<Arc<str>, Parked<H>>;

/// What is reported to a supervisor.
pub enum Report<H: Host> {
    /// Anything that its supervisor takes in. [`Event::Exited`] says that a child has gone and left nothing.
    Event(Event<H::Start>),
    /// A life is over for this reason and leaves this to the next.
    Left(ChildRef, ExitReason, Left<H>),
    /// It is to stop. `for_good`: it will not be restarted, and what its children leave is released.
    Stop {
        /// See above.
        for_good: bool,
    },
    /// A running child is to be [looked at](Host::look) at this time and no earlier, or not until another
    /// report of this kind.
    LookAt(ChildRef, Option<Duration>),
}

impl<H: Host> Report<H> {
    /// The life that is over by this report, and why.
    #[must_use]
    pub fn end(&self) -> Option<(ChildRef, &ExitReason)> {
        match self {
            Self::Event(Event::Exited(child, reason)) | Self::Left(child, reason, _) => {
                Some((*child, reason))
            }
            _ => None,
        }
    }
}

/// What a look at a child has shown.
pub struct Look {
    /// When to look next; `None`: not until [`Report::LookAt`].
    pub next: Option<Duration>,
    /// What is new.
    pub seen: Option<Seen>,
}

/// What is new about the progress of a child.
pub enum Seen {
    /// It has something to do and makes no progress.
    Stuck {
        /// For how long.
        quiet: Duration,
        /// What it is doing.
        detail: Arc<str>,
        /// Why it was ended, if it was; its end is then a failure.
        verdict: Option<Arc<str>>,
    },
    /// It makes progress again.
    Recovered,
}

/// What carries out the decisions of a tree. See the [module](self) for what the engine promises in turn.
pub trait Host: Sized {
    /// What a child is started with.
    type Start: Clone;
    /// What the host holds of a child that runs.
    type Body;
    /// What the host holds of a child between two lives.
    type Kept;

    /// The seed of the supervisor that starts now.
    fn next_seed(&mut self) -> u64;

    /// Starts a child. The host reports [`Event::Started`], [`Event::Ignored`] or [`Event::StartFailed`]
    /// later, and then the end; for a supervisor that the engine runs, the engine does. `left` is there if an
    /// earlier life of the same child has left it: the host takes it out if this life has it from now on.
    ///
    /// # Errors
    /// Why it cannot even be launched. The rest in `left` goes on waiting.
    fn start(
        &mut self,
        at: &At<'_, Self>,
        child: ChildRef,
        spec: &ChildSpec<Self::Start>,
        left: &mut Option<Left<Self>>,
    ) -> Result<Begun<Self>, ExitReason>;

    /// Whether both start the same child.
    fn is_same(one: &Self::Start, other: &Self::Start) -> bool;

    /// How long the child may take to be ready; without limit if `None`.
    fn start_limit(start: &Self::Start) -> Option<Duration> {
        let _ = start;
        None
    }

    /// Asks a child to end. `for_good`: no other life follows.
    fn stop(&mut self, life: LifeId, body: &Self::Body, for_good: bool);

    /// Ends a child without asking. It is reported as any end; after the time that is returned, if any, the
    /// engine waits no longer for that.
    fn kill(&mut self, life: LifeId, body: &Self::Body) -> Option<Duration>;

    /// Ends what a child is doing as a failure, because it is not ready in time. The rest is as with
    /// [`kill`](Self::kill).
    fn give_up(&mut self, life: LifeId, body: &Self::Body, verdict: &str) -> Option<Duration>;

    /// Ends a child with its supervisor, which is killed: nobody hears of it any more. `ended`: it has ended
    /// by itself, and its supervisor had not heard of that yet.
    fn abandon(&mut self, life: LifeId, body: Self::Body, ended: bool);

    /// No other life comes for this. `asked`: its last life had been asked to stop.
    fn release(&mut self, kept: Self::Kept, asked: bool);

    /// A child is ready; when to [look](Self::look) at it first, if at all.
    fn watch(&mut self, now: Duration, life: LifeId, body: &mut Self::Body) -> Option<Duration> {
        let _ = (now, life, body);
        None
    }

    /// Looks at a child's progress.
    fn look(&mut self, now: Duration, life: LifeId, body: &mut Self::Body) -> Look {
        let _ = (now, life, body);
        Look { next: None, seen: None }
    }

    /// The reason to be told of a life that gave this one. `asked`: it had been asked to stop.
    fn reason(&self, reason: ExitReason, asked: bool) -> ExitReason {
        let _ = asked;
        reason
    }

    /// Queues a report behind those that wait; the host hands it to [`Engine::handle`] when its turn comes,
    /// and not from within this call.
    fn post(&mut self, to: NodeId, report: Report<Self>);

    /// The lives of a supervisor that are over by the reports which wait, and why: by the first report, if
    /// there are several.
    fn unheard_ends(&self, node: NodeId) -> BTreeMap<ChildRef, ExitReason>;

    /// Something happened under this supervisor that observers are told of.
    fn notice(&mut self, at: &At<'_, Self>, notice: &Notice);

    /// A call is answered.
    fn reply(&mut self, at: &At<'_, Self>, call: CallId, answer: Answer<Self>);

    /// A child was killed because it missed its shutdown time, or could not be killed in time.
    fn missed(&mut self, path: Arc<str>);

    /// A supervisor has forgotten the child of this id, by itself or because a call has deleted it; or it is
    /// about to go, and its successor, if there is one, does not know this child.
    fn forgotten(&mut self, at: &At<'_, Self>, id: &str) {
        let _ = (at, id);
    }

    /// A supervisor has decided something, and what it decided has not been carried out yet: its children
    /// may be doing something else now.
    fn decided(&mut self, at: &At<'_, Self>) {
        let _ = at;
    }

    /// A supervisor is gone. Calls that it has not answered get no answer.
    fn gone(&mut self, at: &At<'_, Self>) {
        let _ = at;
    }

    /// All children of the root have started.
    fn ready(&mut self);

    /// The root has ended. `estate` is what its children leave, unless it was to end for good.
    fn ended(&mut self, reason: ExitReason, estate: Estate<Self>);
}

/// What a call came to.
pub type Answer<H> = Result<Reply<<H as Host>::Start>, CallError>;

/// The nodes of one tree. See the [module](self).
pub struct Engine<H: Host> {
    nodes: BTreeMap<NodeId, Node<H>>,
    next_node: NodeId,
    /// When each supervisor has something to do by itself, soonest first, then in the order in which that was
    /// set; there may be very many.
    due: BTreeMap<(Duration, u64), NodeId>,
    next_due: u64,
    /// Empty between two steps.
    actions: Vec<Action<H::Start>>,
}

/// Where a supervisor stands in its tree.
struct TreePlace {
    path: Arc<str>,
    parent: Option<LifeId>,
    for_good: bool,
}

impl<H: Host> Engine<H> {
    /// An engine whose root begins to start when the host hands it the first report. `for_good`: nobody
    /// restarts the root, so what its children leave at its end is released; else [`Host::ended`] gets it,
    /// and the next engine in its place gets it as `estate`.
    ///
    /// # Errors
    /// The first value that the checks of [`check`](crate::check) refuse, at the root.
    pub fn new(
        host: &mut H,
        path: Arc<str>,
        flags: Flags,
        children: Vec<ChildSpec<H::Start>>,
        for_good: bool,
        estate: Estate<H>,
    ) -> Result<Self, SpecError> {
        let (nodes, due, actions) = Default::default();
        let mut engine = Self { nodes, next_node: ROOT, due, next_due: 0, actions };
        engine.open(host, TreePlace { path, parent: None, for_good }, flags, children, estate)?;
        Ok(engine)
    }

    /// Begins to start a supervisor.
    fn open(
        &mut self,
        host: &mut H,
        place: TreePlace,
        flags: Flags,
        children: Vec<ChildSpec<H::Start>>,
        estate: Estate<H>,
    ) -> Result<NodeId, SpecError> {
        let core = Supervisor::new(flags, children, host.next_seed())?;
        let id = self.next_node;
        self.next_node += 1;
        self.nodes.insert(id, Node::new(core, place, estate));
        host.post(id, Report::Event(Event::Init));
        Ok(id)
    }

    /// When the tree has something to do by itself, if ever: then [`fire_due`](Self::fire_due) is due. It may
    /// lie in the past.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        self.due.first_key_value().map(|((at, _), _)| *at)
    }

    /// The supervisor of this number, while it runs.
    #[must_use]
    pub fn node(&self, id: NodeId) -> Option<&Node<H>> {
        self.nodes.get(&id)
    }

    /// The supervisor at this path, whatever it is doing.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<NodeId> {
        let root = self.nodes.get(&ROOT)?;
        let mut ids = path.strip_prefix(&**root.path())?.split('/');
        if ids.next() != Some("") {
            return None;
        }
        ids.try_fold(ROOT, |node, id| {
            let node = self.nodes.get(&node)?;
            match node.body(node.core().life(id)?)? {
                Body::Node(below) => Some(*below),
                Body::Worker(_) => None,
            }
        })
    }

    /// The child at this path, whatever it is doing; not one whose end is among the reports that wait.
    #[must_use]
    pub fn find_child(&self, path: &str) -> Option<LifeId> {
        let (above, id) = path.rsplit_once('/')?;
        let id_above = self.find(above)?;
        let node = self.nodes.get(&id_above)?;
        let child = node.core().life(id)?;
        match node.body(child)? {
            Body::Node(below) if !self.nodes.contains_key(below) => None,
            _ => Some(LifeId { node: id_above, child }),
        }
    }

    /// The supervisors that run, the eldest first.
    pub fn nodes(&self) -> impl Iterator<Item = &Node<H>> {
        self.nodes.values()
    }

    /// What runs in this life.
    #[must_use]
    pub fn body(&self, life: LifeId) -> Option<&Body<H>> {
        self.nodes.get(&life.node)?.body(life.child)
    }

    /// What the worker at this path has left, while it waits for another life; also below a supervisor that
    /// itself waits for one.
    #[must_use]
    pub fn kept(&self, path: &str) -> Option<&H::Kept> {
        let root = self.nodes.get(&ROOT)?;
        let mut ids = path.strip_prefix(&**root.path())?.strip_prefix('/')?.split('/').peekable();
        let (mut above, mut estate) = (Some(root), &root.parked);
        while let Some(id) = ids.next() {
            let body = above.and_then(|node| node.body(node.core().life(id)?));
            if let Some(Body::Node(below)) = body {
                let below = self.nodes.get(below)?;
                (above, estate) = (Some(below), &below.parked);
                continue;
            }
            match &estate.get(id)?.left {
                Left::Worker(kept) => return ids.peek().is_none().then_some(kept),
                Left::Tree(below) => (above, estate) = (None, below),
            }
        }
        None
    }

    /// Gives up all that it knows. The drop of what is returned may run users' code.
    #[must_use]
    pub fn clear(&mut self) -> impl Sized + use<H> {
        self.due.clear();
        std::mem::take(&mut self.nodes)
    }
}

/// Lets all go that waits in an estate.
fn release_all<H: Host>(host: &mut H, estate: Estate<H>) {
    for parked in estate.into_values() {
        release(host, parked.left, parked.asked);
    }
}

/// No other life comes for what was left. `asked`: the life had been asked to stop.
pub fn release<H: Host>(host: &mut H, left: Left<H>, asked: bool) {
    match left {
        Left::Worker(kept) => host.release(kept, asked),
        Left::Tree(estate) => release_all(host, estate),
    }
}
