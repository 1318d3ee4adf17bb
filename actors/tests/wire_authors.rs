//! Code of a message's author, which a bus runs while it encodes for those who listen in bytes.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use mycelium::wire::{Layout, Messages, Visitor, Wire};
use mycelium::{
    Actor, BoxError, Context, Handler, Isolate, Message, MessageBus, Subscriptions, WireMessage,
    WireSubscriber,
};

/// Longer than any of it takes.
const PATIENCE: Duration = Duration::from_secs(60);

thread_local! {
    /// What the author of the next message that this thread encodes does meanwhile.
    static MEANWHILE: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

macro_rules! message {
    ($name:ident, $type_id:literal, $topic:literal) => {
        #[derive(Clone, Debug)]
        struct $name(u64);
        impl Message for $name {
            const NAME: &'static str = stringify!($name);
            const TYPE_ID: u16 = $type_id;
            const TOPIC: &'static str = $topic;
        }
        impl rkyv::Archive for $name {
            type Archived = rkyv::rend::u64_le;
            type Resolver = ();
            fn resolve(&self, (): (), out: rkyv::Place<Self::Archived>) {
                out.write(rkyv::rend::u64_le::from_native(self.0));
            }
        }
        impl<S: rkyv::rancor::Fallible + ?Sized> rkyv::Serialize<S> for $name {
            fn serialize(&self, _: &mut S) -> Result<(), S::Error> {
                let meanwhile = MEANWHILE.take();
                meanwhile.into_iter().for_each(|act| act());
                Ok(())
            }
        }
        impl<D: rkyv::rancor::Fallible + ?Sized> rkyv::Deserialize<$name, D> for rkyv::rend::u64_le {
            fn deserialize(&self, _: &mut D) -> Result<$name, D::Error> {
                Ok($name(self.to_native()))
            }
        }
        impl Wire for $name {
            const LAYOUTS: &'static [Layout] =
                &[Layout { version: 1, root_len: Self::ROOT_LEN, digest: $type_id }];
        }
    };
}
message!(One, 1, "ones");
message!(Two, 2, "twos");

struct Both;
impl Messages for Both {
    fn each<V: Visitor>(&self, visitor: &mut V) {
        visitor.typed::<One>();
        visitor.typed::<Two>();
    }
}

/// A bus with a message in each topic, and two listeners to each.
fn bus() -> (MessageBus, [[WireSubscriber; 2]; 2]) {
    let bus = MessageBus::builder().contract(Both).build();
    let listen = |topic| [bus.subscribe_wire(topic).unwrap(), bus.subscribe_wire(topic).unwrap()];
    let ears = [listen("ones"), listen("twos")];
    bus.publisher::<One>().unwrap().try_publish(One(1)).unwrap();
    bus.publisher::<Two>().unwrap().try_publish(Two(2)).unwrap();
    (bus, ears)
}

/// The number that a listener is given next.
fn next(ear: &mut WireSubscriber) -> u64 {
    let message = ear.try_recv().expect("one waits");
    u64::from_le_bytes(message.bytes().try_into().expect("a number"))
}

/// What comes of `each`, each on a thread of its own: they are seen to hang.
fn on_threads<const N: usize>(each: [Box<dyn FnOnce() -> [u64; 2] + Send>; N]) -> Vec<[u64; 2]> {
    let (tell, told) = mpsc::channel();
    for one in each {
        let tell = tell.clone();
        thread::spawn(move || tell.send(one()));
    }
    let mut came: Vec<_> = (0..N).map(|_| told.recv_timeout(PATIENCE).expect("it hangs")).collect();
    came.sort_unstable();
    came
}

/// Reads `outer`, and `inner` while that is encoded, after `before`.
fn read(mut outer: WireSubscriber, mut inner: WireSubscriber, before: impl FnOnce() + 'static) -> [u64; 2] {
    let seen = Arc::new(Mutex::new(0));
    let inside = Arc::clone(&seen);
    MEANWHILE.set(Some(Box::new(move || {
        before();
        *inside.lock().unwrap() = next(&mut inner);
    })));
    let first = next(&mut outer);
    let second = *seen.lock().unwrap();
    [first, second]
}

#[test]
fn code_of_a_messages_author_reads_another_listener_of_its_topic() {
    let (_bus, [[one, other], _]) = bus();
    assert_eq!(on_threads([Box::new(move || read(one, other, || ()))]), [[1, 1]]);
}

#[test]
fn code_of_two_authors_reads_each_others_topics_at_once() {
    let (_bus, [[one, other_one], [two, other_two]]) = bus();
    let both = Arc::new(Barrier::new(2));
    let meet = || {
        let both = Arc::clone(&both);
        move || {
            both.wait();
        }
    };
    let (first, second) = (meet(), meet());
    let came = on_threads([
        Box::new(move || read(one, other_two, first)),
        Box::new(move || read(two, other_one, second)),
    ]);
    assert_eq!(came, [[1, 2], [2, 1]]);
}

#[test]
fn code_of_a_messages_author_reads_one_listener_after_another() {
    let (_bus, [[one, other_one], [mut two, _other_two]]) = bus();
    // Of another topic first: that one is encoded inside of the first, and does not end it.
    let came = on_threads([Box::new(move || read(one, other_one, move || assert_eq!(next(&mut two), 2)))]);
    assert_eq!(came, [[1, 1]]);
}

/// Keeps the numbers that it is given.
struct Tap(Arc<Mutex<Vec<u64>>>);
impl Actor for Tap {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_wire("ones");
    }
}
impl Handler<WireMessage> for Tap {
    async fn handle(&mut self, message: &WireMessage, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.lock().unwrap().push(u64::from_le_bytes(message.bytes().try_into()?));
        Ok(())
    }
}

#[test]
fn a_message_whose_author_panics_ends_nobody_and_the_next_one_comes() {
    let panics = || MEANWHILE.set(Some(Box::new(|| panic!("the author's code"))));
    let heard = Arc::<Mutex<Vec<u64>>>::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let is_alive = runtime.block_on(async {
        let bus = MessageBus::builder().contract(Both).build();
        let tap = bus.spawn(Tap(Arc::clone(&heard))).unwrap();
        panics();
        for n in [1, 2] {
            bus.publisher::<One>().unwrap().publish(One(n)).await.unwrap();
        }
        let came = tokio::time::timeout(PATIENCE, async {
            while heard.lock().unwrap().is_empty() && tap.is_alive() {
                tokio::task::yield_now().await;
            }
        });
        came.await.expect("nothing comes");
        tap.is_alive()
    });
    assert_eq!((is_alive, std::mem::take(&mut *heard.lock().unwrap())), (true, vec![2]));

    let mut isolate = Isolate::new(1);
    isolate.contract(Both);
    let tap = isolate.spawn(Tap(Arc::clone(&heard))).unwrap();
    panics();
    for n in [1, 2] {
        isolate.publish(One(n)).unwrap();
    }
    isolate.run().unwrap();
    assert_eq!((isolate.end_reason(&tap), heard.lock().unwrap().clone()), (None, vec![2]));
}
