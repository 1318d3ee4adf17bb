//! Who did not end in the time of a shutdown.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::first_named;
use crate::{Identity, LinkLoss};

/// How long the shutdown of a bus ([`MessageBus::shutdown`](crate::MessageBus::shutdown)) or of an isolate
/// ([`Isolate::shutdown`](crate::Isolate::shutdown), in virtual time) waits before it kills what is still
/// alive.
pub const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(5);

/// How long a killed actor, service or child may take to be gone. Only code that never awaits takes longer,
/// and no one can end that: its supervisor goes on without it, and the shutdown names it. In a shutdown, time
/// in which the process was stopped (`SIGSTOP`, a debugger) does not count.
pub const KILL_GRACE: Duration = Duration::from_millis(500);

/// Actors and services did not end in time and were killed, or links were not drained.
///
/// Its fields name all of them, its text the first ten of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownError {
    /// Who missed the deadline.
    pub missed: Vec<Missed>,
    /// The paths of children of trees that missed their shutdown time, or the deadline, and were killed. One
    /// that could not be killed is among `missed` too.
    pub children: Vec<Arc<str>>,
    /// The paths of trees that have not ended and go on: code that never awaits, such as a factory, keeps
    /// their supervisors. Each says in the log when it ends.
    pub stuck: Vec<Arc<str>>,
    /// What linked buses had not acknowledged by the deadline, by link.
    pub links: Vec<LinkLoss>,
}

/// One actor or service that missed the deadline of a shutdown.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Missed {
    /// Who it is.
    pub actor: Identity,
    /// Whether it is gone now; if not, it is stuck in code that never awaits, and its task goes on.
    pub killed: bool,
}

impl fmt::Display for ShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all_ended = self.children.is_empty() && self.stuck.is_empty() && self.missed.is_empty();
        // A peer that has ended is not waited for.
        f.write_str(if all_ended { "links were not drained:" } else { "did not end in time:" })?;
        let mut between = "";
        tell(f, &mut between, &self.children, "children (killed)", |f, path| write!(f, "{path} (killed)"))?;
        tell(f, &mut between, &self.stuck, "trees (go on)", |f, path| {
            write!(f, "{path} (goes on: code that never awaits keeps its supervisor)")
        })?;
        tell(f, &mut between, &self.missed, "actors or services", |f, Missed { actor, killed }| {
            let fate = if *killed { "killed" } else { "stuck in code that never awaits" };
            write!(f, "{actor} ({fate})")
        })?;
        tell(f, &mut between, &self.links, "links", |f, loss| write!(f, "{loss}"))
    }
}

impl std::error::Error for ShutdownError {}

/// Tells the first of a kind, and how many more there are.
fn tell<T>(
    f: &mut fmt::Formatter<'_>,
    between: &mut &str,
    all: &[T],
    kind: &str,
    one: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    let (first, more) = first_named(all);
    for named in first {
        write!(f, "{between} ")?;
        one(f, named)?;
        *between = ",";
    }
    more.map_or(Ok(()), |more| write!(f, " and {more} more {kind}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shutdown_that_gives_up_names_the_first_and_counts_the_others() {
        let paths = |kind, count| (0..count).map(|n| format!("{kind}{n}").into()).collect();
        let many = ShutdownError {
            children: paths("child", 11),
            stuck: paths("tree", 836),
            ..ShutdownError::default()
        };
        let text = many.to_string();
        assert!(text.contains(" child9 (killed) and 1 more children (killed), tree0 (goes on:"), "{text}");
        assert!(text.ends_with(" and 826 more trees (go on)") && text.len() < 1_000, "{text}");
        let few = ShutdownError { children: paths("child", 10), ..ShutdownError::default() };
        assert!(few.to_string().ends_with(", child9 (killed)"), "{few}");
        let loss = LinkLoss { peer: "desk".into(), unacknowledged: 14, unpublished: 0, late: 0 };
        let links = ShutdownError { links: vec![loss], ..ShutdownError::default() };
        let text = "links were not drained: link desk: 14 messages were not acknowledged";
        assert_eq!(links.to_string(), text);
    }
}
