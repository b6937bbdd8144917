//! What is done to a store: steps drawn from a seed.
//!
//! Invariant: a step is plain data that can be printed and run again. Each seed has its own taste: it draws the weights
//! of the kinds of step first, so that some seeds do nothing but roll and others nothing but clear.
//!
//! Must not know: the engine. It looks at the model only to aim: at keys that exist, versions that are right.

mod asks;

use milepost_types::{At, Scope, Seq, Timestamp};

use crate::{dice::Dice, model::Model};

pub use asks::{Asks, KEYS, NAMES, SCOPES};

const HOUR_US: i64 = 3_600_000_000;
pub(crate) const FIFTY_YEARS_US: i64 = 50 * 366 * 24 * HOUR_US;

/// One thing done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// One commit by a caller that leads itself.
    Commit(crate::model::Ask),
    /// A scope goes back to what it was.
    Restore(Scope, At),
    /// Several in flight before the leader is stepped.
    Flight(Vec<crate::model::Ask>),
    /// Steps that see to what old segments left.
    Recycle,
    /// So many steps of making runs.
    Index(u64),
    /// A clean close, and an opening.
    Reopen,
    /// The process is killed: what it wrote is there, synced or not. Then an opening.
    Kill,
    /// A read-only opening beside the writer.
    Beside,
    /// Files of the index are lost, and the store is read without them.
    LoseIndex(LostRuns),
    /// The process is killed, and the disk is full when the store is opened again.
    OpenFull(FullDisk),
    /// A view, held open across what follows.
    Hold(At),
    /// A watch from a position on, held open across what follows.
    Watch(Seq),
    /// A backup beside the store, restored on a machine of its own.
    Backup,
    /// So many steps of compaction; all of it, to its end, for 0.
    Compact(u64),
    /// Random questions now.
    Read,
    /// The wall clock moves.
    Clock(Tick),
    /// A fault is put into the way of what follows.
    Fault(FaultPlan),
    /// The power goes off after so many operations on the disk.
    PowerOff(u64),
}

/// Which files of the index are lost, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostRuns {
    /// A bit for each, in the order of their names; those of which it is 1 are lost.
    pub which: u64,
    /// When.
    pub when: Lost,
}

/// When files are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// After a clean close; then comes an opening.
    Closed,
    /// After a kill; then comes an opening.
    Killed,
    /// While the store is open; then comes a reader beside.
    Open,
}

/// A disk that is full when the store is opened, until there is room again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FullDisk {
    /// The bytes that are free.
    pub room: u64,
    /// Whether the reserve is lost, too.
    pub loses_reserve: bool,
}

/// How the wall clock moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tick {
    /// Forward or back, in microseconds.
    By(i64),
    /// It stands still until it is set again.
    Freeze,
    /// It goes on as usual.
    Run,
    /// Fifty years ahead for one step.
    AheadForAMoment,
}

/// A fault to put into the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultPlan {
    /// The nth sync from now fails once, then syncs say OK again.
    SyncOnce(u64),
    /// The same, and what was to be synced is gone.
    SyncDropsPages(u64),
    /// The nth sync fails for want of space.
    SyncFull(u64),
    /// The nth write fails.
    Write(u64),
    /// The nth write comes short by itself, so that the rest has to be written again.
    WriteShort(u64),
    /// The nth write comes short, and the rest fails.
    WriteShortThenError(u64),
    /// The nth write fails for want of space.
    WriteFull(u64),
    /// The disk has room for so many bytes more, until there is room again.
    Capacity(u64),
    /// The nth creation of a file fails for want of space.
    CreateFull(u64),
    /// The nth opening of a file that is there fails: too many are open.
    Open(u64),
    /// The nth rename fails.
    Rename(u64),
    /// The nth sync of a directory fails.
    SyncDir(u64),
    /// The nth change of a file's size fails.
    Resize(u64),
    /// The nth read fails.
    Read(u64),
    /// The nth map fails.
    Map(u64),
    /// Everything is taken out of the way, and there is room again.
    Lift,
}

/// Draws steps.
#[derive(Clone, Debug)]
pub struct Workload {
    dice: Dice,
    weights: [u32; 18],
    asks: Asks,
}

impl Workload {
    /// A workload to the taste of a seed. `faults` says whether it may put faults into the way.
    #[must_use]
    pub fn new(mut dice: Dice, faults: Faults, compacts: Compacts) -> Workload {
        let mut weights = [30, 20, 6, 8, 3, 3, 2, 3, 1, 4, 4, 4, 1, 4, 3, 0, 2, 1];
        for weight in &mut weights[1..13] {
            *weight *= *dice.pick(&[0, 1, 1, 1, 2, 4]);
        }
        match faults {
            Faults::None => (weights[13], weights[14], weights[17]) = (0, 0, 0),
            Faults::PowerLoss => (weights[13], weights[17]) = (0, 0),
            Faults::All => {}
        }
        let mut asks = Asks::new(dice.apart());
        if compacts == Compacts::Often {
            weights[15] = *dice.pick(&[3, 8, 16]);
            // Few backups are restored to before what was compacted.
            weights[12] = weights[12].max(3);
            asks.retain_often();
        }
        Workload { dice, weights, asks }
    }

    /// The next step.
    pub fn next(&mut self, model: &Model, now: Timestamp) -> Step {
        match self.dice.weighted(&self.weights) {
            0 => Step::Commit(self.asks.draw(model, now)),
            1 => {
                let count = 1 + self.dice.index(6);
                Step::Flight((0..count).map(|_| self.asks.draw(model, now)).collect())
            }
            2 => Step::Recycle,
            3 => Step::Index(1 + self.dice.below(80)),
            4 => Step::Reopen,
            5 => Step::Kill,
            6 => Step::Beside,
            7 => Step::Hold(self.at(model)),
            8 => Step::Watch(Seq(1 + self.dice.below(model.last().seq.0 + 2))),
            9 => Step::Read,
            10 => Step::Clock(self.tick()),
            11 => {
                let at = self.at(model);
                Step::Restore(self.asks.scope(), at)
            }
            12 => Step::Backup,
            13 => Step::Fault(self.fault()),
            15 => Step::Compact(*self.dice.pick(&[0, 0, 1, 2, 3, 5, 9])),
            16 => Step::LoseIndex(self.lost_runs()),
            17 => Step::OpenFull(self.full_disk()),
            _ => Step::PowerOff(self.dice.below(40)),
        }
    }

    /// A moment: mostly one that is there.
    pub fn at(&mut self, model: &Model) -> At {
        let last = model.last();
        match self.dice.below(5) {
            0 => At::Latest,
            1 => {
                let near = model.commit(Seq(1 + self.dice.below(last.seq.0))).map_or(0, |commit| commit.at.0);
                At::Time(Timestamp(near.saturating_add(*self.dice.pick(&[-1, 0, 1, 1_000]))))
            }
            2 => {
                let there = model.state(last.seq);
                let there: Vec<_> = there.checkpoints().keys().copied().collect();
                match there.is_empty() {
                    true => At::Latest,
                    false => {
                        let (scope, name) = *self.dice.pick(&there);
                        At::checkpoint(&Scope::parse(scope).expect("a scope of the model"), name)
                    }
                }
            }
            _ => At::Seq(Seq(self.dice.below(last.seq.0 + 1))),
        }
    }

    /// All of them, or some.
    fn lost_runs(&mut self) -> LostRuns {
        let which = if self.dice.once_in(2) { u64::MAX } else { self.dice.bits() };
        LostRuns { which, when: *self.dice.pick(&[Lost::Closed, Lost::Killed, Lost::Open]) }
    }

    /// No room at all, or a little.
    fn full_disk(&mut self) -> FullDisk {
        let room = if self.dice.once_in(2) { 0 } else { self.dice.below(6_000) };
        FullDisk { room, loses_reserve: self.dice.once_in(2) }
    }

    fn tick(&mut self) -> Tick {
        match self.dice.below(8) {
            0 => Tick::By(-HOUR_US),
            1 => Tick::By(-FIFTY_YEARS_US),
            2 => Tick::Freeze,
            3 => Tick::AheadForAMoment,
            4 => Tick::By(1 + self.dice.below(5 * HOUR_US as u64) as i64),
            5 => Tick::By(self.dice.below(3) as i64),
            _ => Tick::Run,
        }
    }

    fn fault(&mut self) -> FaultPlan {
        let nth = 1 + self.dice.below(4);
        match self.dice.below(17) {
            0 => FaultPlan::SyncOnce(nth),
            1 => FaultPlan::SyncDropsPages(nth),
            2 => FaultPlan::SyncFull(nth),
            3 => FaultPlan::Write(nth),
            4 => FaultPlan::WriteShort(nth),
            5 => FaultPlan::WriteShortThenError(nth),
            6 => FaultPlan::WriteFull(nth),
            7 => FaultPlan::Capacity(self.dice.below(6_000)),
            8 => FaultPlan::CreateFull(1),
            9 => FaultPlan::Rename(1),
            10 => FaultPlan::SyncDir(1),
            11 => FaultPlan::Resize(1),
            12 => FaultPlan::Read(nth),
            13 => FaultPlan::Map(1),
            14 => FaultPlan::Open(nth),
            _ => FaultPlan::Lift,
        }
    }
}

/// Whether what the past holds may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compacts {
    /// Policies are said, and nothing acts on them.
    Never,
    /// What they say is done, and said often.
    Often,
}

/// What may go wrong in a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Faults {
    /// Nothing.
    None,
    /// The power may go off.
    PowerLoss,
    /// Everything.
    All,
}
