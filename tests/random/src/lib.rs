//! Chance for tests: all that a random test draws follows from one seed, which it prints and can be given
//! again.
//!
//! `MYCELIUM_SEED=n` replays a run; `MYCELIUM_CASES=n` sets the length of a test that takes it from [`cases`]
//! or [`seeds`].
#![forbid(unsafe_code)]

use std::net::TcpListener;
use std::time::UNIX_EPOCH;

/// `SplitMix64`: small, and the same numbers for a seed on every machine. Written here once more, because the
/// tests of `mailbox`, which knows no other crate of the framework, draw from it too.
///
/// ```
/// use mycelium_random::Random;
///
/// let (mut one, mut other) = (Random::new(7), Random::new(7));
/// assert_eq!(one.pick(&["a", "b", "c"]), other.pick(&["a", "b", "c"]));
/// ```
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator whose numbers follow from `seed` alone.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    ///
    /// # Panics
    /// `bound` is zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next_u64() % bound
    }

    /// An index into something of this length.
    ///
    /// # Panics
    /// `len` is zero.
    pub fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// Whether something happens that happens in so many of a hundred cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of these, each as likely as the others.
    ///
    /// # Panics
    /// There is none.
    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.index(from.len())].clone()
    }

    /// So many random bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next_u64() as u8).collect()
    }
}

/// The seed of this run, printed so that a failure can be replayed: `MYCELIUM_SEED`, or else drawn from the
/// clock.
///
/// # Panics
/// `MYCELIUM_SEED` is no number.
#[must_use]
pub fn seed() -> u64 {
    let drawn = || UNIX_EPOCH.elapsed().map_or(1, |elapsed| elapsed.as_nanos() as u64);
    let seed = number("MYCELIUM_SEED").unwrap_or_else(drawn);
    println!("replay with MYCELIUM_SEED={seed}");
    seed
}

/// How many cases a test tries: `MYCELIUM_CASES`, or else as many as `usual`.
///
/// # Panics
/// `MYCELIUM_CASES` is no number.
#[must_use]
pub fn cases(usual: u64) -> u64 {
    number("MYCELIUM_CASES").unwrap_or(usual)
}

/// A seed for each case of a test ([`cases`]), printed before the case so that a failure is replayed alone.
///
/// # Panics
/// `MYCELIUM_SEED` or `MYCELIUM_CASES` is no number.
pub fn seeds(usual: u64) -> impl Iterator<Item = u64> {
    let first = seed();
    (0..cases(usual)).map(move |case| {
        let seed = first.wrapping_add(case);
        println!("replay with MYCELIUM_SEED={seed} MYCELIUM_CASES=1");
        seed
    })
}

/// Ports of this machine at which nobody listens, for processes that must know them before they listen there.
/// They lie below those that systems give to whoever asks for none: in between, nobody gets them by chance,
/// nor does one that dials such a port connect itself with itself.
///
/// # Panics
/// Nobody may listen at any port.
#[must_use]
pub fn ports<const N: usize>() -> [u16; N] {
    const FIRST: u64 = 10_000;
    const COUNT: u64 = 20_000;
    // Other processes draw at the same time, and are to draw others.
    let time = UNIX_EPOCH.elapsed().map_or(1, |elapsed| elapsed.as_nanos() as u64);
    let mut random = Random::new(time ^ (u64::from(std::process::id()) << 32));
    // All are kept until the last is there, or one could come twice.
    let free = |()| {
        let mut tries = (0..COUNT).map(|_| (FIRST + random.below(COUNT)) as u16);
        tries.find_map(|port| TcpListener::bind(("127.0.0.1", port)).ok()).expect("a port is free")
    };
    let listeners = [(); N].map(free);
    listeners.map(|listener| listener.local_addr().expect("it is bound").port())
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reference values of `SplitMix64`: with other numbers, recorded seeds would mean other runs.
    #[test]
    fn the_numbers_of_a_seed_stay_the_same() {
        let mut random = Random::new(1_234_567);
        let drawn = [random.next_u64(), random.next_u64(), random.next_u64()];
        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn ports_differ_and_can_be_listened_at() {
        let mut all = ports::<20>();
        let _listeners = all.map(|port| TcpListener::bind(("127.0.0.1", port)).unwrap());
        all.sort_unstable();
        assert!(all.windows(2).all(|two| two[0] < two[1]), "{all:?}");
        assert!((10_000..30_000).contains(&all[0]) && all[19] < 30_000, "{all:?}");
    }

    #[test]
    fn what_is_drawn_lies_where_it_should_and_reaches_all_of_it() {
        let mut random = Random::new(seed());
        let mut seen = [0; 5];
        for _ in 0..10_000 {
            seen[random.index(5)] += 1;
        }
        assert!(seen.iter().all(|count| (1_500..2_500).contains(count)), "{seen:?}");
        assert!(!random.chance(0) && random.chance(100));
        assert_eq!(random.pick(&["only"]), "only");
        assert_eq!(random.bytes(9).len(), 9);
    }
}
