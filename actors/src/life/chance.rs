//! Where an actor's random numbers come from: its bus's seed and who it is, and nothing that differs from run
//! to run or between a live bus and an isolate.

use std::any::TypeId;
use std::sync::Arc;

use mycelium_supervisor::MIX_STEP;
use rand_core::SeedableRng;
use rand_pcg::Pcg64Mcg;

/// Who an actor or service is, for its random numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Its place in a tree.
    Path(Arc<str>),
    /// The name that it is registered under.
    Name(Box<str>),
    /// How many actors of its type its bus or isolate has had before, of those that have neither.
    Number(u64),
}

impl Origin {
    /// Who somebody is that is in no tree.
    pub(crate) fn outside_of_trees(name: Option<&str>, count: impl FnOnce() -> u64) -> Self {
        name.map_or_else(|| Self::Number(count()), |name| Self::Name(name.into()))
    }

    /// The `nth` generator of whoever is from here, on a bus with this seed.
    pub(crate) fn generator(&self, seed: u64, name: &str, nth: u64) -> Pcg64Mcg {
        // Odd and irregular, so that the seeds of one service are those of no other by any simple rule.
        let apart = nth.wrapping_mul(MIX_STEP);
        Pcg64Mcg::seed_from_u64((seed ^ self.digest(name)).wrapping_add(apart))
    }

    /// The same number for the same origin in every run, in every version and on every machine.
    fn digest(&self, actor: &str) -> u64 {
        match self {
            Self::Path(path) => fnv(&[b"path", path.as_bytes()]),
            Self::Name(name) => fnv(&[b"name", name.as_bytes()]),
            Self::Number(number) => fnv(&[b"type", actor.as_bytes(), &number.to_le_bytes()]),
        }
    }
}

/// FNV-1a over the parts, each behind its length.
fn fnv(parts: &[&[u8]]) -> u64 {
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    for part in parts {
        for byte in (part.len() as u64).to_le_bytes().iter().chain(*part) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }
    hash
}

/// The random generator of one actor, made when it is first asked for.
pub(crate) enum Chance {
    Unused(Origin),
    Used(Pcg64Mcg),
}

impl Chance {
    /// The generator of the actor with this type name on a bus with this seed.
    pub(crate) fn generator(
        &mut self,
        seed: impl FnOnce() -> u64,
        actor: fn() -> &'static str,
    ) -> &mut Pcg64Mcg {
        if let Self::Unused(origin) = self {
            *self = Self::Used(origin.generator(seed(), actor(), 0));
        }
        match self {
            Self::Used(generator) => generator,
            Self::Unused(_) => unreachable!("it was made above"),
        }
    }
}

/// How many actors of each type there have been, in the order of the types: a program has few of them, and an
/// isolate is made for each of thousands of runs.
#[derive(Default)]
pub(crate) struct Census(Vec<(TypeId, u64)>);

impl Census {
    /// Counts one more; how many there were before.
    pub(crate) fn count<A: 'static>(&mut self) -> u64 {
        let of = TypeId::of::<A>();
        let at = self.0.partition_point(|(other, _)| *other < of);
        match self.0.get_mut(at) {
            Some((same, count)) if *same == of => {
                *count += 1;
                *count - 1
            }
            _ => {
                self.0.insert(at, (of, 1));
                0
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::Rng;

    fn first(origin: Origin, seed: u64, actor: fn() -> &'static str) -> u64 {
        Chance::Unused(origin).generator(|| seed, actor).next_u64()
    }

    #[test]
    fn who_differs_draws_other_numbers_and_the_same_one_the_same() {
        let origins = || {
            let names = (0..100).map(|n| Origin::Name(format!("a{n}").into()));
            let paths = (0..100).map(|n| Origin::Path(format!("a{n}").into()));
            names.chain(paths).chain((0..100).map(Origin::Number))
        };
        let drawn = |seed| origins().map(|origin| first(origin, seed, || "Actor")).collect::<Vec<_>>();
        assert_eq!(drawn(1), drawn(1));
        let mut all: Vec<_> = [drawn(1), drawn(2), drawn(3)].concat();
        all.extend((0..100).map(|n| first(Origin::Number(n), 1, || "Other")));
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    /// With other numbers, recorded seeds would mean other runs.
    #[test]
    fn the_digest_of_an_origin_stays_the_same() {
        assert_eq!(fnv(&[]), 0xCBF2_9CE4_8422_2325);
        assert_eq!(Origin::Path("firm/feeds".into()).digest("Feed"), DIGESTS[0]);
        assert_eq!(Origin::Name("feed".into()).digest("Feed"), DIGESTS[1]);
        assert_eq!(Origin::Number(3).digest("Feed"), DIGESTS[2]);
    }
    const DIGESTS: [u64; 3] = [0x6A79_8E84_52A5_198E, 0xAC7F_970F_E098_94F6, 0x9075_0D48_A264_BCE6];

    #[test]
    fn each_type_is_counted_by_itself() {
        let mut census = Census::default();
        let counted =
            [census.count::<u8>(), census.count::<u16>(), census.count::<u8>(), census.count::<u8>()];
        assert_eq!(counted, [0, 0, 1, 2]);
    }
}
