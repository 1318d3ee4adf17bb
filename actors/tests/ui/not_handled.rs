use mycelium::{ActorRef, Isolate};

struct Token;
struct Order;
struct Count;

struct Desk;

#[mycelium::actor]
impl Desk {
    #[on(direct)]
    fn token(&mut self, _: Token) {}
}

fn send(isolate: &mut Isolate, desk: &ActorRef<Desk>) {
    let _ = isolate.tell(desk, Order);
    let _ = isolate.ask(desk, Count);
    let _ = desk.recipient::<Order>();
}

fn main() {}
