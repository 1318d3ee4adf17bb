//! Callbacks and the thread that calls them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use mycelium::{Subscription, ThreadHooks};
use mycelium_hosted::{CallbackId, Error, ErrorKind, Failure, Runtime};

use crate::common::{Log, WATCHDOG, builder, price, runtime, tick, until};

/// A language with a lock for its interpreter.
#[derive(Default)]
pub(crate) struct Lock {
    pub(crate) held: AtomicI64,
    pub(crate) threads: AtomicI64,
    pub(crate) waits: AtomicUsize,
}

impl ThreadHooks for Lock {
    fn started(&self) {
        self.threads.fetch_add(1, Ordering::SeqCst);
        self.held.fetch_add(1, Ordering::SeqCst);
    }
    fn before_wait(&self) {
        self.held.fetch_sub(1, Ordering::SeqCst);
        self.waits.fetch_add(1, Ordering::SeqCst);
    }
    fn after_wait(&self) {
        self.held.fetch_add(1, Ordering::SeqCst);
    }
    fn ended(&self) {
        self.held.fetch_sub(1, Ordering::SeqCst);
        self.threads.fetch_sub(1, Ordering::SeqCst);
    }
}

fn block() -> Subscription<mycelium::WireMessage> {
    Subscription::block()
}

#[test]
fn callbacks_get_all_messages_in_order_on_one_thread_that_has_the_lock() {
    let lock = Arc::new(Lock::default());
    let runtime = builder().hooks(Arc::clone(&lock) as _).start().unwrap();
    let (sender, got) = mpsc::channel();
    let held = Arc::clone(&lock);
    let ticks = sender.clone();
    runtime
        .subscribe("ticks", block(), move |delivery| {
            assert_eq!(held.held.load(Ordering::SeqCst), 1);
            ticks.send((std::thread::current().id(), price(delivery.bytes))).unwrap();
            Ok(())
        })
        .unwrap();
    runtime
        .subscribe("grown", block(), move |delivery| {
            sender.send((std::thread::current().id(), -price(&delivery.bytes[..8]))).unwrap();
            Ok(())
        })
        .unwrap();
    until("it sleeps", || lock.waits.load(Ordering::SeqCst) > 0);
    for at in 1..=2_000 {
        let waits = lock.waits.load(Ordering::SeqCst);
        runtime.publish(7, &tick(at)).unwrap();
        runtime.publish(8, &[tick(at), tick(0)].concat()).unwrap();
        if at % 500 == 0 {
            until("it sleeps again", || lock.waits.load(Ordering::SeqCst) > waits);
        }
    }
    runtime.close(WATCHDOG).unwrap();
    let got: Vec<_> = got.iter().collect();
    assert_eq!(got.len(), 4_000, "what waited was delivered before the end");
    assert!(got.iter().all(|(thread, _)| *thread == got[0].0));
    for sign in [1, -1] {
        let of_one = got.iter().filter(|(_, at)| at * sign > 0).map(|(_, at)| at * sign);
        assert!(of_one.eq(1..=2_000));
    }
    assert_eq!((lock.held.load(Ordering::SeqCst), lock.threads.load(Ordering::SeqCst)), (0, 0));
    assert!(lock.waits.load(Ordering::SeqCst) >= 4);
}

#[test]
fn callbacks_that_fail_or_panic_are_counted_and_go_on() {
    let runtime = runtime();
    let log = Log::default();
    let heard = log.clone();
    runtime
        .subscribe("ticks", block(), move |delivery| {
            let at = price(delivery.bytes);
            heard.add(at.to_string());
            assert!(at != 3, "told to");
            if at == 5 { Err(Failure::new("ValueError: five")) } else { Ok(()) }
        })
        .unwrap();
    for at in 0..10 {
        runtime.publish(7, &tick(at)).unwrap();
    }
    log.wait_for("9");
    assert_eq!(log.len(), 10);
    assert_eq!(runtime.failures(), (2, Some(Failure::new("ValueError: five"))));
}

#[test]
fn after_an_unsubscribe_the_callback_does_not_run_and_is_dropped() {
    /// Tells its drop.
    struct Guard(Arc<AtomicBool>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let runtime = runtime();
    for round in 0..50 {
        let (dropped, runs) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (guard, running) = (Guard(Arc::clone(&dropped)), Arc::clone(&runs));
        let id = runtime
            .subscribe("ticks", block(), move |_| {
                let _guard = &guard;
                running.store(true, Ordering::SeqCst);
                std::thread::sleep(Duration::from_micros(200));
                running.store(false, Ordering::SeqCst);
                Ok(())
            })
            .unwrap();
        for at in 0..round {
            runtime.publish(7, &tick(at)).unwrap();
        }
        assert!(runtime.unsubscribe(id));
        assert!(dropped.load(Ordering::SeqCst) && !runs.load(Ordering::SeqCst));
        assert!(!runtime.unsubscribe(id), "it is gone");
    }
}

#[test]
fn what_waits_behind_a_callback_that_ends_itself_counts_as_dropped() {
    let runtime = runtime();
    let (calls, (tell, me)) = (Arc::new(AtomicUsize::new(0)), std::sync::mpsc::channel());
    let (called, of_callback) = (Arc::clone(&calls), runtime.clone());
    let id = runtime
        .subscribe("ticks", block(), move |_| {
            called.fetch_add(1, Ordering::SeqCst);
            // All of them wait by then.
            assert!(of_callback.unsubscribe(me.recv_timeout(WATCHDOG).unwrap()));
            Ok(())
        })
        .unwrap();
    for at in 0..5 {
        runtime.publish(7, &tick(at)).unwrap();
    }
    tell.send(id).unwrap();
    let counted = || {
        let stats = runtime.bus().stats();
        let ticks = stats.topics.iter().find(|topic| topic.topic == "ticks").unwrap();
        (ticks.published, ticks.delivered, ticks.dropped_unsubscribed)
    };
    until("it is gone", || counted().1 + counted().2 == 5);
    assert_eq!(counted(), (5, 1, 4));
    assert_eq!((calls.load(Ordering::SeqCst), runtime.failures()), (1, (0, None)));
}

#[test]
fn a_callback_ends_itself_publishes_subscribes_and_may_not_close() {
    let runtime = runtime();
    let log = Log::default();
    let (heard, of_callback) = (log.clone(), runtime.clone());
    let own = Arc::new(std::sync::Mutex::new(None::<CallbackId>));
    let me = Arc::clone(&own);
    let id = runtime
        .subscribe("ticks", block(), move |delivery| {
            heard.add(format!("tick {}", price(delivery.bytes)));
            let close = of_callback.close(WATCHDOG).unwrap_err();
            assert_eq!(close, Error::Inside { what: "to close the runtime" });
            let more = heard.clone();
            of_callback
                .subscribe("news", block(), move |_| {
                    more.add("news");
                    Ok(())
                })
                .unwrap();
            of_callback.publish(9, b"hello\xff\xff\xff").unwrap();
            assert!(of_callback.unsubscribe(me.lock().unwrap().unwrap()));
            Ok(())
        })
        .unwrap();
    *own.lock().unwrap() = Some(id);
    // All wait before the first one is called, or come later: one is heard.
    for at in 0..5 {
        runtime.publish(7, &tick(at)).unwrap();
    }
    log.wait_for("news");
    runtime.publish(7, &tick(6)).unwrap();
    runtime.close(WATCHDOG).unwrap();
    assert_eq!(log.all(), ["tick 0", "news"]);
    assert_eq!(runtime.failures(), (0, None));
}

#[test]
fn a_callback_that_fills_the_queue_it_reads_has_an_error_and_does_not_hang() {
    let runtime = runtime();
    let (calls, refused) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (of_callback, called, errors) = (runtime.clone(), Arc::clone(&calls), Arc::clone(&refused));
    runtime
        .subscribe("ticks", block().capacity(4), move |delivery| {
            called.fetch_add(1, Ordering::SeqCst);
            for _ in 0..3 * u64::from(price(delivery.bytes) == 0) {
                if let Err(error) = of_callback.publish(7, &tick(1)) {
                    assert_eq!(error.kind(), ErrorKind::Inside, "{error}");
                    errors.fetch_add(1, Ordering::SeqCst);
                }
            }
            Ok(())
        })
        .unwrap();
    for _ in 0..100 {
        runtime.publish(7, &tick(0)).unwrap();
    }
    // Each is heard or refused.
    until("all are done", || calls.load(Ordering::SeqCst) + refused.load(Ordering::SeqCst) == 400);
    runtime.close(WATCHDOG).unwrap();
    assert_eq!(runtime.failures(), (0, None));
}

#[test]
fn callbacks_are_dropped_while_their_thread_has_the_lock_however_the_runtime_ends() {
    /// Goes with the language's lock.
    struct Object(Arc<Lock>, Arc<AtomicUsize>);
    impl Drop for Object {
        fn drop(&mut self) {
            self.1.fetch_add(self.0.held.load(Ordering::SeqCst) as usize, Ordering::SeqCst);
        }
    }
    for round in 0..200 {
        let (lock, with_it) = (Arc::new(Lock::default()), Arc::new(AtomicUsize::new(0)));
        let runtime = builder().hooks(Arc::clone(&lock) as _).start().unwrap();
        let object = Object(Arc::clone(&lock), Arc::clone(&with_it));
        runtime
            .subscribe("ticks", block(), move |_| {
                let _used = &object;
                Ok(())
            })
            .unwrap();
        if round % 2 == 0 {
            runtime.publish(7, &tick(round)).unwrap();
        }
        drop(runtime);
        until("its thread is gone", || Arc::strong_count(&lock) == 1);
        assert_eq!(with_it.load(Ordering::SeqCst), 1, "round {round}");
    }
}

#[test]
fn a_callback_that_never_returns_is_named_and_does_not_keep_the_close() {
    let runtime = runtime();
    let (running, release) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (runs, released) = (Arc::clone(&running), Arc::clone(&release));
    let calls = Arc::new(AtomicUsize::new(0));
    let called = Arc::clone(&calls);
    let id = runtime
        .subscribe("ticks", block(), move |_| {
            runs.store(true, Ordering::SeqCst);
            called.fetch_add(1, Ordering::SeqCst);
            until("released", || released.load(Ordering::SeqCst));
            Ok(())
        })
        .unwrap();
    runtime.publish(7, &tick(1)).unwrap();
    runtime.publish(7, &tick(2)).unwrap();
    until("it runs", || running.load(Ordering::SeqCst));
    assert_eq!(runtime.close(Duration::from_millis(20)), Err(Error::Callback(None)));
    assert_eq!(Error::Callback(None).kind(), ErrorKind::Callback);
    assert_eq!(runtime.close(Duration::from_millis(1)), Err(Error::Callback(None)), "it runs still");
    let later = {
        let runtime = runtime.clone();
        std::thread::spawn(move || (runtime.close(WATCHDOG), runtime.unsubscribe(id)))
    };
    assert!(!later.is_finished());
    release.store(true, Ordering::SeqCst);
    assert_eq!(later.join().unwrap(), (Ok(()), false));
    assert_eq!(Arc::strong_count(&calls), 1, "the callback is dropped");
    until("the thread is gone", || Arc::strong_count(&calls) == 1);
    assert_eq!(calls.load(Ordering::SeqCst), 1, "none comes after it");
}

#[test]
fn an_unsubscribe_does_not_wait_for_a_callback_that_the_close_has_given_up() {
    let runtime = runtime();
    let (running, release) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (runs, released) = (Arc::clone(&running), Arc::clone(&release));
    let stuck = runtime
        .subscribe("ticks", block(), move |_| {
            runs.store(true, Ordering::SeqCst);
            until("released", || released.load(Ordering::SeqCst));
            Ok(())
        })
        .unwrap();
    let behind = runtime.subscribe("news", block(), |_| Ok(())).unwrap();
    runtime.publish(7, &tick(1)).unwrap();
    until("it runs", || running.load(Ordering::SeqCst));
    let ends = |id| {
        let runtime = runtime.clone();
        std::thread::spawn(move || runtime.unsubscribe(id))
    };
    let before = ends(stuck);
    assert_eq!(
        (runtime.close(Duration::from_millis(20)), runtime.gave_up()),
        (Err(Error::Callback(None)), true)
    );
    let after = ends(behind);
    until("both have returned", || before.is_finished() && after.is_finished());
    assert!(before.join().unwrap() && after.join().unwrap());
    release.store(true, Ordering::SeqCst);
    assert_eq!(runtime.close(WATCHDOG), Ok(()), "it has returned");
}

#[test]
fn runtimes_come_and_go_from_many_threads_with_messages_in_flight() {
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            std::thread::spawn(move || {
                for _ in 0..10 {
                    let runtime = runtime();
                    let seen = Arc::new(AtomicI64::new(0));
                    let sum = Arc::clone(&seen);
                    runtime
                        .subscribe("ticks", block(), move |delivery| {
                            sum.fetch_add(price(delivery.bytes), Ordering::SeqCst);
                            Ok(())
                        })
                        .unwrap();
                    let publish = |runtime: Runtime| {
                        std::thread::spawn(move || {
                            (0..).take_while(|_| runtime.publish(7, &tick(1)).is_ok()).count()
                        })
                    };
                    let publishers = [publish(runtime.clone()), publish(runtime.clone())];
                    until("some came", || seen.load(Ordering::SeqCst) > 100 * (thread + 1));
                    runtime.close(WATCHDOG).unwrap();
                    let published: usize =
                        publishers.map(|publisher| publisher.join().unwrap()).into_iter().sum();
                    assert_eq!(
                        seen.load(Ordering::SeqCst),
                        i64::try_from(published).unwrap(),
                        "none is lost"
                    );
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}
