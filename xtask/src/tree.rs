//! [`Tree`]: the files of the repository by path, with their text.
//!
//! Invariant: paths are relative to the root and written with `/`; what git ignores is not in it. A file that is not
//! UTF-8 is there by name, with no text.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use crate::source::Source;

/// Every file of the repository.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    files: BTreeMap<String, String>,
    sources: Vec<Source>,
}

impl Tree {
    /// Reads what git tracks or would track.
    pub(crate) fn read(root: &Path) -> Result<Tree, String> {
        let mut files = BTreeMap::new();
        for path in listed(root)? {
            match fs::read(root.join(&path)) {
                Ok(bytes) => files.insert(path, String::from_utf8(bytes).unwrap_or_default()),
                // Removed, but not yet from the index; or a link to nowhere.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(format!("{path}: {error}")),
            };
        }
        Ok(Tree::of(files))
    }

    /// A tree of the given files.
    pub(crate) fn of(files: BTreeMap<String, String>) -> Tree {
        let rust = files.iter().filter(|(path, _)| path.ends_with(".rs"));
        let sources = rust.map(|(path, text)| Source::parse(path, text)).collect();
        Tree { files, sources }
    }

    /// Every file with its text.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Every Rust source.
    pub(crate) fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The source at a path.
    pub(crate) fn source(&self, path: &str) -> Option<&Source> {
        self.sources.iter().find(|source| source.path == path)
    }

    /// The text of the file at a path.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Whether a file or a folder stands at a path.
    pub(crate) fn holds(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let folder = format!("{path}/");
        self.files.contains_key(path)
            || self.files.range(folder.clone()..).next().is_some_and(|(found, _)| found.starts_with(&folder))
    }

    /// The folders that hold a package, without a slash at the end.
    pub(crate) fn packages(&self) -> impl Iterator<Item = &str> {
        self.files()
            .filter(|(_, text)| text.contains("[package]"))
            .filter_map(|(path, _)| path.strip_suffix("/Cargo.toml"))
    }
}

fn listed(root: &Path) -> Result<Vec<String>, String> {
    let output = Command::new("git")
        .current_dir(root)
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .output()
        .map_err(|error| format!("git: {error}; tidy reads the files that git lists"))?;
    if !output.status.success() {
        return Err(format!("git ls-files: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let names = output.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    names.map(|name| String::from_utf8(name.to_vec()).map_err(|error| format!("a file's name: {error}"))).collect()
}
