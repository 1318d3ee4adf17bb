//! A link of a test, message by message.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Poll, Wake, Waker};

use mycelium_remote::frame::{Decoder, Header};
use mycelium_remote::link::{Direct, Input, Link, LinkConfig, Output};
use tokio::io::ReadBuf;

use super::direct::DriverTask;
use super::scripted::{Script, Scripted};
use super::tests::attached_with;
use crate::link::hub::Hub;
use crate::wire::Contract;
use crate::{LinkOptions, LinkStats, MessageBus, WireSubscriber};

/// Counts how often it was woken.
#[derive(Default)]
pub(in crate::link) struct CountsWakes(AtomicU32);

impl CountsWakes {
    pub(in crate::link) fn wakes(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for CountsWakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A connection that spins and takes bytes at once: what is there to read, and what was written.
#[derive(Clone, Default)]
struct Wires {
    bytes: Arc<Mutex<[Vec<u8>; 2]>>,
    spins: bool,
}

impl Script for Wires {
    fn read(&mut self, space: &mut ReadBuf<'_>) -> Poll<()> {
        let [said, _] = &mut *self.bytes.lock().unwrap();
        if said.is_empty() {
            return Poll::Pending;
        }
        let rest = said.split_off(said.len().min(space.remaining()));
        space.put_slice(&std::mem::replace(said, rest));
        Poll::Ready(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes.lock().unwrap()[1].extend(bytes);
        Ok(())
    }

    fn look(&self) -> Option<bool> {
        Some(!self.bytes.lock().unwrap()[0].is_empty())
    }

    fn spins(&self) -> bool {
        self.spins
    }

    fn is_direct(&self) -> bool {
        true
    }
}

/// A link whose both ends want the messages of one topic, the other end of it, and who counts the wakes
/// of its task.
pub(in crate::link) struct ToAndFro {
    pub(in crate::link) task: DriverTask,
    pub(in crate::link) woken: Arc<CountsWakes>,
    pub(in crate::link) other: Link,
    pipe: Wires,
    pub(in crate::link) bus: MessageBus,
    heard: WireSubscriber,
}

pub(in crate::link) fn one() -> Header {
    Header { type_id: 40, version: 1, root_len: 8, ..Header::default() }
}

impl ToAndFro {
    pub(in crate::link) fn new() -> Self {
        Self::with(LinkOptions::default(), false)
    }

    /// `spins`: whether the options of the connection say that it does. It looks in any case.
    pub(in crate::link) fn with(options: LinkOptions, spins: bool) -> Self {
        let table = "mycelium contract 1\nschema one 1\nmessage One 40 1 ones\nfield n 1 u64\n";
        let contract = Contract::parse(table).unwrap();
        let bus = MessageBus::builder().node("tool/market").contract(contract).build();
        let (hub, heard, pipe) = (
            Hub::of(&bus).unwrap(),
            bus.subscribe_wire("ones").unwrap(),
            Wires { spins, ..Wires::default() },
        );
        let mut other = Link::new(LinkConfig::default(), 9);
        let driver = attached_with(options, &bus.core, &hub, |end| {
            std::mem::swap(&mut other, end);
            Box::new(Scripted(pipe.clone()))
        });
        other.step(0, Input::Want { type_id: one().type_id, channel: Some(0) }).unwrap();
        let (task, woken) = (DriverTask::new(driver), Arc::default());
        let mut all = Self { task, woken, other, pipe, bus, heard };
        (0..3).for_each(|_| drop(all.exchange()));
        all
    }

    /// Polls the task once.
    pub(in crate::link) fn poll(&mut self) {
        let waker = Waker::from(Arc::clone(&self.woken));
        assert!(Pin::new(&mut self.task).poll(&mut TaskContext::from_waker(&waker)).is_pending());
    }

    /// Has the task do all that there is to do, and the other end too, which has heard this.
    pub(in crate::link) fn exchange(&mut self) -> Vec<bool> {
        loop {
            let before = self.woken.wakes();
            self.poll();
            if self.woken.wakes() == before {
                break;
            }
        }
        let heard = self.hear();
        self.write();
        heard
    }

    /// Has the other end write what it has to say.
    pub(in crate::link) fn write(&mut self) {
        self.other.fill(0, &mut self.pipe.bytes.lock().unwrap()[0]);
    }

    /// Has the other end read what was written: for each question that has an end,
    /// whether it is an answer.
    pub(in crate::link) fn hear(&mut self) -> Vec<bool> {
        let mut ends = Vec::new();
        let written = std::mem::take(&mut self.pipe.bytes.lock().unwrap()[1]);
        let mut decoder = Decoder::new();
        assert_eq!(decoder.feed(&written), written.len());
        while let Some(frame) = decoder.next_frame().unwrap() {
            match self.other.step(0, Input::Frame(&frame)).unwrap() {
                Output::Direct(Direct::Answer { .. }) => ends.push(true),
                Output::Direct(Direct::Failed { .. }) => ends.push(false),
                _ => {}
            }
        }
        ends
    }

    /// A message of the other end is there to be read.
    pub(in crate::link) fn say(&mut self) {
        self.other.send(&one(), &[0; 8]).unwrap();
        self.write();
    }

    /// The other end asks for a word.
    pub(in crate::link) fn ping(&mut self) {
        self.other.step(0, Input::Ping).unwrap();
        self.write();
    }

    pub(in crate::link) fn publish(&self) {
        self.bus.try_publish_wire(&one(), &[0; 8]).unwrap();
    }

    pub(in crate::link) fn stats(&self) -> LinkStats {
        self.task.shared.try_lock().unwrap().as_ref().unwrap().peer.stats()
    }

    /// How many messages have come here.
    pub(in crate::link) fn heard(&mut self) -> usize {
        std::iter::from_fn(|| self.heard.try_recv()).count()
    }
}
