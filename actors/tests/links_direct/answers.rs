//! Questions and answers that wait: how many, in which order.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use mycelium::pool::Pool;
use mycelium::{
    Actor, AskError, BoxError, Context, Dialer, Exposed, Handler, LinkAddress, LinkOptions, Query, Recipient,
    ReplyRecipient, Responder, Service, ServiceContext, StopReason, Supervisor,
};
use mycelium_random::Random;
use tokio::sync::Semaphore;

use crate::common::{Heard, on_every_runtime};
use crate::kit::{Fill, Order, Text, builder, bus, find, link, linked, until};
use crate::proxy::{Faults, Proxy};

impl Query for Order {
    type Reply = Text;
}

/// Answers an order with 100 kB, and a fill with its number, one for each permit.
#[derive(Clone)]
struct Archive {
    permits: Arc<Semaphore>,
    asked: Arc<Mutex<Vec<u64>>>,
}
impl Archive {
    fn new() -> Self {
        Self { permits: Arc::new(Semaphore::new(0)), asked: Arc::default() }
    }

    async fn ask(&self, n: u64) {
        self.permits.acquire().await.unwrap().forget();
        self.asked.lock().unwrap().push(n);
    }

    fn asked(&self) -> Vec<u64> {
        self.asked.lock().unwrap().clone()
    }
}
impl Actor for Archive {
    type Error = BoxError;
}
impl Responder<Order> for Archive {
    type Reply = Text;
    async fn answer(&mut self, order: &Order, _: &mut Context<Self>) -> Text {
        self.ask(order.n).await;
        Text { words: format!("{} {}", order.n, "x".repeat(100_000)) }
    }
}
impl Responder<Fill> for Archive {
    type Reply = Order;
    async fn answer(&mut self, fill: &Fill, _: &mut Context<Self>) -> Order {
        self.ask(fill.n).await;
        Order { n: 2 * fill.n }
    }
}
impl Handler<Order> for Archive {
    async fn handle(&mut self, order: &Order, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.ask(order.n).await;
        Ok(())
    }
}

/// Waits for all of them, having begun with them in this order.
async fn all<T>(mut futures: Vec<Pin<Box<dyn Future<Output = T> + Send + '_>>>) -> Vec<T> {
    let mut done: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    poll_fn(|cx| {
        for (future, done) in futures.iter_mut().zip(&mut done) {
            if done.is_none()
                && let Poll::Ready(output) = future.as_mut().poll(cx)
            {
                *done = Some(output);
            }
        }
        if done.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

/// What a service waits for that a peer would have to do.
#[derive(Clone, Copy, Debug)]
enum Way {
    Linked,
    Tell,
    Ask,
    Ended,
}

struct Waits {
    way: Way,
    dialer: Dialer,
    told: Recipient<Order>,
    asked: ReplyRecipient<Order>,
    begun: Heard,
}
impl Service for Waits {
    type Error = BoxError;
    async fn run(&mut self, _: &ServiceContext) -> Result<(), BoxError> {
        self.begun.add("begun");
        loop {
            match self.way {
                Way::Linked => drop(self.dialer.linked().await),
                Way::Tell => self.told.tell(Order { n: 1 }).await?,
                Way::Ask => drop(self.asked.ask(Order { n: 1 }).await?),
                Way::Ended => drop(self.told.ended().await),
            }
        }
    }
}

#[test]
fn a_service_that_is_told_to_stop_ends_where_it_waits_for_a_peer() {
    on_every_runtime(async || {
        for way in [Way::Linked, Way::Tell, Way::Ask, Way::Ended] {
            let (market, desk) = linked().await;
            let actor = desk.spawn(Archive::new()).unwrap();
            let exposed = Exposed::new().takes::<Order>(actor.clone()).answers::<Order>(actor);
            desk.expose("archive", exposed).unwrap();
            let dialer = market.connect(LinkAddress::tcp("127.0.0.1:1")).unwrap();
            let (told, begun) = (market.recipient("desk/archive").unwrap(), Heard::default());
            let asked = market.reply_recipient("desk/archive").unwrap();
            let waits = Waits { way, dialer, told, asked, begun: begun.clone() };
            let waits = market.spawn_service(waits).unwrap();
            begun.wait_for("begun").await;
            tokio::time::sleep(Duration::from_millis(5)).await;
            waits.stop();
            assert_eq!(waits.ended().await, StopReason::Normal, "{way:?}");
        }
    });
}

#[test]
fn answers_that_wait_for_the_peer_have_a_bound_in_bytes_and_each_question_one_answer() {
    on_every_runtime(async || {
        let archive = Archive::new();
        let (market, desk) = (bus("market"), builder("desk").inbox_capacity(4).build());
        let options = LinkOptions::default().held_bytes(1 << 20);
        let listener = desk.bind_tcp_with("127.0.0.1:0", options).unwrap();
        let proxy = Proxy::new(&listener.address(), Random::new(1), Faults::default()).await;
        let dialer = market.connect(LinkAddress::tcp(proxy.address.to_string())).unwrap();
        dialer.linked().await;
        let actor = desk.spawn(archive.clone()).unwrap();
        desk.expose("archive", Exposed::new().answers::<Order>(actor)).unwrap();
        let orders = market.reply_recipient::<Order>("desk/archive").unwrap();
        // From then on the peer has said who is there, and questions are in the link as they are put.
        archive.permits.add_permits(1);
        while orders.ask(Order { n: 0 }).await.is_err() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        archive.asked.lock().unwrap().clear();
        let before = link(&desk, "market").received;
        const ASKED: u64 = 300;
        let asking = tokio::spawn(async move {
            let questions = (0..ASKED).map(|n| Box::pin(orders.ask(Order { n })) as _).collect();
            all::<Result<Text, AskError>>(questions).await
        });
        until(|| link(&desk, "market").received == before + ASKED).await;
        dialer.close();
        proxy.cut();
        until(|| link(&desk, "market").state != mycelium::LinkState::Linked).await;
        archive.permits.add_permits(ASKED as usize);
        until(|| archive.asked().len() > 10).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        // What the window takes, what may wait, the inbox, and the one in hand.
        let answered = || archive.asked().len();
        assert!(answered() <= 11 + 11 + 4 + 4, "{} answers of 100 kB wait", answered());
        // Nothing is missing, once what may be answered is.
        until(|| answered() as u64 + link(&desk, "market").held == ASKED).await;
        market.connect(LinkAddress::tcp(listener.address())).unwrap();
        for (n, answer) in asking.await.unwrap().into_iter().enumerate() {
            assert!(answer.unwrap().words.starts_with(&format!("{n} ")));
        }
        assert_eq!(archive.asked(), (0..ASKED).collect::<Vec<_>>());
    });
}

#[test]
fn a_pool_that_is_asked_over_a_link_is_asked_in_order_and_holds_the_link_back() {
    on_every_runtime(async || {
        let (market, desk) = (bus("market"), builder("desk").inbox_capacity(4).build());
        let listener = desk.bind_tcp("127.0.0.1:0").unwrap();
        market.connect(LinkAddress::tcp(listener.address())).unwrap().linked().await;
        let archive = Archive::new();
        let worker = archive.clone();
        let pool = Pool::new(move || worker.clone()).workers(1).supervisor("archive");
        let tree = Supervisor::builder("root").supervisor(pool).start(&desk).await.unwrap();
        let pool = tree.lookup_pool::<Archive>("root/archive").unwrap();
        desk.expose("archive", Exposed::new().answers::<Fill>(pool.reply_recipient::<Fill>())).unwrap();
        let fills = market.reply_recipient::<Fill>("desk/archive").unwrap();
        // From then on the peer has said who is there, and questions are in the link as they are put.
        archive.permits.add_permits(1);
        while fills.ask(Fill { n: 0 }).await.is_err() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        archive.asked.lock().unwrap().clear();
        const ASKED: u64 = 200;
        let asking = tokio::spawn(async move {
            let questions = (0..ASKED).map(|n| Box::pin(fills.ask(Fill { n })) as _).collect();
            all::<Result<Order, AskError>>(questions).await
        });
        // The inbox has four, or one more while it is in hand: the others wait where the link counts them.
        until(|| link(&desk, "market").held >= ASKED - 5).await;
        archive.permits.add_permits(ASKED as usize);
        for (n, answer) in asking.await.unwrap().into_iter().enumerate() {
            assert_eq!(answer, Ok(Order { n: 2 * n as u64 }));
        }
        assert_eq!(archive.asked(), (0..ASKED).collect::<Vec<_>>());
        tree.shutdown().await.unwrap();
    });
}

/// The time of a question counts from when it has come, also where its actor has no room for it.
#[test]
fn a_question_whose_time_is_over_before_its_actor_has_room_never_reaches_it() {
    on_every_runtime(async || {
        let (market, desk) = (bus("market"), builder("desk").inbox_capacity(1).build());
        let listener = desk.bind_tcp("127.0.0.1:0").unwrap();
        market.connect(LinkAddress::tcp(listener.address())).unwrap().linked().await;
        let archive = Archive::new();
        let actor = desk.spawn(archive.clone()).unwrap();
        desk.expose("archive", Exposed::new().answers::<Fill>(actor)).unwrap();
        let fills = market.reply_recipient::<Fill>("desk/archive").unwrap();
        until(|| fills.is_alive()).await;
        let asks = |n: u64, limit: Option<Duration>| {
            let fills = fills.clone();
            tokio::spawn(async move {
                match limit {
                    Some(limit) => fills.ask_within(Fill { n }, limit).await,
                    None => fills.ask(Fill { n }).await,
                }
            })
        };
        // One is in hand, one in the inbox or tried, and the others come after it.
        let mut asked = Vec::new();
        for n in 0..6 {
            let is_short = [2, 3, 5].contains(&n);
            asked.push(asks(n, is_short.then_some(Duration::from_millis(300))));
            until(|| find(&desk, "market").is_some_and(|link| link.received == n + 1)).await;
        }
        until(|| link(&desk, "market").refused == 3).await;
        // The last one, and the one that is tried unless the inbox has it.
        assert!((1..=2).contains(&link(&desk, "market").held));
        archive.permits.add_permits(100);
        for (n, asked) in asked.into_iter().enumerate() {
            match asked.await.unwrap() {
                Ok(answer) => assert_eq!(answer.n, 2 * n as u64),
                Err(error) => {
                    assert!(matches!(error, AskError::Timeout(_)) && [2, 3, 5].contains(&n), "{error}");
                }
            }
        }
        assert_eq!(archive.asked(), [0, 1, 4]);
        until(|| link(&market, "desk").waiting == 0).await;
    });
}

#[test]
fn code_of_users_that_panics_on_the_way_in_costs_its_message_and_not_the_link() {
    on_every_runtime(async || {
        let (market, desk) = linked().await;
        let archive = Archive::new();
        archive.permits.add_permits(100);
        let worker = archive.clone();
        let key = |order: &Order| if order.n == 1 { panic!("no key") } else { order.n };
        let pool = Pool::new(move || worker.clone()).workers(2).key::<Order>(key).supervisor("archive");
        let tree = Supervisor::builder("root").supervisor(pool).start(&desk).await.unwrap();
        let pool = tree.lookup_pool::<Archive>("root/archive").unwrap();
        desk.expose("archive", Exposed::new().takes::<Order>(pool.recipient::<Order>())).unwrap();
        let orders = market.recipient::<Order>("desk/archive").unwrap();
        until(|| orders.is_alive()).await;
        for n in 0..3 {
            orders.tell(Order { n }).await.unwrap();
        }
        until(|| archive.asked().len() == 2).await;
        assert_eq!((link(&desk, "market").refused, link(&market, "desk").connections), (1, 1));
        tree.shutdown().await.unwrap();
    });
}
