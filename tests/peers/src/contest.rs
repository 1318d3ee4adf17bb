//! The rounds and their table.

use std::path::{Path, PathBuf};

use crate::Outcome;
use crate::peers::{self, Peer};
use crate::reader::Reader;

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Race {
    OneWay,
    ThereAndBack,
}

impl Race {
    const ALL: [Self; 2] = [Self::OneWay, Self::ThereAndBack];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OneWay => "one-way",
            Self::ThereAndBack => "there-and-back",
        }
    }

    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|race| race.name() == name)
    }

    fn unit(self) -> &'static str {
        match self {
            Self::OneWay => "ns per message",
            Self::ThereAndBack => "ns per round trip, p50",
        }
    }
}

pub(crate) struct Contest {
    pub(crate) rounds: u64,
    pub(crate) messages: u64,
    pub(crate) trips: u64,
    /// Beginnings of the names of those that take part; all if there is none.
    pub(crate) only: Vec<String>,
}

/// A peer, and what its rounds took; or why it cannot be measured.
struct Row {
    peer: Box<dyn Peer>,
    took: Outcome<Vec<f64>>,
}

impl Contest {
    pub(crate) fn hold(&self) -> Outcome<()> {
        for race in Race::ALL {
            let takes_part =
                |name: &str| self.only.is_empty() || self.only.iter().any(|o| name.starts_with(o));
            let peers = peers::all().into_iter().filter(|peer| takes_part(peer.name()));
            let mut rows: Vec<Row> = peers.map(|peer| Row { peer, took: Ok(Vec::new()) }).collect();
            if rows.is_empty() {
                let all: Vec<_> = peers::all().iter().map(|peer| peer.name()).collect();
                return Err(format!("nobody is called so; the carriers are {}", all.join(", ")).into());
            }
            // In turn, so that a slow minute of the machine is everybody's.
            for _ in 0..self.rounds {
                for Row { peer, took } in &mut rows {
                    let Ok(so_far) = took else { continue };
                    match self.round(race, &**peer) {
                        Ok(one) => so_far.push(one),
                        Err(error) => *took = Err(error),
                    }
                }
            }
            show(race, rows);
        }
        Ok(())
    }

    fn round(&self, race: Race, peer: &dyn Peer) -> Outcome<f64> {
        let place = Place::new()?;
        match race {
            Race::OneWay => {
                let mut reader = Reader::start(peer.name(), race, &place.0, self.messages)?;
                let took = peer.write(&place.0, self.messages, &mut reader)?;
                Ok(took.as_nanos() as f64 / self.messages as f64)
            }
            Race::ThereAndBack => {
                let mut reader = Reader::start(peer.name(), race, &place.0, self.trips)?;
                let trips = peer.ping(&place.0, self.trips, &mut reader)?;
                Ok(median(trips.iter().map(|trip| trip.as_nanos() as f64).collect()))
            }
        }
    }
}

fn show(race: Race, rows: Vec<Row>) {
    println!("\n{} of 64 bytes, {}; median of the rounds, and the best", race.name(), race.unit());
    let first = rows.iter().find_map(|row| row.took.as_ref().ok().filter(|took| !took.is_empty()).cloned());
    let first = first.map(median);
    for Row { peer, took } in rows {
        match took {
            Ok(took) => {
                let best = took.iter().copied().fold(f64::INFINITY, f64::min);
                let median = median(took);
                let ratio = first.map_or(f64::NAN, |first| median / first);
                let rate = match race {
                    Race::OneWay => format!("{:>8.2} M/s", 1e3 / median),
                    Race::ThereAndBack => String::new(),
                };
                println!("  {:<34} {median:>10.0} {best:>10.0} {rate} {ratio:>7.2}x", peer.name());
            }
            Err(error) => println!("  {:<34} left out: {error}", peer.name()),
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A directory for the sockets of one round.
struct Place(PathBuf);

impl Place {
    fn new() -> Outcome<Self> {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("mycelium-peers-{}-{number}", std::process::id()));
        make(&path)?;
        Ok(Self(path))
    }
}

/// A directory that nobody else can enter, as links want it.
fn make(path: &Path) -> Outcome<()> {
    use std::os::unix::fs::DirBuilderExt;
    Ok(std::fs::DirBuilder::new().mode(0o700).create(path)?)
}

impl Drop for Place {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}
