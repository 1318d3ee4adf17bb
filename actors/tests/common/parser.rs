//! An actor that fails at a text that is no number.

use mycelium::{Result, actor};

pub(crate) struct Parser;

#[actor]
impl Parser {
    #[on(direct)]
    fn parse(&mut self, text: &&'static str) -> Result {
        text.parse::<u64>()?;
        Ok(())
    }
}
