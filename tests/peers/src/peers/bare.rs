//! Sockets with nothing around them: the floor. One way in writes of 64 KiB, there and back one by one.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use super::{MESSAGE_LEN, Peer, bytes_of, expect, message, number_of};
use crate::Outcome;
use crate::reader::{Reader, Says};

/// What is written and read at once, in bytes.
const BATCH_LEN: usize = 64 << 10;

enum Bare {
    Unix,
    Tcp,
}

trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

pub(super) fn all() -> Vec<Box<dyn Peer>> {
    vec![Box::new(Bare::Unix), Box::new(Bare::Tcp)]
}

impl Bare {
    fn accept(&self, place: &Path, says: &mut Says) -> Outcome<Box<dyn Stream>> {
        Ok(match self {
            Self::Unix => {
                let listener = UnixListener::bind(place.join("bare"))?;
                says.ready("")?;
                Box::new(listener.accept()?.0)
            }
            Self::Tcp => {
                let listener = TcpListener::bind("127.0.0.1:0")?;
                says.ready(&listener.local_addr()?.to_string())?;
                let stream = listener.accept()?.0;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
        })
    }

    fn connect(&self, place: &Path, reader: &Reader) -> Outcome<Box<dyn Stream>> {
        Ok(match self {
            Self::Unix => Box::new(UnixStream::connect(place.join("bare"))?),
            Self::Tcp => {
                let stream = TcpStream::connect(&reader.address)?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
        })
    }
}

impl Peer for Bare {
    fn name(&self) -> &'static str {
        match self {
            Self::Unix => "bare unix socket",
            Self::Tcp => "bare tcp",
        }
    }

    fn read(&self, place: &Path, number: u64, says: &mut Says) -> Outcome<()> {
        let mut stream = self.accept(place, says)?;
        let (mut buffer, mut filled, mut due) = (vec![0; BATCH_LEN], 0, 0);
        while due < number {
            let count = stream.read(&mut buffer[filled..])?;
            if count == 0 {
                return Err("the writer has ended".into());
            }
            filled += count;
            let whole = filled - filled % MESSAGE_LEN;
            for message in buffer[..whole].chunks_exact(MESSAGE_LEN) {
                expect(number_of(message)?, due)?;
                due += 1;
            }
            buffer.copy_within(whole..filled, 0);
            filled -= whole;
        }
        says.done()
    }

    fn write(&self, place: &Path, number: u64, reader: &mut Reader) -> Outcome<Duration> {
        let mut stream = self.connect(place, reader)?;
        let mut batch = Vec::with_capacity(BATCH_LEN);
        let begin = Instant::now();
        for word in 0..number {
            batch.extend_from_slice(&bytes_of(message(word)));
            if batch.len() == BATCH_LEN {
                stream.write_all(&batch)?;
                batch.clear();
            }
        }
        stream.write_all(&batch)?;
        Ok(reader.done()? - begin)
    }

    fn echo(&self, place: &Path, number: u64, says: &mut Says) -> Outcome<()> {
        let mut stream = self.accept(place, says)?;
        let mut message = [0; MESSAGE_LEN];
        for _ in 0..number {
            stream.read_exact(&mut message)?;
            stream.write_all(&message)?;
        }
        Ok(())
    }

    fn ping(&self, place: &Path, number: u64, reader: &mut Reader) -> Outcome<Vec<Duration>> {
        let mut stream = self.connect(place, reader)?;
        let (mut back, mut trips) = ([0; MESSAGE_LEN], Vec::new());
        for word in 0..number {
            let begin = Instant::now();
            stream.write_all(&bytes_of(message(word)))?;
            stream.read_exact(&mut back)?;
            trips.push(begin.elapsed());
            expect(number_of(&back)?, word)?;
        }
        Ok(trips)
    }
}
