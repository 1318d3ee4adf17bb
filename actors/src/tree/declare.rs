//! Trees declared in TOML, with what their children are taken from a registry of factories.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mycelium_supervisor::ChildSpec;
use mycelium_supervisor::declare::{
    Declaration, Declared, DeclaredDispatch, DeclaredTree, Mistake, Program, read, suggestion, text,
};

use super::builder::Builder;
use super::child::{Child, Redelivery, Supervisor};
use super::health::Health;
use super::launch::Launcher;
#[cfg(unix)]
use super::process::ProcessSpec;
use crate::{Actor, OwnThread, Service};

/// The children that a program can run, by the names that a declared tree calls it. A name that is given
/// twice counts as given last.
///
/// ```
/// use mycelium::tree::Factories;
/// use mycelium::{Actor, BoxError};
///
/// #[derive(Default)]
/// struct Journal;
/// impl Actor for Journal { type Error = BoxError; }
///
/// let factories = Factories::new()
///     .actor("journal", Journal::default)
///     .future("warm-up", || async { Ok(()) });
/// ```
#[derive(Clone, Default)]
pub struct Factories {
    actors: BTreeMap<String, Make>,
    services: BTreeMap<String, Make>,
    schemes: BTreeMap<String, Find>,
    /// They know more of pools than trees do: see `Factories::pool`.
    pub(crate) pools: BTreeMap<String, MakePool>,
    /// See `Factories::pool_scheme`.
    pub(crate) pool_schemes: BTreeMap<String, FindPool>,
}

/// A pool as a supervisor of this id, with so many workers.
pub(crate) type MakePool = Arc<dyn Fn(&Arc<str>, u32, Option<DeclaredDispatch>) -> Builder + Send + Sync>;

/// A pool whose name stands behind a scheme; or why there is none of that name.
pub(crate) type FindPool = Arc<dyn Fn(&str) -> Result<MakePool, String> + Send + Sync>;

/// What a child with this id is started with.
type Make = Arc<dyn Fn(&Arc<str>) -> Launcher + Send + Sync>;

/// What a child is started with whose name stands behind a scheme; or why there is none of that name.
type Find = Arc<dyn Fn(&str, &Arc<str>) -> Result<Launcher, String> + Send + Sync>;

impl Factories {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Children with `actor = "name"`. `make` gives the actor's value for each life of each of them.
    #[must_use]
    pub fn actor<A: Actor>(
        mut self,
        name: impl Into<String>,
        make: impl Fn() -> A + Send + Sync + 'static,
    ) -> Self {
        self.actors.insert(name.into(), same(Child::actor("", make)));
        self
    }

    /// The same, for actors that are told the id of their child: ten feeds for ten symbols, say.
    ///
    /// ```
    /// # use mycelium::{Actor, BoxError, tree::Factories};
    /// struct Book { symbol: String }
    /// impl Actor for Book { type Error = BoxError; }
    ///
    /// let factories = Factories::new().actor_by_id("book", |id| Book { symbol: id.to_owned() });
    /// ```
    #[must_use]
    pub fn actor_by_id<A: Actor>(
        mut self,
        name: impl Into<String>,
        make: impl Fn(&str) -> A + Send + Sync + 'static,
    ) -> Self {
        let make = Arc::new(make);
        let child = move |id: &Arc<str>| {
            let (make, id) = (Arc::clone(&make), Arc::clone(id));
            Child::actor("", move || make(&id)).0.start
        };
        self.actors.insert(name.into(), Arc::new(child));
        self
    }

    /// Children with `actor = "name"` that are described by a [`Child`]: actors of other languages, say.
    /// `make` is told the id. Of the child counts how it is started, and its thread, health, redelivery,
    /// start time, `source` and `ready_when_told` where the file does not say them; its other options are
    /// the file's.
    ///
    /// ```
    /// use mycelium::tree::{Child, Factories, Redelivery};
    /// # use mycelium::{Actor, BoxError};
    /// # struct Orders;
    /// # impl Actor for Orders { type Error = BoxError; }
    ///
    /// let factories = Factories::new().child("orders", |id| {
    ///     Child::actor(id, || Orders).redelivery(Redelivery::Retry { attempts: 3 })
    /// });
    /// ```
    #[must_use]
    pub fn child(
        mut self,
        name: impl Into<String>,
        make: impl Fn(&str) -> Child + Send + Sync + 'static,
    ) -> Self {
        self.actors.insert(name.into(), Arc::new(move |id: &Arc<str>| make(id).0.start));
        self
    }

    /// Children with `actor = "scheme:name"`, which need not be registered one by one: `find` is told the
    /// name behind the colon and the id, and says why there is none of that name. See [`child`](Self::child)
    /// for its options. A name that is registered as a whole counts before.
    ///
    /// ```
    /// use mycelium::tree::{Child, Factories};
    /// use mycelium::{Actor, BoxError, Supervisor};
    ///
    /// struct Book { symbol: String }
    /// impl Actor for Book { type Error = BoxError; }
    ///
    /// let factories = Factories::new().scheme("book", |symbol, id| {
    ///     if symbol.chars().any(|letter| !letter.is_ascii_uppercase()) {
    ///         return Err(format!("{symbol:?} is no symbol: write capitals, as in book:GOOG"));
    ///     }
    ///     let symbol = symbol.to_owned();
    ///     Ok(Child::actor(id, move || Book { symbol: symbol.clone() }))
    /// });
    /// let file = "[tree]\n[[tree.children]]\nid = \"first\"\nactor = \"book:goog\"";
    /// let error = Supervisor::from_toml(file, &factories).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "line 4, column 9: \"goog\" is no symbol: write capitals, as in book:GOOG"
    /// );
    /// ```
    #[must_use]
    pub fn scheme(
        mut self,
        scheme: impl Into<String>,
        find: impl Fn(&str, &str) -> Result<Child, String> + Send + Sync + 'static,
    ) -> Self {
        let found = move |name: &str, id: &Arc<str>| find(name, id).map(|child| child.0.start);
        self.schemes.insert(scheme.into(), Arc::new(found));
        self
    }

    /// Children with `service = "name"`. `make` gives the service's value for each life of each of them.
    #[must_use]
    pub fn service<S: Service>(
        mut self,
        name: impl Into<String>,
        make: impl Fn() -> S + Send + Sync + 'static,
    ) -> Self {
        self.services.insert(name.into(), same(Child::service("", make)));
        self
    }

    /// The same, for services that are told the id of their child.
    #[must_use]
    pub fn service_by_id<S: Service>(
        mut self,
        name: impl Into<String>,
        make: impl Fn(&str) -> S + Send + Sync + 'static,
    ) -> Self {
        let make = Arc::new(make);
        let child = move |id: &Arc<str>| {
            let (make, id) = (Arc::clone(&make), Arc::clone(id));
            Child::service("", move || make(&id)).0.start
        };
        self.services.insert(name.into(), Arc::new(child));
        self
    }

    /// Children with `service = "name"` that are plain futures, made anew for each life.
    #[must_use]
    pub fn future<F>(mut self, name: impl Into<String>, make: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = crate::Result> + Send + 'static,
    {
        self.services.insert(name.into(), same(Child::future("", make)));
        self
    }

    fn find(&self, kind: FactoryKind, name: &str, id: &Arc<str>) -> Result<Launcher, String> {
        let here = match kind {
            FactoryKind::Actor => &self.actors,
            _ => &self.services,
        };
        let found = match here.get(name) {
            Some(make) => make(id),
            None => match self.scheme_of(kind, name) {
                Some((find, name)) => find(name, id)?,
                None => return Err(self.unknown(kind, name)),
            },
        };
        if found.builder().is_some() {
            let word = kind.word();
            return Err(format!("`{name}` is registered with a supervisor, which is no {word}"));
        }
        Ok(found)
    }

    /// A child with the default options: the actor or the service that is registered under its id.
    pub(crate) fn named(&self, id: &Arc<str>) -> Option<Child> {
        let make = self.actors.get(&**id).or_else(|| self.services.get(&**id))?;
        Some(Child(ChildSpec::worker(Arc::clone(id), make(id))))
    }

    /// The names of actors and services.
    pub(crate) fn all_names(&self) -> BTreeSet<&str> {
        self.names(FactoryKind::Actor).chain(self.names(FactoryKind::Service)).collect()
    }

    /// The scheme of a name, and what stands behind it.
    fn scheme_of<'n>(&self, kind: FactoryKind, name: &'n str) -> Option<(&Find, &'n str)> {
        let (scheme, name) = name.split_once(':').filter(|_| kind == FactoryKind::Actor)?;
        self.schemes.get(scheme).map(|find| (find, name))
    }

    fn pool_of(&self, name: &str) -> Result<MakePool, String> {
        if let Some(make) = self.pools.get(name) {
            return Ok(Arc::clone(make));
        }
        let behind =
            name.split_once(':').and_then(|(scheme, name)| Some((self.pool_schemes.get(scheme)?, name)));
        behind.map_or_else(|| Err(self.unknown(FactoryKind::Pool, name)), |(find, name)| find(name))
    }

    /// Why there is nothing of this name.
    fn unknown(&self, kind: FactoryKind, name: &str) -> String {
        let word = kind.word();
        let other = FactoryKind::ALL.into_iter().find(|other| self.names(*other).any(|one| one == name));
        if let Some(other) = other.map(FactoryKind::word) {
            let article = if kind == FactoryKind::Actor { "an" } else { "a" };
            return format!(
                "`{name}` is registered, but not as {article} {word}: write {other} = \"{name}\""
            );
        }
        if let Some((scheme, _)) = name.split_once(':').filter(|_| kind != FactoryKind::Service) {
            // A whole name may have a colon, too, and counts before schemes.
            let near = suggestion(name, self.names(kind));
            let near = near.or_else(|| suggestion(scheme, self.schemes(kind)));
            let (what, call) = match kind {
                FactoryKind::Pool => ("a pool", "pool_scheme"),
                _ => ("an actor", "scheme"),
            };
            let hint = near.unwrap_or_else(|| {
                format!("; register it with `Factories::{call}`, as `Factories::python` does for Python")
            });
            return format!("`{name}` is {what} of the scheme `{scheme}`, which is not registered{hint}");
        }
        let schemes = self.schemes(kind).map(|scheme| format!("{scheme}:.."));
        let known: Vec<_> = self.names(kind).map(str::to_owned).chain(schemes).collect();
        let hint = suggestion(name, self.names(kind)).unwrap_or_else(|| match known.is_empty() {
            false => format!("; registered are {}", known.join(", ")),
            true => format!("; register one with `Factories::{word}`"),
        });
        format!("no {word} `{name}` is registered{hint}")
    }

    fn schemes(&self, kind: FactoryKind) -> Box<dyn Iterator<Item = &str> + '_> {
        match kind {
            FactoryKind::Actor => Box::new(self.schemes.keys().map(String::as_str)),
            FactoryKind::Service => Box::new(std::iter::empty()),
            FactoryKind::Pool => Box::new(self.pool_schemes.keys().map(String::as_str)),
        }
    }

    fn names(&self, kind: FactoryKind) -> Box<dyn Iterator<Item = &str> + '_> {
        match kind {
            FactoryKind::Actor => Box::new(self.actors.keys().map(String::as_str)),
            FactoryKind::Service => Box::new(self.services.keys().map(String::as_str)),
            FactoryKind::Pool => Box::new(self.pools.keys().map(String::as_str)),
        }
    }
}

/// The same for every child, whatever its id.
fn same(child: Child) -> Make {
    let launcher = child.0.start;
    Arc::new(move |_| launcher.clone())
}

impl fmt::Debug for Factories {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |kind| self.names(kind).collect::<Vec<_>>();
        f.debug_struct("Factories")
            .field("actors", &names(FactoryKind::Actor))
            .field("schemes", &self.schemes.keys().collect::<Vec<_>>())
            .field("services", &names(FactoryKind::Service))
            .field("pools", &names(FactoryKind::Pool))
            .field("pool_schemes", &self.pool_schemes.keys().collect::<Vec<_>>())
            .finish()
    }
}

#[derive(Clone, Copy, PartialEq)]
enum FactoryKind {
    Actor,
    Service,
    Pool,
}

impl FactoryKind {
    const ALL: [Self; 3] = [Self::Actor, Self::Service, Self::Pool];

    /// As a key of a child.
    fn word(self) -> &'static str {
        match self {
            Self::Actor => "actor",
            Self::Service => "service",
            Self::Pool => "pool",
        }
    }
}

/// A declared tree cannot be built.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeclareError {
    /// The file cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// There is a mistake in it.
    Mistake {
        /// The file; `None` for a text.
        path: Option<PathBuf>,
        /// A mistake, and its place.
        mistake: Mistake,
    },
}

impl fmt::Display for DeclareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, cause } => write!(f, "cannot read {}: {cause}", path.display()),
            Self::Mistake { path: Some(path), mistake } => write!(f, "{}: {mistake}", path.display()),
            Self::Mistake { path: None, mistake } => mistake.fmt(f),
        }
    }
}

impl std::error::Error for DeclareError {}

impl Supervisor {
    /// Builds the tree that a TOML text declares; `docs/supervision.md` lists the keys. The same text can be
    /// simulated before it is live: keys and `[[events]]` that are for the dry run mean nothing here.
    ///
    /// The kinds of children are looked up in `factories`. Relative paths of commands are relative to the
    /// working directory of this process.
    ///
    /// # Errors
    /// [`DeclareError`]: the first mistake, with line, column and remedy. A name that is not registered is
    /// one.
    ///
    /// ```
    /// use mycelium::tree::Factories;
    /// use mycelium::{Actor, BoxError, MessageBus, Supervisor};
    ///
    /// #[derive(Default)]
    /// struct Journal;
    /// impl Actor for Journal { type Error = BoxError; }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let factories = Factories::new().actor("journal", Journal::default);
    /// let root = Supervisor::from_toml(
    ///     r#"
    ///     [tree]
    ///     backoff = { initial_ms = 100, cap_ms = 5000 }
    ///     [[tree.children]]
    ///     id = "orders"
    ///     actor = "journal"
    ///     "#,
    ///     &factories,
    /// )?;
    /// let tree = root.start(&MessageBus::new()).await?;
    /// assert!(tree.lookup::<Journal>("root/orders").is_some());
    ///
    /// let typo = "[tree]\n[[tree.children]]\nid = \"orders\"\nactor = \"jurnal\"";
    /// let error = Supervisor::from_toml(typo, &factories).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "line 4, column 9: no actor `jurnal` is registered; did you mean `journal`?"
    /// );
    /// # tree.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_toml(text: &str, factories: &Factories) -> Result<Builder, DeclareError> {
        build(text, factories).map_err(|mistake| DeclareError::Mistake { path: None, mistake })
    }

    /// Builds the tree that a TOML file of at most [`TREE_BYTES_MAX`](super::TREE_BYTES_MAX) declares; see
    /// [`from_toml`](Self::from_toml).
    ///
    /// # Errors
    /// [`DeclareError`], with the name of the file.
    pub fn from_toml_file(path: impl AsRef<Path>, factories: &Factories) -> Result<Builder, DeclareError> {
        let path = path.as_ref();
        let unreadable = |error: std::io::Error| DeclareError::Unreadable {
            path: path.to_owned(),
            cause: error.to_string(),
        };
        let bytes = read(path).map_err(unreadable)?;
        let named = |mistake| DeclareError::Mistake { path: Some(path.to_owned()), mistake };
        text(&bytes).and_then(|text| build(text, factories)).map_err(named)
    }
}

fn build(text: &str, factories: &Factories) -> Result<Builder, Mistake> {
    declared(&Declaration::parse(text)?, factories)
}

/// The tree that was declared.
pub(crate) fn declared(declaration: &Declaration, factories: &Factories) -> Result<Builder, Mistake> {
    supervisor(&declaration.root, &declaration.tree, factories)
}

fn supervisor(id: &str, tree: &DeclaredTree, factories: &Factories) -> Result<Builder, Mistake> {
    let mut builder = Supervisor::builder(id);
    builder.flags = tree.flags;
    for declared in &tree.children {
        let start = launcher(declared, factories)?;
        let ChildSpec { id, restart, shutdown, kind, significant, backoff, .. } = declared.clone();
        builder.children.push(ChildSpec { id, start, restart, shutdown, kind, significant, backoff });
    }
    Ok(builder)
}

fn launcher(child: &ChildSpec<Declared>, factories: &Factories) -> Result<Launcher, Mistake> {
    let Declared { place, program, source, care, tree, .. } = &child.start;
    if let Some(tree) = tree {
        let supervisor = match program {
            Some(Program::Pool { name, workers, dispatch }) => {
                let make = factories.pool_of(name).map_err(|cause| place.mistake(cause))?;
                let mut pool = make(&child.id, *workers, *dispatch);
                pool.flags = tree.flags;
                pool
            }
            _ => supervisor(&child.id, tree, factories)?,
        };
        let mut launcher = Child::supervisor(supervisor).0.start;
        launcher.start_timeout = care.start_timeout.or(launcher.start_timeout);
        return Ok(launcher);
    }
    let found = match program {
        Some(Program::Actor(name)) => factories.find(FactoryKind::Actor, name, &child.id),
        Some(Program::Service(name)) => factories.find(FactoryKind::Service, name, &child.id),
        Some(Program::Process { command, env, cwd }) => {
            process(&child.id, command, env, cwd.as_deref(), care.ready_line.as_deref())
        }
        _ => Err(format!(
            "child `{}` does not say what it runs: give it actor = \"..\", service = \"..\", command = [\"..\"] or pool = \"..\"",
            child.id
        )),
    };
    let mut launcher = found.map_err(|cause| place.mistake(cause))?;
    launcher.source = source.or(launcher.source);
    launcher.tells |= care.ready_when_told;
    launcher.start_timeout = care.start_timeout.or(launcher.start_timeout);
    if let Some(attempts) = care.redelivery_attempts {
        launcher.redelivery = Redelivery::Retry { attempts };
    }
    if let Some(declared) = care.thread {
        // One that has a thread already keeps it: it may be that of another language.
        let own = launcher.thread.as_deref().cloned();
        let thread = own.unwrap_or_else(|| OwnThread::new(&*child.id));
        let thread = declared.pin_to.map_or(thread.clone(), |core| thread.pin_to(core as usize));
        launcher.thread = Some(Arc::new(if declared.busy_polling { thread.busy_polling() } else { thread }));
    }
    if let Some(limit) = care.stuck_after {
        let health = Health::within(limit);
        launcher.health = Some(if care.restart_when_stuck { health.restart() } else { health });
    }
    Ok(launcher)
}

#[cfg(unix)]
fn process(
    id: &str,
    command: &[String],
    env: &[(String, String)],
    cwd: Option<&str>,
    ready_line: Option<&str>,
) -> Result<Launcher, String> {
    let Some((program, args)) = command.split_first() else { return Err("`command` is empty".to_owned()) };
    let mut spec = ProcessSpec::new(program).args(args);
    for (name, value) in env {
        spec = spec.env(name, value);
    }
    if let Some(directory) = cwd {
        spec = spec.cwd(directory);
    }
    if let Some(text) = ready_line {
        spec = spec.ready_line(text);
    }
    Ok(Child::process(id, spec).0.start)
}

#[cfg(not(unix))]
fn process(
    _: &str,
    _: &[String],
    _: &[(String, String)],
    _: Option<&str>,
    _: Option<&str>,
) -> Result<Launcher, String> {
    Err("operating-system processes are supervised on Unix only".to_owned())
}
