//! `mycelium check`, `breaking` and `gen`, run as users run them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const BAD: &str = "schema: {id: acme.trading, version: 1}
domains: {market_data: , trading: }
tag_ranges: {market_data: [100, 199], trading: [200, 299]}
messages:
  Bar: {tvl_type: 100, topic: bars, domain: market_dat, fields: {close: flaot}}
";

const GOOD: &str = "schema: {id: acme.trading, version: 1}
domains: [market_data]
tag_ranges: {market_data: [100, 199]}
messages:
  Bar: {tlv_type: 100, topic: bars, domain: market_data, fields: {close: f64, volume: f64}}
";

/// An empty folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn run(program: &str, args: &[&str], folder: &Path) -> Output {
    Command::new(program).args(args).current_dir(folder).output().unwrap()
}

/// Exit code, standard output, standard error.
fn mycelium(args: &[&str], folder: &Path) -> (i32, String, String) {
    let output = run(env!("CARGO_BIN_EXE_mycelium"), args, folder);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn git(args: &[&str], folder: &Path) {
    let output = run("git", args, folder);
    assert!(output.status.success(), "git {args:?}: {output:?}");
}

#[test]
fn check_shows_each_mistake_with_place_and_remedy() {
    let folder = folder("check");
    fs::write(folder.join("bad.yaml"), BAD).unwrap();
    fs::write(folder.join("good.yaml"), GOOD).unwrap();
    let (code, out, err) = mycelium(&["check", "good.yaml", "bad.yaml"], &folder);
    assert_eq!(code, 1);
    assert_eq!(out, "good.yaml: correct, 1 message, 0 enums and structs\n");
    for part in [
        "error[MYC0010]: unknown key `tvl_type` in message `Bar`\n --> bad.yaml:5:9\n",
        "help: did you mean `tlv_type`?",
        "error[MYC0011]: the key `tlv_type` is missing in message `Bar`\n --> bad.yaml:5:3\n",
        "error[MYC0020]: unknown domain `market_dat`\n --> bad.yaml:5:45\n",
        "help: did you mean `market_data`?",
        "error[MYC0030]: unknown type `flaot`\n --> bad.yaml:5:73\n",
        "                                                  ^^^^^\n",
        "\nbad.yaml: 4 mistakes\n",
    ] {
        assert!(err.contains(part), "{part}\nis missing in\n{err}");
    }
    assert_eq!(mycelium(&["check", "good.yaml"], &folder).0, 0);
    let (code, out, _) = mycelium(&["check"], &repository());
    assert!(code == 0 && out.starts_with("contracts.yaml: correct"), "{out}");
    let (code, _, err) = mycelium(&["check", "missing.yaml"], &folder);
    assert_eq!(code, 1);
    assert!(err.contains("MYC0001") && err.contains("missing.yaml"), "{err}");
}

/// Whichever command it is given to: the file, the line, and each mistake once.
#[test]
fn a_wrong_contract_is_told_once_with_its_place_by_each_command() {
    let folder = folder("each-command");
    fs::write(folder.join("bad.yaml"), BAD).unwrap();
    fs::write(folder.join("good.yaml"), GOOD).unwrap();
    fs::write(folder.join("topology.toml"), "[deployment]\nmode = \"monolith\"\n[[nodes]]\nname = \"a\"\n")
        .unwrap();
    let flag = ["--contract", "bad.yaml"];
    for args in [
        &["check", "bad.yaml"][..],
        &["gen", "bad.yaml", "--lang", "rust", "--out", "-"],
        &["gen", "bad.yaml", "--golden", "golden"],
        &["breaking", "bad.yaml", "--against", "good.yaml"],
        &["breaking", "good.yaml", "--against", "bad.yaml"],
        &[&["topology", "check"], &flag[..]].concat(),
        &[&["tap", "*"], &flag[..]].concat(),
        &[&["pub", "bars", "--json", "{}"], &flag[..]].concat(),
        &[&["ask", "a/b"], &flag[..]].concat(),
        &[&["doctor"], &flag[..]].concat(),
    ] {
        let (code, _, err) = mycelium(args, &folder);
        assert_eq!(code, if args[0] == "check" { 1 } else { 2 }, "{args:?} {err}");
        for part in ["unknown key `tvl_type`", " --> bad.yaml:5:9\n", " --> bad.yaml:5:3\n"] {
            assert_eq!(err.matches(part).count(), 1, "{args:?}\n{err}");
        }
        assert!(err.starts_with("error[MYC"), "{args:?}\n{err}");
        let missing: Vec<&str> =
            args.iter().map(|word| if *word == "bad.yaml" { "none.yaml" } else { *word }).collect();
        let (_, _, err) = mycelium(&missing, &folder);
        // `--against` may also name a revision.
        if missing.ends_with(&["--against", "none.yaml"]) {
            continue;
        }
        assert_eq!(err.matches("cannot read").count(), 1, "{missing:?}\n{err}");
        assert_eq!(err.matches("none.yaml").count(), 1, "{missing:?}\n{err}");
    }
}

#[test]
fn check_prints_json_lines() {
    let folder = folder("check-json");
    fs::write(folder.join("bad.yaml"), BAD).unwrap();
    fs::write(folder.join("good.yaml"), GOOD).unwrap();
    let (code, out, err) = mycelium(&["check", "--json", "bad.yaml", "good.yaml"], &folder);
    assert_eq!((code, err.as_str()), (1, ""));
    let lines: Vec<serde_json::Value> = out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let codes: Vec<&str> = lines.iter().map(|l| l["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["MYC0011", "MYC0010", "MYC0020", "MYC0030"]);
    assert_eq!((lines[1]["line"].as_u64(), lines[1]["column"].as_u64()), (Some(5), Some(9)));
    assert_eq!(lines[1]["remedy"], "did you mean `tlv_type`?");
    assert_eq!(mycelium(&["check", "--json", "good.yaml"], &folder), (0, String::new(), String::new()));
}

#[test]
fn check_lists_sizes_and_digests() {
    let (code, out, _) = mycelium(&["check", "--list", "contracts.yaml"], &repository());
    assert_eq!(code, 0);
    assert!(out.lines().any(|l| l.contains("Scalars") && l.contains("224 bytes fixed")), "{out}");
    assert_eq!(out.lines().filter(|l| l.contains("Evolved")).count(), 3, "one line per version:\n{out}");
    assert!(out.lines().any(|l| l.trim() == "Colour has gained Blue = 2"), "{out}");
}

#[test]
fn breaking_compares_with_a_file() {
    let folder = folder("breaking");
    fs::write(folder.join("old.yaml"), GOOD).unwrap();
    fs::write(folder.join("contracts.yaml"), GOOD.replace("close: f64", "close: f32")).unwrap();
    let (code, out, err) = mycelium(&["breaking", "--against", "old.yaml"], &folder);
    assert_eq!(code, 1);
    assert_eq!(
        out,
        "breaking[field-retyped]: Bar.close: the type was `f64` and is `f32`\n --> contracts.yaml:5:67\n  = help: put \
         the old type back and append a field of the new type\n\n"
    );
    assert_eq!(err, "1 breaking and 0 compatible changes against old.yaml\n");
    let (code, out, _) =
        mycelium(&["breaking", "contracts.yaml", "--against", "old.yaml", "--json"], &folder);
    let change: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, change["kind"].as_str()), (1, Some("field-retyped")));

    let more = GOOD.replace("Bar: {", "Bar: {version: 2, ");
    let more = more.replace("volume: f64", "volume: f64, count: {type: u32, since: 2, default: 0}");
    fs::write(folder.join("contracts.yaml"), more).unwrap();
    let (code, out, err) = mycelium(&["breaking", "--against", "old.yaml"], &folder);
    assert_eq!((code, out.as_str()), (0, ""));
    assert_eq!(err, "0 breaking and 1 compatible changes against old.yaml\n");
    let (_, out, _) = mycelium(&["breaking", "--against", "old.yaml", "--all"], &folder);
    assert!(out.starts_with("compatible[field-appended]: Bar.count: appended in version 2\n"), "{out}");

    fs::write(folder.join("old.yaml"), BAD).unwrap();
    let (code, _, err) = mycelium(&["breaking", "--against", "old.yaml"], &folder);
    assert_eq!(code, 2);
    assert!(err.contains("old.yaml:5:9"), "{err}");
    assert_eq!(mycelium(&["breaking"], &folder).0, 2, "--against is required");
}

#[test]
fn breaking_compares_with_a_git_revision() {
    let folder = folder("breaking-git");
    let inner = folder.join("inner");
    fs::create_dir_all(&inner).unwrap();
    fs::write(inner.join("contracts.yaml"), GOOD).unwrap();
    git(&["init", "-q", "-b", "trunk"], &folder);
    git(&["add", "."], &folder);
    git(
        &["-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false", "commit", "-qm", "one"],
        &folder,
    );
    let against =
        |revision: &str, file: &str, from: &Path| mycelium(&["breaking", file, "--against", revision], from);
    assert_eq!(against("HEAD", "contracts.yaml", &inner).0, 0);
    fs::write(inner.join("contracts.yaml"), GOOD.replace("topic: bars", "topic: other")).unwrap();
    for (file, from) in [("contracts.yaml", &inner), ("inner/contracts.yaml", &folder)] {
        let (code, out, err) = against("trunk", file, from);
        assert_eq!(code, 1, "{err}");
        assert!(out.contains("breaking[topic-changed]: Bar: the topic was `bars` and is `other`"), "{out}");
    }
    fs::rename(inner.join("contracts.yaml"), inner.join("renamed.yaml")).unwrap();
    let (code, out, err) = against("trunk:inner/contracts.yaml", "inner/renamed.yaml", &folder);
    assert!(code == 1 && out.contains("topic-changed"), "{err}");
    fs::rename(inner.join("renamed.yaml"), inner.join("contracts.yaml")).unwrap();
    for nonsense in ["nothing", "HEAD~7", "--output=stolen", "", "trunk:nothing", ":/nothing"] {
        let (code, out, err) = mycelium(&["breaking", &format!("--against={nonsense}")], &inner);
        assert_eq!((code, out.as_str()), (2, ""), "{nonsense}: {err}");
        assert!(!err.is_empty());
    }
    assert!(!inner.join("stolen").exists());
}

#[test]
fn gen_writes_python_with_msgspec_and_says_how_to_mend_it() {
    let folder = folder("gen-msgspec");
    fs::write(folder.join("contracts.yaml"), GOOD).unwrap();
    let args = |more: &[&'static str]| [&["gen", "--lang", "python", "--out", "."], more].concat();
    assert_eq!(mycelium(&args(&["--msgspec"]), &folder).0, 0);
    let source = fs::read_to_string(folder.join("__init__.py")).unwrap();
    assert!(source.contains("class Bar(_msgspec.Struct"), "{source}");
    assert_eq!(mycelium(&args(&["--msgspec", "--check"]), &folder).0, 0);
    assert_eq!(mycelium(&args(&["--check"]), &folder).0, 1, "dataclasses are another package");
    fs::write(folder.join("__init__.py"), "").unwrap();
    let (code, _, err) = mycelium(&args(&["--msgspec", "--check"]), &folder);
    assert_eq!(code, 1);
    assert!(
        err.contains("mend it with: mycelium gen contracts.yaml --lang python --out . --msgspec"),
        "{err}"
    );
    let (code, _, err) = mycelium(&["gen", "--lang", "rust", "--out", "-", "--msgspec"], &folder);
    assert!(code == 2 && err.contains("is for Python"), "{code} {err}");
}

#[test]
fn gen_writes_rust_and_checks_it() {
    let folder = folder("gen");
    fs::write(folder.join("contracts.yaml"), GOOD).unwrap();
    let generate = ["gen", "--lang", "rust", "--out", "bars.rs"];
    let check = ["gen", "--lang", "rust", "--out", "bars.rs", "--check"];
    let (code, _, err) = mycelium(&check, &folder);
    assert_eq!(code, 1);
    assert!(err.contains("mend it with: mycelium gen contracts.yaml --lang rust --out bars.rs"), "{err}");
    assert_eq!(mycelium(&generate, &folder), (0, String::new(), "wrote bars.rs\n".into()));
    assert_eq!(mycelium(&generate, &folder), (0, String::new(), String::new()), "nothing to write");
    assert_eq!(mycelium(&check, &folder).0, 0);
    let source = fs::read_to_string(folder.join("bars.rs")).unwrap();
    assert!(source.contains("pub struct Bar"), "{source}");
    let (_, out, _) = mycelium(&["gen", "--lang", "rust", "--out", "-"], &folder);
    assert_eq!(out, source);

    fs::write(folder.join("contracts.yaml"), GOOD.replace("volume", "turnover")).unwrap();
    assert_eq!(mycelium(&check, &folder).0, 1);
    fs::write(folder.join("contracts.yaml"), BAD).unwrap();
    assert_eq!(mycelium(&check, &folder).0, 2);
    for wrong in [
        &["gen"][..],
        &["gen", "--lang", "cobol", "--out", "x"],
        &["gen", "--lang", "rust"],
        &["gen", "--out", "x"],
    ] {
        assert_eq!(mycelium(wrong, &folder).0, 2, "{wrong:?}");
    }
}

#[test]
fn gen_writes_golden_vectors() {
    let (code, _, err) =
        mycelium(&["gen", "contracts.yaml", "--golden", "tests/golden", "--check"], &repository());
    assert_eq!(code, 0, "{err}");
    let folder = folder("golden");
    fs::write(folder.join("contracts.yaml"), GOOD).unwrap();
    assert_eq!(mycelium(&["gen", "--golden", "vectors", "--check"], &folder).0, 1);
    assert!(!folder.join("vectors").exists());
    assert_eq!(mycelium(&["gen", "--golden", "vectors"], &folder).0, 0);
    assert_eq!(mycelium(&["gen", "--golden", "vectors", "--check"], &folder).0, 0);
    let text = fs::read_to_string(folder.join("vectors/Bar.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["message"], "Bar");

    // The others are written, or compared, all the same; who asked for all does not get them.
    let fields: Vec<String> = (0..32).map(|n| format!("f{n}: '[u8; 256]'")).collect();
    let large = format!(
        "  Book: {{tlv_type: 101, topic: t, domain: market_data, fields: {{{}}}}}\n",
        fields.join(", ")
    );
    fs::write(folder.join("contracts.yaml"), GOOD.to_owned() + &large).unwrap();
    fs::remove_file(folder.join("vectors/Bar.json")).unwrap();
    for arguments in [&["gen", "--golden", "vectors"][..], &["gen", "--golden", "vectors", "--check"]] {
        let (code, _, err) = mycelium(arguments, &folder);
        assert!(code == 1 && err.starts_with("no golden vectors of `Book`"), "{code} {err}");
        assert!(folder.join("vectors/Bar.json").exists() && !err.contains("is not what"), "{err}");
    }
    assert!(!folder.join("vectors/Book.json").exists());
}

#[test]
fn help_names_every_subcommand_and_the_exit_codes() {
    let (code, out, _) = mycelium(&["--help"], &folder("help"));
    assert_eq!(code, 0);
    for part in ["check", "breaking", "gen", "tree", "Exit codes: 0 all is well"] {
        assert!(out.contains(part), "{part} is missing in\n{out}");
    }
}

#[cfg(unix)]
#[test]
fn a_named_pipe_is_no_file_and_the_output_of_a_command_is_read() {
    let folder = folder("pipe");
    fs::write(folder.join("good.yaml"), GOOD).unwrap();
    assert!(run("mkfifo", &["pipe"], &folder).status.success());
    for arguments in [["check", "pipe"].as_slice(), &["tree", "simulate", "pipe"]] {
        let (code, _, err) = mycelium(arguments, &folder);
        assert!(code > 0 && err.contains("it is a named pipe and no file"), "{code} {err}");
    }
    let piped = format!("cat good.yaml | {} check /dev/stdin", env!("CARGO_BIN_EXE_mycelium"));
    let output = run("sh", &["-c", &piped], &folder);
    assert!(output.status.success(), "{output:?}");
}

#[cfg(unix)]
#[test]
fn an_answer_that_nobody_reads_is_still_the_answer() {
    let folder = folder("unread");
    fs::write(folder.join("wrong.yaml"), GOOD.replace("schema:", "scheme:")).unwrap();
    for arguments in [["check", "wrong.yaml"].as_slice(), &["check", "--json", "wrong.yaml"]] {
        let (code, _, err) = mycelium(arguments, &folder);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut unread = Command::new(env!("CARGO_BIN_EXE_mycelium"));
        let status = unread
            .args(arguments)
            .current_dir(&folder)
            .stdout(writer)
            .stderr(std::process::Stdio::null())
            .status();
        assert_eq!((code, status.unwrap().code()), (1, Some(1)), "{err}");
    }
}

#[test]
fn the_path_of_the_crate_is_one() {
    let folder = folder("crate-path");
    fs::write(folder.join("good.yaml"), GOOD).unwrap();
    let generate =
        |path| mycelium(&["gen", "good.yaml", "--lang", "rust", "--out", "-", "--crate-path", path], &folder);
    for path in ["::mycelium", "mycelium", "crate", "crate::bus", "self::bus", "super::super::bus", "a::b_2"]
    {
        let (code, out, err) = generate(path);
        assert!(code == 0 && out.contains(&format!("use {path}::{{self as mycelium")), "{path}: {err}");
    }
    for path in [
        "",
        "::",
        "mycelium::",
        "::crate",
        "a::self",
        "my-crate",
        "a b",
        "2a",
        "a::{b}",
        "a:b",
        "fn",
        "a::type",
        "_",
    ] {
        let (code, out, err) = generate(path);
        assert!(code == 2 && out.is_empty(), "{path}: {out}");
        assert!(err.contains("is no path of a Rust crate or module, such as `::mycelium`"), "{path}: {err}");
    }
}

#[test]
fn packages_and_libraries_are_written_compared_and_mended() {
    let library = ["dune", "acme_trading_messages.ml", "acme_trading_messages.mli", "mycelium_wire.mli"];
    for (lang, files) in [("python", &["__init__.py", "_wire.py", "py.typed"][..]), ("ocaml", &library)] {
        let folder = folder(lang);
        fs::write(folder.join("contracts.yaml"), GOOD).unwrap();
        let generate = ["gen", "--lang", lang, "--out", "desk/messages"];
        let check = ["gen", "--lang", lang, "--out", "desk/messages", "--check"];
        let (code, _, err) = mycelium(&check, &folder);
        assert_eq!(code, 1);
        let mend = format!("mend it with: mycelium gen contracts.yaml --lang {lang} --out desk/messages");
        assert!(err.contains(&mend), "{err}");
        assert_eq!(mycelium(&generate, &folder).0, 0);
        for file in files {
            assert!(folder.join("desk/messages").join(file).exists(), "{file}");
        }
        assert_eq!(mycelium(&check, &folder).0, 0);
        fs::write(folder.join("desk/messages").join(files[0]), "stale").unwrap();
        assert_eq!(mycelium(&check, &folder).0, 1);
        let (code, _, err) = mycelium(&["gen", "--lang", lang, "--out", "-"], &folder);
        assert!(code != 0 && err.contains("give the path of a folder to --out"), "{err}");
    }
}
