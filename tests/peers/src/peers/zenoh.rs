//! zenoh, peer to peer without a router, reliable as publishers are unless they say otherwise; a full reader
//! makes the writer wait.

use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use zenoh::qos::CongestionControl;
use zenoh::{Config, Session, Wait};

use super::{Peer, bytes_of, expect, message, number_of};
use crate::Outcome;
use crate::reader::{Reader, Says};

enum Zenoh {
    Unix,
    Tcp,
}

pub(super) fn all() -> Vec<Box<dyn Peer>> {
    vec![Box::new(Zenoh::Unix), Box::new(Zenoh::Tcp)]
}

impl Zenoh {
    /// A session that nobody finds but by its address.
    fn session(&self, place: &Path, end: &str, address: &str) -> Outcome<Session> {
        let mut config = Config::default();
        config.insert_json5("mode", "\"peer\"")?;
        config.insert_json5("scouting/multicast/enabled", "false")?;
        config.insert_json5("listen/endpoints", "[]")?;
        let endpoint = match self {
            Self::Unix => format!("unixsock-stream/{}", place.join("zenoh").display()),
            Self::Tcp => format!("tcp/{address}"),
        };
        config.insert_json5(&format!("{end}/endpoints"), &format!("[\"{endpoint}\"]"))?;
        zenoh::open(config).wait()
    }

    /// The port is chosen here: zenoh says none that it has chosen itself.
    fn listen(&self, place: &Path) -> Outcome<(Session, String)> {
        let address = match self {
            Self::Unix => String::new(),
            Self::Tcp => std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string(),
        };
        Ok((self.session(place, "listen", &address)?, address))
    }
}

macro_rules! publisher {
    ($session:expr, $key:literal) => {
        $session.declare_publisher($key).congestion_control(CongestionControl::Block).wait()
    };
}

impl Peer for Zenoh {
    fn name(&self) -> &'static str {
        match self {
            Self::Unix => "zenoh unix",
            Self::Tcp => "zenoh tcp",
        }
    }

    fn read(&self, place: &Path, number: u64, says: &mut Says) -> Outcome<()> {
        let (session, address) = self.listen(place)?;
        let (done, end) = mpsc::channel();
        let mut due = 0;
        // On zenoh's own thread: what a channel costs is spared.
        let read = move |sample: zenoh::sample::Sample| {
            let checked = number_of(&sample.payload().to_bytes()).and_then(|found| expect(found, due));
            due += 1;
            if checked.is_err() || due == number {
                done.send(checked).ok();
            }
        };
        let _subscriber = session.declare_subscriber("there").callback_mut(read).wait()?;
        says.ready(&address)?;
        end.recv()??;
        says.done()
    }

    fn write(&self, place: &Path, number: u64, reader: &mut Reader) -> Outcome<Duration> {
        let session = self.session(place, "connect", &reader.address)?;
        let publisher = publisher!(session, "there")?;
        while !publisher.matching_status().wait()?.matching() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let begin = Instant::now();
        for word in 0..number {
            publisher.put(&bytes_of(message(word))[..]).wait()?;
        }
        Ok(reader.done()? - begin)
    }

    fn echo(&self, place: &Path, number: u64, says: &mut Says) -> Outcome<()> {
        let (session, address) = self.listen(place)?;
        let publisher = publisher!(session, "back")?;
        let (done, end) = mpsc::channel();
        let mut left = number;
        let back = move |sample: zenoh::sample::Sample| {
            let sent = publisher.put(sample.payload().clone()).wait();
            left -= 1;
            if sent.is_err() || left == 0 {
                done.send(sent).ok();
            }
        };
        let _subscriber = session.declare_subscriber("there").callback_mut(back).wait()?;
        says.ready(&address)?;
        end.recv()??;
        // The last one is on its way.
        Ok(session.close().wait()?)
    }

    fn ping(&self, place: &Path, number: u64, reader: &mut Reader) -> Outcome<Vec<Duration>> {
        let session = self.session(place, "connect", &reader.address)?;
        let (came, come) = mpsc::channel();
        let come_back = move |sample: zenoh::sample::Sample| {
            came.send(number_of(&sample.payload().to_bytes())).ok();
        };
        let _subscriber = session.declare_subscriber("back").callback_mut(come_back).wait()?;
        let publisher = publisher!(session, "there")?;
        while !publisher.matching_status().wait()?.matching() {
            std::thread::sleep(Duration::from_millis(1));
        }
        // The peer's publisher learns of this subscriber in its own time.
        std::thread::sleep(Duration::from_millis(200));
        let mut trips = Vec::new();
        for word in 0..number {
            let begin = Instant::now();
            publisher.put(&bytes_of(message(word))[..]).wait()?;
            let found = come.recv()??;
            trips.push(begin.elapsed());
            expect(found, word)?;
        }
        Ok(trips)
    }
}
