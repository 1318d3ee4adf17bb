//! An actor has one subscription for each message type, however often and wherever it asks for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use mycelium::{
    Actor, BoxError, Context, Handler, Responder, SpawnError, Subscription, Subscriptions, Supervisor,
};

use crate::common::{Flush, Heard, PERIOD, Tick, backoff};
use crate::host::Host;

/// Asks for ticks in `subscriptions`, as often as its parameter says, and again in each `started`; does what
/// it is told.
struct Twice<const N: usize> {
    heard: Heard,
    again: Vec<Subscription<Tick>>,
    lives: Arc<AtomicU32>,
}

impl<const N: usize> Twice<N> {
    fn new(again: Vec<Subscription<Tick>>) -> Self {
        Self { heard: Heard::default(), again, lives: Arc::default() }
    }
    /// Of which the next life is made.
    fn clone(&self) -> Self {
        Self { heard: self.heard.clone(), again: self.again.clone(), lives: Arc::clone(&self.lives) }
    }
}

impl<const N: usize> Actor for Twice<N> {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        for _ in 0..N {
            topics.on::<Tick>();
        }
    }
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.lives.fetch_add(1, Ordering::Relaxed);
        for subscription in &self.again {
            ctx.subscribe(*subscription)?;
        }
        Ok(())
    }
}

impl<const N: usize> Handler<Tick> for Twice<N> {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.add(format!("tick {}", tick.0));
        match tick.0 {
            // Once more, in the middle of the work.
            1 => ctx.subscribe(Subscription::<Tick>::block())?,
            2 => return Err("told to fail".into()),
            // It begins anew: that is another subscription, in place of the one before.
            3 => {
                ctx.unsubscribe::<Tick>();
                ctx.subscribe(Subscription::<Tick>::drop_oldest())?;
                ctx.subscribe(Subscription::<Tick>::drop_oldest())?;
            }
            _ => {}
        }
        Ok(())
    }
}

impl<const N: usize> Responder<Flush> for Twice<N> {
    type Reply = Vec<String>;
    async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) -> Vec<String> {
        self.heard.words()
    }
}

fn hears_once<H: Host, const N: usize>(again: &[Subscription<Tick>]) {
    let mut host = H::new();
    let actor = host.spawn(Twice::<N>::new(again.to_vec())).unwrap();
    // It has subscribed when it answers.
    assert_eq!(host.ask(&actor, Flush).unwrap().len(), 0);
    for number in [0, 1, 3] {
        host.publish(Tick(number)).unwrap();
        host.ask(&actor, Flush).unwrap();
    }
    host.publish(Tick(4)).unwrap();
    let words = host.ask(&actor, Flush).unwrap();
    assert_eq!(words, ["tick 0", "tick 1", "tick 3", "tick 4"], "{N} times in `subscriptions`");
    host.shutdown();
}

conformance!(a_message_comes_once_however_often_its_actor_has_subscribed);
fn a_message_comes_once_however_often_its_actor_has_subscribed<H: Host>() {
    let block = Subscription::<Tick>::block;
    hears_once::<H, 0>(&[block(), block(), block()]);
    hears_once::<H, 1>(&[block()]);
    hears_once::<H, 2>(&[]);
    hears_once::<H, 3>(&[block(), block()]);
}

conformance!(each_life_may_ask_again_and_hears_each_message_once);
fn each_life_may_ask_again_and_hears_each_message_once<H: Host>() {
    let mut host = H::new();
    let first = Twice::<2>::new(vec![Subscription::block(), Subscription::block()]);
    let (heard, lives) = (first.heard.clone(), Arc::clone(&first.lives));
    let root = Supervisor::builder("root").intensity(9, PERIOD).backoff(backoff(1));
    let tree = host.supervise(root.actor("twice", move || first.clone())).unwrap();
    let actor = host.child::<Twice<2>>(&tree, "root/twice").unwrap();
    for number in [0, 2, 0, 2, 0] {
        host.publish(Tick(number)).unwrap();
    }
    host.ask(&actor, Flush).unwrap();
    assert_eq!(heard.words(), ["tick 0", "tick 2", "tick 0", "tick 2", "tick 0"]);
    assert_eq!(lives.load(Ordering::Relaxed), 3);
    host.shutdown();
}

/// What a second subscription with other options gets.
fn is_refused(result: Result<(), SpawnError>) -> bool {
    let Err(error) = result else { return false };
    let text = error.to_string();
    text.contains("Tick") && text.contains("unsubscribe")
}

/// Tries to change its subscription.
#[derive(Default)]
struct Fickle {
    refused: Vec<bool>,
}
impl Actor for Fickle {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        let others = [
            Subscription::<Tick>::drop_oldest(),
            Subscription::<Tick>::block().capacity(7),
            Subscription::<Tick>::block().echo(),
            Subscription::conflate(|tick: &Tick| tick.0),
        ];
        self.refused = others.into_iter().map(|other| is_refused(ctx.subscribe(other))).collect();
        Ok(())
    }
}
impl Handler<Tick> for Fickle {
    async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        Ok(())
    }
}
impl Responder<Flush> for Fickle {
    type Reply = Vec<bool>;
    async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) -> Vec<bool> {
        self.refused.clone()
    }
}

conformance!(a_second_subscription_with_other_options_is_an_error_that_says_so);
fn a_second_subscription_with_other_options_is_an_error_that_says_so<H: Host>() {
    let mut host = H::new();
    let fickle = host.spawn(Fickle::default()).unwrap();
    assert_eq!(host.ask(&fickle, Flush).unwrap(), [true; 4]);
}

/// Unsubscribes at its second tick, and subscribes anew if it stays; then it fails.
struct Leaves {
    stays: bool,
    panics: bool,
}
impl Actor for Leaves {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_with(Subscription::<Tick>::block().capacity(2));
    }
}
impl Handler<Tick> for Leaves {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if tick.0 == 0 {
            return Ok(());
        }
        ctx.unsubscribe::<Tick>();
        if self.stays {
            ctx.subscribe(Subscription::<Tick>::block().capacity(2))?;
        }
        assert!(!self.panics, "told to panic");
        Err("told to fail".into())
    }
}

conformance!(who_unsubscribes_and_fails_has_left_before_its_next_life);
fn who_unsubscribes_and_fails_has_left_before_its_next_life<H: Host>() {
    for (stays, panics) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut host = H::new();
        // Its next life does not come as long as the test goes on.
        let root = Supervisor::builder("root").intensity(9, PERIOD).backoff(backoff(30_000));
        let tree = host.supervise(root.actor("leaves", move || Leaves { stays, panics })).unwrap();
        host.publish(Tick(0)).unwrap();
        host.publish(Tick(1)).unwrap();
        host.until(|| !tree.pending_restarts().is_empty());
        for _ in 0..2 {
            host.try_publish(Tick(2)).unwrap();
        }
        let ticks = host.topic::<Tick>();
        let waiting = if stays { 2 } else { 0 };
        let counts = (ticks.published, ticks.delivered, ticks.waiting, ticks.dead_letters);
        assert_eq!(counts, (2 + waiting, 1, waiting, 1), "stays {stays}, panics {panics}: {ticks:?}");
        if !stays {
            host.try_publish(Tick(3)).expect("nobody is there to have no room");
        }
        host.shutdown();
    }
}
