//! Trees declared in TOML, with what their children are taken from a registry of factories.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mycelium_supervisor::ChildSpec;
use mycelium_supervisor::declare::{
    Declaration, Declared, DeclaredArgument, DeclaredArguments, DeclaredTree, DeclaredValue, Mistake, Place,
    Program, read, text,
};

use super::arguments::{Argument, ArgumentError, Arguments};
use super::builder::Builder;
use super::child::{Child, Redelivery, Supervisor};
use super::factories::{Factories, FactoryError, FactoryKind};
use super::health::Health;
use super::launch::Launcher;
#[cfg(unix)]
use super::process::ProcessSpec;
use crate::OwnThread;

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
    let Declared { place, program, arguments, source, care, tree, .. } = &child.start;
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
    let of_kind = |kind, name: &str| {
        let told = arguments.as_ref().map_or_else(Arguments::new, of_file);
        factories.find(kind, name, &child.id, &told).map_err(|error| {
            let place = place_of(&error, arguments.as_ref()).unwrap_or(*place);
            place.mistake(error.in_file())
        })
    };
    let found = match program {
        Some(Program::Actor(name)) => of_kind(FactoryKind::Actor, name),
        Some(Program::Service(name)) => of_kind(FactoryKind::Service, name),
        Some(Program::Process { command, env, cwd }) => {
            process(&child.id, command, env, cwd.as_deref(), care.ready_line.as_deref())
                .map_err(|cause| place.mistake(cause))
        }
        _ => Err(place.mistake(format!(
            "child `{}` does not say what it runs: give it actor = \"..\", service = \"..\", command = [\"..\"] or pool = \"..\"",
            child.id
        ))),
    };
    let mut launcher = found?;
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

/// The place of the argument that was refused, if it is one of the file; of one that is missing that of all.
fn place_of(error: &FactoryError, arguments: Option<&DeclaredArguments>) -> Option<Place> {
    let FactoryError::Arguments { error: ArgumentError { argument, .. }, .. } = error else { return None };
    let arguments = arguments?;
    Some(argument.as_deref().map_or(arguments.place, |argument| arguments.place_of(argument)))
}

fn of_file(arguments: &DeclaredArguments) -> Arguments {
    arguments.values.iter().map(|(name, value)| (name.as_str(), value_of(value))).collect()
}

/// Values of a file nest as deep as a text may.
fn value_of(declared: &DeclaredArgument) -> Argument {
    match &declared.value {
        DeclaredValue::Flag(flag) => Argument::Flag(*flag),
        DeclaredValue::Whole(whole) => Argument::Whole(*whole),
        DeclaredValue::Large(large) => Argument::Large(*large),
        DeclaredValue::Number(number) => Argument::Number(*number),
        DeclaredValue::Text(text) => Argument::Text(text.clone()),
        DeclaredValue::List(values) => Argument::List(values.iter().map(value_of).collect()),
        DeclaredValue::Table(values) => {
            Argument::Table(values.iter().map(|(name, value)| (name.clone(), value_of(value))).collect())
        }
    }
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
