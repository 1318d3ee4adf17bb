//! What the core logs (`tracing`), for Python's `logging`.
//!
//! An event may come from any thread, with any lock of the core held. So nobody attaches to Python for it: it
//! becomes a text in a queue, which a thread of Python empties (`mycelium._log`). One that finds the queue
//! full is counted and left out. Events below the level cost what a disabled event of `tracing` costs.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// How many events wait for Python, before others are left out (events).
const WAITING_MAX: usize = 4_096;

/// One event: level of `logging`, logger, text, fields.
type Line = (u8, String, String, BTreeMap<&'static str, FieldValue>);

/// What a field holds.
#[derive(IntoPyObject)]
enum FieldValue {
    Flag(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Text(String),
}

#[derive(Default)]
struct Shared {
    /// Lower levels are not heard, in numbers of `logging`; `u8::MAX` hears nothing.
    level: AtomicU8,
    waiting: Mutex<Backlog>,
    changed: Condvar,
    left_out: AtomicU64,
}

#[derive(Default)]
struct Backlog {
    lines: VecDeque<Line>,
    stopped: bool,
}

/// Hears the core's events.
struct Listener(Arc<Shared>);

/// What Python reads events from.
#[pyclass(frozen, module = "mycelium._native")]
pub(crate) struct LogTap(Arc<Shared>);

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Backlog> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number of a level in `logging`; trace has none there.
fn number(level: Level) -> u8 {
    match level {
        Level::ERROR => 40,
        Level::WARN => 30,
        Level::INFO => 20,
        Level::DEBUG => 10,
        _ => 5,
    }
}

/// Collects an event: its message, and its fields, as text behind it and as they are.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
    values: BTreeMap<&'static str, FieldValue>,
}

impl Text {
    fn add(&mut self, field: &Field, shown: &dyn fmt::Display, value: FieldValue) {
        // To write into a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{shown}"),
            name => {
                self.values.insert(name, value);
                write!(self.fields, " {name}={shown}")
            }
        };
    }
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        self.add(field, &text, FieldValue::Text(text.clone()));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, &value, FieldValue::Text(value.to_owned()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, &value, FieldValue::Flag(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, &value, FieldValue::Signed(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, &value, FieldValue::Unsigned(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, &format_args!("{value:?}"), FieldValue::Float(value));
    }
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let target = metadata.target();
        // Failures of callbacks are logged where they happen, with their tracebacks.
        target.starts_with("mycelium")
            && target != "mycelium::hosted"
            && number(*metadata.level()) >= self.0.level.load(Ordering::Relaxed)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(match self.0.level.load(Ordering::Relaxed) {
            0..=5 => LevelFilter::TRACE,
            6..=10 => LevelFilter::DEBUG,
            11..=20 => LevelFilter::INFO,
            21..=30 => LevelFilter::WARN,
            31..=40 => LevelFilter::ERROR,
            _ => LevelFilter::OFF,
        })
    }

    fn event(&self, event: &Event<'_>) {
        let level = number(*event.metadata().level());
        // In a forked child the queue's lock may be held for ever.
        if level < self.0.level.load(Ordering::Relaxed) {
            return;
        }
        let mut text = Text::default();
        event.record(&mut text);
        let target = event.metadata().target().replace("::", ".");
        let line = (level, target, text.message + &text.fields, text.values);
        let mut waiting = self.0.waiting();
        if waiting.lines.len() >= WAITING_MAX {
            self.0.left_out.fetch_add(1, Ordering::Relaxed);
            return;
        }
        waiting.lines.push_back(line);
        drop(waiting);
        self.0.changed.notify_one();
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[pymethods]
impl LogTap {
    /// Hears the events of this process from now on. `None` where a Rust program hears them already.
    #[staticmethod]
    fn install() -> Option<Self> {
        let shared = Arc::new(Shared { level: AtomicU8::new(u8::MAX), ..Shared::default() });
        tracing::subscriber::set_global_default(Listener(Arc::clone(&shared))).ok()?;
        Some(Self(shared))
    }

    /// Hears what has this level of `logging` or a higher one.
    fn set_level(&self, py: Python<'_>, level: i64) {
        let level = u8::try_from(level.clamp(0, i64::from(u8::MAX))).unwrap_or(u8::MAX);
        if self.0.level.swap(level, Ordering::Relaxed) != level {
            py.detach(tracing::callsite::rebuild_interest_cache);
        }
    }

    /// This process is a forked child, which has no thread that reads.
    fn mark_forked(&self) {
        self.0.level.store(u8::MAX, Ordering::Relaxed);
    }

    /// What has come, and how much was left out since the last time; it waits for something. `None` after
    /// `stop`, when all is read.
    fn wait(&self, py: Python<'_>) -> Option<(Vec<Line>, u64)> {
        py.detach(|| {
            let waiting = self.0.waiting();
            let is_quiet = |waiting: &mut Backlog| waiting.lines.is_empty() && !waiting.stopped;
            let waited = self.0.changed.wait_while(waiting, is_quiet);
            let mut waiting = waited.unwrap_or_else(PoisonError::into_inner);
            if waiting.lines.is_empty() {
                return None;
            }
            let lines = waiting.lines.drain(..).collect();
            Some((lines, self.0.left_out.swap(0, Ordering::Relaxed)))
        })
    }

    fn stop(&self) {
        self.0.level.store(u8::MAX, Ordering::Relaxed);
        self.0.waiting().stopped = true;
        self.0.changed.notify_all();
    }
}
