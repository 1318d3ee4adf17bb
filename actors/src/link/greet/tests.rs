use tokio::net::UnixStream;

use super::*;
use crate::MessageBus;

const HALF: Duration = Duration::from_millis(2_500);

fn late() -> Result<(), GreetError> {
    Err(LinkFault::HandshakeLate { limit_ns: 1 }.into())
}

fn closed() -> Result<(), GreetError> {
    Err(io::Error::from(io::ErrorKind::UnexpectedEof).into())
}

#[test]
fn a_handshake_that_was_late_gives_the_next_one_twice_the_time_up_to_a_bound() {
    for (hold, limits) in [(30, [5, 10, 10, 10, 10, 10]), (3_600, [5, 10, 20, 40, 60, 60]), (0, [5; 6])] {
        let patience = Patience::of(&LinkOptions::default().hold(Duration::from_secs(hold)));
        for limit in limits {
            let before = patience.limit();
            assert_eq!(before.as_secs(), limit);
            // Two at the same time are late once.
            (0..2).for_each(|_| patience.learn(before, before, &late()));
        }
    }
}

#[test]
fn one_whose_peer_was_late_first_has_more_time_for_the_next_handshake_too() {
    let patience = Patience::of(&LinkOptions::default());
    let limit = patience.limit();
    patience.learn(limit, HALF - Duration::from_millis(1), &closed());
    assert_eq!(patience.limit(), limit, "it was refused");
    patience.learn(limit, HALF, &closed());
    assert_eq!(patience.limit(), 2 * limit);
}

#[test]
fn a_handshake_for_which_half_the_time_was_enough_leaves_the_next_one_half() {
    let patience = Patience::of(&LinkOptions::default().hold(Duration::from_secs(90)));
    for limit in [5, 10, 20].map(Duration::from_secs) {
        patience.learn(limit, limit, &late());
    }
    let most = Duration::from_secs(30);
    for (limit, took, next) in [(30, 15, 30), (30, 14, 20), (20, 10, 20), (20, 9, 10), (10, 1, 5), (5, 0, 5)]
    {
        assert_eq!(patience.limit().as_secs(), limit);
        patience.learn(patience.limit(), Duration::from_secs(took), &Ok(()));
        assert_eq!(patience.limit().as_secs(), next);
    }
    patience.learn(most, Duration::ZERO, &Ok(()));
    assert_eq!(patience.limit(), HANDSHAKE, "it had another limit");
}

/// The other side of a connection, as far as it says by hand.
struct Far {
    socket: UnixStream,
    decoder: Decoder,
    handshake: Handshake,
}

impl Far {
    const NONCE: u64 = 2;

    fn new(socket: UnixStream) -> Self {
        Self { socket, decoder: Decoder::new(), handshake: Handshake::new(0, Self::NONCE) }
    }

    async fn hello(&mut self) {
        let mut out = Vec::new();
        let hello = Hello { name: "tool/desk", nonce: Self::NONCE, value_len_max: 1 << 20, offers: &[] };
        hello.encode(&mut out).unwrap();
        self.socket.write_all(&out).await.unwrap();
    }

    async fn accept(&mut self, nonce: u64, standing: Standing) {
        let mut out = Vec::new();
        Accept { nonce, standing }.encode(&mut out);
        self.socket.write_all(&out).await.unwrap();
    }

    async fn read(&mut self) -> Greeting {
        loop {
            if let Some(frame) = self.decoder.next_frame().unwrap() {
                return self.handshake.frame(&frame).unwrap();
            }
            let count = self.socket.read(self.decoder.space()).await.unwrap();
            self.decoder.advance(count);
        }
    }

    async fn read_hello(&mut self) -> u64 {
        let Greeting::Hello(hello) = self.read().await else { panic!("no Hello") };
        hello.nonce()
    }

    /// Dials this bus, as the process with that end which is attached to it so far. The link of the bus.
    async fn dials(mut self, hub: &Arc<Hub>, near: UnixStream, standing: Standing) -> (Self, Arc<Peer>) {
        let (options, patience) = (Arc::default(), Patience::of(&LinkOptions::default()));
        let far = async {
            self.hello().await;
            let nonce = self.read_hello().await;
            self.accept(nonce, standing).await;
        };
        let near = greet(hub, Box::new(near), Side::Accepted, &options, &patience);
        let (greeted, ()) = tokio::join!(near, far);
        let (peer, _) = greeted.unwrap();
        (self, peer)
    }
}

/// The dead one has answered our Hello, and both frames are late: its successor has dialed, and was cut off.
#[tokio::test]
async fn a_dialer_that_hears_a_dead_process_late_takes_nothing_from_its_successor() {
    let bus = MessageBus::builder().node("tool/market").build();
    let hub = Hub::of(&bus).unwrap();
    let (near, old) = UnixStream::pair().unwrap();
    let mut old = Far::new(old);
    let (options, patience) = (Arc::default(), Patience::of(&LinkOptions::default()));
    let late = greet(&hub, Box::new(near), Side::Dialed(None), &options, &patience);
    let meanwhile = async {
        let nonce = old.read_hello().await;
        let (near, new) = UnixStream::pair().unwrap();
        let alive = Standing { end: 60, ..Standing::default() };
        let (new, peer) = Far::new(new).dials(&hub, near, alive).await;
        drop(new);
        peer.detached().await;
        old.hello().await;
        old.accept(nonce, Standing { end: 40, ..Standing::default() }).await;
        peer
    };
    let (late, peer) = tokio::join!(late, meanwhile);
    assert!(matches!(late, Err(GreetError::Attach(AttachError::Stale))), "{:?}", late.err());
    let known = peer.standing().await.unwrap();
    let (near, new) = UnixStream::pair().unwrap();
    Far::new(new).dials(&hub, near, Standing { end: 60, peer_end: known.end, received: 0 }).await;
    let stats = peer.stats();
    assert_eq!((stats.connections, stats.peer_restarts, stats.lost), (2, 0, 0));
}
