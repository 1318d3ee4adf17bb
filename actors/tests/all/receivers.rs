//! Receivers that come and go while messages wait. An isolate hands a message to its only receiver by a
//! shorter way than to several; whoever receives must not tell which.

use mycelium::{Actor, BoxError, Context, Handler, Isolate, Message, Subscription, Subscriptions};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
struct Number(u64);
impl Message for Number {
    const NAME: &'static str = "Number";
    const TYPE_ID: u16 = 1;
    const TOPIC: &'static str = "numbers";
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Join,
    Leave,
    Stop,
}

/// What one member is to do.
#[derive(Clone, Copy, Debug)]
struct Order(usize, Act);
impl Message for Order {
    const NAME: &'static str = "Order";
    const TYPE_ID: u16 = 17;
    const TOPIC: &'static str = "orders";
}

struct Member {
    number: usize,
    joined: bool,
    heard: Vec<u64>,
}

impl Actor for Member {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Order>();
    }
}

impl Handler<Order> for Member {
    async fn handle(&mut self, order: &Order, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        match *order {
            Order(number, _) if number != self.number => {}
            Order(_, Act::Join) if !self.joined => {
                ctx.subscribe::<Number>(Subscription::default())?;
                self.joined = true;
            }
            Order(_, Act::Leave) => {
                ctx.unsubscribe::<Number>();
                self.joined = false;
            }
            Order(_, Act::Stop) => ctx.stop(),
            Order(_, Act::Join) => {}
        }
        Ok(())
    }
}

impl Handler<Number> for Member {
    async fn handle(&mut self, number: &Number, _ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.push(number.0);
        Ok(())
    }
}

/// What the bus promises: a member hears, in order, what was published after it joined, until it leaves or
/// stops.
#[derive(Clone, Default)]
struct Expected {
    joined_at: Option<u64>,
    stopped: bool,
    heard: Vec<u64>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Publish,
    Order(usize, Act),
    Run,
}

fn step() -> impl Strategy<Value = Step> {
    let act = prop_oneof![4 => Just(Act::Join), 3 => Just(Act::Leave), 1 => Just(Act::Stop)];
    prop_oneof![
        6 => Just(Step::Publish),
        3 => (0..3_usize, act).prop_map(|(member, act)| Step::Order(member, act)),
        2 => Just(Step::Run),
    ]
}

/// Handles all that waits, as the model does; `published` numbers were published so far.
fn handle(waiting: &mut Vec<Step>, published: u64, members: &mut [Expected]) {
    let mut number = published - waiting.iter().filter(|step| matches!(step, Step::Publish)).count() as u64;
    for step in waiting.drain(..) {
        match step {
            Step::Order(member, act) => {
                let Some(member) = members.get_mut(member).filter(|member| !member.stopped) else { continue };
                match act {
                    Act::Join => member.joined_at = member.joined_at.or(Some(published)),
                    Act::Leave => member.joined_at = None,
                    Act::Stop => (member.joined_at, member.stopped) = (None, true),
                }
            }
            Step::Publish => {
                let hear = |member: &&mut Expected| member.joined_at.is_some_and(|since| since <= number);
                members.iter_mut().filter(hear).for_each(|member| member.heard.push(number));
                number += 1;
            }
            Step::Run => {}
        }
    }
}

proptest! {
    #[test]
    fn receivers_that_come_and_go_hear_what_was_published_while_they_were_there(
        count in 1..4_usize,
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let mut isolate = Isolate::new(1);
        let member = |number| Member { number, joined: false, heard: Vec::new() };
        let members: Vec<_> = (0..count).map(|number| isolate.spawn(member(number)).unwrap()).collect();
        let mut expected = vec![Expected::default(); count];
        let (mut published, mut waiting) = (0, Vec::new());
        for step in steps.into_iter().chain([Step::Run]) {
            match step {
                // A topic that nobody listens to keeps nothing.
                Step::Publish => {
                    isolate.publish(Number(published)).unwrap();
                    if expected.iter().any(|member| member.joined_at.is_some()) {
                        published += 1;
                        waiting.push(step);
                    }
                }
                Step::Order(member, act) => {
                    isolate.publish(Order(member, act)).unwrap();
                    waiting.push(step);
                }
                Step::Run => {
                    isolate.run().unwrap();
                    handle(&mut waiting, published, &mut expected);
                }
            }
        }
        for (member, expected) in members.iter().zip(&expected) {
            let heard = isolate.take(member).map(|member| member.heard);
            // One that has stopped is gone with what it heard.
            if let Some(heard) = heard {
                prop_assert_eq!(&heard, &expected.heard);
            } else {
                prop_assert!(expected.stopped);
            }
        }
    }
}
