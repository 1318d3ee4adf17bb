//! Streams that actors have attached, and work off the runtime.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use futures_core::Stream;
use mycelium::{
    Actor, BlockingError, BoxError, Clock, Context, Handler, Responder, StreamHandle, Supervisor,
};

use crate::common::{Heard, PERIOD};
use crate::host::Host;

type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Counts from 1 to `last`, and sleeps a millisecond before each tenth number.
struct Numbers {
    next: u64,
    last: u64,
    read: Arc<AtomicU64>,
    sleep: Option<Sleep>,
    clock: Clock,
}

impl Stream for Numbers {
    type Item = u64;
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<u64>> {
        if self.next > self.last {
            return Poll::Ready(None);
        }
        if self.next.is_multiple_of(10) {
            let clock = self.clock.clone();
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(clock.sleep(Duration::from_millis(1))));
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.sleep = None;
        }
        self.next += 1;
        self.read.fetch_add(1, Ordering::SeqCst);
        Poll::Ready(Some(self.next - 1))
    }
}

/// Reads numbers in each of its lives, and fails at one of them.
struct Reader {
    last: u64,
    fails_at: Option<u64>,
    read: Arc<AtomicU64>,
    heard: Heard,
    numbers: Option<StreamHandle>,
}
struct NoMore;

impl Actor for Reader {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        let (last, read, clock) = (self.last, Arc::clone(&self.read), ctx.clock());
        let numbers = Numbers { next: 1, last, read, sleep: None, clock };
        self.numbers = Some(ctx.attach_stream(numbers, NoMore)?);
        self.heard.add("started");
        Ok(())
    }
}
impl Handler<u64> for Reader {
    async fn handle(&mut self, number: &u64, _: &mut Context<Self>) -> Result<(), BoxError> {
        if self.fails_at == Some(*number) {
            return Err("told to".into());
        }
        self.heard.add(number.to_string());
        Ok(())
    }
}
impl Handler<NoMore> for Reader {
    async fn handle(&mut self, _: &NoMore, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.add("no more");
        Ok(())
    }
}
struct Detach;
impl Handler<Detach> for Reader {
    async fn handle(&mut self, _: &Detach, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.numbers = None;
        Ok(())
    }
}

fn reader(last: u64) -> Reader {
    Reader { last, fails_at: None, read: Arc::default(), heard: Heard::default(), numbers: None }
}

conformance!(a_stream_is_handled_in_its_order_and_its_end_comes_last);
fn a_stream_is_handled_in_its_order_and_its_end_comes_last<H: Host>() {
    let mut host = H::new();
    let reader = reader(300);
    let heard = reader.heard.clone();
    let actor = host.spawn(reader).unwrap();
    host.until(|| heard.words().last().is_some_and(|last| last == "no more"));
    let mut expected = vec!["started".to_owned()];
    expected.extend((1..=300).map(|number: u64| number.to_string()));
    expected.push("no more".to_owned());
    assert_eq!(heard.words(), expected);
    assert!(actor.is_alive());
    host.shutdown();
}

conformance!(a_stream_ends_with_the_life_that_has_attached_it);
fn a_stream_ends_with_the_life_that_has_attached_it<H: Host>() {
    let mut host = H::new();
    let (heard, read) = (Heard::default(), Arc::<AtomicU64>::default());
    let (seen, reads, lives) = (heard.clone(), Arc::clone(&read), AtomicU64::new(0));
    let make = move || {
        // The first life fails at 5 of a stream without an end; the second reads 3 numbers.
        let first = lives.fetch_add(1, Ordering::SeqCst) == 0;
        let (last, fails_at) = if first { (u64::MAX, Some(5)) } else { (3, None) };
        Reader { last, fails_at, heard: seen.clone(), read: Arc::clone(&reads), numbers: None }
    };
    let root = Supervisor::builder("root").intensity(9, PERIOD).actor("reader", make);
    let tree = host.supervise(root).unwrap();
    host.until(|| heard.words().iter().any(|word| word == "no more"));
    // Messages that the first stream had told by then are handled in the next life; nothing is read any more.
    host.advance(Duration::from_millis(20));
    let before = read.load(Ordering::SeqCst);
    host.advance(Duration::from_millis(20));
    assert_eq!(read.load(Ordering::SeqCst), before);
    assert_eq!(heard.words().iter().filter(|word| *word == "started").count(), 2);
    host.shut_tree(&tree);
}

conformance!(a_detached_stream_is_read_no_further);
fn a_detached_stream_is_read_no_further<H: Host>() {
    let mut host = H::new();
    let reader = reader(u64::MAX);
    let read = Arc::clone(&reader.read);
    let actor = host.spawn(reader).unwrap();
    host.advance(Duration::from_millis(3));
    host.tell(&actor, Detach).unwrap();
    host.advance(Duration::from_millis(5));
    let before = read.load(Ordering::SeqCst);
    host.advance(Duration::from_millis(20));
    assert_eq!(read.load(Ordering::SeqCst), before);
    host.shutdown();
}

struct Work;
impl Actor for Work {
    type Error = BoxError;
}
struct Compute(u64);
impl Responder<Compute> for Work {
    type Reply = Result<u64, BlockingError>;
    async fn answer(&mut self, compute: &Compute, ctx: &mut Context<Self>) -> Self::Reply {
        let number = compute.0;
        ctx.spawn_blocking(move || {
            assert_ne!(number, 13, "unlucky");
            std::thread::sleep(Duration::from_millis(2));
            number * 2
        })
        .await
    }
}

conformance!(blocking_work_gives_its_result_and_its_panic_is_an_error);
fn blocking_work_gives_its_result_and_its_panic_is_an_error<H: Host>() {
    let mut host = H::new();
    let work = host.spawn(Work).unwrap();
    assert_eq!(host.ask(&work, Compute(21)).unwrap(), Ok(42));
    let Err(BlockingError::Panicked(why)) = host.ask(&work, Compute(13)).unwrap() else { panic!("13") };
    assert!(why.contains("unlucky"), "{why}");
    assert_eq!(host.ask(&work, Compute(1)).unwrap(), Ok(2));
    host.shutdown();
}
