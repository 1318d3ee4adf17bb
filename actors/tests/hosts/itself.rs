//! Actors whose code runs where something of themselves or of their tree is under way: in their last words,
//! in their start, and inside of another one's handler.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mycelium::tree::{CallError, Child, ChildStatus, ExitReason, Shutdown};
use mycelium::{
    Actor, ActorRef, AskError, BoxError, Context, Handler, Responder, Service, ServiceContext, StopReason,
    Supervisor, Tree,
};

use crate::common::{Flush, Heard, PERIOD, Tick, backoff};
use crate::host::Host;

/// The kind of an outcome, without whom it is of.
fn kind<T>(answer: &Result<T, AskError>) -> &'static str {
    match answer {
        Ok(_) => "an answer",
        Err(AskError::Itself(_)) => "itself",
        Err(AskError::Stopped(_)) => "stopped",
        Err(_) => "another error",
    }
}

/// Asks itself in its last words, in each way there is.
struct Selfish(Heard);
impl Actor for Selfish {
    type Error = BoxError;
    async fn stopping(&mut self, _: &StopReason, ctx: &mut Context<Self>) {
        let me = ctx.actor_ref();
        self.0.add(kind(&me.ask(Flush).await));
        self.0.add(kind(&me.ask_within(Flush, PERIOD).await));
        self.0.add(kind(&ctx.ask(&me, Flush).await));
        self.0.add(kind(&me.reply_recipient::<Flush>().ask(Flush).await));
        self.0.add(kind(&me.reply_recipient::<Flush>().ask_within(Flush, PERIOD).await));
    }
}
impl Handler<Tick> for Selfish {
    async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        Err("told to".into())
    }
}
impl Responder<Flush> for Selfish {
    type Reply = ();
    async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) {}
}

conformance!(an_actor_that_asks_itself_in_its_last_words_is_told_that_it_is_itself);
fn an_actor_that_asks_itself_in_its_last_words_is_told_that_it_is_itself<H: Host>() {
    let (mut host, heard) = (H::new(), Heard::default());
    let stopped = host.spawn(Selfish(heard.clone())).unwrap();
    stopped.stop();
    assert_eq!(host.ended(&stopped), StopReason::Normal);
    assert_eq!(heard.take(), ["itself"; 5]);
    let failed = host.spawn(Selfish(heard.clone())).unwrap();
    host.tell(&failed, Tick(0)).unwrap();
    assert_eq!(host.ended(&failed), StopReason::Failed("told to".into()));
    assert_eq!(heard.take(), ["itself"; 5]);
    let own = heard.clone();
    let tree = host.supervise(Supervisor::builder("root").actor("selfish", move || Selfish(own.clone())));
    assert_eq!(host.shut_tree(&tree.unwrap()), Vec::<String>::new());
    assert_eq!(heard.take(), ["itself"; 5]);
    host.spawn(Selfish(heard.clone())).unwrap();
    host.shutdown();
    assert_eq!(heard.take(), ["itself"; 5]);
}

/// Asks another one in its last words.
struct Mourner {
    name: &'static str,
    other: Arc<OnceLock<ActorRef<Mourner>>>,
    heard: Heard,
}
impl Actor for Mourner {
    type Error = BoxError;
    async fn stopping(&mut self, _: &StopReason, _: &mut Context<Self>) {
        if let Some(other) = self.other.get() {
            self.heard.add(format!("{} has {}", self.name, kind(&other.ask(Flush).await)));
        }
    }
}
impl Responder<Flush> for Mourner {
    type Reply = ();
    async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) {}
}

conformance!(two_that_ask_each_other_in_their_last_words_hold_up_no_shutdown);
fn two_that_ask_each_other_in_their_last_words_hold_up_no_shutdown<H: Host>() {
    let (mut host, heard) = (H::new(), Heard::default());
    let slots: [Arc<OnceLock<_>>; 2] = Default::default();
    // Of a tree, one after the other.
    let child = |at: usize| {
        let (slots, heard) = (slots.clone(), heard.clone());
        let make = move || {
            let (other, heard) = (Arc::clone(&slots[1 - at]), heard.clone());
            Mourner { name: ["a", "b"][at], other, heard }
        };
        Child::actor(["a", "b"][at], make)
    };
    let tree = host.supervise(Supervisor::builder("root").child(child(0)).child(child(1))).unwrap();
    for (slot, path) in slots.iter().zip(["root/a", "root/b"]) {
        slot.set(host.child(&tree, path).unwrap()).unwrap();
    }
    assert_eq!(host.shut_tree(&tree), Vec::<String>::new());
    assert_eq!(heard.take(), ["b has an answer", "a has stopped"]);
    // Of a host, at once: whoever is later may be there still.
    let (mut host, slots): (H, [Arc<OnceLock<_>>; 2]) = (H::new(), Default::default());
    for at in [0, 1] {
        let (other, heard) = (Arc::clone(&slots[1 - at]), heard.clone());
        let both = host.spawn(Mourner { name: ["a", "b"][at], other, heard }).unwrap();
        slots[at].set(both).unwrap();
    }
    host.shutdown();
    let words = heard.take();
    assert_eq!(words.len(), 2, "{words:?}");
    assert!(
        words.iter().all(|word| word.ends_with("has stopped") || word.ends_with("an answer")),
        "{words:?}"
    );
}

/// Ends a tree, and goes on for a while.
struct Boss(Arc<OnceLock<Tree>>, Heard);
impl Actor for Boss {
    type Error = BoxError;
}
impl Handler<Tick> for Boss {
    async fn handle(&mut self, _: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.get().ok_or("it is there")?.stop();
        ctx.sleep(Duration::from_millis(2)).await;
        self.1.add("the boss goes on");
        Ok(())
    }
}
impl Responder<Flush> for Boss {
    type Reply = ();
    async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) {}
}
struct Clerk(ActorRef<Boss>, Heard);
impl Actor for Clerk {
    type Error = BoxError;
    async fn stopping(&mut self, _: &StopReason, _: &mut Context<Self>) {
        self.1.add(format!("the clerk has {}", kind(&self.0.ask(Flush).await)));
    }
}

conformance!(whoever_is_stopped_inside_of_a_handler_asks_the_one_whose_that_is);
fn whoever_is_stopped_inside_of_a_handler_asks_the_one_whose_that_is<H: Host>() {
    let (mut host, heard, slot) = (H::new(), Heard::default(), Arc::<OnceLock<Tree>>::default());
    let boss = host.spawn(Boss(Arc::clone(&slot), heard.clone())).unwrap();
    let (of_clerk, log) = (boss.clone(), heard.clone());
    let root = Supervisor::builder("root").actor("clerk", move || Clerk(of_clerk.clone(), log.clone()));
    let tree = host.supervise(root).unwrap();
    slot.set(tree.clone()).unwrap_or_else(|_| panic!("it was set before"));
    host.tell(&boss, Tick(0)).unwrap();
    host.tree_ended(&tree);
    assert_eq!(heard.take(), ["the boss goes on", "the clerk has an answer"]);
}

/// What its second life does in its start.
#[derive(Clone)]
struct Beginner {
    tree: Arc<OnceLock<Tree>>,
    heard: Heard,
    terminates: Option<&'static str>,
}
impl Actor for Beginner {
    type Error = BoxError;
    async fn started(&mut self, _: &mut Context<Self>) -> Result<(), BoxError> {
        let Some(tree) = self.tree.get() else { return Ok(()) };
        if let Some(above) = self.terminates {
            self.heard.add(format!("{:?}", tree.restart_child(above).await));
            let done = tree.terminate_child(above).await;
            self.heard.add(format!("{done:?}"));
        }
        let found = |path| tree.lookup::<Beginner>(path).is_some();
        self.heard.add(format!("{} {} {}", found("root/desk/a"), found("root/desk/b"), found("root/c")));
        Ok(())
    }
}
impl Handler<Tick> for Beginner {
    async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        Err("told to".into())
    }
}
impl Responder<Flush> for Beginner {
    type Reply = ();
    async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) {}
}

/// `root/desk` with `a` and `b`, of which `b` fails once, and `root/c`.
fn begun<H: Host>(host: &mut H, terminates: Option<&'static str>) -> (Tree, Heard) {
    let b = Beginner { tree: Arc::default(), heard: Heard::default(), terminates };
    let (heard, slot) = (b.heard.clone(), Arc::clone(&b.tree));
    let a = Beginner { tree: Arc::default(), ..b.clone() };
    let c = a.clone();
    let b = Child::actor("b", move || b.clone()).shutdown(Shutdown::Timeout(Duration::from_millis(20)));
    let desk = Supervisor::builder("desk").actor("a", move || a.clone()).child(b);
    let root = Supervisor::builder("root").supervisor(desk).actor("c", move || c.clone());
    let tree = host.supervise(root).unwrap();
    slot.set(tree.clone()).unwrap_or_else(|_| panic!("it was set before"));
    let b = host.child::<Beginner>(&tree, "root/desk/b").unwrap();
    host.tell(&b, Tick(0)).unwrap();
    (tree, heard)
}

conformance!(an_actor_finds_its_siblings_by_its_tree_also_where_it_is_started_again);
fn an_actor_finds_its_siblings_by_its_tree_also_where_it_is_started_again<H: Host>() {
    let mut host = H::new();
    let (tree, heard) = begun(&mut host, None);
    let b = host.child::<Beginner>(&tree, "root/desk/b").unwrap();
    host.ask(&b, Flush).unwrap();
    assert_eq!(heard.take(), ["true true true"]);
    host.shutdown();
}

conformance!(a_start_that_has_its_own_parent_terminated_is_killed_in_its_time_and_nobody_hangs);
fn a_start_that_has_its_own_parent_terminated_is_killed_in_its_time_and_nobody_hangs<H: Host>() {
    let mut host = H::new();
    let (tree, heard) = begun(&mut host, Some("root/desk"));
    host.until(|| !heard.words().is_empty());
    while host.status(&tree, "root/desk") != Some(ChildStatus::Down) {
        host.advance(Duration::from_millis(5));
    }
    assert_eq!(heard.take(), ["Err(Refused(Running))"], "it does not live to see its call carried out");
    host.delete_child(&tree, "root/desk").unwrap();
    host.shutdown();
}

/// How a call of a supervisor ended.
fn outcome<T>(called: Result<T, CallError>) -> String {
    match called {
        Ok(_) => "done".to_owned(),
        Err(CallError::Itself { supervisor, child }) => format!("{child} waits for {supervisor}"),
        Err(error) => error.to_string(),
    }
}

/// Each call of the supervisor at a path.
async fn call_in_each_way(tree: &Tree, above: &str) -> Vec<String> {
    let child = format!("{above}/x");
    vec![
        outcome(tree.start_child(above, Child::actor("y", || Idle)).await),
        outcome(tree.terminate_child(&child).await),
        outcome(tree.restart_child(&child).await),
        outcome(tree.delete_child(&child).await),
        outcome(tree.which_children(above).await),
        outcome(tree.count_children(above).await),
    ]
}

struct Idle;
impl Actor for Idle {
    type Error = BoxError;
}

/// Calls these supervisors in each of its starts, and once more in a handler.
#[derive(Clone)]
struct Caller {
    tree: Arc<OnceLock<Tree>>,
    above: &'static [&'static str],
    heard: Heard,
}
impl Actor for Caller {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        let tree = self.tree.get().ok_or("it is there")?;
        for above in self.above {
            call_in_each_way(tree, above).await.into_iter().for_each(|word| self.heard.add(word));
        }
        Ok(ctx.actor_ref().try_tell(Flush)?)
    }
}
impl Handler<Flush> for Caller {
    async fn handle(&mut self, _: &Flush, _: &mut Context<Self>) -> Result<(), BoxError> {
        let tree = self.tree.get().ok_or("it is there")?;
        self.heard.add(outcome(tree.count_children("root").await));
        Ok(())
    }
}
impl Handler<Tick> for Caller {
    async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        Err("told to".into())
    }
}

conformance!(a_start_that_calls_a_supervisor_which_waits_for_it_has_an_error_at_once);
fn a_start_that_calls_a_supervisor_which_waits_for_it_has_an_error_at_once<H: Host>() {
    let (mut host, heard, slot) = (H::new(), Heard::default(), Arc::<OnceLock<Tree>>::default());
    let tree = host.supervise(Supervisor::builder("root").actor("x", || Idle).intensity(9, PERIOD)).unwrap();
    slot.set(tree.clone()).unwrap_or_else(|_| panic!("it was set before"));
    let caller = |above| Caller { tree: Arc::clone(&slot), above, heard: heard.clone() };
    let itself = |child: &str, above: &str| vec![format!("{child} waits for {above}"); 6];
    let (a, b) = (caller(&["root"]), caller(&["root/desk", "root"]));
    host.start_child(&tree, "root", Child::actor("a", move || a.clone())).unwrap();
    host.until(|| heard.words().len() > 6);
    assert_eq!(heard.take(), [itself("root/a", "root"), vec!["done".into()]].concat());
    // So it is in a start by its supervisor, and nothing was done.
    let a = host.child::<Caller>(&tree, "root/a").unwrap();
    host.tell(&a, Tick(0)).unwrap();
    host.until(|| heard.words().len() > 6);
    assert_eq!(heard.take(), [itself("root/a", "root"), vec!["done".into()]].concat());
    assert_eq!(host.count_children(&tree, "root").unwrap().active, 2);
    let desk = Supervisor::builder("desk").actor("b", move || b.clone());
    host.start_child(&tree, "root", Child::supervisor(desk)).unwrap();
    host.until(|| heard.words().len() > 12);
    let both = [itself("root/desk/b", "root/desk"), itself("root/desk/b", "root"), vec!["done".into()]];
    assert_eq!(heard.take(), both.concat());
    host.shutdown();
}

/// Takes its time to start.
struct Late;
impl Actor for Late {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.sleep(Duration::from_millis(5)).await;
        Ok(())
    }
}

conformance!(whoever_calls_a_supervisor_that_waits_for_the_start_of_another_has_its_answer);
fn whoever_calls_a_supervisor_that_waits_for_the_start_of_another_has_its_answer<H: Host>() {
    let (mut host, heard, slot) = (H::new(), Heard::default(), Arc::<OnceLock<Tree>>::default());
    let tree = host.supervise(Supervisor::builder("root")).unwrap();
    slot.set(tree.clone()).unwrap_or_else(|_| panic!("it was set before"));
    let early = Caller { tree: slot, above: &[], heard: heard.clone() };
    let desk = Supervisor::builder("desk").actor("early", move || early.clone()).actor("late", || Late);
    host.start_child(&tree, "root", Child::supervisor(desk)).unwrap();
    host.until(|| !heard.words().is_empty());
    assert_eq!(heard.take(), ["done"]);
    host.shutdown();
}

/// Calls its supervisor before it says that it is ready, and afterwards.
struct Unready(Arc<OnceLock<Tree>>, Heard);
impl Service for Unready {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let tree = self.0.get().ok_or("it is there")?;
        self.1.add(outcome(tree.which_children("root").await));
        ctx.ready();
        ctx.sleep(Duration::from_millis(1)).await;
        self.1.add(outcome(tree.which_children("root").await));
        ctx.stopped().await;
        Ok(())
    }
}

conformance!(a_service_that_calls_its_supervisor_before_it_is_ready_has_an_error_at_once);
fn a_service_that_calls_its_supervisor_before_it_is_ready_has_an_error_at_once<H: Host>() {
    let (mut host, heard, slot) = (H::new(), Heard::default(), Arc::<OnceLock<Tree>>::default());
    let tree = host.supervise(Supervisor::builder("root")).unwrap();
    slot.set(tree.clone()).unwrap_or_else(|_| panic!("it was set before"));
    let log = heard.clone();
    let service = Child::service("s", move || Unready(Arc::clone(&slot), log.clone())).ready_when_told();
    host.start_child(&tree, "root", service).unwrap();
    host.until(|| heard.words().len() > 1);
    assert_eq!(heard.take(), ["root/s waits for root", "done"]);
    host.shutdown();
}

/// Never comes back from a handler, and fails when it is told to.
struct Stubborn;
impl Actor for Stubborn {
    type Error = BoxError;
}
impl Handler<Flush> for Stubborn {
    async fn handle(&mut self, _: &Flush, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.sleep(PERIOD).await;
        Ok(())
    }
}
impl Handler<Tick> for Stubborn {
    async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        Err("told to".into())
    }
}

/// Looks at its tree when it is made, and in its start.
struct Looker(Arc<OnceLock<Tree>>, Heard);
impl Looker {
    fn look(&self) {
        let Some(tree) = self.0.get() else { return };
        let pending: Vec<_> = tree.pending_restarts().into_iter().map(|pending| pending.path).collect();
        self.1.add(format!("{:?} {pending:?}", tree.missed()));
    }
}
impl Actor for Looker {
    type Error = BoxError;
    async fn started(&mut self, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.look();
        Ok(())
    }
}

conformance!(whoever_looks_at_its_tree_while_its_supervisors_are_at_work_sees_who_was_missed_and_who_waits);
fn whoever_looks_at_its_tree_while_its_supervisors_are_at_work_sees_who_was_missed_and_who_waits<H: Host>() {
    let (mut host, heard, slot) = (H::new(), Heard::default(), Arc::<OnceLock<Tree>>::default());
    let late = Child::actor("late", || Stubborn).shutdown(Shutdown::Timeout(Duration::from_millis(1)));
    let root = Supervisor::builder("root").intensity(9, PERIOD).backoff(backoff(30_000));
    let tree = host.supervise(root.child(late).actor("waits", || Stubborn)).unwrap();
    slot.set(tree.clone()).unwrap_or_else(|_| panic!("it was set before"));
    let late = host.child::<Stubborn>(&tree, "root/late").unwrap();
    host.tell(&late, Flush).unwrap();
    host.settle();
    host.terminate_child(&tree, "root/late").unwrap();
    let waits = host.child::<Stubborn>(&tree, "root/waits").unwrap();
    host.tell(&waits, Tick(0)).unwrap();
    host.until(|| !tree.pending_restarts().is_empty());
    let log = heard.clone();
    let looker = Child::actor("looker", move || {
        let looker = Looker(Arc::clone(&slot), log.clone());
        looker.look();
        looker
    });
    host.start_child(&tree, "root", looker).unwrap();
    assert_eq!(heard.take(), [r#"["root/late"] ["root/waits"]"#; 2]);
    host.shutdown();
}

/// Shuts its tree down in the start of its second life.
struct Closer(Arc<OnceLock<Tree>>, Heard);
impl Actor for Closer {
    type Error = BoxError;
    async fn started(&mut self, _: &mut Context<Self>) -> Result<(), BoxError> {
        let Some(tree) = self.0.get() else { return Ok(()) };
        let ended = tree.shutdown().await;
        self.1.add(format!("{:?}", ended.map_err(|error| error.itself)));
        Ok(())
    }
}
impl Handler<Tick> for Closer {
    async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        Err("told to".into())
    }
}

conformance!(a_start_that_shuts_down_the_tree_which_waits_for_it_has_an_error_at_once_and_the_tree_ends);
fn a_start_that_shuts_down_the_tree_which_waits_for_it_has_an_error_at_once_and_the_tree_ends<H: Host>() {
    let (mut host, heard, slot) = (H::new(), Heard::default(), Arc::<OnceLock<Tree>>::default());
    let (own, log) = (Arc::clone(&slot), heard.clone());
    let root = Supervisor::builder("root").intensity(9, PERIOD);
    let root = root.actor("closer", move || Closer(Arc::clone(&own), log.clone()));
    let tree = host.supervise(root).unwrap();
    slot.set(tree.clone()).unwrap_or_else(|_| panic!("it was set before"));
    let closer = host.child::<Closer>(&tree, "root/closer").unwrap();
    let began = host.now();
    host.tell(&closer, Tick(0)).unwrap();
    assert_eq!(host.tree_ended(&tree), ExitReason::Shutdown);
    assert_eq!((heard.take(), tree.missed()), (vec![r#"Err(Some("root/closer"))"#.to_owned()], Vec::new()));
    assert!(!H::OFFERS.exact_time || host.now() == began, "no time has passed");
    host.shutdown();
}
