//! An executor within an executor.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Poll, Wake, Waker};

/// Keeps futures of its own apart, each with its own waker, as executors within executors do.
pub struct Apart<F>(Vec<(Pin<Box<F>>, Arc<Flag>)>, Arc<Mutex<Option<Waker>>>);

struct Flag {
    is_woken: AtomicBool,
    whole: Arc<Mutex<Option<Waker>>>,
}
impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.is_woken.store(true, Ordering::Relaxed);
        let whole = self.whole.lock().unwrap().clone();
        whole.iter().for_each(Waker::wake_by_ref);
    }
}

impl<F: Future> Apart<F> {
    pub fn new(futures: impl IntoIterator<Item = F>) -> Self {
        let whole = Arc::<Mutex<Option<Waker>>>::default();
        let flag = || Flag { is_woken: AtomicBool::new(true), whole: Arc::clone(&whole) };
        Self(futures.into_iter().map(|future| (Box::pin(future), Arc::new(flag()))).collect(), whole)
    }
}

impl<F: Future> Future for Apart<F> {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        *self.1.lock().unwrap() = Some(cx.waker().clone());
        self.0.retain_mut(|(future, flag)| {
            let waker = Waker::from(Arc::clone(flag));
            !flag.is_woken.swap(false, Ordering::Relaxed)
                || future.as_mut().poll(&mut TaskContext::from_waker(&waker)).is_pending()
        });
        if self.0.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    }
}
