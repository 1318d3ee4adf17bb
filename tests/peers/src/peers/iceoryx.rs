//! iceoryx2, both sides looking without a pause; a full reader makes the writer wait.

use std::path::Path;
use std::time::{Duration, Instant};

use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::port::update_connections::UpdateConnections;
use iceoryx2::prelude::*;

use super::{Peer, Words, expect, message};
use crate::Outcome;
use crate::reader::{Reader, Says};

/// Messages that the reader may be behind.
const BUFFER: usize = 4096;

type Port = iceoryx2::service::port_factory::publish_subscribe::PortFactory<ipc::Service, Words, ()>;
type Writer = Publisher<ipc::Service, Words, ()>;
type Listener = Subscriber<ipc::Service, Words, ()>;

struct Iceoryx;

pub(super) fn all() -> Vec<Box<dyn Peer>> {
    vec![Box::new(Iceoryx)]
}

/// What both sides of a round call the service: its place.
fn service(node: &Node<ipc::Service>, place: &Path, way: &str) -> Outcome<Port> {
    let name = format!("{}/{way}", place.display());
    let name = ServiceName::new(&name).map_err(|error| format!("{error:?}"))?;
    let builder = node.service_builder(&name).publish_subscribe::<Words>();
    let builder = builder.enable_safe_overflow(false).subscriber_max_buffer_size(BUFFER).history_size(0);
    Ok(builder.open_or_create().map_err(|error| format!("{error:?}"))?)
}

fn node() -> Outcome<Node<ipc::Service>> {
    set_log_level(LogLevel::Error);
    Ok(NodeBuilder::new().create::<ipc::Service>().map_err(|error| format!("{error:?}"))?)
}

fn writer(port: &Port) -> Outcome<Writer> {
    let builder = port.publisher_builder().backpressure_strategy(BackpressureStrategy::RetryUntilDelivered);
    Ok(builder.create().map_err(|error| format!("{error:?}"))?)
}

fn listener(port: &Port) -> Outcome<Listener> {
    Ok(port.subscriber_builder().buffer_size(BUFFER).create().map_err(|error| format!("{error:?}"))?)
}

/// Until the reader has it: a message that nobody was given is sent again.
fn send(writer: &Writer, words: Words) -> Outcome<()> {
    loop {
        let sample = writer.loan_uninit().map_err(|error| format!("{error:?}"))?;
        if sample.write_payload(words).send().map_err(|error| format!("{error:?}"))? > 0 {
            return Ok(());
        }
        std::hint::spin_loop();
    }
}

fn recv(listener: &Listener) -> Outcome<Words> {
    loop {
        if let Some(sample) = listener.receive().map_err(|error| format!("{error:?}"))? {
            return Ok(*sample);
        }
        std::hint::spin_loop();
    }
}

impl Peer for Iceoryx {
    fn name(&self) -> &'static str {
        "iceoryx2, busy"
    }

    fn read(&self, place: &Path, number: u64, says: &mut Says) -> Outcome<()> {
        let node = node()?;
        let listener = listener(&service(&node, place, "there")?)?;
        says.ready("")?;
        for due in 0..number {
            expect(recv(&listener)?[7], due)?;
        }
        says.done()
    }

    fn write(&self, place: &Path, number: u64, reader: &mut Reader) -> Outcome<Duration> {
        let node = node()?;
        let writer = writer(&service(&node, place, "there")?)?;
        writer.update_connections().map_err(|error| format!("{error:?}"))?;
        let begin = Instant::now();
        for word in 0..number {
            send(&writer, message(word))?;
        }
        Ok(reader.done()? - begin)
    }

    fn echo(&self, place: &Path, number: u64, says: &mut Says) -> Outcome<()> {
        let node = node()?;
        let there = listener(&service(&node, place, "there")?)?;
        let back = service(&node, place, "back")?;
        let writer = writer(&back)?;
        says.ready("")?;
        for _ in 0..number {
            send(&writer, recv(&there)?)?;
        }
        // The last one is read before this memory goes.
        while back.dynamic_config().number_of_subscribers() > 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn ping(&self, place: &Path, number: u64, _: &mut Reader) -> Outcome<Vec<Duration>> {
        let node = node()?;
        let back = listener(&service(&node, place, "back")?)?;
        let writer = writer(&service(&node, place, "there")?)?;
        let mut trips = Vec::new();
        for word in 0..number {
            let begin = Instant::now();
            send(&writer, message(word))?;
            let words = recv(&back)?;
            trips.push(begin.elapsed());
            expect(words[7], word)?;
        }
        Ok(trips)
    }
}
