//! Actors with callbacks, under supervision trees.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use mycelium::tree::{Builder, Redelivery, Restart};
use mycelium::{AskError, Isolate, StopReason, Subscription, Supervisor, WireDelivery};
use mycelium_hosted::{ActorSpec, Address, Behavior, Encoded, Error, ErrorKind, Failure, Runtime, Scope};

use crate::callbacks::Lock;
use crate::common::{Log, WATCHDOG, builder, encoded, price, runtime, tick, until};

/// Writes down all that it is called with, and does what numbers tell it.
struct Scripted {
    log: Log,
    lives: Arc<AtomicU64>,
    life: u64,
    runtime: Option<Runtime>,
    watched: Option<Address>,
}

impl Scripted {
    fn say(&self, words: impl std::fmt::Display) {
        self.log.add(format!("{}: {words}", self.life));
    }
}

const FAILS: i64 = -1;
const STOPS: i64 = -2;
const PANICS: i64 = -3;
const ECHOES: i64 = -4;
const CLOSES: i64 = -5;

impl Behavior for Scripted {
    fn started(&mut self, scope: &mut Scope<'_>) -> Result<(), Failure> {
        self.say(format!("started {}", scope.path()));
        scope.schedule_after(Duration::ZERO, 1);
        scope.schedule_after(Duration::from_secs(3_600), 2);
        scope.schedule_after(Duration::ZERO, 2);
        scope.schedule_after(Duration::ZERO, 3);
        assert!(scope.cancel(3) && !scope.cancel(3) && !scope.cancel(4));
        if let Some(watched) = &self.watched {
            scope.watch(watched, 5).map_err(|error| Failure::new(error.to_string()))?;
            scope.watch(watched, 6).map_err(|error| Failure::new(error.to_string()))?;
            assert!(scope.unwatch(6) && !scope.unwatch(6));
        }
        Ok(())
    }

    fn message(&mut self, message: &WireDelivery<'_>, scope: &mut Scope<'_>) -> Result<(), Failure> {
        let at = price(message.bytes);
        self.say(format!("{} {at}", message.name()));
        match at {
            FAILS => return Err(Failure::new("Traceback: division by zero")),
            STOPS => scope.stop(),
            PANICS => panic!("told to"),
            ECHOES => {
                scope.publish(9, b"echo\xff\xff\xff\xff").map_err(|error| Failure::new(error.to_string()))?;
            }
            CLOSES => {
                let error = self.runtime.as_ref().unwrap().close(WATCHDOG).unwrap_err();
                self.say(error.kind() == ErrorKind::Inside);
            }
            _ => {}
        }
        Ok(())
    }

    fn told(&mut self, message: &Encoded, _: &mut Scope<'_>) -> Result<(), Failure> {
        self.say(format!("told {}", message.header.type_id));
        Ok(())
    }

    fn query(&mut self, query: &Encoded, scope: &mut Scope<'_>) -> Result<Encoded, Failure> {
        let n = price(&query.bytes);
        if n < 0 {
            return Err(Failure::new("ValueError: below zero"));
        }
        assert!(scope.now().as_nanos() >= 0 && scope.address().is_alive() && scope.id() > 0);
        Ok(Encoded { bytes: tick(n * 2).to_vec(), ..query.clone() })
    }

    fn timer(&mut self, number: u64, _: &mut Scope<'_>) -> Result<(), Failure> {
        self.say(format!("timer {number}"));
        Ok(())
    }

    fn down(&mut self, number: u64, reason: &StopReason, _: &mut Scope<'_>) -> Result<(), Failure> {
        self.say(format!("down {number} {reason}"));
        Ok(())
    }

    fn stopping(&mut self, reason: &StopReason, _: &mut Scope<'_>) {
        self.say(format!("stopping {reason}"));
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.say("dropped");
    }
}

fn scripted(log: &Log, runtime: Option<&Runtime>, watched: Option<&Address>) -> ActorSpec {
    let (log, runtime, watched) = (log.clone(), runtime.cloned(), watched.cloned());
    let lives = Arc::new(AtomicU64::new(0));
    let make = move || {
        let life = lives.fetch_add(1, Ordering::SeqCst);
        let lives = Arc::clone(&lives);
        let scripted =
            Scripted { log: log.clone(), lives, life, runtime: runtime.clone(), watched: watched.clone() };
        assert_eq!(scripted.lives.load(Ordering::SeqCst), life + 1);
        Ok(Box::new(scripted) as Box<dyn Behavior>)
    };
    ActorSpec::new(make).on("ticks", Subscription::block())
}

fn root() -> Builder {
    Supervisor::builder("root").intensity(20, Duration::from_secs(60))
}

#[test]
fn an_actor_is_restarted_after_an_error_and_a_panic_and_its_mailbox_survives() {
    let lock = Arc::new(Lock::default());
    let runtime = builder().hooks(Arc::clone(&lock) as _).start().unwrap();
    let (log, reasons) = (Log::default(), Log::default());
    let told = reasons.clone();
    let child = runtime.child("desk", scripted(&log, Some(&runtime), None));
    let tree = runtime
        .start(root().child(child).on_event(move |_, notice| told.add(format!("{notice:?}"))))
        .unwrap();
    for at in [1, FAILS, 2, PANICS, 3, CLOSES] {
        runtime.publish(7, &tick(at)).unwrap();
    }
    log.wait_for("2: true");
    let address = tree.address("root/desk").unwrap();
    address.tell(encoded(&runtime, 7, &tick(1))).unwrap();
    log.wait_for("2: told 7");
    // Timers of no time at all still come a little later than what is there.
    log.wait_for("2: timer 1");
    log.wait_for("2: timer 2");
    until("it sleeps", || lock.held.load(Ordering::SeqCst) == 0);
    runtime.close(WATCHDOG).unwrap();
    let words: Vec<_> = log.all().into_iter().filter(|words| !words.contains("timer")).collect();
    let wanted = [
        "0: started root/desk",
        "0: Tick 1",
        "0: Tick -1",
        "0: stopping failed: Traceback: division by zero",
        "0: dropped",
        "1: started root/desk",
        "1: Tick 2",
        "1: Tick -3",
        "1: dropped",
        "2: started root/desk",
        "2: Tick 3",
        "2: Tick -5",
        "2: true",
        "2: told 7",
        "2: stopping was shut down",
        "2: dropped",
    ];
    assert_eq!(words, wanted);
    let all = log.all();
    let timers = [1, 2, 3].map(|n| all.iter().filter(|words| **words == format!("2: timer {n}")).count());
    assert_eq!(timers, [1, 1, 0], "{all:?}");
    assert!(
        reasons.all().iter().any(|notice| notice.contains("Traceback: division by zero")),
        "{:?}",
        reasons.all()
    );
    assert_eq!((lock.held.load(Ordering::SeqCst), lock.threads.load(Ordering::SeqCst)), (0, 0));
}

#[test]
fn what_is_in_hand_at_a_failure_is_handled_once_more_where_the_child_says_so() {
    let runtime = runtime();
    let log = Log::default();
    let child =
        runtime.child("desk", scripted(&log, None, None)).redelivery(Redelivery::Retry { attempts: 3 });
    let _tree = runtime.start(root().child(child)).unwrap();
    runtime.publish(7, &tick(FAILS)).unwrap();
    runtime.publish(7, &tick(4)).unwrap();
    log.wait_for("3: Tick 4");
    let tries = log.all().iter().filter(|words| words.ends_with("Tick -1")).count();
    assert_eq!((tries, runtime.stats().unwrap().dead_letters.in_hand), (3, 1));
}

#[test]
fn asks_are_answered_refused_and_limited_and_an_error_of_an_answer_ends_nothing() {
    let runtime = runtime();
    let log = Log::default();
    let tree = runtime.start(root().child(runtime.child("desk", scripted(&log, None, None)))).unwrap();
    let desk = runtime.address("root/desk").unwrap();
    let ask = |n: i64, limit| desk.ask(encoded(&runtime, 10, &tick(n)), limit);
    assert_eq!(ask(21, None).map(|answer| price(&answer.bytes)), Ok(42));
    assert_eq!(ask(1, Some(WATCHDOG)).map(|answer| price(&answer.bytes)), Ok(2));
    assert_eq!(ask(-1, None), Err(Error::Answer(Failure::new("ValueError: below zero"))));
    assert_eq!(ask(2, Some(WATCHDOG)).map(|answer| price(&answer.bytes)), Ok(4));
    assert!(log.all().iter().all(|words| words.starts_with("0:")), "it is the first life still");
    assert_eq!(runtime.address("root/nobody").unwrap_err(), Error::NoAddress { path: "root/nobody".into() });
    tree.shutdown(WATCHDOG).unwrap();
    assert!(!desk.is_alive());
    assert!(matches!(ask(1, Some(WATCHDOG)), Err(Error::Ask(AskError::Stopped(_)))));
    assert_eq!(desk.tell(encoded(&runtime, 7, &tick(1))).unwrap_err().kind(), ErrorKind::NoAddress);
}

#[test]
fn an_ask_of_one_who_is_busy_has_its_limit() {
    /// Answers when it is told.
    struct Slow(Arc<AtomicI64>);
    impl Behavior for Slow {
        fn message(&mut self, _: &WireDelivery<'_>, _: &mut Scope<'_>) -> Result<(), Failure> {
            Ok(())
        }
        fn query(&mut self, query: &Encoded, _: &mut Scope<'_>) -> Result<Encoded, Failure> {
            until("released", || self.0.load(Ordering::SeqCst) > 0);
            Ok(query.clone())
        }
    }
    let runtime = runtime();
    let released = Arc::new(AtomicI64::new(0));
    let release = Arc::clone(&released);
    let spec = ActorSpec::new(move || Ok(Box::new(Slow(Arc::clone(&released)))));
    let tree = runtime.start(root().child(runtime.child("slow", spec))).unwrap();
    let slow = tree.address("root/slow").unwrap();
    let query = encoded(&runtime, 10, &tick(1));
    assert_eq!(
        slow.ask(query.clone(), Some(Duration::from_millis(5))).unwrap_err().kind(),
        ErrorKind::Timeout
    );
    assert!(slow.tell(query.clone()).is_ok(), "it takes no such message, and finds out when it comes to it");
    release.store(1, Ordering::SeqCst);
    until("it is restarted", || runtime.stats().unwrap().restarts == 1);
    assert_eq!(slow.ask(query.clone(), Some(WATCHDOG)), Ok(query));
}

#[test]
fn a_behaviour_that_cannot_be_made_is_a_failed_start_with_its_text() {
    let runtime = runtime();
    let spec = ActorSpec::new(|| Err(Failure::new("ImportError: no module named desk")));
    let error = runtime.start(root().child(runtime.child("desk", spec))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tree);
    assert!(error.to_string().contains("ImportError: no module named desk"), "{error}");
    let unknown = ActorSpec::new(|| Err(Failure::new("never"))).on("nowhere", Subscription::block());
    let error = runtime.start(root().child(runtime.child("desk", unknown))).unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error}");
    runtime.close(WATCHDOG).unwrap();
}

#[test]
fn actors_publish_stop_and_watch_each_other() {
    let runtime = runtime();
    let (log, other) = (Log::default(), Log::default());
    let mut news = runtime.reader("news", Subscription::block()).unwrap();
    let watched = runtime.child("watched", scripted(&log, None, None)).restart(Restart::Transient);
    let tree = runtime.start(root().child(watched)).unwrap();
    let address = tree.address("root/watched").unwrap();
    let watcher = runtime.child("watcher", scripted(&other, None, Some(&address)));
    tree.start_child("root", watcher).unwrap();
    runtime.publish(7, &tick(ECHOES)).unwrap();
    let mut senders = Vec::new();
    while senders.len() < 2 {
        news.wait(Some(WATCHDOG)).unwrap();
        news.drain(9, |delivery| senders.push(delivery.sender)).unwrap();
    }
    assert!(senders.iter().all(Option::is_some) && senders[0] != senders[1], "it is theirs: {senders:?}");
    address.tell(encoded(&runtime, 7, &tick(0))).unwrap();
    log.wait_for("0: told 7");
    tree.terminate_child("root/watched").unwrap();
    other.wait_for("0: down 5 was shut down");
    let children = tree.which_children("root").unwrap();
    assert_eq!(children.len(), 2);
    tree.restart_child("root/watched").unwrap();
    log.wait_for("1: started root/watched");
    runtime.publish(7, &tick(STOPS)).unwrap();
    log.wait_for("1: stopping ended normally");
    assert_eq!(tree.end_reason(Duration::from_millis(1)), None);
    tree.shutdown(WATCHDOG).unwrap();
    assert!(tree.end_reason(WATCHDOG).is_some());
}

#[test]
fn the_same_actor_runs_in_an_isolate() {
    let runtime = runtime();
    let log = Log::default();
    let mut isolate = Isolate::new(7);
    isolate.contract(mycelium::wire::Contract::parse(crate::common::TABLE).unwrap());
    let tree = root().child(runtime.child("desk", scripted(&log, None, None)));
    isolate.supervise(&tree).unwrap();
    for at in [1, FAILS, ECHOES] {
        let header = runtime.known().get(7).unwrap().header();
        isolate.publish_wire(&header, &tick(at)).unwrap();
    }
    isolate.run().unwrap();
    let words: Vec<_> = log.all().into_iter().filter(|words| words.contains("Tick")).collect();
    assert_eq!(words, ["0: Tick 1", "0: Tick -1", "1: Tick -4"]);
}

#[test]
fn a_thousand_restarts_leave_no_thread_and_no_behaviour_behind() {
    let lock = Arc::new(Lock::default());
    let runtime = builder().hooks(Arc::clone(&lock) as _).start().unwrap();
    let log = Log::default();
    let child = runtime.child("desk", scripted(&log, None, None));
    let tree = Supervisor::builder("root").intensity(100_000, Duration::from_secs(1)).child(child);
    let tree = runtime.start(tree).unwrap();
    for _ in 0..1_000 {
        runtime.publish(7, &tick(FAILS)).unwrap();
    }
    runtime.publish(7, &tick(9)).unwrap();
    log.wait_for("1000: Tick 9");
    assert_eq!(lock.threads.load(Ordering::SeqCst), 1, "a restart in place keeps the thread");
    tree.shutdown(WATCHDOG).unwrap();
    until("its thread ends", || lock.threads.load(Ordering::SeqCst) == 0);
    let count = |what: &str| log.all().iter().filter(|words| words.ends_with(what)).count();
    assert_eq!((count("started root/desk"), count("dropped")), (1_001, 1_001));
    runtime.close(WATCHDOG).unwrap();
}

/// Asks the other one, and says what comes of it.
struct Asker(Address, Log);
impl Behavior for Asker {
    fn message(&mut self, _: &WireDelivery<'_>, _: &mut Scope<'_>) -> Result<(), Failure> {
        let query = Encoded { header: mycelium::frame::Header::default(), bytes: tick(1).to_vec() };
        let answer = self.0.ask(query, None);
        self.1.add(format!("{:?}", answer.map_err(|error| error.kind())));
        Ok(())
    }
}

/// Answers when it is released.
struct Silent(Arc<AtomicBool>);
impl Behavior for Silent {
    fn message(&mut self, _: &WireDelivery<'_>, _: &mut Scope<'_>) -> Result<(), Failure> {
        Ok(())
    }
    fn query(&mut self, query: &Encoded, _: &mut Scope<'_>) -> Result<Encoded, Failure> {
        until("released", || self.0.load(Ordering::SeqCst));
        Ok(query.clone())
    }
}

#[test]
fn an_ask_from_a_callback_ends_with_the_limit_of_its_bus() {
    let runtime = builder().bus(|bus| bus.ask_limit(Duration::from_millis(30))).start().unwrap();
    let (log, released) = (Log::default(), Arc::new(AtomicBool::new(false)));
    let silent = {
        let released = Arc::clone(&released);
        ActorSpec::new(move || Ok(Box::new(Silent(Arc::clone(&released))) as Box<dyn Behavior>))
    };
    let _first = runtime.start(root().child(runtime.child("silent", silent))).unwrap();
    let (other, heard) = (runtime.address("root/silent").unwrap(), log.clone());
    let asker =
        ActorSpec::new(move || Ok(Box::new(Asker(other.clone(), heard.clone())) as Box<dyn Behavior>));
    let second =
        Supervisor::builder("second").child(runtime.child("asker", asker.on("ticks", Subscription::block())));
    let _second = runtime.start(second).unwrap();
    runtime.publish(7, &tick(1)).unwrap();
    log.wait_for("Err(Timeout)");
    released.store(true, Ordering::SeqCst);
    runtime.close(WATCHDOG).unwrap();
}

#[test]
fn an_interrupted_ask_says_that_its_query_may_have_been_received() {
    let runtime = builder().bus(|bus| bus.topic_capacity(2)).start().unwrap();
    let (released, asked) = (Arc::new(AtomicBool::new(false)), Log::default());
    let (of_actor, heard) = (Arc::clone(&released), asked.clone());
    let spec = ActorSpec::new(move || {
        Ok(Box::new(Counting(heard.clone(), Silent(Arc::clone(&of_actor)))) as Box<dyn Behavior>)
    });
    let tree = runtime.start(root().child(runtime.child("silent", spec))).unwrap();
    let silent = tree.address("root/silent").unwrap();
    let _full = runtime.reader("ticks", Subscription::block()).unwrap();
    mycelium_hosted::on_wait(Some(std::rc::Rc::new(|| true)));
    for limit in [None, Some(WATCHDOG)] {
        let error = silent.ask(encoded(&runtime, 10, &tick(1)), limit).unwrap_err();
        assert_eq!((&error, error.kind()), (&Error::AskInterrupted, ErrorKind::Interrupted));
        assert!(error.to_string().contains("may have been received"), "{error}");
    }
    let some = runtime.publish_many(7, &[0; 40], 8).unwrap_err();
    assert_eq!((some.published, &some.error), (2, &Error::Interrupted));
    assert!(some.to_string().starts_with("2 were published, then") && !some.to_string().contains("nothing"));
    mycelium_hosted::on_wait(None);
    released.store(true, Ordering::SeqCst);
    silent.ask(encoded(&runtime, 10, &tick(1)), Some(WATCHDOG)).unwrap();
    assert_eq!(asked.len(), 3, "whoever does it again asks twice");
    runtime.close(WATCHDOG).unwrap();
}

#[test]
fn an_interrupted_wait_for_a_tree_or_a_close_leaves_what_goes_on() {
    let (runtime, released, asked) = (runtime(), Arc::new(AtomicBool::new(false)), Log::default());
    let (of_actor, heard) = (Arc::clone(&released), asked.clone());
    let spec = ActorSpec::new(move || {
        Ok(Box::new(Counting(heard.clone(), Silent(Arc::clone(&of_actor)))) as Box<dyn Behavior>)
    });
    let tree = runtime.start(root().child(runtime.child("silent", spec))).unwrap();
    let silent = tree.address("root/silent").unwrap();
    let asking = std::thread::spawn({
        let query = encoded(&runtime, 10, &tick(1));
        move || silent.ask(query, Some(WATCHDOG)).is_ok()
    });
    until("it is asked", || asked.len() == 1);
    let look = || std::rc::Rc::new(|| true) as std::rc::Rc<dyn Fn() -> bool>;
    let after = |error: Error| match error {
        Error::WaitInterrupted { after } => after,
        error => panic!("{error}"),
    };
    mycelium_hosted::looking(look(), || {
        assert_eq!(after(tree.ended(Duration::MAX).unwrap_err()), "the tree goes on");
        let known = after(tree.shutdown(WATCHDOG).unwrap_err());
        assert_eq!(known, "the tree goes on to end");
    });
    assert_eq!(tree.ended(Duration::from_millis(60)), Ok(None), "nothing looks any more");
    released.store(true, Ordering::SeqCst);
    assert!(tree.ended(WATCHDOG).unwrap().is_some());
    asking.join().unwrap();
    let closed = mycelium_hosted::looking(look(), || runtime.close(WATCHDOG));
    assert!(closed.is_ok() || after(closed.unwrap_err()).starts_with("the runtime is closed"));
    assert!(runtime.is_closed());
}

/// Writes down what it is asked.
struct Counting(Log, Silent);
impl Behavior for Counting {
    fn message(&mut self, message: &WireDelivery<'_>, scope: &mut Scope<'_>) -> Result<(), Failure> {
        self.1.message(message, scope)
    }
    fn query(&mut self, query: &Encoded, scope: &mut Scope<'_>) -> Result<Encoded, Failure> {
        self.0.add("asked");
        self.1.query(query, scope)
    }
}

/// Closes another runtime than its own.
struct Closer(Runtime, Log);

impl Behavior for Closer {
    fn message(&mut self, _: &WireDelivery<'_>, _: &mut Scope<'_>) -> Result<(), Failure> {
        self.1.add(format!("{:?}", self.0.close(WATCHDOG)));
        Ok(())
    }
}

/// Its thread is in the context of tokio, where nobody may wait for the end of threads.
#[test]
fn an_actor_of_one_runtime_closes_another() {
    let (ours, other, log) = (runtime(), runtime(), Log::default());
    let (closed, said) = (other.clone(), log.clone());
    let closer = ActorSpec::new(move || Ok(Box::new(Closer(closed.clone(), said.clone()))));
    let child = ours.child("closer", closer.on("ticks", Subscription::block()));
    let _tree = ours.start(root().child(child)).unwrap();
    ours.publish(7, &tick(1)).unwrap();
    log.wait_for("Ok(())");
    assert!(other.is_closed() && other.publish(7, &tick(1)).is_err());
    ours.close(WATCHDOG).unwrap();
}

/// Tells itself until that is refused.
struct Talkative(Log);

impl Behavior for Talkative {
    fn message(&mut self, _: &WireDelivery<'_>, scope: &mut Scope<'_>) -> Result<(), Failure> {
        let own = scope.address();
        let error = (0..1_000).find_map(|n| own.tell(scope.encoded(7, &tick(n)).unwrap()).err()).unwrap();
        self.0.add(format!("{:?}", error.kind()));
        Ok(())
    }

    fn told(&mut self, _: &Encoded, _: &mut Scope<'_>) -> Result<(), Failure> {
        Ok(())
    }
}

#[test]
fn an_actor_that_fills_its_own_mailbox_is_told_that_it_would_wait_for_itself() {
    let runtime = builder().bus(|bus| bus.inbox_capacity(8)).start().unwrap();
    let log = Log::default();
    let heard = log.clone();
    let spec = ActorSpec::new(move || Ok(Box::new(Talkative(heard.clone())) as Box<dyn Behavior>));
    let child = runtime.child("talkative", spec.on("ticks", Subscription::block()));
    let _tree = runtime.start(root().child(child)).unwrap();
    runtime.publish(7, &tick(1)).unwrap();
    log.wait_for("Inside");
    runtime.close(WATCHDOG).unwrap();
}
