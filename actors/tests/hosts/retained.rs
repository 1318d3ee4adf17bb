//! Late subscribers: what a topic retains comes first, in order and once, before what follows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mycelium::{
    Actor, BoxError, Context, Handler, Policy, Responder, Retention, Service, ServiceContext, SpawnError,
    Subscription, Subscriptions, Supervisor, TopicStats,
};
use mycelium_random::{Random, seeds};

use crate::common::{Flush, Heard, PERIOD, Tick, backoff};
use crate::host::Host;

/// Writes down the ticks that it hears; does what they say.
struct Late {
    heard: Heard,
    how: Subscription<Tick>,
    /// Subscribes in the handler of `Join` only.
    by_word: bool,
    may_go_on: Arc<AtomicBool>,
}

impl Late {
    fn new(heard: &Heard, how: Subscription<Tick>) -> Self {
        Self { heard: heard.clone(), how, by_word: false, may_go_on: Arc::default() }
    }
}

impl Actor for Late {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        if !self.by_word {
            topics.on_with(self.how);
        }
    }
    async fn stopping(&mut self, reason: &mycelium::StopReason, _: &mut Context<Self>) {
        self.heard.add(format!("{reason:?}").split('(').next().unwrap());
    }
}

impl Handler<Tick> for Late {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.add(tick.0.to_string());
        if tick.0 == 13 {
            self.heard.add("wait");
            while !self.may_go_on.load(Ordering::SeqCst) {
                ctx.sleep(Duration::from_millis(1)).await;
            }
        }
        if tick.0 == 66 {
            return Err("told to fail".into());
        }
        Ok(())
    }
}

/// Subscribes; publishes these first, whose ticks are its own.
struct Join(Vec<u64>);
impl Handler<Join> for Late {
    async fn handle(&mut self, join: &Join, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        for number in &join.0 {
            ctx.publish(Tick(*number)).await?;
        }
        ctx.subscribe(self.how)?;
        // Behind what is retained.
        ctx.publish(Tick(100)).await?;
        self.heard.add("joined");
        Ok(())
    }
}

impl Responder<Flush> for Late {
    type Reply = Vec<String>;
    async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) -> Vec<String> {
        self.heard.take()
    }
}

fn late() -> Subscription<Tick> {
    Subscription::block().with_retained()
}

fn publish<H: Host>(host: &mut H, numbers: impl IntoIterator<Item = u64>) {
    numbers.into_iter().for_each(|number| host.publish(Tick(number)).unwrap());
}

conformance!(a_late_actor_gets_what_is_retained_first_and_then_what_follows);
fn a_late_actor_gets_what_is_retained_first_and_then_what_follows<H: Host>() {
    let mut host = H::retaining(Retention::<Tick>::last_n(3));
    publish(&mut host, 0..5);
    let heard = Heard::default();
    let first = host.spawn(Late::new(&heard, late())).unwrap();
    publish(&mut host, 5..7);
    assert_eq!(host.ask(&first, Flush).unwrap(), ["2", "3", "4", "5", "6"]);
    // Another one, and one that does not ask.
    let second = host.spawn(Late::new(&heard, late())).unwrap();
    assert_eq!(host.ask(&second, Flush).unwrap(), ["4", "5", "6"]);
    let third = host.spawn(Late::new(&heard, Subscription::block())).unwrap();
    assert_eq!(host.ask(&third, Flush).unwrap(), Vec::<String>::new());
    let TopicStats { published, delivered, retained, retained_given, waiting, .. } = host.topic::<Tick>();
    assert_eq!((published, delivered, waiting), (2, 8, 0), "two while somebody was there");
    assert_eq!((retained, retained_given), (3, 6));
    host.shutdown();
}

conformance!(the_last_of_each_key_comes_in_the_order_in_which_it_was_published);
fn the_last_of_each_key_comes_in_the_order_in_which_it_was_published<H: Host>() {
    let mut host = H::retaining(Retention::last_per_key(|tick: &Tick| tick.0 % 10, 3));
    publish(&mut host, [1, 2, 3, 12, 11, 4]);
    let actor = host.spawn(Late::new(&Heard::default(), late())).unwrap();
    assert_eq!(host.ask(&actor, Flush).unwrap(), ["12", "11", "4"], "the third key was forgotten");
    let TopicStats { retained, retained_evicted, .. } = host.topic::<Tick>();
    assert_eq!((retained, retained_evicted), (3, 1));
    host.shutdown();
}

conformance!(what_is_retained_takes_no_room_and_no_policy_drops_it);
fn what_is_retained_takes_no_room_and_no_policy_drops_it<H: Host>() {
    let policies: [fn() -> Subscription<Tick>; 5] = [
        Subscription::block,
        Subscription::fail,
        Subscription::drop_oldest,
        Subscription::drop_newest,
        || Subscription::conflate(|_| 0),
    ];
    for policy in policies {
        let mut host = H::retaining(Retention::<Tick>::last_n(4));
        publish(&mut host, [13, 1, 2, 3]);
        let heard = Heard::default();
        let late = Late::new(&heard, policy().capacity(1).with_retained());
        let may_go_on = Arc::clone(&late.may_go_on);
        let actor = host.spawn(late).unwrap();
        host.until(|| heard.words().len() >= 2);
        assert_eq!(heard.words(), ["13", "wait"], "it waits with the first of them in hand");
        host.try_publish(Tick(4)).unwrap();
        may_go_on.store(true, Ordering::SeqCst);
        host.until(|| heard.words().len() >= 6);
        assert_eq!(host.ask(&actor, Flush).unwrap(), ["13", "wait", "1", "2", "3", "4"]);
        let stats = host.topic::<Tick>();
        assert_eq!((stats.dropped_oldest, stats.dropped_newest, stats.conflated), (0, 0, 0));
        host.shutdown();
    }
}

conformance!(who_subscribes_in_a_handler_gets_what_is_retained_before_what_follows);
fn who_subscribes_in_a_handler_gets_what_is_retained_before_what_follows<H: Host>() {
    for (how, expected) in
        [(late(), vec!["joined", "1", "3"]), (late().echo(), vec!["joined", "1", "7", "100", "3"])]
    {
        let mut host = H::retaining(Retention::<Tick>::last_n(2));
        let heard = Heard::default();
        let actor = host.spawn(Late { by_word: true, ..Late::new(&heard, how) }).unwrap();
        publish(&mut host, [0, 1]);
        // Its own is retained too, and is not for it unless it asks for that.
        host.tell(&actor, Join(vec![7])).unwrap();
        host.until(|| heard.words().contains(&"joined".to_owned()));
        publish(&mut host, [3]);
        assert_eq!(host.ask(&actor, Flush).unwrap(), expected);
        // The same subscription once more is the same one.
        host.tell(&actor, Join(vec![])).unwrap();
        let again = host.ask(&actor, Flush).unwrap();
        assert_eq!(again.iter().filter(|word| *word != "100").collect::<Vec<_>>(), ["joined"]);
        host.shutdown();
    }
}

conformance!(with_and_without_what_is_retained_are_different_subscriptions);
fn with_and_without_what_is_retained_are_different_subscriptions<H: Host>() {
    struct Both;
    impl Actor for Both {
        type Error = BoxError;
        fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
            topics.on::<Tick>().on_with(late());
        }
    }
    impl Handler<Tick> for Both {
        async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
            Ok(())
        }
    }
    let mut host = H::retaining(Retention::<Tick>::last());
    assert!(matches!(host.spawn(Both), Err(SpawnError::AlreadySubscribed { .. })));
    host.shutdown();
}

conformance!(an_actor_that_is_refused_counts_as_one_that_has_come_and_left);
fn an_actor_that_is_refused_counts_as_one_that_has_come_and_left<H: Host>() {
    /// Is given what is retained before its second subscription contradicts the first.
    struct Refused;
    impl Actor for Refused {
        type Error = BoxError;
        fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
            topics.on_with(late()).on::<Tick>();
        }
    }
    impl Handler<Tick> for Refused {
        async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
            Ok(())
        }
    }
    let mut host = H::retaining(Retention::<Tick>::last_n(2));
    publish(&mut host, 0..3);
    for refused in 1..=2 {
        if refused == 1 {
            assert!(matches!(host.spawn(Refused), Err(SpawnError::AlreadySubscribed { .. })));
        } else {
            let child = mycelium::tree::Child::actor("refused", || Refused);
            host.supervise(Supervisor::builder("root").child(child)).unwrap_err();
        }
        let stats = host.topic::<Tick>();
        assert_eq!((stats.retained_given, stats.dropped_unsubscribed), (2 * refused, 2 * refused));
        assert_eq!((stats.delivered, stats.waiting, stats.dead_letters), (0, 0, 0));
        assert_eq!(host.letters().dead, 2 * refused, "each of them is named");
    }
    let heard = Heard::default();
    let actor = host.spawn(Late::new(&heard, late())).unwrap();
    assert_eq!(host.ask(&actor, Flush).unwrap(), ["1", "2"]);
    host.shutdown();
}

/// Reads so many ticks as soon as it begins.
struct Reader {
    heard: Heard,
    how: Subscription<Tick>,
    count: usize,
}

impl Service for Reader {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let mut ticks = ctx.subscribe(self.how)?;
        for _ in 0..self.count {
            let Some(tick) = ticks.recv().await else { break };
            self.heard.add(tick.0.to_string());
        }
        Ok(())
    }
}

conformance!(a_late_service_gets_what_is_retained_first_under_each_policy);
fn a_late_service_gets_what_is_retained_first_under_each_policy<H: Host>() {
    for policy in [Policy::Block, Policy::DropOldest, Policy::DropNewest, Policy::Conflate(|_| 0)] {
        let mut host = H::retaining(Retention::<Tick>::last_n(3));
        publish(&mut host, 0..4);
        let heard = Heard::default();
        let how = Subscription::new(policy).capacity(1).with_retained();
        let service = host.spawn_service(Reader { heard: heard.clone(), how, count: 4 }).unwrap();
        host.until(|| heard.words().len() == 3);
        publish(&mut host, [4]);
        host.service_ended(&service);
        assert_eq!(heard.words(), ["1", "2", "3", "4"], "{policy:?}");
        host.shutdown();
    }
}

conformance!(a_restart_brings_nothing_again_and_an_end_counts_what_was_not_handled);
fn a_restart_brings_nothing_again_and_an_end_counts_what_was_not_handled<H: Host>() {
    let mut host = H::retaining(Retention::<Tick>::last_n(4));
    publish(&mut host, [1, 66, 2, 3]);
    let heard = Heard::default();
    let child = {
        let heard = heard.clone();
        mycelium::tree::Child::actor("late", move || Late::new(&heard, late())).backoff(backoff(1))
    };
    let tree = host.supervise(Supervisor::builder("root").intensity(3, PERIOD).child(child)).unwrap();
    host.until(|| heard.words().contains(&"3".to_owned()));
    assert_eq!(
        heard.take(),
        ["1", "66", "Failed", "2", "3"],
        "the next life goes on behind what the first has failed on"
    );
    host.shut_tree(&tree);
    assert_eq!(host.letters().dead, 1);

    // One that ends with all but the first unread.
    let actor = host.spawn(Late::new(&heard, late())).unwrap();
    host.until(|| heard.words().contains(&"66".to_owned()));
    host.ended(&actor);
    let stats = host.topic::<Tick>();
    assert_eq!((stats.retained_given, stats.dropped_unsubscribed, stats.dead_letters), (8, 2, 2));
    assert_eq!(stats.delivered + stats.dropped_unsubscribed + stats.dead_letters, 8);
    host.shutdown();
}

conformance!(late_actors_get_what_a_naive_model_says);
fn late_actors_get_what_a_naive_model_says<H: Host>() {
    for seed in seeds(10) {
        let mut random = Random::new(seed);
        let (per_key, most) = (random.chance(50), random.index(4) + 1);
        let mut host = H::retaining(match per_key {
            true => Retention::last_per_key(|tick: &Tick| tick.0 % 3, most),
            false => Retention::last_n(most),
        });
        let mut retained: Vec<u64> = Vec::new();
        let mut actors = Vec::new();
        for number in 200..230 {
            if random.chance(30) {
                let expected: Vec<_> = retained.iter().map(u64::to_string).collect();
                actors.push((host.spawn(Late::new(&Heard::default(), late())).unwrap(), expected));
            }
            publish(&mut host, [number]);
            if per_key {
                retained.retain(|other| other % 3 != number % 3);
            }
            retained.push(number);
            if retained.len() > most {
                retained.remove(0);
            }
            actors.iter_mut().for_each(|(_, expected)| expected.push(number.to_string()));
        }
        for (actor, expected) in actors {
            assert_eq!(host.ask(&actor, Flush).unwrap(), expected, "seed {seed}");
        }
        host.shutdown();
    }
}

/// Is told steps; subscribes at one of them, or when it starts.
struct Steps {
    heard: Heard,
    /// How long it waits before it subscribes.
    waits: Option<Duration>,
    at_start: bool,
}
#[derive(Clone, Copy)]
enum Step {
    Subscribe,
    Say(u64),
}
impl Steps {
    async fn subscribe(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if let Some(time) = self.waits {
            ctx.sleep(time).await;
        }
        ctx.subscribe(late())?;
        self.heard.add("subscribed");
        Ok(())
    }
}
impl Actor for Steps {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if self.at_start { self.subscribe(ctx).await } else { Ok(()) }
    }
}
impl Handler<Step> for Steps {
    async fn handle(&mut self, step: &Step, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        match step {
            Step::Subscribe => self.subscribe(ctx).await?,
            Step::Say(number) => self.heard.add(format!("says {number}")),
        }
        Ok(())
    }
}
impl Handler<Tick> for Steps {
    async fn handle(&mut self, tick: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.add(format!("hears {}", tick.0));
        Ok(())
    }
}

conformance!(what_is_retained_comes_between_messages_that_were_sent_before_and_after_it);
fn what_is_retained_comes_between_messages_that_were_sent_before_and_after_it<H: Host>() {
    for waits in [None, Some(Duration::from_millis(2))] {
        for (at_start, supervised) in [(false, false), (false, true), (true, false), (true, true)] {
            let (mut host, heard) = (H::retaining(Retention::<Tick>::last_n(2)), Heard::default());
            let words = heard.clone();
            let make = move || Steps { heard: words.clone(), waits, at_start };
            host.publish(Tick(6)).unwrap();
            let tree = supervised
                .then(|| host.supervise(Supervisor::builder("root").actor("steps", make.clone())).unwrap());
            let steps = match &tree {
                None => host.spawn(make()).unwrap(),
                Some(tree) => host.child(tree, "root/steps").unwrap(),
            };
            if !at_start {
                host.try_tell(&steps, Step::Subscribe).unwrap();
            }
            host.try_tell(&steps, Step::Say(1)).unwrap();
            host.try_publish(Tick(7)).unwrap();
            host.try_tell(&steps, Step::Say(2)).unwrap();
            host.until(|| heard.words().len() >= 5);
            host.settle();
            assert_eq!(heard.take(), ["subscribed", "hears 6", "says 1", "hears 7", "says 2"]);
            host.shutdown();
        }
    }
}
