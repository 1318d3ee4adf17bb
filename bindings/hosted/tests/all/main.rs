//! What a runtime for a foreign language promises.

mod actors;
mod bytes;
mod callbacks;
mod common;
mod isolate;
mod shared;
mod topology;
