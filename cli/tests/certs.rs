//! `mycelium certs`: what it makes is what nodes and tools take.
#![cfg(unix)]
#![forbid(unsafe_code)]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use mycelium::wire::Contract;
use mycelium::{LinkAddress, LinkOptions, MessageBus, TlsIdentity};

/// A directory of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("mycelium-certs-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn call(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mycelium"));
        let Output { status, stdout, stderr } = command.args(args).current_dir(&self.0).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (status.code(), text(stdout), text(stderr))
    }

    fn identity(&self, name: &str) -> TlsIdentity {
        let file = |name: &str, kind: &str| self.0.join("certs").join(format!("{name}.{kind}"));
        TlsIdentity::from_files(file("ca", "crt"), file(name, "crt"), file(name, "key")).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

fn bus(name: &str) -> MessageBus {
    let table = "mycelium contract 1\nschema a 1\nmessage Tick 7 1 ticks\nfield n 1 u64\n";
    MessageBus::builder().node(name).contract(Contract::parse(table).unwrap()).build()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn nodes_are_linked_by_what_it_makes_also_by_what_is_added_later() {
    let folder = Folder::new("linked");
    let (code, out, err) = folder.call(&["certs", "certs", "desk", "tool"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(
        out,
        "certs/ca.crt: an authority of its own\ncerts/desk.crt: 365 days\ncerts/tool.crt: 365 days\n"
    );
    let certs = folder.0.join("certs");
    assert_eq!(
        (mode(&certs), mode(&certs.join("ca.key")), mode(&certs.join("desk.key"))),
        (0o700, 0o600, 0o600)
    );
    let authority = std::fs::read(certs.join("ca.crt")).unwrap();
    let (code, out, _) = folder.call(&["certs", "certs", "market", "--days", "7"]);
    assert_eq!((code, out.as_str()), (Some(0), "certs/market.crt: 7 days\n"));
    assert_eq!(std::fs::read(certs.join("ca.crt")).unwrap(), authority);

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let (market, desk) = (bus("market"), bus("desk"));
        let options = |name: &str| LinkOptions::default().tls(folder.identity(name));
        let listener = market.bind_tcp_with("127.0.0.1:0", options("market")).unwrap();
        let address = listener.address();
        let dialer = desk.connect_with(LinkAddress::tcp(address.clone()), options("desk")).unwrap();
        assert_eq!(&*dialer.linked().await, "market");

        let args = ["latency", "--connect", &*address, "--count", "3", "--json"];
        let with_tls: Vec<&str> = args.iter().copied().chain(["--tls", "certs"]).collect();
        let (code, out, err) = tokio::task::block_in_place(|| folder.call(&with_tls));
        assert!(code == Some(0) && out.contains("\"node\":\"market\""), "{out} {err}");
        let without: Vec<&str> = args.iter().copied().chain(["--within", "3"]).collect();
        let (code, _, err) = tokio::task::block_in_place(|| folder.call(&without));
        assert!(code == Some(2) && err.contains("the other side speaks TLS"), "{err}");
    });
}

/// Two nodes and the tools by one file, over TCP with what `mycelium certs` makes.
#[test]
fn nodes_of_a_topology_with_tls_are_linked_and_tools_find_their_certificate() {
    let folder = Folder::new("nodes");
    let [market_port, desk_port] = mycelium_random::ports();
    let file = format!(
        "[deployment]\nmode = \"distributed\"\ntls = \"certs\"\n[[nodes]]\nname = \"desk\"\nendpoint.kind = \"tcp\"\nport = {desk_port}\n\
         [[nodes]]\nname = \"market\"\nendpoint.kind = \"tcp\"\nport = {market_port}\n"
    );
    let topology = folder.0.join("topology.toml");
    std::fs::write(&topology, file).unwrap();
    let table = "mycelium contract 1\nschema a 1\nmessage Tick 7 1 ticks\nfield n 1 u64\n";
    let node = |name: &str| {
        MessageBus::builder().contract(Contract::parse(table).unwrap()).build_from(&topology, name)
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let _inside = runtime.enter();
    let missing = node("desk").unwrap_err().to_string();
    assert!(missing.contains("`desk` cannot use TLS: cannot read "), "{missing}");
    assert_eq!(folder.call(&["certs", "certs", "--topology", "topology.toml"]).0, Some(0));
    runtime.block_on(async {
        let (desk, market) = (node("desk").unwrap(), node("market").unwrap());
        let linked = |bus: &MessageBus| bus.stats().links.iter().any(|link| &*link.peer == "desk");
        while !linked(&market) {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        let call = |args: &[&str]| tokio::task::block_in_place(|| folder.call(args));
        let (code, out, err) = call(&["latency", "--node", "market", "--count", "3", "--json"]);
        assert!(code == Some(0) && out.contains("\"node\":\"market\""), "{out} {err}");
        let (code, out, err) = call(&["doctor"]);
        assert_eq!(code, Some(0), "{out} {err}");
        for name in ["market", "desk"] {
            assert!(out.contains(&format!("`{name}` answers")), "{out}");
        }
        let (_, out, _) = call(&["topology", "plan"]);
        assert!(out.starts_with("mode distributed: 2 processes, TCP with TLS by "), "{out}");
        // An address alone has no file that says so.
        let address = format!("127.0.0.1:{market_port}");
        let (code, _, err) = call(&["latency", "--connect", &address, "--within", "3"]);
        assert!(code == Some(2) && err.contains("the other side speaks TLS"), "{err}");
        drop((desk, market));
    });
}

#[test]
fn a_topology_names_the_nodes_and_nothing_is_replaced_unasked() {
    let folder = Folder::new("topology");
    let file = "socket_dir = \"run\"\n[deployment]\nmode = \"bundled\"\n[[nodes]]\nname = \"market\"\n[[nodes]]\nname = \"desk\"\n";
    std::fs::write(folder.0.join("topology.toml"), file).unwrap();
    let (code, _, err) = folder.call(&["certs", "certs", "--topology", "topology.toml"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    for name in ["market", "desk", "tool"] {
        folder.identity(name);
    }
    let before = std::fs::read(folder.0.join("certs/desk.crt")).unwrap();
    let (code, _, err) = folder.call(&["certs", "certs", "desk", "audit"]);
    assert_eq!(
        (code, err.as_str()),
        (Some(2), "error: certs/desk.crt is there: say --replace to make it anew\n")
    );
    assert!(!folder.0.join("certs/audit.crt").exists(), "all or none");
    // A link in the place of a file is replaced, and not followed.
    let elsewhere = folder.0.join("elsewhere");
    std::fs::write(&elsewhere, "untouched").unwrap();
    std::fs::remove_file(folder.0.join("certs/desk.key")).unwrap();
    std::os::unix::fs::symlink(&elsewhere, folder.0.join("certs/desk.key")).unwrap();
    let (code, _, _) = folder.call(&["certs", "certs", "desk", "--replace"]);
    assert_eq!((code, std::fs::read_to_string(&elsewhere).unwrap().as_str()), (Some(0), "untouched"));
    assert_ne!(std::fs::read(folder.0.join("certs/desk.crt")).unwrap(), before);
    folder.identity("desk");
}

#[test]
fn a_key_whose_certificate_is_still_to_come_is_not_replaced_unasked() {
    let folder = Folder::new("key");
    assert_eq!(folder.call(&["certs", "certs", "desk"]).0, Some(0));
    let key = folder.0.join("certs/desk.key");
    let before = std::fs::read(&key).unwrap();
    std::fs::remove_file(folder.0.join("certs/desk.crt")).unwrap();
    let (code, _, err) = folder.call(&["certs", "certs", "desk"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("certs/desk.key is there: say --replace to make it anew"), "{err}");
    assert_eq!(std::fs::read(&key).unwrap(), before);
    assert_eq!(folder.call(&["certs", "certs", "desk", "--replace"]).0, Some(0));
    assert_ne!(std::fs::read(&key).unwrap(), before);
    let files = std::fs::read_dir(folder.0.join("certs")).unwrap().count();
    assert_eq!(files, 4, "two of the authority, two of the node");
}

#[test]
fn each_mistake_says_what_to_do() {
    let folder = Folder::new("mistakes");
    let name = |name: &str| {
        format!(
            "error: `{name}` cannot be in a certificate: take 1 to 63 small letters, digits, `-`, `_` and `.`, the last three \
             inside only and not beside `.`, what follows the last `.` no number, and not `ca` or `tool`\n"
        )
    };
    let rows = [
        (vec!["certs", "certs"], "error: which nodes? Give their names, or --topology\n".to_owned()),
        (vec!["certs", "certs", "Desk"], name("Desk")),
        (vec!["certs", "certs", "ca"], name("ca")),
        (vec!["certs", "certs", "10.0.0.1"], name("10.0.0.1")),
        (vec!["certs", "certs", "worker.1"], name("worker.1")),
        (vec!["certs", "certs", "a-.b"], name("a-.b")),
        (vec!["certs", "certs", "desk."], name("desk.")),
        (vec!["certs", "certs", "../desk"], name("../desk")),
        (vec!["certs", "certs", "tool/1"], name("tool/1")),
    ];
    for (args, expected) in rows {
        assert_eq!(folder.call(&args), (Some(2), String::new(), expected), "{args:?}");
    }
    assert!(!folder.0.join("certs").exists(), "nothing is made");
    folder.call(&["certs", "certs", "desk"]);
    std::fs::remove_file(folder.0.join("certs/ca.crt")).unwrap();
    let (code, _, err) = folder.call(&["certs", "certs", "market"]);
    assert!(code == Some(2) && err.contains("certs/ca.key is there, and certs/ca.crt is not"), "{err}");
}

/// Whoever is given such certificates refuses all peers, and does not know why.
#[test]
fn certificates_of_an_authority_that_its_key_does_not_go_with_are_not_made() {
    let folder = Folder::new("strange");
    for directory in ["one", "other"] {
        assert_eq!(folder.call(&["certs", directory, "desk"]).0, Some(0));
    }
    let one = folder.0.join("one");
    let (own, before) =
        (std::fs::read(one.join("ca.key")).unwrap(), std::fs::read(one.join("desk.crt")).unwrap());
    let authority = std::fs::read(one.join("ca.crt")).unwrap();
    let params = rcgen::CertificateParams::new(vec!["corp".to_owned()]).unwrap();
    let pair = rcgen::KeyPair::from_pem(std::str::from_utf8(&own).unwrap()).unwrap();
    let strange = params.self_signed(&pair).unwrap().pem();
    let rows = [
        ("ca.key", std::fs::read(folder.0.join("other/ca.key")).unwrap(), "do not go together"),
        ("ca.crt", strange.into_bytes(), "do not go together"),
        ("ca.crt", b"".to_vec(), "has no certificate"),
        (
            "ca.crt",
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec(),
            "no authority",
        ),
    ];
    for (file, content, cause) in rows {
        std::fs::write(one.join("ca.key"), &own).unwrap();
        std::fs::write(one.join("ca.crt"), &authority).unwrap();
        std::fs::write(one.join(file), content).unwrap();
        let (code, out, err) = folder.call(&["certs", "one", "desk", "market", "--replace"]);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{file}");
        assert!(
            err.contains("one/ca.crt") && err.contains(cause) && err.contains("another directory"),
            "{err}"
        );
        assert!(!one.join("market.crt").exists(), "nothing is made");
        assert_eq!(std::fs::read(one.join("desk.crt")).unwrap(), before, "and nothing replaced");
    }
}
