//! Whose queue is full, when a publish, a tell or bytes are refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mycelium::pool::{Pool, PoolRef};
use mycelium::{
    Actor, BoxError, Context, Handler, Identity, PublishError, Recipient, Service, ServiceContext,
    Subscription, Subscriptions, Supervisor, TellError, WirePublishError,
};

use crate::common::wire::{Price, bytes, header};
use crate::common::{Note, Tick};
use crate::host::{Host, Limits};

/// Keeps each message until it is let go, with room for one more.
#[derive(Clone, Default)]
struct Slow {
    goes_on: Arc<AtomicBool>,
}

impl Slow {
    async fn hold(&self, ctx: &Context<Self>) {
        while !self.goes_on.load(Ordering::Relaxed) {
            ctx.sleep(Duration::from_millis(1)).await;
        }
    }
}

impl Actor for Slow {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics
            .on_with::<Tick>(Subscription::fail().capacity(1))
            .on_with::<Price>(Subscription::block().capacity(1));
    }
}
impl Handler<Tick> for Slow {
    async fn handle(&mut self, _: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.hold(ctx).await;
        Ok(())
    }
}
impl Handler<Price> for Slow {
    async fn handle(&mut self, _: &Price, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.hold(ctx).await;
        Ok(())
    }
}
impl Handler<Note> for Slow {
    async fn handle(&mut self, _: &Note, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.hold(ctx).await;
        Ok(())
    }
}

/// The error of the first that is refused.
fn refused<H: Host, E>(host: &mut H, mut send: impl FnMut(&mut H) -> Result<(), E>) -> E {
    loop {
        if let Err(error) = send(host) {
            return error;
        }
        // In an isolate a capacity is that of what has come to an actor that waits.
        host.settle();
    }
}

fn note() -> Note {
    Note("more".to_owned())
}

const LIMITS: Limits = Limits { topic_capacity: None, inbox_capacity: Some(2) };

conformance!(a_publish_that_is_refused_says_whose_queue_is_full_and_what_to_do);
fn a_publish_that_is_refused_says_whose_queue_is_full_and_what_to_do<H: Host>() {
    let mut host = H::new();
    let slow = Slow::default();
    let child = slow.clone();
    let desk = Supervisor::builder("desk").actor("slow", move || child.clone());
    let tree = host.supervise(Supervisor::builder("root").supervisor(desk)).unwrap();
    let supervised = host.child::<Slow>(&tree, "root/desk/slow").unwrap();
    let error = refused(&mut host, |host| host.try_publish(Tick(1)));
    assert_eq!(
        error.to_string(),
        "Tick was not published: the queue of root/desk/slow is full; use `publish(..).await` to wait, raise its \
         capacity or choose another overflow policy"
    );
    let PublishError::Full(Tick(1), Some(who)) = error else { panic!("{error}") };
    assert_eq!(*who, supervised.identity());
    slow.goes_on.store(true, Ordering::Relaxed);
    host.shut_tree(&tree);

    // One without a supervisor goes by its type and number.
    let alone = host.spawn(Slow::default()).unwrap();
    let error = refused(&mut host, |host| host.try_publish(Tick(2)));
    assert!(error.to_string().contains(&format!("the queue of Slow{} is full", alone.id())), "{error}");
}

/// Reads nothing of what it has subscribed to.
struct Reader;
impl Service for Reader {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let _unread = ctx.subscribe(Subscription::<Tick>::block().capacity(2))?;
        ctx.stopped().await;
        Ok(())
    }
}

conformance!(a_publish_that_a_service_has_no_room_for_names_the_service);
fn a_publish_that_a_service_has_no_room_for_names_the_service<H: Host>() {
    let mut host = H::new();
    let root = Supervisor::builder("root").service("reader", || Reader);
    let tree = host.supervise(root).unwrap();
    host.settle();
    let error = refused(&mut host, |host| host.try_publish(Tick(1)));
    let PublishError::Full(Tick(1), Some(who)) = &error else { panic!("{error}") };
    assert_eq!((who.to_string().as_str(), who.name), ("root/reader", "Reader"));
    host.shut_tree(&tree);
}

conformance!(bytes_that_are_refused_say_whose_queue_is_full_and_what_to_do);
fn bytes_that_are_refused_say_whose_queue_is_full_and_what_to_do<H: Host>() {
    let mut host = H::with_contract();
    let slow = host.spawn(Slow::default()).unwrap();
    let (header, value) = (header::<Price>(), bytes(&Price { at: 1 }));
    let error = refused(&mut host, |host| host.publish_wire(&header, &value));
    let text = format!(
        "Price was not published: the queue of Slow{} is full; use `publish_wire(..).await` to wait, raise its capacity \
         or choose another overflow policy",
        slow.id()
    );
    assert_eq!(error.to_string(), text);
    let whose = Some(Arc::new(slow.identity()));
    assert_eq!(error, WirePublishError::Full { message: "Price", whose });
}

conformance!(a_tell_that_is_refused_says_whose_mailbox_is_full_and_what_to_do);
fn a_tell_that_is_refused_says_whose_mailbox_is_full_and_what_to_do<H: Host>() {
    let mut host = H::with(LIMITS);
    let slow = Slow::default();
    let child = slow.clone();
    let tree = host.supervise(Supervisor::builder("root").actor("slow", move || child.clone())).unwrap();
    let to = host.child::<Slow>(&tree, "root/slow").unwrap();
    let recipient: Recipient<Note> = to.recipient();
    let direct = refused(&mut host, |host| host.try_tell(&to, note()));
    let through_recipient = refused(&mut host, |_| recipient.try_tell(note()));
    for error in [direct, through_recipient] {
        assert_eq!(
            error.to_string(),
            "Note was not sent: the inbox of root/slow is full; use `tell(..).await` to wait"
        );
        assert_eq!(error, TellError::Full(note(), Some(Arc::new(to.identity()))));
    }
    slow.goes_on.store(true, Ordering::Relaxed);
    host.shut_tree(&tree);
}

conformance!(a_tell_that_a_pool_refuses_names_the_worker_of_its_key_or_the_pool);
fn a_tell_that_a_pool_refuses_names_the_worker_of_its_key_or_the_pool<H: Host>() {
    /// Whom the error of the first tell names that the pool refuses, and the pool.
    fn full<H: Host>(pool: impl FnOnce(Pool<Slow>) -> Pool<Slow>) -> (Arc<Identity>, PoolRef<Slow>) {
        let mut host = H::with(LIMITS);
        let slow = Slow::default();
        let child = slow.clone();
        let pool = pool(Pool::new(move || child.clone()).workers(2)).supervisor("pool");
        let tree = host.supervise(Supervisor::builder("root").supervisor(pool)).unwrap();
        let pool = tree.lookup_pool::<Slow>("root/pool").unwrap();
        let error = refused(&mut host, |_| pool.try_tell(note()));
        let TellError::Full(_, Some(who)) = error else { panic!("{error}") };
        let named: Vec<_> = pool.workers().iter().map(mycelium::ActorRef::identity).collect();
        assert!(named.contains(&who) || who.path.as_deref() == Some("root/pool"), "{who}");
        slow.goes_on.store(true, Ordering::Relaxed);
        host.shut_tree(&tree);
        (who, pool)
    }
    let (who, _) = full::<H>(|pool| pool);
    assert_eq!((who.to_string().as_str(), who.name), ("root/pool", "Slow"));
    let (who, _) = full::<H>(|pool| pool.key(|note: &Note| note.0.len() as u64));
    assert!(who.to_string().starts_with("root/pool/"), "{who}");
}

conformance!(a_queue_of_code_outside_has_no_name, not isolate: outsiders);
fn a_queue_of_code_outside_has_no_name<H: Host>() {
    let mut host = H::with_contract();
    let _outside = host.subscribe_wire("market.prices").unwrap();
    let error = refused(&mut host, |host| host.try_publish(Price { at: 1 }));
    assert!(matches!(error, PublishError::Full(Price { at: 1 }, None)), "{error}");
    assert!(error.to_string().contains("the queue of a subscriber that is no actor"), "{error}");
}
