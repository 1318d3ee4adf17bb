//! Names of actors come and go: as many at a time as there may be, and no fewer later.

use mycelium::{Exposed, LinkError, RemoteError, StopReason, TellError};

use crate::common::on_every_runtime;
use crate::kit::{Order, bus, until};
use crate::paths::Desk;
use crate::watches::Watcher;

/// More than a bus remembers.
const MANY: u64 = 4_096 + 64;

#[test]
fn the_name_of_an_actor_that_has_ended_makes_room_for_another() {
    on_every_runtime(async || {
        let desk = bus("desk");
        for n in 0..MANY {
            let actor = Desk::default().on(&desk, &format!("desk-{n}"));
            actor.kill();
            actor.ended().await;
        }
        // All that live are found.
        let living = Desk::default();
        let actor = living.on(&desk, "living");
        for n in 1..4_096 {
            desk.expose(&format!("name-{n}"), Exposed::new().takes::<Order>(&actor)).unwrap();
        }
        let refused = desk.expose("one-more", Exposed::new().takes::<Order>(&actor)).unwrap_err();
        assert!(matches!(&refused, LinkError::Mailbox { name } if **name == *"one-more"), "{refused}");
        assert!(desk.unexpose("name-7") && !desk.unexpose("name-7"));
        desk.expose("one-more", Exposed::new().takes::<Order>(&actor)).unwrap();
        let gone = desk.recipient::<Order>("desk/name-7").unwrap().tell(Order { n: 1 }).await.unwrap_err();
        assert!(matches!(gone, TellError::Remote(_, _, RemoteError::NoActor)), "{gone}");
        desk.recipient::<Order>("desk/one-more").unwrap().tell(Order { n: 2 }).await.unwrap();
        until(|| *living.0.lock().unwrap() == [2]).await;
        actor.kill();
    });
}

#[test]
fn a_path_that_nobody_uses_any_more_makes_room_for_another() {
    on_every_runtime(async || {
        let (market, desk) = crate::kit::linked().await;
        let heard = Desk::default();
        let actor = heard.on(&desk, "desk");
        // One that is kept, and one that is only watched.
        let kept = market.recipient::<Order>("desk/desk").unwrap();
        let watched = Watcher::of(&market.recipient::<Order>("desk/watched").unwrap(), &market);
        until(|| !watched.heard().is_empty()).await;
        let mut expected = Vec::new();
        for n in 0..MANY {
            drop(market.recipient::<Order>(&format!("desk/never-used-{n}")).unwrap());
            drop(market.recipient::<Order>(&format!("elsewhere/{n}")).unwrap());
            drop(market.recipient::<Order>(&format!("market/{n}")).unwrap());
            let name = format!("desk-{n}");
            desk.expose(&name, Exposed::new().takes::<Order>(&actor)).unwrap();
            let orders = market.recipient::<Order>(&format!("desk/{name}")).unwrap();
            orders.tell(Order { n }).await.unwrap();
            drop(orders);
            expected.push(n);
            if n % 100 == 0 {
                kept.tell(Order { n }).await.unwrap();
            }
            // It is the other end that has to have read what was for this name.
            until(|| heard.0.lock().unwrap().len() >= expected.len()).await;
            assert!(desk.unexpose(&name));
        }
        let count = expected.len() + MANY.div_ceil(100) as usize;
        until(|| heard.0.lock().unwrap().len() == count).await;
        let mut got = heard.0.lock().unwrap().clone();
        got.sort_unstable();
        got.dedup();
        assert_eq!(got, expected, "each came");
        // As many as may be at a time, and no more.
        let held: Vec<_> =
            (2..4_096).map(|n| market.recipient::<Order>(&format!("desk/held-{n}")).unwrap()).collect();
        let refused = loop {
            if let Err(refused) = market.recipient::<Order>(&format!("desk/more-{}", held.len())) {
                break refused;
            }
            let more: Vec<_> =
                (0..4).map_while(|n| market.recipient::<Order>(&format!("desk/extra-{n}")).ok()).collect();
            break market.recipient::<Order>("desk/too-many").map(|_| more.len()).unwrap_err();
        };
        assert!(matches!(refused, LinkError::Mailbox { .. }), "{refused}");
        drop(held);
        market.recipient::<Order>("desk/at-last").unwrap();
        let later = Watcher::of(&kept, &market);
        actor.kill();
        until(|| !later.heard().is_empty()).await;
        assert_ne!(later.heard(), [StopReason::NoConnection]);
    });
}
