//! Examples on what users touch first.

use super::Fault;
use super::source::SourceFile;

/// Where that is declared.
const FOLDERS: &[&str] = &["actors/src", "actors/macros/src", "mailbox/src", "supervisor/src"];

/// What is neither in the prelude nor beside a counterpart elsewhere, and is touched as early.
const FURTHER: &[&str] = &[
    "Builder::actor",
    "Builder::auto_shutdown",
    "Builder::backoff",
    "Builder::child",
    "Builder::future",
    "Builder::intensity",
    "Builder::service",
    "Builder::start",
    "Builder::strategy",
    "Builder::supervisor",
    "BusBuilder::ask_limit",
    "BusBuilder::build",
    "BusBuilder::circle_after",
    "BusBuilder::inbox_capacity",
    "BusBuilder::node",
    "BusBuilder::probe",
    "BusBuilder::retain",
    "BusBuilder::runtime",
    "BusBuilder::seed",
    "BusBuilder::topic_capacity",
    "BusBuilder::wire_value_max",
    "Child::actor",
    "Child::backoff",
    "Child::future",
    "Child::process",
    "Child::restart",
    "Child::shutdown",
    "Child::start_timeout",
    "Child::supervisor",
    "CircuitBreaker::call",
    "Context::ask",
    "Context::publish",
    "Context::tell",
    "Faults::panic_at",
    "Isolate::ask",
    "Isolate::new",
    "Isolate::on_failure",
    "Isolate::publish",
    "Isolate::run",
    "Isolate::spawn",
    "Isolate::spawn_service",
    "Isolate::take",
    "Isolate::tell",
    "Isolate::with",
    "MessageBus::builder",
    "MessageBus::dead_letters",
    "MessageBus::new",
    "MessageBus::spawn_service",
    "MessageBus::subscriber_with",
    "MessageBus::topics",
    "Policy",
    "PoolRef::ask",
    "PoolRef::tell",
    "Publisher::publish",
    "Recipient::tell",
    "Recorder::expect",
    "Recorder::expect_all",
    "Recorder::expect_next",
    "Recorder::expect_none",
    "Recorder::len",
    "Recorder::next",
    "Recorder::recipient",
    "Recorder::take",
    "Recorder::try_next",
    "ReplyRecipient::ask",
    "Retry::run",
    "ServiceContext::publish",
    "ServiceContext::sleep",
    "Subscriptions::on",
    "Sweep::chunk",
    "Sweep::new",
    "Sweep::progress",
    "Sweep::progress_every",
    "Sweep::run",
    "Sweep::seed",
    "Sweep::shuffled",
    "Sweep::stop",
    "Sweep::threads",
    "SweepReport::ranked_by",
    "SweepReport::values",
    "Tree::lookup",
    "WireMessage",
];

/// The names in the first column of a page's tables: `Type`, `Type::method` or `#[attribute]`.
pub fn first_column(page: &str) -> Vec<String> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split('`').next()).map(str::to_owned).collect()
}

/// Invariant 16: every item of the prelude, and each one that `docs/coming-from.md` compares with others, has
/// an example in its documentation.
pub fn check_examples(files: &[SourceFile]) -> Vec<Fault> {
    let text = |path: &str| files.iter().find(|file| file.path == path).map_or("", |file| &file.text);
    let mut names = first_column(text("docs/coming-from.md"));
    names.extend(handed_on(text("actors/src/prelude.rs")));
    names.extend(FURTHER.iter().map(|name| (*name).to_owned()));
    let sources: Vec<&SourceFile> = files
        .iter()
        .filter(|file| file.is_rust() && FOLDERS.iter().any(|folder| file.is_in(folder)))
        .filter(|file| !file.is_in("actors/src/models"))
        .collect();
    let mut faults = Vec::new();
    for name in &names {
        let places: Vec<Place> = sources.iter().flat_map(|file| declarations(file, name)).collect();
        if places.iter().any(|place| place.has_example) {
            continue;
        }
        let what = match places.first() {
            Some(_) => format!("`{name}` is documented without an example"),
            None => format!("`{name}` is declared nowhere"),
        };
        faults.push(Fault::new(16, places.first().map_or("prelude", |place| &place.at), what));
    }
    faults
}

/// What the prelude hands on.
fn handed_on(prelude: &str) -> Vec<String> {
    let list = prelude.split("pub use crate::{").nth(1).and_then(|rest| rest.split('}').next());
    let names = list.unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

struct Place {
    at: String,
    has_example: bool,
}

/// Where this file declares the name.
fn declarations(file: &SourceFile, name: &str) -> Vec<Place> {
    let name = name.trim_start_matches("#[").trim_end_matches(']');
    let lines: Vec<&str> = file.text.lines().collect();
    let declared = |at: usize| match name.split_once("::") {
        Some((owner, method)) => is_fn(lines[at], method) && owner_of(&lines[..at]) == Some(owner),
        None => ["struct", "enum", "trait", "fn", "type"].iter().any(|kind| {
            lines[at].strip_prefix(&format!("pub {kind} {name}")).is_some_and(|rest| !goes_on(rest))
        }),
    };
    let place = |at: usize| {
        let own = lines[..at].iter().rev().take_while(|line| !line.trim().is_empty());
        let has_example =
            own.filter(|line| line.trim_start().starts_with("///")).any(|line| line.contains("```"));
        Place { at: format!("{}:{}", file.path, at + 1), has_example }
    };
    (0..lines.len()).filter(|at| declared(*at)).map(place).collect()
}

/// Whether a line declares a function of this name, one level in.
fn is_fn(line: &str, name: &str) -> bool {
    let Some(line) = line.strip_prefix("    ").filter(|line| !line.starts_with(' ')) else { return false };
    let words = line.trim_start_matches("pub ").trim_start_matches("const ").trim_start_matches("async ");
    words.strip_prefix(&format!("fn {name}")).is_some_and(|rest| !goes_on(rest))
}

/// The type or trait whose block these lines end in: of a trait's implementation none.
fn owner_of<'a>(lines: &[&'a str]) -> Option<&'a str> {
    let opens = |line: &&&str| line.starts_with("impl") || line.starts_with("pub trait ");
    let head = lines.iter().rev().find(opens)?;
    if head.contains(" for ") {
        return None;
    }
    let head = match head.strip_prefix("pub trait ") {
        Some(head) => head,
        None if head.starts_with("impl<") => head.split_once("> ")?.1,
        None => head.strip_prefix("impl ")?,
    };
    let end = head.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(head.len());
    Some(&head[..end])
}

fn goes_on(rest: &str) -> bool {
    rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_and_functions_are_found() {
        assert_eq!(owner_of(&["impl<A: Actor> Context<A> {", "    fn a() {}"]), Some("Context"));
        assert_eq!(owner_of(&["impl MessageBus {"]), Some("MessageBus"));
        assert_eq!(owner_of(&["pub trait Actor: Sized {"]), Some("Actor"));
        assert_eq!(owner_of(&["impl<M> Clone for Policy<M> {"]), None);
        assert!(is_fn("    pub async fn ask<B, Q>(&mut self)", "ask"));
        assert!(!is_fn("    pub async fn ask_within<B, Q>(", "ask"));
        assert!(!is_fn("        fn ask()", "ask"));
    }
}
