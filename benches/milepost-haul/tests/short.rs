//! The built program in its short form, from outside: it ends well, leaves nothing, and nothing of it outlives it.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

fn haul(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_milepost-haul"));
    command.args(args).arg("--dir").arg(dir);
    command
}

/// Rows and verdicts are there, the writer was killed, and no store stays behind.
#[test]
fn a_few_seconds_end_well() {
    let dir = tempfile::tempdir().unwrap();
    let json = dir.path().join("haul.json");
    let place = dir.path().join("place");
    fs::create_dir(&place).unwrap();
    let done = haul(&place, &["--seconds", "8", "--json", json.to_str().unwrap()]).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(0), "{said}");
    assert!(said.contains("none lost"), "{said}");
    let lines = fs::read_to_string(&json).unwrap();
    let count = |kind: &str| lines.lines().filter(|line| line.starts_with(&format!("{{\"{kind}\":"))).count();
    assert!(count("row") >= 3 && count("verdict") >= 10 && count("plan") == 1 && count("haul") == 1, "{lines}");
    let haul: serde_json::Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert!(haul["haul"]["kills"].as_u64().unwrap() >= 1, "{haul}");
    assert!(haul["haul"]["looked_for"].as_u64().unwrap() >= 1 && haul["haul"]["checks"].as_u64().unwrap() > 100);
    assert_eq!(fs::read_dir(&place).unwrap().count(), 0);
}

/// A haul under way, with a first row made, and what it goes on to say.
fn under_way(dir: &Path) -> (Child, impl Sized) {
    let mut child = haul(dir, &["--seconds", "600"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // The head has two lines; the row comes behind it.
    assert_eq!(lines.by_ref().map_while(Result::ok).take(3).count(), 3);
    assert!(!parts(dir).is_empty());
    (child, lines)
}

/// Processes that were started on a store in a directory.
fn parts(dir: &Path) -> Vec<String> {
    let name = dir.to_str().unwrap();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| fs::read_to_string(process.path().join("cmdline")).ok());
    lines.filter(|line| line.contains(name) && line.contains("--part")).collect()
}

#[test]
fn ctrl_c_ends_all_and_removes_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let (mut child, _out) = under_way(dir.path());
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(parts(dir.path()), Vec::<String>::new());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn nothing_outlives_a_parent_that_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let (mut child, _out) = under_way(dir.path());
    child.kill().unwrap();
    child.wait().unwrap();
    let began = Instant::now();
    while !parts(dir.path()).is_empty() {
        assert!(began.elapsed() < Duration::from_secs(60), "still there: {:?}", parts(dir.path()));
        thread::yield_now();
    }
}
