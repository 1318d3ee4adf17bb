//! Contracts that came from one parent, and what their peers say of one another before they exchange
//! messages.
#![forbid(unsafe_code)]
#![deny(missing_docs, warnings)]

mod common;
mod evolution;
#[allow(dead_code, reason = "damage is for other tests")]
mod random;

use common::{aligned, expect_file, root};
use mycelium_codegen::{Model, Options, rust};
use mycelium_contract::{Contract, Severity, breaking};
use mycelium_mailbox::Message;
use mycelium_mailbox::wire::{Encoder, GrownEnum, Layout, Offer, Wire, WireError};

include!("generated/branches.rs");

const PARENT: &str = "schema: {id: mycelium.branches, version: 1}
domains: [d]
tag_ranges: {d: [1, 9]}
enums:
  Side: [Buy, Sell]
structs:
  Leg: {fields: {side: Side, lots: u8}}
messages:
  Order: {tlv_type: 1, topic: t, domain: d, fields: {legs: Vec<Leg>, id: u8}}
";

/// Each branch: its name, and what it replaces.
const BRANCHES: [(&str, &[(&str, &str)]); 10] = [
    ("parent", &[]),
    ("short", &[("Sell]", "Sell, Short: {since: 2}]")]),
    ("cancel", &[("Sell]", "Sell, Cancel: {since: 2}]")]),
    // The number of the release does not matter, only which tag a name has.
    ("cancel_later", &[("Sell]", "Sell, Cancel: {since: 7}]")]),
    ("short_cover", &[("Sell]", "Sell, Short: {since: 2}, Cover: {since: 3}]")]),
    ("short_cancel", &[("Sell]", "Sell, Short: {since: 2}, Cancel: {since: 3}]")]),
    (
        "field",
        &[
            ("domain: d,", "domain: d, version: 2,"),
            ("id: u8}", "id: u8, x: {type: u8, since: 2, default: 1}}"),
        ],
    ),
    (
        "other_field",
        &[
            ("domain: d,", "domain: d, version: 2,"),
            ("id: u8}", "id: u8, y: {type: u8, since: 2, default: 1}}"),
        ],
    ),
    (
        "skipped",
        &[
            ("domain: d,", "domain: d, version: 3,"),
            ("id: u8}", "id: u8, y: {type: u8, since: 3, default: 1}}"),
        ],
    ),
    ("raised", &[("domain: d,", "domain: d, version: 3,")]),
];

fn contract(name: &str) -> Contract {
    let (_, changes) = BRANCHES.iter().find(|(branch, _)| *branch == name).expect("it is a branch");
    let text = changes.iter().fold(PARENT.to_owned(), |text, (from, to)| {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        text.replace(from, to)
    });
    Contract::parse(&text, name).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn the_committed_source_is_up_to_date() {
    let mut source = String::from("// The types of contracts that came from one parent.\n");
    for (name, _) in BRANCHES {
        let types = rust(&contract(name), &Options::default().crate_path("::mycelium_mailbox"));
        source.push_str(&format!("\n/// The branch `{name}`.\npub mod {name} {{\n{types}}}\n"));
    }
    expect_file(&root().join("bindings/codegen/tests/generated/branches.rs"), &source, "branches");
}

type Compare = fn(&Offer<'_>) -> Result<(), WireError>;

/// What each branch offers, and how it compares.
fn peers() -> Vec<(&'static str, Offer<'static>, Compare)> {
    macro_rules! peers {
        ($($name:ident)*) => { vec![$((stringify!($name), $name::Order::OFFER, $name::Order::compare_layouts as Compare)),*] };
    }
    let peers =
        peers!(parent short cancel cancel_later short_cover short_cancel field other_field skipped raised);
    assert_eq!(peers.iter().map(|peer| peer.0).collect::<Vec<_>>(), BRANCHES.map(|branch| branch.0));
    peers
}

/// Whether two contracts give all that both know one meaning: each tag, and each version up to the older
/// side's.
fn agree(ours: &Contract, theirs: &Contract) -> bool {
    let tags = |contract: &Contract| {
        let side = contract.enum_def("Side").expect("it is there");
        side.variants.iter().map(|variant| variant.name.clone()).collect::<Vec<_>>()
    };
    let (a, b) = (ours.message("Order").expect("it is there"), theirs.message("Order").expect("it is there"));
    let fields = |message: &mycelium_contract::Message, version| {
        message.fields_of(version).iter().map(|field| field.name.clone()).collect::<Vec<_>>()
    };
    tags(ours).iter().zip(tags(theirs)).all(|(a, b)| *a == b)
        && (1..=a.version.min(b.version)).all(|version| fields(a, version) == fields(b, version))
}

#[test]
fn branches_that_give_one_place_two_meanings_do_not_exchange_the_message() {
    let mut refused = Vec::new();
    for (ours, _, compare) in peers() {
        for (theirs, offer, _) in peers() {
            let got = compare(&offer);
            assert_eq!(
                got.is_ok(),
                agree(&contract(ours), &contract(theirs)),
                "{ours} and {theirs}: {got:?}"
            );
            if got.is_err() && ours < theirs {
                refused.push((ours, theirs));
            }
        }
    }
    refused.sort_unstable();
    assert_eq!(
        refused,
        [
            ("cancel", "short"),
            ("cancel", "short_cancel"),
            ("cancel", "short_cover"),
            ("cancel_later", "short"),
            ("cancel_later", "short_cancel"),
            ("cancel_later", "short_cover"),
            ("field", "other_field"),
            ("field", "raised"),
            ("field", "skipped"),
            ("other_field", "raised"),
            ("other_field", "skipped"),
            ("raised", "skipped"),
            ("short_cancel", "short_cover"),
        ]
    );
}

/// Every pair that may not talk is refused by `breaking` already, when one branch is merged into the other.
#[test]
fn breaking_names_the_second_branch_when_it_is_merged() {
    let broken = |old: &str, new: &str| {
        breaking(&contract(old), &contract(new)).iter().any(|change| change.severity == Severity::Breaking)
    };
    for (ours, _, compare) in peers() {
        assert!(!broken("parent", ours), "{ours} alone is compatible");
        for (theirs, offer, _) in peers() {
            if compare(&offer).is_err() {
                assert!(broken(ours, theirs) && broken(theirs, ours), "{ours} and {theirs}");
            }
        }
    }
}

/// The fault that the comparison is there for: bytes that are read well and mean another thing.
#[test]
fn a_tag_with_two_meanings_is_read_without_an_error_and_so_named_before() {
    let leg = short::Leg { side: short::Side::Short, lots: 1 };
    let mut encoder = Encoder::new();
    let bytes = encoder.encode(&short::Order { legs: vec![leg], id: 7 }).expect("it is small");
    let seen = cancel::Order::decode(&aligned(bytes)).expect("it is valid");
    assert_eq!(seen.legs[0].side, cancel::Side::Cancel);
    let error = cancel::Order::compare_layouts(&short::Order::OFFER).expect_err("tag 2 has two meanings");
    assert!(
        matches!(&error, WireError::Variant { of: "Side", tag: 2, expected: "Cancel", got, .. } if got == "Short")
    );
    let text = error.to_string();
    assert!(
        text.starts_with("Order: tag 2 of the enum Side is Cancel here and \"Short\" at the peer"),
        "{text}"
    );
    // An older reader refuses what it does not know.
    let refused = parent::Order::decode(&aligned(bytes)).expect_err("the parent has no tag 2").to_string();
    assert!(refused.contains("discriminant '2'"), "{refused}");
}

/// What the generated type of a message would offer. It lives as long as the test.
fn offer(contract: &Contract, type_id: u16) -> Option<Offer<'static>> {
    fn keep<T>(list: Vec<T>) -> &'static [T] {
        Vec::leak(list)
    }
    let text = |text: &str| -> &'static str { String::leak(text.to_owned()) };
    let model = Model::new(contract);
    let message = contract.message_by_id(type_id)?;
    let layouts = Model::versions(message).into_iter().map(|version| Layout {
        version,
        root_len: model.record(message.fields_of(version)).layout.size as u32,
        digest: model.layout_digest(message, version),
    });
    let enums = model.grown_enums(message).into_iter().map(|def| GrownEnum {
        name: text(&def.name),
        first: def.released() as u8,
        variants: keep(def.variants[def.released()..].iter().map(|v| text(&v.name)).collect()),
    });
    Some(Offer {
        name: text(&message.name),
        version: message.version,
        layouts: keep(layouts.collect()),
        enums: keep(enums.collect()),
    })
}

const BASE: &str = "schema: {id: mycelium.rows, version: 1}
domains: [d, e]
tag_ranges: {d: [1, 9], e: [10, 19]}
enums:
  Side: [Buy, Sell, Short: {since: 2}, Cover: {since: 3}]
  Kind: [At, {Limit: {fields: {price: f64, lots: u8}}}]
structs:
  Inner: {fields: {x: f64, y: f64}}
  Outer: {fields: {inner: Inner, side: Side}}
messages:
  Order:
    tlv_type: 1
    topic: orders
    domain: d
    version: 2
    fields:
      bid: f64
      ask: f64
      list: '[u8; 4]'
      maybe: u8
      kind: Kind
      outer: Vec<Outer>
      held: {type: u32, validation: {min: 1}, default: 1}
      later: {type: u8, since: 2, default: 1}
  Other: {tlv_type: 2, topic: others, domain: d, fields: {x: u8}}
";

/// The table of differences in `docs/wire.md`: what differs, and whether the offer and `breaking` find it.
#[test]
fn every_row_of_the_table_of_differences() {
    type Edit = &'static [(&'static str, &'static str)];
    let rows: [(Edit, bool, bool); 31] = [
        (&[("bid: f64", "offer: f64")], true, true),
        (&[("bid: f64", "bid: f32")], true, true),
        (&[("bid: f64\n      ask: f64", "ask: f64\n      bid: f64")], true, true),
        (&[("later: {", "more: {")], true, true),
        (&[("later: {type: u8", "later: {type: i8")], true, true),
        // A version between the two of the base brought nothing here, and a field there.
        (&[("version: 2", "version: 3"), ("since: 2, default: 1", "since: 3, default: 1")], true, true),
        (&[("[u8; 4]", "[u8; 3]")], true, true),
        (&[("maybe: u8", "maybe: Option<u8>")], true, true),
        (&[("Inner: {fields: {x: f64, y: f64}}", "Inner: {fields: {y: f64, x: f64}}")], true, true),
        (&[("Inner: {fields", "Pair: {fields"), ("inner: Inner", "inner: Pair")], true, true),
        (&[("  Kind: [", "  Sort: ["), ("kind: Kind", "kind: Sort")], true, true),
        (&[("Buy, Sell", "Sell, Buy")], true, true),
        (&[("Buy, Sell", "Buy, Sold")], true, true),
        (&[("price: f64, lots", "level: f64, lots")], true, true),
        (&[("At, {Limit", "On, {Limit")], true, true),
        (&[("Short: {since: 2}", "Cancel: {since: 2}")], true, true),
        (&[("Short: {since: 2}, Cover", "Cover: {since: 2}, Short")], true, true),
        (&[(", Cover: {since: 3}", ", Back: {since: 4}")], true, true),
        (&[(", Cover: {since: 3}", "")], false, true),
        (&[("Cover: {since: 3}", "Cover: {since: 3}, Back: {since: 4}")], false, false),
        (&[("Cover: {since: 3}", "Cover: {since: 4}")], false, false),
        (&[("  Order:", "  Trade:")], true, true),
        (&[("tlv_type: 1", "tlv_type: 3")], true, true),
        (&[("topic: orders", "topic: trades")], false, true),
        (&[("since: 2, default: 1", "since: 2, default: 2")], false, true),
        (&[("{min: 1}, default: 1", "{min: 1}, default: 2")], false, false),
        (&[("{min: 1}", "{max: 5}")], false, false),
        (&[("domains: [d, e]", "domains: {d: text, e: more}")], false, false),
        (&[("later: {", "later: {description: text, ")], false, false),
        (&[("id: mycelium.rows, version: 1", "id: mycelium.lines, version: 7")], false, false),
        (&[("x: u8}", "x: u16}")], false, true),
    ];
    let parse = |text: &str| Contract::parse(text, "t").unwrap_or_else(|errors| panic!("{errors}\n{text}"));
    let base = parse(BASE);
    let ours = offer(&base, 1).expect("it is there");
    assert_eq!(ours.enums.len(), 1, "it lies in a struct in a list");
    for (edits, offered, broken) in rows {
        let text = edits.iter().fold(BASE.to_owned(), |text, (from, to)| {
            assert_eq!(text.matches(from).count(), 1, "{from}");
            text.replace(from, to)
        });
        let changed = parse(&text);
        let differs = |ours: Offer<'static>, theirs: Option<Offer<'static>>| {
            theirs.is_none_or(|theirs| {
                assert_eq!(
                    ours.compare(&theirs).is_ok(),
                    theirs.compare(&ours).is_ok(),
                    "either side: {edits:?}"
                );
                ours.compare(&theirs).is_err()
            })
        };
        assert_eq!(differs(ours, offer(&changed, 1)), offered, "offer: {edits:?}");
        let breaks = |old: &Contract, new: &Contract| {
            breaking(old, new).iter().any(|change| change.severity == Severity::Breaking)
        };
        // Which branch is merged first does not matter, but a variant that one side lacks was removed only
        // from one side.
        let either = breaks(&base, &changed) || breaks(&changed, &base);
        let expected = broken || edits.iter().any(|(_, to)| to.contains("Back: {since: 4}"));
        assert_eq!(breaks(&base, &changed), broken, "breaking: {edits:?}");
        assert_eq!(either, expected, "breaking from either side: {edits:?}");
    }
}

#[test]
fn equal_digests_mean_that_nothing_differs() {
    let digests = [
        parent::Order::DIGEST,
        short::Order::DIGEST,
        cancel::Order::DIGEST,
        short_cover::Order::DIGEST,
        short_cancel::Order::DIGEST,
        field::Order::DIGEST,
        other_field::Order::DIGEST,
    ];
    for (at, digest) in digests.iter().enumerate() {
        assert!(!digests[at + 1..].contains(digest), "{digests:x?}");
    }
    assert_eq!(cancel::Order::DIGEST, cancel_later::Order::DIGEST);
    assert_eq!(raised::Order::DIGEST, parent::Order::DIGEST);
}

/// What peers of any kind may say. None of it is believed further than it goes.
#[test]
fn hostile_offers_are_answered() {
    let ours = short::Order::OFFER;
    let answer = |change: fn(Offer<'static>) -> Offer<'static>| short::Order::compare_layouts(&change(ours));
    assert_eq!(answer(|ours| ours), Ok(()));
    let other = answer(|ours| Offer { name: "Cancel", ..ours });
    assert!(matches!(other, Err(WireError::Name { message: "Order", got }) if got == "Cancel"));
    assert!(matches!(
        answer(|ours| Offer { layouts: &[], ..ours }),
        Err(WireError::NoCommonVersion { ours: 1, got: 1, .. })
    ));
    assert!(matches!(
        answer(|ours| Offer { version: 0, ..ours }),
        Err(WireError::NoCommonVersion { ours: 1, got: 0, .. })
    ));
    const LONGER: Layout = Layout { root_len: 24, ..short::Order::LAYOUTS[0] };
    assert!(matches!(
        answer(|ours| Offer { layouts: &[LONGER], ..ours }),
        Err(WireError::Version { got: 1, root_len_expected: Some(12), root_len_got: 24, .. })
    ));
    const DAMAGED: Layout = Layout { digest: 99, ..short::Order::LAYOUTS[0] };
    assert!(matches!(
        answer(|ours| Offer { layouts: &[DAMAGED], ..ours }),
        Err(WireError::Digest { version: 1, got: 99, .. })
    ));
    // An enum that we do not know, an empty one, one that begins elsewhere, one that comes twice.
    const NO_SIDE: &[GrownEnum<'static>] = &[GrownEnum { name: "Other", first: 0, variants: &["Short"] }];
    const EMPTY: &[GrownEnum<'static>] = &[GrownEnum { name: "Side", first: 255, variants: &[] }];
    const EARLIER: &[GrownEnum<'static>] =
        &[GrownEnum { name: "Side", first: 1, variants: &["Sell", "Short"] }];
    assert_eq!(answer(|ours| Offer { enums: NO_SIDE, ..ours }), Ok(()));
    assert_eq!(answer(|ours| Offer { enums: EMPTY, ..ours }), Ok(()));
    assert_eq!(answer(|ours| Offer { enums: EARLIER, ..ours }), Ok(()));
    const TWICE: &[GrownEnum<'static>] = &[
        GrownEnum { name: "Side", first: 2, variants: &["Short"] },
        GrownEnum { name: "Side", first: 2, variants: &["Cancel"] },
    ];
    assert!(matches!(answer(|ours| Offer { enums: TWICE, ..ours }), Err(WireError::Variant { tag: 2, .. })));
}
