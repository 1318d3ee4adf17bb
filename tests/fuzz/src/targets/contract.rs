//! Anything that calls itself `contracts.yaml`.

use mycelium_codegen::{Options, rust};
use mycelium_contract::{Contract, DIAGNOSTICS_MAX, breaking};

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
        b".nan",
        b"-1",
        b"1e400",
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
        b"\xef\xbb\xbf",
        b"\0",
        b"\xff",
    ],
};

fn run(bytes: &[u8]) -> bool {
    match Contract::parse_bytes(bytes, "t") {
        Ok(contract) => {
            assert_eq!(breaking(&contract, &contract), [], "a contract breaks nothing of itself");
            assert!(!rust(&contract, &Options::default()).is_empty());
            true
        }
        Err(errors) => {
            assert!(!errors.list().is_empty() && errors.list().len() <= DIAGNOSTICS_MAX);
            assert!(errors.to_string().starts_with("error[MYC"));
            false
        }
    }
}

fn seeds() -> Vec<Vec<u8>> {
    vec![file("contracts.yaml"), file("bindings/codegen/tests/torture.yaml")]
}
