//! What two sides compare before they exchange a message.

use super::{Layout, WireError};

/// What one side knows of a message, as it tells its peer before they exchange it.
///
/// `docs/wire.md`, "Versions", specifies what it holds. Ours is [`Wire::OFFER`](super::Wire::OFFER), and
/// [`Wire::compare_layouts`](super::Wire::compare_layouts) takes the peer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer<'a> {
    /// The message's name in the contract.
    pub name: &'a str,
    /// The version with which this side writes.
    pub version: u16,
    /// The versions that changed the layout, ascending.
    pub layouts: &'a [Layout],
    /// The unit enums in the message that have gained variants, in any order.
    pub enums: &'a [GrownEnum<'a>],
}

/// A unit enum that has gained variants since its first release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrownEnum<'a> {
    /// Its name in the contract.
    pub name: &'a str,
    /// The tag of the first variant that it gained: as many variants stand in the digests of layouts.
    pub first: u8,
    /// The names of the variants that it gained, in the order of their tags.
    pub variants: &'a [&'a str],
}

impl<'a> Offer<'a> {
    /// How long the root of [`version`](Self::version) is, in bytes: that of the newest layout, and 0 where
    /// there is none.
    #[must_use]
    pub fn root_len(&self) -> u32 {
        self.layouts.last().map_or(0, |layout| layout.root_len)
    }

    /// The layout of `version`; `None` when it is newer than this side, or older than any it knows.
    pub(in crate::wire) fn layout(&self, version: u16) -> Option<&'a Layout> {
        if version > self.version {
            return None;
        }
        let at = self.layouts.partition_point(|layout| layout.version <= version);
        self.layouts.get(at.checked_sub(1)?)
    }
}

impl Offer<'static> {
    /// Compares what a peer offers under the same type id with ours. Either side gets the same answer.
    ///
    /// # Errors
    /// As [`Wire::compare_layouts`](super::Wire::compare_layouts), which is this for a message known by type.
    pub fn compare(&self, peer: &Offer<'_>) -> Result<(), WireError> {
        let message = self.name;
        if peer.name != message {
            return Err(WireError::Name { message, got: peer.name.to_owned() });
        }
        let mut common = false;
        // A version between two of one side may be one that brought a field on the other, and a frame bears
        // the newest of its side.
        let newest = [self.version, peer.version];
        let versions = self.layouts.iter().chain(peer.layouts).map(|layout| layout.version).chain(newest);
        for version in versions {
            let (Some(expected), Some(got)) = (self.layout(version), peer.layout(version)) else { continue };
            common = true;
            if expected.digest != got.digest {
                let (expected, got) = (expected.digest, got.digest);
                return Err(WireError::Digest { message, version, expected, got });
            }
            if expected.root_len != got.root_len {
                return Err(WireError::Version {
                    message,
                    ours: self.version,
                    got: version,
                    root_len_expected: Some(expected.root_len),
                    root_len_got: got.root_len,
                });
            }
        }
        if !common {
            return Err(WireError::NoCommonVersion { message, ours: self.version, got: peer.version });
        }
        compare_enums(self, peer)
    }
}

fn compare_enums(ours: &Offer<'static>, peer: &Offer<'_>) -> Result<(), WireError> {
    for known in ours.enums {
        for theirs in peer.enums.iter().filter(|theirs| theirs.name == known.name) {
            // The layouts agree, and so does the first tag; if it does not, what both know is compared all
            // the same.
            let first = known.first.max(theirs.first);
            let after = |of: &GrownEnum<'_>| usize::from(first - of.first);
            let pairs =
                known.variants.iter().skip(after(known)).zip(theirs.variants.iter().skip(after(theirs)));
            for (tag, (expected, got)) in (usize::from(first)..).zip(pairs) {
                if expected != got {
                    return Err(WireError::Variant {
                        message: ours.name,
                        of: known.name,
                        tag,
                        expected,
                        got: (*got).to_owned(),
                    });
                }
            }
        }
    }
    Ok(())
}
