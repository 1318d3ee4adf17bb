//! Stop calling what is down, and try it again after a while.

use mycelium::resilience::{BreakerPolicy, BreakerState, CircuitBreaker};
use mycelium::{MessageBus, Result};

pub(crate) async fn run() -> Result {
    let clock = MessageBus::new().clock();
    let policy = BreakerPolicy { calls_min: 2, ..BreakerPolicy::default() };
    let venue = CircuitBreaker::new("venue", policy)?; // clones share it: give one to each actor that calls
    for _ in 0..2 {
        let failed = venue.call(&clock, async { Err::<(), _>("connection refused") }).await;
        assert!(failed.is_err());
    }
    assert!(matches!(venue.state(), BreakerState::Open { .. }));
    let refused = venue.call(&clock, async { Ok::<_, &str>(()) }).await.unwrap_err();
    assert!(refused.is_refused(), "it was not called");
    println!("{refused}");
    Ok(())
}
