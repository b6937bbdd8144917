//! What can be changed: the list that `cargo mutants` makes.
//!
//! Invariant: a mutant's number is its place in the list, from 1 on; 0 is the program as it is.
//!
//! Knows nothing of what is done with them.

use std::{ops::Range, path::Path, process::Command};

use serde_json::Value;

/// A change of the program that a test should notice.
pub(super) struct Mutant {
    pub(super) id: u32,
    /// What it is, with its place, as `cargo mutants` prints it.
    pub(super) name: String,
    /// From the top of the tree.
    pub(super) file: String,
    pub(super) package: String,
    pub(super) genre: Genre,
    pub(super) replacement: String,
    /// What of the file it stands for, as (line, column) from 1 on.
    pub(super) from: (usize, usize),
    /// What the function returns, as the source has it.
    returns: String,
}

/// What kind of change it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Genre {
    /// The whole function answers something else.
    Body,
    Binary,
    Unary,
    /// An arm of a `match` is not there.
    Arm,
    /// The condition of an arm is always or never met.
    Guard,
    /// A field is what the base of the struct has.
    Field,
}

impl Mutant {
    /// Whether both answers of the function would have to be of one unnamed type.
    pub(super) fn is_of_unnamed_type(&self) -> bool {
        self.genre == Genre::Body && self.returns.contains("impl ")
    }
}

/// All mutants of some packages, in the order of the packages and of their files.
pub(super) fn list(root: &Path, packages: &[String]) -> Result<Vec<Mutant>, String> {
    let mut mutants = Vec::new();
    for package in packages {
        let listed = Command::new("cargo")
            .args(["mutants", "--list", "--json", "-p", package])
            .current_dir(root)
            .output()
            .map_err(|error| format!("run cargo mutants: {error}"))?;
        if !listed.status.success() {
            let said = String::from_utf8_lossy(&listed.stderr);
            return Err(format!("cargo mutants --list -p {package} (cargo install cargo-mutants?): {said}"));
        }
        let values: Vec<Value> =
            serde_json::from_slice(&listed.stdout).map_err(|error| format!("{package}: {error}"))?;
        for value in &values {
            let id = u32::try_from(mutants.len() + 1).map_err(|error| error.to_string())?;
            let mutant =
                parse(id, value).ok_or_else(|| format!("cargo mutants listed what is not known here: {value}"))?;
            mutants.push(mutant);
        }
    }
    Ok(mutants)
}

pub(super) fn parse(id: u32, value: &Value) -> Option<Mutant> {
    let text = |name: &str| Some(value.get(name)?.as_str()?.to_owned());
    let start = value.get("span")?.get("start")?;
    let number = |name: &str| usize::try_from(start.get(name)?.as_u64()?).ok();
    let returns = value.get("function").and_then(|function| function.get("return_type")?.as_str());
    Some(Mutant {
        id,
        name: text("name")?,
        file: text("file")?,
        package: text("package")?,
        genre: match value.get("genre")?.as_str()? {
            "FnValue" => Genre::Body,
            "BinaryOperator" => Genre::Binary,
            "UnaryOperator" => Genre::Unary,
            "MatchArm" => Genre::Arm,
            "MatchArmGuard" => Genre::Guard,
            "StructField" => Genre::Field,
            _ => return None,
        },
        replacement: text("replacement")?,
        from: (number("line")?, number("column")?),
        returns: returns.unwrap_or_default().to_owned(),
    })
}

/// Where lines begin in a text, for places told by line and column.
pub(super) struct Lines<'a> {
    text: &'a str,
    begins: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Lines<'a> {
        let begins = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Lines { text, begins }
    }

    /// The byte of a line, counted from 1, and of a column in characters, counted from 0.
    pub(super) fn byte(&self, line: usize, column: usize) -> usize {
        let begin = self.begins[line - 1];
        let rest = &self.text[begin..];
        begin + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at)
    }

    pub(super) fn bytes(&self, span: proc_macro2::Span) -> Range<usize> {
        let (start, end) = (span.start(), span.end());
        self.byte(start.line, start.column)..self.byte(end.line, end.column)
    }
}
