//! A process of the simulation: a bus with an actor that hears its peers, and what it has sent to each.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mycelium_random::Random;

use super::net::Net;
use super::visitor::{VISITORS_MAX, VisitingSubscriber};
use crate::link::endpoint::{Dial, Reached, keep_dialing};
use crate::link::greet::{Patience, Side, greet};
use crate::link::hub::Hub;
use crate::link::sockets::Socket;
use crate::live::Bridge;
use crate::rt;
use crate::wire::{Layout, Messages, Visitor, Wire};
use crate::{
    Actor, ActorRef, AskError, BoxError, Context, Exposed, Handler, LinkAddress, LinkOptions, LinkStats,
    Message, MessageBus, Publisher, Query, Recipient, ReplyRecipient, Responder, Subscriber, Subscription,
    Subscriptions,
};

#[macro_use]
#[path = "../../../tests/links/messages.rs"]
mod messages;
use messages::{Fill, Order, Text, Tick};

number!(Question, 15, "questions");
number!(Answer, 17, "answers");
number!(Glimpse, 19, "glimpses");

impl Query for Question {
    type Reply = Answer;
}

struct Contract;
impl Messages for Contract {
    fn each<V: Visitor>(&self, visitor: &mut V) {
        visitor.typed::<Tick>();
        visitor.typed::<Fill>();
        visitor.typed::<Order>();
        visitor.typed::<Text>();
        visitor.typed::<Question>();
        visitor.typed::<Answer>();
        visitor.typed::<Glimpse>();
    }
}

/// A number of a process, by which its messages are known, and of a message of it.
pub(super) fn message(process: u64, count: u64) -> u64 {
    process << 32 | count
}

/// The process that has sent a message.
pub(super) fn sender(message: u64) -> u64 {
    message >> 32
}

/// What the actor of a process has heard of each process, in order.
pub(super) type HeardBySender = Arc<Mutex<BTreeMap<u64, Vec<u64>>>>;

/// Hears ticks, fills and orders, which keep one order for each sender, and answers questions.
struct GateActor {
    heard: HeardBySender,
    /// It takes no time from now on.
    is_quick: Arc<AtomicBool>,
    capacity: usize,
}

impl GateActor {
    async fn hear(&self, n: u64, ctx: &mut Context<Self>) {
        self.heard.lock().unwrap().entry(sender(n)).or_default().push(n);
        // One of some takes a while, whichever those are.
        if n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 61 == 0 && !self.is_quick.load(Ordering::SeqCst) {
            ctx.sleep(Duration::from_millis(n % 40)).await;
        }
    }
}
impl Actor for GateActor {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics
            .on_with(Subscription::<Tick>::block().capacity(self.capacity))
            .on_with(Subscription::<Fill>::block().capacity(self.capacity));
    }
}
impl Handler<Tick> for GateActor {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.hear(tick.n, ctx).await;
        Ok(())
    }
}
impl Handler<Fill> for GateActor {
    async fn handle(&mut self, fill: &Fill, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.hear(fill.n, ctx).await;
        Ok(())
    }
}
impl Handler<Order> for GateActor {
    async fn handle(&mut self, order: &Order, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.hear(order.n, ctx).await;
        Ok(())
    }
}
impl Responder<Question> for GateActor {
    type Reply = Answer;
    async fn answer(&mut self, question: &Question, _: &mut Context<Self>) -> Answer {
        Answer { n: !question.n }
    }
}

/// What became of the questions to one node.
#[derive(Default)]
pub(super) struct QuestionCounts {
    pub(super) put: AtomicU64,
    pub(super) answered: AtomicU64,
    pub(super) failed: AtomicU64,
}

/// What goes to one node, and what has come of that.
pub(super) struct PeerOutbox {
    gate: Recipient<Order>,
    questions: ReplyRecipient<Question, Answer>,
    /// Messages of topics that the node wanted when they were published, and orders, in their order.
    pub(super) owed: Vec<u64>,
    pub(super) texts: u64,
    pub(super) glimpses: u64,
    pub(super) asked: Arc<QuestionCounts>,
}

/// The listeners of a world, by their nodes.
pub(super) type Listeners = Arc<Mutex<Vec<Option<SimListener>>>>;

/// A node that takes connections.
type SimListener = (Arc<Hub>, Arc<LinkOptions>, Arc<Patience>);

/// How a node reaches another one.
struct SimDial {
    net: Arc<Net>,
    listeners: Listeners,
    from: usize,
    to: usize,
}

impl Dial for SimDial {
    async fn dial(&mut self, _: Duration) -> io::Result<Box<dyn Socket>> {
        while let Some(until) = self.net.held(self.from, self.to) {
            rt::sleep_until(until).await;
        }
        let listener = self.listeners.lock().unwrap()[self.to].clone();
        let (hub, options, patience) = listener.ok_or(io::ErrorKind::ConnectionRefused)?;
        let [near, far] = self.net.connect(self.from, self.to);
        let greeting = Arc::clone(&hub);
        hub.handshakes.spawn(async move {
            let _refused = greet(&greeting, Box::new(far), Side::Accepted, &options, &patience).await;
        });
        Ok(Box::new(near))
    }
}

/// How the queues of a world are.
#[derive(Clone, Debug)]
pub(super) struct WorldRoom {
    pub(super) topic: usize,
    pub(super) gate: usize,
    pub(super) inbox: u32,
    pub(super) subscriber: Subscription<Text>,
    pub(super) options: LinkOptions,
}

/// A bus that lives.
pub(super) struct Process {
    pub(super) id: u64,
    pub(super) node: usize,
    bus: MessageBus,
    hub: Arc<Hub>,
    gate: ActorRef<GateActor>,
    pub(super) heard: HeardBySender,
    is_quick: Arc<AtomicBool>,
    ticks: Publisher<Tick>,
    fills: Publisher<Fill>,
    texts: Publisher<Text>,
    glimpses: Publisher<Glimpse>,
    /// The last one that it has published.
    pub(super) last_glimpse: u64,
    visitors: Vec<VisitingSubscriber>,
    /// It takes in nothing from outside now.
    pub(super) is_paused: bool,
    texts_heard: Subscriber<Text>,
    /// How many texts were published, and how many were read here.
    pub(super) texts_published: u64,
    pub(super) texts_read: u64,
    pub(super) to: BTreeMap<usize, PeerOutbox>,
    count: u64,
    inbox: u32,
}

pub(super) fn name(node: usize) -> String {
    format!("node-{node}")
}

impl Process {
    /// A process of `node`, in a world of so many.
    pub(super) fn start(id: u64, node: usize, nodes: usize, room: &WorldRoom, seed: u64) -> Self {
        let bus = MessageBus::builder().node(name(node)).contract(Contract).seed(seed);
        let bus = bus.topic_capacity(room.topic).inbox_capacity(room.inbox).build();
        let hub = Hub::of(&bus).unwrap();
        hub.secret.replay(seed);
        let (heard, is_quick) = (HeardBySender::default(), Arc::new(AtomicBool::new(false)));
        let gate =
            GateActor { heard: Arc::clone(&heard), is_quick: Arc::clone(&is_quick), capacity: room.gate };
        let gate = bus.spawn(gate).unwrap();
        let doors = Exposed::new().takes::<Order>(gate.clone()).answers::<Question>(gate.clone());
        bus.expose("gate", doors).unwrap();
        let to = (0..nodes).filter(|other| *other != node).map(|other| {
            let path = format!("{}/gate", name(other));
            let gate = bus.recipient::<Order>(&path).unwrap();
            let questions = bus.reply_recipient::<Question>(&path).unwrap();
            let (owed, asked) = (Vec::new(), Arc::default());
            (other, PeerOutbox { gate, questions, owed, texts: 0, glimpses: 0, asked })
        });
        Self {
            id,
            node,
            to: to.collect(),
            ticks: bus.publisher().unwrap(),
            fills: bus.publisher().unwrap(),
            texts: bus.publisher().unwrap(),
            glimpses: bus.publisher().unwrap(),
            last_glimpse: message(id, 0),
            visitors: Vec::new(),
            is_paused: false,
            texts_heard: bus.subscriber_with(room.subscriber).unwrap(),
            texts_published: 0,
            texts_read: 0,
            count: 0,
            inbox: room.inbox,
            bus,
            hub,
            gate,
            heard,
            is_quick,
        }
    }

    /// Takes connections from now on, and dials these nodes.
    pub(super) fn go_online(
        &self,
        net: &Arc<Net>,
        listeners: &Listeners,
        dials: &[usize],
        options: &LinkOptions,
    ) {
        let options = Arc::new(options.clone());
        let patience = Arc::new(Patience::of(&options));
        listeners.lock().unwrap()[self.node] = Some((Arc::clone(&self.hub), Arc::clone(&options), patience));
        for to in dials {
            let (net, listeners) = (Arc::clone(net), Arc::clone(listeners));
            let way = SimDial { net, listeners, from: self.node, to: *to };
            let address = LinkAddress::tcp(name(*to));
            let (hub, options) = (Arc::clone(&self.hub), Arc::clone(&options));
            self.hub.spawn(keep_dialing(hub, address, options, Arc::new(Reached::default()), way));
        }
    }

    pub(super) fn links(&self) -> BTreeMap<usize, LinkStats> {
        let of = |link: LinkStats| Some((link.peer.strip_prefix("node-")?.parse().ok()?, link));
        Bridge::stats(&*self.hub).into_iter().filter_map(of).collect()
    }

    /// How many messages of this process it has heard.
    pub(super) fn heard_of(&self, process: u64) -> u64 {
        self.heard.lock().unwrap().get(&process).map_or(0, Vec::len) as u64
    }

    /// The nodes that want ticks now.
    pub(super) fn wanting(&self) -> Vec<usize> {
        self.wanting_these(Tick::NAME)
    }

    fn wanting_these(&self, name: &'static str) -> Vec<usize> {
        let links = self.links().into_iter();
        links.filter(|(_, link)| link.wants.contains(&name)).map(|(node, _)| node).collect()
    }

    fn next(&mut self) -> u64 {
        self.count += 1;
        message(self.id, self.count)
    }

    /// Publishes a tick or a fill, if there is room for it everywhere.
    pub(super) fn publish(&mut self, is_tick: bool) -> bool {
        let (n, wanting) = (self.next(), self.wanting());
        let published = match is_tick {
            true => self.ticks.try_publish(Tick { n }).is_ok(),
            false => self.fills.try_publish(Fill { n }).is_ok(),
        };
        if published {
            wanting.iter().for_each(|node| self.to.get_mut(node).expect("a peer").owed.push(n));
        }
        published
    }

    /// Publishes a text, for which there is room always.
    pub(super) fn publish_text(&mut self, len: usize) {
        if self.is_paused {
            return;
        }
        let wanting = self.wanting();
        self.texts.try_publish(Text { words: "x".repeat(len) }).expect("its queues drop");
        self.texts_published += 1;
        wanting.iter().for_each(|node| self.to.get_mut(node).expect("a peer").texts += 1);
    }

    /// Publishes a glimpse, if there is room for it everywhere.
    pub(super) fn publish_glimpse(&mut self) -> bool {
        let (n, wanting) = (self.last_glimpse + 1, self.wanting_these(Glimpse::NAME));
        let published = self.glimpses.try_publish(Glimpse { n }).is_ok();
        if published {
            self.last_glimpse = n;
            wanting.iter().for_each(|node| self.to.get_mut(node).expect("a peer").glimpses += 1);
        }
        published
    }

    /// How many nodes want its glimpses.
    pub(super) fn glimpsed_by(&self) -> usize {
        self.wanting_these(Glimpse::NAME).len()
    }

    /// One comes who subscribes to glimpses, if there are not many of them here. `published`: the last one
    /// of each process.
    pub(super) fn be_visited(
        &mut self,
        random: &mut Random,
        published: &BTreeMap<u64, u64>,
        without_gaps: bool,
    ) {
        if self.visitors.len() < VISITORS_MAX {
            let before = self.visitors.is_empty().then(|| published.clone());
            self.visitors.push(VisitingSubscriber::come(&self.bus, random, before, without_gaps));
        }
    }

    /// One of those leaves, if anybody is here.
    pub(super) fn be_left(&mut self, random: &mut Random) {
        if !self.visitors.is_empty() {
            let at = random.index(self.visitors.len());
            self.visitors.swap_remove(at);
        }
    }

    /// Has each of them read so much. How many glimpses they have heard.
    pub(super) fn read_glimpses(&mut self, most: u64, published: &BTreeMap<u64, u64>) -> u64 {
        self.visitors.iter_mut().map(|visitor| visitor.read(most, published)).sum()
    }

    /// Whether all of them have heard the last one of each of these processes.
    pub(super) fn has_glimpsed(&self, last: &BTreeMap<u64, u64>) -> bool {
        self.visitors.iter().all(|visitor| visitor.has_heard(last.iter().map(|(process, n)| (*process, *n))))
    }

    /// How many glimpses have come over links to those who were here, and to others who had left.
    pub(super) fn glimpses_received(&self) -> u64 {
        let topic = self.bus.stats().topics.into_iter().find(|topic| topic.message == Glimpse::NAME);
        let all = topic.map_or(0, |topic| topic.published + topic.unheard);
        let outdated: u64 = self.links().values().map(|link| link.outdated).sum();
        all + outdated - (self.last_glimpse - message(self.id, 0))
    }

    /// Takes in nothing from outside, or takes it in again.
    pub(super) fn pause(&mut self, paused: bool) {
        self.is_paused = paused;
        match paused {
            true => self.bus.pause_ingress(),
            false => self.bus.resume_ingress(),
        }
    }

    /// Tells the gate of another node, if it can be told now.
    pub(super) fn tell(&mut self, node: usize) -> bool {
        let n = self.next();
        let to = self.to.get_mut(&node).expect("a peer");
        let told = to.gate.try_tell(Order { n }).is_ok();
        if told {
            to.owed.push(n);
        }
        told
    }

    /// Asks the gate of another node.
    pub(super) fn ask(&mut self, node: usize) {
        let n = self.next();
        let to = &self.to[&node];
        let (questions, asked) = (to.questions.clone(), Arc::clone(&to.asked));
        asked.put.fetch_add(1, Ordering::SeqCst);
        rt::spawn(async move {
            let count = match questions.ask_within(Question { n }, Duration::from_secs(100_000)).await {
                Ok(answer) => {
                    assert_eq!(answer.n, !n, "the answer of another question");
                    &asked.answered
                }
                Err(AskError::Timeout(_)) => return,
                Err(_) => &asked.failed,
            };
            count.fetch_add(1, Ordering::SeqCst);
        });
    }

    pub(super) fn read_texts(&mut self, most: u64) {
        for _ in 0..most {
            match self.texts_heard.try_recv() {
                Some(_) => self.texts_read += 1,
                None => return,
            }
        }
    }

    /// The gate takes no time any more.
    pub(super) fn be_quick(&self) {
        self.is_quick.store(true, Ordering::SeqCst);
    }

    /// Texts that its queues have dropped.
    pub(super) fn texts_dropped(&self) -> u64 {
        let topic = self.bus.topics().into_iter().find(|topic| topic.message == Text::NAME);
        topic.map_or(0, |topic| topic.dropped_oldest + topic.dropped_newest)
    }

    /// Messages that wait in queues of topics.
    pub(super) fn queued(&self) -> u64 {
        self.bus.topics().iter().map(|topic| topic.waiting).sum()
    }

    /// Whether the gates of all others can be told something.
    pub(super) fn is_open(&self) -> bool {
        self.to.values().all(|to| to.gate.is_alive())
    }

    /// Waits until all others know what this one wants now. `false`: a connection was lost meanwhile.
    pub(super) fn is_known(&self) -> impl Future<Output = bool> + use<> {
        let peers = self.hub.peers();
        async move {
            for peer in peers {
                // The first word may be written before what is wanted is.
                if peer.round_trip().await.is_none() || peer.round_trip().await.is_none() {
                    return false;
                }
            }
            true
        }
    }

    /// Messages that have come and that nobody has handled, at most.
    pub(super) fn unhandled(&self) -> u64 {
        let held: u64 = self.links().values().map(|link| link.held).sum();
        held + self.queued() + u64::from(self.inbox) + 1
    }

    /// Goes as a process that is killed: its connections are dead already.
    pub(super) fn die(self) {
        self.gate.kill();
        // It begins at once, and nobody has to wait for it.
        drop(self.hub.end());
    }
}
