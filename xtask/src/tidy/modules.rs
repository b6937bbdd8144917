//! Which files are modules: each is reached from a root of its package, and is named for itself.

use std::collections::BTreeSet;

use syn::{Expr, Item, ItemMod, Lit, Meta};

use super::Finding;
use crate::{source::Source, tree::Tree};

/// A tab should have a name: `foo.rs` with `foo/`, never a file that is called like all others.
pub(super) fn no_mod_rs(tree: &Tree) -> Vec<Finding> {
    let named = tree.sources().iter().filter(|source| source.path.ends_with("/mod.rs"));
    named.map(|source| Finding::new(&source.path, 1, "name the file for its module: `foo.rs` beside `foo/`")).collect()
}

/// Every file is compiled: reached by `mod` from a root of its package.
pub(super) fn no_dead_files(tree: &Tree) -> Vec<Finding> {
    let packages: Vec<&str> = tree.packages().collect();
    let mut reached = BTreeSet::new();
    for source in tree.sources().iter().filter(|source| is_root(&packages, &source.path)) {
        reach(tree, source, &mut reached);
    }
    let dead = tree.sources().iter().filter(|source| !reached.contains(&source.path));
    dead.map(|source| Finding::new(&source.path, 1, "no `mod` leads here: declare it or remove it")).collect()
}

/// Whether a package's build starts at this file.
fn is_root(packages: &[&str], path: &str) -> bool {
    let package = packages.iter().filter(|package| path.starts_with(&format!("{package}/"))).max_by_key(|p| p.len());
    let Some(rest) = package.and_then(|package| path.get(package.len() + 1..)) else {
        return false;
    };
    match rest.split('/').collect::<Vec<_>>()[..] {
        ["build.rs"] | ["src", "lib.rs" | "main.rs"] => true,
        ["src", "bin", _] | ["tests" | "benches" | "examples" | "fuzz_targets", _] => true,
        // A folder of its own: `tests/it/main.rs`.
        ["tests" | "benches" | "examples", _, "main.rs"] => true,
        _ => false,
    }
}

fn reach(tree: &Tree, source: &Source, reached: &mut BTreeSet<String>) {
    if !reached.insert(source.path.clone()) {
        return;
    }
    let Ok(file) = &source.file else {
        return;
    };
    let mut candidates = Vec::new();
    declared(&file.items, folder_of(&source.path), &folder(&source.path), &mut candidates);
    for path in candidates {
        if let Some(module) = tree.source(&path) {
            reach(tree, module, reached);
        }
    }
}

/// Where the files may stand that these items declare. `beside` is the folder of the file, `below` that of its modules.
fn declared(items: &[Item], beside: &str, below: &str, candidates: &mut Vec<String>) {
    for item in items {
        let Item::Mod(module) = item else {
            continue;
        };
        match (&module.content, path_attribute(module)) {
            (Some((_, items)), _) => declared(items, beside, &format!("{below}/{}", module.ident), candidates),
            (None, Some(path)) => candidates.push(format!("{beside}/{path}")),
            (None, None) => {
                candidates.push(format!("{below}/{}.rs", module.ident));
                candidates.push(format!("{below}/{}/mod.rs", module.ident));
            }
        }
    }
}

fn path_attribute(module: &ItemMod) -> Option<String> {
    module.attrs.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(text.value()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    })
}

/// Where the modules of a file stand: beside it for a root, else in the folder of its name.
fn folder(path: &str) -> String {
    let roots = ["lib.rs", "main.rs", "mod.rs"];
    let name = path.rsplit('/').next().unwrap_or(path);
    let beside = roots.contains(&name) || path.contains("/src/bin/") || is_flat(path);
    if beside { folder_of(path).to_owned() } else { path.trim_end_matches(".rs").to_owned() }
}

/// A root such as `tests/it.rs`, whose modules stand beside it.
fn is_flat(path: &str) -> bool {
    let parent = folder_of(path).rsplit('/').next().unwrap_or_default();
    ["tests", "benches", "examples", "fuzz_targets"].contains(&parent) && !path.contains("/src/")
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}
