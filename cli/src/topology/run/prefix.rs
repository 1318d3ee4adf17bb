//! Lines of processes, each with the name of its node in front.

use std::fmt;
use std::io::{self, Write};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// The target of the lines that processes of a tree print.
const PROCESS: &str = "mycelium::process";

/// Prints the lines of processes, and what the library warns of.
struct Prefixed {
    width: usize,
}

/// One line.
#[derive(Default)]
struct ProcessLine {
    process: String,
    text: String,
    rest: String,
}

/// Has the lines of all processes printed from now on. `width`: that of the longest name.
pub(super) fn install(width: usize) -> Result<(), tracing::subscriber::SetGlobalDefaultError> {
    tracing::subscriber::set_global_default(Prefixed { width })
}

/// A line about a node. Nothing can be done if it cannot be printed.
pub(super) fn complain(name: &str, width: usize, text: &str) {
    let _ = writeln!(io::stderr().lock(), "{name:<width$} | {text}");
}

impl Visit for ProcessLine {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.text = format!("{value:?}"),
            name => self.rest += &format!(" {name}={value:?}"),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "process" => value.rsplit('/').next().unwrap_or(value).clone_into(&mut self.process),
            "message" => value.clone_into(&mut self.text),
            name => self.rest += &format!(" {name}={value}"),
        }
    }
}

impl Subscriber for Prefixed {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
            && (metadata.target() == PROCESS
                || *metadata.level() <= Level::ERROR && metadata.target().starts_with("mycelium"))
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = ProcessLine::default();
        event.record(&mut line);
        let ProcessLine { process, text, rest } = line;
        let width = self.width;
        if event.metadata().target() != PROCESS {
            complain("mycelium", width, &format!("-- {text}{rest}"));
        } else if *event.metadata().level() == Level::WARN {
            complain(&process, width, &text);
        } else {
            let _ = writeln!(io::stdout().lock(), "{process:<width$} | {text}");
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
