struct Portfolio;
struct Fill;
struct Order;

#[mycelium::actor(errors = String)]
impl Portfolio {
    #[on(polcy = block)]
    fn fill(&mut self, fill: &Fill) {}
    #[ask]
    #[started]
    fn order(&mut self, order: &Order) {}
    #[on(direct)]
    fn other(&mut self, fill: &Order) {
        self.helper();
    }
    fn helper(&self) {}
}

#[mycelium::service]
impl Order {
    async fn ran(&mut self) {}
}

/// What is right is there, and no further mistake is told of it.
fn main() {
    Portfolio.fill(&Fill);
    Portfolio.helper();
    drop(Order.ran());
    fn is_actor(_: impl mycelium::Handler<Order>) {}
    is_actor(Portfolio);
}
