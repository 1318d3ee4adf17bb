//! Bytes that share pieces of memory: that they stay what they are, and are freed.

use std::cell::Cell;

use mycelium_mailbox::wire::VALUE_ALIGN;
use mycelium_mailbox::{Releases, Row, SHELVED_BYTES_MAX, SharedBytes, Shelf};

#[path = "common/heap.rs"]
mod heap;

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

fn is_aligned<H: Copy>(value: &SharedBytes<H>) -> bool {
    value.bytes().as_ptr().addr().is_multiple_of(VALUE_ALIGN)
}

#[test]
fn values_are_aligned_and_outlive_whatever_they_came_from() {
    let bytes: Vec<u8> = (0..=255).collect();
    let mut shelf = Shelf::new();
    for len in [0, 1, 7, 8, 63, 64, 200] {
        for at in 0..8 {
            let (here, head) = (&bytes[at..at + len], (len as u64, at as u32));
            let kept = [SharedBytes::new(head, here), shelf.put(head, here, 8)].map(|value| value.clone());
            assert!(
                kept.iter().all(|value| is_aligned(value) && value.bytes() == here && *value.head() == head)
            );
        }
    }
}

#[test]
fn a_row_gives_each_value_out_once_and_the_last_may_be_shorter() {
    let bytes: Vec<u8> = (0..=250).collect();
    for each in [8, 24, 248, 251, 300] {
        let row = Row::new(each, &bytes, each);
        assert_eq!(row.len(), bytes.len().div_ceil(each));
        let values: Vec<_> = row.collect();
        assert!(values.iter().all(|value| is_aligned(value) && *value.head() == each));
        assert_eq!(values.iter().map(|value| value.bytes().to_vec()).collect::<Vec<_>>().concat(), bytes);
        for pair in values.windows(2) {
            assert!(pair[0].is_followed_by(&pair[1]) && !pair[1].is_followed_by(&pair[0]));
            assert_eq!(pair[0].through(&pair[1]).map(<[u8]>::len), Some(each + pair[1].bytes().len()));
            assert!(pair[1].through(&pair[0]).is_none());
        }
        assert_eq!(values[0].through(&values[values.len() - 1]), Some(&bytes[..]));
        let other = SharedBytes::new(each, &bytes);
        assert!(values[0].through(&other).is_none() && !values[0].is_followed_by(&other));
    }
    assert_eq!(Row::new((), &[], 8).count(), 0);
}

#[test]
fn a_row_is_changed_only_while_nothing_was_given_out() {
    let cells = [const { Cell::new(1_u8) }; 24];
    let mut row = Row::of_cells(1, &cells, 8);
    cells[0].set(9);
    let (head, bytes) = row.edit().unwrap();
    *head = 2;
    bytes[8..16].fill(0);
    let first = row.next().unwrap();
    let second = row.next().unwrap();
    row.take_back(first.clone());
    assert_eq!(row.len(), 1, "it was not the last");
    row.take_back(second);
    assert!(row.edit().is_none());
    assert_eq!((*first.head(), first.bytes(), row.rest()), (2, &[1; 8][..], &[[0; 8], [1; 8]].concat()[..]));
    assert_eq!(row.by_ref().count(), 2);
    assert!(row.rest().is_empty() && *row.head() == 2);
}

#[test]
fn a_row_is_not_changed_while_a_clone_of_what_came_back_is_read() {
    let mut row = Row::new((), &[1; 16], 8);
    let first = row.next().unwrap();
    let kept = first.clone();
    row.take_back(first);
    assert!(row.edit().is_none(), "the clone reads it");
    drop(kept);
    row.edit().unwrap().1.fill(2);
    assert_eq!(row.next().unwrap().bytes(), [2; 8]);
}

#[test]
#[should_panic(expected = "values are aligned")]
fn a_row_of_values_that_would_not_be_aligned_is_refused() {
    let _row = Row::new((), &[0; 24], 12);
}

#[test]
fn a_shelf_uses_its_piece_again_once_nobody_has_any_of_it() {
    let mut shelf = Shelf::new();
    let address = |value: &SharedBytes<u64>| value.bytes().as_ptr().addr();
    let places: Vec<_> = (0..4_000).map(|number| address(&shelf.put(number, &[1; 64], 8))).collect();
    let mut different = places.clone();
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), 8, "one piece, for eight values");
    let kept = shelf.put(0, &[2; 64], 8);
    let others: Vec<_> = (0..8).map(|number| shelf.put(number, &[3; 64], 8)).collect();
    assert!(kept.bytes() == [2; 64] && others.iter().all(|other| other.bytes() == [3; 64]));
    // A long one has memory of its own.
    let (long, short) = (shelf.put(0, &[4; SHELVED_BYTES_MAX + 1], 8), shelf.put(0, &[5; 64], 8));
    assert!(long.bytes().iter().all(|byte| *byte == 4) && short.bytes() == [5; 64]);
}

#[test]
fn a_row_and_a_shelf_leave_no_memory_behind_whatever_was_taken_of_them_and_whoever_goes_first() {
    let live = heap::live_bytes();
    for (taken, row_first) in (0..=3).flat_map(|taken| [(taken, false), (taken, true)]) {
        let mut row = Row::new(7, &[7; 24], 8);
        let values: Vec<_> = row.by_ref().take(taken).collect();
        if row_first {
            drop(row);
            assert!(values.iter().all(|value| value.bytes() == [7; 8]));
        } else {
            assert!(heap::live_bytes() > live, "the allocator counts");
            drop(values);
        }
    }
    for (kept, shelf_first) in (0..=3).flat_map(|kept| [(kept, false), (kept, true)]) {
        let mut shelf = Shelf::new();
        let values: Vec<_> = (0..kept).map(|number| shelf.put(number, &[3; 64], 8)).collect();
        if shelf_first {
            drop(shelf);
            assert!(values.iter().all(|value| value.bytes() == [3; 64]));
        } else {
            drop(values);
        }
    }
    assert_eq!(heap::live_bytes(), live);
}

#[test]
fn what_is_given_up_together_frees_each_piece_once_and_nothing_that_is_kept() {
    let mut releases = Releases::new();
    let kept = {
        let mut row = Row::new(7, &[7; 800], 8);
        let kept = row.next().unwrap();
        row.for_each(|value| releases.add(value));
        Row::new(8, &[8; 80], 8).for_each(|value| releases.add(value));
        kept
    };
    releases.add(kept.clone());
    drop(releases);
    assert_eq!((*kept.head(), kept.bytes()), (7, &[7; 8][..]));
}

#[test]
fn threads_that_clone_and_drop_free_a_piece_once() {
    let mut shelf = Shelf::new();
    std::thread::scope(|threads| {
        for number in 0..200_u64 {
            let value = shelf.put(number, &number.to_le_bytes(), 4);
            threads.spawn(move || {
                let kept: Vec<_> = (0..8).map(|_| value.clone()).collect();
                drop(value);
                assert!(kept.iter().all(|value| value.bytes() == number.to_le_bytes()));
            });
        }
    });
}
