//! The keys `schema`, `domains` and `tag_ranges`.

use crate::check::keys::{Entry, Keys, at_most, entries, integer};
use crate::check::names::{self, Naming};
use crate::diagnostic::{Report, Span, clip, did_you_mean};
use crate::limits::{DESCRIPTION_BYTES_MAX, DOMAINS_MAX, RESERVED_IDS_FROM};
use crate::yaml::{Kind, Node};
use crate::{Code, Domain, Schema, TagRange};

/// What there may be too many of, and the remedy.
const MERGE: (&str, &str) = ("domains", "put the messages of several domains into one");

/// So many domains are read, also where they are too many: otherwise each use of one were a mistake too.
const DOMAINS_READ_MAX: usize = 4 * DOMAINS_MAX;

pub(super) fn schema(keys: &Keys<'_>, report: &mut Report<'_>) -> Schema {
    let mut schema = Schema { id: String::new(), version: 1 };
    let Some(node) = keys.need("schema", "{id: acme.trading, version: 1}", report) else { return schema };
    let keys = Keys::read(node, "`schema`", node.span, &["id", "version"], report);
    if let Some((id, span)) = keys.need_text("id", "acme.trading", report) {
        names::check_path(&id, "schema id", Code::BAD_NAME, span, report);
        schema.id = id;
    }
    if let Some(node) = keys.need("version", "1", report)
        && let Some(version) =
            integer(node, "the schema's version", 1, u32::MAX.into(), Code::BAD_VERSION, report)
    {
        schema.version = u32::try_from(version).unwrap_or(1);
    }
    schema
}

pub(super) fn domains(keys: &Keys<'_>, report: &mut Report<'_>) -> Vec<Domain> {
    let Some(node) = keys.need("domains", "{market_data: prices as venues publish them}", report) else {
        return Vec::new();
    };
    let mut domains: Vec<Domain> = Vec::new();
    let mut add = |entry: Entry<'_>, description: String, report: &mut Report<'_>| {
        if names::check(&entry, Naming::Domain, "domain", report) {
            if domains.iter().any(|d| d.name == entry.name) {
                let cause = format!("the domain `{}` is declared twice", entry.name);
                report.add(Code::NAME_TAKEN, entry.span, cause, "remove one");
            }
            domains.push(Domain { name: entry.name.to_owned(), description, at: entry.span.at });
        }
    };
    match &node.kind {
        Kind::List(list) => {
            at_most(list.len(), DOMAINS_MAX, MERGE, node.span, report);
            for item in list.iter().take(DOMAINS_READ_MAX) {
                match &item.kind {
                    Kind::Text(name) => {
                        add(Entry { name, span: item.span, value: item }, String::new(), report);
                    }
                    _ => report.add(
                        Code::WRONG_SHAPE,
                        item.span,
                        format!("a domain in a list is a name, not {}", item.shape()),
                        "write its name alone, such as `market_data`; with descriptions, `market_data: prices` lines without `-`",
                    ),
                }
            }
        }
        other => {
            if let Kind::Map(map) = other {
                at_most(map.len(), DOMAINS_MAX, MERGE, node.span, report);
            }
            for entry in entries(node, "`domains`", report).into_iter().take(DOMAINS_READ_MAX) {
                let description = match &entry.value.kind {
                    Kind::Text(text) if text.len() <= DESCRIPTION_BYTES_MAX => text.trim_end().to_owned(),
                    Kind::Null => String::new(),
                    _ => {
                        let cause = format!("the description of domain `{}` must be short text", entry.name);
                        report.add(
                            Code::WRONG_SHAPE,
                            entry.value.span,
                            cause,
                            "write one line of text, or nothing",
                        );
                        String::new()
                    }
                };
                add(entry, description, report);
            }
        }
    }
    domains
}

pub(super) fn tag_ranges(keys: &Keys<'_>, domains: &[Domain], report: &mut Report<'_>) -> Vec<TagRange> {
    // Stands for a range that was reported: any id may be in it, so that no id is told to be outside.
    let any = |domain: &str, at| TagRange { domain: domain.to_owned(), lo: 1, hi: u16::MAX, at };
    let needed = keys.need("tag_ranges", "{market_data: [100, 199]}", report);
    let Some(node) = needed.filter(|node| matches!(node.kind, Kind::Map(_))) else {
        if let Some(node) = needed {
            entries(node, "`tag_ranges`", report);
        }
        return domains.iter().map(|domain| any(&domain.name, domain.at)).collect();
    };
    let (mut ranges, mut wrong): (Vec<TagRange>, Vec<TagRange>) = Default::default();
    for entry in entries(node, "`tag_ranges`", report) {
        if !domains.iter().any(|d| d.name == entry.name) {
            unknown_domain(entry.name, entry.span, domains, report);
            continue;
        }
        let Kind::List(list) = &entry.value.kind else {
            let cause = format!("the range of `{}` must be a list, not {}", entry.name, entry.value.shape());
            report.add(Code::BAD_RANGE, entry.value.span, cause, "write lowest and highest id: `[100, 199]`");
            wrong.push(any(entry.name, entry.span.at));
            continue;
        };
        let highest = i128::from(RESERVED_IDS_FROM) - 1;
        let mut bound = |n: &Node| {
            integer(n, "a bound of type ids", 1, highest, Code::BAD_RANGE, report)
                .and_then(|v| u16::try_from(v).ok())
        };
        let bounds: Vec<Option<u16>> = list.iter().take(3).map(&mut bound).collect();
        match bounds.as_slice() {
            [Some(lo), Some(hi)] if lo <= hi => {
                ranges.push(TagRange { domain: entry.name.to_owned(), lo: *lo, hi: *hi, at: entry.span.at });
            }
            [_, _] if bounds.contains(&None) => wrong.push(any(entry.name, entry.span.at)),
            _ => {
                wrong.push(any(entry.name, entry.span.at));
                let cause = format!("the range of `{}` must be lowest and highest id", entry.name);
                report.add(Code::BAD_RANGE, entry.value.span, cause, "write them like `[100, 199]`");
            }
        }
    }
    let mut sorted: Vec<&TagRange> = ranges.iter().collect();
    sorted.sort_by_key(|r| r.lo);
    for pair in sorted.windows(2).filter(|pair| pair[0].hi >= pair[1].lo) {
        let (low, high) = (pair[0], pair[1]);
        let cause = format!(
            "the ranges of `{}` ({} to {}) and `{}` ({} to {}) overlap",
            low.domain, low.lo, low.hi, high.domain, high.lo, high.hi
        );
        let length = u32::try_from(high.domain.len()).unwrap_or(1);
        report.add(Code::RANGE_OVERLAP, Span { at: high.at, length }, cause, "move one of them");
    }
    ranges.extend(wrong);
    ranges
}

pub(super) fn unknown_domain(name: &str, span: Span, domains: &[Domain], report: &mut Report<'_>) {
    let known = domains.iter().map(|d| d.name.as_str()).filter(|_| !report.is_full());
    let remedy = match did_you_mean(name, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "declare it under `domains`".to_owned(),
    };
    report.add(Code::UNKNOWN_DOMAIN, span, format!("unknown domain `{}`", clip(name)), remedy);
}
