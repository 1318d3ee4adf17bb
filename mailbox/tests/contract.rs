//! Contracts that are loaded at run time: which tables are read, what they say of messages, and that bytes
//! are a value of one exactly if rkyv and the type say so.

use mycelium_mailbox::Message;
use mycelium_mailbox::scalar::{Decimal, I256, Timestamp, U256};
use mycelium_mailbox::wire::{
    Contract, Encoder, Entry, GrownEnum, Layout, Messages, Untyped, Visitor, Wire, WireError, decode_layout,
    entries, unknown_version,
};
use mycelium_random::{Random, cases, seed};

/// Random values, each damaged in some ways.
const CASES: u64 = 1_500;

const TABLE: &str = "mycelium contract 1
schema acme.trading 3
enum Side
variant Buy 1
variant Sell 1
variant Both 2
enum Kind
variant Market 1
variant Limit 1
field price 1 Decimal
field post_only 1 bool
variant Note 1
field text 1 String
struct Leg
field symbol 1 String
field ratio 1 i16
field side 1 Side
struct Point
field x 1 u16
field y 1 u16
message Order 7 2 orders
field id 1 u64
field side 1 Side
field kind 1 Kind
field legs 1 Vec<Leg>
field note 1 Option<String>
field tags 1 Vec<String>
field amount 1 U256
field balance 1 I256
field at 1 Timestamp
field flags 1 [bool; 3]
field grid 1 [[Point; 2]; 2]
field blob 1 Bytes
field price 1 Option<Decimal>
field moves 2 Vec<f64>
message Tick 3 1 ticks
field price 1 f64
field size 1 u32
field last 1 Option<u16>
message Empty 9 4 nothing
";

mod order {
    use super::{Decimal, I256, Timestamp, U256};
    use rkyv::{Archive, Deserialize, Serialize};

    #[derive(Clone, Debug, PartialEq, Archive, Serialize, Deserialize)]
    pub(super) enum Side {
        Buy,
        Sell,
        Both,
    }

    #[derive(Clone, Debug, PartialEq, Archive, Serialize, Deserialize)]
    pub(super) enum Kind {
        Market,
        Limit { price: Decimal, post_only: bool },
        Note { text: String },
    }

    #[derive(Clone, Debug, PartialEq, Archive, Serialize, Deserialize)]
    pub(super) struct Leg {
        pub(super) symbol: String,
        pub(super) ratio: i16,
        pub(super) side: Side,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Archive, Serialize, Deserialize)]
    pub(super) struct Point {
        pub(super) x: u16,
        pub(super) y: u16,
    }

    macro_rules! order {
        ($name:ident $(, $more:ident: $type:ty)?) => {
            #[derive(Clone, Debug, PartialEq, Archive, Serialize, Deserialize)]
            pub(super) struct $name {
                pub(super) id: u64,
                pub(super) side: Side,
                pub(super) kind: Kind,
                pub(super) legs: Vec<Leg>,
                pub(super) note: Option<String>,
                pub(super) tags: Vec<String>,
                pub(super) amount: U256,
                pub(super) balance: I256,
                pub(super) at: Timestamp,
                pub(super) flags: [bool; 3],
                pub(super) grid: [[Point; 2]; 2],
                pub(super) blob: Vec<u8>,
                pub(super) price: Option<Decimal>,
                $(pub(super) $more: $type,)?
            }
        };
    }

    order!(First);
    order!(Order, moves: Vec<f64>);
}
use order::{First, Kind, Leg, Order, Point, Side};

#[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
struct Tick {
    price: f64,
    size: u32,
    last: Option<u16>,
}

/// FNV-1a over the text of `docs/wire.md`, "Digests".
const fn digest(text: &str) -> u64 {
    let (bytes, mut hash, mut at) = (text.as_bytes(), 0xcbf2_9ce4_8422_2325_u64, 0);
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x100_0000_01b3);
        at += 1;
    }
    hash
}

/// The digests of an order's version, with as many variants of `Side` and with these further fields.
fn order_digest(sides: &[&str], more: &str) -> u64 {
    let variants: String = sides.iter().map(|side| format!("variant {side}\n")).collect();
    let side = digest(&format!("enum Side\n{variants}"));
    let kind = digest(
        "enum Kind\nvariant Market\nvariant Limit\nprice Decimal\npost_only bool\nvariant Note\ntext String\n",
    );
    let leg = digest(&format!("struct Leg\nsymbol String\nratio i16\nside Side#{side:016x}\n"));
    let point = digest("struct Point\nx u16\ny u16\n");
    digest(&format!(
        "mycelium layout 1\nmessage Order\nid u64\nside Side#{side:016x}\nkind Kind#{kind:016x}\nlegs Vec<Leg#{leg:016x}>\n\
         note Option<String>\ntags Vec<String>\namount U256\nbalance I256\nat Timestamp\nflags [bool; 3]\n\
         grid [[Point#{point:016x}; 2]; 2]\nblob Bytes\nprice Option<Decimal>\n{more}"
    ))
}

impl Message for Order {
    const NAME: &'static str = "Order";
    const TYPE_ID: u16 = 7;
    const TOPIC: &'static str = "orders";
    const VERSION: u16 = 2;
}

impl Wire for Order {
    // Root lengths are what matters here; the digests are compared with `order_digest`.
    const LAYOUTS: &'static [Layout] = &[
        Layout { version: 1, root_len: size_of::<rkyv::Archived<First>>() as u32, digest: 0 },
        Layout { version: 2, root_len: Self::ROOT_LEN, digest: 0 },
    ];
    const ENUMS: &'static [GrownEnum<'static>] = &[GrownEnum { name: "Side", first: 2, variants: &["Both"] }];

    fn upgrade(bytes: &[u8], version: u16) -> Result<Self, WireError> {
        if version != 1 {
            return Err(unknown_version::<Self>(version));
        }
        let First { id, side, kind, legs, note, tags, amount, balance, at, flags, grid, blob, price } =
            decode_layout(Self::NAME, bytes)?;
        let moves = Vec::new();
        Ok(Self { id, side, kind, legs, note, tags, amount, balance, at, flags, grid, blob, price, moves })
    }
}

impl Message for Tick {
    const NAME: &'static str = "Tick";
    const TYPE_ID: u16 = 3;
    const TOPIC: &'static str = "ticks";
}

impl Wire for Tick {
    const LAYOUTS: &'static [Layout] = &[Layout {
        version: 1,
        root_len: Self::ROOT_LEN,
        digest: digest("mycelium layout 1\nmessage Tick\nprice f64\nsize u32\nlast Option<u16>\n"),
    }];
    const FIXED: bool = true;
}

fn contract() -> Contract {
    Contract::parse(TABLE).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_table_says_of_messages_what_their_types_say() {
    let contract = contract();
    let order = contract.message(7).expect("it is in the table");
    assert_eq!((order.type_id(), order.name(), order.topic()), (7, "Order", "orders"));
    let offer = order.offer();
    assert_eq!((offer.name, offer.version, offer.enums), (Order::NAME, Order::VERSION, Order::ENUMS));
    let expected: Vec<Layout> = [(0, ""), (1, "moves Vec<f64>\n")]
        .map(|(at, more)| Layout { digest: order_digest(&["Buy", "Sell"], more), ..Order::LAYOUTS[at] })
        .into();
    assert_eq!(offer.layouts, expected);
    assert_eq!(order.digest(), order_digest(&["Buy", "Sell", "Both"], "moves Vec<f64>\n"));

    let tick = contract.message(3).expect("it is in the table");
    assert_eq!(tick.offer(), Tick::OFFER);
    assert_eq!(tick.offer().compare(&Tick::OFFER), Ok(()));
    assert_eq!(tick.digest(), Tick::LAYOUTS[0].digest);
    let empty = contract.message(9).expect("a message may have no fields");
    assert_eq!((empty.offer().version, empty.offer().layouts[0].root_len), (4, 0));
    assert_eq!(empty.check(&[], 4, 0), Ok(()));
    assert!(contract.message(8).is_none() && contract.message(0).is_none());
}

#[test]
fn digests_find_types_whose_names_are_parts_of_other_words() {
    let table = "mycelium contract 1\nschema s 1\nenum Op\nvariant A 1\nstruct V\nfield x 1 u8\nstruct O\nfield x 1 u8\n\
                 message M 1 1 t\nfield a 1 Option<Op>\nfield b 1 Vec<V>\nfield c 1 [Option<O>; 2]\n";
    let contract = Contract::parse(table).unwrap_or_else(|error| panic!("{error}"));
    let op = digest("enum Op\nvariant A\n");
    let [v, o] = ["V", "O"].map(|name| digest(&format!("struct {name}\nx u8\n")));
    let expected = digest(&format!(
        "mycelium layout 1\nmessage M\na Option<Op#{op:016x}>\nb Vec<V#{v:016x}>\nc [Option<O#{o:016x}>; 2]\n"
    ));
    assert_eq!(contract.message(1).expect("it is in the table").digest(), expected);
}

#[test]
fn a_contract_shows_its_messages_by_rising_type_id() {
    struct Seen(Vec<(u16, &'static str)>);
    impl Visitor for Seen {
        fn typed<M: Wire>(&mut self) {
            unreachable!("{} has no type here", M::NAME);
        }
        fn untyped(&mut self, message: Untyped) {
            self.0.push((message.type_id(), message.name()));
        }
    }
    let mut seen = Seen(Vec::new());
    contract().each(&mut seen);
    assert_eq!(seen.0, [(3, "Tick"), (7, "Order"), (9, "Empty")]);
    // Entries are those of types, and there are none.
    assert!(entries(&contract()).is_empty());
    let shown = format!("{:?}", contract());
    assert!(shown.contains(r#"Untyped { type_id: 3, name: "Tick", topic: "ticks" }"#), "{shown}");
}

#[test]
fn an_entry_does_with_bytes_what_its_type_does() {
    struct Both;
    impl Messages for Both {
        fn each<V: Visitor>(&self, visitor: &mut V) {
            visitor.typed::<Order>();
            visitor.typed::<Tick>();
        }
    }
    let all = entries(&Both);
    assert_eq!(all.iter().map(|entry| entry.name).collect::<Vec<_>>(), ["Order", "Tick"]);
    let entry = Entry::of::<Tick>();
    assert_eq!((entry.type_id, entry.topic, entry.root_len, entry.fixed), (3, "ticks", Tick::ROOT_LEN, true));
    assert_eq!((entry.offer, entry.digest), (Tick::OFFER, Tick::DIGEST));
    assert!(format!("{entry:?}").starts_with(r#"Entry { type_id: 3, name: "Tick", topic: "ticks""#));

    let (tick, mut encoder) = (Tick { price: 1.5, size: 2, last: Some(3) }, Encoder::new());
    let bytes = entry.encode(&tick, &mut encoder).expect("it is a tick").unwrap();
    assert_eq!(bytes, encoder.encode(&tick).unwrap());
    assert!(entry.encode(&1_u64, &mut encoder).is_none(), "that is no tick");
    let bytes = aligned(&bytes);
    assert_eq!(entry.validate(&bytes, 1, entry.root_len), Ok(()));
    let decoded = entry.decode(&bytes, 1, entry.root_len).unwrap();
    assert_eq!(decoded.downcast_ref::<Tick>(), Some(&tick));
    let error = entry.validate(&bytes, 1, 5).unwrap_err();
    assert!(std::error::Error::source(&error).is_some_and(|source| source.to_string() == error.to_string()));
    assert!(entry.decode(&bytes[..3], 1, entry.root_len).is_err());
}

fn text(rng: &mut Random) -> String {
    rng.pick(&[
        "",
        "X",
        "8 bytes!",
        "9 bytes !",
        "a text that lies elsewhere",
        "\u{20ac}",
        "\u{1f344}\u{1f344}\u{1f344}",
    ])
    .to_owned()
}

/// Up to three values.
fn some<T>(rng: &mut Random, mut value: impl FnMut(&mut Random) -> T) -> Vec<T> {
    (0..rng.below(4)).map(|_| value(rng)).collect()
}

fn decimal(rng: &mut Random) -> Decimal {
    let any = i128::from(rng.next_u64());
    let mantissa = rng.pick(&[0, 1, -1, 1 << 64, -(1 << 95), any]);
    Decimal::new(mantissa, rng.below(29) as u8).expect("it has at most 96 bits")
}

fn limbs(rng: &mut Random) -> [u64; 4] {
    [0; 4].map(|_| rng.next_u64())
}

fn side(rng: &mut Random) -> Side {
    rng.pick(&[Side::Buy, Side::Sell, Side::Both])
}

fn first(rng: &mut Random) -> First {
    let kind = match rng.below(3) {
        0 => Kind::Market,
        1 => Kind::Limit { price: decimal(rng), post_only: rng.chance(50) },
        _ => Kind::Note { text: text(rng) },
    };
    let point = |rng: &mut Random| Point { x: rng.next_u64() as u16, y: rng.next_u64() as u16 };
    First {
        id: rng.next_u64(),
        side: side(rng),
        kind,
        legs: some(rng, |rng| Leg { symbol: text(rng), ratio: rng.next_u64() as i16, side: side(rng) }),
        note: rng.chance(50).then(|| text(rng)),
        tags: some(rng, text),
        amount: U256::from_limbs(limbs(rng)),
        balance: I256::from_limbs(limbs(rng)),
        at: Timestamp::from_nanos(rng.next_u64() as i64),
        flags: [0; 3].map(|_| rng.chance(50)),
        grid: [0; 2].map(|_| [0; 2].map(|_| point(rng))),
        blob: some(rng, |rng| rng.next_u64() as u8),
        price: rng.chance(50).then(|| decimal(rng)),
    }
}

/// As frames bring them: at a multiple of eight.
fn aligned(bytes: &[u8]) -> rkyv::util::AlignedVec<16> {
    let mut aligned = rkyv::util::AlignedVec::<16>::new();
    aligned.extend_from_slice(bytes);
    aligned
}

/// The verdict of the table, which is that of rkyv and the type.
fn verdict<M: Wire>(untyped: &Untyped, bytes: &[u8], version: u16, root_len: u32) -> bool {
    let ours = untyped.check(bytes, version, root_len);
    let theirs = M::decode_version(&aligned(bytes), version, root_len).map(drop);
    match (&ours, &theirs) {
        // The causes are worded by different programs.
        (Err(WireError::Invalid { cause, .. }), Err(WireError::Invalid { .. })) => assert!(!cause.is_empty()),
        _ => assert_eq!(ours, theirs, "version {version}, root {root_len}: {bytes:02x?}"),
    }
    ours.is_ok()
}

fn damaged<M: Wire>(untyped: &Untyped, bytes: &[u8], version: u16, rng: &mut Random) -> (u32, u32) {
    let root_len = untyped.offer().layouts[usize::from(version) - 1].root_len;
    assert!(verdict::<M>(untyped, bytes, version, root_len));
    let (mut sound, mut refused) = (0, 0);
    let mut count = |is_sound| if is_sound { sound += 1 } else { refused += 1 };
    // One byte of the root or of what lies before it.
    for _ in 0..12 {
        let mut bytes = bytes.to_vec();
        let root = bytes.len() - root_len as usize;
        let at = if rng.chance(70) { root + rng.index(root_len as usize) } else { rng.index(bytes.len()) };
        let near = bytes[at].wrapping_add(rng.pick(&[1, 4, 8, 0xff, 0xfc, 0xf8]));
        bytes[at] = rng.pick(&[near, 0, 1, 2, 3, 29, 0x7f, 0x80, 0x89, 0xbf, 0xc0, 0xff]);
        count(verdict::<M>(untyped, &bytes, version, root_len));
    }
    let mut bytes = bytes.to_vec();
    match rng.below(4) {
        0 => bytes.truncate(rng.index(bytes.len() + 1)),
        1 => bytes.extend(rng.bytes(9)),
        2 => drop(bytes.splice(0..0, vec![0; rng.pick(&[1, 4, 8])])),
        _ => {}
    }
    count(verdict::<M>(untyped, &bytes, version, root_len));
    let version = rng.pick(&[0, 1, 2, 3, u16::MAX]);
    let roots = [root_len, 0, root_len + 8, root_len.saturating_sub(4), bytes.len() as u32, u32::MAX];
    count(verdict::<M>(untyped, &bytes, version, rng.pick(&roots)));
    (sound, refused)
}

#[test]
fn bytes_are_a_value_exactly_if_the_type_says_so() {
    let (contract, rng) = (contract(), &mut Random::new(seed()));
    let (order, tick) =
        (contract.message(7).expect("in the table"), contract.message(3).expect("in the table"));
    let (mut encoder, mut sound, mut refused) = (Encoder::new(), 0, 0);
    for _ in 0..cases(CASES) {
        let first = first(rng);
        let moves = some(rng, |rng| f64::from_bits(rng.next_u64()));
        let bytes = rkyv::api::high::to_bytes::<rkyv::rancor::Error>(&first).expect("it fits");
        let counts = [
            damaged::<Order>(&order, &bytes, 1, rng),
            damaged::<Order>(&order, encoder.encode(&newest(first, moves)).expect("it fits"), 2, rng),
            damaged::<Tick>(
                &tick,
                encoder
                    .encode(&Tick { price: 0.0, size: 1, last: rng.chance(50).then_some(7) })
                    .expect("it fits"),
                1,
                rng,
            ),
        ];
        sound += counts.iter().map(|(sound, _)| sound).sum::<u32>();
        refused += counts.iter().map(|(_, refused)| refused).sum::<u32>();
    }
    assert!(sound > 0 && refused > 0, "some damage does no harm ({sound}), some does ({refused})");
}

fn newest(first: First, moves: Vec<f64>) -> Order {
    let First { id, side, kind, legs, note, tags, amount, balance, at, flags, grid, blob, price } = first;
    Order { id, side, kind, legs, note, tags, amount, balance, at, flags, grid, blob, price, moves }
}

#[test]
fn what_is_wrong_with_bytes_is_said_with_its_place() {
    let table = "mycelium contract 1\nschema s 1\nenum Side\nvariant Buy 1\nvariant Sell 1\n";
    let check = |field: &str, bytes: &[u8], root_len: u32| {
        let table = format!("{table}message M 1 1 t\nfield x 1 {field}\n");
        let contract = Contract::parse(&table).unwrap_or_else(|error| panic!("{error}"));
        match contract.message(1).expect("in the table").check(bytes, 1, root_len) {
            Err(WireError::Invalid { message: "M", cause }) => cause,
            other => panic!("{field}: {other:?}"),
        }
    };
    let long = |len: u8, offset: i32| {
        let mut bytes = vec![b'a'; 16];
        bytes.extend([len | 0x80, 0, 0, 0]);
        bytes.extend(offset.to_le_bytes());
        bytes
    };
    let list = |offset: i32, count: u32| {
        let mut bytes = vec![0; 16];
        bytes.extend(offset.to_le_bytes());
        bytes.extend(count.to_le_bytes());
        bytes
    };
    for (field, bytes, root_len, cause) in [
        ("bool", vec![2], 1, "a bool at byte 0 is 0x02"),
        ("Option<u8>", vec![2, 0], 2, "the tag of an option at byte 0 is 0x02"),
        ("Side", vec![2], 1, "the tag of Side at byte 0 is 2, of 2"),
        ("[bool; 2]", vec![1, 3], 2, "a bool at byte 1 is 0x03"),
        ("u32", vec![0; 5], 4, "it is of fixed size, and 1 bytes are too many"),
        (
            "String",
            b"ab\xc0\xff\xff\xff\xff\xff".to_vec(),
            8,
            "a text at byte 0 is no UTF-8 from its byte 2 on",
        ),
        ("String", long(8, -16), 8, "a text at byte 16 lies elsewhere although it has 8 bytes"),
        ("String", long(9, -17), 8, "the offset at byte 16 leads to what is not between bytes 0 and 16"),
        ("String", long(9, -8), 8, "the offset at byte 16 leads to what is not between bytes 0 and 16"),
        ("String", long(9, i32::MIN), 8, "the offset at byte 16 leads to what is not between bytes 0 and 16"),
        ("Vec<u16>", list(-15, 1), 8, "the offset at byte 16 leads to byte 1, no multiple of 2"),
        ("Vec<u16>", list(-16, 9), 8, "the offset at byte 16 leads to what is not between bytes 0 and 16"),
        (
            "Vec<u64>",
            list(-16, u32::MAX),
            8,
            "the offset at byte 16 leads to what is not between bytes 0 and 16",
        ),
        ("Vec<u32>", vec![0; 9], 8, "the root starts at byte 1, which is no multiple of 4"),
    ] {
        assert_eq!(check(field, &bytes, root_len), cause, "{field}");
    }
    let scale = [vec![0; 12], vec![29, 0, 0, 0]].concat();
    assert_eq!(check("Decimal", &scale, 16), "a decimal at byte 0 has scale 29, sign 0 and 00 00 behind it");
    for wrong in [[0, 1, 0, 0], [0, 2, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]] {
        check("Decimal", &[vec![0; 12], wrong.to_vec()].concat(), 16);
    }
}

#[test]
fn a_byte_is_claimed_once() {
    let table = "mycelium contract 1\nschema s 1\nmessage M 1 1 t\nfield a 1 Bytes\nfield b 1 Bytes\n";
    let message = Contract::parse(table).unwrap().message(1).expect("in the table");
    let value = |first: i32, second: i32| {
        let mut bytes = vec![0; 8];
        for (offset, count) in [(first, 4_u32), (second, 4)] {
            bytes.extend(offset.to_le_bytes());
            bytes.extend(count.to_le_bytes());
        }
        message.check(&bytes, 1, 16)
    };
    // The cells are at bytes 8 and 16.
    assert_eq!(value(-8, -12), Ok(()), "bytes 0 to 4, and 4 to 8");
    assert!(value(-8, -16).is_err() && value(-8, -13).is_err() && value(-4, -16).is_err());
}

const HEAD: &str = "mycelium contract 1\nschema a.b 1\n";

/// The table with these lines is refused at this line.
fn refused(lines: &str, line: usize, cause: &str) {
    let error = Contract::parse(&format!("{HEAD}{lines}")).expect_err(cause);
    assert_eq!(error.line, line, "{error}");
    assert!(error.cause.contains(cause), "{error}, expected: {cause}");
}

fn nested(structs: usize) -> String {
    let of = |at| if at == 0 { "u8".to_owned() } else { format!("D{}", at - 1) };
    (0..structs).map(|at| format!("struct D{at}\nfield x 1 {}\n", of(at))).collect()
}

#[test]
fn tables_end_at_their_limits() {
    let fields = |count: usize| (0..count).map(|at| format!("field f{at} 1 u8\n")).collect::<String>();
    let variants = |count: usize| (0..count).map(|at| format!("variant V{at} 1\n")).collect::<String>();
    let structs =
        |count: usize| (0..count).map(|at| format!("struct S{at}\nfield x 1 u8\n")).collect::<String>();
    let messages =
        |count: usize| (0..count).map(|at| format!("message M{at} {at} 1 t\n")).collect::<String>();
    let of = |ty: &str| format!("message A 1 1 t\nfield x 1 {ty}\n");
    let lists = |count: usize| of(&format!("{}u8{}", "Vec<".repeat(count), ">".repeat(count)));
    let names = |len: usize| format!("struct {0}\nfield {0} 1 u8\n", "n".repeat(len));
    let topic = |len: usize| format!("message A 65535 65535 {}\n", "t".repeat(len));
    let full = "too many definitions or messages";
    for (within, beyond, line, cause) in [
        (nested(16), nested(17), 36, "D16 nests more than 16 definitions"),
        (of("u8") + &fields(255), of("u8") + &fields(256), 260, "at most 256 fields"),
        (
            format!("enum E\n{}", variants(256)),
            format!("enum E\n{}", variants(257)),
            260,
            "at most 256 variants",
        ),
        (lists(8), lists(9), 4, "is no type"),
        (of("[u8; 8192]"), of("[u8; 8193]"), 4, "is no type"),
        (of("[u8; 1]"), of("[u8; 0]"), 4, "is no type"),
        (of("[[u8; 4096]; 2]"), of("[[u8; 4097]; 2]"), 4, "a record takes more than 8192 bytes"),
        (names(64), names(65), 3, "is no name of at most 64 letters and digits"),
        (topic(64), topic(65), 3, "a topic of at most 64 bytes"),
        (structs(2_048), structs(2_049), 2 + 2 * 2_048 + 1, full),
        (messages(4_096), messages(4_097), 2 + 4_096 + 1, full),
    ] {
        assert!(Contract::parse(&format!("{HEAD}{within}")).is_ok(), "{cause}");
        refused(&beyond, line, cause);
    }
    let large = |bytes: usize| format!("{HEAD}{}", " ".repeat(bytes - HEAD.len()));
    assert_eq!(Contract::parse(&large(4 << 20)).unwrap_err().line, 3, "it is read");
    let error = Contract::parse(&large((4 << 20) + 1)).unwrap_err();
    assert_eq!((error.line, error.cause.as_str()), (0, "it has more than 4194304 bytes"));
}

#[test]
fn tables_that_are_wrong_are_refused_with_their_line() {
    let clipped = "\u{20ac}".repeat(40);
    for (lines, line, cause) in [
        ("message A 1 1\n", 3, "a message has a name, a type id, a version and a topic"),
        ("message A 1 1 t t\n", 3, "a message has a name, a type id, a version and a topic"),
        ("message A 70000 1 t\n", 3, "\"70000\" is no number below 65,536"),
        ("message A 1 -1 t\n", 3, "\"-1\" is no number"),
        ("message A 1 0 t\n", 3, "a version from 1 on"),
        ("message A 1 1 \n", 3, "a topic of at most 64 bytes"),
        ("struct \n", 3, "\"\" is no name"),
        ("struct A-B\n", 3, "\"A-B\" is no name of at most 64 letters and digits"),
        ("message A 1 1 t\nfield x 1\n", 4, "a field has a name, a version and a type"),
        ("message A 1 1 t\nfield x y u8\n", 4, "\"y\" is no number"),
        ("message A 1 1 t\nfield x 1 What\n", 4, "\"What\" is no type that was defined before"),
        ("message A 1 1 t\nmessage B 2 1 t\nfield x 1 A\n", 5, "\"A\" is no type"),
        ("message A 1 1 t\nfield x 2 u8\n", 4, "never fall, and are those of a message"),
        ("message A 1 3 t\nfield x 2 u8\n", 4, "the versions of fields begin with 1"),
        ("message A 1 3 t\nfield x 1 u8\nfield y 3 u8\nfield z 2 u8\n", 6, "never fall"),
        ("struct S\nfield x 2 u8\n", 4, "never fall, and are those of a message"),
        ("message A 1 1 t\nfield x 1 u8\nfield x 1 u8\n", 5, "of different names"),
        ("message A 1 1 t\nfield x 1 Option<Option<u8>>\n", 4, "is no type"),
        ("message A 1 1 t\nmessage B 1 1 t\n", 4, "two messages have the type id 1"),
        ("message A 1 1 t\nmessage A 2 1 t\n", 4, "A is there already"),
        ("struct S\nfield x 1 u8\nenum S\n", 5, "S is there already"),
        ("struct S\nmessage A 1 1 t\n", 4, "S has nothing in it"),
        ("enum E\n", 3, "E has nothing in it"),
        ("struct S\nfield x 1 S\n", 4, "is no type"),
        ("enum E\nfield x 1 u8\n", 4, "a field of an enum belongs to a variant"),
        ("enum E\nvariant A\n", 4, "a variant has a name and a version"),
        ("enum E\nvariant A 2\n", 4, "begin with 1 and never fall"),
        ("enum E\nvariant A 1\nvariant B 3\nvariant C 2\n", 6, "never fall"),
        ("enum E\nvariant A 1\nvariant A 1\n", 5, "of different names"),
        ("enum E\nvariant A 1\nfield x 1 u8\nvariant B 2\n", 6, "E has fields, so it cannot gain variants"),
        ("enum E\nvariant A 1\nfield variant 1 String\n", 5, "no field of a variant is called `variant`"),
        ("struct S\nvariant A 1\n", 4, "a variant belongs to an enum"),
        ("variant A 1\n", 3, "a variant belongs to an enum"),
        ("field x 1 u8\n", 3, "a field belongs to a struct, a variant or a message"),
        ("nonsense\n", 3, "\"nonsense\" begins no line of a table"),
        (&format!("{clipped}xy\n"), 3, &format!("{clipped:?} begins")),
    ] {
        refused(lines, line, cause);
    }
    for (table, line, cause) in [
        ("mycelium contract 2\n", 1, "it does not begin with `mycelium contract 1`"),
        ("mycelium contract 1\nmessage A 1 1 t\n", 2, "says its `schema` in its second line"),
    ] {
        let error = Contract::parse(table).expect_err(cause);
        assert!(error.line == line && error.cause.contains(cause), "{error}");
    }
    let told = "line 1 of the contract's table: it does not begin with `mycelium contract 1`; write the table anew from contracts.yaml";
    assert_eq!(Contract::parse("x").unwrap_err().to_string(), told);
    // Versions may stay where they are from field to field.
    let sound = "message A 1 3 t\nfield x 1 u8\nfield variant 2 u8\nfield z 2 u8\nfield w 3 u8\n";
    let message = Contract::parse(&format!("{HEAD}{sound}")).unwrap().message(1).expect("in the table");
    let versions: Vec<_> = message.offer().layouts.iter().map(|l| (l.version, l.root_len)).collect();
    assert_eq!(versions, [(1, 1), (2, 3), (3, 4)]);
}
