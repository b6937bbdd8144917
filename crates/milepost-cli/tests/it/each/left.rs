//! What `milepost progress` says is left, while a job runs and after.

use std::{
    fs::{self, File},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::{World, each_args, numbers};

/// Ends when its item's file is there, or the one for all; in any case after a while.
const GATED: &str = r#"for _ in $(seq 1500); do [ -e "go$1" ] || [ -e go ] && exit 0; sleep 0.02; done; exit 9"#;
/// For what takes a moment on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);

/// `(total, done, failed, left)` of the job.
type Row = (Option<u64>, u64, u64, Option<u64>);

impl World {
    /// Starts a job, its items from a pipe that is closed at once, or from a file.
    fn start(&self, options: &[&str], items: &str) -> Child {
        fs::write(self.path("list"), items).unwrap();
        let mut command = self.milepost(each_args(options, GATED));
        if options.contains(&"--input") {
            return command.spawn().unwrap();
        }
        let mut cat = Command::new("cat").arg(self.path("list")).stdout(Stdio::piped()).spawn().unwrap();
        let child = command.stdin(cat.stdout.take().unwrap()).spawn().unwrap();
        cat.wait().unwrap();
        child
    }

    fn go(&self, item: &str) {
        File::create(self.path(&format!("go{item}"))).unwrap();
    }

    fn row(&self) -> Option<Row> {
        let ran = self.run(["progress", "-o", "jsonl"], "");
        let row: serde_json::Value = serde_json::from_slice(&ran.stdout).ok()?;
        let number = |name: &str| row[name].as_u64();
        Some((number("total"), number("done")?, number("failed")?, number("left")))
    }

    /// Waits until it says this.
    #[track_caller]
    fn until(&self, expected: Row) {
        let began = Instant::now();
        while self.row() != Some(expected) {
            assert!(began.elapsed() < PATIENCE, "{:?} is never {expected:?}", self.row());
        }
    }

    /// All that is said until the job is at its end; it ends then.
    fn rest(&self, mut child: Child) -> Vec<Row> {
        let mut rows = Vec::new();
        self.go("");
        while child.try_wait().unwrap().is_none() {
            rows.extend(self.row());
        }
        rows.extend(self.row());
        rows
    }

    /// Watches to the end; the exit code and what it said.
    fn watched(&self) -> (Option<i32>, String) {
        let mut child = self.milepost(["progress", "--watch", "-o", "csv"]).spawn().unwrap();
        let began = Instant::now();
        while child.try_wait().unwrap().is_none() {
            if began.elapsed() > PATIENCE {
                child.kill().unwrap();
                break;
            }
        }
        let ended = child.wait_with_output().unwrap();
        (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
    }
}

fn is_true(rows: &[Row]) {
    for (total, done, failed, left) in rows.iter().copied() {
        // What has failed is done again, or is not.
        let (Some(total), Some(left)) = (total, left) else { continue };
        assert!(done + left <= total && total <= done + failed + left, "{rows:?}");
    }
}

/// Failed items that ran again were counted as marked all the while: 100 %, nothing left, and who watched was gone.
#[test]
fn what_runs_again_is_left() {
    let world = World::new();
    world.run(["each", "--job", "j", "--", "false"], numbers(5)).says(1, &["5 failed"]);
    world.until((Some(5), 0, 5, Some(0)));
    let job = world.start(&["--same-job", "--retry-failed", "-j5"], &numbers(5));
    world.until((Some(5), 0, 5, Some(5)));
    world.go("2");
    world.until((Some(5), 1, 4, Some(4)));
    let rows = world.rest(job);
    is_true(&rows);
    assert_eq!(rows.last(), Some(&(Some(5), 5, 0, Some(0))));
}

/// With five items done and ten others at work, the total was first that of the five, then ten, and in the end fifteen
/// of ten were done.
#[test]
fn other_items_come_on_top() {
    for from_file in [false, true] {
        let world = World::new();
        world.each(&[], "exit 0", numbers(5)).says(0, &["5 done"]);
        let others: String = (11..=20).map(|n| format!("{n}\n")).collect();
        let options = ["--same-job", "-j3", "--input", "list"];
        let job = world.start(&options[..if from_file { 4 } else { 2 }], &others);
        world.until((Some(15), 5, 0, Some(10)));
        ["11", "12", "13"].iter().for_each(|item| world.go(item));
        world.until((Some(15), 8, 0, Some(7)));
        let rows = world.rest(job);
        is_true(&rows);
        assert_eq!(rows.last(), Some(&(Some(15), 15, 0, Some(0))));
    }
}

/// Before the first mark the job was not there, and who watched was told nothing, with success.
#[test]
fn a_job_is_there_before_its_first_mark() {
    let world = World::new();
    // A pipe that stays open: nobody knows how many come.
    let mut job = world.milepost(each_args(&["-j1"], GATED)).spawn().unwrap();
    let mut stdin = job.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, b"1\n2\n").unwrap();
    world.until((None, 0, 0, None));
    let mut watch = world.milepost(["progress", "--watch", "-o", "csv"]).spawn().unwrap();
    world.go("1");
    world.until((None, 1, 0, None));
    assert!(watch.try_wait().unwrap().is_none(), "it watches");
    drop(stdin);
    world.until((Some(2), 1, 0, Some(1)));
    assert!(watch.try_wait().unwrap().is_none(), "it watches");
    assert_eq!(world.rest(job).last(), Some(&(Some(2), 2, 0, Some(0))));
    assert_eq!(watch.wait().unwrap().code(), Some(0));
}

/// The items of a file were counted only where a bar is drawn: elsewhere the total was unknown until all were read,
/// which is long before the last ends only where they are few.
#[test]
fn a_file_is_counted_before_it_is_read() {
    let world = World::new();
    let job = world.start(&["-j1", "--input", "list", "--halt", "now:1"], &numbers(100_000));
    world.until((Some(100_000), 0, 0, Some(100_000)));
    world.go("1");
    world.until((Some(100_000), 1, 0, Some(99_999)));
    // It is not run to its end: what is left then is known.
    rustix::process::kill_process(rustix::process::Pid::from_child(&job), rustix::process::Signal::INT).unwrap();
    let (total, done, failed, left) = *world.rest(job).last().unwrap();
    assert_eq!((total, failed, left.map(|left| left + done)), (Some(100_000), 0, Some(100_000)));
}

/// Who watched a job whose run was killed waited for ever, with nobody at it.
#[test]
fn a_watch_ends_when_nobody_is_at_it() {
    let world = World::new();
    world.run(["set", "a", "k", "v"], "").says(0, &[]);
    let (code, said) = world.watched();
    assert!(code == Some(1) && said.contains("there is no job, and nobody is at it"), "{code:?} {said}");
    let mut job = world.start(&["-j2"], &numbers(5));
    world.until((Some(5), 0, 0, Some(5)));
    job.kill().unwrap();
    job.wait().unwrap();
    let (code, said) = world.watched();
    assert!(code == Some(1) && said.contains("not all is done, and nobody is at it"), "{code:?} {said}");
    world.go("");
    let job = world.start(&["-j2"], &numbers(5));
    let (code, said) = world.watched();
    assert_eq!((code, said.as_str()), (Some(0), ""));
    assert_eq!(world.rest(job).last(), Some(&(Some(5), 5, 0, Some(0))));
}
