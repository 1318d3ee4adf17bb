//! Supervision trees as Python describes them (`mycelium.Supervisor`, `mycelium.Child` and
//! `mycelium.Pool`): attributes
//! that were checked there, and become the builders of the core.

use std::sync::Arc;
use std::time::Duration;

use mycelium::Supervisor;
use mycelium::pool::Dispatch;
use mycelium::tree::{
    AutoShutdown, Backoff, Builder, Child, Health, Redelivery, Restart, Shutdown, Strategy,
};
use mycelium_hosted::{ActorSpec, HostedPool};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

use crate::actor::{ActorPlan, HandlerPlan, Takes};
use crate::host::Host;
use crate::wait;

/// Whose trees they are.
pub(crate) struct Hosting<'a> {
    pub(crate) host: &'a Arc<Host>,
    pub(crate) child: &'a dyn Fn(&str, ActorSpec) -> Child,
    pub(crate) pool: &'a dyn Fn(ActorSpec) -> HostedPool,
}

/// A supervisor with its children.
pub(crate) fn builder(plan: &Bound<'_, PyAny>, hosting: &Hosting<'_>) -> PyResult<Builder> {
    let id: String = plan.getattr("id")?.extract()?;
    let restarts: u32 = plan.getattr("intensity")?.extract()?;
    let mut builder = Supervisor::builder(id)
        .strategy(one_of(plan, "strategy", &STRATEGIES)?)
        .auto_shutdown(one_of(plan, "auto_shutdown", &AUTO_SHUTDOWNS)?)
        .intensity(restarts, seconds(plan, "period")?.unwrap_or_default())
        .seed(plan.getattr("seed")?.extract()?);
    if let Some(backoff) = backoff(plan)? {
        builder = builder.backoff(backoff);
    }
    for child in plan.getattr("children")?.try_iter()? {
        let child = child?;
        builder = if child.hasattr("children")? {
            builder.supervisor(self::builder(&child, hosting)?)
        } else if child.hasattr("workers")? {
            builder.supervisor(pool(&child, hosting)?)
        } else {
            builder.child(self::child(&child, hosting)?)
        };
    }
    Ok(builder)
}

/// An actor as a child.
fn child(plan: &Bound<'_, PyAny>, hosting: &Hosting<'_>) -> PyResult<Child> {
    let id: String = plan.getattr("id")?.extract()?;
    let options = Options::of(plan)?;
    let child = match rust(plan, &id, hosting.host)? {
        Some(child) => child,
        None => (hosting.child)(&id, spec(plan, hosting.host)?),
    };
    let mut child = child.restart(one_of(plan, "restart", &RESTARTS)?);
    if plan.getattr("ready_when_told")?.extract()? {
        child = child.ready_when_told();
    }
    // What it is says else whether it is one: a service of Rust is.
    if plan.getattr("source")?.extract()? {
        child = child.source(true);
    }
    Ok(options.set(child.significant(plan.getattr("significant")?.extract()?)))
}

/// The child that is an actor or a service of Rust, if it is one.
pub(crate) fn rust(plan: &Bound<'_, PyAny>, id: &str, host: &Host) -> PyResult<Option<Child>> {
    let Some((name, arguments)) = plan.getattr("rust")?.extract::<Option<(String, Bound<'_, PyDict>)>>()?
    else {
        return Ok(None);
    };
    host.rust.child(&name, id, &arguments).map(Some)
}

/// A pool of actors as a supervisor.
fn pool(plan: &Bound<'_, PyAny>, hosting: &Hosting<'_>) -> PyResult<Builder> {
    let id: String = plan.getattr("id")?.extract()?;
    let (spec, options) = (spec(plan, hosting.host)?, Options::of(plan)?);
    let mut pool = (hosting.pool)(spec)
        .workers(plan.getattr("workers")?.extract()?)
        .dispatch(one_of(plan, "dispatch", &DISPATCHES)?)
        .each(move |worker| options.set(worker));
    for row in plan.getattr("key_fields")?.try_iter()? {
        let (class, at, len): (Bound<'_, PyType>, usize, usize) = row?.extract()?;
        let type_id = hosting.host.kinds.of(&class)?.header.type_id;
        // Fields of a value of fixed size lie where they are in each version that has them.
        pool = pool.key_of_bytes(type_id, move |_, value| number(value.get(at..at + len)?));
    }
    let restarts: u32 = plan.getattr("intensity")?.extract()?;
    Ok(pool.supervisor(id).intensity(restarts, seconds(plan, "period")?.unwrap_or_default()))
}

/// The bits of an integer.
fn number(field: &[u8]) -> Option<u64> {
    let mut wide = [0; 8];
    wide.get_mut(..field.len())?.copy_from_slice(field);
    Some(u64::from_le_bytes(wide))
}

/// What a child and each worker of a pool have.
#[derive(Clone, Copy)]
struct Options {
    shutdown: Shutdown,
    backoff: Option<Backoff>,
    health: Option<Health>,
    attempts: u32,
}

impl Options {
    fn of(plan: &Bound<'_, PyAny>) -> PyResult<Self> {
        let shutdown = match plan.getattr("shutdown")?.extract::<Option<f64>>()? {
            Some(0.0) => Shutdown::BrutalKill,
            limit => wait::limit(limit)?.map_or(Shutdown::Infinity, Shutdown::Timeout),
        };
        let restarts: bool = plan.getattr("restart_when_stuck")?.extract()?;
        let health = seconds(plan, "stuck_after")?.map(Health::within);
        let health = health.map(|health| if restarts { health.restart() } else { health });
        let attempts = plan.getattr("attempts")?.extract()?;
        Ok(Self { shutdown, backoff: backoff(plan)?, health, attempts })
    }

    fn set(self, child: Child) -> Child {
        let Self { shutdown, backoff, health, attempts } = self;
        let child = child.shutdown(shutdown);
        let child = backoff.into_iter().fold(child, Child::backoff);
        let child = health.into_iter().fold(child, Child::health);
        if attempts > 1 { child.redelivery(Redelivery::Retry { attempts }) } else { child }
    }
}

/// How an actor is made, and what it receives.
pub(crate) fn spec(plan: &Bound<'_, PyAny>, host: &Arc<Host>) -> PyResult<ActorSpec> {
    let mut handlers = Vec::new();
    for row in plan.getattr("handlers")?.try_iter()? {
        let (class, method, takes, policy, capacity): (
            Bound<'_, PyType>,
            String,
            (String, usize),
            String,
            Option<usize>,
        ) = row?.extract()?;
        let takes = match takes.0.as_str() {
            "each" => Takes::Each,
            "told" => Takes::Told,
            "batch" => Takes::Batch(takes.1),
            _ => Takes::Query,
        };
        handlers.push(HandlerPlan { kind: host.kinds.of(&class)?, method, takes, policy, capacity });
    }
    ActorPlan::new(host, plan.getattr("factory")?.unbind(), handlers).spec()
}

const STRATEGIES: [(&str, Strategy); 3] = [
    ("one_for_one", Strategy::OneForOne),
    ("one_for_all", Strategy::OneForAll),
    ("rest_for_one", Strategy::RestForOne),
];

const AUTO_SHUTDOWNS: [(&str, AutoShutdown); 3] = [
    ("never", AutoShutdown::Never),
    ("any_significant", AutoShutdown::AnySignificant),
    ("all_significant", AutoShutdown::AllSignificant),
];

const DISPATCHES: [(&str, Dispatch); 2] =
    [("round_robin", Dispatch::RoundRobin), ("least_busy", Dispatch::LeastBusy)];

const RESTARTS: [(&str, Restart); 3] =
    [("permanent", Restart::Permanent), ("transient", Restart::Transient), ("temporary", Restart::Temporary)];

/// The choice that an attribute names.
fn one_of<T: Copy>(plan: &Bound<'_, PyAny>, name: &str, choices: &[(&str, T)]) -> PyResult<T> {
    let given: String = plan.getattr(name)?.extract()?;
    let found = choices.iter().find(|(choice, _)| *choice == given);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<_> = choices.iter().map(|(choice, _)| format!("{choice:?}")).collect();
        PyValueError::new_err(format!("{name} is {given:?}: choose {}", names.join(" or ")))
    })
}

fn seconds(plan: &Bound<'_, PyAny>, name: &str) -> PyResult<Option<Duration>> {
    wait::limit(plan.getattr(name)?.extract()?)
}

fn backoff(plan: &Bound<'_, PyAny>) -> PyResult<Option<Backoff>> {
    let plan = plan.getattr("backoff")?;
    if plan.is_none() {
        return Ok(None);
    }
    let time = |name| Ok::<_, PyErr>(seconds(&plan, name)?.unwrap_or_default());
    Ok(Some(Backoff {
        initial: time("initial")?,
        cap: time("cap")?,
        reset_after: time("reset_after")?,
        multiplier: plan.getattr("multiplier")?.extract()?,
        jitter: plan.getattr("jitter")?.extract()?,
    }))
}
