//! The bus of a Rust program, seen from a foreign language.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use mycelium::frame::Header;
use mycelium::wire::{Contract, Layout, Messages, Visitor, Wire};
use mycelium::{
    Actor, BoxError, Context, Handler, Message, MessageBus, Responder, Subscription, Subscriptions,
    Supervisor, ThreadHooks, WireDelivery,
};
use mycelium_hosted::{ActorSpec, Behavior, Encoded, Error, ErrorKind, Exposed, Failure, Runtime, Scope};

use crate::common::{Log, TABLE, WATCHDOG, price, tick, until};

macro_rules! message {
    ($name:ident, $id:literal, $topic:literal) => {
        #[derive(
            Clone,
            Debug,
            PartialEq,
            mycelium::rkyv::Archive,
            mycelium::rkyv::Serialize,
            mycelium::rkyv::Deserialize,
        )]
        #[rkyv(crate = mycelium::rkyv)]
        struct $name {
            n: i64,
        }
        impl Message for $name {
            const NAME: &'static str = stringify!($name);
            const TYPE_ID: u16 = $id;
            const TOPIC: &'static str = $topic;
            fn validate(&self) -> Result<(), mycelium::ValidationError> {
                if self.n < 0 {
                    Err(mycelium::ValidationError::new(Self::NAME, "n", "is below zero"))
                } else {
                    Ok(())
                }
            }
        }
        impl Wire for $name {
            const FIXED: bool = true;
            const LAYOUTS: &'static [Layout] = &[Layout { version: 1, root_len: $name::ROOT_LEN, digest: 1 }];
        }
    };
}
message!(Tick, 7, "ticks");
message!(Limit, 8, "limits");
message!(Room, 9, "rooms");

struct Mine;
impl Messages for Mine {
    fn each<V: Visitor>(&self, visitor: &mut V) {
        visitor.typed::<Tick>();
        visitor.typed::<Limit>();
        visitor.typed::<Room>();
    }
}

struct NoHooks;
impl ThreadHooks for NoHooks {}

/// A Rust actor.
struct Risk(Log);
impl Actor for Risk {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
}
impl Handler<Tick> for Risk {
    async fn handle(&mut self, tick: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.add(format!("tick {}", tick.n));
        Ok(())
    }
}
impl Handler<Limit> for Risk {
    async fn handle(&mut self, limit: &Limit, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.add(format!("limit {}", limit.n));
        Ok(())
    }
}
impl Responder<Room> for Risk {
    type Reply = Limit;
    async fn answer(&mut self, room: &Room, _: &mut Context<Self>) -> Limit {
        Limit { n: room.n + 1 }
    }
}

#[test]
fn bytes_and_types_meet_on_one_bus_and_a_close_leaves_it() {
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let bus = MessageBus::builder().contract(Mine).runtime(threads.handle().clone()).build();
    let log = Log::default();
    let risk = bus.spawn(Risk(log.clone())).unwrap();
    let runtime = Runtime::share(bus.clone(), &Mine, threads.handle().clone(), Arc::new(NoHooks));
    let mut ticks = runtime.reader("ticks", Subscription::block()).unwrap();

    runtime.publish(7, &tick(3)).unwrap();
    bus.publisher::<Tick>().unwrap().publish_blocking(Tick { n: 4 }).unwrap();
    log.wait_for("tick 4");
    let mut out = [0; 80];
    assert_eq!((ticks.read_array(7, &mut out), price(&out[..8]), price(&out[8..16])), (Ok(2), 3, 4));
    assert_eq!(runtime.publish(7, &tick(-1)).unwrap_err().kind(), ErrorKind::Value, "its rule is broken");

    let exposed =
        Exposed::new().takes::<Limit>(risk.recipient()).answers::<Room, Limit>(risk.reply_recipient());
    runtime.expose("risk", exposed);
    let address = runtime.address("risk").unwrap();
    address.tell(Encoded::of(&Limit { n: 5 }).unwrap()).unwrap();
    log.wait_for("limit 5");
    let answer = address.ask(Encoded::of(&Room { n: 1 }).unwrap(), Some(WATCHDOG)).unwrap();
    assert_eq!(answer.decode::<Limit>(), Ok(Limit { n: 2 }));
    assert!(answer.decode::<Room>().is_err());
    let wrong = address.tell(Encoded::of(&Tick { n: 1 }).unwrap()).unwrap_err();
    assert!(matches!(&wrong, Error::Answer(text) if text.text().contains("type id 7")), "{wrong}");
    assert!(address.ask(Encoded::of(&Limit { n: 1 }).unwrap(), None).is_err());

    bus.publisher::<Tick>().unwrap().publish_blocking(Tick { n: 5 }).unwrap();
    runtime.close(WATCHDOG).unwrap();
    assert!(runtime.publish(7, &tick(5)).is_err());
    bus.publisher::<Tick>().unwrap().publish_blocking(Tick { n: 6 }).unwrap();
    log.wait_for("tick 6");
    assert_eq!((ticks.wait(None), ticks.drain(9, |_| ())), (Ok(true), Ok(1)), "what had come by then");
    assert_eq!(ticks.wait(None).unwrap_err().kind(), ErrorKind::Closed);
    threads.block_on(bus.shutdown()).unwrap();
    assert!(!address.is_alive());
}

#[test]
fn readers_that_nobody_reads_keep_no_publisher_of_the_program_waiting_once_their_runtime_is_closed() {
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let bus = MessageBus::builder().contract(Mine).runtime(threads.handle().clone()).build();
    let runtime = Runtime::share(bus.clone(), &Mine, threads.handle().clone(), Arc::new(NoHooks));
    let mut unread = [0; 3].map(|_| runtime.reader("ticks", Subscription::block().capacity(2)).unwrap());
    let mut waits = runtime.reader("limits", Subscription::block().capacity(2)).unwrap();
    let waiting = std::thread::spawn(move || (waits.wait(None).map_err(|error| error.kind()), waits));
    runtime.publish(7, &tick(1)).unwrap();
    runtime.publish(7, &tick(2)).unwrap();
    assert!(runtime.try_publish(7, &tick(3)).is_err(), "they are full");

    runtime.close(WATCHDOG).unwrap();
    let (ended, _waits) = waiting.join().unwrap();
    assert_eq!(ended, Err(ErrorKind::Closed), "a wait ends");
    for n in 3..9 {
        bus.publisher::<Tick>().unwrap().try_publish(Tick { n }).unwrap();
        bus.publisher::<Limit>().unwrap().try_publish(Limit { n }).unwrap();
    }
    // What waited is there to be read, by each of the ways.
    let mut out = [0; 256];
    assert_eq!((unread[0].read_array(7, &mut out), price(&out[..8]), price(&out[8..16])), (Ok(2), 1, 2));
    assert_eq!(unread[1].read_records(&mut out, 1), Ok(1));
    let mut seen = Vec::new();
    assert_eq!(unread[1].drain(9, |tick| seen.push(price(tick.bytes))), Ok(1));
    assert_eq!((unread[2].wait(None), seen), (Ok(true), vec![2]));
    assert_eq!(unread[2].drain(9, |_| ()), Ok(2));
    for reader in &mut unread {
        assert_eq!(reader.drain(9, |_| ()).unwrap_err().kind(), ErrorKind::Closed);
    }
    let late = runtime.reader("ticks", Subscription::block()).unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Closed);
    threads.block_on(bus.shutdown()).unwrap();
}

#[test]
fn a_runtime_on_a_busy_bus_closes_with_what_was_published_before() {
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let bus = MessageBus::builder().contract(Mine).runtime(threads.handle().clone()).build();
    let runtime = Runtime::share(bus.clone(), &Mine, threads.handle().clone(), Arc::new(NoHooks));
    let heard = Arc::new(AtomicU64::new(0));
    let hears = Arc::clone(&heard);
    runtime
        .subscribe("ticks", Subscription::block(), move |_| {
            hears.fetch_add(1, Ordering::SeqCst);
            Ok(())
        })
        .unwrap();
    let goes_on = Arc::new(AtomicBool::new(true));
    let (of_thread, publisher) = (Arc::clone(&goes_on), bus.publisher::<Tick>().unwrap());
    let publishing = std::thread::spawn(move || {
        let mut n = 0;
        while of_thread.load(Ordering::SeqCst) {
            publisher.publish_blocking(Tick { n }).unwrap();
            n += 1;
        }
    });
    until("it hears", || heard.load(Ordering::SeqCst) > 10_000);
    runtime.close(WATCHDOG).unwrap();
    let at_close = heard.load(Ordering::SeqCst);
    std::thread::sleep(std::time::Duration::from_millis(5));
    assert_eq!(heard.load(Ordering::SeqCst), at_close, "and none after it");
    goes_on.store(false, Ordering::SeqCst);
    publishing.join().unwrap();
    threads.block_on(bus.shutdown()).unwrap();
}

/// What comes over a link keeps the time of its origin, whose clock may be another one.
#[test]
fn a_close_delivers_what_was_published_before_it_whatever_time_a_message_has() {
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let contract = Contract::parse(TABLE).unwrap();
    let bus = MessageBus::builder().contract(contract).runtime(threads.handle().clone()).build();
    let runtime = Runtime::share(bus.clone(), &contract, threads.handle().clone(), Arc::new(NoHooks));
    let (heard, goes_on) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let (hears, released) = (Arc::clone(&heard), Arc::clone(&goes_on));
    let how = Subscription::block().capacity(2_000);
    runtime
        .subscribe("ticks", how, move |_| {
            until("released", || released.load(Ordering::SeqCst));
            hears.fetch_add(1, Ordering::SeqCst);
            Ok(())
        })
        .unwrap();
    let header = runtime.known().get(7).unwrap().header();
    let later = bus.clock().now().as_nanos() + 1_000_000_000;
    for at in 0..=1_000 {
        // Behind those that are delivered before the thread looks whether it is to end.
        let publish_ns = if at == 500 { later } else { 0 };
        bus.try_publish_wire(&Header { publish_ns, ..header }, &tick(at)).unwrap();
    }
    let closing = {
        let runtime = runtime.clone();
        std::thread::spawn(move || runtime.close(WATCHDOG))
    };
    until("it closes", || runtime.is_closed());
    goes_on.store(true, Ordering::SeqCst);
    assert_eq!(closing.join().unwrap(), Ok(()));
    assert_eq!(heard.load(Ordering::SeqCst), 1_001);
    threads.block_on(bus.shutdown()).unwrap();
}

struct Idle;
impl Behavior for Idle {
    fn message(&mut self, _: &WireDelivery<'_>, _: &mut Scope<'_>) -> Result<(), Failure> {
        Ok(())
    }
}

#[test]
fn a_tree_on_a_shared_bus_ends_with_its_last_handle_and_one_that_is_held_with_the_runtime() {
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let bus = MessageBus::builder().contract(Mine).runtime(threads.handle().clone()).build();
    let runtime = Runtime::share(bus.clone(), &Mine, threads.handle().clone(), Arc::new(NoHooks));
    let start = |root: &str| {
        let spec = ActorSpec::new(|| Ok(Box::new(Idle) as Box<dyn Behavior>));
        let tree = Supervisor::builder(root).child(runtime.child("idle", spec));
        runtime.start(tree).unwrap()
    };
    let (dropped, held) = (start("dropped"), start("held"));
    let of_dropped = dropped.address("dropped/idle").unwrap();
    let of_held = held.address("held/idle").unwrap();
    let also_dropped = dropped.clone();
    drop(dropped);
    assert!(of_dropped.is_alive() && also_dropped.tree().end_reason().is_none(), "there is another handle");
    drop(also_dropped);
    until("it has ended", || !of_dropped.is_alive());
    assert!(of_held.is_alive());
    runtime.close(WATCHDOG).unwrap();
    assert!(!of_held.is_alive() && held.tree().end_reason().is_some());
    threads.block_on(bus.shutdown()).unwrap();
}

/// Handles nothing before it is released.
struct Held(Arc<AtomicBool>, Arc<AtomicBool>);
impl Behavior for Held {
    fn message(&mut self, _: &WireDelivery<'_>, _: &mut Scope<'_>) -> Result<(), Failure> {
        self.0.store(true, Ordering::SeqCst);
        until("released", || self.1.load(Ordering::SeqCst));
        Ok(())
    }
}

#[test]
fn each_close_says_whose_actors_run_on() {
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let bus = MessageBus::builder().contract(Mine).runtime(threads.handle().clone()).build();
    let runtime = || Runtime::share(bus.clone(), &Mine, threads.handle().clone(), Arc::new(NoHooks));
    let (runs, released) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (of_program, of_runtime) = (runtime(), runtime());
    let idle = ActorSpec::new(|| Ok(Box::new(Idle) as Box<dyn Behavior>));
    let tree = Supervisor::builder("program").child(of_program.child("idle", idle));
    let tree = threads.block_on(tree.start(&bus)).unwrap();
    let (running, goes_on) = (Arc::clone(&runs), Arc::clone(&released));
    let held = move || Ok(Box::new(Held(Arc::clone(&running), Arc::clone(&goes_on))) as Box<dyn Behavior>);
    let spec = ActorSpec::new(held).on("ticks", Subscription::block());
    let own = Supervisor::builder("runtime").child(of_runtime.child("held", spec));
    let _own = of_runtime.start(own).unwrap();
    threads.block_on(bus.publisher::<Tick>().unwrap().publish(Tick { n: 1 })).unwrap();
    until("it runs", || runs.load(Ordering::SeqCst));

    let short = Duration::from_millis(20);
    for _ in 0..2 {
        assert_eq!((of_program.close(short), of_program.gave_up()), (Err(Error::ActorsRun), false));
    }
    let first = of_runtime.close(short);
    assert!(matches!(first, Err(Error::Callback(Some(_)))), "{first:?}");
    assert_eq!((of_runtime.close(short), of_runtime.gave_up()), (Err(Error::Callback(None)), true));
    released.store(true, Ordering::SeqCst);
    threads.block_on(tree.shutdown()).unwrap();
    assert_eq!((of_program.close(WATCHDOG), of_runtime.close(WATCHDOG)), (Ok(()), Ok(())));
    threads.block_on(bus.shutdown()).unwrap();
}
