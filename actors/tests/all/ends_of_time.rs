//! Isolates whose clock starts, or comes, near the beginning or the end of time.

use std::time::Duration;

use mycelium::{
    Actor, BoxError, Context, Handler, Isolate, RunError, Service, ServiceContext, StopReason, Supervisor,
    Timestamp,
};

use crate::common::{Heard, PERIOD, Tick};

/// The first moment, the last one, and some near both and between.
fn moments() -> Vec<Timestamp> {
    let (first, last) = (Timestamp::from_nanos(i64::MIN), Timestamp::from_nanos(i64::MAX));
    let near = [0, 1, 2, 1_000, 3_000_000_000, 3_600_000_000_000].map(Duration::from_nanos);
    let mut all: Vec<_> = near.iter().flat_map(|near| [first + *near, last - *near]).collect();
    all.extend([-1, 0, 1].map(Timestamp::from_nanos));
    all
}

/// Beats, sleeps in its handler, and takes a second to stop.
struct Clerk(Heard);
impl Actor for Clerk {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.schedule_every(Duration::from_secs(1), Tick(0));
        ctx.schedule_after(Duration::from_nanos(1), Tick(1));
        ctx.schedule_after(Duration::MAX, Tick(2));
        Ok(())
    }
    async fn stopping(&mut self, _: &StopReason, ctx: &mut Context<Self>) {
        ctx.sleep(Duration::from_secs(1)).await;
        self.0.add("stopped");
    }
}
impl Handler<Tick> for Clerk {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.sleep(Duration::from_millis(1)).await;
        self.0.add(format!("tick {}", tick.0));
        Ok(())
    }
}

struct Beats;
impl Service for Beats {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        loop {
            ctx.sleep(Duration::from_secs(1)).await;
        }
    }
}

/// Nobody has an end but by its time, so that who cannot stop in it is killed.
fn is_over(outcome: Result<mycelium::IsolateStats, RunError>) -> bool {
    match outcome {
        Ok(_) => false,
        Err(RunError::Late(_)) => true,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn an_isolate_shuts_down_wherever_in_time_it_is() {
    for now in moments() {
        let mut isolate = Isolate::starting_at(1, now);
        assert!(isolate.now() <= now);
        let heard = Heard::default();
        let clerk = isolate.spawn(Clerk(heard.clone())).unwrap();
        isolate.spawn_service(Beats).unwrap();
        isolate.tell(&clerk, Tick(3)).unwrap();
        isolate.run_for(Duration::from_millis(10)).unwrap();
        let begun = isolate.now();
        let late = is_over(isolate.shutdown());
        assert!(!clerk.is_alive());
        // A second passes only where there is one.
        let has_second = begun.checked_add(Duration::from_secs(2)).is_some();
        assert_eq!((heard.words().contains(&"stopped".to_owned()), late), (has_second, !has_second), "{now}");
    }
}

#[test]
fn an_isolate_shuts_a_tree_down_wherever_in_time_it_is() {
    for now in moments() {
        let mut isolate = Isolate::starting_at(1, now);
        let heard = Heard::default();
        let clerk = heard.clone();
        let root =
            Supervisor::builder("root").intensity(1, PERIOD).actor("clerk", move || Clerk(clerk.clone()));
        let tree = isolate.supervise(&root).unwrap();
        isolate.run_for(Duration::from_millis(10)).unwrap();
        let begun = isolate.now();
        let late = is_over(isolate.shutdown());
        assert!(tree.end_reason().is_some());
        let has_second = begun.checked_add(Duration::from_secs(2)).is_some();
        assert_eq!((heard.words().contains(&"stopped".to_owned()), late), (has_second, !has_second), "{now}");
    }
}

#[test]
fn a_run_for_ever_comes_to_the_end_of_time_and_no_further() {
    let last = Timestamp::from_nanos(i64::MAX - 1);
    for now in moments() {
        let mut isolate = Isolate::starting_at(1, now);
        let heard = Heard::default();
        struct Once(Heard);
        impl Actor for Once {
            type Error = BoxError;
            async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
                ctx.schedule_after(Duration::from_nanos(1), Tick(1));
                ctx.schedule_after(Duration::from_secs(1), Tick(2));
                ctx.schedule_after(Duration::MAX, Tick(3));
                Ok(())
            }
        }
        impl Handler<Tick> for Once {
            async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
                self.0.add(format!("{} {}", ctx.now().as_nanos(), tick.0));
                Ok(())
            }
        }
        isolate.spawn(Once(heard.clone())).unwrap();
        isolate.run_for(Duration::MAX).unwrap();
        let due = |number, after| {
            let at = Timestamp::from_nanos(now.as_nanos().min(i64::MAX - 1)) + Duration::from_nanos(after);
            (at <= last).then(|| format!("{} {number}", at.as_nanos()))
        };
        let all: Vec<_> = [due(1, 1), due(2, 1_000_000_000)].into_iter().flatten().collect();
        assert_eq!(heard.words(), all, "{now}");
        isolate.run_until(Timestamp::from_nanos(i64::MAX)).unwrap();
        isolate.run().unwrap();
        assert!(isolate.now() <= last);
        isolate.shutdown().unwrap();
    }
}
