//! Tries mutants: which test notices each.
//!
//! Invariant: tests of the mutant's own package are asked first, and of those the quick ones.
//!
//! Knows nothing of how a mutant got into the program.

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    io::Write as _,
    path::Path,
    sync::Mutex,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    list::Mutant,
    suite::{Ended, Test, each_thread, lock},
};

/// What tests said of a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    Caught,
    /// A test took several times as long as it does.
    Late,
    /// By none of the tests that there was time for.
    Alive,
    /// No test comes past it.
    Unmet,
}

/// A mutant's verdict, the test that gave it, and how many tests were asked of how many that come past it.
pub(super) struct Outcome {
    pub(super) verdict: Verdict,
    pub(super) by: Option<String>,
    pub(super) is_own: bool,
    pub(super) asked: (usize, usize),
}

/// Tries mutants until all are tried or the time is over; `most` is what the tests of one may take together. Outcomes
/// go to the end of the file `results`, a line each, by the mutant's name.
pub(super) fn run(
    mutants: Vec<&Mutant>,
    tests: &[Test<'_>],
    dir: &Path,
    threads: usize,
    (ends, most): (Instant, Duration),
) -> Result<(), String> {
    let results = dir.join(super::RESULTS);
    let told = |error: std::io::Error| format!("{}: {error}", results.display());
    let file = Mutex::new(OpenOptions::new().append(true).create(true).open(&results).map_err(told)?);
    let mut comes_past: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (number, test) in tests.iter().enumerate() {
        for id in &test.met {
            comes_past.entry(*id).or_default().push(number);
        }
    }
    let waiting = Mutex::new(mutants.into_iter());
    // Which tests noticed something in a file: the next change there is likely to be noticed by one of them.
    let noticed: Mutex<BTreeMap<(&str, usize), usize>> = Mutex::new(BTreeMap::new());
    each_thread(threads, |thread| {
        let room = dir.join(format!("room-{thread}"));
        while Instant::now() < ends {
            let Some(mutant) = lock(&waiting).next() else { break };
            let mut order = comes_past.get(&mutant.id).cloned().unwrap_or_default();
            {
                let noticed = lock(&noticed);
                order.sort_by_key(|number| {
                    let test = &tests[*number];
                    let times = noticed.get(&(mutant.file.as_str(), *number)).copied().unwrap_or(0);
                    (
                        test.package() != mutant.package,
                        test.took * u32::try_from(8_usize.saturating_sub(times)).unwrap_or(1),
                    )
                });
            }
            let (outcome, by) = ask(mutant, tests, &order, &room, most)?;
            if let Some(number) = by {
                *lock(&noticed).entry((mutant.file.as_str(), number)).or_default() += 1;
            }
            writeln!(lock(&file), "{}", row(mutant, &outcome)).map_err(told)?;
        }
        Ok(())
    })
}

fn ask(
    mutant: &Mutant,
    tests: &[Test<'_>],
    order: &[usize],
    room: &Path,
    most: Duration,
) -> Result<(Outcome, Option<usize>), String> {
    let mut spent = Duration::ZERO;
    let mut asked = 0;
    let none = |verdict, asked| Outcome { verdict, by: None, is_own: false, asked: (asked, order.len()) };
    for number in order {
        let test = &tests[*number];
        if spent + test.took > most {
            continue;
        }
        spent += test.took;
        asked += 1;
        let verdict = match test.run(mutant.id, room)? {
            Ended::Passed => continue,
            Ended::Failed => Verdict::Caught,
            Ended::Late => Verdict::Late,
        };
        let is_own = test.package() == mutant.package;
        let by = Some(format!("{} {}", test.package(), test.name));
        return Ok((Outcome { verdict, by, is_own, asked: (asked, order.len()) }, Some(*number)));
    }
    Ok((none(if order.is_empty() { Verdict::Unmet } else { Verdict::Alive }, asked), None))
}

fn row(mutant: &Mutant, outcome: &Outcome) -> Value {
    json!({
        "mutant": mutant.name,
        "package": mutant.package,
        "verdict": format!("{:?}", outcome.verdict),
        "by": outcome.by,
        "own": outcome.is_own,
        "asked": outcome.asked.0,
        "of": outcome.asked.1,
    })
}

/// The last outcome of each mutant that was tried, by its name.
pub(super) fn outcomes(dir: &Path) -> BTreeMap<String, Outcome> {
    let text = std::fs::read_to_string(dir.join(super::RESULTS)).unwrap_or_default();
    text.lines().filter_map(|line| parse(&serde_json::from_str(line).ok()?)).collect()
}

fn parse(row: &Value) -> Option<(String, Outcome)> {
    let number = |name: &str| usize::try_from(row[name].as_u64()?).ok();
    let verdict = [Verdict::Caught, Verdict::Late, Verdict::Alive, Verdict::Unmet]
        .into_iter()
        .find(|verdict| row["verdict"] == format!("{verdict:?}"))?;
    let by = row["by"].as_str().map(str::to_owned);
    let outcome = Outcome { verdict, by, is_own: row["own"] == true, asked: (number("asked")?, number("of")?) };
    Some((row["mutant"].as_str()?.to_owned(), outcome))
}
