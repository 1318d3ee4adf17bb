//! What changed between two contracts, and whether peers of both can still talk.

use std::collections::HashSet;
use std::fmt;

use crate::check::graph::named;
use crate::{Contract, EnumDef, Field, Message, Pos, Value, Variant};

/// Whether old and new peers understand each other despite a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// They do not, or would misread each other: the topic of the message is cut between them.
    Breaking,
    /// They do.
    Compatible,
}

/// One difference between two contracts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// Whether it breaks.
    pub severity: Severity,
    /// Stable name of the kind of change, such as `field-removed`.
    pub kind: &'static str,
    /// What changed: `Bar`, `Bar.close`, `Side.Buy`.
    pub subject: String,
    /// How it changed.
    pub cause: String,
    /// How to make it without breaking; empty for a compatible change.
    pub remedy: String,
    /// Where it stands in the new contract; line 0 for what is gone.
    pub at: Pos,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Breaking => "breaking",
            Severity::Compatible => "compatible",
        };
        write!(f, "{severity}[{}]: {}: {}", self.kind, self.subject, self.cause)?;
        if !self.remedy.is_empty() {
            write!(f, "\n  = help: {}", self.remedy)?;
        }
        Ok(())
    }
}

/// Compares two contracts, the new one against the old. Breaking changes come first, then in the order of the
/// files.
///
/// Nothing in the list means that peers of both exchange every message; it does not mean equal descriptions.
#[must_use]
pub fn breaking(old: &Contract, new: &Contract) -> Vec<Change> {
    let mut changes = Changes { list: Vec::new() };
    for message in &old.messages {
        match new.message(&message.name) {
            Some(successor) => changes.message(message, successor),
            None => changes.gone(message, new),
        }
    }
    for message in new.messages.iter().filter(|m| old.message(&m.name).is_none()) {
        let cause = format!("a new message with tlv_type {}", message.type_id);
        changes.compatible("message-added", message.name.clone(), cause, message.at);
    }
    let used = reached(old);
    for def in old.structs.iter().filter(|d| used.contains(d.name.as_str())) {
        changes.structure(&def.name, &def.fields, old, new);
    }
    for def in old.enums.iter().filter(|d| used.contains(d.name.as_str())) {
        changes.enumeration(def, old, new);
    }
    changes.list.sort_by_key(|change| change.severity);
    changes.list
}

struct Changes {
    list: Vec<Change>,
}

impl Changes {
    fn breaks(&mut self, kind: &'static str, subject: String, cause: String, remedy: &str, at: Pos) {
        self.list.push(Change {
            severity: Severity::Breaking,
            kind,
            subject,
            cause,
            remedy: remedy.to_owned(),
            at,
        });
    }

    fn compatible(&mut self, kind: &'static str, subject: String, cause: String, at: Pos) {
        self.list.push(Change {
            severity: Severity::Compatible,
            kind,
            subject,
            cause,
            remedy: String::new(),
            at,
        });
    }

    fn gone(&mut self, old: &Message, new: &Contract) {
        match new.message_by_id(old.type_id) {
            Some(heir) => {
                let cause = format!("its tlv_type {} now belongs to `{}`", old.type_id, heir.name);
                let remedy = "keep the name, or give the new message an id of its own";
                self.breaks("message-renamed", old.name.clone(), cause, remedy, heir.at);
            }
            None => {
                let cause = format!("the message with tlv_type {} is gone", old.type_id);
                let remedy = "keep it until no peer publishes or reads it";
                self.breaks("message-removed", old.name.clone(), cause, remedy, Pos::default());
            }
        }
    }

    fn message(&mut self, old: &Message, new: &Message) {
        let subject = || new.name.clone();
        if old.type_id != new.type_id {
            let cause = format!("tlv_type was {} and is {}", old.type_id, new.type_id);
            self.breaks("type-id-changed", subject(), cause, "put the old tlv_type back", new.at);
        }
        if old.topic != new.topic {
            let cause = format!("the topic was `{}` and is `{}`", old.topic, new.topic);
            let remedy = "put the old topic back, or add a new message on the new topic";
            self.breaks("topic-changed", subject(), cause, remedy, new.at);
        }
        if old.domain != new.domain {
            let cause = format!("the domain was `{}` and is `{}`", old.domain, new.domain);
            self.compatible("domain-changed", subject(), cause, new.at);
        }
        self.reply(old, new);
        if new.version < old.version {
            let cause = format!("the version was {} and is {}", old.version, new.version);
            self.breaks("version-lowered", subject(), cause, "versions only rise", new.at);
        }
        self.fields(&new.name, &old.fields, &new.fields);
        for (at, field) in added(&old.fields, &new.fields) {
            self.message_field_added(old, new, at, field);
        }
        if new.version > old.version && new.fields.len() == old.fields.len() {
            let cause = format!("the version was {} and is {}", old.version, new.version);
            self.compatible("version-raised", subject(), cause, new.at);
        }
    }

    fn reply(&mut self, old: &Message, new: &Message) {
        let remedy = "put the old answer back, or add a new query with the new one";
        let (kind, cause) = match (&old.reply, &new.reply) {
            (None, Some(reply)) => {
                let cause = format!("it may be asked, and the answer is `{reply}`");
                return self.compatible("reply-added", new.name.clone(), cause, new.at);
            }
            (Some(before), None) => ("reply-removed", format!("the answer was `{before}` and is gone")),
            (Some(before), Some(after)) if before != after => {
                ("reply-changed", format!("the answer was `{before}` and is `{after}`"))
            }
            _ => return,
        };
        self.breaks(kind, new.name.clone(), cause, remedy, new.at);
    }

    fn message_field_added(&mut self, old: &Message, new: &Message, at: usize, field: &Field) {
        let subject = format!("{}.{}", new.name, field.name);
        let next = old.version.saturating_add(1).max(new.version);
        if at < old.fields.len() {
            let cause = format!("a new field at place {}, among those of version {}", at + 1, old.version);
            let remedy = format!("move it to the end, with `since: {next}` and a default");
            self.breaks("field-inserted", subject, cause, &remedy, field.at);
        } else if field.since <= old.version {
            let cause = format!(
                "the field says `since: {}`, but version {} was without it",
                field.since, old.version
            );
            let remedy =
                format!("write `since: {next}` with a default, and `version: {next}` on the message");
            self.breaks("field-since-too-low", subject, cause, &remedy, field.at);
        } else {
            let cause = format!("appended in version {}", field.since);
            self.compatible("field-appended", subject, cause, field.at);
        }
    }

    /// Compares the old fields with what stands at their places now. New ones are left to the caller.
    ///
    /// A field that only makes room for a new one, or closes up to one that is gone, has not moved: that
    /// other field is told, and all that follow it would be noise.
    fn fields(&mut self, owner: &str, old: &[Field], new: &[Field]) {
        let (kept_old, kept_new) = (kept(old, new), kept(new, old));
        let in_order = |name| place_of(&kept_old, name) == place_of(&kept_new, name);
        for (at, field) in old.iter().enumerate() {
            let subject = format!("{owner}.{}", field.name);
            let here = new.get(at);
            match (here, place(new, &field.name)) {
                (_, Some(found)) if in_order(field.name.as_str()) => self.field(subject, field, &new[found]),
                (_, Some(found)) => {
                    let cause = format!("the field moved from place {} to {}", at + 1, found + 1);
                    let remedy = "put it back; new fields go to the end";
                    self.breaks("field-moved", subject, cause, remedy, new[found].at);
                }
                (Some(other), None) if is_renamed(old, new, at) => {
                    let cause = format!("the field is called `{}` now", other.name);
                    let remedy =
                        "keep the name: peers compare names, since two fields of one type may be swapped";
                    self.breaks("field-renamed", subject, cause, remedy, other.at);
                }
                (_, None) => {
                    let cause = "the field is gone".to_owned();
                    let remedy = "keep it, and say in its description that it is unused";
                    self.breaks("field-removed", subject, cause, remedy, Pos::default());
                }
            }
        }
    }

    fn field(&mut self, subject: String, old: &Field, new: &Field) {
        if old.ty != new.ty {
            let cause = format!("the type was `{}` and is `{}`", old.ty, new.ty);
            let remedy = "put the old type back and append a field of the new type";
            self.breaks("field-retyped", subject.clone(), cause, remedy, new.at);
        } else if !same_default(old, new) && old.since > 1 {
            let cause = format!(
                "the default changed: two readers of one message of a version below {} see two values",
                old.since
            );
            let remedy = "put the old default back, or append a field with the new one";
            self.breaks("default-changed", subject.clone(), cause, remedy, new.at);
        } else if !same_default(old, new) {
            let cause = "the default changed, from which new values start".to_owned();
            self.compatible("default-changed", subject.clone(), cause, new.at);
        }
        if old.since != new.since {
            let cause = format!("`since` was {} and is {}", old.since, new.since);
            self.breaks("field-since-changed", subject.clone(), cause, "put the old `since` back", new.at);
        }
        if old.validation != new.validation {
            let cause = "the validation changed: a peer may refuse what the other allows".to_owned();
            self.compatible("validation-changed", subject, cause, new.at);
        }
    }

    fn structure(&mut self, name: &str, old: &[Field], before: &Contract, after: &Contract) {
        let Some(def) = after.struct_def(name) else { return self.definition_gone(name, before, after) };
        self.fields(name, old, &def.fields);
        for (_, field) in added(old, &def.fields) {
            let cause = "nested structs are frozen, and this field is new".to_owned();
            let remedy = "append the field to the message, or define a new struct and append a field of it";
            self.breaks("struct-grown", format!("{name}.{}", field.name), cause, remedy, field.at);
        }
    }

    /// A definition that messages used and that is no more: the messages tell when they changed type.
    fn definition_gone(&mut self, name: &str, before: &Contract, after: &Contract) {
        let other_kind = after.enum_def(name).map(|d| d.at).or(after.struct_def(name).map(|d| d.at));
        let (kind, cause, at) = match (other_kind, heir(name, before, after)) {
            (Some(at), _) => {
                ("definition-removed", "a struct became an enum, or an enum a struct".to_owned(), at)
            }
            _ if before.messages.iter().all(|m| after.message(&m.name).is_none()) => return,
            (None, Some((heir, at))) => ("definition-renamed", format!("it is called `{heir}` now"), at),
            (None, None) => ("definition-removed", "the definition is gone".to_owned(), Pos::default()),
        };
        let remedy = "keep it under its name: peers compare the names of types";
        self.breaks(kind, name.to_owned(), cause, remedy, at);
    }

    fn enumeration(&mut self, old: &EnumDef, before: &Contract, after: &Contract) {
        let Some(new) = after.enum_def(&old.name) else {
            return self.definition_gone(&old.name, before, after);
        };
        if old.is_unit() != new.is_unit() {
            let cause = if old.is_unit() {
                "a unit enum became a data enum"
            } else {
                "a data enum became a unit enum"
            };
            let remedy = "define a new enum, and append a field of it to the message";
            return self.breaks("enum-kind-changed", old.name.clone(), cause.to_owned(), remedy, new.at);
        }
        for (at, variant) in old.variants.iter().enumerate() {
            let subject = format!("{}.{}", old.name, variant.name);
            match new.variants.get(at) {
                Some(same) if same.name == variant.name => self.variant(&subject, variant, same),
                other => {
                    let cause = match new.variants.iter().position(|v| v.name == variant.name) {
                        Some(found) => format!("the variant moved from place {} to {}", at + 1, found + 1),
                        None => "the variant is gone, or has another name".to_owned(),
                    };
                    let remedy = "keep names and order: a variant's tag is its place; new ones go to the end";
                    self.breaks(
                        "variant-changed",
                        subject,
                        cause,
                        remedy,
                        other.map(|v| v.at).unwrap_or_default(),
                    );
                }
            }
        }
        for (at, variant) in new.variants.iter().enumerate() {
            // One that took the place of another was reported as a change of that one.
            let heir = old.variants.get(at).is_some_and(|v| new.variants.iter().all(|n| n.name != v.name));
            if !heir && old.variants.iter().all(|v| v.name != variant.name) {
                self.variant_added(old, new, variant);
            }
        }
    }

    fn variant(&mut self, subject: &str, old: &Variant, new: &Variant) {
        if (old.since == 1) != (new.since == 1) {
            let cause = format!("`since` was {} and is {}", old.since, new.since);
            self.breaks(
                "variant-since-changed",
                subject.to_owned(),
                cause,
                "put the old `since` back",
                new.at,
            );
        }
        self.fields(subject, &old.fields, &new.fields);
        for (_, field) in added(&old.fields, &new.fields) {
            let cause = "data enums are frozen, and this field is new".to_owned();
            let remedy = "define a new enum, and append a field of it to the message";
            self.breaks("variant-grown", format!("{subject}.{}", field.name), cause, remedy, field.at);
        }
    }

    fn variant_added(&mut self, old: &EnumDef, new: &EnumDef, variant: &Variant) {
        let subject = format!("{}.{}", new.name, variant.name);
        if !old.is_unit() {
            let cause = "data enums are frozen, and this variant is new".to_owned();
            let remedy = "define a new enum, and append a field of it to the message";
            self.breaks("variant-added", subject, cause, remedy, variant.at);
        } else if variant.since == 1 {
            let cause =
                "the variant is new, but does not say so: the digests of its messages change".to_owned();
            let highest = old.variants.iter().map(|v| v.since).max().unwrap_or(1).saturating_add(1);
            let remedy = format!("write `{}: {{ since: {highest} }}`", variant.name);
            self.breaks("variant-without-since", subject, cause, &remedy, variant.at);
        } else {
            let cause = "a new variant; old readers reject messages that hold it".to_owned();
            self.compatible("variant-appended", subject, cause, variant.at);
        }
    }
}

/// The new definition that has all that the old one of this name had.
fn heir<'c>(name: &str, before: &Contract, after: &'c Contract) -> Option<(&'c str, Pos)> {
    fn same(old: &[Field], new: &[Field]) -> bool {
        old.len() == new.len() && old.iter().zip(new).all(|(a, b)| a.name == b.name && a.ty == b.ty)
    }
    let is_new = |name: &str| before.struct_def(name).is_none() && before.enum_def(name).is_none();
    if let Some(old) = before.struct_def(name) {
        let heir = after.structs.iter().find(|new| is_new(&new.name) && same(&old.fields, &new.fields));
        return heir.map(|new| (new.name.as_str(), new.at));
    }
    let old = before.enum_def(name)?;
    let all = |new: &EnumDef| {
        new.variants.len() == old.variants.len()
            && old
                .variants
                .iter()
                .zip(&new.variants)
                .all(|(a, b)| a.name == b.name && same(&a.fields, &b.fields))
    };
    after.enums.iter().find(|new| is_new(&new.name) && all(new)).map(|new| (new.name.as_str(), new.at))
}

/// Whether readers that take the default of either see the same bytes.
fn same_default(old: &Field, new: &Field) -> bool {
    match (&old.default, &new.default) {
        (Some(old), Some(new)) => same_value(old, new),
        (old, new) => old.is_none() && new.is_none(),
    }
}

/// As `==`, but -0.0 is not 0.0.
fn same_value(a: &Value, b: &Value) -> bool {
    let same_fields = |a: &[(String, Value)], b: &[(String, Value)]| {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0 == b.0 && same_value(&a.1, &b.1))
    };
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
        (Value::Some(a), Value::Some(b)) => same_value(a, b),
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_value(a, b))
        }
        (Value::Struct(a), Value::Struct(b)) => same_fields(a, b),
        (Value::Variant(name, a), Value::Variant(other, b)) => name == other && same_fields(a, b),
        (a, b) => a == b,
    }
}

fn place(list: &[Field], name: &str) -> Option<usize> {
    list.iter().position(|f| f.name == name)
}

/// The names of the fields of `list` that are in `other` too, in order.
fn kept<'f>(list: &'f [Field], other: &[Field]) -> Vec<&'f str> {
    list.iter().map(|f| f.name.as_str()).filter(|name| place(other, name).is_some()).collect()
}

fn place_of(names: &[&str], name: &str) -> Option<usize> {
    names.iter().position(|n| *n == name)
}

/// Whether the old field at this place is gone and the new one there, of the same type, has its place.
fn is_renamed(old: &[Field], new: &[Field], at: usize) -> bool {
    let (Some(before), Some(after)) = (old.get(at), new.get(at)) else { return false };
    before.ty == after.ty && place(new, &before.name).is_none() && place(old, &after.name).is_none()
}

/// The new fields that are neither old nor old ones renamed, with their places.
fn added<'n>(old: &[Field], new: &'n [Field]) -> Vec<(usize, &'n Field)> {
    let fresh =
        |(at, field): &(usize, &Field)| place(old, &field.name).is_none() && !is_renamed(old, new, *at);
    new.iter().enumerate().filter(fresh).collect()
}

/// The names of all definitions that messages reach.
fn reached(contract: &Contract) -> HashSet<&str> {
    let mut reached = HashSet::new();
    let mut next: Vec<&str> =
        contract.messages.iter().flat_map(|m| &m.fields).filter_map(|f| named(&f.ty)).collect();
    while let Some(at) = next.pop() {
        if !reached.insert(at) {
            continue;
        }
        let variants = contract.enum_def(at).into_iter().flat_map(|d| &d.variants).flat_map(|v| &v.fields);
        let fields = contract.struct_def(at).into_iter().flat_map(|d| &d.fields);
        next.extend(variants.chain(fields).filter_map(|f| named(&f.ty)));
    }
    reached
}
