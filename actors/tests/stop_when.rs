//! An isolate whose run asks whether it goes on, and what is left of that.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mycelium::{ActorRef, Context, Isolate, Message, Probe, Result, RunError, actor};

#[derive(Clone)]
struct Beat;

#[derive(Default)]
struct Heart {
    _held: Arc<()>,
}

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
    isolate.spawn(Heart::default()).unwrap();
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
    assert!((4..8_000).contains(&steps), "about a thousand between two of them: {steps}");
}

/// Publishes what nobody hears: the publish may be the step before which the run asks.
struct Talker;

#[actor]
impl Talker {
    #[started]
    fn begin(&mut self, ctx: &mut Context<Self>) {
        ctx.schedule_every(Duration::from_secs(1), Beat);
    }

    #[on(direct)]
    async fn beat(&mut self, _: &Beat, ctx: &mut Context<Self>) -> Result {
        Ok(ctx.publish(Unheard).await?)
    }
}

#[derive(Clone, Debug)]
struct Unheard;

impl Message for Unheard {
    const NAME: &'static str = "Unheard";
    const TYPE_ID: u16 = 1;
    const TOPIC: &'static str = "unheard";
}

#[test]
fn a_function_says_it_once_whoever_asks_it() {
    // A look finds each of them in turn before its step: the beat, the publish of it, and what resumes both.
    for before in 0..8 {
        let (mut isolate, said) = (Isolate::new(1), Rc::new(Cell::new(0)));
        for _ in 0..before {
            isolate.spawn(Heart::default()).unwrap();
        }
        isolate.spawn(Talker).unwrap();
        let (mut asked, count) = (0, Rc::clone(&said));
        isolate.stop_when(move || {
            asked += 1;
            let says = asked % 5 == 0;
            count.set(count.get() + u32::from(says));
            says
        });
        for runs in 1..20 {
            assert!(matches!(isolate.run(), Err(RunError::Stopped { .. })), "{before} hearts");
            assert_eq!(said.get(), runs, "{before} hearts: it was not heard");
        }
    }
}

#[test]
fn an_isolate_that_is_gone_holds_nothing_of_the_function_that_it_asked() {
    for runs in [false, true] {
        let mut isolate = Isolate::new(1);
        let heart = isolate.spawn(Heart::default()).unwrap();
        let (held, clock) = (Rc::new(()), isolate.clock());
        let left = Rc::downgrade(&held);
        // Clock and reference hold the isolate, which holds the function.
        isolate.stop_when(move || {
            let _held = (&held, &heart);
            clock.now().as_nanos() > 0
        });
        if runs {
            assert!(matches!(isolate.run(), Err(RunError::Stopped { .. })));
        }
        assert_eq!(left.strong_count(), 1);
        drop(isolate);
        assert_eq!(left.strong_count(), 0, "after runs: {runs}");
    }
}

#[test]
fn an_isolate_that_is_gone_holds_nothing_of_its_probe() {
    struct LooksOn(#[expect(dead_code, reason = "it is held")] ActorRef<Heart>);
    impl Probe for LooksOn {}
    let mut isolate = Isolate::new(1);
    let heart = isolate.spawn(Heart::default()).unwrap();
    let probe = Arc::new(LooksOn(heart));
    let left = Arc::downgrade(&probe);
    isolate.probe(probe);
    drop(isolate);
    assert_eq!(left.strong_count(), 0);
}

#[test]
fn the_rest_is_dropped_though_the_function_that_was_asked_panics_when_it_is() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("the function is dropped");
        }
    }
    let (mut isolate, held) = (Isolate::new(1), Arc::new(()));
    let (left, panics) = (Arc::downgrade(&held), Panics);
    isolate.spawn(Heart { _held: held }).unwrap();
    isolate.stop_when(move || {
        let _panics = &panics;
        false
    });
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(isolate)));
    assert!(dropped.is_err() && left.strong_count() == 0);
}
