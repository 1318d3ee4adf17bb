//! What the children of a group leave, while one of them waits for its restart.

use std::time::Duration;

use mycelium::tree::{Backoff, Child, Restart, StartError, Strategy};
use mycelium::{Actor, BoxError, Context, Handler, Supervisor, Tree};

use crate::common::{PERIOD, Tick};
use crate::host::Host;

/// Panics at 13 and ends at 0.
struct Unlucky;
impl Actor for Unlucky {
    type Error = BoxError;
}
impl Handler<Tick> for Unlucky {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        assert_ne!(tick.0, 13, "an unlucky number");
        if tick.0 == 0 {
            ctx.stop();
        }
        Ok(())
    }
}

/// Three of them. The second has failed, and waits for an hour.
fn one_waits<H: Host>(host: &mut H, strategy: Strategy) -> Tree {
    let child = |id: &'static str| Child::actor(id, || Unlucky).restart(Restart::Transient);
    let root = Supervisor::builder("root").strategy(strategy).intensity(9, PERIOD);
    let hour = Duration::from_secs(3600);
    let backoff = Backoff { initial: hour, cap: hour, ..Backoff::default() };
    let root = root.child(child("a")).child(child("b").backoff(backoff)).child(child("c"));
    let tree = host.supervise(root).unwrap();
    let b = host.child::<Unlucky>(&tree, "root/b").unwrap();
    host.tell(&b, Tick(13)).unwrap();
    host.until(|| tree.pending_restarts().len() == 1);
    tree
}

conformance!(a_child_before_the_one_that_waits_ends_when_it_ends);
fn a_child_before_the_one_that_waits_ends_when_it_ends<H: Host>() {
    for terminated in [false, true] {
        let mut host = H::new();
        let tree = one_waits(&mut host, Strategy::RestForOne);
        let begun = host.now();
        let a = host.child::<Unlucky>(&tree, "root/a").unwrap();
        if terminated {
            host.wait(tree.terminate_child("root/a")).unwrap();
        } else {
            host.tell(&a, Tick(0)).unwrap();
        }
        host.ended(&a);
        assert!(host.now() < begun + Duration::from_secs(600), "it has waited for b");
        host.shut_tree(&tree);
    }
}

conformance!(a_call_that_ends_a_child_ends_it_although_its_group_waits);
fn a_call_that_ends_a_child_ends_it_although_its_group_waits<H: Host>() {
    for deleted in [false, true] {
        let mut host = H::new();
        let tree = one_waits(&mut host, Strategy::OneForAll);
        let begun = host.now();
        // It has stopped with its group, and would come back with it.
        let c = host.child::<Unlucky>(&tree, "root/c").unwrap();
        let call = async {
            match deleted {
                true => tree.delete_child("root/c").await,
                false => tree.terminate_child("root/c").await,
            }
        };
        host.wait(call).unwrap();
        host.ended(&c);
        assert!(host.now() < begun + Duration::from_secs(600), "it has waited for its group");
        if deleted {
            host.start_child(&tree, "root", Child::actor("c", || Unlucky)).unwrap();
            let next = host.child::<Unlucky>(&tree, "root/c").expect("a lookup finds the new one");
            assert_ne!(next.id(), c.id());
        }
        host.shut_tree(&tree);
    }
}

conformance!(a_root_has_an_id_as_a_child_has);
fn a_root_has_an_id_as_a_child_has<H: Host>() {
    for id in ["", "eu/desk", "a\nb", &"x".repeat(257)] {
        let error = H::new().supervise(Supervisor::builder(id)).unwrap_err();
        assert!(matches!(error, StartError::Spec(_)), "{error}");
        assert!(error.to_string().contains("without `/`"), "{error}");
    }
}
