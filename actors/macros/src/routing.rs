//! `routing_config!`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Error, Ident, Result, Token, Type, Visibility, braced, bracketed};

struct Config {
    attributes: Vec<Attribute>,
    visibility: Visibility,
    name: Ident,
    routes: Vec<Route>,
}

/// `Message => [name: Actor, ..]`
struct Route {
    message: Type,
    receivers: Vec<Receiver>,
}

struct Receiver {
    name: Ident,
    actor: Type,
}

impl Parse for Config {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        input.parse::<Token![struct]>()?;
        let name = input.parse()?;
        let routes;
        braced!(routes in input);
        let routes = Punctuated::<Route, Token![,]>::parse_terminated(&routes)?.into_iter().collect();
        Ok(Self { attributes, visibility, name, routes })
    }
}

impl Parse for Route {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let message = input.parse()?;
        input.parse::<Token![=>]>()?;
        let receivers;
        bracketed!(receivers in input);
        let receivers =
            Punctuated::<Receiver, Token![,]>::parse_terminated(&receivers)?.into_iter().collect();
        Ok(Self { message, receivers })
    }
}

impl Parse for Receiver {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let name = input.parse()?;
        input.parse::<Token![:]>()?;
        Ok(Self { name, actor: input.parse()? })
    }
}

pub(crate) fn expand(input: TokenStream) -> Result<TokenStream> {
    let Config { attributes, visibility, name, routes } = syn::parse2(input)?;
    let actors = actors(&routes)?;
    let messages = routes.iter().map(|route| &route.message);
    let (names, types): (Vec<_>, Vec<_>) = actors.iter().map(|actor| (&actor.name, &actor.actor)).unzip();
    let numbers = 1..=actors.len() as u64;
    let texts = names.iter().map(|name| format!("The actor `{name}`."));
    let impls = routes.iter().map(|route| route_impl(&name, route));
    Ok(quote! {
        #(#attributes)*
        #visibility struct #name {
            #(#names: ::mycelium::routing::RouteSeat<#types>,)*
            published: ::mycelium::routing::Published,
        }

        impl #name {
            /// Takes the actors.
            #[allow(clippy::too_many_arguments)]
            #visibility fn new(#(#names: #types),*) -> Self {
                Self {
                    #(#names: ::mycelium::routing::RouteSeat::new(#names, #numbers),)*
                    published: ::core::default::Default::default(),
                }
            }

            /// Calls the handlers of `message`, then those of what they published.
            ///
            /// # Errors
            /// The first handler that fails or waits; the rest of what was published is dropped.
            #[inline]
            #[allow(dead_code)]
            #visibility fn route<M>(&mut self, message: &M) -> ::core::result::Result<(), ::mycelium::routing::RouteError>
            where
                Self: ::mycelium::routing::Route<M>,
            {
                match ::mycelium::routing::Route::deliver(self, message) {
                    ::core::result::Result::Ok(()) if self.published.is_empty() => {
                        ::core::result::Result::Ok(())
                    }
                    routed => self.route_published(routed),
                }
            }

            #[cold]
            fn route_published(
                &mut self,
                mut routed: ::core::result::Result<(), ::mycelium::routing::RouteError>,
            ) -> ::core::result::Result<(), ::mycelium::routing::RouteError> {
                while let ::core::option::Option::Some(message) = self.published.next() {
                    if routed.is_err() {
                        continue;
                    }
                    #(if let ::core::option::Option::Some(message) = message.downcast_ref::<#messages>() {
                        routed = ::mycelium::routing::Route::deliver(self, message);
                        continue;
                    })*
                }
                routed
            }

            #(
                #[doc = #texts]
                #[allow(dead_code)]
                #visibility fn #names(&self) -> &#types {
                    self.#names.actor()
                }
            )*
        }

        #(#impls)*
    })
}

fn route_impl(name: &Ident, Route { message, receivers }: &Route) -> TokenStream {
    // Spanned at the receiver, so that a missing handler is pointed at.
    let calls = receivers.iter().map(|Receiver { name, .. }| {
        let span = name.span();
        quote_spanned! {span=>
            ::mycelium::routing::RouteSeat::deliver::<#message>(&mut self.#name, message, &mut self.published)?;
        }
    });
    quote! {
        #[automatically_derived]
        impl ::mycelium::routing::Route<#message> for #name {
            #[inline]
            fn deliver(
                &mut self,
                message: &#message,
            ) -> ::core::result::Result<(), ::mycelium::routing::RouteError> {
                #(#calls)*
                ::core::result::Result::Ok(())
            }
        }
    }
}

/// Every actor once, in the order of first mention.
fn actors(routes: &[Route]) -> Result<Vec<&Receiver>> {
    let mut actors: Vec<&Receiver> = Vec::new();
    let mut messages: Vec<String> = Vec::new();
    for route in routes {
        let message = route.message.to_token_stream().to_string();
        if messages.contains(&message) {
            return Err(Error::new_spanned(
                &route.message,
                format!("`{message}` has two lists: put them in one"),
            ));
        }
        messages.push(message);
        for receiver in &route.receivers {
            if ["new", "route", "route_published", "published"].iter().any(|taken| receiver.name == taken) {
                return Err(Error::new_spanned(&receiver.name, "the generated struct uses this name itself"));
            }
            match actors.iter().find(|actor| actor.name == receiver.name) {
                None => actors.push(receiver),
                Some(first) if first.actor == receiver.actor => {}
                Some(first) => {
                    let (name, actor) = (&receiver.name, first.actor.to_token_stream());
                    return Err(Error::new_spanned(
                        &receiver.actor,
                        format!("`{name}` is a `{actor}` above"),
                    ));
                }
            }
        }
    }
    Ok(actors)
}
