//! Who belongs to a pool at each moment, whoever asks and whatever ends: each test on every host.

#[path = "common/mod.rs"]
mod common;

#[allow(dead_code, reason = "this binary uses a part of a host")]
#[macro_use]
#[path = "hosts/host.rs"]
mod host;
#[path = "hosts/isolate.rs"]
mod isolate;
#[path = "hosts/live.rs"]
mod live;
#[allow(dead_code, reason = "the table is another binary's")]
#[path = "hosts/offers.rs"]
mod offers;

#[path = "membership/cast.rs"]
mod cast;
#[path = "membership/declared.rs"]
mod declared;
#[path = "membership/forgotten.rs"]
mod forgotten;
#[path = "membership/full.rs"]
mod full;
#[path = "membership/gates.rs"]
mod gates;
#[path = "membership/itself.rs"]
mod itself;
#[path = "membership/leaving.rs"]
mod leaving;
#[path = "membership/returning.rs"]
mod returning;
#[path = "membership/storms.rs"]
mod storms;
