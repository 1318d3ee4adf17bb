//! `mycelium gen`.

use std::path::{Path, PathBuf};
use std::{fs, io};

use clap::ValueEnum;
use mycelium_codegen::golden::GoldenError;
use mycelium_codegen::{Model, Options, golden, ocaml, python, python_msgspec, rust};
use mycelium_contract::Contract;

use crate::outcome::{self, Outcome, complain, say};

const USAGE: &str = "mycelium gen [FILE] --lang <LANG> --out <PATH> [--check]\n       \
                     mycelium gen [FILE] --golden <DIR> [--check]";

const EXAMPLES: &str = "Examples:
  mycelium gen contracts.yaml --lang rust --out -                # to look at
  mycelium gen contracts.yaml --lang rust --out src/messages.rs  # to commit
  mycelium gen contracts.yaml --lang python --out desk/messages  # a package
  mycelium gen contracts.yaml --lang ocaml --out desk/messages   # a library of dune
  mycelium gen contracts.yaml --golden tests/golden --check      # in CI";

/// Generate source code or golden vectors from a contract.
///
/// With --check nothing is written: exit code 1 when a file differs from what would be generated, with the
/// command that mends it. It is also 1 when a message has no golden vectors, because they would be too large;
/// the others have theirs.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, override_usage = USAGE)]
pub(crate) struct GenerateArgs {
    /// The contract.
    #[arg(default_value = "contracts.yaml", value_name = "FILE")]
    file: PathBuf,
    /// Generate source code in this language.
    #[arg(long, value_enum, required_unless_present = "golden")]
    lang: Option<Language>,
    /// Where the source goes: a file for Rust, `-` is standard output; the folder of a package for Python, of
    /// a library for OCaml.
    #[arg(long, value_name = "PATH", requires = "lang", required_unless_present = "golden")]
    out: Option<PathBuf>,
    /// Path of the crate that generated Rust code refers to, such as `::mycelium_mailbox` for code without
    /// actors.
    #[arg(long, value_name = "PATH", default_value = "::mycelium", requires = "lang", value_parser = crate_path_of)]
    crate_path: String,
    /// Make the classes of a Python package with `msgspec.Struct` in place of dataclasses: msgspec writes
    /// them as JSON and MessagePack. The package needs msgspec then.
    #[arg(long, requires = "lang")]
    msgspec: bool,
    /// Write golden vectors (values as JSON beside their bytes, and bytes that must be refused), one file per
    /// message.
    #[arg(long, value_name = "DIR", conflicts_with = "lang")]
    golden: Option<PathBuf>,
    /// Write nothing; tell whether the files are up to date.
    #[arg(long)]
    check: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Language {
    /// Types with encoding, zero-copy access and `validate()`; see also `mycelium::contracts!()`.
    Rust,
    /// A package of dataclasses with `encode()`, `decode()` and `validate()`, for Python 3.11 and newer,
    /// without dependencies.
    Python,
    /// A library of records with `encode`, `decode` and `validate`, for OCaml 4.13 and dune 2.9 and newer,
    /// without dependencies.
    Ocaml,
}

pub(crate) fn run(args: &GenerateArgs) -> outcome::Result {
    if args.msgspec && args.lang != Some(Language::Python) {
        return Err("`--msgspec` is for Python: write `--lang python --msgspec`, or leave it out".into());
    }
    let contract = Contract::read(&args.file)?;
    let mut files: Vec<(PathBuf, String)> = Vec::new();
    let mut refused = false;
    if let (Some(Language::Rust), Some(out)) = (args.lang, &args.out) {
        let source = rust(&contract, &Options::default().crate_path(args.crate_path.as_str()));
        if out == Path::new("-") {
            if args.check {
                return Err("`--check` compares with a file: give its path to --out instead of `-`".into());
            }
            say(source.trim_end())?;
            return Ok(Outcome::Fine);
        }
        files.push((out.clone(), source));
    }
    if let (Some(language @ (Language::Python | Language::Ocaml)), Some(out)) = (args.lang, &args.out) {
        let what = if language == Language::Python { "a Python package" } else { "an OCaml library" };
        if out == Path::new("-") {
            return Err(format!(
                "{what} is several files: give the path of a folder to --out instead of `-`"
            )
            .into());
        }
        if language == Language::Python {
            let package = if args.msgspec { python_msgspec(&contract) } else { python(&contract) };
            files.extend(package.into_iter().map(|file| (out.join(file.name), file.text)));
        } else {
            files.extend(ocaml(&contract).into_iter().map(|file| (out.join(file.name), file.text)));
        }
        if !args.check {
            make_folder(out)?;
        }
    }
    if let Some(folder) = &args.golden {
        let model = Model::new(&contract);
        for message in &contract.messages {
            match golden::text(&model, message) {
                Ok(text) => files.push((folder.join(format!("{}.json", message.name)), text)),
                // The other messages have theirs all the same, but not all that was asked for is done.
                Err(error @ GoldenError::TooLarge { .. }) => {
                    complain(error);
                    refused = true;
                }
                Err(error) => return Err(error.into()),
            }
        }
        if !args.check {
            make_folder(folder)?;
        }
    }
    let outcome = if args.check { compare(args, &files)? } else { write(&files)? };
    Ok(if refused { Outcome::No } else { outcome })
}

fn make_folder(folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| {
        let remedy = match error.kind() {
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
                "a file is in the way: give the path of a folder"
            }
            _ => "check the path and its permissions",
        };
        format!("cannot create the folder {}: {error}: {remedy}", folder.display())
    })
}

/// Writes what differs, so that build tools see no change where there is none.
fn write(files: &[(PathBuf, String)]) -> outcome::Result {
    for (path, text) in files {
        if is_current(path, text) {
            continue;
        }
        fs::write(path, text).map_err(|error| {
            let remedy = match error.kind() {
                io::ErrorKind::IsADirectory => "give the path of a file in it",
                io::ErrorKind::NotFound => "make its folder first",
                _ => "check the path and its permissions",
            };
            format!("cannot write {}: {error}: {remedy}", path.display())
        })?;
        complain(format_args!("wrote {}", path.display()));
    }
    Ok(Outcome::Fine)
}

fn compare(args: &GenerateArgs, files: &[(PathBuf, String)]) -> outcome::Result {
    let stale: Vec<&PathBuf> =
        files.iter().filter(|(p, text)| !is_current(p, text)).map(|(p, _)| p).collect();
    if stale.is_empty() {
        return Ok(Outcome::Fine);
    }
    for path in &stale {
        complain(format_args!("{} is not what {} generates", path.display(), args.file.display()));
    }
    let target = match (&args.golden, &args.out) {
        (Some(folder), _) => format!("--golden {}", folder.display()),
        (None, Some(out)) => {
            let msgspec = if args.msgspec { " --msgspec" } else { "" };
            format!("--lang {} --out {}{}{msgspec}", language(args), out.display(), crate_path(args))
        }
        (None, None) => String::new(),
    };
    complain(format_args!("mend it with: mycelium gen {} {target}", args.file.display()));
    Ok(Outcome::No)
}

fn language(args: &GenerateArgs) -> &'static str {
    match args.lang {
        Some(Language::Python) => "python",
        Some(Language::Ocaml) => "ocaml",
        Some(Language::Rust) | None => "rust",
    }
}

fn crate_path(args: &GenerateArgs) -> String {
    match args.crate_path.as_str() {
        "::mycelium" => String::new(),
        other => format!(" --crate-path {other}"),
    }
}

/// Checks what is given as `--crate-path`: generated code that names a crate wrongly is hard to read an error
/// from.
fn crate_path_of(text: &str) -> Result<String, String> {
    let global = text.strip_prefix("::");
    let mut from_here = global.is_none();
    let fits = global.unwrap_or(text).split("::").all(|name| {
        let begins = std::mem::take(&mut from_here);
        // `super` may be repeated.
        from_here = begins && matches!(name, "self" | "super");
        (begins && matches!(name, "crate" | "self" | "super")) || is_name(name)
    });
    match fits {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "`{text}` is no path of a Rust crate or module, such as `::mycelium` or `crate::bus`"
        )),
    }
}

fn is_name(text: &str) -> bool {
    let begins = text.chars().next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
    let goes_on = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    begins && goes_on && text != "_" && !KEYWORDS.contains(&text)
}

/// The words of Rust that name nothing in a path.
pub(crate) const KEYWORDS: &[&str] = &[
    "Self", "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do",
    "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop",
    "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static",
    "struct", "super", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual",
    "where", "while", "yield",
];

fn is_current(path: &Path, text: &str) -> bool {
    fs::read(path).is_ok_and(|old| old == text.as_bytes())
}
