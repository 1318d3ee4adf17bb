//! What changes a digest, and what breaks.

use mycelium_contract::{Contract, Digests, GrownEnums, Severity, breaking};

const OLD: &str = "
schema: {id: a, version: 1}
domains: [d, e]
tag_ranges: {d: [1, 9], e: [10, 19]}
enums:
  Side:
    variants:
      - Buy
      - Sell
  Shape:
    variants:
      - Empty
      - Circle: {fields: {radius: f64}}
  Unused: [A]
structs:
  Point: {fields: {x: u8, y: u8}}
  Line: {fields: {start: Point, stop: Point}}
  Idle: {fields: {x: u8}}
messages:
  Other: {tlv_type: 2, topic: o, domain: d, fields: {x: u8}}
  M:
    tlv_type: 1
    topic: t
    domain: d
    description: text
    version: 2
    fields:
      at: Timestamp
      bid: f64
      ask: {type: f64, validation: {min: 0}}
      side: Side
      shape: Shape
      points: Vec<Point>
      size: {type: u8, since: 2, default: 1}
";

fn parse(text: &str) -> Contract {
    Contract::parse(text, "t").unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

/// The contract with `from` replaced by `to`, which must be there once.
fn changed(from: &str, to: &str) -> Contract {
    assert_eq!(OLD.matches(from).count(), 1, "{from}");
    parse(&OLD.replace(from, to))
}

/// What peers compare of the last message, for each version.
fn digests(contract: &Contract) -> Vec<u64> {
    let digests = Digests::of(contract);
    let message = contract.messages.last().unwrap();
    (1..=message.version).map(|version| digests.layout(message, version)).collect()
}

/// What tells whether anything differs, for each version.
fn full_digests(contract: &Contract) -> Vec<u64> {
    let digests = Digests::of(contract);
    let message = contract.messages.last().unwrap();
    (1..=message.version).map(|version| digests.message(message, version)).collect()
}

#[test]
fn digests_do_not_move() {
    // Written down once, from an implementation in another language: a change here cuts every peer in the
    // field.
    let contract = parse(OLD);
    let message = contract.message("M").unwrap();
    let canonical = Digests::of(&contract).canonical(message, 1);
    assert_eq!(
        canonical,
        "mycelium layout 1\nmessage M\nat Timestamp\nbid f64\nask f64\nside Side#5d3c6d877cd17bb1\n\
         shape Shape#6bcc3b1e7842137e\npoints Vec<Point#d8d14fda1ccebb1d>\n"
    );
    assert_eq!(digests(&contract), [0x213d_ab88_018a_2444, 0xe049_bdf9_058c_71c0]);
    assert_eq!(full_digests(&contract), digests(&contract));
}

#[test]
fn digests_change_with_what_is_read_and_with_nothing_else() {
    let before = digests(&parse(OLD));
    let same = [
        ("tlv_type: 1", "tlv_type: 3"),
        ("topic: t", "topic: u"),
        ("description: text", "description: other"),
        ("description: text", "reply: Other"),
        ("description: text", "retain: {per: size}"),
        ("validation: {min: 0}", "validation: {max: 0}"),
        ("default: 1", "default: 2"),
        ("Unused: [A]", "Unused: [A, B]"),
        ("{type: u8, since: 2, default: 1}", "{type: u8, since: 2, default: 1, description: more}"),
    ];
    for (from, to) in same {
        assert_eq!(digests(&changed(from, to)), before, "{from} -> {to}");
        assert_eq!(full_digests(&changed(from, to)), before, "{from} -> {to}");
    }
    let both = [
        ("  M:", "  N:"),
        ("bid: f64", "bid: f32"),
        ("bid: f64", "bit: f64"),
        ("bid: f64\n      ask: {type: f64, validation: {min: 0}}", "ask: f64\n      bid: f64"),
        ("points: Vec<Point>", "points: Vec<Line>"),
        ("points: Vec<Point>", "points: '[Point; 2]'"),
        ("points: Vec<Point>", "points: Option<Point>"),
        ("- Sell", "- Short"),
        ("- Sell", "- Sell\n      - Short"),
        ("- Buy\n      - Sell", "- Sell\n      - Buy"),
        ("radius: f64", "radius: f32"),
        ("- Empty", "- Nothing"),
        ("Point: {fields: {x: u8, y: u8}}", "Point: {fields: {y: u8, x: u8}}"),
        ("Point: {fields: {x: u8, y: u8}}", "Point: {fields: {x: u8, y: u8, z: u8}}"),
    ];
    for (from, to) in both {
        let after = digests(&changed(from, to));
        assert!(after[0] != before[0] && after[1] != before[1], "{from} -> {to}");
    }
    // A later version leaves the earlier ones as they were.
    let after = digests(&changed("size: {type: u8,", "size: {type: u16,"));
    assert!(after[0] == before[0] && after[1] != before[1]);
    let grown = changed("version: 2\n", "version: 3\n");
    assert_eq!(digests(&grown)[..2], before);
}

/// What changes when `from` becomes `to`: `!kind subject` for breaking, `kind subject` for compatible.
fn check(from: &str, to: &str, expect: &[&str]) {
    let changes = breaking(&parse(OLD), &changed(from, to));
    let got: Vec<String> = changes
        .iter()
        .map(|c| {
            format!("{}{} {}", if c.severity == Severity::Breaking { "!" } else { "" }, c.kind, c.subject)
        })
        .collect();
    assert_eq!(got, expect, "{from} -> {to}\n{changes:#?}");
    for change in &changes {
        assert_eq!(change.severity == Severity::Breaking, !change.remedy.is_empty(), "{change}");
    }
}

#[test]
fn what_stays_is_no_change() {
    assert_eq!(breaking(&parse(OLD), &parse(OLD)), []);
    check("description: text", "description: other", &[]);
    check("domains: [d, e]", "domains: {d: text, e: more}", &[]);
    check("d: [1, 9]", "d: [1, 8]", &[]);
}

#[test]
fn messages() {
    check("tlv_type: 1", "tlv_type: 3", &["!type-id-changed M"]);
    check("topic: t", "topic: u", &["!topic-changed M"]);
    check("  M:", "  N:", &["!message-renamed M", "message-added N"]);
    check("  Other: {tlv_type: 2, topic: o, domain: d, fields: {x: u8}}\n", "", &["!message-removed Other"]);
    check("  M:", "  P: {tlv_type: 4, topic: o, domain: d, fields: {x: u8}}\n  M:", &["message-added P"]);
    check("version: 2\n", "version: 3\n", &["version-raised M"]);
    check(
        "tlv_type: 2, topic: o, domain: d",
        "tlv_type: 10, topic: o, domain: e",
        &["!type-id-changed Other", "domain-changed Other"],
    );
}

#[test]
fn answers() {
    check("description: text", "reply: Other", &["reply-added M"]);
    let asked = OLD.replace("description: text", "reply: Other");
    let against = |new: &str| {
        let changes = breaking(&parse(&asked), &parse(new));
        changes.iter().map(|c| format!("{c}")).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(against(&asked), "");
    assert!(against(OLD).starts_with("breaking[reply-removed]: M: the answer was `Other` and is gone\n"));
    let itself = OLD.replace("description: text", "reply: M");
    assert!(against(&itself).starts_with("breaking[reply-changed]: M: the answer was `Other` and is `M`\n"));
    // The other one renamed with it: the name of the answer is the news, besides that of the message.
    let renamed = asked.replace("Other", "Another");
    assert!(against(&renamed).contains("breaking[message-renamed]: Other"), "{}", against(&renamed));
}

#[test]
fn fields() {
    const LAST: &str = "      size: {type: u8, since: 2, default: 1}\n";
    const RAISED: &str = "version: 3\n    fields:\n      at: Timestamp\n      bid: f64\n      ask: {type: f64, validation: {min: 0}}\n      side: Side\n      shape: Shape\n      points: Vec<Point>\n      size: {type: u8, since: 2, default: 1}\n";
    let body = &OLD[OLD.find("version: 2\n").unwrap()..];
    check(
        body,
        &format!("{RAISED}      more: {{type: u8, since: 3, default: 0}}\n"),
        &["field-appended M.more"],
    );
    check(
        LAST,
        &format!("{LAST}      more: {{type: u8, since: 2, default: 0}}\n"),
        &["!field-since-too-low M.more"],
    );
    check(LAST, "", &["!field-removed M.size"]);
    check("      at: Timestamp\n", "", &["!field-removed M.at"]);
    check(
        "      at: Timestamp\n      bid: f64\n",
        "      bid: f32\n",
        &["!field-removed M.at", "!field-retyped M.bid"],
    );
    check("      at: Timestamp\n", "      first: u8\n      at: Timestamp\n", &["!field-inserted M.first"]);
    check(
        "bid: f64\n      ask: {type: f64, validation: {min: 0}}",
        "ask: {type: f64, validation: {min: 0}}\n      bid: f64",
        &["!field-moved M.bid", "!field-moved M.ask"],
    );
    check("bid: f64", "offer: f64", &["!field-renamed M.bid"]);
    check("bid: f64", "bid: f32", &["!field-retyped M.bid"]);
    check("bid: f64", "bid: Decimal", &["!field-retyped M.bid"]);
    check("bid: f64", "other: u8", &["!field-removed M.bid", "!field-inserted M.other"]);
    check("validation: {min: 0}", "validation: {min: 1}", &["validation-changed M.ask"]);
    // An older message lacks the field, and says by its absence what the default says.
    check("default: 1", "default: 2", &["!default-changed M.size"]);
    check("bid: f64", "bid: {type: f64, default: 1}", &["default-changed M.bid"]);
    let late = |ty: &str, default: &str| {
        let field = format!("{{type: {ty}, since: 2, default: {default}}}");
        let text = OLD.replace("{type: u8, since: 2, default: 1}", &field);
        parse(&text.replace("Idle: {fields: {x: u8}}", "Idle: {fields: {x: f64}}"))
    };
    let defaults = [
        ("f64", "0.0", "-0.0", false),
        ("f32", "0", "-0.0", false),
        ("Option<f64>", "0.0", "-0.0", false),
        ("'[f64; 2]'", "0.0", "[0.0, -0.0]", false),
        ("Idle", "{x: 0.0}", "{x: -0.0}", false),
        ("Decimal", "1.5", "1.50", false),
        ("f64", "1", "1.0", true),
        ("u8", "10", "0x0a", true),
        ("Timestamp", "0", "'1970-01-01'", true),
        ("'[u8; 2]'", "7", "[7, 7]", true),
        ("Point", "{x: 1, y: 2}", "{y: 2, x: 1}", true),
        ("Shape", "{Circle: {radius: 0.0}}", "{Circle: {radius: -0.0}}", false),
    ];
    for (ty, before, after, same) in defaults {
        let changes = breaking(&late(ty, before), &late(ty, after));
        let breaks = changes.iter().any(|change| change.severity == Severity::Breaking);
        assert_eq!(breaks, !same, "{ty}: {before} -> {after}: {changes:#?}");
    }
    check("{type: u8, since: 2, default: 1}", "{type: u8, default: 1}", &["!field-since-changed M.size"]);
}

/// The contract with each `from` replaced by its `to` wherever it stands.
fn renamed(from: &str, to: &str, expect: &[&str]) {
    let changes = breaking(&parse(OLD), &parse(&OLD.replace(from, to)));
    let got: Vec<String> = changes
        .iter()
        .map(|c| {
            assert_eq!(c.severity, Severity::Breaking, "{c}");
            format!("{} {}", c.kind, c.subject)
        })
        .collect();
    assert_eq!(got, expect, "{from} -> {to}\n{changes:#?}");
}

/// Names of types are in the digests: a renamed one cuts its messages, however deep it is.
#[test]
fn a_definition_in_use_keeps_its_name() {
    renamed("Side", "Direction", &["field-retyped M.side", "definition-renamed Side"]);
    renamed("Shape", "Figure", &["field-retyped M.shape", "definition-renamed Shape"]);
    renamed("Point", "Dot", &["field-retyped M.points", "definition-renamed Point"]);
    renamed("Line", "Segment", &[]);
    renamed("Unused", "Idler", &[]);
    let nested = OLD.replace("Vec<Point>", "Vec<Line>");
    let changes = breaking(&parse(&nested), &parse(&nested.replace("Point", "Dot")));
    let kinds: Vec<String> = changes.iter().map(|c| format!("{} {}", c.kind, c.subject)).collect();
    assert_eq!(kinds, ["definition-renamed Point", "field-retyped Line.start", "field-retyped Line.stop"]);
    assert!(changes[0].cause.contains("it is called `Dot` now"), "{}", changes[0]);
}

#[test]
fn nested_types() {
    check(
        "Point: {fields: {x: u8, y: u8}}",
        "Point: {fields: {x: u8, y: u8, z: u8}}",
        &["!struct-grown Point.z"],
    );
    check("Point: {fields: {x: u8, y: u8}}", "Point: {fields: {x: u8}}", &["!field-removed Point.y"]);
    check("Point: {fields: {x: u8, y: u8}}", "Point: {fields: {x: u8, z: u8}}", &["!field-renamed Point.y"]);
    check("Idle: {fields: {x: u8}}", "Idle: {fields: {x: u8, y: u8}}", &[]);
    check("Unused: [A]", "Unused: [B]", &[]);
    check("- Sell", "- Sell\n      - Short: {since: 2}", &["variant-appended Side.Short"]);
    check("- Sell", "- Sell\n      - Short", &["!variant-without-since Side.Short"]);
    check("- Sell", "- Short", &["!variant-changed Side.Sell"]);
    check(
        "- Buy\n      - Sell",
        "- Sell\n      - Buy",
        &["!variant-changed Side.Buy", "!variant-changed Side.Sell"],
    );
    check("- Sell", "- Sell: {since: 2}", &["!variant-since-changed Side.Sell"]);
    check("- Sell", "- Sell: {fields: {x: u8}}", &["!enum-kind-changed Side"]);
    check(
        "- Empty",
        "- Empty\n      - Square: {fields: {side: f64}}",
        &["!variant-changed Shape.Circle", "!variant-added Shape.Square"],
    );
    check(
        "- Circle: {fields: {radius: f64}}",
        "- Circle: {fields: {radius: f64, x: u8}}",
        &["!variant-grown Shape.Circle.x"],
    );
    check(
        "- Circle: {fields: {radius: f64}}",
        "- Circle: {fields: {radius: f32}}",
        &["!field-retyped Shape.Circle.radius"],
    );
}

#[test]
fn two_branches_that_give_one_tag_two_meanings_differ() {
    let parent = parse(OLD);
    let left = changed("- Sell", "- Sell\n      - Short: {since: 2}");
    let right = changed("- Sell", "- Sell\n      - Cancel: {since: 2}");
    assert_ne!(full_digests(&left), full_digests(&right));
    assert_ne!(full_digests(&left), full_digests(&parent));
    assert_eq!((digests(&left), digests(&right)), (digests(&parent), digests(&parent)));
    let later = |contract: &Contract| {
        let message = contract.messages.last().unwrap();
        let enums = GrownEnums::of(contract).in_message(message);
        enums
            .iter()
            .map(|def| (def.name.clone(), def.released(), def.variants[2].name.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(later(&parent), []);
    assert_eq!(later(&left), [("Side".to_owned(), 2, "Short".to_owned())]);
    assert_eq!(later(&right), [("Side".to_owned(), 2, "Cancel".to_owned())]);
    let breaks = |old, new| breaking(old, new).iter().any(|c| c.severity == Severity::Breaking);
    assert!(!breaks(&parent, &left) && !breaks(&parent, &right));
    assert!(breaks(&left, &right) && breaks(&right, &left));
}

/// Grown enums are found wherever they are, and nowhere else.
#[test]
fn a_grown_enum_is_found_at_any_depth() {
    let text = OLD.replace("- Sell", "- Sell\n      - Short: {since: 2}");
    let of = |from: &str, to: &str| {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        let contract = parse(&text.replace(from, to));
        let message = contract.messages.last().unwrap();
        GrownEnums::of(&contract).in_message(message).iter().map(|def| def.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(of("side: Side", "side: u8"), [""; 0]);
    for ty in ["Vec<Side>", "Option<Side>", "'[Side; 3]'", "'Vec<Option<[Side; 2]>>'"] {
        assert_eq!(of("side: Side", &format!("side: {ty}")), ["Side"], "{ty}");
    }
    let inside = |from: &str, to: &str| {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        let contract = parse(&text.replace("      side: Side\n", "").replace(from, to));
        let message = contract.messages.last().unwrap();
        GrownEnums::of(&contract).in_message(message).len()
    };
    assert_eq!(inside("radius: f64", "radius: f64"), 0);
    assert_eq!(inside("radius: f64", "radius: f64, side: Side"), 1);
    assert_eq!(inside("Point: {fields: {x: u8", "Point: {fields: {x: Vec<Side>"), 1);
    assert_eq!(inside("Idle: {fields: {x: u8}}", "Idle: {fields: {x: Side}}"), 0);
}
