//! Procedural macros of Mycelium, re-exported by the `mycelium` crate: use them from there.
#![forbid(unsafe_code)]

mod actor;
mod method;
mod options;
mod routing;
mod service;

use proc_macro::TokenStream;

/// Turns the marked methods of an `impl` block into an actor's handlers.
///
/// ```ignore
/// #[mycelium::actor]
/// impl Portfolio {
///     #[on]
///     async fn fill(&mut self, fill: &Fill, ctx: &mut Context<Self>) -> Result<()> {
///         self.position += fill.quantity;
///         ctx.publish(PositionUpdate { position: self.position }).await
///     }
///     #[ask]
///     fn equity(&self, query: &EquityAt) -> f64 {
///         self.cash + self.position as f64 * query.price
///     }
/// }
/// ```
///
/// It writes `impl Actor`, one `impl Handler` for each `#[on]` and one `impl Responder` for each `#[ask]`
/// (`Takes` and `Replies` where the parameter comes by value), and nothing else: the methods stay what they
/// are and can be called as such. Every method may be `async` or not, and may leave the context out.
///
/// - `#[on]`: a handler, and a subscription to the message's topic. It returns nothing or a `Result` whose
///   error converts into the actor's. Options: `policy = block | drop_oldest | drop_newest | fail | conflate`
///   (with `key = |m| ..`, a number), `capacity = N`, `echo`, `retained` (first what the topic retains), or
///   `direct` for a handler without a subscription, which may take its message by value: `token: Token`.
/// - `#[ask]`: answers queries, by reference or by value; what it returns is the reply.
/// - `#[started]`, `#[stopping]`: the hooks of `Actor`. `#[stopping]` takes the `&StopReason` first.
/// - `#[actor(error = E)]`: the actor's error type; `BoxError` unless given.
///
/// Where an `async` handler returns a `Result` and its body ends with an `.await`, that last error is
/// converted as `?` would, so that `ctx.publish(..).await` may stand at the end.
#[proc_macro_attribute]
pub fn actor(arguments: TokenStream, item: TokenStream) -> TokenStream {
    actor::expand(arguments.into(), item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Turns the `run` method of an `impl` block into a service.
///
/// ```ignore
/// #[mycelium::service]
/// impl Heartbeat {
///     async fn run(&mut self, ctx: &ServiceContext) -> Result<()> {
///         while self.beat() {
///             ctx.sleep(Duration::from_secs(1)).await;
///         }
///         Ok(())
///     }
/// }
/// ```
///
/// `#[service(error = E)]` sets its error type; `BoxError` unless given.
#[proc_macro_attribute]
pub fn service(arguments: TokenStream, item: TokenStream) -> TokenStream {
    service::expand(arguments.into(), item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Builds a struct that calls the handlers of a fixed set of actors directly, in one thread and without a
/// queue.
///
/// ```ignore
/// mycelium::routing_config! {
///     /// Who hears what.
///     pub struct Routes {
///         Fill => [portfolio: Portfolio, risk: Risk],
///         Bar => [strategy: Strategy],
///     }
/// }
/// let mut routes = Routes::new(portfolio, risk, strategy);
/// routes.route(&fill)?;
/// ```
///
/// `new` takes each actor once, in the order of first mention. `route` calls the handlers of its message
/// in the order of the list and stops at the first error. A message that a handler publishes is routed
/// when the current message is done, in order; a message without a route is gone, as on a bus without
/// subscribers. An actor's field name gives a method that borrows it.
///
/// There is no task and no clock to wait on: a handler that has to wait is dropped, and `route` returns an
/// error that names it. `started` and `stopping` do not run, and `schedule_after` never fires.
#[proc_macro]
pub fn routing_config(input: TokenStream) -> TokenStream {
    routing::expand(input.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}
