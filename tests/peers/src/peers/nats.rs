//! NATS through its server, on TCP. It drops what a slow reader leaves, so the reader acknowledges and the
//! writer stays within a window, as its users have to.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt;

use super::{Peer, bytes_of, expect, message, number_of, on_this_thread};
use crate::Outcome;
use crate::reader::{Reader, Says};

/// After how many messages the reader acknowledges, and how many it may be behind.
const STEP: u64 = 8192;
const WINDOW: u64 = 8 * STEP;

struct Nats;

pub(super) fn all() -> Vec<Box<dyn Peer>> {
    vec![Box::new(Nats)]
}

/// It ends before the reader's process, whose child it is.
struct Server(Child);

impl Server {
    fn start() -> Outcome<(Self, String)> {
        let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let port = address.port().to_string();
        let server = Command::new("nats-server")
            .args(["--addr", "127.0.0.1", "--port", &port])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let server =
            Self(server.map_err(|error| format!("nats-server cannot be started ({error}): install it"))?);
        for _ in 0..500 {
            if std::net::TcpStream::connect(address).is_ok() {
                return Ok((server, address.to_string()));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err("nats-server does not listen".into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

async fn client(address: &str) -> Outcome<async_nats::Client> {
    let options = async_nats::ConnectOptions::new().subscription_capacity(2 * WINDOW as usize);
    Ok(options.connect(address).await?)
}

fn bytes(word: u64) -> Bytes {
    Bytes::copy_from_slice(&bytes_of(message(word)))
}

impl Peer for Nats {
    fn name(&self) -> &'static str {
        "nats"
    }

    fn read(&self, _: &Path, number: u64, says: &mut Says) -> Outcome<()> {
        on_this_thread(async {
            let (_server, address) = Server::start()?;
            let client = client(&address).await?;
            let mut there = client.subscribe("there").await?;
            client.flush().await?;
            says.ready(&address)?;
            for due in 0..number {
                let message = there.next().await.ok_or("the connection has ended")?;
                expect(number_of(&message.payload)?, due)?;
                if (due + 1) % STEP == 0 {
                    client.publish("read", bytes(due + 1)).await?;
                }
            }
            says.done()?;
            says.until_let_go()
        })
    }

    fn write(&self, _: &Path, number: u64, reader: &mut Reader) -> Outcome<Duration> {
        on_this_thread(async {
            let client = client(&reader.address).await?;
            let mut read = client.subscribe("read").await?;
            client.flush().await?;
            let (begin, mut acknowledged) = (Instant::now(), 0);
            for word in 0..number {
                while word - acknowledged >= WINDOW {
                    let message = read.next().await.ok_or("the connection has ended")?;
                    acknowledged = number_of(&message.payload)?;
                }
                client.publish("there", bytes(word)).await?;
            }
            client.flush().await?;
            Ok(reader.done()? - begin)
        })
    }

    fn echo(&self, _: &Path, number: u64, says: &mut Says) -> Outcome<()> {
        on_this_thread(async {
            let (_server, address) = Server::start()?;
            let client = client(&address).await?;
            let mut there = client.subscribe("there").await?;
            client.flush().await?;
            says.ready(&address)?;
            for _ in 0..number {
                let message = there.next().await.ok_or("the connection has ended")?;
                client.publish("back", message.payload).await?;
            }
            client.flush().await?;
            says.until_let_go()
        })
    }

    fn ping(&self, _: &Path, number: u64, reader: &mut Reader) -> Outcome<Vec<Duration>> {
        on_this_thread(async {
            let client = client(&reader.address).await?;
            let mut back = client.subscribe("back").await?;
            client.flush().await?;
            let mut trips = Vec::new();
            for word in 0..number {
                let begin = Instant::now();
                client.publish("there", bytes(word)).await?;
                let message = back.next().await.ok_or("the connection has ended")?;
                trips.push(begin.elapsed());
                expect(number_of(&message.payload)?, word)?;
            }
            Ok(trips)
        })
    }
}
