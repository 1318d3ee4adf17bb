//! The node to which the commands attach.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mycelium::{LinkStats, MessageBus, Timestamp};

use crate::{CONTRACT, Tick};

/// A node at a socket of its own, and what the commands are told of it.
pub(crate) struct Node {
    pub(crate) bus: MessageBus,
    pub(crate) directory: PathBuf,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.directory);
    }
}

impl Node {
    pub(crate) async fn start() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let directory = std::env::temp_dir().join(format!("mycelium-attach-{}-{number}", std::process::id()));
        let bus = MessageBus::builder().node("desk").contract(CONTRACT).build();
        bus.bind_unix(directory.join("run/desk.sock")).unwrap();
        let file = "socket_dir = \"run\"\n[deployment]\nmode = \"bundled\"\n[[nodes]]\nname = \"desk\"\nservices = [\"risk\"]\n";
        std::fs::write(directory.join("topology.toml"), file).unwrap();
        Self { bus, directory }
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mycelium"));
        let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("../contracts.yaml");
        command.args(args).arg("--contract").arg(contract).current_dir(&self.directory);
        // One that looks for what is wrong waits for nobody.
        if !args.contains(&"--within") && args[0] != "doctor" {
            command.args(["--within", "60"]);
        }
        command.env_remove("MYCELIUM_TOPOLOGY").env_remove("MYCELIUM_NODE");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end: its code, what it printed and what it complained of.
    pub(crate) async fn call(&self, args: &[&str]) -> (Option<i32>, String, String) {
        finish(self.command(args).spawn().unwrap()).await
    }

    /// The link of a tool that wants this message.
    pub(crate) fn tool(&self, message: &str) -> Option<LinkStats> {
        self.bus.stats().links.into_iter().find(|link| link.wants.contains(&message))
    }
}

pub(crate) async fn finish(child: Child) -> (Option<i32>, String, String) {
    let output = tokio::task::spawn_blocking(|| child.wait_with_output()).await.unwrap().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

pub(crate) async fn until(mut so: impl FnMut() -> bool) {
    while !so() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

pub(crate) fn signal(child: &Child, signal: &str) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

/// A test that takes longer hangs (time).
const WATCHDOG: Duration = Duration::from_secs(300);

pub(crate) fn runs(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(async { tokio::time::timeout(WATCHDOG, test).await.expect("the test hangs") });
}

pub(crate) fn tick(index: u32, price: f64) -> Tick {
    let timestamp = Timestamp::from_nanos(1_700_000_000_000_000_000);
    Tick { timestamp, price, size: 2.5, index, asset: 7 }
}
