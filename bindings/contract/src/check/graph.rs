//! Who contains whom: recursion, nesting depth, and an order in which every definition follows its parts.

use std::collections::HashMap;

use crate::{Contract, EnumDef, Field, StructDef, Type};

/// A struct or an enum of a contract.
#[derive(Debug, Clone, Copy)]
pub enum Def<'c> {
    /// A unit or data enum.
    Enum(&'c EnumDef),
    /// A nested struct.
    Struct(&'c StructDef),
}

impl<'c> Def<'c> {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'c str {
        match self {
            Def::Enum(def) => &def.name,
            Def::Struct(def) => &def.name,
        }
    }

    pub(crate) fn fields(self) -> Box<dyn Iterator<Item = &'c Field> + 'c> {
        match self {
            Def::Enum(def) => Box::new(def.variants.iter().flat_map(|v| v.fields.iter())),
            Def::Struct(def) => Box::new(def.fields.iter()),
        }
    }
}

/// The name of the definition that a type leads to, through arrays, lists and options.
pub(crate) fn named(ty: &Type) -> Option<&str> {
    match ty {
        Type::Array(of, _) | Type::Vec(of) | Type::Option(of) => named(of),
        Type::Enum(name) | Type::Struct(name) => Some(name),
        _ => None,
    }
}

/// Definitions with their parts before them. A definition that cannot be ordered contains itself, or one
/// that does.
pub(crate) struct Order<'c> {
    pub(crate) ordered: Vec<Def<'c>>,
    /// How deep each ordered definition nests, from 1.
    pub(crate) depth: HashMap<&'c str, usize>,
    /// One path per circle, first name repeated at the end.
    pub(crate) circles: Vec<Vec<&'c str>>,
}

/// Sorts without recursing, since a hostile chain may be long.
pub(crate) fn order(contract: &Contract) -> Order<'_> {
    let all: Vec<Def<'_>> =
        contract.enums.iter().map(Def::Enum).chain(contract.structs.iter().map(Def::Struct)).collect();
    let index: HashMap<&str, usize> = all.iter().enumerate().map(|(at, def)| (def.name(), at)).collect();
    let parts: Vec<Vec<usize>> = all
        .iter()
        .map(|def| {
            let mut parts: Vec<usize> = def
                .fields()
                .filter_map(|f| named(&f.ty))
                .filter_map(|name| index.get(name).copied())
                .collect();
            parts.sort_unstable();
            parts.dedup();
            parts
        })
        .collect();
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); all.len()];
    let mut missing: Vec<usize> = parts.iter().map(Vec::len).collect();
    for (user, parts) in parts.iter().enumerate() {
        for part in parts {
            users[*part].push(user);
        }
    }
    let mut ready: Vec<usize> = (0..all.len()).filter(|at| missing[*at] == 0).collect();
    let mut depths = vec![1_usize; all.len()];
    let mut next = 0;
    while next < ready.len() {
        let at = ready[next];
        next += 1;
        for user in &users[at] {
            depths[*user] = depths[*user].max(depths[at] + 1);
            missing[*user] -= 1;
            if missing[*user] == 0 {
                ready.push(*user);
            }
        }
    }
    Order {
        ordered: ready.iter().map(|at| all[*at]).collect(),
        depth: ready.iter().map(|at| (all[*at].name(), depths[*at])).collect(),
        circles: circles(&all, &parts, &missing),
    }
}

/// Walks from each unordered definition along unordered parts until a name repeats.
fn circles<'c>(all: &[Def<'c>], parts: &[Vec<usize>], missing: &[usize]) -> Vec<Vec<&'c str>> {
    let mut found = Vec::new();
    let mut seen_in = vec![usize::MAX; all.len()];
    for start in (0..all.len()).filter(|at| missing[*at] > 0) {
        let mut path = Vec::new();
        let mut at = start;
        while seen_in[at] == usize::MAX {
            seen_in[at] = start;
            path.push(at);
            let Some(next) = parts[at].iter().copied().find(|part| missing[*part] > 0) else { break };
            at = next;
        }
        if let Some(from) = path.iter().position(|p| *p == at).filter(|_| seen_in[at] == start)
            && parts[path[path.len() - 1]].contains(&at)
        {
            found.push(path[from..].iter().chain([&at]).map(|p| all[*p].name()).collect());
        }
    }
    found
}
