//! What compaction has left of the past, and what of it can still be read.
//!
//! Invariant: what is there only becomes less, and what goes is allowed to go: it was erased, or its scope has a
//! horizon at or behind the commit that replaced it, and no number, checkpoint, fork, hold or reader keeps it.
//!
//! The list of commits stays whole beside it: every read that is possible is folded from that.

use std::ops::RangeInclusive;

use milepost_types::{Commit, Event, Policy, ScopePrefix, Seq, Timestamp};

use super::{Kept, Model, Moment, State};

/// What is there of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// All of it.
    Whole,
    /// The events with these places in it.
    Thinned(Vec<usize>),
    /// Nothing.
    Removed,
}

/// From where on the past of a place can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Horizon {
    /// Where in the tree of scopes.
    pub prefix: ScopePrefix,
    /// Reads as of this commit and of later ones are possible.
    pub seq: Seq,
    /// Its time.
    pub at: Timestamp,
}

/// The horizons of a store: of those whose prefix holds a scope the longest speaks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Horizons(pub Vec<Horizon>);

/// What is being read while compaction goes on.
#[derive(Clone, Debug, Default)]
pub struct Pins {
    /// The commits as of which views are open.
    pub points: Vec<Seq>,
    /// The first commit that somebody who goes through all has not seen yet.
    pub from: Option<Seq>,
}

/// A moment, and what of it may be seen.
#[derive(Clone, Debug)]
pub struct Sight {
    /// The moment.
    pub moment: Moment,
    /// Those in force when it was opened.
    pub horizons: Horizons,
    /// The scope whose checkpoint it is.
    pub pinned: Option<String>,
    /// Whether nothing keeps what it sees: then it may be told that it was removed.
    pub is_beside: bool,
    /// Of a time that was asked for: the first commit of which anything was there, if the moment is before that.
    pub first: Option<Seq>,
}

impl Sight {
    /// The horizon that a read of a scope is before, if it is before one.
    #[must_use]
    pub fn before(&self, scope: &str) -> Option<Seq> {
        let is_pinned = self.pinned.as_deref() == Some(scope);
        Some(self.horizons.of(scope)).filter(|horizon| self.moment.seq < *horizon && !is_pinned)
    }
}

impl Horizons {
    /// The first commit as of which a scope, or all below a prefix, can be read.
    #[must_use]
    pub fn of(&self, place: &str) -> Seq {
        self.row_of(place).map_or(Seq::ZERO, |row| row.seq)
    }

    /// The row that speaks of a place.
    #[must_use]
    pub fn row_of(&self, place: &str) -> Option<&Horizon> {
        self.0.iter().filter(|row| row.prefix.holds(place)).max_by_key(|row| row.prefix.as_str().len())
    }

    /// The last of them.
    #[must_use]
    pub fn last(&self) -> Seq {
        self.0.iter().map(|row| row.seq).max().unwrap_or(Seq::ZERO)
    }
}

impl Model {
    /// From where on the past can be read.
    #[must_use]
    pub fn horizons(&self) -> &Horizons {
        &self.horizons
    }

    /// How many commits are there.
    #[must_use]
    pub fn there_count(&self) -> usize {
        self.left.iter().filter(|left| **left != Left::Removed).count()
    }

    /// How many commits may be in a file though nothing of them is shown: all that they did was erased.
    #[must_use]
    pub fn hidden_count(&self) -> usize {
        let has_erased = |kept: &Kept| {
            let events = kept.commit.events.iter().enumerate();
            events.into_iter().any(|(place, event)| self.is_erased_event(kept.commit.seq, place, event))
        };
        self.kept.iter().zip(&self.left).filter(|(kept, left)| **left == Left::Removed && has_erased(kept)).count()
    }

    fn is_erased_event(&self, seq: Seq, place: usize, event: &Event) -> bool {
        match event {
            Event::Set { scope, key, .. } | Event::Delete { scope, key } => {
                self.is_erased(scope.as_str(), key.as_str(), (seq, place))
            }
            _ => false,
        }
    }

    /// Whether nothing of any commit is gone.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.left.iter().all(|left| *left == Left::Whole)
    }

    /// What is there of the commit at a position.
    #[must_use]
    pub fn there(&self, seq: Seq) -> Option<Commit> {
        let index = usize::try_from(seq.0.checked_sub(1)?).ok()?;
        let commit = &self.kept.get(index)?.commit;
        match &self.left[index] {
            Left::Whole => Some(commit.clone()),
            Left::Thinned(places) => {
                let events = places.iter().map(|place| commit.events[*place].clone()).collect();
                Some(Commit { seq: commit.seq, at: commit.at, meta: commit.meta.clone(), digest: None, events })
            }
            Left::Removed => None,
        }
    }

    /// Whether nothing is left of all commits from one to another.
    #[must_use]
    pub fn is_gone(&self, first: Seq, last: Seq) -> bool {
        (first.0..=last.0).all(|seq| self.there(Seq(seq)).is_none())
    }

    /// Whether a time may be told of a commit of which nothing is left. Where commits are far apart in time it is told
    /// as too early.
    #[must_use]
    pub fn may_be_time_of(&self, seq: Seq, at: Timestamp) -> bool {
        let first = self.commit(Seq::FIRST);
        let mut behind = self.kept.iter().rev().take_while(|kept| kept.commit.seq >= seq);
        let Some(last) = behind.find(|kept| self.is_gone(seq, kept.commit.seq)) else { return false };
        // Up to where the next one that is there stands.
        let next = last.commit.seq.next().and_then(|next| self.commit(next));
        let is_before = next.map_or(at <= last.commit.at, |next| at < next.at);
        first.is_some_and(|first| first.at <= at) && is_before
    }

    /// What was erased is shown by nobody from then on, in whatever file its bytes are still.
    pub(super) fn hide_erased(&mut self) {
        for index in 0..self.kept.len() {
            let commit = &self.kept[index].commit;
            let is_shown = |place: &usize| !self.is_erased_event(commit.seq, *place, &commit.events[*place]);
            let shown: Vec<usize> = match &self.left[index] {
                Left::Whole => (0..commit.events.len()).filter(is_shown).collect(),
                Left::Thinned(places) => places.iter().copied().filter(is_shown).collect(),
                Left::Removed => continue,
            };
            let has_claims = commit.meta.idempotency_key.is_some() || !commit.meta.fences.is_empty();
            self.left[index] = match shown.len() {
                0 if !has_claims => Left::Removed,
                all if all == commit.events.len() => Left::Whole,
                _ => Left::Thinned(shown),
            };
        }
    }

    /// Whether an event of a commit is there. Of one that is being made all is.
    #[must_use]
    pub fn is_there(&self, seq: Seq, place: usize) -> bool {
        match self.left.get((seq.0 - 1) as usize) {
            None | Some(Left::Whole) => true,
            Some(Left::Thinned(places)) => places.contains(&place),
            Some(Left::Removed) => false,
        }
    }

    /// What is there, from a position on.
    pub fn all_there(&self, from: Seq) -> impl Iterator<Item = Commit> {
        (from.max(Seq::FIRST).0..=self.last().seq.0).filter_map(|seq| self.there(Seq(seq)))
    }

    /// What is seen at a moment of what was opened now.
    #[must_use]
    pub fn sight(&self, moment: Moment, pinned: Option<String>) -> Sight {
        Sight { moment, horizons: self.horizons.clone(), pinned, is_beside: false, first: None }
    }

    /// Takes up that a scope's version was told to be this one: of what touched it last nothing is left.
    pub fn tell_version(&mut self, scope: &str, told: Seq) {
        self.told.insert(scope.to_owned(), (self.last().seq, told));
    }

    /// What a scope's version is said to be now.
    #[must_use]
    pub fn version_told(&self, scope: &str) -> Seq {
        self.state_as_told().scope_version(scope)
    }

    /// The state now, with the versions of scopes as they were told. One that was forgotten is not touched by what
    /// clears a prefix later.
    pub(super) fn state_as_told(&self) -> State<'_> {
        let mut state = State::default();
        for kept in &self.kept {
            state.apply(self, &kept.commit);
            for (scope, (_, told)) in self.told.iter().filter(|(_, (at, _))| *at == kept.commit.seq) {
                state.touch_as_told(scope, *told);
            }
        }
        state
    }

    /// What a scope's version may be said to be as of a moment: at least the last touch of which something is left.
    #[must_use]
    pub fn versions_of(&self, scope: &str, seq: Seq) -> RangeInclusive<Seq> {
        let mut left = State::default();
        for kept in self.kept.iter().filter(|kept| kept.commit.seq <= seq) {
            for (place, event) in kept.commit.events.iter().enumerate() {
                if self.is_there(kept.commit.seq, place) {
                    left.touch(event, kept.commit.seq);
                }
            }
        }
        left.scope_version(scope)..=self.state(seq).scope_version(scope)
    }

    /// Takes up what was found of all commits, and the horizons in force. What is missing must be allowed to be.
    pub fn find_left(&mut self, found: &[Commit], horizons: Horizons, pins: &Pins) -> Result<(), String> {
        let before = std::mem::replace(&mut self.horizons, horizons);
        let mut found = found.iter().peekable();
        for index in 0..self.kept.len() {
            let kept = std::sync::Arc::clone(&self.kept[index]);
            let seq = kept.commit.seq;
            let left = match found.next_if(|found| found.seq == seq) {
                Some(found) => places(found, &kept.commit)?,
                None => Left::Removed,
            };
            for place in 0..kept.commit.events.len() {
                let is_left = match &left {
                    Left::Whole => true,
                    Left::Thinned(places) => places.contains(&place),
                    Left::Removed => false,
                };
                match (self.is_there(seq, place), is_left) {
                    (true, true) | (false, false) => {}
                    (true, false) => self.may_go(&kept, place, pins).map_err(|why| {
                        format!("event {place} of commit {seq} is gone, {:.200?}: {why}", kept.commit.events[place])
                    })?,
                    (false, true) => return Err(format!("event {place} of commit {seq} was gone and is there again")),
                }
            }
            if left == Left::Removed && self.left[index] != Left::Removed {
                self.claims_may_go(&kept)?;
            }
            if self.left[index] == Left::Removed && left != Left::Removed {
                return Err(format!("commit {seq} was gone and is there again"));
            }
            self.left[index] = left;
        }
        match found.next() {
            None => self.may_move(&before),
            Some(commit) => Err(format!("a commit that nobody asked for: {commit:.400?}")),
        }
    }

    /// Takes up what was found of all commits, in a copy of the store, and the horizons in force there.
    pub fn take_less(&mut self, found: &[Commit], horizons: Horizons) -> Result<(), String> {
        self.horizons = horizons;
        let mut found = found.iter().peekable();
        for (kept, left) in self.kept.iter().zip(&mut self.left) {
            *left = match found.next_if(|found| found.seq == kept.commit.seq) {
                Some(found) => places(found, &kept.commit)?,
                None => Left::Removed,
            };
        }
        found.next().map_or(Ok(()), |commit| Err(format!("a commit that nobody asked for: {commit:.400?}")))
    }

    /// What was found of all commits is between what is there and all that was.
    pub fn holds_no_less(&self, found: &[Commit]) -> Result<(), String> {
        let mut found = found.iter().peekable();
        for kept in &self.kept {
            let seq = kept.commit.seq;
            let left = match found.next_if(|found| found.seq == seq) {
                Some(found) => places(found, &kept.commit)?,
                None => Left::Removed,
            };
            for place in (0..kept.commit.events.len()).filter(|place| self.is_there(seq, *place)) {
                let is_left = match &left {
                    Left::Whole => true,
                    Left::Thinned(places) => places.contains(&place),
                    Left::Removed => false,
                };
                if !is_left {
                    return Err(format!("event {place} of commit {seq} is there and is not shown"));
                }
            }
        }
        found.next().map_or(Ok(()), |commit| Err(format!("a commit that nobody asked for: {commit:.400?}")))
    }

    /// Horizons never move back, and move on only where a policy says so and no hold is.
    fn may_move(&self, before: &Horizons) -> Result<(), String> {
        let state = self.state(self.last().seq);
        for row in &before.0 {
            if !self.horizons.0.iter().any(|next| next.prefix == row.prefix && next.seq >= row.seq) {
                return Err(format!("the horizon {row:?} moved back: {:?}", self.horizons));
            }
        }
        for row in &self.horizons.0 {
            let place = row.prefix.as_str();
            if row.seq == before.of(place) {
                continue;
            }
            let policy = state.policy_of(place);
            let may =
                policy.is_some_and(|policy| !policy.keeps_everything()) && state.hold_on(&row.prefix, false).is_none();
            // A moment among commits that are gone may be told as that of a later one of them, up to what is there.
            let there = (1..=row.seq.0).rev().find_map(|seq| self.there(Seq(seq)));
            let stamp = there.map(|commit| commit.at);
            if !may || stamp.is_some_and(|at| at > row.at) {
                return Err(format!("a horizon that nothing moves: {row:?}, policy {policy:?}, commit of {stamp:?}"));
            }
        }
        Ok(())
    }

    /// Whether what a commit claims is known: not if it was forgotten and went.
    pub(super) fn is_claim_there(&self, kept: &Kept) -> bool {
        self.left[(kept.commit.seq.0 - 1) as usize] != Left::Removed
    }

    /// Whether compaction may take an event.
    fn may_go(&self, kept: &Kept, place: usize, pins: &Pins) -> Result<(), String> {
        let state = self.state(self.last().seq);
        let (seq, event) = (kept.commit.seq, &kept.commit.events[place]);
        let (scope, is_key) = match event {
            Event::Set { scope, .. } | Event::Delete { scope, .. } => (scope, true),
            Event::Checkpoint { scope, .. } | Event::Release { scope, .. } => (scope, false),
            Event::Clear { scope } | Event::EraseScope { scope, .. } => {
                return self.void_may_go(kept, place, (&scope.into(), false), pins);
            }
            Event::ClearPrefix { prefix } | Event::ErasePrefix { prefix, .. } => {
                return self.void_may_go(kept, place, (prefix, true), pins);
            }
            Event::Fork { .. }
            | Event::Retain { .. }
            | Event::Unretain { .. }
            | Event::Hold { .. }
            | Event::Unhold { .. }
            | Event::Erase { .. } => return Err("nothing takes such an event".into()),
        };
        if let Some(hold) = state.hold_on(&scope.into(), false) {
            return Err(format!("it is held: {hold:?}"));
        }
        if let Event::Set { key, .. } | Event::Delete { key, .. } = event
            && self.is_erased(scope.as_str(), key.as_str(), (seq, place))
        {
            return Ok(());
        }
        let policy = state.policy_of(scope.as_str()).filter(|policy| !policy.keeps_everything());
        let Some(Policy { keep_last, .. }) = policy else { return Err("no policy speaks of it".into()) };
        let Some(horizon) = self.horizons.row_of(scope.as_str()) else { return Err("no horizon is behind it".into()) };
        if pins.from.is_some_and(|from| seq >= from) {
            return Err(format!("somebody goes through all commits from {:?} on", pins.from));
        }
        let end = self.end((seq, place), event);
        if self.is_numbered((seq, place), event, (keep_last.unwrap_or(0), horizon.seq)) {
            return Err(format!("it is one of the newest {keep_last:?}"));
        }
        // Of a view at the horizon.
        let now = self.commit(horizon.seq).map_or(Timestamp::MIN, |commit| commit.at);
        let says_nothing = match event {
            Event::Delete { .. } | Event::Release { .. } => true,
            Event::Set { expires_at, .. } => expires_at.is_some_and(|end| end <= now),
            _ => false,
        };
        let is_seen_at = |point: Seq| seq <= point && end.is_none_or(|end| point < end);
        let is_seen = end.is_none_or(|end| end > horizon.seq);
        if is_seen && !(says_nothing && seq <= horizon.seq) {
            return Err(format!("it is seen behind {horizon:?}, up to {end:?}"));
        }
        let points = self.points(&state, scope.as_str(), pins);
        match points.iter().find(|point| is_key && is_seen_at(**point)) {
            Some(point) if !says_nothing => Err(format!("it is seen at {point}, of {points:?}")),
            Some(_) | None => Ok(()),
        }
    }

    /// The commits as of which a scope is read whatever its horizon.
    fn points(&self, state: &State<'_>, scope: &str, pins: &Pins) -> Vec<Seq> {
        let named = state.checkpoints().iter().filter(|((of, _), _)| *of == scope).map(|(_, seq)| *seq);
        let forked = state.forks().filter(|(_, origin, _)| *origin == scope).map(|(.., point)| point);
        named.chain(forked).chain(pins.points.iter().copied()).collect()
    }

    /// Where an event is seen no more: the next version of the same key, or name, or what clears it.
    fn end(&self, place: (Seq, usize), event: &Event) -> Option<Seq> {
        let mut later = self.events().filter(|(at, _)| *at > place);
        later.find(|(_, later)| is_version_of(later, event) || clears(later, event)).map(|((seq, _), _)| seq)
    }

    fn events(&self) -> impl Iterator<Item = ((Seq, usize), &Event)> {
        self.kept.iter().flat_map(|kept| {
            kept.commit.events.iter().enumerate().map(|(index, event)| ((kept.commit.seq, index), event))
        })
    }

    /// Whether an event is one of so many newest values of a key that has one, or the delete behind such a value that
    /// is there. If at any horizon up to this one nothing of the key was seen, it may have gone then.
    fn is_numbered(&self, place: (Seq, usize), event: &Event, (keep_last, horizon): (u64, Seq)) -> bool {
        let is_version = |at: (Seq, usize), other: &Event| at == place || is_version_of(other, event);
        let versions: Vec<_> = self.events().filter(|(at, other)| is_version(*at, other)).collect();
        let own = versions.iter().position(|(at, _)| *at == place).expect("it is one of them");
        let is_value = |event: &Event| matches!(event, Event::Set { .. } | Event::Checkpoint { .. });
        let newer = versions[own + 1..].iter().filter(|(_, later)| is_value(later)).count() as u64;
        let was_gone = versions[own..].iter().enumerate().any(|(index, (at, version))| {
            let next = versions.get(own + index + 1).map(|((seq, _), _)| seq.prev());
            let last = next.map_or(horizon, |next| next.min(horizon));
            let now = self.commit(last).map_or(Timestamp::MIN, |commit| commit.at);
            let has_expired =
                matches!(version, Event::Set { expires_at, .. } if expires_at.is_some_and(|end| end <= now));
            let mut behind = self.events().filter(|(clear, _)| clear > at && clear.0 <= last);
            at.0 <= last && (!is_value(version) || has_expired || behind.any(|(_, clear)| clears(clear, version)))
        });
        let ends_value = own.checked_sub(1).is_some_and(|before| {
            let ((seq, index), before) = versions[before];
            let is_erased = matches!(before, Event::Set { scope, key, .. }
                if self.is_erased(scope.as_str(), key.as_str(), (seq, index)));
            is_value(before) && self.is_there(seq, index) && !is_erased
        });
        // Of equal events of a commit the last is said to be there: that of two deletes one is enough is not told here.
        let is_doubled = versions.get(own + 1).is_some_and(|(at, next)| at.0 == place.0 && *next == event);
        newer < keep_last && !was_gone && (is_value(event) || (ends_value && !is_doubled))
    }

    /// Whether a commit may go with what it claimed.
    fn claims_may_go(&self, gone: &Kept) -> Result<(), String> {
        let meta = &gone.commit.meta;
        if let Some(key) = meta.idempotency_key.as_ref().filter(|_| gone.commit.at > self.forgotten_by()) {
            return Err(format!("commit {} is gone, and with it {key:?}", gone.commit.seq));
        }
        for fence in &meta.fences {
            let of = |kept: &Kept| kept.commit.meta.fences.iter().any(|later| later.scope == fence.scope);
            let is_forgotten = self.claims_forgotten(fence.scope.as_str()) > gone.commit.seq;
            if !is_forgotten && !self.kept.iter().any(|kept| kept.commit.seq > gone.commit.seq && of(kept)) {
                return Err(format!("commit {} is gone, and with it {fence:?}", gone.commit.seq));
            }
        }
        Ok(())
    }
}

/// Which events of a commit were found: of equal ones the last.
fn places(found: &Commit, commit: &Commit) -> Result<Left, String> {
    let other = || format!("commit {} is another one:\n  engine: {found:.400?}\n  model:  {commit:.400?}", commit.seq);
    if (found.at, &found.meta) != (commit.at, &commit.meta) {
        return Err(other());
    }
    if found.events.len() == commit.events.len() {
        return if found.events == commit.events { Ok(Left::Whole) } else { Err(other()) };
    }
    let mut rest = commit.events.len();
    let mut places = Vec::with_capacity(found.events.len());
    for event in found.events.iter().rev() {
        rest = commit.events[..rest].iter().rposition(|there| there == event).ok_or_else(other)?;
        places.push(rest);
    }
    places.reverse();
    Ok(Left::Thinned(places))
}

/// Whether an event is another version of what a set, a delete, a checkpoint or a release is one of.
fn is_version_of(later: &Event, event: &Event) -> bool {
    match (later, event) {
        (
            Event::Set { scope, key, .. } | Event::Delete { scope, key } | Event::Erase { scope, key, .. },
            Event::Set { scope: of, key: name, .. } | Event::Delete { scope: of, key: name },
        ) => scope == of && key == name,
        (
            Event::Checkpoint { scope, name, .. } | Event::Release { scope, name },
            Event::Checkpoint { scope: of, name: event, .. } | Event::Release { scope: of, name: event },
        ) => scope == of && name == event,
        _ => false,
    }
}

/// Whether an event takes away all keys of the scope of a set or a delete.
fn clears(later: &Event, event: &Event) -> bool {
    let (Event::Set { scope, .. } | Event::Delete { scope, .. }) = event else { return false };
    match later {
        Event::Clear { scope: of } | Event::EraseScope { scope: of, .. } => of == scope,
        Event::ClearPrefix { prefix } | Event::ErasePrefix { prefix, .. } => prefix.holds(scope.as_str()),
        _ => false,
    }
}
