//! Who waits, sleeps; who is to spin, does not; and who sleeps is woken.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::LONG;
use crate::shm::layout::ROOM_BELL;
use crate::shm::mapping::Participant;
use crate::shm::memory::SharedWords;
use crate::shm::*;

/// Long enough to be asleep in.
const MOMENT: Duration = Duration::from_millis(5);

/// How often this thread has slept.
pub(super) fn sleeps() -> u64 {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    count.unwrap().trim().parse().unwrap()
}

/// Whether this thread sleeps in it most times: the system may make it wait for something else now and then,
/// and hold it up for longer than it would sleep.
fn sleeps_in(mut wait: impl FnMut()) -> bool {
    let slept = (0..10).filter(|_| {
        let before = sleeps();
        wait();
        sleeps() > before
    });
    slept.count() > 5
}

#[test]
fn whoever_waits_spins_for_as_long_as_was_said_and_sleeps_then() {
    let segment = ShmSegment::create(4_096).unwrap();
    let mut reader = segment.reader(ShmMode::Block).unwrap();
    let mut wait = |spin| assert_eq!(reader.wait(spin, MOMENT), ShmWaited::TimedOut);
    assert!(sleeps_in(|| wait(Duration::ZERO)), "a reader");
    assert!(!sleeps_in(|| wait(LONG)), "a reader that spins");
    let mut writer = segment.writer(ShmAccess::Sole).unwrap();
    let longest = vec![0; writer.longest()];
    while writer.send(&longest).is_ok() {}
    assert!(sleeps_in(|| assert!(!writer.wait_room(longest.len(), Duration::ZERO, MOMENT))), "a writer");
    assert!(!sleeps_in(|| assert!(!writer.wait_room(longest.len(), LONG, MOMENT))), "a writer that spins");
}

#[test]
fn whoever_sleeps_on_a_word_is_woken_through_any_other_mapping_of_it() {
    let segment = ShmSegment::create(4_096).unwrap();
    let other = ShmSegment::from_fd(segment.as_fd().try_clone_to_owned().unwrap(), 1 << 20).unwrap();
    let take = |segment: &ShmSegment| {
        let (mapping, _) = segment.parts();
        Participant::new(mapping, segment.as_fd(), 0..2).unwrap().expect("a place is free").0
    };
    let (sleeper, waker) = (take(&segment), take(&other));
    let awake = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            sleeper.sleep(ROOM_BELL, 0, 2 * LONG);
            awake.store(true, Ordering::Release);
        });
        let since = Instant::now();
        while !awake.load(Ordering::Acquire) {
            assert!(since.elapsed() < LONG, "nobody wakes it");
            waker.wake(ROOM_BELL);
            std::thread::yield_now();
        }
    });
}
