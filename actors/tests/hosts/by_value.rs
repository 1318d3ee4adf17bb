//! Messages and queries that an actor takes by value, beside those that it has by reference.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mycelium::testing::Faults;
use mycelium::tree::{Child, Redelivery, Restart};
use mycelium::{
    Actor, ActorRef, AskError, BoxError, Call, CallOutcome, Context, DeadLetterCause, Down, Isolate,
    MessageBus, OnFailure, Probe, Recipient, Replies, ReplyRecipient, Service, ServiceContext, StopReason,
    Supervisor, Takes, TellError,
};
use tokio::sync::oneshot;

use crate::common::{Heard, on_both_runtimes};
use crate::host::{Host, Letters};

/// Neither `Sync` nor `Clone`, and counted when it is dropped.
struct Token {
    number: Cell<u64>,
    drops: Arc<AtomicUsize>,
}

impl Drop for Token {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Ordering::Relaxed);
    }
}

/// Makes tokens and counts the drops of them all.
#[derive(Clone, Default)]
struct Mint(Arc<AtomicUsize>);

impl Mint {
    fn token(&self, number: u64) -> Token {
        Token { number: Cell::new(number), drops: Arc::clone(&self.0) }
    }
    fn drops(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Larger than what lies in a queue without an allocation.
struct Large([u8; 200], Token);
struct Callback(Box<dyn FnOnce() -> u64 + Send>);
struct Later(oneshot::Sender<u64>);
struct Seen(u64);
struct Words;
struct Submit(Token);
#[derive(Clone)]
struct Beat(String);

/// What each number makes its handler do.
const ERROR: u64 = 1_000;
const PANIC: u64 = 1_001;
const WAIT: u64 = 1_002;
const LATE: u64 = 1_003;
/// Less than the waits in between, which are an hour.
const HOUR: Duration = Duration::from_secs(3600);

#[derive(Clone, Default)]
struct Desk {
    heard: Heard,
    kept: Arc<Mutex<Vec<Token>>>,
    watched: Option<ActorRef<Desk>>,
}

#[mycelium::actor]
impl Desk {
    #[started]
    fn begin(&mut self, ctx: &mut Context<Self>) {
        self.heard.add("started");
        if let Some(other) = &self.watched {
            ctx.watch(other);
        }
    }

    #[on(direct)]
    async fn token(&mut self, token: Token, ctx: &mut Context<Self>) -> mycelium::Result<()> {
        let number = token.number.replace(7);
        self.heard.add(format!("token {number}"));
        match number {
            ERROR => return Err("refused".into()),
            PANIC => panic!("at once"),
            WAIT => ctx.sleep(HOUR).await,
            LATE => {
                ctx.sleep(Duration::from_millis(1)).await;
                panic!("after a while")
            }
            0 => self.kept.lock().unwrap().push(token),
            _ => {}
        }
        Ok(())
    }

    #[on(direct)]
    #[allow(clippy::needless_pass_by_value)] // That it is taken is the point.
    fn large(&mut self, large: Large) {
        self.heard.add(format!("large {} {}", large.0.len(), large.1.number.get()));
    }

    #[on(direct)]
    fn seen(&mut self, seen: &Seen) {
        self.heard.add(format!("seen {}", seen.0));
    }

    #[on(direct)]
    fn callback(&mut self, callback: Callback) {
        self.heard.add(format!("called {}", (callback.0)()));
    }

    #[on(direct)]
    fn later(&mut self, later: Later, ctx: &mut Context<Self>) {
        let _ = later.0.send(self.heard.words().len() as u64);
        ctx.schedule_after(Duration::ZERO, Callback(Box::new(|| 3)));
        ctx.schedule_after(Duration::ZERO, Seen(4));
    }

    #[on(direct)]
    fn down(&mut self, down: Down) {
        let reason: StopReason = down.reason;
        self.heard.add(format!("down {reason}"));
    }

    #[ask]
    async fn submit(&mut self, order: Submit, ctx: &mut Context<Self>) -> u64 {
        match order.0.number.get() {
            PANIC => panic!("at once"),
            WAIT => ctx.sleep(HOUR).await,
            _ => {}
        }
        let number = order.0.number.get();
        self.kept.lock().unwrap().push(order.0);
        number + 1
    }

    #[ask]
    fn words(&self, _: &Words) -> Vec<String> {
        self.heard.words()
    }
}

conformance!(what_is_sent_by_value_and_by_reference_keeps_its_order_and_is_dropped_once);
fn what_is_sent_by_value_and_by_reference_keeps_its_order_and_is_dropped_once<H: Host>() {
    let (mut host, mint, desk) = (H::new(), Mint::default(), Desk::default());
    let reference = host.spawn(desk.clone()).unwrap();
    for number in 1..=20 {
        host.tell(&reference, mint.token(number)).unwrap();
        host.tell(&reference, Seen(number)).unwrap();
        host.tell(&reference, Large([0; 200], mint.token(number))).unwrap();
    }
    host.try_tell(&reference, Callback(Box::new(|| 5))).unwrap();
    let words = host.ask(&reference, Words).unwrap();
    let expected =
        (1..=20).flat_map(|n| [format!("token {n}"), format!("seen {n}"), format!("large 200 {n}")]);
    let expected: Vec<_> = ["started".to_owned()].into_iter().chain(expected).collect();
    assert_eq!(words[..61], expected);
    assert_eq!(words[61..], ["called 5"]);
    assert_eq!(mint.drops(), 40);
    assert_eq!(host.ask(&reference, Submit(mint.token(8))), Ok(9));
    host.tell(&reference, mint.token(0)).unwrap();
    host.ask(&reference, Words).unwrap();
    let kept = std::mem::take(&mut *desk.kept.lock().unwrap());
    assert_eq!(kept.iter().map(|token| token.number.get()).collect::<Vec<_>>(), [8, 7]);
    assert_eq!(mint.drops(), 40, "whoever takes a message keeps it for as long as he wants");
    drop(kept);
    assert_eq!(mint.drops(), 42);
    host.shutdown();
}

conformance!(the_sender_of_an_answer_is_taken_and_timers_bring_both_kinds);
fn the_sender_of_an_answer_is_taken_and_timers_bring_both_kinds<H: Host>() {
    let (mut host, desk) = (H::new(), Desk::default());
    let reference = host.spawn(desk.clone()).unwrap();
    let (sender, answer) = oneshot::channel();
    host.tell(&reference, Later(sender)).unwrap();
    assert_eq!(host.wait(answer), Ok(1));
    host.until(|| desk.heard.words().len() == 3);
    assert_eq!(desk.heard.words(), ["started", "called 3", "seen 4"]);
    host.shutdown();
}

/// Ends as it is told.
struct Beater(Heard);
impl Actor for Beater {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.schedule_every(Duration::from_millis(1), Beat("beat".into()));
        self.0.add("started");
        Ok(())
    }
}
impl Takes<Beat> for Beater {
    async fn take(&mut self, beat: Beat, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.add(beat.0);
        match self.0.words().len() {
            3 => Err("the second beat".into()),
            6 => {
                ctx.stop();
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

conformance!(a_beat_by_value_is_a_copy_each_time_and_is_not_tried_again);
fn a_beat_by_value_is_a_copy_each_time_and_is_not_tried_again<H: Host>() {
    let (mut host, heard) = (H::new(), Heard::default());
    let made = heard.clone();
    let child = Child::actor("beater", move || Beater(made.clone()))
        .redelivery(Redelivery::Retry { attempts: 5 })
        .restart(Restart::Transient);
    let tree = host.supervise(Supervisor::builder("root").child(child)).unwrap();
    let _beater = host.child::<Beater>(&tree, "root/beater").unwrap();
    host.until(|| heard.words().len() >= 6);
    assert_eq!(heard.words()[..6], ["started", "beat", "beat", "started", "beat", "beat"]);
    assert_eq!(host.letters(), Letters { dead: 1, retried: 0 });
    assert_eq!(host.dead_letters().recent[0].cause, DeadLetterCause::Taken);
    host.shutdown();
}

conformance!(what_was_taken_is_not_tried_again_and_is_a_dead_letter_that_says_so);
fn what_was_taken_is_not_tried_again_and_is_a_dead_letter_that_says_so<H: Host>() {
    for fault in [ERROR, PANIC, LATE] {
        let (mut host, mint, desk) = (H::new(), Mint::default(), Desk::default());
        let make = desk.clone();
        let child = Child::actor("desk", move || make.clone()).redelivery(Redelivery::Retry { attempts: 5 });
        let tree = host.supervise(Supervisor::builder("root").child(child)).unwrap();
        let reference = host.child::<Desk>(&tree, "root/desk").unwrap();
        for number in [1, fault, 2] {
            host.tell(&reference, mint.token(number)).unwrap();
            host.tell(&reference, Seen(number)).unwrap();
        }
        let words = host.ask(&reference, Words).unwrap();
        let (token, seen) = (format!("token {fault}"), format!("seen {fault}"));
        assert_eq!(words, ["started", "token 1", "seen 1", &token, "started", &seen, "token 2", "seen 2"]);
        assert_eq!(mint.drops(), 3);
        assert_eq!(host.letters(), Letters { dead: 1, retried: 0 });
        let letters = host.dead_letters();
        assert_eq!((letters.in_hand, letters.recent[0].message), (1, "Token"));
        assert_eq!(letters.recent[0].cause, DeadLetterCause::Taken);
        assert!(letters.recent[0].to_string().starts_with("1 Token was taken by its handler when "));
        host.shutdown();
    }
}

conformance!(each_message_by_value_is_dropped_once_however_its_actor_ends);
fn each_message_by_value_is_dropped_once_however_its_actor_ends<H: Host>() {
    for end in [ERROR, PANIC, LATE, WAIT] {
        let (mut host, mint, desk) = (H::new(), Mint::default(), Desk::default());
        let make = desk.clone();
        let child = Child::actor("desk", move || make.clone()).restart(Restart::Temporary);
        let tree = host.supervise(Supervisor::builder("root").child(child)).unwrap();
        let reference = host.child::<Desk>(&tree, "root/desk").unwrap();
        host.tell(&reference, mint.token(1)).unwrap();
        host.ask(&reference, Words).unwrap();
        host.tell(&reference, mint.token(end)).unwrap();
        host.settle();
        // These find it at work or already ended.
        let mut sent = 2;
        for number in 2..10 {
            sent += 1;
            if let Err(TellError::Stopped(token, _)) = host.try_tell(&reference, mint.token(number)) {
                assert_eq!(token.number.get(), number, "an error gives the message back");
            }
        }
        if end == WAIT {
            host.until(|| desk.heard.words().len() == 3);
            reference.kill();
        }
        host.ended(&reference);
        host.settle();
        host.until(|| mint.drops() == sent);
        assert_eq!(host.letters().retried, 0);
        assert!(matches!(host.tell(&reference, mint.token(3)), Err(TellError::Stopped(..))));
        assert_eq!(mint.drops(), sent + 1);
        host.shutdown();
        assert_eq!(mint.drops(), sent + 1);
    }
}

conformance!(a_query_by_value_that_fails_or_is_dropped_is_an_error_of_its_asker);
fn a_query_by_value_that_fails_or_is_dropped_is_an_error_of_its_asker<H: Host>() {
    let (mut host, mint, desk) = (H::new(), Mint::default(), Desk::default());
    let make = desk.clone();
    let child = Child::actor("desk", move || make.clone()).redelivery(Redelivery::Retry { attempts: 3 });
    let tree = host.supervise(Supervisor::builder("root").child(child)).unwrap();
    let reference = host.child::<Desk>(&tree, "root/desk").unwrap();
    assert!(matches!(host.ask(&reference, Submit(mint.token(PANIC))), Err(AskError::Stopped(_))));
    assert_eq!(mint.drops(), 1);
    let reference = host.spawn(desk).unwrap();
    let limit = Some(Duration::from_millis(1));
    assert!(matches!(host.ask_for(&reference, Submit(mint.token(WAIT)), limit), Err(AskError::Timeout(_))));
    assert_eq!(mint.drops(), 1, "it still has it");
    reference.kill();
    host.ended(&reference);
    host.until(|| mint.drops() == 2);
    assert!(matches!(host.ask(&reference, Submit(mint.token(1))), Err(AskError::Stopped(_))));
    assert_eq!(mint.drops(), 3);
    assert_eq!(host.letters(), Letters { dead: 2, retried: 0 });
    host.shutdown();
}

/// Tells and asks through addresses without a type.
struct Caller {
    token: Recipient<Token>,
    seen: Recipient<Seen>,
    submit: ReplyRecipient<Submit, u64>,
    mint: Mint,
    answer: Arc<Mutex<Option<u64>>>,
}
impl Service for Caller {
    type Error = BoxError;
    async fn run(&mut self, _: &ServiceContext) -> Result<(), BoxError> {
        for number in 1..=300 {
            self.token.tell(self.mint.token(number)).await.ok().ok_or("it has ended")?;
            self.seen.tell(Seen(number)).await.ok().ok_or("it has ended")?;
        }
        let answer = self.submit.ask(Submit(self.mint.token(1))).await?;
        *self.answer.lock().unwrap() = Some(answer);
        Ok(())
    }
}

conformance!(recipients_take_both_kinds_and_wait_for_room);
fn recipients_take_both_kinds_and_wait_for_room<H: Host>() {
    let (mut host, mint, desk) = (H::new(), Mint::default(), Desk::default());
    let reference = host.spawn(desk.clone()).unwrap();
    let answer = Arc::default();
    let caller = Caller {
        token: reference.recipient(),
        seen: reference.recipient::<Seen>(),
        submit: reference.reply_recipient::<Submit>(),
        mint: mint.clone(),
        answer: Arc::clone(&answer),
    };
    let caller = host.spawn_service(caller).unwrap();
    host.service_ended(&caller);
    assert_eq!(answer.lock().unwrap().take(), Some(2));
    let expected = (1..=300).flat_map(|number| [format!("token {number}"), format!("seen {number}")]);
    assert_eq!(desk.heard.words()[1..], expected.collect::<Vec<_>>());
    assert_eq!(mint.drops(), 300);
    host.shutdown();
}

conformance!(a_notice_of_a_watch_is_taken_too);
fn a_notice_of_a_watch_is_taken_too<H: Host>() {
    let mut host = H::new();
    let other = host.spawn(Desk::default()).unwrap();
    let desk = Desk { watched: Some(other.clone()), ..Desk::default() };
    let watcher = host.spawn(desk.clone()).unwrap();
    host.ask(&watcher, Words).unwrap();
    other.stop();
    host.until(|| desk.heard.words().len() == 2);
    assert_eq!(desk.heard.words(), ["started", "down ended normally"]);
    host.shutdown();
}

/// What a generic sender needs to know: nothing of the kind.
fn tell_any<A: Takes<M>, M: Send + 'static>(isolate: &mut Isolate, to: &ActorRef<A>, message: M) {
    assert!(isolate.tell(to, message).is_ok());
}
fn ask_any<A: Replies<Q>, Q: Send + 'static>(isolate: &mut Isolate, to: &ActorRef<A>, query: Q) -> A::Reply {
    isolate.ask(to, query).unwrap()
}

#[test]
fn an_isolate_is_told_and_asked_from_outside_with_both_kinds() {
    let (mut isolate, mint) = (Isolate::new(1), Mint::default());
    let desk = isolate.spawn(Desk::default()).unwrap();
    tell_any(&mut isolate, &desk, mint.token(5));
    tell_any(&mut isolate, &desk, Seen(6));
    assert_eq!(ask_any(&mut isolate, &desk, Submit(mint.token(1))), 2);
    assert_eq!(ask_any(&mut isolate, &desk, Words), ["started", "token 5", "seen 6"]);
    isolate.tell(&desk, mint.token(9)).ok().unwrap();
    drop(isolate);
    assert_eq!(mint.drops(), 3, "what waits goes with the isolate, and what the desk has kept with the desk");
}

#[test]
fn a_thread_tells_by_value() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (mint, desk) = (Mint::default(), Desk::default());
    let bus = {
        let _entered = runtime.enter();
        MessageBus::new()
    };
    let reference = runtime.block_on(async { bus.spawn(desk.clone()) }).unwrap();
    for number in 1..=5_000 {
        reference.tell_blocking(mint.token(number % 500 + 1)).ok().unwrap();
    }
    let words = runtime.block_on(reference.ask(Words)).unwrap();
    assert_eq!(words.len(), 5_001);
    assert_eq!(mint.drops(), 5_000);
}

/// Writes down what it sees of calls.
#[derive(Default)]
struct Trace(Mutex<Vec<String>>);
impl Probe for Trace {
    fn ended(&self, call: &Call, outcome: &CallOutcome<'_>) {
        self.0.lock().unwrap().push(format!("{} {outcome}", call.message));
    }
}

#[test]
fn a_probe_sees_what_is_taken_and_a_failure_in_place_of_the_handler_drops_it_once() {
    let faults = |trace: &Arc<Trace>| {
        let faults = Faults::new().panic_at::<Desk, Token>(2).panic_at::<Desk, Submit>(2);
        Arc::new(faults.and(Arc::clone(trace) as _))
    };
    let expected = ["Token is done", "Submit is done", "Token panicked", "Submit panicked"];

    let (mint, trace, mut isolate) = (Mint::default(), Arc::<Trace>::default(), Isolate::new(1));
    isolate.probe(faults(&trace));
    isolate.on_failure(OnFailure::GoOn);
    let (first, second) = (isolate.spawn(Desk::default()).unwrap(), isolate.spawn(Desk::default()).unwrap());
    isolate.tell(&first, mint.token(1)).unwrap();
    assert_eq!(isolate.ask(&first, Submit(mint.token(1))), Ok(2));
    isolate.tell(&first, mint.token(2)).unwrap();
    isolate.run().unwrap();
    assert!(matches!(isolate.ask(&second, Submit(mint.token(2))), Err(AskError::Stopped(_))));
    let letters = isolate.dead_letters();
    assert!(letters.recent.iter().all(|letter| letter.cause == DeadLetterCause::Taken));
    assert_eq!(letters.in_hand, 2);
    drop((isolate, first, second));
    assert_eq!(mint.drops(), 4);
    assert_eq!(*trace.0.lock().unwrap(), expected);

    let (mint, trace) = (Mint::default(), Arc::<Trace>::default());
    on_both_runtimes(async || {
        let before = mint.drops();
        trace.0.lock().unwrap().clear();
        let bus = MessageBus::builder().probe(faults(&trace)).build();
        let (first, second) = (bus.spawn(Desk::default()).unwrap(), bus.spawn(Desk::default()).unwrap());
        first.tell(mint.token(1)).await.unwrap();
        assert_eq!(first.ask(Submit(mint.token(1))).await, Ok(2));
        first.tell(mint.token(2)).await.unwrap();
        assert!(matches!(first.ended().await, StopReason::Panicked(_)));
        assert!(matches!(second.ask(Submit(mint.token(2))).await, Err(AskError::Stopped(_))));
        second.ended().await;
        assert!(bus.dead_letters().recent.iter().all(|letter| letter.cause == DeadLetterCause::Taken));
        bus.shutdown().await.unwrap();
        drop((bus, first, second));
        assert_eq!(mint.drops(), before + 4);
        assert_eq!(*trace.0.lock().unwrap(), expected);
    });
}
