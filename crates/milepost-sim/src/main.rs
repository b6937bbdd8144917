//! The simulator as a program; `milepost-sim --help` says how it is called.
//!
//! Prints what it looked at; on a failure the seed and the command that shows it again, and exits with 1. Only the
//! program looks at the time, to know when to stop and to say how long it took.

mod args;
mod cores;
mod every;
mod reliability;

use std::{
    io,
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use milepost_io::{Clock as _, OsClock};
use milepost_sim::rounds::{self, Failed, Tally};

use args::{Args, Asked};
use cores::cores;
use reliability::Amount;

/// Runs rounds on all cores until they are done, the time is over or one fails.
fn run(args: Args) -> (Tally, u64, Option<Failed>) {
    let begun = OsClock.now();
    let (next, over) = (AtomicU64::new(args.seed), AtomicBool::new(false));
    let (tally, failed) = (Mutex::new(Tally::default()), Mutex::new(None::<Failed>));
    let end = args.rounds.map_or(u64::MAX, |rounds| args.seed.saturating_add(rounds));
    let work = || {
        let mut own = Tally::default();
        while !over.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let late = args.seconds.is_some_and(|most| OsClock.now().0 - begun.0 > most as i64 * 1_000_000);
            if seed >= end || late {
                break;
            }
            match rounds::round(seed) {
                Ok(one) => own.merge(&one),
                Err(one) => {
                    over.store(true, Ordering::Relaxed);
                    failed.lock().expect("nobody panics here").get_or_insert(one);
                }
            }
        }
        tally.lock().expect("nobody panics here").merge(&own);
    };
    thread::scope(|scope| {
        for _ in 0..cores() {
            scope.spawn(work);
        }
    });
    let us = OsClock.now().0 - begun.0;
    let failed = failed.into_inner().expect("nobody panics here");
    (tally.into_inner().expect("nobody panics here"), us.max(1) as u64, failed)
}

fn report(out: &mut dyn io::Write) -> io::Result<ExitCode> {
    match args::parse(std::env::args().skip(1)) {
        Ok(Asked::Help) => {
            write!(out, "{}", args::HELP)?;
            Ok(ExitCode::SUCCESS)
        }
        Ok(Asked::Reliability(amount)) => report_reliability(out, amount),
        Ok(Asked::Exhaustive(length)) => report_exhaustive(out, length),
        Ok(Asked::Rounds(args)) => report_rounds(out, args),
        Err(wrong) => {
            writeln!(out, "{wrong}\n`milepost-sim --help` says what there is")?;
            Ok(ExitCode::from(2))
        }
    }
}

fn report_reliability(out: &mut dyn io::Write, amount: Amount) -> io::Result<ExitCode> {
    match reliability::run(out, amount) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(wrong) => {
            writeln!(out, "FAILED {wrong}\nrun again with the same arguments: {amount:?}")?;
            Ok(ExitCode::FAILURE)
        }
    }
}

fn report_exhaustive(out: &mut dyn io::Write, length: u32) -> io::Result<ExitCode> {
    let begun = OsClock.now();
    match every::run(out, length) {
        Ok(looked) => {
            let ms = (OsClock.now().0 - begun.0) / 1_000;
            writeln!(out, "{looked}, all right, in {ms} ms")?;
            Ok(ExitCode::SUCCESS)
        }
        Err(wrong) => {
            writeln!(out, "FAILED {wrong}\nrun again: milepost-sim --exhaustive {length}")?;
            Ok(ExitCode::FAILURE)
        }
    }
}

fn report_rounds(out: &mut dyn io::Write, args: Args) -> io::Result<ExitCode> {
    let (tally, us, failed) = run(args);
    write!(out, "{}", tally.coverage)?;
    let second = |count: u64| count.saturating_mul(1_000_000) / us;
    writeln!(
        out,
        "seeds from {}: {} rounds, {} crash states ({} a second), {} differ, {} commits, trace {:016x}, {} ms",
        args.seed,
        tally.rounds,
        tally.states,
        second(tally.states),
        tally.disks,
        tally.commits,
        tally.trace,
        us / 1_000
    )?;
    Ok(match failed {
        None => ExitCode::SUCCESS,
        Some(failed) => {
            writeln!(out, "FAILED {failed}\nrun again: milepost-sim --seed {} --rounds 1", failed.seed)?;
            ExitCode::FAILURE
        }
    })
}

fn main() -> ExitCode {
    report(&mut io::stdout().lock()).unwrap_or(ExitCode::FAILURE)
}
