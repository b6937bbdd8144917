//! How long lines and files may be.

use super::{Finding, ratchet};
use crate::tree::Tree;

const LINE_CHARACTERS_MAX: usize = 120;

/// Lines of a file without its tests.
pub(super) const FILE_LINES_MAX: usize = 600;

/// No line of Rust is longer than the formatter's width, which does not break comments. A line with a literal may be: a
/// message in one piece can be searched for.
pub(super) fn lines(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in tree.sources() {
        let long = source.text.lines().map(|line| line.chars().count()).enumerate();
        let long: Vec<_> = long.filter(|(_, characters)| *characters > LINE_CHARACTERS_MAX).collect();
        let literals = if long.is_empty() { Default::default() } else { source.lines_of_literals() };
        for (index, characters) in long {
            if !literals.contains(&(index + 1)) {
                let what = format!("line of {characters} characters, at most {LINE_CHARACTERS_MAX}");
                findings.push(Finding::new(&source.path, index + 1, what));
            }
        }
    }
    findings
}

/// No file is longer than a reader can hold.
pub(super) fn files(tree: &Tree) -> Vec<Finding> {
    files_except(tree, ratchet::FILES)
}

pub(super) fn files_except(tree: &Tree, exceptions: &[(&str, usize)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in tree.sources().iter().filter(|source| !source.is_test()) {
        let lines = source.text.lines().count();
        let exception = exceptions.iter().find(|(path, _)| *path == source.path);
        let max = exception.map_or(FILE_LINES_MAX, |(_, lines)| *lines);
        if lines > max {
            findings.push(Finding::new(&source.path, 1, format!("file of {lines} lines, at most {max}: split it")));
        }
    }
    for (path, max) in exceptions {
        let lines = tree.text(path).map_or(0, |text| text.lines().count());
        if lines < *max {
            let to =
                if lines <= FILE_LINES_MAX { "remove its exception".to_owned() } else { format!("lower to {lines}") };
            findings.push(Finding::new(path, 1, format!("exception for {max} lines, has {lines}: {to}")));
        }
    }
    findings
}
