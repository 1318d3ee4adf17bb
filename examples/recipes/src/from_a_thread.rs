//! Publish from code that is not async: a thread of a driver, a callback of a library.

use mycelium::{MessageBus, Result};

use crate::Quote;

pub(crate) async fn run() -> Result {
    let bus = MessageBus::new();
    let mut screen = bus.subscriber::<Quote>()?;
    let quotes = bus.publisher::<Quote>()?;
    let driver = std::thread::spawn(move || {
        for ticks in 1..=3 {
            quotes.publish_blocking(Quote { symbol: 1, ticks })?; // waits on this thread while there is no room
        }
        Ok::<_, mycelium::PublishError<Quote>>(())
    });
    for ticks in 1..=3 {
        assert_eq!(screen.recv().await.as_deref(), Some(&Quote { symbol: 1, ticks }));
    }
    driver.join().map_err(|_| "the driver panicked")??;
    Ok(bus.shutdown().await?)
}
