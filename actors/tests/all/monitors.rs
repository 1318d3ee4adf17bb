//! Watches and links: who hears of an end, when, and what is left behind.

use std::time::Duration;

use crate::common::{Heard, Tick, on_both_runtimes};
use mycelium::tree::{Backoff, Child, Strategy};
use mycelium::{
    Actor, ActorRef, BoxError, Context, Down, Handler, Isolate, MessageBus, Monitor, Responder, StopReason,
    Subscriptions, Supervisor,
};

/// Fails, stops or says something when told to; says farewell when it stops.
#[derive(Default)]
struct Server {
    friend: Option<ActorRef<Client>>,
}

#[derive(Clone, Copy)]
enum Order {
    Panic,
    Fail,
    Stop,
    /// Sends and publishes this often, then stops.
    SpeakAndStop(u64),
}

impl Actor for Server {
    type Error = BoxError;
    async fn stopping(&mut self, _: &StopReason, ctx: &mut Context<Self>) {
        if let Some(friend) = &self.friend {
            let _ = ctx.tell(friend, "farewell").await;
        }
    }
}

impl Handler<Order> for Server {
    async fn handle(&mut self, order: &Order, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        match order {
            Order::Panic => panic!("told to"),
            Order::Fail => return Err("told to fail".into()),
            Order::Stop => ctx.stop(),
            Order::SpeakAndStop(times) => {
                for number in 0..*times {
                    ctx.publish(Tick(number)).await?;
                    if let Some(friend) = &self.friend {
                        friend.tell("word").await?;
                    }
                }
                ctx.stop();
            }
        }
        Ok(())
    }
}

/// Watches and links as it is told, and writes down what it hears.
#[derive(Default, Clone)]
struct Client {
    heard: Heard,
    watched: Vec<Monitor>,
    /// Watched, or linked to, by each life.
    at_start: Option<(ActorRef<Server>, bool)>,
}

impl Actor for Client {
    type Error = BoxError;
    fn subscriptions(topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        match &self.at_start {
            Some((server, true)) => drop(ctx.link(server)),
            Some((server, false)) => self.watched.push(ctx.watch(server)),
            None => {}
        }
        self.heard.add("started");
        Ok(())
    }
}

impl Handler<Down> for Client {
    async fn handle(&mut self, down: &Down, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        assert!(self.watched.contains(&down.monitor), "the watch is its own");
        assert!(!ctx.unwatch(down.monitor), "a watch ends with its notice");
        self.heard.add(format!("{} {}", down.actor, down.reason));
        Ok(())
    }
}

impl Handler<Tick> for Client {
    async fn handle(&mut self, tick: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.add(format!("tick {}", tick.0));
        Ok(())
    }
}

impl Handler<&'static str> for Client {
    async fn handle(&mut self, word: &&'static str, _: &mut Context<Self>) -> Result<(), BoxError> {
        assert_ne!(*word, "panic");
        self.heard.add(*word);
        Ok(())
    }
}

struct Watch(ActorRef<Server>);
impl Responder<Watch> for Client {
    type Reply = Monitor;
    async fn answer(&mut self, watch: &Watch, ctx: &mut Context<Self>) -> Monitor {
        let monitor = ctx.watch(&watch.0);
        self.watched.push(monitor);
        monitor
    }
}

struct Link(ActorRef<Server>);
impl Responder<Link> for Client {
    type Reply = Monitor;
    async fn answer(&mut self, link: &Link, ctx: &mut Context<Self>) -> Monitor {
        ctx.link(&link.0)
    }
}

/// Kills it, waits for its end, then unwatches.
struct KillAndUnwatch(ActorRef<Server>, Monitor);
impl Responder<KillAndUnwatch> for Client {
    type Reply = bool;
    async fn answer(&mut self, order: &KillAndUnwatch, ctx: &mut Context<Self>) -> bool {
        order.0.kill();
        order.0.ended().await;
        ctx.unwatch(order.1)
    }
}

struct Words;
impl Responder<Words> for Client {
    type Reply = Vec<String>;
    async fn answer(&mut self, _: &Words, _: &mut Context<Self>) -> Vec<String> {
        self.heard.words()
    }
}

fn client(bus: &MessageBus) -> (ActorRef<Client>, Heard) {
    let client = Client::default();
    let heard = client.heard.clone();
    (bus.spawn(client).unwrap(), heard)
}

#[test]
fn an_end_is_heard_once_with_its_reason_however_it_came() {
    on_both_runtimes(|| async {
        for (order, expected) in [
            (Some(Order::Panic), "Server panicked: told to"),
            (Some(Order::Fail), "Server failed: told to fail"),
            (Some(Order::Stop), "Server ended normally"),
            (None, "Server was killed"),
        ] {
            let bus = MessageBus::new();
            let (client, heard) = client(&bus);
            let server = bus.spawn(Server::default()).unwrap();
            let first = client.ask(Watch(server.clone())).await.unwrap();
            let second = client.ask(Watch(server.clone())).await.unwrap();
            assert_ne!(first, second);
            match order {
                Some(order) => server.tell(order).await.unwrap(),
                None => server.kill(),
            }
            server.ended().await;
            heard.wait_for(expected).await;
            // A third one comes too late, and hears the same at once.
            client.ask(Watch(server)).await.unwrap();
            let heard = client.ask(Words).await.unwrap();
            assert_eq!(heard, ["started", expected, expected, expected], "one for each watch");
            bus.shutdown().await.unwrap();
        }
    });
}

#[test]
fn a_notice_comes_after_all_that_the_ended_actor_has_sent_and_published() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let (client, heard) = client(&bus);
        let server = bus.spawn(Server { friend: Some(client.clone()) }).unwrap();
        client.ask(Watch(server.clone())).await.unwrap();
        server.tell(Order::SpeakAndStop(500)).await.unwrap();
        heard.wait_for("Server ended normally").await;
        let heard = heard.words();
        let mut expected = vec!["started".to_owned()];
        expected.extend((0..500).flat_map(|number| [format!("tick {number}"), "word".into()]));
        expected.extend(["farewell".into(), "Server ended normally".into()]);
        assert_eq!(heard, expected);
        bus.shutdown().await.unwrap();
    });
}

#[test]
fn a_watch_that_was_ended_is_not_heard_of_even_if_the_end_came_first() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let (client, _) = client(&bus);
        let server = bus.spawn(Server::default()).unwrap();
        let monitor = client.ask(Watch(server.clone())).await.unwrap();
        assert!(client.ask(KillAndUnwatch(server.clone(), monitor)).await.unwrap());
        assert!(!client.ask(KillAndUnwatch(server, monitor)).await.unwrap(), "it is ended once");
        assert_eq!(client.ask(Words).await.unwrap(), ["started"]);
        bus.shutdown().await.unwrap();
    });
}

#[test]
fn a_watch_that_meets_the_end_is_told_once() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let (client, heard) = client(&bus);
        for round in 1..=300 {
            let server = bus.spawn(Server::default()).unwrap();
            let doomed = server.clone();
            let killing = tokio::spawn(async move { doomed.kill() });
            client.ask(Watch(server)).await.unwrap();
            killing.await.unwrap();
            while heard.words().len() < 1 + round {
                tokio::task::yield_now().await;
            }
        }
        assert_eq!(client.ask(Words).await.unwrap().len(), 301);
        bus.shutdown().await.unwrap();
    });
}

#[test]
fn a_restart_in_place_is_no_end_and_the_last_end_is() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let (client, heard) = client(&bus);
        let root = Supervisor::builder("root").intensity(2, Duration::from_secs(60));
        let tree = root.actor("server", Server::default).start(&bus).await.unwrap();
        let server = tree.actor_ref::<Server>("root/server").unwrap();
        client.ask(Watch(server.clone())).await.unwrap();
        for order in [Order::Panic, Order::Stop, Order::Fail] {
            server.tell(order).await.unwrap();
        }
        // The third is more than its supervisor allows.
        tree.ended().await;
        heard.wait_for("Server failed: told to fail").await;
        assert_eq!(client.ask(Words).await.unwrap().len(), 2, "one notice, of the end");
        bus.shutdown().await.unwrap();
    });
}

#[test]
fn the_next_life_of_a_watcher_hears_only_of_its_own_watches() {
    on_both_runtimes(|| async {
        let (bus, pause) = (MessageBus::new(), Duration::from_millis(30));
        let server = bus.spawn(Server::default()).unwrap();
        let client = Client { at_start: Some((server.clone(), false)), ..Client::default() };
        let (heard, make) = (client.heard.clone(), client.clone());
        let backoff = Backoff { initial: pause, cap: pause, ..Backoff::default() };
        let child = Child::actor("client", move || make.clone()).backoff(backoff);
        let tree = Supervisor::builder("root").child(child).start(&bus).await.unwrap();
        let reference = tree.actor_ref::<Client>("root/client").unwrap();
        reference.tell("panic").await.unwrap();
        // It ends while its watcher waits for the next life, which watches it again.
        server.kill();
        heard.wait_for("Server was killed").await;
        assert_eq!(reference.ask(Words).await.unwrap(), ["started", "started", "Server was killed"]);
        tree.shutdown().await.unwrap();
    });
}

#[test]
fn a_link_ends_an_actor_with_the_other_if_that_ends_abnormally() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        for (order, ends) in [(Order::Panic, true), (Order::Fail, true), (Order::Stop, false)] {
            let (client, _) = client(&bus);
            let server = bus.spawn(Server { friend: Some(client.clone()) }).unwrap();
            client.ask(Link(server.clone())).await.unwrap();
            server.tell(order).await.unwrap();
            server.ended().await;
            if ends {
                let StopReason::Linked(why) = client.ended().await else {
                    panic!("{:?}", client.ended().await)
                };
                assert!(why.starts_with("Server#") && why.contains("told to"), "{why}");
                // It is late, and ends all the same.
                let late = bus.spawn(Client { at_start: Some((server, true)), ..Client::default() }).unwrap();
                assert!(matches!(late.ended().await, StopReason::Linked(_)));
            } else {
                assert_eq!(client.ask(Words).await.unwrap(), ["started", "farewell"]);
            }
        }
        assert_eq!(bus.dead_letters().in_hand, 2, "the orders on which two servers failed");
        let (client, _) = client(&bus);
        let server = bus.spawn(Server::default()).unwrap();
        let link = client.ask(Link(server.clone())).await.unwrap();
        assert!(client.ask(KillAndUnwatch(server, link)).await.unwrap());
        assert_eq!(client.ask(Words).await.unwrap(), ["started"], "a link that was ended ends nobody");
        bus.shutdown().await.unwrap();
    });
}

#[test]
fn a_linked_child_restarts_and_links_again() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let server = bus.spawn(Server::default()).unwrap();
        let client = Client { at_start: Some((server.clone(), true)), ..Client::default() };
        let heard = client.heard.clone();
        let root = Supervisor::builder("root").intensity(3, Duration::from_secs(60));
        let tree = root.actor("client", move || client.clone()).start(&bus).await.unwrap();
        server.kill();
        // Each life links to one that is dead for good: the supervisor gives up, as in Erlang.
        tree.ended().await;
        assert_eq!(heard.words(), ["started"; 4]);
    });
}

#[test]
fn a_supervised_group_restarts_without_a_notice() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let (client, heard) = client(&bus);
        let root = Supervisor::builder("root").strategy(Strategy::OneForAll);
        let root = root.actor("a", Server::default).actor("b", Server::default);
        let tree = root.start(&bus).await.unwrap();
        let [a, b] = ["root/a", "root/b"].map(|path| tree.actor_ref::<Server>(path).unwrap());
        client.ask(Watch(a)).await.unwrap();
        b.tell(Order::Panic).await.unwrap();
        tree.shutdown().await.unwrap();
        heard.wait_for("Server was shut down").await;
        assert_eq!(client.ask(Words).await.unwrap().len(), 2);
        bus.shutdown().await.unwrap();
    });
}

#[test]
fn an_isolate_tells_of_ends_in_the_same_order() {
    let mut isolate = Isolate::new(1);
    let client = isolate.spawn(Client::default()).unwrap();
    let server = isolate.spawn(Server { friend: Some(client.clone()) }).unwrap();
    let other = isolate.spawn(Server::default()).unwrap();
    let watch = |isolate: &mut Isolate, server: &ActorRef<Server>| {
        isolate.tell(&client, Do::Watch(server.clone())).unwrap();
        isolate.run().unwrap();
    };
    watch(&mut isolate, &server);
    watch(&mut isolate, &other);
    isolate.tell(&server, Order::SpeakAndStop(2)).unwrap();
    isolate.run().unwrap();
    other.kill();
    isolate.run().unwrap();
    watch(&mut isolate, &other);
    let heard = isolate.with(&client, |client| client.heard.words()).unwrap();
    let expected = [
        "started",
        "tick 0",
        "word",
        "tick 1",
        "word",
        "farewell",
        "Server ended normally",
        "Server was killed",
        "Server was killed",
    ];
    assert_eq!(heard, expected);
}

#[test]
fn an_isolate_forgets_a_watch_that_was_ended_and_links_break() {
    let mut isolate = Isolate::new(1);
    let client = isolate.spawn(Client::default()).unwrap();
    let server = isolate.spawn(Server::default()).unwrap();
    isolate.tell(&client, Do::Watch(server.clone())).unwrap();
    isolate.tell(&client, Do::KillAndUnwatch(server.clone())).unwrap();
    isolate.run().unwrap();
    assert_eq!(isolate.with(&client, |client| client.heard.words()).unwrap(), ["started"]);
    isolate.tell(&client, Do::Link(server)).unwrap();
    let error = isolate.run().unwrap_err();
    assert!(error.to_string().contains("was linked to one that ended: Server#2 was killed"), "{error}");
    assert!(matches!(isolate.end_reason(&client), Some(StopReason::Linked(_))));
}

/// The same as a message, for isolates.
enum Do {
    Watch(ActorRef<Server>),
    Link(ActorRef<Server>),
    KillAndUnwatch(ActorRef<Server>),
}

impl Handler<Do> for Client {
    async fn handle(&mut self, order: &Do, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        match order {
            Do::Watch(server) => self.watched.push(ctx.watch(server)),
            Do::Link(server) => drop(ctx.link(server)),
            Do::KillAndUnwatch(server) => {
                server.kill();
                assert!(ctx.unwatch(self.watched[0]));
            }
        }
        Ok(())
    }
}
