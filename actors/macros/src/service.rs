//! `#[service]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, FnArg, ImplItem, ItemImpl, Result, Type};

use crate::actor::{error_type, inherent_impl};
use crate::method;

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let mut block = inherent_impl(item, "service")?;
    let service = service(arguments, &mut block).unwrap_or_else(Error::into_compile_error);
    Ok(quote!(#block #service))
}

/// What makes the block's type a service.
fn service(arguments: TokenStream, block: &mut ItemImpl) -> Result<TokenStream> {
    let error = error_type(arguments)?;
    let run = block.items.iter_mut().find_map(|item| match item {
        ImplItem::Fn(method) if method.sig.ident == "run" => Some(method),
        _ => None,
    });
    let Some(run) = run else {
        let text = "a service has a loop: add `async fn run(&mut self, ctx: &ServiceContext) -> Result<()>`";
        return Err(Error::new_spanned(&block.self_ty, text));
    };
    let inputs: Vec<_> = run.sig.inputs.iter().collect();
    let fits = match inputs[..] {
        [FnArg::Receiver(receiver), FnArg::Typed(context)] => {
            receiver.reference.is_some()
                && matches!(&*context.ty, Type::Reference(to) if to.mutability.is_none())
        }
        _ => false,
    };
    if !fits || run.sig.asyncness.is_none() {
        let text = "write it as `async fn run(&mut self, ctx: &ServiceContext) -> Result<()>`";
        return Err(Error::new_spanned(&run.sig, text));
    }
    method::convert_last_error(run);
    let call = method::fallible_call(
        run,
        &method::Shape { message: None, by_value: false, takes_context: true },
        None,
    );
    let ty = &block.self_ty;
    let (impl_generics, _, where_clause) = block.generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics ::mycelium::Service for #ty #where_clause {
            type Error = #error;
            async fn run(
                &mut self,
                ctx: &::mycelium::ServiceContext,
            ) -> ::core::result::Result<(), <Self as ::mycelium::Service>::Error> {
                #call
            }
        }
    })
}
