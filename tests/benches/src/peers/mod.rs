//! The contenders that are not Mycelium, each used as its documentation shows.

pub(crate) mod channels;
pub(crate) mod kameo;
pub(crate) mod ractor;
