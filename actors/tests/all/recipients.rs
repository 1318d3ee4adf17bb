//! Addresses without the type of their actor: they keep the promises of references, live and in an isolate.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::common::{Flush, Heard, Log, Note, Tick, Tock, at_ms, on_both_runtimes, on_every_runtime};
use mycelium::{
    Actor, ActorRef, AskError, BoxError, Context, Down, Handler, Isolate, Message, MessageBus, Monitor,
    Query, Recipient, ReplyRecipient, Responder, StopReason, TellError,
};

/// Hears notes, as `Log` does, in its own way; says what it has heard of the ends of others.
#[derive(Default)]
struct Echo(Heard);
impl Actor for Echo {
    type Error = BoxError;
}
impl Handler<Note> for Echo {
    async fn handle(&mut self, note: &Note, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if note.0 == "sleep" {
            ctx.sleep(Duration::from_secs(1)).await;
        }
        self.0.add(format!("{0} {0}", note.0));
        Ok(())
    }
}
impl Responder<Flush> for Echo {
    type Reply = Vec<String>;
    async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) -> Vec<String> {
        self.0.take()
    }
}
impl Handler<Down> for Echo {
    async fn handle(&mut self, down: &Down, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.add(format!("{} {}", down.actor.name, down.reason));
        Ok(())
    }
}

/// Whom to watch, and whether to depend on it instead.
struct Watch(Recipient<Note>, bool);
impl Handler<Watch> for Echo {
    async fn handle(&mut self, watch: &Watch, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        _ = if watch.1 { ctx.depend_on(&watch.0) } else { ctx.watch(&watch.0) };
        Ok(())
    }
}

/// Does to itself, through what is sent along, what an actor never waits for.
struct Selfish(Recipient<Note>, ReplyRecipient<Flush, Vec<String>>);
impl Responder<Selfish> for Echo {
    type Reply = (usize, TellError<Note>, Result<Vec<String>, AskError>);
    async fn answer(&mut self, own: &Selfish, _: &mut Context<Self>) -> Self::Reply {
        let mut told = 0;
        let full = loop {
            match own.0.tell(note("more")).await {
                Ok(()) => told += 1,
                Err(error) => break error,
            }
        };
        (told, full, own.1.ask_within(Flush, Duration::MAX).await)
    }
}

fn note(text: &str) -> Note {
    Note(text.into())
}

#[test]
fn recipients_of_different_actors_lie_in_one_list() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let (log, echo) = (bus.spawn(Log::default()).unwrap(), bus.spawn(Echo::default()).unwrap());
        let all: Vec<Recipient<Note>> = vec![log.recipient(), echo.clone().into()];
        let asked: [ReplyRecipient<Flush, Vec<String>>; 2] = [log.reply_recipient(), echo.clone().into()];
        for (number, recipient) in all.iter().enumerate() {
            recipient.tell(note("one")).await.unwrap();
            recipient.clone().try_tell(note("two")).unwrap();
            assert_eq!(
                (recipient.id(), recipient.name()),
                (asked[number].id(), asked[number].name()),
                "{recipient:?} {asked:?}"
            );
        }
        assert_eq!(asked[0].ask(Flush).await.unwrap(), ["one", "two"]);
        assert_eq!(
            asked[1].clone().ask_within(Flush, crate::common::WATCHDOG).await.unwrap(),
            ["one one", "two two"]
        );
        assert_eq!((all[0].name(), all[1].id()), (log.name(), echo.id()));
        assert_eq!(format!("{:?} {:?}", all[0], asked[1]), format!("{log:?} {echo:?}"));

        echo.stop();
        assert_eq!(all[1].ended().await, StopReason::Normal);
        assert_eq!((all[0].is_alive(), all[1].is_alive(), asked[1].is_alive()), (true, false, false));
        assert!(
            matches!(all[1].tell(note("late")).await, Err(TellError::Stopped(back, _)) if back == note("late"))
        );
        assert!(
            matches!(all[1].try_tell(note("late")), Err(TellError::Stopped(back, _)) if back == note("late"))
        );
        assert!(matches!(asked[1].ask(Flush).await, Err(AskError::Stopped(_))));
    });
}

#[test]
fn a_recipient_keeps_no_actor_and_the_order_of_its_sender() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let log = bus.spawn(Log::default()).unwrap();
        let (ticks, tocks): (Recipient<Tick>, Recipient<Tock>) = (log.recipient(), log.recipient());
        let sent: Vec<String> = (0..3_000).map(|n| format!("{} {n}", ["tick", "tock"][n % 2])).collect();
        for n in 0..3_000 {
            match n % 2 {
                0 if n % 3 == 0 => log.tell(Tick(n)).await.unwrap(),
                0 => ticks.tell(Tick(n)).await.unwrap(),
                _ => tocks.tell(Tock(n)).await.unwrap(),
            }
        }
        assert_eq!(log.reply_recipient().ask(Flush).await.unwrap(), sent);
        bus.shutdown().await.unwrap();
        assert_eq!(ticks.ended().await, StopReason::Shutdown);
    });
}

/// Writes down ticks once it may, and says that it has begun with one.
struct Gate {
    heard: Heard,
    open: Arc<AtomicBool>,
    begun: Arc<AtomicBool>,
}
impl Actor for Gate {
    type Error = BoxError;
}
impl Handler<Tick> for Gate {
    async fn handle(&mut self, tick: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.begun.store(true, Ordering::SeqCst);
        while !self.open.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
        self.heard.add(tick.0.to_string());
        Ok(())
    }
}

#[test]
fn a_full_mailbox_makes_a_recipient_wait_and_a_dropped_tell_has_sent_nothing() {
    on_both_runtimes(|| async {
        let bus = MessageBus::builder().inbox_capacity(2).build();
        let (heard, (open, begun)) = <(Heard, (Arc<AtomicBool>, Arc<AtomicBool>))>::default();
        let gate = Gate { heard: heard.clone(), open: Arc::clone(&open), begun: Arc::clone(&begun) };
        let gate = bus.spawn(gate).unwrap();
        let recipient: Recipient<Tick> = gate.recipient();
        recipient.tell(Tick(0)).await.unwrap();
        while !begun.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
        let mut sent = 1;
        while recipient.try_tell(Tick(sent)).is_ok() {
            sent += 1;
        }
        assert!((2..=3).contains(&sent), "one is in hand: {sent}");
        let within = |tick| tokio::time::timeout(Duration::from_millis(20), recipient.tell(tick));
        assert!(within(Tick(100)).await.is_err());
        let who = Arc::new(gate.identity());
        assert_eq!(recipient.try_tell(Tick(100)), Err(TellError::Full(Tick(100), Some(who))));
        assert!(within(Tick(101)).await.is_err());
        let kept = recipient.clone();
        let last = tokio::spawn(async move { kept.tell(Tick(102)).await });
        tokio::task::yield_now().await;
        open.store(true, Ordering::SeqCst);
        last.await.unwrap().unwrap();
        gate.tell(Tick(103)).await.unwrap();
        heard.wait_for("103").await;
        let all: Vec<String> = (0..sent).chain([102, 103]).map(|n| n.to_string()).collect();
        assert_eq!(heard.words(), all);
    });
}

/// Never finishes a tick.
struct Stuck;
impl Actor for Stuck {
    type Error = BoxError;
}
impl Handler<Tick> for Stuck {
    async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        std::future::pending().await
    }
}
impl Responder<Flush> for Stuck {
    type Reply = ();
    async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) {
        std::future::pending::<()>().await;
    }
}

#[test]
fn an_ask_through_a_recipient_has_the_limit_of_its_bus_or_its_own() {
    on_both_runtimes(|| async {
        let bus = MessageBus::builder().ask_limit(Duration::from_millis(20)).build();
        let stuck: ReplyRecipient<Flush, ()> = bus.spawn(Stuck).unwrap().into();
        assert!(matches!(stuck.ask(Flush).await, Err(AskError::Timeout(_))));
        assert!(matches!(stuck.ask_within(Flush, Duration::from_millis(1)).await, Err(AskError::Timeout(_))));
    });
}

#[test]
fn an_actor_never_waits_for_itself_through_a_recipient_either() {
    on_both_runtimes(|| async {
        let bus = MessageBus::builder().inbox_capacity(4).build();
        let echo = bus.spawn(Echo::default()).unwrap();
        let own = Selfish(echo.recipient(), echo.reply_recipient());
        let told = echo.ask(own).await.unwrap();
        let who = Some(Arc::new(echo.identity()));
        // The query is there, too.
        assert_eq!((told.0, told.1), (3, TellError::Itself(note("more"), who)));
        assert!(matches!(told.2, Err(AskError::Itself(_))));
    });
    let mut isolate = Isolate::new(1);
    let echo = isolate.spawn(Echo::default()).unwrap();
    let own = Selfish(echo.recipient(), echo.reply_recipient());
    let told = isolate.ask(&echo, own).unwrap();
    let who = Some(Arc::new(echo.identity()));
    assert_eq!((told.0, told.1), (1_024, TellError::Itself(note("more"), who)));
    assert!(matches!(told.2, Err(AskError::Itself(_))));
}

#[test]
fn tells_through_a_recipient_let_others_run() {
    on_every_runtime(|| async {
        let bus = MessageBus::new();
        let gone: Recipient<Note> = bus.spawn(Log::default()).unwrap().into();
        bus.shutdown().await.unwrap();
        let endless = async {
            loop {
                assert!(gone.tell(note("late")).await.is_err());
            }
        };
        assert!(tokio::time::timeout(Duration::from_millis(20), endless).await.is_err());
    });
}

#[test]
fn who_is_known_as_a_recipient_can_be_watched_and_depended_on() {
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let [echo, dependent] = [0; 2].map(|_| bus.spawn(Echo::default()).unwrap());
        let log = bus.spawn(Log::default()).unwrap();
        echo.tell(Watch(log.recipient(), false)).await.unwrap();
        dependent.tell(Watch(log.recipient(), true)).await.unwrap();
        dependent.ask(Flush).await.unwrap();
        log.tell(note("fail")).await.unwrap();
        log.ended().await;
        assert_eq!(
            dependent.ended().await,
            StopReason::DependencyEnded(format!("{log:?} failed: told to fail").into())
        );
        assert_eq!(echo.ask(Flush).await.unwrap(), ["Log failed: told to fail"]);
    });
    let mut isolate = Isolate::new(1);
    let (echo, other) = (isolate.spawn(Echo::default()).unwrap(), isolate.spawn(Echo::default()).unwrap());
    isolate.tell(&echo, Watch(other.recipient(), false)).unwrap();
    isolate.run().unwrap();
    other.stop();
    isolate.run().unwrap();
    assert_eq!(isolate.ask(&echo, Flush).unwrap(), ["Echo ended normally"]);
}

/// Tells all of them, one after the other, and asks the last.
struct Teller(Vec<Recipient<Note>>, ReplyRecipient<Flush, Vec<String>>, Heard);
impl Actor for Teller {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        for recipient in &self.0 {
            recipient.tell(note("sleep")).await?;
            recipient.try_tell(note("told"))?;
        }
        let late = self.1.ask_within(Flush, Duration::from_millis(300)).await;
        let late = late.map_err(|error| matches!(error, AskError::Timeout(_)));
        self.2.add_at(ctx.now(), format!("late {late:?}"));
        let heard = self.1.ask(Flush).await?;
        self.2.add_at(ctx.now(), heard.join(", "));
        Ok(())
    }
}

#[test]
fn in_an_isolate_recipients_do_what_references_do_in_virtual_time() {
    let mut isolate = Isolate::new(1);
    let heard = Heard::default();
    let (log, echo) = (isolate.spawn(Log::default()).unwrap(), isolate.spawn(Echo::default()).unwrap());
    let all = vec![log.recipient(), echo.recipient()];
    isolate.spawn(Teller(all.clone(), echo.reply_recipient(), heard.clone())).unwrap();
    isolate.run().unwrap();
    // The first query was not answered in time, and is answered for nobody.
    assert_eq!(heard.words(), ["300 late Err(true)", "1000 "]);
    assert_eq!(isolate.take(&log).unwrap().heard.words(), ["sleep", "told"]);
    assert!(all[1].is_alive());
    isolate.run_until(at_ms(2_000)).unwrap();
    drop(isolate);
    assert!(!all[1].is_alive());
}

#[test]
fn a_recipient_of_another_isolate_or_thread_is_refused_and_its_actor_is_not_watched() {
    let (mut isolate, mut other) = (Isolate::new(1), Isolate::new(1));
    // In the seats of their isolates, each pair has the same number.
    let [echo, neighbour] = [0; 2].map(|_| isolate.spawn(Echo::default()).unwrap());
    let [_, foreign]: [ActorRef<Echo>; 2] = [0; 2].map(|_| other.spawn(Echo::default()).unwrap());
    let (recipient, asked) = (foreign.recipient(), foreign.reply_recipient());
    std::thread::scope(|threads| {
        threads.spawn(|| {
            assert_eq!(recipient.try_tell(note("late")), Err(TellError::WrongThread(note("late"))));
            assert!(!recipient.is_alive());
        });
    });
    let (notes, queries): (Recipient<Note>, ReplyRecipient<Flush, Vec<String>>) = (recipient.clone(), asked);
    isolate.spawn(Stranger(notes, queries)).unwrap();
    isolate.tell(&echo, Watch(recipient.clone(), false)).unwrap();
    isolate.tell(&echo, Watch(recipient, true)).unwrap();
    isolate.run().unwrap();
    neighbour.kill();
    isolate.run().unwrap();
    assert_eq!(isolate.ask(&echo, Flush), Ok(vec![]), "the end of its neighbour is not that of a stranger");
    other.run().unwrap();
}

struct Stranger(Recipient<Note>, ReplyRecipient<Flush, Vec<String>>);
impl Actor for Stranger {
    type Error = BoxError;
    async fn started(&mut self, _: &mut Context<Self>) -> Result<(), BoxError> {
        assert_eq!(self.0.tell(note("late")).await, Err(TellError::OtherBus(note("late"))));
        assert_eq!(self.1.ask(Flush).await, Err(AskError::OtherBus));
        Ok(())
    }
}

#[test]
fn recipients_may_be_sent_to_other_threads() {
    fn can_be_sent<T: Send + Sync + Clone>() {}
    can_be_sent::<Recipient<std::cell::Cell<u8>>>();
    can_be_sent::<ReplyRecipient<Flush, std::cell::Cell<u8>>>();
    can_be_sent::<Monitor>();
}

/// A query whose answer is tied to it, as generated code does.
#[derive(Clone, Debug)]
struct Newest;
impl Message for Newest {
    const NAME: &'static str = "Newest";
    const TYPE_ID: u16 = 77;
    const TOPIC: &'static str = "newest";
}
impl Query for Newest {
    type Reply = Note;
}
impl Responder<Newest> for Echo {
    type Reply = Note;
    async fn answer(&mut self, _: &Newest, _: &mut Context<Self>) -> Note {
        Note(self.0.take().pop().unwrap_or_default())
    }
}

#[test]
fn a_query_that_names_its_answer_needs_no_second_name() {
    let mut isolate = Isolate::new(1);
    let echo = isolate.spawn(Echo::default()).unwrap();
    struct Asker(ReplyRecipient<Newest>, Heard);
    impl Actor for Asker {
        type Error = BoxError;
        async fn started(&mut self, _: &mut Context<Self>) -> Result<(), BoxError> {
            self.1.add(self.0.ask(Newest).await?.0);
            Ok(())
        }
    }
    let heard = Heard::default();
    isolate.tell(&echo, note("old")).unwrap();
    isolate.tell(&echo, note("new")).unwrap();
    isolate.spawn(Asker(echo.into(), heard.clone())).unwrap();
    isolate.run().unwrap();
    assert_eq!(heard.words(), ["new new"]);
}
