//! The output of an operating-system process, line by line. The only test of its program: `tracing` asks who
//! wants an event when the first thread meets it, and a test beside this one would be asked too.

use std::time::Duration;

use crate::common::Heard;
use crate::common::log::hear;
use mycelium::tree::{Child, ProcessSpec, Restart};
use mycelium::{MessageBus, Supervisor};

/// Keeps the text of each event that a process's output becomes.
struct Lines(Heard);

impl tracing::Subscriber for Lines {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        struct Text<'a>(&'a Heard);
        impl tracing::field::Visit for Text<'_> {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                if field.name() == "message" {
                    self.0.add(format!("{value:?}"));
                }
            }
        }
        event.record(&mut Text(&self.0));
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn the_last_lines_of_a_process_are_heard_however_fast_it_ends() {
    let (bus, heard) = (MessageBus::new(), Heard::default());
    // This thread's: the runtime of this test has no other.
    let _guard = hear(Lines(heard.clone()));
    for round in 0..20 {
        let script = format!("for n in 1 2 3; do echo out {round} $n; done; echo err {round} >&2; exit 3");
        let brief = Child::process("brief", ProcessSpec::new("/bin/sh").args(["-c", &script]))
            .restart(Restart::Temporary);
        let tree = Supervisor::builder("root").child(brief).start(&bus).await.unwrap();
        while tree.count_children("root").await.unwrap().active > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        for line in ["out 1", "out 2", "out 3", "err"].map(|line| line.replace(' ', &format!(" {round} "))) {
            let line = if line == "err" { format!("err {round}") } else { line };
            assert!(heard.words().contains(&line), "{line} of {:?}", heard.words());
        }
        tree.shutdown().await.unwrap();
    }
}
