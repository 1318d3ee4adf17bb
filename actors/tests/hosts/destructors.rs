//! The destructors of messages: when they run, and what one may do that panics.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mycelium::tree::{Builder, Child, Redelivery};
use mycelium::{
    Actor, BlockingError, BoxError, Context, Handler, Message, Probe, Responder, StopReason, Subscription,
    Subscriptions, Supervisor,
};

use crate::common::PERIOD;
use crate::host::{Host, Letters};

type Seen = Arc<Mutex<Vec<String>>>;

/// Notes its end, and panics then if it is told to.
#[derive(Clone, Debug)]
struct Order {
    number: u64,
    _guard: Arc<Guard>,
}
#[derive(Debug)]
struct Guard {
    number: u64,
    seen: Seen,
    panics: bool,
}
impl Drop for Guard {
    fn drop(&mut self) {
        self.seen.lock().unwrap().push(format!("{} is gone", self.number));
        assert!(!self.panics, "asked to panic in a destructor");
    }
}
impl Message for Order {
    const NAME: &'static str = "Order";
    const TYPE_ID: u16 = 9;
    const TOPIC: &'static str = "orders";
}

fn order(number: u64, seen: &Seen, panics: bool) -> Order {
    Order { number, _guard: Arc::new(Guard { number, seen: Arc::clone(seen), panics }) }
}

/// Handles orders, odd ones after a while.
struct Desk {
    seen: Seen,
    /// Whether its queue drops the oldest where it is full, which it is not.
    lossy: bool,
    /// The order at which it fails.
    fails: Option<u64>,
}

impl Desk {
    fn new(seen: &Seen) -> Self {
        Self { seen: Arc::clone(seen), lossy: false, fails: None }
    }
}

impl Actor for Desk {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_with(if self.lossy { Subscription::drop_oldest() } else { Subscription::<Order>::block() });
    }
}
impl Handler<Order> for Desk {
    async fn handle(&mut self, order: &Order, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if order.number % 2 == 1 {
            ctx.sleep(Duration::from_millis(1)).await;
        }
        if self.fails == Some(order.number) {
            return Err("told to fail".into());
        }
        self.seen.lock().unwrap().push(format!("{} is handled", order.number));
        Ok(())
    }
}

conformance!(a_guard_in_a_message_is_dropped_when_the_last_handler_has_returned);
fn a_guard_in_a_message_is_dropped_when_the_last_handler_has_returned<H: Host>() {
    let mut host = H::new();
    let seen = Seen::default();
    for _ in 0..3 {
        host.spawn(Desk::new(&seen)).unwrap();
    }
    for number in 0..20 {
        host.publish(order(number, &seen, false)).unwrap();
        // Nothing else is published until then: nobody but the handlers can have dropped it.
        host.until(|| seen.lock().unwrap().len() == 4);
        let mut expected = vec![format!("{number} is handled"); 3];
        expected.push(format!("{number} is gone"));
        assert_eq!(std::mem::take(&mut *seen.lock().unwrap()), expected);
    }
    host.shutdown();
}

struct LooksOn;
impl Probe for LooksOn {}

/// Each way in which an actor reads its topic, with the order whose destructor panics: one whose handler
/// waits, and one whose does not.
fn each_way<H: Host>(mut test: impl FnMut(H, Desk, Seen, u64)) {
    for (lossy, probed) in [(false, false), (true, false), (false, true), (true, true)] {
        for bad in [2, 3] {
            let host = if probed { H::probed(Arc::new(LooksOn)) } else { H::new() };
            let seen = Seen::default();
            test(host, Desk { lossy, ..Desk::new(&seen) }, seen, bad);
        }
    }
}

/// A tree with such a desk.
fn supervised(desk: Desk) -> Builder {
    let Desk { seen, lossy, fails } = desk;
    let child = Child::actor("desk", move || Desk { seen: Arc::clone(&seen), lossy, fails })
        .redelivery(Redelivery::Retry { attempts: 3 });
    Supervisor::builder("root").intensity(20, PERIOD).child(child)
}

/// Nothing is lost without a trace.
fn add_up<H: Host>(host: &H) {
    let orders = host.topic::<Order>();
    assert_eq!(orders.published, orders.delivered + orders.dead_letters, "{orders:?}");
}

conformance!(a_destructor_that_panics_fails_its_actor_and_costs_no_other_message);
fn a_destructor_that_panics_fails_its_actor_and_costs_no_other_message<H: Host>() {
    each_way::<H>(|mut host, desk, seen, bad| {
        let tree = host.supervise(supervised(desk)).unwrap();
        for number in 0..6 {
            host.publish(order(number, &seen, number == bad)).unwrap();
        }
        host.until(|| seen.lock().unwrap().len() == 12);
        let expected: Vec<_> =
            (0..6).flat_map(|n| [format!("{n} is handled"), format!("{n} is gone")]).collect();
        assert_eq!(*seen.lock().unwrap(), expected, "each once, and none is retried");
        assert_eq!(host.letters(), Letters { dead: 0, retried: 0 });
        host.shut_tree(&tree);
        assert_eq!(host.topic::<Order>().delivered, 6);
        add_up(&host);
    });
}

conformance!(a_failure_behind_a_destructor_that_panicked_is_redelivered_as_any_other);
fn a_failure_behind_a_destructor_that_panicked_is_redelivered_as_any_other<H: Host>() {
    each_way::<H>(|mut host, desk, seen, bad| {
        let tree = host.supervise(supervised(Desk { fails: Some(bad + 1), ..desk })).unwrap();
        for number in 0..6 {
            host.publish(order(number, &seen, number == bad)).unwrap();
        }
        host.until(|| seen.lock().unwrap().len() == 11);
        assert_eq!(host.letters(), Letters { dead: 1, retried: 2 });
        host.shut_tree(&tree);
        assert_eq!(host.topic::<Order>().delivered, 5);
        add_up(&host);
    });
}

conformance!(a_message_that_nobody_hears_is_dropped_whatever_its_destructor_does);
fn a_message_that_nobody_hears_is_dropped_whatever_its_destructor_does<H: Host>() {
    let mut host = H::new();
    let seen = Seen::default();
    host.publish(order(1, &seen, true)).unwrap();
    host.settle();
    assert_eq!(*seen.lock().unwrap(), ["1 is gone"]);
}

/// Panics when it is dropped.
struct Spite;
impl Drop for Spite {
    fn drop(&mut self) {
        panic!("spite");
    }
}

/// Counts what it handles; its panic at 13 is thrown with something that panics.
struct Touchy(u32);
impl Actor for Touchy {
    type Error = BoxError;
}
impl Handler<u32> for Touchy {
    async fn handle(&mut self, number: &u32, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        match number {
            13 => std::panic::panic_any(Spite),
            14 => {
                ctx.sleep(Duration::from_millis(1)).await;
                std::panic::panic_any(Spite)
            }
            15 => {
                let blocking = ctx.spawn_blocking(|| std::panic::panic_any(Spite)).await;
                assert!(matches!(blocking, Err(BlockingError::Panicked(_))), "{blocking:?}");
            }
            _ => self.0 += 1,
        }
        Ok(())
    }
}
struct Count;
impl Responder<Count> for Touchy {
    type Reply = u32;
    async fn answer(&mut self, _: &Count, _: &mut Context<Self>) -> u32 {
        self.0
    }
}

conformance!(a_panic_whose_payload_panics_is_a_failure_like_others);
fn a_panic_whose_payload_panics_is_a_failure_like_others<H: Host>() {
    let mut host = H::new();
    let root = Supervisor::builder("root").intensity(3, PERIOD).actor("touchy", || Touchy(0));
    let tree = host.supervise(root).unwrap();
    let touchy = host.child::<Touchy>(&tree, "root/touchy").unwrap();
    for number in [1, 13, 2, 3] {
        host.tell(&touchy, number).unwrap();
    }
    assert_eq!(host.ask(&touchy, Count).unwrap(), 2, "what waited is for the next life");
    assert_eq!(host.letters(), Letters { dead: 1, retried: 0 });
    assert_eq!(host.dead_letters().in_hand, 1);
    // A handler that has waited, and work of another thread.
    for number in [14, 4, 15, 5] {
        host.tell(&touchy, number).unwrap();
    }
    assert_eq!(host.ask(&touchy, Count).unwrap(), 2);
    assert_eq!(host.dead_letters().in_hand, 2);
    // Nobody looks after this one.
    for number in [13, 14] {
        let alone = host.spawn(Touchy(0)).unwrap();
        host.tell(&alone, number).unwrap();
        assert!(matches!(host.ended(&alone), StopReason::Panicked(_)));
    }
    host.shutdown();
}
