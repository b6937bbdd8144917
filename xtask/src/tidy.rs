//! The rules of the house that a program can check.
//!
//! Invariant: a rule is a pure function from the tree to its findings, each with its place and what to do about it; it
//! has a sample in the tests that it refuses and one that it lets pass.

mod arrows;
mod fingerprints;
mod functions;
mod heads;
mod lengths;
mod machine;
mod modules;
mod names;
mod paths;
mod ratchet;

use std::fmt;

use crate::{source::Source, tree::Tree};

/// Something out of order.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    what: String,
}

impl Finding {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Finding {
        Finding { path: path.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

type Rule = fn(&Tree) -> Vec<Finding>;

const RULES: &[Rule] = &[
    parses,
    lengths::lines,
    lengths::files,
    functions::lengths,
    heads::present,
    names::foreign_words,
    names::vague_names,
    names::leftovers,
    modules::no_mod_rs,
    modules::no_dead_files,
    arrows::between_crates,
    arrows::to_packages,
    paths::in_backticks,
    paths::of_links,
    paths::of_functions,
    paths::of_methods,
    fingerprints::current,
    machine::paths,
];

/// What all rules find, in the order of the files.
pub(crate) fn findings(tree: &Tree) -> Vec<Finding> {
    let mut findings: Vec<Finding> = RULES.iter().flat_map(|rule| rule(tree)).collect();
    findings.sort();
    findings
}

/// Every `.rs` file is Rust; the other rules see nothing in one that is not.
fn parses(tree: &Tree) -> Vec<Finding> {
    let broken = tree.sources().iter().filter_map(|Source { path, file, .. }| Some((path, file.as_ref().err()?)));
    broken.map(|(path, error)| Finding::new(path, error.span().start().line, format!("not Rust: {error}"))).collect()
}

#[cfg(test)]
mod tests;
