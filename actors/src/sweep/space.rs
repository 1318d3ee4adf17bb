//! The domain of a sweep: indexed sets of parameters.

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use super::POINTS_MAX;

/// An indexed set of parameters. A sweep asks for its points by index, on any thread and in any order, so a
/// point depends on its index alone. Nothing is materialised: a grid of a billion points takes no memory of
/// its own.
///
/// Implemented for ranges of integers, lists ([`Vec`], arrays, slices, `Arc<[T]>`), [`Grid`](super::Grid) and
/// [`Samples`](super::Samples). The points of a list are clones of its items: put references or [`Arc`]s into
/// it if they are large. A range with steps is a list: `(10..=200).step_by(10).collect::<Vec<_>>()`.
pub trait Space {
    /// One set of parameters.
    type Point;

    /// How many points there are, or `usize::MAX` if they cannot be counted.
    fn points(&self) -> usize;

    /// The point at `index`.
    ///
    /// # Panics
    /// May panic when `index` is not below [`points`](Self::points).
    fn point(&self, index: usize) -> Self::Point;

    /// All points, in the order of their indices.
    ///
    /// ```
    /// use mycelium::sweep::{Grid, Space};
    /// let pairs: Vec<_> = Grid::new((1..=3, 1..=3)).iter_points().filter(|(fast, slow)| fast < slow).collect();
    /// assert_eq!(pairs, [(1, 2), (1, 3), (2, 3)]);
    /// ```
    fn iter_points(&self) -> impl Iterator<Item = Self::Point>
    where
        Self: Sized,
    {
        (0..self.points()).map(|index| self.point(index))
    }

    /// The points that `keep` likes, as a space of their own: its indices, and so the seeds, count only
    /// those. Each point is looked at once, here, and 8 bytes are kept for each that stays.
    ///
    /// ```
    /// use mycelium::sweep::{Grid, Space, Sweep};
    /// let pairs = Grid::new((1..=3, 1..=3)).filter_points(|(fast, slow)| fast < slow);
    /// let report = Sweep::new(pairs).run(|(fast, slow), _| Ok(slow - fast))?;
    /// assert_eq!((report.total, report.values().copied().collect::<Vec<_>>()), (3, vec![1, 2, 1]));
    /// # Ok::<(), mycelium::sweep::SweepError>(())
    /// ```
    ///
    /// # Panics
    /// When there are more than [`POINTS_MAX`] points to look at.
    fn filter_points(self, keep: impl Fn(&Self::Point) -> bool) -> Filtered<Self>
    where
        Self: Sized,
    {
        let points = self.points();
        assert!(points <= POINTS_MAX, "a space of {points} points, above the limit of {POINTS_MAX}");
        let kept = (0..points).filter(|index| keep(&self.point(*index))).collect();
        Filtered { space: self, kept }
    }
}

/// Some points of a space: see [`Space::filter_points`].
#[derive(Clone, Debug)]
pub struct Filtered<S> {
    space: S,
    kept: Arc<[usize]>,
}

impl<S: Space> Space for Filtered<S> {
    type Point = S::Point;
    fn points(&self) -> usize {
        self.kept.len()
    }
    fn point(&self, index: usize) -> S::Point {
        self.space.point(self.kept[index])
    }
}

impl<S: Space + ?Sized> Space for &S {
    type Point = S::Point;
    fn points(&self) -> usize {
        (**self).points()
    }
    fn point(&self, index: usize) -> Self::Point {
        (**self).point(index)
    }
}

impl<T: Clone> Space for [T] {
    type Point = T;
    fn points(&self) -> usize {
        self.len()
    }
    fn point(&self, index: usize) -> T {
        self[index].clone()
    }
}

macro_rules! lists {
    ($([$($generics:tt)*] $list:ty,)+) => {$(
        impl<$($generics)*> Space for $list {
            type Point = T;
            fn points(&self) -> usize {
                self.len()
            }
            fn point(&self, index: usize) -> T {
                self[index].clone()
            }
        }
    )+};
}

lists! { [T: Clone] Vec<T>, [T: Clone, const N: usize] [T; N], [T: Clone] Arc<[T]>, }

macro_rules! ranges {
    ($($int:ty),+) => {$(
        impl Space for Range<$int> {
            type Point = $int;
            fn points(&self) -> usize {
                let count = i128::from_int(self.end) - i128::from_int(self.start);
                usize::try_from(count.max(0)).unwrap_or(usize::MAX)
            }
            fn point(&self, index: usize) -> $int {
                assert!(index < self.points(), "point {index} of a range of {}", self.points());
                // Below the end, hence without loss.
                (i128::from_int(self.start) + index as i128) as $int
            }
        }

        impl Space for RangeInclusive<$int> {
            type Point = $int;
            fn points(&self) -> usize {
                let count = i128::from_int(*self.end()) - i128::from_int(*self.start()) + 1;
                usize::try_from(count.max(0)).unwrap_or(usize::MAX)
            }
            fn point(&self, index: usize) -> $int {
                assert!(index < self.points(), "point {index} of a range of {}", self.points());
                (i128::from_int(*self.start()) + index as i128) as $int
            }
        }

        impl FromInt<$int> for i128 {
            fn from_int(value: $int) -> i128 {
                value as i128
            }
        }
    )+};
}

/// Conversion to `i128` that `usize` and `isize` have too.
pub(super) trait FromInt<T> {
    fn from_int(value: T) -> Self;
}

ranges!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);

/// `points` evenly spaced numbers, of which the first is `from` and the last is `to`: an axis of a grid.
///
/// One point is `from` alone. The numbers are the same on every machine.
///
/// ```
/// assert_eq!(mycelium::sweep::linspace(0.0, 1.0, 5), [0.0, 0.25, 0.5, 0.75, 1.0]);
/// ```
pub fn linspace(from: f64, to: f64, points: usize) -> Vec<f64> {
    let last = points.saturating_sub(1);
    (0..points)
        .map(|at| match at {
            0 => from,
            at if at == last => to,
            at => {
                let share = at as f64 / last as f64;
                from * (1.0 - share) + to * share
            }
        })
        .collect()
}
