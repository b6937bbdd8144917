//! Faults: from a plan to what the simulated disk does, and which of them were really met.

use milepost_io::{Fault, FaultKind, Op};

use super::World;
use crate::workload::FaultPlan;

impl World {
    /// Puts a fault into the way of what follows.
    pub(super) fn put_fault(&mut self, plan: FaultPlan) {
        let next = |on, what, nth: u64| Fault { on, file: None, nth: nth.saturating_sub(1), times: 1, what };
        let fault = match plan {
            FaultPlan::SyncOnce(nth) => next(Op::Sync, FaultKind::Error(EIO), nth),
            FaultPlan::SyncDropsPages(nth) => next(Op::Sync, FaultKind::SyncFailsAndDropsPages, nth),
            FaultPlan::SyncFull(nth) => next(Op::Sync, FaultKind::Error(ENOSPC), nth),
            FaultPlan::Write(nth) => next(Op::Write, FaultKind::Error(EIO), nth),
            FaultPlan::WriteShort(nth) => {
                let bytes = self.dice.index(200);
                next(Op::Write, FaultKind::ShortWrite { bytes: 1 + bytes }, nth)
            }
            FaultPlan::WriteShortThenError(nth) => {
                let bytes = self.dice.index(200);
                next(Op::Write, FaultKind::ShortWriteThenError { bytes, errno: EIO }, nth)
            }
            FaultPlan::WriteFull(nth) => next(Op::Write, FaultKind::Error(ENOSPC), nth),
            FaultPlan::CreateFull(nth) => next(Op::Create, FaultKind::Error(ENOSPC), nth),
            FaultPlan::Open(nth) => next(Op::Open, FaultKind::Error(EMFILE), nth),
            FaultPlan::Rename(nth) => next(Op::Rename, FaultKind::Error(EIO), nth),
            FaultPlan::SyncDir(nth) => next(Op::SyncDir, FaultKind::Error(EIO), nth),
            FaultPlan::Resize(nth) => next(Op::SetBytes, FaultKind::Error(EIO), nth),
            FaultPlan::Read(nth) => next(Op::Read, FaultKind::Error(EIO), nth),
            FaultPlan::Map(nth) => next(Op::Map, FaultKind::Error(ENOMEM), nth),
            FaultPlan::Capacity(room) => {
                let used = self.machine.disk.used_bytes();
                self.machine.disk.set_capacity(Some(used + room));
                (self.faulty, self.capacity) = (true, true);
                return;
            }
            FaultPlan::Lift => return self.lift_faults(),
        };
        self.machine.disk.inject(fault);
        self.faulty = true;
    }

    /// Takes all faults out of the way, and gives the disk room.
    pub(super) fn lift_faults(&mut self) {
        self.note_faults();
        self.machine.disk.clear_faults();
        self.machine.disk.set_capacity(None);
        self.excused |= self.engine.as_ref().is_some_and(|engine| engine.failure().is_some());
        (self.faulty, self.capacity) = (false, false);
    }

    /// Counts the faults that were met since the last count.
    pub(super) fn note_faults(&mut self) {
        let hit = self.machine.disk.faults_hit();
        for fault in hit.iter().skip(self.faults_noted) {
            self.coverage.hit(name(fault));
        }
        self.faults_noted = hit.len();
    }
}

// Numbers of errors, the same on every system that has a store.
const EIO: i32 = 5;
const ENOMEM: i32 = 12;
const EMFILE: i32 = 24;
const ENOSPC: i32 = 28;

fn name(fault: &Fault) -> &'static str {
    match (fault.on, &fault.what) {
        (Op::Sync, FaultKind::SyncFailsAndDropsPages) => "fault/sync drops pages",
        (Op::Sync, FaultKind::Error(ENOSPC)) => "fault/sync full",
        (Op::Sync, _) => "fault/sync",
        (Op::Write, FaultKind::ShortWrite { .. }) => "fault/short write",
        (Op::Write, FaultKind::ShortWriteThenError { .. }) => "fault/short write, then error",
        (Op::Write, FaultKind::Error(ENOSPC)) => "fault/write full",
        (Op::Write, _) => "fault/write",
        (Op::Create, _) => "fault/create full",
        (Op::Open, _) => "fault/open",
        (Op::Rename, _) => "fault/rename",
        (Op::SyncDir, _) => "fault/sync of a directory",
        (Op::SetBytes, _) => "fault/resize",
        (Op::Read, _) => "fault/read",
        (Op::Map, _) => "fault/map",
        _ => "fault/of another kind",
    }
}
