//! The chores of the house: `tidy` says what is out of order, `fingerprint` renews the marks in `docs/format.md`,
//! `golden` writes the store that a new format is to be read by, `performance` the tables and plots of what was
//! measured, `mutants` says what no test notices.
//!
//! Invariant: `tidy` only reads; its exit code is 0 exactly when it printed no finding.
//!
//! Knows nothing of what the crates do, only of their files.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that answers on its output")]

mod fingerprint;
mod golden;
mod mutants;
mod performance;
mod source;
mod tidy;
mod tree;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use tree::Tree;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        ["tidy"] => tidy(&root()),
        ["fingerprint"] => fingerprint::renew(&root()),
        ["golden", name] => golden::write(&root(), name),
        ["performance"] => performance::renew(&root()),
        ["mutants", ..] => mutants::run(&root(), &arguments[1..]),
        _ => Err("usage: cargo run -p xtask -- tidy | fingerprint | golden vN | performance | mutants DIR".to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn tidy(root: &Path) -> Result<(), String> {
    let tree = Tree::read(root)?;
    let mut findings: Vec<String> = tidy::findings(&tree).iter().map(ToString::to_string).collect();
    let outdated = performance::outdated(root)?;
    findings.extend(outdated.iter().map(|path| format!("{path}: not as measured; cargo run -p xtask -- performance")));
    for finding in &findings {
        println!("{finding}");
    }
    if findings.is_empty() {
        println!("tidy: {} files in order", tree.files().count());
        return Ok(());
    }
    Err(format!("tidy: {} findings", findings.len()))
}

/// The folder above the one this package was built from.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
