//! The key `messages`.

use std::collections::{HashMap, HashSet};

use crate::check::Drafts;
use crate::check::definitions::Names;
use crate::check::fields::{self, Draft, Growth};
use crate::check::keys::{Entry, Keys, SPLIT, at_most, entries, integer};
use crate::check::top::unknown_domain;
use crate::check::types::Definition;
use crate::check::types::Definitions;
use crate::check::{names, retain};
use crate::diagnostic::{Report, Span, clip, did_you_mean};
use crate::limits::{DESCRIPTION_BYTES_MAX, MESSAGES_MAX, RESERVED_IDS_FROM};
use crate::yaml::Kind;
use crate::{Code, Contract, Message};

const MESSAGE: &[&str] =
    &["tlv_type", "topic", "domain", "description", "version", "reply", "retain", "fields"];

const ADD_ONE: &str =
    "add one, such as `Bar: {tlv_type: 100, topic: market.bars, domain: market_data, fields: {price: f64}}`";

pub(super) fn read_messages<'n>(
    keys: &Keys<'n>,
    definitions: &Definitions,
    names: &mut Names,
    contract: &mut Contract,
    drafts: &mut Drafts<'n>,
    report: &mut Report<'_>,
) {
    let Some(node) = keys.need("messages", "{Bar: {tlv_type: 100, ...}}", report) else { return };
    let found = entries(node, "`messages`", report);
    if !at_most(found.len(), MESSAGES_MAX, ("messages", SPLIT), node.span, report) {
        return;
    }
    if matches!(&node.kind, Kind::Map(map) if map.is_empty()) {
        report.add(Code::EMPTY, node.span, "the contract holds no message", ADD_ONE);
    }
    let mut ids: HashMap<u16, String> = HashMap::new();
    let mut replies = Vec::new();
    for entry in found {
        let named = names.claim(&entry, "message", report);
        let Read { message, fields: read, reply } = message(&entry, definitions, contract, report);
        // 0 stands for an id that was missing or out of range.
        if message.type_id > 0
            && let Some(other) = ids.insert(message.type_id, message.name.clone())
        {
            let cause = format!("`{}` and `{other}` both have tlv_type {}", message.name, message.type_id);
            let remedy =
                if report.is_full() { String::new() } else { free_id(contract, &message.domain, &ids) };
            report.add(Code::ID_TAKEN, entry.span, cause, remedy);
        }
        if named {
            replies.extend(reply.map(|(name, span)| (contract.messages.len(), name, span)));
            contract.messages.push(message);
            drafts.messages.push(read);
        }
    }
    tie_replies(replies, definitions, contract, report);
}

/// Ties queries to their answers, which may stand further down: place of the query, name and place of the
/// answer.
fn tie_replies(
    replies: Vec<(usize, String, Span)>,
    definitions: &Definitions,
    contract: &mut Contract,
    report: &mut Report<'_>,
) {
    let names: HashSet<String> = contract.messages.iter().map(|message| message.name.clone()).collect();
    for (query, reply, span) in replies {
        if names.contains(&reply) {
            contract.messages[query].reply = Some(reply);
            continue;
        }
        let (shown, query) = (clip(&reply), &contract.messages[query].name);
        let (cause, remedy) = match definitions.get(&reply) {
            Some(kind) => {
                let what = if *kind == Definition::Enum { "an enum" } else { "a struct" };
                let remedy = "add a message with a field of it: what travels alone is a message";
                (format!("`{shown}`, the answer of `{query}`, is {what} and no message"), remedy.to_owned())
            }
            None => {
                let known = contract.messages.iter().map(|m| m.name.as_str()).filter(|_| !report.is_full());
                let remedy = match did_you_mean(&reply, known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "add it under `messages`".to_owned(),
                };
                (format!("unknown message `{shown}` as the answer of `{query}`"), remedy)
            }
        };
        report.add(Code::UNKNOWN_REPLY, span, cause, remedy);
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

/// One message as it stands in the file.
struct Read<'n> {
    message: Message,
    fields: Vec<Draft<'n>>,
    /// The name of the answer, and its place.
    reply: Option<(String, Span)>,
}

fn message<'n>(
    entry: &Entry<'n>,
    definitions: &Definitions,
    contract: &Contract,
    report: &mut Report<'_>,
) -> Read<'n> {
    let what = format!("message `{}`", entry.name);
    let keys = Keys::read(entry.value, &what, entry.span, MESSAGE, report);
    let mut message = Message {
        name: entry.name.to_owned(),
        type_id: 0,
        topic: String::new(),
        domain: String::new(),
        description: keys.text("description", DESCRIPTION_BYTES_MAX, report),
        version: 1,
        reply: None,
        retain: None,
        fields: Vec::new(),
        at: entry.span.at,
    };
    if !matches!(entry.value.kind, Kind::Map(_)) {
        return Read { message, fields: Vec::new(), reply: None };
    }
    if let Some(node) = keys.get("version")
        && let Some(version) = integer(node, "the version", 1, u16::MAX.into(), Code::BAD_VERSION, report)
    {
        message.version = u16::try_from(version).unwrap_or(1);
    }
    if let Some((topic, span)) = keys.need_text("topic", "market.bars", report) {
        names::check_path(&topic, "topic", Code::BAD_TOPIC, span, report);
        message.topic = topic;
    }
    if let Some((domain, span)) = keys.need_text("domain", "market_data", report) {
        if !contract.domains.iter().any(|d| d.name == domain) {
            unknown_domain(&domain, span, &contract.domains, report);
        }
        message.domain = domain;
    }
    type_id(&keys, &mut message, contract, report);
    let growth = Growth::UpTo(message.version);
    let read = match keys.need("fields", "{price: f64}", report) {
        Some(node) => fields::read(node, &what, growth, definitions, report),
        None => Vec::new(),
    };
    message.fields = read.iter().map(|d| d.field.clone()).collect();
    message.retain = retain::read(&keys, entry.name, &message.fields, contract, report);
    let reply = keys.get("reply").and_then(|_| keys.need_text("reply", "Fill", report));
    Read { message, fields: read, reply }
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
