//! What may stand where in the tree of a scenario.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::suggestion;
use crate::sim::{Plan, Tree};
use crate::spec::{ChildSpec, Strategy};

/// The id under which unnamed instances are kept; no child has it.
const UNNAMED: &str = "";
/// Most children of all supervisors together, those included that a script adds.
const PATHS_MAX: usize = 4_000_000;
/// Most different pools that may run at one place.
const POOLS_MAX: usize = 16;
/// Most paths that are looked through for the one that may be meant.
const SUGGESTED_MAX: usize = 100_000;

/// A place of the tree. Only those where a supervisor may run have a number.
type PathPlace = usize;
const ROOT: PathPlace = 0;
const WORKER: PathPlace = usize::MAX;

/// Every path that a scenario may name, children added by its script included. All that may stand at the
/// path of an instance without a name of its own (`w#1`), and below it, is kept under [`UNNAMED`].
pub(super) struct Paths {
    root: String,
    supervisors: Vec<Above>,
    children: usize,
}

/// The supervisors that may run at one place: the script may delete one and start another in its stead, or
/// try to.
#[derive(Default)]
pub(super) struct Above {
    children: BTreeMap<Arc<str>, PathPlace>,
    /// Whether one of them has children of several specifications.
    pub(super) plain: bool,
    /// What instances are made of, where it is `simple_one_for_one`.
    pub(super) templates: Vec<ChildSpec<Plan>>,
}

/// There are more paths than a scenario may have: the cause.
#[derive(Debug)]
pub(super) struct TooMany(pub(super) String);

impl Paths {
    pub(super) fn new(root: &str, tree: &Tree) -> Result<Self, TooMany> {
        let mut paths = Self { root: root.to_owned(), supervisors: vec![Above::default()], children: 0 };
        paths.add_tree(ROOT, tree)?;
        Ok(paths)
    }

    fn add_tree(&mut self, place: PathPlace, tree: &Tree) -> Result<(), TooMany> {
        let simple = tree.flags.strategy == Strategy::SimpleOneForOne;
        let above = &mut self.supervisors[place];
        if simple {
            let known = |template: &ChildSpec<Plan>| above.templates.contains(template);
            let new: Vec<_> = tree.children.iter().filter(|template| !known(template)).cloned().collect();
            above.templates.extend(new);
            if above.templates.len() > POOLS_MAX {
                return Err(TooMany(format!(
                    "the script has more than {POOLS_MAX} different pools at one path"
                )));
            }
        } else {
            above.plain = true;
        }
        for child in &tree.children {
            let id = if simple { UNNAMED.into() } else { Arc::clone(&child.id) };
            self.add(place, id, child)?;
        }
        Ok(())
    }

    /// A child that the script adds to a supervisor.
    pub(super) fn add_child(&mut self, above: &str, child: &ChildSpec<Plan>) -> Result<(), TooMany> {
        match self.place(above) {
            Some(place) if place != WORKER => self.add(place, Arc::clone(&child.id), child),
            _ => Ok(()),
        }
    }

    /// An instance with a name of its own: below it stands what stands below those without.
    pub(super) fn add_instance(&mut self, above: &str, id: &str) -> Result<(), TooMany> {
        let Some(place) = self.place(above).filter(|place| *place != WORKER) else { return Ok(()) };
        let children = &mut self.supervisors[place].children;
        let Some(unnamed) = children.get(UNNAMED).copied() else { return Ok(()) };
        match children.get(id).copied() {
            None => {
                children.insert(id.into(), unnamed);
                self.count()
            }
            Some(named) if named == unnamed => Ok(()),
            Some(_) => {
                for template in self.supervisors[place].templates.clone() {
                    self.add(place, id.into(), &template)?;
                }
                Ok(())
            }
        }
    }

    /// The children of a tree that the script has a copy of.
    pub(super) fn count_tree(&mut self, tree: &Tree) -> Result<(), TooMany> {
        for child in &tree.children {
            self.count()?;
            child.start.tree.as_ref().map_or(Ok(()), |tree| self.count_tree(tree))?;
        }
        Ok(())
    }

    fn count(&mut self) -> Result<(), TooMany> {
        self.children += 1;
        if self.children > PATHS_MAX {
            return Err(TooMany(format!(
                "the tree and its script have more than {PATHS_MAX} children together"
            )));
        }
        Ok(())
    }

    fn add(&mut self, above: PathPlace, id: Arc<str>, child: &ChildSpec<Plan>) -> Result<(), TooMany> {
        self.count()?;
        let next = self.supervisors.len();
        let place = self.supervisors[above].children.entry(id).or_insert(WORKER);
        let Some(tree) = &child.start.tree else { return Ok(()) };
        if *place == WORKER {
            *place = next;
            self.supervisors.push(Above::default());
            return self.add_tree(next, tree);
        }
        let place = *place;
        self.add_tree(place, tree)
    }

    /// What supervisors may run at `path`.
    pub(super) fn supervisor(&self, path: &str) -> Option<&Above> {
        self.supervisors.get(self.place(path)?)
    }

    /// Whether a child may run at `path`.
    pub(super) fn knows(&self, path: &str) -> bool {
        self.place(path).is_some()
    }

    fn place(&self, path: &str) -> Option<PathPlace> {
        let mut ids = path.split('/');
        if ids.next()? != self.root {
            return None;
        }
        ids.try_fold(ROOT, |place, id| {
            let above = self.supervisors.get(place)?;
            let named = above.children.get(id).filter(|_| id != UNNAMED);
            named.or_else(|| above.is_instance(id).then(|| above.children.get(UNNAMED))?).copied()
        })
    }

    /// `what` is not known at `path`, of those paths for which `fits` says so of the supervisors there.
    pub(super) fn unknown(&self, path: &str, what: &str, fits: fn(Option<&Above>) -> bool) -> String {
        let mut named = Vec::new();
        self.collect(&self.root, ROOT, fits, &mut named);
        let named = || named.iter().map(String::as_str);
        // The root forgotten at the front is the likeliest mistake, and no small one in letters.
        let whole = named().find(|known| known.split_once('/').is_some_and(|(_, rest)| rest == path));
        let hint = self.template(path).or(whole.map(|path| format!("; did you mean `{path}`?")));
        let hint = hint.or_else(|| suggestion(path, named()));
        let hint = hint.unwrap_or_else(|| "; paths look like `root/desk/feed`".to_owned());
        format!("no {what} `{path}` in this scenario{hint}")
    }

    /// The paths at and below `path`, up to [`SUGGESTED_MAX`] of them.
    fn collect(
        &self,
        path: &str,
        place: PathPlace,
        fits: fn(Option<&Above>) -> bool,
        into: &mut Vec<String>,
    ) {
        if into.len() >= SUGGESTED_MAX {
            return;
        }
        let above = self.supervisors.get(place);
        if fits(above) {
            into.push(path.to_owned());
        }
        let Some(above) = above else { return };
        for (id, place) in above.children.iter().filter(|(id, _)| &***id != UNNAMED) {
            self.collect(&format!("{path}/{id}"), *place, fits, into);
        }
    }

    /// What to say of a path that names a template.
    fn template(&self, path: &str) -> Option<String> {
        let (above, id) = path.rsplit_once('/')?;
        let above = self.supervisor(above)?;
        (above.templates.iter().any(|template| &*template.id == id))
            .then(|| format!(": it is a template, whose instances are `{path}#1`, `{path}#2`, ..."))
    }
}

impl Above {
    /// Whether an instance without a name of its own may be called so.
    fn is_instance(&self, id: &str) -> bool {
        let number = |template: &ChildSpec<Plan>| {
            id.strip_prefix(&*template.id)?.strip_prefix('#')?.parse::<u64>().ok()
        };
        self.templates.iter().any(|template| number(template).is_some())
    }
}
