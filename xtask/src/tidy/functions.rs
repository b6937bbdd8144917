//! How long functions may be.

use proc_macro2::Span;
use syn::{Block, Signature, spanned::Spanned, visit::Visit};

use super::{Finding, ratchet};
use crate::{source::Source, tree::Tree};

/// Lines of a function from its signature to its last brace.
pub(super) const FUNCTION_LINES_MAX: usize = 70;

/// No function is longer than a screen. Tests may be: they are tables.
pub(super) fn lengths(tree: &Tree) -> Vec<Finding> {
    lengths_except(tree, ratchet::FUNCTIONS)
}

pub(super) fn lengths_except(tree: &Tree, exceptions: &[(&str, &str, usize)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut used = vec![0; exceptions.len()];
    for source in tree.sources().iter().filter(|source| !source.is_test()) {
        for function in functions(source) {
            let exception =
                exceptions.iter().position(|(path, name, _)| *path == source.path && *name == function.name);
            if let Some(index) = exception {
                used[index] = function.lines.max(used[index]);
            }
            let max = exception.map_or(FUNCTION_LINES_MAX, |index| exceptions[index].2);
            if function.lines > max {
                let what = format!("function {} of {} lines, at most {max}: split it", function.name, function.lines);
                findings.push(Finding::new(&source.path, function.line, what));
            }
        }
    }
    for ((path, name, max), lines) in exceptions.iter().zip(used) {
        if lines < *max {
            findings.push(Finding::new(path, 1, format!("exception for {name} of {max} lines, has {lines}: lower it")));
        }
    }
    findings
}

struct Function {
    name: String,
    line: usize,
    lines: usize,
}

fn functions(source: &Source) -> Vec<Function> {
    let mut found = Found(Vec::new());
    if let Ok(file) = &source.file {
        found.visit_file(file);
    }
    found.0
}

struct Found(Vec<Function>);

impl Found {
    fn note(&mut self, signature: &Signature, block: &Block) {
        let (first, last) = (line(signature.span()), block.brace_token.span.close().end().line);
        self.0.push(Function { name: signature.ident.to_string(), line: first, lines: last - first + 1 });
    }
}

impl<'ast> Visit<'ast> for Found {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.note(&item.sig, &item.block);
        syn::visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.note(&item.sig, &item.block);
        syn::visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.note(&item.sig, block);
        }
        syn::visit::visit_trait_item_fn(self, item);
    }
}

fn line(span: Span) -> usize {
    span.start().line
}
