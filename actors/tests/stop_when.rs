//! An isolate whose run asks whether it goes on.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use mycelium::{Context, Isolate, RunError, actor};

#[derive(Clone)]
struct Beat;

struct Heart;

#[actor]
impl Heart {
    #[started]
    fn begin(&mut self, ctx: &mut Context<Self>) {
        ctx.schedule_every(Duration::from_secs(1), Beat);
    }

    #[on(direct)]
    fn beat(&mut self, _: &Beat) {}
}

#[test]
fn a_run_asks_now_and_then_whether_it_goes_on_and_a_later_one_goes_on() {
    let (mut isolate, asked) = (Isolate::new(1), Rc::new(Cell::new(0)));
    isolate.spawn(Heart).unwrap();
    let count = Rc::clone(&asked);
    isolate.stop_when(move || {
        count.set(count.get() + 1);
        count.get() % 3 == 0
    });
    for often in [3, 6] {
        assert!(matches!(isolate.run(), Err(RunError::Stopped { .. })));
        assert_eq!(asked.get(), often);
    }
    let stats = isolate.stats();
    let steps = stats.events + stats.resumptions;
    assert!((2_000..8_000).contains(&steps), "about a thousand between two of them: {steps}");
}
