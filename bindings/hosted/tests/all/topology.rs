//! Runtimes of one topology.

use std::path::PathBuf;
use std::{fs, process};

use mycelium::Subscription;
use mycelium_hosted::{CLOSE_DEADLINE, Error, ErrorKind};

use crate::common::{builder, tick, until};

const TOPOLOGY: &str = r#"
socket_dir = "run"
[deployment]
mode = "bundled"
[[nodes]]
name = "desk"
services = ["model"]
[[nodes]]
name = "market"
services = ["feed"]
"#;

/// A folder with this topology, which is gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn with(name: &str, topology: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("mycelium-hosted-{name}-{}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("topology.toml"), topology).unwrap();
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("topology.toml")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn two_runtimes_of_a_topology_are_linked_and_a_close_waits_for_what_was_published() {
    let folder = Folder::with("linked", TOPOLOGY);
    let start = |name| builder().topology(folder.file(), name).start().unwrap();
    let (feed, model) = (start("feed"), start("desk"));
    let mut ticks = model.reader("ticks", Subscription::block().capacity(4096)).unwrap();
    // It is asked for what the other one hears from the moment on in which they are linked.
    let mut seen = Vec::new();
    let mut read = || ticks.drain(4096, |tick| seen.push(crate::common::price(tick.bytes))).unwrap();
    until("they are linked", || {
        feed.publish(7, &tick(-1)).unwrap();
        read() > 0
    });
    (0..1_000).for_each(|n| feed.publish(7, &tick(n)).unwrap());
    feed.close(CLOSE_DEADLINE).unwrap();
    until("the rest has come", || read() == 0);
    seen.retain(|n| *n >= 0);
    assert_eq!(seen, (0..1_000).collect::<Vec<_>>());
    model.close(CLOSE_DEADLINE).unwrap();
}

#[test]
fn a_topology_that_cannot_be_used_is_an_error_with_its_place() {
    let folder = Folder::with("mistake", &TOPOLOGY.replace("bundled", "bundle"));
    let error = |name: &str| builder().topology(folder.file(), name).start().unwrap_err();
    let mistake = error("desk");
    assert_eq!(mistake.kind(), ErrorKind::Topology);
    let text = mistake.to_string();
    assert!(text.contains("topology.toml") && text.contains("line 4") && text.contains("bundled"), "{text}");
    fs::write(folder.file(), TOPOLOGY).unwrap();
    assert!(matches!(error("nobody"), Error::Topology(text) if text.contains("nobody")));
}
