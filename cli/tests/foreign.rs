//! A program in C and one in Rust, linked over TCP with the certificates that `mycelium certs` makes.
#![cfg(target_os = "linux")]
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{fs, io};

use mycelium::frame::Header;
use mycelium::wire::Contract;
use mycelium::{MessageBus, WireSubscriber};

/// Far more than what is waited for takes.
const WATCHDOG: Duration = Duration::from_secs(300);

const TICK: u16 = 7;

fn ffi() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../bindings/ffi")
}

/// A directory of its own, removed at the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

/// Ended when the test fails.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// The example in C, linked with the library that cargo has made beside this test.
fn compiled(folder: &Path) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let library = test.ancestors().find(|folder| folder.join("libmycelium_ffi.so").exists());
    let library = library.expect("cargo makes libmycelium_ffi.so before the tests that depend on it");
    let out = folder.join("linked");
    let mut cc = Command::new("cc");
    cc.args(["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-pthread", "-I"]).arg(ffi().join("include"));
    cc.arg(ffi().join("examples/linked.c")).arg("-L").arg(library);
    // Before cargo's LD_LIBRARY_PATH, where the library of an older build may lie.
    cc.arg(format!("-Wl,--disable-new-dtags,-rpath,{}", library.display()));
    let compiled = cc.args(["-lmycelium_ffi", "-o"]).arg(&out).output().expect("a C compiler is needed");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    out
}

/// Two nodes on this machine, over TCP.
fn topology(ports: [u16; 2]) -> String {
    let [desk, market] = ports;
    format!(
        "[deployment]\nmode = \"distributed\"\ntls = \"certs\"\n\
         [[nodes]]\nname = \"desk\"\nservices = [\"means\"]\nendpoint.kind = \"tcp\"\nport = {desk}\n\
         [[nodes]]\nname = \"market\"\nservices = [\"feed\"]\nendpoint.kind = \"tcp\"\nport = {market}\n"
    )
}

/// The next mean, and of how many ticks it is.
async fn mean(means: &mut WireSubscriber) -> (f64, u64) {
    let mean = means.recv().await.unwrap();
    let (price, ticks) = mean.bytes().split_at(8);
    (f64::from_le_bytes(price.try_into().unwrap()), u64::from_le_bytes(ticks.try_into().unwrap()))
}

/// The feed of the example, in Rust.
async fn feed(bus: &MessageBus, ticks: i64) -> (f64, u64) {
    let mut means = bus.subscribe_wire("market.means").unwrap();
    // The other process says that it is there.
    mean(&mut means).await;
    let header = Header { type_id: TICK, version: 1, root_len: 16, ..Header::default() };
    for price in 0..ticks {
        let tick = [price.to_le_bytes(), price.to_le_bytes()].concat();
        bus.publish_wire(&header, &tick).await.unwrap();
    }
    loop {
        let (price, of) = mean(&mut means).await;
        if of == ticks.cast_unsigned() {
            return (price, of);
        }
    }
}

#[test]
fn a_program_in_c_is_linked_with_one_in_rust_over_tls() {
    let folder = std::env::temp_dir().join(format!("mycelium-foreign-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let folder = Folder(folder);
    let file = folder.0.join("topology.toml");
    fs::write(&file, topology(mycelium_random::ports())).unwrap();
    let mut certs = Command::new(env!("CARGO_BIN_EXE_mycelium"));
    let made = certs.args(["certs", "certs", "--topology", "topology.toml"]).current_dir(&folder.0).output();
    assert!(made.as_ref().is_ok_and(|made| made.status.success()), "{made:?}");

    let yaml = ffi().join("examples/ticks.yaml");
    let mut command = Command::new(compiled(&folder.0));
    command.arg(&yaml).arg(&file).arg("means").stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut means = Killed(command.spawn().unwrap());
    // Read while it runs: a pipe holds little.
    let [said, wrong]: [Box<dyn io::Read + Send>; 2] =
        [Box::new(means.0.stdout.take().unwrap()), Box::new(means.0.stderr.take().unwrap())];
    let [said, wrong] = [said, wrong].map(|pipe| std::thread::spawn(|| io::read_to_string(pipe).unwrap()));

    let table = mycelium_contract::Contract::read(&yaml).unwrap().table();
    let contract = Contract::parse(&table).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let fed = runtime.block_on(async {
        let bus = MessageBus::builder().contract(contract).build_from(&file, "feed").unwrap();
        // Whoever still sends is waited for.
        let work = async {
            let fed = feed(&bus, 1_000).await;
            while means.0.try_wait().unwrap().is_none() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            fed
        };
        let fed = tokio::time::timeout(WATCHDOG, work).await;
        _ = means.0.kill();
        bus.shutdown().await.unwrap();
        fed
    });
    let (said, wrong) = (said.join().unwrap(), wrong.join().unwrap());
    assert_eq!((fed, said.as_str(), wrong.as_str()), (Ok((499.5, 1_000)), "answered 1000 ticks\n", ""));
    assert!(means.0.wait().unwrap().success());
}
