//! What an isolate makes of what is not its own: threads, tokio, other isolates; and of actors that wait for
//! themselves.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::{Heard, Left, Right, Tick, observer};
use mycelium::{
    Actor, ActorRef, AskError, BoxError, Context, Handler, Isolate, MessageBus, Responder, RunError, Service,
    ServiceContext, Supervisor, TellError, Waiting, WaitsFor,
};
use tokio::sync::oneshot;

type Work<'a> = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send + 'a>>;

type Code = Box<dyn for<'a> Fn(&'a mut Context<Any>) -> Work<'a> + Send + Sync>;

/// Runs whatever it is told.
#[derive(Default)]
struct Any {
    asked: u64,
    heard: u64,
}
impl Actor for Any {
    type Error = BoxError;
}
impl Handler<Code> for Any {
    async fn handle(&mut self, code: &Code, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        code(ctx).await
    }
}
impl Handler<u32> for Any {
    async fn handle(&mut self, _: &u32, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard += 1;
        Ok(())
    }
}
struct Ask;
impl Responder<Ask> for Any {
    type Reply = u64;
    async fn answer(&mut self, _: &Ask, _: &mut Context<Self>) -> u64 {
        self.asked += 1;
        self.asked
    }
}

/// Gives an actor its orders.
fn order(
    isolate: &mut Isolate,
    actor: &ActorRef<Any>,
    code: impl for<'a> Fn(&'a mut Context<Any>) -> Work<'a> + Send + Sync + 'static,
) {
    isolate.tell(actor, Box::new(code) as Code).unwrap();
}

fn in_all_environments(test: impl Fn() + Send + Sync + 'static) {
    use tokio::runtime::Builder;
    test();
    Builder::new_current_thread().enable_all().build().unwrap().block_on(async { test() });
    Builder::new_current_thread().build().unwrap().block_on(async { test() });
    let test = Arc::new(test);
    for workers in [1, 2] {
        let runtime = Builder::new_multi_thread().worker_threads(workers).enable_all().build().unwrap();
        let test = Arc::clone(&test);
        runtime.block_on(async { tokio::spawn(async move { test() }).await.unwrap() });
    }
}

fn waiting(error: &RunError) -> &[Waiting] {
    let RunError::Stuck { waiting } = error else { panic!("{error}") };
    waiting
}

/// Two actors: one waits for the answer of a thread, which has come, if `soon`, before the other lets the run
/// go on.
fn run_beside_a_thread(soon: bool, and_sleeps: bool) -> RunError {
    let mut isolate = Isolate::new(1);
    let asker = isolate.spawn(Any::default()).unwrap();
    let other = isolate.spawn(Any::default()).unwrap();
    let (answer, answered) = oneshot::channel::<u32>();
    let (answer, answered) = (Mutex::new(Some(answer)), Mutex::new(Some(answered)));
    order(&mut isolate, &asker, move |ctx| {
        let answered = answered.lock().unwrap().take().unwrap();
        Box::pin(async move {
            let limit = if and_sleeps { Duration::from_secs(1) } else { Duration::MAX };
            tokio::select! {
                biased;
                answer = answered => drop(answer?),
                () = ctx.sleep(limit) => {}
            }
            Ok(())
        })
    });
    let keeper = Arc::new(Mutex::new(None));
    let kept = Arc::clone(&keeper);
    order(&mut isolate, &other, move |_| {
        let answer = answer.lock().unwrap().take().unwrap();
        if soon {
            std::thread::spawn(move || answer.send(7).unwrap()).join().unwrap();
        } else {
            *kept.lock().unwrap() = Some(answer);
        }
        Box::pin(async { Ok(()) })
    });
    let error = isolate.run();
    drop(keeper);
    error.unwrap_err()
}

#[test]
fn the_answer_of_a_thread_never_comes_however_soon_it_is_there() {
    for _ in 0..20 {
        let errors = [true, false].map(|soon| run_beside_a_thread(soon, false));
        assert_eq!(errors[0], errors[1]);
        assert_eq!(waiting(&errors[0]).len(), 1);
    }
}

#[test]
fn a_handler_that_a_thread_and_its_isolate_have_woken_is_a_fault() {
    let error = run_beside_a_thread(true, true);
    assert!(
        matches!(error, RunError::ForeignWake { actor: mycelium::Identity { name: "Any", .. }, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("Any#1 was woken by another thread"), "{error}");
}

#[test]
fn what_the_isolates_own_thread_brings_between_two_runs_is_taken() {
    let mut isolate = Isolate::new(1);
    let asker = isolate.spawn(Any::default()).unwrap();
    let (answer, answered) = oneshot::channel::<u32>();
    let answered = Mutex::new(Some(answered));
    order(&mut isolate, &asker, move |_| {
        let answered = answered.lock().unwrap().take().unwrap();
        Box::pin(async move {
            assert_eq!(answered.await?, 7);
            Ok(())
        })
    });
    assert_eq!(waiting(&isolate.run().unwrap_err())[0].waits_for, WaitsFor::Outside);
    answer.send(7).unwrap();
    isolate.run().unwrap();
}

/// A service that sleeps by tokio's clock.
struct Clockless;
impl Service for Clockless {
    type Error = BoxError;
    async fn run(&mut self, _: &ServiceContext) -> Result<(), BoxError> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok(())
    }
}

#[test]
fn tokios_clock_is_named_whatever_runtime_there_is() {
    in_all_environments(|| {
        let ways: [fn(&mut Context<Any>) -> Work<'_>; 3] = [
            |_| {
                Box::pin(async {
                    tokio::time::sleep(Duration::ZERO).await;
                    Ok(())
                })
            },
            |ctx| {
                Box::pin(async {
                    let sleep = ctx.sleep(Duration::from_secs(1));
                    tokio::time::timeout(Duration::from_secs(1), sleep).await?;
                    Ok(())
                })
            },
            |_| {
                Box::pin(async {
                    tokio::signal::ctrl_c().await?;
                    Ok(())
                })
            },
        ];
        for way in ways {
            let mut isolate = Isolate::new(1);
            let any = isolate.spawn(Any::default()).unwrap();
            order(&mut isolate, &any, way);
            let error = isolate.run().unwrap_err();
            assert!(
                matches!(error, RunError::NeedsTokio { actor: mycelium::Identity { name: "Any", .. }, .. }),
                "{error}"
            );
            let text = error.to_string();
            assert!(text.contains("Any#1") && text.contains("tokio") && text.contains("ctx.sleep"), "{text}");
        }
        let mut isolate = Isolate::new(1);
        isolate.spawn_service(Clockless).unwrap();
        assert!(matches!(
            isolate.run(),
            Err(RunError::NeedsTokio { actor: mycelium::Identity { name: "Clockless", .. }, .. })
        ));

        // A supervisor does not restart it: it would be the same again.
        let (mut isolate, log) = (Isolate::new(1), Heard::default());
        let root = Supervisor::builder("root").on_event(observer(&log));
        let root = root.actor("any", Any::default).service("clockless", || Clockless);
        let tree = isolate.supervise(&root).unwrap();
        assert!(tree.lookup::<Any>("root/any").is_some());
        assert!(matches!(
            isolate.run(),
            Err(RunError::NeedsTokio { actor: mycelium::Identity { name: "Clockless", .. }, .. })
        ));
    });
}

#[test]
fn tasks_of_tokio_do_not_run_and_are_told() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut isolate = Isolate::new(1);
        let any = isolate.spawn(Any::default()).unwrap();
        order(&mut isolate, &any, |_| {
            Box::pin(async {
                tokio::spawn(async { unreachable!("nothing polls it") });
                Ok(())
            })
        });
        assert_eq!(isolate.run(), Err(RunError::Spawned { tasks: 1 }));
        order(&mut isolate, &any, |_| Box::pin(async { Ok(tokio::spawn(async {}).await?) }));
        assert_eq!(waiting(&isolate.run().unwrap_err())[0].waits_for, WaitsFor::Outside);
    });
}

#[test]
fn a_task_of_tokio_may_run_an_isolate_of_any_length() {
    in_all_environments(|| {
        let mut isolate = Isolate::new(1);
        let asked = isolate.spawn(Any::default()).unwrap();
        let asker = isolate.spawn(Any::default()).unwrap();
        order(&mut isolate, &asker, move |ctx| {
            let asked = asked.clone();
            Box::pin(async move {
                // More often than tokio lets one of its tasks use its channels in one turn.
                for n in 1..=1_000 {
                    assert_eq!(ctx.ask(&asked, Ask).await?, n);
                }
                Ok(())
            })
        });
        isolate.run().unwrap();
    });
}

#[test]
fn each_handler_that_waits_is_named_with_what_it_waits_for() {
    let mut isolate = Isolate::new(1);
    let [one, two, three, four] = [(); 4].map(|()| isolate.spawn(Any::default()).unwrap());
    for (asker, asked) in [(&one, two.clone()), (&two, one.clone())] {
        order(&mut isolate, asker, move |ctx| {
            let asked = asked.clone();
            Box::pin(async move {
                ctx.sleep(Duration::from_secs(1)).await;
                ctx.ask(&asked, Ask).await?;
                Ok(())
            })
        });
    }
    let of = one.clone();
    order(&mut isolate, &three, move |ctx| {
        let of = of.clone();
        Box::pin(async move {
            for n in 0..5_000 {
                ctx.tell(&of, n).await?;
            }
            Ok(())
        })
    });
    order(&mut isolate, &four, move |_| {
        let one = one.clone();
        Box::pin(async move {
            one.ended().await;
            Ok(())
        })
    });
    let error = isolate.run().unwrap_err();
    let told: Vec<_> = waiting(&error).iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "Any#1 for the answer of Any#2",
            "Any#2 for the answer of Any#1",
            "Any#3 for room in the mailbox of Any#1",
            "Any#4 for the end of Any#1"
        ]
    );
    assert!(!error.to_string().contains("outside"), "{error}");
}

#[test]
fn actors_that_wait_for_room_in_each_others_queues_are_named_with_the_topics() {
    let mut isolate = Isolate::new(1);
    isolate.spawn(Left).unwrap();
    isolate.spawn(Right).unwrap();
    isolate.publish(Tick(0)).unwrap();
    let error = isolate.run().unwrap_err();
    let told: Vec<_> = waiting(&error).iter().map(ToString::to_string).collect();
    assert_eq!(told, ["Left#1 for room in a queue for Tock", "Right#2 for room in a queue for Tick"]);
}

#[test]
fn an_actor_that_asks_itself_has_an_error_at_once_whatever_reference_it_uses() {
    let mut isolate = Isolate::new(1);
    let any = isolate.spawn(Any::default()).unwrap();
    let kept = any.clone();
    order(&mut isolate, &any, move |ctx| {
        let kept = kept.clone();
        Box::pin(async move {
            let own = ctx.actor_ref();
            assert!(matches!(ctx.ask(&own, Ask).await, Err(AskError::Itself(_))));
            assert!(matches!(kept.ask(Ask).await, Err(AskError::Itself(_))));
            assert!(matches!(kept.ask_within(Ask, Duration::from_secs(1)).await, Err(AskError::Itself(_))));
            ctx.sleep(Duration::from_secs(1)).await;
            assert!(matches!(
                ctx.ask_within(&own, Ask, Duration::from_secs(1)).await,
                Err(AskError::Itself(_))
            ));
            Ok(())
        })
    });
    isolate.run().unwrap();
    assert_eq!(isolate.now(), crate::common::at_ms(1_000));
    assert_eq!(isolate.ask(&any, Ask), Ok(1), "others may");
}

#[test]
fn an_actor_does_not_wait_for_room_in_its_own_mailbox() {
    for through_context in [true, false] {
        let mut isolate = Isolate::new(1);
        let any = isolate.spawn(Any::default()).unwrap();
        order(&mut isolate, &any, move |ctx| {
            Box::pin(async move {
                let own = ctx.actor_ref();
                let mut sent = 0;
                let error = loop {
                    let told = if through_context { ctx.tell(&own, 1).await } else { own.tell(1).await };
                    match told {
                        Ok(()) => sent += 1,
                        Err(error) => break error,
                    }
                };
                let who = Some(std::sync::Arc::new(own.identity()));
                assert_eq!((sent, error), (1_024, TellError::Itself(1, who)));
                Ok(())
            })
        });
        isolate.run().unwrap();
        assert_eq!(isolate.with(&any, |any| any.heard), Some(1_024), "what was sent is handled");
    }
}

#[test]
fn a_timer_whose_mailbox_is_full_loses_nothing() {
    let mut isolate = Isolate::new(1);
    let any = isolate.spawn(Any::default()).unwrap();
    order(&mut isolate, &any, |ctx| {
        Box::pin(async move {
            ctx.schedule_after(Duration::from_secs(1), 1_u32);
            let own = ctx.actor_ref();
            while ctx.tell(&own, 1_u32).await.is_ok() {}
            ctx.sleep(Duration::from_secs(2)).await;
            Ok(())
        })
    });
    isolate.run().unwrap();
    assert_eq!(isolate.with(&any, |any| any.heard), Some(1_025));
}

#[test]
fn references_of_others_are_refused() {
    let (mut isolate, mut other) = (Isolate::new(1), Isolate::new(1));
    let own = isolate.spawn(Any::default()).unwrap();
    let foreign = other.spawn(Any::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let entered = runtime.enter();
    let bus = MessageBus::new();
    let live = bus.spawn(Any::default()).unwrap();
    drop(entered);
    for stranger in [&foreign, &live] {
        assert_eq!(isolate.tell(stranger, 1_u32), Err(TellError::OtherBus(1)));
        assert_eq!(isolate.ask(stranger, Ask), Err(AskError::OtherBus));
        assert!(isolate.with(stranger, |_| ()).is_none() && isolate.end_reason(stranger).is_none());
        assert!(isolate.take(stranger).is_none());
    }
    let kept = foreign.clone();
    order(&mut isolate, &own, move |ctx| {
        let kept = kept.clone();
        Box::pin(async move {
            assert_eq!(ctx.tell(&kept, 1_u32).await, Err(TellError::OtherBus(1)));
            assert_eq!(kept.try_tell(1_u32), Err(TellError::OtherBus(1)));
            assert_eq!(ctx.ask(&kept, Ask).await, Err(AskError::OtherBus));
            assert_eq!(kept.ask(Ask).await, Err(AskError::OtherBus));
            Ok(())
        })
    });
    isolate.run().unwrap();
    assert_eq!(other.run().unwrap().events, 0, "nothing has come");
    other.tell(&foreign, 1_u32).unwrap();
    assert_eq!(other.ask(&foreign, Ask), Ok(1));
    assert_eq!(other.take(&foreign).unwrap().heard, 1);
}

#[test]
fn an_isolate_may_run_inside_a_handler_of_another() {
    let mut outer = Isolate::new(1);
    let any = outer.spawn(Any::default()).unwrap();
    order(&mut outer, &any, |ctx| {
        let mut inner = Isolate::new(2);
        let root = Supervisor::builder("root").actor("any", Any::default);
        let tree = inner.supervise(&root).unwrap();
        let supervised = tree.lookup::<Any>("root/any").unwrap();
        let asker = inner.spawn(Any::default()).unwrap();
        inner.tell(&supervised, 1_u32).unwrap();
        order(&mut inner, &asker, move |ctx| {
            let supervised = supervised.clone();
            Box::pin(async move {
                ctx.sleep(Duration::from_secs(5)).await;
                ctx.ask(&supervised, Ask).await?;
                Ok(())
            })
        });
        inner.run().unwrap();
        assert_eq!(inner.now(), crate::common::at_ms(5_000));
        inner.shutdown().unwrap();
        drop(inner);
        let own = ctx.actor_ref();
        Box::pin(async move {
            own.tell(1_u32).await?;
            ctx.sleep(Duration::from_secs(1)).await;
            Ok(())
        })
    });
    outer.run().unwrap();
    assert_eq!(outer.now(), crate::common::at_ms(1_000));
    assert_eq!(outer.with(&any, |any| any.heard), Some(1));
}
