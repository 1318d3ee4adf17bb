//! The keys of pools.

use mycelium_toml::{Fields, Mistake, Value};

use super::keys::{ChildEntry, Nest, PROGRAM_KEYS, Start};
use super::{Care, DeclaredDispatch, POOL_WORKERS_MAX, Program};
use crate::sim::Behaviour;
use crate::spec::ChildSpec;

/// Most workers of all pools of one file: the text of a file bounds what it costs.
const FILE_WORKERS_MAX: u32 = 65_536;

const POOL_KEYS: &[&str] = &["workers", "dispatch"];

/// What a supervisor says, and a pool does not.
const FOREIGN_KEYS: &[&str] = &["strategy", "auto_shutdown", "children"];

const DISPATCHES: &[(&str, DeclaredDispatch)] =
    &[("round_robin", DeclaredDispatch::RoundRobin), ("least_busy", DeclaredDispatch::LeastBusy)];

/// Whether child `id` is a pool.
///
/// # Errors
/// It is something else too, or has keys of a pool and is none.
pub(super) fn is_pool(fields: &Fields<'_>, id: &str) -> Result<bool, Mistake> {
    if !fields.has("pool") {
        return match POOL_KEYS.iter().find(|key| fields.has(key)) {
            Some(key) => {
                let cause = format!("`{key}` goes with `pool`, which child `{id}` does not have");
                Err(fields.wrong(key, cause))
            }
            None => Ok(false),
        };
    }
    if fields.string("type")?.is_some_and(|kind| kind == "worker") {
        let cause = format!("child `{id}` is a pool, which is a supervisor: leave `type` out");
        return Err(fields.wrong("type", cause));
    }
    if let Some(other) = PROGRAM_KEYS.iter().find(|other| fields.has(other)) {
        let cause = format!("child `{id}` is either `pool` or `{other}`: leave one of them out");
        return Err(fields.wrong(other, cause));
    }
    if let Some(key) = FOREIGN_KEYS.iter().find(|key| fields.has(key)) {
        let cause = format!("`{key}` is not for a pool: `{id}` restarts each of its workers by itself");
        return Err(fields.wrong(key, cause));
    }
    Ok(true)
}

/// What the file says of a pool: where, the pool, and how many workers it has. `None` if it is none.
///
/// # Errors
/// The first mistake.
pub(super) fn pool<'t>(
    fields: &Fields<'t>,
    id: &str,
    nest: Nest<'_>,
) -> Result<Option<(Value<'t>, Program, u32)>, Mistake> {
    let (Some(said), Some(name)) = (fields.get("pool"), fields.string("pool")?) else { return Ok(None) };
    let Some(workers) = fields.count("workers", 1..=POOL_WORKERS_MAX, "")? else {
        let cause = format!("pool `{id}` does not say how many workers it has: give it workers = 4, say");
        return Err(said.mistake(cause));
    };
    let pooled = nest.pooled.get().saturating_add(workers);
    if pooled > FILE_WORKERS_MAX {
        let cause = format!(
            "the pools of one file have {FILE_WORKERS_MAX} workers at most, with `{id}` they have {pooled}"
        );
        return Err(fields.wrong("workers", cause));
    }
    nest.pooled.set(pooled);
    let dispatch = fields.word("dispatch", DISPATCHES)?;
    Ok(Some((said, Program::Pool { name: name.into_owned(), workers, dispatch }, workers)))
}

/// The workers of a pool that `said` declares.
pub(super) fn workers<T: Start>(said: Value<'_>, workers: u32) -> Vec<ChildSpec<T>> {
    let mut children: Vec<ChildSpec<T>> = Vec::new();
    for number in 1..=workers {
        let (care, behaviour) = (Care::default(), Behaviour::default());
        let entry =
            ChildEntry { said, program: None, arguments: None, source: None, care, tree: None, behaviour };
        let start = T::new(entry, children.last().map(|before| &before.start));
        children.push(ChildSpec::worker(format!("worker-{number}"), start));
    }
    children
}
