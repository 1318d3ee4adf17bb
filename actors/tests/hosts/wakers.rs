//! Wakers of strangers: of executors and combinators of the user's, which may panic where they wake.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context as TaskContext, Wake, Waker};
use std::time::Duration;

use mycelium::{
    Actor, ActorRef, BoxError, Context, Handler, Responder, Service, ServiceContext, StopReason,
    Subscription, Subscriptions, Supervisor,
};

use crate::common::{Flush, Heard, PERIOD, Tick};
use crate::host::Host;
use crate::isolate::InIsolate;

/// Passes the wake-up on, and panics.
struct Loud {
    theirs: Waker,
    wakes: Wakes,
}

impl Wake for Loud {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::SeqCst);
        self.theirs.wake_by_ref();
        panic!("a waker of a stranger");
    }
}

/// How often such a waker has panicked.
type Wakes = Arc<AtomicU64>;

/// Waits with a waker that panics.
async fn loudly<F: Future>(wakes: &Wakes, what: F) -> F::Output {
    let mut what = pin!(what);
    poll_fn(|cx| {
        let loud = Waker::from(Arc::new(Loud { theirs: cx.waker().clone(), wakes: Arc::clone(wakes) }));
        what.as_mut().poll(&mut TaskContext::from_waker(&loud))
    })
    .await
}

fn have_panicked(wakes: &Wakes) -> bool {
    wakes.load(Ordering::SeqCst) > 0
}

/// Takes its time for each message, and has room for one more.
#[derive(Default)]
struct Desk(u64);
impl Actor for Desk {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_with::<Tick>(Subscription::block().capacity(1));
    }
}
impl Handler<Tick> for Desk {
    async fn handle(&mut self, _: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.sleep(Duration::from_millis(1)).await;
        self.0 += 1;
        Ok(())
    }
}
/// How many messages it has handled, this one among them.
impl Responder<Flush> for Desk {
    type Reply = u64;
    async fn answer(&mut self, _: &Flush, ctx: &mut Context<Self>) -> u64 {
        ctx.sleep(Duration::from_millis(1)).await;
        self.0 += 1;
        self.0
    }
}

/// Does what it is told, with a loud waker if it is asked to.
struct Hand {
    desk: ActorRef<Desk>,
    heard: Heard,
    wakes: Wakes,
}
struct AskDesk;
struct Flood {
    ticks: u64,
    loud: bool,
}
struct AwaitEnd {
    loud: bool,
}
impl Actor for Hand {
    type Error = BoxError;
}
impl Handler<AskDesk> for Hand {
    async fn handle(&mut self, _: &AskDesk, _: &mut Context<Self>) -> Result<(), BoxError> {
        let answer = loudly(&self.wakes, self.desk.ask(Flush)).await?;
        self.heard.add(format!("answered {answer}"));
        Ok(())
    }
}
impl Handler<Flood> for Hand {
    async fn handle(&mut self, flood: &Flood, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        let publish = async {
            for number in 0..flood.ticks {
                ctx.publish(Tick(number)).await?;
            }
            Ok::<_, BoxError>(())
        };
        if flood.loud {
            loudly(&self.wakes, publish).await?;
        } else {
            publish.await?;
        }
        self.heard.add("published");
        Ok(())
    }
}
impl Handler<AwaitEnd> for Hand {
    async fn handle(&mut self, how: &AwaitEnd, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.add("waits");
        let reason =
            if how.loud { loudly(&self.wakes, self.desk.ended()).await } else { self.desk.ended().await };
        self.heard.add(format!("{reason:?}"));
        Ok(())
    }
}

/// A desk, and hands that note what they do.
fn desk_and_hands<H: Host, const N: usize>(
    host: &mut H,
    wakes: &Wakes,
) -> (ActorRef<Desk>, [ActorRef<Hand>; N], Heard) {
    let (desk, heard) = (host.spawn(Desk::default()).unwrap(), Heard::default());
    let hand = |_| {
        let (desk, heard, wakes) = (desk.clone(), heard.clone(), Arc::clone(wakes));
        host.spawn(Hand { desk, heard, wakes }).unwrap()
    };
    let hands = std::array::from_fn(hand);
    (desk, hands, heard)
}

conformance!(who_answers_outlives_a_waker_of_the_asker_that_panics);
fn who_answers_outlives_a_waker_of_the_asker_that_panics<H: Host>() {
    let mut host = H::new();
    let wakes = Wakes::default();
    let (desk, [hand], heard) = desk_and_hands(&mut host, &wakes);
    assert_eq!(host.wait(loudly(&wakes, desk.ask(Flush))).unwrap(), 1);
    assert!(have_panicked(&wakes));
    host.tell(&hand, AskDesk).unwrap();
    host.until(|| heard.words() == ["answered 2"]);
    assert_eq!(host.ask(&desk, Flush).unwrap(), 3);
    host.shutdown();
}

conformance!(who_makes_room_outlives_a_waker_that_panics_and_wakes_the_others_too);
fn who_makes_room_outlives_a_waker_that_panics_and_wakes_the_others_too<H: Host>() {
    let mut host = H::new();
    let wakes = Wakes::default();
    let (desk, hands, heard) = desk_and_hands::<H, 3>(&mut host, &wakes);
    for (hand, loud) in hands.iter().zip([true, false, true]) {
        host.tell(hand, Flood { ticks: 5, loud }).unwrap();
    }
    host.until(|| heard.words().len() == 3);
    assert_eq!(heard.words(), ["published"; 3]);
    assert!(have_panicked(&wakes));
    assert_eq!(host.ask(&desk, Flush).unwrap(), 16);
    host.shutdown();
}

conformance!(all_that_wait_for_an_end_are_told_though_a_waker_panics);
fn all_that_wait_for_an_end_are_told_though_a_waker_panics<H: Host>() {
    let mut host = H::new();
    let wakes = Wakes::default();
    let (desk, hands, heard) = desk_and_hands::<H, 3>(&mut host, &wakes);
    for (number, loud) in [true, false, true].into_iter().enumerate() {
        host.tell(&hands[number], AwaitEnd { loud }).unwrap();
        host.until(|| heard.words().len() == number + 1);
    }
    host.settle();
    desk.stop();
    host.until(|| heard.words().len() == 6);
    assert_eq!(heard.words()[3..], ["Normal"; 3]);
    assert!(have_panicked(&wakes));
    assert_eq!(host.ended(&desk), StopReason::Normal);
    host.shutdown();
}

/// Waits for its stop with a waker that panics.
struct Loop(Wakes);
impl Service for Loop {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        loudly(&self.0, ctx.stopped()).await;
        Ok(())
    }
}

conformance!(who_stops_a_service_outlives_its_waker_that_panics);
fn who_stops_a_service_outlives_its_waker_that_panics<H: Host>() {
    let mut host = H::new();
    let wakes = Wakes::default();
    let service = host.spawn_service(Loop(Arc::clone(&wakes))).unwrap();
    host.settle();
    service.stop();
    host.service_ended(&service);
    assert!(have_panicked(&wakes));
    host.shutdown();
}

conformance!(a_supervisor_outlives_a_waker_of_its_caller_that_panics);
fn a_supervisor_outlives_a_waker_of_its_caller_that_panics<H: Host>() {
    let mut host = H::new();
    let root = Supervisor::builder("root").intensity(1, PERIOD).actor("desk", Desk::default);
    let (tree, wakes) = (host.supervise(root).unwrap(), Wakes::default());
    for _ in 0..2 {
        assert_eq!(host.wait(loudly(&wakes, tree.count_children("root"))).unwrap().active, 1);
        assert!(host.wait(loudly(&wakes, tree.child("root/desk"))).is_ok());
    }
    host.wait(loudly(&wakes, tree.restart_child("root/desk"))).unwrap_err();
    assert_eq!(host.count_children(&tree, "root").unwrap().active, 1);
    host.wait(loudly(&wakes, tree.shutdown())).unwrap();
}

/// Sleeps with a waker that panics. Live, that would be woken by the runtime's timers.
struct Sleeper(Heard, Wakes);
impl Actor for Sleeper {
    type Error = BoxError;
}
impl Handler<Tick> for Sleeper {
    async fn handle(&mut self, _: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        loudly(&self.1, ctx.sleep(Duration::from_secs(1))).await;
        self.0.add("awake");
        Ok(())
    }
}

#[test]
fn an_isolate_outlives_a_waker_of_a_sleep_that_panics() {
    let (mut host, heard) = (InIsolate::new(), Heard::default());
    let wakes = Wakes::default();
    let sleeper = host.spawn(Sleeper(heard.clone(), Arc::clone(&wakes))).unwrap();
    host.tell(&sleeper, Tick(1)).unwrap();
    host.advance(Duration::from_secs(1));
    assert_eq!(heard.words(), ["awake"]);
    assert!(have_panicked(&wakes));
    host.shutdown();
}
