//! The program of docs/python.md, which `tests/tests/blocks.rs` compares with this file.

use mycelium::tree::{Child, Redelivery};
use mycelium::{BoxError, MessageBus, Supervisor};
use mycelium_embedded::{CONTRACT, Told};
use mycelium_python::{PythonChild, PythonRuntime};

use crate::common::{WATCHDOG, desk, told, turn};
use crate::trees::Feed;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_program_of_the_page_runs() -> Result<(), BoxError> {
    let _turn = turn().await;
    // It has Python find the generated messages; `models` is a folder of this crate, in which its tests run.
    let of_messages = desk("messages");
    let bus = MessageBus::builder().contract(CONTRACT).build();
    let python = PythonRuntime::builder(&bus).contract(CONTRACT).path("models").start()?;
    let model = python.actor_with("signals:Model", [("window", 20.into())])?; // in models/signals.py
    let desk = Supervisor::builder("desk")
        .service("feed", || Feed) // in Rust
        .child(Child::python("model", &model).redelivery(Redelivery::Retry { attempts: 3 }));
    let tree = desk.start(&bus).await?;
    let mut tolds = bus.subscriber::<Told>()?;
    let (_, by) = told(&mut tolds, 1).await.remove(0);
    assert_eq!(by, "the last 20");
    drop(tolds);
    tree.shutdown().await?;
    python.close(WATCHDOG).await?;
    of_messages.1.close(WATCHDOG).await?;
    Ok(())
}
