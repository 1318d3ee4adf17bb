struct Order;

struct Desk;

#[mycelium::actor]
impl Desk {
    #[on]
    fn order(&mut self, order: &Order) {}
}

fn main() {}
