//! What every file opens with.

use super::Finding;
use crate::tree::Tree;

/// Every file opens with `//!`: what it is, its invariant, what it must not know. A `tests.rs` says so by its name.
pub(super) fn present(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in tree.sources() {
        let excepted = source.path.ends_with("/tests.rs") || source.path.ends_with("/build.rs");
        if !excepted && !source.text.starts_with("//! ") {
            findings.push(Finding::new(&source.path, 1, "opens without `//!`: say what it is, and its invariant"));
        }
    }
    findings
}
