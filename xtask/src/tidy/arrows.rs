//! Which crate may depend on which.
//!
//! Invariant: an arrow points down, so what stands above a crate can be replaced without touching it.
//! `docs/architecture.md` draws the same in words.

use toml::Table;

use super::Finding;
use crate::tree::Tree;

/// Each of our packages, and those of ours it may depend on. A new arrow is a change of design: its own commit, and a
/// line in `docs/architecture.md`.
const ARROWS: &[(&str, &[&str])] = &[
    ("milepost-types", &[]),
    ("milepost-io", &["milepost-types"]),
    ("milepost-log", &["milepost-io", "milepost-types"]),
    ("milepost-index", &["milepost-io", "milepost-types"]),
    ("milepost-engine", &["milepost-log", "milepost-index", "milepost-io", "milepost-types"]),
    ("milepost-wire", &["milepost-types"]),
    ("milepost-client", &["milepost-wire", "milepost-types"]),
    ("milepost", &["milepost-engine", "milepost-client", "milepost-io", "milepost-types"]),
    ("milepost-server", &["milepost", "milepost-engine", "milepost-wire", "milepost-types"]),
    ("milepost-cli", &["milepost", "milepost-server", "milepost-types"]),
    ("milepost-python", &["milepost", "milepost-types"]),
    ("milepost-sim", &["milepost-engine", "milepost-log", "milepost-io", "milepost-types"]),
    ("milepost-machine", &[]),
    ("milepost-bench", &["milepost", "milepost-engine", "milepost-io", "milepost-machine", "milepost-types"]),
    ("milepost-haul", &["milepost", "milepost-machine"]),
    ("milepost-counts", &["milepost-engine", "milepost-io", "milepost-types"]),
    ("milepost-bench-compare", &["milepost", "milepost-engine", "milepost-io", "milepost-machine", "milepost-types"]),
    (
        "milepost-fuzz-targets",
        &[
            "milepost",
            "milepost-sim",
            "milepost-engine",
            "milepost-log",
            "milepost-index",
            "milepost-io",
            "milepost-types",
        ],
    ),
    ("milepost-fuzz", &["milepost-fuzz-targets"]),
    ("milepost-models", &[]),
    ("xtask", &[]),
];

/// Packages of others that only some of ours may use: what it is for, and who may.
const RESERVED: &[(&str, &str, &[&str])] = &[
    (
        "tokio",
        "the service's business; the engine's tickets are plain futures",
        &["milepost-server", "milepost-client", "milepost-python"],
    ),
    ("memmap2", "maps are made in milepost-io alone", &["milepost-io"]),
    ("rand", "randomness comes in through milepost-io", &[]),
];

/// What the nouns may use beside the standard library: they are compiled into everything.
const PACKAGES_OF_TYPES: &[&str] = &["thiserror", "xxhash-rust"];

/// Our crates depend on each other as the design draws it.
pub(super) fn between_crates(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages(tree) {
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == package.name) else {
            findings.push(package.finding("has no row in the table of arrows of xtask".to_owned()));
            continue;
        };
        for target in package.dependencies.iter().filter(|name| ARROWS.iter().any(|(ours, _)| ours == name)) {
            if !allowed.contains(&target.as_str()) {
                findings.push(package.finding(format!("must not depend on {target}: the arrow points up or aside")));
            }
        }
    }
    findings
}

/// Packages of others stay where they belong.
pub(super) fn to_packages(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages(tree) {
        for target in &package.dependencies {
            if package.name == "milepost-types" && !PACKAGES_OF_TYPES.contains(&target.as_str()) {
                findings.push(package.finding(format!("the nouns must not depend on {target}")));
            }
            let reserved = RESERVED.iter().find(|(name, _, users)| name == target && !users.contains(&&*package.name));
            if let Some((_, why, _)) = reserved {
                findings.push(package.finding(format!("must not depend on {target}: {why}")));
            }
        }
    }
    findings
}

struct Package {
    path: String,
    name: String,
    /// What it is built with. Tests may use what they like.
    dependencies: Vec<String>,
}

impl Package {
    fn finding(&self, what: String) -> Finding {
        Finding::new(&self.path, 1, format!("{} {what}", self.name))
    }
}

fn packages(tree: &Tree) -> Vec<Package> {
    let mut packages = Vec::new();
    for folder in tree.packages() {
        let path = format!("{folder}/Cargo.toml");
        let manifest = tree.text(&path).and_then(|text| text.parse::<Table>().ok()).unwrap_or_default();
        let name = manifest.get("package").and_then(|package| package.get("name")).and_then(|name| name.as_str());
        let tables = ["dependencies", "build-dependencies"].iter().filter_map(|table| manifest.get(*table)?.as_table());
        let dependencies = tables.flat_map(|table| table.keys().cloned()).collect();
        packages.push(Package { path, name: name.unwrap_or("unnamed").to_owned(), dependencies });
    }
    packages
}
