//! `MessageBus::stats`: what it shows of a bus in which something waits, was dropped, failed and was
//! restarted.

use std::sync::Arc;
use std::time::Duration;

use crate::common::{Note, Tick, Tock, on_both_runtimes};
use mycelium::{
    Actor, BoxError, BusStats, Context, Handler, MessageBus, QueueStats, Responder, Service, ServiceContext,
    Subscription, Subscriptions, Supervisor, tree::Backoff, tree::Strategy,
};
use tokio::sync::Semaphore;

/// Is stuck in its first tick until the gate opens, and fails at the note that says so.
struct Stuck {
    begun: Arc<Semaphore>,
    gate: Arc<Semaphore>,
}
impl Actor for Stuck {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_with::<Tick>(Subscription::block().capacity(64));
        topics.on_with::<Tock>(Subscription::drop_oldest().capacity(4));
    }
}
impl Handler<Tick> for Stuck {
    async fn handle(&mut self, tick: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        if tick.0 == 0 {
            self.begun.add_permits(1);
            self.gate.acquire().await?.forget();
        }
        Ok(())
    }
}
impl Handler<Tock> for Stuck {
    async fn handle(&mut self, _: &Tock, _: &mut Context<Self>) -> Result<(), BoxError> {
        Ok(())
    }
}
impl Handler<Note> for Stuck {
    async fn handle(&mut self, note: &Note, _: &mut Context<Self>) -> Result<(), BoxError> {
        Err(note.0.clone().into())
    }
}
struct Alive;
impl Responder<Alive> for Stuck {
    type Reply = bool;
    async fn answer(&mut self, _: &Alive, _: &mut Context<Self>) -> bool {
        true
    }
}

/// Listens to notes and takes none.
struct Deaf;
impl Service for Deaf {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let _notes = ctx.subscribe::<Note>(Subscription::default())?;
        ctx.stopped().await;
        Ok(())
    }
}

/// The queue of whoever is of the type `name` for `message`, as (waiting, capacity).
fn queue(stats: &BusStats, name: &str, message: Option<&str>) -> Option<(u64, u64)> {
    let of = |queue: &&QueueStats| {
        queue.receiver.as_ref().map(|receiver| receiver.name) == Some(name) && queue.message == message
    };
    stats.queues.iter().find(of).map(|queue| (queue.waiting, queue.capacity))
}

async fn until(bus: &MessageBus, holds: impl Fn(&BusStats) -> bool) -> BusStats {
    loop {
        let stats = bus.stats();
        if holds(&stats) {
            return stats;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn stats_show_who_is_alive_and_what_waits_where() {
    on_both_runtimes(|| async {
        let bus = MessageBus::builder().topic_capacity(64).inbox_capacity(8).build();
        assert_eq!((bus.stats().actors(), bus.stats().services(), bus.stats().queues.len()), (0, 0, 0));
        let (begun, gate) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let stuck = bus.spawn(Stuck { begun: Arc::clone(&begun), gate: Arc::clone(&gate) }).unwrap();
        bus.spawn_service(Deaf).unwrap();
        until(&bus, |stats| queue(stats, "Deaf", Some("Note")).is_some()).await;

        let (ticks, tocks) = (bus.publisher::<Tick>().unwrap(), bus.publisher::<Tock>().unwrap());
        ticks.publish(Tick(0)).await.unwrap();
        // Stuck from here on: what comes now waits.
        begun.acquire().await.unwrap().forget();
        until(&bus, |stats| queue(stats, "Stuck", Some("Tick")) == Some((1, 64))).await;
        for number in 1..=3 {
            ticks.publish(Tick(number)).await.unwrap();
        }
        for number in 0..6 {
            tocks.publish(Tock(number)).await.unwrap();
        }
        stuck.tell(Note("a failure".into())).await.unwrap();
        bus.publisher().unwrap().publish(Note("unread".into())).await.unwrap();

        let stats = bus.stats();
        assert_eq!((stats.actors(), stats.services(), stats.restarts), (1, 1, 0));
        assert_eq!(queue(&stats, "Stuck", Some("Tick")), Some((4, 64)));
        assert_eq!(queue(&stats, "Stuck", Some("Tock")), Some((4, 4)));
        assert_eq!(queue(&stats, "Stuck", None), Some((1, 8)));
        assert_eq!(queue(&stats, "Deaf", Some("Note")).map(|(waiting, _)| waiting), Some(1));
        let first = &stats.queues[0];
        assert_eq!((first.message, first.policy), (Some("Tock"), "drop_oldest"));
        assert_eq!((&first.receiver, first.fill()), (&Some(stuck.identity()), 1.0));
        let of = |name: &str| *stats.topics.iter().find(|topic| topic.message == name).unwrap();
        assert_eq!((of("Tick").published, of("Tock").published, of("Tock").dropped_oldest), (4, 6, 2));
        let text = stats.to_string();
        assert!(text.contains("1 actors, 1 services"), "{text}");
        assert!(text.contains("Tock: 6 published, 0 delivered, 2 dropped as the oldest"), "{text}");
        assert!(text.contains("actor Stuck: 1\n  service Deaf: 1\n"), "{text}");
        assert!(text.contains("queue Stuck#1 inbox: 1 of 8 waiting (block)"), "{text}");

        gate.add_permits(1);
        stuck.ended().await;
        let stats = until(&bus, |stats| stats.actors() == 0).await;
        assert_eq!((stats.dead_letters.in_hand, stats.dead_letters.waiting), (1, 0), "the note failed");
        assert_eq!(queue(&stats, "Stuck", None), None);
        bus.shutdown().await.unwrap();
    });
}

/// Ends as soon as it is told to by a tock.
struct Brief;
impl Service for Brief {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let mut tocks = ctx.subscribe::<Tock>(Subscription::default())?;
        tokio::select! {
            _ = tocks.recv() => Err("told to".into()),
            () = ctx.stopped() => Ok(()),
        }
    }
}

#[test]
fn restarts_of_every_kind_are_counted_and_starts_are_not() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let gate = Arc::new(Semaphore::new(0));
        let tree = Supervisor::builder("root")
            .strategy(Strategy::RestForOne)
            .intensity(10, Duration::from_secs(60))
            .service("brief", || Brief)
            .actor("stuck", move || Stuck { begun: Arc::new(Semaphore::new(0)), gate: Arc::clone(&gate) })
            .start(&bus)
            .await
            .unwrap();
        assert_eq!(bus.stats().restarts, 0);
        let stuck = tree.lookup::<Stuck>("root/stuck").unwrap();
        stuck.tell(Note("fail".into())).await.unwrap();
        assert!(stuck.ask(Alive).await.unwrap());
        until(&bus, |stats| stats.restarts == 1).await;
        until(&bus, |stats| queue(stats, "Brief", Some("Tock")).is_some()).await;
        bus.publisher().unwrap().publish(Tock(0)).await.unwrap();
        until(&bus, |stats| stats.restarts == 3).await;
        tree.terminate_child("root/stuck").await.unwrap();
        tree.restart_child("root/stuck").await.unwrap();
        tree.shutdown().await.unwrap();
        assert_eq!(bus.stats().restarts, 3, "a call is no restart");
    });
}

#[test]
fn the_text_shows_the_fullest_queues_and_counts_the_others() {
    on_both_runtimes(|| async {
        let bus = MessageBus::builder().topic_capacity(64).build();
        let ticks = bus.publisher().unwrap();
        let slow: Vec<_> = (0..40).map(|_| bus.subscriber::<Tick>().unwrap()).collect();
        ticks.publish(Tick(1)).await.unwrap();
        let text = bus.stats().to_string();
        assert_eq!(text.matches("queue subscriber Tick: 1 of 64 waiting (block)").count(), 32, "{text}");
        assert!(text.ends_with("and 8 more queues in which something waits"), "{text}");
        drop(slow);
        assert_eq!(bus.stats().queues, []);
    });
}

#[test]
fn stats_show_paths_and_names_and_who_waits_for_a_restart() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let hour = Duration::from_secs(3600);
        let backoff = Backoff { initial: hour, cap: hour, jitter: 0.0, ..Backoff::default() };
        let gate = Arc::new(Semaphore::new(0));
        let stuck = move || Stuck { begun: Arc::new(Semaphore::new(0)), gate: Arc::clone(&gate) };
        let desk = Supervisor::builder("desk").backoff(backoff).actor("stuck", stuck.clone());
        let root = Supervisor::builder("root").service("deaf", || Deaf).supervisor(desk);
        let tree = root.start(&bus).await.unwrap();
        bus.spawn_named("risk", stuck()).unwrap();
        bus.spawn(stuck()).unwrap();

        let stats = until(&bus, |stats| queue(stats, "Deaf", Some("Note")).is_some()).await;
        let text = stats.to_string();
        for line in [
            "  actor Stuck: 1",
            "  actor risk (Stuck)",
            "  actor root/desk/stuck (Stuck)",
            "  service root/deaf (Deaf)",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line:?} is not in {text}");
        }
        assert_eq!((stats.actors(), stats.services()), (3, 1));
        let of = |path: &str| {
            let is_it = |queue: &&QueueStats| {
                queue.receiver.as_ref().is_some_and(|receiver| receiver.path.as_deref() == Some(path))
            };
            stats.queues.iter().filter(is_it).count()
        };
        assert_eq!((of("root/deaf"), of("root/desk/stuck"), of("risk")), (1, 3, 3));
        assert_eq!(stats.pending_restarts, []);

        bus.lookup::<Stuck>("root/desk/stuck").unwrap().tell(Note("fail".into())).await.unwrap();
        let stats = until(&bus, |stats| !stats.pending_restarts.is_empty()).await;
        let pending = &stats.pending_restarts[0];
        assert_eq!(&*pending.path, "root/desk/stuck");
        assert!(pending.remaining <= hour && pending.remaining > hour / 2, "{pending}");
        // Less than the hour by what has passed.
        assert!(stats.to_string().contains("\n  root/desk/stuck restarts in 35"), "{stats}");
        tree.shutdown().await.unwrap();
        assert_eq!(bus.stats().pending_restarts, []);
        bus.shutdown().await.unwrap();
    });
}
