//! Messages for tests of links, inside of the crate and outside: whoever includes this file has these three.

use super::{Layout, Message, Wire};

/// A message of one number.
macro_rules! number {
    ($name:ident, $id:literal, $topic:literal) => {
        #[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
        pub(crate) struct $name {
            pub n: u64,
        }
        impl Message for $name {
            const NAME: &'static str = stringify!($name);
            const TYPE_ID: u16 = $id;
            const TOPIC: &'static str = $topic;
        }
        impl Wire for $name {
            const FIXED: bool = true;
            const LAYOUTS: &'static [Layout] =
                &[Layout { version: 1, root_len: Self::ROOT_LEN, digest: $id }];
        }
    };
}
number!(Tick, 7, "ticks");
number!(Fill, 9, "fills");
number!(Order, 11, "orders");

#[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub(crate) struct Text {
    pub words: String,
}
impl Message for Text {
    const NAME: &'static str = "Text";
    const TYPE_ID: u16 = 13;
    const TOPIC: &'static str = "texts";
}
impl Wire for Text {
    const LAYOUTS: &'static [Layout] = &[Layout { version: 1, root_len: Self::ROOT_LEN, digest: 4 }];
}
