//! What a service of an isolate waits for when nothing is left to do: for more to come, which is rest, or for
//! what never comes.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::{Tick, Tock};
use mycelium::{
    Actor, ActorRef, BoxError, Context, Handler, Isolate, Responder, RunError, Service, ServiceContext,
    Subscriber, Subscription, Subscriptions, Supervisor, Timestamp,
};
use tokio::sync::oneshot;

/// An answer from somewhere else, with its sender for as long as nobody sends.
#[derive(Clone)]
struct Answer(Arc<Mutex<Ends>>);

type Ends = (Option<oneshot::Sender<u32>>, Option<oneshot::Receiver<u32>>);

fn outside() -> Answer {
    let (give, answer) = oneshot::channel();
    Answer(Arc::new(Mutex::new((Some(give), Some(answer)))))
}

impl Answer {
    fn give(&self) {
        let give = self.0.lock().unwrap().0.take().unwrap();
        give.send(7).unwrap();
    }

    async fn come(&self) -> Result<(), BoxError> {
        let answer = self.0.lock().unwrap().1.take().ok_or("asked twice")?;
        assert_eq!(answer.await?, 7);
        Ok(())
    }
}

/// What a service waits for.
#[derive(Clone)]
enum Wait {
    Outside(Answer),
    Message,
    MessageOrOutside(Answer),
    /// The same in futures of which only the one that is woken is polled.
    MessageBesideOutside(Answer),
    /// A message for a second; then something else.
    MessageThenOutside(Answer),
    Stopped,
    StoppedOrOutside(Answer),
    End(ActorRef<Parked>),
    ActorsAnswer(ActorRef<Parked>),
    Mailbox(ActorRef<Parked>),
    Topic,
    Replay,
    EndOfTime,
}

/// Makes one of them, beside an actor.
type Kind = fn(&ActorRef<Parked>) -> Wait;

struct Waiter(Wait);

impl Service for Waiter {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let mut ticks = ctx.subscribe(Subscription::<Tick>::block())?;
        match &self.0 {
            Wait::Outside(answer) => answer.come().await,
            Wait::Message => ticks.recv().await.map(|_| ()).ok_or_else(|| "closed".into()),
            Wait::MessageOrOutside(answer) => tokio::select! {
                _ = ticks.recv() => Ok(()),
                come = answer.come() => come,
            },
            Wait::MessageBesideOutside(answer) => beside(&mut ticks, answer, ctx).await,
            Wait::MessageThenOutside(answer) => {
                tokio::select! {
                    _ = ticks.recv() => {}
                    () = ctx.sleep(Duration::from_secs(1)) => {}
                }
                answer.come().await
            }
            Wait::Stopped => {
                ctx.stopped().await;
                Ok(())
            }
            Wait::StoppedOrOutside(answer) => tokio::select! {
                biased;
                () = ctx.stopped() => Ok(()),
                come = answer.come() => come,
            },
            Wait::End(actor) => {
                actor.ended().await;
                Ok(())
            }
            Wait::ActorsAnswer(actor) => Ok(actor.ask(Ask).await?),
            Wait::Mailbox(actor) => loop {
                actor.tell(Tick(0)).await?;
            },
            Wait::Topic => loop {
                ctx.publish(Tock(0)).await?;
            },
            Wait::Replay => {
                ctx.replay((1..5_000).map(|n| (Timestamp::from_nanos(n), Tock(0)))).await?;
                Ok(())
            }
            Wait::EndOfTime => {
                ctx.sleep(Duration::MAX).await;
                Ok(())
            }
        }
    }
}

/// Waits for a tick in one future, and in another, which is woken later, for the answer: each is polled for
/// its own sake alone.
async fn beside(ticks: &mut Subscriber<Tick>, answer: &Answer, ctx: &ServiceContext) -> Result<(), BoxError> {
    let mut reading = pin!(ticks.recv());
    let mut other = pin!(async {
        ctx.sleep(Duration::from_secs(1)).await;
        answer.come().await
    });
    let mut first = true;
    poll_fn(|cx| {
        if std::mem::take(&mut first) {
            assert!(reading.as_mut().poll(cx).is_pending());
        }
        other.as_mut().poll(cx)
    })
    .await
}

/// Its handlers wait for what never comes.
struct Parked;
struct Ask;
impl Actor for Parked {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_with(Subscription::<Tock>::block().capacity(4));
    }
}
impl Handler<Tick> for Parked {
    async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        std::future::pending().await
    }
}
impl Handler<Tock> for Parked {
    async fn handle(&mut self, _: &Tock, _: &mut Context<Self>) -> Result<(), BoxError> {
        std::future::pending().await
    }
}
impl Responder<Ask> for Parked {
    type Reply = ();
    async fn answer(&mut self, _: &Ask, _: &mut Context<Self>) {
        std::future::pending::<()>().await;
    }
}

/// What a service of this kind is said to wait for beside an actor, on its own and as a child.
fn told(kind: impl Fn(&ActorRef<Parked>) -> Wait) -> Option<String> {
    let [alone, supervised] = [false, true].map(|supervised| {
        let mut isolate = Isolate::new(1);
        let parked = isolate.spawn(Parked).unwrap();
        let wait = kind(&parked);
        if supervised {
            let root = Supervisor::builder("root").service("waiter", move || Waiter(wait.clone()));
            isolate.supervise(&root).unwrap();
        } else {
            isolate.spawn_service(Waiter(wait)).unwrap();
        }
        let told = match isolate.run() {
            Ok(_) => None,
            Err(RunError::Stuck { waiting }) => {
                waiting.iter().find(|one| one.actor.name == "Waiter").cloned()
            }
            Err(error) => panic!("{error}"),
        };
        // A service that waits for ever has to be killed.
        let _ = isolate.shutdown();
        told.map(|one| one.waits_for.to_string())
    });
    assert_eq!(alone, supervised);
    alone
}

#[test]
fn a_service_that_waits_for_more_to_come_is_at_rest() {
    let kinds: [Kind; 7] = [
        |_| Wait::Message,
        |_| Wait::MessageOrOutside(outside()),
        |_| Wait::MessageBesideOutside(outside()),
        |_| Wait::Stopped,
        |_| Wait::StoppedOrOutside(outside()),
        |parked| Wait::End(parked.clone()),
        |_| Wait::EndOfTime,
    ];
    for (at, kind) in kinds.into_iter().enumerate() {
        assert_eq!(told(kind), None, "kind {at}");
    }
}

#[test]
fn a_service_that_waits_for_what_never_comes_is_named_with_it() {
    let kinds: [(Kind, &str); 6] = [
        (|parked| Wait::ActorsAnswer(parked.clone()), "the answer of Parked#1"),
        (|parked| Wait::Mailbox(parked.clone()), "room in the mailbox of Parked#1"),
        (|_| Wait::Topic, "room in a queue for Tock"),
        (|_| Wait::Replay, "room in a queue for Tock"),
        (|_| Wait::Outside(outside()), "something outside the isolate"),
        // It has waited for messages before, which is over.
        (|_| Wait::MessageThenOutside(outside()), "something outside the isolate"),
    ];
    for (kind, expected) in kinds {
        assert_eq!(told(kind).as_deref(), Some(expected));
    }
    let mut isolate = Isolate::new(1);
    isolate.spawn_service(Waiter(Wait::Outside(outside()))).unwrap();
    let error = isolate.run().unwrap_err().to_string();
    assert!(error.contains("Waiter#1 for something outside the isolate (a thread,"), "{error}");
}

#[test]
fn a_service_goes_on_with_what_has_come_between_two_runs() {
    let answer = outside();
    let mut isolate = Isolate::new(1);
    let waiter = isolate.spawn_service(Waiter(Wait::Outside(answer.clone()))).unwrap();
    assert!(matches!(isolate.run(), Err(RunError::Stuck { .. })));
    answer.give();
    isolate.run().unwrap();
    assert!(isolate.take_service(&waiter).is_some());
}

#[test]
fn a_service_at_rest_goes_on_with_the_next_message_and_may_be_stuck_then() {
    let mut isolate = Isolate::new(1);
    isolate.spawn_service(Waiter(Wait::MessageThenOutside(outside()))).unwrap();
    isolate.run_until(Timestamp::ZERO).unwrap();
    isolate.publish(Tick(1)).unwrap();
    assert!(matches!(isolate.run(), Err(RunError::Stuck { .. })));
    assert_eq!(isolate.now(), Timestamp::ZERO, "the message came before the second was over");
}
