//! `#[actor]`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Error, Expr, ImplItem, ImplItemFn, ItemImpl, Meta, Result, Type};

use crate::method::{self, Shape};
use crate::options;

const MARKS: [&str; 5] = ["on", "ask", "started", "batch_ended", "stopping"];
const ON_OPTIONS: [&str; 6] = ["policy", "key", "capacity", "echo", "retained", "direct"];
const POLICIES: [&str; 5] = ["block", "drop_oldest", "drop_newest", "fail", "conflate"];

/// The parts of the generated implementation, gathered method by method.
#[derive(Default)]
struct Parts {
    /// Message or query type as text, and the method that has it.
    handled: Vec<(String, syn::Ident)>,
    asked: Vec<(String, syn::Ident)>,
    subscriptions: Vec<TokenStream>,
    impls: Vec<TokenStream>,
    /// The marks of hooks that are there whatever the configuration is.
    hooked: Vec<String>,
    hooks: Vec<TokenStream>,
}

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let mut block = inherent_impl(item, "actor")?;
    let mut mistakes = Mistakes::default();
    let error = mistakes.note(error_type(arguments)).unwrap_or_else(|| quote!(::mycelium::BoxError));
    let mut parts = Parts::default();
    let head = Head::of(&block);
    for item in &mut block.items {
        if let ImplItem::Fn(method) = item
            && let Some((mark, attribute)) = mistakes.note(take_mark(method)).flatten()
        {
            mistakes.note(parts.add(&head, mark, &attribute, method));
        }
    }
    if mistakes.0.is_some() {
        // Code that seems unused may be used by code that could not be written.
        block.attrs.push(syn::parse_quote!(#[allow(unused)]));
    }
    let Head { generics, ty } = &head;
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    let Parts { subscriptions, impls, hooks, .. } = parts;
    Ok(quote! {
        #mistakes
        #block

        #[automatically_derived]
        impl #impl_generics ::mycelium::Actor for #ty #where_clause {
            type Error = #error;
            fn subscriptions(&self, topics: &mut ::mycelium::Subscriptions<Self>) {
                let _ = &topics;
                #(#subscriptions)*
            }
            #(#hooks)*
        }

        #(#impls)*
    })
}

/// What is wrong, told beside all that is right: code elsewhere that uses the methods is no mistake.
#[derive(Default)]
pub(crate) struct Mistakes(Option<Error>);

impl Mistakes {
    pub(crate) fn note<T>(&mut self, result: Result<T>) -> Option<T> {
        match (result, &mut self.0) {
            (Ok(value), _) => return Some(value),
            (Err(error), Some(all)) => all.combine(error),
            (Err(error), none) => *none = Some(error),
        }
        None
    }
}

impl ToTokens for Mistakes {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(self.0.as_ref().map(Error::to_compile_error));
    }
}

/// What every generated `impl` repeats.
struct Head {
    generics: syn::Generics,
    ty: Type,
}

impl Head {
    fn of(block: &ItemImpl) -> Self {
        Self { generics: block.generics.clone(), ty: (*block.self_ty).clone() }
    }
}

impl Parts {
    fn add(&mut self, head: &Head, mark: &str, attribute: &Attribute, method: &mut ImplItemFn) -> Result<()> {
        match mark {
            "on" => self.add_handler(head, attribute, method),
            "ask" => self.add_answer(head, attribute, method),
            _ => self.add_hook(mark, attribute, method),
        }
    }

    fn add_handler(&mut self, head: &Head, attribute: &Attribute, method: &mut ImplItemFn) -> Result<()> {
        let shape = method::shape(method, "a handler", Some("its message"))?;
        let Some(message) = &shape.message else { return Ok(()) };
        claim(&mut self.handled, message, method, "handlers")?;
        let subscription = subscription(attribute, message)?;
        if shape.by_value && subscription.is_some() {
            let ty = message.to_token_stream();
            let text = format!(
                "a topic shares its messages among all subscribers: write `&{ty}`, or `#[on(direct)]` for a \
                 message that is sent to this actor alone"
            );
            return Err(Error::new_spanned(message, text));
        }
        let cfgs = cfgs(method);
        self.subscriptions.extend(subscription.map(|subscription| quote!(#(#cfgs)* #subscription)));
        method::convert_last_error(method);
        let call = method::fallible_call(method, &shape, Some(&quote!(message)));
        let Head { generics, ty } = head;
        let (impl_generics, _, where_clause) = generics.split_for_impl();
        let span = message.span();
        let (implemented, handle, taken) = match shape.by_value {
            false => (quote!(Handler), quote!(handle), quote!(&#message)),
            true => (quote!(Takes), quote!(take), message.to_token_stream()),
        };
        self.impls.push(quote_spanned! {span=>
            #(#cfgs)*
            #[automatically_derived]
            impl #impl_generics ::mycelium::#implemented<#message> for #ty #where_clause {
                #[inline]
                async fn #handle(
                    &mut self,
                    message: #taken,
                    ctx: &mut ::mycelium::Context<Self>,
                ) -> ::core::result::Result<(), <Self as ::mycelium::Actor>::Error> {
                    let _ = &ctx;
                    #call
                }
            }
        });
        Ok(())
    }

    fn add_answer(&mut self, head: &Head, attribute: &Attribute, method: &ImplItemFn) -> Result<()> {
        no_options(attribute)?;
        let shape = method::shape(method, "an answer", Some("its query"))?;
        let Some(query) = &shape.message else { return Ok(()) };
        claim(&mut self.asked, query, method, "answers")?;
        let call = method::call(method, &shape, Some(&quote!(query)));
        let reply = match &method.sig.output {
            syn::ReturnType::Default => quote!(()),
            syn::ReturnType::Type(_, reply) => reply.to_token_stream(),
        };
        let Head { generics, ty } = head;
        let (impl_generics, _, where_clause) = generics.split_for_impl();
        let (span, cfgs) = (query.span(), cfgs(method));
        let (implemented, answer, taken) = match shape.by_value {
            false => (quote!(Responder), quote!(answer), quote!(&#query)),
            true => (quote!(Replies), quote!(reply), query.to_token_stream()),
        };
        self.impls.push(quote_spanned! {span=>
            #(#cfgs)*
            #[automatically_derived]
            impl #impl_generics ::mycelium::#implemented<#query> for #ty #where_clause {
                type Reply = #reply;
                #[inline]
                async fn #answer(&mut self, query: #taken, ctx: &mut ::mycelium::Context<Self>) -> Self::Reply {
                    let _ = &ctx;
                    #call
                }
            }
        });
        Ok(())
    }

    fn add_hook(&mut self, mark: &str, attribute: &Attribute, method: &mut ImplItemFn) -> Result<()> {
        no_options(attribute)?;
        let cfgs = cfgs(method);
        if cfgs.is_empty() {
            if self.hooked.iter().any(|other| other == mark) {
                let text = format!("an actor has one `#[{mark}]` method");
                return Err(Error::new_spanned(&method.sig.ident, text));
            }
            self.hooked.push(mark.to_owned());
        }
        let hook = if mark == "stopping" { stopping(method)? } else { fallible_hook(mark, method)? };
        self.hooks.push(quote!(#(#cfgs)* #hook));
        Ok(())
    }
}

/// `started` or `batch_ended`.
fn fallible_hook(mark: &str, method: &mut ImplItemFn) -> Result<TokenStream> {
    let shape = method::shape(method, &format!("`#[{mark}]`"), None)?;
    method::convert_last_error(method);
    let call = method::fallible_call(method, &shape, None);
    let hook = quote::format_ident!("{mark}");
    Ok(quote! {
        async fn #hook(
            &mut self,
            ctx: &mut ::mycelium::Context<Self>,
        ) -> ::core::result::Result<(), <Self as ::mycelium::Actor>::Error> {
            let _ = &ctx;
            #call
        }
    })
}

fn stopping(method: &ImplItemFn) -> Result<TokenStream> {
    let shape: Shape = method::shape(method, "`#[stopping]`", Some("its reason (`&StopReason`)"))?;
    if let (true, Some(reason)) = (shape.by_value, &shape.message) {
        return Err(Error::new_spanned(reason, "`#[stopping]` takes its reason by reference: `&StopReason`"));
    }
    if method::returns_value(method) {
        return Err(Error::new_spanned(
            &method.sig.output,
            "`#[stopping]` returns nothing: the actor ends anyway",
        ));
    }
    let call = method::call(method, &shape, Some(&quote!(reason)));
    Ok(quote! {
        async fn stopping(&mut self, reason: &::mycelium::StopReason, ctx: &mut ::mycelium::Context<Self>) {
            let _ = &ctx;
            #call
        }
    })
}

/// The block, if it is an `impl` of a type itself.
pub(crate) fn inherent_impl(item: TokenStream, macro_name: &str) -> Result<ItemImpl> {
    let block: ItemImpl = syn::parse2(item).map_err(|error| {
        let text = format!("#[{macro_name}] goes on an `impl` block: `impl MyType {{ .. }}` ({error})");
        Error::new(proc_macro2::Span::call_site(), text)
    })?;
    if let Some((_, path, _)) = &block.trait_ {
        let text = format!("#[{macro_name}] goes on the type's own `impl` block, not on one of a trait");
        return Err(Error::new_spanned(path, text));
    }
    Ok(block)
}

/// `error = E`, or the default.
pub(crate) fn error_type(arguments: TokenStream) -> Result<TokenStream> {
    match options::parse(arguments, &["error"])?.first() {
        None => Ok(quote!(::mycelium::BoxError)),
        Some(choice) => Ok(choice.value()?.to_token_stream()),
    }
}

/// Takes the mark off a method, so that the compiler does not see it.
fn take_mark(method: &mut ImplItemFn) -> Result<Option<(&'static str, Attribute)>> {
    let mark_of = |attribute: &Attribute| MARKS.into_iter().find(|mark| attribute.path().is_ident(mark));
    let Some(at) = method.attrs.iter().position(|attribute| mark_of(attribute).is_some()) else {
        return Ok(None);
    };
    let attribute = method.attrs.remove(at);
    if let Some(at) = method.attrs.iter().position(|attribute| mark_of(attribute).is_some()) {
        let second = method.attrs.remove(at);
        method.attrs.retain(|attribute| mark_of(attribute).is_none());
        return Err(Error::new_spanned(
            second,
            "a method has one mark: #[on], #[ask], #[started], #[batch_ended] or #[stopping]",
        ));
    }
    Ok(mark_of(&attribute).map(|mark| (mark, attribute)))
}

/// The conditions under which a method is there. All that is written for it is there under the same ones.
fn cfgs(method: &ImplItemFn) -> Vec<Attribute> {
    method.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg")).cloned().collect()
}

/// Refuses a second method for a type. One that has conditions may have another under the opposite ones: the
/// compiler sees whether both are there.
fn claim(
    taken: &mut Vec<(String, syn::Ident)>,
    message: &Type,
    method: &ImplItemFn,
    what: &str,
) -> Result<()> {
    if !cfgs(method).is_empty() {
        return Ok(());
    }
    let text = message.to_token_stream().to_string();
    let name = &method.sig.ident;
    if let Some((_, first)) = taken.iter().find(|(other, _)| *other == text) {
        let text = format!("`{text}` has two {what}, `{first}` and `{name}`: an actor has one for each type");
        return Err(Error::new_spanned(message, text));
    }
    taken.push((text, name.clone()));
    Ok(())
}

fn no_options(attribute: &Attribute) -> Result<()> {
    match &attribute.meta {
        Meta::Path(_) => Ok(()),
        other => Err(Error::new_spanned(other, "this mark takes no options")),
    }
}

/// The subscription that `#[on(..)]` asks for; none with `direct`.
fn subscription(attribute: &Attribute, message: &Type) -> Result<Option<TokenStream>> {
    let tokens = match &attribute.meta {
        Meta::Path(_) => return Ok(Some(quote!(topics.on::<#message>();))),
        Meta::List(list) => list.tokens.clone(),
        Meta::NameValue(value) => {
            return Err(Error::new_spanned(
                value,
                "options go in parentheses: `#[on(policy = drop_oldest)]`",
            ));
        }
    };
    let choices = options::parse(tokens, &ON_OPTIONS)?;
    let find = |name: &str| choices.iter().find(|choice| choice.name == name);
    if let Some(direct) = find("direct") {
        direct.flag()?;
        if let Some(other) = choices.iter().find(|choice| choice.name != "direct") {
            let text = format!("`{}` is of a subscription, and `direct` says that there is none", other.name);
            return Err(Error::new(other.name.span(), text));
        }
        return Ok(None);
    }
    let policy = policy(find("policy"), find("key"), message)?;
    let capacity = find("capacity").map(options::Choice::value).transpose()?;
    let capacity = capacity.map(|messages| quote!(.capacity(#messages)));
    let echo = find("echo").map(|choice| choice.flag().map(|()| quote!(.echo()))).transpose()?;
    let retained =
        find("retained").map(|choice| choice.flag().map(|()| quote!(.with_retained()))).transpose()?;
    Ok(Some(quote!(topics.on_with(::mycelium::Subscription::<#message>::#policy #capacity #echo #retained);)))
}

fn policy(
    policy: Option<&options::Choice>,
    key: Option<&options::Choice>,
    message: &Type,
) -> Result<TokenStream> {
    let name = match policy {
        None => "block".to_owned(),
        Some(choice) => match choice.value()? {
            Expr::Path(path) if path.path.get_ident().is_some() => path.path.to_token_stream().to_string(),
            other => {
                return Err(Error::new_spanned(other, format!("a policy is one of {}", POLICIES.join(", "))));
            }
        },
    };
    let span = policy.map_or_else(proc_macro2::Span::call_site, |choice| choice.value.span());
    if !POLICIES.contains(&name.as_str()) {
        return Err(options::unknown("policy", &name, span, &POLICIES));
    }
    let constructor = syn::Ident::new(&name, span);
    match (name.as_str(), key) {
        ("conflate", Some(key)) => {
            let key = key.value()?;
            Ok(quote!(conflate({ let key: fn(&#message) -> u64 = #key; key })))
        }
        ("conflate", None) => Err(Error::new(
            span,
            "`conflate` keeps the latest message of each key: add `key = |message| ..`, a u64",
        )),
        (_, Some(key)) => Err(Error::new(key.name.span(), "`key` goes with `policy = conflate`")),
        (_, None) => Ok(quote!(#constructor())),
    }
}
