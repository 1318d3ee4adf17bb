//! What handlers, answers and hooks have in common: their receiver, their parameters, what they return.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, Expr, FnArg, ImplItemFn, Result, ReturnType, Stmt, Type};

/// The checked shape of one marked method.
pub(crate) struct Shape {
    /// The type of the first parameter, or the one behind its reference, if one is expected.
    pub(crate) message: Option<Type>,
    /// Whether that parameter is no reference.
    pub(crate) by_value: bool,
    pub(crate) takes_context: bool,
}

/// Checks the parameters of `method`. `what` names its kind, `message` the first parameter if one is
/// expected.
pub(crate) fn shape(method: &ImplItemFn, what: &str, message: Option<&str>) -> Result<Shape> {
    let name = &method.sig.ident;
    if !method.sig.generics.params.is_empty() {
        let text = format!("{what} cannot be generic: write one method for each message type");
        return Err(Error::new_spanned(&method.sig.generics, text));
    }
    let mut inputs = method.sig.inputs.iter();
    match inputs.next() {
        Some(FnArg::Receiver(receiver)) if receiver.reference.is_some() => {}
        Some(FnArg::Receiver(receiver)) => {
            let text = format!("{what} borrows its actor: write `&mut self` (or `&self`)");
            return Err(Error::new_spanned(receiver, text));
        }
        _ => {
            let text = format!("{what} needs the actor: begin the parameters of `{name}` with `&mut self`");
            return Err(Error::new_spanned(&method.sig.ident, text));
        }
    }
    let (message, by_value) = match message {
        None => (None, false),
        Some(expected) => {
            let (message, by_value) = message_type(method, inputs.next(), what, expected)?;
            (Some(message), by_value)
        }
    };
    let takes_context = match inputs.next() {
        None => false,
        Some(FnArg::Typed(context)) if matches!(&*context.ty, Type::Reference(to) if to.mutability.is_some()) => {
            true
        }
        Some(other) => {
            let text = format!("the last parameter of {what} is its context: `ctx: &mut Context<Self>`");
            return Err(Error::new_spanned(other, text));
        }
    };
    if let Some(extra) = inputs.next() {
        let text = format!("{what} takes nothing after its context");
        return Err(Error::new_spanned(extra, text));
    }
    Ok(Shape { message, by_value, takes_context })
}

/// The type of the message, and whether it comes by value.
fn message_type(
    method: &ImplItemFn,
    input: Option<&FnArg>,
    what: &str,
    expected: &str,
) -> Result<(Type, bool)> {
    let Some(FnArg::Typed(input)) = input else {
        let text = format!("{what} takes {expected} after `self`");
        return Err(Error::new_spanned(&method.sig.ident, text));
    };
    match &*input.ty {
        Type::Reference(reference) if reference.mutability.is_none() => {
            Ok(((*reference.elem).clone(), false))
        }
        Type::Reference(reference) => {
            let text = format!("{what} takes {expected} by `&` or by value, not by `&mut`");
            Err(Error::new_spanned(reference, text))
        }
        other => Ok((other.clone(), true)),
    }
}

/// Whether the method returns something besides `()`.
pub(crate) fn returns_value(method: &ImplItemFn) -> bool {
    match &method.sig.output {
        ReturnType::Default => false,
        ReturnType::Type(_, output) => !matches!(&**output, Type::Tuple(tuple) if tuple.elems.is_empty()),
    }
}

/// The call of `method` with these arguments, awaited if it is async.
pub(crate) fn call(method: &ImplItemFn, shape: &Shape, message: Option<&TokenStream>) -> TokenStream {
    let name = &method.sig.ident;
    let message = message.into_iter();
    let context = shape.takes_context.then(|| quote!(ctx)).into_iter();
    let awaited = method.sig.asyncness.map(|_| quote!(.await));
    quote!(Self::#name(self #(, #message)* #(, #context)*) #awaited)
}

/// The same, as a `Result` whose error is the actor's.
pub(crate) fn fallible_call(
    method: &ImplItemFn,
    shape: &Shape,
    message: Option<&TokenStream>,
) -> TokenStream {
    let call = call(method, shape, message);
    if returns_value(method) {
        // Spanned at the return type, so that a return type that is no `Result` is pointed at.
        let span = method.sig.output.span();
        quote_spanned!(span=> ::core::result::Result::map_err(#call, ::core::convert::Into::into))
    } else {
        quote!({ #call; ::core::result::Result::Ok(()) })
    }
}

/// Whether a future has its type of error from what is expected of it alone: an async block, also in a box.
fn infers_its_error(future: &Expr) -> bool {
    match future {
        Expr::Async(_) => true,
        Expr::Paren(inner) => infers_its_error(&inner.expr),
        Expr::Group(inner) => infers_its_error(&inner.expr),
        Expr::Call(call) => {
            let is_pin = matches!(&*call.func, Expr::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "pin"));
            is_pin && call.args.iter().any(infers_its_error)
        }
        _ => false,
    }
}

/// Converts the error of a last `.await` as `?` would, in an async method that returns a value.
pub(crate) fn convert_last_error(method: &mut ImplItemFn) {
    if method.sig.asyncness.is_none() || !returns_value(method) {
        return;
    }
    if let Some(Stmt::Expr(last, None)) = method.block.stmts.last_mut()
        && matches!(last, Expr::Await(awaited) if !infers_its_error(&awaited.base))
    {
        let inner = last.clone();
        let span = inner.span();
        let converted = quote_spanned! {span=>
            ::core::result::Result::map_err(#inner, ::core::convert::Into::into)
        };
        *last = Expr::Verbatim(converted);
    }
}
