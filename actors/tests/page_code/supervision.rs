//! `docs/supervision.md`

use mycelium::resilience::{BreakerPolicy, CircuitBreaker, Retry, RetryPolicy};
use mycelium::tree::{AutoShutdown, Backoff, Builder, Child, Factories, RunEnd};
use mycelium::{
    Isolate, MainResult, Message, MessageBus, Result, ServiceContext, Supervisor, Tree, actor, service,
};

use super::block;
use super::parser::Parser;

const PAGE: &str = include_str!("../../../docs/supervision.md");

#[derive(Clone, Debug)]
struct Order {
    account: u64,
}
impl Message for Order {
    const NAME: &'static str = "Order";
    const TYPE_ID: u16 = 1;
    const TOPIC: &'static str = "orders";
}

#[derive(Default)]
struct Risk;
#[actor]
impl Risk {
    #[on(direct)]
    fn order(&mut self, _: &Order) {}
}

#[derive(Default)]
struct Portfolio;
#[actor]
impl Portfolio {
    #[on]
    fn order(&mut self, _: &Order) {}
}

struct Feed;
impl Feed {
    fn new() -> Self {
        Self
    }
}
#[service]
impl Feed {
    async fn run(&mut self, ctx: &ServiceContext) -> Result {
        ctx.stopped().await;
        Ok(())
    }
}

#[tokio::test]
async fn pools() -> Result {
    let (bus, order) = (MessageBus::new(), Order { account: 7 });
    use mycelium::Supervisor;
    use mycelium::pool::{Dispatch, Pool};
    use mycelium::tree::Redelivery;

    let risk = Pool::new(Risk::default)
        .workers(4)
        .on::<Order>() // one subscription for the pool; a policy with `on_with`
        .key(|order: &Order| order.account) // orders of one account: one worker, in order
        .dispatch(Dispatch::LeastBusy) // for what has no key
        .each(|worker| worker.redelivery(Redelivery::Retry { attempts: 3 }));
    let tree = Supervisor::builder("root").supervisor(risk.supervisor("risk")).start(&bus).await?;
    let risk = tree.lookup_pool::<Risk>("root/risk").expect("it runs");
    risk.tell(order).await?; // to one worker, as `ask` and `try_tell`
    risk.resize(6).await?;

    assert_eq!(risk.size(), 6);
    Ok(bus.shutdown().await?)
}

#[tokio::test]
async fn a_live_tree() -> Result {
    use std::time::Duration;

    use mycelium::tree::{Backoff, Child, ProcessSpec, Restart, Strategy};
    use mycelium::{MessageBus, Supervisor};

    let bus = MessageBus::new();
    let desk = Supervisor::builder("desk")
        .strategy(Strategy::RestForOne)
        .intensity(3, Duration::from_secs(10))
        .service("feed", Feed::new)
        .child(Child::actor("portfolio", Portfolio::default).backoff(Backoff::default()));
    let tree = Supervisor::builder("root")
        .supervisor(desk)
        .process("worker", ProcessSpec::new("sleep").args(["3600"]))
        .child(Child::future("warm-up", || async { Ok(()) }).restart(Restart::Temporary))
        .start(&bus)
        .await?;

    let portfolio = tree.lookup::<Portfolio>("root/desk/portfolio");
    tree.terminate_child("root/worker").await?;
    tree.shutdown().await?;

    assert!(portfolio.is_some());
    Ok(())
}

fn factories() -> Factories {
    Factories::new().actor("portfolio", Portfolio::default).service("feed", Feed::new)
}

/// There is no such file here: the tree of the page runs a program that is not there either.
#[tokio::test]
async fn a_tree_from_a_file() {
    async fn started(bus: MessageBus) -> Result<Tree> {
        let factories = Factories::new().actor("portfolio", Portfolio::default).service("feed", Feed::new);
        let tree = Supervisor::from_toml_file("tree.toml", &factories)?.start(&bus).await?;
        Ok(tree)
    }
    let error = started(MessageBus::new()).await.unwrap_err().to_string();
    assert!(error.contains("tree.toml"), "{error}");
}

#[test]
fn the_tree_in_toml_is_correct_and_its_mistake_is_told_as_the_page_says() {
    let behind = "### Trees in TOML";
    let text = block(PAGE, behind, "toml");
    let _tree = Supervisor::from_toml(text, &factories()).unwrap();
    let mistaken = text.replace("actor = \"portfolio\"", "actor = \"portfolo\"");
    let error = Supervisor::from_toml(&mistaken, &factories()).unwrap_err().to_string();
    let shown = block(PAGE, behind, "text").trim_end().trim_start_matches("tree.toml: ");
    assert_eq!(error, shown);
}

#[test]
fn the_pool_in_toml_is_correct() {
    let text = format!("[tree]\nid = \"root\"\n{}", block(PAGE, "In TOML a pool", "toml"));
    let factories = Factories::new().pool("risk", || mycelium::pool::Pool::new(Risk::default));
    let _tree = Supervisor::from_toml(&text, &factories).unwrap();
}

mod program {
    use std::time::Duration;

    use super::*;

    /// Ends by itself.
    fn root() -> Builder {
        let done = Child::future("done", || async { Ok(()) });
        Supervisor::builder("root")
            .auto_shutdown(AutoShutdown::AnySignificant)
            .child(done.restart(mycelium::tree::Restart::Transient).significant(true))
    }

    #[tokio::main]
    pub(super) async fn main() -> MainResult<RunEnd> {
        let bus = MessageBus::new();
        Ok(root().run_until_signal(&bus, Duration::from_secs(10)).await?)
    }
}

pub(super) fn the_end_of_a_program() {
    assert_eq!(program::main().unwrap(), RunEnd::Finished);
}

#[test]
fn a_tree_in_an_isolate() -> Result {
    let mut isolate = Isolate::new(42);
    let root = Supervisor::builder("root").backoff(Backoff::default()).actor("parser", || Parser);
    let tree = isolate.supervise(&root)?;
    let parser = tree.lookup::<Parser>("root/parser").expect("it runs");
    isolate.tell(&parser, "not a number")?;
    isolate.tell(&parser, "7")?; // it waits in the mailbox
    isolate.run()?;
    assert_eq!(isolate.now().as_nanos(), 100_000_000, "the restart waited 100 ms of virtual time");
    assert_eq!(isolate.stats().dead_letters, 1);
    Ok(())
}

struct Quotes {
    calls: u32,
    price: Option<f64>,
}
#[service]
impl Quotes {
    async fn run(&mut self, ctx: &ServiceContext) -> Result {
        use std::time::Duration;
        let calls = &mut self.calls;
        let mut fetch = || {
            *calls += 1;
            let answer = if *calls < 3 { Err("connection refused") } else { Ok(1.5) };
            async move { answer }
        };

        let mut retry =
            Retry::new(RetryPolicy { deadline: Some(Duration::from_secs(3)), ..RetryPolicy::default() })?;
        let venue = CircuitBreaker::new("venue", BreakerPolicy::default())?;
        let clock = ctx.clock();
        let price = retry.run_if(&clock, || venue.call(&clock, fetch()), |error| !error.is_refused()).await?;

        self.price = Some(price);
        Ok(())
    }
}

#[test]
fn calls_to_the_outside() -> Result {
    let mut isolate = Isolate::new(42);
    let quotes = isolate.spawn_service(Quotes { calls: 0, price: None })?;
    isolate.run()?;
    assert_eq!(isolate.take_service(&quotes).and_then(|quotes| quotes.price), Some(1.5));
    Ok(())
}
