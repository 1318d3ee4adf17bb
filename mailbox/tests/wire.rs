//! Values on the wire: what is read in place, what of another version, what is refused, and what peers
//! compare.

use mycelium_mailbox::wire::{
    Encoder, GrownEnum, Layout, Offer, VALUE_ALIGN, VALUE_LEN_MAX, View, Wire, WireError, decode_layout,
    unknown_version,
};
use mycelium_mailbox::{Message, ValidationError};
use mycelium_random::{Random, cases, seed};

/// Three releases of one message: each appends a field to the one before.
mod releases {
    #[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    pub(super) struct First {
        pub(super) price: i64,
        pub(super) venue: String,
    }

    #[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    pub(super) struct Second {
        pub(super) price: i64,
        pub(super) venue: String,
        pub(super) size: u64,
    }

    #[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    pub(super) struct Third {
        pub(super) price: i64,
        pub(super) venue: String,
        pub(super) size: u64,
        pub(super) flags: u64,
    }
}
use releases::{First, Second, Third};

const FIRST: Layout = Layout { version: 1, root_len: 16, digest: 11 };
const SECOND: Layout = Layout { version: 2, root_len: 24, digest: 22 };
const THIRD: Layout = Layout { version: 3, root_len: 32, digest: 33 };

macro_rules! tick {
    ($release:ty, $version:literal, $layouts:expr, $upgrade:expr) => {
        impl Message for $release {
            const NAME: &'static str = "Tick";
            const TYPE_ID: u16 = 7;
            const TOPIC: &'static str = "ticks";
            const VERSION: u16 = $version;
        }

        impl Wire for $release {
            const LAYOUTS: &'static [Layout] = $layouts;

            fn upgrade(bytes: &[u8], version: u16) -> Result<Self, WireError> {
                let upgrade: fn(&[u8], u16) -> Result<Self, WireError> = $upgrade;
                upgrade(bytes, version)
            }
        }
    };
}

tick!(First, 1, &[FIRST], |_, version| Err(unknown_version::<First>(version)));
tick!(Second, 2, &[FIRST, SECOND], |bytes, version| {
    if version != 1 {
        return Err(unknown_version::<Second>(version));
    }
    let First { price, venue } = decode_layout(Second::NAME, bytes)?;
    Ok(Second { price, venue, size: 100 })
});
tick!(Third, 3, &[FIRST, SECOND, THIRD], |_, version| Err(unknown_version::<Third>(version)));

#[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
struct Flag {
    on: bool,
}

impl Message for Flag {
    const NAME: &'static str = "Flag";
    const TYPE_ID: u16 = 8;
    const TOPIC: &'static str = "flags";
}

impl Wire for Flag {
    const LAYOUTS: &'static [Layout] = &[Layout { version: 1, root_len: Flag::ROOT_LEN, digest: 0 }];
    const FIXED: bool = true;
}

/// Padding in its root, in front of it, and where its option is empty.
#[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
struct Holes {
    side: u8,
    price: u64,
    size: Option<u32>,
    venues: Vec<String>,
    flags: Vec<u8>,
    last: u16,
}

impl Message for Holes {
    const NAME: &'static str = "Holes";
    const TYPE_ID: u16 = 9;
    const TOPIC: &'static str = "holes";
}

impl Wire for Holes {
    const LAYOUTS: &'static [Layout] = &[Layout { version: 1, root_len: Holes::ROOT_LEN, digest: 0 }];
}

fn venue() -> String {
    "a name too long for its root".to_owned()
}

#[test]
fn a_value_is_read_in_place_and_copied_out() {
    let tick = Second { price: -42, venue: venue(), size: 3 };
    let mut encoder = Encoder::with_capacity(256);
    assert!(format!("{encoder:?}").contains("capacity: 256"), "{encoder:?}");
    let bytes = encoder.encode(&tick).unwrap();
    let seen = Second::access(bytes).unwrap();
    assert_eq!((seen.price.to_native(), seen.venue.as_str(), seen.size.to_native()), (-42, &*tick.venue, 3));
    let venue_at = seen.venue.as_ptr() as usize;
    assert!((bytes.as_ptr() as usize..bytes.as_ptr() as usize + bytes.len()).contains(&venue_at));
    assert_eq!(Second::decode(bytes).unwrap(), tick);
    assert_eq!(Second::decode_version(bytes, 2, SECOND.root_len).unwrap(), tick);
    // An encoder that is kept forgets the message before.
    let short = encoder.encode(&Flag { on: true }).unwrap();
    assert_eq!(short, [1]);
}

#[test]
fn a_frame_has_its_value_between_zeros() {
    let mut encoder = Encoder::default();
    encoder.encode(&Second { price: -1, venue: venue(), size: u64::MAX }).unwrap();
    let framed = encoder.encode_framed(16, &Flag { on: true }).unwrap();
    assert_eq!(framed.value_len, 1);
    let mut expected = [0; 24];
    expected[16] = 1;
    assert_eq!(framed.bytes, expected);
}

/// The root is written in its place, over whatever was there: nothing of it is seen, and the bytes are those
/// of rkyv's own call, which writes it elsewhere first.
#[derive(Clone, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
struct Blob {
    bytes: Vec<u8>,
}

impl Message for Blob {
    const NAME: &'static str = "Blob";
    const TYPE_ID: u16 = 9;
    const TOPIC: &'static str = "blobs";
}

impl Wire for Blob {
    const LAYOUTS: &'static [Layout] = &[Layout { version: 1, root_len: 8, digest: 0 }];
}

/// Pages of zeros that nobody writes to take no memory, and none is read here.
#[cfg(all(target_pointer_width = "64", not(miri)))]
#[test]
fn a_value_beyond_the_reach_of_an_offset_is_an_error_and_no_panic() {
    let blob = |len: usize| Blob { bytes: vec![0; len] };
    let mut encoder = Encoder::with_capacity(64);
    for len in [1 << 31, 3 << 30] {
        let error = encoder.encode(&blob(len)).expect_err("it is too large");
        assert_eq!(error, WireError::TooLarge { message: "Blob", max: VALUE_LEN_MAX, got: VALUE_LEN_MAX });
        assert_eq!(format!("{encoder:?}"), format!("{:?}", Encoder::new()), "its memory is given back");
    }
    assert_eq!(encoder.encode(&blob(3)).map(<[u8]>::len), Ok(12));
}

#[test]
fn bytes_follow_from_the_message_alone() {
    let seed = seed();
    let (mut random, mut encoder) = (Random::new(seed), Encoder::new());
    for _ in 0..cases(500) {
        let mut some = |most: u64| random.below(most + 1);
        let message = Holes {
            side: some(255) as u8,
            price: some(u64::MAX - 1),
            size: (some(1) == 0).then_some(7),
            venues: (0..some(3)).map(|_| "x".repeat(some(20) as usize)).collect(),
            flags: vec![1; some(9) as usize],
            last: some(9) as u16,
        };
        let expected = rkyv::to_bytes::<rkyv::rancor::Failure>(&message).unwrap();
        // What was there before: bytes without a zero among them, longer than any of these messages.
        encoder.encode(&Second { price: -1, venue: "y".repeat(400), size: u64::MAX }).unwrap();
        let bytes = encoder.encode(&message).unwrap();
        assert_eq!(bytes, &expected[..], "{message:?}, MYCELIUM_SEED={seed}");
        assert_eq!(Holes::decode(bytes).unwrap(), message);
        encoder.encode(&Second { price: -1, venue: "y".repeat(400), size: u64::MAX }).unwrap();
        let framed = encoder.encode_framed(64, &message).unwrap();
        assert_eq!(framed.bytes[64..64 + framed.value_len], expected[..], "{message:?}");
    }
}

#[test]
#[should_panic(expected = "a header of 12 bytes would misalign the value")]
fn a_header_that_would_misalign_the_value_is_a_mistake_of_the_caller() {
    let _ = Encoder::new().encode_framed(12, &Flag { on: true });
}

#[test]
fn bytes_that_are_no_value_are_refused_with_the_cause() {
    let mut encoder = Encoder::new();
    let bytes = encoder.encode(&Second { price: 1, venue: venue(), size: 1 }).unwrap().to_vec();
    let aligned = |bytes: &[u8], off: usize| {
        let mut aligned = rkyv::util::AlignedVec::<16>::new();
        aligned.resize(off, 0);
        aligned.extend_from_slice(bytes);
        aligned
    };
    let refused = |bytes: &[u8]| Second::decode(bytes).expect_err("it is no value");
    let short = aligned(&bytes[..23], 0);
    assert_eq!(refused(&short), WireError::Truncated { message: "Tick", needed: 24, got: 23 });
    for off_by in 1..VALUE_ALIGN {
        let shifted = aligned(&bytes, off_by);
        let expected = WireError::Misaligned { message: "Tick", align: VALUE_ALIGN, off_by };
        assert_eq!(refused(&shifted[off_by..]), expected);
    }
    let cause = |bytes: &[u8]| match refused(bytes) {
        WireError::Invalid { message: "Tick", cause } => cause,
        other => panic!("{other}"),
    };
    let mut longer = aligned(&bytes, 0);
    longer.push(0);
    assert!(cause(&longer).contains("which is no multiple of 8"), "{}", cause(&longer));
    // Of a fixed size: a byte too many, and a value that is no bool.
    let error = Flag::decode(&[1, 0]).unwrap_err();
    assert!(error.to_string().contains("1 bytes are too many"), "{error}");
    assert!(matches!(Flag::access(&aligned(&[7], 0)), Err(WireError::Invalid { .. })));
    assert_eq!(Flag::decode(&aligned(&[0], 0)).unwrap(), Flag { on: false });
}

#[test]
fn an_older_value_is_rebuilt_and_a_newer_one_is_read_in_place() {
    let mut encoder = Encoder::new();
    let old = encoder.encode(&First { price: 5, venue: venue() }).unwrap().to_vec();
    let upgraded = Second { price: 5, venue: venue(), size: 100 };
    assert!(matches!(Second::view(&old, 1, 16), Ok(View::Upgraded(tick)) if tick == upgraded));
    assert_eq!(Second::decode_version(&old, 1, 16).unwrap(), upgraded);
    let new = encoder.encode(&Third { price: 5, venue: venue(), size: 6, flags: 7 }).unwrap();
    let Ok(View::Archived(seen)) = Second::view(new, 3, 32) else { panic!("it is read in place") };
    assert_eq!((seen.price.to_native(), seen.venue.as_str(), seen.size.to_native()), (5, &*venue(), 6));
    let kept = Second { price: 5, venue: venue(), size: 6 };
    assert_eq!(Second::decode_version(new, 3, 32).unwrap(), kept, "what is new is not looked at");
}

#[test]
fn a_root_of_another_length_than_its_version_has_is_refused() {
    let mut encoder = Encoder::new();
    let bytes = encoder.encode(&Second { price: 5, venue: venue(), size: 6 }).unwrap();
    // version, length of the root, length that this version has here
    for (got, root_len_got, root_len_expected) in [
        (0, 16, None),
        (1, 24, Some(16)),
        (1, 8, Some(16)),
        (2, 16, Some(24)),
        (2, 32, Some(24)),
        (3, 16, None),
        (3, 23, None),
    ] {
        let expected = WireError::Version { message: "Tick", ours: 2, got, root_len_expected, root_len_got };
        match Second::view(bytes, got, root_len_got) {
            Err(error) => assert_eq!(error, expected),
            Ok(_) => panic!("version {got} with a root of {root_len_got} bytes was read"),
        }
    }
    // A type that knows no older version says so.
    assert_eq!(Third::decode_version(bytes, 2, 24).unwrap_err(), unknown_version::<Third>(2));
    assert!(matches!(
        unknown_version::<Third>(2),
        WireError::Version { ours: 3, got: 2, root_len_expected: Some(24), root_len_got: 0, .. }
    ));
    assert!(Flag::upgrade(&[1], 0).is_err());
    assert_eq!((Second::layout(0), Second::layout(2), Second::layout(3)), (None, Some(&SECOND), None));
}

fn offer<'a>(version: u16, layouts: &'a [Layout], enums: &'a [GrownEnum<'a>]) -> Offer<'a> {
    Offer { name: "Tick", version, layouts, enums }
}

#[test]
fn peers_agree_when_they_lay_out_what_both_know_alike() {
    assert_eq!(Second::compare_layouts(&Second::OFFER), Ok(()));
    assert_eq!(Second::compare_layouts(&First::OFFER), Ok(()));
    assert_eq!(First::compare_layouts(&Third::OFFER), Ok(()));
    let named = Offer { name: "Trade", ..Second::OFFER };
    let error = WireError::Name { message: "Tick", got: "Trade".into() };
    assert_eq!(Second::compare_layouts(&named), Err(error));
    let other = Layout { digest: 99, ..SECOND };
    let error = WireError::Digest { message: "Tick", version: 2, expected: 22, got: 99 };
    assert_eq!(Second::compare_layouts(&offer(2, &[FIRST, other], &[])), Err(error));
    // Only the peer has a version of which both must think alike: there the first layout still holds for us.
    let between = Layout { version: 2, ..SECOND };
    assert!(matches!(
        offer(2, &[FIRST], &[]).compare(&offer(2, &[FIRST, between], &[])),
        Err(WireError::Digest { version: 2, expected: 11, got: 22, .. })
    ));
    let longer = Layout { root_len: 40, ..SECOND };
    assert!(matches!(
        Second::compare_layouts(&offer(2, &[FIRST, longer], &[])),
        Err(WireError::Version { ours: 2, got: 2, root_len_expected: Some(24), root_len_got: 40, .. })
    ));
    let error = WireError::NoCommonVersion { message: "Tick", ours: 2, got: 0 };
    assert_eq!(Second::compare_layouts(&offer(0, &[], &[])), Err(error));
}

#[test]
fn one_tag_has_one_meaning_at_both_sides() {
    const OURS: GrownEnum<'static> = GrownEnum { name: "Side", first: 2, variants: &["Short", "Cover"] };
    const OFFER: Offer<'static> = Offer { name: "Tick", version: 1, layouts: &[FIRST], enums: &[OURS] };
    let compared =
        |first, variants| OFFER.compare(&offer(1, &[FIRST], &[GrownEnum { name: "Side", first, variants }]));
    assert_eq!(compared(2, &[]), Ok(()), "an older peer");
    assert_eq!(compared(2, &["Short"]), Ok(()));
    assert_eq!(compared(2, &["Short", "Cover", "Cross"]), Ok(()), "a newer peer");
    let told = |error: Result<(), WireError>| error.expect_err("they disagree").to_string();
    assert!(told(compared(2, &["Cancel"])).contains("tag 2 of the enum Side is Short here and \"Cancel\""));
    assert!(told(compared(2, &["Short", "Cancel"])).contains("tag 3"));
    // Where one side counts a variant to the first release, what both name is compared by tag.
    assert_eq!(compared(3, &["Cover"]), Ok(()));
    assert!(told(compared(3, &["Short"])).contains("tag 3"));
    assert_eq!(compared(1, &["Sell", "Short"]), Ok(()));
    assert_eq!(compared(1, &["Short"]), Ok(()), "no tag that both name");
    assert!(told(compared(1, &["Sell", "Cancel"])).contains("tag 2"));
    let another = [GrownEnum { name: "Venue", first: 2, variants: &["Cancel"] }];
    assert_eq!(OFFER.compare(&offer(1, &[FIRST], &another)), Ok(()), "an enum that only the peer has grown");
}

#[test]
fn a_broken_rule_names_the_field_from_the_outside_and_shows_the_value_in_short() {
    let error = ValidationError::broken("Leg", "price", &0, "at least 1");
    assert_eq!(error.to_string(), "Leg.price is 0, must be at least 1");
    assert_eq!(error.inside("Order", "legs[2]").to_string(), "Order.legs[2].price is 0, must be at least 1");
    let error = ValidationError::broken_length("Order", "legs", 9, "at most 8 elements");
    assert_eq!(error.to_string(), "Order.legs has length 9, must have at most 8 elements");
    let error = ValidationError::broken("Order", "note", &"é".repeat(500), "ASCII");
    assert_eq!(error.reason, format!("is \"{}..., must be ASCII", "é".repeat(79)));
    assert!(Flag { on: true }.validate().is_ok(), "a type without rules breaks none");
}
