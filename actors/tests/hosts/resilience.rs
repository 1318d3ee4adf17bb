//! Retries and timeouts of calls to the outside wait on the clock of the host.

use std::sync::Arc;
use std::time::Duration;

use mycelium::rand_core::Rng;
use mycelium::resilience::{Backoff, Retry, RetryPolicy, timeout};
use mycelium::{Actor, BoxError, Context, Handler};

use crate::host::{Diary, Host};

const MS: fn(u64) -> Duration = Duration::from_millis;

/// Calls something that is down, and something that never answers.
struct Client {
    diary: Diary,
    witness: Arc<()>,
}
impl Actor for Client {
    type Error = BoxError;
}

/// Tries it again.
struct Call;
impl Handler<Call> for Client {
    async fn handle(&mut self, _: &Call, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        let backoff =
            Backoff { initial: MS(10), multiplier: 2.0, cap: MS(1_000), jitter: 0.0, reset_after: MS(1) };
        let policy = RetryPolicy { backoff, seed: ctx.random().next_u64(), ..Default::default() };
        let clock = ctx.clock();
        let attempt = || {
            self.diary.note(clock.now(), "attempt");
            async { Err::<(), _>("down") }
        };
        let error = Retry::new(policy)?.run(&clock, attempt).await.unwrap_err().to_string();
        assert!(error.contains("gave up after 4 attempts") && error.contains("down"), "{error}");
        self.diary.note(clock.now(), "gave up");
        Ok(())
    }
}

conformance!(a_handler_retries_on_the_clock_of_its_host);
fn a_handler_retries_on_the_clock_of_its_host<H: Host>() {
    let mut host = H::new();
    let diary = host.diary();
    let client = host.spawn(Client { diary: diary.clone(), witness: Arc::default() }).unwrap();
    host.tell(&client, Call).unwrap();
    host.has_heard(&diary, &["0 attempt", "10 attempt", "30 attempt", "70 attempt", "70 gave up"]);
}

/// Waits no longer than so many milliseconds.
struct Wait(u64);
impl Handler<Wait> for Client {
    async fn handle(&mut self, wait: &Wait, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        let (clock, held) = (ctx.clock(), Arc::clone(&self.witness));
        let hang = async move {
            let _held = held;
            std::future::pending::<()>().await;
        };
        assert_eq!(timeout(&clock, MS(wait.0), hang).await.unwrap_err().limit, MS(wait.0));
        assert_eq!(Arc::strong_count(&self.witness), 1, "it was dropped");
        assert_eq!(timeout(&clock, Duration::ZERO, async { 7 }).await, Ok(7), "what is ready is in time");
        self.diary.note(clock.now(), "went on");
        Ok(())
    }
}

conformance!(a_timeout_drops_what_takes_too_long);
fn a_timeout_drops_what_takes_too_long<H: Host>() {
    let mut host = H::new();
    let diary = host.diary();
    let client = host.spawn(Client { diary: diary.clone(), witness: Arc::default() }).unwrap();
    for limit in [20, 5] {
        host.tell(&client, Wait(limit)).unwrap();
    }
    host.has_heard(&diary, &["20 went on", "25 went on"]);
}
