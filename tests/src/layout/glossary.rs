//! Invariants over the words of pages and documentation.

use super::Fault;
use super::source::SourceFile;

/// Pages that speak of other frameworks in their words.
const OF_OTHERS: &[&str] = &[
    "CHANGELOG.md",
    "docs/coming-from.md",
    "docs/otp-differences.md",
    "docs/performance.md",
    "docs/performance-log.md",
];

/// How a sentence begins whose subject is a clause.
const CLAUSES: &[&str] = &["Who ", "What ", "Whoever ", "Whatever ", "Whichever "];

/// A row of the glossary.
struct Entry {
    words: Vec<String>,
    ruled_out: Vec<String>,
}

fn list(cell: &str) -> Vec<String> {
    cell.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The glossary of `ARCHITECTURE.md`.
fn glossary(page: &str) -> Vec<Entry> {
    let part =
        page.split("## Glossary").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap_or_default();
    let rows = part.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| word |"));
    let entry = |row: &str| {
        let cells: Vec<&str> = row.trim().trim_matches('|').split('|').collect();
        let [words, _, ruled_out] = cells[..] else {
            return Entry { words: Vec::new(), ruled_out: Vec::new() };
        };
        Entry { words: list(words), ruled_out: list(ruled_out) }
    };
    rows.map(entry).collect()
}

/// Invariant 17: the words of the glossary are used, and those that it rules out are not.
pub fn check_glossary(files: &[SourceFile]) -> Vec<Fault> {
    let page = files.iter().find(|file| file.path == "ARCHITECTURE.md").map_or("", |file| &file.text);
    let entries = glossary(page);
    let mut faults = Vec::new();
    if entries.iter().any(|entry| entry.words.is_empty()) || entries.is_empty() {
        faults.push(Fault::new(
            17,
            "ARCHITECTURE.md",
            "the glossary has rows of three cells: word, meaning, not",
        ));
    }
    let texts: Vec<(&SourceFile, String)> =
        files.iter().filter_map(|file| Some((file, words_of(file)?))).collect();
    let others: Vec<String> = texts
        .iter()
        .filter(|(file, _)| file.path != "ARCHITECTURE.md")
        .map(|(file, _)| file.text.to_lowercase())
        .collect();
    for word in entries.iter().flat_map(|entry| &entry.words) {
        // As words, or as the name of a type.
        let name = word.replace(' ', "");
        if !others.iter().any(|text| find(text, word).is_some() || find(text, &name).is_some()) {
            faults.push(Fault::new(
                17,
                "ARCHITECTURE.md",
                format!("`{word}` of the glossary is used nowhere"),
            ));
        }
    }
    for entry in &entries {
        for word in &entry.ruled_out {
            for (file, text) in &texts {
                let Some(at) = find(text, word) else { continue };
                let place = format!("{}:{}", file.path, text[..at].matches('\n').count() + 1);
                let what = format!("`{word}` is called `{}` here", entry.words.join("` or `"));
                faults.push(Fault::new(17, place, what));
            }
        }
    }
    faults
}

/// What a file says to its readers, in lower case and line for line: a page, or the documentation of shipped
/// code. `None`: nothing.
fn words_of(file: &SourceFile) -> Option<String> {
    if OF_OTHERS.contains(&file.path.as_str()) {
        return None;
    }
    if file.path == "ARCHITECTURE.md" {
        // The glossary itself names what it rules out.
        let (before, rest) = file.text.split_once("## Glossary")?;
        let after = rest.find("\n## ").map_or("", |at| &rest[at..]);
        let lines = "\n".repeat(rest[..rest.len() - after.len()].matches('\n').count());
        return Some(format!("{before}{lines}{after}").to_lowercase());
    }
    let is_page = file.path.ends_with(".md") && (file.is_in("docs") || !file.path.contains('/'));
    if is_page {
        return Some(file.text.to_lowercase());
    }
    let ships = file.is_rust() && file.path.contains("src/") && !file.is_in("tests");
    let doc =
        |line: &str| line.trim_start().strip_prefix("//")?.strip_prefix(['/', '!']).map(str::to_lowercase);
    ships.then(|| file.text.lines().map(|line| doc(line).unwrap_or_default() + "\n").collect())
}

/// Where a text has these words, whole and on one line or two, in the singular or plural.
fn find(text: &str, words: &str) -> Option<usize> {
    let words: Vec<&str> = words.split(' ').collect();
    text.match_indices(words[0]).map(|(at, _)| at).find(|at| {
        let bounded = !text[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let mut rest = &text[*at..];
        for (number, word) in words.iter().enumerate() {
            if number > 0 && !rest.starts_with(char::is_whitespace) {
                return false;
            }
            rest = rest.trim_start();
            let Some(after) = rest.strip_prefix(word) else { return false };
            rest = after;
        }
        let rest = rest.strip_prefix('s').unwrap_or(rest);
        bounded && !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')
    })
}

/// Invariant 17: no sentence of a page begins with a clause as its subject, unless it is a question; nor does
/// one of the documentation or comments in code, but for the first of an item, section or comment, which may
/// be a phrase: "What it waits for."
pub fn check_sentences(files: &[SourceFile]) -> Vec<Fault> {
    let is_page = |file: &SourceFile| {
        ["ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"].contains(&file.path.as_str())
            || file.path.ends_with("README.md")
            || file.path.ends_with("README.md.txt")
            || (file.is_in("docs") && file.path.ends_with(".md"))
    };
    let is_code = |file: &SourceFile| {
        (file.is_rust() || file.path.ends_with(".rs.txt")) && !file.path.contains("/generated/")
    };
    let ships = |file: &SourceFile| file.path.contains("src/") && !file.is_in("tests");
    let mut faults = Vec::new();
    for file in files {
        if is_page(file) {
            faults.extend(clauses(file, 0, &without_code(&file.text), true));
        } else if is_code(file) {
            let documented = if ships(file) { blocks(&file.text, is_documentation) } else { Vec::new() };
            for (line, text) in documented.into_iter().chain(blocks(&file.text, is_plain)) {
                faults.extend(clauses(file, line, &without_code(&text), false));
            }
        }
    }
    faults
}

/// The sentences of a text that begin with a clause; its lines are those of the file from `line` on.
fn clauses(file: &SourceFile, line: usize, text: &str, with_first: bool) -> Vec<Fault> {
    let mut faults = Vec::new();
    for clause in CLAUSES {
        for (at, _) in text.match_indices(clause) {
            let before = text[..at].trim_end_matches(['*', '_', '"']);
            let is_led_in = is_lead_in(before);
            let rest = &text[at..];
            let end = rest.find(['.', '?', '|', ':']).unwrap_or(rest.len());
            let is_first = before
                .trim_end()
                .rsplit('\n')
                .next()
                .is_none_or(|line| line.is_empty() || line.starts_with('#'));
            let counts = with_first || !is_first;
            if counts && (is_led_in || begins(before)) && !rest[end..].starts_with('?') {
                let place = format!("{}:{}", file.path, line + text[..at].matches('\n').count() + 1);
                let words: Vec<&str> = rest.split_whitespace().take(6).collect();
                let what = format!("\"{} ..\": let the sentence begin with its subject", words.join(" "));
                faults.push(Fault::new(17, place, what));
            }
        }
    }
    faults
}

/// The text of a line of documentation.
fn is_documentation(line: &str) -> Option<&str> {
    line.strip_prefix("//").and_then(|rest| rest.strip_prefix(['/', '!']))
}

/// The text of a line that is a comment and no documentation.
fn is_plain(line: &str) -> Option<&str> {
    line.strip_prefix("//").filter(|rest| !rest.starts_with(['/', '!']))
}

/// The comments of a file of one kind, with the number of lines before each.
fn blocks(text: &str, comment: fn(&str) -> Option<&str>) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (number, line) in text.lines().enumerate() {
        let Some(said) = comment(line.trim_start()) else {
            goes_on = false;
            continue;
        };
        if !goes_on {
            found.push((number, String::new()));
            goes_on = true;
        }
        if let Some((_, text)) = found.last_mut() {
            *text += said.strip_prefix(' ').unwrap_or(said);
            text.push('\n');
        }
    }
    found
}

/// Whether this text ends in the bold words that lead a paragraph or an item in: "- **Contracts.** ".
fn is_lead_in(before: &str) -> bool {
    let line = before.rsplit('\n').next().unwrap_or_default().trim();
    let line = line.trim_start_matches(['-', '|']).trim_start();
    line.strip_prefix("**")
        .and_then(|rest| rest.strip_suffix("**"))
        .is_some_and(|words| !words.is_empty() && !words.contains("**"))
}

/// Whether a sentence begins behind this text. A heading is none.
fn begins(before: &str) -> bool {
    let line = before.rsplit('\n').next().unwrap_or_default();
    if line.starts_with('#') {
        return false;
    }
    let open = before.trim_end();
    let starts_line = line.trim().is_empty() || ["-", "|"].contains(&line.trim());
    let paragraph =
        before.ends_with("\n\n") || open.len() < before.len() && before[open.len()..].contains("\n\n");
    line.trim() == "-"
        || line.trim_end().ends_with('|')
        || open.ends_with(['.', '?', '!'])
        || starts_line && (paragraph || open.is_empty())
        || starts_line && open.rsplit('\n').next().is_some_and(|line| line.starts_with('#'))
}

/// The page with its blocks of code blanked, line for line.
fn without_code(page: &str) -> String {
    let mut code = false;
    let mut out = String::with_capacity(page.len());
    for line in page.lines() {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        if !code && !fence && !line.starts_with("    ") {
            out += line;
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_whole_and_over_two_lines() {
        assert_eq!(find("a ring\nbuffer", "ring buffer"), Some(2));
        assert_eq!(find("ring buffers", "ring buffer"), Some(0));
        assert_eq!(find("a string buffer", "ring buffer"), None);
        assert_eq!(find("ringbuffer", "ring buffer"), None);
        assert_eq!(find("ring buffered", "ring buffer"), None);
    }
}
