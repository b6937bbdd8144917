//! What of the past is not kept, and how that is told.
//!
//! Invariant: a read from before a horizon is refused by name, and no other read is. Only who reads beside the writer,
//! from another process or through a handle that was closed, may get the right answer all the same, or be told that it
//! was removed.

use milepost_engine::{Engine, ReadError};
use milepost_types::{At, Seq};

use super::{Disagreement, disagree};
use crate::model::{Change, ChangeKind, Horizon, Horizons, Model, Moment, Sight, Subject};

/// The horizons in force.
#[must_use]
pub fn horizons(engine: &Engine) -> Horizons {
    let rows = engine.horizons().into_iter();
    Horizons(rows.map(|row| Horizon { prefix: row.prefix, seq: row.seq, at: row.at }).collect())
}

/// What is seen of a moment by a view that says it is at `seq`. In a stretch of commits of which nothing is left a time
/// leads to its end.
#[must_use]
pub fn sight(model: &Model, at: &At, moment: Moment, seq: Seq) -> Sight {
    let pinned = match at {
        At::Checkpoint { scope, .. } => Some(scope.as_str().to_owned()),
        At::Latest | At::Seq(_) | At::Time(_) => None,
    };
    let is_in_removed = matches!(at, At::Time(_))
        && moment.seq < seq
        && (moment.seq.0..=seq.0).all(|seq| seq == 0 || model.there(Seq(seq)).is_none());
    let moment = if is_in_removed { Moment { seq, ..moment } } else { moment };
    model.sight(moment, pinned)
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
            disagree(format!("{}, its past is kept from {before:?} on\n  engine: {error}", asked()))
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
        ReadError::Removed { .. } => sight.is_beside && sight.moment.seq < sight.horizons.last(),
        _ => false,
    }
}

/// The changes of which all is known. Of those at or before a horizon the old value may be gone: whether a delete, a
/// clear or a release took anything away, and what a set replaced.
pub(super) fn comparable(changes: Vec<Change>, model: &Model) -> Vec<Change> {
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

/// Whether the event of a change is there.
pub(super) fn is_told(change: &Change, model: &Model) -> bool {
    let Some(commit) = model.commit(change.seq) else { return false };
    let is_it = |event: &milepost_types::Event| match (event, &change.subject) {
        (milepost_types::Event::Set { scope, key, value, .. }, Subject::Key(name)) => {
            let new = change.new.as_ref().map(|(_, value)| value);
            change.kind == ChangeKind::Set
                && (scope.as_str(), key.as_str(), Some(value)) == (change.scope.as_str(), name.as_str(), new)
        }
        (milepost_types::Event::Delete { scope, key }, Subject::Key(name)) => {
            change.kind == ChangeKind::Delete
                && (scope.as_str(), key.as_str()) == (change.scope.as_str(), name.as_str())
        }
        (milepost_types::Event::Checkpoint { scope, name, .. }, Subject::Checkpoint(of, _)) => {
            change.kind == ChangeKind::Checkpoint
                && (scope.as_str(), name.as_str()) == (change.scope.as_str(), of.as_str())
        }
        (milepost_types::Event::Release { scope, name }, Subject::Checkpoint(of, _)) => {
            change.kind == ChangeKind::Release
                && (scope.as_str(), name.as_str()) == (change.scope.as_str(), of.as_str())
        }
        _ => false,
    };
    let mut events = commit.events.iter().enumerate().filter(|(_, event)| is_it(event)).peekable();
    // Other kinds are never taken. Of several that say the same it is enough that one is there.
    events.peek().is_none() || events.any(|(place, _)| model.is_there(change.seq, place))
}
