//! A job of ten million items: its bytes on disk, the memory that it takes, and how fast it goes on after a kill.
//!
//! Each part has a process of its own, so that its memory is its own, and the first ends by SIGKILL.

use std::{
    fs,
    io::{self, BufRead, BufReader, Read},
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use milepost::{Scope, Store};

use crate::{
    bench::Bench,
    figure::{Aim, Figure, Row, Sample, Unit},
};

const NAMES: [&str; 7] = [
    "task::progress/items,marks",
    "task::progress/items,bytes",
    "task::progress/items,memory=marking",
    "task::progress/items,first",
    "task::progress/items,pending",
    "task::progress/items,memory=resuming",
    "task::progress/items,total",
];
/// Items that are left when the job is killed.
const LEFT: u64 = 1000;
/// Files of a directory.
const FILES: u64 = 32;
/// After how many items it is looked how much memory there is.
const LOOKS_EVERY: u64 = 10_000;

/// Ten million items, or as many as are asked for.
pub(crate) const MANY_ITEMS: Figure = Figure { names: &NAMES, run };

/// The path of an item: directories come in order, as a walk meets them, files in a directory do not.
pub(crate) fn path(number: u64, path: &mut String) {
    const KINDS: [&str; 4] = ["parquet", "csv.gz", "json", "avro"];
    let (dir, file) = (number / FILES, number % FILES);
    let hash = (number ^ 0x5bd1_e995).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    path.clear();
    let (year, month, day) = (2000 + dir / 372, dir / 31 % 12 + 1, dir % 31 + 1);
    // By hand: what making the list takes is no part of what is measured.
    for (before, number, digits) in [("/srv/lake/raw/events/", year, 4), ("/", month, 2), ("/", day, 2)] {
        path.push_str(before);
        put_number(path, number, digits);
    }
    path.push_str("/part-");
    (0..24).step_by(4).rev().for_each(|shift| path.push(digit(hash >> shift & 15)));
    path.push('-');
    put_number(path, file, 2);
    path.push('.');
    path.push_str(KINDS[(dir % 4) as usize]);
}

/// Appends at least so many digits of a number.
fn put_number(path: &mut String, number: u64, digits: u32) {
    if number >= 10 || digits > 1 {
        put_number(path, number / 10, digits.saturating_sub(1));
    }
    path.push(digit(number % 10));
}

fn digit(number: u64) -> char {
    char::from(b"0123456789abcdef"[number as usize])
}

fn run(bench: &Bench) -> io::Result<Vec<Row>> {
    let items = bench.amount(bench.items);
    let dir = bench.path("items");
    let mut numbers = Vec::new();
    let turns = bench.take_turns(&mut [Box::new(|| {
        if numbers.is_empty() {
            numbers = measure(&dir, items)?;
        }
        Ok(Sample::value(items as f64))
    })])?;
    let mib = 1024.0 * 1024.0;
    let aims = [
        (Unit::PerSecond, Aim::default()),
        (Unit::Bytes, Aim { at_most: Some(16.0), ..Aim::default() }),
        (Unit::Bytes, Aim { at_most: Some(256.0 * mib), ..Aim::default() }),
        (Unit::Seconds, Aim { at_most: Some(0.2), ..Aim::default() }),
        (Unit::PerSecond, Aim { at_least: Some(2e6), ..Aim::default() }),
        (Unit::Bytes, Aim { at_most: Some(256.0 * mib), ..Aim::default() }),
        (Unit::Bytes, Aim::default()),
    ];
    let rows = NAMES.iter().zip(aims).zip(numbers).map(|((name, (unit, aim)), number)| Row {
        name,
        unit,
        aim,
        measured: Sample::value(number),
        baseline: None,
        conditions: turns.conditions,
    });
    Ok(rows.collect())
}

/// In the order of the names.
fn measure(dir: &Path, items: u64) -> io::Result<Vec<f64>> {
    let program = std::env::current_exe()?;
    let part = |name: &str| {
        let mut command = Command::new(&program);
        command.args(["--part", name]).arg(dir).arg(items.to_string()).stdout(Stdio::piped());
        command.spawn()
    };
    let mut marking = part("mark")?;
    let mut said = String::new();
    BufReader::new(marking.stdout.take().expect("it is a pipe")).read_line(&mut said)?;
    let marked = numbers(&said)?;
    marking.kill()?;
    marking.wait()?;
    let bytes = bytes_below(dir)?;
    let beyond = (bytes as f64 - unshared_bytes(items) as f64) / (items - LEFT) as f64;
    let mut resuming = part("resume")?;
    let mut said = String::new();
    resuming.stdout.take().expect("it is a pipe").read_to_string(&mut said)?;
    if !resuming.wait()?.success() {
        return Err(io::Error::other("the job did not go on"));
    }
    let resumed = numbers(&said)?;
    fs::remove_dir_all(dir)?;
    Ok(vec![marked[0], beyond, marked[1], resumed[0], resumed[1], resumed[2], bytes as f64])
}

/// A part of the figure, in this process.
pub(crate) fn part(words: &[String]) -> io::Result<()> {
    let (dir, items) = (Path::new(&words[1]), words[2].parse().map_err(io::Error::other)?);
    let said = if words[0] == "mark" { mark(dir, items) } else { resume(dir, items) };
    let said = said.map_err(io::Error::other)?;
    println!("{}", said.map(|number| number.to_string()).join(" "));
    if words[0] == "mark" {
        // Until the kill.
        loop {
            std::thread::park();
        }
    }
    Ok(())
}

fn scope() -> milepost::Result<Scope> {
    Ok(Scope::parse("task/nightly/2026-11-24/load/0")?)
}

/// Marks all but the last items: marks per second, and the memory that it took.
fn mark(dir: &Path, items: u64) -> milepost::Result<[f64; 3]> {
    let store = Store::open(dir)?;
    let progress = store.progress(&scope()?, "checksum")?;
    let (began, mut item, mut memory) = (Instant::now(), String::new(), 0.0_f64);
    for number in 0..items - LEFT {
        path(number, &mut item);
        progress.done(&item)?;
        if number % LOOKS_EVERY == 0 {
            memory = memory.max(own_memory());
        }
    }
    progress.flush()?;
    let rate = (items - LEFT) as f64 / began.elapsed().as_secs_f64();
    // What is killed has these open.
    std::mem::forget((progress, store));
    Ok([rate, memory, 0.0])
}

/// Opens the store of a job that was killed: seconds to the first item, items looked through per second, and memory.
fn resume(dir: &Path, items: u64) -> milepost::Result<[f64; 3]> {
    let began = Instant::now();
    let store = Store::open(dir)?;
    let progress = store.progress(&scope()?, "checksum")?;
    let owned = |number| {
        let mut item = String::with_capacity(64);
        path(number, &mut item);
        item
    };
    // The list begins with what is left, as one that was turned around.
    let first = progress.pending((0..items).rev().map(owned)).next().expect("some are left")?;
    let seconds = began.elapsed().as_secs_f64();
    assert_eq!(first, owned(items - 1));
    let began = Instant::now();
    let (mut left, mut memory) = (0, 0.0_f64);
    let list = (0..items).map(|number| {
        if number % LOOKS_EVERY == 0 {
            memory = memory.max(own_memory());
        }
        owned(number)
    });
    for item in progress.pending(list) {
        item?;
        left += 1;
    }
    let rate = items as f64 / began.elapsed().as_secs_f64();
    assert_eq!((left, progress.summary()?.done), (LEFT, items - LEFT));
    Ok([seconds, rate, memory])
}

fn numbers(said: &str) -> io::Result<Vec<f64>> {
    said.split_whitespace().map(|word| word.parse().map_err(io::Error::other)).collect()
}

/// The bytes of memory of its own that this process has now: pages of files are not, which the system takes back when
/// it needs them. 0 where the system does not tell.
fn own_memory() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) * 1024.0
}

/// The bytes of a path that the one before it does not begin with, of all.
fn unshared_bytes(items: u64) -> u64 {
    let (mut before, mut item, mut bytes) = (String::new(), String::new(), 0);
    for number in 0..items - LEFT {
        path(number, &mut item);
        let shared = before.bytes().zip(item.bytes()).take_while(|(a, b)| a == b).count();
        bytes += (item.len() - shared) as u64;
        std::mem::swap(&mut before, &mut item);
    }
    bytes
}

/// Bytes of all files below a directory, without the zeros at their ends: segments are made longer ahead of what is
/// written to them.
fn bytes_below(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        bytes += if meta.is_dir() {
            bytes_below(&entry.path())?
        } else {
            let content = fs::read(entry.path())?;
            content.iter().rposition(|&byte| byte != 0).map_or(0, |last| last as u64 + 1)
        };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn paths_are_as_they_are_written() {
        let mut item = String::new();
        path(0, &mut item);
        assert_eq!(item, "/srv/lake/raw/events/2000/01/01/part-e4c413-00.parquet");
        path(99_999_999, &mut item);
        assert_eq!(item, "/srv/lake/raw/events/10400/07/14/part-b1132c-31.avro");
    }
}
