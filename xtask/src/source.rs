//! [`Source`]: one Rust file, parsed once for all rules.

use std::fmt;

use proc_macro2::{TokenStream, TokenTree};

/// A Rust file.
pub(crate) struct Source {
    /// Where it stands.
    pub(crate) path: String,
    /// What it holds.
    pub(crate) text: String,
    /// What that means, or why it is no Rust.
    pub(crate) file: Result<syn::File, syn::Error>,
}

/// A name in the code: not in a comment, not in a string.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) line: usize,
}

impl Source {
    /// Parses a file. That it can't be parsed is kept, for a rule to say.
    pub(crate) fn parse(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned(), file: syn::parse_file(text) }
    }

    /// Whether it holds tests and nothing else.
    pub(crate) fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    /// Every identifier, in order.
    pub(crate) fn names(&self) -> Vec<Name> {
        let mut names = Vec::new();
        if let Ok(stream) = self.text.parse::<TokenStream>() {
            collect(stream, &mut names);
        }
        names
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({})", self.path)
    }
}

fn collect(stream: TokenStream, names: &mut Vec<Name>) {
    for token in stream {
        match token {
            TokenTree::Ident(ident) => {
                names.push(Name { text: ident.to_string(), line: ident.span().start().line });
            }
            TokenTree::Group(group) => collect(group.stream(), names),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}
