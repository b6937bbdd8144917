//! [`Bench`]: where and how much is measured, and the order of rounds.
//!
//! Invariant: ours and the baseline take turns within each round, with syncs probed in between, so that a disk that
//! changes its mind does so for all three.

use std::{
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use milepost_machine::Ticks;

use crate::{
    bare::{BareFile, push_frame},
    event::{Event, SCOPE},
    figure::{Conditions, Sample, median},
    load,
};

/// Syncs timed between two turns.
const SYNCS: u64 = 150;

/// How a run is made.
pub(crate) struct Bench {
    /// Where stores and files go; removed when the run ends.
    pub(crate) dir: PathBuf,
    /// Rounds per figure.
    pub(crate) rounds: u32,
    /// Tiny amounts.
    pub(crate) smoke: bool,
    /// The binary for the figures of the command line.
    pub(crate) milepost: PathBuf,
    /// Items of a job with many.
    pub(crate) items: u64,
}

/// Medians over the rounds.
pub(crate) struct Turns {
    /// Of each contender, in the order given.
    pub(crate) samples: Vec<Sample>,
    /// Of the same rounds.
    pub(crate) conditions: Conditions,
}

/// One who takes a turn in every round.
pub(crate) type Contender<'a> = Box<dyn FnMut() -> io::Result<Sample> + 'a>;

impl Bench {
    /// How long one turn of a load takes.
    pub(crate) fn turn(&self) -> Duration {
        if self.smoke { Duration::from_millis(40) } else { Duration::from_millis(1500) }
    }

    /// `count`, or a tiny part of it for a smoke run.
    pub(crate) fn amount(&self, count: u64) -> u64 {
        if self.smoke { (count / 100).max(1) } else { count }
    }

    /// A path of its own, for a store or a file.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A bare log's file, prefilled.
    pub(crate) fn bare_file(&self, path: &Path) -> io::Result<BareFile> {
        BareFile::create(path, if self.smoke { 4 << 20 } else { 64 << 20 })
    }

    /// Lets the contenders take turns, round after round.
    pub(crate) fn take_turns(&self, contenders: &mut [Contender<'_>]) -> io::Result<Turns> {
        let path = self.path("syncs");
        let mut file = self.bare_file(&path)?;
        let mut syncs = vec![self.probe(&mut file)?];
        let (mut samples, before) = (vec![Vec::new(); contenders.len()], Ticks::now());
        for _ in 0..self.rounds {
            for (contender, samples) in contenders.iter_mut().zip(&mut samples) {
                samples.push(contender()?);
                syncs.push(self.probe(&mut file)?);
            }
        }
        std::fs::remove_file(&path)?;
        let samples = samples.iter().map(|samples| Sample::median(samples)).collect();
        let others_percent = before.zip(Ticks::now()).and_then(|(before, now)| now.percent_of_others_since(before));
        Ok(Turns { samples, conditions: Conditions { sync_p50_us: median(syncs), others_percent } })
    }

    /// The median time of an fdatasync after the write of one event's bytes.
    fn probe(&self, file: &mut BareFile) -> io::Result<f64> {
        let (mut event, mut frame, mut took) = (Event::new(), Vec::new(), load::histogram());
        for number in 0..if self.smoke { 10 } else { SYNCS } {
            event.number(number, number);
            frame.clear();
            push_frame(&mut frame, &[SCOPE.as_bytes(), event.key().as_bytes(), event.value()]);
            file.write(&frame)?;
            let started = Instant::now();
            file.sync()?;
            took.saturating_record(started.elapsed().as_nanos() as u64);
        }
        Ok(took.value_at_quantile(0.5) as f64 / 1000.0)
    }
}
