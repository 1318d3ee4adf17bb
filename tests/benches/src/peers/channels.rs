//! Bare channels between tokio tasks: what one builds by hand without an actor framework.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinHandle;

use crate::carrier::Carrier;
use crate::load::{Counter, Load};

/// The bound of every bounded contender, in messages.
const CAPACITY: usize = 1024;

/// Defines a carrier over a channel of one receiver each; fan-out is a loop over clones.
macro_rules! channel_carrier {
    ($(#[$doc:meta])* $name:ident, $sender:ty, $make:expr, |$tx:ident, $m:ident| $send:expr, |$rx:ident| $recv:expr) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $name<M: Load> {
            senders: Vec<$sender>,
            tasks: Vec<JoinHandle<()>>,
        }

        impl<M: Load> Carrier<M> for $name<M> {
            type Sender = Vec<$sender>;

            async fn start(counters: Vec<Counter>) -> Self {
                let (mut senders, mut tasks) = (Vec::new(), Vec::new());
                for mut counter in counters {
                    #[allow(unused_mut)]
                    let (sender, mut $rx) = $make;
                    senders.push(sender);
                    tasks.push(tokio::spawn(async move {
                        while let Some(message) = $recv {
                            counter.see::<M>(&message);
                        }
                    }));
                }
                Self { senders, tasks }
            }

            fn sender(&self) -> Self::Sender {
                self.senders.clone()
            }

            async fn send(sender: &mut Self::Sender, message: M) {
                let Some(($tx, others)) = sender.split_last() else { return };
                for $tx in others {
                    let $m = message.clone();
                    assert!($send, "the receiver is alive");
                }
                let $m = message;
                assert!($send, "the receiver is alive");
            }

            async fn stop(self) {
                drop(self.senders);
                for task in self.tasks {
                    task.await.expect("the receiver does not panic");
                }
            }
        }
    };
}

channel_carrier!(
    /// tokio's bounded mpsc.
    Mpsc, mpsc::Sender<M>, mpsc::channel(CAPACITY), |tx, m| tx.send(m).await.is_ok(), |rx| rx.recv().await
);
channel_carrier!(
    /// tokio's unbounded mpsc.
    Unbounded, mpsc::UnboundedSender<M>, mpsc::unbounded_channel(), |tx, m| tx.send(m).is_ok(), |rx| rx.recv().await
);
channel_carrier!(
    /// flume, bounded, through its async calls.
    Flume, flume::Sender<M>, flume::bounded(CAPACITY), |tx, m| tx.send_async(m).await.is_ok(),
    |rx| rx.recv_async().await.ok()
);
channel_carrier!(
    /// async-channel, bounded.
    AsyncChannel, async_channel::Sender<M>, async_channel::bounded(CAPACITY), |tx, m| tx.send(m).await.is_ok(),
    |rx| rx.recv().await.ok()
);

/// tokio's broadcast, each receiver cloning the value. The publisher waits while the slowest lags, so nothing
/// is lost.
#[derive(Debug)]
pub(crate) struct Broadcast<M: Load>(Gated<M>);

/// tokio's broadcast of an `Arc`: the receivers share the value.
#[derive(Debug)]
pub(crate) struct BroadcastArc<M: Load>(Gated<Arc<M>>);

/// A broadcast channel whose publisher looks at the backlog once in a while.
#[derive(Debug)]
struct Gated<T> {
    sender: broadcast::Sender<T>,
    tasks: Vec<JoinHandle<()>>,
}

/// A broadcast sender and how many messages it may send before it looks at the backlog again.
#[derive(Debug)]
pub(crate) struct GatedSender<T> {
    sender: broadcast::Sender<T>,
    credit: usize,
}

/// How often the backlog is looked at: its lock costs little when shared by this many messages.
const LOOK_EVERY: usize = CAPACITY / 4;

impl<T: Clone + Send + Sync + 'static> Gated<T> {
    fn start<M: Load>(counters: Vec<Counter>, as_message: fn(&T) -> &M) -> Self {
        let sender = broadcast::Sender::new(CAPACITY);
        let mut tasks = Vec::new();
        for mut counter in counters {
            let mut receiver = sender.subscribe();
            tasks.push(tokio::spawn(async move {
                loop {
                    match receiver.recv().await {
                        Ok(message) => counter.see(as_message(&message)),
                        Err(broadcast::error::RecvError::Closed) => break,
                        Err(lagged) => panic!("the publisher overran a receiver: {lagged}"),
                    };
                }
            }));
        }
        Self { sender, tasks }
    }

    async fn stop(self) {
        drop(self.sender);
        for task in self.tasks {
            task.await.expect("the receiver does not panic");
        }
    }
}

impl<T: Clone> GatedSender<T> {
    async fn send(&mut self, message: T) {
        if self.credit == 0 {
            while self.sender.len() > CAPACITY / 2 {
                tokio::task::yield_now().await;
            }
            self.credit = LOOK_EVERY;
        }
        self.credit -= 1;
        assert!(self.sender.send(message).is_ok(), "the receivers are alive");
    }
}

impl<M: Load> Carrier<M> for Broadcast<M> {
    type Sender = GatedSender<M>;

    async fn start(counters: Vec<Counter>) -> Self {
        Self(Gated::start(counters, |message: &M| message))
    }

    fn sender(&self) -> Self::Sender {
        GatedSender { sender: self.0.sender.clone(), credit: LOOK_EVERY }
    }

    async fn send(sender: &mut Self::Sender, message: M) {
        sender.send(message).await;
    }

    async fn stop(self) {
        self.0.stop().await;
    }
}

impl<M: Load> Carrier<M> for BroadcastArc<M> {
    type Sender = GatedSender<Arc<M>>;

    async fn start(counters: Vec<Counter>) -> Self {
        Self(Gated::start(counters, |message: &Arc<M>| message.as_ref()))
    }

    fn sender(&self) -> Self::Sender {
        GatedSender { sender: self.0.sender.clone(), credit: LOOK_EVERY }
    }

    async fn send(sender: &mut Self::Sender, message: M) {
        sender.send(Arc::new(message)).await;
    }

    async fn stop(self) {
        self.0.stop().await;
    }
}

/// One OS thread to another through crossbeam: nanoseconds per message.
pub(crate) fn crossbeam_threads<M: Load>(messages: u64) -> f64 {
    let (sender, receiver) = crossbeam_channel::bounded::<M>(CAPACITY);
    let (mut counter, watch) = Counter::new(messages);
    let thread =
        std::thread::spawn(move || while receiver.recv().is_ok_and(|message| !counter.see(&message)) {});
    let begin = Instant::now();
    for number in 0..messages {
        assert!(sender.send(M::new(number)).is_ok(), "the receiver is alive");
    }
    assert_eq!(
        watch.done.blocking_recv(),
        Ok(messages * (messages - 1) / 2),
        "every message arrives, unchanged"
    );
    let elapsed = begin.elapsed();
    thread.join().expect("the receiver does not panic");
    elapsed.as_nanos() as f64 / messages as f64
}
