//! An actor of an isolate that receives a topic twice, typed and as bytes, and leaves one of the two ways.

#![allow(missing_docs)]

mod common;

use std::sync::atomic::{AtomicU32, Ordering};

use common::Heard;
use common::wire::{Mine, Price};
use mycelium::tree::{Child, Redelivery};
use mycelium::{
    Actor, BoxError, Context, Handler, Isolate, Subscription, Subscriptions, Supervisor, TopicStats,
    WireMessage,
};

/// Which way it leaves, and in which handler.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Leaves {
    WireFirst,
    TypedFirst,
}

/// Leaves the way that comes second, in the handler of the one that comes first, at its second message.
struct Both {
    leaves: Leaves,
    heard: Heard,
}

impl Actor for Both {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        match self.leaves {
            Leaves::WireFirst => topics.on_wire("market.prices").on::<Price>(),
            Leaves::TypedFirst => topics.on::<Price>().on_wire("market.prices"),
        };
    }
}

impl Handler<Price> for Both {
    async fn handle(&mut self, price: &Price, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.add(format!("typed {}", price.at));
        if self.leaves == Leaves::TypedFirst && price.at == 1 {
            ctx.unsubscribe_wire("market.prices");
        }
        Ok(())
    }
}

impl Handler<WireMessage> for Both {
    async fn handle(&mut self, message: &WireMessage, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        let at = self.heard.words().iter().filter(|line| line.starts_with("bytes")).count();
        self.heard.add(format!("bytes {at}"));
        assert_eq!(message.name(), "Price");
        if self.leaves == Leaves::WireFirst && at == 1 {
            ctx.unsubscribe::<Price>();
        }
        Ok(())
    }
}

fn stats(isolate: &Isolate) -> TopicStats {
    isolate.topics().into_iter().find(|topic| topic.message == "Price").unwrap()
}

#[test]
fn one_that_leaves_a_way_does_not_get_the_message_in_hand_by_it() {
    for leaves in [Leaves::WireFirst, Leaves::TypedFirst] {
        for supervised in [false, true] {
            let (mut isolate, heard) = (Isolate::new(1), Heard::default());
            isolate.contract(Mine);
            let both = {
                let heard = heard.clone();
                move || Both { leaves, heard: heard.clone() }
            };
            if supervised {
                let child = Child::actor("both", both);
                isolate.supervise(&Supervisor::builder("root").child(child)).unwrap();
                isolate.run().unwrap();
            } else {
                isolate.spawn(both()).unwrap();
            }
            for at in 0..3 {
                isolate.publish(Price { at }).unwrap();
            }
            isolate.run().unwrap();
            let expected = match leaves {
                Leaves::WireFirst => ["bytes 0", "typed 0", "bytes 1", "bytes 2"],
                Leaves::TypedFirst => ["typed 0", "bytes 0", "typed 1", "typed 2"],
            };
            assert_eq!(heard.words(), expected, "{leaves:?}, supervised {supervised}");
            let stats = stats(&isolate);
            // Of six deliveries one was in hand and one in the queue when it left.
            assert_eq!((stats.published, stats.delivered, stats.waiting), (3, 4, 0), "{leaves:?}");
            assert_eq!((stats.dropped_unsubscribed, stats.dead_letters), (2, 0), "{leaves:?}");
        }
    }
}

/// Fails on its first message, which came as bytes; its next life has left the other way before it is tried
/// again.
struct Fails {
    lives: u32,
    heard: Heard,
}

impl Actor for Fails {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_wire("market.prices").on::<Price>();
    }
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if self.lives > 0 {
            ctx.unsubscribe::<Price>();
        }
        // It is the subscription that it has, in each life.
        ctx.subscribe_wire("market.prices", Subscription::block())?;
        Ok(())
    }
}

impl Handler<Price> for Fails {
    async fn handle(&mut self, price: &Price, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.add(format!("typed {}", price.at));
        Ok(())
    }
}

impl Handler<WireMessage> for Fails {
    async fn handle(&mut self, _: &WireMessage, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.add(format!("bytes in life {}", self.lives));
        if self.lives == 0 { Err("boom".into()) } else { Ok(()) }
    }
}

#[test]
fn what_is_tried_again_came_by_one_way_and_stays_when_the_other_is_left() {
    let (mut isolate, heard) = (Isolate::new(1), Heard::default());
    isolate.contract(Mine);
    let (lives, all) = (AtomicU32::new(0), heard.clone());
    let make = move || Fails { lives: lives.fetch_add(1, Ordering::Relaxed), heard: all.clone() };
    let child = Child::actor("fails", make).redelivery(Redelivery::Retry { attempts: 3 });
    let tree = isolate.supervise(&Supervisor::builder("root").child(child)).unwrap();
    isolate.publish(Price { at: 1 }).unwrap();
    isolate.run().unwrap();
    assert_eq!(heard.words(), ["bytes in life 0", "bytes in life 1"]);
    drop(tree);
}
