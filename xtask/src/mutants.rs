//! Whether tests notice what is wrong: the mutants that `cargo mutants` lists, tried many times as fast.
//!
//! All of them are built into one program, each behind a switch that the environment sets (mutant schemata: Untch,
//! Offutt and Harrold, "Mutation analysis using mutant schemata", ISSTA 1993), so there is one build instead of
//! thousands. Each test is run once to see which mutants it comes past; a mutant is tried with those tests alone,
//! each in a process of its own, the quick ones first, until one fails.
//!
//! Invariant: what was tried is kept in the folder and not tried again, for as long as the mutant's name is the same.
//!
//! Knows nothing of the crates but that they lie in `crates`.

mod build;
mod list;
mod place;
mod render;
mod suite;
#[cfg(test)]
mod tests;
mod trial;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::Write as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use list::Mutant;
use trial::{Outcome, Verdict};

/// The file of outcomes, in the folder.
const RESULTS: &str = "results.jsonl";
/// The crates whose mutants are tried.
const MUTATED: [&str; 4] = ["milepost-types", "milepost-log", "milepost-index", "milepost-engine"];
/// The packages whose tests are asked, besides.
const ABOVE: [&str; 3] = ["milepost", "milepost-cli", "milepost-sim"];

/// What is asked for on the command line.
struct Order {
    dir: PathBuf,
    /// How long mutants are tried, behind the build and the first run of the tests.
    tries: Duration,
    /// What the tests of one mutant may take together.
    most: Duration,
    /// Every how many-th is tried.
    each: usize,
    /// Which sample is drawn.
    seed: u64,
    is_again: bool,
    /// Nothing is tried: only what came out is told.
    is_report: bool,
    threads: usize,
    /// Names that have one of these in them; all if there is none.
    only: Vec<String>,
}

/// `mutants DIR [minutes=60] [each=1] [seconds=120] [seed=0] [threads=2] [only=TEXT[,TEXT ...]] [again | report]`
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<(), String> {
    let order = parse(arguments)?;
    let crates: Vec<String> = MUTATED.iter().map(ToString::to_string).collect();
    let packages: Vec<String> = MUTATED.iter().chain(&ABOVE).map(ToString::to_string).collect();
    let mutants = list::list(root, &crates)?;
    if order.is_report {
        report(&mutants, &trial::outcomes(&order.dir));
        return Ok(());
    }
    std::fs::create_dir_all(&order.dir).map_err(|error| format!("{}: {error}", order.dir.display()))?;
    let copy = build::Copy::of(root, &order.dir)?;
    let placed = copy.place(root, &mutants, &crates)?;
    let programs = copy.tests(&packages)?;
    let tests = suite::trace(&programs, &order.dir, order.threads, order.most)?;
    let tried = trial::outcomes(&order.dir);
    let mut chosen: Vec<&Mutant> = mutants
        .iter()
        .filter(|mutant| placed.contains(&mutant.id) && order.asks_for(&mutant.name))
        .filter(|mutant| match tried.get(&mutant.name).map(|outcome| outcome.verdict) {
            None => true,
            Some(Verdict::Alive | Verdict::Unmet) => order.is_again,
            Some(Verdict::Caught | Verdict::Late) => false,
        })
        .collect();
    // In an order that has nothing to do with where they stand, and is the same each time: a part is a fair sample. It
    // is one no more once tests were written from its survivors: then another seed draws anew.
    chosen.sort_by_key(|mutant| crc32fast::hash(format!("{}{}", order.seed, mutant.name).as_bytes()));
    let chosen = chosen.into_iter().step_by(order.each).collect();
    trial::run(chosen, &tests, &order.dir, order.threads, (Instant::now() + order.tries, order.most))?;
    report(&mutants, &trial::outcomes(&order.dir));
    Ok(())
}

impl Order {
    fn asks_for(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|text| name.contains(text))
    }
}

fn parse(arguments: &[String]) -> Result<Order, String> {
    let usage = || {
        "usage: cargo run -p xtask -- mutants DIR [minutes=60] [each=1] [seconds=120] [seed=0] [threads=2] [only=TEXT[,TEXT ...]] [again | report]"
            .to_owned()
    };
    let (dir, rest) = arguments.split_first().ok_or_else(usage)?;
    let mut numbers = BTreeMap::from([("minutes", 60), ("each", 1), ("seconds", 120), ("seed", 0), ("threads", 2)]);
    let (mut only, mut is_again, mut is_report) = (Vec::new(), false, false);
    for argument in rest {
        match argument.split_once('=') {
            Some(("only", texts)) => only.extend(texts.split(',').map(str::to_owned)),
            Some((name, number)) => {
                *numbers.get_mut(name).ok_or_else(usage)? = number.parse().map_err(|_| usage())?;
            }
            None if argument == "again" => is_again = true,
            None if argument == "report" => is_report = true,
            None => return Err(usage()),
        }
    }
    Ok(Order {
        dir: std::path::absolute(dir).map_err(|error| format!("{dir}: {error}"))?,
        tries: Duration::from_secs(60 * numbers["minutes"]),
        most: Duration::from_secs(numbers["seconds"]),
        each: usize::try_from(numbers["each"].max(1)).map_err(|error| error.to_string())?,
        seed: numbers["seed"],
        is_again,
        is_report,
        threads: usize::try_from(numbers["threads"].max(1)).map_err(|error| error.to_string())?,
        only,
    })
}

/// What came out, by package, and those that nobody noticed.
fn report(mutants: &[Mutant], outcomes: &BTreeMap<String, Outcome>) {
    let mut page = String::new();
    let _infallible = writeln!(
        page,
        "{:<18}{:>8}{:>8}{:>8}{:>8}{:>8}{:>8}{:>9}",
        "package", "listed", "tried", "caught", "by own", "late", "not", "caught %"
    );
    let mut lost = Vec::new();
    for package in MUTATED {
        let of_package: Vec<&Mutant> = mutants.iter().filter(|mutant| mutant.package == package).collect();
        let tried: Vec<(&Mutant, &Outcome)> =
            of_package.iter().filter_map(|mutant| Some((*mutant, outcomes.get(&mutant.name)?))).collect();
        let count = |is: &dyn Fn(&Outcome) -> bool| tried.iter().filter(|(_, outcome)| is(outcome)).count();
        let caught = count(&|outcome| outcome.verdict == Verdict::Caught);
        let late = count(&|outcome| outcome.verdict == Verdict::Late);
        let own = count(&|outcome| outcome.verdict <= Verdict::Late && outcome.is_own);
        let not = tried.len() - caught - late;
        let percent = 100.0 * (caught + late) as f64 / tried.len().max(1) as f64;
        let _infallible = writeln!(
            page,
            "{package:<18}{:>8}{:>8}{caught:>8}{own:>8}{late:>8}{not:>8}{percent:>9.1}",
            of_package.len(),
            tried.len()
        );
        lost.extend(tried.into_iter().filter(|(_, outcome)| outcome.by.is_none()));
    }
    page.push('\n');
    for (mutant, outcome) in lost {
        let (asked, of) = outcome.asked;
        let _infallible = writeln!(page, "{} ({asked} of {of} tests asked)", mutant.name);
    }
    // Who reads only the beginning has what it wanted.
    let _read = std::io::stdout().write_all(page.as_bytes());
}
