//! The simulator as a program: `milepost-sim [--seed N] [--rounds N] [--seconds S] [--exhaustive LENGTH]`, and
//! `milepost-sim reliability [--seed N] [--states N] [--rounds N] [--length N] [--stride N]`.
//!
//! Prints what it looked at; on a failure the seed and the command that shows it again, and exits with 1. Only the
//! program looks at the time, to know when to stop and to say how long it took.

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

use cores::cores;
use reliability::Amount;

const USAGE: &str = "usage: milepost-sim [--seed N] [--rounds N] [--seconds S] [--exhaustive LENGTH]
       milepost-sim reliability [--seed N] [--states N] [--rounds N] [--length N] [--stride N]";

/// What was asked for.
#[derive(Clone, Copy, Debug)]
struct Args {
    seed: u64,
    rounds: Option<u64>,
    seconds: Option<u64>,
    exhaustive: Option<u32>,
}

/// What `reliability` was asked for; what is not given is what CI runs.
fn amount(mut given: impl Iterator<Item = String>) -> Result<Amount, String> {
    let mut amount = Amount { seed: 1, states: 1_000_000, rounds: 400, length: 3, stride: 29 };
    while let Some(name) = given.next() {
        let value = given.next().ok_or_else(|| format!("{name} needs a number\n{USAGE}"))?;
        let number: u64 = value.parse().map_err(|_| format!("{name} {value:?} is no number\n{USAGE}"))?;
        match name.as_str() {
            "--seed" => amount.seed = number,
            "--states" => amount.states = number,
            "--rounds" => amount.rounds = number,
            "--length" => amount.length = u32::try_from(number.min(4)).expect("at most 4"),
            "--stride" => amount.stride = number,
            _ => return Err(format!("unknown option {name}\n{USAGE}")),
        }
    }
    Ok(amount)
}

fn report_reliability(out: &mut dyn io::Write, given: impl Iterator<Item = String>) -> io::Result<ExitCode> {
    let amount = match amount(given) {
        Ok(amount) => amount,
        Err(usage) => {
            writeln!(out, "{usage}")?;
            return Ok(ExitCode::from(2));
        }
    };
    match reliability::run(out, amount) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(wrong) => {
            writeln!(out, "FAILED {wrong}\nrun again with the same arguments: {amount:?}")?;
            Ok(ExitCode::FAILURE)
        }
    }
}

fn args() -> Result<Args, String> {
    let mut args = Args { seed: 0, rounds: None, seconds: None, exhaustive: None };
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        let value = given.next().ok_or_else(|| format!("{name} needs a number\n{USAGE}"))?;
        let number: u64 = value.parse().map_err(|_| format!("{name} {value:?} is no number\n{USAGE}"))?;
        match name.as_str() {
            "--seed" => args.seed = number,
            "--rounds" => args.rounds = Some(number),
            "--seconds" => args.seconds = Some(number),
            "--exhaustive" => args.exhaustive = Some(u32::try_from(number.min(4)).expect("at most 4")),
            _ => return Err(format!("unknown option {name}\n{USAGE}")),
        }
    }
    if args.rounds.is_none() && args.seconds.is_none() {
        args.rounds = Some(1_000);
    }
    Ok(args)
}

/// Runs rounds on all cores until they are done, the time is over or one fails.
fn run(args: &Args) -> (Tally, u64, Option<Failed>) {
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
                Ok((one, _)) => own.merge(&one),
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
    let mut given = std::env::args().skip(1);
    if given.next().as_deref() == Some("reliability") {
        return report_reliability(out, given);
    }
    let args = match args() {
        Ok(args) => args,
        Err(usage) => {
            writeln!(out, "{usage}")?;
            return Ok(ExitCode::from(2));
        }
    };
    if let Some(length) = args.exhaustive {
        let begun = OsClock.now();
        return Ok(match every::run(out, length) {
            Ok(looked) => {
                let ms = (OsClock.now().0 - begun.0) / 1_000;
                writeln!(out, "{looked}, all right, in {ms} ms")?;
                ExitCode::SUCCESS
            }
            Err(wrong) => {
                writeln!(out, "FAILED {wrong}\nrun again: milepost-sim --exhaustive {length}")?;
                ExitCode::FAILURE
            }
        });
    }
    let (tally, us, failed) = run(&args);
    write!(out, "{}", tally.coverage)?;
    let second = |count: u64| count.saturating_mul(1_000_000) / us;
    writeln!(
        out,
        "seeds from {}: {} rounds, {} crash states ({} a second), {} differ, {} commits, {} ms",
        args.seed,
        tally.rounds,
        tally.states,
        second(tally.states),
        tally.disks,
        tally.commits,
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
