//! A worker does not subscribe to what its pool receives: it would handle each such message beside the pool.

use mycelium::pool::Pool;
use mycelium::{
    Actor, BoxError, Context, Handler, Responder, SpawnError, Subscription, Subscriptions, Supervisor,
    WireMessage,
};

use crate::common::wire::{Price, Text, bytes, header};
use crate::common::{Flush, Heard, Tick};
use crate::host::Host;

/// In which form a worker asks for a message, or a pool for its workers.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    Typed,
    Bytes,
}

/// From where a worker asks.
#[derive(Clone, Copy, Debug, PartialEq)]
enum From {
    Subscriptions,
    Started,
    Handler,
}

/// Asks for prices. Where its handler does so, it writes down what it was told.
#[derive(Clone)]
struct Trader {
    form: Form,
    from: From,
    heard: Heard,
}

impl Trader {
    fn asks(&self, ctx: &mut Context<Self>) -> Result<(), SpawnError> {
        match self.form {
            Form::Typed => ctx.subscribe(Subscription::<Price>::block()),
            Form::Bytes => ctx.subscribe_wire("market.*", Subscription::block()),
        }
    }
}

impl Actor for Trader {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        match self.form {
            _ if self.from != From::Subscriptions => {}
            Form::Typed => drop(topics.on::<Price>()),
            Form::Bytes => drop(topics.on_wire("market.*")),
        }
    }
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        match self.from {
            From::Started => Ok(self.asks(ctx)?),
            _ => Ok(()),
        }
    }
}

impl Handler<Tick> for Trader {
    async fn handle(&mut self, _: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        let error = self.asks(ctx).expect_err("its pool has it");
        assert!(matches!(error, SpawnError::OfThePool { message: "Price", worker: "Trader", .. }));
        self.heard.add(error.to_string());
        Ok(())
    }
}

impl Handler<Price> for Trader {
    async fn handle(&mut self, price: &Price, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.add(format!("price {}", price.at));
        Ok(())
    }
}

impl Handler<WireMessage> for Trader {
    async fn handle(&mut self, message: &WireMessage, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.add(format!("{} as bytes", message.name()));
        Ok(())
    }
}

fn pool_of(trader: &Trader, form: Form) -> Pool<Trader> {
    let trader = trader.clone();
    let pool = Pool::new(move || trader.clone()).workers(2);
    match form {
        Form::Typed => pool.on::<Price>(),
        Form::Bytes => pool.on_wire("market.prices"),
    }
}

#[track_caller]
fn says_what_to_do(text: &str) {
    for part in ["`Trader` (root/pool/worker-1)", "pool root/pool", "`Price`", "#[on(direct)]"] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
}

conformance!(a_worker_does_not_subscribe_to_what_its_pool_receives_in_any_form_nor_later);
fn a_worker_does_not_subscribe_to_what_its_pool_receives_in_any_form_nor_later<H: Host>() {
    let forms = [Form::Typed, Form::Bytes];
    for (of_pool, form) in forms.into_iter().flat_map(|pool| forms.map(|worker| (pool, worker))) {
        for from in [From::Subscriptions, From::Started, From::Handler] {
            let mut host = H::with_contract();
            let trader = Trader { form, from, heard: Heard::default() };
            let root = Supervisor::builder("root").supervisor(pool_of(&trader, of_pool).supervisor("pool"));
            let started = host.supervise(root);
            if from != From::Handler {
                let error = started.err().unwrap_or_else(|| panic!("{of_pool:?} {form:?} {from:?} starts"));
                says_what_to_do(&error.to_string());
                continue;
            }
            let tree = started.unwrap();
            let pool = tree.lookup_pool::<Trader>("root/pool").unwrap();
            let first = pool.workers().swap_remove(0);
            host.tell(&first, Tick(0)).unwrap();
            // The error changes nothing: each price is handled once.
            host.publish(Price { at: 1 }).unwrap();
            host.wait(pool.flush()).unwrap();
            let words = trader.heard.words();
            assert_eq!(words.len(), 2, "{of_pool:?} {form:?}: {words:?}");
            let error = words.iter().find(|words| words.contains("worker-1")).expect("an error");
            says_what_to_do(error);
            host.shutdown();
        }
    }
}

/// Hears what its pool does not, in both forms, from both places.
#[derive(Clone)]
struct Clerk(Heard);
impl Actor for Clerk {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_wire("news");
    }
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.subscribe(Subscription::<Tick>::block())?;
        Ok(())
    }
}
impl Handler<Tick> for Clerk {
    async fn handle(&mut self, tick: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.add(format!("tick {}", tick.0));
        Ok(())
    }
}
impl Handler<WireMessage> for Clerk {
    async fn handle(&mut self, message: &WireMessage, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.add(message.name());
        Ok(())
    }
}
impl Responder<Flush> for Clerk {
    type Reply = ();
    async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) {}
}

conformance!(each_worker_hears_what_its_pool_does_not_receive);
fn each_worker_hears_what_its_pool_does_not_receive<H: Host>() {
    let mut host = H::with_contract();
    let clerk = Clerk(Heard::default());
    let of_pool = clerk.clone();
    let pool = Pool::new(move || of_pool.clone()).workers(2).on_wire("market.*");
    let tree = host.supervise(Supervisor::builder("root").supervisor(pool.supervisor("pool"))).unwrap();
    let pool = tree.lookup_pool::<Clerk>("root/pool").unwrap();
    host.publish(Tick(1)).unwrap();
    host.publish_wire(&header::<Text>(), &bytes(&Text { words: "hello".to_owned() })).unwrap();
    host.publish(Price { at: 1 }).unwrap();
    host.wait(pool.flush()).unwrap();
    for worker in pool.workers() {
        host.ask(&worker, Flush).unwrap();
    }
    let mut words = clerk.0.words();
    words.sort();
    assert_eq!(words, ["Price", "Text", "Text", "tick 1", "tick 1"]);
    host.shutdown();
}
