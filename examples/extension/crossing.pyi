"""Actors of Rust, which `mycelium.Rust` makes by name: `cross`, with `fast` and `slow`."""
