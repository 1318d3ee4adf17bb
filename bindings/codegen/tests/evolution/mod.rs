//! Random contracts and random edits of them: digests, offers, `breaking` and readers agree on who
//! understands whom. The expectation comes from the shapes themselves, and from no digest or comparison.

use std::collections::HashMap;
use std::fmt::Write as _;

use mycelium_codegen::{Model, decode, encode, show};
use mycelium_contract::{Contract, Field, Message, Severity, Type, Value, breaking};
use mycelium_random::{Random, seeds};

use crate::{offer, random};

/// Pairs of contracts in a run.
const CASES: u64 = 500;

/// A contract of one message, to be changed at random.
#[derive(Clone, Debug)]
struct Draft {
    message: String,
    type_id: u16,
    topic: String,
    version: u16,
    fields: Vec<DraftField>,
    /// Unit enums: each variant, and since when.
    units: Vec<(String, Vec<(String, u16)>)>,
    /// Data enums: each variant with its fields.
    shapes: Vec<(String, Vec<DraftRecord>)>,
    structs: Vec<DraftRecord>,
}

/// A name, and names and types of fields.
type DraftRecord = (String, Vec<(String, String)>);

#[derive(Clone, Debug)]
struct DraftField {
    name: String,
    ty: String,
    since: u16,
    default: Option<&'static str>,
    rule: bool,
}

const PLAIN: [&str; 10] =
    ["u8", "u16", "i32", "u64", "f64", "bool", "String", "Bytes", "Timestamp", "Decimal"];

/// Types that an appended field may have, with two defaults.
const APPENDED: [(&str, [&str; 2]); 6] = [
    ("u8", ["1", "2"]),
    ("i32", ["-1", "7"]),
    ("bool", ["true", "false"]),
    ("String", ["a", "b"]),
    ("f64", ["0.5", "1.5"]),
    ("Vec<u16>", ["[]", "[1]"]),
];

fn plain(random: &mut Random) -> String {
    random.pick(&PLAIN).to_owned()
}

/// Any type made of these definitions.
fn any(defined: &[String], random: &mut Random) -> String {
    let of = if random.chance(50) && !defined.is_empty() { random.pick(defined) } else { plain(random) };
    match random.below(8) {
        0 => format!("Vec<{of}>"),
        1 => format!("Option<{of}>"),
        2 => format!("[{of}; 2]"),
        3 => format!("Vec<Option<{of}>>"),
        _ => of,
    }
}

fn record(names: &str, defined: &[String], random: &mut Random) -> Vec<(String, String)> {
    (0..=random.below(3)).map(|at| (format!("{names}{at}"), any(defined, random))).collect()
}

impl Draft {
    fn new(random: &mut Random) -> Self {
        let units: Vec<_> = ["Side", "Kind"]
            .into_iter()
            .map(|name| {
                let since = |at| if at < 2 { 1 } else { at };
                let variants = (0..2 + random.below(3) as u16).map(|at| (format!("V{at}"), since(at)));
                (name.to_owned(), variants.collect())
            })
            .collect();
        let mut defined: Vec<String> = vec!["Side".to_owned(), "Kind".to_owned()];
        let inner = ("Inner".to_owned(), record("i", &defined, random));
        defined.push("Inner".to_owned());
        let variants = (0..2).map(|at| (format!("Case{at}"), record("c", &defined, random))).collect();
        defined.push("Shape".to_owned());
        let outer = ("Outer".to_owned(), record("o", &defined, random));
        defined.push("Outer".to_owned());
        let fields = (0..=random.below(4)).map(|at| DraftField {
            name: format!("f{at}"),
            ty: any(&defined, random),
            since: 1,
            default: None,
            rule: false,
        });
        let mut draft = Self {
            message: "Order".to_owned(),
            type_id: 1,
            topic: "orders".to_owned(),
            version: 1,
            fields: fields.collect(),
            units,
            shapes: vec![("Shape".to_owned(), variants)],
            structs: vec![inner, outer],
        };
        for _ in 0..random.below(3) {
            draft.append(random, true);
        }
        draft
    }

    /// Appends a field, in a version of its own or without one.
    fn append(&mut self, random: &mut Random, says_so: bool) {
        let (ty, defaults) = random.pick(&APPENDED);
        if says_so {
            self.version += 1 + u16::from(random.chance(20));
        }
        let name = random.pick(&["g", "h", "k"]).to_owned() + &self.fields.len().to_string();
        let since = if says_so { self.version } else { self.fields.last().map_or(1, |field| field.since) };
        let default = Some(random.pick(&defaults));
        self.fields.push(DraftField { name, ty: ty.to_owned(), since, default, rule: false });
    }

    /// One change. Some are compatible, some are not, and some make no correct contract.
    fn edit(&mut self, random: &mut Random) {
        let at = random.index(self.fields.len());
        let unit = random.index(self.units.len());
        let structure = random.index(self.structs.len());
        match random.below(24) {
            0..=3 => self.append(random, true),
            4 => self.append(random, false),
            5 => self.fields[at].name.push('x'),
            6 => self.fields[at].ty = plain(random),
            7 => {
                let other = random.index(self.fields.len());
                self.fields.swap(at, other);
            }
            8 if self.fields.len() > 1 => drop(self.fields.remove(at)),
            9 => {
                let field = DraftField { name: "new".to_owned(), ..self.fields[at].clone() };
                self.fields.insert(at, field);
            }
            10 => self.fields[at].rule = true,
            11 => {
                if let Some(default) = &mut self.fields[at].default {
                    let ty = APPENDED.iter().find(|(_, defaults)| defaults.contains(default));
                    *default = ty.map_or(*default, |(_, defaults)| random.pick(defaults));
                }
            }
            12 => self.version += 1,
            13..=15 => {
                let next = self.units[unit].1.iter().map(|variant| variant.1).max().unwrap_or(1) + 1;
                let name = random.pick(&["W", "X"]).to_owned() + &next.to_string();
                self.units[unit].1.push((name, next));
            }
            16 => self.units[unit].1.push(("Y".to_owned(), 1)),
            17 => drop(self.units[unit].1.pop()),
            18 => {
                if let Some(variant) = self.units[unit].1.last_mut() {
                    variant.0.push('x');
                }
            }
            19 => self.units[unit].1.reverse(),
            20 => {
                let of = &mut self.structs[structure].1;
                let at = random.index(of.len());
                match random.below(3) {
                    0 => of[at].0.push('x'),
                    1 => of[at].1 = plain(random),
                    _ => of.push(("more".to_owned(), plain(random))),
                }
            }
            21 => {
                let variants = &mut self.shapes[0].1;
                match random.below(3) {
                    0 => variants[0].0.push('x'),
                    1 => variants.swap(0, 1),
                    _ => variants[0].1.push(("more".to_owned(), plain(random))),
                }
            }
            22 => match random.below(3) {
                0 => self.message = "Trade".to_owned(),
                1 => self.topic = "trades".to_owned(),
                _ => self.type_id = 2,
            },
            _ => self.rename(random),
        }
    }

    /// Gives a definition another name, wherever it is used.
    fn rename(&mut self, random: &mut Random) {
        let name = random.pick(&["Side", "Kind", "Inner", "Outer", "Shape"]);
        let new = format!("{name}s");
        let renamed = |ty: &mut String| *ty = ty.replace(name, &new);
        self.fields.iter_mut().for_each(|field| renamed(&mut field.ty));
        let records = self.structs.iter_mut().chain(self.shapes.iter_mut().flat_map(|(_, all)| all));
        records.flat_map(|(_, fields)| fields).for_each(|(_, ty)| renamed(ty));
        self.structs.iter_mut().for_each(|(own, _)| renamed(own));
        self.shapes.iter_mut().for_each(|(own, _)| renamed(own));
        self.units.iter_mut().for_each(|(own, _)| renamed(own));
    }

    fn text(&self) -> String {
        let mut text =
            "schema: {id: a.b, version: 1}\ndomains: [d]\ntag_ranges: {d: [1, 9]}\nenums:\n".to_owned();
        let fields = |fields: &[(String, String)]| {
            fields.iter().map(|(name, ty)| format!("{name}: \"{ty}\"")).collect::<Vec<_>>().join(", ")
        };
        for (name, variants) in &self.units {
            let variants: Vec<_> =
                variants.iter().map(|(name, since)| format!("{name}: {{since: {since}}}")).collect();
            let _ = writeln!(text, "  {name}: [{}]", variants.join(", "));
        }
        for (name, variants) in &self.shapes {
            let _ = writeln!(text, "  {name}:\n    variants:");
            for (name, of) in variants {
                let _ = writeln!(text, "      - {name}: {{fields: {{{}}}}}", fields(of));
            }
        }
        text.push_str("structs:\n");
        for (name, of) in &self.structs {
            let _ = writeln!(text, "  {name}: {{fields: {{{}}}}}", fields(of));
        }
        let Self { message, type_id, topic, version, .. } = self;
        let _ = writeln!(
            text,
            "messages:\n  {message}:\n    tlv_type: {type_id}\n    topic: {topic}\n    domain: d\n    version: {version}\n    fields:"
        );
        for DraftField { name, ty, since, default, rule } in &self.fields {
            let default = default.map_or(String::new(), |default| format!(", default: {default}"));
            let rule = if *rule && ty == "u8" { ", validation: {max: 200}" } else { "" };
            let _ = writeln!(text, "      {name}: {{type: \"{ty}\", since: {since}{default}{rule}}}");
        }
        text
    }
}

/// All that a type is, in words, down to the numbers. Of a unit enum: what its first release had.
fn shape(contract: &Contract, ty: &Type, used: &mut Vec<String>) -> String {
    let mut inner = |of: &Type| shape(contract, of, used);
    match ty {
        Type::Vec(of) => format!("list({})", inner(of)),
        Type::Option(of) => format!("maybe({})", inner(of)),
        Type::Array(of, count) => format!("{count} of ({})", inner(of)),
        Type::Struct(name) => {
            let fields = &contract.struct_def(name).expect("it is defined").fields;
            format!("struct {name} {{{}}}", shapes(contract, fields, used))
        }
        Type::Enum(name) => {
            let def = contract.enum_def(name).expect("it is defined");
            let is_unit = def.variants.iter().all(|variant| variant.fields.is_empty());
            if is_unit {
                used.push(name.clone());
            }
            let released = def.variants.iter().filter(|variant| variant.since == 1);
            let variants: Vec<_> =
                released.map(|v| format!("{} {{{}}}", v.name, shapes(contract, &v.fields, used))).collect();
            format!("enum {name} [{}]", variants.join(" | "))
        }
        other => other.to_string(),
    }
}

fn shapes(contract: &Contract, fields: &[Field], used: &mut Vec<String>) -> String {
    let each = fields.iter().map(|field| format!("{}: {}", field.name, shape(contract, &field.ty, used)));
    each.collect::<Vec<_>>().join(", ")
}

fn layout(contract: &Contract, message: &Message, version: u16) -> String {
    format!("{} {{{}}}", message.name, shapes(contract, message.fields_of(version), &mut Vec::new()))
}

/// Whether all that both know means one thing to both: the name, each version that both have, each tag.
fn alike(ours: &Contract, theirs: &Contract) -> bool {
    let (a, b) = (&ours.messages[0], &theirs.messages[0]);
    let versions = 1..=a.version.min(b.version);
    if a.name != b.name
        || versions.clone().any(|version| layout(ours, a, version) != layout(theirs, b, version))
    {
        return false;
    }
    let used = |contract: &Contract, message: &Message| {
        let mut used = Vec::new();
        shapes(contract, &message.fields, &mut used);
        used
    };
    let (in_ours, in_theirs) = (used(ours, a), used(theirs, b));
    let tags = |contract: &Contract, name: &str| {
        let def = contract.enum_def(name).expect("it is defined");
        def.variants.iter().map(|variant| variant.name.clone()).collect::<Vec<_>>()
    };
    let both = in_ours.iter().filter(|name| in_theirs.contains(name));
    both.into_iter().all(|name| tags(ours, name).iter().zip(&tags(theirs, name)).all(|(a, b)| a == b))
}

/// What one contract writes, the other reads as the same: all fields that both know, and defaults for others.
fn reads(writer: &Contract, reader: &Contract, has_grown: bool, rng: &mut Random) -> u64 {
    let (from, to) = (Model::new(writer), Model::new(reader));
    let (written, read) = (&writer.messages[0], &reader.messages[0]);
    let mut values_read = 0;
    for version in 1..=written.version {
        let fields = written.fields_of(version);
        let values = random::fields(&from, fields, rng);
        let encoded = encode::message(&from, fields, &values).expect("random values fit");
        let seen = match decode::message(&to, read, version, encoded.root_len, &encoded.bytes) {
            Ok(seen) => seen,
            // A variant that the reader does not know.
            Err(error) if has_grown && error.cause.contains("is no tag of") => continue,
            Err(error) => panic!("version {version} of {written:#?} as {read:#?}: {error}"),
        };
        let both = fields.len().min(read.fields.len());
        // As text: NaN is not itself.
        let text = |model, values: &[(String, Value)]| show::json(model, &fields[..both], &values[..both]);
        assert_eq!(text(&to, &seen), text(&from, &values), "version {version} of {written:#?} as {read:#?}");
        for (field, (name, value)) in read.fields.iter().zip(&seen).skip(both) {
            let default = field.default.clone().unwrap_or(Value::None);
            assert_eq!((name, value), (&field.name, &default), "version {version} of {written:#?}");
        }
        values_read += 1;
    }
    values_read
}

fn breaks(old: &Contract, new: &Contract) -> Vec<String> {
    let all = breaking(old, new);
    all.iter()
        .filter(|change| change.severity == Severity::Breaking)
        .map(|change| change.kind.to_owned())
        .collect()
}

#[test]
fn digests_offers_and_breaking_agree_with_what_readers_make_of_each_other() {
    let mut known: HashMap<u64, String> = HashMap::new();
    let (mut pairs, mut fine, mut refused, mut told, mut read) = (0, 0, 0, 0, 0);
    for seed in seeds(CASES) {
        let rng = &mut Random::new(seed);
        let draft = Draft::new(rng);
        let old = Contract::parse(&draft.text(), "old").unwrap_or_else(|e| panic!("{e}\n{}", draft.text()));
        let mut changed = draft.clone();
        for _ in 0..=rng.below(3) {
            changed.edit(rng);
        }
        let Ok(new) = Contract::parse(&changed.text(), "new") else { continue };
        pairs += 1;
        for contract in [&old, &new] {
            let (model, message) = (Model::new(contract), &contract.messages[0]);
            for version in 1..=message.version {
                // One digest is one layout, in all contracts of this run.
                let (digest, text) =
                    (model.layout_digest(message, version), layout(contract, message, version));
                let before = known.entry(digest).or_insert_with(|| text.clone());
                assert_eq!(*before, text, "{digest:016x}");
            }
        }
        let shown = || format!("{}\n{}", draft.text(), changed.text());
        let expected = alike(&old, &new);
        let same_id = old.messages[0].type_id == new.messages[0].type_id;
        let ours = offer(&old, draft.type_id).expect("it is there");
        let theirs = offer(&new, changed.type_id).expect("it is there");
        assert_eq!(ours.compare(&theirs).is_ok(), expected, "{:?}\n{}", ours.compare(&theirs), shown());
        assert_eq!(theirs.compare(&ours).is_ok(), expected, "the other side\n{}", shown());
        let broken = breaks(&old, &new);
        let has_grown = draft.units != changed.units;
        if !expected || !same_id {
            refused += 1;
            assert!(!broken.is_empty(), "no break is told\n{}", shown());
            continue;
        }
        // Both know the same of all that they exchange.
        read += reads(&old, &new, has_grown, rng) + reads(&new, &old, has_grown, rng);
        let only_told =
            ["topic-changed", "default-changed", "variant-changed", "version-lowered", "field-removed"];
        let other: Vec<&String> = broken.iter().filter(|kind| !only_told.contains(&kind.as_str())).collect();
        assert!(other.is_empty(), "compatible, and told apart by {other:?}\n{}", shown());
        if broken.is_empty() { fine += 1 } else { told += 1 }
    }
    println!("{pairs} pairs: {fine} fine, {told} told, {refused} refused; {read} values read");
    // A short run may hold one kind of pairs alone.
    if pairs >= 100 {
        let enough = pairs / 20;
        assert!(
            fine > enough && refused > enough && read > pairs,
            "{pairs} pairs: {fine}, {refused}, {told}, {read}"
        );
    }
    let mut texts: Vec<&String> = known.values().collect();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), known.len(), "one layout has two digests");
}
