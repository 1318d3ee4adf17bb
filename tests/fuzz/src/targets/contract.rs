//! Anything that calls itself `contracts.yaml`.

use std::sync::OnceLock;

use mycelium_codegen::{Options, rust};
use mycelium_contract::{Contract, DIAGNOSTICS_MAX, Digests, GrownEnums, Layouts, Severity, breaking};

use crate::{Target, file};

pub(crate) const TARGET: Target = Target {
    name: "contract",
    reads: "contracts.yaml",
    run,
    seeds,
    words: &[
        b"Option<",
        b"Vec<",
        b">",
        b"[",
        b"]",
        b"; 4]",
        b"{",
        b"}",
        b": ",
        b"\n",
        b"  ",
        b"- ",
        b"\t",
        b"&a ",
        b"*a",
        b"<<: ",
        b"!!int ",
        b"'",
        b"\"",
        b"#",
        b"|\n",
        b"? ",
        b"---\n",
        b"null",
        b"true",
        b".nan",
        b"-1",
        b"0",
        b"1e400",
        b"65536",
        b"18446744073709551616",
        b"type: ",
        b"default: ",
        b"since: 2",
        b"validation: ",
        b"each: ",
        b"min: ",
        b"one_of: ",
        b"fields: ",
        b"variants: ",
        b"version: 2",
        b"tlv_type: ",
        b"u8",
        b"Colour",
        b"Shape",
        b"Point",
        b"Person",
        "\u{e9}".as_bytes(),
        "\u{feff}".as_bytes(),
        "\u{202e}".as_bytes(),
        b"\0",
        b"\xff",
    ],
};

fn run(bytes: &[u8]) -> bool {
    static REPOSITORY: OnceLock<Contract> = OnceLock::new();
    match Contract::parse_bytes(bytes, "t") {
        Ok(contract) => {
            assert_eq!(breaking(&contract, &contract), [], "a contract breaks nothing of itself");
            assert!(!rust(&contract, &Options::default()).is_empty());
            lays_out(&contract);
            let parse = || Contract::parse_bytes(&file("contracts.yaml"), "t").expect("it is sound");
            agree(REPOSITORY.get_or_init(parse), &contract);
            true
        }
        Err(errors) => {
            assert!(!errors.list().is_empty() && errors.list().len() <= DIAGNOSTICS_MAX);
            for error in errors.list() {
                assert!(!error.cause.is_empty() && !error.cause.contains('\n'), "{error:?}");
                assert!(error.cause.len() < 1_000, "a long cause: {error:?}");
            }
            assert!(errors.to_string().starts_with("error[MYC"));
            false
        }
    }
}

fn lays_out(contract: &Contract) {
    let (layouts, digests) = (Layouts::of(contract), Digests::of(contract));
    for message in &contract.messages {
        let record = layouts.record(&message.fields);
        assert!(record.layout.size > 0 && record.layout.size.is_multiple_of(record.layout.align));
        assert!(record.offsets.is_sorted());
        assert_ne!(digests.message(message, message.version), 0);
    }
}

/// What peers compare cuts a topic only where `breaking` has said so. (It says more: a moved topic has the
/// same digests.)
fn agree(old: &Contract, new: &Contract) {
    let changes = breaking(old, new);
    if changes.iter().any(|c| c.severity == Severity::Breaking) {
        return;
    }
    let (before, after) = (Digests::of(old), Digests::of(new));
    for message in &old.messages {
        let heir = new.message(&message.name).expect("a message that is gone breaks");
        for version in 1..=message.version {
            let same = before.layout(message, version) == after.layout(heir, version);
            assert!(
                same,
                "`{}` version {version} has another digest without a breaking change",
                message.name
            );
        }
        for known in GrownEnums::of(old).in_message(message) {
            let heir = new.enum_def(&known.name).expect("an enum in use that is gone breaks");
            for (before, after) in known.variants.iter().zip(&heir.variants) {
                assert_eq!(
                    before.name, after.name,
                    "a tag of `{}` changed without a breaking change",
                    known.name
                );
            }
        }
    }
}

fn seeds() -> Vec<Vec<u8>> {
    vec![file("contracts.yaml"), file("bindings/codegen/tests/torture.yaml")]
}
