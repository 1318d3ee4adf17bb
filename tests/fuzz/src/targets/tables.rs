//! The table of a contract, as a peer or a file may have it, and values against it.

use mycelium_contract::Contract;
use mycelium_mailbox::wire::Contract as Loaded;

use crate::{Target, file};

pub(crate) const TARGET: Target = Target {
    name: "tables",
    reads: "tables of contracts, loaded at run time",
    run,
    seeds,
    words: &[
        b"message A 1 1 t\n",
        b"field x 1 Vec<String>\n",
        b"field x 1 [Option<u8>; 8192]\n",
        b"struct S\n",
        b"enum E\n",
        b"variant V 1\n",
        b" 65535 ",
        b" 0 ",
    ],
};

/// A table is refused with its line, or its messages can be checked against, whatever the bytes.
fn run(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let loaded = match Loaded::parse(text) {
        Ok(loaded) => loaded,
        Err(error) => {
            assert!(!error.cause.is_empty() && error.line <= text.lines().count());
            return false;
        }
    };
    for message in loaded.messages() {
        let offer = message.offer();
        assert_eq!(offer.compare(&offer), Ok(()));
        for layout in offer.layouts {
            assert!(layout.root_len <= 8_192);
            for len in [0, layout.root_len as usize, bytes.len()] {
                // Zeroes, ones, and the table itself.
                for value in [&vec![0; len][..], &vec![0xff; len], bytes] {
                    let _ = message.check(value, layout.version, layout.root_len);
                }
            }
        }
    }
    true
}

fn seeds() -> Vec<Vec<u8>> {
    let texts = ["contracts.yaml", "bindings/codegen/tests/torture.yaml"];
    let tables = texts.map(|path| {
        let text = String::from_utf8(file(path)).expect("UTF-8");
        Contract::parse(&text, path).unwrap_or_else(|errors| panic!("{errors}")).table()
    });
    let mut seeds: Vec<_> = tables.into_iter().map(String::into_bytes).collect();
    let head = "mycelium contract 1\nschema a.b 1\n";
    let small = "struct S\nfield x 1 u8\nmessage A 1 2 t\nfield x 1 S\nfield y 2 Vec<S>\n";
    seeds.push(format!("{head}{small}").into_bytes());
    seeds
}
