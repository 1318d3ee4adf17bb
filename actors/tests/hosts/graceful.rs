//! An orderly stop: what was there before is handled, what comes after is a dead letter.

use std::time::Duration;

use mycelium::tree::{Child, ChildStatus, Notice, Restart};
use mycelium::{
    Actor, AskError, BoxError, Context, Handler, Responder, StopReason, Subscriptions, Supervisor, TellError,
};

use crate::common::{Flush, Heard, PERIOD, Tick, Tock, backoff};
use crate::host::Host;

const MILLISECOND: Duration = Duration::from_millis(1);

/// Takes its time for each `Tick` that is told and a millisecond for each `Tock`, and writes all down; fails
/// on `Tock(13)`.
struct Slow(Heard, Duration);
impl Actor for Slow {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tock>();
    }
    async fn started(&mut self, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.add("+");
        Ok(())
    }
    async fn stopping(&mut self, reason: &StopReason, _: &mut Context<Self>) {
        self.0.add(format!("-{reason}"));
    }
}
impl Handler<Tick> for Slow {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.sleep(self.1).await;
        self.0.add(format!("told {}", tick.0));
        Ok(())
    }
}
impl Handler<Tock> for Slow {
    async fn handle(&mut self, tock: &Tock, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.sleep(MILLISECOND).await;
        if tock.0 == 13 {
            return Err("13".into());
        }
        self.0.add(format!("heard {}", tock.0));
        Ok(())
    }
}
impl Responder<Flush> for Slow {
    type Reply = ();
    async fn answer(&mut self, _: &Flush, ctx: &mut Context<Self>) {
        ctx.actor_ref().stop_gracefully();
        self.0.add("flushed");
    }
}

conformance!(an_orderly_stop_comes_after_all_that_was_told_and_published_before_it);
fn an_orderly_stop_comes_after_all_that_was_told_and_published_before_it<H: Host>() {
    let (mut host, heard) = (H::new(), Heard::default());
    let slow = host.spawn(Slow(heard.clone(), MILLISECOND)).unwrap();
    host.settle();
    host.try_tell(&slow, Tick(1)).unwrap();
    host.try_publish(Tock(2)).unwrap();
    host.try_tell(&slow, Tick(3)).unwrap();
    host.try_publish(Tock(4)).unwrap();
    slow.stop_gracefully();
    slow.stop_gracefully();
    assert!(slow.is_alive());
    host.try_tell(&slow, Tick(5)).unwrap();
    host.try_publish(Tock(6)).unwrap();
    assert_eq!(host.ended(&slow), StopReason::Normal);
    assert_eq!(heard.take(), ["+", "told 1", "heard 2", "told 3", "heard 4", "-ended normally"]);
    assert_eq!(host.letters().dead, 2, "what came after it");
    let (tells, hears) = (host.dead_letters(), host.topic::<Tock>());
    assert_eq!((tells.waiting, tells.in_hand, hears.delivered), (2, 0, 2));
    assert!(matches!(host.try_tell(&slow, Tick(7)), Err(TellError::Stopped(back, _)) if back == Tick(7)));
    assert!(matches!(host.ask(&slow, Flush), Err(AskError::Stopped(_))));
    slow.stop_gracefully();
}

conformance!(an_actor_that_stops_itself_in_order_answers_and_handles_what_waits);
fn an_actor_that_stops_itself_in_order_answers_and_handles_what_waits<H: Host>() {
    let (mut host, heard) = (H::new(), Heard::default());
    let slow = host.spawn(Slow(heard.clone(), MILLISECOND)).unwrap();
    host.ask(&slow, Flush).unwrap();
    assert_eq!(host.ended(&slow), StopReason::Normal);
    assert_eq!(heard.take(), ["+", "flushed", "-ended normally"]);
    assert_eq!(host.letters().dead, 0, "the stop itself is no message");
}

conformance!(an_orderly_stop_that_a_kill_or_a_stop_overtakes_is_no_dead_letter);
fn an_orderly_stop_that_a_kill_or_a_stop_overtakes_is_no_dead_letter<H: Host>() {
    // Long enough to be at work on the first when the stop comes: that one is waited for, and a kill is not.
    for (kill, long) in [(false, 1_500), (true, 60_000)] {
        let (mut host, heard) = (H::new(), Heard::default());
        let slow = host.spawn(Slow(heard.clone(), MILLISECOND * long)).unwrap();
        host.settle();
        host.try_tell(&slow, Tick(1)).unwrap();
        host.settle();
        host.try_tell(&slow, Tick(2)).unwrap();
        slow.stop_gracefully();
        match kill {
            true => slow.kill(),
            false => slow.stop(),
        }
        assert_eq!(
            host.ended(&slow),
            if kill { StopReason::Killed } else { StopReason::Normal },
            "{:?}",
            heard.words()
        );
        assert!(!heard.take().contains(&"told 2".to_owned()));
        let dead = host.letters().dead;
        assert_eq!(dead, if kill { 2 } else { 1 }, "kill: {kill}");
    }
}

conformance!(a_full_inbox_has_room_for_an_orderly_stop);
fn a_full_inbox_has_room_for_an_orderly_stop<H: Host>() {
    let (mut host, heard) = (H::new(), Heard::default());
    let slow = host.spawn(Slow(heard.clone(), MILLISECOND)).unwrap();
    host.settle();
    let mut told = 0;
    while host.try_tell(&slow, Tick(told)).is_ok() {
        told += 1;
    }
    assert!(slow.inbox_len() >= told as usize - 32, "{}", slow.inbox_len());
    slow.stop_gracefully();
    assert_eq!(host.ended(&slow), StopReason::Normal);
    assert_eq!(heard.words().len() as u64, told + 2);
    assert_eq!((host.letters().dead, slow.inbox_len()), (0, 0));
}

conformance!(a_permanent_child_goes_on_in_its_next_life_after_an_orderly_stop_and_a_transient_one_is_over);
fn a_permanent_child_goes_on_in_its_next_life_after_an_orderly_stop_and_a_transient_one_is_over<H: Host>() {
    for restart in [Restart::Permanent, Restart::Transient] {
        let (mut host, heard, seen) = (H::new(), Heard::default(), Heard::default());
        let (log, notes) = (heard.clone(), seen.clone());
        let child = Child::actor("slow", move || Slow(log.clone(), MILLISECOND)).restart(restart);
        let root = Supervisor::builder("root").child(child).on_event(move |_, notice| {
            if let Notice::Exited { reason, .. } = notice {
                notes.add(reason.to_string());
            }
        });
        let tree = host.supervise(root).unwrap();
        let slow = host.child::<Slow>(&tree, "root/slow").unwrap();
        host.settle();
        host.try_tell(&slow, Tick(1)).unwrap();
        slow.stop_gracefully();
        slow.stop_gracefully();
        host.try_tell(&slow, Tick(2)).unwrap();
        host.until(|| !seen.words().is_empty());
        host.advance(MILLISECOND * 5);
        assert_eq!(seen.take(), ["normal"]);
        match restart {
            Restart::Permanent => {
                assert_eq!(heard.take(), ["+", "told 1", "-ended normally", "+", "told 2"]);
                slow.stop_gracefully();
                host.until(|| !seen.words().is_empty());
                assert_eq!(seen.take(), ["normal"]);
            }
            _ => {
                assert_eq!(heard.take(), ["+", "told 1", "-ended normally"]);
                assert_eq!((host.letters().dead, slow.is_alive()), (1, false));
            }
        }
    }
}

conformance!(an_orderly_stop_stands_if_the_life_before_it_fails);
fn an_orderly_stop_stands_if_the_life_before_it_fails<H: Host>() {
    let (mut host, heard) = (H::new(), Heard::default());
    let log = heard.clone();
    let child = Child::actor("slow", move || Slow(log.clone(), MILLISECOND)).restart(Restart::Transient);
    let tree = host.supervise(Supervisor::builder("root").intensity(5, PERIOD).child(child)).unwrap();
    let slow = host.child::<Slow>(&tree, "root/slow").unwrap();
    host.settle();
    host.try_publish(Tock(13)).unwrap();
    host.try_tell(&slow, Tick(1)).unwrap();
    slow.stop_gracefully();
    assert_eq!(host.ended(&slow), StopReason::Normal);
    assert_eq!(heard.take(), ["+", "-failed: 13", "+", "told 1", "-ended normally"]);
    assert_eq!(host.letters().dead, 1, "the 13");
}

conformance!(the_length_of_an_inbox_is_what_was_told_and_asked_and_waits);
fn the_length_of_an_inbox_is_what_was_told_and_asked_and_waits<H: Host>() {
    let (mut host, heard) = (H::new(), Heard::default());
    let slow = host.spawn(Slow(heard.clone(), MILLISECOND)).unwrap();
    host.settle();
    assert_eq!(slow.inbox_len(), 0);
    for number in 0..5 {
        host.try_tell(&slow, Tick(number)).unwrap();
    }
    host.try_publish(Tock(1)).unwrap();
    assert!((4..=5).contains(&slow.inbox_len()), "the first may be in hand");
    host.until(|| heard.words().len() == 7);
    host.settle();
    assert_eq!(slow.inbox_len(), 0);
    host.try_publish(Tock(2)).unwrap();
    host.settle();
    slow.stop_gracefully();
    assert_eq!(slow.inbox_len(), 0, "an orderly stop is no message");
    host.ended(&slow);
}

conformance!(a_stop_that_comes_too_late_for_a_life_ends_the_next_one_unless_its_child_is_permanent);
fn a_stop_that_comes_too_late_for_a_life_ends_the_next_one_unless_its_child_is_permanent<H: Host>() {
    for restart in [Restart::Permanent, Restart::Transient] {
        for in_backoff in [false, true] {
            let (mut host, heard) = (H::new(), Heard::default());
            let log = heard.clone();
            let child = Child::actor("slow", move || Slow(log.clone(), MILLISECOND)).restart(restart);
            let root = Supervisor::builder("root").child(child.backoff(backoff(100)));
            let tree = host.supervise(root).unwrap();
            let slow = host.child::<Slow>(&tree, "root/slow").unwrap();
            host.settle();
            host.try_publish(Tock(13)).unwrap();
            match in_backoff {
                true => host.until(|| heard.words().len() == 2),
                false => host.settle(),
            }
            slow.stop();
            host.try_tell(&slow, Tick(1)).unwrap();
            host.until(|| heard.words().len() == 4);
            let last = match restart {
                Restart::Permanent => "told 1",
                _ => "-ended normally",
            };
            assert_eq!(
                heard.take(),
                ["+", "-failed: 13", "+", last],
                "{restart:?}, in backoff: {in_backoff}"
            );
            if restart == Restart::Transient {
                assert_eq!((host.ended(&slow), host.letters().dead), (StopReason::Normal, 2));
                assert_eq!(host.status(&tree, "root/slow"), Some(ChildStatus::Down));
            }
            assert!(host.shut_tree(&tree).is_empty());
        }
    }
}
