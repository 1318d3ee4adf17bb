//! How an event loop of Python hears of a message: a file descriptor that becomes readable.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::Wake;

/// A pair of sockets: whoever has news writes a byte to one, the event loop watches the other.
/// Nobody attaches to Python for it.
pub(crate) struct Pipe {
    reader: UnixStream,
    writer: UnixStream,
}

impl Pipe {
    pub(crate) fn new() -> io::Result<Arc<Self>> {
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        writer.set_nonblocking(true)?;
        Ok(Arc::new(Self { reader, writer }))
    }

    /// What the event loop watches.
    pub(crate) fn fileno(&self) -> RawFd {
        self.reader.as_raw_fd()
    }

    /// Takes what was written, so that it is not readable until there is news again.
    pub(crate) fn clear(&self) {
        let mut bytes = [0; 64];
        loop {
            match (&self.reader).read(&mut bytes) {
                Ok(64) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Nothing is left, or the other end has gone.
                _ => return,
            }
        }
    }
}

impl Wake for Pipe {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // A pipe that is full is readable already.
        let _ = (&self.writer).write(&[1]);
    }
}
