//! What actors are called in reports, how they are found, and who is shown to wait for a restart.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mycelium::pool::Pool;
use mycelium::tree::Backoff;
use mycelium::{
    Actor, ActorRef, BoxError, Context, Down, Handler, Responder, Service, ServiceContext, SpawnError,
    StopReason, Supervisor,
};

use crate::common::{Flush, Heard};
use crate::host::Host;

const HOUR: Duration = Duration::from_secs(3600);

/// Fails at each word.
struct Strategy;
impl Actor for Strategy {
    type Error = BoxError;
}
impl Handler<&'static str> for Strategy {
    async fn handle(&mut self, word: &&'static str, _: &mut Context<Self>) -> Result<(), BoxError> {
        Err((*word).into())
    }
}

/// Watches one actor and writes down what it hears.
struct Watcher(ActorRef<Strategy>, Heard);
impl Actor for Watcher {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.watch(&self.0);
        Ok(())
    }
}
impl Handler<Down> for Watcher {
    async fn handle(&mut self, down: &Down, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.1.add(format!("{} ({})", down.actor, down.actor.name));
        Ok(())
    }
}

/// Depends on one actor.
struct Partner(ActorRef<Strategy>);
impl Actor for Partner {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.depend_on(&self.0);
        Ok(())
    }
}

conformance!(a_supervised_actor_is_called_by_its_path_and_another_by_its_type_and_number);
fn a_supervised_actor_is_called_by_its_path_and_another_by_its_type_and_number<H: Host>() {
    let (mut host, heard) = (H::new(), Heard::default());
    let desk = Supervisor::builder("desk").intensity(0, HOUR).actor("strategy", || Strategy);
    let tree = host.supervise(Supervisor::builder("root").intensity(1, HOUR).supervisor(desk)).unwrap();
    let strategy = host.child::<Strategy>(&tree, "root/desk/strategy").unwrap();
    assert_eq!(format!("{strategy:?} {}", strategy.identity()), "root/desk/strategy root/desk/strategy");
    assert_eq!((strategy.identity().name, strategy.identity().id), ("Strategy", strategy.id()));
    host.spawn(Watcher(strategy.clone(), heard.clone())).unwrap();
    let partner = host.spawn(Partner(strategy.clone())).unwrap();
    assert_eq!(partner.identity().path, None);
    assert_eq!(format!("{partner:?}"), format!("Partner{}", partner.id()));
    host.settle();
    strategy.kill();
    let reason = host.ended(&partner);
    assert_eq!(reason, StopReason::DependencyEnded("root/desk/strategy was killed".into()));
    host.until(|| !heard.words().is_empty());
    assert_eq!(heard.take(), ["root/desk/strategy (Strategy)"]);
}

conformance!(a_dead_letter_is_told_with_the_path_of_its_actor);
fn a_dead_letter_is_told_with_the_path_of_its_actor<H: Host>() {
    let mut host = H::new();
    let root = Supervisor::builder("root").intensity(9, HOUR).actor("strategy", || Strategy);
    let tree = host.supervise(root).unwrap();
    let strategy = host.child::<Strategy>(&tree, "root/strategy").unwrap();
    host.tell(&strategy, "no route").unwrap();
    assert_eq!(host.letters().dead, 1);
    let letter = host.dead_letters().recent.remove(0);
    assert_eq!((letter.actor.path.as_deref(), letter.actor.name), (Some("root/strategy"), "Strategy"));
    assert_eq!(letter.to_string(), "1 &str was being handled when root/strategy failed: no route");
}

conformance!(a_tree_shows_who_waits_for_a_restart_and_how_long);
fn a_tree_shows_who_waits_for_a_restart_and_how_long<H: Host>() {
    let mut host = H::new();
    let backoff = Backoff { initial: HOUR, cap: HOUR, jitter: 0.0, ..Backoff::default() };
    let desk = Supervisor::builder("desk").backoff(backoff).intensity(9, HOUR);
    let desk = desk.actor("first", || Strategy).actor("second", || Strategy);
    let tree = host.supervise(Supervisor::builder("root").supervisor(desk)).unwrap();
    assert_eq!(tree.pending_restarts(), []);
    for path in ["root/desk/first", "root/desk/second"] {
        let strategy = host.child::<Strategy>(&tree, path).unwrap();
        host.tell(&strategy, "no route").unwrap();
    }
    host.settle();
    host.advance(Duration::from_millis(5));
    let pending = host.wait(async { tree.pending_restarts() });
    let paths: Vec<_> = pending.iter().map(|pending| &*pending.path).collect();
    assert_eq!(paths, ["root/desk/first", "root/desk/second"]);
    let minute = Duration::from_secs(60);
    for pending in &pending {
        let remaining = pending.remaining;
        assert!(remaining < HOUR && remaining > HOUR - minute, "{pending}");
        if H::OFFERS.exact_time {
            assert_eq!(pending.remaining, HOUR - Duration::from_millis(5));
        }
    }
    host.terminate_child(&tree, "root/desk/first").unwrap();
    assert_eq!(tree.pending_restarts().len(), 1, "a call has ended its wait");
    host.restart_child(&tree, "root/desk/first").unwrap();
    assert_eq!(tree.pending_restarts().len(), 1);
    host.shut_tree(&tree);
    assert_eq!(tree.pending_restarts(), []);
}

conformance!(an_actor_is_found_by_its_name_and_by_its_path_and_as_what_it_is);
fn an_actor_is_found_by_its_name_and_by_its_path_and_as_what_it_is<H: Host>() {
    let mut host = H::new();
    let named = host.spawn_named("lead", Strategy).unwrap();
    let desk = Supervisor::builder("desk").actor("strategy", || Strategy);
    let tree = host.supervise(Supervisor::builder("root").supervisor(desk)).unwrap();
    let supervised = host.child::<Strategy>(&tree, "root/desk/strategy").unwrap();
    let found = |host: &H, name: &str| host.lookup::<Strategy>(name).map(|found| found.id());
    assert_eq!(found(&host, "lead"), Some(named.id()));
    assert_eq!(found(&host, "root/desk/strategy"), Some(supervised.id()));
    assert!(host.lookup::<Partner>("root/desk/strategy").is_none(), "it is of another type");
    for nobody in ["root/desk", "desk/strategy", "strategy", ""] {
        assert_eq!(found(&host, nobody), None, "{nobody}");
    }
    assert_eq!(named.identity().to_string(), "lead");
    assert_eq!(host.spawn_named("lead", Strategy).err(), Some(SpawnError::NameTaken("lead".into())));
    named.stop();
    host.ended(&named);
    host.settle();
    assert_eq!(found(&host, "lead"), None);
    host.shut_tree(&tree);
    let now = host.lookup::<Strategy>("root/desk/strategy");
    assert!(now.is_none_or(|strategy| !strategy.is_alive()));
}

conformance!(an_actor_and_a_service_find_their_siblings_and_pools_by_path);
fn an_actor_and_a_service_find_their_siblings_and_pools_by_path<H: Host>() {
    /// What it has found when it started, and what it finds when it is asked.
    #[derive(Default)]
    struct Seeker(Vec<bool>);
    impl Actor for Seeker {
        type Error = BoxError;
        async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
            self.0 = Self::look(ctx);
            Ok(())
        }
    }
    impl Seeker {
        fn look(ctx: &Context<Self>) -> Vec<bool> {
            let earlier = ctx.lookup::<Strategy>("root/earlier");
            let later = ctx.lookup::<Strategy>("root/later");
            let pool = ctx.lookup_pool::<Strategy>("root/pool");
            let others = ctx.lookup::<Partner>("root/earlier").is_some()
                || ctx.lookup_pool::<Partner>("root/pool").is_some()
                || ctx.lookup::<Strategy>("root/pool").is_some()
                || ctx.lookup_pool::<Strategy>("root/earlier").is_some();
            vec![earlier.is_some(), later.is_some(), pool.is_some_and(|pool| pool.size() == 2), others]
        }
    }
    impl Responder<Flush> for Seeker {
        type Reply = (Vec<bool>, Vec<bool>);
        async fn answer(&mut self, _: &Flush, ctx: &mut Context<Self>) -> Self::Reply {
            (self.0.clone(), Self::look(ctx))
        }
    }
    struct Looker(Arc<Mutex<Vec<bool>>>);
    impl Service for Looker {
        type Error = BoxError;
        async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
            let pool = ctx.lookup_pool::<Strategy>("root/pool").is_some();
            *self.0.lock().unwrap() = vec![ctx.lookup::<Strategy>("root/later").is_some(), pool];
            Ok(())
        }
    }
    let mut host = H::new();
    let pool = Pool::new(|| Strategy).workers(2).supervisor("pool");
    let root = Supervisor::builder("root")
        .actor("earlier", || Strategy)
        .supervisor(pool)
        .actor("seeker", Seeker::default)
        .actor("later", || Strategy);
    let tree = host.supervise(root).unwrap();
    let seeker = host.child::<Seeker>(&tree, "root/seeker").unwrap();
    let (at_start, now) = host.ask(&seeker, Flush).unwrap();
    assert_eq!((at_start, now), (vec![true, false, true, false], vec![true, true, true, false]));
    let seen = Arc::<Mutex<Vec<bool>>>::default();
    let looker = host.spawn_service(Looker(Arc::clone(&seen))).unwrap();
    host.service_ended(&looker);
    assert_eq!(*seen.lock().unwrap(), [true, true]);
    let taken = host.spawn_named("root/pool", Strategy).err();
    assert_eq!(taken, Some(SpawnError::NameTaken("root/pool".into())));
    let found = host.lookup_pool::<Strategy>("root/pool").unwrap();
    assert_eq!((found.path(), found.size()), ("root/pool", 2));
    assert!(host.lookup_pool::<Partner>("root/pool").is_none(), "its workers are of another type");
    host.shut_tree(&tree);
    assert!(host.lookup_pool::<Strategy>("root/pool").is_none());
}

conformance!(a_name_and_a_path_that_are_equal_do_not_hide_each_other);
fn a_name_and_a_path_that_are_equal_do_not_hide_each_other<H: Host>() {
    const PATH: &str = "root/strategy";
    let mut host = H::new();
    let named = host.spawn_named(PATH, Other).unwrap();
    let tree = host.supervise(Supervisor::builder("root").actor("strategy", || Strategy)).unwrap();
    let supervised = host.child::<Strategy>(&tree, PATH).unwrap();
    assert_eq!(host.lookup::<Strategy>(PATH).map(|found| found.id()), Some(supervised.id()));
    assert_eq!(host.lookup::<Other>(PATH).map(|found| found.id()), Some(named.id()));
    named.stop();
    host.ended(&named);
    host.settle();
    assert_eq!(host.spawn_named(PATH, Other).err(), Some(SpawnError::NameTaken(PATH.into())));
    host.shut_tree(&tree);
    host.settle();
    host.spawn_named(PATH, Other).unwrap();
}

struct Other;
impl Actor for Other {
    type Error = BoxError;
}
