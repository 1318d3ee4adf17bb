//! What lies between two buses: a relay of TCP that cuts, delays, corrupts and swallows.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mycelium_random::Random;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// How often something happens, in pieces of ten thousand.
#[derive(Clone, Copy, Default)]
pub(crate) struct Faults {
    /// The connection ends, at any byte.
    pub cut: u64,
    /// The same, by a reset.
    pub reset: u64,
    /// A bit is another one.
    pub corrupt: u64,
    /// A piece is late, by 200 ms at most.
    pub delay: u64,
    /// A piece goes byte by byte.
    pub bytes: u64,
    /// From here on nothing arrives, and nobody is told. At most so many times in all.
    pub swallow: u64,
    pub swallowed_max: u64,
}

/// A relay, until it is dropped.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

struct Shared {
    target: String,
    random: Mutex<Random>,
    faults: Faults,
    /// No more faults.
    healed: AtomicBool,
    connections: AtomicU64,
    happened: AtomicU64,
    swallowed: AtomicU64,
    cut: Notify,
}

impl Proxy {
    pub(crate) async fn new(target: &str, random: Random, faults: Faults) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            target: target.to_owned(),
            random: Mutex::new(random),
            faults,
            healed: AtomicBool::new(false),
            connections: AtomicU64::new(0),
            happened: AtomicU64::new(0),
            swallowed: AtomicU64::new(0),
            cut: Notify::new(),
        });
        let relay = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                relay.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(run(Arc::clone(&relay), near));
            }
        });
        Self { address, shared, task }
    }

    /// Nothing goes wrong any more.
    pub(crate) fn heal(&self) {
        self.shared.healed.store(true, Ordering::SeqCst);
    }

    /// Cuts all connections that there are.
    pub(crate) fn cut(&self) {
        self.shared.cut.notify_waiters();
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How much went wrong.
    pub(crate) fn happened(&self) -> u64 {
        self.shared.happened.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(shared: Arc<Shared>, near: TcpStream) {
    let Ok(far) = TcpStream::connect(&shared.target).await else { return };
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let cut = shared.cut.notified();
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    tokio::select! {
        () = pump(&shared, near_in, far_out) => {}
        () = pump(&shared, far_in, near_out) => {}
        () = cut => {}
    }
}

/// Relays one direction until something ends it.
async fn pump(shared: &Shared, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let mut buffer = [0; 8_192];
    loop {
        let most = shared.draw(|random| 1 + random.index(8_192));
        let count = match from.read(&mut buffer[..most]).await {
            Ok(0) | Err(_) => return,
            Ok(count) => count,
        };
        let mut piece = &mut buffer[..count];
        let f = shared.faults;
        if shared.happens(f.delay) {
            let time = shared.draw(|random| random.below(200));
            tokio::time::sleep(Duration::from_millis(time)).await;
        }
        if shared.happens(f.corrupt) {
            let (at, bit) = shared.draw(|random| (random.index(count), random.below(8)));
            piece[at] ^= 1 << bit;
        }
        let (cut, reset) = (shared.happens(f.cut), shared.happens(f.reset));
        if cut || reset {
            let at = shared.draw(|random| random.index(count + 1));
            piece = &mut piece[..at];
        }
        if shared.happens(f.bytes) {
            for byte in piece.iter() {
                if to.write_all(std::slice::from_ref(byte)).await.is_err() {
                    return;
                }
            }
        } else if to.write_all(piece).await.is_err() {
            return;
        }
        if reset {
            let _ = to.as_ref().set_zero_linger();
        }
        if cut || reset {
            return;
        }
        let before = shared.swallowed.load(Ordering::SeqCst);
        if before < f.swallowed_max && shared.happens(f.swallow) {
            shared.swallowed.fetch_add(1, Ordering::SeqCst);
            std::future::pending::<()>().await;
        }
    }
}

impl Shared {
    fn draw<T>(&self, draw: impl FnOnce(&mut Random) -> T) -> T {
        draw(&mut self.random.lock().unwrap())
    }

    fn happens(&self, of_ten_thousand: u64) -> bool {
        let happens = !self.healed.load(Ordering::SeqCst)
            && of_ten_thousand > 0
            && self.draw(|random| random.below(10_000)) < of_ten_thousand;
        self.happened.fetch_add(u64::from(happens), Ordering::SeqCst);
        happens
    }
}
