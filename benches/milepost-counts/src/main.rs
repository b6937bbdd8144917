//! Instructions that the hot operations take, counted by callgrind and compared with those that are on record.
//!
//! A count does not depend on what else the machine does, as a time does; it says nothing of waiting for memory or for
//! the disk. Times are what `milepost-bench` measures.
//!
//! Invariant: the same program counts the same, but for a few in ten thousand: one thread, no randomness, and a C
//! library that does not choose by the processor how it copies. More than is on record fails; so does much less, since
//! then the record is out of date.

#![expect(clippy::print_stdout, reason = "the table is the answer of this program")]
#![expect(clippy::print_stderr, reason = "what went wrong is told to the person who waits")]

mod operations;
mod record;

use std::{
    env, io,
    path::PathBuf,
    process::{Command, ExitCode},
};

use clap::Parser;

use operations::{OPERATIONS, Operation};
use record::Record;

/// What the counted part of a process is called: callgrind counts while it is on the stack.
const COUNTED: &str = "*counted_by_callgrind*";

/// Exit code where the record is that of another kind of processor: nothing was counted.
const OTHER_PROCESSOR: u8 = 3;

/// A count may be so many hundredths more than the one on record.
const MORE_MAX: u64 = 2;
/// And so many less: what a change elsewhere does to how the compiler inlines has come to 4.
const LESS_MAX: u64 = 5;

/// Copies by instructions that repeat count by the processor's caches, and are one instruction or one for each byte; so
/// none are used.
const TUNABLES: (&str, &str) = ("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-ERMS,-FSRM");

/// Counts the instructions of Milepost's hot operations, and compares them with those on record
#[derive(Debug, Parser)]
#[command(name = "milepost-counts", version)]
struct Options {
    /// Only the operations whose name contains this
    #[arg(long, value_name = "SUBSTRING", default_value = "")]
    only: String,
    /// Put what is counted on record
    #[arg(long)]
    update: bool,
    /// The file of those on record
    #[arg(long, value_name = "FILE", default_value = "benches/milepost-counts/counts.tsv")]
    record: PathBuf,
    /// Do one operation, for callgrind to count
    #[arg(long, hide = true, value_name = "NAME")]
    run: Option<String>,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("milepost-counts: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What the processor has of what libraries choose their code by: where it has something else, they count otherwise.
fn processor() -> String {
    #[cfg(target_arch = "x86_64")]
    let has = [
        ("sse4.2", is_x86_feature_detected!("sse4.2")),
        ("pclmulqdq", is_x86_feature_detected!("pclmulqdq")),
        ("bmi2", is_x86_feature_detected!("bmi2")),
        ("avx2", is_x86_feature_detected!("avx2")),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let has = [(env::consts::ARCH, true)];
    has.iter().filter(|(_, has)| *has).map(|(name, _)| *name).collect::<Vec<_>>().join(" ")
}

/// Counts, and compares or records.
fn run(options: &Options) -> io::Result<ExitCode> {
    if let Some(name) = &options.run {
        let operation = OPERATIONS.iter().find(|operation| operation.name == name);
        let operation = operation.ok_or_else(|| io::Error::other(format!("there is no operation {name}")))?;
        return operation.run().map(|()| ExitCode::SUCCESS);
    }
    let mut record = Record::read(&options.record)?;
    if record.processor() != processor() && !options.update {
        let (known, found) = (record.processor(), processor());
        eprintln!("milepost-counts: on record is what a processor with {known} counts, this one has {found}");
        return Ok(ExitCode::from(OTHER_PROCESSOR));
    }
    let mut all_hold = true;
    println!("{:<28} {:>12} {:>12}  {:>8}", "instructions", "counted", "on record", "");
    for operation in OPERATIONS.iter().filter(|operation| operation.name.contains(&options.only)) {
        let counted = count(operation)?;
        let known = record.get(operation.name);
        let most = |known: u64| known + known * MORE_MAX / 100;
        let least = |known: u64| known - known * LESS_MAX / 100;
        let holds = known.is_some_and(|known| (least(known)..=most(known)).contains(&counted));
        let change =
            known.map_or("new".to_owned(), |known| format!("{:+.1} %", (counted as f64 / known as f64 - 1.0) * 100.0));
        let known = known.map_or("-".to_owned(), |known| known.to_string());
        let verdict = if holds { "" } else { "  differs" };
        println!("{:<28} {counted:>12} {known:>12}  {change:>8}{verdict}", operation.name);
        all_hold &= holds;
        record.put(operation.name, counted);
    }
    if options.update {
        record.write(&processor(), &options.record)?;
        return Ok(ExitCode::SUCCESS);
    }
    if !all_hold {
        eprintln!("milepost-counts: not what is on record; if it is meant to be so, put it there with --update");
    }
    Ok(if all_hold { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Instructions of one of what the operation is about: an event, a read, a version.
fn count(operation: &Operation) -> io::Result<u64> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(format!("--toggle-collect={COUNTED}"));
    valgrind.arg(env::current_exe()?).args(["--run", operation.name]).env(TUNABLES.0, TUNABLES.1);
    let output = valgrind.output().map_err(|error| {
        io::Error::new(error.kind(), format!("valgrind can't be run: {error}; install it, it has callgrind in it"))
    })?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split("Collected :").nth(1));
    let counted = collected.and_then(|count| count.split_whitespace().next()?.parse::<u64>().ok());
    match counted {
        Some(counted) if output.status.success() && counted > 0 => Ok(counted / operation.times),
        _ => Err(io::Error::other(format!("{} was not counted: {}: {said}", operation.name, output.status))),
    }
}
