//! Tries mutants: which test notices each.
//!
//! Invariant: tests of the mutant's own package are asked first, and of those the quick ones; one that fails without a
//! mutant is not believed.
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
    let waiting = Mutex::new(mutants.into_iter());
    let trial = Trial::new(tests, most);
    each_thread(threads, |thread| {
        let room = dir.join(format!("room-{thread}"));
        while Instant::now() < ends {
            let Some(mutant) = lock(&waiting).next() else { break };
            let outcome = trial.ask(mutant, &room)?;
            writeln!(lock(&file), "{}", row(mutant, &outcome)).map_err(told)?;
        }
        Ok(())
    })
}

struct Trial<'a> {
    tests: &'a [Test<'a>],
    /// The tests that come past a mutant.
    comes_past: BTreeMap<u32, Vec<usize>>,
    /// How often a test noticed something in a file: the next change there is likely to be noticed by it as well.
    noticed: Mutex<BTreeMap<(String, usize), u32>>,
    /// Of the tests that noticed something, whether they pass without a mutant here and now.
    trusted: Mutex<BTreeMap<usize, bool>>,
    most: Duration,
}

impl<'a> Trial<'a> {
    fn new(tests: &'a [Test<'a>], most: Duration) -> Trial<'a> {
        let mut comes_past: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (number, test) in tests.iter().enumerate() {
            for id in &test.met {
                comes_past.entry(*id).or_default().push(number);
            }
        }
        Trial { tests, comes_past, noticed: Mutex::default(), trusted: Mutex::default(), most }
    }

    fn ask(&self, mutant: &Mutant, room: &Path) -> Result<Outcome, String> {
        let order = self.order(mutant);
        let (mut spent, mut asked) = (Duration::ZERO, 0);
        for number in &order {
            let test = &self.tests[*number];
            if spent + test.took > self.most {
                continue;
            }
            spent += test.took;
            asked += 1;
            let verdict = match test.run(mutant.id, room)? {
                Ended::Passed => continue,
                Ended::Failed => Verdict::Caught,
                Ended::Late => Verdict::Late,
            };
            if !self.is_trusted(*number, verdict, room)? {
                continue;
            }
            *lock(&self.noticed).entry((mutant.file.clone(), *number)).or_default() += 1;
            let by = Some(format!("{} {}", test.package(), test.name));
            let is_own = test.package() == mutant.package;
            return Ok(Outcome { verdict, by, is_own, asked: (asked, order.len()) });
        }
        let verdict = if order.is_empty() { Verdict::Unmet } else { Verdict::Alive };
        Ok(Outcome { verdict, by: None, is_own: false, asked: (asked, order.len()) })
    }

    /// The tests that come past a mutant, those to ask first in front.
    fn order(&self, mutant: &Mutant) -> Vec<usize> {
        let mut order = self.comes_past.get(&mutant.id).cloned().unwrap_or_default();
        let noticed = lock(&self.noticed);
        order.sort_by_key(|number| {
            let test = &self.tests[*number];
            let times = noticed.get(&(mutant.file.clone(), *number)).copied().unwrap_or(0);
            (test.package() != mutant.package, test.took / (1 + times))
        });
        order
    }

    /// Whether a test that noticed passes without a mutant: asked the first time it fails, and each time it is late.
    fn is_trusted(&self, number: usize, verdict: Verdict, room: &Path) -> Result<bool, String> {
        let known = lock(&self.trusted).get(&number).copied();
        match known {
            Some(false) => return Ok(false),
            Some(true) if verdict == Verdict::Caught => return Ok(true),
            _ => {}
        }
        let test = &self.tests[number];
        let passes = test.run(0, room)? == Ended::Passed;
        if !passes {
            println!("not believed, it fails without a mutant: {} {}", test.package(), test.name);
        }
        lock(&self.trusted).insert(number, passes);
        Ok(passes)
    }
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
