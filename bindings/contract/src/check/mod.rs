//! From YAML nodes to a [`Contract`]: every mistake found is reported, none ends the check early unless what follows
//! would rest on it.

mod fields;
pub(crate) mod graph;
mod keys;
mod literal;
mod names;
mod rules;
mod types;

use std::collections::HashMap;

use crate::diagnostic::{Errors, Report, Span};
use crate::layout::Layouts;
use crate::limits::{
    DEFINITIONS_MAX, DESCRIPTION_BYTES_MAX, DOMAINS_MAX, MESSAGES_MAX, NAME_BYTES_MAX, NESTING_MAX,
    RESERVED_IDS_FROM, ROOT_BYTES_MAX, VARIANTS_MAX,
};
use crate::yaml::{Kind, Node};
use crate::{Code, Contract, Domain, EnumDef, Message, Pos, Schema, StructDef, TagRange, Variant};
use fields::{Draft, Growth};
use keys::{Entry, Keys, at_most, entries, integer};
use names::Naming;
use types::{Definition, Definitions};

/// The keys of the file.
const TOP: &[&str] = &["schema", "domains", "tag_ranges", "enums", "structs", "messages"];
const MESSAGE: &[&str] = &["tlv_type", "topic", "domain", "description", "version", "fields"];

/// Checks a parsed file.
pub(crate) fn check(root: &Node, text: &str, file: &str) -> Result<Contract, Errors> {
    let mut report = Report::new(text, file);
    let start = Span { at: Pos { line: 1, column: 1 }, length: 1 };
    let keys = Keys::read(root, "the contract", start, TOP, &mut report);
    if !matches!(root.kind, Kind::Map(_)) {
        return Err(report.into_errors());
    }
    let mut contract = Contract {
        schema: schema(&keys, &mut report),
        domains: domains(&keys, &mut report),
        tag_ranges: Vec::new(),
        enums: Vec::new(),
        structs: Vec::new(),
        messages: Vec::new(),
    };
    contract.tag_ranges = tag_ranges(&keys, &contract.domains, &mut report);
    let mut names = Names::default();
    let definitions = definitions(&keys, &mut names, &mut report);
    let mut drafts = Drafts::default();
    read_enums(&keys, &definitions, &mut contract, &mut drafts, &mut report);
    read_structs(&keys, &definitions, &mut contract, &mut drafts, &mut report);
    read_messages(&keys, &definitions, &mut names, &mut contract, &mut drafts, &mut report);
    if nesting(&contract, &mut report) {
        drafts.complete(&mut contract, &mut report);
        sizes(&contract, &mut report);
    }
    report.finish(contract)
}

fn schema(keys: &Keys<'_>, report: &mut Report<'_>) -> Schema {
    let mut schema = Schema { id: String::new(), version: 1 };
    let Some(node) = keys.need("schema", "{id: acme.trading, version: 1}", report) else { return schema };
    let keys = Keys::read(node, "`schema`", node.span, &["id", "version"], report);
    if let Some(node) = keys.need("id", "acme.trading", report) {
        schema.id = keys.text("id", NAME_BYTES_MAX * 2, report);
        if matches!(node.kind, Kind::Text(_)) {
            names::check_path(&schema.id, "schema id", Code::BAD_NAME, node.span, report);
        }
    }
    if let Some(node) = keys.need("version", "1", report)
        && let Some(version) =
            integer(node, "the schema's version", 1, u32::MAX.into(), Code::BAD_VERSION, report)
    {
        schema.version = u32::try_from(version).unwrap_or(1);
    }
    schema
}

fn domains(keys: &Keys<'_>, report: &mut Report<'_>) -> Vec<Domain> {
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
        Kind::List(list) if at_most(list.len(), DOMAINS_MAX, "domains", node.span, report) => {
            for item in list {
                match &item.kind {
                    Kind::Text(name) => {
                        add(Entry { name, span: item.span, value: item }, String::new(), report);
                    }
                    _ => report.add(Code::WRONG_SHAPE, item.span, "a domain in a list is just a name", ""),
                }
            }
        }
        Kind::List(_) => {}
        Kind::Map(map) if !at_most(map.len(), DOMAINS_MAX, "domains", node.span, report) => {}
        _ => {
            for entry in entries(node, "`domains`", report) {
                let description = match &entry.value.kind {
                    Kind::Text(text) if text.len() <= DESCRIPTION_BYTES_MAX => text.trim_end().to_owned(),
                    Kind::Null => String::new(),
                    _ => {
                        let cause = format!("the description of domain `{}` must be short text", entry.name);
                        report.add(Code::WRONG_SHAPE, entry.value.span, cause, "write one line");
                        String::new()
                    }
                };
                add(entry, description, report);
            }
        }
    }
    domains
}

fn tag_ranges(keys: &Keys<'_>, domains: &[Domain], report: &mut Report<'_>) -> Vec<TagRange> {
    let Some(node) = keys.need("tag_ranges", "{market_data: [100, 199]}", report) else { return Vec::new() };
    let mut ranges: Vec<TagRange> = Vec::new();
    for entry in entries(node, "`tag_ranges`", report) {
        if !domains.iter().any(|d| d.name == entry.name) {
            unknown_domain(entry.name, entry.span, domains, report);
            continue;
        }
        let Kind::List(list) = &entry.value.kind else {
            let cause = format!("the range of `{}` must be a list, not {}", entry.name, entry.value.shape());
            report.add(Code::BAD_RANGE, entry.value.span, cause, "write lowest and highest id: `[100, 199]`");
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
            [_, _] if bounds.contains(&None) => {}
            _ => {
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
    ranges
}

fn unknown_domain(name: &str, span: Span, domains: &[Domain], report: &mut Report<'_>) {
    let known = domains.iter().map(|d| d.name.as_str());
    let remedy = names::suggest(name, known, "declare it under `domains`");
    report.add(
        Code::UNKNOWN_DOMAIN,
        span,
        format!("unknown domain `{}`", crate::diagnostic::clip(name)),
        remedy,
    );
}

/// Names of messages, structs and enums, which are Rust types of one module and so must differ.
#[derive(Default)]
struct Names {
    /// What each name is of, by the name in small letters: file systems and people tell case apart badly.
    taken: HashMap<String, String>,
}

impl Names {
    fn claim(&mut self, entry: &Entry<'_>, what: &str, report: &mut Report<'_>) -> bool {
        if !names::check(entry, Naming::Type, what, report) {
            return false;
        }
        let lower = entry.name.to_lowercase();
        // rkyv derives `ArchivedX` and `XResolver` beside each `X`.
        let base = lower.strip_prefix("archived").or_else(|| lower.strip_suffix("resolver"));
        let derived = [format!("archived{lower}"), format!("{lower}resolver")];
        let other = self.taken.get(&lower).or_else(|| base.and_then(|b| self.taken.get(b)));
        if let Some(other) = other.or_else(|| derived.iter().find_map(|d| self.taken.get(d))) {
            let cause = format!("the name `{}` is taken by, or too near to, {other}", entry.name);
            report.add(Code::NAME_TAKEN, entry.span, cause, format!("give the {what} another name"));
            return false;
        }
        self.taken.insert(lower, format!("the {what} `{}`", entry.name));
        true
    }
}

/// The names under `enums` and `structs`, so that types may be used before they are defined.
fn definitions(keys: &Keys<'_>, names: &mut Names, report: &mut Report<'_>) -> Definitions {
    let mut definitions = Definitions::new();
    for (key, what, kind) in [("enums", "enum", Definition::Enum), ("structs", "struct", Definition::Struct)]
    {
        let Some(node) = keys.get(key).filter(|n| n.kind != Kind::Null) else { continue };
        let found = entries(node, &format!("`{key}`"), report);
        if !at_most(found.len(), DEFINITIONS_MAX / 2, key, node.span, report) {
            continue;
        }
        for entry in found.iter().filter(|e| names.claim(e, what, report)).collect::<Vec<_>>() {
            definitions.insert(entry.name.to_owned(), kind);
        }
    }
    definitions
}

/// The entries under a key whose names were accepted. Shape and names were reported by [`definitions`].
fn accepted<'n>(keys: &Keys<'n>, key: &str, definitions: &Definitions, kind: Definition) -> Vec<Entry<'n>> {
    let Some(Node { kind: Kind::Map(map), .. }) = keys.get(key) else { return Vec::new() };
    map.iter()
        .filter_map(|(k, value)| match &k.kind {
            Kind::Text(name) if definitions.get(name) == Some(&kind) => {
                Some(Entry { name, span: k.span, value })
            }
            _ => None,
        })
        .collect()
}

fn read_enums<'n>(
    keys: &Keys<'n>,
    definitions: &Definitions,
    contract: &mut Contract,
    drafts: &mut Drafts<'n>,
    report: &mut Report<'_>,
) {
    for entry in accepted(keys, "enums", definitions, Definition::Enum) {
        let what = format!("enum `{}`", entry.name);
        let (list, description) = if matches!(entry.value.kind, Kind::List(_)) {
            (Some(entry.value), String::new())
        } else {
            let inside = Keys::read(entry.value, &what, entry.span, &["description", "variants"], report);
            let description = inside.text("description", DESCRIPTION_BYTES_MAX, report);
            (inside.need("variants", "[Buy, Sell]", report), description)
        };
        let mut def =
            EnumDef { name: entry.name.to_owned(), description, variants: Vec::new(), at: entry.span.at };
        let list = match list {
            Some(Node { kind: Kind::List(list), .. }) if (1..=VARIANTS_MAX).contains(&list.len()) => {
                &list[..]
            }
            Some(node) => {
                let cause = format!("the variants of {what} must be a list of 1 to {VARIANTS_MAX}");
                report.add(
                    Code::WRONG_SHAPE,
                    node.span,
                    cause,
                    "write them like `[Buy, Sell]`, or `- Buy` lines",
                );
                &[]
            }
            None => &[],
        };
        for item in list {
            variant(item, &what, definitions, &mut def, contract.enums.len(), drafts, report);
        }
        unit_growth(&def, entry.span, report);
        contract.enums.push(def);
    }
}

/// One variant: a name, or `Name: {description, fields, since}`.
fn variant<'n>(
    node: &'n Node,
    what: &str,
    definitions: &Definitions,
    def: &mut EnumDef,
    at: usize,
    drafts: &mut Drafts<'n>,
    report: &mut Report<'_>,
) {
    let (entry, inside) = match &node.kind {
        Kind::Text(name) => (Entry { name, span: node.span, value: node }, None),
        Kind::Map(map) => match map.as_slice() {
            [(Node { kind: Kind::Text(name), span }, value)] => {
                let inside = (value.kind != Kind::Null).then_some(value);
                (Entry { name, span: *span, value }, inside)
            }
            _ => {
                let remedy = "begin every variant with `- ` on its own line";
                return report.add(
                    Code::WRONG_SHAPE,
                    node.span,
                    format!("a variant of {what} has one name"),
                    remedy,
                );
            }
        },
        _ => {
            let cause = format!("a variant of {what} is a name, not {}", node.shape());
            return report.add(Code::WRONG_SHAPE, node.span, cause, "");
        }
    };
    if !names::check(&entry, Naming::Variant, "variant", report) {
        return;
    }
    if def.variants.iter().any(|v| v.name.eq_ignore_ascii_case(entry.name)) {
        let cause = format!("the variant `{}` stands twice in {what}", entry.name);
        return report.add(Code::NAME_TAKEN, entry.span, cause, "remove or rename one");
    }
    let mut made = Variant {
        name: entry.name.to_owned(),
        description: String::new(),
        fields: Vec::new(),
        since: 1,
        at: entry.span.at,
    };
    if let Some(inside) = inside {
        let called = format!("variant `{}`", entry.name);
        let keys = Keys::read(inside, &called, entry.span, &["description", "fields", "since"], report);
        made.description = keys.text("description", DESCRIPTION_BYTES_MAX, report);
        if let Some(node) = keys.get("since")
            && let Some(since) = integer(node, "`since`", 1, u16::MAX.into(), Code::BAD_SINCE, report)
        {
            made.since = u16::try_from(since).unwrap_or(1);
        }
        if let Some(node) = keys.get("fields") {
            let read = fields::read(node, &called, Growth::Frozen, definitions, report);
            made.fields = read.iter().map(|d| d.field.clone()).collect();
            drafts.variants.push((at, def.variants.len(), read));
        }
    }
    def.variants.push(made);
}

/// Only unit enums grow, and only at their end.
fn unit_growth(def: &EnumDef, span: Span, report: &mut Report<'_>) {
    if !def.is_unit() && def.variants.iter().any(|v| v.since > 1) {
        let cause = format!("the enum `{}` has variants with fields, so it is frozen: no `since`", def.name);
        report.add(Code::BAD_SINCE, span, cause, "define a new enum for the new version");
    }
    let sorted = def.variants.windows(2).all(|pair| pair[0].since <= pair[1].since);
    if !sorted || def.variants.first().is_some_and(|v| v.since > 1) {
        let cause = format!("the variants of `{}` are not in the order of their `since`, from 1", def.name);
        report.add(Code::BAD_SINCE, span, cause, "new variants go to the end");
    }
}

fn read_structs<'n>(
    keys: &Keys<'n>,
    definitions: &Definitions,
    contract: &mut Contract,
    drafts: &mut Drafts<'n>,
    report: &mut Report<'_>,
) {
    for entry in accepted(keys, "structs", definitions, Definition::Struct) {
        let what = format!("struct `{}`", entry.name);
        let inside = Keys::read(entry.value, &what, entry.span, &["description", "fields"], report);
        let description = inside.text("description", DESCRIPTION_BYTES_MAX, report);
        let read = match inside.need("fields", "{price: f64}", report) {
            Some(node) => fields::read(node, &what, Growth::Frozen, definitions, report),
            None => Vec::new(),
        };
        contract.structs.push(StructDef {
            name: entry.name.to_owned(),
            description,
            fields: read.iter().map(|d| d.field.clone()).collect(),
            at: entry.span.at,
        });
        drafts.structs.push(read);
    }
}

fn read_messages<'n>(
    keys: &Keys<'n>,
    definitions: &Definitions,
    names: &mut Names,
    contract: &mut Contract,
    drafts: &mut Drafts<'n>,
    report: &mut Report<'_>,
) {
    let Some(node) = keys.need("messages", "{Bar: {tlv_type: 100, ...}}", report) else { return };
    let found = entries(node, "`messages`", report);
    if !at_most(found.len(), MESSAGES_MAX, "messages", node.span, report) {
        return;
    }
    if matches!(&node.kind, Kind::Map(map) if map.is_empty()) {
        report.add(Code::EMPTY, node.span, "the contract holds no message", "add one");
    }
    let mut ids: HashMap<u16, String> = HashMap::new();
    for entry in found {
        let named = names.claim(&entry, "message", report);
        let (message, read) = message(&entry, definitions, contract, report);
        // 0 stands for an id that was missing or out of range.
        if message.type_id > 0
            && let Some(other) = ids.insert(message.type_id, message.name.clone())
        {
            let cause = format!("`{}` and `{other}` both have tlv_type {}", message.name, message.type_id);
            report.add(Code::ID_TAKEN, entry.span, cause, free_id(contract, &message.domain, &ids));
        }
        if named {
            contract.messages.push(message);
            drafts.messages.push(read);
        }
    }
}

/// Names an id that is still free, to spare the reader the search.
fn free_id(contract: &Contract, domain: &str, ids: &HashMap<u16, String>) -> String {
    let range = contract.tag_ranges.iter().find(|r| r.domain == domain);
    match range.and_then(|r| (r.lo..=r.hi).find(|id| !ids.contains_key(id))) {
        Some(free) => format!("{free} is free so far in `{domain}`"),
        None => "give it another id".to_owned(),
    }
}

fn message<'n>(
    entry: &Entry<'n>,
    definitions: &Definitions,
    contract: &Contract,
    report: &mut Report<'_>,
) -> (Message, Vec<Draft<'n>>) {
    let what = format!("message `{}`", entry.name);
    let keys = Keys::read(entry.value, &what, entry.span, MESSAGE, report);
    let mut message = Message {
        name: entry.name.to_owned(),
        type_id: 0,
        topic: String::new(),
        domain: String::new(),
        description: keys.text("description", DESCRIPTION_BYTES_MAX, report),
        version: 1,
        fields: Vec::new(),
        at: entry.span.at,
    };
    if !matches!(entry.value.kind, Kind::Map(_)) {
        return (message, Vec::new());
    }
    if let Some(node) = keys.get("version")
        && let Some(version) = integer(node, "the version", 1, u16::MAX.into(), Code::BAD_VERSION, report)
    {
        message.version = u16::try_from(version).unwrap_or(1);
    }
    if let Some(node) = keys.need("topic", "market.bars", report) {
        message.topic = keys.text("topic", NAME_BYTES_MAX * 2, report);
        if matches!(node.kind, Kind::Text(_)) {
            names::check_path(&message.topic, "topic", Code::BAD_TOPIC, node.span, report);
        }
    }
    if let Some(node) = keys.need("domain", "market_data", report) {
        message.domain = keys.text("domain", NAME_BYTES_MAX * 2, report);
        if !contract.domains.iter().any(|d| d.name == message.domain) && matches!(node.kind, Kind::Text(_)) {
            unknown_domain(&message.domain, node.span, &contract.domains, report);
        }
    }
    type_id(&keys, &mut message, contract, report);
    let growth = Growth::UpTo(message.version);
    let read = match keys.need("fields", "{price: f64}", report) {
        Some(node) => fields::read(node, &what, growth, definitions, report),
        None => Vec::new(),
    };
    message.fields = read.iter().map(|d| d.field.clone()).collect();
    (message, read)
}

fn type_id(keys: &Keys<'_>, message: &mut Message, contract: &Contract, report: &mut Report<'_>) {
    let Some(node) = keys.need("tlv_type", "100", report) else { return };
    let highest = i128::from(RESERVED_IDS_FROM) - 1;
    let read = integer(node, "`tlv_type`", 1, highest, Code::ID_OUT_OF_RANGE, report);
    let Some(id) = read.and_then(|id| u16::try_from(id).ok()) else { return };
    message.type_id = id;
    if !contract.domains.iter().any(|d| d.name == message.domain) {
        return;
    }
    match contract.tag_ranges.iter().find(|r| r.domain == message.domain) {
        Some(range) if (range.lo..=range.hi).contains(&id) => {}
        Some(range) => {
            let cause = format!(
                "tlv_type {id} is outside the range of `{}`, {} to {}",
                range.domain, range.lo, range.hi
            );
            report.add(
                Code::ID_OUT_OF_RANGE,
                node.span,
                cause,
                "take an id of the range, or widen the range",
            );
        }
        None => {
            let cause = format!("the domain `{}` has no range of type ids", message.domain);
            let remedy = format!("add `{}: [{id}, {id}]` to `tag_ranges`", message.domain);
            report.add(Code::ID_OUT_OF_RANGE, node.span, cause, remedy);
        }
    }
}

/// Reports recursion and too deep nesting; whether the definitions may be walked from here on.
fn nesting(contract: &Contract, report: &mut Report<'_>) -> bool {
    let order = graph::order(contract);
    let place = |name: &str| {
        let at = contract.enum_def(name).map(|d| d.at).or(contract.struct_def(name).map(|d| d.at));
        Span { at: at.unwrap_or_default(), length: u32::try_from(name.len()).unwrap_or(1) }
    };
    for circle in &order.circles {
        let cause = format!("`{}` contains itself: {}", circle[0], shorten(circle));
        report.add(Code::RECURSION, place(circle[0]), cause, "refer to it by an id instead");
    }
    let mut deep: Vec<_> = order.depth.iter().filter(|(_, depth)| **depth > NESTING_MAX).collect();
    deep.sort();
    for (name, depth) in &deep {
        let cause = format!("`{name}` nests {depth} definitions deep, above {NESTING_MAX}");
        report.add(Code::LIMIT, place(name), cause, "flatten it");
    }
    order.circles.is_empty() && deep.is_empty()
}

fn shorten(circle: &[&str]) -> String {
    const SHOWN_MAX: usize = 6;
    if circle.len() <= SHOWN_MAX {
        return circle.join(" -> ");
    }
    format!("{} -> ... -> {}", circle[..SHOWN_MAX - 1].join(" -> "), circle[circle.len() - 1])
}

/// The root of every message and definition has a bound, which also bounds all offsets.
fn sizes(contract: &Contract, report: &mut Report<'_>) {
    let layouts = Layouts::of(contract);
    let structs = contract.structs.iter().map(|d| (&d.name, d.at, layouts.definition(&d.name).size));
    let enums = contract.enums.iter().map(|d| (&d.name, d.at, layouts.definition(&d.name).size));
    let messages = contract.messages.iter().map(|m| (&m.name, m.at, layouts.record(&m.fields).layout.size));
    for (name, at, size) in structs.chain(enums).chain(messages).filter(|(_, _, size)| *size > ROOT_BYTES_MAX)
    {
        let length = u32::try_from(name.len()).unwrap_or(1);
        let cause = format!("the fixed part of `{name}` takes {size} bytes, above {ROOT_BYTES_MAX}");
        report.add(Code::LIMIT, Span { at, length }, cause, "write `Vec<T>` for large arrays");
    }
}

/// Fields whose defaults and rules wait for the second pass, beside where they belong.
#[derive(Default)]
struct Drafts<'n> {
    /// Enum, variant, fields.
    variants: Vec<(usize, usize, Vec<Draft<'n>>)>,
    structs: Vec<Vec<Draft<'n>>>,
    messages: Vec<Vec<Draft<'n>>>,
}

impl Drafts<'_> {
    fn complete(self, contract: &mut Contract, report: &mut Report<'_>) {
        let mut complete = |contract: &Contract, drafts: Vec<Draft<'_>>| -> Vec<crate::Field> {
            drafts.into_iter().map(|draft| fields::complete(contract, draft, report)).collect()
        };
        for (at, variant, drafts) in self.variants {
            contract.enums[at].variants[variant].fields = complete(contract, drafts);
        }
        for (at, drafts) in self.structs.into_iter().enumerate() {
            contract.structs[at].fields = complete(contract, drafts);
        }
        for (at, drafts) in self.messages.into_iter().enumerate() {
            contract.messages[at].fields = complete(contract, drafts);
        }
    }
}
