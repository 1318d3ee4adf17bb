//! Typed actors, topics, supervision trees and deterministic isolates for low-latency services.
#![forbid(unsafe_code)]
