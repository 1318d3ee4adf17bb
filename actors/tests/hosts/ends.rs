//! How actors, services and asks end, and what others see of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mycelium::{
    Actor, ActorRef, AskError, BoxError, Context, Handler, Responder, Service, ServiceContext, StopReason,
    Subscription, Subscriptions, TellError,
};

use crate::common::{Flush, Heard, Log, Note, Tick, Tock};
use crate::host::{Diary, Host};

conformance!(a_stopped_actor_finishes_the_message_in_hand_and_takes_its_leave);
fn a_stopped_actor_finishes_the_message_in_hand_and_takes_its_leave<H: Host>() {
    let mut host = H::new();
    let (diary, (is_in, let_go)) = (host.diary(), <(Arc<AtomicBool>, Arc<AtomicBool>)>::default());
    let busy = Busy::new(&diary, &is_in, &let_go);
    let busy = host.spawn(busy).unwrap();
    for number in [1, 2] {
        host.tell(&busy, Tick(number)).unwrap();
    }
    host.until(|| is_in.load(Ordering::SeqCst));
    assert!(busy.is_alive());
    busy.stop();
    let_go.store(true, Ordering::SeqCst);
    assert_eq!(host.ended(&busy), StopReason::Normal);
    assert!(!busy.is_alive());
    host.has_heard(&diary, &["0 in 1", "500 out 1", "500 ended normally"]);
    assert_eq!(host.letters().dead, 1, "what waited behind it");
    assert!(matches!(host.try_tell(&busy, Tick(3)), Err(TellError::Stopped(back, _)) if back == Tick(3)));
    assert!(matches!(host.ask(&busy, Flush), Err(AskError::Stopped(_))));
}

/// Is busy with each tick for half a second, and until it is let go: where time is not virtual, what is done
/// to it may take longer.
struct Busy {
    diary: Diary,
    witness: Arc<()>,
    is_in: Arc<AtomicBool>,
    let_go: Arc<AtomicBool>,
}
impl Busy {
    fn new(diary: &Diary, is_in: &Arc<AtomicBool>, let_go: &Arc<AtomicBool>) -> Self {
        let (is_in, let_go) = (Arc::clone(is_in), Arc::clone(let_go));
        Self { diary: diary.clone(), witness: Arc::default(), is_in, let_go }
    }
}
impl Actor for Busy {
    type Error = BoxError;
    async fn stopping(&mut self, reason: &StopReason, ctx: &mut Context<Self>) {
        self.diary.note(ctx.now(), reason);
    }
}
impl Handler<Tick> for Busy {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        let _held = Arc::clone(&self.witness);
        self.diary.note(ctx.now(), format_args!("in {}", tick.0));
        self.is_in.store(true, Ordering::SeqCst);
        ctx.sleep(Duration::from_millis(500)).await;
        while !self.let_go.load(Ordering::SeqCst) {
            ctx.sleep(Duration::from_millis(1)).await;
        }
        self.diary.note(ctx.now(), format_args!("out {}", tick.0));
        Ok(())
    }
}
impl Responder<Flush> for Busy {
    type Reply = ();
    async fn answer(&mut self, _: &Flush, ctx: &mut Context<Self>) {
        ctx.sleep(Duration::from_secs(5)).await;
    }
}

/// Lets somebody go when it is told to stop.
struct LetsGo(Arc<AtomicBool>);
impl Service for LetsGo {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        ctx.stopped().await;
        self.0.store(true, Ordering::SeqCst);
        Ok(())
    }
}

conformance!(a_shutdown_waits_for_the_message_in_hand);
fn a_shutdown_waits_for_the_message_in_hand<H: Host>() {
    let mut host = H::new();
    let (diary, (is_in, let_go)) = (host.diary(), <(Arc<AtomicBool>, Arc<AtomicBool>)>::default());
    let busy = host.spawn(Busy::new(&diary, &is_in, &let_go)).unwrap();
    host.spawn_service(LetsGo(let_go)).unwrap();
    for number in [1, 2] {
        host.tell(&busy, Tick(number)).unwrap();
    }
    host.until(|| is_in.load(Ordering::SeqCst));
    host.shutdown();
    assert!(!busy.is_alive());
    assert_eq!(host.ended(&busy), StopReason::Shutdown);
    host.has_heard(&diary, &["0 in 1", "500 out 1", "500 was shut down"]);
    assert_eq!(host.letters().dead, 1, "what waited behind it");
}

/// Asks for its stop, and goes on.
struct Stubborn;
impl Service for Stubborn {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        ctx.stopped().await;
        std::future::pending().await
    }
}

conformance!(a_shutdown_kills_and_names_who_is_late);
fn a_shutdown_kills_and_names_who_is_late<H: Host>() {
    let mut host = H::new();
    let (diary, is_in) = (host.diary(), Arc::<AtomicBool>::default());
    let busy = Busy::new(&diary, &is_in, &Arc::default());
    let witness = Arc::clone(&busy.witness);
    let busy = host.spawn(busy).unwrap();
    let stubborn = host.spawn_service(Stubborn).unwrap();
    host.tell(&busy, Tick(1)).unwrap();
    host.until(|| is_in.load(Ordering::SeqCst));
    host.settle();
    let mut late = host.shutdown_within(Duration::from_millis(100));
    late.sort_unstable();
    assert_eq!(late, ["Busy", "Stubborn"]);
    assert_eq!(host.ended(&busy), StopReason::Killed);
    assert_eq!(host.wait(stubborn.ended()), StopReason::Killed);
    host.advance(Duration::from_millis(600));
    let kept = usize::from(H::OFFERS.state);
    assert_eq!(Arc::strong_count(&witness), 1 + kept, "the handler is gone");
    host.has_heard(&diary, &["0 in 1"]);
    assert_eq!(host.letters().dead, 1, "what it had in hand");
}

conformance!(a_kill_drops_the_handler_where_it_waits);
fn a_kill_drops_the_handler_where_it_waits<H: Host>() {
    let mut host = H::new();
    let (diary, is_in) = (host.diary(), Arc::<AtomicBool>::default());
    let busy = Busy::new(&diary, &is_in, &Arc::default());
    let witness = Arc::clone(&busy.witness);
    let busy = host.spawn(busy).unwrap();
    for number in [1, 2, 3] {
        host.tell(&busy, Tick(number)).unwrap();
    }
    host.until(|| is_in.load(Ordering::SeqCst));
    busy.kill();
    assert_eq!(host.ended(&busy), StopReason::Killed);
    host.advance(Duration::from_millis(600));
    // An isolate keeps the state of its actors.
    let kept = usize::from(H::OFFERS.state);
    assert_eq!(Arc::strong_count(&witness), 1 + kept, "the handler is gone");
    host.has_heard(&diary, &["0 in 1"]);
}

conformance!(what_waits_for_an_actor_at_its_end_is_a_dead_letter_however_it_was_sent);
fn what_waits_for_an_actor_at_its_end_is_a_dead_letter_however_it_was_sent<H: Host>() {
    struct Hearer(Busy);
    impl Actor for Hearer {
        type Error = BoxError;
        fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
            topics.on::<Tock>();
        }
    }
    impl Handler<Tick> for Hearer {
        async fn handle(&mut self, _: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
            self.0.is_in.store(true, Ordering::SeqCst);
            while !self.0.let_go.load(Ordering::SeqCst) {
                ctx.sleep(Duration::from_millis(1)).await;
            }
            Ok(())
        }
    }
    impl Handler<Tock> for Hearer {
        async fn handle(&mut self, _: &Tock, _: &mut Context<Self>) -> Result<(), BoxError> {
            Ok(())
        }
    }
    for (kill, later) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut host = H::new();
        let (is_in, let_go) = <(Arc<AtomicBool>, Arc<AtomicBool>)>::default();
        let actor = host.spawn(Hearer(Busy::new(&host.diary(), &is_in, &let_go))).unwrap();
        host.tell(&actor, Tick(1)).unwrap();
        host.until(|| is_in.load(Ordering::SeqCst));
        for number in [2, 3] {
            host.tell(&actor, Tick(number)).unwrap();
            host.publish(Tock(number)).unwrap();
        }
        if later {
            host.settle();
        }
        if kill {
            actor.kill();
        } else {
            actor.stop();
            let_go.store(true, Ordering::SeqCst);
        }
        host.ended(&actor);
        // The message in hand at a stop was handled; that at a kill is a dead letter too.
        assert_eq!(host.letters().dead, 4 + u64::from(kill), "kill {kill}, later {later}");
        let topic = host.topic::<Tock>();
        assert_eq!((topic.published, topic.delivered, topic.waiting), (2, 0, 0));
    }
}

conformance!(an_ask_ends_with_its_deadline_or_its_actor);
fn an_ask_ends_with_its_deadline_or_its_actor<H: Host>() {
    /// Asks, for a while or for ever.
    struct Asker(ActorRef<Busy>, Option<Duration>, Arc<Mutex<Vec<(i64, AskError)>>>);
    impl Service for Asker {
        type Error = BoxError;
        async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
            let begun = ctx.now();
            let error = match self.1 {
                Some(limit) => self.0.ask_within(Flush, limit).await,
                None => self.0.ask(Flush).await,
            };
            let took = ctx.now().saturating_since(begun).as_millis() as i64;
            self.2.lock().unwrap().push((took, error.unwrap_err()));
            Ok(())
        }
    }
    let mut host = H::new();
    let busy = Busy::new(&host.diary(), &Arc::default(), &Arc::default());
    let busy = host.spawn(busy).unwrap();
    let errors = Arc::<Mutex<Vec<(i64, AskError)>>>::default();
    let limited = Asker(busy.clone(), Some(Duration::from_millis(7)), Arc::clone(&errors));
    let limited = host.spawn_service(limited).unwrap();
    host.service_ended(&limited);
    let unlimited = host.spawn_service(Asker(busy.clone(), None, Arc::clone(&errors))).unwrap();
    host.advance(Duration::from_millis(3));
    busy.kill();
    host.service_ended(&unlimited);
    let errors = errors.lock().unwrap().clone();
    let [(_, AskError::Timeout(late)), (_, AskError::Stopped(killed))] = &errors[..] else {
        panic!("{errors:?}")
    };
    let whom = Some(busy.identity());
    assert_eq!((&late.whom, late.sent, late.limit), (&whom, true, Some(Duration::from_millis(7))));
    assert_eq!((&killed.whom, killed.sent), (&whom, true));
    if H::OFFERS.exact_time {
        assert_eq!(errors.iter().map(|(took, _)| *took).collect::<Vec<_>>(), [7, 3]);
    } else {
        assert!(errors[0].0 + 1 >= 7);
    }
}

conformance!(an_actor_that_asks_itself_has_an_error_at_once);
fn an_actor_that_asks_itself_has_an_error_at_once<H: Host>() {
    struct Selfish(Option<AskError>);
    impl Actor for Selfish {
        type Error = BoxError;
        async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
            self.0 = ctx.actor_ref().ask(Flush).await.err();
            Ok(())
        }
    }
    impl Responder<Flush> for Selfish {
        type Reply = Option<AskError>;
        async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) -> Option<AskError> {
            self.0.clone()
        }
    }
    impl Responder<Tick> for Selfish {
        type Reply = Option<AskError>;
        async fn answer(&mut self, _: &Tick, ctx: &mut Context<Self>) -> Option<AskError> {
            let me = ctx.actor_ref();
            ctx.ask(&me, Flush).await.err()
        }
    }
    let mut host = H::new();
    let selfish = host.spawn(Selfish(None)).unwrap();
    assert!(matches!(host.ask(&selfish, Flush).unwrap(), Some(AskError::Itself(_))));
    assert!(matches!(host.ask(&selfish, Tick(0)).unwrap(), Some(AskError::Itself(_))));
}

conformance!(an_error_ends_its_actor_alone_and_its_message_is_a_dead_letter);
fn an_error_ends_its_actor_alone_and_its_message_is_a_dead_letter<H: Host>() {
    let mut host = H::new();
    let [failing, neighbour] = [0; 2].map(|_| host.spawn(Log::default()).unwrap());
    host.tell(&failing, Note("fail".into())).unwrap();
    assert_eq!(host.ended(&failing), StopReason::Failed("told to fail".into()));
    host.publish(Tock(1)).unwrap();
    assert_eq!(host.ask(&neighbour, Flush).unwrap(), ["tock 1"]);
    assert_eq!(host.letters().dead, 1);
}

conformance!(a_panic_ends_its_actor_alone_and_what_waits_is_counted);
fn a_panic_ends_its_actor_alone_and_what_waits_is_counted<H: Host>() {
    let mut host = H::new();
    let neighbour = host.spawn(Log::default()).unwrap();
    let heard = Heard::default();
    let doomed = host.spawn(Log { heard: heard.clone(), ..Log::default() }).unwrap();
    host.settle();
    host.try_tell(&doomed, Note("panic".into())).unwrap();
    // On two workers it may have ended before.
    let waits = host.try_tell(&doomed, Note("never".into())).is_ok();
    assert_eq!(host.ended(&doomed), StopReason::Panicked("told to".into()));
    assert!(heard.words().is_empty(), "`stopping` does not run after a panic");
    assert!(neighbour.is_alive());
    assert_eq!(host.letters().dead, 1 + u64::from(waits));
}

/// Reads ticks and publishes their sum when it is stopped.
struct Sum(Heard);
impl Service for Sum {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let mut ticks = ctx.subscribe::<Tick>(Subscription::block().capacity(4))?;
        self.0.add("ready");
        let mut sum = 0;
        while let Some(tick) = ticks.recv().await {
            if tick.0 == u64::MAX {
                break;
            }
            sum += tick.0;
        }
        ctx.publish(Tock(sum)).await?;
        Ok(())
    }
}

conformance!(a_service_reads_its_topic_until_its_loop_returns);
fn a_service_reads_its_topic_until_its_loop_returns<H: Host>() {
    let mut host = H::new();
    let log = host.spawn(Log::default()).unwrap();
    host.ask(&log, Flush).unwrap();
    let heard = Heard::default();
    let sum = host.spawn_service(Sum(heard.clone())).unwrap();
    host.until(|| !heard.words().is_empty());
    for n in (0..=100).chain([u64::MAX]) {
        host.publish(Tick(n)).unwrap();
    }
    host.service_ended(&sum);
    assert_eq!(host.ask(&log, Flush).unwrap().last().unwrap(), "tock 5050");
}

conformance!(a_shutdown_stops_whoever_is_left_and_their_last_words_are_heard);
fn a_shutdown_stops_whoever_is_left_and_their_last_words_are_heard<H: Host>() {
    struct Leaves(Heard);
    impl Actor for Leaves {
        type Error = BoxError;
        fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
            topics.on::<Tick>();
        }
        async fn stopping(&mut self, reason: &StopReason, _: &mut Context<Self>) {
            self.0.add(reason.to_string());
        }
    }
    impl Handler<Tick> for Leaves {
        async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
            self.0.add("tick");
            Ok(())
        }
    }
    let mut host = H::new();
    let heard = Heard::default();
    let actors = [0; 3].map(|_| host.spawn(Leaves(heard.clone())).unwrap());
    host.publish(Tick(0)).unwrap();
    host.settle();
    host.shutdown();
    let mut words = heard.words();
    words.sort();
    let told = "was shut down";
    assert_eq!(words, ["tick", "tick", "tick", told, told, told]);
    for actor in &actors {
        assert!(!actor.is_alive());
        assert_eq!(host.ended(actor), StopReason::Shutdown);
    }
}

/// Returns when it is stopped.
struct Patient(Heard);
impl Service for Patient {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        ctx.sleep(Duration::from_secs(3600)).await;
        self.0.add("not stopped");
        Ok(())
    }
}

conformance!(the_handle_of_a_service_ends_it_and_knows_of_its_end);
fn the_handle_of_a_service_ends_it_and_knows_of_its_end<H: Host>() {
    let (mut host, log) = (H::new(), Heard::default());
    let [one, other] = [(); 2].map(|()| host.spawn_service(Patient(log.clone())).unwrap());
    host.settle();
    assert!(one.is_alive() && other.is_alive() && one.id() != other.id());
    assert_eq!(format!("{one:?}"), format!("{}{}", one.name(), one.id()));
    one.clone().stop();
    other.kill();
    assert_eq!(host.wait(one.ended()), StopReason::Normal);
    assert_eq!(host.wait(other.ended()), StopReason::Killed);
    assert!(!one.is_alive() && !other.is_alive());
    assert!(log.take().is_empty());
}
