//! Writes what was measured into `docs/performance.md`: tables between its marks, and plots beside it.
//!
//! A table stands between the lines `<!-- measured: NAME -->` and `<!-- end -->`. What was measured is kept in
//! `docs/performance/*.jsonl`, as the comparison and the long haul print it.
//!
//! Invariant: every number between marks and in a plot is in one of those files; what stands around them is left alone.

mod numbers;
mod plots;
mod rows;
mod tables;

use std::{fs, path::Path};

use rows::Measured;

const PAGE: &str = "docs/performance.md";
const FOLDER: &str = "docs/performance";
const BEGIN: &str = "<!-- measured: ";
const END: &str = "<!-- end -->";

/// Renews tables and plots.
pub(crate) fn renew(root: &Path) -> Result<(), String> {
    let measured = Measured::read(&root.join(FOLDER))?;
    let page = root.join(PAGE);
    let old = fs::read_to_string(&page).map_err(|error| format!("{PAGE}: {error}"))?;
    let new = with_tables(&old, &mut |name| tables::table(name, &measured))?;
    fs::write(&page, new).map_err(|error| format!("{PAGE}: {error}"))?;
    for (name, plot) in plots::all(&measured)? {
        let path = root.join(FOLDER).join(name);
        fs::write(&path, plot).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

/// The page with other tables between its marks.
fn with_tables(page: &str, table: &mut dyn FnMut(&str) -> Result<String, String>) -> Result<String, String> {
    let (mut text, mut is_between) = (String::new(), false);
    for line in page.lines() {
        let name = line.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(" -->"));
        if let Some(name) = name {
            if is_between {
                return Err(format!("{PAGE}: `{line}` stands before the end of the mark above it"));
            }
            is_between = true;
            text.push_str(&format!("{line}\n\n{}\n{END}\n", table(name)?));
        } else if line == END {
            if !is_between {
                return Err(format!("{PAGE}: an end without a beginning"));
            }
            is_between = false;
        } else if !is_between {
            text.push_str(line);
            text.push('\n');
        }
    }
    if is_between { Err(format!("{PAGE}: the last mark has no `{END}`")) } else { Ok(text) }
}

/// What is not as it would be written now: a page or a plot that was changed by hand, or left behind.
pub(crate) fn outdated(root: &Path) -> Result<Vec<String>, String> {
    if !root.join(FOLDER).exists() {
        return Ok(Vec::new());
    }
    let measured = Measured::read(&root.join(FOLDER))?;
    let page = fs::read_to_string(root.join(PAGE)).map_err(|error| format!("{PAGE}: {error}"))?;
    let mut found = Vec::new();
    if with_tables(&page, &mut |name| tables::table(name, &measured))? != page {
        found.push(PAGE.to_owned());
    }
    for (name, plot) in plots::all(&measured)? {
        if fs::read_to_string(root.join(FOLDER).join(&name)).ok().as_ref() != Some(&plot) {
            found.push(format!("{FOLDER}/{name}"));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
