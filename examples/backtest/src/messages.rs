//! What the actors say to each other, as `contracts.yaml` describes it.
//!
//! All of it is `Copy` and at most 64 bytes, so a bus carries it without allocating.

mycelium::contracts!();

pub use mycelium::scalar::Timestamp;

const _: () = {
    const BYTES_MAX: usize = 64;
    assert!(size_of::<Bar>() <= BYTES_MAX && size_of::<Close>() <= BYTES_MAX);
    assert!(size_of::<Order>() <= BYTES_MAX && size_of::<Fill>() <= BYTES_MAX);
};
