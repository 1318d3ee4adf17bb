//! Cartesian products.

use super::{POINTS_MAX, Space};

/// The cartesian product of its axes: a tuple of one to eight of them, each with a type of its own, or an
/// array of axes of one type. A point is a tuple, or an array, of one value of each axis. The last axis
/// varies fastest.
///
/// ```
/// use mycelium::sweep::{Grid, Space};
/// let grid = Grid::new((5..=6u32, vec!["long", "flip"]));
/// let points: Vec<(u32, &str)> = grid.iter_points().collect();
/// assert_eq!(points, [(5, "long"), (5, "flip"), (6, "long"), (6, "flip")]);
///
/// let cube = Grid::new([0..=9i64, 0..=9, 5..=5]);
/// assert_eq!(cube.point(37), [3, 7, 5]);
/// assert_eq!(cube.coordinates(37), Some(vec![3, 7, 0]));
/// assert_eq!(cube.index_of(&[3, 7, 0]), Some(37));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid<A> {
    axes: A,
}

impl<A: Axes> Grid<A> {
    /// The product of `axes`. It is empty if one of them is.
    pub fn new(axes: A) -> Self {
        Self { axes }
    }

    /// The axes.
    pub fn axes(&self) -> &A {
        &self.axes
    }

    /// How many values each axis has.
    pub fn shape(&self) -> Vec<usize> {
        self.axes.shape()
    }

    /// The position on each axis of the point at `index`; `None` if there is no such point.
    pub fn coordinates(&self, index: usize) -> Option<Vec<usize>> {
        let shape = self.shape();
        if index >= product(&shape) {
            return None;
        }
        let mut rest = index;
        let mut coordinates: Vec<usize> = Vec::with_capacity(shape.len());
        for size in shape.iter().rev() {
            coordinates.push(rest % size);
            rest /= size;
        }
        coordinates.reverse();
        Some(coordinates)
    }

    /// The index of the point with these positions on the axes; `None` if there is no such point.
    pub fn index_of(&self, coordinates: &[usize]) -> Option<usize> {
        let shape = self.shape();
        if coordinates.len() != shape.len() {
            return None;
        }
        coordinates.iter().zip(&shape).try_fold(0usize, |index, (at, size)| {
            if at >= size {
                return None;
            }
            index.checked_mul(*size)?.checked_add(*at)
        })
    }
}

impl<A: Axes> Space for Grid<A> {
    type Point = A::Point;

    fn points(&self) -> usize {
        self.axes.count()
    }

    /// # Panics
    /// When `index` is not below the number of points, or that number is above [`POINTS_MAX`].
    fn point(&self, index: usize) -> A::Point {
        let points = self.points();
        assert!(points <= POINTS_MAX, "a grid of {points} points, above the limit of {POINTS_MAX}");
        assert!(index < points, "point {index} of a grid of {points}");
        self.axes.at(index, points)
    }
}

/// The axes of a [`Grid`]: tuples and arrays of spaces.
pub trait Axes: sealed::Sealed {
    /// One value of each axis.
    type Point;

    #[doc(hidden)]
    fn shape(&self) -> Vec<usize>;

    #[doc(hidden)]
    fn count(&self) -> usize;

    #[doc(hidden)]
    fn at(&self, index: usize, points: usize) -> Self::Point;
}

#[allow(unnameable_types, reason = "nobody else implements it")]
mod sealed {
    pub trait Sealed {}
}

/// The number of points, or `usize::MAX` if it does not fit.
fn product(shape: &[usize]) -> usize {
    if shape.contains(&0) { 0 } else { shape.iter().fold(1, |points, size| points.saturating_mul(*size)) }
}

impl<S: Space, const N: usize> sealed::Sealed for [S; N] {}

impl<S: Space, const N: usize> Axes for [S; N] {
    type Point = [S::Point; N];

    fn shape(&self) -> Vec<usize> {
        self.iter().map(Space::points).collect()
    }

    fn count(&self) -> usize {
        product(&self.each_ref().map(Space::points))
    }

    fn at(&self, index: usize, points: usize) -> Self::Point {
        let mut stride = points;
        self.each_ref().map(|axis| {
            let size = axis.points();
            stride /= size;
            axis.point(index / stride % size)
        })
    }
}

macro_rules! tuples {
    ($($($axis:ident $at:tt),+;)+) => {$(
        impl<$($axis: Space),+> sealed::Sealed for ($($axis,)+) {}

        impl<$($axis: Space),+> Axes for ($($axis,)+) {
            type Point = ($($axis::Point,)+);

            fn shape(&self) -> Vec<usize> {
                vec![$(self.$at.points()),+]
            }

            fn count(&self) -> usize {
                product(&[$(self.$at.points()),+])
            }

            fn at(&self, index: usize, points: usize) -> Self::Point {
                let mut stride = points;
                // A tuple's fields are evaluated from left to right, so the stride shrinks axis by axis.
                let point = ($({
                    let size = self.$at.points();
                    stride /= size;
                    self.$at.point(index / stride % size)
                },)+);
                debug_assert_eq!(stride, 1, "the axes changed their size");
                point
            }
        }
    )+};
}

tuples! {
    A 0;
    A 0, B 1;
    A 0, B 1, C 2;
    A 0, B 1, C 2, D 3;
    A 0, B 1, C 2, D 3, E 4;
    A 0, B 1, C 2, D 3, E 4, F 5;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7;
}
