//! `tests/apt.sh`, by which the tests get what they need from Debian or Ubuntu.
#![cfg(unix)]
#![forbid(unsafe_code)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// Its exit code and what it complained of, with an `apt-get` that updates nothing.
fn install(works: bool) -> (Option<i32>, String) {
    let folder = std::env::temp_dir().join(format!("mycelium-apt-{works}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let fake = |name: &str, script: &str| {
        std::fs::write(folder.join(name), script).unwrap();
        std::fs::set_permissions(folder.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    fake("apt-get", &format!("#!/bin/sh\ncase \"$*\" in update) exit 100;; *) {works};; esac\n"));
    fake("sudo", "#!/bin/sh\nexec \"$@\"\n");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("apt.sh");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("sh");
    command.arg(script).args(["Erlang", "see its site", "erlang-base", "erlang-dev"]).env("PATH", path);
    let output = command.output().unwrap();
    std::fs::remove_dir_all(folder).unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_source_that_cannot_be_updated_keeps_no_package_away_and_a_failure_says_what_to_do() {
    assert_eq!(install(true), (Some(0), String::new()));
    let cause = "Erlang is missing, and apt-get cannot install erlang-base erlang-dev: see its site\n";
    assert_eq!(install(false), (Some(1), cause.to_owned()));
}
