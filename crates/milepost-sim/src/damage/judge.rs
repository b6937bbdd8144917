//! What a damaged store may say: what it always said, or where it is damaged.

use std::{borrow::Cow, fmt, path::Path, sync::Arc};

use milepost_engine::{Engine, OpenError, ReadError, Verdict};
use milepost_types::{At, Commit, ScopePrefix, Seq};

use super::{Left, Specimen, files, is_index};
use crate::{
    check::{
        Agreed, Disagreement, comparable, disagree, plain_change, plain_difference, plain_differing, plain_entry,
        plain_version, question, same,
    },
    machine::Machine,
    model::{Model, Moment, Query},
    workload::{KEYS, SCOPES},
};

/// More than a specimen has to say: so an answer that names damage again and again has an end.
const ANSWERS_MOST: usize = 1_000;

/// What was done to a store.
#[derive(Clone, Copy, Debug)]
pub enum Damage<'a> {
    /// Nothing.
    None,
    /// Some bytes of a file.
    Bytes {
        /// The file.
        path: &'a Path,
    },
    /// The end of a file.
    Cut {
        /// The file.
        path: &'a Path,
    },
    /// A file is gone.
    Missing {
        /// The file.
        path: &'a Path,
    },
    /// A file is another one.
    Swapped {
        /// The file.
        path: &'a Path,
    },
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Every answer is what it was.
    Whole,
    /// The last batch counts as torn; everything before is what it was.
    Torn,
    /// The store opens, and some answers name the damage.
    Named,
    /// The store does not open, and says why.
    Refused,
}

/// How much is asked of a damaged store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Every commit, and every key at every moment: enough to meet every byte of the log.
    Keys,
    /// Scans, diffs and histories as well.
    All,
}

impl Specimen {
    /// Looks at a damaged store in every way there is.
    pub(super) fn judge(&self, machine: &Machine, damage: Damage<'_>, asked: Asked) -> Result<Found, Disagreement> {
        let before = files(&machine.disk);
        // What is missing at the end of an open segment can't be told from what was never written to it.
        let floor = match damage {
            Damage::Cut { .. } | Damage::Swapped { .. } => self.sealed,
            Damage::None | Damage::Bytes { .. } | Damage::Missing { .. } => self.floor,
        };
        let verdict = self.verified(machine, floor)?;
        let read_only = match machine.open_read_only() {
            Ok(engine) => self.answers(&engine, floor, asked)?,
            Err(error) => refused(&error, damage)?,
        };
        let intact_files = |when: &str| match files(&machine.disk) == before {
            true => Ok(()),
            false => disagree(format!("files were changed by {when}")),
        };
        intact_files("verify and a read-only opening")?;
        let found = match machine.open() {
            Ok(engine) => self.answers(&engine, floor, asked)?,
            Err(error) => {
                intact_files("an opening that was refused")?;
                refused(&error, damage)?
            }
        };
        match (verdict, read_only, found) {
            (Found::Whole, Found::Whole, Found::Whole) | (Found::Torn, Found::Torn, Found::Torn) => Ok(found),
            (Found::Refused, _, Found::Whole) if matches!(damage, Damage::Bytes { path } if !is_index(path)) => {
                disagree("verify finds damage, but every answer is right")
            }
            (Found::Refused, _, _) => Ok(found),
            _ => disagree(format!("verify says {verdict:?}, a read-only opening {read_only:?}, an opening {found:?}")),
        }
    }

    fn verified(&self, machine: &Machine, floor: Seq) -> Result<Found, Disagreement> {
        let Ok(report) = machine.verify() else { return Ok(Found::Refused) };
        match report.verdict {
            // Also behind the last commit of a store that was closed: there stood zeros, which are nobody's answer.
            Verdict::Clean | Verdict::TornTail { .. } => self.ends_right(report.last, floor),
            Verdict::Corrupt(damage) if !damage.is_empty() => Ok(Found::Refused),
            verdict @ Verdict::Corrupt(_) => disagree(format!("verify says {verdict:?}")),
        }
    }

    /// Whether a store may end at a commit.
    fn ends_right(&self, last: Seq, floor: Seq) -> Result<Found, Disagreement> {
        if last == self.model.last().seq {
            return Ok(Found::Whole);
        }
        if self.left == Left::Killed && (floor..self.model.last().seq).contains(&last) {
            return Ok(Found::Torn);
        }
        disagree(format!("it ends at {last} without a word, its last commit was {}", self.model.last().seq))
    }

    /// Asks for all of that; each answer must be right or name the damage.
    fn answers(&self, engine: &Engine, floor: Seq, asked: Asked) -> Result<Found, Disagreement> {
        let end = self.ends_right(engine.last().seq, floor)?;
        let model = self.model_through(engine.last().seq);
        let mut named = 0;
        for seq in model.kept().iter().map(|kept| kept.commit.seq) {
            if let Some(found) = answer(engine.commit_at(seq), &mut named)? {
                same(&found.map(undigested), &model.there(seq), || format!("commit at {seq}"))?;
            }
            self.moment((engine, &model), seq, asked, &mut named)?;
        }
        for query in queries().into_iter().filter(|_| asked == Asked::All) {
            history(engine, &model, &query, &mut named)?;
        }
        replayed(engine, &model, &mut named)?;
        Ok(if named > 0 { Found::Named } else { end })
    }

    fn model_through(&self, last: Seq) -> Cow<'_, Model> {
        if last == self.model.last().seq {
            return Cow::Borrowed(&self.model);
        }
        let mut model = Model::default();
        for kept in self.model.kept().iter().filter(|kept| kept.commit.seq <= last) {
            model.keep(Arc::clone(kept));
        }
        Cow::Owned(model)
    }

    fn moment(&self, (engine, model): (&Engine, &Model), seq: Seq, asked: Asked, named: &mut u32) -> Agreed {
        let Some(view) = answer(engine.view(At::Seq(seq)), named)? else { return Ok(()) };
        let Some(at) = answer(view.at(), named)? else { return Ok(()) };
        let Some(moment) = model.moment(&At::Seq(seq), at) else { return disagree("a view of no moment") };
        let state = model.state(seq);
        for scope in SCOPES {
            let is_kept = seq >= model.horizons().of(scope);
            for key in KEYS {
                let found = view.get(scope, key);
                if !is_kept {
                    refused_before_horizon(found, named)?;
                    continue;
                }
                let Some(found) = answer(found, named)? else { continue };
                let right = state.get(scope, key, moment.now).map(|version| (version.seq, version.value.to_vec()));
                let found = found.map(|value| (value.seq(), value.to_vec()));
                same(&found, &right, || format!("get of {key:?} in {scope:?} at {seq}"))?;
            }
            if asked == Asked::Keys || !is_kept {
                continue;
            }
            let scanned = answers(view.scan(scope, "").map(|entry| entry.map(plain_entry)), named)?;
            let right = state.scan(scope, "", moment.now).into_iter();
            let right: Vec<_> = right.map(|(key, version)| (key.to_owned(), plain_version(&version))).collect();
            within(&scanned, &right, || format!("scan of {scope:?} at {seq}"))?;
        }
        let Some(before) = seq.0.checked_sub(1).map(Seq).filter(|_| asked == Asked::All) else { return Ok(()) };
        let Some(earlier) = answer(engine.view(At::Seq(before)), named)? else { return Ok(()) };
        let Some(at) = answer(earlier.at(), named)? else { return Ok(()) };
        let past = Moment { seq: before, now: at };
        for (scope, (old, then)) in [("a/b", (&earlier, past)), ("a", (&view, moment))] {
            let Some(found) = answer(old.diff(scope, &view, "a/b"), named)? else { continue };
            let found = answers(found.map(|difference| difference.map(plain_difference)), named)?;
            let right: Vec<_> = model.diff((scope, then), ("a/b", moment)).iter().map(plain_differing).collect();
            within(&found, &right, || format!("diff of {scope:?} at {} and \"a/b\" at {seq}", then.seq))?;
        }
        Ok(())
    }
}

/// What a store is asked for its history: all of it, either way round, and what the index is good for.
fn queries() -> [Query; 4] {
    let below = |path: &str, key: &str| Query {
        prefix: ScopePrefix::parse(path).expect("a prefix"),
        key: Some(key.to_owned()),
        ..Query::default()
    };
    let newest_first = |query| Query { newest_first: true, ..query };
    [Query::default(), newest_first(Query::default()), below("a", "k1"), newest_first(below("a/b", "k"))]
}

fn history(engine: &Engine, model: &Model, query: &Query, named: &mut u32) -> Agreed {
    let Some(found) = answer(engine.history(question(query)), named)? else { return Ok(()) };
    let mut told = Vec::new();
    for change in answers(found, named)? {
        match change {
            Some(change) => told.extend(comparable(vec![plain_change(&change)?], model).into_iter().map(Some)),
            None => told.push(None),
        }
    }
    within(&told, &comparable(model.history_left(query), model), || format!("history {query:?}"))
}

/// All of several answers, with a gap for each that names damage.
fn answers<T>(
    all: impl Iterator<Item = Result<T, ReadError>>,
    named: &mut u32,
) -> Result<Vec<Option<T>>, Disagreement> {
    all.take(ANSWERS_MOST).map(|one| answer(one, named)).collect()
}

/// What was told is right, in order, and nothing is left out but where damage was named.
fn within<T: PartialEq + fmt::Debug>(told: &[Option<T>], right: &[T], asked: impl Fn() -> String) -> Agreed {
    let mut rest = right;
    let mut after_gap = false;
    for one in told {
        let Some(one) = one else {
            after_gap = true;
            continue;
        };
        let skipped = rest.iter().position(|right| right == one).filter(|skipped| after_gap || *skipped == 0);
        let Some(skipped) = skipped else {
            return disagree(format!("{}\n  engine: {one:?}\n  model:  {rest:?}", asked()));
        };
        rest = &rest[skipped + 1..];
        after_gap = false;
    }
    match rest {
        [due, ..] if !after_gap => disagree(format!("{}: nothing is said of {due:?}", asked())),
        _ => Ok(()),
    }
}

/// The answer, or nothing where damage is named.
fn answer<T>(answer: Result<T, ReadError>, named: &mut u32) -> Result<Option<T>, Disagreement> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(ReadError::Corrupt(_)) => {
            *named += 1;
            Ok(None)
        }
        Err(error) => disagree(format!("a read of a damaged store: {error}")),
    }
}

/// What is not kept any more is refused by name, or the damage is.
fn refused_before_horizon<T: fmt::Debug>(answer: Result<T, ReadError>, named: &mut u32) -> Agreed {
    match answer {
        Err(ReadError::BeforeHorizon { .. }) => Ok(()),
        Err(ReadError::Corrupt(_)) => {
            *named += 1;
            Ok(())
        }
        other => disagree(format!("told from before a horizon: {other:?}")),
    }
}

/// As the model has it: it knows no thinned commit's digest.
fn undigested(commit: Commit) -> Commit {
    Commit { digest: None, ..commit }
}

/// A replay is right up to where it names the damage.
fn replayed(engine: &Engine, model: &Model, named: &mut u32) -> Agreed {
    let mut replay = engine.replay(Seq::FIRST);
    for right in model.all_there(Seq::FIRST) {
        let Some(found) = answer(replay.next(), named)? else { return Ok(()) };
        let seq = right.seq;
        same(&found.map(undigested), &Some(right), || format!("replay at {seq}"))?;
    }
    Ok(())
}

/// A refusal names the damage and its file.
fn refused(error: &OpenError, damage: Damage<'_>) -> Result<Found, Disagreement> {
    let said = error.to_string();
    let place = match damage {
        Damage::None => return disagree(format!("an intact store is refused: {said}")),
        Damage::Bytes { path } | Damage::Cut { path } | Damage::Missing { path } | Damage::Swapped { path } => path,
    };
    match error {
        OpenError::Corrupt(_)
        | OpenError::NewerFormat { .. }
        | OpenError::ManifestMissing { .. }
        | OpenError::NotAStore { .. } => {}
        other => return disagree(format!("damage is reported as something else: {other}")),
    }
    let name = place.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let elsewhere = matches!(damage, Damage::Missing { .. } | Damage::Swapped { .. });
    match said.contains(name) || elsewhere {
        true => Ok(Found::Refused),
        false => disagree(format!("{name} is damaged, but the error is: {said}")),
    }
}

#[cfg(test)]
mod tests;
