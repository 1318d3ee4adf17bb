//! The same without links: bare sockets, and a bare ring.

use std::io::{Read, Write};
use std::thread;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Kind, MESSAGE_LEN, run};
use crate::harness::median;

/// What a bare socket writes and reads at once, in bytes.
const BATCH_LEN: usize = 64 << 10;

/// Messages one way through a ring in shared memory, by threads that never sleep.
#[cfg(target_os = "linux")]
pub(super) fn bare_ring_one_way(number: u64) -> f64 {
    use mycelium_mailbox::shm::{ShmAccess, ShmMode, ShmSegment};

    let segment = ShmSegment::create(256 << 10).expect("memory");
    let mut reader = segment.reader(ShmMode::Block).expect("the first");
    let mut writer = segment.writer(ShmAccess::Sole).expect("the only one");
    let reads = thread::spawn(move || {
        let (mut left, mut sum) = (number, 0);
        while left > 0 {
            match reader.read().expect("the writer is sound") {
                Some(message) => {
                    sum += u64::from(message[0]);
                    left -= 1;
                }
                None => std::hint::spin_loop(),
            }
        }
        (Instant::now(), sum)
    });
    let begin = Instant::now();
    let mut message = [0; MESSAGE_LEN];
    for word in 0..number {
        message[..8].copy_from_slice(&word.to_le_bytes());
        while writer.send(&message).is_err() {
            std::hint::spin_loop();
        }
    }
    let (end, _) = reads.join().expect("the reader does not panic");
    (end - begin).as_nanos() as f64 / number as f64
}

pub(super) fn bare_one_way(kind: Kind, number: u64) -> f64 {
    let (mut writer, mut reader) = bare_pair(kind);
    let bytes = usize::try_from(number).unwrap_or_default() * MESSAGE_LEN;
    let reads = thread::spawn(move || {
        let (mut buffer, mut left, mut sum) = (vec![0; BATCH_LEN], bytes, 0);
        while left > 0 {
            let count = reader.read(&mut buffer).expect("the writer lives");
            left -= count;
            sum += buffer[..count].iter().step_by(MESSAGE_LEN).map(|byte| u64::from(*byte)).sum::<u64>();
        }
        (Instant::now(), sum)
    });
    let mut batch = Vec::with_capacity(BATCH_LEN);
    let begin = Instant::now();
    for word in 0..number {
        for _ in 0..8 {
            batch.extend_from_slice(&word.to_le_bytes());
        }
        if batch.len() == BATCH_LEN {
            writer.write_all(&batch).expect("the reader lives");
            batch.clear();
        }
    }
    writer.write_all(&batch).expect("the reader lives");
    let (end, _) = reads.join().expect("the reader does not panic");
    (end - begin).as_nanos() as f64 / number as f64
}

pub(super) fn bare_there_and_back(kind: Kind, number: u64) -> f64 {
    let (one, other) = bare_pair(kind);
    let echo = thread::spawn(move || {
        run(async move {
            let (mut socket, mut message) = (other.of_tokio(), [0; MESSAGE_LEN]);
            for _ in 0..number {
                socket.read_exact(&mut message).await.expect("the other side lives");
                socket.write_all(&message).await.expect("the other side lives");
            }
        });
    });
    let p50 = run(async move {
        let (mut socket, mut message) = (one.of_tokio(), [7; MESSAGE_LEN]);
        let mut samples = Vec::with_capacity(usize::try_from(number).unwrap_or_default());
        for _ in 0..number {
            let begin = Instant::now();
            socket.write_all(&message).await.expect("the other side lives");
            socket.read_exact(&mut message).await.expect("the other side lives");
            samples.push(begin.elapsed().as_nanos() as f64);
        }
        median(&samples)
    });
    echo.join().expect("the other side does not panic");
    p50
}

/// A bare socket.
enum Bare {
    Unix(std::os::unix::net::UnixStream),
    Tcp(std::net::TcpStream),
}

/// What tokio makes of it.
trait Socket: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin {}
impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin> Socket for S {}

fn bare_pair(kind: Kind) -> (Bare, Bare) {
    match kind {
        Kind::Unix => {
            let (one, other) = std::os::unix::net::UnixStream::pair().expect("a pair of sockets");
            (Bare::Unix(one), Bare::Unix(other))
        }
        _ => {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
            let address = listener.local_addr().expect("an address");
            let one = std::net::TcpStream::connect(address).expect("it listens");
            let (other, _) = listener.accept().expect("it was dialed");
            for socket in [&one, &other] {
                socket.set_nodelay(true).expect("an option of TCP");
            }
            (Bare::Tcp(one), Bare::Tcp(other))
        }
    }
}

impl Bare {
    fn of_tokio(self) -> Box<dyn Socket> {
        match self {
            Self::Unix(socket) => {
                socket.set_nonblocking(true).expect("an option of sockets");
                Box::new(tokio::net::UnixStream::from_std(socket).expect("a runtime with IO"))
            }
            Self::Tcp(socket) => {
                socket.set_nonblocking(true).expect("an option of sockets");
                Box::new(tokio::net::TcpStream::from_std(socket).expect("a runtime with IO"))
            }
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Unix(socket) => socket.read(buffer),
            Self::Tcp(socket) => socket.read(buffer),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Unix(socket) => socket.write_all(bytes),
            Self::Tcp(socket) => socket.write_all(bytes),
        }
    }
}
