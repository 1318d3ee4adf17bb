//! The files of each template, and what is put into them.

use clap::ValueEnum;

use super::Source;

/// What a project begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Template {
    /// A supervised process: feed, strategy, venue; ends in order at Ctrl-C.
    Desk,
    /// A strategy in virtual time, run for a thousand pairs of parameters.
    Backtest,
    /// Actors for others to use.
    Library,
}

/// The files of a template: where each goes, and its text. In this repository they have names that no tool
/// takes for its own.
macro_rules! files {
    ($folder:literal: $($path:literal = $file:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../templates/", $folder, "/", $file)))),*]
    };
}

impl Template {
    pub(crate) fn files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Template::Desk => files!("desk":
                "Cargo.toml" = "Cargo.toml.txt",
                "build.rs" = "build.rs.txt",
                "contracts.yaml" = "contracts.yaml",
                "src/lib.rs" = "src/lib.rs.txt",
                "src/main.rs" = "src/main.rs.txt",
                "src/feed.rs" = "src/feed.rs.txt",
                "src/reporter.rs" = "src/reporter.rs.txt",
                "src/strategy.rs" = "src/strategy.rs.txt",
                "src/venue.rs" = "src/venue.rs.txt",
                "tests/desk.rs" = "tests/desk.rs.txt",
                "Dockerfile" = "Dockerfile.txt",
                ".dockerignore" = "gitignore",
                ".gitignore" = "gitignore",
                "README.md" = "README.md.txt",
            ),
            Template::Backtest => files!("backtest":
                "Cargo.toml" = "Cargo.toml.txt",
                "build.rs" = "build.rs.txt",
                "contracts.yaml" = "contracts.yaml",
                "src/lib.rs" = "src/lib.rs.txt",
                "src/main.rs" = "src/main.rs.txt",
                "src/account.rs" = "src/account.rs.txt",
                "src/feed.rs" = "src/feed.rs.txt",
                "src/strategy.rs" = "src/strategy.rs.txt",
                "tests/backtest.rs" = "tests/backtest.rs.txt",
                ".gitignore" = "gitignore",
                "README.md" = "README.md.txt",
            ),
            Template::Library => files!("library":
                "Cargo.toml" = "Cargo.toml.txt",
                "build.rs" = "build.rs.txt",
                "contracts.yaml" = "contracts.yaml",
                "src/lib.rs" = "src/lib.rs.txt",
                "tests/averager.rs" = "tests/averager.rs.txt",
                ".gitignore" = "gitignore",
                "README.md" = "README.md.txt",
            ),
        }
    }

    pub(crate) fn what_next(self) -> &'static str {
        match self {
            Template::Desk => {
                "  cargo run      # until Ctrl-C\n  cargo test     # the same actors in virtual time"
            }
            Template::Backtest => "  cargo run --release\n  cargo test",
            Template::Library => "  cargo test",
        }
    }
}

/// What stands in the place of `{{key}}`.
pub(crate) struct Values(Vec<(&'static str, String)>);

impl Values {
    pub(crate) fn new(name: &str, source: &Source) -> Values {
        let (library, codegen) = (dependency(source, "actors"), dependency(source, "bindings/codegen"));
        let (context, copy) = match source {
            Source::Checkout(root) => (
                format!(" --build-context mycelium={}", root.display()),
                format!("COPY --from=mycelium . {}\n", root.display()),
            ),
            Source::Git(_) => (String::new(), String::new()),
        };
        Values(vec![
            ("{{name}}", name.to_owned()),
            ("{{crate}}", name.replace('-', "_")),
            ("{{mycelium}}", library),
            ("{{codegen}}", codegen),
            ("{{docker_context}}", context),
            ("{{docker_copy}}", copy),
        ])
    }

    pub(crate) fn fill(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (key, value)| text.replace(key, value))
    }
}

/// The keys of a dependency in `Cargo.toml`. A JSON string is a TOML string.
fn dependency(source: &Source, package: &str) -> String {
    match source {
        Source::Checkout(root) => format!("path = {}", quoted(&root.join(package).to_string_lossy())),
        Source::Git(address) => format!("git = {}", quoted(address)),
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_to_fill_in() {
        for source in
            [Source::Checkout("/some where/\"here\"".into()), Source::Git("https://x.example".into())]
        {
            let values = Values::new("my-desk", &source);
            for template in Template::value_variants() {
                for (path, text) in template.files() {
                    let filled = values.fill(text);
                    assert!(!filled.contains("{{name") && !filled.contains("{{crate"), "{path}:\n{filled}");
                    let unknown =
                        filled.split("{{").skip(1).find(|rest| rest.split("}}").next().is_some_and(is_key));
                    assert_eq!(unknown, None, "{path}");
                }
            }
        }
    }

    fn is_key(text: &str) -> bool {
        text.chars().all(|c| c.is_ascii_lowercase() || c == '_')
    }

    #[test]
    fn a_path_may_have_anything_in_it() {
        let keys = dependency(&Source::Checkout("/a \"b\"\\c".into()), "actors");
        assert_eq!(keys, r#"path = "/a \"b\"\\c/actors""#);
    }
}
