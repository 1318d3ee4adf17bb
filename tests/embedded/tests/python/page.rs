//! The program of docs/python.md, which `tests/tests/blocks.rs` compares with this file.

use mycelium::tree::{Child, Redelivery};
use mycelium::{BoxError, MessageBus, Supervisor};
use mycelium_embedded::{CONTRACT, Tick, Told};
use mycelium_python::{PythonChild, PythonRuntime};

use crate::common::{WATCHDOG, desk, publish, told, turn};
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
    tree.shutdown().await?;
    let models = model.pool().workers(4).key(|tick: &Tick| tick.number.unsigned_abs());
    let models = models.each(|worker| worker.redelivery(Redelivery::Retry { attempts: 3 }));
    let tree = Supervisor::builder("desk").supervisor(models.supervisor("models")).start(&bus).await?;
    python.pool("desk/models")?.resize(6).await?; // a PoolRef: size, flush, stop_gracefully
    while tolds.try_recv().is_some() {}
    publish(&bus, [1]).await;
    assert_eq!(told(&mut tolds, 1).await, [(1, "the last 20".to_owned())]);
    tree.shutdown().await?;
    python.close(WATCHDOG).await?;
    of_messages.1.close(WATCHDOG).await?;
    Ok(())
}
