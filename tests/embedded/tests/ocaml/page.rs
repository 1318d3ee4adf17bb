//! The program of docs/ocaml.md, which `tests/tests/blocks.rs` compares with this file.

use mycelium::tree::{Child, Redelivery};
use mycelium::{BoxError, MessageBus, Service, ServiceContext, Supervisor};
use mycelium_embedded::checks::{WATCHDOG, told, turn};
use mycelium_embedded::{CONTRACT, Tick, Told};
use mycelium_ocaml::{OCamlChild, OCamlRuntime};

/// Publishes as fast as its readers take it.
struct Feed;
impl Service for Feed {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        for number in 0.. {
            ctx.publish(Tick { number }).await?;
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_program_of_the_page_runs() -> Result<(), BoxError> {
    let _turn = turn().await;
    let bus = MessageBus::builder().contract(CONTRACT).build();
    let ocaml = OCamlRuntime::builder(&bus).contract(CONTRACT).start()?;
    let model = ocaml.actor("model")?; // Mycelium.Hosted.register "model" (module Model) configure
    let desk = Supervisor::builder("desk")
        .service("feed", || Feed) // in Rust
        .child(Child::ocaml("model", &model).redelivery(Redelivery::Retry { attempts: 3 }));
    let tree = desk.start(&bus).await?;
    let mut tolds = bus.subscriber::<Told>()?;
    let (_, by) = told(&mut tolds, 1).await.remove(0);
    assert_eq!(by, "model");
    drop(tolds);
    tree.shutdown().await?;
    ocaml.close(WATCHDOG).await?;
    Ok(())
}
