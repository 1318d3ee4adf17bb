//! Connections of tests.

use std::io;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::link::sockets::Socket;

/// What a connection does. Unless said otherwise it takes all that is written, and says nothing.
pub(in crate::link) trait Script: Send + Unpin {
    fn read(&mut self, _: &mut ReadBuf<'_>) -> Poll<()> {
        Poll::Pending
    }

    fn write(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn flush(&mut self) -> Poll<()> {
        Poll::Ready(())
    }

    fn shutdown(&mut self, _: &mut TaskContext<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    fn look(&self) -> Option<bool> {
        None
    }

    fn spins(&self) -> bool {
        false
    }

    fn is_direct(&self) -> bool {
        false
    }
}

/// A connection that does so.
pub(in crate::link) struct Scripted<S>(pub(in crate::link) S);

impl<S: Script> AsyncRead for Scripted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut TaskContext<'_>,
        space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.read(space).map(Ok)
    }
}

impl<S: Script> AsyncWrite for Scripted<S> {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut TaskContext<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(self.0.write(from).map(|()| from.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        self.0.flush().map(Ok)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        self.0.shutdown(cx).map(Ok)
    }
}

impl<S: Script> Socket for Scripted<S> {
    fn look(&self) -> Option<bool> {
        self.0.look()
    }

    fn spins(&self) -> bool {
        self.0.spins()
    }

    fn is_direct(&self) -> bool {
        self.0.is_direct()
    }
}
