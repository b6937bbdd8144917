//! What of the past is not kept, and how that is told.
//!
//! Invariant: a read from before a horizon is refused by name, and no other read is. Only who reads beside the writer,
//! from another process or through a handle that was closed, may get the right answer all the same, or be told that it
//! was removed.

use milepost_engine::{Engine, ReadError, View};
use milepost_types::{At, Seq};

use super::{Disagreement, disagree};
use crate::model::{Change, ChangeKind, Horizon, Horizons, Model, Moment, Sight};

/// The horizons in force.
#[must_use]
pub fn horizons(engine: &Engine) -> Horizons {
    let rows = engine.horizons().into_iter();
    Horizons(rows.map(|row| Horizon { prefix: row.prefix, seq: row.seq, at: row.at }).collect())
}

/// What is seen of a moment by a view. In a stretch of commits of which nothing is left a time leads to another one
/// of them, and when one was made is known about.
#[must_use]
pub fn sight(model: &Model, at: &At, moment: Moment, view: &View) -> Sight {
    let seq = view.seq();
    let pinned = match at {
        At::Checkpoint { scope, .. } => Some(scope.as_str().to_owned()),
        At::Latest | At::Seq(_) | At::Time(_) => None,
    };
    let (first, last) = (seq.min(moment.seq), seq.max(moment.seq));
    let is_in_removed = matches!(at, At::Time(_)) && model.is_gone(Seq(first.0 + 1), last);
    let mut moment = if is_in_removed { Moment { seq, ..moment } } else { moment };
    if !matches!(at, At::Time(_) | At::Latest)
        && seq > Seq::ZERO
        && model.there(seq).is_none()
        && let Ok(now) = view.at()
        && model.may_be_time_of(seq, now)
    {
        moment.now = now;
    }
    let first = model.all_there(Seq::FIRST).next().map(|commit| commit.seq);
    let first = first.filter(|first| matches!(at, At::Time(_)) && moment.seq < *first);
    Sight { first, ..model.sight(moment, pinned) }
}

/// An answer about a scope; `None` if it was refused, and rightly so.
pub fn readable<T>(
    answer: Result<T, ReadError>,
    sight: &Sight,
    scope: &str,
    asked: impl Fn() -> String,
) -> Result<Option<T>, Disagreement> {
    match (answer, sight.before(scope)) {
        (Ok(answer), before) if before.is_none() || sight.is_beside => Ok(Some(answer)),
        (Ok(_), before) => disagree(format!("{}: told, with its past kept from {before:?} on", asked())),
        (Err(error), _) if may_refuse(&error, sight, |of| of == scope) => Ok(None),
        (Err(error), before) => {
            disagree(format!("{}, its past is kept from {before:?} on, {sight:?}\n  engine: {error}", asked()))
        }
    }
}

/// Whether an error is one that a read of one of these scopes may end with.
pub(super) fn may_refuse(error: &ReadError, sight: &Sight, of: impl Fn(&str) -> bool) -> bool {
    match error {
        ReadError::BeforeHorizon { scope, asked, horizon, .. } => {
            let before = sight.before(scope);
            // A reader may know an earlier one.
            let is_right = before == Some(*horizon) || (sight.is_beside && before > Some(*horizon));
            of(scope) && *asked == sight.moment.seq && is_right
        }
        // Whether there was anything at a time that only commits had which are gone nobody knows any more.
        ReadError::BeforeFirst { first, .. } => {
            sight.moment.seq < *first && sight.first.is_some_and(|there| *first <= there)
        }
        ReadError::Removed { .. } => sight.is_beside && sight.moment.seq < sight.horizons.last(),
        _ => false,
    }
}

/// The changes of which all is known. Of those at or before a horizon the old value may be gone: whether a delete, a
/// clear or a release took anything away, and what a set replaced.
pub(crate) fn comparable(changes: Vec<Change>, model: &Model) -> Vec<Change> {
    let known = |mut change: Change| {
        if change.seq > model.horizons().of(&change.scope) {
            return Some(change);
        }
        match change.kind {
            ChangeKind::Delete | ChangeKind::Clear | ChangeKind::Release => None,
            ChangeKind::Set => {
                change.old = None;
                Some(change)
            }
            _ => Some(change),
        }
    };
    changes.into_iter().filter_map(known).collect()
}
