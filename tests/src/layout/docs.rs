//! What the documentation of a public async function says besides what it does.

use super::Fault;
use super::source::SourceFile;

/// Folders whose public functions users call.
const FOLDERS: &[&str] = &["actors/src"];

/// Invariant 16: each public function that is async, or hands out a future, says what dropping it does, and
/// one that can fail how.
pub fn check_docs(files: &[SourceFile]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let shipped = |file: &&SourceFile| file.is_rust() && FOLDERS.iter().any(|folder| file.is_in(folder));
    for file in files.iter().filter(shipped) {
        let lines: Vec<&str> = file.text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let line = line.trim_start();
            let future =
                ["-> impl Future<", "-> Publish<", "-> PublisherPublish<"].iter().any(|to| line.contains(to));
            let named = line.strip_prefix("pub async fn ");
            let Some(name) = named.or_else(|| line.strip_prefix("pub fn ").filter(|_| future)) else {
                continue;
            };
            let name = name.split(['<', '(']).next().unwrap_or(name);
            let doc = doc_above(&lines[..at]);
            let head: String =
                lines[at..].iter().take_while(|line| !line.trim_end().ends_with('{')).copied().collect();
            let head = head + lines[at..].iter().find(|line| line.trim_end().ends_with('{')).unwrap_or(&"");
            let fails = head.rsplit_once("->").is_some_and(|(_, output)| output.contains("Result<"));
            let wanted = [("# Cancel safety", true), ("# Errors", fails)];
            for (section, _) in wanted.iter().filter(|(section, wanted)| *wanted && !doc.contains(section)) {
                let what = format!("`{name}` is documented without `{section}`");
                faults.push(Fault::new(16, format!("{}:{}", file.path, at + 1), what));
            }
        }
    }
    faults
}

/// The documentation above a function, attributes left out.
fn doc_above(lines: &[&str]) -> String {
    let above = lines.iter().rev().map(|line| line.trim_start());
    let own = above.take_while(|line| line.starts_with("//") || line.starts_with("#["));
    own.collect::<Vec<_>>().join("\n")
}
