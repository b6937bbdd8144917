//! The whole program, on a thousandth of the data: every engine gives right answers in every figure.
//!
//! A wrong answer ends a run, so that a row is proof of right ones; what is tested here is that no row is left out.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    process::{Command, Output},
};

use serde_json::Value;

/// Those that are always there; --list names the others.
const ENGINES: [&str; 6] = ["milepost", "lmdb", "redb", "redb-quick", "fjall", "sqlite"];
/// Figures of Milepost alone.
const ALONE: [&str; 4] = ["get::by_time/", "commit::p50/", "commit::p99/", "scale::"];

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_milepost-bench-compare"));
    command.args(arguments).output().unwrap()
}

fn lines(output: &Output) -> Vec<String> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn every_engine_answers_in_every_figure() {
    let dir = tempfile::tempdir().unwrap();
    // PostgreSQL's server runs as another user if this is run by root.
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711)).unwrap();
    let (figures, engines): (Vec<_>, Vec<_>) =
        lines(&run(&["--list"])).into_iter().partition(|name| name.contains("::"));
    assert!(ENGINES.iter().all(|engine| engines.iter().any(|found| found == engine)), "{engines:?}");
    let only = engines.join(",");
    let arguments = ["--scale", "0.001", "--rounds", "2", "--large", "--only", &only, "-o", "jsonl", "--dir"];
    let printed = lines(&run(&[&arguments[..], &[dir.path().to_str().unwrap()]].concat()));
    let rows: Vec<Value> = printed.iter().skip(1).map(|line| serde_json::from_str(line).unwrap()).collect();
    let found: BTreeSet<(&str, &str)> =
        rows.iter().map(|row| (row["figure"].as_str().unwrap(), row["engine"].as_str().unwrap())).collect();

    assert!(figures.len() >= 19, "{figures:?}");
    for figure in &figures {
        if ALONE.iter().any(|alone| figure.starts_with(alone)) {
            let milepost = found.iter().any(|(name, engine)| name == figure && engine.starts_with("milepost"));
            assert!(milepost, "{figure}");
            continue;
        }
        for engine in &engines {
            assert!(found.contains(&(figure, engine)), "{figure} has no row of {engine}");
        }
    }
    for row in &rows {
        // Only the cost of a time over that of a commit may be below nothing.
        let least = match row["unit"].as_str().unwrap() {
            "nanoseconds" => f64::NEG_INFINITY,
            // No memory of its own, no read of the disk.
            "bytes" | "count" => 0.0,
            _ => f64::MIN_POSITIVE,
        };
        let in_order = ["min", "median", "max"].map(|name| row[name].as_f64().unwrap());
        assert!(in_order.is_sorted() && in_order[0] >= least, "{row}");
        assert!(row["sync_p50_us"].as_f64().unwrap() > 0.0, "{row}");
        // Of nothing there is no ratio.
        assert!(row["to_milepost"].is_number() || ["bytes", "count"].contains(&row["unit"].as_str().unwrap()), "{row}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "stores were left behind");
}

#[test]
fn engines_and_figures_can_be_chosen() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().to_str().unwrap();
    let chosen = ["--scale", "0.001", "--rounds", "1", "--only", "lmdb", "--figures", "history,scope"];
    let printed = lines(&run(&[&chosen[..], &["--dir", dir]].concat()));
    let rows: Vec<&String> = printed.iter().filter(|line| line.contains("::")).collect();
    assert_eq!(rows.len(), 2, "{printed:?}");
    assert!(rows[0].starts_with("scope::as_of") && rows[1].starts_with("history::key"), "{rows:?}");
    assert!(rows.iter().all(|row| row.contains(" lmdb ") && !row.contains(" milepost ")), "{rows:?}");
}

#[test]
fn a_name_that_is_none_is_refused_with_those_there_are() {
    for (arguments, said) in [
        (["--only", "leveldb"], "there are milepost, lmdb"),
        (["--figures", "nothing"], "--list shows the names"),
        (["--scale", "2"], "at most 1"),
    ] {
        let output = run(&arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains(said), "{error}");
    }
}
