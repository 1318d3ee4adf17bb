//! An encoder that is kept allocates nothing: counted by the allocator, on this thread alone.

use mycelium_mailbox::Message;
use mycelium_mailbox::wire::{Encoder, Layout, Wire};

#[path = "common/heap.rs"]
mod heap;
use heap::allocations;

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

#[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
struct Book {
    venue: String,
    levels: Vec<(f64, u64)>,
    notes: Vec<String>,
}

impl Message for Book {
    const NAME: &'static str = "Book";
    const TYPE_ID: u16 = 1;
    const TOPIC: &'static str = "books";
}

impl Wire for Book {
    const LAYOUTS: &'static [Layout] = &[Layout { version: 1, root_len: Self::ROOT_LEN, digest: 0 }];
}

#[test]
fn encoding_and_access_allocate_nothing_once_the_buffer_has_grown() {
    let book = Book {
        venue: "a venue with a long name".into(),
        levels: vec![(1.5, 7); 100],
        notes: vec!["a note that is not inline".into(); 40],
    };
    let mut encoder = Encoder::new();
    assert!(allocations(|| drop(encoder.encode(&book).map(<[u8]>::len))) > 0, "the counter counts");
    for _ in 0..3 {
        encoder.encode(&book).expect("it is small");
    }
    let counted = allocations(|| {
        for _ in 0..1_000 {
            let bytes = encoder.encode(&book).expect("it is small");
            assert_eq!(Book::access(bytes).expect("it is valid").notes.len(), 40);
            let framed = encoder.encode_framed(64, &book).expect("it is small");
            assert!(framed.bytes.len() > framed.value_len);
        }
    });
    assert_eq!(counted, 0);
}
