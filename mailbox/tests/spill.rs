//! Values that go to a file are those that memory would have kept.

use std::io::Write;
use std::sync::Arc;

use mycelium_mailbox::spill::{SharedSlice, SpillWriter};
use mycelium_random::Random;

/// A value with bytes between its fields that belong to none of them.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Padded {
    number: u64,
    part: u16,
}

fn padded(number: u64) -> Padded {
    Padded { number, part: number as u16 }
}

#[test]
fn what_was_pushed_is_read_wherever_it_is() {
    for memory_bytes in [0, 1, 16, 160_000, usize::MAX] {
        let mut writer = SpillWriter::new(memory_bytes);
        for number in 0..10_000 {
            writer.push(padded(number)).expect("room");
            assert_eq!(writer.as_slice().last(), Some(&padded(number)));
        }
        let values = writer.finish().expect("a slice");
        assert_eq!(values.is_mapped(), cfg!(target_os = "linux") && memory_bytes < 160_000, "{memory_bytes}");
        assert!(values.iter().zip(0..).all(|(value, number)| *value == padded(number)));
        assert_eq!(values.len(), 10_000);
    }
}

#[test]
fn a_file_that_grows_keeps_what_it_has() {
    // Three times as large as the least by which it grows.
    let count = 3_u64 << 21;
    let mut writer = SpillWriter::new(0);
    (0..count).try_for_each(|number| writer.push(number)).expect("room");
    let values = writer.finish().expect("a slice");
    assert_eq!(values.len() as u64, count);
    assert!(values.iter().copied().eq(0..count));
}

/// Larger than the least by which a file grows.
const LARGE: usize = (24 << 20) / size_of::<u64>();

#[test]
fn a_value_larger_than_the_growth_of_a_file_has_room() {
    let pushes = || {
        let mut writer = SpillWriter::new(0);
        for number in 0..3_u64 {
            writer.push([number; LARGE]).expect("room");
        }
        let values = writer.finish().expect("a slice");
        let ends = values.iter().map(|value| (value[0], value[LARGE - 1]));
        assert!(ends.eq([(0, 0), (1, 1), (2, 2)]));
    };
    // Such a value is moved over the stack some times.
    let thread = std::thread::Builder::new().stack_size(1 << 30).spawn(pushes);
    thread.expect("a thread").join().expect("all three are there");
}

#[test]
fn values_are_sorted_and_cut_in_their_place() {
    let mut random = Random::new(mycelium_random::seed());
    for memory_bytes in [0, usize::MAX] {
        let wanted: Vec<u64> = (0..5_000).map(|_| random.below(1_000)).collect();
        let mut writer = SpillWriter::new(memory_bytes);
        wanted.iter().try_for_each(|value| writer.push(*value)).expect("room");
        writer.as_mut_slice().sort_unstable();
        writer.truncate(1_234);
        writer.push(7).expect("room");
        let mut expected = wanted.clone();
        expected.sort_unstable();
        expected.truncate(1_234);
        expected.push(7);
        assert_eq!(*writer.finish().expect("a slice"), expected[..]);
    }
}

#[test]
fn nothing_and_values_without_a_size_are_slices_too() {
    let mut writer = SpillWriter::<u8>::new(0);
    assert!(writer.as_slice().is_empty());
    writer.push(1).expect("room");
    writer.truncate(0);
    assert!(writer.finish().expect("a slice").is_empty());
    assert!(SpillWriter::<u64>::new(0).finish().expect("a slice").is_empty());
    let mut writer = SpillWriter::new(0);
    (0..100).try_for_each(|_| writer.push(())).expect("no room is needed");
    assert_eq!(writer.finish().expect("a slice").len(), 100);
}

#[test]
fn bytes_are_written_as_to_a_file() {
    let mut writer = SpillWriter::new(3);
    writer.write_all(b"more than three").expect("room");
    assert_eq!(&*writer.finish().expect("a slice"), b"more than three");
}

#[test]
#[cfg(target_os = "linux")]
fn bytes_that_were_taken_are_no_error_of_a_write() {
    // In a process of its own, which has no folder for files.
    const TEST: &str = "bytes_that_were_taken_are_no_error_of_a_write";
    const FOLDER: &str = "/no/such/folder";
    if std::env::var_os("TMPDIR").is_none_or(|folder| folder != FOLDER) {
        let mut again = std::process::Command::new(std::env::current_exe().expect("this program"));
        let again = again.args([TEST, "--exact"]).env("TMPDIR", FOLDER).output().expect("a process");
        assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stdout));
        return;
    }
    let mut writer = SpillWriter::new(3);
    assert_eq!(writer.write(b"abcde").expect("room for three"), 3);
    let refused = writer.write(b"de").expect_err("no room for a fourth");
    assert!(refused.to_string().contains("name another folder by TMPDIR"), "{refused}");
    assert_eq!(writer.as_slice(), b"abc");
    assert_eq!(writer.write(b"").expect("nothing needs no room"), 0);
}

#[test]
fn clones_outlive_the_first_and_are_read_by_other_threads() {
    let mut writer = SpillWriter::new(0);
    (0..1_000_u64).try_for_each(|number| writer.push(number)).expect("room");
    let values = writer.finish().expect("a slice");
    let sums: Vec<_> = (0..4)
        .map(|_| values.clone())
        .map(|own| std::thread::spawn(move || own.iter().sum::<u64>()))
        .collect();
    drop(values);
    assert!(sums.into_iter().all(|sum| sum.join().expect("a sum") == 499_500));
}

#[test]
fn memory_is_not_copied_for_a_clone_nor_for_an_arc() {
    let values: Arc<[String]> = ["a".to_owned(), "b".to_owned()].into();
    let shared = SharedSlice::from(Arc::clone(&values));
    assert!(std::ptr::eq(&*shared.clone(), &*values));
    assert!(Arc::ptr_eq(&values, &Arc::from(&shared)));
    drop((shared, SharedSlice::<String>::default()));
    assert_eq!(Arc::strong_count(&values), 1);
}

#[test]
fn a_slice_is_used_as_a_slice_wherever_it_is() {
    let in_memory: SharedSlice<u64> = (0..1_000).collect();
    let mut writer = SpillWriter::new(0);
    (0..1_000_u64).try_for_each(|number| writer.push(number)).expect("room");
    let in_file = writer.finish().expect("a slice");
    assert_eq!((in_memory.is_mapped(), in_file.is_mapped()), (false, cfg!(target_os = "linux")));
    for values in [&in_memory, &in_file] {
        assert!(values.into_iter().copied().eq(0..1_000));
        assert_eq!(values.as_ref().len(), 1_000);
        assert_eq!(*values, in_memory);
        let copied = Arc::<[u64]>::from(values);
        assert!(copied.iter().copied().eq(0..1_000));
    }
    assert_ne!(in_file, [0; 1_000]);
    let few: SharedSlice<u8> = vec![1, 2].into();
    assert_eq!(format!("{few:?}"), "[1, 2]");
}
