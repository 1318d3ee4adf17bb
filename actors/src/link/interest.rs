//! What this bus wants from its peers, and in which channels: types that have a receiver in common are in
//! one, so that it gets them in order.

use std::collections::HashMap;

/// What is wanted, by rising type ids.
pub(super) type Interest = Vec<WantedType>;

/// A type that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WantedType {
    pub(super) type_id: u16,
    pub(super) channel: u16,
    /// The number of the topic's round: others want it now than did in an earlier one. `None`: it has none.
    pub(super) round: Option<u64>,
}

/// The entry of this type.
pub(super) fn find(interest: &Interest, type_id: u16) -> Option<&WantedType> {
    let at = interest.binary_search_by_key(&type_id, |wanted| wanted.type_id).ok()?;
    interest.get(at)
}

/// A type that is wanted, the round of its topic, and its receivers.
pub(super) type WantedRow = (u16, Option<u64>, Vec<usize>);

/// `wanted`: by rising types.
pub(super) fn channels(wanted: &[WantedRow]) -> Interest {
    // Each type points to one of its channel that is not above it, at last to itself.
    let mut leads: Vec<usize> = (0..wanted.len()).collect();
    fn lead(leads: &mut [usize], mut at: usize) -> usize {
        while leads[at] != at {
            leads[at] = leads[leads[at]];
            at = leads[at];
        }
        at
    }
    let mut first = HashMap::new();
    for (at, (.., receivers)) in wanted.iter().enumerate() {
        for receiver in receivers {
            let other = *first.entry(*receiver).or_insert(at);
            let (one, other) = (lead(&mut leads, at), lead(&mut leads, other));
            leads[one.max(other)] = one.min(other);
        }
    }
    let channel = |at| wanted[lead(&mut leads, at)].0.min(u16::MAX - 1);
    let channels: Vec<u16> = (0..wanted.len()).map(channel).collect();
    let entry = |((type_id, round, _), channel): (&(u16, Option<u64>, _), _)| WantedType {
        type_id: *type_id,
        channel,
        round: *round,
    };
    wanted.iter().zip(channels).map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A type and its receivers.
    type Row<'a> = (u16, &'a [usize]);

    #[test]
    fn types_with_a_receiver_in_common_are_in_one_channel_however_they_are_tied() {
        let rows: [(&[Row], &[u16]); 6] = [
            (&[], &[]),
            (&[(3, &[1]), (7, &[2]), (9, &[])], &[3, 7, 9]),
            (&[(3, &[1]), (7, &[2]), (9, &[2, 1])], &[3, 3, 3]),
            (&[(1, &[1, 2]), (2, &[3]), (3, &[2, 4]), (4, &[4]), (5, &[3])], &[1, 2, 1, 1, 2]),
            (&[(1, &[9]), (2, &[8]), (3, &[9, 8]), (4, &[7])], &[1, 1, 1, 4]),
            // The last number says that there is no channel.
            (&[(u16::MAX, &[1])], &[u16::MAX - 1]),
        ];
        for (wanted, expected) in rows {
            let wanted: Vec<_> =
                wanted.iter().map(|(id, receivers)| (*id, Some(0), receivers.to_vec())).collect();
            let got: Vec<u16> = channels(&wanted).iter().map(|wanted| wanted.channel).collect();
            assert_eq!(got, expected, "{wanted:?}");
        }
    }
}
