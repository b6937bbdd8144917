//! What must hold when a store is opened again after its machine stopped.
//!
//! Invariant: every acknowledged commit is there, whole and in order; after them come at most those whose outcome was
//! unknown, from the first on without a gap; nothing else. `verify` calls what a mere crash left clean or torn, never
//! corrupt, and a store that was opened once and closed is clean.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use milepost_engine::{Engine, Verdict};
use milepost_types::{Commit, Seq};

use crate::{
    check::{self, Agreed, Disagreement, disagree, same},
    coverage::Coverage,
    dice::Dice,
    machine::{Machine, STORE},
    model::{Kept, Model},
};

/// What is known about a store whose machine stopped.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// What was acknowledged.
    pub model: &'a Model,
    /// What was under way, in order: there or not.
    pub doubt: &'a [Arc<Kept>],
    /// Whether an opening ever succeeded: before that, the store may be half made.
    pub born: bool,
}

impl Known<'_> {
    /// How many of the doubtful commits are there, if all else is right.
    pub fn adopt(&self, found: &[Commit]) -> Result<usize, Disagreement> {
        let acked = self.model.kept().iter();
        let mut expected = acked.chain(self.doubt).map(|kept| &kept.commit);
        let mut before: Option<&Commit> = None;
        for commit in found {
            let Some(right) = expected.next() else {
                return disagree(format!("a commit that nobody asked for: {commit:.400?}"));
            };
            same(commit, right, || format!("commit {} found after the machine stopped", right.seq))?;
            if before.is_some_and(|before| before.at >= commit.at) {
                return disagree(format!("the stamp of commit {} is not above that of the one before", commit.seq));
            }
            before = Some(commit);
        }
        match found.len().checked_sub(self.model.len()) {
            Some(adopted) => Ok(adopted),
            None => disagree(format!(
                "acknowledged commits are lost: {} were acknowledged, {} are there",
                self.model.len(),
                found.len()
            )),
        }
    }

    /// The model after the first `adopted` doubtful commits turned out to be there.
    #[must_use]
    pub fn model_with(&self, adopted: usize) -> Model {
        let mut model = self.model.clone();
        for kept in &self.doubt[..adopted] {
            model.keep(Arc::clone(kept));
        }
        model
    }
}

/// What `verify` says of a disk as a crash left it.
pub fn verify_crashed(machine: &Machine, known: Known<'_>, coverage: &mut Coverage) -> Agreed {
    let report = match machine.verify() {
        Ok(report) => report,
        Err(_) if !known.born => {
            coverage.hit("verify/half made");
            return Ok(());
        }
        Err(error) => return disagree(format!("verify after a crash: {error}")),
    };
    match report.verdict {
        Verdict::Clean => coverage.hit("verify/clean"),
        Verdict::TornTail { .. } => coverage.hit("verify/torn tail"),
        Verdict::Corrupt(found) => return disagree(format!("verify after a mere crash: corrupt: {found:?}")),
    }
    let (least, most) = (known.model.len() as u64, (known.model.len() + known.doubt.len()) as u64);
    if report.commits < least || report.commits > most {
        return disagree(format!("verify after a crash: {} commits, not {least} to {most}", report.commits));
    }
    Ok(())
}

/// A read-only opening of the crashed store shows what recovery will, and what it shows survives another crash.
///
/// Gives the number of doubtful commits shown.
pub fn read_crashed(machine: &Machine, known: Known<'_>, coverage: &mut Coverage) -> Result<usize, Disagreement> {
    match machine.open_read_only() {
        Ok(engine) => {
            coverage.hit("open/read-only after a crash");
            known.adopt(&check::commits(&engine, Seq::FIRST)?)
        }
        Err(_) if !known.born => Ok(0),
        Err(error) => disagree(format!("read-only opening after a crash: {error}")),
    }
}

/// Opens the store for writing, with nothing in the way. Gives the engine and the number of doubtful commits found.
pub fn open_crashed(
    machine: &Machine,
    known: Known<'_>,
    coverage: &mut Coverage,
) -> Result<(Engine, usize), Disagreement> {
    let engine = match machine.open() {
        Ok(engine) => engine,
        Err(error) => return disagree(format!("opening after a crash: {error}")),
    };
    let adopted = known.adopt(&check::commits(&engine, Seq::FIRST)?)?;
    coverage.hit(match (adopted, known.doubt.len()) {
        (_, 0) => "recovery/nothing in doubt",
        (0, _) => "recovery/doubtful lost",
        (found, all) if found == all => "recovery/doubtful kept",
        _ => "recovery/doubtful in part",
    });
    let torn_bytes = engine.stats().torn_bytes;
    if torn_bytes > 0 {
        coverage.hit("recovery/torn bytes cut");
        in_quarantine(machine, torn_bytes)?;
    }
    Ok((engine, adopted))
}

/// What recovery cut is kept, durably.
fn in_quarantine(machine: &Machine, torn_bytes: u64) -> Agreed {
    let dir = Path::new(STORE).join("quarantine");
    let kept = |path: &PathBuf| machine.disk.durable_bytes(path).is_some_and(|bytes| bytes.len() as u64 == torn_bytes);
    match machine.disk.names().iter().filter(|path| path.starts_with(&dir)).any(kept) {
        true => Ok(()),
        false => disagree(format!("{torn_bytes} torn bytes were cut and are not in quarantine")),
    }
}

/// One crash state from end to end: verified, read, recovered, questioned, closed and verified again.
pub fn whole(machine: &Machine, known: Known<'_>, dice: &mut Dice, coverage: &mut Coverage) -> Agreed {
    verify_crashed(machine, known, coverage)?;
    let shown = if dice.once_in(4) { read_crashed(machine, known, coverage)? } else { 0 };
    let (engine, adopted) = open_crashed(machine, known, coverage)?;
    if adopted < shown {
        return disagree(format!("a read-only opening showed {shown} doubtful commits, recovery has {adopted}"));
    }
    let model = known.model_with(adopted);
    check::glance(&engine, &model, machine.now(), dice)?;
    if let Err(error) = engine.close() {
        return disagree(format!("close after recovery: {error}"));
    }
    drop(engine);
    if dice.once_in(2) { verify_clean(machine, &model) } else { Ok(()) }
}

/// A store that was closed is clean and whole.
pub fn verify_clean(machine: &Machine, model: &Model) -> Agreed {
    match machine.verify() {
        Ok(report) if matches!(report.verdict, Verdict::Clean) => {
            same(&(report.commits, report.last), &(model.len() as u64, model.last().seq), || {
                "commits and last commit by verify".into()
            })
        }
        Ok(report) => disagree(format!("verify after a close: {report:?}")),
        Err(error) => disagree(format!("verify after a close: {error}")),
    }
}
