//! Watches against the end of whom they watch.

use super::cast::{Log, Tick, below, bus, pause};
use super::explore;
use crate::{Actor, ActorRef, BoxError, Context, Down, Handler, StopReason, Subscription, Subscriptions};

const NUMBERS: u32 = 3;

/// Publishes its numbers and ends in one way or another.
struct Server;

#[derive(Clone, Copy)]
enum End {
    Stop,
    Error,
    Panic,
}

impl Actor for Server {
    type Error = BoxError;
}

impl Handler<End> for Server {
    async fn handle(&mut self, end: &End, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        for number in 0..NUMBERS {
            ctx.publish(Tick { from: 0, number }).await?;
        }
        match end {
            End::Stop => ctx.stop(),
            End::Error => return Err("told to fail".into()),
            End::Panic => std::panic::resume_unwind(Box::new("told to")),
        }
        Ok(())
    }
}

/// Watches the server from its start, and perhaps once more when it is told to.
struct Watcher {
    name: &'static str,
    server: ActorRef<Server>,
    log: Log,
}

impl Actor for Watcher {
    type Error = BoxError;

    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_with(Subscription::<Tick>::block().capacity(1));
    }

    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.watch(&self.server);
        Ok(())
    }
}

impl Handler<Down> for Watcher {
    async fn handle(&mut self, _: &Down, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.log.add(format!("{} down", self.name));
        Ok(())
    }
}

impl Handler<Tick> for Watcher {
    async fn handle(&mut self, tick: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        pause(2).await;
        self.log.add(format!("{} tick {}.{}", self.name, tick.from, tick.number));
        Ok(())
    }
}

/// An end is heard exactly once by each watch, after all that the ended actor had published, also if it meets
/// the watch.
#[test]
fn shuttle_an_end_is_heard_once() {
    explore(|| async {
        let (bus, log) = (bus(), Log::default());
        let server = bus.spawn(Server).unwrap();
        let watcher = |name| Watcher { name, server: server.clone(), log: log.clone() };
        let early = bus.spawn(watcher("early")).unwrap();
        let killed = below(4) == 0;
        match below(3) {
            0 => server.try_tell(End::Stop).unwrap(),
            1 => server.try_tell(End::Error).unwrap(),
            _ => server.try_tell(End::Panic).unwrap(),
        }
        if killed {
            pause(8).await;
            server.kill();
        }
        let late = bus.spawn(watcher("late")).unwrap();
        log.wait_for("early down", 1).await;
        log.wait_for("late down", 1).await;
        server.ended().await;
        assert!(early.is_alive() && late.is_alive());
        bus.shutdown().await.unwrap();
        assert_eq!(early.ended().await, StopReason::Shutdown);
        for name in ["early", "late"] {
            let (down, tick) = (format!("{name} down"), format!("{name} tick"));
            assert_eq!(log.count(&down), 1);
            let lines = log.lines();
            let after = lines.iter().skip_while(|line| **line != down);
            assert_eq!(after.filter(|line| line.starts_with(&tick)).count(), 0, "{lines:?}");
        }
        if !killed {
            log.check_complete("early tick", 0..1, NUMBERS);
        }
    });
}
