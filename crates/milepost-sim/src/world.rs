//! [`World`]: a machine, the engine on it, and the model beside it.
//!
//! Invariant: after every step the model knows what was acknowledged and what is in doubt. Whatever the engine says
//! beyond that is a [`Disagreement`].
//!
//! Must not know: what a step will be; it takes them from a [`Workload`] or from a test's list.

mod backup;
mod commit;
mod compact;
mod fault;
mod full;
mod lose;
mod power;

use std::sync::Arc;

use milepost_engine::{Engine, OpenError, View, Watch};
use milepost_types::{At, Commit, Seq, Timestamp};

pub use commit::request;
pub use power::Seen;

use crate::{
    check::{self, Agreed, Disagreement, disagree, same},
    coverage::Coverage,
    dice::Dice,
    machine::Machine,
    model::{Kept, Model, Pins, Sight},
    recover::{self, Adopted, Known},
    workload::{Compacts, Faults, Step, Tick, Workload},
};

/// 2026-11-24 or so: where the clocks of simulated machines begin.
pub const BEGINNING: Timestamp = Timestamp(1_795_000_000_000_000);
const HELD_VIEWS_MOST: usize = 6;
/// Enough to free what is worn, and to make a whole spare of a small segment.
const RECYCLE_STEPS: usize = 3;

/// How a world is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taste {
    /// Bytes at which a segment is sealed.
    pub segment_bytes: u32,
    /// Bytes of memory for versions.
    pub memory_bytes: u64,
    /// What may go wrong.
    pub faults: Faults,
    /// How many ways each crash is looked at.
    pub crashes_each: usize,
    /// Whether what the past holds may go.
    pub compacts: Compacts,
}

/// The whole simulated store with its reference.
#[derive(Debug)]
pub struct World {
    machine: Machine,
    /// Open between steps.
    engine: Option<Engine>,
    model: Model,
    /// What was under way when the engine stopped, in order.
    doubt: Vec<Arc<Kept>>,
    held: Vec<(View, Sight)>,
    /// Views of handles that were closed since.
    outlived: Vec<(View, Sight)>,
    watches: Vec<(Watch, Seq)>,
    /// Read-only openings beside the writer, as of other processes.
    readers: Vec<Engine>,
    /// What the wall clock says; it moves only between steps.
    wall: Timestamp,
    frozen: bool,
    /// How many steps more the clock is far ahead, and where it goes back to.
    leap: Option<(u32, Timestamp)>,
    /// Faults were put into the way since they were lifted last.
    faulty: bool,
    /// The engine stopped because of faults that are lifted by now.
    excused: bool,
    /// The disk has little room.
    capacity: bool,
    /// How many of the faults that this disk met are counted already.
    faults_noted: usize,
    /// The power will go off.
    doomed: bool,
    /// Number of the last backup that was made.
    backed_up: Option<u64>,
    /// Whether making one has failed since, so that it may be there.
    backup_in_doubt: bool,
    /// Whether a compaction has failed since one came to its end.
    compaction_failed: bool,
    /// Steps done since the engine stopped taking commits.
    stopped_for: u32,
    dice: Dice,
    taste: Taste,
    /// What was met.
    pub coverage: Coverage,
    /// Crash states met: each crash that was drawn is one.
    pub states: u64,
    /// Of those, the ones that no other of the same moment was equal to: each was recovered from and compared.
    pub disks: u64,
}

impl World {
    /// A world with a new store in it.
    pub fn new(seed: u64, taste: Taste) -> Result<World, Disagreement> {
        let mut dice = Dice::new(seed);
        let mut machine = Machine::new(dice.bits(), taste.segment_bytes, BEGINNING);
        machine.memory_bytes = taste.memory_bytes;
        let mut coverage = Coverage::default();
        let mut states = 0;
        if taste.faults != Faults::None && dice.once_in(4) {
            states += power::crash_at_birth(&machine, &mut dice, &mut coverage)?;
        }
        let engine = machine.open().map_err(|error| Disagreement(format!("first opening: {error}")))?;
        Ok(World {
            machine,
            engine: Some(engine),
            model: Model::default(),
            doubt: Vec::new(),
            held: Vec::new(),
            outlived: Vec::new(),
            watches: Vec::new(),
            readers: Vec::new(),
            wall: BEGINNING,
            frozen: false,
            leap: None,
            faulty: false,
            excused: false,
            capacity: false,
            faults_noted: 0,
            doomed: false,
            backed_up: None,
            backup_in_doubt: false,
            compaction_failed: false,
            stopped_for: 0,
            dice,
            taste,
            coverage,
            states,
            disks: states,
        })
    }

    /// Draws and does so many steps, then looks at everything once more.
    pub fn run(&mut self, steps: usize) -> Agreed {
        let mut workload = Workload::new(self.dice.apart(), self.taste.faults, self.taste.compacts);
        for index in 0..steps {
            let step = workload.next(&self.model, self.wall);
            self.step(&step)
                .map_err(|Disagreement(what)| Disagreement(format!("step {index}, {step:.120?}: {what}")))?;
        }
        self.finish().map_err(|Disagreement(what)| Disagreement(format!("at the end: {what}")))
    }

    /// The model, to aim at.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// A handle on the open engine; to be dropped before the store is opened again.
    fn engine(&self) -> Engine {
        self.engine.clone().expect("the store is open between steps")
    }

    /// The hash over everything that was done to the disk.
    #[must_use]
    pub fn trace_hash(&self) -> u64 {
        self.machine.disk.trace_hash()
    }

    /// Does one step, compares, and sees to what follows from it: recovery if the power went off.
    pub fn step(&mut self, step: &Step) -> Agreed {
        self.act(step)?;
        self.after_step()
    }

    /// Does one step and compares. If the power went off in it, the world stays as it was left.
    pub fn act(&mut self, step: &Step) -> Agreed {
        self.tick();
        match step {
            Step::Commit(ask) => self.commit(ask)?,
            Step::Restore(scope, at) => self.restore(scope, at)?,
            Step::Flight(asks) => self.flight(asks)?,
            Step::Recycle => {
                for _ in 0..RECYCLE_STEPS {
                    if self.engine().step_recycle() {
                        self.coverage.hit("step/recycle worked");
                    }
                }
            }
            Step::Index(steps) => self.index(*steps)?,
            Step::Reopen => self.reopen()?,
            Step::Kill => self.kill()?,
            Step::Beside => self.beside()?,
            Step::LoseIndex(lost) => self.lose_index(*lost)?,
            Step::OpenFull(full) => self.open_full(*full)?,
            Step::Hold(at) => self.hold(at)?,
            Step::Watch(from) => self.watches.push((self.engine().watch(*from), *from)),
            Step::Backup => self.back_up()?,
            Step::Compact(steps) => self.compact(*steps)?,
            Step::Read => self.read()?,
            Step::Clock(tick) => self.set_clock(*tick),
            Step::Fault(plan) => self.put_fault(*plan),
            Step::PowerOff(operations) => self.power_off_after(*operations),
        }
        Ok(())
    }

    /// Goes on with making runs. What fails is tried again by a later step, and disturbs nothing else.
    fn index(&mut self, steps: u64) -> Agreed {
        let engine = self.engine();
        let runs = engine.stats().runs;
        for _ in 0..steps {
            if !engine.step_index() {
                break;
            }
            self.coverage.hit("index/worked");
        }
        let stats = engine.stats();
        if stats.run_failure.is_some() && !self.is_disturbed() {
            return disagree(format!("no run was made with no fault near: {:?}", stats.run_failure));
        }
        match stats.run_failure {
            Some(_) => self.coverage.hit("index/failed"),
            None if stats.runs > runs => self.coverage.hit("index/run made"),
            None if stats.runs < runs => self.coverage.hit("index/runs merged"),
            None => {}
        }
        Ok(())
    }

    /// Lets the power go off after so many operations on the disk.
    pub fn power_off_after(&mut self, operations: u64) {
        self.machine.disk.power_off_after(operations);
        self.doomed = true;
    }

    /// Whether the power is off.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.machine.disk.is_off()
    }

    /// Notices that the power went off, or that the engine stopped, and what follows from it.
    fn after_step(&mut self) -> Agreed {
        if self.is_off() {
            return self.lose_power();
        }
        if self.engine().failure().is_some() {
            if !self.is_disturbed() {
                return disagree(format!("the engine stopped with no fault near: {:?}", self.engine().failure()));
            }
            self.stopped_for += 1;
            if self.stopped_for > 3 {
                self.read()?;
                self.coverage.hit("step/opened again after a failure");
                let step = if self.dice.once_in(2) { Step::Reopen } else { Step::Kill };
                return self.step(&step);
            }
        } else if !self.doubt.is_empty() {
            return disagree("a commit's outcome is unknown, but the engine goes on");
        }
        Ok(())
    }

    /// Ends it: faults are lifted, everything is read, closed, opened, replayed and verified.
    pub fn finish(&mut self) -> Agreed {
        self.lift_faults();
        self.machine.disk.power_off_after(u64::MAX);
        self.read()?;
        self.check_backups()?;
        self.step(&Step::Reopen)?;
        // A second time, in case the power went off in the first.
        self.step(&Step::Reopen)?;
        check::replay(&self.engine(), &self.model, Seq::FIRST)?;
        if let Err(error) = self.engine().close() {
            return disagree(format!("close: {error}"));
        }
        recover::verify_clean(&self.machine, &self.model)
    }

    fn tick(&mut self) {
        match self.leap.take() {
            Some((0, back)) => self.wall = back,
            Some((more, back)) => self.leap = Some((more - 1, back)),
            None if self.frozen => {}
            None => self.wall = Timestamp(self.wall.0.saturating_add(self.dice.below(2_000) as i64)),
        }
        self.machine.clock.set(self.wall);
    }

    fn set_clock(&mut self, tick: Tick) {
        match tick {
            Tick::By(us) => {
                self.wall = Timestamp(self.wall.0.saturating_add(us));
                self.coverage.hit(if us < 0 { "clock/back" } else { "clock/forward" });
            }
            Tick::Freeze => {
                self.frozen = true;
                self.coverage.hit("clock/frozen");
            }
            Tick::Run => self.frozen = false,
            Tick::AheadForAMoment if self.leap.is_some() => {}
            Tick::AheadForAMoment => {
                self.leap = Some((2, self.wall));
                self.wall = Timestamp(self.wall.0.saturating_add(crate::workload::FIFTY_YEARS_US));
                self.coverage.hit("clock/far ahead for a moment");
            }
        }
        self.machine.clock.set(self.wall);
    }

    /// Whether something was put into the way that can explain an error.
    fn is_disturbed(&self) -> bool {
        self.faulty || self.excused || self.doomed || self.is_off()
    }

    /// Whether MANIFEST may hold horizons that the writer did not get to know of: a sync of it failed in a compaction.
    fn are_horizons_in_doubt(&self) -> bool {
        self.compaction_failed && self.engine().failure().is_some()
    }

    fn hold(&mut self, at: &At) -> Agreed {
        let (Ok(view), Some(moment)) = (self.engine().view(at.clone()), self.model.moment(at, self.wall)) else {
            return check::moment(&self.engine(), &self.model, at, self.wall, &mut self.dice);
        };
        if self.held.len() == HELD_VIEWS_MOST {
            self.held.remove(0);
        }
        let sight = check::sight(&self.model, at, moment, &view);
        self.held.push((view, sight));
        Ok(())
    }

    /// Random questions, the views held open, and the watches.
    fn read(&mut self) -> Agreed {
        check::everything(&self.engine(), &self.model, self.wall, &mut self.dice)?;
        if self.engine().failure().is_some() {
            self.coverage.hit("read/after a failure");
        }
        self.read_before_horizon()?;
        // A view of a handle that was closed does not hear of what the next one erases.
        let outlived = self.outlived.iter().filter(|_| !self.model.has_erasures());
        for (view, sight) in self.held.iter().chain(outlived) {
            // Nothing keeps what a view of a closed handle sees.
            let horizons = if sight.is_beside { self.model.horizons() } else { &sight.horizons };
            check::view(view, &self.model, &Sight { horizons: horizons.clone(), ..sight.clone() })?;
            self.coverage.hit("read/view held open");
        }
        self.read_beside()?;
        self.watch()
    }

    /// Readers in other processes move on to what is durable, also after the writer was closed and opened again.
    fn read_beside(&mut self) -> Agreed {
        if !self.doubt.is_empty() || self.is_disturbed() || self.are_horizons_in_doubt() {
            return Ok(());
        }
        for reader in &self.readers {
            let last = check::read(reader.refresh(), || "refresh of a reader".into())?;
            same(&last, &self.model.last(), || "the last commit that a reader sees".into())?;
            check::glance(reader, &self.model, self.wall, &mut self.dice)?;
            self.coverage.hit("read/reader moved on");
        }
        Ok(())
    }

    fn watch(&mut self) -> Agreed {
        for (watch, next) in &mut self.watches {
            while let Some(commit) = check::read(watch.try_next(), || format!("watch at {next}"))? {
                let commit = Commit { digest: None, ..commit };
                same(&Some(&commit), &self.model.all_there(*next).next().as_ref(), || format!("watch at {next}"))?;
                *next = commit.seq.next().unwrap_or(commit.seq);
                self.coverage.hit("read/watch");
            }
            if let Some(due) = self.model.all_there(*next).next() {
                return disagree(format!("a watch stands at {next}, and commit {} is there", due.seq));
            }
        }
        Ok(())
    }

    fn known(&self) -> Known<'_> {
        Known { model: &self.model, doubt: &self.doubt, born: true }
    }

    /// A read-only opening beside the writer shows what is durable; a second one for writing is refused.
    fn beside(&mut self) -> Agreed {
        match self.machine.open() {
            Err(error @ OpenError::InUse { .. }) => self.coverage.hit(open_error_name(&error)),
            Err(_) if self.is_disturbed() => {}
            second => return disagree(format!("a second opening for writing: {:?}", second.map(|_| "it opened"))),
        }
        match self.machine.open_read_only() {
            Ok(reader) => {
                self.coverage.hit("open/read-only beside");
                same(&reader.is_read_only(), &true, || "whether a read-only opening is one".into())?;
                if self.doubt.is_empty() && !self.are_horizons_in_doubt() {
                    check::everything(&reader, &self.model, self.wall, &mut self.dice)?;
                }
                self.readers.truncate(1);
                self.readers.push(reader);
                Ok(())
            }
            Err(_) if self.is_disturbed() => Ok(()),
            Err(error) => disagree(format!("read-only opening beside the writer: {error}")),
        }
    }

    /// A clean close, verified, and an opening.
    fn reopen(&mut self) -> Agreed {
        self.close()?;
        self.open_again()
    }

    fn close(&mut self) -> Agreed {
        self.watches.clear();
        let stopped = self.engine().failure().is_some();
        match self.engine().close() {
            Ok(()) => {
                self.coverage.hit("step/closed");
                if !stopped && !self.is_disturbed() {
                    recover::verify_clean(&self.machine, &self.model)?;
                }
            }
            Err(_) if stopped || self.is_disturbed() => self.coverage.hit("step/close failed"),
            Err(error) => return disagree(format!("close: {error}")),
        }
        Ok(())
    }

    /// What must not outlive the machine that it was opened on.
    fn let_go(&mut self) {
        self.held.clear();
        self.outlived.clear();
        self.watches.clear();
        self.readers.clear();
    }

    /// Opens on the disk as it is; with faults in the way it may fail, without it must not.
    fn open_again(&mut self) -> Agreed {
        self.engine = None;
        let closed = self.held.drain(..).map(|(view, sight)| (view, Sight { is_beside: true, ..sight }));
        self.outlived.extend(closed);
        let too_many = self.outlived.len().saturating_sub(HELD_VIEWS_MOST);
        self.outlived.drain(..too_many);
        let rebuilds = self.taste.compacts == Compacts::Often && self.dice.once_in(3);
        let first = if rebuilds { self.machine.open_rebuilding() } else { self.machine.open() };
        if rebuilds {
            self.coverage.hit("step/index made anew");
        }
        let engine = match first {
            // What an opening left in the file can't be read any more, also where it came to its end.
            _ if self.is_off() => return Ok(()),
            Ok(engine) => engine,
            Err(error) if self.is_disturbed() => {
                self.coverage.hit(open_error_name(&error));
                self.lift_faults();
                match self.machine.open() {
                    _ if self.is_off() => return Ok(()),
                    Ok(engine) => engine,
                    Err(error) => return disagree(format!("opening after faults were lifted: {error}")),
                }
            }
            Err(error) => return disagree(format!("opening: {error}")),
        };
        let adopted = self.known().adopt(&engine, &Pins::default())?;
        self.engine = Some(engine);
        self.adopt(adopted);
        check::everything(&self.engine(), &self.model, self.wall, &mut self.dice)
    }

    /// Of the doubtful commits those that were found are there, the others are not.
    fn adopt(&mut self, adopted: Adopted) {
        self.model = adopted.model;
        self.doubt.clear();
        self.stopped_for = 0;
        self.excused = false;
    }
}

fn open_error_name(error: &OpenError) -> &'static str {
    match error {
        OpenError::Missing { .. } => "error/open: missing",
        OpenError::NotAStore { .. } => "error/open: not a store",
        OpenError::ManifestMissing { .. } => "error/open: manifest missing",
        OpenError::NewerFormat { .. } | OpenError::NewerCommit(_) => "error/open: newer format",
        OpenError::InUse { .. } => "error/open: in use",
        OpenError::Permission { .. } => "error/open: permission",
        OpenError::DiskFull { .. } => "error/open: disk full",
        OpenError::Corrupt(_) => "error/open: corrupt",
        OpenError::NoIndex { .. } => "error/open: no index",
        OpenError::Limit(_) => "error/open: limit",
        OpenError::Io { .. } => "error/open: io",
        OpenError::Stopped(_) => "error/open: stopped",
    }
}
