//! Power loss, as often as it takes: during work, during recovery, at the birth of a store.
//!
//! Invariant: one crash is looked at in many ways (which of the unsynced sectors and names got to the disk), each on a
//! disk of its own, and the world goes on with one of them. Of crashes that leave the same disk to the byte one is
//! looked at: what an opening makes of a disk follows from its bytes.

use std::collections::HashSet;

use milepost_io::{Crash, SimDisk, SimEntropy};

use super::World;
use crate::{
    check::{self, Agreed, Disagreement, disagree},
    coverage::Coverage,
    dice::Dice,
    machine::Machine,
    model::{Model, Pins},
    recover::{self, Known},
};

const CRASHES_DEEP: usize = 4;
/// An opening of a small store is cut off before so many operations, or not at all.
const RECOVERY_CUTS: u64 = 25;

/// The disks that were looked at in one moment of a world, and how many recoveries more were cut off from each on.
#[derive(Debug, Default)]
pub struct Seen(HashSet<(u64, u32)>);

impl Seen {
    fn is_new(&mut self, disk: &SimDisk, depth: u32) -> bool {
        self.0.insert((disk.content_hash(), depth))
    }
}

/// One of the ways in which a disk can come out of a power loss.
fn drawn_crash(dice: &mut Dice, coverage: &mut Coverage) -> Crash {
    let crash = *dice.pick(&Crash::ALL);
    coverage.hit(match crash {
        Crash::LoseUnsynced => "crash/unsynced lost",
        Crash::KeepAll => "crash/all kept",
        Crash::Torn => "crash/torn",
        Crash::PrefixOfWrites => "crash/first writes kept",
        Crash::OneMissing => "crash/one missing",
        Crash::OneAlone => "crash/one alone",
        Crash::LoseNames => "crash/names lost",
        Crash::LoseData => "crash/data lost",
    });
    crash
}

/// The power goes off while the store is made for the first time. Gives the number of states looked at.
pub(super) fn crash_at_birth(machine: &Machine, dice: &mut Dice, coverage: &mut Coverage) -> Result<u64, Disagreement> {
    let young = machine.with_disk(SimDisk::new(dice.bits()));
    young.disk.power_off_after(dice.below(30));
    let born = match young.open() {
        Ok(engine) => {
            young.disk.power_off();
            drop(engine);
            true
        }
        Err(_) => false,
    };
    coverage.hit(if born { "crash/after birth" } else { "crash/during birth" });
    let model = Model::default();
    let known = Known { model: &model, doubt: &[], born };
    let states = 4;
    for _ in 0..states {
        let found = machine.with_disk(young.disk.crash(drawn_crash(dice, coverage), dice.bits()));
        recover::whole(&found, known, dice, coverage)
            .map_err(|Disagreement(what)| Disagreement(format!("after a crash at birth: {what}")))?;
    }
    Ok(states)
}

impl World {
    /// The process is killed: the page cache lives on, and with it everything unsynced.
    pub(super) fn kill(&mut self) -> Agreed {
        self.cut_off();
        self.open_again()
    }

    pub(super) fn cut_off(&mut self) {
        self.let_go();
        self.coverage.hit("step/killed");
        let next = self.machine.disk.kill();
        self.engine = None;
        self.machine = self.machine.with_disk(next);
    }

    /// The power went off. Looks at many outcomes, goes on with one.
    pub(super) fn lose_power(&mut self) -> Agreed {
        self.let_go();
        self.lift_faults();
        self.doomed = false;
        let crashes: Vec<Crash> =
            (0..self.taste.crashes_each).map(|_| drawn_crash(&mut self.dice, &mut self.coverage)).collect();
        self.look_at(&crashes)?;
        self.recover_through_crashes()
    }

    /// Takes the power away and looks at the disk as it comes out of each of some crashes.
    pub fn look_at(&mut self, crashes: &[Crash]) -> Agreed {
        self.machine.disk.power_off();
        self.engine = None;
        let mut seen = Seen::default();
        for crash in crashes {
            let disk = self.machine.disk.crash(*crash, self.dice.bits());
            self.judge(disk, &mut seen)
                .map_err(|Disagreement(what)| Disagreement(format!("after {crash:?}: {what}")))?;
        }
        Ok(())
    }

    /// One crash state, if no other was the same.
    fn judge(&mut self, disk: SimDisk, seen: &mut Seen) -> Agreed {
        self.states += 1;
        if !seen.is_new(&disk, 0) {
            return Ok(());
        }
        self.disks += 1;
        let known = Known { model: &self.model, doubt: &self.doubt, born: true };
        recover::whole(&self.machine.with_disk(disk), known, &mut self.dice, &mut self.coverage)
    }

    /// Takes the power away, and again somewhere in each of so many recoveries; looks at what the last one makes of it.
    ///
    /// `seen` is what was looked at before in the same moment.
    pub fn look_through(&mut self, crash: Crash, recoveries_cut: u32, seen: &mut Seen) -> Agreed {
        self.machine.disk.power_off();
        self.engine = None;
        let mut machine = self.machine.with_disk(self.machine.disk.crash(crash, self.dice.bits()));
        for _ in 0..recoveries_cut {
            machine.disk.power_off_after(self.dice.below(RECOVERY_CUTS));
            let opened = machine.open();
            match &opened {
                Err(error) if !machine.disk.is_off() => return disagree(format!("opening after {crash:?}: {error}")),
                Err(_) => self.coverage.hit("crash/during recovery"),
                Ok(_) => self.coverage.hit("crash/after recovery"),
            }
            machine.disk.power_off();
            drop(opened);
            let next = drawn_crash(&mut self.dice, &mut self.coverage);
            machine = self.machine.with_disk(machine.disk.crash(next, self.dice.bits()));
        }
        self.judge(machine.disk, seen).map_err(|Disagreement(what)| {
            Disagreement(format!("after {crash:?}, with {recoveries_cut} recoveries cut off: {what}"))
        })
    }

    /// Takes the power away in each of some ways, and again at every operation of the recovery that follows, `depth`
    /// times one within the other.
    pub fn look_at_recovery(&mut self, crashes: &[Crash], depth: u32) -> Agreed {
        self.machine.disk.power_off();
        self.engine = None;
        let mut seen = Seen::default();
        for crash in crashes {
            let disk = self.machine.disk.crash(*crash, self.dice.bits());
            self.cut_recovery(&disk, depth, &mut seen).map_err(|Disagreement(what)| {
                Disagreement(format!("after {crash:?}, with recovery cut off {depth} times: {what}"))
            })?;
        }
        Ok(())
    }

    fn cut_recovery(&mut self, found: &SimDisk, depth: u32, seen: &mut Seen) -> Agreed {
        if !seen.is_new(found, depth) {
            return Ok(());
        }
        // Openings of one depth draw the same, so that what they leave is the same where they do the same.
        let entropy = || SimEntropy::new(u64::from(depth));
        for cut in 0.. {
            let machine = Machine { entropy: entropy(), ..self.machine.with_disk(found.copy()) };
            machine.disk.power_off_after(cut);
            let opened = machine.open();
            let whole = !machine.disk.is_off();
            if let (Err(error), true) = (&opened, whole) {
                return disagree(format!("opening: {error}"));
            }
            machine.disk.power_off();
            drop(opened);
            for crash in [Crash::LoseUnsynced, Crash::KeepAll, Crash::Torn] {
                let next = machine.disk.crash(crash, self.dice.bits());
                let judged = if depth > 1 { self.cut_recovery(&next, depth - 1, seen) } else { self.judge(next, seen) };
                judged.map_err(|Disagreement(what)| Disagreement(format!("cut off at {cut}, {crash:?}: {what}")))?;
            }
            if whole {
                break;
            }
        }
        Ok(())
    }

    /// Recovers for good, after up to a few crashes in the middle of recovering.
    fn recover_through_crashes(&mut self) -> Agreed {
        let mut disk = self.machine.disk.clone();
        for depth in 0..CRASHES_DEEP {
            let crash = drawn_crash(&mut self.dice, &mut self.coverage);
            disk = disk.crash(crash, self.dice.bits());
            self.states += 1;
            self.disks += 1;
            let last_one = depth + 1 == CRASHES_DEEP || self.dice.once_in(2);
            if last_one {
                break;
            }
            let machine = self.machine.with_disk(disk.clone());
            disk.power_off_after(self.dice.below(25));
            match machine.open() {
                // What an opening left in the file can't be read any more, also where it came to its end.
                _ if disk.is_off() => self.coverage.hit("crash/during recovery"),
                Ok(engine) => {
                    let adopted = self.known().adopt(&engine, &Pins::default())?;
                    disk.power_off();
                    drop(engine);
                    self.adopt(adopted);
                    self.coverage.hit("crash/after recovery");
                }
                Err(error) => return disagree(format!("opening in an unfinished recovery: {error}")),
            }
        }
        self.go_on_with(disk)
    }

    /// The power goes off now, and the world goes on with what one way of crashing leaves.
    pub fn lose_power_as(&mut self, crash: Crash) -> Agreed {
        self.let_go();
        self.lift_faults();
        self.machine.disk.power_off();
        self.engine = None;
        self.doomed = false;
        self.states += 1;
        self.disks += 1;
        let disk = self.machine.disk.crash(crash, self.dice.bits());
        self.go_on_with(disk)
    }

    /// Opens for good what a crash left.
    fn go_on_with(&mut self, disk: SimDisk) -> Agreed {
        self.machine = self.machine.with_disk(disk);
        self.faults_noted = 0;
        let known = Known { model: &self.model, doubt: &self.doubt, born: true };
        let counted = recover::verify_crashed(&self.machine, known, &mut self.coverage)?;
        let (engine, adopted) = recover::open_crashed(&self.machine, known, &mut self.coverage)?;
        recover::counted(counted, &adopted, known)?;
        self.engine = Some(engine);
        self.adopt(adopted);
        check::everything(&self.engine(), &self.model, self.wall, &mut self.dice)
    }
}
