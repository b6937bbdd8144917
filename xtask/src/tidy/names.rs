//! Words that don't belong in the code: synonyms of our terms, names that say nothing, and what was left for later.

use syn::{Item, visit::Visit};

use super::Finding;
use crate::tree::Tree;

/// A banned word and the term that stands for it.
const SYNONYMS: &[(&str, &str)] =
    &[("lsn", "seq"), ("sstable", "run"), ("namespace", "scope"), ("revision", "version, or seq"), ("txn", "commit")];

/// Where other engines are called by the names that they gave themselves.
const FOREIGN_FOLDERS: &[&str] = &["benches/milepost-bench-compare/src/peers/"];

/// Endings of types that say nothing about the thing.
const VAGUE_ENDINGS: &[&str] = &["Manager", "Helper", "Helpers", "Util", "Utils", "Handler"];
const VAGUE_MODULES: &[&str] = &["common", "misc", "util", "utils", "helper", "helpers"];

/// Spelled apart, so that this file does not find itself.
const LEFTOVERS: &[&str] = &[concat!("FIX", "ME"), concat!("TO", "DO"), concat!("X", "XX")];

/// Identifiers use the terms of the design, no synonyms.
pub(super) fn foreign_words(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let is_ours = |path: &str| !FOREIGN_FOLDERS.iter().any(|folder| path.starts_with(folder));
    for source in tree.sources().iter().filter(|source| is_ours(&source.path)) {
        for name in source.names() {
            let words = words(&name.text);
            if let Some((word, term)) = SYNONYMS.iter().find(|(word, _)| words.iter().any(|found| found == word)) {
                let what = format!("`{}` says {word}, here it is called {term}", name.text);
                findings.push(Finding::new(&source.path, name.line, what));
            }
        }
    }
    findings
}

/// The words of an identifier in lower case: `SSTableId` and `sstable_id` are `sstable` and `id`.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = '_';
    for c in name.chars() {
        if c == '_' || (c.is_uppercase() && before.is_lowercase()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c != '_') {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Types and modules are named for what they are.
pub(super) fn vague_names(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in tree.sources() {
        let mut declared = Declared(Vec::new());
        if let Ok(file) = &source.file {
            declared.visit_file(file);
        }
        for ident in declared.0 {
            let name = ident.to_string();
            if VAGUE_ENDINGS.iter().any(|ending| name.ends_with(ending)) || VAGUE_MODULES.contains(&name.as_str()) {
                let what = format!("`{name}` does not say what it is; name the thing");
                findings.push(Finding::new(&source.path, ident.span().start().line, what));
            }
        }
    }
    findings
}

struct Declared(Vec<syn::Ident>);

impl<'ast> Visit<'ast> for Declared {
    fn visit_item(&mut self, item: &'ast Item) {
        let ident = match item {
            Item::Struct(item) => Some(&item.ident),
            Item::Enum(item) => Some(&item.ident),
            Item::Trait(item) => Some(&item.ident),
            Item::Type(item) => Some(&item.ident),
            Item::Mod(item) => Some(&item.ident),
            _ => None,
        };
        self.0.extend(ident.cloned());
        syn::visit::visit_item(self, item);
    }
}

/// Nothing is left for later in a comment; what must be done is done, or filed.
pub(super) fn leftovers(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.files() {
        for (index, line) in text.lines().enumerate() {
            let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            if let Some(word) = words.find(|word| LEFTOVERS.contains(word)) {
                findings.push(Finding::new(path, index + 1, format!("{word}: do it now, or file it")));
            }
        }
    }
    findings
}
