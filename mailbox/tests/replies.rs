//! What a table says of answers.
#![forbid(unsafe_code)]

use mycelium_mailbox::wire::Contract;

const HEAD: &str = "mycelium contract 1\nschema a.b 1\n";

#[test]
fn a_table_says_which_message_answers_which_and_nothing_else_follows_from_that() {
    let without = format!("{HEAD}message A 1 1 t\nfield x 1 u8\nmessage B 2 1 t\nfield y 1 u8\n");
    let with = format!("{without}reply A B\nreply B B\n");
    let [without, with] = [without, with].map(|table| Contract::parse(&table).expect("a table"));
    let replies = |of: Contract| of.messages().map(|message| message.reply()).collect::<Vec<_>>();
    assert_eq!((replies(without), replies(with)), (vec![None, None], vec![Some(2), Some(2)]));
    for (old, new) in without.messages().zip(with.messages()) {
        assert_eq!((old.digest(), old.offer()), (new.digest(), new.offer()));
    }
}

#[test]
fn replies_that_are_wrong_are_refused_with_their_line() {
    for (lines, line, cause) in [
        ("message A 1 1 t\nreply A\n", 4, "a reply has the names of a query and its answer"),
        ("message A 1 1 t\nreply A B\n", 4, "\"B\" is no message that was defined before"),
        ("struct S\nfield x 1 u8\nmessage A 1 1 t\nreply S A\n", 6, "\"S\" is no message"),
        ("message A 1 1 t\nreply A A\nreply A A\n", 5, "A has an answer already"),
        ("message A 1 1 t\nreply A A\nfield x 1 u8\n", 5, "a field belongs to a struct"),
    ] {
        let error = Contract::parse(&format!("{HEAD}{lines}")).expect_err(cause);
        assert!(error.line == line && error.cause.contains(cause), "{error}, expected: {cause}");
    }
}
