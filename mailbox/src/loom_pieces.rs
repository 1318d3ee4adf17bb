//! Models of who frees a piece of memory, and when a shelf writes into it again: see `piece.rs`. Readers and
//! whoever frees or writes anew touch a cell of the model, so that loom sees them meet.

use loom::thread;

use crate::loom_support::explore;
use crate::{Releases, Row, SharedBytes, Shelf};

fn read(value: &SharedBytes<u64>) {
    assert_eq!(value.bytes(), value.head().to_le_bytes());
}

fn put(shelf: &mut Shelf<u64>, number: u64, most: usize) -> SharedBytes<u64> {
    shelf.put(number, &number.to_le_bytes(), most)
}

#[test]
fn loom_the_last_of_those_who_share_a_value_frees_its_piece() {
    explore(|| {
        let value = SharedBytes::new(7, &7_u64.to_le_bytes());
        let threads = [0, 1].map(|_| {
            let value = value.clone();
            thread::spawn(move || {
                let another = value.clone();
                drop(value);
                read(&another);
            })
        });
        read(&value);
        drop(value);
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn loom_a_shelf_writes_into_its_piece_again_only_when_all_was_read() {
    explore(|| {
        // A piece for one value: the second needs it again, or another one.
        let mut shelf = Shelf::new();
        let first = put(&mut shelf, 1, 1);
        let reader = thread::spawn(move || read(&first));
        let second = put(&mut shelf, 2, 1);
        let other = thread::spawn(move || read(&second));
        read(&put(&mut shelf, 3, 1));
        drop(shelf);
        reader.join().unwrap();
        other.join().unwrap();
    });
}

#[test]
fn loom_values_of_one_piece_are_read_while_the_next_is_put_and_the_last_one_frees_it() {
    explore(|| {
        let mut shelf = Shelf::new();
        let first = put(&mut shelf, 1, 2);
        let reader = thread::spawn(move || read(&first));
        let second = put(&mut shelf, 2, 2);
        let other = thread::spawn(move || {
            read(&second);
            let mut releases = Releases::new();
            releases.add(second.clone());
            releases.add(second);
        });
        drop(shelf);
        reader.join().unwrap();
        other.join().unwrap();
    });
}

#[test]
fn loom_a_row_is_given_out_beside_its_readers() {
    explore(|| {
        let bytes = [1_u64, 2].map(u64::to_le_bytes).concat();
        let mut row = Row::new(7, &bytes, 8);
        let first = row.next().unwrap();
        let reader = thread::spawn(move || assert_eq!(first.bytes(), 1_u64.to_le_bytes()));
        let second = row.next().unwrap();
        drop(row);
        assert_eq!(second.bytes(), 2_u64.to_le_bytes());
        drop(second);
        reader.join().unwrap();
    });
}
