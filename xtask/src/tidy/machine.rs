//! The repository speaks of itself: nothing in it depends on where somebody keeps a copy.

use super::Finding;
use crate::tree::Tree;

/// Folders of one machine. Spelled apart, so that this file does not find itself.
const FOLDERS: &[&str] = &[concat!("/wo", "rk/"), concat!("/ro", "ot/")];

/// No file names a folder of somebody's machine.
pub(super) fn paths(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.files() {
        for (index, line) in text.lines().enumerate() {
            if let Some(folder) = FOLDERS.iter().find(|folder| names(line, folder)) {
                findings.push(Finding::new(path, index + 1, format!("names {folder}, a folder of one machine")));
            }
        }
    }
    findings
}

/// Whether a line holds `folder` as the beginning of a path, not inside of one.
fn names(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && !"._-*}>".contains(c))
    })
}
