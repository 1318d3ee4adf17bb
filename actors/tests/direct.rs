//! Direct messages that wait together are handled in one go: what ends it in between.

mod common;

use std::time::Duration;

use common::{Heard, Tick, on_both_runtimes};
use mycelium::{Actor, BoxError, Context, Handler, MessageBus, Responder, Subscriptions};

#[derive(Clone, Copy, Debug)]
struct Beat(u64);

/// Is told steps: what it does at each is its own affair.
struct Steps {
    heard: Heard,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Waits, and has a timer end meanwhile.
    Wait,
    Stop,
    Say(u64),
}

impl Steps {
    fn say(&self, what: impl Into<String>) {
        self.heard.add(what);
    }
}

impl Actor for Steps {
    type Error = BoxError;
}

impl Handler<Step> for Steps {
    async fn handle(&mut self, step: &Step, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        match step {
            Step::Wait => {
                ctx.schedule_after(Duration::from_millis(1), Beat(1));
                tokio::time::sleep(Duration::from_millis(20)).await;
                self.say("waited");
            }
            Step::Stop => {
                self.say("stops");
                ctx.stop();
            }
            Step::Say(number) => self.say(format!("says {number}")),
        }
        Ok(())
    }
}

impl Handler<Beat> for Steps {
    async fn handle(&mut self, beat: &Beat, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.say(format!("beat {}", beat.0));
        Ok(())
    }
}

struct Done;
impl Responder<Done> for Steps {
    type Reply = ();
    async fn answer(&mut self, _: &Done, _: &mut Context<Self>) {}
}

/// Tells itself something at each published message, in a mailbox with room for one.
struct Busy(Heard);

impl Actor for Busy {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
}

impl Handler<u64> for Busy {
    async fn handle(&mut self, number: &u64, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.add(format!("told {number}"));
        Ok(())
    }
}

impl Handler<Tick> for Busy {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        let told = ctx.actor_ref().try_tell(tick.0);
        self.0.add(if told.is_ok() { "there is room" } else { "full" });
        Ok(())
    }
}

/// What an actor that is told all these at once has handled, when it has answered or ended.
async fn handled(steps: &[Step]) -> Vec<String> {
    let bus = MessageBus::new();
    let heard = Heard::default();
    let actor = bus.spawn(Steps { heard: heard.clone() }).unwrap();
    let stops = steps.iter().any(|step| matches!(step, Step::Stop));
    for step in steps {
        let told = actor.try_tell(*step);
        // On another thread it may have stopped before the last one was told.
        assert!(told.is_ok() || stops, "{told:?}");
    }
    // One that has stopped gives no answer.
    let _ = actor.ask(Done).await;
    actor.stop();
    actor.ended().await;
    drop(actor);
    bus.shutdown().await.unwrap();
    heard.words()
}

#[test]
fn a_timer_that_is_due_comes_next_once_a_handler_has_waited() {
    on_both_runtimes(async || {
        let handled = handled(&[Step::Wait, Step::Say(1), Step::Say(2)]).await;
        assert_eq!(handled, ["waited", "beat 1", "says 1", "says 2"]);
    });
}

#[test]
fn nothing_is_handled_after_a_stop() {
    on_both_runtimes(async || {
        let handled = handled(&[Step::Say(1), Step::Stop, Step::Say(2), Step::Say(3)]).await;
        assert_eq!(handled, ["says 1", "stops"]);
    });
}

/// What was handled takes no room while the actor goes on with something else.
#[test]
fn a_mailbox_has_room_again_while_its_actor_handles_what_is_published() {
    on_both_runtimes(async || {
        let (bus, heard) = (MessageBus::builder().inbox_capacity(1).build(), Heard::default());
        let actor = bus.spawn(Busy(heard.clone())).unwrap();
        let ticks = bus.publisher::<Tick>().unwrap();
        actor.tell(0).await.unwrap();
        for number in 1..=3 {
            ticks.publish(Tick(number)).await.unwrap();
            heard.wait_for(&format!("told {number}")).await;
        }
        assert!(!heard.words().contains(&"full".to_owned()), "{:?}", heard.words());
        bus.shutdown().await.unwrap();
    });
}
