//! Processes that are killed while they write and read: at named points, and whenever.
//!
//! A run has two writers that share the ring, two readers under `Block` and a lossy one, each a process. One
//! after the other is killed and started again; this process reads too, and lives. Each writer numbers its
//! messages by its life, so that whatever was published can be told from what was not.
//!
//! `MYCELIUM_CASES=10000` runs as many kills.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use mycelium_random::{Random, cases, seed};
use rustix::process::{Pid, Signal, getpid, kill_process};

use super::layout::{Geometry, SHM_READERS_MAX, SHM_WRITERS_MAX};
use super::mapping::{Mapping, Participant};
use super::memory::{Point, SharedWords};
use super::read::ReaderCore;
use super::tests::{message, number};
use super::write::{WriterCore, writer_lock};
use super::*;
use crate::sync::Word;

/// What tells a process of this binary what it is: role, life, path of the segment, point, how often it is
/// passed before.
const ROLE: &str = "MYCELIUM_SHM_ROLE";

const POINTS: &[(Point, &str)] = &[
    (Point::Owned, "writer"),
    (Point::Claimed, "writer"),
    (Point::InCopy, "writer"),
    (Point::BeforeCommit, "writer"),
    (Point::Numbered, "writer"),
    (Point::Committed, "writer"),
    (Point::BeforeWake, "writer"),
    (Point::Copied, "reader"),
    (Point::Moved, "reader"),
    (Point::Entering, "reader"),
    (Point::Asleep, "reader"),
];

/// A participant that kills its own process at a point.
struct Deadly {
    participant: Participant,
    at: Option<Point>,
    passes: std::cell::Cell<u64>,
}

impl SharedWords for Deadly {
    fn words(&self) -> &[Word] {
        self.participant.words()
    }

    fn lives(&self, lock: usize) -> bool {
        self.participant.lives(lock)
    }

    fn sleep(&self, word: usize, seen: u64, at_most: Duration) {
        self.participant.sleep(word, seen, at_most);
    }

    fn wake(&self, word: usize) {
        self.participant.wake(word);
    }

    fn reach(&self, point: Point) {
        if self.at != Some(point) {
            return;
        }
        let left = self.passes.get();
        if left == 0 {
            let _ = kill_process(getpid(), Signal::KILL);
            loop {
                std::thread::park();
            }
        }
        self.passes.set(left - 1);
    }
}

const SPIN: Duration = Duration::from_micros(20);
const LONG: Duration = Duration::from_secs(30);

/// The life of a writer is in the upper half of each number.
const LIFE: u32 = 32;

/// What the other processes do.
#[test]
fn a_process_of_its_own() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let parts: Vec<&str> = role.split(' ').collect();
    let [role, life, path, point, passes] = parts[..] else { panic!("{role}") };
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let segment = Arc::new(Mapping::of(file.as_fd(), 1 << 20).unwrap());
    let geometry = Geometry::read(segment.words()).unwrap();
    let locks =
        if role == "writer" { writer_lock(0)..writer_lock(SHM_WRITERS_MAX) } else { 0..SHM_READERS_MAX };
    let (participant, lock) = Participant::new(&segment, file.as_fd(), locks).unwrap().unwrap();
    let at = POINTS.iter().map(|(at, _)| *at).find(|at| format!("{at:?}") == point);
    let memory = Deadly { participant, at, passes: std::cell::Cell::new(passes.parse().unwrap()) };
    let life: u64 = life.parse().unwrap();
    if role == "writer" {
        write(WriterCore::new(memory, geometry, lock - writer_lock(0), false), life);
    } else {
        read(&mut ReaderCore::new(memory, geometry, lock, role == "lossy").unwrap());
    }
}

fn write(mut writer: WriterCore<Deadly>, life: u64) -> ! {
    let mut random = Random::new(life);
    for n in 0.. {
        let bytes = message(life << LIFE | n, 8 + random.index(300));
        loop {
            match writer.stage(&bytes) {
                Ok(()) => break,
                Err(ShmSendError::Full { .. }) => _ = writer.wait_room(bytes.len() as u64, SPIN, LONG),
                Err(error) => panic!("{error}"),
            }
        }
        if random.chance(40) {
            writer.publish();
        }
        if n == 0 {
            println!("began");
        }
        if random.chance(1) {
            std::thread::sleep(Duration::from_micros(200));
        }
    }
    unreachable!("it is killed")
}

fn read(reader: &mut ReaderCore<Deadly>) -> ! {
    println!("began");
    let mut lives = BTreeMap::new();
    loop {
        reader.wait(SPIN, LONG);
        while let Some(bytes) = reader.read().unwrap() {
            heard(&mut lives, number(bytes), false);
        }
    }
}

/// Each life's messages come in order; a reader that comes in the middle, or misses some, sees gaps between
/// lives and at its beginning, and otherwise none if it is `whole`.
fn heard(lives: &mut BTreeMap<u64, u64>, n: u64, whole: bool) {
    let (life, n) = (n >> LIFE, n & ((1 << LIFE) - 1));
    match lives.get(&life) {
        Some(last) => {
            assert!(n > *last && (!whole || n == last + 1), "message {n} of life {life} after {last}");
        }
        None => assert!(!whole || n == 0, "life {life} begins with {n}"),
    }
    lives.insert(life, n);
}

struct Victim {
    child: Child,
    /// It has begun.
    began: Receiver<()>,
    role: &'static str,
}

fn start(segment: &ShmSegment, role: &'static str, life: u64, dies: Option<(Point, u64)>) -> Victim {
    let path = format!("/proc/{}/fd/{}", std::process::id(), segment.as_fd().as_raw_fd());
    let (point, passes) =
        dies.map_or(("never".to_owned(), 0), |(point, passes)| (format!("{point:?}"), passes));
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "shm::kills::a_process_of_its_own", "--nocapture", "--test-threads=1"])
        .env(ROLE, format!("{role} {life} {path} {point} {passes}"))
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let (tell, began) = mpsc::channel();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    std::thread::spawn(move || {
        // Up to its end, so that it can always write.
        while let Some(Ok(line)) = lines.next() {
            if line.ends_with("began") {
                let _ = tell.send(());
            }
        }
    });
    Victim { child, began, role }
}

impl Victim {
    fn kill(mut self) -> ExitStatus {
        let _ = kill_process(Pid::from_child(&self.child), Signal::KILL);
        self.child.wait().unwrap()
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}

/// How many descriptors and mappings this process has of the file with this number.
fn left(number: u64) -> (usize, usize) {
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    let open = open.filter(|found| {
        let found = found.as_ref().unwrap().path();
        std::fs::metadata(found).is_ok_and(|found| found.ino() == number)
    });
    let maps = BufReader::new(File::open("/proc/self/maps").unwrap()).lines();
    let mapped = format!(" {number} ");
    let maps = maps.filter(|line| {
        let line = line.as_ref().unwrap();
        line.contains("memfd:mycelium") && line.contains(&mapped)
    });
    (open.count(), maps.count())
}

#[test]
fn processes_that_are_killed_at_any_instant_cost_nobody_else_a_message() {
    let kills = cases(200);
    let mut random = Random::new(seed());
    let segment = ShmSegment::create(16 << 10).unwrap();
    let mut reader = segment.reader(ShmMode::Block).unwrap();
    let memory = rustix::fs::fstat(segment.as_fd()).unwrap().st_ino;
    let mut lives = BTreeMap::new();
    let mut life = 0;
    let mut begin = |role, dies| {
        life += 1;
        start(&segment, role, life, dies)
    };
    let mut all: Vec<Victim> =
        ["writer", "writer", "reader", "reader", "lossy"].map(|role| begin(role, None)).into();
    for kill in 0..kills {
        // Each point in turn, and as often whenever it happens.
        let (point, role) = POINTS[(kill / 2) as usize % POINTS.len()];
        let dies = (kill % 2 == 0).then(|| (point, random.below(200) * u64::from(point != Point::Entering)));
        let victim = match dies {
            Some(_) => all.iter().position(|process| process.role == role).unwrap(),
            None => random.index(all.len()),
        };
        let old = all.remove(victim);
        let role = old.role;
        assert!(!old.kill().success());
        all.push(begin(role, dies));
        let index = all.len() - 1;
        let until = Instant::now() + Duration::from_micros(random.below(20_000));
        let mut got = 0_u64;
        loop {
            // This one gets on, whatever is dead.
            assert_eq!(reader.wait(SPIN, LONG), ShmWaited::Ready, "a watchdog");
            while let Some(bytes) = reader.read().unwrap() {
                heard(&mut lives, number(bytes), true);
                got += 1;
            }
            let done = match dies {
                Some(_) => all[index].child.try_wait().unwrap().is_some(),
                None => all[index].began.try_recv().is_ok() || Instant::now() > until,
            };
            if done && got > 0 {
                break;
            }
        }
        if dies.is_some() {
            // It has died at its point: another one takes its place.
            let role = all.remove(index).role;
            all.push(begin(role, None));
        }
    }
    all.into_iter().for_each(|process| assert!(!process.kill().success()));
    // Nobody lives but this one: it takes up what the others have left.
    while let Some(bytes) = reader.read().unwrap() {
        heard(&mut lives, number(bytes), true);
    }
    let mut writer = segment.writer(ShmAccess::Sole).unwrap();
    writer.send(&message(u64::MAX, 64)).unwrap();
    assert_eq!(reader.read().unwrap().map(number), Some(u64::MAX));
    assert!(lives.len() > 2, "{lives:?}");
    drop(writer);
    assert_eq!(left(memory), (2, 1), "the segment's and the reader's");
    drop((reader, segment));
    assert_eq!(left(memory), (0, 0));
}
