//! Calls from runtimes that have no timers.

#![allow(missing_docs)]

use std::time::Duration;

use mycelium::{Actor, AskError, BoxError, Context, MessageBus, Responder};
use tokio::runtime::Builder;

struct Other;
impl Actor for Other {
    type Error = BoxError;
}

/// Answers, or never does.
struct Query(bool);
impl Responder<Query> for Other {
    type Reply = u32;
    async fn answer(&mut self, query: &Query, _: &mut Context<Self>) -> u32 {
        if !query.0 {
            std::future::pending::<()>().await;
        }
        7
    }
}

#[test]
fn a_deadline_counts_for_who_asks_on_a_runtime_without_timers() {
    let with_timers = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let bus = MessageBus::builder().runtime(with_timers.handle().clone()).build();
    let other = bus.spawn(Other).unwrap();
    let without = Builder::new_current_thread().build().unwrap();
    without.block_on(async {
        assert_eq!(other.ask_within(Query(true), Duration::from_secs(60)).await, Ok(7));
        assert!(matches!(
            other.ask_within(Query(false), Duration::from_millis(5)).await,
            Err(AskError::Timeout(_))
        ));
    });
}
