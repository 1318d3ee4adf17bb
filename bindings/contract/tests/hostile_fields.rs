//! Mistakes in types, defaults, versions, definitions and rules, one row each.

mod common;

use common::{GOOD, check, check_fields, with, with_fields};
use mycelium_contract::{Code, Contract, limits};

#[test]
fn types() {
    check_fields(&[
        ("x: U64", "MYC0030 `U64` did you mean `u64`?"),
        ("x: string", "MYC0030 `string` did you mean `String`?"),
        ("x: float", "MYC0030 `float` did you mean `f64`?"),
        ("x: Portfolio", "MYC0030 `Portfolio` define it"),
        ("x: M", "MYC0030 `M`"),
        ("x: usize", "MYC0031 `usize` write `u64`"),
        ("x: char", "MYC0031 `char` String"),
        ("x: HashMap<String, u64>", "MYC0031 `HashMap<String, u64>` `Vec`"),
        ("x: Vec<BTreeMap<u8, u8>>", "MYC0031 `Vec<BTreeMap<u8, u8>>`"),
        ("x: Rc<u8>", "MYC0031 `Rc<u8>`"),
        ("x: u128", "MYC0031 `u128`"),
        ("x: Option<Option<u8>>", "MYC0033 `Option<Option<u8>>`"),
        ("x: Vec<Option<Option<u8>>>", "MYC0033 `Vec<Option<Option<u8>>>`"),
        ("x: Vec", "MYC0032 `Vec` need their type"),
        ("x: Vec<>", "MYC0032 `Vec<>`"),
        ("x: Vec<u8", "MYC0032 `Vec<u8` `>`"),
        ("x: Vec<u8>>", "MYC0032 `Vec<u8>>` left over"),
        ("x: u8 u8", "MYC0032 `u8 u8` left over"),
        ("x: ''", "MYC0032 `''`"),
        ("x:", "MYC0032 `:` nothing"),
        ("x: 7", "MYC0032 `7`"),
        ("x: [u8, 4]", "MYC0032 `[` with `;`"),
        ("x: [u8]", "MYC0032 `[` length"),
        ("x: [u8; n]", "MYC0032 `[` no array length"),
        ("x: [u8; -1]", "MYC0032 `[`"),
        ("x: [u8; 0]", "MYC0035 `[`"),
        ("x: [u8; 8193]", "MYC0035 `[` write `Vec<T>`"),
        ("x: [u8; 1_0]", "MYC0032 `[`"),
        ("x: [u8; 010]", "MYC0032 `[`"),
        ("x: [u8; 0x10]", "MYC0032 `[`"),
        ("x: [u8; 18446744073709551615]", "MYC0035 `[`"),
        ("x: [u8; 99999999999999999999999]", "MYC0032 `[`"),
        ("x: [[u8; 4]; 2]", "MYC0004 `;` between quotes"),
        ("x: {}", "MYC0011 `x` type"),
        ("x: {type: u8, defualt: 1}", "MYC0010 `defualt` did you mean `default`?"),
    ]);
    let array = format!("x: '{}u8{}'", "[".repeat(7), "; 8192]".repeat(7));
    check(&with_fields(&array), "MYC0003 `M` above 8192");
    let deep = |n: usize| format!("x: {}u8{}", "Vec<".repeat(n), ">".repeat(n));
    check_fields(&[
        (&deep(limits::TYPE_DEPTH_MAX - 1), ""),
        (&deep(limits::TYPE_DEPTH_MAX), "MYC0003 `Vec<Vec<Vec<Vec<Vec<Vec<` deeper"),
    ]);
    check_fields(&[
        (&deep(60), "MYC0003 `Vec<Vec` 302 bytes"),
        (&deep(10_000), "MYC0003 `Vec<Vec<Vec<Vec<Vec<Vec<`"),
    ]);
}

/// What is moved by value is small in memory, where texts and lists take more than on the wire.
#[test]
fn fixed_parts_are_bounded_as_they_are_in_memory() {
    check_fields(&[
        ("x: '[u8; 8192]'", ""),
        (
            "x: '[u8; 8191]'\ny: u16",
            "MYC0003 `M` the fixed part of `M` takes up to 8194 bytes in memory, above 8192",
        ),
        ("x: '[u64; 1024]'", ""),
        ("x: '[[u64; 1025]; 1]'", "MYC0003 `M` write `Vec<T>` or `Bytes`"),
        ("x: '[String; 341]'", ""),
        ("x: '[String; 342]'", "MYC0003 `M` 8208 bytes"),
        ("x: '[Bytes; 342]'", "MYC0003 `M` 8208 bytes"),
        ("x: '[Vec<u8>; 342]'", "MYC0003 `M` 8208 bytes"),
        ("x: '[Option<u64>; 512]'", ""),
        ("x: '[Option<u64>; 513]'", "MYC0003 `M` 8208 bytes"),
        ("x: '[Option<String>; 257]'", "MYC0003 `M` 8224 bytes"),
        ("x: Vec<[u8; 8192]>", ""),
        (
            "x: Vec<[u16; 4097]>",
            "MYC0003 `x` an element of `M.x` takes up to 8194 bytes in memory, above 8192",
        ),
        ("x: 'Option<Vec<Vec<[[u8; 4097]; 2]>>>'", "MYC0003 `x` an element of `M.x`"),
        ("x: '[Vec<[u16; 4097]>; 2]'", "MYC0003 `x` an element of `M.x`"),
        ("x: 'Vec<[[[[u8; 8192]; 8192]; 8192]; 8192]>'", "MYC0003 `x` an element of `M.x`"),
    ]);
    let nested = |definitions: &str, expect: &str| check(&with(definitions, GOOD), expect);
    nested("structs:\n  P: {fields: {x: '[u64; 1024]'}}\n", "");
    nested("structs:\n  P: {fields: {x: '[u64; 1024]', y: bool}}\n", "MYC0003 `P` 8200 bytes");
    nested("structs:\n  P: {fields: {x: 'Vec<[u16; 4097]>'}}\n", "MYC0003 `x` an element of `P.x`");
    nested("enums:\n  E: [A, {B: {fields: {x: '[u8; 8191]'}}}]\n", "");
    nested("enums:\n  E: [A, {B: {fields: {x: '[u8; 8192]'}}}]\n", "MYC0003 `E` 8193 bytes");
    nested("enums:\n  E: [A, {B: {fields: {x: 'Vec<[u16; 4097]>'}}}]\n", "MYC0003 `x` an element of `B.x`");
}

#[test]
fn numbers_have_one_notation() {
    for text in ["1_0", "0o17", "017", "0b1", "+1"] {
        for field in [
            format!("x: {{type: u8, default: {text}}}"),
            format!("x: {{type: f64, default: {text}}}"),
            format!("x: {{type: Decimal, default: {text}}}"),
            format!("x: {{type: U256, default: {text}}}"),
            format!("x: {{type: u8, validation: {{max: {text}}}}}"),
            format!("x: {{type: u8, validation: {{one_of: [{text}]}}}}"),
            format!("x: {{type: String, validation: {{max_length: {text}}}}}"),
            format!("x: {{type: u8, since: {text}}}"),
        ] {
            let errors = Contract::parse(&with_fields(&field), "t").unwrap_err();
            let codes: Vec<Code> = errors.list().iter().map(|error| error.code).collect();
            // Text to the YAML reader is no number for any of them.
            let other = [Code::BAD_NUMBER, Code::BAD_DEFAULT, Code::BAD_OPERAND, Code::BAD_SINCE];
            assert!(codes.len() == 1 && other.contains(&codes[0]), "{field}: {errors}");
            let message = with("", &GOOD.replace("tlv_type: 1", &format!("tlv_type: {text}")));
            assert!(Contract::parse(&message, "t").is_err(), "{message}");
        }
    }
    check_fields(&[
        ("x: {type: u8, default: 1_0}", "MYC0008 `1_0` write it as JSON does"),
        ("x: {type: u8, default: 0o17}", "MYC0008 `0o17` write it as JSON does"),
        ("x: {type: u8, default: 0xff}", ""),
        ("x: {type: U256, default: '0xff'}", ""),
        ("x: {type: U256, default: '1_0'}", "MYC0040 `'1_0'`"),
        ("x: {type: f64, default: 0x10}", "MYC0040 `0x10` write it in decimal"),
        ("x: {type: Decimal, default: 0x10}", "MYC0040 `0x10`"),
        ("x: {type: f64, default: 1e3}", ""),
        ("x: {type: u8, default: 1e2}", "MYC0040 `1e2` write an integer"),
        ("x: {type: u8, default: yes}", "MYC0040 `yes`"),
        ("x: {type: bool, default: yes}", "MYC0040 `yes` write true or false"),
        ("x: {type: f64, default: .inf}", "MYC0040 `.inf`"),
    ]);
}

#[test]
fn defaults() {
    check_fields(&[
        ("x: {type: u8, default: 256}", "MYC0040 `256` write an integer from 0 to 255"),
        ("x: {type: u8, default: -1}", "MYC0040 `-1`"),
        ("x: {type: u8, default: 1.5}", "MYC0040 `1.5` integer"),
        ("x: {type: u8, default: '1'}", "MYC0040 `'1'`"),
        ("x: {type: u8, default: }", "MYC0040 `:` nothing"),
        ("x: {type: bool, default: yes}", "MYC0040 `yes` true or false"),
        ("x: {type: bool, default: 1}", "MYC0040 `1`"),
        ("x: {type: f64, default: .nan}", "MYC0040 `.nan` finite"),
        ("x: {type: f64, default: .inf}", "MYC0040 `.inf` finite"),
        ("x: {type: f64, default: 1e999}", "MYC0040 `1e999` too large"),
        ("x: {type: f32, default: 1e300}", "MYC0040 `1e300` too large"),
        ("x: {type: String, default: 7}", "MYC0040 `7` quotes"),
        ("x: {type: String, default: 1e999}", "MYC0040 `1e999` quotes"),
        ("x: {type: String, default: -.inf}", "MYC0040 `-.inf` quotes"),
        ("x: {type: String, default: '1e999'}", ""),
        ("x: {type: u8, description: 1e999}", "MYC0007 `1e999` put it between quotes"),
        ("x: {type: Bytes, default: '0xfg'}", "MYC0040 `'0xfg'` hexadecimal"),
        ("x: {type: Bytes, default: '0xé'}", "MYC0040 `'0xé'` hexadecimal"),
        ("x: {type: Bytes, default: '0x+f'}", "MYC0040 `'0x+f'` hexadecimal"),
        (
            "x: {type: Timestamp, default: '2024-01-31T09:30:00.Z'}",
            "MYC0040 `'2024` `2024-01-31T09:30:00.Z` is no timestamp",
        ),
        ("x: {type: Timestamp, default: yesterday}", "MYC0040 `yesterday` UTC"),
        ("x: {type: Decimal, default: 1e5}", "MYC0040 `1e5` `1e5` is no Decimal"),
        ("x: {type: U256, default: -1}", "MYC0040 `-1` range"),
        ("x: {type: '[u8; 3]', default: [1, 2]}", "MYC0040 `[` 2 elements where the array has 3"),
        ("x: {type: Vec<u8>, default: [1, 256]}", "MYC0040 `256` 256"),
        ("x: {type: '[u8; 8000]', default: 0}", "MYC0040 `0` more than 1024 parts"),
        ("x: {type: u8, default: 5, validation: {max: 4}}", "MYC0041 `5` its own rule `max`"),
        ("x: {type: f64, default: 0, validation: {greater_than: 0}}", "MYC0041 `0` `greater_than`"),
        ("x: {type: String, default: '', validation: {not_empty: true}}", "MYC0041 `''` `not_empty`"),
        ("x: {type: String, default: 'é', validation: {ascii: true}}", "MYC0041 `'é'` `ascii`"),
        ("x: {type: Option<u8>, default: 5, validation: {one_of: [1, 2]}}", "MYC0041 `5` `one_of`"),
        ("x: {type: Vec<i8>, default: [1, 0], validation: {each: {not_zero: true}}}", "MYC0041 `[` `each`"),
        ("x: {type: I256, default: 1, validation: {max: -1}}", "MYC0041 `1` `max`"),
        ("x: {type: Decimal, default: 0.10, validation: {less_than: 0.1}}", "MYC0041 `0.10` `less_than`"),
    ]);
    let definitions =
        "enums:\n  E: [A, B]\n  D: [{C: {fields: {x: u8}}}, N]\nstructs:\n  P: {fields: {x: u8, y: i8}}\n";
    let field = |field: &str| with(definitions, &GOOD.replace("x: u8", &format!("f: {field}")));
    for good in [
        "{type: E, default: A}",
        "{type: D, default: N}",
        "{type: D, default: {C: {x: 1}}}",
        "{type: P, default: {y: 1, x: 2}}",
    ] {
        check(&field(good), "");
    }
    check(&field("{type: E, default: a}"), "MYC0040 `a` did you mean `A`?");
    check(&field("{type: E, default: Zebra}"), "MYC0040 `Zebra` write one of its variants: A, B");
    check(&field("{type: E, default: 0}"), "MYC0040 `0`");
    check(&field("{type: D, default: C}"), "MYC0040 `C` write `C: {x: ...}`");
    check(&field("{type: D, default: {C: {}}}"), "MYC0040 `{` `x` of `C` is missing");
    check(&field("{type: D, default: {C: {x: 1}, N: {}}}"), "MYC0040 `{` one variant");
    check(&field("{type: P, default: {x: 1}}"), "MYC0040 `{` `y` of `P` is missing");
    check(&field("{type: P, default: {x: 1, y: 1, z: 1}}"), "MYC0040 `z` its fields are: x, y");
    check(&field("{type: P, default: 7}"), "MYC0040 `7`");
}

#[test]
fn versions_of_fields() {
    check_fields(&[
        ("x: u8\ny: {type: u8, since: 2}", "MYC0042 `y` add `default:`"),
        ("x: u8\ny: {type: u8, since: 3, default: 0}", "MYC0043 `3` raise the message to `version: 3`"),
        ("x: u8\ny: {type: u8, since: 2, default: 0}\nz: u8", "MYC0043 `z` move it up"),
        (
            "x: {type: u8, since: 2, default: 0}\ny: u8",
            "MYC0043 `x` a message begins with a field of version 1",
        ),
        ("x: {type: Option<u8>, since: 2}", "MYC0043 `x` leave `since` out"),
        ("x: {type: u8, since: 0}", "MYC0043 `0`"),
        ("x: {type: u8, since: two}", "MYC0043 `two`"),
    ]);
    let nested = |text: &str| {
        check(&with("structs:\n  P: {fields: {x: {type: u8, since: 2, default: 0}}}\n", GOOD), text);
    };
    nested("MYC0043 `2` frozen");
    let variants = |list: &str, expect: &str| check(&with(&format!("enums:\n  E: {list}\n"), GOOD), expect);
    variants("{variants: [A, B: {since: 2}]}", "");
    variants("{variants: [A: {since: 2}, B]}", "MYC0043 `E` order");
    variants("{variants: [A, B: {since: 2, fields: {x: u8}}]}", "MYC0043 `E` frozen");
}

#[test]
fn definitions() {
    let enums = |text: &str| with(&format!("enums:\n  {text}\n"), GOOD);
    check(&enums("E: []"), "MYC0007 `[`");
    check(&enums("E:"), "MYC0007 `:` must be a list");
    check(&enums("E: {variants: A}"), "MYC0007 `A` list");
    check(&enums("E: [A, A]"), "MYC0014 `A`");
    check(&enums("E: [A, a]"), "MYC0012 `a` write `A`");
    check(&enums("E: [A, 1]"), "MYC0007 `1` an integer");
    check(&enums("E: [A, None]"), "MYC0013 `None`");
    check(&enums("E: [A, ALL]"), "MYC0013 `ALL`");
    check(&enums("E: [A, All]"), "");
    // Its line in the text of a digest would be that of a variant called `String`.
    let field = |name: &str| enums(&format!("E: [A, {{B: {{fields: {{x: u8, {name}: String}}}}}}]"));
    check(&field("variant"), "MYC0013 `variant` so no field of a variant can have this name");
    check(&field("variants"), "");
    check(&with("structs:\n  P: {fields: {variant: String}}\n", GOOD), "");
    check(&enums("E: [{A: {fields: {x: u8}, B: {}}}]"), "MYC0010 `B`");
    check(&enums("e: [A]"), "MYC0012 `e` write `E`");
    check(&enums("M: [A]"), "MYC0014 `M` the enum `M`");
    let many: Vec<String> = (0..257).map(|n| format!("V{n}")).collect();
    check(&enums(&format!("E: [{}]", many.join(", "))), "MYC0007 `[` 1 to 256");
    check(&enums(&format!("E: [{}]", many[..256].join(", "))), "");
    let data: Vec<String> = (0..247).map(|n| format!("{{V{n}: {{fields: {{x: u8}}}}}}")).collect();
    check(&enums(&format!("E: [{}]", data.join(", "))), "MYC0003 `E` 247 variants with fields");
    check(&enums(&format!("E: [{}, A, B, C]", data[..246].join(", "))), "");
    let structs = |text: &str| with(&format!("structs:\n  {text}\n"), GOOD);
    check(&structs("P: {x: u8}"), "MYC0011 `P` fields\nMYC0010 `x`");
    check(&structs("P: {fields: {}}"), "MYC0007 `{`");
    check(&with("enums:\n  P: [A]\nstructs:\n  P: {fields: {x: u8}}\n", GOOD), "MYC0014 `P`");
    check(&with("enums: 7\n", GOOD), "MYC0007 `7`");
    check(&with("enums:\nstructs:\n", GOOD), "");
}

#[test]
fn rules() {
    let on = |ty: &str, rules: &str| format!("x: {{type: {ty}, validation: {{{rules}}}}}");
    let misfits = [
        ("String", "min: 1"),
        ("bool", "max: 1"),
        ("u8", "finite: true"),
        ("f64", "multiple_of: 2"),
        ("f64", "one_of: [1.0]"),
        ("u8", "not_empty: true"),
        ("u8", "min_length: 1"),
        ("'[u8; 4]'", "max_length: 1"),
        ("Bytes", "ascii: true"),
        ("u8", "each: {min: 1}"),
        ("bool", "not_zero: true"),
        ("Option<String>", "min: 1"),
    ];
    for (ty, rule) in misfits {
        check_fields(&[(&on(ty, rule), &format!("MYC0050 `{rule}` does not fit"))]);
    }
    check_fields(&[
        (&on("Vec<u8>", "max: 1"), "MYC0050 `max` write `each: {max: ...}`"),
        (&on("u8", "mim: 1"), "MYC0010 `mim` did you mean `min`?"),
        ("x: {type: u8, validation: 7}", "MYC0007 `7`"),
        (&on("u8", "min: 300"), "MYC0051 `300` write an integer from 0 to 255"),
        (&on("u8", "min: x"), "MYC0051 `x`"),
        (&on("f64", "min: .nan"), "MYC0051 `.nan` finite"),
        (&on("i8", "multiple_of: 0"), "MYC0051 `0` above zero"),
        (&on("i8", "multiple_of: -2"), "MYC0051 `-2` above zero"),
        (&on("u8", "one_of: []"), "MYC0051 `[`"),
        (&on("u8", "one_of: 1"), "MYC0051 `1` a list"),
        (&on("u8", "one_of: [1, 1]"), "MYC0051 `1` twice"),
        (&on("String", "one_of: [a, 1]"), "MYC0051 `1`"),
        (&on("String", "min_length: -1"), "MYC0051 `-1`"),
        (&on("String", "max_length: 99999999999"), "MYC0051 `99999999999`"),
        (&on("String", "not_empty: 1"), "MYC0051 `1` true or false"),
        (&on("Vec<u8>", "each: {}"), "MYC0051 `{` holds no rule"),
        (&on("Vec<Vec<u8>>", "each: {each: {min: 1}}"), "MYC0051 `each` inside"),
        (&on("Vec<u8>", "each: {ascii: true}"), "MYC0050 `ascii` does not fit `u8`"),
    ]);
}

#[test]
fn rules_that_contradict_one_another() {
    let on = |ty: &str, rules: &str| format!("x: {{type: {ty}, validation: {{{rules}}}}}");
    check_fields(&[
        (&on("u8", "min: 5, max: 4"), "MYC0052 `{` no value of `u8` keeps `min` and `max`"),
        (&on("u8", "not_zero: true, max: 0"), "MYC0052 `{` no value of `u8` keeps `not_zero` and `max`"),
        (&on("u8", "multiple_of: 7, min: 1, max: 6"), "MYC0052 `{`"),
        (&on("u8", "multiple_of: 200, not_zero: true, less_than: 200"), "MYC0052 `{`"),
        (&on("f64", "greater_than: 1.7976931348623157e308, finite: true"), "MYC0052 `{`"),
        (&on("f64", "greater_than: 1.7976931348623157e308"), ""),
        (&on("f64", "min: 0, max: 0, not_zero: true"), "MYC0052 `{`"),
        (
            &on(
                "Decimal",
                "greater_than: 79228162514264337593543950334, less_than: 79228162514264337593543950335",
            ),
            "MYC0052 `{`",
        ),
        (
            &on(
                "Decimal",
                "greater_than: 7.9228162514264337593543950334, less_than: 7.9228162514264337593543950335",
            ),
            "MYC0052 `{`",
        ),
        (&on("Decimal", "greater_than: 79228162514264337593543950335"), "MYC0052 `{`"),
        (&on("Decimal", "less_than: -79228162514264337593543950335"), "MYC0052 `{`"),
        (&on("U256", "less_than: 0"), "MYC0052 `{`"),
        (&on("U256", "max: 0, not_zero: true"), "MYC0052 `{`"),
        (&on("U256", "greater_than: 4, less_than: 5"), "MYC0052 `{`"),
        (&on("U256", "greater_than: 4, less_than: 6"), ""),
        (&on("U256", &format!("greater_than: '0x{}'", "f".repeat(64))), "MYC0052 `{`"),
        (&on("I256", &format!("greater_than: '0x7{}'", "f".repeat(63))), "MYC0052 `{`"),
        (&on("I256", &format!("greater_than: '0x7{}e'", "f".repeat(62))), ""),
        (&on("I256", &format!("less_than: '-0x8{}'", "0".repeat(63))), "MYC0052 `{`"),
        (&on("I256", "greater_than: -1, less_than: 1, not_zero: true"), "MYC0052 `{`"),
        (&on("Timestamp", "multiple_of: 1000, greater_than: 0, less_than: 1000"), "MYC0052 `{`"),
        (&on("Option<u8>", "not_zero: true, max: 0"), "MYC0052 `{`"),
        (&on("Vec<u8>", "each: {not_zero: true, max: 0}"), "MYC0052 `{`"),
        (&on("String", "min_length: 1073741816"), ""),
        (&on("String", "min_length: 1073741817"), "MYC0052 `x` no `M.x` of length 1073741817 fits"),
        (&on("Vec<u64>", "min_length: 134217728"), "MYC0052 `x` lower `min_length`"),
        (&on("Vec<String>", "each: {min_length: 1073741824}"), "MYC0052 `x` no `M.x`"),
        (&on("u8", "greater_than: 255"), "MYC0052 `{`"),
        (&on("i64", "less_than: -9223372036854775808"), "MYC0052 `{`"),
        (&on("u8", "greater_than: 4, less_than: 5"), "MYC0052 `{`"),
        (&on("f64", "min: 1, less_than: 1"), "MYC0052 `{`"),
        (&on("f64", "min: 1, max: 1"), ""),
        (&on("Decimal", "min: 1.01, max: 1.001"), "MYC0052 `{`"),
        (&on("I256", "min: 1, max: -1"), "MYC0052 `{`"),
        (&on("u8", "min: 5, greater_than: 4"), "MYC0052 `{` on one side"),
        (&on("String", "min_length: 5, max_length: 4"), "MYC0052 `{` at least 5 and at most 4"),
        (&on("String", "not_empty: true, max_length: 0"), "MYC0052 `{`"),
        (&on("u8", "one_of: [1, 9], max: 5"), "MYC0052 `{` `one_of` breaks"),
    ]);
}
