//! Names and addresses of machines.

use std::net::IpAddr;
use std::sync::Arc;

/// The longest name of a machine, in bytes.
const HOST_BYTES_MAX: usize = 253;
/// The longest part of one between two dots, in bytes.
const LABEL_BYTES_MAX: usize = 63;

/// The address of the machine that looks.
pub(super) const LOOPBACK: &str = "127.0.0.1";

/// The name or address of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    /// As it is dialed, with a port behind it: an address of IPv6 has its brackets.
    pub(super) text: Arc<str>,
    /// Whether it is the machine that looks, whichever that is.
    pub(super) loopback: bool,
}

impl Host {
    pub(super) fn local() -> Self {
        Self { text: "localhost".into(), loopback: true }
    }

    /// What is dialed: `localhost` may have two addresses, of which a node listens at one.
    pub(super) fn dialed(&self) -> &str {
        if &*self.text == "localhost" { LOOPBACK } else { &self.text }
    }

    /// Reads a name or an address.
    ///
    /// # Errors
    /// What is wrong with it, and how to mend it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse::<IpAddr>() {
            let address = address.to_canonical();
            let text = match address {
                IpAddr::V4(address) => address.to_string(),
                IpAddr::V6(address) => format!("[{address}]"),
            };
            return Ok(Self { text: text.into(), loopback: address.is_loopback() });
        }
        if let Some((host, port)) = text.rsplit_once(':')
            && port.parse::<u16>().is_ok()
            && (!host.contains(['[', ']', ':']) || host.starts_with('[') && host.ends_with(']'))
        {
            return Err(format!("is \"{text}\", which has a port in it: write \"{host}\" and port = {port}"));
        }
        // A name may end in the dot of the root.
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let hyphens = |label: &str| label.starts_with('-') || label.ends_with('-');
        let is_label = |label: &str| !label.is_empty() && label.bytes().all(letters) && !hyphens(label);
        let longest = name.split('.').map(str::len).max().unwrap_or_default();
        if name.len() > HOST_BYTES_MAX || longest > LABEL_BYTES_MAX {
            return Err(format!(
                "has {} bytes, and {longest} in its longest part: a name of a machine has at most {HOST_BYTES_MAX}, and \
                 {LABEL_BYTES_MAX} between two dots",
                name.len()
            ));
        }
        if !name.split('.').all(is_label) {
            return Err(format!(
                "is \"{text}\", which is no name or address of a machine: write one such as \"10.0.0.1\" or \
                 \"trader-1.example\""
            ));
        }
        // All digits and dots, and no address: a name of a machine does not end in a number.
        if name.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit())) {
            return Err(format!("is \"{text}\", which is no address: it has four numbers up to 255"));
        }
        let loopback = name == "localhost" || name.ends_with(".localhost");
        Ok(Self { text: name.into(), loopback })
    }

    /// Whether it stands for all addresses of the machine that listens, so that nobody can dial it.
    pub(super) fn is_unspecified(&self) -> bool {
        matches!(&*self.text, "0.0.0.0" | "[::]")
    }

    /// Whether a node that listens here alone is not reached where `dialed` leads, as far as that is known.
    pub(super) fn misses(&self, dialed: &Self) -> bool {
        let address = |host: &Self| host.dialed().trim_matches(['[', ']']).parse::<IpAddr>().ok();
        match (address(self), address(dialed)) {
            // `::` takes connections of IPv4 too, and `0.0.0.0` none of IPv6.
            (Some(bound), Some(dialed)) if bound.is_ipv4() != dialed.is_ipv4() => &*self.text != "[::]",
            _ if self.is_unspecified() => false,
            (Some(bound), Some(dialed)) if self.loopback && bound != dialed => true,
            _ => self.loopback != dialed.loopback,
        }
    }

    /// Whether both are known to be one machine. Two names of one machine are not.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.loopback && other.loopback || self.text == other.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_and_addresses_without_ports() {
        type Read<'r> = Result<(&'r str, bool), &'r str>;
        let (label, long) = ("l".repeat(63), ["l"; 126].join("."));
        let (label_too_long, too_long) = (format!("{label}l.example"), format!("{long}.lll"));
        let rows: [(&str, Read<'_>); 26] = [
            (&label, Ok((&label, false))),
            (&long, Ok((&long, false))),
            (&label_too_long, Err("has 72 bytes, and 64 in its longest part")),
            (&too_long, Err("has 255 bytes, and 3 in its longest part")),
            ("..", Err("no name or address")),
            ("-desk", Err("no name or address")),
            ("desk-.example", Err("no name or address")),
            ("localhost", Ok(("localhost", true))),
            ("127.0.0.9", Ok(("127.0.0.9", true))),
            ("::1", Ok(("[::1]", true))),
            ("[FE80::1]", Ok(("[fe80::1]", false))),
            ("10.0.0.1", Ok(("10.0.0.1", false))),
            ("Trader-1.Example.", Ok(("trader-1.example", false))),
            ("feed.localhost", Ok(("feed.localhost", true))),
            ("10.0.0.1:7000", Err("write \"10.0.0.1\" and port = 7000")),
            ("desk:7000", Err("write \"desk\" and port = 7000")),
            ("10.0.0.256", Err("four numbers up to 255")),
            ("10.0.0", Err("four numbers up to 255")),
            ("::ffff:10.0.0.1", Ok(("10.0.0.1", false))),
            ("", Err("no name or address")),
            (".", Err("no name or address")),
            ("...", Err("no name or address")),
            ("desk..", Err("no name or address")),
            ("a..b", Err("no name or address")),
            ("a b", Err("no name or address")),
            ("http://desk", Err("no name or address")),
        ];
        for (text, expected) in rows {
            match (Host::parse(text), expected) {
                (Ok(host), Ok(expected)) => assert_eq!((&*host.text, host.loopback), expected, "{text}"),
                (Err(cause), Err(expected)) => assert!(cause.contains(expected), "{text}: {cause}"),
                (got, _) => panic!("{text}: {got:?}"),
            }
        }
    }
}
