//! Delays between restarts: the chance in them, and their bounds.

use std::time::Duration;

use mycelium_supervisor::{BACKOFF_CAP_MAX, Backoff, BackoffState, Jitter};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn jitter_draws_as_the_published_generator_does() {
    let draw = |seed: u64| {
        let mut jitter = Jitter::new(seed);
        [(); 5].map(|()| jitter.next_u64())
    };
    // The first numbers of SplitMix64, as its authors and other implementations have them.
    assert_eq!(
        draw(1_234_567),
        [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821
        ]
    );
    assert_eq!(draw(0)[..2], [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4]);
}

#[test]
fn jitter_moves_a_delay_evenly_by_at_most_its_share() {
    for share in [0.1, 0.25, 1.0] {
        let mut jitter = Jitter::new(7);
        let moved: Vec<f64> = (0..10_000).map(|_| jitter.apply(SECOND, share).as_secs_f64() - 1.0).collect();
        let least = moved.iter().copied().fold(f64::MAX, f64::min);
        let most = moved.iter().copied().fold(f64::MIN, f64::max);
        assert!(least >= -share && most <= share, "{share}: {least} to {most}");
        assert!(least < -0.99 * share && most > 0.99 * share, "{share}: {least} to {most}");
        let mean = moved.iter().sum::<f64>() / moved.len() as f64;
        assert!(mean.abs() < 0.03 * share, "{share}: {mean}");
        let later = moved.iter().filter(|moved| **moved > share / 2.0).count();
        assert!((2_000..3_000).contains(&later), "{share}: {later} of 10,000 in the upper quarter");
    }
}

#[test]
fn without_a_share_nothing_is_drawn_and_more_than_all_of_it_is_all() {
    let mut jitter = Jitter::new(7);
    assert_eq!([0.0, -1.0].map(|share| jitter.apply(SECOND, share)), [SECOND; 2]);
    assert_eq!(jitter.next_u64(), Jitter::new(7).next_u64());
    let all = |share| Jitter::new(3).apply(SECOND, share);
    assert_eq!(all(5.0), all(1.0));
}

#[test]
fn a_delay_grows_to_its_cap_and_begins_anew_after_a_reset() {
    let policy = Backoff {
        initial: Duration::from_millis(100),
        multiplier: 3.0,
        cap: SECOND,
        jitter: 0.0,
        ..Backoff::default()
    };
    let (mut child, mut jitter) = (BackoffState::default(), Jitter::new(1));
    let mut next = |child: &mut BackoffState| child.next_delay(&policy, &mut jitter).as_millis();
    assert_eq!([(); 5].map(|()| next(&mut child)), [100, 300, 900, 1_000, 1_000]);
    child.reset();
    assert_eq!(next(&mut child), 100);
}

#[test]
fn jitter_makes_no_delay_longer_than_the_cap() {
    let policy = Backoff { initial: SECOND, cap: SECOND, jitter: 1.0, ..Backoff::default() };
    let mut jitter = Jitter::new(9);
    let delays = (0..1_000).map(|_| BackoffState::default().next_delay(&policy, &mut jitter));
    let (longest, shorter) = delays.fold((Duration::ZERO, 0), |(longest, shorter), delay| {
        (longest.max(delay), shorter + usize::from(delay < SECOND))
    });
    assert_eq!(longest, SECOND);
    assert!((400..600).contains(&shorter), "{shorter} of 1,000 are shorter");
}

#[test]
fn the_longest_cap_is_a_day() {
    assert_eq!(BACKOFF_CAP_MAX, Duration::from_secs(86_400));
}

#[test]
fn a_larger_number_makes_a_longer_delay() {
    let (mut numbers, mut delays) = (Jitter::new(5), Jitter::new(5));
    let mut drawn: Vec<_> = (0..100).map(|_| (numbers.next_u64(), delays.apply(SECOND, 0.5))).collect();
    drawn.sort_unstable();
    assert!(drawn.is_sorted_by_key(|(_, delay)| *delay), "{drawn:?}");
}
