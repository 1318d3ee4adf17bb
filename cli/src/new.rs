//! `mycelium new`.

mod template;

use std::fs;
use std::path::{Path, PathBuf};

use crate::outcome::{self, Outcome, say};
use template::{Template, Values};

const EXAMPLES: &str = "Examples:
  mycelium new desk                                   # a supervised process in the folder `desk`
  mycelium new crossing --template backtest           # a strategy in virtual time, and a sweep
  mycelium new prices --template library --mycelium https://git.example.com/mycelium.git";

/// Make a project that builds, runs and passes its own tests.
///
/// It is a workspace of its own, and refers to the checkout of Mycelium that this command was built from;
/// --mycelium names another.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct NewArgs {
    /// Its name, and the folder that is made: lower-case letters, digits, `-` and `_`.
    #[arg(value_name = "NAME", value_parser = name_of)]
    name: String,
    /// What to begin with.
    #[arg(long, value_enum, default_value = "desk")]
    template: Template,
    /// Where Mycelium comes from: a checkout, or the address of a git repository.
    #[arg(long, value_name = "PATH|URL")]
    mycelium: Option<String>,
}

pub(crate) fn run(args: &NewArgs) -> outcome::Result {
    let folder = Path::new(&args.name);
    if folder.exists() {
        return Err(
            format!("{} is there already: choose another name, or remove it", folder.display()).into()
        );
    }
    let source = source(args.mycelium.as_deref())?;
    let values = Values::new(&args.name, &source);
    for (path, text) in args.template.files() {
        let path = folder.join(path);
        let written = path
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(&path, values.fill(text)));
        written.map_err(|error| {
            format!("cannot write {}: {error}: make it where you may write", path.display())
        })?;
    }
    say(format_args!(
        "made {}\n\n  cd {}\n{}",
        folder.display(),
        folder.display(),
        args.template.what_next()
    ))?;
    Ok(Outcome::Fine)
}

/// Where the new project's dependency comes from.
pub(crate) enum Source {
    /// The root of a checkout.
    Checkout(PathBuf),
    /// The address of a git repository.
    Git(String),
}

fn source(given: Option<&str>) -> Result<Source, String> {
    let Some(given) = given else {
        // Where this command was built, if that is still there.
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        return checkout(&root).map_err(|_| {
            "the checkout that this command was built from has gone: say where Mycelium is with --mycelium PATH or \
             --mycelium URL"
                .to_owned()
        });
    };
    if given.contains("://") || given.starts_with("git@") {
        return Ok(Source::Git(given.to_owned()));
    }
    checkout(Path::new(given))
}

fn checkout(root: &Path) -> Result<Source, String> {
    let found =
        root.join("actors/Cargo.toml").is_file() && root.join("bindings/codegen/Cargo.toml").is_file();
    let root = root.canonicalize().ok().filter(|_| found);
    root.map(Source::Checkout).ok_or_else(|| {
        "--mycelium names no checkout of Mycelium (there is no actors/Cargo.toml in it) and no address of a git \
         repository (which has `://` in it, or begins with `git@`)"
            .to_owned()
    })
}

/// Names that a package cannot have, that stand for another crate, or for a folder that cargo makes where it
/// puts the program.
const TAKEN: &[&str] = &[
    "alloc",
    "build",
    "core",
    "deps",
    "examples",
    "incremental",
    "mycelium",
    "mycelium_codegen",
    "proc_macro",
    "std",
    "test",
    "tokio",
    "tracing_subscriber",
];

const NAME_MAX: usize = 64;

/// Checks the name: cargo, the generated code and the contract have to take it.
fn name_of(text: &str) -> Result<String, String> {
    let begins = text.starts_with(|first: char| first.is_ascii_lowercase());
    let goes_on = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c));
    let ends = text.ends_with(|last: char| last.is_ascii_alphanumeric());
    let single = !["--", "-_", "_-", "__"].iter().any(|pair| text.contains(pair));
    if !(begins && goes_on && ends && single) || text.len() > NAME_MAX {
        return Err(format!(
            "a name is made of lower-case letters and digits with single `-` or `_` between them, begins with a letter, and \
             has at most {NAME_MAX} of them: such as `my-desk`"
        ));
    }
    let identifier = text.replace('-', "_");
    if TAKEN.contains(&identifier.as_str()) || crate::generate::KEYWORDS.contains(&identifier.as_str()) {
        return Err(format!(
            "`{text}` is a crate, a word of Rust or a folder of cargo already: choose another, such as `my-{text}`"
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_cargo_takes_are_taken_and_others_are_told_why() {
        for good in ["a", "desk", "my-desk", "desk_2", "x86"] {
            assert_eq!(name_of(good), Ok(good.to_owned()));
        }
        for bad in ["", "Desk", "2desk", "-desk", "desk-", "my--desk", "my desk", "dés", "../desk", "desk\n"]
        {
            assert!(name_of(bad).unwrap_err().contains("such as `my-desk`"), "{bad:?}");
        }
        for taken in
            ["test", "mycelium", "mycelium-codegen", "loop", "std", "build", "deps", "tracing-subscriber"]
        {
            assert!(name_of(taken).unwrap_err().contains("already"), "{taken}");
        }
        assert!(name_of(&"a".repeat(NAME_MAX + 1)).is_err());
    }

    #[test]
    fn a_source_is_an_address_or_a_checkout() {
        assert!(matches!(source(None), Ok(Source::Checkout(_))));
        for address in ["https://git.example.com/m.git", "ssh://git@example.com/m", "git@example.com:m.git"] {
            assert!(matches!(source(Some(address)), Ok(Source::Git(_))), "{address}");
        }
        assert!(source(Some(".")).is_err_and(|error| error.contains("actors/Cargo.toml")));
    }
}
