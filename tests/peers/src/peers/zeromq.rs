//! ZeroMQ: PUSH to PULL, which waits where its peer is full, and a PAIR there and back.

use std::path::Path;
use std::time::{Duration, Instant};

use zmq::{Context, Socket, SocketType};

use super::{MESSAGE_LEN, Peer, bytes_of, expect, message, number_of};
use crate::Outcome;
use crate::reader::{Reader, Says};

/// Messages that each side may hold.
const HIGH_WATER_MARK: i32 = 10_000;

enum ZeroMq {
    Ipc,
    Tcp,
}

pub(super) fn all() -> Vec<Box<dyn Peer>> {
    vec![Box::new(ZeroMq::Ipc), Box::new(ZeroMq::Tcp)]
}

impl ZeroMq {
    fn bind(&self, kind: SocketType, place: &Path, says: &mut Says) -> Outcome<(Context, Socket)> {
        let (context, socket) = made(kind)?;
        match self {
            Self::Ipc => socket.bind(&format!("ipc://{}", place.join("zmq").display()))?,
            Self::Tcp => socket.bind("tcp://127.0.0.1:*")?,
        }
        let address = socket.get_last_endpoint()?.map_err(|_| "an address that is no text")?;
        says.ready(&address)?;
        Ok((context, socket))
    }
}

/// The context ends after the socket.
fn made(kind: SocketType) -> Outcome<(Context, Socket)> {
    let context = Context::new();
    let socket = context.socket(kind)?;
    socket.set_sndhwm(HIGH_WATER_MARK)?;
    socket.set_rcvhwm(HIGH_WATER_MARK)?;
    Ok((context, socket))
}

fn connect(kind: SocketType, reader: &Reader) -> Outcome<(Context, Socket)> {
    let (context, socket) = made(kind)?;
    socket.connect(&reader.address)?;
    Ok((context, socket))
}

impl Peer for ZeroMq {
    fn name(&self) -> &'static str {
        match self {
            Self::Ipc => "zeromq ipc",
            Self::Tcp => "zeromq tcp",
        }
    }

    fn read(&self, place: &Path, number: u64, says: &mut Says) -> Outcome<()> {
        let (_context, socket) = self.bind(zmq::PULL, place, says)?;
        let mut message = zmq::Message::new();
        for due in 0..number {
            socket.recv(&mut message, 0)?;
            expect(number_of(&message)?, due)?;
        }
        says.done()
    }

    fn write(&self, _: &Path, number: u64, reader: &mut Reader) -> Outcome<Duration> {
        let (_context, socket) = connect(zmq::PUSH, reader)?;
        let begin = Instant::now();
        for word in 0..number {
            socket.send(&bytes_of(message(word))[..], 0)?;
        }
        Ok(reader.done()? - begin)
    }

    fn echo(&self, place: &Path, number: u64, says: &mut Says) -> Outcome<()> {
        let (_context, socket) = self.bind(zmq::PAIR, place, says)?;
        let mut buffer = [0; MESSAGE_LEN];
        for _ in 0..number {
            let len = socket.recv_into(&mut buffer, 0)?;
            socket.send(&buffer[..len], 0)?;
        }
        Ok(())
    }

    fn ping(&self, _: &Path, number: u64, reader: &mut Reader) -> Outcome<Vec<Duration>> {
        let (_context, socket) = connect(zmq::PAIR, reader)?;
        let (mut buffer, mut trips) = ([0; MESSAGE_LEN], Vec::new());
        for word in 0..number {
            let begin = Instant::now();
            socket.send(&bytes_of(message(word))[..], 0)?;
            let len = socket.recv_into(&mut buffer, 0)?;
            trips.push(begin.elapsed());
            expect(number_of(buffer.get(..len).ok_or("not of 64 bytes")?)?, word)?;
        }
        Ok(trips)
    }
}
