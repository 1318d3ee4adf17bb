//! The lists of `deny.toml`, held over the graph so that they bind where cargo-deny is not installed.

use std::collections::{BTreeMap, BTreeSet};

use super::Fault;
use super::graph::Graph;

/// What `deny.toml` allows and forbids.
#[derive(Clone, Debug)]
pub struct DenyList {
    licences: BTreeSet<String>,
    /// Licences that one crate alone may have.
    exceptions: BTreeMap<String, BTreeSet<String>>,
    crates: BTreeSet<String>,
    registries: BTreeSet<String>,
}

impl DenyList {
    /// Reads the text of a `deny.toml`.
    ///
    /// # Errors
    /// When it is no TOML, or a list that the checks need is missing or empty.
    pub fn parse(text: &str) -> Result<Self, String> {
        let table: toml::Table = text.parse().map_err(|error| format!("deny.toml: {error}"))?;
        let list = |section: &str, key: &str| -> Result<BTreeSet<String>, String> {
            let values =
                table.get(section).and_then(|section| section.get(key)).and_then(toml::Value::as_array);
            let entry = |value: &toml::Value| {
                let text = value.as_str().or_else(|| value.get("crate").and_then(toml::Value::as_str));
                text.map(str::to_owned)
            };
            let found: BTreeSet<String> = values.into_iter().flatten().filter_map(entry).collect();
            if found.is_empty() { Err(format!("deny.toml: `{section}.{key}` is missing")) } else { Ok(found) }
        };
        let exceptions = table.get("licenses").and_then(|section| section.get("exceptions"));
        let exceptions = exceptions.and_then(toml::Value::as_array).into_iter().flatten();
        let exception = |entry: &toml::Value| {
            let name = entry.get("crate").and_then(toml::Value::as_str)?;
            let allowed = entry.get("allow").and_then(toml::Value::as_array)?;
            let allowed = allowed.iter().filter_map(toml::Value::as_str).map(str::to_owned);
            Some((name.to_owned(), allowed.collect()))
        };
        Ok(Self {
            exceptions: exceptions.filter_map(exception).collect(),
            licences: list("licenses", "allow")?,
            crates: list("bans", "deny")?,
            registries: list("sources", "allow-registry")?,
        })
    }

    fn licences_of(&self, name: &str) -> BTreeSet<String> {
        let more = self.exceptions.get(name).into_iter().flatten();
        self.licences.iter().chain(more).cloned().collect()
    }
}

/// Invariant 12: every dependency has an allowed licence and source, and none is banned.
pub fn check_dependencies(graph: &Graph, deny: &DenyList) -> Vec<Fault> {
    let mut faults = Vec::new();
    for package in graph.packages.values() {
        let mut fault = |what: String| faults.push(Fault::new(12, &package.name, what));
        if deny.crates.contains(&package.name) {
            fault("is banned by deny.toml, which says why".to_owned());
        }
        match &package.licence {
            None => fault("states no licence".to_owned()),
            Some(expression) if !licence_allowed(expression, &deny.licences_of(&package.name)) => {
                fault(format!("licence `{expression}` is not allowed by deny.toml"));
            }
            Some(_) => {}
        }
        if let Some(source) = &package.source {
            let known = source.strip_prefix("registry+").is_some_and(|url| deny.registries.contains(url));
            if !known {
                fault(format!("comes from `{source}`"));
            }
        } else if !package.member {
            fault("is a path outside the workspace".to_owned());
        }
    }
    faults
}

/// Whether an SPDX expression can be satisfied by allowed licences alone. `A/B`, the old spelling, means `A
/// OR B`.
pub fn licence_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    let verdict = any_of(&mut rest, allowed);
    verdict && rest.is_empty()
}

fn any_of(words: &mut &[&str], allowed: &BTreeSet<String>) -> bool {
    let mut verdict = all_of(words, allowed);
    while let Some(("OR", rest)) = words.split_first().map(|(first, rest)| (*first, rest)) {
        *words = rest;
        verdict |= all_of(words, allowed);
    }
    verdict
}

fn all_of(words: &mut &[&str], allowed: &BTreeSet<String>) -> bool {
    let mut verdict = one(words, allowed);
    while let Some(("AND", rest)) = words.split_first().map(|(first, rest)| (*first, rest)) {
        *words = rest;
        verdict &= one(words, allowed);
    }
    verdict
}

fn one(words: &mut &[&str], allowed: &BTreeSet<String>) -> bool {
    let Some((first, rest)) = words.split_first() else { return false };
    *words = rest;
    if *first == "(" {
        let verdict = any_of(words, allowed);
        let closed = words.first() == Some(&")");
        *words = words.get(1..).unwrap_or_default();
        return verdict && closed;
    }
    if let ["WITH", exception, rest @ ..] = *words {
        *words = rest;
        return allowed.contains(&format!("{first} WITH {exception}"));
    }
    allowed.contains(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_allowed_when_one_choice_needs_nothing_else() {
        let allowed: BTreeSet<String> =
            ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into();
        let rows = [
            ("MIT", true),
            ("GPL-3.0", false),
            ("GPL-3.0 OR MIT", true),
            ("MIT/Unlicense", true),
            ("MIT AND GPL-3.0", false),
            ("(MIT OR GPL-3.0) AND Apache-2.0", true),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", false),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("MIT WITH LLVM-exception", false),
            ("(MIT", false),
            ("MIT MIT", false),
            ("", false),
        ];
        for (expression, expected) in rows {
            assert_eq!(licence_allowed(expression, &allowed), expected, "{expression}");
        }
    }

    #[test]
    fn an_exception_is_for_its_crate_alone() {
        let text = "[licenses]\nallow = [\"MIT\"]\nexceptions = [{ allow = [\"NCSA\"], crate = \"one\" }]\n\
            [bans]\ndeny = [\"bad\"]\n[sources]\nallow-registry = [\"r\"]\n";
        let deny = DenyList::parse(text).expect("sound");
        assert!(licence_allowed("MIT AND NCSA", &deny.licences_of("one")));
        assert!(!licence_allowed("MIT AND NCSA", &deny.licences_of("other")));
    }
}
