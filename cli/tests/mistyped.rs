//! What is mistyped: wrong paths, addresses and values, told with a remedy and without a node.
#![cfg(unix)]

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const GOOD: &str = "schema: {id: a.b, version: 1}
domains: [d]
tag_ranges: {d: [1, 9]}
messages:
  Trade: {tlv_type: 1, topic: trades, domain: d, reply: Trade, fields: {lots: u8}}
";

/// A folder with a contract, others that are wrong or contradict it, and a folder.
fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mistyped");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("inner")).unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).unwrap();
    write("contracts.yaml", GOOD.as_bytes());
    write("marked.yaml", format!("\u{feff}{}", GOOD.replace("u8", "u9")).as_bytes());
    write("lines.yaml", GOOD.replace("u8", "u9").replace('\n', "\r\n").as_bytes());
    write("tabs.yaml", GOOD.replace("  Trade", "\tTrade").as_bytes());
    write("other.yaml", GOOD.replace("Trade", "Order").as_bytes());
    write("latin.yaml", b"schema: \xe4");
    write("empty.yaml", b"");
    folder
}

/// Exit code and standard error.
fn said(folder: &Path, args: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mycelium"));
    let output = command.args(args).current_dir(folder).env_remove("MYCELIUM_TOPOLOGY").output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// The same of one that looks for a node and does not find it. On a busy machine it may not have looked when
/// its time is over: then with more of it.
fn looked(folder: &Path, args: &[&str]) -> (Option<i32>, String) {
    let in_vain = said(folder, args);
    match args.iter().position(|arg| *arg == "--within") {
        Some(at) if in_vain.1.contains("nobody has answered") => {
            said(folder, &[&args[..=at], &["10"], &args[at + 2..]].concat())
        }
        _ => in_vain,
    }
}

/// The program ends with code 2 and tells each of the parts.
fn is_refused(folder: &Path, args: &[&str], parts: &[&str]) {
    let (code, err) = looked(folder, args);
    assert_eq!(code, Some(2), "{args:?}\n{err}");
    for part in parts {
        assert!(err.contains(part), "{args:?}: `{part}` is not in\n{err}");
    }
}

/// Addresses that are none, and what is told of each.
const ADDRESSES: &[(&str, &[&str])] = &[
    ("localhost:99999", &["`99999` is no port", "unix:localhost:99999"]),
    ("[::1]:70000", &["`70000` is no port", "unix:[::1]:70000"]),
    ("[::1]:http", &["`http` is no port"]),
    ("fe80::1:99999", &["`99999` is no port"]),
    ("127.0.0.1:0", &["`0` is no port"]),
    ("localhost:+80", &["`+80` is no port"]),
    ("localhost:-1", &["`-1` is no port"]),
    ("localhost:", &["`localhost:` lacks its port", "unix:localhost:"]),
];

/// Of a live listener that is no node, nobody is told that it does not run.
fn a_stranger_that_listens(folder: &Path) {
    let listener = std::os::unix::net::UnixListener::bind(folder.join("other.sock")).unwrap();
    std::thread::spawn(move || {
        for peer in listener.incoming() {
            let _ =
                peer.and_then(|mut peer| std::io::Write::write_all(&mut peer, &[b'!'; 4_096]).map(|()| peer));
        }
    });
    let (code, err) = looked(folder, &["tap", "*", "--connect", "other.sock", "--within", "2"]);
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("Mycelium") && !err.contains("see that the node runs"), "{err}");
}

/// Sockets and folders that only another user may use: whoever runs the tests, or if that is root, nobody.
fn a_node_of_another_user(folder: &Path) {
    let _listener = std::os::unix::net::UnixListener::bind(folder.join("closed.sock")).unwrap();
    fs::create_dir(folder.join("shut")).unwrap();
    for name in ["closed.sock", "shut"] {
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o000)).unwrap();
    }
    let call = |socket: &str, within: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mycelium"));
        command.args(["tap", "*", "--within", within, "--contract", "contracts.yaml", "--connect", socket]);
        command.current_dir(folder).env_remove("MYCELIUM_TOPOLOGY");
        if fs::metadata(folder).unwrap().uid() == 0 {
            command.uid(65_534);
        }
        command.output()
    };
    for socket in ["closed.sock", "shut/node.sock"] {
        let found = call(socket, "2");
        // As `looked`.
        let in_vain =
            |output: &Output| String::from_utf8_lossy(&output.stderr).contains("nobody has answered");
        let found = if found.as_ref().is_ok_and(in_vain) { call(socket, "10") } else { found };
        let output = match found {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                eprintln!("skipped: nobody may not run {}", env!("CARGO_BIN_EXE_mycelium"));
                break;
            }
            output => output.unwrap(),
        };
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{socket}: {err}");
        assert!(
            err.contains("only the user of the node may connect: run this as that user"),
            "{socket}: {err}"
        );
        assert!(!err.contains("see that"), "{socket}: {err}");
    }
    // So that the folder can be emptied the next time.
    fs::set_permissions(folder.join("shut"), fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn each_mistake_names_its_place_and_says_what_to_do() {
    let folder = folder();
    let far = ["--connect", "gone.sock", "--within", "0.2"];
    let rows: &[(&[&str], &[&str], &[&str])] = &[
        // What is asked, of a node that is not there or not, and what must be told.
        (&["tap", "*", "--contract", "gone.yaml"], &far, &["gone.yaml", "check the path"]),
        (&["tap", "*", "--contract", "inner"], &far, &["inner", "name a file in it"]),
        (&["tap", "*", "--contract", "empty.yaml"], &far, &["empty.yaml:1:1", "begin with `schema`"]),
        (&["tap", "*", "--contract", "latin.yaml"], &far, &["latin.yaml:1:9", "save it as UTF-8"]),
        (&["tap", "*", "--contract", "marked.yaml"], &far, &["marked.yaml:5:", "did you mean `u8`?"]),
        (&["tap", "*", "--contract", "lines.yaml"], &far, &["lines.yaml:5:", "did you mean `u8`?"]),
        (&["tap", "*", "--contract", "tabs.yaml"], &far, &["tabs.yaml:5:", "indent with spaces"]),
        (
            &["tap", "*", "--contract", "contracts.yaml", "--contract", "other.yaml"],
            &far,
            &["type id 1 is `Trade` on `trades` in contracts.yaml and `Order`", "leave out the contract"],
        ),
        (&["tap", "trade"], &far, &["has the topic `trade`; did you mean `trades`?"]),
        (
            &["pub", "market.bars", "--json", "{}"],
            &far,
            &["has the topic `market.bars`; their topics are trades"],
        ),
        (
            &["tap", "*"],
            &far,
            &["no link to unix", "see that the node runs, and that it listens at this path"],
        ),
        (&["tap", "*", "--within", "0.2", "--connect", "inner"], &[], &["that is a folder"]),
        (&["tap", "*", "--within", "0.2", "--connect", "empty.yaml"], &[], &["that is a file and no socket"]),
        (&["tap", "*", "--connect", ""], &[], &["--connect needs an address: a path such as"]),
        (&["tap", "*", "--connect", "192.0.2.1:9"], &[], &["--tls DIRECTORY", "--plaintext"]),
        (&["latency", "--connect", "127.0.0.1:1", "--within", "0.2"], &[], &["see that the node runs"]),
        (&["pub", "trades", "--json", "{lots: 1}"], &far, &["this is no JSON", "{\"name\": value}"]),
        (
            &["pub", "trades", "--json", "{\"lots\": 1, \"lots\": 2}"],
            &far,
            &["`lots` stands twice at line 1 column 18: leave one out"],
        ),
        (&["ask", "desk", "--json", "{}"], &far, &["`desk` is no path of an actor: write NODE/ACTOR"]),
        (&["ask", "a/b", "--contract", "contracts.yaml", "--json", "[]"], &far, &["takes its fields"]),
        (&["doctor", "--topology", "gone.toml"], &[], &["cannot read gone.toml", "check the path"]),
        (&["topology", "check", "gone.toml"], &[], &["cannot read gone.toml", "check the path"]),
        (
            &["gen", "--lang", "python", "--out", "empty.yaml"],
            &[],
            &["a file is in the way", "path of a folder"],
        ),
        (&["gen", "--lang", "rust", "--out", "inner"], &[], &["cannot write inner", "path of a file in it"]),
        (
            &["gen", "--lang", "rust", "--out", "none/a.rs"],
            &[],
            &["cannot write none/a.rs", "make its folder"],
        ),
        (&["breaking", "--against", "gone.yaml"], &[], &["`gone.yaml` is no file", "REVISION:PATH"]),
    ];
    for (args, more, parts) in rows {
        let all: Vec<&str> = args.iter().chain(*more).copied().collect();
        is_refused(&folder, &all, parts);
    }
    for (address, parts) in ADDRESSES {
        is_refused(&folder, &["tap", "*", "--connect", address], parts);
    }
    a_stranger_that_listens(&folder);
    a_node_of_another_user(&folder);
    // The same contract twice is one contract.
    let twice = ["pub", "trades", "--json", "{\"lots\": 1}", "--contract", "contracts.yaml"];
    let all: Vec<&str> = twice.iter().chain(&["--contract", "contracts.yaml"]).chain(&far).copied().collect();
    assert!(said(&folder, &all).1.contains("no link to unix"), "{:?}", said(&folder, &all));
}
