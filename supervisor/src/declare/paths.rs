//! What stands where in the tree of a scenario.

use std::collections::BTreeMap;

use super::suggestion;
use crate::sim::{Plan, Tree};
use crate::spec::{ChildSpec, Strategy};

/// The id under which unnamed instances are kept; no child has it.
const UNNAMED: &str = "";

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

/// Every path that a scenario may name, children added by its script included. What may stand at the path of an instance
/// without a name of its own (`w#1`), and below it, is kept under [`UNNAMED`].
#[derive(Default)]
pub(super) struct Paths(BTreeMap<String, Place>);

impl Paths {
    pub(super) fn add_tree(&mut self, path: &str, tree: &Tree) {
        let strategy = tree.flags.strategy;
        let simple = strategy == Strategy::SimpleOneForOne;
        let template = tree.children.first().filter(|_| simple).cloned();
        self.0.insert(path.to_owned(), Place::Supervisor { strategy, template });
        for child in &tree.children {
            let child = if simple { &ChildSpec { id: UNNAMED.into(), ..child.clone() } } else { child };
            self.add_child(path, child);
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
        match self.place(path)? {
            Place::Supervisor { strategy, template } => Some((*strategy, template.as_ref())),
            Place::Worker => None,
        }
    }

    /// Whether a child may run at `path`.
    pub(super) fn knows(&self, path: &str) -> bool {
        self.place(path).is_some()
    }

    fn place(&self, path: &str) -> Option<&Place> {
        let mut parts = path.split('/');
        let mut known = parts.next()?.to_owned();
        for id in parts {
            let named = format!("{known}/{id}");
            let unnamed = || {
                let Place::Supervisor { template, .. } = self.0.get(&known)? else { return None };
                let number = id.strip_prefix(&*template.as_ref()?.id)?.strip_prefix('#')?;
                number.parse::<u64>().ok().map(|_| format!("{known}/{UNNAMED}"))
            };
            known = if id != UNNAMED && self.0.contains_key(&named) { named } else { unnamed()? };
        }
        self.0.get(&known)
    }

    pub(super) fn unknown(&self, path: &str, what: &str) -> String {
        // The root forgotten at the front is the likeliest mistake, and no small one in letters.
        let named = || self.0.keys().filter(|known| known.split('/').all(|id| id != UNNAMED));
        let whole = named().find(|known| known.split_once('/').is_some_and(|(_, rest)| rest == path));
        let hint = self.template(path).or(whole.map(|path| format!("; did you mean `{path}`?")));
        let hint = hint.or_else(|| suggestion(path, named().map(String::as_str)));
        let hint = hint.unwrap_or_else(|| "; paths look like `root/desk/feed`".to_owned());
        format!("no {what} `{path}` in this scenario{hint}")
    }

    /// What to say of a path that names a template.
    fn template(&self, path: &str) -> Option<String> {
        let (above, id) = path.rsplit_once('/')?;
        let (_, template) = self.supervisor(above)?;
        (&*template?.id == id)
            .then(|| format!(": it is a template, whose instances are `{path}#1`, `{path}#2`, ..."))
    }
}
