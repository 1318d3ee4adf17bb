//! Addresses without the type of their actor: they keep the promises of the reference they are made from.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mycelium::{
    Actor, AskError, BoxError, Context, Handler, Recipient, ReplyRecipient, Responder, Service,
    ServiceContext, StopReason, TellError,
};

use crate::common::{Flush, Log, Note, Tick};
use crate::host::Host;

fn note(number: u64) -> Note {
    Note(format!("note {number}"))
}

/// What was answered, once it was.
type Answer = Arc<Mutex<Option<Result<Vec<String>, AskError>>>>;

/// Tells and asks through addresses without a type.
struct Caller {
    to: Recipient<Note>,
    of: ReplyRecipient<Flush, Vec<String>>,
    answer: Answer,
}
impl Service for Caller {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        for number in 0..100 {
            self.to.tell(note(number)).await?;
            ctx.publish(Tick(number)).await?;
        }
        *self.answer.lock().unwrap() = Some(self.of.ask(Flush).await);
        Ok(())
    }
}

conformance!(what_goes_through_a_recipient_keeps_its_order_with_what_is_published);
fn what_goes_through_a_recipient_keeps_its_order_with_what_is_published<H: Host>() {
    let mut host = H::new();
    let log = host.spawn(Log::default()).unwrap();
    host.ask(&log, Flush).unwrap();
    let answer = Answer::default();
    let caller = Caller { to: log.recipient(), of: log.reply_recipient(), answer: Arc::clone(&answer) };
    let caller = host.spawn_service(caller).unwrap();
    host.service_ended(&caller);
    let expected: Vec<_> =
        (0..100).flat_map(|number| [format!("note {number}"), format!("tick {number}")]).collect();
    assert_eq!(answer.lock().unwrap().take(), Some(Ok(expected)));
}

conformance!(a_recipient_knows_of_the_end_of_its_actor_and_gives_messages_back);
fn a_recipient_knows_of_the_end_of_its_actor_and_gives_messages_back<H: Host>() {
    /// Waits for the end of an actor, then tells and asks it.
    struct Mourner {
        to: Recipient<Note>,
        of: ReplyRecipient<Flush, Vec<String>>,
        seen: Arc<Mutex<Vec<String>>>,
    }
    impl Service for Mourner {
        type Error = BoxError;
        async fn run(&mut self, _: &ServiceContext) -> Result<(), BoxError> {
            let alive = self.to.is_alive();
            let reason = self.to.ended().await;
            let told = [self.to.tell(note(1)).await, self.to.try_tell(note(1))];
            let back = |told| matches!(told, Err(TellError::Stopped(back, Some(_))) if back == note(1));
            assert!(told.into_iter().all(back));
            let asked = [self.of.ask(Flush).await, self.of.ask_within(Flush, Duration::from_secs(9)).await];
            assert!(matches!(asked, [Err(AskError::Stopped(_)), Err(AskError::Stopped(_))]));
            let line = format!("{alive} {reason} {} {}", self.to.is_alive(), self.to.name());
            self.seen.lock().unwrap().push(line);
            Ok(())
        }
    }
    for (kill, reason) in [(false, StopReason::Normal), (true, StopReason::Killed)] {
        let mut host = H::new();
        let log = host.spawn(Log::default()).unwrap();
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let mourner = Mourner { to: log.recipient(), of: log.reply_recipient(), seen: Arc::clone(&seen) };
        assert_eq!(mourner.to.id(), log.id());
        let mourner = host.spawn_service(mourner).unwrap();
        host.settle();
        if kill {
            log.kill();
        } else {
            log.stop();
        }
        host.service_ended(&mourner);
        assert_eq!(*seen.lock().unwrap(), [format!("true {reason} false Log")]);
    }
}

conformance!(an_actor_that_asks_itself_through_a_recipient_has_an_error_at_once);
fn an_actor_that_asks_itself_through_a_recipient_has_an_error_at_once<H: Host>() {
    struct Selfish;
    impl Actor for Selfish {
        type Error = BoxError;
    }
    impl Handler<Tick> for Selfish {
        async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
            Ok(())
        }
    }
    impl Responder<Flush> for Selfish {
        type Reply = Result<(), AskError>;
        async fn answer(&mut self, _: &Flush, ctx: &mut Context<Self>) -> Result<(), AskError> {
            let me: ReplyRecipient<Flush, Result<(), AskError>> = ctx.actor_ref().reply_recipient();
            me.ask(Flush).await.map(drop)
        }
    }
    let mut host = H::new();
    let selfish = host.spawn(Selfish).unwrap();
    assert!(matches!(host.ask(&selfish, Flush), Ok(Err(AskError::Itself(_)))));
}
