//! One publisher, many actors: each subscriber receives everything, at its own pace and by its own policy.

use mycelium::{Isolate, Result, actor};

use crate::Quote;

#[derive(Default)]
struct Journal(Vec<i64>);

#[actor]
impl Journal {
    #[on] // loses nothing: the publisher waits for it
    fn quote(&mut self, quote: &Quote) {
        self.0.push(quote.ticks);
    }
}

#[derive(Default)]
struct Screen(i64);

#[actor]
impl Screen {
    #[on(policy = drop_oldest, capacity = 16)] // nobody waits for it
    fn quote(&mut self, quote: &Quote) {
        self.0 = quote.ticks;
    }
}

pub(crate) async fn run() -> Result {
    let mut isolate = Isolate::new(1);
    let (journal, screen) = (isolate.spawn(Journal::default())?, isolate.spawn(Screen::default())?);
    for ticks in 1..=100 {
        isolate.publish(Quote { symbol: 1, ticks })?;
    }
    isolate.run()?;
    assert_eq!(isolate.with(&journal, |journal| journal.0.len()), Some(100));
    assert_eq!(isolate.with(&screen, |screen| screen.0), Some(100));
    Ok(())
}
