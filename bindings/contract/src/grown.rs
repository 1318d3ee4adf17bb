//! Unit enums that have gained variants since their first release, by the messages that contain them.

use std::collections::HashMap;

use crate::check::graph::{named, order};
use crate::{Contract, EnumDef, Field, Message};

/// The unit enums of a contract that have gained variants, ready for its messages.
///
/// Digests of layouts cover first releases alone, so peers compare the later variants of these by name: see
/// `docs/wire.md`, "Versions".
#[derive(Debug, Clone)]
pub struct GrownEnums<'c> {
    /// By name.
    enums: Vec<&'c EnumDef>,
    /// For each definition one bit per enum of `enums` that is in it, itself included. Sets of names would
    /// take a hostile contract minutes.
    inside: HashMap<&'c str, Bits>,
}

type Bits = Vec<u64>;

impl<'c> GrownEnums<'c> {
    /// Finds them.
    #[must_use]
    pub fn of(contract: &'c Contract) -> Self {
        let mut enums: Vec<&EnumDef> =
            contract.enums.iter().filter(|def| def.released() < def.variants.len()).collect();
        enums.sort_by(|a, b| a.name.cmp(&b.name));
        let mut grown = Self { enums, inside: HashMap::new() };
        for def in order(contract).ordered {
            let mut bits = grown.inside(def.fields());
            if let Ok(at) = grown.enums.binary_search_by(|grown| grown.name.as_str().cmp(def.name())) {
                bits[at / 64] |= 1 << (at % 64);
            }
            grown.inside.insert(def.name(), bits);
        }
        grown
    }

    /// Those anywhere in `message`, by name in ascending order.
    #[must_use]
    pub fn in_message(&self, message: &Message) -> Vec<&'c EnumDef> {
        let bits = self.inside(message.fields.iter());
        let is_inside = |at: &usize| bits[at / 64] & 1 << (at % 64) != 0;
        (0..self.enums.len()).filter(is_inside).map(|at| self.enums[at]).collect()
    }

    fn inside<'f>(&self, fields: impl Iterator<Item = &'f Field>) -> Bits {
        let mut all = vec![0; self.enums.len().div_ceil(64)];
        for bits in fields.filter_map(|field| self.inside.get(named(&field.ty)?)) {
            for (word, more) in all.iter_mut().zip(bits) {
                *word |= more;
            }
        }
        all
    }
}
