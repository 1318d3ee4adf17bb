//! What a contract that was loaded at run time says of its messages and of many values at a time.

use mycelium_mailbox::wire::{Contract, WireError};

const TABLE: &str = "mycelium contract 1
schema acme.trading 1
message Flag 7 1 flags
field on 1 bool
message Price 8 1 prices
field value 1 u64
message Ask 9 1 asks
field text 1 String
reply Ask Price
reply Price Flag
";

/// What is said of these bytes, as values of `each` bytes of the message with this type id.
fn checked(type_id: u16, bytes: &[u8], each: usize) -> Result<(), (usize, WireError)> {
    let contract = Contract::parse(TABLE).expect("a table");
    let message = contract.message(type_id).expect("it is in the table");
    let root_len = message.offer().layouts[0].root_len;
    message.check_many(bytes, each, 1, root_len)
}

/// Which of them is refused.
fn refused(type_id: u16, bytes: &[u8], each: usize) -> Option<usize> {
    checked(type_id, bytes, each).err().map(|(at, _)| at)
}

#[test]
fn the_first_value_that_is_none_is_named_wherever_it_lies() {
    for wrong in 0..4 {
        let mut flags = [1; 4];
        flags[wrong] = 7;
        assert_eq!(refused(7, &flags, 1), Some(wrong));
        flags[3] = 7;
        assert_eq!(refused(7, &flags, 1), Some(wrong), "the first of two");
    }
    assert_eq!(checked(7, &[0, 1, 1, 0], 1), Ok(()));
}

#[test]
fn where_any_bytes_are_a_value_only_their_lengths_are_looked_at() {
    let bytes = [0xff; 24];
    assert_eq!(checked(8, &bytes, 8), Ok(()));
    assert_eq!(checked(8, &[], 8), Ok(()), "none of no values is wrong");
    assert_eq!(refused(8, &bytes, 7), Some(0), "all are too short");
    assert_eq!(refused(8, &bytes[..23], 8), Some(2), "the last is too short");
    assert_eq!(refused(8, &bytes, 0), Some(0), "values without a length are none of this message");
}

#[test]
fn each_message_has_the_answer_and_the_length_that_the_table_gives_it() {
    let contract = Contract::parse(TABLE).expect("a table");
    let said = contract.messages().map(|message| (message.name(), message.reply(), message.is_fixed()));
    let said: Vec<_> = said.collect();
    assert_eq!(said, [("Flag", None, true), ("Price", Some(7), true), ("Ask", Some(8), false)]);
    let twice = Contract::parse(&format!("{TABLE}reply Ask Flag\n")).expect_err("it has an answer already");
    assert!(twice.to_string().contains("Ask has an answer already"), "{twice}");
}

#[test]
fn peers_are_told_of_the_enums_that_have_grown_and_of_no_other() {
    let enums = "enum Side\nvariant Buy 1\nvariant Sell 1\nenum Kind\nvariant Limit 1\nvariant Stop 2\n";
    let order = "message Order 7 2 orders\nfield side 1 Side\nfield kind 1 Kind\n";
    let table = format!("mycelium contract 1\nschema acme.trading 1\n{enums}{order}");
    let order = Contract::parse(&table).expect("a table").message(7).expect("an order");
    let told: Vec<_> = order.offer().enums.iter().map(|of| (of.name, of.first, of.variants)).collect();
    assert_eq!(told, [("Kind", 1, &["Stop"][..])]);
}
