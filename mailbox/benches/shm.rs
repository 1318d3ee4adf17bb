//! The ring between processes beside a bare ring for one writer and one reader, 64 bytes, in one run.
//!
//! ```text
//! cargo bench -p mycelium-mailbox --bench shm             # a table with ratios: best and median of the rounds
//! cargo bench -p mycelium-mailbox --bench shm -- count    # one thread, for counting instructions with callgrind
//! ```
//!
//! Threads take the part of processes: each maps the segment for itself, and the memory does not know the
//! difference. The bare ring has slots of 64 bytes, no header, and a reader that looks at the writer's
//! position once for all that is there. Both publish each message by itself.

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

#[cfg(target_os = "linux")]
mod linux {
    use std::hint::{black_box, spin_loop};
    use std::os::fd::AsFd;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::{Duration, Instant};

    use mycelium_mailbox::shm::{
        ShmAccess, ShmMode, ShmReader, ShmSegment, ShmSendError, ShmWaited, ShmWriter,
    };

    const CAPACITY: u64 = 1 << 20;
    const MESSAGES: u64 = 500_000;
    /// So many in a row are timed: several times what a ring holds.
    const ROW: u64 = 100_000;
    const TURNS: usize = 2_000;
    const ROUNDS: usize = 5;
    const SPIN: Duration = Duration::from_micros(50);
    const LONG: Duration = Duration::from_secs(60);
    const WORDS: usize = 8;

    /// What one side of a ring does.
    trait Sends: Send {
        fn send(&mut self, n: u64);
    }
    trait Receives: Send {
        /// Hands out what is there, up to `most`, after waiting until something is.
        fn receive(&mut self, most: u64, see: &mut dyn FnMut(u64)) -> u64;
    }

    /// Spins, and from time to time lets the other thread have the processor.
    fn pause(spins: &mut u32) {
        *spins += 1;
        if (*spins).is_multiple_of(4_096) { std::thread::yield_now() } else { spin_loop() }
    }

    #[repr(align(128))]
    struct Line(AtomicU64);

    struct Bare {
        tail: Line,
        head: Line,
        slots: Vec<[AtomicU64; WORDS]>,
    }
    struct BareWriter(Arc<Bare>, u64, u64);
    struct BareReader(Arc<Bare>, u64, u64);

    fn bare() -> (Box<dyn Sends>, Vec<Box<dyn Receives>>) {
        let slots = (0..CAPACITY / 64).map(|_| Default::default()).collect();
        let ring = Arc::new(Bare { tail: Line(0.into()), head: Line(0.into()), slots });
        (Box::new(BareWriter(Arc::clone(&ring), 0, 0)), vec![Box::new(BareReader(ring, 0, 0))])
    }

    impl Sends for BareWriter {
        fn send(&mut self, n: u64) {
            let Self(ring, at, head) = self;
            let mut spins = 0;
            while *at - *head == ring.slots.len() as u64 {
                *head = ring.head.0.load(Ordering::Acquire);
                pause(&mut spins);
            }
            let slot = &ring.slots[(*at as usize) & (ring.slots.len() - 1)];
            slot.iter().for_each(|word| word.store(n, Ordering::Relaxed));
            *at += 1;
            ring.tail.0.store(*at, Ordering::Release);
        }
    }

    impl Receives for BareReader {
        fn receive(&mut self, most: u64, see: &mut dyn FnMut(u64)) -> u64 {
            let Self(ring, at, tail) = self;
            let mut spins = 0;
            while *at == *tail {
                *tail = ring.tail.0.load(Ordering::Acquire);
                pause(&mut spins);
            }
            let until = (*tail).min(at.saturating_add(most));
            let count = until - *at;
            while *at < until {
                let slot = &ring.slots[(*at as usize) & (ring.slots.len() - 1)];
                let copy: [u64; WORDS] = std::array::from_fn(|word| slot[word].load(Ordering::Relaxed));
                see(black_box(copy)[WORDS - 1]);
                *at += 1;
            }
            ring.head.0.store(*at, Ordering::Release);
            count
        }
    }

    struct Writer(ShmWriter);
    struct Reader(ShmReader);

    fn ours(access: ShmAccess, modes: &[ShmMode]) -> (Box<dyn Sends>, Vec<Box<dyn Receives>>) {
        let segment = ShmSegment::create(CAPACITY).expect("memory");
        let reader = |mode: &ShmMode| -> Box<dyn Receives> {
            let fd = segment.as_fd().try_clone_to_owned().expect("a descriptor");
            let mapped = ShmSegment::from_fd(fd, 2 * CAPACITY).expect("a segment");
            Box::new(Reader(mapped.reader(*mode).expect("a place")))
        };
        let readers = modes.iter().map(reader).collect();
        (Box::new(Writer(segment.writer(access).expect("a place"))), readers)
    }

    impl Sends for Writer {
        fn send(&mut self, n: u64) {
            let message = [n.to_le_bytes(); WORDS];
            loop {
                match self.0.send(message.as_flattened()) {
                    Ok(()) => return,
                    Err(ShmSendError::Full { .. }) => assert!(self.0.wait_room(64, SPIN, LONG)),
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }

    impl Receives for Reader {
        fn receive(&mut self, most: u64, see: &mut dyn FnMut(u64)) -> u64 {
            assert_eq!(self.0.wait(SPIN, LONG), ShmWaited::Ready);
            let mut count = 0;
            while count < most
                && let Some(message) = self.0.read().expect("whole")
            {
                see(u64::from_le_bytes(*message.last_chunk().expect("64 bytes")));
                count += 1;
            }
            count
        }
    }

    /// Nanoseconds for each message of the quickest row that the writer has sent, so that a time in which one
    /// of the threads had no processor is left out.
    fn throughput((mut writer, readers): Ring) -> f64 {
        std::thread::scope(|scope| {
            for mut reader in readers {
                scope.spawn(move || {
                    let mut next = 0;
                    while next < MESSAGES {
                        reader.receive(u64::MAX, &mut |n| {
                            assert_eq!(n, next);
                            next += 1;
                        });
                    }
                });
            }
            let mut row = |first: u64| {
                let began = Instant::now();
                (first..first + ROW).for_each(|n| writer.send(n));
                began.elapsed().as_nanos() as f64 / ROW as f64
            };
            (0..MESSAGES / ROW).map(|number| row(number * ROW)).fold(f64::INFINITY, f64::min)
        })
    }

    type Ring = (Box<dyn Sends>, Vec<Box<dyn Receives>>);

    /// Half of a round trip, in nanoseconds: one that is quicker than nine of ten, because both threads have
    /// to have a processor.
    fn one_way((mut there, mut heard_there): Ring, (mut back, mut heard_back): Ring) -> f64 {
        let mut trips = Vec::with_capacity(TURNS);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for _ in 0..TURNS {
                    heard_there[0].receive(1, &mut |n| back.send(n));
                }
            });
            for n in 0..TURNS as u64 {
                let began = Instant::now();
                there.send(n);
                heard_back[0].receive(1, &mut |heard| assert_eq!(heard, n));
                trips.push(began.elapsed().as_nanos() as f64 / 2.0);
            }
        });
        trips.sort_by(f64::total_cmp);
        trips[trips.len() / 10]
    }

    fn median(samples: &mut [f64]) -> f64 {
        samples.sort_by(f64::total_cmp);
        samples[samples.len() / 2]
    }

    type Contender = (&'static str, fn() -> f64);

    /// The first one is what the others are compared with.
    fn contest(what: &str, contenders: &[Contender]) {
        let mut samples = vec![Vec::new(); contenders.len()];
        for round in 0..=ROUNDS {
            for ((_, run), samples) in contenders.iter().zip(&mut samples) {
                let figure = run();
                if round > 0 {
                    samples.push(figure);
                }
            }
        }
        println!("\n{what}, ns: best, median, and their ratios to the first");
        let all: Vec<[f64; 2]> = samples
            .iter_mut()
            .map(|samples| [median(samples), samples[0]])
            .map(|[median, best]| [best, median])
            .collect();
        for ((name, _), [best, median]) in contenders.iter().zip(&all) {
            println!(
                "  {name:<44} {best:>8.1} {median:>8.1} {:>6.2}x {:>6.2}x",
                best / all[0][0],
                median / all[0][1]
            );
        }
    }

    const BLOCK: ShmMode = ShmMode::Block;

    fn alone(access: ShmAccess) -> Ring {
        ours(access, &[BLOCK])
    }

    pub(super) fn main() {
        if std::env::args().any(|arg| arg == "count") {
            return count();
        }
        contest(
            "throughput, 64 B, per message",
            &[
                ("bare ring, 1 to 1", || throughput(bare())),
                ("1 to 1", || throughput(alone(ShmAccess::Sole))),
                ("1 to 1, the writer shares the ring", || throughput(alone(ShmAccess::Shared))),
            ],
        );
        contest(
            "throughput, 64 B, per message",
            &[
                ("1 to 1", || throughput(alone(ShmAccess::Sole))),
                ("1 to 4", || throughput(ours(ShmAccess::Sole, &[BLOCK; 4]))),
            ],
        );
        contest(
            "one way, 64 B, half a round trip, 10th percentile",
            &[
                ("bare ring", || one_way(bare(), bare())),
                ("ours", || one_way(alone(ShmAccess::Sole), alone(ShmAccess::Sole))),
            ],
        );
    }

    /// A million messages through each on one thread: to be run under callgrind.
    fn count() {
        for (name, (mut writer, mut readers)) in [("bare", bare()), ("ours", alone(ShmAccess::Sole))] {
            let mut next = 0;
            for n in 0..1_000_000 {
                writer.send(n);
                if n % 64 == 63 {
                    readers[0].receive(u64::MAX, &mut |n| {
                        assert_eq!(n, next);
                        next += 1;
                    });
                }
            }
            assert_eq!(next, 1_000_000, "{name}");
        }
    }
}
