//! From YAML nodes to a [`Contract`]: every mistake found is reported, none ends the check early unless what
//! follows would rest on it.

mod definitions;
mod fields;
pub(crate) mod graph;
mod keys;
pub(crate) mod literal;
mod messages;
mod names;
mod retain;
pub(crate) mod rules;
mod satisfy;
mod sizes;
mod steps;
mod top;
mod types;

use crate::diagnostic::{Errors, Report, Span};
use crate::limits::NESTING_MAX;
use crate::yaml::{Kind, Node};
use crate::{Code, Contract, Pos};
use definitions::{Names, definitions, read_enums, read_structs};
use fields::Draft;
use keys::Keys;
use messages::read_messages;
use top::{domains, schema, tag_ranges};

/// The keys of the file.
const TOP: &[&str] = &["schema", "domains", "tag_ranges", "enums", "structs", "messages"];

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
        sizes::check(&contract, &mut report);
    }
    report.finish(contract)
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
        report.add(
            Code::LIMIT,
            place(name),
            cause,
            "put the fields of an inner definition into the one around it",
        );
    }
    let is_sound = order.circles.is_empty() && deep.is_empty();
    if is_sound {
        steps::check(contract, &order, report);
    }
    is_sound
}

fn shorten(circle: &[&str]) -> String {
    const SHOWN_MAX: usize = 6;
    if circle.len() <= SHOWN_MAX {
        return circle.join(" -> ");
    }
    format!("{} -> ... -> {}", circle[..SHOWN_MAX - 1].join(" -> "), circle[circle.len() - 1])
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
