use std::collections::BTreeMap;

use super::*;
use crate::fingerprint;

fn tree(files: &[(&str, &str)]) -> Tree {
    Tree::of(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect::<BTreeMap<_, _>>())
}

/// The findings of one rule, a line each.
fn found(rule: Rule, files: &[(&str, &str)]) -> String {
    let lines: Vec<String> = rule(&tree(files)).iter().map(Finding::to_string).collect();
    lines.join("\n")
}

/// Demands one finding in the bad tree that says `what`, and none in the good one.
fn check(rule: Rule, bad: &[(&str, &str)], what: &str, good: &[(&str, &str)]) {
    let findings = rule(&tree(bad));
    assert_eq!(findings.len(), 1, "{findings:?} for {bad:?}");
    assert_eq!(findings[0].to_string(), what);
    assert_eq!(found(rule, good), "");
}

const TYPES: &str = "[package]\nname = \"milepost-types\"\n";
const LOG: &str = "[package]\nname = \"milepost-log\"\n";

#[test]
fn a_file_that_is_no_rust_is_found() {
    check(
        parses,
        &[("a/src/lib.rs", "//! A.\nfn f( {}\n")],
        "a/src/lib.rs:2: not Rust: cannot parse string into token stream",
        &[("a/src/lib.rs", "//! A.\nfn f() {}\n")],
    );
}

#[test]
fn a_line_is_counted_in_characters() {
    let (good, bad) = (format!("// {}\n", "ü".repeat(117)), format!("\n// {}\n", "ü".repeat(118)));
    check(lengths::lines, &[("a.rs", &bad)], "a.rs:2: line of 121 characters, at most 120", &[("a.rs", &good)]);
}

#[test]
fn a_line_with_a_literal_may_be_long() {
    let text = "a".repeat(120);
    for (line, findings) in [
        (format!("const A: &str = \"{text}\";"), 0),
        (format!("const A: &str = r#\"\n{text}\"#;"), 0),
        (format!("/// {text}\nfn f() {{}}"), 1),
        (format!("//! {text}"), 1),
        (format!("const A: u8 = 1; // \n//{text}"), 1),
    ] {
        assert_eq!(lengths::lines(&tree(&[("a.rs", &line)])).len(), findings, "{line}");
    }
}

#[test]
fn a_long_file_is_found_unless_it_is_tests() {
    let (good, bad) = ("//\n".repeat(600), "//\n".repeat(601));
    let what = "a/src/b.rs:1: file of 601 lines, at most 600: split it";
    check(lengths::files, &[("a/src/b.rs", &bad)], what, &[("a/src/b.rs", &good), ("a/src/b/tests.rs", &bad)]);
}

#[test]
fn an_exception_for_a_file_falls_and_never_rises() {
    let cases = [
        (700, ""),
        (701, "a.rs:1: file of 701 lines, at most 700: split it"),
        (650, "a.rs:1: exception for 700 lines, has 650: lower to 650"),
        (600, "a.rs:1: exception for 700 lines, has 600: remove its exception"),
    ];
    for (lines, what) in cases {
        let text = "//\n".repeat(lines);
        let findings = lengths::files_except(&tree(&[("a.rs", &text)]), &[("a.rs", 700)]);
        assert_eq!(findings.iter().map(Finding::to_string).collect::<Vec<_>>().join("\n"), what, "{lines} lines");
    }
}

#[test]
fn a_long_function_is_found_in_every_place() {
    let body = |lines: usize| format!("{{\n{}}}\n", "    f();\n".repeat(lines - 2));
    for (open, close) in [("", ""), ("impl A {\n", "}\n"), ("trait A {\n", "}\n"), ("mod m {\n", "}\n")] {
        let source = |lines| format!("{open}/// Not counted.\n#[inline]\nfn f() {}{close}", body(lines));
        let first = if open.is_empty() { 3 } else { 4 };
        let what = format!("a.rs:{first}: function f of 71 lines, at most 70: split it");
        let (good, bad) = (source(70), source(71));
        check(functions::lengths, &[("a.rs", &bad)], &what, &[("a.rs", &good), ("a/tests.rs", &bad)]);
    }
}

#[test]
fn an_exception_for_a_function_falls_and_never_rises() {
    for (lines, what) in [
        (80, ""),
        (81, "a.rs:1: function f of 81 lines, at most 80: split it"),
        (79, "a.rs:1: exception for f of 80 lines, has 79: lower it"),
    ] {
        let text = format!("fn f() {{\n{}}}\n", "    f();\n".repeat(lines - 2));
        let findings = functions::lengths_except(&tree(&[("a.rs", &text)]), &[("a.rs", "f", 80)]);
        assert_eq!(findings.iter().map(Finding::to_string).collect::<Vec<_>>().join("\n"), what, "{lines} lines");
    }
}

#[test]
fn a_file_without_a_head_is_found() {
    check(
        heads::present,
        &[("a/src/b.rs", "use std::fmt;\n")],
        "a/src/b.rs:1: opens without `//!`: say what it is, and its invariant",
        &[
            ("a/src/b.rs", "//! B.\n"),
            ("a/src/b/tests.rs", "use super::*;\n"),
            ("a/build.rs", "fn main() {}\n"),
            ("a/tests/it/case.rs", "use std::fs;\n"),
        ],
    );
    for root in ["a/tests/it.rs", "a/tests/it/main.rs"] {
        assert_eq!(heads::present(&tree(&[(root, "mod case;\n")])).len(), 1, "{root}");
    }
}

#[test]
fn a_synonym_is_found_as_a_word_of_a_name() {
    for (name, word, term) in [
        ("last_lsn", "lsn", "seq"),
        ("Lsn", "lsn", "seq"),
        ("SSTable", "sstable", "run"),
        ("namespace_id", "namespace", "scope"),
        ("KeyRevision", "revision", "version, or seq"),
        ("TXN_MAX", "txn", "commit"),
    ] {
        let bad = format!("fn f() {{\n    let {name} = 1;\n}}\n");
        let what = format!("a.rs:2: `{name}` says {word}, here it is called {term}");
        let good = format!("//! {name} in prose.\nconst A: &str = \"{name}\";\nfn pulsnow() {{}}\n");
        check(names::foreign_words, &[("a.rs", &bad)], &what, &[("a.rs", &good)]);
    }
    let peer = "benches/milepost-bench-compare/src/peers/a.rs";
    let (bad, beside) = ("fn f(txn: u8) {}\n", "benches/milepost-bench-compare/src/a.rs");
    let what = format!("{beside}:1: `txn` says txn, here it is called commit");
    check(names::foreign_words, &[(beside, bad)], &what, &[(peer, bad)]);
}

#[test]
fn a_name_falls_into_its_words() {
    for (name, words) in [
        ("seq", "seq"),
        ("SegmentId", "segment id"),
        ("FILE_BYTES_MAX", "file bytes max"),
        ("SSTableId", "sstable id"),
        ("_unused", "unused"),
        ("__", ""),
    ] {
        assert_eq!(names::words(name).join(" "), words, "{name}");
    }
}

#[test]
fn a_name_that_says_nothing_is_found() {
    for (item, name) in [
        ("struct LogManager;", "LogManager"),
        ("enum ReadHandler {}", "ReadHandler"),
        ("mod util;", "util"),
        ("mod a { trait IoHelper {} }", "IoHelper"),
    ] {
        let what = format!("a.rs:1: `{name}` does not say what it is; name the thing");
        let good = "struct Managers; fn common() {}";
        check(names::vague_names, &[("a.rs", item)], &what, &[("a.rs", good)]);
    }
}

#[test]
fn what_was_left_for_later_is_found_in_every_kind_of_file() {
    for word in [concat!("FIX", "ME"), concat!("TO", "DO"), concat!("X", "XX")] {
        for path in ["a.rs", "docs/a.md", ".ci/run"] {
            let (bad, good) = (format!("\n# {word}: later\n"), format!("mktemp a.{word}{word}; {word}S\n"));
            let what = format!("{path}:2: {word}: do it now, or file it");
            check(names::leftovers, &[(path, &bad)], &what, &[(path, &good)]);
        }
    }
}

#[test]
fn a_module_without_a_name_of_its_own_is_found() {
    check(
        modules::no_mod_rs,
        &[("a/src/b/mod.rs", "//! B.\n")],
        "a/src/b/mod.rs:1: name the file for its module: `foo.rs` beside `foo/`",
        &[("a/src/b.rs", "//! B.\n")],
    );
}

#[test]
fn a_file_that_nothing_declares_is_found() {
    let manifest = ("a/Cargo.toml", "[package]\nname = \"a\"\n");
    check(
        modules::no_dead_files,
        &[manifest, ("a/src/lib.rs", "// mod b;\n"), ("a/src/b.rs", "")],
        "a/src/b.rs:1: no `mod` leads here: declare it or remove it",
        &[
            manifest,
            ("a/src/lib.rs", "mod b;\nmod inner { mod deep; }\n"),
            ("a/src/b.rs", "mod c;\n#[path = \"elsewhere.rs\"]\nmod d;\n#[cfg(test)]\nmod tests;\n"),
            ("a/src/b/c.rs", ""),
            ("a/src/b/tests.rs", ""),
            ("a/src/elsewhere.rs", ""),
            ("a/src/inner/deep.rs", ""),
            ("a/src/bin/tool.rs", ""),
            ("a/tests/it.rs", "mod case;\n"),
            ("a/tests/case.rs", ""),
            ("a/tests/long/main.rs", "mod case;\n"),
            ("a/tests/long/case.rs", ""),
            ("a/examples/e.rs", ""),
            ("a/build.rs", ""),
        ],
    );
}

#[test]
fn a_file_outside_of_every_package_is_dead() {
    let what = "b/src/lib.rs:1: no `mod` leads here: declare it or remove it";
    check(modules::no_dead_files, &[("b/src/lib.rs", "")], what, &[]);
}

#[test]
fn an_arrow_that_points_up_is_found() {
    let up = format!("{TYPES}[dependencies]\nmilepost-log.workspace = true\n");
    let down = format!("{LOG}[dependencies]\nmilepost-types.workspace = true\n");
    let test_only = format!("{TYPES}[dev-dependencies]\nmilepost-log.workspace = true\n");
    check(
        arrows::between_crates,
        &[("crates/t/Cargo.toml", &up)],
        "crates/t/Cargo.toml:1: milepost-types must not depend on milepost-log: the arrow points up or aside",
        &[("crates/t/Cargo.toml", &test_only), ("crates/l/Cargo.toml", &down)],
    );
}

#[test]
fn a_crate_without_a_row_is_found() {
    check(
        arrows::between_crates,
        &[("crates/n/Cargo.toml", "[package]\nname = \"milepost-novel\"\n")],
        "crates/n/Cargo.toml:1: milepost-novel has no row in the table of arrows of xtask",
        &[("crates/t/Cargo.toml", TYPES)],
    );
}

#[test]
fn a_package_in_the_wrong_crate_is_found() {
    let with = |head: &str, package: &str| format!("{head}[dependencies]\n{package} = \"1\"\n");
    let path = "crates/c/Cargo.toml";
    for (bad, what) in [
        (with(LOG, "tokio"), "milepost-log must not depend on tokio: the service's business"),
        (with(LOG, "memmap2"), "milepost-log must not depend on memmap2: maps are made in milepost-io alone"),
        (with(LOG, "rand"), "milepost-log must not depend on rand: randomness comes in through milepost-io"),
        (with(TYPES, "serde"), "milepost-types: the nouns must not depend on serde"),
    ] {
        let findings = found(arrows::to_packages, &[(path, &bad)]);
        let what = what.replace("milepost-types:", "milepost-types");
        assert!(findings.starts_with(&format!("{path}:1: {what}")), "{findings}");
    }
    let good = with(TYPES, "thiserror");
    assert_eq!(found(arrows::to_packages, &[(path, &good), ("crates/l/Cargo.toml", &with(LOG, "crc32fast"))]), "");
}

#[test]
fn a_path_in_backticks_that_leads_nowhere_is_found() {
    check(
        paths::in_backticks,
        &[("docs/a.md", "Read\n`docs/b.md`.\n")],
        "docs/a.md:2: `docs/b.md` does not exist",
        &[
            ("docs/a.md", "`docs/b.md`, `docs/b.md:3`, `docs/`, `task/etl/0`, `docs/<x>.md`\n```\n`docs/c.md`\n```\n"),
            ("docs/b.md", ""),
        ],
    );
}

#[test]
fn a_function_that_is_not_in_its_file_is_found() {
    check(
        paths::of_functions,
        &[("docs/a.md", "`a/tests/it.rs::gone`\n"), ("a/tests/it.rs", "fn gone_by() {}")],
        "docs/a.md:1: `a/tests/it.rs` has no function gone",
        &[("docs/a.md", "`a/tests/it.rs::here` `other::here`\n"), ("a/tests/it.rs", "fn here() {}")],
    );
}

#[test]
fn a_method_that_is_not_there_is_found() {
    let page = |text: &'static str| ("docs/architecture.md", text);
    check(
        paths::of_methods,
        &[page("`Store::set`\n"), ("a/lib.rs", "impl Stores {\n    fn set() {}\n}\n")],
        "docs/architecture.md:1: no `impl` of Store has a function set",
        &[page("`Store::set` `At::Time` `a::b`\n"), ("a/lib.rs", "impl<T> Store<T> {\n    pub fn set(&self) {}\n}\n")],
    );
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    check(
        paths::of_links,
        &[("docs/a.md", "[b](decisions/b.md#why)\n")],
        "docs/a.md:1: link to `decisions/b.md`, which does not exist",
        &[("docs/a.md", "[r](../README.md) [a](#here) [e](https://example.org)\n"), ("README.md", "[d](docs/)\n")],
    );
}

#[test]
fn a_link_out_of_the_repository_leads_nowhere() {
    assert_eq!(paths::resolve("docs/a.md", "../../b.md"), None);
    assert_eq!(paths::resolve("docs/a.md", ".././b/c.md").as_deref(), Some("b/c.md"));
}

#[test]
fn a_module_that_changed_under_its_page_is_found() {
    let path = "crates/l/src/format.rs";
    let mark = |text: &str| format!("<!-- fingerprint: {path} {} -->\n", fingerprint::of(text));
    let (stale, fresh) = (mark("//! Before.\n"), mark("//! Now.\n"));
    check(
        fingerprints::current,
        &[("docs/format.md", &stale), (path, "//! Now.\n")],
        "docs/format.md:1: crates/l/src/format.rs has changed: bring the page up to date, then run xtask fingerprint",
        &[("docs/format.md", &fresh), (path, "//! Now.\n"), ("crates/l/src/format/tests.rs", "")],
    );
    check(
        fingerprints::current,
        &[("docs/format.md", &fresh)],
        "docs/format.md:1: fingerprint of crates/l/src/format.rs, which is gone",
        &[],
    );
}

#[test]
fn a_module_of_a_format_without_a_mark_is_found() {
    for path in ["crates/l/src/format.rs", "crates/l/src/format/frame.rs", "crates/t/src/body/varint.rs"] {
        let what = format!("{path}:1: bytes of a file are made here, but docs/format.md has no fingerprint of it");
        check(fingerprints::current, &[(path, "")], &what, &[("crates/l/src/reader.rs", "")]);
    }
}

#[test]
fn fingerprints_are_renewed_in_place() {
    let page = "# Bytes\n<!-- fingerprint: a.rs 00000000 -->\n<!-- fingerprint: b.rs -->\nEnd.\n";
    let renewed = fingerprint::renewed(page, |path| Ok(format!("text of {path}"))).unwrap();
    let (a, b) = (fingerprint::of("text of a.rs"), fingerprint::of("text of b.rs"));
    let expected = format!("# Bytes\n<!-- fingerprint: a.rs {a} -->\n<!-- fingerprint: b.rs {b} -->\nEnd.\n");
    assert_eq!(renewed, expected);
    assert_ne!(a, b);
    assert_eq!(fingerprint::renewed(page, |_| Err("gone".to_owned())), Err("gone".to_owned()));
}

#[test]
fn a_folder_of_one_machine_is_found() {
    for folder in [concat!("/wo", "rk/"), concat!("/ro", "ot/")] {
        let (bad, good) = (format!("see {folder}main\n"), format!("see docs{folder}main and {}\n", &folder[..5]));
        let what = format!("docs/a.md:1: names {folder}, a folder of one machine");
        check(machine::paths, &[("docs/a.md", &bad)], &what, &[("docs/a.md", &good)]);
    }
}

#[test]
fn every_rule_runs_and_the_findings_are_in_order() {
    let bad = [("b/src/lib.rs", "struct Util;\n"), ("a/src/lib.rs", "//! A.\nstruct Lsn;\n")];
    let findings = findings(&tree(&bad));
    assert!(findings.is_sorted());
    // Two dead files, a head that is missing, and two names.
    assert_eq!(findings.len(), 5, "{findings:?}");
}
