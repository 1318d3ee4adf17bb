//! What became of every message.

use mycelium::{Message, MessageBus};

use crate::desk::FILLERS;
use crate::{Order, Price};

/// The messages of one topic.
pub(crate) struct Row {
    pub(crate) message: &'static str,
    published: u64,
    receivers: u64,
    handled: u64,
    dead: u64,
}

impl Row {
    /// Published, and neither handled nor a dead letter: what waits, or is lost.
    pub(crate) fn missing(&self) -> u64 {
        (self.published * self.receivers).saturating_sub(self.handled + self.dead)
    }
}

pub(crate) fn rows(bus: &MessageBus) -> Vec<Row> {
    let receivers = [(Price::NAME, 1), (Order::NAME, FILLERS)];
    let topics = bus.topics();
    let row = |(message, receivers)| {
        let stats = topics.iter().find(|stats| stats.message == message)?;
        let (published, handled, dead) = (stats.published, stats.delivered, stats.dead_letters);
        Some(Row { message, published, receivers, handled, dead })
    };
    receivers.into_iter().filter_map(row).collect()
}

pub(crate) fn print(bus: &MessageBus) {
    println!("\nmessage  published  receivers  handled  dead letters  lost");
    for row in rows(bus) {
        let Row { message, published, receivers, handled, dead } = row;
        println!(
            "{message:<7}  {published:>9}  {receivers:>9}  {handled:>7}  {dead:>12}  {:>4}",
            row.missing()
        );
    }
    println!("\ndead letters, each in the hand of an actor that failed:");
    for letter in bus.dead_letters().recent {
        println!("  {letter}");
    }
}
