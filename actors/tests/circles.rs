//! Members that wait for each other are named in the log, and a bus can limit how long asks wait.

mod common;

use std::fmt::Write as _;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use common::{Flush, Heard, Note, Tick, Tock, on_both_runtimes};
use mycelium::pool::{Pool, PoolRef};
use mycelium::{
    Actor, ActorRef, AskError, BoxError, Context, Handler, MessageBus, OwnThread, Publisher, Responder,
    Service, ServiceContext, Subscription, Subscriptions, Supervisor,
};
use tracing::field::{Field, Visit};
use tracing::span;

const SOON: Duration = Duration::from_millis(40);

/// What is logged, by everybody in this program.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Log {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::WARN
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        struct Text(String);
        impl Visit for Text {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                write!(self.0, "{field}={value:?} ").unwrap();
            }
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        self.0.lock().unwrap().push(text.0);
    }
}

impl Log {
    /// That of this program. Tests tell their own lines by the names of their actors.
    fn of_program() -> &'static Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        LOG.get_or_init(|| {
            let log = Log::default();
            tracing::subscriber::set_global_default(log.clone()).unwrap();
            log
        })
    }

    fn lines(&self, with: &[&str]) -> Vec<String> {
        let lines = self.0.lock().unwrap();
        lines.iter().filter(|line| with.iter().all(|word| line.contains(word))).cloned().collect()
    }

    /// What this test has logged before: others of this program wait for lines of their own.
    fn forget(&self, with: &str) {
        self.0.lock().unwrap().retain(|line| !line.contains(with));
    }

    async fn wait_for(&self, with: &[&str]) -> String {
        loop {
            if let Some(line) = self.lines(with).pop() {
                return line;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

fn bus() -> MessageBus {
    MessageBus::builder().inbox_capacity(2).topic_capacity(2).circle_after(SOON).build()
}

/// Asks the other one for each job.
struct Hand(Arc<OnceLock<ActorRef<Boss>>>, Arc<AtomicBool>);
/// Hands out jobs to a pool for ever, when it is asked.
struct Boss(PoolRef<Hand>);

impl Actor for Hand {
    type Error = BoxError;
}
impl Actor for Boss {
    type Error = BoxError;
}
impl Handler<Tick> for Hand {
    async fn handle(&mut self, _: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        let boss = self.0.get().ok_or("nobody is there")?;
        if self.1.swap(false, Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        Ok(ctx.ask(boss, Flush).await?)
    }
}
impl Responder<Flush> for Boss {
    type Reply = ();
    async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) {
        while self.0.tell(Tick(0)).await.is_ok() {}
    }
}

#[test]
fn a_circle_through_a_pool_is_named_if_all_of_its_workers_are_in_it() {
    let log = Log::of_program();
    on_both_runtimes(async || {
        for one_waits_for_another in [true, false] {
            let (bus, boss) = (bus(), Arc::new(OnceLock::new()));
            let waits = Arc::new(AtomicBool::new(one_waits_for_another));
            let known = Arc::clone(&boss);
            let pool = Pool::new(move || Hand(Arc::clone(&known), Arc::clone(&waits))).workers(2);
            let root = Supervisor::builder("circle").supervisor(pool.supervisor("hands"));
            let tree = root.start(&bus).await.unwrap();
            let pool = tree.lookup_pool::<Hand>("circle/hands").unwrap();
            let actor = bus.spawn_named("boss", Boss(pool)).unwrap();
            assert!(boss.set(actor.clone()).is_ok());
            let before = log.lines(&["boss"]).len();
            let asked = tokio::time::timeout(20 * SOON, actor.ask(Flush)).await;
            assert!(asked.is_err(), "it goes on for ever");
            while !one_waits_for_another && log.lines(&["boss"]).len() == before {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let told = log.lines(&["boss"]).split_off(before);
            assert_eq!(told.is_empty(), one_waits_for_another, "{told:?}");
            for line in told {
                assert!(line.contains("boss waits for room in the mailbox of circle/hands/"), "{line}");
                assert!(line.contains("or of another worker of its pool"), "{line}");
            }
            let _ = bus.shutdown_within(Duration::ZERO).await;
        }
    });
}

/// Asks the other when it is asked.
struct Ping(Arc<OnceLock<ActorRef<Pong>>>, bool);
struct Pong(ActorRef<Ping>);

impl Actor for Ping {
    type Error = BoxError;
}
impl Actor for Pong {
    type Error = BoxError;
}
impl Responder<Flush> for Ping {
    type Reply = Option<AskError>;
    async fn answer(&mut self, _: &Flush, ctx: &mut Context<Self>) -> Self::Reply {
        let pong = self.0.get().unwrap();
        match self.1 {
            true => ctx.ask(pong, Flush).await.err(),
            false => pong.ask(Flush).await.err(),
        }
    }
}
impl Responder<Flush> for Pong {
    type Reply = ();
    async fn answer(&mut self, _: &Flush, ctx: &mut Context<Self>) {
        let _ = ctx.ask(&self.0, Flush).await;
    }
}

/// Two that ask each other, named `ping-` and `pong-` and this: tests beside this one have others in the log.
fn ping_pong(bus: &MessageBus, whose: &str, through_context: bool) -> ActorRef<Ping> {
    let pong = Arc::new(OnceLock::new());
    let ping = Ping(Arc::clone(&pong), through_context);
    let ping = bus.spawn_named(&format!("ping-{whose}"), ping).unwrap();
    pong.set(bus.spawn_named(&format!("pong-{whose}"), Pong(ping.clone())).unwrap()).unwrap();
    ping
}

#[test]
fn two_actors_that_ask_each_other_are_named_once() {
    on_both_runtimes(|| async {
        for through_context in [true, false] {
            let (bus, log) = (bus(), Log::of_program());
            // A name for each: what is said of the end of those before may come late.
            static ROUNDS: AtomicUsize = AtomicUsize::new(0);
            let whose = format!("once-{}", ROUNDS.fetch_add(1, Ordering::SeqCst));
            let ping = ping_pong(&bus, &whose, through_context);
            let asked = tokio::spawn(async move { ping.ask(Flush).await });
            let line = log.wait_for(&[&*format!("ping-{whose} waits for an answer of pong-{whose}")]).await;
            assert!(line.contains(&format!("pong-{whose} waits for an answer of ping-{whose}")), "{line}");
            assert!(line.contains("ask_within"), "{line}");
            tokio::time::sleep(SOON * 4).await;
            assert_eq!(log.lines(&[&*format!("ping-{whose}")]).len(), 1, "{:?}", log.lines(&[]));
            assert!(bus.shutdown_within(SOON).await.is_err());
            // Whichever of the two was killed first.
            assert!(matches!(
                asked.await.unwrap(),
                Err(AskError::Stopped(_)) | Ok(Some(AskError::Stopped(_)))
            ));
        }
    });
}

/// Publishes two of the other's messages for each of its own.
struct Left;
struct Right;
impl Actor for Left {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_with(Subscription::<Tick>::block().capacity(2));
    }
}
impl Actor for Right {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_with(Subscription::<Tock>::block().capacity(2));
    }
}
impl Handler<Tick> for Left {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.publish(Tock(tick.0)).await?;
        Ok(ctx.publish(Tock(tick.0)).await?)
    }
}
impl Handler<Tock> for Right {
    async fn handle(&mut self, tock: &Tock, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.publish(Tick(tock.0)).await?;
        Ok(ctx.publish(Tick(tock.0)).await?)
    }
}

#[test]
fn a_circle_of_full_queues_is_named() {
    on_both_runtimes(|| async {
        let (bus, log) = (bus(), Log::of_program());
        log.forget("Left");
        bus.spawn(Left).unwrap();
        bus.spawn(Right).unwrap();
        bus.publisher::<Tick>().unwrap().publish(Tick(1)).await.unwrap();
        let line = log.wait_for(&["Left#1 waits for room in topic tocks, which Right#2 does not read"]).await;
        assert!(line.contains("Right#2 waits for room in topic ticks, which Left#1 does not read"), "{line}");
    });
}

/// Waits for an actor that asks whoever reads its topic.
struct Feed;
impl Service for Feed {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        loop {
            ctx.publish(Tick(1)).await?;
        }
    }
}
struct Reader(Heard);
impl Actor for Reader {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_with(Subscription::<Tick>::block().capacity(2));
    }
}
impl Handler<Tick> for Reader {
    async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.add("reads");
        // Something that the bus knows nothing of.
        std::future::pending().await
    }
}

#[test]
fn whoever_waits_for_something_else_is_in_no_circle_and_a_busy_bus_is_not_blamed() {
    on_both_runtimes(|| async {
        let (bus, log, heard) = (bus(), Log::of_program(), Heard::default());
        bus.spawn(Reader(heard.clone())).unwrap();
        bus.spawn_service(Feed).unwrap();
        heard.wait_for("reads").await;
        // These ask each other all the time, and answer.
        let (one, other) = (bus.spawn(Polite).unwrap(), bus.spawn(Polite).unwrap());
        let until = tokio::time::Instant::now() + SOON * 10;
        while tokio::time::Instant::now() < until {
            assert_eq!(one.ask(Relay(other.clone())).await, Ok(7));
        }
        assert_eq!(log.lines(&["Reader"]).len() + log.lines(&["Polite"]).len(), 0, "{:?}", log.lines(&[]));
        assert!(bus.shutdown_within(SOON).await.is_err());
    });
}

struct Polite;
struct Relay(ActorRef<Polite>);
impl Actor for Polite {
    type Error = BoxError;
}
impl Responder<Flush> for Polite {
    type Reply = u64;
    async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) -> u64 {
        7
    }
}
impl Responder<Relay> for Polite {
    type Reply = u64;
    async fn answer(&mut self, relay: &Relay, ctx: &mut Context<Self>) -> u64 {
        ctx.ask(&relay.0, Flush).await.unwrap_or(0)
    }
}

/// Waits for the other, and looks at something else all the time.
struct Restless {
    other: Arc<OnceLock<ActorRef<Restless>>>,
    ticks: Option<Publisher<Tick>>,
}
impl Actor for Restless {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        if self.ticks.is_none() {
            topics.on_with(Subscription::<Tick>::block().capacity(2));
        }
    }
}
impl Handler<Tick> for Restless {
    async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        Ok(())
    }
}
impl Responder<Flush> for Restless {
    type Reply = ();
    async fn answer(&mut self, _: &Flush, ctx: &mut Context<Self>) {
        let other = self.other.get().unwrap();
        let waits = async {
            match &self.ticks {
                Some(ticks) => while ticks.publish(Tick(1)).await.is_ok() {},
                None => drop(other.ask(Flush).await),
            }
        };
        let mut waits = pin!(waits);
        loop {
            tokio::select! {
                () = &mut waits => return,
                () = ctx.sleep(SOON / 40) => {}
            }
        }
    }
}

#[test]
fn members_that_look_at_something_else_while_they_wait_for_each_other_are_named() {
    on_both_runtimes(|| async {
        let (bus, log) = (bus(), Log::of_program());
        log.forget("Restless");
        let others = [Arc::<OnceLock<_>>::default(), Arc::default()];
        let [one, other] = [None, Some(bus.publisher::<Tick>().unwrap())].map(|ticks| {
            let other = Arc::clone(&others[usize::from(ticks.is_some())]);
            bus.spawn(Restless { other, ticks }).unwrap()
        });
        others[0].set(other.clone()).unwrap();
        others[1].set(one.clone()).unwrap();
        tokio::spawn(async move { one.ask(Flush).await });
        let line = log.wait_for(&["Restless#1 waits for an answer of Restless#2"]).await;
        let topic = "Restless#2 waits for room in topic ticks, which Restless#1 does not read";
        assert!(line.contains(topic), "{line}");
        assert!(bus.shutdown_within(SOON).await.is_err());
    });
}

/// Keep their own threads while they wait.
struct Teller(Arc<OnceLock<ActorRef<Shouter>>>);
struct Shouter(Publisher<Tick>);
impl Actor for Teller {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_with(Subscription::<Tick>::block().capacity(2));
    }
}
impl Actor for Shouter {
    type Error = BoxError;
}
impl Handler<Tick> for Teller {
    async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        loop {
            self.0.get().unwrap().tell_blocking(Note("again".into()))?;
        }
    }
}
impl Handler<Note> for Shouter {
    async fn handle(&mut self, _: &Note, _: &mut Context<Self>) -> Result<(), BoxError> {
        loop {
            self.0.publish_blocking(Tick(1))?;
        }
    }
}

#[test]
fn members_that_keep_their_own_threads_while_they_wait_for_each_other_are_named() {
    on_both_runtimes(|| async {
        let (bus, log, shouter) = (bus(), Log::of_program(), Arc::<OnceLock<_>>::default());
        log.forget("Teller");
        let teller = Teller(Arc::clone(&shouter));
        let teller = bus.spawn_on_thread(OwnThread::new("teller"), teller).unwrap();
        let ticks = bus.publisher::<Tick>().unwrap();
        let shouts = bus.spawn_on_thread(OwnThread::new("shouter"), Shouter(ticks.clone())).unwrap();
        shouter.set(shouts.clone()).unwrap();
        ticks.publish(Tick(1)).await.unwrap();
        let line = log.wait_for(&["Teller#1 waits for room in the mailbox of Shouter#2"]).await;
        let topic = "Shouter#2 waits for room in topic ticks, which Teller#1 does not read";
        assert!(line.contains(topic), "{line}");
        // Nobody can kill them, and the end of the topics ends both.
        assert!(bus.shutdown_within(SOON).await.is_err());
        shouts.ended().await;
        teller.ended().await;
    });
}

/// Asks once, and keeps its thread then.
struct Hog(ActorRef<Polite>, Arc<AtomicBool>);
impl Actor for Hog {
    type Error = BoxError;
}
impl Handler<Note> for Hog {
    async fn handle(&mut self, _: &Note, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.ask(Flush).await?;
        self.1.store(true, Ordering::SeqCst);
        while self.1.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

#[test]
fn whoever_keeps_a_thread_keeps_nobody_from_looking() {
    on_both_runtimes(|| async {
        let (bus, log, keeps) = (bus(), Log::of_program(), Arc::<AtomicBool>::default());
        log.forget("ping-hog");
        let polite = bus.spawn(Polite).unwrap();
        let hog = Hog(polite, Arc::clone(&keeps));
        let hog = bus.spawn_on_thread(OwnThread::new("hog"), hog).unwrap();
        hog.tell(Note("begin".into())).await.unwrap();
        while !keeps.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let ping = ping_pong(&bus, "hog", true);
        tokio::spawn(async move { ping.ask(Flush).await });
        log.wait_for(&["ping-hog waits for an answer of pong-hog"]).await;
        keeps.store(false, Ordering::SeqCst);
        assert!(bus.shutdown_within(SOON).await.is_err());
    });
}

#[test]
fn somebody_goes_on_looking_when_the_runtime_of_the_one_who_looked_has_ended() {
    on_both_runtimes(|| async {
        let first =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (bus, log) = (MessageBus::builder().circle_after(SOON * 5).build(), Log::of_program());
        log.forget("ping-left");
        let polite = {
            let _entered = first.enter();
            bus.spawn(Polite).unwrap()
        };
        polite.ask(Flush).await.unwrap();
        let ping = ping_pong(&bus, "left", true);
        let asked = tokio::spawn(async move { ping.ask(Flush).await });
        tokio::time::sleep(SOON / 4).await;
        first.shutdown_background();
        log.wait_for(&["ping-left waits for an answer of pong-left"]).await;
        asked.abort();
        assert!(bus.shutdown_within(SOON).await.is_err());
    });
}

#[test]
fn a_circle_is_named_though_nobody_drives_the_first_runtime_of_its_bus() {
    on_both_runtimes(|| async {
        // It has no timers either.
        let setup = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (bus, log) = (MessageBus::builder().circle_after(SOON).build(), Log::of_program());
        log.forget("ping-idle");
        let entered = setup.enter();
        let _idle = bus.spawn(Polite).unwrap();
        drop(entered);
        let ping = ping_pong(&bus, "idle", true);
        let asked = tokio::spawn(async move { ping.ask(Flush).await });
        log.wait_for(&["ping-idle waits for an answer of pong-idle"]).await;
        asked.abort();
        setup.shutdown_background();
        assert!(bus.shutdown_within(SOON).await.is_err());
    });
}

#[test]
fn a_bus_on_which_nobody_waits_has_no_timer() {
    on_both_runtimes(|| async {
        let metrics = tokio::runtime::Handle::current().metrics();
        let bus = bus();
        let (one, other) = (bus.spawn(Polite).unwrap(), bus.spawn(Polite).unwrap());
        assert_eq!(one.ask(Relay(other.clone())).await, Ok(7));
        while metrics.num_alive_tasks() > 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // And it begins again.
        let ping = ping_pong(&bus, "again", true);
        let asked = tokio::spawn(async move { ping.ask(Flush).await });
        while metrics.num_alive_tasks() < 6 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(metrics.num_alive_tasks(), 6, "four actors, the one that asks and the one that looks");
        assert!(bus.shutdown_within(SOON / 4).await.is_err());
        let _ = asked.await.unwrap();
        while metrics.num_alive_tasks() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
}

#[test]
fn an_ask_waits_no_longer_than_the_limit_of_its_bus() {
    on_both_runtimes(|| async {
        let bus = MessageBus::builder().ask_limit(SOON).build();
        for through_context in [true, false] {
            let ping = ping_pong(&bus, &format!("limit-{through_context}"), through_context);
            // Which of the asks is given up first is not known: none waits for ever, nor does one whose own
            // limit is far away.
            let _ = ping.ask(Flush).await;
            assert!(ping.ask_within(Flush, Duration::from_secs(3600)).await.is_ok());
        }
        bus.shutdown().await.unwrap();
        // Nor longer than its own limit, which is nearer here: those two wait for each other meanwhile.
        let bus = MessageBus::builder().ask_limit(Duration::from_secs(3600)).build();
        let ping = ping_pong(&bus, "own-limit", true);
        for limit in [Duration::ZERO, SOON] {
            assert!(matches!(ping.ask_within(Flush, limit).await, Err(AskError::Timeout(_))));
        }
        let _ = bus.shutdown_within(Duration::ZERO).await;
    });
}

#[test]
fn an_ask_of_a_full_mailbox_is_limited_too() {
    struct Stuck;
    impl Actor for Stuck {
        type Error = BoxError;
    }
    impl Handler<Note> for Stuck {
        async fn handle(&mut self, _: &Note, _: &mut Context<Self>) -> Result<(), BoxError> {
            std::future::pending().await
        }
    }
    impl Responder<Flush> for Stuck {
        type Reply = ();
        async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) {}
    }
    on_both_runtimes(|| async {
        let bus = MessageBus::builder().inbox_capacity(1).ask_limit(SOON).build();
        let stuck = bus.spawn(Stuck).unwrap();
        stuck.tell(Note("in hand".into())).await.unwrap();
        while stuck.try_tell(Note("waits".into())).is_ok() {}
        assert!(matches!(stuck.ask(Flush).await, Err(AskError::Timeout(_))));
        stuck.kill();
    });
}
