//! The command line, as given.

use std::{io, path::PathBuf};

use clap::Parser;

use crate::plan::Plan;

/// An hour of mixed work on one store, with the writer killed again and again, and proof that nothing grows.
///
/// Exit code 1: a wrong answer, a lost commit, something that grows, or a store that is not clean at the end.
#[derive(Debug, Parser)]
#[command(name = "milepost-haul", version)]
pub(crate) struct Options {
    /// How long, in minutes; a row a minute
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(crate) minutes: u64,
    /// The short form for CI instead: small segments, a kill every few seconds, a row every two seconds; latencies are
    /// reported and not judged
    #[arg(long, conflicts_with = "minutes", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) seconds: Option<u64>,
    /// Of the moments of the kills, and of what the readers ask for
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// What the writer writes at most, in MiB a minute
    #[arg(long, value_name = "MIB", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub(crate) rate: u64,
    /// No reader that holds an old view for the whole run
    #[arg(long)]
    pub(crate) no_holder: bool,
    /// Never kill the writer: the only way to see whether one process of it grows in an hour
    #[arg(long)]
    pub(crate) no_kills: bool,
    /// Where to put the store: a directory on the disk that is meant [default: the current directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Write every row and the verdicts to this file too, as JSON lines
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// A part of the haul that has a process of its own, and the plan
    #[arg(long, hide = true, value_names = ["PART", "PLAN"], num_args = 2)]
    pub(crate) part: Option<Vec<String>>,
}

impl Options {
    /// What it comes to, on a store in this place.
    pub(crate) fn plan(&self, store: PathBuf) -> io::Result<Plan> {
        let mut plan = match self.seconds {
            Some(seconds) => Plan::short(store, seconds),
            None => Plan::full(store, self.minutes),
        };
        plan.seed = self.seed;
        plan.rate_bytes_per_min =
            self.rate.checked_mul(1 << 20).ok_or_else(|| io::Error::other("the rate is too large"))?;
        if self.no_holder {
            plan.holder_ms = None;
        }
        if self.no_kills {
            plan.kill_ms = None;
        }
        Ok(plan)
    }
}
