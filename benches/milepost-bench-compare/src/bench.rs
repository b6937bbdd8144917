//! [`Bench`]: where and how much is measured, and the order of rounds.
//!
//! Invariant: the engines take turns within each round, with syncs probed in between, so that a machine that changes
//! its mind does so for all of them.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::PathBuf,
    time::{Duration, Instant},
};

use milepost_machine::Ticks;

use crate::{
    data::scaled,
    peers::{Kind, MILEPOST},
    row::{Conditions, Point, Row, Unit, median, median_curve},
};

/// Syncs timed between two turns.
const SYNCS: u64 = 150;
/// The probed file: filled before, so that a sync has no new blocks to write down.
const PROBE_BYTES: usize = 1 << 20;
/// About what one event takes.
const PROBE_WRITE_BYTES: u64 = 256;

/// How a run is made.
pub(crate) struct Bench {
    /// Where stores and files go; removed when the run ends.
    pub(crate) dir: PathBuf,
    /// Rounds per figure.
    pub(crate) rounds: u32,
    /// How much of the data and of the time, at most 1.
    pub(crate) scale: f64,
    /// The stores of 20 million events too.
    pub(crate) large: bool,
    /// Who takes part.
    pub(crate) kinds: Vec<&'static Kind>,
    /// This program.
    pub(crate) program: PathBuf,
}

/// What a turn gives for one figure.
pub(crate) struct Measured {
    /// The number.
    pub(crate) number: f64,
    /// What it was made of: points that were measured in the same turn, none if there is only the number.
    pub(crate) curve: Vec<Point>,
}

impl From<f64> for Measured {
    fn from(number: f64) -> Measured {
        Measured { number, curve: Vec::new() }
    }
}

/// One who takes a turn in every round, and gives a number for each figure, a curve beside it where there is one.
pub(crate) struct Contender<'a> {
    /// Who.
    pub(crate) engine: String,
    /// The turn.
    pub(crate) turn: Turn<'a>,
}

type Turn<'a> = Box<dyn FnMut() -> io::Result<Vec<Measured>> + 'a>;

impl<'a> Contender<'a> {
    /// One with a name, whose turn gives numbers, or numbers with curves.
    pub(crate) fn new<M: Into<Measured>>(
        engine: impl Into<String>,
        mut turn: impl FnMut() -> io::Result<Vec<M>> + 'a,
    ) -> Contender<'a> {
        let turn = move || Ok(turn()?.into_iter().map(M::into).collect());
        Contender { engine: engine.into(), turn: Box::new(turn) }
    }
}

impl Bench {
    /// How long one turn of a load takes.
    pub(crate) fn turn(&self) -> Duration {
        Duration::from_micros(scaled(1_000_000, self.scale).max(10_000))
    }

    /// Milepost, if it takes part.
    pub(crate) fn milepost(&self) -> Option<&'static Kind> {
        self.kinds.iter().find(|kind| kind.name == MILEPOST).copied()
    }

    /// Lets the contenders take turns, round after round; a row for each figure and contender.
    pub(crate) fn take_turns(
        &self,
        figures: &[&'static str],
        unit: Unit,
        rounds: u32,
        mut contenders: Vec<Contender<'_>>,
    ) -> io::Result<Vec<Row>> {
        let path = self.dir.join("syncs");
        fs::write(&path, vec![0; PROBE_BYTES])?;
        let file = File::options().write(true).open(&path)?;
        file.sync_all()?;
        let mut syncs = vec![self.probe(&file)?];
        let mut numbers = vec![vec![Vec::new(); contenders.len()]; figures.len()];
        let mut curves = vec![vec![Vec::new(); contenders.len()]; figures.len()];
        let before = Ticks::now();
        for _ in 0..rounds {
            for (index, contender) in contenders.iter_mut().enumerate() {
                let turn = (contender.turn)().map_err(|error| named(&contender.engine, figures, &error))?;
                for ((numbers, curves), measured) in numbers.iter_mut().zip(&mut curves).zip(turn) {
                    numbers[index].push(measured.number);
                    curves[index].push(measured.curve);
                }
                syncs.push(self.probe(&file)?);
            }
        }
        let others_percent = before.zip(Ticks::now()).and_then(|(before, now)| now.percent_of_others_since(before));
        fs::remove_file(&path)?;
        let conditions = Conditions { sync_p50_us: median(syncs), others_percent };
        let mut rows = Vec::new();
        for ((figure, numbers), curves) in figures.iter().zip(numbers).zip(curves) {
            let first = contenders.first().filter(|first| first.engine.starts_with(MILEPOST));
            let milepost = first.and(numbers.first()).map(|numbers| median(numbers.clone()));
            for ((contender, rounds), curves) in contenders.iter().zip(numbers).zip(curves) {
                let (engine, curve) = (contender.engine.clone(), median_curve(&curves));
                rows.push(Row { figure, engine, unit, rounds, curve, milepost, conditions });
            }
        }
        Ok(rows)
    }

    /// The median time of an fdatasync after the write of one event's bytes, in microseconds.
    fn probe(&self, file: &File) -> io::Result<f64> {
        let mut took = Vec::new();
        for write in 0..scaled(SYNCS, self.scale.max(0.05)) {
            file.write_all_at(&[1; PROBE_WRITE_BYTES as usize], write * PROBE_WRITE_BYTES)?;
            let started = Instant::now();
            file.sync_data()?;
            took.push(started.elapsed().as_secs_f64() * 1e6);
        }
        Ok(median(took))
    }
}

fn named(engine: &str, figures: &[&str], error: &io::Error) -> io::Error {
    io::Error::other(format!("{engine}, {}: {error}", figures.join(" ")))
}
