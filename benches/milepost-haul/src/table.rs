//! Rows and verdicts as lines of a table.
//!
//! Invariant: a number is printed as measured, with its unit in the head; what was not measured is a dash.

use crate::{
    judge::{Outcome, Verdict},
    row::Row,
};

/// Two lines of names.
pub(crate) const HEAD: &str = "\
    time commits           commit, us              batch, us            read, us              sync, us   \
  anon memory, MiB   files  runs  store  held others kills  open checks
       s      /s   p50    p99   p99.9     max     p99   p50   p99  p99.9     max   p50  p99.9 \
  wrt   flw   hld                 MiB   MiB      %          ms      k";

pub(crate) fn row(row: &Row) -> String {
    let mib = |bytes: u64| format!("{:.0}", bytes as f64 / f64::from(1 << 20));
    let anonymous = |part| row.of(part).map_or("-".to_owned(), |process| mib(process.anonymous_bytes));
    format!(
        "{:8.0} {:7.0} {:5.0} {:6.0} {:7.0} {:7.0} {:7.0} {:5.1} {:5.0} {:6.0} {:7.0} {:5.0} {:6.0} \
         {:>5} {:>5} {:>5} {:7} {:5} {:>6} {:>5} {:>6} {:5} {:5.0} {:6.0}",
        row.at_s,
        row.commits_per_s,
        row.commit.p50_us,
        row.commit.p99_us,
        row.commit.p999_us,
        row.commit.max_us,
        row.batch.p99_us,
        row.read.p50_us,
        row.read.p99_us,
        row.read.p999_us,
        row.read.max_us,
        row.sync.p50_us,
        row.sync.p999_us,
        anonymous("writer"),
        anonymous("follower"),
        anonymous("holder"),
        row.store.files,
        row.store.runs,
        mib(row.store.bytes),
        mib(row.held_bytes()),
        row.others_percent.map_or("-".to_owned(), |percent| format!("{percent:.0}")),
        row.kills,
        row.open_us as f64 / 1000.0,
        row.checks as f64 / 1000.0,
    )
}

pub(crate) fn verdict(verdict: &Verdict) -> String {
    let said = match verdict.outcome {
        Outcome::Flat => "flat",
        Outcome::Grows => "GROWS",
        Outcome::Reported => "reported only",
        Outcome::TooShort => "too short to say",
        Outcome::Reached => "reached",
        Outcome::Short => "short of it",
    };
    format!(
        "{:<28} {:>10.1} -> {:>10.1} {:<4} {:>5.2} x, at most {:.2} x   {said}",
        verdict.name, verdict.before, verdict.after, verdict.unit, verdict.times, verdict.times_max
    )
}
