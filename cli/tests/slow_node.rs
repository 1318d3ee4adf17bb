//! `mycelium pub` at a node that is linked and says what it wants later, or never: a relay keeps that back.
#![cfg(unix)]
#![forbid(unsafe_code)]

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use mycelium::MessageBus;

include!("../../bindings/codegen/tests/generated/contracts.rs");

const VALUE: &str = r#"{"timestamp": 5, "price": 1.5, "size": 2, "index": 1, "asset": 7}"#;
/// Longer than the time that was once waited for what a node wants, whatever `--within` had said.
const LONG: Duration = Duration::from_millis(1_500);
/// A handshake is so many frames of each side.
const GREETING_FRAMES: usize = 2;

/// One frame, header and value with its padding; `None`: the stream has ended.
fn frame(from: &mut UnixStream) -> Option<Vec<u8>> {
    let mut bytes = vec![0; 64];
    from.read_exact(&mut bytes).ok()?;
    let value_len = u32::from_le_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]);
    bytes.resize(64 + (value_len as usize).next_multiple_of(8), 0);
    from.read_exact(&mut bytes[64..]).ok()?;
    Some(bytes)
}

/// Passes on what one connection says, but what the node says behind the handshake only once `go_on` is
/// told, or its sender dropped. `greeted` is told when the handshake has passed.
fn relay(listener: &UnixListener, node: &Path, greeted: &Sender<()>, go_on: &Receiver<()>) {
    let (mut tool, _) = listener.accept().unwrap();
    let mut node = UnixStream::connect(node).unwrap();
    let (mut from_tool, mut to_node) = (tool.try_clone().unwrap(), node.try_clone().unwrap());
    let out = thread::spawn(move || {
        let _copied = std::io::copy(&mut from_tool, &mut to_node);
        let _ended = to_node.shutdown(std::net::Shutdown::Both);
    });
    for _ in 0..GREETING_FRAMES {
        let Some(bytes) = frame(&mut node) else { break };
        // The tool may have given up meanwhile.
        if tool.write_all(&bytes).is_err() {
            break;
        }
    }
    _ = greeted.send(());
    _ = go_on.recv();
    match std::io::copy(&mut node, &mut tool) {
        Err(error) if !matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
            panic!("{error}")
        }
        _ => out.join().unwrap(),
    }
}

fn publish(directory: &Path, relay: &Path, within: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mycelium"));
    let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("../contracts.yaml");
    command.args(["pub", "market.ticks", "--json", VALUE, "--within", within, "--contract"]).arg(contract);
    command.arg("--connect").arg(relay).current_dir(directory).stdin(Stdio::null());
    command.env_remove("MYCELIUM_TOPOLOGY").env_remove("MYCELIUM_NODE");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A node with somebody who wants ticks, and runs `test` with its socket and the place of another one.
fn beside_a_node(name: &str, test: impl FnOnce(&Path, &Path, &Path)) {
    let directory = std::env::temp_dir().join(format!("mycelium-slow-{name}-{}", std::process::id()));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let _inside = runtime.enter();
    let bus = MessageBus::builder().node("desk").contract(CONTRACT).build();
    let _ticks = bus.subscriber::<Tick>().unwrap();
    let (node, relay): (PathBuf, PathBuf) = (directory.join("run/desk"), directory.join("run/relay"));
    bus.bind_unix(&node).unwrap();
    test(&directory, &node, &relay);
    drop(bus);
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn what_a_slow_node_wants_is_waited_for() {
    // A machine that is held up for as long as a link waits for a word loses it.
    let sent = (0..5).any(|attempt| {
        let mut sent = false;
        beside_a_node(&format!("later-{attempt}"), |directory, node, at| {
            let listener = UnixListener::bind(at).unwrap();
            let ((greeted, is_greeted), (go_on, told)) = (channel(), channel());
            thread::scope(|scope| {
                scope.spawn(move || relay(&listener, node, &greeted, &told));
                let child = publish(directory, at, "600").spawn().unwrap();
                is_greeted.recv().unwrap();
                thread::sleep(LONG);
                go_on.send(()).unwrap();
                let output = child.wait_with_output().unwrap();
                let text = String::from_utf8_lossy(&output.stderr);
                sent = output.stdout == b"sent 1 `Tick` to `desk`\n";
                assert!(sent || text.contains("was lost before it had said"), "{text}");
            });
        });
        sent
    });
    assert!(sent);
}

#[test]
fn a_node_that_does_not_say_what_it_wants_is_named_and_waited_for_no_longer_than_was_said() {
    // On a busy machine the time may pass before there is a link, or the link be lost before it passes.
    let said = ["1", "2", "3", "4"].into_iter().any(|within| {
        let mut said = false;
        beside_a_node(&format!("never-{within}"), |directory, node, at| {
            let listener = UnixListener::bind(at).unwrap();
            let ((greeted, _is_greeted), (go_on, told)) = (channel(), channel());
            thread::scope(|scope| {
                scope.spawn(move || relay(&listener, node, &greeted, &told));
                let output = publish(directory, at, within).output().unwrap();
                // It may not have come as far as a connection, which the relay waits for.
                drop((UnixStream::connect(at), go_on));
                let text = String::from_utf8_lossy(&output.stderr);
                assert_eq!(
                    output.status.code(),
                    Some(if text.contains("no link to") { 2 } else { 1 }),
                    "{text}"
                );
                said =
                    text.contains("`desk` is linked, and has not said within") && text.contains("--within");
                assert!(said || text.contains("no link to") || text.contains("was lost"), "{text}");
            });
        });
        said
    });
    assert!(said);
}
