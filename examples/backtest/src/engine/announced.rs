//! Which events that come as messages are one moment.

use crate::messages::{Moment, Timestamp};

/// The moment that was announced, until its last event has come. Trader and venue hear the same messages, and
/// decide by this alone.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Announced {
    moment: Option<Moment>,
    /// Events that may still come of it: one of each asset.
    left: usize,
}

/// What is known of an event that has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    /// When it became known, if somebody has said so.
    pub(crate) known: Option<Timestamp>,
    /// Whether it is the last of its moment.
    pub(crate) ends_moment: bool,
}

impl Announced {
    /// The events that come from now on are one moment, of so many assets.
    pub(crate) fn announce(&mut self, moment: Moment, assets: usize) {
        *self = Self { moment: Some(moment), left: assets };
    }

    /// Takes the next event. One behind the last that was announced, or one more than there are assets, is a
    /// moment of its own.
    #[inline]
    pub(crate) fn place(&mut self, number: u32) -> Placed {
        let Some(moment) = self.moment.filter(|moment| number <= moment.last && self.left > 0) else {
            self.moment = None;
            return Placed { known: None, ends_moment: true };
        };
        self.left -= 1;
        let ends_moment = number == moment.last || self.left == 0;
        if ends_moment {
            self.moment = None;
        }
        Placed { known: Some(moment.known), ends_moment }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(last: u32, assets: usize, numbers: &[u32]) -> Vec<(bool, bool)> {
        let mut announced = Announced::default();
        announced.announce(Moment { known: Timestamp::from_nanos(7), last }, assets);
        let place = |number: &u32| {
            let placed = announced.place(*number);
            (placed.known.is_some(), placed.ends_moment)
        };
        numbers.iter().map(place).collect()
    }

    #[test]
    fn a_moment_ends_with_its_last_event() {
        assert_eq!(places(5, 3, &[3, 4, 5, 6]), [(true, false), (true, false), (true, true), (false, true)]);
        // The last one is lost.
        assert_eq!(places(5, 3, &[3, 6]), [(true, false), (false, true)]);
    }

    #[test]
    fn a_moment_has_no_more_events_than_there_are_assets() {
        assert_eq!(places(u32::MAX, 2, &[0, 1, 2]), [(true, false), (true, true), (false, true)]);
        assert_eq!(places(u32::MAX, 0, &[0]), [(false, true)]);
    }
}
