//! Two processes that are linked over TCP with TLS: their topology, and the certificates that it names.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

const NODES: [&str; 2] = ["desk", "market"];

/// Makes a folder with `topology.toml`, of the nodes `desk` (service `model`) and `market` (service `feed`),
/// and with certificates, as `mycelium certs` lays them out. The path of the topology.
///
/// # Panics
/// The folder is not to be written, or this machine has no free port.
pub fn over_tls(folder: &Path) -> PathBuf {
    let _gone = fs::remove_dir_all(folder);
    fs::create_dir_all(folder.join("certs")).unwrap();
    let write = |name: String, text: String| fs::write(folder.join("certs").join(name), text).unwrap();
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    write("ca.crt".to_owned(), authority.self_signed(&key).unwrap().pem());
    let issuer = Issuer::new(authority, key);
    for node in NODES {
        let mut params = CertificateParams::new(vec![node.to_owned()]).unwrap();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        write(format!("{node}.crt"), params.signed_by(&key, &issuer).unwrap().pem());
        write(format!("{node}.key"), key.serialize_pem());
        private(&folder.join(format!("certs/{node}.key")));
    }
    let [desk, market] = mycelium_random::ports();
    let topology = folder.join("topology.toml");
    let text = format!(
        "[deployment]\nmode = \"distributed\"\ntls = \"certs\"\n\
         [[nodes]]\nname = \"desk\"\nservices = [\"model\"]\nendpoint.kind = \"tcp\"\nport = {desk}\n\
         [[nodes]]\nname = \"market\"\nservices = [\"feed\"]\nendpoint.kind = \"tcp\"\nport = {market}\n"
    );
    fs::write(&topology, text).unwrap();
    topology
}

/// Nobody else may read a key.
fn private(key: &Path) {
    #[cfg(unix)]
    fs::set_permissions(key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    #[cfg(not(unix))]
    let _ = key;
}
