//! `docs/operations.md`

use mycelium::tree::RunEnd;
use mycelium::{MainResult, MessageBus, Result, ServiceContext, service};

struct Feed;
#[service]
impl Feed {
    async fn run(&mut self, ctx: &ServiceContext) -> Result {
        ctx.stopped().await;
        Ok(())
    }
}

mod program {
    use std::time::Duration;

    use super::*;

    #[tokio::main]
    pub(super) async fn main() -> MainResult<RunEnd> {
        let bus = MessageBus::new();
        bus.spawn_service(Feed)?;
        Ok(bus.run_until_signal(Duration::from_secs(10)).await?)
    }
}

/// It ends by signals: `bus_signals.rs` sends some to such programs.
const _: fn() -> MainResult<RunEnd> = program::main;

/// It would listen to a network, so it is called where there are no certificates.
#[cfg(feature = "tls")]
#[tokio::test]
async fn tls() {
    use mycelium::{LinkAddress, LinkOptions, TlsIdentity};
    fn linked(bus: &MessageBus) -> Result {
        let identity = TlsIdentity::from_files("certs/ca.crt", "certs/desk.crt", "certs/desk.key")?;
        bus.bind_tcp_with("0.0.0.0:7000", LinkOptions::default().tls(identity.clone()))?;
        bus.connect_with(LinkAddress::tcp("market.lan:7000"), LinkOptions::default().tls(identity))?;
        Ok(())
    }
    let error = linked(&MessageBus::new()).unwrap_err().to_string();
    assert!(error.contains("certs/"), "{error}");
}
