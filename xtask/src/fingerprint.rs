//! Fingerprints: marks in a page by which it is seen that the modules it describes have changed since.
//!
//! A mark is the line `<!-- fingerprint: PATH CRC32 -->`.

use std::{fs, path::Path};

/// The page that draws every byte.
pub(crate) const PAGE: &str = "docs/format.md";

const OPENING: &str = "<!-- fingerprint: ";
const CLOSING: &str = " -->";

/// A mark in a page.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mark<'a> {
    pub(crate) path: &'a str,
    pub(crate) value: &'a str,
    pub(crate) line: usize,
}

/// The fingerprint of a module.
pub(crate) fn of(text: &str) -> String {
    format!("{:08x}", crc32fast::hash(text.as_bytes()))
}

/// The marks of a page.
pub(crate) fn marks(page: &str) -> Vec<Mark<'_>> {
    let lines = page.lines().enumerate();
    lines.filter_map(|(index, line)| mark(line).map(|(path, value)| Mark { path, value, line: index + 1 })).collect()
}

fn mark(line: &str) -> Option<(&str, &str)> {
    let inner = line.strip_prefix(OPENING)?.strip_suffix(CLOSING)?;
    Some(inner.split_once(' ').unwrap_or((inner, "")))
}

/// The page with every mark made anew by `read`, which gives the text of a module.
pub(crate) fn renewed(page: &str, mut read: impl FnMut(&str) -> Result<String, String>) -> Result<String, String> {
    let mut lines = Vec::new();
    for line in page.lines() {
        match mark(line) {
            Some((path, _)) => lines.push(format!("{OPENING}{path} {}{CLOSING}\n", of(&read(path)?))),
            None => lines.push(format!("{line}\n")),
        }
    }
    Ok(lines.concat())
}

/// Renews the marks of the page in place. To be run after the page was read against the modules, not instead.
pub(crate) fn renew(root: &Path) -> Result<(), String> {
    let read = |path: &str| fs::read_to_string(root.join(path)).map_err(|error| format!("{path}: {error}"));
    let page = renewed(&read(PAGE)?, read)?;
    fs::write(root.join(PAGE), page).map_err(|error| format!("{PAGE}: {error}"))
}
