//! What an isolate costs: its creation, its memory, and an event from publish to handled.
//!
//! `cargo bench -p mycelium --bench isolate`. Times are the best of several rounds.

#[path = "../tests/common/heap.rs"]
mod heap;
#[path = "../../tests/benches/src/to_and_fro.rs"]
mod to_and_fro;

use std::hint::black_box;
use std::time::{Duration, Instant};

use heap::{allocations, live_bytes};
use mycelium::{Actor, BoxError, Context, Handler, Isolate, Service, ServiceContext, Subscriptions};
use to_and_fro::{Left, Ping, Right, Source, Sum};

/// Publishes once per moment of virtual time.
struct Feed(u64);
impl Service for Feed {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        for n in 0..self.0 {
            ctx.sleep(Duration::from_nanos(1)).await;
            ctx.publish(Ping([n; 8])).await?;
        }
        Ok(())
    }
}

/// Hands every message on to the next in a ring of two, as actors do.
struct Pass {
    left: u64,
}
impl Actor for Pass {
    type Error = BoxError;
    fn subscriptions(topics: &mut Subscriptions<Self>) {
        topics.on::<Ping>();
    }
}
impl Handler<Ping> for Pass {
    async fn handle(&mut self, ping: &Ping, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if self.left > 0 {
            self.left -= 1;
            ctx.publish(ping.clone()).await?;
        }
        Ok(())
    }
}

const EVENTS: u64 = 1_000_000; // events per round

fn best(name: &str, unit: u64, mut round: impl FnMut() -> Duration) {
    if std::env::args().nth(1).is_some_and(|wanted| !wanted.starts_with("--") && !name.contains(&wanted)) {
        return;
    }
    let times: Vec<_> = (0..7).map(|_| round()).collect();
    let nanos = times.iter().min().unwrap().as_nanos() as f64 / unit as f64;
    println!("{name:<44} {nanos:>9.2} ns");
}

fn timed(isolate: &mut Isolate) -> Duration {
    let start = Instant::now();
    black_box(isolate.run()).expect("the bench's actors do not fail");
    start.elapsed()
}

fn main() {
    for subscribers in [1, 2, 4] {
        best(&format!("flood, {subscribers} subscriber(s), per publish"), EVENTS, || {
            let mut isolate = Isolate::new(1);
            for _ in 0..subscribers {
                isolate.spawn(Sum::default()).unwrap();
            }
            isolate.spawn_service(Source(EVENTS)).unwrap();
            timed(&mut isolate)
        });
        best(&format!("feed with sleep, {subscribers} subscriber(s), per publish"), EVENTS, || {
            let mut isolate = Isolate::new(1);
            for _ in 0..subscribers {
                isolate.spawn(Sum::default()).unwrap();
            }
            isolate.spawn_service(Feed(EVENTS)).unwrap();
            timed(&mut isolate)
        });
    }
    best("ping and pong on two topics, per event", EVENTS, || {
        let mut isolate = Isolate::new(1);
        isolate.spawn(Left::default()).unwrap();
        isolate.spawn(Right::default()).unwrap();
        isolate.publish(Ping([EVENTS / 2; 8])).unwrap();
        timed(&mut isolate)
    });
    best("two actors that answer each other, per event", EVENTS, || {
        let mut isolate = Isolate::new(1);
        isolate.spawn(Pass { left: EVENTS / 2 }).unwrap();
        isolate.spawn(Pass { left: EVENTS / 2 }).unwrap();
        isolate.publish(Ping([1; 8])).unwrap();
        timed(&mut isolate)
    });

    let before = live_bytes();
    let isolate = Isolate::new(1);
    println!("an empty isolate: {} bytes", live_bytes() - before);
    drop(isolate);
    let (before, calls) = (live_bytes(), allocations());
    let mut isolate = Isolate::new(1);
    isolate.spawn(Sum::default()).unwrap();
    isolate.spawn(Sum::default()).unwrap();
    isolate.spawn_service(Feed(10)).unwrap();
    println!(
        "two actors and a service, before the run: {} bytes in {} allocations",
        live_bytes() - before,
        allocations() - calls
    );
    isolate.run().unwrap();
    println!("and after it: {} bytes", live_bytes() - before);
    drop(isolate);
    println!("left behind: {} bytes", live_bytes() - before);
    best("create, spawn two actors and a service, drop", 10_000, || {
        let start = Instant::now();
        for seed in 0..10_000 {
            let mut isolate = Isolate::new(seed);
            isolate.spawn(Sum::default()).unwrap();
            isolate.spawn(Sum::default()).unwrap();
            isolate.spawn_service(Feed(10)).unwrap();
            black_box(&mut isolate);
        }
        start.elapsed()
    });
}
