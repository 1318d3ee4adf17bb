//! Publish and receive messages as bytes: for links, journals and programs in other languages.

use mycelium::frame::Header;
use mycelium::wire::{Encoder, Wire};
use mycelium::{Message, MessageBus, Result, WireTopics};

use crate::{CONTRACT, Quote};

pub(crate) async fn run() -> Result {
    let bus = MessageBus::builder().contract(CONTRACT).build();
    let mut typed = bus.subscriber::<Quote>()?;
    let mut wire = bus.subscribe_wire(WireTopics::all())?;
    let quote = Quote { symbol: 1, ticks: 101 };
    let header = Header {
        type_id: <Quote as Message>::TYPE_ID,
        version: <Quote as Message>::VERSION,
        root_len: <Quote as Wire>::ROOT_LEN,
        ..Header::default()
    };
    bus.publish_wire(&header, Encoder::new().encode(&quote)?).await?; // decoded and validated once
    assert_eq!(typed.recv().await.as_deref(), Some(&quote));
    let bytes = wire.recv().await.ok_or("the bus has ended")?;
    println!("{} bytes of {}", bytes.bytes().len(), bytes.name());
    Ok(bus.shutdown().await?)
}
