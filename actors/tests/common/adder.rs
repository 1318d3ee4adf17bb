//! An actor that adds numbers and says their sum.

use mycelium::{Actor, BoxError, Context, Handler, Responder};

/// Fails at 13.
#[derive(Default)]
pub(crate) struct Adder(u32);

impl Actor for Adder {
    type Error = BoxError;
}

impl Handler<u32> for Adder {
    async fn handle(&mut self, number: &u32, _: &mut Context<Self>) -> Result<(), BoxError> {
        if *number == 13 {
            return Err("an unlucky number".into());
        }
        self.0 += number;
        Ok(())
    }
}

pub(crate) struct Sum;
impl Responder<Sum> for Adder {
    type Reply = u32;
    async fn answer(&mut self, _: &Sum, _: &mut Context<Self>) -> u32 {
        self.0
    }
}
