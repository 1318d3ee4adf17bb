//! Erlang/OTP supervision as pure decisions: step(now, event) -> actions.
#![forbid(unsafe_code)]
