//! TLS of TCP links: mutual, with names of nodes in certificates.
//!
//! Both sides show a certificate of one authority, and each is checked before a frame is read. Then the name
//! that a peer gives in its Hello must be one of those in its certificate: nobody takes another's name. The
//! handshake of TLS is that of the connection's first bytes, so it is under the deadline of the link's own.

use std::fmt;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use mycelium_remote::link::TOOL_PREFIX;
use mycelium_remote::topology::{CERTIFICATE_NAMES, is_certificate_name};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{NoServerSessionStorage, ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig,
    SignatureScheme,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::sockets::Socket;

/// The largest file of certificates or keys (bytes).
const FILE_MAX: u64 = 1 << 20;
/// The name in certificates of tools, whose own names are made anew each time.
const TOOL: &str = "tool";

/// A certificate, its key, and the authority that vouches for peers: for
/// [`LinkOptions::tls`](crate::LinkOptions::tls). Cloning is cheap.
///
/// Files are PEM, as `mycelium certs` and `openssl` write them. The names of nodes are DNS names in the
/// certificate (`subjectAltName`), so nodes with TLS have names of small letters, digits, `-`, `_` and `.`.
#[derive(Clone)]
pub struct TlsIdentity {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    /// The own certificate, to see whether it has the bus's own name.
    own: CertificateDer<'static>,
    path: Arc<Path>,
}

/// A certificate, a key or an authority cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// The file cannot be read.
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The file has not what it should have.
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// Others may read the file of the key.
    Open {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, cause } => {
                write!(f, "cannot read {}: {cause}; `mycelium certs` makes certificates", path.display())
            }
            Self::Content { path, cause } => write!(f, "{}: {cause}", path.display()),
            Self::Open { path, mode } => write!(
                f,
                "others may read the key {0} (its permissions are {mode:04o}): run `chmod 600 {0}`",
                path.display()
            ),
        }
    }
}

impl std::error::Error for TlsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { cause, .. } => Some(cause),
            _ => None,
        }
    }
}

impl TlsIdentity {
    /// Reads the certificates of the authorities that peers may have theirs from, the own certificate (and
    /// those between it and its authority, in this order), and its key. They are read once: a process that is
    /// to have new ones is started anew.
    ///
    /// # Errors
    /// A file cannot be read, has not what it should have, or has a key that others may read.
    pub fn from_files(
        authority: impl AsRef<Path>,
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, TlsError> {
        let (authority, certificate, key) = (authority.as_ref(), certificate.as_ref(), key.as_ref());
        let mut roots = RootCertStore::empty();
        for root in certificates(authority)? {
            roots.add(root).map_err(wrong(authority, "is no certificate of an authority"))?;
        }
        let (roots, chain) = (Arc::new(roots), certificates(certificate)?);
        check_mode(key)?;
        let secret = PrivateKeyDer::from_pem_slice(&read(key)?)
            .map_err(wrong(key, "has no private key (`-----BEGIN PRIVATE KEY-----`)"))?;
        let own = chain[0].clone();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = &[&rustls::version::TLS13];
        let clients =
            WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider)).build();
        let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .map_err(wrong(certificate, "cannot be used"))?
            .with_client_cert_verifier(clients.map_err(wrong(authority, "cannot be used"))?)
            .with_single_cert(chain.clone(), secret.clone_key())
            .map_err(wrong(certificate, "does not go with the key"))?;
        let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .map_err(wrong(certificate, "cannot be used"))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(OfAuthority::new(roots, &provider, authority)?))
            .with_client_auth_cert(chain, secret)
            .map_err(wrong(certificate, "does not go with the key"))?;
        // A session that goes on looks at no certificate: one that has run out would be good for ever.
        client.resumption = Resumption::disabled();
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        Ok(Self { client: Arc::new(client), server: Arc::new(server), own, path: certificate.into() })
    }

    /// An error if the certificate is not that of a bus of this name.
    pub(super) fn check_own(&self, name: &str) -> Result<(), String> {
        admits(&self.own, name).map_err(|cause| format!("{}: {cause}", self.path.display()))
    }

    /// The side that was dialed.
    pub(super) fn accepts(&self, stream: TcpStream) -> TlsSocket {
        TlsSocket::Shaking(Box::pin(
            TlsAcceptor::from(Arc::clone(&self.server)).accept(stream).into_shaking(),
        ))
    }

    /// The side that dials.
    pub(super) fn dials(&self, stream: TcpStream) -> TlsSocket {
        // No name is sent or looked at here: the peer's Hello has it, and is checked against the certificate.
        let nobody = ServerName::IpAddress(std::net::Ipv4Addr::UNSPECIFIED.into());
        let connector = TlsConnector::from(Arc::clone(&self.client));
        TlsSocket::Shaking(Box::pin(connector.connect(nobody, stream).into_shaking()))
    }
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsIdentity").field("certificate", &self.path).finish_non_exhaustive()
    }
}

fn wrong<E: fmt::Display>(path: &Path, what: &str) -> impl Fn(E) -> TlsError {
    move |error| TlsError::Content { path: path.to_owned(), cause: format!("{what}: {error}") }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    use std::io::Read;
    let read = || {
        let mut bytes = Vec::new();
        std::fs::File::open(path)?.take(FILE_MAX + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > FILE_MAX {
            return Err(io::Error::other(format!("it has more than {FILE_MAX} bytes")));
        }
        Ok(bytes)
    };
    read().map_err(|cause| TlsError::Read { path: path.to_owned(), cause })
}

/// The certificates of a file, at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes = read(path)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let all = all.map_err(wrong(path, "has a certificate that cannot be read"))?;
    if all.is_empty() {
        let cause = "has no certificate (`-----BEGIN CERTIFICATE-----`)".to_owned();
        return Err(TlsError::Content { path: path.to_owned(), cause });
    }
    Ok(all)
}

/// An error if others may read a key.
fn check_mode(path: &Path) -> Result<(), TlsError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let found =
            std::fs::metadata(path).map_err(|cause| TlsError::Read { path: path.to_owned(), cause })?;
        let mode = found.mode() & 0o7777;
        // A group may: secrets of containers are given so.
        if mode & 0o007 != 0 {
            return Err(TlsError::Open { path: path.to_owned(), mode });
        }
    }
    Ok(())
}

/// The name of a node as a certificate has it, if it can be in one.
fn certified(name: &str) -> Option<&str> {
    let of_tool = name.starts_with(TOOL_PREFIX).then_some(TOOL);
    of_tool.or_else(|| Some(name).filter(|name| is_certificate_name(name)))
}

/// An error if this is not the certificate of a node of this name.
fn admits(certificate: &CertificateDer<'_>, name: &str) -> Result<(), String> {
    // Else one certificate would be good for several names: those of DNS may end with `.`, and know no
    // capital letters.
    let certified = certified(name).and_then(|name| Some((name, ServerName::try_from(name).ok()?)));
    let Some((certified, expected)) = certified else {
        return Err(format!("`{name}` cannot be in a certificate: take {CERTIFICATE_NAMES}"));
    };
    let parsed = ParsedCertificate::try_from(certificate).map_err(|error| error.to_string())?;
    match verify_server_name(&parsed, &expected) {
        Ok(()) => Ok(()),
        Err(rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext {
            presented,
            ..
        })) => {
            let plain =
                |name: &String| name.trim_start_matches("DnsName(\"").trim_end_matches("\")").to_owned();
            let presented: Vec<String> = presented.iter().map(plain).collect();
            Err(format!("the certificate is that of {}, and not of `{certified}`", presented.join(", ")))
        }
        Err(_) => Err(format!("the certificate is not that of `{certified}`")),
    }
}

/// Checks that a certificate is one of the authority, whichever name it has: that is looked at when the peer
/// has said its own.
#[derive(Debug)]
struct OfAuthority {
    whole: Arc<WebPkiServerVerifier>,
    roots: Arc<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl OfAuthority {
    fn new(roots: Arc<RootCertStore>, provider: &Arc<CryptoProvider>, path: &Path) -> Result<Self, TlsError> {
        let whole =
            WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(provider)).build();
        let whole = whole.map_err(wrong(path, "cannot be used"))?;
        Ok(Self { whole, roots, algorithms: provider.signature_verification_algorithms })
    }
}

impl ServerCertVerifier for OfAuthority {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        rustls::client::verify_server_cert_signed_by_trust_anchor(
            &certificate,
            &self.roots,
            intermediates,
            now,
            self.algorithms.all,
        )?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.whole.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.whole.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.whole.supported_verify_schemes()
    }

    fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
        None
    }
}

type Shaking = Pin<Box<dyn Future<Output = io::Result<TlsStream<TcpStream>>> + Send>>;

/// Either side of a handshake.
trait IntoShaking {
    fn into_shaking(self) -> impl Future<Output = io::Result<TlsStream<TcpStream>>> + Send + 'static;
}

impl IntoShaking for tokio_rustls::Accept<TcpStream> {
    async fn into_shaking(self) -> io::Result<TlsStream<TcpStream>> {
        self.await.map(TlsStream::Server).map_err(|error| explained(&error))
    }
}

impl IntoShaking for tokio_rustls::Connect<TcpStream> {
    async fn into_shaking(self) -> io::Result<TlsStream<TcpStream>> {
        self.await.map(TlsStream::Client).map_err(|error| explained(&error))
    }
}

/// A TCP connection with TLS. Its handshake is made when it is first read or written.
pub(super) enum TlsSocket {
    Shaking(Shaking),
    Open(Box<TlsStream<TcpStream>>),
}

impl TlsSocket {
    /// The stream, once the handshake is done.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pin<&mut TlsStream<TcpStream>>>> {
        if let Self::Shaking(shaking) = self {
            match ready!(shaking.as_mut().poll(cx)) {
                Ok(stream) => *self = Self::Open(Box::new(stream)),
                Err(error) => {
                    // It is not polled again.
                    let kind = error.kind();
                    *self = Self::Shaking(Box::pin(std::future::ready(Err(kind.into()))));
                    return Poll::Ready(Err(error));
                }
            }
        }
        match self {
            Self::Open(stream) => Poll::Ready(Ok(Pin::new(stream))),
            Self::Shaking(_) => Poll::Pending,
        }
    }
}

/// An error of TLS with what to look at.
fn explained(error: &io::Error) -> io::Error {
    let text = error.to_string();
    let remedy = if text.contains("InvalidContentType") || text.contains("corrupt message") {
        "; the other side does not speak TLS: give both `tls`, or neither"
    } else if text.contains("handshake eof") {
        "; the other side has closed the connection in the midst of the handshake: if it does not speak TLS, \
         give both `tls`, or neither; else its log says why"
    } else if ["UnknownIssuer", "UnknownCA", "BadSignature", "DecryptError"]
        .iter()
        .any(|of| text.contains(of))
    {
        "; both certificates must come from the authority that the other side is given"
    } else if text.to_lowercase().contains("expired") {
        "; make a new certificate (`mycelium certs`), and look at the clocks of both machines"
    } else if text.contains("not valid yet") {
        "; look at the clocks of both machines, and from when on the certificate is good"
    } else if text.contains("UnsupportedCertificate") || text.contains("extended key usage") {
        "; the certificate of a node is for both uses, `serverAuth` and `clientAuth`"
    } else {
        ""
    };
    io::Error::new(error.kind(), format!("TLS: {text}{remedy}"))
}

impl Socket for TlsSocket {
    fn admits(&self, name: &str) -> Result<(), String> {
        let Self::Open(stream) = self else { return Err("its handshake is not done".to_owned()) };
        let (_, connection) = stream.get_ref();
        match connection.peer_certificates().and_then(|chain| chain.first()) {
            Some(certificate) => admits(certificate, name),
            None => Err("it has shown no certificate".to_owned()),
        }
    }
}

impl AsyncRead for TlsSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // An error of the peer's certificate comes from it now, when this side has long been done.
        ready!(self.poll_open(cx))?.poll_read(cx, space).map_err(|error| explained(&error))
    }
}

impl AsyncWrite for TlsSocket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_open(cx))?.poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_open(cx))?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            // Nothing was said: there is nothing to end.
            Self::Shaking(_) => Poll::Ready(Ok(())),
            Self::Open(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
