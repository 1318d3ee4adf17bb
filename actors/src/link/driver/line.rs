//! The ends of what is read and written on a connection.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Line;
use super::cut::Cut;
use crate::link::greet::LINGER;
use crate::rt::Instant;

impl Line {
    /// Waits until the peer has closed its side too, whatever it still says: what is closed with unread bytes
    /// in it may take the last words with it.
    pub(super) fn read_to_end(&mut self, cx: &mut TaskContext<'_>) -> Result<bool, Cut> {
        let mut rest = [0; 1_024];
        loop {
            let mut space = ReadBuf::new(&mut rest);
            match Pin::new(&mut self.socket).poll_read(cx, &mut space) {
                Poll::Pending => return Ok(false),
                Poll::Ready(Ok(())) if !space.filled().is_empty() => {}
                Poll::Ready(_) => return Err(Cut::Done),
            }
        }
    }

    /// The last words are written: has the connection send what it has kept of them, and say that nothing
    /// follows. Whether there is more to do at once.
    pub(super) fn end(&mut self, cx: &mut TaskContext<'_>) -> bool {
        let begins = self.lingers.is_none();
        self.lingers.get_or_insert_with(|| Instant::now() + LINGER);
        // A failure is found where the peer's end is waited for.
        self.ended = self.ended || Pin::new(&mut self.socket).poll_shutdown(cx).is_ready();
        begins
    }

    /// Nothing is left to be written: has the connection send what it has kept, which the peer would wait for
    /// else. That there is nothing more to do at once.
    pub(super) fn flush(&mut self, cx: &mut TaskContext<'_>) -> Result<bool, Cut> {
        match Pin::new(&mut self.socket).poll_flush(cx) {
            Poll::Ready(Err(error)) => Err(Cut::Io(error)),
            _ => Ok(false),
        }
    }
}
