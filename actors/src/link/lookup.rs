//! The addresses of a host that is dialed by its name.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use crate::sync::oneshot;

/// What a thread has found.
type FoundAddresses = io::Result<Vec<SocketAddr>>;

/// Looks the name of one host up, again for each attempt to dial it. The system may take long, and has no way
/// to give it up, so one thread looks at a time: an attempt that comes meanwhile waits for the same answer.
pub(super) struct HostLookup {
    look: fn(&str) -> FoundAddresses,
    /// The lookup that goes on.
    going_on: Option<oneshot::Receiver<FoundAddresses>>,
}

impl Default for HostLookup {
    fn default() -> Self {
        Self::by(|name| name.to_socket_addrs().map(Iterator::collect))
    }
}

impl HostLookup {
    /// One that asks `look`, on a thread of its own.
    pub(super) fn by(look: fn(&str) -> FoundAddresses) -> Self {
        Self { look, going_on: None }
    }

    /// The addresses of `text`, the same in each call. No end of a program waits for them: a runtime that
    /// goes down would wait for a thread of its own pool.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the lookup goes on, and the next call has its answer.
    pub(super) async fn find(&mut self, text: &str) -> FoundAddresses {
        if let Ok(address) = text.parse() {
            return Ok(vec![address]);
        }
        let told = match &mut self.going_on {
            Some(told) => told,
            none => none.insert(begin(self.look, text.to_owned())?),
        };
        let found = told.await;
        self.going_on = None;
        found.unwrap_or_else(|_| Err(io::Error::other("the thread that looks names up has ended")))
    }
}

fn begin(look: fn(&str) -> FoundAddresses, name: String) -> io::Result<oneshot::Receiver<FoundAddresses>> {
    let (tell, told) = oneshot::channel();
    let looks = move || {
        // Whoever asked may have gone.
        let _unheard = tell.send(look(&name));
    };
    std::thread::Builder::new().name("lookup".to_owned()).spawn(looks)?;
    Ok(told)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn attempts_that_time_out_share_one_lookup_and_the_next_one_looks_again() {
        static LOOKS: AtomicU32 = AtomicU32::new(0);
        static ANSWERS: AtomicBool = AtomicBool::new(false);
        let look = |name: &str| {
            let port = 1 + LOOKS.fetch_add(1, Ordering::SeqCst) as u16;
            while !ANSWERS.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(1));
            }
            assert_eq!(name, "desk.example:7000");
            Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))])
        };
        let mut lookup = HostLookup::by(look);
        for _ in 0..5 {
            let attempt = lookup.find("desk.example:7000");
            assert!(tokio::time::timeout(Duration::from_millis(5), attempt).await.is_err());
        }
        ANSWERS.store(true, Ordering::SeqCst);
        for port in [1, 2] {
            let found = lookup.find("desk.example:7000").await.unwrap();
            assert_eq!(found, [SocketAddr::from(([127, 0, 0, 1], port))]);
        }
        assert_eq!(LOOKS.load(Ordering::SeqCst), 2);
        assert_eq!(lookup.find("127.0.0.1:7").await.unwrap().len(), 1, "an address is not looked up");
    }
}
