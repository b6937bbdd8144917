//! What every file opens with.

use super::Finding;
use crate::{source::Source, tree::Tree};

/// Every file opens with `//!`: what it is, its invariant, what it must not know. A file of tests says so by its name,
/// and the root of an integration binary speaks for its modules.
pub(super) fn present(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in tree.sources() {
        let excepted =
            source.path.ends_with("/tests.rs") || source.path.ends_with("/build.rs") || is_module_of_tests(source);
        if !excepted && !source.text.starts_with("//! ") {
            findings.push(Finding::new(&source.path, 1, "opens without `//!`: say what it is, and its invariant"));
        }
    }
    findings
}

fn is_module_of_tests(source: &Source) -> bool {
    match source.path.split_once("/tests/") {
        Some((_, below)) => below.contains('/') && !below.ends_with("/main.rs"),
        None => false,
    }
}
