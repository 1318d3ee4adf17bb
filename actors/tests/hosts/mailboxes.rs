//! The mailbox of a supervised actor while it waits for its next life.

use std::time::Duration;

use mycelium::tree::{Child, ChildStatus};
use mycelium::{
    Actor, AskError, BoxError, Context, Handler, Responder, Service, ServiceContext, Subscription, Supervisor,
};

use crate::common::{PERIOD, Tick, backoff};
use crate::host::{Diary, Host};

/// Writes down what it hears; panics at 13, fails at 14.
struct Ear {
    name: &'static str,
    diary: Diary,
    ticks: Subscription<Tick>,
}

impl Actor for Ear {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.diary.note(ctx.now(), format_args!("+{}", self.name));
        Ok(ctx.subscribe(self.ticks)?)
    }
}

impl Handler<Tick> for Ear {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.diary.note(ctx.now(), format_args!("{} {}", self.name, tick.0));
        match tick.0 {
            13 => panic!("told to"),
            14 => return Err("told to".into()),
            // An actor that is told 20 has something to do a while later.
            20 => drop(ctx.schedule_after(Duration::from_millis(40), Tick(21))),
            _ => {}
        }
        Ok(())
    }
}

struct Panic;
impl Responder<Panic> for Ear {
    type Reply = ();
    async fn answer(&mut self, _: &Panic, _: &mut Context<Self>) {
        panic!("told to");
    }
}

fn ear(name: &'static str, diary: &Diary, ticks: Subscription<Tick>) -> Child {
    let diary = diary.clone();
    Child::actor(name, move || Ear { name, diary: diary.clone(), ticks })
}

fn root(child: Child) -> mycelium::tree::Builder {
    Supervisor::builder("root").intensity(5, PERIOD).backoff(backoff(1_000)).child(child)
}

conformance!(a_failed_actor_is_back_after_its_backoff_and_its_mailbox_has_waited);
fn a_failed_actor_is_back_after_its_backoff_and_its_mailbox_has_waited<H: Host>() {
    for failing in [13, 14] {
        let mut host = H::new();
        let [a, b] = [host.diary(), host.diary()];
        let tree = host
            .supervise(root(ear("a", &a, Subscription::default())).child(ear(
                "b",
                &b,
                Subscription::default(),
            )))
            .unwrap();
        let actor = host.child::<Ear>(&tree, "root/a").unwrap();
        for number in [1, failing, 2] {
            host.publish(Tick(number)).unwrap();
        }
        host.settle();
        for path in ["root/a", "root/b"] {
            assert!(matches!(host.status(&tree, path), Some(ChildStatus::Waiting { .. })));
        }
        // It is alive, and what is sent to it waits with the rest, in order.
        assert!(actor.is_alive());
        host.tell(&actor, Tick(3)).unwrap();
        host.publish(Tick(4)).unwrap();
        let failed = format!("0 a {failing}");
        host.has_heard(&a, &["0 +a", "0 a 1", &failed, "1000 +a", "1000 a 2", "1000 a 3", "1000 a 4"]);
        let failed = format!("0 b {failing}");
        host.has_heard(&b, &["0 +b", "0 b 1", &failed, "1000 +b", "1000 b 2", "1000 b 4"]);
        assert_eq!(host.letters().dead, 2, "what each had in hand");
        host.shutdown();
    }
}

conformance!(a_mailbox_keeps_to_its_policy_while_its_actor_waits);
fn a_mailbox_keeps_to_its_policy_while_its_actor_waits<H: Host>() {
    let mut host = H::new();
    let [new, old] = [host.diary(), host.diary()];
    let root = root(ear("new", &new, Subscription::drop_oldest().capacity(2)));
    host.supervise(root.child(ear("old", &old, Subscription::drop_newest().capacity(2))))
        .map(|tree| {
            host.publish(Tick(13)).unwrap();
            host.settle();
            for number in 1..=5 {
                host.publish(Tick(number)).unwrap();
            }
            host.has_heard(&new, &["0 +new", "0 new 13", "1000 +new", "1000 new 4", "1000 new 5"]);
            host.has_heard(&old, &["0 +old", "0 old 13", "1000 +old", "1000 old 1", "1000 old 2"]);
            let ticks = host.topic::<Tick>();
            assert_eq!((ticks.dropped_oldest, ticks.dropped_newest), (3, 3));
            host.shut_tree(&tree);
        })
        .unwrap();
}

/// Publishes these, and says when it has.
struct Source(Vec<u64>, Diary);
impl Service for Source {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        for number in &self.0 {
            ctx.publish(Tick(*number)).await?;
            // By then it is in its queue on any host.
            ctx.sleep(Duration::from_millis(1)).await;
        }
        self.1.note(ctx.now(), "published");
        Ok(())
    }
}

conformance!(a_full_mailbox_of_an_actor_in_backoff_holds_its_publisher_up);
fn a_full_mailbox_of_an_actor_in_backoff_holds_its_publisher_up<H: Host>() {
    let mut host = H::new();
    let [heard, source] = [host.diary(), host.diary()];
    let tree = host.supervise(root(ear("a", &heard, Subscription::block().capacity(2)))).unwrap();
    host.publish(Tick(13)).unwrap();
    host.settle();
    assert!(matches!(host.status(&tree, "root/a"), Some(ChildStatus::Waiting { .. })));
    let service = host.spawn_service(Source(vec![1, 2, 3, 4], source.clone())).unwrap();
    host.advance(Duration::from_millis(20));
    assert!(source.heard.words().is_empty(), "it waits for room");
    host.service_ended(&service);
    host.has_heard(&heard, &["0 +a", "0 a 13", "1000 +a", "1000 a 1", "1000 a 2", "1000 a 3", "1001 a 4"]);
    host.has_heard(&source, &["1002 published"]);
    host.shut_tree(&tree);
}

conformance!(a_panic_keeps_nobody_else_from_the_message);
fn a_panic_keeps_nobody_else_from_the_message<H: Host>() {
    let mut host = H::new();
    let [a, b] = [host.diary(), host.diary()];
    let root = root(ear("a", &a, Subscription::default())).child(ear("b", &b, Subscription::default()));
    let tree = host.supervise(root).unwrap();
    let child = host.child::<Ear>(&tree, "root/a").unwrap();
    host.tell(&child, Tick(13)).unwrap();
    host.publish(Tick(1)).unwrap();
    host.has_heard(&b, &["0 +b", "0 b 1"]);
    host.has_heard(&a, &["0 +a", "0 a 13", "1000 +a", "1000 a 1"]);
    host.shutdown();
}

conformance!(an_ask_whose_handler_panics_and_a_timer_of_a_life_end_with_it);
fn an_ask_whose_handler_panics_and_a_timer_of_a_life_end_with_it<H: Host>() {
    let mut host = H::new();
    let diary = host.diary();
    let tree = host.supervise(root(ear("a", &diary, Subscription::default()))).unwrap();
    let a = host.child::<Ear>(&tree, "root/a").unwrap();
    host.tell(&a, Tick(20)).unwrap();
    host.settle();
    assert!(matches!(host.ask(&a, Panic), Err(AskError::Stopped(_))));
    host.advance(Duration::from_millis(1_500));
    host.has_heard(&diary, &["0 +a", "0 a 20", "1000 +a"]);
    host.shutdown();
}
