//! The computed layouts against those of rkyv's own derive.

// The types are only measured, never made.
#![allow(dead_code)]

use std::mem::{align_of, offset_of, size_of};

use mycelium_contract::{Contract, Layout, Layouts};
use rkyv::Archive;

/// One `u64` after each small field, so that offsets tell sizes.
const CONTRACT: &str = "
schema: {id: a, version: 1}
domains: [d]
tag_ranges: {d: [1, 9]}
enums:
  Unit: [A, B]
  Data:
    variants:
      - None1
      - Small: { fields: { a: u8, b: u16 } }
      - Large: { fields: { a: u8, b: Option<u64>, c: String } }
  Bytewise:
    variants:
      - A: { fields: { a: u8 } }
      - B: { fields: { a: '[u8; 6]' } }
structs:
  Inner: { fields: { a: u8, b: u32, c: u8 } }
messages:
  Scalars:
    tlv_type: 1
    topic: t
    domain: d
    fields: { a: bool, b: u16, c: i8, d: u32, e: u8, f: f64, g: i16, h: f32, i: u8, j: '[u32; 3]', k: '[[u8; 3]; 3]', l: i64 }
  Options:
    tlv_type: 2
    topic: t
    domain: d
    fields: { a: Option<u8>, b: Option<u16>, c: Option<u32>, d: Option<u64>, e: 'Option<[u8; 5]>', f: Option<Unit>, g: Option<Inner>, h: Option<String>, i: Option<bool>, j: 'Option<U256>' }
  Lists:
    tlv_type: 3
    topic: t
    domain: d
    fields: { a: u8, b: String, c: u8, d: Vec<u64>, e: u8, f: Bytes, g: '[String; 2]', h: u8, i: Vec<Option<u64>> }
  Nested:
    tlv_type: 4
    topic: t
    domain: d
    fields: { a: u8, b: Inner, c: Unit, d: Data, e: u8, f: Bytewise, g: u8, h: '[Inner; 2]', i: U256 }
";

#[derive(Archive)]
#[repr(u8)]
enum Unit {
    A,
    B,
}

#[derive(Archive)]
enum Data {
    None1,
    Small { a: u8, b: u16 },
    Large { a: u8, b: Option<u64>, c: String },
}

#[derive(Archive)]
enum Bytewise {
    A { a: u8 },
    B { a: [u8; 6] },
}

#[derive(Archive)]
struct Inner {
    a: u8,
    b: u32,
    c: u8,
}

#[derive(Archive)]
struct U256([u64; 4]);

#[derive(Archive)]
#[repr(C)]
struct Scalars {
    a: bool,
    b: u16,
    c: i8,
    d: u32,
    e: u8,
    f: f64,
    g: i16,
    h: f32,
    i: u8,
    j: [u32; 3],
    k: [[u8; 3]; 3],
    l: i64,
}

#[derive(Archive)]
struct Options {
    a: Option<u8>,
    b: Option<u16>,
    c: Option<u32>,
    d: Option<u64>,
    e: Option<[u8; 5]>,
    f: Option<Unit>,
    g: Option<Inner>,
    h: Option<String>,
    i: Option<bool>,
    j: Option<U256>,
}

#[derive(Archive)]
struct Lists {
    a: u8,
    b: String,
    c: u8,
    d: Vec<u64>,
    e: u8,
    f: Vec<u8>,
    g: [String; 2],
    h: u8,
    i: Vec<Option<u64>>,
}

#[derive(Archive)]
struct Nested {
    a: u8,
    b: Inner,
    c: Unit,
    d: Data,
    e: u8,
    f: Bytewise,
    g: u8,
    h: [Inner; 2],
    i: U256,
}

fn layout_of<T: Archive>(fixed: bool) -> Layout {
    Layout { size: size_of::<T::Archived>() as u64, align: align_of::<T::Archived>() as u64, fixed }
}

macro_rules! check {
    ($layouts:expr, $contract:expr, $name:ident as $archived:ident, $fixed:literal, $($field:ident)+) => {
        let record = $layouts.record(&$contract.message(stringify!($name)).unwrap().fields);
        assert_eq!(record.layout, layout_of::<$name>($fixed), stringify!($name));
        assert_eq!(record.offsets, [$(offset_of!($archived, $field) as u64),+], stringify!($name));
    };
}

#[test]
fn layouts_are_those_of_rkyv() {
    let contract = Contract::parse(CONTRACT, "t").unwrap_or_else(|errors| panic!("{errors}"));
    let layouts = Layouts::of(&contract);
    assert_eq!(layouts.definition("Unit"), layout_of::<Unit>(true));
    assert_eq!(layouts.definition("Data"), layout_of::<Data>(false));
    assert_eq!(layouts.definition("Bytewise"), layout_of::<Bytewise>(true));
    assert_eq!(layouts.definition("Inner"), layout_of::<Inner>(true));
    check!(layouts, contract, Scalars as ArchivedScalars, true, a b c d e f g h i j k l);
    check!(layouts, contract, Options as ArchivedOptions, false, a b c d e f g h i j);
    check!(layouts, contract, Lists as ArchivedLists, false, a b c d e f g h i);
    check!(layouts, contract, Nested as ArchivedNested, false, a b c d e f g h i);
}
