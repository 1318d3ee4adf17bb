//! A program's log that panics over the lines of links costs no link anything.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mycelium::wire::{Layout, Messages, Visitor, Wire};
use mycelium::{
    Actor, BoxError, BusBuilder, Context, Exposed, Handler, LinkAddress, LinkOptions, LinkState, Message,
    MessageBus, Subscription, ValidationError,
};

use crate::common::WATCHDOG;
use crate::common::log::{PanickingLog, hear};
use crate::kit::{Fill, Order, SocketPath, Text, Tick, find, link, socket, until, until_wanted};

/// At most 9, as its receiver finds out.
#[derive(Clone, Copy, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
struct Digit {
    n: u64,
}
impl Message for Digit {
    const NAME: &'static str = "Digit";
    const TYPE_ID: u16 = 21;
    const TOPIC: &'static str = "digits";

    fn validate(&self) -> Result<(), ValidationError> {
        match self.n {
            ..10 => Ok(()),
            _ => Err(ValidationError::new(Self::NAME, "n", "is more than 9".to_owned())),
        }
    }
}
impl Wire for Digit {
    const FIXED: bool = true;
    const LAYOUTS: &'static [Layout] = &[Layout { version: 1, root_len: Self::ROOT_LEN, digest: 21 }];
}

/// Its author's code panics over some values, where bytes are made of them.
#[derive(Clone, Copy, Debug)]
struct Fickle(u64);
impl Message for Fickle {
    const NAME: &'static str = "Fickle";
    const TYPE_ID: u16 = 23;
    const TOPIC: &'static str = "fickle";
}
impl rkyv::Archive for Fickle {
    type Archived = rkyv::rend::u64_le;
    type Resolver = ();
    fn resolve(&self, (): (), out: rkyv::Place<Self::Archived>) {
        out.write(rkyv::rend::u64_le::from_native(self.0));
    }
}
impl<S: rkyv::rancor::Fallible + ?Sized> rkyv::Serialize<S> for Fickle {
    fn serialize(&self, _: &mut S) -> Result<(), S::Error> {
        assert_ne!(self.0, 0, "told to panic");
        Ok(())
    }
}
impl<D: rkyv::rancor::Fallible + ?Sized> rkyv::Deserialize<Fickle, D> for rkyv::rend::u64_le {
    fn deserialize(&self, _: &mut D) -> Result<Fickle, D::Error> {
        Ok(Fickle(self.to_native()))
    }
}
impl Wire for Fickle {
    const LAYOUTS: &'static [Layout] = &[Layout { version: 1, root_len: Self::ROOT_LEN, digest: 23 }];
}

/// A tick that another contract means differently.
#[derive(Clone, Copy, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
struct OtherTick {
    n: u64,
}
impl Message for OtherTick {
    const NAME: &'static str = Tick::NAME;
    const TYPE_ID: u16 = Tick::TYPE_ID;
    const TOPIC: &'static str = Tick::TOPIC;
}
impl Wire for OtherTick {
    const LAYOUTS: &'static [Layout] = &[Layout { version: 1, root_len: Self::ROOT_LEN, digest: 1_000 }];
}

/// The contract of a bus; whether it means ticks as the other one does.
struct Contract(bool);
impl Messages for Contract {
    fn each<V: Visitor>(&self, visitor: &mut V) {
        if self.0 {
            visitor.typed::<Tick>();
        } else {
            visitor.typed::<OtherTick>();
        }
        visitor.typed::<Fill>();
        visitor.typed::<Order>();
        visitor.typed::<Text>();
        visitor.typed::<Digit>();
        visitor.typed::<Fickle>();
    }
}

fn builder(name: &str) -> BusBuilder {
    MessageBus::builder().node(name).contract(Contract(name == "market"))
}

/// Counts the texts that it is told.
struct Clerk(Arc<Mutex<Vec<usize>>>);
impl Actor for Clerk {
    type Error = BoxError;
}
impl Handler<Text> for Clerk {
    async fn handle(&mut self, text: &Text, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.lock().unwrap().push(text.words.len());
        Ok(())
    }
}

/// A text that no frame holds.
fn too_long() -> Text {
    Text { words: "x".repeat(17 << 20) }
}

/// A market that listens, and a desk that has looked for it before.
async fn linked(lines: &PanickingLog, at: &SocketPath) -> (MessageBus, MessageBus) {
    let desk = builder("desk").build();
    let dialer = desk.connect(LinkAddress::unix(&**at)).unwrap();
    until(|| lines.has("not linked yet")).await;
    let market = builder("market").build();
    market.bind_unix(at).unwrap();
    assert_eq!(&*dialer.linked().await, "market");
    (market, desk)
}

#[tokio::test(flavor = "current_thread")]
async fn a_log_that_panics_ends_no_link_and_costs_no_other_message() {
    // Without a link, everybody waits for ever.
    tokio::time::timeout(WATCHDOG, messages_travel()).await.expect("a link has ended");
}

async fn messages_travel() {
    let (lines, at) = (PanickingLog::default(), socket());
    let _guard = hear(lines.clone());
    let (market, desk) = linked(&lines, &at).await;
    let (mut digits, mut fickle) =
        (desk.subscriber::<Digit>().unwrap(), desk.subscriber::<Fickle>().unwrap());
    let mut texts = desk.subscriber::<Text>().unwrap();
    until_wanted(&market, "desk", &["Digit", "Fickle", "Text"]).await;
    assert!(lines.has("link up") && lines.has("a message is disabled on a link"), "{:?}", lines.texts());
    // Each is behind one over which a line is written.
    for n in [10, 1] {
        market.publisher().unwrap().publish(Digit { n }).await.unwrap();
    }
    assert_eq!(digits.recv().await.as_deref().map(|digit| digit.n), Some(1));
    assert!(lines.has("a message from a peer was not taken"), "{:?}", lines.texts());
    market.publisher().unwrap().publish(too_long()).await.unwrap();
    market.publisher().unwrap().publish(Text { words: "short".to_owned() }).await.unwrap();
    assert_eq!(texts.recv().await.as_deref().map(|text| text.words.len()), Some(5));
    assert!(lines.has("a message cannot be sent"), "{:?}", lines.texts());
    for n in [0, 1] {
        market.publisher().unwrap().publish(Fickle(n)).await.unwrap();
    }
    assert_eq!(fickle.recv().await.as_deref().map(|fickle| fickle.0), Some(1));
    assert!(lines.has("a message cannot be written as bytes"), "{:?}", lines.texts());
    let told = Arc::default();
    let clerk = desk.spawn(Clerk(Arc::clone(&told))).unwrap();
    desk.expose("clerk", Exposed::new().takes::<Text>(clerk)).unwrap();
    let clerk = market.recipient::<Text>("desk/clerk").unwrap();
    assert!(clerk.tell(too_long()).await.is_err());
    clerk.tell(Text { words: "short".to_owned() }).await.unwrap();
    until(|| told.lock().unwrap().contains(&5)).await;
    assert_eq!(link(&market, "desk").connections, 1, "it is the same connection still");
    market.shutdown().await.unwrap();
    desk.shutdown().await.unwrap();
}

#[tokio::test(flavor = "current_thread")]
async fn a_log_that_panics_keeps_no_link_from_coming_again_or_being_given_up() {
    // Without a link, everybody waits for ever.
    tokio::time::timeout(WATCHDOG, links_come_again()).await.expect("a link has ended");
}

async fn links_come_again() {
    let (lines, at) = (PanickingLog::default(), socket());
    let _guard = hear(lines.clone());
    let (market, desk) = linked(&lines, &at).await;
    let fills = desk.subscriber_with(Subscription::<Fill>::block().capacity(1)).unwrap();
    until_wanted(&market, "desk", &["Fill"]).await;
    let publisher = market.publisher::<Fill>().unwrap();
    while publisher.try_publish(Fill { n: 0 }).is_ok() || link(&market, "desk").acknowledged < 1_024 {
        tokio::task::yield_now().await;
    }
    // It leaves behind what nobody there has read.
    let error = market.shutdown_within(Duration::from_millis(50)).await.unwrap_err();
    assert!(error.links[0].unacknowledged > 0, "{error}");
    until(|| lines.has("link down")).await;
    drop((fills, market));
    let market = builder("market").build();
    market.bind_unix(&at).unwrap();
    let mut orders = desk.subscriber::<Order>().unwrap();
    until_wanted(&market, "desk", &["Order"]).await;
    market.publisher().unwrap().publish(Order { n: 7 }).await.unwrap();
    assert_eq!(orders.recv().await.as_deref(), Some(&Order { n: 7 }));
    desk.shutdown().await.unwrap();
    // A peer that has gone without a word is waited for, and then given up with what was for it.
    let hold = LinkOptions::default().hold(Duration::from_millis(50));
    let other = socket();
    market.bind_unix_with(&other, hold).unwrap();
    let desk = runtime_of_its_own(&other);
    until_wanted(&market, "till", &["Fill"]).await;
    let publisher = market.publisher::<Fill>().unwrap();
    while publisher.try_publish(Fill { n: 0 }).is_ok() || link(&market, "till").acknowledged == 0 {
        tokio::task::yield_now().await;
    }
    desk.shutdown_background();
    until(|| find(&market, "till").is_some_and(|link| link.state == LinkState::Gone)).await;
    until(|| lines.has("the peer was given up")).await;
    market.shutdown_within(Duration::from_secs(1)).await.ok();
}

/// A bus named till, which reads nothing, on a runtime that takes it along.
fn runtime_of_its_own(at: &SocketPath) -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let till = {
        let _entered = runtime.enter();
        let till = builder("till").build();
        till.connect(LinkAddress::unix(&**at)).unwrap();
        till
    };
    let fills = till.subscriber_with(Subscription::<Fill>::block().capacity(1)).unwrap();
    runtime.spawn(async move {
        let _kept = (till, fills);
        std::future::pending::<()>().await;
    });
    runtime
}
