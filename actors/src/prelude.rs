//! The names that nearly every program uses: `use mycelium::prelude::*`.
//!
//! ```
//! use mycelium::prelude::*;
//!
//! struct Sum(u64);
//!
//! #[actor]
//! impl Sum {
//!     #[on(direct)]
//!     fn add(&mut self, number: &u64) {
//!         self.0 += number;
//!     }
//! }
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> MainResult {
//!     let bus = MessageBus::new();
//!     bus.spawn(Sum(0))?.tell(7).await?;
//!     bus.shutdown().await?;
//!     Ok(())
//! }
//! ```

pub use crate::{
    Actor, ActorRef, BoxError, Context, Handler, Isolate, MainResult, Message, MessageBus, Publisher,
    Responder, Result, RunEnd, Service, ServiceContext, Subscriber, Subscription, Subscriptions, Supervisor,
    Timestamp, actor, service,
};
