//! Tools that look at a bus from outside: they slow nothing and leave nothing behind.

#![forbid(unsafe_code)]

mod common;
#[path = "links/kit.rs"]
#[allow(dead_code, reason = "what the tests of topics need")]
mod kit;

use std::time::Duration;

use mycelium::frame::Header;
use mycelium::wire::{self, Encoder, Layout, Messages, Visitor, Wire};
use mycelium::{
    Actor, AskError, BoxError, Context, Dialer, Exposed, LinkAddress, LinkState, Message, MessageBus, Query,
    RemoteError, Responder, Subscription,
};

use crate::common::on_every_runtime;
use crate::kit::{Fill, Order, Tick, bus, find, until, until_wanted};

impl Query for Fill {
    type Reply = Order;
}

struct Desk;
impl Actor for Desk {
    type Error = BoxError;
}
impl Responder<Fill> for Desk {
    type Reply = Order;
    async fn answer(&mut self, fill: &Fill, _: &mut Context<Self>) -> Order {
        if fill.n == 0 {
            std::future::pending::<()>().await;
        }
        Order { n: 2 * fill.n }
    }
}

/// A node, and a tool that is linked with it.
async fn node_and_tool() -> (MessageBus, MessageBus, Dialer) {
    let (node, tool) = (bus("desk"), bus("tool/1"));
    let listener = node.bind_tcp("127.0.0.1:0").unwrap();
    let dialer = tool.connect(LinkAddress::tcp(listener.address())).unwrap();
    assert_eq!(&*dialer.linked().await, "desk");
    until(|| find(&node, "tool/1").is_some_and(|link| link.state == LinkState::Linked)).await;
    (node, tool, dialer)
}

fn header<M: Wire>() -> Header {
    Header { type_id: M::TYPE_ID, version: 1, root_len: M::ROOT_LEN, ..Header::default() }
}

#[test]
fn a_tool_that_reads_nothing_slows_no_publisher() {
    on_every_runtime(async || {
        let (node, tool, _) = node_and_tool().await;
        // As badly as it can be: every queue at the tool is full for ever.
        let _ticks = tool.subscriber_with(Subscription::<Tick>::block().capacity(1)).unwrap();
        until_wanted(&node, "tool/1", &["Tick"]).await;
        let ticks = node.publisher::<Tick>().unwrap();
        for n in 0..50_000 {
            ticks.publish(Tick { n }).await.unwrap();
        }
        // Nor does it keep its node from ending.
        node.shutdown().await.unwrap();
    });
}

#[test]
fn a_tap_shows_what_its_node_publishes_and_not_what_came_there_over_a_link() {
    on_every_runtime(async || {
        let (node, tool, _) = node_and_tool().await;
        let market = bus("market");
        let listener = market.bind_tcp("127.0.0.1:0").unwrap();
        node.connect(LinkAddress::tcp(listener.address())).unwrap().linked().await;
        let mut heard = node.subscriber::<Tick>().unwrap();
        let mut shown = tool.subscriber::<Tick>().unwrap();
        until_wanted(&node, "tool/1", &["Tick"]).await;
        until_wanted(&market, "desk", &["Tick"]).await;
        let ticks = market.publisher::<Tick>().unwrap();
        for n in 0..100 {
            ticks.publish(Tick { n }).await.unwrap();
            assert_eq!(heard.recv().await.map(|tick| tick.n), Some(n));
        }
        node.publisher::<Tick>().unwrap().publish(Tick { n: 100 }).await.unwrap();
        assert_eq!(shown.recv().await.map(|tick| tick.n), Some(100));
        // As a tool does that publishes: it is heard at its node alone.
        tool.publisher::<Tick>().unwrap().publish(Tick { n: 101 }).await.unwrap();
        assert_eq!(heard.recv().await.map(|tick| tick.n), Some(100));
        assert_eq!(heard.recv().await.map(|tick| tick.n), Some(101));
        assert_eq!(find(&market, "desk").map(|link| link.received), Some(0));
    });
}

#[test]
fn tools_that_have_gone_leave_nothing_behind() {
    on_every_runtime(async || {
        let node = bus("desk");
        let listener = node.bind_tcp("127.0.0.1:0").unwrap();
        for number in 0..20 {
            let name = format!("tool/{number}");
            let tool = bus(&name);
            tool.connect(LinkAddress::tcp(listener.address())).unwrap().linked().await;
            until(|| find(&node, &name).is_some()).await;
            tool.shutdown().await.unwrap();
            until(|| node.stats().links.is_empty()).await;
        }
    });
}

#[test]
fn an_actor_is_asked_in_bytes() {
    on_every_runtime(async || {
        let (node, tool, _) = node_and_tool().await;
        let desk = node.spawn(Desk).unwrap();
        node.expose("risk", Exposed::new().answers::<Fill>(desk)).unwrap();
        let mut encoder = Encoder::new();
        let fill = encoder.encode(&Fill { n: 21 }).unwrap().to_vec();
        let never = encoder.encode(&Fill { n: 0 }).unwrap().to_vec();
        // From another bus, and from its own.
        for asker in [&tool, &node] {
            let answer = asker.ask_wire("desk/risk", &header::<Fill>(), &fill, None).await.unwrap();
            assert_eq!((answer.name(), Order::decode(answer.bytes())), ("Order", Ok(Order { n: 42 })));
            let nobody = asker.ask_wire("desk/nobody", &header::<Fill>(), &fill, None).await;
            assert!(matches!(nobody.unwrap_err(), AskError::Remote(_, RemoteError::NoActor)));
            let not_taken = asker.ask_wire("desk/risk", &header::<Order>(), &fill, None).await;
            assert!(matches!(not_taken.unwrap_err(), AskError::Remote(_, RemoteError::NotTaken)));
            let invalid = asker.ask_wire("desk/risk", &header::<Fill>(), &fill[..4], None).await;
            assert!(matches!(invalid.unwrap_err(), AskError::Remote(_, RemoteError::Invalid)));
        }
        // Last, as it keeps the actor.
        for asker in [&tool, &node] {
            let short = Some(Duration::from_millis(50));
            let late = asker.ask_wire("desk/risk", &header::<Fill>(), &never, short).await;
            let late = late.unwrap_err();
            assert!(matches!(late, AskError::Timeout(_)) && late.may_have_been_handled(), "{late:?}");
            assert_eq!(late.asked().unwrap().whom.as_ref().unwrap().to_string(), "desk/risk");
        }

        let refused = async |path: &str, header: Header, bytes: &[u8]| match tool
            .ask_wire(path, &header, bytes, None)
            .await
            .unwrap_err()
        {
            AskError::Remote(_, error) => error,
            other => panic!("{other:?}"),
        };
        assert_eq!(refused("other/risk", header::<Fill>(), &fill).await, RemoteError::NotLinked);
        assert_eq!(refused("desk", header::<Fill>(), &fill).await, RemoteError::NotTaken);
        let unknown = Header { type_id: 99, ..header::<Fill>() };
        assert_eq!(refused("desk/risk", unknown, &fill).await, RemoteError::NotTaken);
        assert_eq!(tool.stats().links.len(), 1);
        assert_eq!(Fill::NAME, "Fill");
    });
}

/// A question that the desk answers with an order.
#[derive(Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
struct Question {
    n: u64,
}
impl Message for Question {
    const NAME: &'static str = "Question";
    const TYPE_ID: u16 = 60;
    const TOPIC: &'static str = "questions";
}
impl Wire for Question {
    const FIXED: bool = true;
    // The digest is that of the table below.
    const LAYOUTS: &'static [Layout] =
        &[Layout { version: 1, root_len: Self::ROOT_LEN, digest: 0x454e_bdb5_6081_4973 }];
}
impl Query for Question {
    type Reply = Order;
}
impl Responder<Question> for Desk {
    type Reply = Order;
    async fn answer(&mut self, question: &Question, _: &mut Context<Self>) -> Order {
        Order { n: question.n }
    }
}
struct OnlyQuestion;
impl Messages for OnlyQuestion {
    fn each<V: Visitor>(&self, visitor: &mut V) {
        visitor.typed::<Question>();
    }
}

#[test]
fn an_answer_in_bytes_is_of_the_message_that_the_contract_gives() {
    const TABLE: &str = "mycelium contract 1\nschema desk 1\nmessage Question 60 1 questions\nfield n 1 u64\n\
        message Other 61 1 others\nfield n 1 u64\n";
    on_every_runtime(async || {
        let table = |replies: &str| wire::Contract::parse(&format!("{TABLE}{replies}")).unwrap();
        let other = table("reply Question Other\n");
        let contracts = [(table(""), true), (other, false)];
        for (contract, is_answered) in contracts {
            let node = kit::builder("desk").contract(OnlyQuestion).contract(contract).build();
            let desk = node.spawn(Desk).unwrap();
            node.expose("risk", Exposed::new().answers::<Question>(desk)).unwrap();
            let asked = node.ask_wire("desk/risk", &header::<Question>(), &7_u64.to_le_bytes(), None).await;
            match asked {
                Ok(answer) => assert!(is_answered && answer.name() == "Order"),
                Err(AskError::Remote(_, RemoteError::Unanswerable)) => assert!(!is_answered),
                Err(error) => panic!("{error}"),
            }
        }
        // Two that contradict each other.
        let itself = table("reply Question Question\n");
        let node = kit::builder("desk").contract(OnlyQuestion).contract(other).contract(itself).build();
        let refused = node.publish_wire(&header::<Question>(), &7_u64.to_le_bytes()).await.unwrap_err();
        assert!(refused.to_string().contains("its answer has the type id 61, the other 60"), "{refused}");
    });
}

#[test]
fn a_word_goes_to_the_peer_and_back() {
    on_every_runtime(async || {
        let (node, _tool, dialer) = node_and_tool().await;
        let trips = (0..200).map(|_| dialer.round_trip());
        for trip in trips {
            assert!(trip.await.expect("they are linked") > Duration::ZERO);
        }
        // Several at the same time.
        let (one, other) = tokio::join!(dialer.round_trip(), dialer.round_trip());
        assert!(one.is_some() && other.is_some());
        node.shutdown().await.unwrap();
        until(|| !dialer.fault().is_none_or(|fault| fault.is_empty())).await;
        assert_eq!(dialer.round_trip().await, None);
    });
}

#[test]
fn what_a_tool_has_sent_and_nobody_had_room_for_stays_when_other_tools_come() {
    on_every_runtime(async || {
        let node = bus("desk");
        let mut ticks = node.subscriber_with(Subscription::<Tick>::block().capacity(1)).unwrap();
        let listener = node.bind_tcp("127.0.0.1:0").unwrap();
        let tool = bus("tool/1");
        tool.connect(LinkAddress::tcp(listener.address())).unwrap().linked().await;
        until_wanted(&tool, "desk", &["Tick"]).await;
        let publisher = tool.publisher::<Tick>().unwrap();
        for n in 0..10 {
            publisher.publish(Tick { n }).await.unwrap();
        }
        tool.shutdown().await.unwrap();
        for number in 2..5 {
            let other = bus(&format!("tool/{number}"));
            other.connect(LinkAddress::tcp(listener.address())).unwrap().linked().await;
            other.shutdown().await.unwrap();
        }
        for n in 0..10 {
            assert_eq!(ticks.recv().await.as_deref(), Some(&Tick { n }));
        }
        until(|| find(&node, "tool/1").is_none()).await;
        node.shutdown().await.unwrap();
    });
}
