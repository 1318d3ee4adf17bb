//! Tests of the slot.

use super::*;
use std::sync::Arc;
use std::task::Waker;

/// Waits once, then gives its value; counts its drop by the `Arc`.
struct Later<T> {
    value: Option<T>,
    waited: bool,
    panics: bool,
    _witness: Arc<()>,
    _ballast: [u8; 40],
}

impl<T: Unpin> Future for Later<T> {
    type Output = T;
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
        let this = self.get_mut();
        if std::mem::replace(&mut this.waited, true) {
            assert!(!this.panics, "asked to panic");
            return Poll::Ready(this.value.take().expect("polled once more"));
        }
        Poll::Pending
    }
}

fn later(value: u32, witness: &Arc<()>) -> Later<u32> {
    let _witness = Arc::clone(witness);
    Later { value: Some(value), waited: false, panics: false, _witness, _ballast: [0; 40] }
}

fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

fn parked<O>(started: Started<'_, O>) -> Parked<'_, O> {
    match started {
        Started::Parked(parked) => parked,
        Started::Ready(_) => panic!("it should wait"),
    }
}

#[test]
fn a_future_waits_in_the_slot_and_is_dropped_when_ready() {
    let witness = Arc::new(());
    let mut slot = FutureSlot::new();
    for round in 0..3 {
        let mut waiting = parked(slot.start(later(round, &witness), &mut context()));
        assert_eq!(Arc::strong_count(&witness), 2);
        assert_eq!(Pin::new(&mut waiting).poll(&mut context()), Poll::Ready(round));
        assert_eq!(Arc::strong_count(&witness), 1);
    }
}

#[test]
fn dropping_a_parked_future_drops_it_and_frees_the_slot() {
    let witness = Arc::new(());
    let mut slot = FutureSlot::new();
    drop(slot.start(later(1, &witness), &mut context()));
    assert_eq!(Arc::strong_count(&witness), 1);
    let capacity = slot.capacity();
    drop(slot.start(later(2, &witness), &mut context()));
    assert_eq!(slot.capacity(), capacity);
}

#[test]
fn a_leaked_future_keeps_its_memory() {
    let witness = Arc::new(());
    let mut slot = FutureSlot::new();
    let leaked = parked(slot.start(later(1, &witness), &mut context()));
    let at = leaked.slot.buffer;
    std::mem::forget(leaked);
    let second = parked(slot.start(later(2, &witness), &mut context()));
    assert_ne!(second.slot.buffer, at);
    drop(second);
    drop(slot);
    assert_eq!(Arc::strong_count(&witness), 2, "the leaked future was neither dropped nor overwritten");
    // The test gives back what it leaked, so that leak checkers stay quiet.
    // SAFETY: the slot abandoned the buffer, and a `Later<u32>` still lives in it.
    unsafe { drop_at::<Later<u32>>(at) };
    let layout =
        Layout::from_size_align(size_of::<Later<u32>>().max(BUFFER_BYTES_MIN), align_of::<Later<u32>>());
    // SAFETY: this is the layout it was allocated with.
    unsafe { dealloc(at.as_ptr(), layout.unwrap()) };
}

#[test]
fn a_panic_in_poll_leaves_the_slot_usable() {
    let witness = Arc::new(());
    let mut slot = FutureSlot::new();
    let attempt = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let failing = Later { panics: true, waited: true, ..later(1, &witness) };
        drop(slot.start(failing, &mut context()));
    }));
    attempt.unwrap_err();
    assert_eq!(Arc::strong_count(&witness), 1);
    let mut waiting = parked(slot.start(Later { panics: true, ..later(2, &witness) }, &mut context()));
    let attempt = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = Pin::new(&mut waiting).poll(&mut context());
    }));
    attempt.unwrap_err();
    drop(waiting);
    assert_eq!(Arc::strong_count(&witness), 1);
    assert!(matches!(slot.start(async { 5 }, &mut context()), Started::Ready(5)));
}

#[test]
fn larger_and_more_aligned_futures_grow_the_slot() {
    #[repr(align(128))]
    #[derive(Clone, Copy)]
    struct Wide([u8; 300]);
    async fn sum(wide: Wide) -> usize {
        std::future::ready(()).await;
        (&raw const wide).addr() % 128 + usize::from(wide.0[299])
    }
    let mut slot = FutureSlot::new();
    assert!(matches!(slot.start(std::future::ready(()), &mut context()), Started::Ready(())));
    assert!(matches!(slot.start(sum(Wide([7; 300])), &mut context()), Started::Ready(7)));
    let capacity = slot.capacity();
    assert!(matches!(slot.start(async { 1 }, &mut context()), Started::Ready(1)));
    assert_eq!(slot.capacity(), capacity);
}

#[test]
fn what_comes_then_has_the_output_once_the_future_is_gone() {
    let (witness, mut slot) = (Arc::new(()), FutureSlot::new());
    let then = |output: u32| (output + 1, Arc::strong_count(&witness));
    assert!(matches!(slot.start_then(async { 4 }, then, &mut context()), Started::Ready((5, 1))));
    let mut waiting = parked(slot.start_then(later(6, &witness), then, &mut context()));
    assert_eq!(Pin::new(&mut waiting).poll(&mut context()), Poll::Ready((7, 1)));
    drop(waiting);
    let given = Arc::clone(&witness);
    let waiting = slot.start_then(later(8, &witness), move |_| drop(given), &mut context());
    assert_eq!(Arc::strong_count(&witness), 3);
    drop(waiting);
    assert_eq!(Arc::strong_count(&witness), 1, "both were dropped, once");
}

#[test]
fn a_panic_of_the_future_or_of_what_comes_then_leaves_the_slot_usable() {
    let (witness, mut slot) = (Arc::new(()), FutureSlot::new());
    for (waited, panics) in [(true, true), (true, false), (false, true), (false, false)] {
        let given = Arc::clone(&witness);
        let future = Later { panics, waited, ..later(1, &witness) };
        let then = move |_: u32| -> u32 { panic!("dropped with it: {given:?}") };
        let attempt = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut waiting = parked(slot.start_then(future, then, &mut context()));
            let _ = Pin::new(&mut waiting).poll(&mut context());
        }));
        attempt.unwrap_err();
        assert_eq!(Arc::strong_count(&witness), 1);
        assert!(matches!(slot.start(async { 5 }, &mut context()), Started::Ready(5)));
    }
}

#[test]
fn what_an_attempt_has_borrowed_comes_back_or_waits_with_it() {
    let witness = Arc::new(());
    let mut whole = (FutureSlot::new(), 3);
    let started = attempt(&mut whole, |(slot, number)| slot.start(async { *number + 1 }, &mut context()));
    let StartAttempt::Ready(4, whole) = started else { panic!("it does not wait") };
    whole.1 += 1;
    {
        let started = attempt(&mut *whole, |(slot, number)| {
            let waits = later(7, &witness);
            slot.start(async move { waits.await + std::mem::take(number) }, &mut context())
        });
        let StartAttempt::Parked(mut waiting) = started else { panic!("it waits") };
        assert_eq!(Pin::new(&mut waiting).poll(&mut context()), Poll::Ready(11));
    }
    assert_eq!((whole.1, Arc::strong_count(&witness)), (0, 1));
}

#[test]
fn futures_may_borrow() {
    let mut slot = FutureSlot::new();
    let mut text = String::from("a");
    {
        let push = async { text.push('b') };
        assert!(matches!(slot.start(push, &mut context()), Started::Ready(())));
    }
    assert_eq!(text, "ab");
}
