//! Publishing to one service: whoever else subscribes hears nothing of it, in every mode of a topology.

use std::sync::{Arc, Mutex};

use mycelium::topology::LocalNode;
use mycelium::tree::{Builder, Child, StartError, Tree};
use mycelium::{
    Actor, BoxError, Context, Exposed, Handler, LinkError, MessageBus, PublisherTo, RemoteError,
    Subscriptions, Supervisor, TellError,
};

use crate::common::on_every_runtime;
use crate::kit::{Contract, Fill, Tick, builder, until, until_wanted};
use crate::paths::TopologyFile;

/// The numbers that came to each service, in order.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<u64>>>);
impl Heard {
    fn all(&self) -> Vec<u64> {
        self.0.lock().unwrap().clone()
    }
}

/// Subscribes to ticks, as all services here do, and fails at the highest.
struct Service(Heard);
impl Actor for Service {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
}
impl Handler<Tick> for Service {
    async fn handle(&mut self, tick: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        if tick.n == u64::MAX {
            return Err("no such tick".into());
        }
        self.0.0.lock().unwrap().push(tick.n);
        Ok(())
    }
}

fn exposed(id: &str, heard: &Heard) -> Child {
    let heard = heard.clone();
    Child::exposed(id, move || Service(heard.clone()), |service| Exposed::new().takes::<Tick>(service))
}

/// Both services of the topology, each exposed under its name.
fn services(risk: &Heard, desk: &Heard) -> Builder {
    Supervisor::builder("floor").child(exposed("risk", risk)).child(exposed("desk", desk))
}

async fn start(file: &TopologyFile, name: &str, services: Builder) -> (MessageBus, Tree) {
    let node = LocalNode::open(file.path(), name).unwrap();
    node.start(MessageBus::builder().contract(Contract), services).await.unwrap()
}

async fn publish(to: &PublisherTo<Tick>, n: u64) {
    let mut sent = to.publish(Tick { n }).await;
    // Until the two are linked, and the other one has said who is there.
    while let Err(TellError::Remote(tick, _, RemoteError::NotLinked | RemoteError::NoActor)) = sent {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        sent = to.publish(tick).await;
    }
    sent.unwrap();
}

/// What a program does that knows nothing of the mode: from the bus of the desk.
async fn program(from: &MessageBus, risk: &Heard, desk: &Heard, is_wanted: impl AsyncFn()) {
    let to_risk = from.publisher_to::<Tick>("risk").unwrap();
    let to_desk = from.publisher_to::<Tick>("desk").unwrap();
    publish(&to_risk, 0).await;
    publish(&to_desk, 1).await;
    is_wanted().await;
    let ticks = from.publisher::<Tick>().unwrap();
    for n in 2..200 {
        match n % 3 {
            0 => to_risk.publish(Tick { n }).await.unwrap(),
            1 => to_desk.publish(Tick { n }).await.unwrap(),
            _ => ticks.publish(Tick { n }).await.unwrap(),
        }
    }
    let those_not = |of: u64| (0..200).filter(|n| n % 3 != of).collect::<Vec<_>>();
    until(|| risk.all().len() == those_not(1).len() && desk.all().len() == those_not(0).len()).await;
    assert_eq!((risk.all(), desk.all()), (those_not(1), those_not(0)));
    // Nothing of it is in the topic.
    let published = from.topics().into_iter().find(|topic| topic.message == "Tick").unwrap().published;
    assert_eq!(published, 66);

    // The next life of the service is reached by the same publisher, and it is watched as any actor.
    to_risk.publish(Tick { n: u64::MAX }).await.unwrap();
    publish(&to_risk, 1_000).await;
    until(|| risk.all().last() == Some(&1_000)).await;
    assert!(to_risk.is_alive() && to_risk.identity().to_string().contains("risk"));
}

#[test]
fn a_message_to_one_service_is_heard_by_it_alone_in_every_mode() {
    on_every_runtime(async || {
        let (risk, desk) = (Heard::default(), Heard::default());
        let file = TopologyFile::new("monolith");
        let (bus, tree) = start(&file, "risk", services(&risk, &desk)).await;
        program(&bus, &risk, &desk, async || ()).await;
        tree.shutdown().await.unwrap();
        bus.shutdown().await.unwrap();
        for mode in ["bundled", "distributed"] {
            let file = TopologyFile::new(mode);
            let (risk, desk) = (Heard::default(), Heard::default());
            let (at_desk, desk_tree) = start(&file, "desk", services(&risk, &desk)).await;
            // Its service is away yet.
            let to_risk = at_desk.publisher_to::<Tick>("risk").unwrap();
            let away = to_risk.publish(Tick { n: 7 }).await.unwrap_err();
            assert!(matches!(away, TellError::Remote(Tick { n: 7 }, _, RemoteError::NotLinked)), "{away}");
            let (at_risk, risk_tree) = start(&file, "risk", services(&risk, &desk)).await;
            program(&at_desk, &risk, &desk, async || until_wanted(&at_desk, "risk-node", &["Tick"]).await)
                .await;

            // What was published before a shutdown is delivered.
            for n in 2_000..2_300 {
                to_risk.publish(Tick { n }).await.unwrap();
            }
            desk_tree.shutdown().await.unwrap();
            at_desk.shutdown().await.unwrap();
            until(|| risk.all().last() == Some(&2_299)).await;
            let late = to_risk.publish(Tick { n: 1 }).await.unwrap_err();
            assert!(matches!(late, TellError::Remote(Tick { n: 1 }, _, RemoteError::NotLinked)), "{late}");
            risk_tree.shutdown().await.unwrap();
            at_risk.shutdown().await.unwrap();
        }
    });
}

#[tokio::test]
async fn a_name_that_is_no_service_is_an_error_with_the_one_that_may_be_meant() {
    let file = TopologyFile::new("monolith");
    let (bus, tree) = start(&file, "risk", services(&Heard::default(), &Heard::default())).await;
    let error = |name: &str| bus.publisher_to::<Tick>(name).map(drop).unwrap_err();
    for (name, expected) in [
        ("riks", "\"riks\" is no service: the topology has no such service; did you mean `risk`?"),
        (
            "journal",
            "\"journal\" is no service: the topology has no such service; its services are desk, risk",
        ),
        (
            "risk-node",
            "\"risk-node\" is no service: it is a node of the topology and no service; its services are desk, risk",
        ),
    ] {
        let error = error(name);
        assert!(matches!(&error, LinkError::Service { service, .. } if **service == *name));
        assert_eq!(error.to_string(), expected);
    }
    // A service that takes no such message.
    let to_risk = bus.publisher_to::<Fill>("risk").unwrap();
    let refused = to_risk.try_publish(Fill { n: 1 }).unwrap_err();
    assert!(matches!(refused, TellError::Remote(Fill { n: 1 }, _, RemoteError::NotTaken)), "{refused}");
    tree.shutdown().await.unwrap();
    let gone = bus.publisher_to::<Tick>("risk").unwrap().publish(Tick { n: 1 }).await.unwrap_err();
    assert!(matches!(gone, TellError::Remote(_, _, RemoteError::NoActor)), "{gone}");
    assert!(matches!(MessageBus::new().publisher_to::<Tick>("risk"), Err(LinkError::NoName)));
}

#[tokio::test]
async fn a_child_whose_name_another_actor_has_does_not_start_and_the_name_is_free_after_its_end() {
    let bus = builder("floor").build();
    let heard = Heard::default();
    let first = bus.spawn(Service(heard.clone())).unwrap();
    bus.expose("risk", Exposed::new().takes::<Tick>(&first)).unwrap();
    let tree = || Supervisor::builder("root").child(exposed("risk", &heard));
    let refused = tree().start(&bus).await.map(drop).unwrap_err();
    assert!(matches!(refused, StartError::Failed(_)));
    assert!(refused.to_string().contains("another actor is exposed as \"risk\", and it lives"), "{refused}");
    first.kill();
    first.ended().await;
    let tree = tree().start(&bus).await.unwrap();
    bus.publisher_to::<Tick>("floor").unwrap().try_publish(Tick { n: 1 }).unwrap_err();
    bus.recipient::<Tick>("floor/risk").unwrap().tell(Tick { n: 2 }).await.unwrap();
    until(|| heard.all() == [2]).await;
    tree.shutdown().await.unwrap();
    // A bus that nobody can be linked with: the child is one as any other.
    let alone = MessageBus::new();
    let tree = Supervisor::builder("root").child(exposed("risk", &heard)).start(&alone).await.unwrap();
    alone.publisher::<Tick>().unwrap().publish(Tick { n: 3 }).await.unwrap();
    until(|| heard.all() == [2, 3]).await;
    tree.shutdown().await.unwrap();
}

#[test]
fn a_child_that_is_started_anew_takes_the_name_of_its_former_actor_and_one_of_another_tree_does_not() {
    on_every_runtime(|| async {
        let bus = builder("floor").build();
        let heard = Heard::default();
        let tree = Supervisor::builder("root").child(exposed("risk", &heard)).start(&bus).await.unwrap();
        let risk = bus.recipient::<Tick>("floor/risk").unwrap();
        // The former actor may still be ending.
        for n in 0..200 {
            tree.terminate_child("root/risk").await.unwrap();
            tree.restart_child("root/risk").await.unwrap();
            risk.tell(Tick { n }).await.unwrap();
        }
        until(|| heard.all().last() == Some(&199)).await;
        let other = Supervisor::builder("root").child(exposed("risk", &heard)).start(&bus).await;
        assert!(other.map(drop).unwrap_err().to_string().contains("another actor is exposed as \"risk\""));
        tree.shutdown().await.unwrap();
    });
}
