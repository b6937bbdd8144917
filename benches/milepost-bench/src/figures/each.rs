//! A command per item, remembered durably, against `xargs` that remembers nothing, and against GNU parallel where it is
//! installed.

use std::{
    io::{self, Write},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Instant,
};

use crate::{
    bench::{Bench, Contender},
    figure::{Aim, Figure, Row, Sample, Unit},
};

const NAMES: [&str; 2] = ["cli::each/items=2000", "cli::each/items=2000,parallel"];
const COMMAND: &str = "/bin/true";
const ITEMS: u64 = 2000;

/// `milepost each -j2` against `xargs -P2 -n1` and `parallel -j2`.
pub(crate) const EACH: Figure = Figure { names: &NAMES, run };

fn run(bench: &Bench) -> io::Result<Vec<Row>> {
    if !bench.milepost.is_file() {
        eprintln!(
            "  left out: {} is not there; build it with cargo build --release -p milepost-cli",
            bench.milepost.display()
        );
        return Ok(Vec::new());
    }
    let items: String = (0..bench.amount(ITEMS)).map(|item| format!("item-{item:06}\n")).collect();
    let mut jobs = 0;
    let mut runs: Vec<Contender<'_>> = vec![
        Box::new(|| {
            jobs += 1;
            let store = bench.path(&format!("each-{jobs}"));
            let took = time(each(&bench.milepost, &store, &bench.dir), &items)?;
            check(&bench.milepost, &store, bench.amount(ITEMS))?;
            std::fs::remove_dir_all(&store)?;
            Ok(took)
        }),
        Box::new(|| time(xargs(&bench.dir), &items)),
    ];
    if has_parallel() {
        runs.push(Box::new(|| time(parallel(&bench.dir), &items)));
    } else {
        eprintln!("  left out: there is no GNU parallel; install it, as with apt-get install parallel");
    }
    let turns = bench.take_turns(&mut runs)?;
    let beside = [("xargs -P2 -n1", 1.1), ("parallel -j2", 0.5)];
    let rows = NAMES.into_iter().zip(beside).zip(&turns.samples[1..]).map(|((name, (beside, ratio)), baseline)| Row {
        name,
        unit: Unit::Seconds,
        aim: Aim { ratio_at_most: Some(ratio), ..Aim::default() },
        measured: turns.samples[0],
        baseline: Some((beside.to_owned(), *baseline)),
        conditions: turns.conditions,
    });
    Ok(rows.collect())
}

/// A job that never ran before, in a store of its own.
fn each(milepost: &Path, store: &Path, dir: &Path) -> Command {
    let mut command = Command::new(milepost);
    command.arg("--store").arg(store).args(["each", "--job", "bench", "-j", "2", "--", COMMAND, "{}"]);
    command.current_dir(dir);
    command
}

/// Every item must have been run and marked: leaving some out would be fast.
fn check(milepost: &Path, store: &Path, items: u64) -> io::Result<()> {
    let mut command = Command::new(milepost);
    command.arg("--store").arg(store).args(["results", "--job", "bench", "-o", "jsonl"]);
    let output = command.output()?;
    let done = String::from_utf8_lossy(&output.stdout).lines().filter(|line| line.contains(r#""status":"ok""#)).count();
    if output.status.success() && done as u64 == items {
        return Ok(());
    }
    Err(io::Error::other(format!("{done} of {items} items are done; results ended with {}", output.status)))
}

fn xargs(dir: &Path) -> Command {
    let mut command = Command::new("xargs");
    command.args(["-P2", "-n1", COMMAND]).current_dir(dir);
    command
}

/// Others have a `parallel`, too, that takes its items another way.
fn has_parallel() -> bool {
    let told = Command::new("parallel").arg("--version").stdin(Stdio::null()).output();
    told.is_ok_and(|told| told.stdout.starts_with(b"GNU parallel"))
}

fn parallel(dir: &Path) -> Command {
    let mut command = Command::new("parallel");
    command.args(["-j2", COMMAND, "{}"]).current_dir(dir);
    command
}

/// Seconds from the start to the end of a command that reads the items.
fn time(mut command: Command, items: &str) -> io::Result<Sample> {
    let started = Instant::now();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let stdin = child.stdin.take();
    let output = thread::scope(|scope| {
        // A thread of its own, because the command may fill its standard error before it has read all items.
        let feeder = scope.spawn(move || stdin.map_or(Ok(()), |mut stdin| stdin.write_all(items.as_bytes())));
        let output = child.wait_with_output();
        let fed = feeder.join().unwrap_or_else(|_| Err(io::Error::other("the feeding thread panicked")));
        output.and_then(|output| fed.map(|()| output))
    })?;
    let took = started.elapsed();
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(format!("{command:?} ended with {}: {}", output.status, said.trim())));
    }
    Ok(Sample::value(took.as_secs_f64()))
}
