//! Runs the program in each of its topologies: the same results each time.
#![forbid(unsafe_code)]
#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

const NODES: [&str; 3] = ["market-node", "strategy-node", "execution-node"];
/// A run that takes longer hangs.
const WATCHDOG: Duration = Duration::from_secs(300);
/// Says to the test, started again in a network of its own, that it is there.
const INSIDE: &str = "THREE_PROCESSES_INSIDE";

/// What each run prints, as the README shows it.
fn shown() -> &'static str {
    let readme = include_str!("../README.md");
    let line =
        readme.lines().find_map(|line| line.split_once("| result: ")).expect("the README shows a result");
    line.1
}

/// Processes of one topology, killed when the test fails.
struct Running(Vec<Child>);

impl Drop for Running {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _gone = child.kill();
            let _reaped = child.wait();
        }
    }
}

/// Starts the nodes of a file in this order, waits for the result, ends all of them, and returns it.
fn run(file: &str, nodes: &[&str]) -> String {
    run_by(file, nodes, |_| Command::new(env!("CARGO_BIN_EXE_three_processes")))
}

/// The same; `program` is the command that runs a node.
fn run_by(file: &str, nodes: &[&str], program: impl Fn(&str) -> Command) -> String {
    // Its own: another run that ends removes its sockets.
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    let directory: PathBuf = std::env::temp_dir().join(format!("three-{}-{run}", std::process::id()));
    let ports = mycelium_random::ports::<3>().map(|port| port.to_string());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let start = |node: &&str| {
        let mut command = program(node);
        command.env("MYCELIUM_TOPOLOGY", &path).env("MYCELIUM_NODE", node).env("RUN_DIR", &directory);
        for (name, port) in ["MARKET_PORT", "STRATEGY_PORT", "EXECUTION_PORT"].iter().zip(&ports) {
            command.env(name, port);
        }
        command.stdout(Stdio::piped()).spawn().expect("it runs")
    };
    let mut running = Running(nodes.iter().map(start).collect());
    let (tell, told) = std::sync::mpsc::channel();
    let mut readers = Vec::new();
    for child in &mut running.0 {
        let (output, tell) = (child.stdout.take().expect("it is piped"), tell.clone());
        readers.push(std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Some(result) = line.strip_prefix("result: ") {
                    let _ = tell.send(result.to_owned());
                }
            }
        }));
    }
    drop(tell);
    let result = told.recv_timeout(WATCHDOG).expect("a node prints the result");
    // Each retains what all publish, so copies may be under way when the result is there. How nodes end in
    // order, the test of `mycelium topology run` says.
    for child in &mut running.0 {
        let killed =
            Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill runs");
        assert!(killed.success());
        child.wait().expect("it ends");
    }
    readers.into_iter().for_each(|reader| reader.join().expect("it reads to the end"));
    assert!(told.recv().is_err(), "one result");
    let _gone = std::fs::remove_dir_all(directory);
    result
}

#[test]
fn all_topologies_have_the_same_result_in_whatever_order_their_processes_start() {
    let nodes = NODES;
    let backwards = ["execution-node", "strategy-node", "market-node"];
    assert_eq!(run("monolith.toml", &["monolith"]), shown());
    for order in [nodes, backwards] {
        assert_eq!(run("unix.toml", &order), shown(), "unix, {order:?}");
        assert_eq!(run("tcp.toml", &order), shown(), "tcp, {order:?}");
        if cfg!(target_os = "linux") {
            assert_eq!(run("shm.toml", &order), shown(), "shared memory, {order:?}");
        }
    }
}

/// What `mycelium certs` makes, in a directory that is removed at the end.
struct Certificates(PathBuf);

impl Drop for Certificates {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

impl Certificates {
    fn new(name: &str) -> Self {
        let all = Self(std::env::temp_dir().join(format!("three-certs-{}-{name}", std::process::id())));
        std::fs::create_dir_all(&all.0).expect("a directory");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let key = KeyPair::generate().expect("a key");
        all.write("ca.crt", &params.self_signed(&key).expect("an authority").pem());
        let issuer = Issuer::new(params, key);
        for node in NODES {
            let mut params = CertificateParams::new(vec![node.to_owned()]).expect("a name");
            params.extended_key_usages =
                vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
            let key = KeyPair::generate().expect("a key");
            all.write(&format!("{node}.crt"), &params.signed_by(&key, &issuer).expect("a certificate").pem());
            all.write(&format!("{node}.key"), &key.serialize_pem());
        }
        all
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("it is written");
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .expect("it is ours");
    }

    fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_three_processes"));
        command.env("CERTS", &self.0);
        command
    }
}

#[test]
fn with_tls_the_result_is_the_same() {
    let certificates = Certificates::new("loopback");
    assert_eq!(run_by("tls.toml", &NODES, |_| certificates.program()), shown());
    // A node without a certificate does not run.
    std::fs::remove_file(certificates.0.join("market-node.crt")).expect("it was there");
    let mut command = certificates.program();
    command.env("MYCELIUM_TOPOLOGY", Path::new(env!("CARGO_MANIFEST_DIR")).join("tls.toml"));
    let output = command.env("MYCELIUM_NODE", "market").output().expect("it runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    let cause = "`market-node` cannot use TLS: cannot read ";
    assert!(error.contains(cause) && error.contains("`mycelium certs` makes certificates"), "{error}");
}

/// Three machines: each node has a network namespace of its own, with an address of one network.
#[cfg(target_os = "linux")]
#[test]
fn in_three_network_namespaces_the_result_is_the_same() {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    // All of it is in namespaces of this process and its children: nothing of the machine is changed.
    let this = std::env::current_exe().expect("the test");
    let test = ["--exact", "in_three_network_namespaces_the_result_is_the_same", "--nocapture"];
    let outside = Command::new("unshare").arg("-rnm").arg(this).args(test).env(INSIDE, "1").output();
    let said = match &outside {
        Ok(output) => {
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
        }
        Err(error) => error.to_string(),
    };
    // A test that ran says so; whatever came before is a reason to leave it out.
    if !said.contains("THE NETWORK IS THERE") {
        println!("left out: network namespaces are not allowed, or `unshare` or `ip` is not there: {said}");
        return;
    }
    assert!(outside.is_ok_and(|output| output.status.success()), "{said}");
}

#[cfg(target_os = "linux")]
fn inside() {
    let script = "set -e; mount -t tmpfs none /run; ip link add bridge type bridge; ip link set bridge up; number=1; \
                  for node in market-node strategy-node execution-node; do ip netns add $node; \
                  ip link add v$number type veth peer name eth0 netns $node; ip link set v$number master bridge up; \
                  ip -n $node addr add 10.77.0.$number/24 dev eth0; ip -n $node link set eth0 up; \
                  ip -n $node link set lo up; number=$((number + 1)); done";
    let made = Command::new("sh").args(["-c", script]).output().expect("a shell runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    println!("THE NETWORK IS THERE");
    let certificates = Certificates::new("namespaces");
    let result = run_by("tls.toml", &NODES, |node| {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", node, env!("CARGO_BIN_EXE_three_processes")]);
        command.env("CERTS", &certificates.0).env("STRATEGY_HOST", "10.77.0.2");
        command.env("MARKET_HOST", "10.77.0.1").env("EXECUTION_HOST", "10.77.0.3");
        command
    });
    assert_eq!(result, shown());
}

#[test]
fn without_a_topology_it_says_what_to_do() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_three_processes"));
    let output = command.env_remove("MYCELIUM_TOPOLOGY").output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("MYCELIUM_TOPOLOGY is not set: set it to the path of topology.toml"), "{error}");
}
