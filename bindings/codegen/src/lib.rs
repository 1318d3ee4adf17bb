//! Source code and golden vectors from a checked contract.
#![forbid(unsafe_code)]
