//! `mycelium certs`: an authority for tests and small deployments, and certificates of nodes.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mycelium::topology;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::RootCertStore;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ParsedCertificate;

use crate::outcome::{self, Outcome, say};

/// The name of the authority in certificates.
const AUTHORITY: &str = "mycelium authority";
/// The authority is good for so many times as long as the certificates of nodes.
const AUTHORITY_TIMES: u64 = 10;
/// Certificates begin to be good before they are made: clocks differ (time).
const CLOCKS_DIFFER: Duration = Duration::from_secs(3_600);

/// Make certificates for TLS between nodes: ca.crt of an authority, and NAME.crt and NAME.key of each node.
///
/// An authority that is in the directory already (ca.crt, ca.key) is used again, so that nodes can be
/// added; it must be one that this command has made. Keep ca.key away from machines that run nodes: whoever
/// has it can make a node of any name.
///
/// Exit code 0 when all are made, 2 when one is not.
#[derive(Debug, clap::Args)]
pub(crate) struct CertsArgs {
    /// Where the files are put; made with permissions 0700 if it is missing.
    #[arg(value_name = "DIRECTORY")]
    directory: PathBuf,
    /// Names of nodes; `tool` is that of `mycelium tap` and its siblings.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Also for each node of this topology, and for tools.
    #[arg(long, value_name = "FILE")]
    topology: Option<PathBuf>,
    /// For how many days.
    #[arg(long, value_name = "N", default_value = "365", value_parser = clap::value_parser!(u64).range(1..=3_650))]
    days: u64,
    /// Replace certificates of nodes that are there already.
    #[arg(long)]
    replace: bool,
}

/// The name in the certificate of tools.
const TOOL: &str = "tool";

pub(crate) fn run(args: &CertsArgs) -> outcome::Result {
    let mut names = args.names.clone();
    if let Some(file) = &args.topology {
        let nodes = topology::read(file)?;
        names.extend(nodes.nodes().iter().map(|node| node.name.to_string()));
        names.push(TOOL.to_owned());
    }
    names.sort();
    names.dedup();
    if names.is_empty() {
        return Err("which nodes? Give their names, or --topology".into());
    }
    for name in &names {
        check(name)?;
    }
    if !args.replace
        && let Some(there) = names
            .iter()
            .flat_map(|name| ["crt", "key"].map(|kind| path(&args.directory, name, kind)))
            .find(|file| file.symlink_metadata().is_ok())
    {
        return Err(format!("{} is there: say --replace to make it anew", there.display()).into());
    }
    make_directory(&args.directory)?;
    let valid = Duration::from_secs(args.days * 86_400);
    let issuer = authority(&args.directory, valid)?;
    let made = names.iter().map(|name| of_node(name, valid, &issuer)).collect::<Result<Vec<_>, _>>()?;
    if let Some((certificate, _)) = made.first() {
        check_authority(&path(&args.directory, "ca", "crt"), certificate)?;
    }
    for (name, (certificate, key)) in names.iter().zip(&made) {
        write_pair(&args.directory, name, &key.serialize_pem(), &certificate.pem())?;
        say(format_args!("{}: {} days", path(&args.directory, name, "crt").display(), args.days))?;
    }
    Ok(Outcome::Fine)
}

/// A certificate with its key.
fn of_node(
    name: &str,
    valid: Duration,
    issuer: &Issuer<'static, KeyPair>,
) -> Result<(Certificate, KeyPair), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = params(name, valid);
    params.subject_alt_names = vec![rcgen::SanType::DnsName(name.try_into()?)];
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    Ok((params.signed_by(&key, issuer)?, key))
}

/// An error if nodes that are given this authority would refuse the certificate: its file is another maker's,
/// or has another key than `ca.key`.
fn check_authority(file: &Path, certificate: &Certificate) -> Result<(), String> {
    let wrong = |cause: String| {
        let shown = file.display();
        Err(format!(
            "{shown} {cause}: bring back the two that `mycelium certs` has made, or make an authority in another directory"
        ))
    };
    let bytes = fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(&bytes) {
        let added = root.map_err(|error| error.to_string());
        if let Err(error) = added.and_then(|root| roots.add(root).map_err(|error| error.to_string())) {
            return wrong(format!("is no authority ({error})"));
        }
    }
    if roots.is_empty() {
        return wrong("has no certificate".to_owned());
    }
    let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms.all;
    let good = ParsedCertificate::try_from(certificate.der()).and_then(|certificate| {
        let now = UnixTime::now();
        verify_server_cert_signed_by_trust_anchor(&certificate, &roots, &[], now, algorithms)
    });
    good.or_else(|error| wrong(format!("and ca.key do not go together ({error})")))
}

fn path(directory: &Path, name: &str, kind: &str) -> PathBuf {
    directory.join(format!("{name}.{kind}"))
}

/// An error if a name cannot be in a certificate.
fn check(name: &str) -> Result<(), String> {
    // All tools have one.
    if name == TOOL || topology::is_certificate_name(name) {
        return Ok(());
    }
    Err(format!("`{name}` cannot be in a certificate: take {}", topology::CERTIFICATE_NAMES))
}

fn params(name: &str, valid: Duration) -> CertificateParams {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let mut params = CertificateParams::default();
    params.not_before = epoch + now.saturating_sub(CLOCKS_DIFFER);
    params.not_after = epoch + now + valid;
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// The authority of a directory, made if there is none.
fn authority(
    directory: &Path,
    valid: Duration,
) -> Result<Issuer<'static, KeyPair>, Box<dyn std::error::Error>> {
    let (certificate, key) = (path(directory, "ca", "crt"), path(directory, "ca", "key"));
    // Certificates name their issuer, always by this name, and its key.
    let mut params = params(AUTHORITY, valid.saturating_mul(u32::try_from(AUTHORITY_TIMES)?));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    match fs::read_to_string(&key) {
        Ok(pem) if certificate.exists() => {
            let pair = KeyPair::from_pem(&pem).map_err(|error| format!("{}: {error}", key.display()))?;
            Ok(Issuer::new(params, pair))
        }
        Ok(_) => Err(format!(
            "{} is there, and {} is not: remove it, or bring back the other",
            key.display(),
            certificate.display()
        )
        .into()),
        Err(error) if error.kind() == ErrorKind::NotFound && !certificate.exists() => {
            let pair = KeyPair::generate()?;
            let own = params.self_signed(&pair)?;
            write_pair(directory, "ca", &pair.serialize_pem(), &own.pem())?;
            say(format_args!("{}: an authority of its own", certificate.display()))?;
            Ok(Issuer::new(params, pair))
        }
        Err(error) => Err(format!("cannot read {}: {error}", key.display()).into()),
    }
}

fn make_directory(directory: &Path) -> Result<(), String> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory).map_err(|error| format!("cannot make {}: {error}", directory.display()))
}

/// Writes a key and its certificate. Those that are there are replaced once both of them are written.
fn write_pair(directory: &Path, name: &str, key: &str, certificate: &str) -> Result<(), String> {
    let file = |kind: &str| path(directory, name, kind);
    let new = |kind: &str| path(directory, name, &format!("{kind}.new"));
    write(&new("key"), key, 0o600)?;
    write(&new("crt"), certificate, 0o644)?;
    for kind in ["key", "crt"] {
        fs::rename(new(kind), file(kind))
            .map_err(|error| format!("cannot write {}: {error}", file(kind).display()))?;
    }
    Ok(())
}

/// Writes a file that never has other permissions than these. One that is there, such as a link or what an
/// earlier call has left, is removed and not written into.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("cannot write {}: {error}", path.display());
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let written = options.open(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        // Before the name of an older one is given to it.
        file.sync_all()
    });
    written.map_err(failed)
}
