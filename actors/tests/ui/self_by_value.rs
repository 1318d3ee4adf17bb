use mycelium::Message;

#[derive(Clone, Debug)]
struct Fill;
impl Message for Fill {
    const NAME: &str = "Fill";
    const TYPE_ID: u16 = 1;
    const TOPIC: &str = "fills";
}

struct Portfolio;

#[mycelium::actor]
impl Portfolio {
    #[on]
    fn fill(self, fill: &Fill) {}
}

fn main() {}
