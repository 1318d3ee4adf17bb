//! Messages with a form on the wire, by hand, and a contract that has them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mycelium::frame::Header;
use mycelium::wire::{Encoder, Layout, Messages, Visitor, Wire};
use mycelium::{Message, ValidationError, WireMessage};

#[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Price {
    pub at: i64,
}
impl Message for Price {
    const NAME: &'static str = "Price";
    const TYPE_ID: u16 = 100;
    const TOPIC: &'static str = "market.prices";

    fn validate(&self) -> Result<(), ValidationError> {
        match self.at {
            ..0 => Err(ValidationError::new(Self::NAME, "at", format!("is {}, must be at least 0", self.at))),
            _ => Ok(()),
        }
    }
}
impl Wire for Price {
    const FIXED: bool = true;
    const LAYOUTS: &'static [Layout] = &[Layout { version: 1, root_len: Self::ROOT_LEN, digest: 1 }];
}

#[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Text {
    pub words: String,
}
impl Message for Text {
    const NAME: &'static str = "Text";
    const TYPE_ID: u16 = 7;
    const TOPIC: &'static str = "news";
}
impl Wire for Text {
    const LAYOUTS: &'static [Layout] = &[Layout { version: 1, root_len: Self::ROOT_LEN, digest: 2 }];
}

/// Counts how often it is encoded.
#[derive(Clone, Debug)]
pub struct Counted(pub u64, pub Arc<AtomicU64>);
impl Message for Counted {
    const NAME: &'static str = "Counted";
    const TYPE_ID: u16 = 9;
    const TOPIC: &'static str = "market.counted";
}
impl rkyv::Archive for Counted {
    type Archived = rkyv::rend::u64_le;
    type Resolver = ();
    fn resolve(&self, (): (), out: rkyv::Place<Self::Archived>) {
        out.write(rkyv::rend::u64_le::from_native(self.0));
    }
}
impl<S: rkyv::rancor::Fallible + ?Sized> rkyv::Serialize<S> for Counted {
    fn serialize(&self, _: &mut S) -> Result<(), S::Error> {
        self.1.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}
impl<D: rkyv::rancor::Fallible + ?Sized> rkyv::Deserialize<Counted, D> for rkyv::rend::u64_le {
    fn deserialize(&self, _: &mut D) -> Result<Counted, D::Error> {
        Ok(Counted(self.to_native(), Arc::default()))
    }
}
impl Wire for Counted {
    const LAYOUTS: &'static [Layout] = &[Layout { version: 1, root_len: Self::ROOT_LEN, digest: 3 }];
}

/// What generated code has as `CONTRACT`.
pub struct Mine;
impl Messages for Mine {
    fn each<V: Visitor>(&self, visitor: &mut V) {
        visitor.typed::<Price>();
        visitor.typed::<Text>();
        visitor.typed::<Counted>();
    }
}

pub fn header<M: Wire>() -> Header {
    Header { type_id: M::TYPE_ID, version: M::VERSION, root_len: M::ROOT_LEN, ..Header::default() }
}

pub fn bytes<M: Wire>(message: &M) -> Vec<u8> {
    Encoder::new().encode(message).unwrap().to_vec()
}

/// What it is, in words.
pub fn show(message: &WireMessage) -> String {
    match message.header().type_id {
        Price::TYPE_ID => format!("price {}", Price::decode(message.bytes()).unwrap().at),
        Text::TYPE_ID => Text::decode(message.bytes()).unwrap().words,
        Counted::TYPE_ID => format!("counted {}", Counted::decode(message.bytes()).unwrap().0),
        other => panic!("{other}"),
    }
}
