//! What children of trees are made of by name: the table of factories.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use mycelium_supervisor::ChildSpec;
use mycelium_supervisor::declare::{DeclaredDispatch, suggestion};
use serde_core::de::DeserializeOwned;

use super::arguments::{ArgumentError, Arguments};
use super::builder::Builder;
use super::child::Child;
use super::launch::Launcher;
use crate::{Actor, Service};

/// The children that a program can run, by the names that a declared tree, or a program in Python, calls
/// them. A name that is given twice counts as given last.
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

/// What a child with this id and these arguments is started with.
type Make = Arc<dyn Fn(&Arc<str>, &Arguments) -> Result<Launcher, ArgumentError> + Send + Sync>;

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
        self.actors.insert(name.into(), without_arguments(child));
        self
    }

    /// The same, for actors with arguments, which `make` is told as a type of its own: see
    /// [`Arguments::read`]. They are read once, when a child is described, and a mistake in them is an error
    /// then. A declared tree has them as `arguments = { fast = 5, slow = 20 }` of the child, and a program in
    /// Python gives them by name ([`child_of`](Self::child_of)).
    ///
    /// ```
    /// use mycelium::tree::{Arguments, Factories};
    /// use mycelium::{Actor, BoxError};
    ///
    /// #[derive(serde::Deserialize)]
    /// #[serde(deny_unknown_fields)]
    /// struct Windows { fast: usize, slow: usize }
    ///
    /// struct Cross { fast: Vec<f64>, slow: Vec<f64> }
    /// impl Actor for Cross { type Error = BoxError; }
    ///
    /// let factories = Factories::new().actor_with("cross", |windows: &Windows| Cross {
    ///     fast: vec![0.0; windows.fast],
    ///     slow: vec![0.0; windows.slow],
    /// });
    /// let child = factories.child_of("cross", "first", &Arguments::new().with("fast", 5).with("slow", 20))?;
    /// assert_eq!(child.id(), "first");
    ///
    /// let error = factories.child_of("cross", "first", &Arguments::new().with("fast", 5)).unwrap_err();
    /// assert_eq!(error.to_string(), "`cross` does not take these arguments: `slow`: it is missing");
    /// # Ok::<(), mycelium::tree::FactoryError>(())
    /// ```
    #[must_use]
    pub fn actor_with<A: Actor, T: DeserializeOwned + Send + Sync + 'static>(
        mut self,
        name: impl Into<String>,
        make: impl Fn(&T) -> A + Send + Sync + 'static,
    ) -> Self {
        let make = Arc::new(make);
        let child = move |_: &Arc<str>, arguments: &Arguments| {
            let (make, told) = (Arc::clone(&make), arguments.read::<T>()?);
            Ok(Child::actor("", move || make(&told)).0.start)
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
        self.actors.insert(name.into(), without_arguments(move |id: &Arc<str>| make(id).0.start));
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
        self.services.insert(name.into(), without_arguments(child));
        self
    }

    /// The same, for services with arguments: see [`actor_with`](Self::actor_with).
    #[must_use]
    pub fn service_with<S: Service, T: DeserializeOwned + Send + Sync + 'static>(
        mut self,
        name: impl Into<String>,
        make: impl Fn(&T) -> S + Send + Sync + 'static,
    ) -> Self {
        let make = Arc::new(make);
        let child = move |_: &Arc<str>, arguments: &Arguments| {
            let (make, told) = (Arc::clone(&make), arguments.read::<T>()?);
            Ok(Child::service("", move || make(&told)).0.start)
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

    /// All of both. Of a name that both have, that of `other` counts.
    ///
    /// ```
    /// # use mycelium::{Actor, BoxError, tree::Factories};
    /// # struct Risk;
    /// # impl Actor for Risk { type Error = BoxError; }
    /// fn of_risk() -> Factories {
    ///     Factories::new().actor("risk", || Risk)
    /// }
    /// let all = Factories::new().future("warm-up", || async { Ok(()) }).and(of_risk());
    /// # let _ = all;
    /// ```
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        let Self { actors, services, schemes, pools, pool_schemes } = other;
        self.actors.extend(actors);
        self.services.extend(services);
        self.schemes.extend(schemes);
        self.pools.extend(pools);
        self.pool_schemes.extend(pool_schemes);
        self
    }

    /// A child of the actor, or else the service, of this name, made with these arguments. Its options are
    /// those of a [`Child`], unless its factory says others.
    ///
    /// ```
    /// # use mycelium::{Actor, BoxError};
    /// use mycelium::tree::{Arguments, Factories};
    /// # struct Journal;
    /// # impl Actor for Journal { type Error = BoxError; }
    ///
    /// let factories = Factories::new().actor("journal", || Journal);
    /// let child = factories.child_of("journal", "orders", &Arguments::new())?;
    /// assert_eq!(child.id(), "orders");
    ///
    /// let error = factories.child_of("jurnal", "orders", &Arguments::new()).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "no actor or service `jurnal` is registered; did you mean `journal`? There is `journal`"
    /// );
    /// # Ok::<(), mycelium::tree::FactoryError>(())
    /// ```
    ///
    /// # Errors
    /// [`FactoryError`]: there is none of this name, or it does not take these arguments.
    pub fn child_of(
        &self,
        name: &str,
        id: impl Into<Arc<str>>,
        arguments: &Arguments,
    ) -> Result<Child, FactoryError> {
        let id = id.into();
        let is_service = !self.actors.contains_key(name) && self.services.contains_key(name);
        let kind = if is_service { FactoryKind::Service } else { FactoryKind::Actor };
        let start = self.find(kind, name, &id, arguments)?;
        Ok(Child(ChildSpec::worker(id, start)))
    }

    pub(super) fn find(
        &self,
        kind: FactoryKind,
        name: &str,
        id: &Arc<str>,
        arguments: &Arguments,
    ) -> Result<Launcher, FactoryError> {
        let here = match kind {
            FactoryKind::Actor => &self.actors,
            _ => &self.services,
        };
        let refused = |cause| FactoryError::Refused { name: name.to_owned(), cause };
        let wrong = |error| FactoryError::Arguments { name: name.to_owned(), error };
        let found = match (here.get(name), self.scheme_of(kind, name)) {
            (Some(make), _) => make(id, arguments).map_err(wrong)?,
            (None, Some((find, behind))) => {
                arguments.read::<()>().map_err(wrong)?;
                find(behind, id).map_err(refused)?
            }
            (None, None) => {
                let registered = self.all_names().into_iter().map(str::to_owned).collect();
                let cause = self.unknown(kind, name);
                return Err(FactoryError::Unknown { name: name.to_owned(), registered, cause });
            }
        };
        if found.builder().is_some() {
            let word = kind.word();
            return Err(refused(format!("`{name}` is registered with a supervisor, which is no {word}")));
        }
        Ok(found)
    }

    /// A child with the default options: the actor or the service that is registered under its id.
    pub(crate) fn named(&self, id: &Arc<str>) -> Option<Result<Child, FactoryError>> {
        let is_there = self.actors.contains_key(&**id) || self.services.contains_key(&**id);
        is_there.then(|| self.child_of(id, Arc::clone(id), &Arguments::new()))
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

    pub(super) fn pool_of(&self, name: &str) -> Result<MakePool, String> {
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
    without_arguments(move |_| launcher.clone())
}

fn without_arguments(child: impl Fn(&Arc<str>) -> Launcher + Send + Sync + 'static) -> Make {
    Arc::new(move |id: &Arc<str>, arguments: &Arguments| {
        arguments.read::<()>()?;
        Ok(child(id))
    })
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
pub(super) enum FactoryKind {
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

/// There is no such child, or it is not made so.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FactoryError {
    /// Nothing of this name is registered.
    Unknown {
        /// The name.
        name: String,
        /// The names of the actors and services that are registered.
        registered: Vec<String>,
        /// What a declared tree says of it, with the nearest name.
        cause: String,
    },
    /// It does not take these arguments.
    Arguments {
        /// The name.
        name: String,
        /// The mistake.
        error: ArgumentError,
    },
    /// The program does not have it so: the code that finds names behind a scheme says why.
    Refused {
        /// The name.
        name: String,
        /// The reason.
        cause: String,
    },
}

impl FactoryError {
    /// As a mistake in the file of a declared tree says it.
    pub(super) fn in_file(self) -> String {
        match self {
            Self::Unknown { cause, .. } => cause,
            other => other.to_string(),
        }
    }
}

impl fmt::Display for FactoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name, registered, .. } => {
                write!(f, "no actor or service `{name}` is registered")?;
                if registered.is_empty() {
                    return f.write_str("; there is none at all: register some with `Factories`");
                }
                let near = suggestion(name, registered.iter().map(String::as_str));
                let names: Vec<_> = registered.iter().map(|name| format!("`{name}`")).collect();
                let verb = if names.len() == 1 { "is" } else { "are" };
                let there = if near.is_some() { " There" } else { "; there" };
                write!(f, "{}{there} {verb} {}", near.unwrap_or_default(), names.join(", "))
            }
            Self::Arguments { name, error } => write!(f, "`{name}` does not take these arguments: {error}"),
            Self::Refused { cause, .. } => f.write_str(cause),
        }
    }
}

impl std::error::Error for FactoryError {}
