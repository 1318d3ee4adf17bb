//! `name = value` options of the attributes, with a suggestion for a misspelt one.

use proc_macro2::{Span, TokenStream};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, Ident, Result, Token};

/// One option: a name, and a value if it has one.
pub(crate) struct Choice {
    pub(crate) name: Ident,
    pub(crate) value: Option<Expr>,
}

impl Parse for Choice {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let name = input.parse()?;
        let value = if input.parse::<Option<Token![=]>>()?.is_some() { Some(input.parse()?) } else { None };
        Ok(Self { name, value })
    }
}

/// The options in `tokens`, all of them among `known`, none twice.
pub(crate) fn parse(tokens: TokenStream, known: &[&str]) -> Result<Vec<Choice>> {
    let choices = syn::parse::Parser::parse2(Punctuated::<Choice, Token![,]>::parse_terminated, tokens)?;
    let mut seen: Vec<String> = Vec::new();
    for choice in &choices {
        let name = choice.name.to_string();
        if !known.contains(&name.as_str()) {
            return Err(unknown("option", &name, choice.name.span(), known));
        }
        if seen.contains(&name) {
            return Err(Error::new(choice.name.span(), format!("`{name}` is given twice")));
        }
        seen.push(name);
    }
    Ok(choices.into_iter().collect())
}

impl Choice {
    /// Its value, which must be there.
    pub(crate) fn value(&self) -> Result<&Expr> {
        let name = &self.name;
        self.value
            .as_ref()
            .ok_or_else(|| Error::new(name.span(), format!("`{name}` needs a value: `{name} = ..`")))
    }

    /// Refuses a value.
    pub(crate) fn flag(&self) -> Result<()> {
        let name = &self.name;
        match &self.value {
            Some(value) => Err(Error::new_spanned(value, format!("`{name}` takes no value"))),
            None => Ok(()),
        }
    }
}

/// An error that names what was meant, or what there is.
pub(crate) fn unknown(what: &str, name: &str, span: Span, known: &[&str]) -> Error {
    let closest = known.iter().map(|other| (strsim::osa_distance(name, other), other)).min();
    let hint = match closest {
        Some((edits, other)) if edits <= 1 + name.len() / 4 => format!("did you mean `{other}`?"),
        _ => format!("there are: {}", known.join(", ")),
    };
    Error::new(span, format!("unknown {what} `{name}`: {hint}"))
}
