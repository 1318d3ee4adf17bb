//! A message of which no copy should be made.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mycelium::Message;

/// Counts how often it is cloned.
#[derive(Debug)]
pub struct Costly(pub u64, pub Arc<AtomicUsize>);
impl Clone for Costly {
    fn clone(&self) -> Self {
        self.1.fetch_add(1, Ordering::SeqCst);
        Self(self.0, Arc::clone(&self.1))
    }
}
impl Message for Costly {
    const NAME: &'static str = "Costly";
    const TYPE_ID: u16 = 9;
    const TOPIC: &'static str = "costly";
}
