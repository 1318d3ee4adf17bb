//! Watches and dependencies: who hears of an end, and when.

use std::time::Duration;

use mycelium::tree::{Child, Restart, Strategy};
use mycelium::{
    Actor, ActorRef, BoxError, Context, Down, Handler, Monitor, Responder, Service, ServiceContext,
    StopReason, Subscriptions, Supervisor, Tree,
};

use crate::common::{Heard, PERIOD, Tick, backoff};
use crate::host::Host;

/// Fails, stops or says something when told to; says farewell when it stops.
#[derive(Default, Clone)]
struct Server {
    friend: Option<ActorRef<Client>>,
}

#[derive(Clone, Copy, Debug)]
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

/// Watches and depends as it is told, and writes down what it hears.
#[derive(Default, Clone)]
struct Client {
    heard: Heard,
    watched: Vec<Monitor>,
    /// Watched, or depended on, by each life.
    at_start: Option<(ActorRef<Server>, bool)>,
}

impl Actor for Client {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        match &self.at_start {
            Some((server, true)) => drop(ctx.depend_on(server)),
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
        self.heard.add(format!("{} {}", down.actor.name, down.reason));
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

struct DependOnClient(ActorRef<Client>);
impl Responder<DependOnClient> for Client {
    type Reply = Monitor;
    async fn answer(&mut self, on: &DependOnClient, ctx: &mut Context<Self>) -> Monitor {
        ctx.depend_on(&on.0)
    }
}

struct Depend(ActorRef<Server>);
impl Responder<Depend> for Client {
    type Reply = Monitor;
    async fn answer(&mut self, on: &Depend, ctx: &mut Context<Self>) -> Monitor {
        ctx.depend_on(&on.0)
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

/// One that may fail on any host: as a child that is never restarted.
fn server<H: Host>(host: &mut H, friend: Option<ActorRef<Client>>) -> (Tree, ActorRef<Server>) {
    let server = Server { friend };
    let child = Child::actor("server", move || server.clone()).restart(Restart::Temporary);
    let tree = host.supervise(Supervisor::builder("root").child(child)).unwrap();
    let server = host.child(&tree, "root/server").unwrap();
    (tree, server)
}

conformance!(an_end_is_heard_once_with_its_reason_however_it_came);
fn an_end_is_heard_once_with_its_reason_however_it_came<H: Host>() {
    for (order, expected) in [
        (Some(Order::Panic), "Server panicked: told to"),
        (Some(Order::Fail), "Server failed: told to fail"),
        (Some(Order::Stop), "Server ended normally"),
        (None, "Server was killed"),
    ] {
        let mut host = H::new();
        let client = host.spawn(Client::default()).unwrap();
        let (_tree, server) = server(&mut host, None);
        let first = host.ask(&client, Watch(server.clone())).unwrap();
        let second = host.ask(&client, Watch(server.clone())).unwrap();
        assert_ne!(first, second);
        match order {
            Some(order) => host.tell(&server, order).unwrap(),
            None => server.kill(),
        }
        host.ended(&server);
        host.settle();
        // A third one comes too late, and hears the same at once.
        host.ask(&client, Watch(server)).unwrap();
        host.settle();
        let heard = host.ask(&client, Words).unwrap();
        assert_eq!(heard, ["started", expected, expected, expected], "one for each watch");
        host.shutdown();
    }
}

conformance!(a_notice_comes_after_all_that_the_ended_actor_has_sent_and_published);
fn a_notice_comes_after_all_that_the_ended_actor_has_sent_and_published<H: Host>() {
    let mut host = H::new();
    let client = host.spawn(Client::default()).unwrap();
    let server = host.spawn(Server { friend: Some(client.clone()) }).unwrap();
    host.ask(&client, Watch(server.clone())).unwrap();
    host.tell(&server, Order::SpeakAndStop(500)).unwrap();
    host.ended(&server);
    host.settle();
    let mut expected = vec!["started".to_owned()];
    expected.extend((0..500).flat_map(|number| [format!("tick {number}"), "word".into()]));
    expected.extend(["farewell".into(), "Server ended normally".into()]);
    assert_eq!(host.ask(&client, Words).unwrap(), expected);
    host.shutdown();
}

conformance!(a_watch_that_was_ended_is_not_heard_of_even_if_the_end_came_first);
fn a_watch_that_was_ended_is_not_heard_of_even_if_the_end_came_first<H: Host>() {
    let mut host = H::new();
    let client = host.spawn(Client::default()).unwrap();
    let server = host.spawn(Server::default()).unwrap();
    let monitor = host.ask(&client, Watch(server.clone())).unwrap();
    assert!(host.ask(&client, KillAndUnwatch(server.clone(), monitor)).unwrap());
    assert!(!host.ask(&client, KillAndUnwatch(server, monitor)).unwrap(), "it is ended once");
    host.settle();
    assert_eq!(host.ask(&client, Words).unwrap(), ["started"]);
    host.shutdown();
}

/// Kills, after so many milliseconds.
struct Killer(ActorRef<Server>, u64);
impl Service for Killer {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        if self.1 > 0 {
            ctx.sleep(Duration::from_millis(self.1)).await;
        }
        self.0.kill();
        Ok(())
    }
}

conformance!(a_watch_that_meets_the_end_is_told_once);
fn a_watch_that_meets_the_end_is_told_once<H: Host>() {
    let mut host = H::new();
    let client = host.spawn(Client::default()).unwrap();
    for round in 0..100 {
        let server = host.spawn(Server::default()).unwrap();
        // Before, after or beside the watch.
        let killer = host.spawn_service(Killer(server.clone(), round % 3)).unwrap();
        host.ask(&client, Watch(server)).unwrap();
        host.service_ended(&killer);
    }
    host.settle();
    assert_eq!(host.ask(&client, Words).unwrap().len(), 101);
    host.shutdown();
}

conformance!(a_restart_in_place_is_no_end_and_the_last_end_is);
fn a_restart_in_place_is_no_end_and_the_last_end_is<H: Host>() {
    let mut host = H::new();
    let client = host.spawn(Client::default()).unwrap();
    let root = Supervisor::builder("root").intensity(2, PERIOD).actor("server", Server::default);
    let tree = host.supervise(root).unwrap();
    let server = host.child::<Server>(&tree, "root/server").unwrap();
    host.ask(&client, Watch(server.clone())).unwrap();
    for order in [Order::Panic, Order::Stop] {
        host.tell(&server, order).unwrap();
    }
    host.settle();
    assert_eq!(host.ask(&client, Words).unwrap(), ["started"], "it lives for the third time");
    assert_eq!(host.terminate_child(&tree, "root/server"), Ok(()));
    host.settle();
    assert_eq!(host.ask(&client, Words).unwrap(), ["started", "Server was shut down"]);
    host.shutdown();
}

conformance!(the_next_life_of_a_watcher_hears_only_of_its_own_watches);
fn the_next_life_of_a_watcher_hears_only_of_its_own_watches<H: Host>() {
    let mut host = H::new();
    let server = host.spawn(Server::default()).unwrap();
    let client = Client { at_start: Some((server.clone(), false)), ..Client::default() };
    let heard = client.heard.clone();
    let child = Child::actor("client", move || client.clone()).backoff(backoff(30));
    let tree = host.supervise(Supervisor::builder("root").child(child)).unwrap();
    let client = host.child::<Client>(&tree, "root/client").unwrap();
    host.tell(&client, "panic").unwrap();
    host.settle();
    // It ends while its watcher waits for the next life, which watches it again.
    server.kill();
    host.advance(Duration::from_millis(30));
    host.until(|| heard.words().len() >= 3);
    assert_eq!(host.ask(&client, Words).unwrap(), ["started", "started", "Server was killed"]);
    host.shutdown();
}

conformance!(a_dependency_ends_an_actor_with_the_other_if_that_ends_abnormally);
fn a_dependency_ends_an_actor_with_the_other_if_that_ends_abnormally<H: Host>() {
    for (order, ends) in [(Order::Panic, true), (Order::Fail, true), (Order::Stop, false)] {
        let mut host = H::new();
        let child = Child::actor("client", Client::default).restart(Restart::Temporary);
        let tree = host.supervise(Supervisor::builder("clients").child(child)).unwrap();
        let client = host.child::<Client>(&tree, "clients/client").unwrap();
        let (_tree, server) = server(&mut host, None);
        host.ask(&client, Depend(server.clone())).unwrap();
        host.tell(&server, order).unwrap();
        host.ended(&server);
        if ends {
            let StopReason::DependencyEnded(why) = host.ended(&client) else { panic!("{order:?}") };
            assert!(why.starts_with("root/server ") && why.contains("told to"), "{why}");
            // It is late, and ends all the same.
            let late = Client { at_start: Some((server, true)), ..Client::default() };
            let late = Child::actor("late", move || late.clone()).restart(Restart::Temporary);
            let _ = host.start_child(&tree, "clients", late);
            if let Some(late) = host.child::<Client>(&tree, "clients/late") {
                assert!(matches!(host.ended(&late), StopReason::DependencyEnded(_)));
            }
        } else {
            host.settle();
            assert_eq!(host.ask(&client, Words).unwrap(), ["started"]);
        }
        host.shutdown();
    }
}

conformance!(a_dependency_goes_one_way_and_both_ways_if_both_say_so);
fn a_dependency_goes_one_way_and_both_ways_if_both_say_so<H: Host>() {
    for both in [false, true] {
        let mut host = H::new();
        let [one, other] = [(); 2].map(|()| Child::actor("x", Client::default).restart(Restart::Temporary));
        let [first, second] = [("first", one), ("second", other)].map(|(root, child)| {
            let tree = host.supervise(Supervisor::builder(root).child(child)).unwrap();
            let client = host.child::<Client>(&tree, &format!("{root}/x")).unwrap();
            (tree, client)
        });
        host.ask(&first.1, DependOnClient(second.1.clone())).unwrap();
        if both {
            host.ask(&second.1, DependOnClient(first.1.clone())).unwrap();
        }
        // The one that depends on the other ends.
        host.tell(&first.1, "panic").unwrap();
        assert!(matches!(host.ended(&first.1), StopReason::Panicked(_)));
        if both {
            assert!(matches!(host.ended(&second.1), StopReason::DependencyEnded(_)));
        } else {
            host.settle();
            assert_eq!(host.ask(&second.1, Words).unwrap(), ["started"]);
        }
        host.shutdown();
    }
}

conformance!(a_dependency_that_was_ended_ends_nobody);
fn a_dependency_that_was_ended_ends_nobody<H: Host>() {
    let mut host = H::new();
    let client = host.spawn(Client::default()).unwrap();
    let server = host.spawn(Server::default()).unwrap();
    let monitor = host.ask(&client, Depend(server.clone())).unwrap();
    assert!(host.ask(&client, KillAndUnwatch(server, monitor)).unwrap());
    host.settle();
    assert_eq!(host.ask(&client, Words).unwrap(), ["started"]);
    host.shutdown();
}

conformance!(a_dependent_child_restarts_and_depends_again);
fn a_dependent_child_restarts_and_depends_again<H: Host>() {
    let mut host = H::new();
    let server = host.spawn(Server::default()).unwrap();
    let client = Client { at_start: Some((server.clone(), true)), ..Client::default() };
    let heard = client.heard.clone();
    let root = Supervisor::builder("root").intensity(3, PERIOD).actor("client", move || client.clone());
    let tree = host.supervise(root).unwrap();
    server.kill();
    // Each life depends on one that is dead for good: the supervisor gives up, as in Erlang.
    host.tree_ended(&tree);
    assert_eq!(heard.words(), ["started"; 4]);
}

conformance!(a_supervised_group_restarts_without_a_notice);
fn a_supervised_group_restarts_without_a_notice<H: Host>() {
    let mut host = H::new();
    let client = host.spawn(Client::default()).unwrap();
    let root = Supervisor::builder("root").strategy(Strategy::OneForAll);
    let tree = host.supervise(root.actor("a", Server::default).actor("b", Server::default)).unwrap();
    let [a, b] = ["root/a", "root/b"].map(|path| host.child::<Server>(&tree, path).unwrap());
    host.ask(&client, Watch(a)).unwrap();
    host.tell(&b, Order::Panic).unwrap();
    host.settle();
    assert_eq!(host.ask(&client, Words).unwrap(), ["started"]);
    assert_eq!(host.shut_tree(&tree), Vec::<String>::new());
    host.settle();
    assert_eq!(host.ask(&client, Words).unwrap(), ["started", "Server was shut down"]);
    host.shutdown();
}

conformance!(an_end_gives_a_watcher_in_backoff_nothing_to_do);
fn an_end_gives_a_watcher_in_backoff_nothing_to_do<H: Host>() {
    let mut host = H::new();
    let server = host.spawn(Server::default()).unwrap();
    let client = Client { at_start: Some((server.clone(), false)), ..Client::default() };
    let client = Child::actor("client", move || client.clone()).backoff(backoff(30_000));
    let root = Supervisor::builder("root").intensity(3, PERIOD).child(client);
    let tree = host.supervise(root).unwrap();
    let client = host.child::<Client>(&tree, "root/client").unwrap();
    host.tell(&client, "panic").unwrap();
    host.until(|| !tree.pending_restarts().is_empty());
    server.kill();
    host.ended(&server);
    // Before its next life comes.
    assert!(host.wait(tree.drain(Duration::from_secs(10))).is_ok());
    host.shutdown();
}
