// Generated from the contract mycelium.torture version 1: edit that, not this.

#[allow(missing_docs, dead_code, unreachable_pub, non_camel_case_types)]
#[allow(clippy::all, clippy::pedantic, rustdoc::all)]
mod generated_contracts {
    #[allow(unused_imports)]
    use ::mycelium_mailbox::{self as mycelium, rkyv, wire, Message as _, wire::Wire as _};
    #[allow(unused_imports)]
    use mycelium::scalar::{Decimal, I256, Timestamp, U256};

    /// The enum `Layout`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum Layout {
        /// The variant `A`.
        #[default]
        A,
        /// The variant `B`.
        B,
    }

    impl Layout {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 2] = [Self::A, Self::B];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::A => "A",
                Self::B => "B",
            }
        }
    }

    impl ArchivedLayout {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> Layout {
            match self {
                Self::A => Layout::A,
                Self::B => Layout::B,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedLayout>() == 1);
        assert!(align_of::<ArchivedLayout>() == 1);
    };

    /// The enum `Wire`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Clone, Copy, Debug, PartialEq, Eq, Hash))]
    #[repr(u8)]
    pub enum Wire {
        /// The variant `Only`.
        #[default]
        Only,
    }

    impl Wire {
        /// All variants, in the order of the contract.
        pub const ALL: [Self; 1] = [Self::Only];

        /// The variant's name in the contract.
        #[must_use]
        pub const fn name(self) -> &'static str {
            match self {
                Self::Only => "Only",
            }
        }
    }

    impl ArchivedWire {
        /// The variant, copied out of the bytes.
        #[must_use]
        pub const fn to_native(&self) -> Wire {
            match self {
                Self::Only => Wire::Only,
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedWire>() == 1);
        assert!(align_of::<ArchivedWire>() == 1);
    };

    /// The enum `Deep`.
    #[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub enum Deep {
        /// The variant `Wide`.
        Wide {
            /// The field `q`.
            q: [u8; 64],
            /// The field `at`.
            at: self::Leaf,
            /// The field `o`.
            o: Option<self::Leaf>,
            /// The field `deep`.
            deep: Vec<Option<[self::Leaf; 2]>>,
            /// The field `item`.
            item: Vec<Option<u8>>,
            /// The field `odd`.
            odd: u8,
        },
        /// The variant `Plain`.
        Plain,
        /// The variant `Small`.
        Small {
            /// The field `value0`.
            value0: i16,
            /// The field `e`.
            e: f32,
        },
    }

    impl Default for Deep {
        fn default() -> Self {
            Self::Wide {
                q: ::std::array::from_fn(|_| Default::default()),
                at: Default::default(),
                o: Default::default(),
                deep: Default::default(),
                item: Default::default(),
                odd: Default::default(),
            }
        }
    }

    impl Deep {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            match self {
                Self::Wide { q, at, o, deep, item, .. } => {
                    for (at0, item0) in q.iter().enumerate() {
                        if !(*item0 <= 3) {
                            return Err(mycelium::ValidationError::broken("Deep", format!("{}[{at0}]", "q"), &*item0, "at most 3"));
                        }
                    }
                    at.validate().map_err(|e| e.inside("Deep", "at"))?;
                    if let Some(value0) = &*o {
                        value0.validate().map_err(|e| e.inside("Deep", "o"))?;
                    }
                    for (at0, item0) in deep.iter().enumerate() {
                        if let Some(value1) = &*item0 {
                            for (at2, item2) in value1.iter().enumerate() {
                                item2.validate().map_err(|e| e.inside("Deep", format!("{}[{at2}]", format!("{}[{at0}]", "deep"))))?;
                            }
                        }
                    }
                    for (at0, item0) in item.iter().enumerate() {
                        if let Some(value1) = &*item0 {
                            if !(*value1 >= 2) {
                                return Err(mycelium::ValidationError::broken("Deep", format!("{}[{at0}]", "item"), &*value1, "at least 2"));
                            }
                        }
                    }
                }
                _ => {}
            }
            Ok(())
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedDeep>() == 284);
        assert!(align_of::<ArchivedDeep>() == 4);
    };

    /// The enum `Fixed`.
    #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub enum Fixed {
        /// The variant `Byte`.
        Byte {
            /// The field `a`.
            a: u8,
        },
        /// The variant `Pair`.
        Pair {
            /// The field `a`.
            a: u8,
            /// The field `b`.
            b: u16,
        },
        /// The variant `Twelve`.
        Twelve {
            /// The field `a`.
            a: u32,
            /// The field `b`.
            b: u8,
            /// The field `c`.
            c: bool,
        },
        /// The variant `Long`.
        Long {
            /// The field `a`.
            a: u64,
        },
    }

    impl Default for Fixed {
        fn default() -> Self {
            Self::Byte {
                a: Default::default(),
            }
        }
    }

    impl Fixed {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedFixed>() == 16);
        assert!(align_of::<ArchivedFixed>() == 8);
    };

    /// The enum `Checked`.
    #[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub enum Checked {
        /// The variant `Low`.
        Low {
            /// The field `x`.
            x: u8,
            /// The field `any`.
            any: u8,
        },
        /// The variant `Named`.
        Named {
            /// The field `name`.
            name: String,
            /// The field `odd`.
            odd: u8,
        },
    }

    impl Default for Checked {
        fn default() -> Self {
            Self::Low {
                x: Default::default(),
                any: Default::default(),
            }
        }
    }

    impl Checked {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            match self {
                Self::Low { x, .. } => {
                    if !(*x <= 3) {
                        return Err(mycelium::ValidationError::broken("Checked", "x", &*x, "at most 3"));
                    }
                }
                Self::Named { name, .. } => {
                    if !(name.len() > 0) {
                        return Err(mycelium::ValidationError::broken_length("Checked", "name", name.len(), "at least 1"));
                    }
                }
            }
            Ok(())
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedChecked>() == 16);
        assert!(align_of::<ArchivedChecked>() == 4);
    };

    /// The enum `Single`.
    #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub enum Single {
        /// The variant `One`.
        One {
            /// The field `x`.
            x: i8,
        },
    }

    impl Default for Single {
        fn default() -> Self {
            Self::One {
                x: Default::default(),
            }
        }
    }

    impl Single {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            match self {
                Self::One { x, .. } => {
                    if !(*x != 0) {
                        return Err(mycelium::ValidationError::broken("Single", "x", &*x, "other than zero"));
                    }
                }
            }
            Ok(())
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedSingle>() == 2);
        assert!(align_of::<ArchivedSingle>() == 1);
    };

    /// The enum `Idle`.
    #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub enum Idle {
        /// The variant `Least`.
        Least {
            /// The field `x`.
            x: u8,
            /// The field `y`.
            y: Option<i16>,
        },
        /// The variant `Nothing`.
        Nothing,
    }

    impl Default for Idle {
        fn default() -> Self {
            Self::Least {
                x: Default::default(),
                y: Default::default(),
            }
        }
    }

    impl Idle {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedIdle>() == 6);
        assert!(align_of::<ArchivedIdle>() == 2);
    };

    /// Ends no comment: */ turns no text.
    /// \`\`\`
    /// no_test!();
    /// \~\~\~
    /// \ "quoted" `code` [link]
    /// > \`\`\`
    /// > quoted!();
    /// > \~\~\~
    /// - \`\`\`rust
    /// - listed!();
    /// 1. numbered!();
    #[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub struct Leaf {
        /// The field `big`.
        pub big: [u16; 40],
        /// The field `n`.
        pub n: Vec<String>,
        /// The field `value`.
        pub value: Option<u32>,
    }

    impl Default for Leaf {
        fn default() -> Self {
            Self {
                big: ::std::array::from_fn(|_| Default::default()),
                n: Default::default(),
                value: Default::default(),
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedLeaf>() == 96);
        assert!(align_of::<ArchivedLeaf>() == 4);
        assert!(::std::mem::offset_of!(ArchivedLeaf, big) == 0);
        assert!(::std::mem::offset_of!(ArchivedLeaf, n) == 80);
        assert!(::std::mem::offset_of!(ArchivedLeaf, value) == 88);
    };

    impl Leaf {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            for (at0, item0) in self.n.iter().enumerate() {
                if !(item0.len() > 0) {
                    return Err(mycelium::ValidationError::broken_length("Leaf", format!("{}[{at0}]", "n"), item0.len(), "at least 1"));
                }
            }
            if let Some(value0) = &self.value {
                if !(*value0 >= 4) {
                    return Err(mycelium::ValidationError::broken("Leaf", "value", &*value0, "at least 4"));
                }
            }
            Ok(())
        }
    }

    /// The struct `Slack`.
    #[derive(Clone, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub struct Slack {
        /// The field `qty`.
        pub qty: Option<u32>,
        /// The field `marks`.
        pub marks: Vec<Option<u8>>,
        /// The field `text`.
        pub text: String,
        /// The field `list`.
        pub list: Option<Vec<u8>>,
    }

    const _: () = {
        assert!(size_of::<ArchivedSlack>() == 36);
        assert!(align_of::<ArchivedSlack>() == 4);
        assert!(::std::mem::offset_of!(ArchivedSlack, qty) == 0);
        assert!(::std::mem::offset_of!(ArchivedSlack, marks) == 8);
        assert!(::std::mem::offset_of!(ArchivedSlack, text) == 16);
        assert!(::std::mem::offset_of!(ArchivedSlack, list) == 24);
    };

    impl Slack {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The struct `ValidationError`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct ValidationError {
        /// The field `a`.
        pub a: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedValidationError>() == 1);
        assert!(align_of::<ArchivedValidationError>() == 1);
        assert!(::std::mem::offset_of!(ArchivedValidationError, a) == 0);
    };

    impl ValidationError {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The struct `Odd`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Odd {
        /// The field `a`.
        pub a: u8,
        /// The field `b`.
        pub b: u16,
        /// The field `c`.
        pub c: u8,
    }

    const _: () = {
        assert!(size_of::<ArchivedOdd>() == 6);
        assert!(align_of::<ArchivedOdd>() == 2);
        assert!(::std::mem::offset_of!(ArchivedOdd, a) == 0);
        assert!(::std::mem::offset_of!(ArchivedOdd, b) == 2);
        assert!(::std::mem::offset_of!(ArchivedOdd, c) == 4);
    };

    impl Odd {
        /// Checks the rules of the contract.
        ///
        /// # Errors
        /// The first rule that the value breaks.
        pub fn validate(&self) -> Result<(), mycelium::ValidationError> {
            Ok(())
        }
    }

    /// The message `WireError`.
    ///
    /// Topic `t`, type id 1, version 1, domain `torture`.
    /// A bus with this contract retains the last one of each `w`.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct WireError {
        /// The field `a`.
        pub a: u8,
        /// The field `version`.
        pub version: u16,
        /// The field `bytes`.
        pub bytes: u8,
        /// The field `old`.
        pub old: u64,
        /// The field `e`.
        pub e: self::ValidationError,
        /// The field `l`.
        pub l: self::Layout,
        /// The field `w`.
        pub w: self::Wire,
    }

    const _: () = {
        assert!(size_of::<ArchivedWireError>() == 24);
        assert!(align_of::<ArchivedWireError>() == 8);
        assert!(::std::mem::offset_of!(ArchivedWireError, a) == 0);
        assert!(::std::mem::offset_of!(ArchivedWireError, version) == 2);
        assert!(::std::mem::offset_of!(ArchivedWireError, bytes) == 4);
        assert!(::std::mem::offset_of!(ArchivedWireError, old) == 8);
        assert!(::std::mem::offset_of!(ArchivedWireError, e) == 16);
        assert!(::std::mem::offset_of!(ArchivedWireError, l) == 17);
        assert!(::std::mem::offset_of!(ArchivedWireError, w) == 18);
    };

    impl mycelium::Message for WireError {
        const NAME: &'static str = "WireError";
        const TYPE_ID: u16 = 1;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0xcc39f3cfd17a1057;
    }

    impl wire::Wire for WireError {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 24, digest: 0xcc39f3cfd17a1057 },
        ];
        const RETAIN: Option<wire::DeclaredRetention<Self>> = Some(wire::DeclaredRetention::LastPerKey { key: |message| message.w as u64, keys_max: 1 });
    }

    /// The message `Growing`.
    ///
    /// Topic `t`, type id 2, version 5, domain `torture`.
    /// A bus with this contract retains the last one of each `field`.
    #[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub struct Growing {
        /// The field `value`.
        pub value: self::Deep,
        /// The field `message`.
        pub message: Vec<self::Deep>,
        /// The field `field`.
        pub field: u8,
        /// The field `model`.
        pub model: [self::Deep; 2],
    }

    impl Default for Growing {
        fn default() -> Self {
            Self {
                value: Default::default(),
                message: Default::default(),
                field: 3,
                model: [self::Deep::Plain, self::Deep::Plain],
            }
        }
    }

    const _: () = {
        assert!(size_of::<ArchivedGrowing>() == 864);
        assert!(align_of::<ArchivedGrowing>() == 4);
        assert!(::std::mem::offset_of!(ArchivedGrowing, value) == 0);
        assert!(::std::mem::offset_of!(ArchivedGrowing, message) == 284);
        assert!(::std::mem::offset_of!(ArchivedGrowing, field) == 292);
        assert!(::std::mem::offset_of!(ArchivedGrowing, model) == 296);
    };

    impl Growing {
        /// A message with the contract's default in every field that has one.
        #[must_use]
        pub fn new(value: self::Deep, message: Vec<self::Deep>) -> Self {
            Self {
                value,
                message,
                field: 3,
                model: [self::Deep::Plain, self::Deep::Plain],
            }
        }
    }

    impl mycelium::Message for Growing {
        const NAME: &'static str = "Growing";
        const TYPE_ID: u16 = 2;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 5;
        const DIGEST: u64 = 0xbfed3674f0ffff53;

        fn validate(&self) -> Result<(), mycelium::ValidationError> {
            self.value.validate().map_err(|e| e.inside(Self::NAME, "value"))?;
            for (at0, item0) in self.message.iter().enumerate() {
                item0.validate().map_err(|e| e.inside(Self::NAME, format!("{}[{at0}]", "message")))?;
            }
            for (at0, item0) in self.model.iter().enumerate() {
                item0.validate().map_err(|e| e.inside(Self::NAME, format!("{}[{at0}]", "model")))?;
            }
            Ok(())
        }
    }

    impl wire::Wire for Growing {
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 292, digest: 0x481c2516845551df },
            wire::Layout { version: 3, root_len: 864, digest: 0xbfed3674f0ffff53 },
        ];
        const RETAIN: Option<wire::DeclaredRetention<Self>> = Some(wire::DeclaredRetention::LastPerKey { key: |message| message.field as u64, keys_max: 65536 });

        fn upgrade(bytes: &[u8], version: u16) -> Result<Self, wire::WireError> {
            match version {
                1..=2 => {
                    let old: Growing_V1 = wire::decode_layout(Self::NAME, bytes)?;
                    Ok(Self {
                        value: old.value,
                        message: old.message,
                        field: 3,
                        model: [self::Deep::Plain, self::Deep::Plain],
                    })
                }
                3..=4 => Self::decode(bytes),
                _ => Err(wire::unknown_version::<Self>(version)),
            }
        }
    }

    /// `Growing` as its version 1 was laid out.
    #[derive(rkyv::Archive, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv)]
    struct Growing_V1 {
        value: self::Deep,
        message: Vec<self::Deep>,
    }

    const _: () = {
        assert!(size_of::<ArchivedGrowing_V1>() == 292);
        assert!(align_of::<ArchivedGrowing_V1>() == 4);
        assert!(::std::mem::offset_of!(ArchivedGrowing_V1, value) == 0);
        assert!(::std::mem::offset_of!(ArchivedGrowing_V1, message) == 284);
    };

    /// The message `Mixed`.
    ///
    /// Topic `t`, type id 3, version 1, domain `torture`.
    /// A bus with this contract retains the last one of each `i`.
    #[derive(Clone, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub struct Mixed {
        /// The field `scalar`.
        pub scalar: Vec<Vec<u8>>,
        /// The field `pairs`.
        pub pairs: [[String; 2]; 3],
        /// The field `wire`.
        pub wire: Timestamp,
        /// The field `amounts`.
        pub amounts: Vec<Decimal>,
        /// The field `k`.
        pub k: Vec<self::Layout>,
        /// The field `i`.
        pub i: i64,
        /// The field `ts`.
        pub ts: Option<Timestamp>,
        /// The field `flags`.
        pub flags: Vec<bool>,
        /// The field `floats`.
        pub floats: Vec<[f32; 3]>,
        /// The field `times`.
        pub times: Vec<Timestamp>,
        /// The field `wides`.
        pub wides: Vec<U256>,
        /// The field `odds`.
        pub odds: Vec<self::Odd>,
        /// The field `maybe_odd`.
        pub maybe_odd: Vec<Option<self::Odd>>,
        /// The field `fixed`.
        pub fixed: Vec<self::Fixed>,
        /// The field `one`.
        pub one: self::Fixed,
        /// The field `maybe_amount`.
        pub maybe_amount: Option<Decimal>,
        /// The field `maybe_flag`.
        pub maybe_flag: Option<bool>,
        /// The field `maybe_array`.
        pub maybe_array: Option<[Option<u16>; 3]>,
        /// The field `blobs`.
        pub blobs: Vec<Vec<u8>>,
        /// The field `maybe_blob`.
        pub maybe_blob: Option<Vec<u8>>,
        /// The field `tail`.
        pub tail: u8,
        /// The field `checked`.
        pub checked: self::Checked,
        /// The field `single`.
        pub single: self::Single,
        /// The field `idle`.
        pub idle: self::Idle,
        /// The field `slack`.
        pub slack: self::Slack,
    }

    const _: () = {
        assert!(size_of::<ArchivedMixed>() == 304);
        assert!(align_of::<ArchivedMixed>() == 8);
        assert!(::std::mem::offset_of!(ArchivedMixed, scalar) == 0);
        assert!(::std::mem::offset_of!(ArchivedMixed, pairs) == 8);
        assert!(::std::mem::offset_of!(ArchivedMixed, wire) == 56);
        assert!(::std::mem::offset_of!(ArchivedMixed, amounts) == 64);
        assert!(::std::mem::offset_of!(ArchivedMixed, k) == 72);
        assert!(::std::mem::offset_of!(ArchivedMixed, i) == 80);
        assert!(::std::mem::offset_of!(ArchivedMixed, ts) == 88);
        assert!(::std::mem::offset_of!(ArchivedMixed, flags) == 104);
        assert!(::std::mem::offset_of!(ArchivedMixed, floats) == 112);
        assert!(::std::mem::offset_of!(ArchivedMixed, times) == 120);
        assert!(::std::mem::offset_of!(ArchivedMixed, wides) == 128);
        assert!(::std::mem::offset_of!(ArchivedMixed, odds) == 136);
        assert!(::std::mem::offset_of!(ArchivedMixed, maybe_odd) == 144);
        assert!(::std::mem::offset_of!(ArchivedMixed, fixed) == 152);
        assert!(::std::mem::offset_of!(ArchivedMixed, one) == 160);
        assert!(::std::mem::offset_of!(ArchivedMixed, maybe_amount) == 176);
        assert!(::std::mem::offset_of!(ArchivedMixed, maybe_flag) == 200);
        assert!(::std::mem::offset_of!(ArchivedMixed, maybe_array) == 202);
        assert!(::std::mem::offset_of!(ArchivedMixed, blobs) == 216);
        assert!(::std::mem::offset_of!(ArchivedMixed, maybe_blob) == 224);
        assert!(::std::mem::offset_of!(ArchivedMixed, tail) == 236);
        assert!(::std::mem::offset_of!(ArchivedMixed, checked) == 240);
        assert!(::std::mem::offset_of!(ArchivedMixed, single) == 256);
        assert!(::std::mem::offset_of!(ArchivedMixed, idle) == 258);
        assert!(::std::mem::offset_of!(ArchivedMixed, slack) == 264);
    };

    impl mycelium::Message for Mixed {
        const NAME: &'static str = "Mixed";
        const TYPE_ID: u16 = 3;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0xc3fe47900dfa025b;

        fn validate(&self) -> Result<(), mycelium::ValidationError> {
            for (at0, item0) in self.amounts.iter().enumerate() {
                if !(*item0 >= const { Decimal::from_parts(false, 15, 1).expect("the contract was checked") }) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, format!("{}[{at0}]", "amounts"), &*item0, "at least 1.5"));
                }
                if !(*item0 != Decimal::ZERO) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, format!("{}[{at0}]", "amounts"), &*item0, "other than zero"));
                }
            }
            for (at0, item0) in self.k.iter().enumerate() {
                if !([self::Layout::A].contains(&*item0)) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, format!("{}[{at0}]", "k"), &*item0, "one of A"));
                }
            }
            if !([1, -2].contains(&self.i)) {
                return Err(mycelium::ValidationError::broken(Self::NAME, "i", &self.i, "one of 1, -2"));
            }
            if let Some(value0) = &self.ts {
                if !(value0.as_nanos() % 1000 == 0) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "ts", &*value0, "a multiple of 1000 ns"));
                }
                if !(*value0 != Timestamp::from_nanos(0)) {
                    return Err(mycelium::ValidationError::broken(Self::NAME, "ts", &*value0, "other than zero"));
                }
            }
            self.checked.validate().map_err(|e| e.inside(Self::NAME, "checked"))?;
            self.single.validate().map_err(|e| e.inside(Self::NAME, "single"))?;
            self.idle.validate().map_err(|e| e.inside(Self::NAME, "idle"))?;
            self.slack.validate().map_err(|e| e.inside(Self::NAME, "slack"))?;
            Ok(())
        }
    }

    impl wire::Wire for Mixed {
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 304, digest: 0xc3fe47900dfa025b },
        ];
        const RETAIN: Option<wire::DeclaredRetention<Self>> = Some(wire::DeclaredRetention::LastPerKey { key: |message| message.i as u64, keys_max: 16 });
    }

    /// The message `Tiny`.
    ///
    /// Topic `t`, type id 4, version 1, domain `torture`.
    /// A bus with this contract retains the last one.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct Tiny {
        /// The field `one`.
        pub one: bool,
    }

    const _: () = {
        assert!(size_of::<ArchivedTiny>() == 1);
        assert!(align_of::<ArchivedTiny>() == 1);
        assert!(::std::mem::offset_of!(ArchivedTiny, one) == 0);
    };

    impl mycelium::Message for Tiny {
        const NAME: &'static str = "Tiny";
        const TYPE_ID: u16 = 4;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0x2c21600dd28571c0;
    }

    impl wire::Wire for Tiny {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 1, digest: 0x2c21600dd28571c0 },
        ];
        const RETAIN: Option<wire::DeclaredRetention<Self>> = Some(wire::DeclaredRetention::Last(1));
    }

    /// The message `FixedOnly`.
    ///
    /// Topic `t`, type id 5, version 1, domain `torture`.
    /// A bus with this contract retains the last 65536.
    #[derive(Clone, Copy, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    #[repr(C)]
    pub struct FixedOnly {
        /// The field `a`.
        pub a: [self::Fixed; 3],
        /// The field `b`.
        pub b: Option<self::Fixed>,
        /// The field `c`.
        pub c: [[self::Odd; 2]; 2],
    }

    const _: () = {
        assert!(size_of::<ArchivedFixedOnly>() == 96);
        assert!(align_of::<ArchivedFixedOnly>() == 8);
        assert!(::std::mem::offset_of!(ArchivedFixedOnly, a) == 0);
        assert!(::std::mem::offset_of!(ArchivedFixedOnly, b) == 48);
        assert!(::std::mem::offset_of!(ArchivedFixedOnly, c) == 72);
    };

    impl mycelium::Message for FixedOnly {
        const NAME: &'static str = "FixedOnly";
        const TYPE_ID: u16 = 5;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0x5a083cb3379fe725;
    }

    impl wire::Wire for FixedOnly {
        const FIXED: bool = true;
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 96, digest: 0x5a083cb3379fe725 },
        ];
        const RETAIN: Option<wire::DeclaredRetention<Self>> = Some(wire::DeclaredRetention::Last(65536));
    }

    /// The message `Example`.
    ///
    /// Topic `t`, type id 6, version 1, domain `torture`.
    /// A bus with this contract retains the last one of each `venue`.
    #[derive(Clone, Debug, PartialEq, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    #[rkyv(crate = mycelium::rkyv, derive(Debug))]
    pub struct Example {
        /// The field `id`.
        pub id: u32,
        /// The field `venue`.
        pub venue: String,
        /// The field `symbol`.
        pub symbol: String,
        /// The field `lots`.
        pub lots: Option<u16>,
        /// The field `prices`.
        pub prices: Vec<f64>,
    }

    const _: () = {
        assert!(size_of::<ArchivedExample>() == 32);
        assert!(align_of::<ArchivedExample>() == 4);
        assert!(::std::mem::offset_of!(ArchivedExample, id) == 0);
        assert!(::std::mem::offset_of!(ArchivedExample, venue) == 4);
        assert!(::std::mem::offset_of!(ArchivedExample, symbol) == 12);
        assert!(::std::mem::offset_of!(ArchivedExample, lots) == 20);
        assert!(::std::mem::offset_of!(ArchivedExample, prices) == 24);
    };

    impl mycelium::Message for Example {
        const NAME: &'static str = "Example";
        const TYPE_ID: u16 = 6;
        const TOPIC: &'static str = "t";
        const VERSION: u16 = 1;
        const DIGEST: u64 = 0x459f2eb226a29da9;
    }

    impl wire::Wire for Example {
        const LAYOUTS: &'static [wire::Layout] = &[
            wire::Layout { version: 1, root_len: 32, digest: 0x459f2eb226a29da9 },
        ];
        const RETAIN: Option<wire::DeclaredRetention<Self>> = Some(wire::DeclaredRetention::LastPerKey { key: |message| mycelium::conflation_key(message.venue.as_str()), keys_max: 65536 });
    }

    /// The messages of the contract: see [`CONTRACT`].
    #[derive(Clone, Copy, Debug)]
    pub struct Contract_;

    /// The messages of the contract, for a bus that frames go through: `MessageBus::builder().contract(CONTRACT)`.
    pub const CONTRACT: Contract_ = Contract_;

    impl Contract_ {
        /// What is known of each message without its type, in the order of the contract.
        pub const ENTRIES: &'static [wire::Entry] = &[
            wire::Entry::of::<WireError>(),
            wire::Entry::of::<Growing>(),
            wire::Entry::of::<Mixed>(),
            wire::Entry::of::<Tiny>(),
            wire::Entry::of::<FixedOnly>(),
            wire::Entry::of::<Example>(),
        ];
    }

    impl wire::Messages for Contract_ {
        fn each<Visitor_: wire::Visitor>(&self, visitor: &mut Visitor_) {
            visitor.typed::<WireError>();
            visitor.typed::<Growing>();
            visitor.typed::<Mixed>();
            visitor.typed::<Tiny>();
            visitor.typed::<FixedOnly>();
            visitor.typed::<Example>();
        }
    }
}

#[allow(unused_imports, unreachable_pub)]
pub use self::generated_contracts::*;
