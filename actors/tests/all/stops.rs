//! Where exactly a live service ends that is told to stop. That it ends at all: `tests/hosts/stops.rs`.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use crate::common::{Heard, Tick, on_both_runtimes};
use mycelium::pool::{Pool, PoolRef};
use mycelium::{
    BoxError, MessageBus, Recipient, Service, ServiceContext, StopReason, Subscription, Supervisor,
};

const HOUR: Duration = Duration::from_secs(3600);

/// Writes orders down, which takes until it has ink from outside of the bus, and publishes each; it has a
/// timer besides.
struct Desk {
    ink: Arc<Notify>,
    orders: mpsc::UnboundedReceiver<u64>,
    written: Heard,
}
impl Service for Desk {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        loop {
            tokio::select! {
                biased;
                () = ctx.sleep(HOUR) => {}
                order = self.orders.recv() => {
                    let order = order.ok_or("closed")?;
                    self.written.add(format!("writing {order}"));
                    for _ in 0..5 {
                        tokio::task::yield_now().await;
                    }
                    self.ink.notified().await;
                    self.written.add(format!("wrote {order}"));
                    ctx.publish(Tick(order)).await?;
                    self.written.add(format!("published {order}"));
                }
            }
        }
    }
}

#[test]
fn a_service_is_not_ended_in_the_middle_of_what_is_no_wait_of_this_crate() {
    on_both_runtimes(|| async {
        for stop_first in [false, true] {
            let (bus, written) = (MessageBus::new(), Heard::default());
            let (send, orders) = mpsc::unbounded_channel();
            let ink = Arc::new(Notify::new());
            let desk = Desk { ink: Arc::clone(&ink), orders, written: written.clone() };
            let desk = bus.spawn_service(desk).unwrap();
            if stop_first {
                // Both are there when it is polled next, if it was polled before.
                tokio::time::sleep(Duration::from_millis(5)).await;
                send.send(1).unwrap();
                desk.stop();
                ink.notify_one();
                desk.ended().await;
                let words = written.words();
                assert!(words.is_empty() || words == ["writing 1", "wrote 1"], "{words:?}");
            } else {
                send.send(1).unwrap();
                written.wait_for("writing 1").await;
                desk.stop();
                ink.notify_one();
                assert_eq!(desk.ended().await, StopReason::Normal);
                assert_eq!(written.words(), ["writing 1", "wrote 1"]);
            }
        }
    });
}

/// Panics when its code is dropped.
struct Explosive;
impl Drop for Explosive {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "told to, when dropped");
    }
}
struct Careless(Heard);
impl Service for Careless {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let _explosive = Explosive;
        self.0.add("begun");
        ctx.sleep(HOUR).await;
        Ok(())
    }
}

#[test]
fn a_destructor_that_panics_where_a_service_ends_is_its_panic() {
    on_both_runtimes(|| async {
        let (bus, heard) = (MessageBus::new(), Heard::default());
        let careless = bus.spawn_service(Careless(heard.clone())).unwrap();
        heard.wait_for("begun").await;
        careless.stop();
        assert_eq!(careless.ended().await, StopReason::Panicked("told to, when dropped".into()));
        bus.shutdown().await.unwrap();
    });
}

/// Learns that it has to stop only when it has been told, and finishes by its own hand then.
struct Late {
    go: mpsc::UnboundedReceiver<()>,
    heard: Heard,
}
impl Service for Late {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        self.heard.add("begun");
        self.go.recv().await;
        // The sleep is polled first, as a wait at which it would end; then it asks.
        let asks = async {
            ctx.stopped().await;
            self.heard.add("told");
        };
        tokio::join!(ctx.sleep(Duration::from_millis(1)), asks);
        ctx.publish(Tick(1)).await?;
        self.heard.add("finished");
        Ok(())
    }
}

#[test]
fn a_service_may_take_its_end_into_its_own_hand_when_it_was_told_already() {
    on_both_runtimes(|| async {
        let (bus, heard) = (MessageBus::new(), Heard::default());
        let (send, go) = mpsc::unbounded_channel();
        let late = bus.spawn_service(Late { go, heard: heard.clone() }).unwrap();
        heard.wait_for("begun").await;
        late.stop();
        tokio::time::sleep(Duration::from_millis(5)).await;
        send.send(()).unwrap();
        assert_eq!(late.ended().await, StopReason::Normal);
        assert_eq!(heard.words(), ["begun", "told", "finished"]);
    });
}

/// What a service may wait with besides its context.
#[derive(Clone, Copy, Debug)]
enum Way {
    Publisher,
    Timeout,
    Join,
    Subscriber,
    Ended,
    Clock,
    Recipient,
    Flush,
    StopOfPool,
}

struct Any {
    way: Way,
    bus: MessageBus,
    other: Recipient<Tick>,
    pool: PoolRef<Busy>,
    heard: Heard,
}
impl Service for Any {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let publisher = self.bus.publisher::<Tick>()?;
        let mut ticks = self.bus.subscriber_with::<Tick>(Subscription::drop_oldest())?;
        let long = self.bus.clock();
        self.heard.add("begun");
        loop {
            match self.way {
                // Published to a queue that nobody empties.
                Way::Publisher => publisher.publish(Tick(1)).await?,
                Way::Timeout => drop(tokio::time::timeout(HOUR, ctx.sleep(HOUR * 2)).await),
                Way::Join => drop(tokio::join!(ctx.sleep(HOUR), std::future::pending::<()>())),
                Way::Subscriber => drop(ticks.recv().await),
                Way::Ended => drop(self.other.ended().await),
                Way::Clock => long.sleep(HOUR).await,
                Way::Recipient => self.other.tell(Tick(1)).await?,
                Way::Flush => self.pool.flush().await?,
                Way::StopOfPool => self.pool.stop_gracefully().await?,
            }
        }
    }
}

/// Handles one message for ever.
struct Busy;
impl mycelium::Actor for Busy {
    type Error = BoxError;
}
impl mycelium::Handler<Tick> for Busy {
    async fn handle(&mut self, _: &Tick, ctx: &mut mycelium::Context<Self>) -> Result<(), BoxError> {
        ctx.sleep(HOUR).await;
        Ok(())
    }
}

#[test]
fn each_wait_of_this_crate_ends_a_service_whatever_it_goes_through() {
    on_both_runtimes(|| async {
        use Way::*;
        for way in [Publisher, Timeout, Join, Subscriber, Ended, Clock, Recipient, Flush, StopOfPool] {
            let (bus, heard) = (MessageBus::builder().inbox_capacity(1).build(), Heard::default());
            let busy = bus.spawn(Busy).unwrap();
            let full = Subscription::block().capacity(1);
            let _full = matches!(way, Publisher).then(|| bus.subscriber_with::<Tick>(full).unwrap());
            let workers = Pool::new(|| Busy).workers(1).supervisor("pool");
            let tree = Supervisor::builder("root").supervisor(workers).start(&bus).await.unwrap();
            let pool = tree.lookup_pool::<Busy>("root/pool").unwrap();
            pool.tell(Tick(1)).await.unwrap();
            let any = Any { way, bus: bus.clone(), other: busy.recipient(), pool, heard: heard.clone() };
            let any = bus.spawn_service(any).unwrap();
            heard.wait_for("begun").await;
            tokio::time::sleep(Duration::from_millis(2)).await;
            any.stop();
            assert_eq!(any.ended().await, StopReason::Normal, "{way:?}");
        }
    });
}

/// Gives a sleep of its own to a task, and stays.
struct Lends(Heard);
impl Service for Lends {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let (sleep, heard) = (ctx.sleep(Duration::from_millis(20)), self.0.clone());
        tokio::spawn(async move {
            sleep.await;
            heard.add("slept");
        });
        self.0.add("begun");
        ctx.sleep(HOUR).await;
        Ok(())
    }
}

#[test]
fn a_wait_that_a_task_has_goes_on_when_its_service_has_ended() {
    on_both_runtimes(|| async {
        let (bus, heard) = (MessageBus::new(), Heard::default());
        let lends = bus.spawn_service(Lends(heard.clone())).unwrap();
        heard.wait_for("begun").await;
        lends.stop();
        lends.ended().await;
        heard.wait_for("slept").await;
    });
}

/// A service that fails after it was told to stop has failed.
struct Fails(Heard);
impl Service for Fails {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let stopped = ctx.stopped();
        self.0.add("begun");
        stopped.await;
        Err("the last write was refused".into())
    }
}

#[tokio::test]
async fn an_error_after_a_stop_is_told_as_one() {
    let (bus, heard) = (MessageBus::new(), Heard::default());
    let fails = bus.spawn_service(Fails(heard.clone())).unwrap();
    heard.wait_for("begun").await;
    bus.shutdown().await.unwrap();
    assert_eq!(fails.ended().await, StopReason::Failed("the last write was refused".into()));
}
