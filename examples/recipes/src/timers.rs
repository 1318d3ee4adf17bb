//! Do something every second, without drift, and something else once, later.

use std::time::Duration;

use mycelium::{Context, Isolate, Result, actor};

#[derive(Clone)]
struct Beat;
struct Timeout;

#[derive(Default)]
struct Heart {
    beats: u32,
}

#[actor]
impl Heart {
    #[started]
    fn begin(&mut self, ctx: &mut Context<Self>) {
        ctx.schedule_every(Duration::from_secs(1), Beat); // until the actor ends, or its handle is cancelled
        ctx.schedule_after(Duration::from_secs(5), Timeout);
    }
    #[on(direct)]
    fn beat(&mut self, _: &Beat) {
        self.beats += 1;
    }
    #[on(direct)]
    fn timeout(&mut self, _: &Timeout, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

pub(crate) async fn run() -> Result {
    let mut isolate = Isolate::new(1);
    let heart = isolate.spawn(Heart::default())?;
    isolate.run()?;
    let beats = isolate.with(&heart, |heart| heart.beats).ok_or("it was taken")?;
    assert!((4..=5).contains(&beats), "the timeout has ended it after {beats}");
    Ok(())
}
