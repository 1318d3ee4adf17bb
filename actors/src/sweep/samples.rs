//! Random samples.

use std::fmt;
use std::ops::{Range, RangeInclusive};

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::Space;
use super::seed::seed_of;
use super::space::FromInt;

/// Random points, drawn uniformly and independently from a [`Domain`]. The point at an index follows from the
/// seed and that index alone: it is the same on every machine, and stays the same when more points are drawn.
///
/// ```
/// use mycelium::sweep::{Samples, Space};
/// let samples = Samples::new(1_000, 42, (5..=104u32, 0.0..0.01, vec!["long", "flip"]))?;
/// let (fast, commission, rule) = samples.point(17);
/// assert!((5..=104).contains(&fast) && (0.0..0.01).contains(&commission) && rule.len() == 4);
/// # Ok::<(), mycelium::sweep::SampleError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Samples<D> {
    points: usize,
    seed: u64,
    domain: D,
}

impl<D: Domain> Samples<D> {
    /// `points` points of `domain`.
    ///
    /// # Errors
    /// [`SampleError`], if a part of the domain holds no value.
    pub fn new(points: usize, seed: u64, domain: D) -> Result<Self, SampleError> {
        domain.check()?;
        Ok(Self { points, seed, domain })
    }
}

impl<D: Domain> Space for Samples<D> {
    type Point = D::Point;

    fn points(&self) -> usize {
        self.points
    }

    fn point(&self, index: usize) -> D::Point {
        assert!(index < self.points, "point {index} of {} samples", self.points);
        self.domain.draw(&mut Pcg64Mcg::seed_from_u64(seed_of(self.seed, index)))
    }
}

/// A set of values from which one can be drawn at random.
///
/// Implemented for ranges of integers, ranges of `f64`, [`Vec`]s (one of the items), and tuples and arrays of
/// domains (one value of each).
pub trait Domain {
    /// A value of the domain.
    type Point;

    /// Whether there is a value to draw.
    ///
    /// # Errors
    /// [`SampleError`], if there is none.
    fn check(&self) -> Result<(), SampleError>;

    /// Draws one value. [`check`](Self::check) has passed.
    fn draw(&self, random: &mut Pcg64Mcg) -> Self::Point;
}

/// There is nothing to draw from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SampleError {
    /// A range ends before it starts, or a list has no items.
    Empty {
        /// The range as written, or the kind of list.
        domain: String,
    },
    /// A bound of a range of floats is infinite or not a number.
    NotFinite {
        /// The range as written.
        domain: String,
    },
}

impl fmt::Display for SampleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty { domain } => {
                write!(f, "cannot draw from {domain}, which holds no value; write the lower bound first")
            }
            Self::NotFinite { domain } => {
                write!(f, "cannot draw from {domain}; give it two finite bounds")
            }
        }
    }
}

impl std::error::Error for SampleError {}

macro_rules! integers {
    ($($int:ty),+) => {$(
        impl Domain for Range<$int> {
            type Point = $int;
            fn check(&self) -> Result<(), SampleError> {
                check(!self.is_empty(), self)
            }
            fn draw(&self, random: &mut Pcg64Mcg) -> $int {
                let start = i128::from_int(self.start);
                (start + below(random, i128::from_int(self.end) - start)) as $int
            }
        }

        impl Domain for RangeInclusive<$int> {
            type Point = $int;
            fn check(&self) -> Result<(), SampleError> {
                check(self.start() <= self.end(), self)
            }
            fn draw(&self, random: &mut Pcg64Mcg) -> $int {
                let start = i128::from_int(*self.start());
                (start + below(random, i128::from_int(*self.end()) - start + 1)) as $int
            }
        }
    )+};
}

integers!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);

impl Domain for Range<f64> {
    type Point = f64;
    fn check(&self) -> Result<(), SampleError> {
        check_finite(self.start, self.end, self)?;
        check(self.start < self.end, self)
    }
    fn draw(&self, random: &mut Pcg64Mcg) -> f64 {
        between(random, self.start, self.end).clamp(self.start, self.end.next_down())
    }
}

impl Domain for RangeInclusive<f64> {
    type Point = f64;
    fn check(&self) -> Result<(), SampleError> {
        check_finite(*self.start(), *self.end(), self)?;
        check(self.start() <= self.end(), self)
    }
    fn draw(&self, random: &mut Pcg64Mcg) -> f64 {
        between(random, *self.start(), *self.end()).clamp(*self.start(), *self.end())
    }
}

impl<T: Clone> Domain for Vec<T> {
    type Point = T;
    fn check(&self) -> Result<(), SampleError> {
        if self.is_empty() { Err(SampleError::Empty { domain: "a list".to_owned() }) } else { Ok(()) }
    }
    fn draw(&self, random: &mut Pcg64Mcg) -> T {
        self[below(random, self.len() as i128) as usize].clone()
    }
}

impl<D: Domain, const N: usize> Domain for [D; N] {
    type Point = [D::Point; N];
    fn check(&self) -> Result<(), SampleError> {
        self.iter().try_for_each(Domain::check)
    }
    fn draw(&self, random: &mut Pcg64Mcg) -> Self::Point {
        self.each_ref().map(|domain| domain.draw(random))
    }
}

macro_rules! tuples {
    ($($($part:ident $at:tt),+;)+) => {$(
        impl<$($part: Domain),+> Domain for ($($part,)+) {
            type Point = ($($part::Point,)+);
            fn check(&self) -> Result<(), SampleError> {
                $(self.$at.check()?;)+
                Ok(())
            }
            fn draw(&self, random: &mut Pcg64Mcg) -> Self::Point {
                ($(self.$at.draw(random),)+)
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

fn check(holds: bool, domain: &dyn fmt::Debug) -> Result<(), SampleError> {
    if holds { Ok(()) } else { Err(SampleError::Empty { domain: format!("{domain:?}") }) }
}

fn check_finite(start: f64, end: f64, domain: &dyn fmt::Debug) -> Result<(), SampleError> {
    if start.is_finite() && end.is_finite() {
        Ok(())
    } else {
        Err(SampleError::NotFinite { domain: format!("{domain:?}") })
    }
}

/// A number from zero to `count - 1`, for `count` up to 2^64. The upper half of a product of 128 random bits
/// with the count: no loop, and no value is favoured by more than one part in 2^64.
fn below(random: &mut Pcg64Mcg, count: i128) -> i128 {
    let count = count as u128;
    let high = u128::from(random.next_u64()) * count;
    let low = (u128::from(random.next_u64()) * count) >> 64;
    ((high + low) >> 64) as i128
}

/// A number about between the two, of 53 random bits; neither the sum nor the products can overflow.
fn between(random: &mut Pcg64Mcg, low: f64, high: f64) -> f64 {
    const BITS: u32 = f64::MANTISSA_DIGITS;
    let share = (random.next_u64() >> (u64::BITS - BITS)) as f64 / (1u64 << BITS) as f64;
    low * (1.0 - share) + high * share
}
