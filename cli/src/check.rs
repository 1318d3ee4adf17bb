//! `mycelium check`.

use std::path::PathBuf;

use mycelium_contract::{Contract, Diagnostic, Digests, GrownEnums, Layouts};
use serde::Serialize;

use crate::outcome::{self, Outcome, complain, say};

/// Check contract files and show every mistake with its place, cause and remedy.
///
/// Exit code 1 when a file has mistakes or cannot be read.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// Contract files.
    #[arg(default_value = "contracts.yaml", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print one JSON object per mistake and line, and nothing else.
    #[arg(long)]
    json: bool,
    /// Also list messages with id, version, size and layout digest.
    #[arg(long, conflicts_with = "json")]
    list: bool,
}

/// A mistake as `--json` prints it.
#[derive(Serialize)]
struct JsonDiagnostic<'a> {
    code: String,
    file: &'a str,
    line: u32,
    column: u32,
    length: u32,
    source: &'a str,
    cause: &'a str,
    remedy: &'a str,
}

impl<'a> From<&'a Diagnostic> for JsonDiagnostic<'a> {
    fn from(d: &'a Diagnostic) -> Self {
        JsonDiagnostic {
            code: d.code.to_string(),
            file: &d.file,
            line: d.at.line,
            column: d.at.column,
            length: d.length,
            source: &d.source,
            cause: &d.cause,
            remedy: &d.remedy,
        }
    }
}

pub(crate) fn run(args: &CheckArgs) -> outcome::Result {
    let mut outcome = Outcome::Fine;
    for file in &args.files {
        match Contract::read(file) {
            Ok(contract) if !args.json => {
                let (messages, types) =
                    (contract.messages.len(), contract.enums.len() + contract.structs.len());
                let plural = if messages == 1 { "" } else { "s" };
                say(format_args!(
                    "{}: correct, {messages} message{plural}, {types} enums and structs",
                    file.display()
                ))?;
                if args.list {
                    list(&contract)?;
                }
            }
            Ok(_) => {}
            Err(errors) if args.json => {
                outcome = Outcome::No;
                for diagnostic in errors.list() {
                    say(serde_json::to_string(&JsonDiagnostic::from(diagnostic))?)?;
                }
            }
            Err(errors) => {
                outcome = Outcome::No;
                complain(format_args!("{errors}\n"));
                let mistakes = errors.list().len() + errors.omitted();
                if mistakes > 1 {
                    complain(format_args!("{}: {mistakes} mistakes", file.display()));
                }
            }
        }
    }
    Ok(outcome)
}

/// One line per message version, and one per enum in it that has grown: what peers compare, and log when they
/// disagree.
fn list(contract: &Contract) -> std::io::Result<()> {
    let (layouts, digests, grown) = (Layouts::of(contract), Digests::of(contract), GrownEnums::of(contract));
    for message in &contract.messages {
        for version in 1..=message.version {
            let layout = layouts.record(message.fields_of(version)).layout;
            let kind = if layout.fixed { "fixed" } else { "and more" };
            let digest = digests.layout(message, version);
            let name = &message.name;
            say(format_args!(
                "{:>6} {name:<24} v{version:<3} {:>6} bytes {kind:<8} {digest:016x}  {}",
                message.type_id, layout.size, message.topic
            ))?;
        }
        for def in grown.in_message(message) {
            let later = def.variants.iter().enumerate().skip(def.released());
            let tags: Vec<String> = later.map(|(tag, v)| format!("{} = {tag}", v.name)).collect();
            say(format_args!("       {} has gained {}", def.name, tags.join(", ")))?;
        }
    }
    Ok(())
}
