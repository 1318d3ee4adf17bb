//! Links over TCP with TLS: who may be linked, and that nothing else changes.

#![forbid(unsafe_code)]
#![cfg(feature = "tls")]

mod common;
#[path = "links/kit.rs"]
#[allow(dead_code, reason = "what the tests of topics need")]
mod kit;
#[path = "links/proxy.rs"]
#[allow(dead_code, reason = "what the tests of faults need")]
mod proxy;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mycelium::{
    Dialer, LinkAddress, LinkError, LinkOptions, MessageBus, Subscriber, Subscription, TlsError, TlsIdentity,
};
use mycelium_random::{Random, seed};
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

use crate::common::on_every_runtime;
use crate::kit::{Tick, bus, link, until, until_wanted};
use crate::proxy::{Faults, Proxy};

/// An authority with its files, removed at the end.
struct Authority {
    directory: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.directory);
    }
}

fn write_secret(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

impl Authority {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let directory = std::env::temp_dir().join(format!("mycelium-tls-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, format!("authority {number}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let key = KeyPair::generate().unwrap();
        std::fs::write(directory.join("ca.crt"), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { directory, issuer: Issuer::new(params, key) }
    }

    /// The identity of a node of this name, as `change` makes its certificate.
    fn node_with(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> TlsIdentity {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let file = |kind: &str| self.directory.join(format!("{name}.{kind}"));
        std::fs::write(file("crt"), certificate.pem()).unwrap();
        write_secret(&file("key"), &key.serialize_pem());
        TlsIdentity::from_files(self.directory.join("ca.crt"), file("crt"), file("key")).unwrap()
    }

    fn node(&self, name: &str) -> LinkOptions {
        LinkOptions::default().tls(self.node_with(name, |_| ()))
    }
}

async fn fault(dialer: &Dialer) -> String {
    until(|| dialer.fault().is_some()).await;
    dialer.fault().unwrap().to_string()
}

/// Publishes so many ticks, and receives them.
async fn publishes(from: &MessageBus, ticks: &mut Subscriber<Tick>, count: u64) {
    let publisher = from.publisher::<Tick>().unwrap();
    let publish = async {
        for n in 0..count {
            publisher.publish(Tick { n }).await.unwrap();
        }
    };
    let receive = async {
        for n in 0..count {
            assert_eq!(ticks.recv().await.as_deref(), Some(&Tick { n }));
        }
    };
    tokio::join!(publish, receive);
}

#[test]
fn a_link_with_tls_carries_everything_in_order_and_once() {
    on_every_runtime(async || {
        let authority = Authority::new();
        let (market, desk) = (bus("market"), bus("desk"));
        let listener = market.bind_tcp_with("127.0.0.1:0", authority.node("market")).unwrap();
        let dialer = desk.connect_with(LinkAddress::tcp(listener.address()), authority.node("desk")).unwrap();
        assert_eq!(&*dialer.linked().await, "market");
        let mut ticks = desk.subscriber_with(Subscription::<Tick>::block().capacity(256)).unwrap();
        until_wanted(&market, "desk", &["Tick"]).await;
        publishes(&market, &mut ticks, 20_000).await;
        assert!(dialer.round_trip().await.is_some());
        market.shutdown().await.unwrap();
        desk.shutdown().await.unwrap();
    });
}

/// Pieces of one byte, delays, damage, and connections that are cut anywhere, in the handshake of TLS too.
#[test]
fn a_connection_with_tls_may_be_cut_and_split_at_any_byte() {
    on_every_runtime(async || {
        let authority = Authority::new();
        let none = Faults::default();
        let all = [
            (Faults { bytes: 10_000, ..none }, 300),
            (Faults { cut: 300, reset: 100, ..none }, 3_000),
            (Faults { corrupt: 100, cut: 100, bytes: 500, ..none }, 3_000),
        ];
        for (faults, count) in all {
            let (market, desk) = (bus("market"), bus("desk"));
            let listener = market.bind_tcp_with("127.0.0.1:0", authority.node("market")).unwrap();
            let proxy = Proxy::new(&listener.address(), Random::new(seed()), faults).await;
            let address = LinkAddress::tcp(proxy.address.to_string());
            let mut ticks = desk.subscriber_with(Subscription::<Tick>::block().capacity(256)).unwrap();
            let dialer = desk.connect_with(address, authority.node("desk")).unwrap();
            dialer.linked().await;
            until_wanted(&market, "desk", &["Tick"]).await;
            publishes(&market, &mut ticks, count).await;
            assert_eq!(link(&desk, "market").lost, 0);
            proxy.heal();
        }
    });
}

#[test]
fn nobody_takes_a_name_that_is_not_in_its_certificate() {
    on_every_runtime(async || {
        let authority = Authority::new();
        let market = bus("market");
        let listener = market.bind_tcp_with("127.0.0.1:0", authority.node("market")).unwrap();
        let address = || LinkAddress::tcp(listener.address());
        // It sees so itself, before a peer does.
        let wrong = bus("desk").connect_with(address(), authority.node("audit")).unwrap_err();
        let LinkError::Certificate { cause } = &wrong else { panic!("{wrong:?}") };
        assert!(cause.contains("audit") && cause.contains("not of `desk`"), "{cause}");
        let refused = bus("desk").bind_tcp_with("127.0.0.1:0", authority.node("market"));
        assert!(matches!(refused, Err(LinkError::Certificate { .. })), "{refused:?}");
        // Capital letters are none in certificates.
        let loud = bus("Desk").connect_with(address(), authority.node("desk")).unwrap_err();
        assert!(loud.to_string().contains("cannot be in a certificate"), "{loud}");
        // And neither are other spellings of a name, numbers, and the name of all tools.
        for (name, certificate) in
            [("desk.", "desk"), ("tool", "tool"), ("a-.b", "desk"), ("worker.1", "desk")]
        {
            let refused = bus(name).connect_with(address(), authority.node(certificate)).unwrap_err();
            assert!(refused.to_string().contains("cannot be in a certificate"), "{name}: {refused}");
        }
        // A tool has one certificate and many names.
        let tool = bus("tool/1");
        let dialer = tool.connect_with(address(), authority.node("tool")).unwrap();
        assert_eq!(&*dialer.linked().await, "market");
        assert!(bus("tool/2").connect_with(address(), authority.node("desk")).is_err());
        // A certificate of several names, or of all of a domain.
        let many = authority.node_with("desk", |params| {
            let name = |name: &str| rcgen::SanType::DnsName(name.to_owned().try_into().unwrap());
            params.subject_alt_names = vec![name("one"), name("*.desk.lan")];
        });
        for name in ["one", "left.desk.lan"] {
            let options = LinkOptions::default().tls(many.clone());
            let node = bus(name);
            let dialer = node.connect_with(address(), options).unwrap();
            assert_eq!(&*dialer.linked().await, "market");
        }
    });
}

/// A peer that leaves out what it should check of itself.
#[test]
fn a_liar_is_refused_by_the_other_side() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    on_every_runtime(async || {
        let authority = Authority::new();
        let chain = authority.node_with("audit", |_| ());
        drop(chain);
        let market = bus("market");
        let listener = market.bind_tcp_with("127.0.0.1:0", authority.node("market")).unwrap();
        // A relay that has the certificate of `audit`, and says what `desk` says to it in plain.
        let plain = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (relay, there) = (plain.local_addr().unwrap(), listener.address());
        let directory = authority.directory.clone();
        let relaying = tokio::spawn(async move {
            let connector = raw_connector(&directory, "audit");
            loop {
                let (mut inner, _) = plain.accept().await.unwrap();
                let outer = tokio::net::TcpStream::connect(&*there).await.unwrap();
                let name = rustls_name();
                let Ok(mut outer) = connector.connect(name, outer).await else { continue };
                let _ended = tokio::io::copy_bidirectional(&mut inner, &mut outer).await;
                let _closed = inner.shutdown().await;
                let _rest = inner.read(&mut [0; 1]).await;
            }
        });
        let desk = bus("desk");
        let dialer = desk.connect(LinkAddress::tcp(relay.to_string())).unwrap();
        let said = fault(&dialer).await;
        assert!(said.contains("`desk` may not have that name") && said.contains("audit"), "{said}");
        assert!(market.stats().links.is_empty());
        relaying.abort();
    });
}

fn rustls_name() -> rustls::pki_types::ServerName<'static> {
    rustls::pki_types::ServerName::try_from("market").unwrap()
}

/// A client of TLS with the certificate of this node, and nothing of ours.
fn raw_connector(directory: &Path, name: &str) -> tokio_rustls::TlsConnector {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let certificate =
        |name: &str| CertificateDer::from_pem_file(directory.join(format!("{name}.crt"))).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate("ca")).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(
            vec![certificate(name)],
            PrivateKeyDer::from_pem_file(directory.join(format!("{name}.key"))).unwrap(),
        )
        .unwrap();
    std::sync::Arc::new(config).into()
}

/// A certificate that is good for two more seconds.
fn short(params: &mut CertificateParams) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(1970, 1, 1) + now + Duration::from_secs(2);
}

#[test]
fn a_certificate_that_has_run_out_is_good_for_no_further_connection() {
    on_every_runtime(async || {
        for listens in [false, true] {
            let authority = Authority::new();
            let identity = |name: &str, is_short: bool| match is_short {
                true => LinkOptions::default().tls(authority.node_with(name, short)),
                false => authority.node(name),
            };
            let (_market, desk, dialer, proxy) = loop {
                let (market, desk) = (bus("market"), bus("desk"));
                let listener = market.bind_tcp_with("127.0.0.1:0", identity("market", listens)).unwrap();
                let proxy = Proxy::new(&listener.address(), Random::new(seed()), Faults::default()).await;
                let options = identity("desk", !listens);
                let dialer = desk.connect_with(LinkAddress::tcp(proxy.address.to_string()), options).unwrap();
                // Else it had run out before, on a machine that was held up.
                if let Ok(peer) = tokio::time::timeout(Duration::from_secs(3), dialer.linked()).await {
                    assert_eq!(&*peer, "market");
                    break (market, desk, dialer, proxy);
                }
            };
            tokio::time::sleep(Duration::from_secs(3)).await;
            proxy.cut();
            let said = fault(&dialer).await;
            assert!(said.contains("xpired"), "{said}");
            assert_eq!(link(&desk, "market").connections, 1);
        }
    });
}

#[test]
fn what_secures_connections_is_not_said_for_one_peer() {
    on_every_runtime(async || {
        let (authority, market) = (Authority::new(), bus("market"));
        for inner in [authority.node("market"), LinkOptions::default().plaintext()] {
            let options = LinkOptions::default().peer("desk", inner);
            let error = market.bind_tcp_with("127.0.0.1:0", options.clone()).unwrap_err();
            assert!(matches!(error, LinkError::SecuredPeer { .. }), "{error}");
            assert!(error.to_string().contains("beside `LinkOptions::peer`"), "{error}");
            let error = market.connect_with(LinkAddress::tcp("127.0.0.1:1"), options).unwrap_err();
            assert!(matches!(error, LinkError::SecuredPeer { .. }), "{error}");
        }
    });
}

#[test]
fn each_reason_why_there_is_no_link_is_told() {
    on_every_runtime(async || {
        let (authority, other) = (Authority::new(), Authority::new());
        let market = bus("market");
        let listener = market.bind_tcp_with("127.0.0.1:0", authority.node("market")).unwrap();
        let plain = bus("plain");
        let open = plain.bind_tcp("127.0.0.1:0").unwrap();
        let expired = authority.node_with("late", |params| {
            params.not_before = rcgen::date_time_ymd(2020, 1, 1);
            params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        });
        let server_only = authority.node_with("half", |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        });
        let early = |params: &mut CertificateParams| {
            params.not_before = rcgen::date_time_ymd(2999, 1, 1);
            params.not_after = rcgen::date_time_ymd(3000, 1, 1);
        };
        let tls = |identity| LinkOptions::default().tls(identity);
        // Of these the dialer itself sees what is wrong with the other side's.
        let (soon, client) = (bus("soon"), bus("client"));
        let of_soon = soon.bind_tcp_with("127.0.0.1:0", tls(authority.node_with("soon", early))).unwrap();
        let client_only = authority.node_with("client", |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        });
        let of_client = client.bind_tcp_with("127.0.0.1:0", tls(client_only)).unwrap();
        let rows = [
            ("desk", listener.address(), other.node("desk"), "authority"),
            ("late", listener.address(), tls(expired), "xpired"),
            ("half", listener.address(), tls(server_only), "`serverAuth` and `clientAuth`"),
            (
                "early",
                listener.address(),
                tls(authority.node_with("early", early)),
                "the clocks of both machines",
            ),
            ("desk", of_soon.address(), authority.node("desk"), "the clocks of both machines"),
            ("desk", of_client.address(), authority.node("desk"), "`serverAuth` and `clientAuth`"),
            ("desk", listener.address(), LinkOptions::default(), "the other side speaks TLS"),
            ("desk", open.address(), authority.node("desk"), "give both `tls`, or neither"),
        ];
        for (name, address, options, expected) in rows {
            let node = bus(name);
            let dialer = node.connect_with(LinkAddress::tcp(address), options).unwrap();
            let said = fault(&dialer).await;
            assert!(said.contains(expected), "{name}, {expected}: {said}");
        }
        assert!(market.stats().links.is_empty() && plain.stats().links.is_empty());
        // Nobody is kept from being linked by those who are not.
        let desk = bus("desk");
        let dialer = desk.connect_with(LinkAddress::tcp(listener.address()), authority.node("desk")).unwrap();
        assert_eq!(&*dialer.linked().await, "market");
    });
}

/// Connections that say nothing, or nonsense, are closed and keep nobody waiting.
#[test]
fn whoever_never_ends_the_handshake_keeps_nobody_waiting() {
    use tokio::io::AsyncWriteExt;
    on_every_runtime(async || {
        let authority = Authority::new();
        let market = bus("market");
        let listener = market.bind_tcp_with("127.0.0.1:0", authority.node("market")).unwrap();
        let mut silent = Vec::new();
        for number in 0..100_u8 {
            let mut stream = tokio::net::TcpStream::connect(&*listener.address()).await.unwrap();
            stream.write_all(&[22, 3, 1, 0, 200, number][..usize::from(number % 7)]).await.unwrap();
            silent.push(stream);
        }
        let desk = bus("desk");
        let dialer = desk.connect_with(LinkAddress::tcp(listener.address()), authority.node("desk")).unwrap();
        assert_eq!(&*dialer.linked().await, "market");
        tokio::time::sleep(Duration::from_millis(1)).await;
    });
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let authority = Authority::new();
    let _desk = authority.node("desk");
    let _market = authority.node("market");
    let file = |name: &str| authority.directory.join(name);
    let read =
        |ca: &str, crt: &str, key: &str| TlsIdentity::from_files(file(ca), file(crt), file(key)).unwrap_err();
    std::fs::write(file("empty.crt"), "").unwrap();
    write_secret(&file("empty.key"), "");
    std::fs::write(file("open.key"), std::fs::read(file("desk.key")).unwrap()).unwrap();
    std::fs::set_permissions(file("open.key"), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let rows = [
        (read("none.crt", "desk.crt", "desk.key"), "cannot read"),
        (read("ca.crt", "empty.crt", "desk.key"), "has no certificate"),
        (read("ca.crt", "desk.crt", "empty.key"), "has no private key"),
        (read("ca.crt", "desk.crt", "market.key"), "does not go with the key"),
        (read("ca.crt", "desk.key", "desk.key"), "has no certificate"),
    ];
    for (error, expected) in rows {
        assert!(error.to_string().contains(expected), "{expected}: {error}");
    }
    let open = read("ca.crt", "desk.crt", "open.key");
    assert!(matches!(open, TlsError::Open { mode: 0o644, .. }), "{open}");
}
