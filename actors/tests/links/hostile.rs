//! Peers that break the rules lose their connection, and cost nobody else anything.

use std::time::Duration;

use mycelium::frame::{self, Flags, Header};
use mycelium::{LinkAddress, MessageBus};
use mycelium_random::{Random, seed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::common::on_every_runtime;
use crate::kit::{Tick, bus, find, until, until_wanted};

/// The version of links.
const VERSION: u16 = 2;

/// A control frame.
fn control(kind: u16, value: &[u8]) -> Vec<u8> {
    let header = Header { flags: Flags::CONTROL, type_id: kind, version: 1, ..Header::default() };
    let mut out = Vec::new();
    frame::encode(&header, value, &mut out).unwrap();
    out
}

/// A Hello of this version without offers.
fn hello(version: u16, name: &str) -> Vec<u8> {
    let mut value = version.to_le_bytes().to_vec();
    value.extend_from_slice(&7_u64.to_le_bytes());
    value.extend_from_slice(&1_024_u32.to_le_bytes());
    value.extend_from_slice(&(name.len() as u16).to_le_bytes());
    value.extend_from_slice(name.as_bytes());
    control(1, &value)
}

/// Sends this and reads until the bus closes: what it has said.
async fn say(at: &str, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(at).await.unwrap();
    // The bus may close before it has read all of it.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    answer
}

/// A link that works all the same.
async fn still_works(market: &MessageBus, at: &str, name: &str) {
    let desk = bus(name);
    desk.connect(LinkAddress::tcp(at)).unwrap();
    let mut ticks = desk.subscriber::<Tick>().unwrap();
    until_wanted(market, name, &["Tick"]).await;
    market.publisher::<Tick>().unwrap().publish(Tick { n: 5 }).await.unwrap();
    assert_eq!(ticks.recv().await.as_deref(), Some(&Tick { n: 5 }));
    desk.shutdown().await.unwrap();
}

#[test]
fn strangers_that_were_greeted_and_have_gone_are_remembered_up_to_a_bound() {
    on_every_runtime(async || {
        let market = bus("market");
        let at = market.bind_tcp("127.0.0.1:0").unwrap().address();
        let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
        let before = tasks();
        let mut strangers = Vec::new();
        for number in 0..300 {
            let mut stranger = TcpStream::connect(&*at).await.unwrap();
            stranger.write_all(&hello(VERSION, &format!("stranger-{number}"))).await.unwrap();
            // It has a link as soon as it is answered.
            stranger.read_exact(&mut [0; 64]).await.unwrap();
            strangers.push(stranger);
        }
        assert!(tasks() >= before + 64, "of {before}");
        drop(strangers);
        until(|| tasks() <= before + 64).await;
        still_works(&market, &at, "desk").await;
    });
}

#[test]
fn whatever_a_stranger_says_it_is_refused_and_others_are_linked() {
    let seed = seed();
    on_every_runtime(async move || {
        let market = bus("market");
        let at = market.bind_tcp("127.0.0.1:0").unwrap().address();
        let mut random = Random::new(seed);
        let mut long = control(1, &[0; 8]);
        long[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
        let mut flipped = hello(VERSION, "desk");
        flipped[70] ^= 1;
        let garbage: Vec<u8> = (0..10_000).map(|_| random.below(256) as u8).collect();
        for bytes in [
            &b""[..],
            b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: a browser\r\nAccept: */*\r\n\r\n",
            &garbage,
            &[0; 64],
            &long,
            &flipped,
        ] {
            // Of what is no frame nothing is said. A stranger that says nothing is waited for, and has gone.
            if bytes.is_empty() {
                drop(TcpStream::connect(&*at).await.unwrap());
            } else {
                assert!(say(&at, bytes).await.is_empty());
            }
        }
        let text = |answer: Vec<u8>| String::from_utf8_lossy(&answer).into_owned();
        assert!(text(say(&at, &hello(VERSION - 1, "desk")).await).contains("update the older"));
        assert!(text(say(&at, &hello(VERSION, "two words")).await).contains("Hello is malformed"));
        assert!(text(say(&at, &hello(VERSION, "market")).await).contains("the same name"));
        assert!(text(say(&at, &control(6, &[0; 8])).await).contains("Ack came where Hello should"));
        // A Hello that was recorded, with everything that followed: the nonce is another one.
        let mut replayed = hello(VERSION, "desk");
        replayed.extend_from_slice(&control(2, &[1; 32]));
        assert!(text(say(&at, &replayed).await).contains("replays a recorded one"));
        until(|| market.stats().links.is_empty()).await;
        still_works(&market, &at, "desk").await;
    });
}

#[test]
fn a_thousand_strangers_who_say_nothing_hold_nobody_up() {
    on_every_runtime(async || {
        let market = bus("market");
        let at = market.bind_tcp("127.0.0.1:0").unwrap().address();
        let mut silent = Vec::new();
        for n in 0..1_000 {
            let mut stream = TcpStream::connect(&*at).await.unwrap();
            if n % 2 == 0 {
                // A byte now and then would come.
                let _ = stream.write_all(&hello(VERSION, "slow")[..1 + n % 60]).await;
            }
            silent.push(stream);
            if n % 250 == 0 {
                still_works(&market, &at, &format!("desk-{n}")).await;
            }
        }
        still_works(&market, &at, "desk").await;
        // Most of them were let go to make room, long before their time is over.
        let mut closed = 0;
        for stream in &mut silent[..500] {
            let mut byte = [0];
            let read = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut byte)).await;
            closed += usize::from(matches!(read, Ok(Ok(0) | Err(_))));
        }
        assert_eq!(closed, 500);
    });
}

/// One that is linked, and then breaks the rules of the link.
#[test]
fn a_linked_peer_that_breaks_the_rules_loses_its_connection_and_may_come_again() {
    on_every_runtime(async || {
        let market = bus("market");
        let at = market.bind_tcp("127.0.0.1:0").unwrap().address();
        let message = {
            let header = Header { type_id: 7, version: 1, root_len: 8, sequence: 1, ..Header::default() };
            let mut out = Vec::new();
            frame::encode(&header, &[0; 8], &mut out).unwrap();
            out
        };
        let rows = [
            // It was granted nothing: both do not know this message.
            (message, "type id 7"),
            (control(6, &9_u64.to_le_bytes()), "acknowledges message 9"),
            (control(4, &[1]), "malformed"),
            (control(99, &[]), "kind 99"),
            (control(1, &[]), "Hello came"),
        ];
        for (n, (bytes, fault)) in rows.into_iter().enumerate() {
            let name = format!("desk-{n}");
            let mut stream = TcpStream::connect(&*at).await.unwrap();
            stream.write_all(&hello(VERSION, &name)).await.unwrap();
            // Its Hello, then its Accept, whose value begins with our nonce.
            let mut seen = vec![0; 64];
            stream.read_exact(&mut seen).await.unwrap();
            let len = u32::from_le_bytes(seen[12..16].try_into().unwrap()) as usize;
            let mut value = vec![0; len.next_multiple_of(8)];
            stream.read_exact(&mut value).await.unwrap();
            let nonce: [u8; 8] = value[2..10].try_into().unwrap();
            let mut accept = nonce.to_vec();
            accept.extend_from_slice(&77_u64.to_le_bytes());
            accept.extend_from_slice(&[0; 16]);
            stream.write_all(&control(2, &accept)).await.unwrap();
            until(|| find(&market, &name).is_some_and(|link| link.connections == 1)).await;
            stream.write_all(&bytes).await.unwrap();
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
            until(|| find(&market, &name).is_some_and(|link| link.fault.is_some())).await;
            let link = find(&market, &name).unwrap();
            assert!(link.fault.as_ref().unwrap().contains(fault), "{:?}", link.fault);
            assert_eq!(link.received, 0);
        }
        still_works(&market, &at, "desk").await;
    });
}
