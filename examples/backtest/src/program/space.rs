//! The points of a search: a grid or random samples, without those that a constraint forbids.

use std::fmt;

use super::{Axis, Parameter};
use crate::chance::Random;
use crate::limits::{POINT_DRAWS_MAX, POINTS_MAX};

/// The points of a search, in the sequence in which they are numbered.
#[derive(Clone, Debug, PartialEq)]
pub struct Points {
    width: usize,
    values: Vec<f64>,
    /// Without parameters there is one point, and it has no values.
    count: usize,
    /// Points that the constraint forbids.
    forbidden: usize,
}

/// There are no such points, or too many.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SpaceError {
    /// More than [`POINTS_MAX`].
    TooMany {
        /// How many; `usize::MAX` stands for more than can be counted.
        points: usize,
    },
    /// The constraint forbids all of them.
    None {
        /// How many were looked at.
        forbidden: usize,
    },
    /// A stretch without a step, in a grid.
    NoStep {
        /// The flag of its parameter.
        flag: &'static str,
    },
}

impl Points {
    /// Every combination, the last parameter varying fastest, as far as `allowed` has it.
    ///
    /// # Errors
    /// [`SpaceError`].
    pub fn grid(
        parameters: &[Parameter],
        axes: &[Axis],
        allowed: impl Fn(&[f64]) -> bool,
    ) -> Result<Self, SpaceError> {
        let mut lists = Vec::with_capacity(axes.len());
        for (parameter, axis) in parameters.iter().zip(axes) {
            match axis {
                Axis::Values(values) => lists.push(values.as_slice()),
                Axis::Stretch { .. } => return Err(SpaceError::NoStep { flag: parameter.flag }),
            }
        }
        let total = lists.iter().try_fold(1_usize, |total, list| total.checked_mul(list.len()));
        let total = total.filter(|total| *total <= POINTS_MAX);
        let Some(total) = total else {
            let points = lists.iter().fold(1_usize, |total, list| total.saturating_mul(list.len()));
            return Err(SpaceError::TooMany { points });
        };
        let mut points = Self { width: lists.len(), values: Vec::new(), count: 0, forbidden: 0 };
        let mut point = vec![0.0; lists.len()];
        for index in 0..total {
            let mut rest = index;
            for (value, list) in point.iter_mut().zip(&lists).rev() {
                *value = list[rest % list.len()];
                rest /= list.len();
            }
            points.add(&point, &allowed);
        }
        points.checked()
    }

    /// So many points at random, each value of an axis as likely as the others. They follow from the seed.
    /// Points that `allowed` forbids are drawn anew, [`POINT_DRAWS_MAX`] times for each point wanted.
    ///
    /// # Errors
    /// [`SpaceError`].
    pub fn samples(
        axes: &[Axis],
        count: usize,
        seed: u64,
        allowed: impl Fn(&[f64]) -> bool,
    ) -> Result<Self, SpaceError> {
        if count > POINTS_MAX {
            return Err(SpaceError::TooMany { points: count });
        }
        let mut points = Self { width: axes.len(), values: Vec::new(), count: 0, forbidden: 0 };
        let mut random = Random::new(seed);
        let mut point = vec![0.0; axes.len()];
        while points.count < count {
            for (value, axis) in point.iter_mut().zip(axes) {
                *value = axis.draw(&mut random);
            }
            points.add(&point, &allowed);
            if points.forbidden / POINT_DRAWS_MAX > count {
                break;
            }
        }
        points.checked()
    }

    fn add(&mut self, point: &[f64], allowed: &impl Fn(&[f64]) -> bool) {
        if allowed(point) {
            self.values.extend_from_slice(point);
            self.count += 1;
        } else {
            self.forbidden += 1;
        }
    }

    fn checked(self) -> Result<Self, SpaceError> {
        if self.count == 0 { Err(SpaceError::None { forbidden: self.forbidden }) } else { Ok(self) }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// How many were left out, because a constraint forbids them.
    #[must_use]
    pub fn forbidden(&self) -> usize {
        self.forbidden
    }

    /// The values of a point.
    ///
    /// # Panics
    /// If there are not so many.
    #[must_use]
    pub fn get(&self, index: usize) -> &[f64] {
        &self.values[index * self.width..(index + 1) * self.width]
    }
}

impl fmt::Display for SpaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany { points } => {
                write!(f, "the ranges make {points} points, and at most {POINTS_MAX} fit; take a step, ")?;
                f.write_str("`5..=104:3`, or draw some of them with --samples")
            }
            Self::None { forbidden } => {
                write!(f, "none of {forbidden} points is allowed by the constraint; widen the ranges")
            }
            Self::NoStep { flag } => {
                write!(f, "--{flag} is a range without a step; write `0.1..=0.5:0.1`, or draw with --samples")
            }
        }
    }
}

impl std::error::Error for SpaceError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters() -> [Parameter; 2] {
        [Parameter::new::<usize>("fast", 1), Parameter::new::<f64>("share", 1.0)]
    }

    fn axes(fast: &str, share: &str) -> Vec<Axis> {
        let [a, b] = parameters();
        vec![Axis::parse(&a, fast).expect("an axis"), Axis::parse(&b, share).expect("an axis")]
    }

    #[test]
    fn a_grid_is_every_combination_that_is_allowed() {
        let axes = axes("1..=3", "0.5,1");
        let points = Points::grid(&parameters(), &axes, |point| point[0] != 2.0).expect("points");
        let all: Vec<&[f64]> = (0..points.count()).map(|at| points.get(at)).collect();
        assert_eq!(all, [[1.0, 0.5], [1.0, 1.0], [3.0, 0.5], [3.0, 1.0]]);
        assert_eq!(points.forbidden(), 2);
        assert_eq!(Points::grid(&[], &[], |_| true).map(|points| points.count()), Ok(1));
    }

    #[test]
    fn samples_follow_from_their_seed_and_keep_to_the_constraint() {
        let axes = axes("1..=9", "0.25..0.75");
        let draw = |seed| Points::samples(&axes, 200, seed, |point| point[0] > 4.0).expect("points");
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        let points = draw(3);
        assert_eq!(points.count(), 200);
        let mut seen = [false; 10];
        for at in 0..points.count() {
            let point = points.get(at);
            assert!(point[0] > 4.0 && (0.25..0.75).contains(&point[1]));
            seen[point[0] as usize] = true;
        }
        assert_eq!(seen.iter().filter(|seen| **seen).count(), 5);
    }

    #[test]
    fn what_makes_no_points_is_an_error_and_ends() {
        let none = Points::samples(&axes("1..=9", "1"), 3, 1, |_| false).expect_err("none");
        assert!(none.to_string().contains("none of"), "{none}");
        let error = Points::grid(&parameters(), &axes("1..=9", "0.1..0.5"), |_| true).expect_err("no step");
        assert!(error.to_string().contains("--share is a range without a step"), "{error}");
        let wide = axes("1..=100000", "0..=1:0.00001");
        let error = Points::grid(&parameters(), &wide, |_| true).expect_err("too many");
        assert!(matches!(error, SpaceError::TooMany { points: 10_000_100_000 }), "{error:?}");
    }
}
