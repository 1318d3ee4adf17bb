//! Which events that come as messages are one moment.

use crate::messages::Moment;

/// The moment that was announced, until its last event has come, or something that is not of it. Trader and
/// venue hear the same messages and decide by this, each for itself, where a moment ends.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Announced {
    moment: Option<Moment>,
    /// Events that may still come of it and count: one of each asset.
    left: usize,
}

/// What is known of an event that has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Placed {
    /// The moment that it was announced with, if it was.
    pub(crate) moment: Option<Moment>,
    /// Whether it is the last of its moment.
    pub(crate) ends_moment: bool,
}

impl Announced {
    /// The events that come from now on are one moment, of so many assets.
    pub(crate) fn announce(&mut self, moment: Moment, assets: usize) {
        *self = Self { moment: Some(moment), left: assets };
    }

    /// Whether an event of this number belongs to the moment that was announced.
    #[inline]
    pub(crate) fn goes_on(&self, number: u32) -> bool {
        self.left > 0 && self.moment.is_some_and(|moment| number <= moment.last)
    }

    /// Takes the next event. One behind the last that was announced, or one more than there are assets, is a
    /// moment of its own. One that does not count, because it is passed over, can end a moment as the last
    /// of it, and takes nobody's place.
    #[inline]
    pub(crate) fn place(&mut self, number: u32, counts: bool) -> Placed {
        let Some(moment) = self.moment.filter(|_| self.goes_on(number)) else {
            self.moment = None;
            return Placed { moment: None, ends_moment: true };
        };
        self.left -= usize::from(counts);
        let ends_moment = number == moment.last || self.left == 0;
        if ends_moment {
            self.moment = None;
        }
        Placed { moment: Some(moment), ends_moment }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::Timestamp;

    /// Whether each of these is of the moment, and whether it ends it. Those above a hundred do not count.
    fn places(last: u32, assets: usize, numbers: &[u32]) -> Vec<(bool, bool)> {
        let mut announced = Announced::default();
        announced.announce(Moment { known: Timestamp::from_nanos(7), last, ..Moment::default() }, assets);
        let place = |number: &u32| {
            let goes_on = announced.goes_on(*number);
            let placed = announced.place(*number, *number <= 100);
            assert_eq!(placed.moment.is_some(), goes_on);
            (goes_on, placed.ends_moment)
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

    #[test]
    fn events_that_do_not_count_take_no_place_and_end_a_moment_as_its_last() {
        let own = (true, false);
        assert_eq!(
            places(900, 2, &[101, 102, 1, 103, 2, 104]),
            [own, own, own, own, (true, true), (false, true)]
        );
        assert_eq!(places(102, 2, &[1, 101, 102, 2]), [own, own, (true, true), (false, true)]);
    }
}
