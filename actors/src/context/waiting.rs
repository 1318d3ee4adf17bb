//! What a context waits with: a future of its host, and a limit on another one.

use std::future::Future;
use std::pin::Pin;

/// A future of the isolate or of the live bus.
pub(crate) enum Either<I, L> {
    Isolate(I),
    /// The runtime's futures are pinned: they are boxed here.
    Live(std::pin::Pin<Box<L>>),
    /// A direct call has nothing to wait on.
    Never,
}

impl<I: Future<Output = ()> + Unpin, L: Future<Output = ()>> Future for Either<I, L> {
    type Output = ();

    #[inline]
    fn poll(self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        match self.get_mut() {
            Self::Isolate(isolate) => std::pin::Pin::new(isolate).poll(cx),
            Self::Live(live) => live.as_mut().poll(cx),
            Self::Never => std::task::Poll::Pending,
        }
    }
}

/// Drives `work` until it is ready or `timer` is; `None` then.
pub(crate) async fn within<T>(
    mut timer: Pin<&mut impl Future<Output = ()>>,
    work: impl Future<Output = T>,
) -> Option<T> {
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(|cx| {
        use std::task::Poll;
        if let Poll::Ready(answer) = work.as_mut().poll(cx) {
            return Poll::Ready(Some(answer));
        }
        timer.as_mut().poll(cx).map(|()| None)
    })
    .await
}
