//! The keys of supervisors and children.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use mycelium_toml::{Content, Fields, Mistake, Value, whole};

use super::arguments::{DeclaredArguments, arguments};
use super::pools;
use super::{Care, DeclaredThread, Program, REDELIVERY_ATTEMPTS_MAX};
use crate::backoff::Backoff;
use crate::sim::{Behaviour, DEPTH_MAX};
use crate::spec::{
    AutoShutdown, CHILDREN_MAX, ChildKind, ChildSpec, Flags, INTENSITY_MAX, Restart, Shutdown, SpecError,
    Strategy, check,
};

const SUPERVISOR_KEYS: &[&str] =
    &["strategy", "intensity", "period_s", "auto_shutdown", "backoff", "children"];
const CHILD_KEYS: &[&str] = &[
    "id",
    "type",
    "restart",
    "shutdown_ms",
    "shutdown",
    "significant",
    "own_backoff",
    "start_fails",
    "start_ignores",
    "start_takes_ms",
    "stop_takes_ms",
    "actor",
    "service",
    "arguments",
    "command",
    "env",
    "cwd",
    "source",
    "start_timeout_ms",
    "ready_when_told",
    "ready_line",
    "stuck_after_ms",
    "restart_when_stuck",
    "redelivery_attempts",
    "thread",
    "pool",
    "workers",
    "dispatch",
];
const THREAD_KEYS: &[&str] = &["pin_to", "busy_polling"];

/// The highest core that a thread may be pinned to, as Linux counts them.
const CORE_MAX: u32 = 1023;

const BACKOFF_KEYS: &[&str] = &["initial_ms", "multiplier", "cap_ms", "jitter", "reset_after_ms"];

/// Most entries of `start_fails` and of `start_ignores`, which each start of the child goes through.
pub const SCRIPTED_STARTS_MAX: usize = 10_000;

/// The keys of an instance of a simple-one-for-one supervisor in a script.
pub(crate) const INSTANCE_KEYS: &[&str] =
    &["id", "start_fails", "start_ignores", "start_takes_ms", "stop_takes_ms"];

/// Keys that say what a worker is, with those that go with a command.
pub(super) const PROGRAM_KEYS: &[&str] = &["actor", "service", "command"];
const COMMAND_KEYS: &[&str] = &["env", "cwd", "ready_line"];

/// Keys about a worker that runs.
const WORKER_KEYS: &[&str] = &[
    "arguments",
    "source",
    "ready_when_told",
    "stuck_after_ms",
    "restart_when_stuck",
    "redelivery_attempts",
    "thread",
];

/// What a file says of one child.
#[derive(Debug)]
pub(super) struct ChildEntry<'t, T> {
    /// What says so: its program, or the child as a whole.
    pub(super) said: Value<'t>,
    pub(super) program: Option<Program>,
    pub(super) arguments: Option<DeclaredArguments>,
    pub(super) source: Option<bool>,
    pub(super) care: Care,
    /// For a supervisor: its flags and children.
    pub(super) tree: Option<(Flags, Vec<ChildSpec<T>>)>,
    /// Without the tree.
    pub(super) behaviour: Behaviour,
}

/// What children are started with: it takes of an entry what it needs, and the rest is not kept.
pub(super) trait Start: Sized {
    /// `before`: that of the sibling before it.
    fn new(entry: ChildEntry<'_, Self>, before: Option<&Self>) -> Self;
}

/// The root's id, flags and children.
pub(super) type Root<T> = (Arc<str>, Flags, Vec<ChildSpec<T>>);

pub(super) fn declaration<T: Start>(document: &Fields<'_>) -> Result<Root<T>, Mistake> {
    let missing = || document.place().mistake("`[tree]` is missing: the root supervisor is described there");
    let tree = document.get("tree").ok_or_else(missing)?;
    let fields = Fields::new(tree, "[tree]", &[&["id"], SUPERVISOR_KEYS].concat())?;
    let root = fields.string("id")?.unwrap_or("root".into());
    check_id(&fields, "id", &root)?;
    let pooled = Cell::new(0);
    let (flags, children) = supervisor(&fields, Nest { depth: 1, pooled: &pooled })?;
    Ok((root.into(), flags, children))
}

/// Where in its file a supervisor stands.
#[derive(Clone, Copy)]
pub(super) struct Nest<'n> {
    /// The root is at 1.
    depth: usize,
    /// The workers of all pools before it.
    pub(super) pooled: &'n Cell<u32>,
}

impl Nest<'_> {
    /// One below.
    ///
    /// # Errors
    /// Nothing may be so deep.
    fn below(self, fields: &Fields<'_>) -> Result<Self, Mistake> {
        if self.depth >= DEPTH_MAX {
            return Err(fields.place().mistake(format!("supervisors are nested deeper than {DEPTH_MAX}")));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

/// The flags and children of a supervisor.
fn supervisor<T: Start>(fields: &Fields<'_>, nest: Nest<'_>) -> Result<(Flags, Vec<ChildSpec<T>>), Mistake> {
    let flags = flags(fields)?;
    let mut children: Vec<ChildSpec<T>> = Vec::new();
    let mut ids = BTreeSet::new();
    for value in fields.list("children", CHILDREN_MAX)? {
        let table = child_fields(value, "a child")?;
        let spec = child_of(&table, nest, children.last())?;
        spec.check(&flags).map_err(|error| table.wrong(culprit(&error, &spec), error.to_string()))?;
        if !ids.insert(spec.id.clone()) {
            let error = SpecError::DuplicateId { id: spec.id };
            return Err(table.wrong("id", error.to_string()));
        }
        children.push(spec);
    }
    check(&flags, &children).map_err(|error| fields.wrong("strategy", error.to_string()))?;
    Ok((flags, children))
}

/// The key to blame for a specification that does not fit.
fn culprit<F>(error: &SpecError, spec: &ChildSpec<F>) -> &'static str {
    match error {
        SpecError::SignificantNever { .. } | SpecError::SignificantPermanent { .. } => "significant",
        SpecError::InvalidBackoff { .. } if spec.kind == ChildKind::Supervisor => "own_backoff",
        SpecError::InvalidBackoff { .. } => "backoff",
        _ => "id",
    }
}

fn flags(fields: &Fields<'_>) -> Result<Flags, Mistake> {
    let default = Flags::default();
    let strategies = [
        ("one_for_one", Strategy::OneForOne),
        ("one_for_all", Strategy::OneForAll),
        ("rest_for_one", Strategy::RestForOne),
        ("simple_one_for_one", Strategy::SimpleOneForOne),
    ];
    let auto_shutdowns = [
        ("never", AutoShutdown::Never),
        ("any_significant", AutoShutdown::AnySignificant),
        ("all_significant", AutoShutdown::AllSignificant),
    ];
    let flags = Flags {
        strategy: fields.word("strategy", &strategies)?.unwrap_or(default.strategy),
        intensity: fields.count("intensity", 0..=INTENSITY_MAX, "")?.unwrap_or(default.intensity),
        period: fields.time("period_s", 1_000.0)?.unwrap_or(default.period),
        auto_shutdown: fields.word("auto_shutdown", &auto_shutdowns)?.unwrap_or(default.auto_shutdown),
        backoff: backoff(fields, "backoff")?,
    };
    let key = |error: &SpecError| match error {
        SpecError::InvalidIntensity { .. } => "intensity",
        SpecError::InvalidPeriod { .. } => "period_s",
        _ => "backoff",
    };
    flags.check().map_err(|error| fields.wrong(key(&error), error.to_string()))?;
    Ok(flags)
}

fn backoff(fields: &Fields<'_>, key: &'static str) -> Result<Option<Backoff>, Mistake> {
    let Some(value) = fields.get(key) else { return Ok(None) };
    let fields = Fields::new(value, "`backoff`", BACKOFF_KEYS)?;
    let default = Backoff::default();
    Ok(Some(Backoff {
        initial: fields.time("initial_ms", 1.0)?.unwrap_or(default.initial),
        multiplier: fields.number("multiplier")?.unwrap_or(default.multiplier),
        cap: fields.time("cap_ms", 1.0)?.unwrap_or(default.cap),
        jitter: fields.number("jitter")?.unwrap_or(default.jitter),
        reset_after: fields.time("reset_after_ms", 1.0)?.unwrap_or(default.reset_after),
    }))
}

fn child_fields<'t>(value: Value<'t>, what: &'static str) -> Result<Fields<'t>, Mistake> {
    Fields::new(value, what, &[CHILD_KEYS, SUPERVISOR_KEYS].concat())
}

/// A child of a supervisor at `depth` (the root is at 1) that stands alone, as in a script. Whether it fits
/// that supervisor is not checked.
///
/// # Errors
/// The first mistake, with its place. Messages call the table `what`.
pub(super) fn child<T: Start>(
    value: Value<'_>,
    what: &'static str,
    depth: usize,
) -> Result<ChildSpec<T>, Mistake> {
    child_of(&child_fields(value, what)?, Nest { depth, pooled: &Cell::new(0) }, None)
}

fn child_of<T: Start>(
    fields: &Fields<'_>,
    nest: Nest<'_>,
    before: Option<&ChildSpec<T>>,
) -> Result<ChildSpec<T>, Mistake> {
    let id = fields.string("id")?.ok_or_else(|| fields.missing("id"))?;
    check_id(fields, "id", &id)?;
    let Options { kind, restart, shutdown, significant } = options(fields)?;
    let kind = if pools::is_pool(fields, &id)? { ChildKind::Supervisor } else { kind };
    let (entry, backoff) = match kind {
        ChildKind::Supervisor => (supervisor_child(fields, &id, nest)?, backoff(fields, "own_backoff")?),
        ChildKind::Worker => (worker(fields, &id)?, backoff(fields, "backoff")?),
    };
    let start = T::new(entry, before.map(|before| &before.start));
    Ok(ChildSpec { id: id.into(), start, restart, shutdown, kind, significant, backoff })
}

/// What a specification says of any child.
pub(super) struct Options {
    pub(super) kind: ChildKind,
    pub(super) restart: Restart,
    pub(super) shutdown: Option<Shutdown>,
    pub(super) significant: bool,
}

pub(super) fn options(fields: &Fields<'_>) -> Result<Options, Mistake> {
    let kinds = [("worker", ChildKind::Worker), ("supervisor", ChildKind::Supervisor)];
    let restarts = [
        ("permanent", Restart::Permanent),
        ("transient", Restart::Transient),
        ("temporary", Restart::Temporary),
    ];
    Ok(Options {
        kind: fields.word("type", &kinds)?.unwrap_or_default(),
        restart: fields.word("restart", &restarts)?.unwrap_or_default(),
        shutdown: shutdown(fields)?,
        significant: fields.boolean("significant")?.unwrap_or_default(),
    })
}

fn supervisor_child<'t, T: Start>(
    fields: &Fields<'t>,
    id: &str,
    nest: Nest<'_>,
) -> Result<ChildEntry<'t, T>, Mistake> {
    for (key, does, done) in [("start_takes_ms", "starts", "started"), ("stop_takes_ms", "stops", "stopped")]
    {
        if fields.has(key) {
            let cause = format!("a supervisor {does} when its children have {done}: give `{key}` to them");
            return Err(fields.wrong(key, cause));
        }
    }
    let (below, pool) = (nest.below(fields)?, pools::pool(fields, id, nest)?);
    for key in [PROGRAM_KEYS, COMMAND_KEYS, WORKER_KEYS].concat() {
        if fields.has(key) {
            let cause =
                format!("`{key}` belongs to a worker: `{id}` is a supervisor, which only looks after others");
            return Err(fields.wrong(key, cause));
        }
    }
    let (said, program, tree) = match pool {
        Some((said, program, workers)) => {
            let children = pools::workers(fields.table(), workers);
            (said, Some(program), (flags(fields)?, children))
        }
        None => (fields.table(), None, supervisor(fields, below)?),
    };
    let care = Care { start_timeout: start_timeout(fields)?, ..Care::default() };
    let behaviour = behaviour(fields)?;
    Ok(ChildEntry { said, program, arguments: None, source: None, care, tree: Some(tree), behaviour })
}

fn worker<'t, T>(fields: &Fields<'t>, id: &str) -> Result<ChildEntry<'t, T>, Mistake> {
    let foreign = SUPERVISOR_KEYS.iter().filter(|key| **key != "backoff");
    if let Some(key) = foreign.into_iter().find(|key| fields.has(key)) {
        let cause = format!("`{key}` belongs to a supervisor: add type = \"supervisor\" to child `{id}`");
        return Err(fields.wrong(key, cause));
    }
    if fields.has("own_backoff") {
        let cause =
            format!("`own_backoff` belongs to a supervisor: the backoff of worker `{id}` is `backoff`");
        return Err(fields.wrong("own_backoff", cause));
    }
    let given: Vec<&str> = PROGRAM_KEYS.iter().copied().filter(|key| fields.has(key)).collect();
    if let [first, second, ..] = given[..] {
        let cause = format!("child `{id}` is either `{first}` or `{second}`: leave one of them out");
        return Err(fields.wrong(second, cause));
    }
    if let Some(key) = COMMAND_KEYS.iter().find(|key| fields.has(key))
        && !fields.has("command")
    {
        return Err(
            fields.wrong(key, format!("`{key}` goes with `command`, which child `{id}` does not have"))
        );
    }
    let name = |key| fields.string(key).map(|name| name.map(Cow::into_owned));
    let program = if let Some(command) = fields.strings("command")? {
        if command.first().is_none_or(String::is_empty) {
            let cause =
                "`command` is empty: its first entry is what to run, as in [\"python3\", \"worker.py\"]";
            return Err(fields.wrong("command", cause));
        }
        Some(Program::Process { command, env: fields.texts("env")?, cwd: name("cwd")? })
    } else {
        name("actor")?.map(Program::Actor).or(name("service")?.map(Program::Service))
    };
    let said = given.first().and_then(|key| fields.get(key)).unwrap_or(fields.table());
    let arguments = arguments(fields, id)?;
    let source = fields.boolean("source")?;
    let care = care(fields, id)?;
    Ok(ChildEntry { said, program, arguments, source, care, tree: None, behaviour: behaviour(fields)? })
}

/// How a worker is looked after.
fn care(fields: &Fields<'_>, id: &str) -> Result<Care, Mistake> {
    let care = Care {
        start_timeout: start_timeout(fields)?,
        ready_when_told: fields.boolean("ready_when_told")?.unwrap_or_default(),
        ready_line: fields.string("ready_line")?.map(Cow::into_owned),
        stuck_after: fields.time("stuck_after_ms", 1.0)?,
        restart_when_stuck: fields.boolean("restart_when_stuck")?.unwrap_or_default(),
        redelivery_attempts: redelivery_attempts(fields, id)?,
        thread: thread(fields, id)?,
    };
    if care.ready_when_told && fields.has("command") {
        let cause = format!("a process cannot tell: give child `{id}` a `ready_line`, a text that it writes");
        return Err(fields.wrong("ready_when_told", cause));
    }
    if care.restart_when_stuck && care.stuck_after.is_none() {
        let cause =
            format!("`restart_when_stuck` goes with `stuck_after_ms`, which child `{id}` does not have");
        return Err(fields.wrong("restart_when_stuck", cause));
    }
    Ok(care)
}

fn thread(fields: &Fields<'_>, id: &str) -> Result<Option<DeclaredThread>, Mistake> {
    let Some(value) = fields.get("thread") else { return Ok(None) };
    if fields.has("command") {
        let cause =
            format!("`thread` is for an actor or a service: child `{id}` is a process, which has its own");
        return Err(fields.wrong("thread", cause));
    }
    let fields = Fields::new(value, "`thread`", THREAD_KEYS)?;
    Ok(Some(DeclaredThread {
        pin_to: fields.count("pin_to", 0..=CORE_MAX, "")?,
        busy_polling: fields.boolean("busy_polling")?.unwrap_or_default(),
    }))
}

fn redelivery_attempts(fields: &Fields<'_>, id: &str) -> Result<Option<u32>, Mistake> {
    const KEY: &str = "redelivery_attempts";
    const FIRST: &str = " (a dead letter at the first failure)";
    let Some(attempts) = fields.count(KEY, 1..=REDELIVERY_ATTEMPTS_MAX, FIRST)? else { return Ok(None) };
    if let Some(other) = ["command", "service"].into_iter().find(|other| fields.has(other)) {
        let cause = format!("`{KEY}` is about the messages of an actor: child `{id}` is a `{other}`");
        return Err(fields.wrong(KEY, cause));
    }
    Ok(Some(attempts))
}

fn start_timeout(fields: &Fields<'_>) -> Result<Option<Duration>, Mistake> {
    match fields.time("start_timeout_ms", 1.0)? {
        Some(Duration::ZERO) => {
            Err(fields.wrong("start_timeout_ms", "`start_timeout_ms` is 0: no child starts in no time"))
        }
        limit => Ok(limit),
    }
}

fn shutdown(fields: &Fields<'_>) -> Result<Option<Shutdown>, Mistake> {
    let words = [("brutal_kill", Shutdown::BrutalKill), ("infinity", Shutdown::Infinity)];
    match (fields.time("shutdown_ms", 1.0)?, fields.get("shutdown")) {
        (Some(_), Some(_)) => Err(fields.wrong("shutdown", "give `shutdown_ms` or `shutdown`, not both")),
        (Some(time), None) => Ok(Some(Shutdown::Timeout(time))),
        (None, Some(value)) if matches!(value.content(), Content::Integer(_) | Content::Float(_)) => {
            let cause = "`shutdown` is \"brutal_kill\" or \"infinity\"; a time goes into `shutdown_ms`";
            Err(fields.wrong("shutdown", cause))
        }
        (None, _) => fields.word("shutdown", &words),
    }
}

/// How a child behaves in a dry run; it has no tree.
///
/// # Errors
/// The first mistake, with its place.
pub(crate) fn behaviour(fields: &Fields<'_>) -> Result<Behaviour, Mistake> {
    Ok(Behaviour {
        start_fails: counts(fields, "start_fails", SCRIPTED_STARTS_MAX)?,
        start_ignores: counts(fields, "start_ignores", SCRIPTED_STARTS_MAX)?,
        start_takes: fields.time("start_takes_ms", 1.0)?.unwrap_or_default(),
        stop_takes: fields.time("stop_takes_ms", 1.0)?.unwrap_or_default(),
        tree: None,
    })
}

/// Checks the id of a child or of the root.
///
/// # Errors
/// The id is not valid; the mistake lies at `key`.
pub(crate) fn check_id(fields: &Fields<'_>, key: &str, id: &str) -> Result<(), Mistake> {
    // The checks of an id do not depend on flags.
    let probe = ChildSpec::worker(id, ());
    probe.check(&Flags::default()).map_err(|error| fields.wrong(key, error.to_string()))
}

/// A list of at most `most` whole numbers that count something from 1; empty if it does not stand there.
///
/// # Errors
/// It is something else.
fn counts(fields: &Fields<'_>, key: &str, most: usize) -> Result<Vec<u32>, Mistake> {
    let values = fields.array(key, most, "a list of numbers such as [2]")?;
    let count = |value: Value<'_>| match whole(key, value)? {
        Some(0) => Err(value.mistake(format!("`{key}` counts starts from 1, there is no start 0"))),
        Some(count) => Ok(count),
        None => {
            let cause = format!("`{key}` counts starts, {} is none of 1 to {}", value.written(), u32::MAX);
            Err(value.mistake(cause))
        }
    };
    values.map(count).collect()
}
