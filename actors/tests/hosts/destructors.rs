//! The destructors of messages: when they run, and what one may do that panics.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mycelium::tree::{Child, Redelivery};
use mycelium::{Actor, BoxError, Context, Handler, Message, Subscriptions, Supervisor};

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
struct Desk(Seen);
impl Actor for Desk {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Order>();
    }
}
impl Handler<Order> for Desk {
    async fn handle(&mut self, order: &Order, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if order.number % 2 == 1 {
            ctx.sleep(Duration::from_millis(1)).await;
        }
        self.0.lock().unwrap().push(format!("{} is handled", order.number));
        Ok(())
    }
}

conformance!(a_guard_in_a_message_is_dropped_when_the_last_handler_has_returned);
fn a_guard_in_a_message_is_dropped_when_the_last_handler_has_returned<H: Host>() {
    let mut host = H::new();
    let seen = Seen::default();
    for _ in 0..3 {
        host.spawn(Desk(Arc::clone(&seen))).unwrap();
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

conformance!(a_destructor_that_panics_fails_its_actor_and_costs_no_other_message);
fn a_destructor_that_panics_fails_its_actor_and_costs_no_other_message<H: Host>() {
    for bad in [2, 3] {
        let mut host = H::new();
        let seen = Seen::default();
        let desk = Arc::clone(&seen);
        let child = Child::actor("desk", move || Desk(Arc::clone(&desk)))
            .redelivery(Redelivery::Retry { attempts: 3 });
        host.supervise(Supervisor::builder("root").intensity(20, PERIOD).child(child))
            .map(|tree| {
                for number in 0..6 {
                    host.publish(order(number, &seen, number == bad)).unwrap();
                }
                host.until(|| seen.lock().unwrap().len() == 12);
                let expected: Vec<_> =
                    (0..6).flat_map(|n| [format!("{n} is handled"), format!("{n} is gone")]).collect();
                assert_eq!(*seen.lock().unwrap(), expected, "each once, and none is retried");
                assert_eq!(host.letters(), Letters { dead: 0, retried: 0 });
                host.shut_tree(&tree);
            })
            .unwrap();
    }
}

conformance!(a_message_that_nobody_hears_is_dropped_whatever_its_destructor_does);
fn a_message_that_nobody_hears_is_dropped_whatever_its_destructor_does<H: Host>() {
    let mut host = H::new();
    let seen = Seen::default();
    host.publish(order(1, &seen, true)).unwrap();
    host.settle();
    assert_eq!(*seen.lock().unwrap(), ["1 is gone"]);
}
