//! What must hold when a store is opened again after its machine stopped.
//!
//! Invariant: every acknowledged commit is there, whole and in order, but for what compaction may take; after them come
//! at most those whose outcome was unknown, from the first on without a gap; nothing else. `verify` calls what a mere
//! crash left clean or torn, never corrupt, and a store that was opened once and closed is clean.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use milepost_engine::{Engine, Verdict};
use milepost_types::{At, Commit, Seq};

use crate::{
    check::{self, Agreed, Disagreement, disagree, same},
    coverage::Coverage,
    dice::Dice,
    machine::{Machine, STORE},
    model::{Ask, Kept, Model, Pins},
    workload::SCOPES,
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

/// What turned out to be there.
#[derive(Clone, Debug)]
pub struct Adopted {
    /// How many of the doubtful commits are.
    pub doubtful: usize,
    /// How many tasks retention let go.
    pub expired: usize,
    /// Of how many of them something below stays,
    pub kept_below: u64,
    /// and how many are of a task that stays for now.
    pub before_task: u64,
    /// All that is.
    pub model: Model,
}

impl Known<'_> {
    /// What is there by what an engine shows, if that can be right.
    pub fn adopt(&self, engine: &Engine, pins: &Pins) -> Result<Adopted, Disagreement> {
        let found = check::commits(engine, Seq::FIRST)?;
        let mut before: Option<&Commit> = None;
        for commit in &found {
            if before.is_some_and(|before| before.at >= commit.at) {
                return disagree(format!("the stamp of commit {} is not above that of the one before", commit.seq));
            }
            before = Some(commit);
        }
        let last = self.model.last().seq;
        let mut model = self.model.clone();
        let (mut doubtful, mut expired, mut kept_below, mut before_task) = (0, 0, 0, 0);
        for commit in found.iter().filter(|commit| commit.seq > last) {
            // Of one of them nothing may be shown: a later one erased all that it did.
            let is_before = |kept: &&Arc<Kept>| kept.commit.seq < commit.seq;
            while let Some(kept) = self.doubt.get(doubtful).filter(is_before) {
                model.keep(Arc::clone(kept));
                doubtful += 1;
            }
            if let Some(kept) = self.doubt.get(doubtful) {
                model.keep(Arc::clone(kept));
                doubtful += 1;
            } else if let Some(commit) = model.expiry(commit, &found) {
                let (keeps_below, is_before_task) = model.expires_in_part(&commit);
                kept_below += u64::from(keeps_below);
                before_task += u64::from(is_before_task);
                model.keep(Arc::new(Kept { commit, ask: Ask::default() }));
                expired += 1;
            } else {
                return disagree(format!("a commit that nobody asked for: {commit:.400?}"));
            }
        }
        same(&engine.last().seq, &model.last().seq, || "the last commit found".into())?;
        let left = model.find_left(&found, check::horizons(engine), pins);
        left.map_err(|what| Disagreement(format!("of what was acknowledged, something is lost: {what}")))?;
        tell_versions(engine, &mut model)?;
        Ok(Adopted { doubtful, expired, kept_below, before_task, model })
    }
}

/// Takes up what the versions of scopes are said to be of whose last touch nothing is left.
fn tell_versions(engine: &Engine, model: &mut Model) -> Agreed {
    let last = model.last().seq;
    let view = check::read(engine.view(At::Latest), || "the state now".into())?;
    for scope in SCOPES {
        let right = model.versions_of(scope, last);
        if right.start() < right.end() {
            let told = check::read(view.scope_version(scope), || format!("the version of {scope:?}"))?;
            same(&right.contains(&told), &true, || format!("the version of {scope:?} is {told}, not in {right:?}"))?;
            model.tell_version(scope, told);
        }
    }
    Ok(())
}

/// What `verify` says of a disk as a crash left it.
///
/// Gives the number of commits that it counts.
pub fn verify_crashed(machine: &Machine, known: Known<'_>, coverage: &mut Coverage) -> Result<u64, Disagreement> {
    let report = match machine.verify() {
        Ok(report) => report,
        Err(_) if !known.born => {
            coverage.hit("verify/half made");
            return Ok(0);
        }
        Err(error) => return disagree(format!("verify after a crash: {error}")),
    };
    match report.verdict {
        Verdict::Clean => coverage.hit("verify/clean"),
        Verdict::TornTail { .. } => coverage.hit("verify/torn tail"),
        Verdict::Corrupt(found) => return disagree(format!("verify after a mere crash: corrupt: {found:?}")),
    }
    Ok(report.commits)
}

/// What `verify` counted is what was found then, or some of what was in doubt more.
pub fn counted(commits: u64, adopted: &Adopted, known: Known<'_>) -> Agreed {
    let there = adopted.model.there_count() as u64;
    let more = adopted.model.hidden_count() + known.doubt.len() - adopted.doubtful;
    let (least, most) = (there - (adopted.doubtful + adopted.expired) as u64, there + more as u64);
    if commits < least || commits > most {
        return disagree(format!("verify after a crash: {commits} commits, not {least} to {most}"));
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
            Ok(known.adopt(&engine, &Pins::default())?.doubtful)
        }
        Err(_) if !known.born => Ok(0),
        Err(error) => disagree(format!("read-only opening after a crash: {error}")),
    }
}

/// Opens the store for writing, with nothing in the way. Gives the engine and what is there.
pub fn open_crashed(
    machine: &Machine,
    known: Known<'_>,
    coverage: &mut Coverage,
) -> Result<(Engine, Adopted), Disagreement> {
    let engine = match machine.open() {
        Ok(engine) => engine,
        Err(error) => return disagree(format!("opening after a crash: {error}")),
    };
    let adopted = known.adopt(&engine, &Pins::default())?;
    coverage.hit(match (adopted.doubtful, known.doubt.len()) {
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
    let counted_by_verify = verify_crashed(machine, known, coverage)?;
    let shown = if dice.once_in(4) { read_crashed(machine, known, coverage)? } else { 0 };
    let (engine, adopted) = open_crashed(machine, known, coverage)?;
    if known.born {
        counted(counted_by_verify, &adopted, known)?;
    }
    let Adopted { doubtful, model, .. } = adopted;
    if doubtful < shown {
        return disagree(format!("a read-only opening showed {shown} doubtful commits, recovery has {doubtful}"));
    }
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
            let there = model.there_count() as u64;
            let counted = report.commits.clamp(there, there + model.hidden_count() as u64);
            same(&(report.commits, report.last), &(counted, model.last().seq), || {
                "commits and last commit by verify".into()
            })
        }
        Ok(report) => disagree(format!("verify after a close: {report:?}")),
        Err(error) => disagree(format!("verify after a close: {error}")),
    }
}
