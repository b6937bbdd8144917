//! The state after some commit: a map of maps, folded from events.
//!
//! Invariant: a version stays in the map after it has expired; every question filters by the time it is asked for.

use std::collections::{BTreeMap, BTreeSet};

use milepost_types::{
    Commit, ContentType, Event, Key, Policy, Precondition, Scope, ScopePrefix, Seq, Timestamp, Writer,
};

use super::Model;

/// One version of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version<'a> {
    /// The commit that set it.
    pub seq: Seq,
    /// When.
    pub at: Timestamp,
    /// The bytes.
    pub value: &'a [u8],
    /// What the bytes are.
    pub content_type: Option<&'a str>,
    /// From when on it is gone.
    pub expires_at: Option<Timestamp>,
    /// Whether compaction has left it.
    is_left: bool,
}

impl<'a> Version<'a> {
    /// What a reader sees of it, wherever it was set.
    pub(super) fn says(self) -> (&'a [u8], Option<&'a str>, Option<Timestamp>) {
        (self.value, self.content_type, self.expires_at)
    }

    /// The time of a moment may be before what it sees: among commits that are gone a time leads to a later one, see
    /// `check::sight`. What is gone had expired by then. A time before all others asks for no expiry.
    fn lives(&self, now: Timestamp) -> bool {
        let was_there = self.is_left || self.at <= now || now == Timestamp::MIN;
        self.expires_at.is_none_or(|end| now < end && was_there)
    }
}

/// What a commit did to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It got a value.
    Set,
    /// It lost its value.
    Delete,
    /// It lost its value with its whole scope.
    Clear,
    /// The scope's state got a name.
    Checkpoint,
    /// The name was let go.
    Release,
    /// The scope began as another one.
    Fork,
    /// It was said what is kept.
    Retain,
    /// That was taken back.
    Unretain,
    /// Everything is kept.
    Hold,
    /// A hold was released.
    Unhold,
    /// Everything is gone.
    Erase,
}

/// What a change is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A key.
    Key(String),
    /// A checkpoint, and its note if the change says it.
    Checkpoint(String, Option<String>),
    /// The scope: what it began as, and after which commit.
    Fork(String, Seq),
    /// What is kept.
    Policy(Option<Policy>),
    /// A hold, and its note.
    Hold(String, Option<String>),
    /// What was erased: the key, if one; whether with all below; how many bytes.
    Erased(Option<String>, bool, u64),
}

/// One change of one key, with the value before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The commit.
    pub seq: Seq,
    /// Its stamp.
    pub at: Timestamp,
    /// Who.
    pub writer: Option<Writer>,
    /// Whose state.
    pub scope: String,
    /// What of it.
    pub subject: Subject,
    /// What was done.
    pub kind: ChangeKind,
    /// The value before: where it was set, and its bytes.
    pub old: Option<(Seq, Vec<u8>)>,
    /// The value after.
    pub new: Option<(Seq, Vec<u8>)>,
}

/// Which changes are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Of which scopes.
    pub prefix: ScopePrefix,
    /// Of which key.
    pub key: Option<String>,
    /// Of which kind.
    pub kind: Option<ChangeKind>,
    /// From this commit on.
    pub since: Option<Seq>,
    /// Up to this commit.
    pub until: Option<Seq>,
    /// From this time on.
    pub since_time: Option<Timestamp>,
    /// Up to this time.
    pub until_time: Option<Timestamp>,
    /// By whom.
    pub writer: Option<String>,
    /// In which attempt.
    pub attempt: Option<u32>,
    /// The last change first.
    pub newest_first: bool,
}

impl Query {
    pub(super) fn wants(&self, change: &Change) -> bool {
        self.prefix.holds(&change.scope)
            && self.key.as_ref().is_none_or(|key| match &change.subject {
                Subject::Key(of) | Subject::Erased(Some(of), ..) => of == key,
                Subject::Checkpoint(..)
                | Subject::Fork(..)
                | Subject::Policy(..)
                | Subject::Hold(..)
                | Subject::Erased(None, ..) => false,
            })
            && self.kind.is_none_or(|kind| change.kind == kind)
            && self.since.is_none_or(|since| change.seq >= since)
            && self.until.is_none_or(|until| change.seq <= until)
            && self.since_time.is_none_or(|since| change.at >= since)
            && self.until_time.is_none_or(|until| change.at <= until)
            && self.writer.as_deref().is_none_or(|name| change.writer.as_ref().is_some_and(|w| w.name() == name))
            && (self.attempt.is_none() || change.writer.as_ref().and_then(Writer::attempt_number) == self.attempt)
    }
}

/// Every scope with its keys, and the last commit that touched it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State<'a> {
    scopes: BTreeMap<&'a str, BTreeMap<&'a str, Version<'a>>>,
    touched: BTreeMap<&'a str, Seq>,
    /// Scope and name of every checkpoint that was not released, and the commit that made it.
    checkpoints: BTreeMap<(&'a str, &'a str), Seq>,
    /// Every scope that ever began as another one: since which commit, as which one, after which commit.
    forks: BTreeMap<&'a str, (Seq, &'a str, Seq)>,
    policies: BTreeMap<&'a str, Policy>,
    /// Prefixes of which all was cleared or erased, and by which commit last.
    cleared: BTreeMap<&'a str, Seq>,
    /// Prefix and name.
    holds: BTreeSet<(&'a str, &'a str)>,
}

impl<'a> State<'a> {
    /// The version of a key that lives at a time.
    #[must_use]
    pub fn get(&self, scope: &str, key: &str, now: Timestamp) -> Option<Version<'a>> {
        self.scopes.get(scope)?.get(key).copied().filter(|version| version.lives(now))
    }

    /// The keys of a scope that begin with a prefix and live at a time, in order.
    #[must_use]
    pub fn scan(&self, scope: &str, key_prefix: &str, now: Timestamp) -> Vec<(&'a str, Version<'a>)> {
        let Some(keys) = self.scopes.get(scope) else { return Vec::new() };
        keys.iter()
            .filter(|(key, version)| key.starts_with(key_prefix) && version.lives(now))
            .map(|(key, version)| (*key, *version))
            .collect()
    }

    /// The scopes within a prefix that hold a key at a time, in order.
    #[must_use]
    pub fn scopes(&self, prefix: &ScopePrefix, now: Timestamp) -> Vec<&'a str> {
        let holds = |keys: &BTreeMap<&str, Version<'_>>| keys.values().any(|version| version.lives(now));
        self.scopes.iter().filter(|(scope, keys)| prefix.holds(scope) && holds(keys)).map(|(scope, _)| *scope).collect()
    }

    /// The last commit that touched a scope.
    #[must_use]
    pub fn scope_version(&self, scope: &str) -> Seq {
        self.touched.get(scope).copied().unwrap_or(Seq::ZERO)
    }

    /// The commit that made a checkpoint, if it is there.
    #[must_use]
    pub fn checkpoint(&self, scope: &str, name: &str) -> Option<Seq> {
        self.checkpoints.get(&(scope, name)).copied()
    }

    /// Scope and name of all checkpoints, in order, and the commit that made each.
    #[must_use]
    pub fn checkpoints(&self) -> &BTreeMap<(&'a str, &'a str), Seq> {
        &self.checkpoints
    }

    /// What a scope began as, if it was another one: since which commit, as which one, after which commit.
    #[must_use]
    pub fn fork(&self, scope: &str) -> Option<(Seq, &'a str, Seq)> {
        self.forks.get(scope).copied()
    }

    /// Every fork there ever was: which scope, as which one, after which commit.
    pub(super) fn forks(&self) -> impl Iterator<Item = (&'a str, &'a str, Seq)> {
        self.forks.iter().map(|(scope, (_, origin, point))| (*scope, *origin, *point))
    }

    /// The scopes at or below a prefix that were ever touched.
    pub(super) fn ever_within<'p>(&'p self, prefix: &'p ScopePrefix) -> impl Iterator<Item = &'a str> + 'p {
        self.touched.keys().copied().filter(|scope| prefix.holds(scope))
    }

    /// The policy that speaks of a scope or a prefix.
    pub(super) fn policy_of(&self, place: &str) -> Option<Policy> {
        let holds =
            |prefix: &str| prefix.is_empty() || ScopePrefix::parse(prefix).is_ok_and(|prefix| prefix.holds(place));
        self.policies.iter().filter(|(prefix, _)| holds(prefix)).max_by_key(|(prefix, _)| prefix.len()).map(|(_, p)| *p)
    }

    /// Lowers the version of a scope to what was told; of none it is forgotten.
    pub(super) fn touch_as_told(&mut self, scope: &str, told: Seq) {
        if told == Seq::ZERO {
            self.touched.remove(scope);
        } else if let Some(last) = self.touched.get_mut(scope) {
            *last = told;
        }
    }

    /// Whether all below some place in a prefix was cleared or erased since a commit.
    pub(super) fn is_cleared_below(&self, prefix: &ScopePrefix, since: Seq) -> bool {
        self.cleared.iter().any(|(below, seq)| prefix.holds(below) && *seq > since)
    }

    /// Notes which scopes an event touches, and nothing else of it.
    pub(super) fn touch(&mut self, event: &'a Event, seq: Seq) {
        match event {
            Event::Set { scope, .. }
            | Event::Delete { scope, .. }
            | Event::Erase { scope, .. }
            | Event::Clear { scope }
            | Event::EraseScope { scope, .. }
            | Event::Fork { scope, .. } => {
                self.touched.insert(scope.as_str(), seq);
            }
            Event::ClearPrefix { prefix } | Event::ErasePrefix { prefix, .. } => {
                self.touched.iter_mut().filter(|(scope, _)| prefix.holds(scope)).for_each(|(_, last)| *last = seq);
            }
            Event::Checkpoint { .. }
            | Event::Release { .. }
            | Event::Retain { .. }
            | Event::Unretain { .. }
            | Event::Hold { .. }
            | Event::Unhold { .. } => {}
        }
    }

    /// Applies the events of a commit of the model.
    pub fn apply(&mut self, model: &'a Model, commit: &'a Commit) {
        for (index, event) in commit.events.iter().enumerate() {
            self.apply_event(model, event, (commit.seq, index), commit.at);
        }
    }

    pub(super) fn apply_event(&mut self, model: &'a Model, event: &'a Event, place: (Seq, usize), at: Timestamp) {
        let seq = place.0;
        match event {
            Event::Set { scope, key, .. } if model.is_erased(scope.as_str(), key.as_str(), place) => {
                // As if it had been deleted: nothing is there, and the scope was touched.
                if let Some(keys) = self.scopes.get_mut(scope.as_str()) {
                    keys.remove(key.as_str());
                }
                self.touched.insert(scope.as_str(), seq);
            }
            Event::Set { scope, key, value, content_type, expires_at } => {
                let content_type = content_type.as_ref().map(ContentType::as_str);
                let is_left = model.is_there(seq, place.1);
                let version = Version { seq, at, value, content_type, expires_at: *expires_at, is_left };
                self.scopes.entry(scope.as_str()).or_default().insert(key.as_str(), version);
                self.touched.insert(scope.as_str(), seq);
            }
            Event::Delete { scope, key } | Event::Erase { scope, key, .. } => {
                if let Some(keys) = self.scopes.get_mut(scope.as_str()) {
                    keys.remove(key.as_str());
                }
                self.touched.insert(scope.as_str(), seq);
            }
            Event::Clear { scope } | Event::EraseScope { scope, .. } => {
                self.scopes.remove(scope.as_str());
                self.touched.insert(scope.as_str(), seq);
            }
            Event::ClearPrefix { prefix } | Event::ErasePrefix { prefix, .. } => {
                // It touches every scope there ever was at its place, whether or not a key was left in it.
                self.touched.iter_mut().filter(|(scope, _)| prefix.holds(scope)).for_each(|(_, last)| *last = seq);
                self.scopes.retain(|scope, _| !prefix.holds(scope));
                self.cleared.insert(prefix.as_str(), seq);
            }
            Event::Checkpoint { scope, name, .. } => {
                self.checkpoints.insert((scope.as_str(), name.as_str()), seq);
            }
            Event::Release { scope, name } => {
                self.checkpoints.remove(&(scope.as_str(), name.as_str()));
            }
            Event::Fork { scope, origin, point } => {
                // What the engine reads through to is copied here.
                let mut keys = model.state(*point).scopes.remove(origin.as_str()).unwrap_or_default();
                keys.retain(|key, _| !model.is_erased(scope.as_str(), key, place));
                self.scopes.insert(scope.as_str(), keys);
                self.touched.insert(scope.as_str(), seq);
                self.forks.insert(scope.as_str(), (seq, origin.as_str(), *point));
            }
            Event::Retain { prefix, policy } => {
                self.policies.insert(prefix.as_str(), *policy);
            }
            Event::Unretain { prefix } => {
                self.policies.remove(prefix.as_str());
            }
            Event::Hold { prefix, name, .. } => {
                self.holds.insert((prefix.as_str(), name.as_str()));
            }
            Event::Unhold { prefix, name } => {
                self.holds.remove(&(prefix.as_str(), name.as_str()));
            }
        }
    }

    /// Applies a commit of the model and says what it changed, in the order of its events, key by key; and by which
    /// event.
    pub(super) fn apply_telling(&mut self, model: &'a Model, commit: &'a Commit) -> Vec<(usize, Change)> {
        let mut changes = Vec::new();
        for (index, event) in commit.events.iter().enumerate() {
            let touched = self.touched_by(event, commit.at);
            let value = |scope: &str, subject: &Subject| match subject {
                Subject::Key(key) => {
                    self.get(scope, key, commit.at).map(|version| (version.seq, version.value.to_vec()))
                }
                Subject::Checkpoint(..)
                | Subject::Fork(..)
                | Subject::Policy(..)
                | Subject::Hold(..)
                | Subject::Erased(..) => None,
            };
            let olds: Vec<_> = touched.iter().map(|(scope, subject, _)| value(scope, subject)).collect();
            self.apply_event(model, event, (commit.seq, index), commit.at);
            for ((scope, subject, kind), old) in touched.into_iter().zip(olds) {
                let new = match event {
                    Event::Set { scope, key, value, .. } => {
                        let is_erased = model.is_erased(scope.as_str(), key.as_str(), (commit.seq, index));
                        (!is_erased).then(|| (commit.seq, value.clone()))
                    }
                    Event::Delete { .. }
                    | Event::Clear { .. }
                    | Event::ClearPrefix { .. }
                    | Event::Checkpoint { .. }
                    | Event::Release { .. }
                    | Event::Fork { .. }
                    | Event::Retain { .. }
                    | Event::Unretain { .. }
                    | Event::Hold { .. }
                    | Event::Unhold { .. }
                    | Event::Erase { .. }
                    | Event::EraseScope { .. }
                    | Event::ErasePrefix { .. } => None,
                };
                if let Subject::Key(key) = &subject
                    && ((old.is_none() && new.is_none()) || model.is_erased(&scope, key, (commit.seq, index)))
                {
                    continue;
                }
                let writer = commit.meta.writer.clone();
                let change = Change { seq: commit.seq, at: commit.at, writer, scope, subject, kind, old, new };
                changes.push((index, change));
            }
        }
        changes
    }

    /// What an event is about to change.
    fn touched_by(&self, event: &Event, now: Timestamp) -> Vec<(String, Subject, ChangeKind)> {
        let key = |scope: &Scope, key: &Key, kind| {
            vec![(scope.as_str().to_owned(), Subject::Key(key.as_str().to_owned()), kind)]
        };
        match event {
            Event::Set { scope, key: name, .. } => key(scope, name, ChangeKind::Set),
            Event::Delete { scope, key: name } => key(scope, name, ChangeKind::Delete),
            Event::Clear { scope } => self.cleared(scope.as_str(), now),
            Event::ClearPrefix { prefix } => {
                let scopes = self.scopes(prefix, now);
                scopes.into_iter().flat_map(|scope| self.cleared(scope, now)).collect()
            }
            Event::Checkpoint { scope, name, note } => {
                let note = note.as_ref().map(|note| note.as_str().to_owned());
                let subject = Subject::Checkpoint(name.as_str().to_owned(), note);
                vec![(scope.as_str().to_owned(), subject, ChangeKind::Checkpoint)]
            }
            // One that meets nothing is in the log if its commit has an idempotency key.
            Event::Release { scope, name } if self.checkpoint(scope.as_str(), name.as_str()).is_none() => Vec::new(),
            Event::Release { scope, name } => {
                let subject = Subject::Checkpoint(name.as_str().to_owned(), None);
                vec![(scope.as_str().to_owned(), subject, ChangeKind::Release)]
            }
            Event::Fork { scope, origin, point } => {
                let subject = Subject::Fork(origin.as_str().to_owned(), *point);
                vec![(scope.as_str().to_owned(), subject, ChangeKind::Fork)]
            }
            Event::Retain { .. }
            | Event::Unretain { .. }
            | Event::Hold { .. }
            | Event::Unhold { .. }
            | Event::Erase { .. }
            | Event::EraseScope { .. }
            | Event::ErasePrefix { .. } => self.told(event),
        }
    }

    /// What an event tells retention, if it does.
    fn told(&self, event: &Event) -> Vec<(String, Subject, ChangeKind)> {
        let (place, subject, kind) = match event {
            Event::Retain { prefix, policy } => (prefix.as_str(), Subject::Policy(Some(*policy)), ChangeKind::Retain),
            Event::Unretain { prefix } if !self.policies.contains_key(prefix.as_str()) => return Vec::new(),
            Event::Unretain { prefix } => (prefix.as_str(), Subject::Policy(None), ChangeKind::Unretain),
            Event::Hold { prefix, name, note } => {
                let note = note.as_ref().map(|note| note.as_str().to_owned());
                (prefix.as_str(), Subject::Hold(name.as_str().to_owned(), note), ChangeKind::Hold)
            }
            Event::Unhold { prefix, name } if !self.holds.contains(&(prefix.as_str(), name.as_str())) => {
                return Vec::new();
            }
            Event::Unhold { prefix, name } => {
                (prefix.as_str(), Subject::Hold(name.as_str().to_owned(), None), ChangeKind::Unhold)
            }
            Event::Erase { scope, key, bytes } => {
                (scope.as_str(), Subject::Erased(Some(key.as_str().to_owned()), false, *bytes), ChangeKind::Erase)
            }
            Event::EraseScope { scope, bytes } => {
                (scope.as_str(), Subject::Erased(None, false, *bytes), ChangeKind::Erase)
            }
            Event::ErasePrefix { prefix, bytes } => {
                (prefix.as_str(), Subject::Erased(None, true, *bytes), ChangeKind::Erase)
            }
            Event::Set { .. }
            | Event::Delete { .. }
            | Event::Clear { .. }
            | Event::ClearPrefix { .. }
            | Event::Checkpoint { .. }
            | Event::Release { .. }
            | Event::Fork { .. } => return Vec::new(),
        };
        vec![(place.to_owned(), subject, kind)]
    }

    /// A hold on a scope or a prefix, at it or above; with all below it, there as well.
    pub(super) fn hold_on(&self, place: &ScopePrefix, with_below: bool) -> Option<(&'a str, &'a str)> {
        let is_met = |held: &str| {
            held.is_empty()
                || ScopePrefix::parse(held).is_ok_and(|held| held.holds(place.as_str()))
                || (with_below && place.holds(held))
        };
        self.holds.iter().copied().find(|(held, _)| is_met(held))
    }

    /// Whether there is a policy of a prefix.
    pub(super) fn has_policy(&self, prefix: &str) -> bool {
        self.policies.contains_key(prefix)
    }

    /// Whether there is a hold of this name on a prefix.
    pub(super) fn has_hold(&self, prefix: &str, name: &str) -> bool {
        self.holds.contains(&(prefix, name))
    }

    fn cleared(&self, scope: &str, now: Timestamp) -> Vec<(String, Subject, ChangeKind)> {
        let keys = self.scan(scope, "", now);
        keys.into_iter().map(|(key, _)| (scope.to_owned(), Subject::Key(key.to_owned()), ChangeKind::Clear)).collect()
    }

    /// `Some` with the version that is there if a condition does not hold.
    pub(super) fn contradicts(&self, condition: &Precondition, now: Timestamp) -> Option<Option<Seq>> {
        let version = |scope: &str, key: &str| self.get(scope, key, now);
        let (holds, actual) = match condition {
            Precondition::KeyAbsent { scope, key } => {
                let found = version(scope.as_str(), key.as_str());
                (found.is_none(), found.map(|version| version.seq))
            }
            Precondition::KeyAt { scope, key, seq } => {
                let found = version(scope.as_str(), key.as_str()).map(|version| version.seq);
                (found == Some(*seq), found)
            }
            Precondition::ScopeAt { scope, seq } => {
                let found = self.scope_version(scope.as_str());
                (found == *seq, (found > Seq::ZERO).then_some(found))
            }
            Precondition::ValueBelow { scope, key, bound } => {
                let found = version(scope.as_str(), key.as_str());
                let below = found.is_none_or(|version| version.value < bound.as_slice());
                (below, found.map(|version| version.seq))
            }
        };
        (!holds).then_some(actual)
    }
}
