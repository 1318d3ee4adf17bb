//! A contract, its values, and what tests wait with.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mycelium_hosted::{Encoded, Runtime, RuntimeBuilder};

pub(crate) const TABLE: &str = "mycelium contract 1
schema acme.trading 1
message Tick 7 1 ticks
field price 1 i64
message Grown 8 2 grown
field a 1 i64
field b 2 i64
message News 9 1 news
field text 1 String
message Ask 10 1 asks
field n 1 i64
";

/// How long a test waits before it gives up (a watchdog).
pub(crate) const WATCHDOG: Duration = Duration::from_secs(60);

pub(crate) fn builder() -> RuntimeBuilder {
    Runtime::builder().contract_text(TABLE, "test").unwrap()
}

pub(crate) fn runtime() -> Runtime {
    builder().start().unwrap()
}

pub(crate) fn tick(price: i64) -> [u8; 8] {
    price.to_le_bytes()
}

pub(crate) fn price(bytes: &[u8]) -> i64 {
    i64::from_le_bytes(bytes.try_into().unwrap())
}

pub(crate) fn encoded(runtime: &Runtime, type_id: u16, bytes: &[u8]) -> Encoded {
    Encoded { header: runtime.known().get(type_id).unwrap().header(), bytes: bytes.to_vec() }
}

pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < WATCHDOG, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// What several threads write down.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn add(&self, words: impl Into<String>) {
        self.0.lock().unwrap().push(words.into());
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    pub(crate) fn wait_for(&self, words: &str) {
        until(words, || self.all().iter().any(|other| other == words));
    }
}
