//! `#[actor]`, `#[service]` and `routing_config!`: what they accept, and their errors.

mod common;

use std::time::Duration;

use common::{Note, Tick, Tock, on_both_runtimes};
use mycelium::routing::RouteError;
use mycelium::{
    Actor, BoxError, Context, Handler, Isolate, MessageBus, Result, ServiceContext, StopReason, Subscription,
};

/// Uses every form that the macro knows.
#[derive(Default)]
struct Sum {
    ticks: u64,
    notes: Vec<String>,
}

struct Total;
struct AddUp(u64);

#[mycelium::actor]
impl Sum {
    #[on]
    async fn tick(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<()> {
        self.ticks += tick.0;
        ctx.publish(Tock(self.ticks)).await
    }

    #[on(policy = drop_oldest, capacity = 64)]
    fn note(&mut self, note: &Note) {
        self.notes.push(note.0.clone());
    }

    #[on(direct)]
    fn add(&mut self, more: &AddUp) -> Result<()> {
        if more.0 == 0 {
            return Err("nothing to add".into());
        }
        self.ticks += more.0;
        Ok(())
    }

    #[ask]
    fn total(&self, _: &Total) -> u64 {
        self.ticks + self.bonus()
    }

    #[started]
    fn wake(&mut self) {
        self.notes.push("started".into());
    }

    #[stopping]
    async fn sleep(&mut self, reason: &StopReason, ctx: &mut Context<Self>) {
        let _ = ctx.publish(Tock(u64::from(reason.is_abnormal()))).await;
    }

    fn bonus(&self) -> u64 {
        self.notes.len() as u64 * 100
    }
}

#[test]
fn the_actor_macro_writes_what_one_would_write_by_hand() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let mut tocks = bus.subscriber::<Tock>().unwrap();
        let sum = bus.spawn(Sum::default()).unwrap();
        bus.publisher::<Tick>().unwrap().publish(Tick(3)).await.unwrap();
        assert_eq!(tocks.recv().await.as_deref(), Some(&Tock(3)));
        bus.publisher::<Note>().unwrap().publish(Note("one".into())).await.unwrap();
        sum.tell(AddUp(4)).await.unwrap();
        assert_eq!(sum.ask(Total).await.unwrap(), 207);
        sum.tell(AddUp(0)).await.unwrap();
        assert_eq!(sum.ended().await, StopReason::Failed("nothing to add".into()));
        assert_eq!(tocks.recv().await.as_deref(), Some(&Tock(1)));
    });
}

#[test]
fn the_same_actor_runs_in_an_isolate() {
    let mut isolate = Isolate::new(1);
    let sum = isolate.spawn(Sum::default()).unwrap();
    isolate.publish(Tick(5)).unwrap();
    isolate.run().unwrap();
    assert_eq!(isolate.take(&sum).unwrap().ticks, 5);
}

/// What makes a handler end, and how.
struct End(u8);

/// Its handlers are written by hand.
struct ByHand;
impl Actor for ByHand {
    type Error = BoxError;
}
impl Handler<End> for ByHand {
    async fn handle(&mut self, end: &End, ctx: &mut Context<Self>) -> Result<()> {
        match end.0 {
            0 => Ok(()),
            1 => Err("a text".into()),
            2 => Ok(u8::try_from(300).map(drop)?),
            _ => Ok(ctx.tell(&ctx.actor_ref(), Total).await?),
        }
    }
}
impl Handler<Total> for ByHand {
    async fn handle(&mut self, _: &Total, ctx: &mut Context<Self>) -> Result<()> {
        ctx.stop();
        Ok(())
    }
}

/// The same by the macro.
struct ByMacro;
#[mycelium::actor]
impl ByMacro {
    #[on(direct)]
    async fn end(&mut self, end: &End, ctx: &mut Context<Self>) -> Result<()> {
        match end.0 {
            0 => return Ok(()),
            1 => return Err("a text".into()),
            2 => return Ok(u8::try_from(300).map(drop)?),
            _ => {}
        }
        ctx.tell(&ctx.actor_ref(), Total).await
    }
    #[on(direct)]
    fn total(&mut self, _: &Total, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

#[test]
fn handlers_by_hand_and_by_the_macro_end_their_actors_alike() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        for end in [1, 2, 3] {
            let (hand, by_macro) = (bus.spawn(ByHand).unwrap(), bus.spawn(ByMacro).unwrap());
            for how in [0, end] {
                hand.tell(End(how)).await.unwrap();
                by_macro.tell(End(how)).await.unwrap();
            }
            let reason = hand.ended().await;
            assert_eq!(reason == StopReason::Normal, end == 3, "{reason}");
            assert_eq!(by_macro.ended().await, reason);
        }
    });
}

struct Latest<T> {
    seen: Vec<T>,
}

#[mycelium::actor(error = std::io::Error)]
impl<T: From<u64> + Send + 'static> Latest<T> {
    #[on(policy = conflate, key = |tick| tick.0 % 2, capacity = 8, echo, retained)]
    fn tick(&mut self, tick: &Tick) -> std::io::Result<()> {
        self.seen.push(T::from(tick.0));
        Ok(())
    }
}

#[test]
fn a_generic_actor_with_a_conflating_subscription() {
    let mut isolate = Isolate::new(1);
    isolate.retain(mycelium::Retention::<Tick>::last()).unwrap();
    isolate.publish(Tick(4)).unwrap();
    let latest = isolate.spawn(Latest::<u64> { seen: Vec::new() }).unwrap();
    isolate.publish(Tick(5)).unwrap();
    isolate.run().unwrap();
    assert_eq!(isolate.take(&latest).unwrap().seen, [4, 5], "what was retained comes first");
}

struct Doubler;

#[mycelium::service]
impl Doubler {
    async fn run(&mut self, ctx: &ServiceContext) -> Result<()> {
        let mut ticks = ctx.subscribe::<Tick>(Subscription::block())?;
        ctx.publish(Note("ready".into())).await?;
        let tick = ticks.recv().await.ok_or("no tick")?;
        ctx.publish(Tock(tick.0 * 2)).await
    }
}

#[test]
fn the_service_macro() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let (mut notes, mut tocks) = (bus.subscriber::<Note>().unwrap(), bus.subscriber::<Tock>().unwrap());
        let doubler = bus.spawn_service(Doubler).unwrap();
        notes.recv().await.unwrap();
        bus.publisher::<Tick>().unwrap().publish(Tick(4)).await.unwrap();
        assert_eq!(tocks.recv().await.as_deref(), Some(&Tock(8)));
        assert_eq!(doubler.ended().await, StopReason::Normal);
    });
}

#[derive(Default)]
struct Ledger {
    tocks: Vec<u64>,
}

#[mycelium::actor]
impl Ledger {
    #[on]
    async fn tock(&mut self, tock: &Tock, ctx: &mut Context<Self>) -> Result<()> {
        self.tocks.push(tock.0);
        match tock.0 {
            99 => return Err("ninety-nine".into()),
            98 => ctx.sleep(Duration::from_secs(1)).await,
            97 => {
                ctx.stop();
                ctx.publish(Note("goodbye".into())).await?;
            }
            _ => {}
        }
        Ok(())
    }
}

mycelium::routing_config! {
    /// Ticks are summed, sums are written down.
    struct Routes {
        Tick => [sum: Sum],
        Note => [sum: Sum],
        Tock => [ledger: Ledger, audit: Ledger],
    }
}

#[test]
fn routes_call_handlers_directly_and_pass_on_what_they_publish() {
    let mut routes = Routes::new(Sum::default(), Ledger::default(), Ledger::default());
    for n in 1..=3 {
        routes.route(&Tick(n)).unwrap();
    }
    routes.route(&Note("direct".into())).unwrap();
    assert_eq!(routes.ledger().tocks, [1, 3, 6]);
    assert_eq!(routes.audit().tocks, [1, 3, 6]);
    assert_eq!(routes.sum().notes, ["direct"]);
}

#[test]
fn a_route_names_the_handler_that_fails_or_waits() {
    let mut routes = Routes::new(Sum::default(), Ledger::default(), Ledger::default());
    let error = routes.route(&Tock(99)).unwrap_err();
    assert_eq!(error, RouteError::Failed { actor: "Ledger", error: "ninety-nine".into() });
    assert!(routes.audit().tocks.is_empty(), "the next handler is not called");
    assert_eq!(routes.route(&Tock(98)).unwrap_err(), RouteError::Waited { actor: "Ledger" });
    routes.route(&Tock(1)).unwrap();
}

#[test]
fn an_actor_that_stops_says_its_last_word_and_hears_nothing_more() {
    let mut routes = Routes::new(Sum::default(), Ledger::default(), Ledger::default());
    routes.route(&Tock(97)).unwrap();
    assert_eq!(routes.sum().notes, ["goodbye", "goodbye"], "one of each ledger");
    routes.route(&Tock(1)).unwrap();
    assert_eq!((&routes.ledger().tocks[..], &routes.audit().tocks[..]), (&[97][..], &[97][..]));
}

/// Its methods are there under conditions, and what is written for them under the same ones.
#[derive(Default)]
struct Conditional(u64);

#[mycelium::actor]
impl Conditional {
    #[cfg(any())]
    #[on]
    fn never(&mut self, never: &Unknown) {}
    #[cfg(any())]
    #[ask]
    fn nobody_asks(&self, never: &Unknown) -> Unknown {}
    #[cfg(any())]
    #[started]
    fn never_starts(&mut self) {}
    #[started]
    fn starts(&mut self) {
        self.0 += 1;
    }
    #[cfg(unix)]
    #[on]
    fn tick(&mut self, tick: &Tick) {
        self.0 += tick.0;
    }
    #[cfg(not(unix))]
    #[on]
    fn tick_elsewhere(&mut self, tick: &Tick) {
        self.0 += tick.0;
    }
    #[ask]
    fn total(&self, _: &Total) -> u64 {
        self.0
    }
    /// What its blocks fail with is inferred from what it returns.
    #[on(direct)]
    async fn add(&mut self, more: &AddUp) -> Result<()> {
        let more = more.0;
        async move {
            self.0 += "1".parse::<u64>()? * more;
            Ok(())
        }
        .await
    }
    #[on(direct)]
    async fn note(&mut self, note: &Note) -> Result<()> {
        Box::pin(async {
            self.0 += note.0.parse::<u64>()?;
            Ok(())
        })
        .await
    }
}

#[test]
fn what_is_written_for_a_method_is_there_under_the_same_conditions() {
    let mut isolate = Isolate::new(1);
    let actor = isolate.spawn(Conditional::default()).unwrap();
    isolate.publish(Tick(3)).unwrap();
    isolate.tell(&actor, AddUp(10)).unwrap();
    isolate.tell(&actor, Note("100".into())).unwrap();
    assert_eq!(isolate.ask(&actor, Total).unwrap(), 114);
}

#[test]
fn mistakes_are_explained() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
