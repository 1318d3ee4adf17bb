//! An extension module for Python with a strategy and a source of prices in Rust: Python makes them by name,
//! with their arguments.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use mycelium::tree::Factories;
use mycelium::{Context, Result, actor};
use pyo3::prelude::*;
use serde::Deserialize;

mycelium::contracts!(); // Price, Crossing

/// The arguments: `Rust("cross", fast=5, slow=20)` in Python.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Windows {
    fast: NonZeroUsize,
    slow: NonZeroUsize,
}

/// Says when the mean of the last few prices crosses that of more of them.
struct Cross {
    fast: Mean,
    slow: Mean,
    above: Option<bool>,
}

#[actor]
impl Cross {
    #[on]
    async fn price(&mut self, price: &Price, ctx: &mut Context<Self>) -> Result {
        if !price.price.is_finite() {
            return Err(format!("a price of {}", price.price).into());
        }
        let (Some(fast), Some(slow)) = (self.fast.of(price.price), self.slow.of(price.price)) else {
            return Ok(());
        };
        let above = fast > slow;
        if self.above.replace(above).is_some_and(|before| before != above) {
            ctx.publish(Crossing { at: price.at, above }).await?;
        }
        Ok(())
    }
}

/// The arguments: `Rust("saw", every_ms=1000)`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pace {
    every_ms: NonZeroU64,
}

/// Makes prices up that rise and fall for ever, for a run without data.
struct Saw {
    every: Duration,
    beats: u32,
}

#[derive(Clone)]
struct Beat;

#[actor]
impl Saw {
    #[started]
    fn begin(&mut self, ctx: &mut Context<Self>) {
        ctx.schedule_every(self.every, Beat);
    }

    #[on(direct)]
    async fn beat(&mut self, _: &Beat, ctx: &mut Context<Self>) -> Result {
        self.beats = (self.beats + 1) % 20;
        let price = 100.0 + f64::from(self.beats.min(20 - self.beats));
        ctx.publish(Price { at: ctx.now(), price }).await?;
        Ok(())
    }
}

/// The mean of the last prices.
struct Mean {
    prices: VecDeque<f64>,
    window: usize,
}

impl Mean {
    fn new(window: NonZeroUsize) -> Self {
        Self { prices: VecDeque::new(), window: window.get() }
    }

    /// With one more price; none before there are as many as the window has.
    fn of(&mut self, price: f64) -> Option<f64> {
        self.prices.push_back(price);
        if self.prices.len() > self.window {
            self.prices.pop_front();
        }
        (self.prices.len() == self.window).then(|| self.prices.iter().sum::<f64>() / self.window as f64)
    }
}

#[pymodule]
fn crossing(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let factories = Factories::new()
        .actor_with("cross", |windows: &Windows| Cross {
            fast: Mean::new(windows.fast),
            slow: Mean::new(windows.slow),
            above: None,
        })
        .actor_with("saw", |pace: &Pace| Saw { every: Duration::from_millis(pace.every_ms.get()), beats: 0 });
    mycelium_python::extension(module, CONTRACT, factories)
}
