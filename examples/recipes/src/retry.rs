//! Retry calls that fail now and then, with backoff and a maximum number of attempts.

use std::time::Duration;

use mycelium::resilience::{Retry, RetryPolicy};
use mycelium::{Isolate, Result, ServiceContext, service};

struct Login {
    refusals: u32,
}

#[service]
impl Login {
    async fn run(&mut self, ctx: &ServiceContext) -> Result {
        let clock = ctx.clock(); // the bus's: real time live, virtual time in an isolate
        let mut retry = Retry::new(RetryPolicy { attempts_max: 5, ..RetryPolicy::default() })?;
        let refusals = &mut self.refusals;
        let connect = || {
            let refused = *refusals > 0;
            *refusals = refusals.saturating_sub(1);
            async move { if refused { Err("connection refused") } else { Ok(()) } }
        };
        retry.run(&clock, connect).await?;
        Ok(())
    }
}

pub(crate) async fn run() -> Result {
    let mut isolate = Isolate::new(1);
    let login = isolate.spawn_service(Login { refusals: 3 })?;
    let stats = isolate.run()?; // the waits between attempts pass at once
    assert!(stats.now.as_nanos() > 0);
    assert_eq!(isolate.take_service(&login).map(|login| login.refusals), Some(0));
    println!("logged in after {:?}", Duration::from_nanos(stats.now.as_nanos().unsigned_abs()));
    Ok(())
}
