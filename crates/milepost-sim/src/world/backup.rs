//! Backups beside everything else: made of what is there, and restored on a machine of their own.
//!
//! Invariant: a backup that was made is there after every crash, and holds every commit that was acknowledged before
//! it. Restored to any commit, it says what the store said then.

use std::{path::Path, sync::Arc};

use milepost_engine::{
    Engine, Settings, Threads, Verdict,
    backup::{self, Backup, BackupError, Rollback, Until},
};
use milepost_io::Disk;
use milepost_types::Seq;

use super::World;
use crate::{
    check::{self, Agreed, Disagreement, disagree, same},
    machine::Machine,
    model::Model,
    workload::Compacts,
};

const BACKUPS: &str = "/backups";
const RESTORED: &str = "/restored";

impl World {
    /// Makes a backup, the next one where others are, and restores it.
    pub(super) fn back_up(&mut self) -> Agreed {
        let made = backup::create(&self.engine(), Path::new(BACKUPS), Rollback::Refuse, &mut |_, _| {});
        match made {
            Ok(made) => {
                self.coverage.hit("backup/made");
                same(&made.last, &self.model.last(), || "the last commit of a backup".into())?;
                self.backed_up = Some(made.number);
                self.backup_in_doubt = false;
                if self.is_disturbed() { Ok(()) } else { self.restore_backup(&made) }
            }
            Err(_) if self.is_disturbed() => {
                self.backup_in_doubt = true;
                self.coverage.hit("backup/failed");
                Ok(())
            }
            Err(error) => disagree(format!("a backup: {error}")),
        }
    }

    /// Every backup that was made is there, and clean.
    pub(super) fn check_backups(&self) -> Agreed {
        let Some(number) = self.backed_up else { return Ok(()) };
        let disk: Arc<dyn Disk> = Arc::new(self.machine.disk.clone());
        let wrong = |error: BackupError| Disagreement(format!("backups read again: {error}"));
        let listed = backup::list(&disk, Path::new(BACKUPS)).map_err(wrong)?;
        let newest = listed.backups.last().map(|backup| backup.number);
        let is_there = listed.backups.iter().any(|backup| backup.number == number);
        // One whose making failed at its end may be there as well: then it is the next one, and whole.
        if !is_there || (newest != Some(number) && !self.backup_in_doubt) {
            return disagree(format!("backup {number} was made, there are {:?}", listed.backups));
        }
        let report = backup::verify(&disk, Path::new(BACKUPS), None, &mut |_, _| {}).map_err(wrong)?;
        if report.is_clean() { Ok(()) } else { disagree(format!("backups read again: {report:?}")) }
    }

    /// Restores to some commit, on another machine with the same disk.
    fn restore_backup(&mut self, made: &Backup) -> Agreed {
        self.check_backups()?;
        if made.last.seq == Seq::ZERO {
            return Ok(());
        }
        let seq = if self.dice.once_in(2) { made.last.seq } else { Seq(1 + self.dice.below(made.last.seq.0)) };
        // As of a commit before an erasure, what was erased since may be gone: the backup does not hold it.
        let is_before_erasure = seq < self.model.last_erasure() && self.taste.compacts == Compacts::Often;
        let seq = if is_before_erasure { made.last.seq } else { seq };
        // Of one that is gone, in the middle, nobody knows any more when it was made.
        let seq = if self.model.there(seq).is_none() { made.last.seq } else { seq };
        let machine = self.machine.with_disk(self.machine.disk.copy());
        let at = |Disagreement(what)| Disagreement(format!("backup {} restored to {seq}: {what}", made.number));
        let horizon = self.model.horizons().last();
        let engine = match restored(&machine, seq).map_err(at)? {
            Ok(engine) => engine,
            Err(BackupError::BeforeHorizon { horizon: named, .. }) if seq < named && named <= horizon => {
                self.coverage.hit("backup/not restored to before a horizon");
                return Ok(());
            }
            Err(error) => return Err(at(Disagreement(error.to_string()))),
        };
        let mut model = Model::default();
        for kept in self.model.kept().iter().take_while(|kept| kept.commit.seq <= seq) {
            model.keep(Arc::clone(kept));
        }
        let found = check::commits(&engine, Seq::FIRST)?;
        model.take_less(&found, check::horizons(&engine)).map_err(|what| at(Disagreement(what)))?;
        check::replay(&engine, &model, Seq::FIRST).map_err(at)?;
        check::everything(&engine, &model, self.wall, &mut self.dice).map_err(at)?;
        self.coverage.hit("backup/restored");
        Ok(())
    }
}

/// A new store on the machine's disk, through a commit.
fn restored(machine: &Machine, seq: Seq) -> Result<Result<Engine, BackupError>, Disagreement> {
    let settings = Settings { threads: Threads::Stepped, segment_bytes: machine.segment_bytes, ..Settings::default() };
    let (from, to) = (Path::new(BACKUPS), Path::new(RESTORED));
    let done = backup::restore(machine.parts(), from, to, Until::Seq(seq), settings, &mut |_, _| {});
    let done = match done {
        Ok(done) => done,
        Err(error) => return Ok(Err(error)),
    };
    same(&done.last.seq, &seq, || "the last commit restored".into())?;
    let report = milepost_engine::verify(&machine.parts().disk, to, &mut |_, _| {});
    match report {
        Ok(report) if report.verdict == Verdict::Clean => {}
        Ok(report) => return disagree(format!("verify: {report:?}")),
        Err(error) => return disagree(format!("verify: {error}")),
    }
    Engine::open_read_only(machine.parts(), to).map(Ok).map_err(|error| Disagreement(format!("opening: {error}")))
}
