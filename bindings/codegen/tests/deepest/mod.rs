//! Messages in which as much is nested as a contract allows: rustc follows their types with its own limits.

use std::fmt::Write;

use mycelium_codegen::{Options, rust};
use mycelium_contract::Contract;
use mycelium_mailbox::wire::{Encoder, Wire};

use crate::common::{aligned, root};

#[allow(unreachable_pub, reason = "it stands for the module of a user")]
mod types {
    include!("../generated/nested.rs");
}

/// One message of lists and one of arrays, each of so many steps.
fn text() -> String {
    let nested = |count: usize, open: &str, of: &str, close: &str| {
        format!("'{}{of}{}'", open.repeat(count), close.repeat(count))
    };
    let mut text =
        "schema: {id: deepest, version: 1}\ndomains: [d]\ntag_ranges: {d: [1, 9]}\nenums:\n".to_owned();
    let _ = writeln!(text, "  List4: [{{A: {{fields: {{x: {}}}}}}}]", nested(7, "Vec<", "List3", ">"));
    text.push_str("structs:\n  List0: {fields: {x: String}}\n  Array0: {fields: {x: u8}}\n");
    for at in 1..4 {
        let of = nested(7, "Vec<", &format!("List{}", at - 1), ">");
        let _ = writeln!(text, "  List{at}: {{fields: {{x: {of}}}}}");
    }
    for at in 1..14 {
        let of = nested(6, "[", &format!("Array{}", at - 1), "; 1]");
        let _ = writeln!(text, "  Array{at}: {{fields: {{x: {of}}}}}");
    }
    text.push_str("messages:\n");
    for (id, name, of) in [(1, "Lists", "List4"), (2, "Arrays", "Array13")] {
        let fields = format!("{{x: 'Option<[[{of}; 1]; 1]>'}}");
        let _ = writeln!(text, "  {name}: {{tlv_type: {id}, topic: t, domain: d, fields: {fields}}}");
    }
    text
}

#[test]
fn the_committed_source_is_up_to_date() {
    let contract = Contract::parse(&text(), "deepest.yaml").unwrap_or_else(|errors| panic!("{errors}"));
    let source = rust(&contract, &Options::default().crate_path("::mycelium_mailbox"));
    crate::expect_file(&root().join("bindings/codegen/tests/generated/nested.rs"), &source);
    let deeper = text().replace("[[Array13; 1]; 1]", "[[[Array13; 1]; 1]; 1]");
    let told = Contract::parse(&deeper, "deepest.yaml").expect_err("one step more is refused").to_string();
    assert!(told.contains("`Arrays` is 97 steps deep, above 96"), "{told}");
}

/// `Wrapped` stands for the types that a program puts around a message, as for futures that hold one.
#[test]
fn the_deepest_messages_compile() {
    type Wrapped<T> = Box<Option<Box<Option<Box<Option<Box<Option<Box<T>>>>>>>>>;
    fn is_sent<T: Send + Sync>() {}
    fn round_trip<M: Wire + Default + PartialEq>(message: &M) {
        let mut encoder = Encoder::new();
        let bytes = aligned(encoder.encode(message).expect("it is small"));
        assert!(M::decode(&bytes).expect("it is one") == *message);
    }
    is_sent::<Wrapped<types::Lists>>();
    is_sent::<Wrapped<types::Arrays>>();
    let inner = types::List0 { x: "a text that lies elsewhere".to_owned() };
    let list1 = types::List1 { x: vec![vec![vec![vec![vec![vec![vec![inner]]]]]]] };
    let list2 = types::List2 { x: vec![vec![vec![vec![vec![vec![vec![list1]]]]]]] };
    let list3 = types::List3 { x: vec![vec![vec![vec![vec![vec![vec![list2]]]]]]] };
    let list4 = types::List4::A { x: vec![vec![vec![vec![vec![vec![vec![list3]]]]]]] };
    round_trip(&types::Lists { x: Some([[list4]]) });
    round_trip(&types::Arrays { x: Some([[types::Array13::default()]]) });
}
