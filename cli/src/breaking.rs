//! `mycelium breaking`.

use std::error::Error;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mycelium_contract::limits::FILE_BYTES_MAX;
use mycelium_contract::{Change, Contract, Severity, breaking};
use serde::Serialize;

use crate::outcome::{self, Outcome, complain, say};

/// At most this much of git's complaint is shown.
const MESSAGE_BYTES_MAX: u64 = 1024;

/// Tell whether peers built from an older contract can still talk to those built from this one.
///
/// Exit code 1 when a change breaks; 2 when one of the contracts cannot be read or is incorrect.
#[derive(Debug, clap::Args)]
pub(crate) struct BreakingArgs {
    /// The new contract.
    #[arg(default_value = "contracts.yaml", value_name = "FILE")]
    file: PathBuf,
    /// The old contract: a file, or else a git revision (branch, tag, commit) that has FILE, or REVISION:PATH
    /// where FILE had another name then.
    #[arg(long, value_name = "FILE|GIT_REF", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    against: String,
    /// Print one JSON object per change and line, and nothing else.
    #[arg(long)]
    json: bool,
    /// Also show the changes that do not break.
    #[arg(long)]
    all: bool,
}

/// A change as `--json` prints it.
#[derive(Serialize)]
struct JsonChange<'a> {
    severity: &'static str,
    kind: &'static str,
    subject: &'a str,
    cause: &'a str,
    remedy: &'a str,
    line: u32,
    column: u32,
}

impl<'a> From<&'a Change> for JsonChange<'a> {
    fn from(c: &'a Change) -> Self {
        JsonChange {
            severity: if c.severity == Severity::Breaking { "breaking" } else { "compatible" },
            kind: c.kind,
            subject: &c.subject,
            cause: &c.cause,
            remedy: &c.remedy,
            line: c.at.line,
            column: c.at.column,
        }
    }
}

pub(crate) fn run(args: &BreakingArgs) -> outcome::Result {
    let new = Contract::read(&args.file)?;
    let old = old(&args.file, &args.against)?;
    let changes = breaking(&old, &new);
    let broken = changes.iter().filter(|c| c.severity == Severity::Breaking).count();
    for change in changes.iter().filter(|c| args.all || args.json || c.severity == Severity::Breaking) {
        if args.json {
            say(serde_json::to_string(&JsonChange::from(change))?)?;
        } else {
            say(pretty(change, &args.file))?;
        }
    }
    if !args.json {
        let compatible = changes.len() - broken;
        complain(format_args!(
            "{broken} breaking and {compatible} compatible changes against {}",
            args.against
        ));
    }
    Ok(if broken == 0 { Outcome::Fine } else { Outcome::No })
}

fn pretty(change: &Change, file: &Path) -> String {
    let place = match change.at.line {
        0 => String::new(),
        line => format!("\n --> {}:{line}:{}", file.display(), change.at.column),
    };
    let text = change.to_string();
    match text.split_once('\n') {
        Some((first, rest)) => format!("{first}{place}\n{rest}\n"),
        None => format!("{text}{place}\n"),
    }
}

/// The contract to compare with: a file if there is one of this name, else what git has.
fn old(file: &Path, against: &str) -> Result<Contract, Box<dyn Error>> {
    if Path::new(against).is_file() {
        return Ok(Contract::read(Path::new(against))?);
    }
    let name = file.file_name().and_then(|n| n.to_str()).ok_or("the file's name is not UTF-8")?;
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let cause = match git_show(folder, &format!("{against}:./{name}")) {
        Ok(bytes) => return Ok(Contract::parse_bytes(&bytes, &format!("{against}:{name}"))?),
        Err(cause) => cause,
    };
    if against.contains(':')
        && let Ok(bytes) = git_show(folder, against)
    {
        return Ok(Contract::parse_bytes(&bytes, against)?);
    }
    Err(format!(
        "`{against}` is no file here, and git cannot show {name} of that revision: {cause}; give --against a file, a \
         branch, a tag, a commit, or REVISION:PATH"
    )
    .into())
}

/// What `git show OBJECT` prints in `folder`, read up to the size that contracts may have.
fn git_show(folder: &Path, object: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut child = Command::new("git")
        .arg("-C")
        .arg(folder)
        // A revision that begins with `-` must not become an option.
        .args(["show", "--no-textconv", "--end-of-options"])
        .arg(object)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot run git: {error}"))?;
    let most = u64::try_from(FILE_BYTES_MAX)? + 1;
    let mut bytes = Vec::new();
    child.stdout.take().ok_or("no output")?.take(most).read_to_end(&mut bytes)?;
    let mut said = Vec::new();
    child.stderr.take().ok_or("no output")?.take(MESSAGE_BYTES_MAX).read_to_end(&mut said)?;
    // Beyond the limit git may still be writing; it ends by the closed pipe.
    let status = child.wait()?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(format!("the file is larger than {FILE_BYTES_MAX} bytes").into());
    }
    if !status.success() {
        return Err(String::from_utf8_lossy(&said).trim().to_owned().into());
    }
    Ok(bytes)
}
