//! What waits in a timer of an isolate is dropped where its destructor may use the timers.
#![forbid(unsafe_code)]

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use mycelium::{Context, Isolate, Result, actor};

/// Ends a sleep when it is dropped.
struct Later {
    sleep: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    dropped: Arc<AtomicUsize>,
    panics: bool,
}

impl Drop for Later {
    fn drop(&mut self) {
        self.sleep = None; // which calls its timer off
        self.dropped.fetch_add(1, Ordering::Relaxed);
        assert!(!self.panics || std::thread::panicking(), "a destructor fails");
    }
}

/// Sets so many timers and calls them off.
struct Begin {
    timers: usize,
    dropped: Arc<AtomicUsize>,
    panics: bool,
}

#[derive(Default)]
struct Sleeper {
    woken: usize,
}

struct Woken;

#[actor]
impl Sleeper {
    #[on(direct)]
    async fn begin(&mut self, begin: &Begin, ctx: &mut Context<Self>) -> Result {
        for _ in 0..begin.timers {
            let mut sleep: Pin<Box<dyn Future<Output = ()> + Send>> =
                Box::pin(ctx.sleep(Duration::from_secs(9)));
            std::future::poll_fn(|cx| {
                assert!(sleep.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            let later =
                Later { sleep: Some(sleep), dropped: Arc::clone(&begin.dropped), panics: begin.panics };
            ctx.schedule_after(Duration::from_secs(1), later).cancel();
        }
        ctx.schedule_after(Duration::from_secs(2), Woken);
        Ok(())
    }

    #[on(direct)]
    fn later(&mut self, _: Later) {
        panic!("it was called off");
    }

    #[on(direct)]
    fn woken(&mut self, _: &Woken) {
        self.woken += 1;
    }

    #[ask]
    fn count(&self, _: &Woken) -> usize {
        self.woken
    }
}

fn run(timers: usize, panics: bool) -> Result<usize> {
    let dropped = Arc::default();
    let mut isolate = Isolate::new(1);
    let sleeper = isolate.spawn(Sleeper::default())?;
    isolate.tell(&sleeper, Begin { timers, dropped: Arc::clone(&dropped), panics })?;
    isolate.run()?;
    assert_eq!(isolate.ask(&sleeper, Woken)?, 1, "later timers fire");
    Ok(dropped.load(Ordering::Relaxed))
}

#[test]
fn what_was_called_off_may_call_off_others_when_it_is_dropped() -> Result {
    // One is dropped when its time has come; thousands are swept out while more are set.
    for timers in [1, 10, 1_000] {
        assert_eq!(run(timers, false)?, timers);
    }
    Ok(())
}

#[test]
fn a_destructor_of_what_was_called_off_panics_and_costs_no_other_timer() -> Result {
    for timers in [1, 1_000] {
        assert_eq!(run(timers, true)?, timers);
    }
    Ok(())
}
