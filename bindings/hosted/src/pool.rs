//! Pools whose workers are hosted actors.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use mycelium::WireMessage;
use mycelium::frame::Header;
use mycelium::pool::{Dispatch, Pool, PoolRef};
use mycelium::rkyv::util::AlignedVec;
use mycelium::tree::{Builder, Child};
use mycelium::wire::{Wire, valid};

use crate::actor::Told;
use crate::{ActorSpec, Encoded, Error, HostedActor, HostedIsolate, Runtime};

/// A pool of hosted actors, which becomes a part of a supervision tree: each message that is told to it,
/// asked, or published to a topic of its actors is handled by one worker. It is a
/// [`Pool`] whose workers have a thread each. See [`Runtime::pool`].
#[must_use = "a pool runs under a supervisor: see `HostedPool::supervisor`"]
pub struct HostedPool {
    pool: Pool<HostedActor>,
    /// Whose threads call the workers; none in an isolate.
    runtime: Option<Runtime>,
    keys: HashMap<u16, KeyOfBytes>,
    each: Vec<Box<dyn Fn(Child) -> Child + Send + Sync>>,
}

/// The key of a value; `None` if the bytes are none, which whoever handles it finds out.
type KeyOfBytes = Box<dyn Fn(&Header, &[u8]) -> Option<u64> + Send + Sync>;

impl HostedPool {
    /// Its topics are those of the actors; each message there comes to one worker.
    fn of(mut spec: ActorSpec, runtime: Option<Runtime>) -> Self {
        let topics = std::mem::take(&mut spec.topics);
        let pool = Pool::new(move || HostedActor::new(spec.clone()));
        let pool = topics.into_iter().fold(pool, |pool, (topics, how)| pool.on_wire_with(topics, how));
        Self { pool, runtime, keys: HashMap::new(), each: Vec::new() }
    }

    /// With how many workers it starts: 1 unless told otherwise. See [`Pool::workers`].
    pub fn workers(mut self, workers: usize) -> Self {
        self.pool = self.pool.workers(workers);
        self
    }

    /// Sets the worker that gets a message without a key: see [`Pool::dispatch`].
    pub fn dispatch(mut self, dispatch: Dispatch) -> Self {
        self.pool = self.pool.dispatch(dispatch);
        self
    }

    /// Messages and queries of type `M` go by this key, whether published, told or asked: those of one key
    /// to one worker, in their order. See [`Pool::key`]. Each is decoded for it, by its sender or the pool's
    /// feed.
    pub fn key<M: Wire>(self, key: impl Fn(&M) -> u64 + Send + Sync + 'static) -> Self {
        let of_bytes = move |header: &Header, bytes: &[u8]| {
            let mut aligned = AlignedVec::<16>::with_capacity(bytes.len());
            aligned.extend_from_slice(bytes);
            valid::<M>(&aligned, header.version, header.root_len).ok().map(|message| key(&message))
        };
        self.key_of_bytes(M::TYPE_ID, of_bytes)
    }

    /// The same for messages with this type id as they stand on the wire, in any version. One whose key is
    /// `None` goes as those without a key do.
    pub fn key_of_bytes(
        mut self,
        type_id: u16,
        key: impl Fn(&Header, &[u8]) -> Option<u64> + Send + Sync + 'static,
    ) -> Self {
        self.keys.insert(type_id, Box::new(key));
        self
    }

    /// Options of each worker as a child of its supervisor: redelivery, backoff, shutdown time, health. Those
    /// that are given later come on top.
    pub fn each(mut self, options: impl Fn(Child) -> Child + Send + Sync + 'static) -> Self {
        self.each.push(Box::new(options));
        self
    }

    /// The pool as a supervisor of this id: see [`Pool::supervisor`]. Threads of workers have the names of
    /// their children, `worker-1` and so on.
    pub fn supervisor(self, id: impl Into<Arc<str>>) -> Builder {
        Pool::from(self).supervisor(id)
    }
}

/// For [`Factories::pool`](mycelium::tree::Factories::pool).
impl From<HostedPool> for Pool<HostedActor> {
    fn from(hosted: HostedPool) -> Self {
        let HostedPool { pool, runtime, keys, each } = hosted;
        let on_thread = move |child: Child| match &runtime {
            Some(runtime) => runtime.on_own_thread(child),
            None => child,
        };
        let pool = pool.each(move |child| each.iter().fold(on_thread(child), |child, option| option(child)));
        if keys.is_empty() {
            return pool;
        }
        let keys = Arc::new(keys);
        let of = |keys: &Arc<HashMap<u16, KeyOfBytes>>| {
            let keys = Arc::clone(keys);
            move |header: &Header, bytes: &[u8]| keys.get(&header.type_id)?(header, bytes)
        };
        let (published, told, asked) = (of(&keys), of(&keys), of(&keys));
        pool.key_if(move |message: &WireMessage| published(message.header(), message.bytes()))
            .key_if(move |Told(message): &Told| told(&message.header, &message.bytes))
            .key_if(move |query: &Encoded| asked(&query.header, &query.bytes))
    }
}

impl Runtime {
    /// A pool of actors with callbacks, each on a thread of its own that the runtime's hooks are called on.
    /// Its topics are those of the actors; each message there comes to one worker.
    pub fn pool(&self, spec: ActorSpec) -> HostedPool {
        HostedPool::of(self.knowing(spec), Some(self.clone()))
    }

    /// The pool of hosted actors at this path of a tree, to look at it and to resize it.
    /// [`address`](Self::address) finds it by the same path for messages in bytes.
    ///
    /// # Errors
    /// [`Error::NoAddress`], [`Error::Closed`].
    pub fn lookup_pool(&self, path: &str) -> Result<PoolRef<HostedActor>, Error> {
        self.check_open()?;
        let pool = self.bus().lookup_pool(path);
        pool.ok_or_else(|| Error::NoAddress { path: path.to_owned() })
    }
}

impl HostedIsolate {
    /// A pool for a tree of this isolate: see [`Runtime::pool`].
    pub fn pool(&self, spec: ActorSpec) -> HostedPool {
        HostedPool::of(self.knowing(spec), None)
    }
}

impl fmt::Debug for HostedPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostedPool")
            .field("pool", &self.pool)
            .field("keys", &self.keys.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
