//! The long haul: an hour of mixed work on one store on a real disk, by real processes, the writer killed again and
//! again; every answer checked; and at the end a verdict whether anything grew.
//!
//! The parent starts itself as the parts: a writer (`writer.rs`), a reader that follows it (`follower.rs`), and one
//! that holds one view for the whole time (`holder.rs`). What must be there is a pure function of a number
//! (`lanes.rs`).
//!
//! Invariant: it ends with 0 only if no answer was wrong, nothing acknowledged was lost, nothing grew beyond its bound
//! and the closed store is clean. Processes and the store are gone then; a store that gave a wrong answer is left and
//! named.
//!
//! Knows the store by its public face only.

#![expect(clippy::print_stdout, reason = "the table is the answer of this program")]
#![expect(clippy::print_stderr, reason = "what is wrong is told to the person who waits")]

mod after;
mod census;
mod check;
mod dice;
mod ending;
mod fault;
mod follower;
mod haul;
mod holder;
mod interrupt;
mod judge;
mod lanes;
mod latency;
mod marks;
mod options;
mod pace;
mod plan;
mod probe;
mod processes;
mod report;
mod row;
mod said;
mod table;
mod tally;
mod writer;

use std::{env, io, process::ExitCode, thread};

use clap::Parser;
use serde_json::json;

use fault::Fault;
use haul::Haul;
use judge::Outcome;
use latency::Spread;
use options::Options;
use plan::Plan;
use processes::{Part, Processes};
use report::Report;
use row::Row;
use said::{Kind, Said};

fn main() -> ExitCode {
    let options = Options::parse();
    let outcome = match options.part.as_deref() {
        Some([part, plan]) => return run_part(part, plan),
        Some(_) | None => run(&options),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("milepost-haul: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A part, until it is asked to end. What goes wrong is the parent's to say.
fn run_part(part: &str, plan: &str) -> ExitCode {
    let outcome = match serde_json::from_str::<Plan>(plan) {
        Err(error) => Err(io::Error::from(error).into()),
        Ok(plan) => match Part::ALL.into_iter().find(|known| known.name() == part) {
            Some(Part::Writer) => writer::run(&plan),
            Some(Part::Follower) => follower::run(&plan),
            Some(Part::Holder) => holder::run(&plan),
            None => Err(io::Error::other(format!("there is no part {part}")).into()),
        },
    };
    let Err(fault) = outcome else { return ExitCode::SUCCESS };
    let said = Said::Failed { is_wrong_answer: matches!(fault, Fault::Wrong(_)), text: fault.to_string() };
    // A parent that does not listen any more is gone.
    let _ = said.say();
    ExitCode::FAILURE
}

/// The haul. Whether nothing was wrong.
fn run(options: &Options) -> Result<bool, Fault> {
    let parent = options.dir.clone().map_or_else(env::current_dir, Ok)?;
    let dir = tempfile::Builder::new().prefix(".milepost-haul-").tempdir_in(parent)?;
    let plan = options.plan(dir.path().join("store"))?;
    let processes = Processes::default();
    interrupt::end_on_signal(dir.path(), &processes)?;
    let mut report = Report::new(options.json.as_deref(), &plan)?;
    let probe = probe::start(&dir.path().join("probe"))?;
    let mut haul = Haul::new(&plan, &processes, probe);
    let outcome = haul.run(&mut |row| report.row(row)).and_then(|rows| Ok((rows, after::verify(&plan)?)));
    while processes.is_interrupted() {
        // Who was told to stop removes everything and ends this process.
        thread::park();
    }
    match outcome {
        Ok((rows, clean)) => {
            let is_flat = conclude(&mut report, &haul, &rows, &clean)?;
            dir.close()?;
            Ok(is_flat)
        }
        Err(fault) => {
            let (kept, kills) = (dir.keep(), haul.tally.kills);
            eprintln!("milepost-haul: FAILED after {kills} kills, seed {}: {fault}", plan.seed);
            eprintln!("what it left is in {}", kept.display());
            report.haul(&json!({ "failed": fault.to_string(), "kills": kills }))?;
            Ok(false)
        }
    }
}

/// Verdicts, and what it came to. Whether nothing grows.
fn conclude(report: &mut Report, haul: &Haul<'_>, rows: &[Row], clean: &milepost::Report) -> io::Result<bool> {
    println!();
    let mut grows = 0;
    for verdict in judge::verdicts(rows, haul.plan) {
        report.verdict(&verdict)?;
        grows += u64::from(verdict.outcome == Outcome::Grows);
    }
    let tally = &haul.tally;
    let spread = |kind| Spread::of(tally.whole.of(kind));
    if let Some(verdict) = judge::aim(&spread(Kind::Commit), &spread(Kind::Sync)) {
        report.verdict(&verdict)?;
    }
    println!(
        "\nno wrong answer of {} compared; {} kills, {} acknowledged commits looked for at their seq, none lost;\n\
         longest opening {:.0} ms; verify: clean, {} commits, {} events, {} segments, {} runs, {} bytes",
        tally.checks_in_all,
        tally.kills,
        haul.looked_for,
        tally.open_longest.as_secs_f64() * 1000.0,
        clean.commits,
        clean.events,
        clean.segments,
        clean.runs,
        clean.bytes,
    );
    report.haul(&json!({
        "kills": tally.kills, "checks": tally.checks_in_all, "looked_for": haul.looked_for, "grows": grows,
        "open_longest_us": tally.open_longest.as_micros() as u64,
        "commit": spread(Kind::Commit), "batch": spread(Kind::Batch), "read": spread(Kind::Read),
        "scan": spread(Kind::Scan), "refresh": spread(Kind::Refresh), "sync": spread(Kind::Sync),
    }))?;
    if grows > 0 {
        println!("FAILED: {grows} of them grow");
    }
    Ok(grows == 0)
}
