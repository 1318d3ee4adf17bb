//! Actors of a bus whose link has no connection just now.

use std::time::Duration;

use mycelium::{LinkAddress, LinkOptions, LinkState, TellError};
use mycelium_random::Random;

use crate::Desk;
use crate::common::on_every_runtime;
use crate::kit::{Fill, Order, bus, link, until};
use crate::proxy::{Faults, Proxy};

#[test]
fn an_actor_that_is_asked_for_while_its_link_has_no_connection_is_reached_once_there_is_one() {
    on_every_runtime(async || {
        let (market, other) = (bus("market"), bus("desk"));
        let listener = other.bind_tcp("127.0.0.1:0").unwrap();
        let proxy = Proxy::new(&listener.address(), Random::new(1), Faults::default()).await;
        // Longer than the test takes on any machine.
        let options = LinkOptions::default().hold(Duration::from_secs(3_600));
        let dialer = market.connect_with(LinkAddress::tcp(proxy.address.to_string()), options).unwrap();
        dialer.linked().await;
        let desk = Desk::default();
        desk.on(&other);
        dialer.close();
        proxy.cut();
        until(|| matches!(link(&market, "desk").state, LinkState::Broken { .. })).await;
        let orders = market.recipient::<Order>("desk/desk").unwrap();
        let fills = market.reply_recipient::<Fill>("desk/desk").unwrap();
        assert!(orders.is_alive(), "its bus is waited for");
        assert!(matches!(orders.try_tell(Order { n: 0 }), Err(TellError::Full(..))));
        let told = async {
            orders.tell(Order { n: 1 }).await.unwrap();
            assert_eq!(fills.ask(Fill { n: 2 }).await, Ok(Order { n: 4 }));
        };
        let back = async { market.connect(LinkAddress::tcp(listener.address())).unwrap().linked().await };
        tokio::join!(told, back);
        assert_eq!(desk.heard(), [1, 2]);
    });
}
