//! The errors of actors are the user's types: their texts and destructors may panic.

use std::fmt;
use std::time::Duration;

use mycelium::tree::ExitReason;
use mycelium::{Actor, BoxError, Context, Handler, Responder, StopReason, Supervisor};

use crate::common::PERIOD;
use crate::host::{Host, Letters};

/// Panics where it is told to.
#[derive(Clone, Copy, Debug)]
struct Touchy {
    told: bool,
    dropped: bool,
}
impl fmt::Display for Touchy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        assert!(!self.told, "no text");
        f.write_str("a text")
    }
}
/// It panics when it is dropped.
#[derive(Debug)]
struct TouchyError(Touchy);
impl fmt::Display for TouchyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl std::error::Error for TouchyError {}
impl Drop for TouchyError {
    fn drop(&mut self) {
        assert!(!self.0.dropped, "no end");
    }
}

const PANICS: [(Touchy, &str); 3] = [
    (Touchy { told: true, dropped: false }, "the text of its error panicked: no text"),
    (Touchy { told: false, dropped: true }, "the destructor of its error panicked: no end"),
    (Touchy { told: true, dropped: true }, "the text of its error panicked: no text"),
];

/// Fails with what it is told; the second life of a child fails in `started`, if it is told so.
struct Fails(Option<Touchy>);
impl Actor for Fails {
    type Error = TouchyError;
    async fn started(&mut self, _: &mut Context<Self>) -> Result<(), TouchyError> {
        self.0.map_or(Ok(()), |touchy| Err(TouchyError(touchy)))
    }
}
impl Handler<Touchy> for Fails {
    async fn handle(&mut self, touchy: &Touchy, _: &mut Context<Self>) -> Result<(), TouchyError> {
        Err(TouchyError(*touchy))
    }
}
/// The same after a while.
struct Late(Touchy);
impl Handler<Late> for Fails {
    async fn handle(&mut self, late: &Late, ctx: &mut Context<Self>) -> Result<(), TouchyError> {
        ctx.sleep(Duration::from_millis(1)).await;
        Err(TouchyError(late.0))
    }
}
struct Ping;
impl Responder<Ping> for Fails {
    type Reply = ();
    async fn answer(&mut self, _: &Ping, _: &mut Context<Self>) {}
}

conformance!(an_error_whose_text_or_destructor_panics_is_a_panic_of_its_actor);
fn an_error_whose_text_or_destructor_panics_is_a_panic_of_its_actor<H: Host>() {
    for (touchy, reason) in PANICS {
        let mut host = H::new();
        let root = Supervisor::builder("root").intensity(9, PERIOD).actor("fails", || Fails(None));
        let tree = host.supervise(root).unwrap();
        let child = host.child::<Fails>(&tree, "root/fails").unwrap();
        host.tell(&child, touchy).unwrap();
        host.tell(&child, Late(touchy)).unwrap();
        host.ask(&child, Ping).unwrap();
        assert_eq!(host.letters(), Letters { dead: 2, retried: 0 }, "it is restarted, and its mailbox waits");
        let letters = host.dead_letters();
        let reasons: Vec<_> = letters.recent.iter().map(|letter| letter.reason.clone()).collect();
        assert_eq!(reasons, [(); 2].map(|()| StopReason::Panicked(reason.into())));
        host.shutdown();

        let mut host = H::new();
        let root = Supervisor::builder("root").actor("fails", move || Fails(Some(touchy)));
        let failed = host.supervise(root).unwrap_err();
        assert!(failed.to_string().contains(&format!("panicked: {reason}")), "{failed}");
    }
}

/// A boxed error of the actor, whose text panics.
struct Boxed;
impl Actor for Boxed {
    type Error = BoxError;
}
impl Handler<Touchy> for Boxed {
    async fn handle(&mut self, touchy: &Touchy, _: &mut Context<Self>) -> Result<(), BoxError> {
        Err(Box::new(TouchyError(*touchy)))
    }
}

conformance!(an_actor_without_a_supervisor_ends_by_the_panic_of_its_error);
fn an_actor_without_a_supervisor_ends_by_the_panic_of_its_error<H: Host>() {
    for (touchy, reason) in PANICS {
        let mut host = H::new();
        let boxed = host.spawn(Boxed).unwrap();
        host.tell(&boxed, touchy).unwrap();
        let ended = host.ended(&boxed);
        assert_eq!(ended, StopReason::Panicked(reason.into()));
        assert_eq!(ExitReason::from(&ended), ExitReason::Abnormal(format!("panicked: {reason}").into()));
    }
}
