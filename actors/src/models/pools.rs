//! Pools that are resized while messages come.

use std::time::Duration;

use super::cast::{Log, Reader, Tick, Tock, below, bus, pause};
use super::explore;
use crate::pool::{Pool, PoolRef};
use crate::tree::Shutdown;
use crate::{MessageBus, Supervisor, TellError, Tree, rt};

/// Messages of each sender.
const NUMBERS: u32 = 3;

/// Who tells; each is a key.
const SENDERS: u32 = 3;

/// A pool of two, in a tree, whose workers write down what they have handled.
async fn start(log: &Log, keyed: bool) -> (MessageBus, Tree, PoolRef<Reader>) {
    let (bus, reader) = (bus(), Reader::new("reader", log));
    let pool = Pool::new(move || reader.clone()).workers(2);
    let pool = pool.each(|child| child.shutdown(Shutdown::Infinity));
    let pool = if keyed { pool.key(|tock: &Tock| u64::from(tock.0.from)) } else { pool };
    let pool = pool.supervisor("pool").intensity(1_000, Duration::from_secs(60));
    let tree = Supervisor::builder("root").supervisor(pool).start(&bus).await.unwrap();
    let pool = tree.lookup_pool("root/pool").unwrap();
    (bus, tree, pool)
}

/// Tells the pool what one sender has; how many messages were taken.
fn tell(pool: &PoolRef<Reader>, from: u32) -> impl Future<Output = u32> {
    let pool = pool.clone();
    let task = rt::spawn(async move {
        let mut taken = 0;
        for number in 0..NUMBERS {
            match pool.tell(Tock(Tick { from, number })).await {
                Ok(()) => taken += 1,
                // Its worker was killed and is not replaced yet.
                Err(TellError::Away(..) | TellError::Stopped(..)) => {}
                Err(error) => panic!("{error}"),
            }
        }
        taken
    });
    async { task.await.unwrap() }
}

/// Two resizes to any size, of which some are dropped at any moment.
fn resize(pool: &PoolRef<Reader>) -> impl Future<Output = ()> {
    let pool = pool.clone();
    let task = rt::spawn(async move {
        for _ in 0..2 {
            let size = 1 + below(3) as usize;
            let resized = pool.resize(size);
            match below(3) {
                // Not as chance will have it: a seed replays it.
                0 => tokio::select! {
                    biased;
                    resized = resized => resized.unwrap(),
                    () = pause(8) => {}
                },
                _ => resized.await.unwrap(),
            }
        }
    });
    async { task.await.unwrap() }
}

/// By key nothing is lost, nothing comes twice, and what one sender tells is handled in order, whatever
/// resizes there are, and whichever of them are dropped.
#[test]
fn shuttle_a_pool_is_resized_while_messages_come_by_key() {
    explore(|| async {
        let log = Log::default();
        let (bus, tree, pool) = start(&log, true).await;
        let tellers: Vec<_> = (0..SENDERS).map(|from| tell(&pool, from)).collect();
        resize(&pool).await;
        for teller in tellers {
            assert_eq!(teller.await, NUMBERS);
        }
        pool.flush().await.unwrap();
        log.check_complete("reader told", 0..SENDERS, NUMBERS);
        tree.shutdown().await.unwrap();
        let letters = bus.dead_letters();
        assert_eq!(letters.in_hand + letters.waiting, 0, "{letters:?}");
    });
}

/// Without keys whoever waits for room is woken, whichever worker has it.
#[test]
fn shuttle_a_pool_without_keys_is_resized_while_messages_come() {
    explore(|| async {
        let log = Log::default();
        let (bus, tree, pool) = start(&log, false).await;
        let tellers: Vec<_> = (0..SENDERS).map(|from| tell(&pool, from)).collect();
        resize(&pool).await;
        for teller in tellers {
            assert_eq!(teller.await, NUMBERS);
        }
        pool.stop_gracefully().await.unwrap();
        assert_eq!(log.count("reader told"), (SENDERS * NUMBERS) as usize);
        tree.shutdown().await.unwrap();
        let letters = bus.dead_letters();
        assert_eq!(letters.in_hand + letters.waiting, 0, "{letters:?}");
    });
}

/// A worker is killed at any moment of a resize: each message that was taken is handled or counted, and what
/// is handled of one sender is in order.
#[test]
fn shuttle_a_worker_is_killed_while_its_pool_is_resized() {
    explore(kill_and_resize);
}

pub(super) async fn kill_and_resize() {
    let log = Log::default();
    let (bus, tree, pool) = start(&log, true).await;
    let tellers: Vec<_> = (0..SENDERS).map(|from| tell(&pool, from)).collect();
    let resized = resize(&pool);
    pause(6).await;
    let workers = pool.workers();
    workers[below(u32::try_from(workers.len()).unwrap()) as usize].kill();
    resized.await;
    let mut taken = 0;
    for teller in tellers {
        taken += u64::from(teller.await);
    }
    pool.flush().await.unwrap();
    tree.shutdown().await.unwrap();
    bus.shutdown().await.unwrap();
    log.check_order("reader told", 0..SENDERS, true);
    let letters = bus.dead_letters();
    let handled = log.count("reader told") as u64;
    assert_eq!(handled + letters.in_hand + letters.waiting, taken, "{letters:?}");
}
