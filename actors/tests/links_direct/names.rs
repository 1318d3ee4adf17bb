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
        // Names that nobody writes to, and in each round one that is written to and dropped at once.
        const ROUNDS: u64 = 300;
        for n in 0..ROUNDS {
            for unused in 0..MANY.div_ceil(ROUNDS) {
                for node in ["desk", "market", "elsewhere"] {
                    drop(market.recipient::<Order>(&format!("{node}/unused-{n}-{unused}")).unwrap());
                }
            }
            let name = format!("desk-{n}");
            desk.expose(&name, Exposed::new().takes::<Order>(&actor)).unwrap();
            market.recipient::<Order>(&format!("desk/{name}")).unwrap().tell(Order { n }).await.unwrap();
            if n % 100 == 0 {
                kept.tell(Order { n }).await.unwrap();
            }
            // The other end is to have read what was for this name.
            until(|| heard.0.lock().unwrap().contains(&n)).await;
            assert!(desk.unexpose(&name));
        }
        until(|| heard.0.lock().unwrap().len() as u64 == ROUNDS + 3).await;
        let mut got = heard.0.lock().unwrap().clone();
        got.sort_unstable();
        got.dedup();
        assert_eq!(got, (0..ROUNDS).collect::<Vec<_>>(), "each came");
        // As many as may be at a time, and no more.
        let mut held = Vec::new();
        let refused = loop {
            match market.recipient::<Order>(&format!("desk/held-{}", held.len())) {
                Ok(recipient) => held.push(recipient),
                Err(refused) => break refused,
            }
        };
        assert!((4_000..4_096).contains(&held.len()), "{}", held.len());
        assert!(matches!(refused, LinkError::Mailbox { .. }), "{refused}");
        drop(held);
        desk.expose("at-last", Exposed::new().takes::<Order>(&actor)).unwrap();
        market.recipient::<Order>("desk/at-last").unwrap().tell(Order { n: ROUNDS }).await.unwrap();
        until(|| heard.0.lock().unwrap().contains(&ROUNDS)).await;
        let later = Watcher::of(&kept, &market);
        actor.kill();
        until(|| !later.heard().is_empty()).await;
        assert_ne!(later.heard(), [StopReason::NoConnection]);
    });
}
