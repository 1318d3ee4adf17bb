mycelium::contracts!();

fn main() {}
