//! Give an actor that computes or blocks a thread of its own, so that it does not delay other actors.

use std::time::Duration;

use mycelium::{MessageBus, OwnThread, Result, actor};

#[derive(Default)]
struct Model {
    seen: u32,
}

struct Seen;

#[actor]
impl Model {
    #[on(direct)]
    fn learn(&mut self, _: &u64) {
        std::thread::sleep(Duration::from_millis(2)); // foreign code that blocks
        self.seen += 1;
    }
    #[ask]
    fn seen(&self, _: &Seen) -> u32 {
        self.seen
    }
}

pub(crate) async fn run() -> Result {
    let bus = MessageBus::new();
    // `pin_to(core)` keeps the thread on a core, `busy_polling()` keeps it awake.
    let model = bus.spawn_on_thread(OwnThread::new("model"), Model::default())?;
    for number in 0..3_u64 {
        model.tell(number).await?;
    }
    assert_eq!(model.ask(Seen).await?, 3);
    Ok(bus.shutdown().await?)
}
