//! Errors of asks, which say whom they are of and whether the question may have been handled.

use std::time::Duration;

use mycelium::{
    Actor, AskError, BoxError, Context, Handler, QUEUE_CAPACITY, Responder, StopReason, Supervisor,
};

use crate::common::{Flush, Tick, at_once};
use crate::host::{Host, Limits};

/// Takes this time for each message, and fails over the questions that say so.
struct Clerk(Duration);

/// Longer than a test takes where time is not virtual.
const HOUR: Duration = Duration::from_secs(3_600);

impl Actor for Clerk {
    type Error = BoxError;
}

impl Handler<Tick> for Clerk {
    async fn handle(&mut self, _: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.sleep(self.0).await;
        Ok(())
    }
}

impl Responder<Flush> for Clerk {
    type Reply = ();
    async fn answer(&mut self, _: &Flush, ctx: &mut Context<Self>) {
        ctx.sleep(self.0).await;
    }
}

impl Responder<Tick> for Clerk {
    type Reply = ();
    async fn answer(&mut self, _: &Tick, _: &mut Context<Self>) {
        panic!("the question is too hard");
    }
}

conformance!(an_ask_that_finds_no_room_was_not_sent_and_one_that_is_late_may_be_handled);
fn an_ask_that_finds_no_room_was_not_sent_and_one_that_is_late_may_be_handled<H: Host>() {
    let limit = Duration::from_millis(7);
    let mut host = H::with(Limits { inbox_capacity: Some(1), ..Limits::default() });
    let clerk = host.spawn(Clerk(HOUR)).unwrap();
    let late = host.ask_for(&clerk, Flush, Some(limit)).unwrap_err();
    assert!(late.may_have_been_handled(), "{late:?}");
    assert_eq!(
        late.to_string(),
        format!(
            "{} did not answer within 7ms; it may still handle the question: find out before you ask again",
            clerk.identity()
        )
    );
    if H::OFFERS.limits {
        while host.try_tell(&clerk, Tick(0)).is_ok() {}
        let full = host.ask_for(&clerk, Flush, Some(limit)).unwrap_err();
        assert!(matches!(full, AskError::Timeout(_)) && !full.may_have_been_handled(), "{full:?}");
        let text = format!("{} was not asked: there was no room in its inbox for 7ms", clerk.identity());
        assert_eq!(full.to_string(), text);
    }
    clerk.kill();
    host.ended(&clerk);
    let gone = host.ask(&clerk, Flush).unwrap_err();
    assert_eq!(gone.to_string(), format!("{} was not asked: it was killed", clerk.identity()));
    let asked = gone.asked().unwrap();
    assert_eq!((&asked.whom, asked.sent), (&Some(clerk.identity()), false));
    assert_eq!(asked.ended, Some(StopReason::Killed));
    host.shutdown();
}

conformance!(an_ask_over_which_a_child_fails_says_so_and_the_child_has_not_ended);
fn an_ask_over_which_a_child_fails_says_so_and_the_child_has_not_ended<H: Host>() {
    let mut host = H::new();
    let tree = host.supervise(Supervisor::builder("root").actor("clerk", || Clerk(Duration::ZERO))).unwrap();
    let clerk = host.child::<Clerk>(&tree, "root/clerk").unwrap();
    let failed = host.ask(&clerk, Tick(0)).unwrap_err();
    assert!(matches!(failed, AskError::Stopped(_)) && failed.may_have_been_handled(), "{failed:?}");
    assert_eq!(failed.asked().unwrap().ended, None);
    assert!(
        failed.to_string().starts_with("root/clerk did not answer: it failed over the question"),
        "{failed}"
    );
    host.ask(&clerk, Flush).unwrap();
    host.shut_tree(&tree);
}

conformance!(questions_that_are_given_up_take_no_more_room_than_there_is);
fn questions_that_are_given_up_take_no_more_room_than_there_is<H: Host>() {
    let mut host = H::new();
    let each = if H::OFFERS.exact_time { Duration::from_secs(1) } else { HOUR };
    let clerk = host.spawn(Clerk(each)).unwrap();
    host.tell(&clerk, Tick(0)).unwrap();
    host.settle();
    for _ in 0..3_000 {
        host.wait(async { drop(at_once(clerk.ask(Flush))) });
    }
    assert!((QUEUE_CAPACITY - 32..=QUEUE_CAPACITY).contains(&clerk.inbox_len()), "{}", clerk.inbox_len());
    let full = host.ask_for(&clerk, Flush, Some(Duration::from_millis(7))).unwrap_err();
    assert!(matches!(full, AskError::Timeout(_)) && !full.may_have_been_handled(), "{full:?}");
    // The one that waits for room comes in its turn.
    let hours = Duration::from_secs(2 * QUEUE_CAPACITY as u64);
    if H::OFFERS.exact_time {
        assert!(host.ask_for(&clerk, Flush, Some(hours)).is_ok());
        assert_eq!(clerk.inbox_len(), 0);
    }
    clerk.kill();
    host.ended(&clerk);
}
