//! A contract with what generators ask of it again and again.

use std::collections::{HashMap, HashSet};

use mycelium_contract::limits::NESTING_MAX;
use mycelium_contract::{
    Contract, Digests, EnumDef, Field, GrownEnums, Layout, Layouts, Message, Record, Rule, Type, Variant,
};

/// Bytes rather than a list of numbers.
pub(crate) fn is_bytes(ty: &Type) -> bool {
    match ty {
        Type::Bytes => true,
        Type::Vec(of) | Type::Array(of, _) => **of == Type::U8,
        _ => false,
    }
}

/// The rules of each element, among those of a list.
pub(crate) fn rules_of_each(rules: &[Rule]) -> &[Rule] {
    let each = rules.iter().find_map(|rule| if let Rule::Each(each) = rule { Some(&each[..]) } else { None });
    each.unwrap_or_default()
}

/// A checked contract, its layouts, and which of its types have rules. Made once per contract.
#[derive(Debug)]
pub struct Model<'a> {
    /// The contract.
    pub contract: &'a Contract,
    layouts: Layouts,
    digests: Digests,
    grown: GrownEnums<'a>,
    /// Names of enums and structs that have a rule, in themselves or in what they contain.
    ruled: HashSet<&'a str>,
    /// How many parts a value of an enum or a struct has when no list in it is empty.
    parts: HashMap<&'a str, u64>,
}

impl<'a> Model<'a> {
    /// Computes all of it.
    #[must_use]
    pub fn new(contract: &'a Contract) -> Self {
        Self {
            contract,
            layouts: Layouts::of(contract),
            digests: Digests::of(contract),
            grown: GrownEnums::of(contract),
            ruled: ruled(contract),
            parts: parts(contract),
        }
    }

    /// Size and alignment of a type where it stands, and whether nothing of it lies elsewhere.
    #[must_use]
    pub fn layout(&self, ty: &Type) -> Layout {
        self.layouts.type_of(ty)
    }

    /// The size of a type where it stands, in bytes. The contract's limits keep it far below the address
    /// space.
    #[must_use]
    pub fn size(&self, ty: &Type) -> usize {
        self.layout(ty).size as usize
    }

    /// The layout of a message version or struct, and where each field starts.
    #[must_use]
    pub fn record(&self, fields: &[Field]) -> Record {
        self.layouts.record(fields)
    }

    /// The layout of a variant of a data enum behind its tag.
    #[must_use]
    pub fn variant(&self, variant: &Variant) -> Record {
        self.layouts.tagged(&variant.fields)
    }

    /// The digest of a version's layout and of all variants of its enums.
    #[must_use]
    pub fn digest(&self, message: &Message, version: u16) -> u64 {
        self.digests.message(message, version)
    }

    /// The digest of a version's layout as peers compare it.
    #[must_use]
    pub fn layout_digest(&self, message: &Message, version: u16) -> u64 {
        self.digests.layout(message, version)
    }

    /// The unit enums in a message that have gained variants.
    #[must_use]
    pub fn grown_enums(&self, message: &Message) -> Vec<&'a EnumDef> {
        self.grown.in_message(message)
    }

    /// The versions of a message that brought fields, ascending from 1.
    #[must_use]
    pub fn versions(message: &Message) -> Vec<u16> {
        let mut versions: Vec<u16> =
            std::iter::once(1).chain(message.fields.iter().map(|f| f.since)).collect();
        versions.dedup();
        versions
    }

    /// Whether a value of this type can break a rule of the type's own definition.
    #[must_use]
    pub fn has_rules(&self, ty: &Type) -> bool {
        names_in(ty).is_some_and(|name| self.ruled.contains(name))
    }
}

/// Elements of a list that is not empty, for [`Model::parts`].
const LIST_LEN: u64 = 2;

impl Model<'_> {
    /// How many numbers, texts and the like a value of these fields has, when each list in it holds two
    /// elements, each option is present and each enum is its largest variant. Nested lists make it grow
    /// without bound: it saturates.
    #[must_use]
    pub fn parts(&self, fields: &[Field]) -> u64 {
        sum(fields.iter().map(|field| parts_of(&field.ty, &self.parts)))
    }
}

fn parts(contract: &Contract) -> HashMap<&str, u64> {
    let mut parts = HashMap::new();
    // Definitions in any order, nested only so deep: each round finishes those that use finished ones.
    for _ in 0..=NESTING_MAX {
        for def in &contract.structs {
            let all = sum(def.fields.iter().map(|field| parts_of(&field.ty, &parts)));
            parts.insert(def.name.as_str(), all);
        }
        for def in &contract.enums {
            let variant = |v: &Variant| sum(v.fields.iter().map(|field| parts_of(&field.ty, &parts)));
            let largest = def.variants.iter().map(variant).max().unwrap_or_default();
            parts.insert(def.name.as_str(), largest.saturating_add(1));
        }
    }
    parts
}

fn sum(parts: impl Iterator<Item = u64>) -> u64 {
    parts.fold(0, u64::saturating_add)
}

fn parts_of(ty: &Type, defined: &HashMap<&str, u64>) -> u64 {
    match ty {
        Type::Array(of, count) => parts_of(of, defined).saturating_mul(u64::from(*count)),
        Type::Vec(of) => parts_of(of, defined).saturating_mul(LIST_LEN).saturating_add(1),
        Type::Option(of) => parts_of(of, defined).saturating_add(1),
        Type::Enum(name) | Type::Struct(name) => defined.get(name.as_str()).copied().unwrap_or(1),
        _ => 1,
    }
}

/// The definition that a type is made of: at most one, however it is wrapped.
fn names_in(ty: &Type) -> Option<&str> {
    match ty {
        Type::Array(of, _) | Type::Vec(of) | Type::Option(of) => names_in(of),
        Type::Enum(name) | Type::Struct(name) => Some(name),
        _ => None,
    }
}

/// Spreads "has a rule" from definitions to those that contain them, until nothing changes.
fn ruled(contract: &Contract) -> HashSet<&str> {
    let structs =
        contract.structs.iter().map(|def| (def.name.as_str(), def.fields.iter().collect::<Vec<_>>()));
    let enums = contract
        .enums
        .iter()
        .map(|def| (def.name.as_str(), def.variants.iter().flat_map(|v| &v.fields).collect::<Vec<_>>()));
    let mut users: HashMap<&str, Vec<&str>> = HashMap::new();
    let mut found = HashSet::new();
    let mut queue = Vec::new();
    for (name, fields) in structs.chain(enums) {
        for field in fields {
            if !field.validation.is_empty() && found.insert(name) {
                queue.push(name);
            }
            if let Some(used) = names_in(&field.ty) {
                users.entry(used).or_default().push(name);
            }
        }
    }
    while let Some(name) = queue.pop() {
        for user in users.get(name).into_iter().flatten().copied() {
            if found.insert(user) {
                queue.push(user);
            }
        }
    }
    found
}
