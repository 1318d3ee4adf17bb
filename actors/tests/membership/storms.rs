//! Whatever happens to a pool, in any order.

use std::collections::BTreeMap;

use mycelium::TellError;
use mycelium::pool::PoolRef;
use mycelium::tree::Child;
use mycelium_random::{Random, seeds};

use crate::cast::{Bad, Job, MILLISECOND, Setup, Shared, Worker, describe, start};
use crate::common::{PERIOD, Tick, at_once};
use crate::host::Host;

/// How many messages of each key have been taken.
struct Sent {
    next: BTreeMap<u64, u64>,
    taken: u64,
}

impl Sent {
    fn some<H: Host>(&mut self, host: &mut H, setup: &Setup, random: &mut Random) {
        for _ in 0..random.below(20) {
            let key = random.below(9);
            let number = self.next.entry(key).or_default();
            let told = match random.chance(50) {
                true => setup.pool.try_tell(Job { key, number: *number }),
                false => host.wait(setup.pool.tell(Job { key, number: *number })),
            };
            match told {
                Ok(()) => self.taken += 1,
                Err(TellError::Away(..) | TellError::Stopped(..)) => {}
                Err(error) => panic!("{error}"),
            }
            *number += 1;
        }
    }
}

fn happen<H: Host>(host: &mut H, setup: &Setup, random: &mut Random) {
    let Setup { pool, tree, .. } = setup;
    let worker = format!("root/pool/worker-{}", 1 + random.below(5));
    match random.below(10) {
        0 | 1 => drop(host.wait(pool.resize(1 + random.index(5)))),
        // Waited for by nobody.
        2 | 3 => {
            let size = 1 + random.index(5);
            host.wait(async { drop(at_once(pool.resize(size))) });
        }
        4 => {
            let workers = pool.workers();
            workers[random.index(workers.len())].kill();
        }
        5 => drop(host.terminate_child(tree, &worker)),
        6 => drop(host.restart_child(tree, &worker)),
        7 => {
            if let Some(bad) = host.child::<Bad>(tree, "root/pool/bad") {
                // It may be away.
                let _ = host.try_tell(&bad, Tick(0));
            }
        }
        8 => host.wait(async { drop(at_once(pool.flush())) }),
        _ => drop(host.wait(pool.flush())),
    }
    if random.chance(50) {
        host.advance(MILLISECOND);
    }
}

/// Its supervisor may be about to be restarted still, and refuses until it is.
fn resized<H: Host>(host: &mut H, pool: &PoolRef<Worker>, size: usize) {
    for _ in 0..1_000 {
        match host.wait(pool.resize(size)) {
            Ok(()) => return,
            Err(error) if format!("{error:?}").contains("Stopping") => host.advance(MILLISECOND),
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the pool does not come back");
}

conformance!(whatever_happens_each_message_is_handled_or_counted_and_the_pool_goes_on);
fn whatever_happens_each_message_is_handled_or_counted_and_the_pool_goes_on<H: Host>() {
    for seed in seeds(8) {
        let (mut random, keyed) = (Random::new(seed), seed % 3 != 0);
        let (mut host, shared) = (H::new(), Shared::default());
        // Half of them are restarted as a whole when anybody fails.
        let intensity = if random.chance(50) { 0 } else { 1_000 };
        let described = describe(&shared, 1 + random.index(3), keyed).supervisor("pool");
        let described = described.intensity(intensity, PERIOD).child(Child::actor("bad", || Bad));
        let setup = start(&mut host, shared, described);
        let mut sent = Sent { next: BTreeMap::new(), taken: 0 };
        for _ in 0..80 {
            sent.some(&mut host, &setup, &mut random);
            happen(&mut host, &setup, &mut random);
        }
        let Setup { pool, tree, shared } = &setup;
        host.advance(5 * MILLISECOND);
        // All that were taken away come back.
        for number in 1..=5 {
            drop(host.restart_child(tree, &format!("root/pool/worker-{number}")));
        }
        resized(&mut host, pool, 4);
        resized(&mut host, pool, 2);
        assert_eq!(host.wait(pool.flush()), Ok(()), "seed {seed}");
        assert_eq!(host.count_children(tree, "root/pool").unwrap().active, 3, "seed {seed}");
        let (handled, dead) = (shared.len() as u64, host.letters().dead);
        // The messages to `bad` are in hand when it fails.
        let failed = host.dead_letters().in_hand;
        assert!(handled + dead >= sent.taken && handled + dead - failed <= sent.taken, "seed {seed}");
        if keyed {
            shared.in_order();
        }
        for key in 0..40 {
            host.wait(pool.tell(Job { key: 100 + key, number: 0 })).unwrap();
        }
        assert_eq!(host.wait(pool.stop_gracefully()), Ok(()), "seed {seed}");
        assert_eq!(shared.len() as u64, handled + 40, "seed {seed}");
        setup.part();
    }
}
