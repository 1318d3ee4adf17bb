//! The table of a contract: what a process that has none of the types needs to check values and to compare
//! offers.
//!
//! `docs/wire.md`, "Table", specifies the text. The run-time crates read it
//! (`mycelium_mailbox::wire::Contract`); this one writes it.

use std::fmt::Write;

use crate::check::graph::{Def, order};
use crate::{Contract, Field};

impl Contract {
    /// All enums and structs, each behind those that it is made of.
    #[must_use]
    pub fn definitions(&self) -> Vec<Def<'_>> {
        order(self).ordered
    }

    /// The table of the contract: its messages with their layouts and answers, without descriptions, defaults
    /// and rules.
    ///
    /// ```
    /// # use mycelium_contract::Contract;
    /// let contract = Contract::parse(
    ///     "schema: {id: acme.trading, version: 1}
    /// domains: [market_data]
    /// tag_ranges: {market_data: [100, 199]}
    /// messages:
    ///   Trade:
    ///     tlv_type: 100
    ///     topic: market.trades
    ///     domain: market_data
    ///     fields: {at: Timestamp, price: f64}
    /// ",
    ///     "contracts.yaml",
    /// )?;
    /// let table = "mycelium contract 1\nschema acme.trading 1\n\
    ///     message Trade 100 1 market.trades\nfield at 1 Timestamp\nfield price 1 f64\n";
    /// assert_eq!(contract.table(), table);
    /// # Ok::<(), mycelium_contract::Errors>(())
    /// ```
    #[must_use]
    pub fn table(&self) -> String {
        let mut out = format!("mycelium contract 1\nschema {} {}\n", self.schema.id, self.schema.version);
        // Writing to a `String` cannot fail.
        for def in self.definitions() {
            match def {
                Def::Struct(def) => {
                    let _ = writeln!(out, "struct {}", def.name);
                    fields(&def.fields, &mut out);
                }
                Def::Enum(def) => {
                    let _ = writeln!(out, "enum {}", def.name);
                    for variant in &def.variants {
                        let _ = writeln!(out, "variant {} {}", variant.name, variant.since);
                        fields(&variant.fields, &mut out);
                    }
                }
            }
        }
        for message in &self.messages {
            let (name, type_id, version, topic) =
                (&message.name, message.type_id, message.version, &message.topic);
            let _ = writeln!(out, "message {name} {type_id} {version} {topic}");
            fields(&message.fields, &mut out);
        }
        // Behind all of them: each may be answered by any.
        for message in &self.messages {
            if let Some(reply) = &message.reply {
                let _ = writeln!(out, "reply {} {reply}", message.name);
            }
        }
        out
    }
}

fn fields(fields: &[Field], out: &mut String) {
    for field in fields {
        let _ = writeln!(out, "field {} {} {}", field.name, field.since, field.ty);
    }
}
