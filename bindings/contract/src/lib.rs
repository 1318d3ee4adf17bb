//! contracts.yaml: parsing, checking, layout and digests.
#![forbid(unsafe_code)]
