//! Those that wait for room in an isolate: first come, first served, and as many are woken as there is room
//! for.

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::apart::Apart;
use common::{Tick, Tock};
use mycelium::pool::{Pool, PoolRef};
use mycelium::{
    Actor, BoxError, Context, Handler, Isolate, PublishError, Recipient, Service, ServiceContext,
    Subscription, Subscriptions, Supervisor, Timestamp,
};

const CROWD: u64 = 5_000;

const MILLI: Duration = Duration::from_millis(1);

type Heard = Arc<Mutex<Vec<u64>>>;

/// Takes a millisecond for each, with room for so many.
struct Slow {
    room: usize,
    heard: Heard,
}
impl Actor for Slow {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_with::<Tick>(Subscription::block().capacity(self.room));
    }
}
impl Handler<Tick> for Slow {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.sleep(MILLI).await;
        self.heard.lock().unwrap().push(tick.0);
        Ok(())
    }
}

/// The same, of a pool.
struct Worker(Heard);
impl Actor for Worker {
    type Error = BoxError;
}
impl Handler<Tick> for Worker {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.sleep(MILLI).await;
        self.0.lock().unwrap().push(tick.0);
        Ok(())
    }
}

/// Publishes its number once, or tells it.
enum Once {
    Publishes(u64),
    Tells(u64, Recipient<Tick>),
    TellsPool(u64, PoolRef<Worker>),
}
impl Service for Once {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        match self {
            Self::Publishes(number) => ctx.publish(Tick(*number)).await?,
            Self::Tells(number, to) => to.tell(Tick(*number)).await?,
            Self::TellsPool(number, to) => to.tell(Tick(*number)).await?,
        }
        Ok(())
    }
}

/// Those that had to wait come in order behind those that found room.
fn assert_all_in_turn(heard: &Heard, crowd: u64) {
    let heard = heard.lock().unwrap();
    let first = heard.iter().position(|number| *number == 0).unwrap();
    assert!(heard[first..].is_sorted() && heard[..first].is_sorted(), "{heard:?}");
    let mut all = heard.clone();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..crowd), "{heard:?}");
}

#[test]
fn thousands_that_wait_for_one_place_come_in_turn_and_each_is_woken_once() {
    for room in [1, 7, 1_024] {
        let (mut isolate, heard) = (Isolate::new(1), Heard::default());
        isolate.spawn(Slow { room, heard: Arc::clone(&heard) }).unwrap();
        for number in 0..CROWD {
            isolate.spawn_service(Once::Publishes(number)).unwrap();
        }
        let stats = isolate.run().unwrap();
        assert_all_in_turn(&heard, CROWD);
        // Each service begins and goes on once, and each of their ticks is slept over.
        assert!(stats.resumptions <= 3 * CROWD + 2, "{room}: {}", stats.resumptions);
    }
}

#[test]
fn thousands_that_tell_one_actor_come_in_turn_and_each_is_woken_once() {
    let (mut isolate, heard) = (Isolate::new(1), Heard::default());
    let slow = isolate.spawn(Slow { room: 1, heard: Arc::clone(&heard) }).unwrap();
    for number in 0..CROWD {
        isolate.spawn_service(Once::Tells(number, slow.recipient())).unwrap();
    }
    let stats = isolate.run().unwrap();
    assert_all_in_turn(&heard, CROWD);
    assert!(stats.resumptions <= 3 * CROWD + 2, "{}", stats.resumptions);
}

#[test]
fn thousands_that_tell_a_pool_are_each_woken_about_once_also_by_workers_that_come() {
    for grows in [false, true] {
        let (mut isolate, heard) = (Isolate::new(1), Heard::default());
        let all = Arc::clone(&heard);
        let workers = Pool::new(move || Worker(Arc::clone(&all))).workers(2);
        let root = Supervisor::builder("root").supervisor(workers.supervisor("pool"));
        let pool = isolate.supervise(&root).unwrap().lookup_pool::<Worker>("root/pool").unwrap();
        for number in 0..2 * CROWD {
            isolate.spawn_service(Once::TellsPool(number, pool.clone())).unwrap();
        }
        isolate.run_for(MILLI * 2).unwrap();
        if grows {
            isolate.block_on(pool.resize(5)).unwrap().unwrap();
        }
        let stats = isolate.run_for(Duration::from_secs(60)).unwrap();
        let mut heard = heard.lock().unwrap().clone();
        heard.sort_unstable();
        assert!(heard.into_iter().eq(0..2 * CROWD));
        // It waits at both workers, and is told of each that comes.
        let each = if grows { 8 } else { 5 };
        assert!(stats.resumptions <= each * 2 * CROWD, "{}", stats.resumptions);
    }
}

struct ManyAtOnce;
impl Service for ManyAtOnce {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let publish = async |number| ctx.publish(Tick(number)).await.unwrap();
        Apart::new((0..CROWD).map(publish)).await;
        Ok(())
    }
}

#[test]
fn thousands_that_wait_in_one_service_come_in_turn() {
    let (mut isolate, heard) = (Isolate::new(1), Heard::default());
    isolate.spawn(Slow { room: 1, heard: Arc::clone(&heard) }).unwrap();
    isolate.spawn_service(ManyAtOnce).unwrap();
    let stats = isolate.run().unwrap();
    assert!(heard.lock().unwrap().iter().copied().eq(0..CROWD));
    assert!(stats.resumptions <= 2 * CROWD + 2, "{}", stats.resumptions);
}

/// Gives up after so many milliseconds, and publishes then to somebody else.
struct Hasty(u64, u32);
impl Service for Hasty {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        tokio::select! {
            biased;
            published = ctx.publish(Tick(self.0)) => published?,
            () = ctx.sleep(MILLI * self.1) => {}
        }
        // It is still there when its turn would come.
        ctx.sleep(MILLI * 100_000).await;
        Ok(())
    }
}

#[test]
fn one_that_gives_up_passes_its_turn_on() {
    let (mut isolate, heard) = (Isolate::new(1), Heard::default());
    isolate.spawn(Slow { room: 1, heard: Arc::clone(&heard) }).unwrap();
    // They fill the room and the queue of events.
    for number in 0..1_500 {
        isolate.spawn_service(Once::Publishes(number)).unwrap();
    }
    isolate.run_for(Duration::ZERO).unwrap();
    for number in 1_500..2_000 {
        match number % 3 {
            0 => drop(isolate.spawn_service(Once::Publishes(number)).unwrap()),
            _ => drop(isolate.spawn_service(Hasty(number, (number % 7) as u32)).unwrap()),
        }
    }
    isolate.run().unwrap();
    let heard = heard.lock().unwrap();
    let late: Vec<_> = heard.iter().copied().filter(|number| *number >= 1_500).collect();
    assert_eq!(heard.len(), 1_500 + late.len());
    assert!((1_500..2_000).filter(|number| number % 3 == 0).eq(late), "{heard:?}");
}

/// Handles both; publishes a tick for each tock.
struct Both(Arc<Mutex<Vec<String>>>);
impl Actor for Both {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tock>().on_with::<Tick>(Subscription::block().capacity(1));
    }
}
impl Handler<Tick> for Both {
    async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        Ok(())
    }
}
impl Handler<Tock> for Both {
    async fn handle(&mut self, tock: &Tock, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        let told = match ctx.publish(Tick(tock.0)).await {
            Ok(()) => "published",
            Err(PublishError::SelfBlocked(_)) => "it would wait for itself",
            Err(_) => "another error",
        };
        self.0.lock().unwrap().push(format!("{told} at {:?}", ctx.now()));
        Ok(())
    }
}

#[test]
fn one_whose_own_queue_becomes_full_while_it_waits_has_an_error_at_once() {
    let (mut isolate, told) = (Isolate::new(1), Arc::default());
    isolate.spawn(Slow { room: 1, heard: Heard::default() }).unwrap();
    isolate.spawn(Both(Arc::clone(&told))).unwrap();
    isolate.run().unwrap();
    // At the tock, one tick is handled and one waits: room is in a millisecond. Behind it comes another tick.
    isolate.publish(Tick(1)).unwrap();
    isolate.publish(Tick(2)).unwrap();
    isolate.publish(Tock(3)).unwrap();
    isolate.publish(Tick(4)).unwrap();
    isolate.run().unwrap();
    let now = mycelium::Timestamp::ZERO;
    assert_eq!(*told.lock().unwrap(), [format!("it would wait for itself at {now:?}")]);
}

struct Picky;
impl Actor for Picky {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_with::<Tick>(Subscription::fail().capacity(2));
    }
}
impl Handler<Tick> for Picky {
    async fn handle(&mut self, _: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.sleep(Duration::from_secs(3_600)).await;
        Ok(())
    }
}

#[test]
fn one_that_waits_has_the_error_of_a_queue_that_fails_meanwhile_and_goes_on_when_nobody_is_left() {
    let (mut isolate, told) = (Isolate::new(1), Arc::new(Mutex::new(Vec::new())));
    let slow = isolate.spawn(Slow { room: 1, heard: Heard::default() }).unwrap();
    let picky = isolate.spawn(Picky).unwrap();
    let publish = |number| {
        let told = Arc::clone(&told);
        move |isolate: &mut Isolate| isolate.spawn_service(Tries(number, told)).unwrap()
    };
    isolate.run().unwrap();
    isolate.publish(Tick(1)).unwrap();
    isolate.publish(Tick(2)).unwrap();
    publish(3)(&mut isolate);
    isolate.publish(Tick(4)).unwrap();
    isolate.run_for(Duration::ZERO).unwrap();
    assert_eq!(*told.lock().unwrap(), ["3: full"]);
    picky.kill();
    isolate.run_for(Duration::ZERO).unwrap();
    publish(5)(&mut isolate);
    isolate.run_for(Duration::ZERO).unwrap();
    assert_eq!(told.lock().unwrap().len(), 1, "it waits");
    slow.kill();
    isolate.run_for(Duration::ZERO).unwrap();
    assert_eq!(*told.lock().unwrap(), ["3: full", "5: published"]);
}

struct Tries(u64, Arc<Mutex<Vec<String>>>);
impl Service for Tries {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let told = match ctx.publish(Tick(self.0)).await {
            Ok(()) => "published",
            Err(PublishError::Full(..)) => "full",
            Err(_) => "another error",
        };
        self.1.lock().unwrap().push(format!("{}: {told}", self.0));
        Ok(())
    }
}

/// Publishes its number again and again, each after a moment, from a loop or by a replay.
struct Presses {
    number: u64,
    replays: bool,
}
impl Service for Presses {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let number = self.number;
        if self.replays {
            ctx.replay((0..).map(move |n| (Timestamp::from_nanos(n), Tick(number)))).await?;
        }
        loop {
            ctx.publish(Tick(number)).await?;
            ctx.sleep(Duration::from_nanos(1)).await;
        }
    }
}

#[test]
fn a_replay_has_its_turn_like_everybody_else() {
    let counts = [false, true].map(|replays| {
        let (mut isolate, heard) = (Isolate::new(1), Heard::default());
        isolate.spawn(Slow { room: 1, heard: Arc::clone(&heard) }).unwrap();
        for number in 0..3 {
            isolate.spawn_service(Presses { number, replays: replays && number == 0 }).unwrap();
        }
        isolate.run_for(MILLI * 300).unwrap();
        let heard = heard.lock().unwrap();
        [0, 1, 2].map(|number| heard.iter().filter(|heard| **heard == number).count())
    });
    for count in counts.as_flattened() {
        assert!((95..=105).contains(count), "{counts:?}");
    }
}
