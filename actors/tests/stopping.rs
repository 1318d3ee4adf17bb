//! Services that are told to stop while they block their thread, or while their waits are ready at once.

#![allow(missing_docs)]

mod common;

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use common::{Heard, Tick};
use mycelium::{
    BoxError, MessageBus, OwnThread, Publisher, Service, ServiceContext, ServiceRef, StopReason, Subscriber,
    Subscription,
};
use tokio::runtime::{Builder, Runtime};

const BLOCKED: Duration = Duration::from_millis(10);
/// How many rounds a service may go on after it was told, before it is said to be deaf.
const ROUNDS_MAX: u64 = 50;

/// One thread, or one or two workers; a bus on it.
fn runtimes() -> impl Iterator<Item = (Runtime, MessageBus)> {
    (0..=2).map(|workers| {
        let mut builder = match workers {
            0 => Builder::new_current_thread(),
            _ => Builder::new_multi_thread(),
        };
        let runtime = builder.worker_threads(workers.max(1)).enable_all().build().unwrap();
        let _entered = runtime.enter();
        let bus = MessageBus::new();
        drop(_entered);
        (runtime, bus)
    })
}

#[derive(Clone, Copy, Debug)]
enum Ready {
    Publish,
    Receive,
    Late,
    Blocking,
    BlockingThenPublish,
}

/// Blocks a while, and then has a wait that is ready at once, for ever.
struct Busy {
    work: Ready,
    publisher: Publisher<Tick>,
    begun: mpsc::Sender<()>,
    rounds: Heard,
}

impl Service for Busy {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let mut own: Subscriber<Tick> = ctx.subscribe(Subscription::drop_oldest().capacity(4_096).echo())?;
        for n in 0..2_000 {
            self.publisher.try_publish(Tick(n))?;
        }
        let mut interval = ctx.interval(Duration::from_millis(1));
        let mut rounds = 0;
        loop {
            thread::sleep(BLOCKED);
            let _ = self.begun.send(());
            match self.work {
                Ready::Publish => ctx.publish(Tick(1)).await?,
                Ready::Receive => drop(own.recv().await),
                Ready::Late => interval.tick().await,
                Ready::Blocking => {
                    self.publisher.publish_blocking(Tick(1))?;
                    if ctx.is_stopping() {
                        return Ok(());
                    }
                }
                Ready::BlockingThenPublish => {
                    self.publisher.publish_blocking(Tick(1))?;
                    ctx.publish(Tick(1)).await?;
                }
            }
            rounds += 1;
            self.rounds.add(rounds.to_string());
        }
    }
}

const WORKS: [Ready; 5] =
    [Ready::Publish, Ready::Receive, Ready::Late, Ready::Blocking, Ready::BlockingThenPublish];

/// Stops or kills a busy service from another thread once it has begun: how many rounds it went on for.
fn rounds_after(
    (runtime, bus): (Runtime, MessageBus),
    work: Ready,
    end: fn(&ServiceRef<Busy>),
    reason: &StopReason,
) -> u64 {
    let (begun, has_begun) = mpsc::channel();
    let rounds = Heard::default();
    let publisher = bus.publisher::<Tick>().unwrap();
    let busy = Busy { work, publisher, begun, rounds: rounds.clone() };
    let _entered = runtime.enter();
    let service = bus.spawn_service(busy).unwrap();
    let told = service.clone();
    let counted = rounds.clone();
    let teller = thread::spawn(move || {
        has_begun.recv().unwrap();
        end(&told);
        // Those before were before it was told, however long this thread had to wait for its turn.
        counted.words().len() as u64
    });
    let ended = runtime.block_on(service.ended());
    assert_eq!(ended, *reason, "{work:?}");
    let before = teller.join().unwrap();
    rounds.words().len() as u64 - before
}

#[test]
fn a_service_whose_waits_are_ready_at_once_ends_at_its_next_wait() {
    for work in WORKS {
        for host in runtimes() {
            let rounds = rounds_after(host, work, ServiceRef::stop, &StopReason::Normal);
            assert!(rounds <= ROUNDS_MAX, "{work:?}: {rounds} rounds after it was told");
        }
    }
}

#[test]
fn a_kill_ends_such_a_service_at_its_next_wait_as_well() {
    for work in [Ready::Publish, Ready::Receive, Ready::Late, Ready::BlockingThenPublish] {
        for host in runtimes() {
            let rounds = rounds_after(host, work, ServiceRef::kill, &StopReason::Killed);
            assert!(rounds <= ROUNDS_MAX, "{work:?}: {rounds} rounds after it was killed");
        }
    }
}

/// Waits in a way that tokio sees, and then publishes in a way that blocks.
struct Blocks {
    publisher: Publisher<Tick>,
    words: Heard,
}
impl Service for Blocks {
    type Error = BoxError;
    async fn run(&mut self, _: &ServiceContext) -> Result<(), BoxError> {
        loop {
            tokio::time::sleep(Duration::from_millis(1)).await;
            self.words.add("publishes");
            self.publisher.publish_blocking(Tick(1))?;
            self.words.add("published");
            tokio::task::yield_now().await;
            self.publisher.publish(Tick(2)).await?;
        }
    }
}

#[test]
fn a_publish_that_blocks_is_carried_out_in_a_service_that_was_told_to_stop() {
    for own_thread in [false, true] {
        for (runtime, bus) in runtimes() {
            let (words, publisher) = (Heard::default(), bus.publisher::<Tick>().unwrap());
            let blocks = Blocks { publisher, words: words.clone() };
            let _entered = runtime.enter();
            let service = match own_thread {
                false => bus.spawn_service(blocks).unwrap(),
                true => bus.spawn_service_on_thread(OwnThread::new("blocks"), blocks).unwrap(),
            };
            // Before it was polled for the first time.
            service.stop();
            assert_eq!(runtime.block_on(service.ended()), StopReason::Normal);
            let words = words.words();
            assert_eq!(
                words.iter().filter(|word| *word == "publishes").count(),
                words.len() / 2,
                "{words:?}"
            );
            runtime.block_on(bus.shutdown()).unwrap();
        }
    }
}
