//! The services of a node: children of a tree that the program builds, or that a file declares.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mycelium_remote::topology::{MONOLITH, Mode, PlannedTree, Topology};
use mycelium_supervisor::declare::{Declaration, suggestion};

use super::{LocalNode, TopologyError};
use crate::Supervisor;
use crate::tree::{Builder, Child, DeclareError, Factories, declared};

/// What a program has for the nodes of its topology: [`LocalNode::start`] and [`LocalNode::run`] take it.
///
/// - A [`Builder`]: all services of the program, children of it by their ids. Each node runs those that the
///   file gives to it, in the order of the program.
/// - [`Factories`]: the kinds of children. A node whose `tree` the file names runs that tree, in which its
///   services are children of the root. Another one runs the actor or service of the name of each of its
///   services, with the default options, in the order of the file, below a root with the name of the node.
///   In a monolith, each tree is a supervisor with the name of its node.
///
/// ```no_run
/// use mycelium::topology::LocalNode;
/// use mycelium::tree::{Factories, RunEnd};
/// use mycelium::{Actor, BoxError, MainResult, MessageBus};
///
/// #[derive(Default)]
/// struct Limits;
/// impl Actor for Limits { type Error = BoxError; }
///
/// #[tokio::main]
/// async fn main() -> MainResult<RunEnd> {
///     let kinds = Factories::new().actor("limits", Limits::default);
///     Ok(LocalNode::from_env()?.run(MessageBus::builder(), kinds).await?)
/// }
/// ```
pub trait NodeServices: sealed::Sealed {}

#[allow(unnameable_types, reason = "nobody else implements it")]
pub(super) mod sealed {
    use super::{Builder, LocalNode, TopologyError};

    pub trait Sealed {
        /// What this node runs.
        fn of_node(self, node: &LocalNode) -> Result<Builder, TopologyError>;
    }
}

impl NodeServices for Builder {}
impl NodeServices for Factories {}
impl NodeServices for &Factories {}

impl sealed::Sealed for Builder {
    fn of_node(mut self, node: &LocalNode) -> Result<Builder, TopologyError> {
        let (plan, path) = (node.plan(), || node.path().to_owned());
        if let Some(tree) = plan.trees.first() {
            let cause = format!(
                "the tree of `{}` is declared in a file, and the program has built one: give `LocalNode::run` \
                 `Factories`, or take `tree` out",
                tree.node
            );
            return Err(TopologyError::Mistake { path: path(), mistake: tree.file.place.mistake(cause) });
        }
        let has: BTreeSet<&str> = self.children.iter().map(|child| &*child.id).collect();
        let lists: BTreeSet<&Arc<str>> = node.topology().services().collect();
        if let Some(missing) = plan.services.iter().find(|service| !has.contains(&***service)) {
            return Err(no_service(node, &plan.node, missing, &has));
        }
        if let Some(homeless) = has.iter().find(|service| !lists.contains(&Arc::from(**service))) {
            return Err(TopologyError::Homeless { path: path(), service: Arc::from(*homeless) });
        }
        self.children.retain(|child| plan.services.contains(&child.id));
        Ok(self)
    }
}

impl sealed::Sealed for Factories {
    fn of_node(self, node: &LocalNode) -> Result<Builder, TopologyError> {
        sealed::Sealed::of_node(&self, node)
    }
}

impl sealed::Sealed for &Factories {
    fn of_node(self, node: &LocalNode) -> Result<Builder, TopologyError> {
        let plan = node.plan();
        if node.topology().mode() != Mode::Monolith
            && let [tree] = &*plan.trees
        {
            return build(node.path(), tree, self);
        }
        let mut root = Supervisor::builder(Arc::clone(&plan.node));
        for of in node.topology().nodes() {
            if plan.node != of.name && *plan.node != *MONOLITH {
                continue;
            }
            if let Some(tree) = plan.trees.iter().find(|tree| tree.node == of.name) {
                let mut tree = build(node.path(), tree, self)?;
                // Several trees may call their roots alike.
                tree.id = Arc::clone(&of.name);
                root = root.child(Child::supervisor(tree));
                continue;
            }
            for service in &of.services {
                let Some(child) = self.named(service) else {
                    return Err(no_service(node, &of.name, service, &self.all_names()));
                };
                let child = child.map_err(|error| TopologyError::NoService {
                    path: node.path().to_owned(),
                    node: Arc::clone(&of.name),
                    cause: error.to_string(),
                })?;
                root = root.child(child);
            }
        }
        Ok(root)
    }
}

/// The program has no service of this name.
fn no_service(node: &LocalNode, of: &Arc<str>, missing: &str, has: &BTreeSet<&str>) -> TopologyError {
    let names = || has.iter().copied();
    let hint = suggestion(missing, names()).unwrap_or_else(|| match has.is_empty() {
        false => format!("; its services are {}", names().collect::<Vec<_>>().join(", ")),
        true => "; it has none".to_owned(),
    });
    let cause = format!("the service `{missing}`, which the program does not have{hint}");
    TopologyError::NoService { path: node.path().to_owned(), node: Arc::clone(of), cause }
}

/// The tree of a node, from its file.
fn build(topology: &Path, tree: &PlannedTree, factories: &Factories) -> Result<Builder, TopologyError> {
    let declaration = read(topology, tree)?;
    declared(&declaration, factories).map_err(|mistake| wrong(tree, Some(tree.file.path.clone()), mistake))
}

fn wrong(tree: &PlannedTree, path: Option<PathBuf>, mistake: crate::tree::Mistake) -> TopologyError {
    TopologyError::Tree { node: Arc::clone(&tree.node), error: DeclareError::Mistake { path, mistake } }
}

/// What the file of a tree declares. The services of its node are children of the root.
fn read(topology: &Path, tree: &PlannedTree) -> Result<Declaration, TopologyError> {
    let path = &tree.file.path;
    let here = |cause: String| TopologyError::Mistake {
        path: topology.to_owned(),
        mistake: tree.file.place.mistake(cause),
    };
    let bytes = mycelium_supervisor::declare::read(path).map_err(|error| {
        let remedy =
            error.raw_os_error().map_or("", |_| ": relative paths begin at the directory of this file");
        here(format!("cannot read the tree of `{}`, {}: {error}{remedy}", tree.node, path.display()))
    })?;
    let parsed = mycelium_supervisor::declare::text(&bytes).and_then(Declaration::parse);
    let declaration = parsed.map_err(|mistake| wrong(tree, Some(path.clone()), mistake))?;
    let children = || declaration.tree.children.iter().map(|child| &*child.id);
    if let Some(missing) = tree.services.iter().find(|service| !children().any(|id| id == &***service)) {
        let hint = suggestion(missing, children()).unwrap_or_default();
        return Err(here(format!(
            "`{}` runs the service `{missing}`, and the root of its tree, {}, has no child of this id{hint}",
            tree.node,
            path.display()
        )));
    }
    Ok(declaration)
}

/// Checks the trees that the nodes of a topology have in files of their own: that each can be read, has no
/// mistake, and has the services of its node as children of its root. `path` is that of the topology, for
/// errors. The kinds that a program registers are not known here: `mycelium topology check` asks this.
///
/// # Errors
/// The first mistake: [`TopologyError::Mistake`] in the topology, [`TopologyError::Tree`] in a tree.
pub fn check_trees(path: impl AsRef<Path>, topology: &Topology) -> Result<(), TopologyError> {
    let plans = topology.plans();
    let mut trees = plans.iter().flat_map(|plan| &plan.trees);
    trees.try_for_each(|tree| read(path.as_ref(), tree).map(drop))
}
