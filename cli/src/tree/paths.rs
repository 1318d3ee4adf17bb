//! What stands where in the tree of a scenario.

use std::collections::BTreeMap;

use mycelium_supervisor::sim::{Plan, Tree};
use mycelium_supervisor::{ChildSpec, Strategy};

use mycelium_supervisor::declare::suggestion;

/// What may stand at a path at some time of the run.
#[derive(Clone)]
enum Place {
    Worker,
    Supervisor {
        strategy: Strategy,
        /// What instances are made of, under `simple_one_for_one`.
        template: Option<ChildSpec<Plan>>,
    },
}

/// Every path that a scenario may name, children added by its script included.
#[derive(Default)]
pub(super) struct Paths(BTreeMap<String, Place>);

impl Paths {
    pub(super) fn add_tree(&mut self, path: &str, tree: &Tree) {
        let strategy = tree.flags.strategy;
        let simple = strategy == Strategy::SimpleOneForOne;
        let template = tree.children.first().filter(|_| simple).cloned();
        self.0.insert(path.to_owned(), Place::Supervisor { strategy, template });
        if !simple {
            for child in &tree.children {
                self.add_child(path, child);
            }
        }
    }

    pub(super) fn add_child(&mut self, above: &str, child: &ChildSpec<Plan>) {
        let path = format!("{above}/{}", child.id);
        match &child.start.tree {
            Some(tree) => self.add_tree(&path, tree),
            None => {
                self.0.entry(path).or_insert(Place::Worker);
            }
        }
    }

    pub(super) fn supervisor(&self, path: &str) -> Option<(Strategy, Option<&ChildSpec<Plan>>)> {
        match self.0.get(path)? {
            Place::Supervisor { strategy, template } => Some((*strategy, template.as_ref())),
            Place::Worker => None,
        }
    }

    /// Whether a child may run at `path`: a known one, or an instance without a name of its own.
    pub(super) fn knows(&self, path: &str) -> bool {
        let unnamed = || {
            let (above, id) = path.rsplit_once('/')?;
            let (_, template) = self.supervisor(above)?;
            let number = id.strip_prefix(&*template?.id)?.strip_prefix('#')?;
            number.parse::<u64>().ok()
        };
        self.0.contains_key(path) || unnamed().is_some()
    }

    pub(super) fn unknown(&self, path: &str, what: &str) -> String {
        let hint = suggestion(path, self.0.keys().map(String::as_str));
        let hint = hint.unwrap_or_else(|| "; paths look like `root/desk/feed`".to_owned());
        format!("no {what} `{path}` in this scenario{hint}")
    }
}
