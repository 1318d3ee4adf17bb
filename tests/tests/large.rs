//! Messages as large as a contract may have them, on the stacks that runtimes give their threads.
//!
//! A stack that overflows ends the process. So each step runs on a stack that is much smaller than the 2 MiB
//! of a worker of tokio: what is left is for the user's own code. Unoptimised code takes the most, so this
//! says most when built without optimisation.

use std::fs;
use std::marker::PhantomData;
use std::path::Path;
use std::time::Duration;

use mycelium::pool::{Pool, PoolRef};
use mycelium::wire::{Encoder, Wire};
use mycelium::{
    Actor, BoxError, Context, Handler, Isolate, Message, MessageBus, Responder, Service, ServiceContext,
    Subscriptions, Supervisor,
};
use mycelium_codegen::{Model, Options, golden, rust};
use mycelium_contract::{Contract, Layouts, limits::FIXED_BYTES_MAX};

mod messages {
    include!("large/generated/messages.rs");
}
use messages::{Block, Book, Chunks, Grown, Maybe, Names};

/// A quarter of what a worker of tokio has.
const STACK_BYTES: usize = 512 * 1024;
/// Half of it, for questions to a pool of an isolate: that is all on one thread.
const POOL_STACK_BYTES: usize = 1024 * 1024;
/// Three eighths: a service's future holds the message several times and is moved itself.
const SERVICE_STACK_BYTES: usize = 768 * 1024;

fn contract() -> Contract {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/large/contracts.yaml");
    Contract::read(&path).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn the_committed_source_is_up_to_date_and_its_messages_are_at_the_limit() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/large/generated/messages.rs");
    let (contract, wanted) = (contract(), rust(&contract(), &Options::default()));
    if std::env::var_os("MYCELIUM_BLESS").is_some() {
        fs::write(&path, &wanted).unwrap();
    }
    let mend = "MYCELIUM_BLESS=1 cargo test -p mycelium-tests --test large";
    assert!(fs::read_to_string(&path).unwrap_or_default() == wanted, "mend it with: {mend}");
    let layouts = Layouts::in_memory(&contract);
    for message in &contract.messages {
        let bytes = layouts.record(&message.fields).layout.size;
        assert!((FIXED_BYTES_MAX - 24..=FIXED_BYTES_MAX).contains(&bytes), "{}: {bytes}", message.name);
    }
    // The estimate is never below what the compiler makes of it.
    assert!(size_of::<Names>() as u64 <= FIXED_BYTES_MAX && size_of::<Maybe>() as u64 <= FIXED_BYTES_MAX);
}

/// Publishes again what it hears first, and keeps the last.
struct Listener<M> {
    heard: u64,
    last: Option<Box<M>>,
}

struct Last;

impl<M: Message + Default> Actor for Listener<M> {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<M>();
    }
}

impl<M: Message + Default> Handler<M> for Listener<M> {
    async fn handle(&mut self, message: &M, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        message.validate()?;
        self.heard += 1;
        if self.heard == 1 {
            ctx.publish(message.clone()).await?;
        }
        self.last = Some(Box::new(message.clone()));
        Ok(())
    }
}

impl<M: Message + Default> Responder<Last> for Listener<M> {
    type Reply = M;
    async fn answer(&mut self, _: &Last, _: &mut Context<Self>) -> M {
        self.last.take().map(|last| *last).unwrap_or_default()
    }
}

struct Feed<M>(PhantomData<M>);

impl<M: Message + Default> Service for Feed<M> {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        for _ in 0..3 {
            ctx.publish(M::default()).await?;
        }
        Ok(())
    }
}

async fn publish<M: Message + Default>() {
    let bus = MessageBus::new();
    let listener = bus.spawn(Listener::<M> { heard: 0, last: None }).unwrap();
    bus.publisher::<M>().unwrap().publish(M::default()).await.unwrap();
    drop(listener);
    bus.shutdown().await.unwrap();
}

async fn tell<M: Message + Default>() {
    let bus = MessageBus::new();
    bus.spawn(Listener::<M> { heard: 0, last: None }).unwrap().tell(M::default()).await.unwrap();
    bus.shutdown().await.unwrap();
}

async fn ask<M: Message + Default>() {
    let bus = MessageBus::new();
    drop(Box::new(bus.spawn(Listener::<M> { heard: 0, last: None }).unwrap().ask(Last).await.unwrap()));
    bus.shutdown().await.unwrap();
}

async fn serve<M: Message + Default>() {
    let bus = MessageBus::new();
    let listener = bus.spawn(Listener::<M> { heard: 0, last: None }).unwrap();
    bus.spawn_service(Feed::<M>(PhantomData)).unwrap().ended().await;
    drop(listener);
    bus.shutdown().await.unwrap();
}

fn isolate<M: Message + Default>() {
    let mut isolate = Isolate::new(1);
    let listener = isolate.spawn(Listener::<M> { heard: 0, last: None }).unwrap();
    isolate.spawn_service(Feed::<M>(PhantomData)).unwrap();
    isolate.publish(M::default()).unwrap();
    isolate.run().unwrap();
    assert!(isolate.take(&listener).unwrap().heard >= 4);
}

/// The largest question, with the largest answer.
struct Largest<M>(PhantomData<M>);

struct Question<M>(#[allow(dead_code)] M);

impl<M: Message + Default> Actor for Largest<M> {
    type Error = BoxError;
}

impl<M: Message + Default> Responder<Question<M>> for Largest<M> {
    type Reply = M;
    async fn answer(&mut self, _: &Question<M>, _: &mut Context<Self>) -> M {
        M::default()
    }
}

/// Asks a pool of an isolate, in one of the ways there are.
fn ask_pool<M: Message + Default>(way: impl FnOnce(&mut Isolate, PoolRef<Largest<M>>)) {
    let mut isolate = Isolate::new(1);
    let pool = Pool::new(|| Largest::<M>(PhantomData)).workers(2).supervisor("pool");
    let tree = isolate.supervise(&Supervisor::builder("root").supervisor(pool)).unwrap();
    let pool = tree.lookup_pool("root/pool").unwrap();
    way(&mut isolate, pool);
}

fn ask_pool_for_long<M: Message + Default>() {
    ask_pool::<M>(|isolate, pool| {
        drop(Box::new(isolate.block_on(pool.ask(Question(M::default()))).unwrap().unwrap()));
    });
}

fn ask_pool_within<M: Message + Default>() {
    ask_pool::<M>(|isolate, pool| {
        let asks = pool.ask_within(Question(M::default()), Duration::from_secs(1));
        drop(Box::new(isolate.block_on(asks).unwrap().unwrap()));
    });
}

fn ask_pool_as_recipient<M: Message + Default>() {
    ask_pool::<M>(|isolate, pool| {
        let pool = pool.reply_recipient::<Question<M>>();
        drop(Box::new(isolate.block_on(pool.ask(Question(M::default()))).unwrap().unwrap()));
    });
}

fn encode<M: Wire + Default>(encoder: &mut Encoder) -> &[u8] {
    encoder.encode(&M::default()).unwrap()
}

fn read<M: Wire + Default>() {
    let mut encoder = Encoder::new();
    let bytes = encode::<M>(&mut encoder);
    M::access(bytes).unwrap();
    let message = Box::new(M::decode(bytes).unwrap());
    message.validate().unwrap();
    assert!(format!("{message:?}").starts_with(M::NAME));
}

fn upgrade<M: Wire + Default>() {
    let first = M::LAYOUTS[0];
    let mut bytes = mycelium::rkyv::util::AlignedVec::<16>::new();
    bytes.resize(first.root_len as usize, 0);
    drop(Box::new(M::decode_version(&bytes, first.version, first.root_len).unwrap()));
}

/// Runs a task on the only worker of a runtime, whose stack has so many bytes. Its name is what an overflow
/// prints.
fn on_a_worker(name: &str, stack_bytes: usize, task: impl Future<Output = ()> + Send + 'static) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name(name)
        .thread_stack_size(stack_bytes)
        .enable_all()
        .build()
        .unwrap();
    let task = Box::pin(task);
    runtime.block_on(async { tokio::spawn(task).await.unwrap() });
}

fn every_step<M: Wire + Default>() {
    let name = |step: &str| format!("{step} {}", M::NAME);
    on_a_worker(&name("publish"), STACK_BYTES, publish::<M>());
    on_a_worker(&name("tell"), STACK_BYTES, tell::<M>());
    on_a_worker(&name("ask"), STACK_BYTES, ask::<M>());
    on_a_worker(&name("read"), STACK_BYTES, async { read::<M>() });
    on_a_worker(&name("upgrade"), STACK_BYTES, async { upgrade::<M>() });
    on_a_worker(&name("serve"), SERVICE_STACK_BYTES, serve::<M>());
    on_a_worker(&name("isolate"), SERVICE_STACK_BYTES, async { isolate::<M>() });
    let ways = [ask_pool_for_long::<M>, ask_pool_within::<M>, ask_pool_as_recipient::<M>];
    for ask in ways {
        on_a_worker(&name("ask a pool"), POOL_STACK_BYTES, async move { ask() });
    }
}

#[test]
fn the_largest_messages_fit_on_a_part_of_a_workers_stack() {
    every_step::<Block>();
    every_step::<Grown>();
    every_step::<Names>();
    every_step::<Book>();
    every_step::<Maybe>();
    every_step::<Chunks>();
}

#[test]
fn a_list_of_the_largest_elements_and_golden_vectors_fit_as_well() {
    on_a_worker("elements", STACK_BYTES, async {
        let mut encoder = Encoder::new();
        let sent = Chunks { chunks: vec![[1; 8192]; 3], ruled: [0; 8168] };
        let bytes = encoder.encode(&sent).unwrap();
        assert!(*Box::new(Chunks::decode(bytes).unwrap()) == sent);
    });
    on_a_worker("golden", STACK_BYTES, async {
        let contract = contract();
        let model = Model::new(&contract);
        for message in &contract.messages {
            assert!(golden::text(&model, message).is_ok(), "{}", message.name);
        }
    });
}
