//! A client that was written from `docs/wire.md` alone, in Python, against a real bus: wherever its
//! connection is cut, it hears each message once, and so does the bus.
#![forbid(unsafe_code)]
#![cfg(unix)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use mycelium::frame::Header;
use mycelium::wire::Contract;
use mycelium::{LinkOptions, LinkState, LinkStats, MessageBus};
use mycelium_random::seed;

/// What both mean by their messages; the client has the digests of it from the page.
const CONTRACT: &str = "mycelium contract 1\nschema wire 1\nmessage Tick 7 1 ticks\nfield n 1 u64\n\
    message Echo 9 1 echoes\nfield n 1 u64\n";
/// Messages each way, and how often the client cuts its connection.
const TICKS: u64 = 1_000;
const CUTS: u64 = 12;
/// Never ends the test before it hangs.
const WATCHDOG: Duration = Duration::from_secs(120);

fn link(bus: &MessageBus) -> Option<LinkStats> {
    bus.stats().links.into_iter().find(|link| &*link.peer == "desk")
}

async fn until(so: impl Fn() -> bool) {
    while !so() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn a_client_that_was_written_from_the_page_alone_hears_and_sends_each_message_once() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    if runtime.block_on(async { tokio::time::timeout(WATCHDOG, run()).await }).is_err() {
        // The thread that waits for the client would be waited for.
        runtime.shutdown_background();
        panic!("it hangs");
    }
}

async fn run() {
    let folder = std::env::temp_dir().join(format!("mycelium-wire-client-{}", std::process::id()));
    let path = folder.join("bus");
    let bus = MessageBus::builder().node("market").contract(Contract::parse(CONTRACT).unwrap()).build();
    let mut echoes = bus.subscribe_wire(["echoes"]).unwrap();
    // Little credit, so that it runs out and is given again.
    bus.bind_unix_with(&path, LinkOptions::default().credit(8)).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/wire_client.py");
    let child = Command::new("python3")
        .arg(script)
        .arg(&path)
        .args([TICKS, CUTS, seed()].map(|number| number.to_string()))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3 is installed");
    let told = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap());
    let publish = async {
        until(|| link(&bus).is_some_and(|link| link.wants.contains(&"Tick"))).await;
        let header = Header { type_id: 7, version: 1, root_len: 8, ..Header::default() };
        for n in 0..TICKS {
            bus.publish_wire(&header, &n.to_le_bytes()).await.unwrap();
        }
    };
    let hear = async {
        for n in 0..TICKS {
            let echo = echoes.recv().await.unwrap();
            assert_eq!((echo.header().type_id, echo.bytes()), (9, &n.to_le_bytes()[..]));
        }
    };
    let hold = async {
        let told = told.await.unwrap();
        let said = String::from_utf8_lossy(&told.stdout).into_owned();
        assert!(told.status.success(), "{said}{}", String::from_utf8_lossy(&told.stderr));
        said
    };
    let both = async { tokio::join!(publish, hear) };
    // It ends badly, or all have come.
    let (said, _) = tokio::join!(hold, both);
    until(|| link(&bus).is_some_and(|link| link.state == LinkState::Gone && link.waiting == 0)).await;
    let stats = link(&bus).unwrap();
    println!("{said}{stats}");
    assert!(said.starts_with(&format!("heard {TICKS} ")), "{said}");
    assert_eq!((stats.sent, stats.acknowledged, stats.received), (TICKS, TICKS, TICKS), "{stats}");
    assert_eq!((stats.lost, stats.refused, stats.peer_restarts), (0, 0, 0), "{stats}");
    assert!(stats.connections > 1 && stats.fault.as_deref() == Some("the peer shuts down"), "{stats}");
    bus.shutdown().await.unwrap();
    std::fs::remove_dir_all(folder).unwrap();
}
