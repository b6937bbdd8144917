//! The page that draws the bytes was read when their modules changed.

use super::Finding;
use crate::{
    fingerprint::{self, PAGE},
    tree::Tree,
};

/// Every module of a format has its fingerprint in the page, and it is the current one.
pub(super) fn current(tree: &Tree) -> Vec<Finding> {
    let page = tree.text(PAGE).unwrap_or_default();
    let marks = fingerprint::marks(page);
    let mut findings = Vec::new();
    for mark in &marks {
        match tree.text(mark.path) {
            None => {
                findings.push(Finding::new(PAGE, mark.line, format!("fingerprint of {}, which is gone", mark.path)))
            }
            Some(text) if fingerprint::of(text) != mark.value => {
                let what = format!("{} has changed: bring the page up to date, then run xtask fingerprint", mark.path);
                findings.push(Finding::new(PAGE, mark.line, what));
            }
            Some(_) => {}
        }
    }
    for source in tree.sources().iter().filter(|source| is_format(&source.path) && !source.is_test()) {
        if !marks.iter().any(|mark| mark.path == source.path) {
            let what = format!("bytes of a file are made here, but {PAGE} has no fingerprint of it");
            findings.push(Finding::new(&source.path, 1, what));
        }
    }
    findings
}

/// Whether a module says what the bytes of a file are.
fn is_format(path: &str) -> bool {
    let in_crate = path.starts_with("crates/");
    in_crate && (path.ends_with("/format.rs") || path.contains("/format/") || path.contains("/src/body"))
}
