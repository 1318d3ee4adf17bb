//! Run a program of another language under the tree: restarted, drained and killed like any child.

use mycelium::tree::{Child, ProcessSpec, Restart};
use mycelium::{MessageBus, Result, Supervisor};

pub(crate) async fn run() -> Result {
    let bus = MessageBus::new();
    let model = ProcessSpec::new("sh").args(["-c", "echo ready; sleep 60"]).ready_line("ready");
    let tree = Supervisor::builder("root")
        .child(Child::process("model", model).restart(Restart::Transient))
        .start(&bus) // waits for the line
        .await?;
    for child in tree.which_children("root").await? {
        println!("{child:?}");
    }
    tree.shutdown().await?; // SIGTERM, and SIGKILL for what does not listen
    Ok(bus.shutdown().await?)
}
