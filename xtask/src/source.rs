//! [`Source`]: one Rust file, parsed once for all rules.

use std::{collections::BTreeSet, fmt};

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

    /// The lines on which a literal stands: a text or number that the formatter can't break.
    pub(crate) fn lines_of_literals(&self) -> BTreeSet<usize> {
        let mut lines = BTreeSet::new();
        if let Ok(stream) = self.text.parse::<TokenStream>() {
            walk(stream, &mut |token| {
                // Documentation is a literal, too, with the span of its comment.
                let span = token.span();
                if matches!(token, TokenTree::Literal(_)) && !span.source_text().is_some_and(|t| t.starts_with("//")) {
                    lines.extend(span.start().line..=span.end().line);
                }
            });
        }
        lines
    }

    /// Every identifier, in order.
    pub(crate) fn names(&self) -> Vec<Name> {
        let mut names = Vec::new();
        if let Ok(stream) = self.text.parse::<TokenStream>() {
            walk(stream, &mut |token| {
                if let TokenTree::Ident(ident) = token {
                    names.push(Name { text: ident.to_string(), line: ident.span().start().line });
                }
            });
        }
        names
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({})", self.path)
    }
}

/// Visits every token but the brackets.
fn walk(stream: TokenStream, visit: &mut impl FnMut(&TokenTree)) {
    for token in stream {
        match token {
            TokenTree::Group(group) => walk(group.stream(), visit),
            token => visit(&token),
        }
    }
}
