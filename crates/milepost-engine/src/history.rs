//! [`History`]: who changed what, when, from what to what.
//!
//! Invariant: a change is an event that took effect. It is shown once, in the order of the log (or its reverse), with
//! the value there was before and the one there is after.

mod gather;
mod told;
mod window;

use std::{ops::Range, vec};

use milepost_types::{
    CheckpointName, HoldName, Key, Note, Policy, Scope, ScopePrefix, Seq, Timestamp, Writer,
    body::{BodyError, ForkAt, fork_at, meta_of, note_at},
};

use milepost_io::Held;

use crate::{
    ReadError, Value,
    engine::Shared,
    retention::{Needs, Pin},
    state::{Mark, Version},
    value::read_part,
};
use gather::{Found, Gather};
use window::{Edge, Window};

/// Which changes to show. The default is all of them, oldest first.
#[derive(Clone, Debug, Default)]
pub struct HistoryQuery {
    /// The scope, or the scopes below it.
    pub prefix: ScopePrefix,
    /// Only this key.
    pub key: Option<Key>,
    /// Only this kind of change.
    pub kind: Option<ChangeKind>,
    /// From this commit on.
    pub since: Option<Seq>,
    /// Through this commit.
    pub until: Option<Seq>,
    /// From this time on.
    pub since_time: Option<Timestamp>,
    /// Through this time.
    pub until_time: Option<Timestamp>,
    /// Only by the writer of this name.
    pub writer: Option<String>,
    /// Only by this attempt.
    pub attempt: Option<u32>,
    /// The newest change first.
    pub newest_first: bool,
}

/// What a change did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeKind {
    /// The key got a value.
    Set,
    /// The key was deleted.
    Delete,
    /// The key went when its scope was cleared.
    Clear,
    /// The state of the scope got a name.
    Checkpoint,
    /// The name of a checkpoint was let go.
    Release,
    /// The scope began as another one.
    Fork,
    /// It was said what of the past is kept.
    Retain,
    /// What was said of it was taken back.
    Unretain,
    /// Nothing is removed from then on.
    Hold,
    /// A hold was released.
    Unhold,
    /// All that there ever was is gone.
    Erase,
}

impl ChangeKind {
    /// All kinds.
    pub const ALL: [ChangeKind; 11] = [
        ChangeKind::Set,
        ChangeKind::Delete,
        ChangeKind::Clear,
        ChangeKind::Checkpoint,
        ChangeKind::Release,
        ChangeKind::Fork,
        ChangeKind::Retain,
        ChangeKind::Unretain,
        ChangeKind::Hold,
        ChangeKind::Unhold,
        ChangeKind::Erase,
    ];

    /// The word for it, on every screen and in every export.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ChangeKind::Set => "set",
            ChangeKind::Delete => "delete",
            ChangeKind::Clear => "clear",
            ChangeKind::Checkpoint => "checkpoint",
            ChangeKind::Release => "release",
            ChangeKind::Fork => "fork",
            ChangeKind::Retain => "retain",
            ChangeKind::Unretain => "unretain",
            ChangeKind::Hold => "hold",
            ChangeKind::Unhold => "unhold",
            ChangeKind::Erase => "erase",
        }
    }
}

/// What a change is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A key of the scope.
    Key(Key),
    /// A checkpoint of the scope.
    Checkpoint {
        /// Its name.
        name: CheckpointName,
        /// What a person should know of it.
        note: Option<Note>,
    },
    /// The scope itself.
    Fork {
        /// The scope that it began as.
        origin: Scope,
        /// After which commit.
        point: Seq,
    },
    /// What of the past is kept.
    Policy {
        /// `None` if the policy was taken away.
        policy: Option<Policy>,
    },
    /// That nothing is removed.
    Hold {
        /// The name of the hold.
        name: HoldName,
        /// What a person should know of it.
        note: Option<Note>,
    },
    /// That all there ever was is gone.
    Erased {
        /// Of this key; of all of them if there is none.
        key: Option<Key>,
        /// Whether the scopes below are meant as well.
        with_below: bool,
        /// Bytes of the values that there were.
        bytes: u64,
    },
}

/// One change of one key, of what the scope is called and where it comes from, or of what is kept of it.
#[derive(Clone, Debug)]
pub struct Change {
    /// The commit.
    pub seq: Seq,
    /// When.
    pub at: Timestamp,
    /// Who, if the commit says so.
    pub writer: Option<Writer>,
    /// Whose state: a scope, or the prefix that a policy, a hold or an erasure is about.
    pub scope: ScopePrefix,
    /// What of it.
    pub subject: Subject,
    /// What happened.
    pub kind: ChangeKind,
    /// The value before.
    pub old: Option<Value>,
    /// Whether there is no `old` because it was removed, or may have been.
    pub old_removed: bool,
    /// The value after.
    pub new: Option<Value>,
}

impl Change {
    /// The key that changed, if one did.
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        match &self.subject {
            Subject::Key(key) => Some(key),
            Subject::Erased { key, .. } => key.as_ref(),
            Subject::Checkpoint { .. } | Subject::Fork { .. } | Subject::Policy { .. } | Subject::Hold { .. } => None,
        }
    }
}

/// Changes whose values are fetched before they are asked for. They lie anywhere in the log: fetched one after the
/// other each waits for memory, fetched at the same time they wait together.
const AHEAD: usize = 16;

/// Changes of the first window; of each after it eight times as many,
const WINDOW_MIN: usize = 1 << 14;
/// up to so many: about 100 bytes each, and their names.
const WINDOW_MAX: usize = 1 << 20;

/// The changes that a query asks for, one after the other. What is erased meanwhile is not shown any more.
///
/// They are gathered in windows, in the order asked for: whoever looks at the first few has no more than those in
/// memory, and whoever looks at all of them a bounded number at a time. Each window takes a walk over the scopes asked
/// for.
#[derive(Debug)]
pub struct History {
    /// Keeps what it is going to show, and holds the store.
    pin: Pin,
    query: HistoryQuery,
    /// The last commit that can be seen.
    seen: Seq,
    /// The first commit that is asked for, and the last.
    range: (u64, u64),
    found: vec::IntoIter<Found>,
    /// Behind which change the next window begins; `None` if there is none.
    edge: Option<Edge>,
    /// Changes of the next window, at most.
    window: usize,
    /// The last erasure that was known when these were gathered.
    erasure: Seq,
    /// The value that was read last: what one change sets is what the next one finds.
    last: Option<(Version, Value)>,
    /// The scope of the last change.
    scope: Option<ScopePrefix>,
}

impl History {
    pub(crate) fn new(shared: Held<Shared>, query: HistoryQuery) -> Result<History, ReadError> {
        let mut pin = Pin::new(shared.clone(), Needs::From(query.since.unwrap_or(Seq::FIRST)));
        let seen = shared.published();
        if let Some(asked) = query.since.into_iter().chain(query.until).find(|asked| *asked > seen) {
            return Err(ReadError::Future { asked, last: seen });
        }
        let mut from = query.since.map_or(0, |seq| seq.0);
        if let Some(time) = query.since_time {
            from = from.max(shared.reader.seq_at(Timestamp(time.0.saturating_sub(1)))?.0 + 1);
            // What lies before it need not stay.
            pin = Pin::new(shared.clone(), Needs::From(Seq(from)));
        }
        let mut until = query.until.unwrap_or(seen).0;
        if let Some(time) = query.until_time {
            until = until.min(shared.reader.seq_at(time)?.0);
        }
        let mut history = History {
            pin,
            query,
            seen,
            range: (from, until),
            found: Vec::new().into_iter(),
            edge: None,
            window: WINDOW_MIN,
            erasure: Seq::ZERO,
            last: None,
            scope: None,
        };
        history.gather()?;
        Ok(history)
    }

    /// The next window.
    fn gather(&mut self) -> Result<(), ReadError> {
        let shared = &self.pin.shared;
        self.erasure = shared.last_erasure();
        let tiers = shared.state.pin();
        let mut gather = Gather {
            lineage: shared.lineage(&tiers),
            last: self.seen,
            key: self.query.key.as_ref(),
            kind: self.query.kind,
            range: self.range,
            horizon: Seq::ZERO,
            window: Window::new(self.window, self.query.newest_first, self.edge.take()),
            erased: None,
        };
        gather.prefix(&self.query.prefix)?;
        let (found, edge) = gather.window.end();
        (self.found, self.edge) = (found.into_iter(), edge);
        self.window = (8 * self.window).min(WINDOW_MAX);
        self.fetch(0..2 * AHEAD, 0..AHEAD);
        Ok(())
    }

    /// Has it fetched where some of the next changes lie, and the values of some that are nearer.
    fn fetch(&self, places: Range<usize>, values: Range<usize>) {
        let segments = self.pin.shared.reader.segments();
        let next = self.found.as_slice();
        let set = |index: usize| next.get(index).and_then(|found| found.new);
        places.filter_map(set).for_each(|version| segments.aim(Seq(version.seq)));
        values.filter_map(set).for_each(|version| segments.glance(Seq(version.seq), version.record));
    }

    /// The value at the address of a set, expired or not.
    fn value(&mut self, version: Version) -> Result<Value, ReadError> {
        if let Some((last, value)) = &self.last
            && *last == version
        {
            return Ok(value.clone());
        }
        let value = self.pin.shared.value_ever(&self.pin.shared.reader.segments(), version)?;
        self.last = Some((version, value.clone()));
        Ok(value)
    }

    fn scope(&mut self, name: &str) -> ScopePrefix {
        if let Some(scope) = self.scope.as_ref().filter(|scope| scope.as_str() == name) {
            return scope.clone();
        }
        let scope = ScopePrefix::parse(name).expect("checked when it was inserted");
        self.scope = Some(scope.clone());
        scope
    }

    /// A change without what was erased since it was gathered; `None` if it was itself.
    fn left_of(&self, mut found: Found) -> Result<Option<Found>, ReadError> {
        let shared = &self.pin.shared;
        let is_of_key = matches!(found.kind, ChangeKind::Set | ChangeKind::Delete | ChangeKind::Clear);
        if !is_of_key || shared.last_erasure() <= self.erasure {
            return Ok(Some(found));
        }
        let tiers = shared.state.load();
        let place = Mark { seq: found.place.0, record: found.place.1 };
        if tiers.is_erased_since(&found.scope, &found.name, place)? {
            return Ok(None);
        }
        // Erased where a fork had it from.
        if let Some(old) = found.old.filter(|old| tiers.has_forks() && old.seq < place.seq) {
            let met = shared.lineage(&tiers).find(&found.scope, &found.name, Seq(place.seq - 1))?;
            found.old_may_be_gone |= met != Some(old);
        }
        Ok(Some(found))
    }

    fn change(&mut self, found: Found) -> Result<Option<Change>, ReadError> {
        let Some(found) = self.left_of(found)? else { return Ok(None) };
        let seq = Seq(found.place.0);
        // What retention has taken is shown by nobody any more.
        let Some((at, writer)) = kept(self.signed(seq))? else { return Ok(None) };
        if let Some(name) = &self.query.writer
            && writer.as_ref().map(Writer::name) != Some(name)
        {
            return Ok(None);
        }
        if self.query.attempt.is_some() && writer.as_ref().and_then(Writer::attempt_number) != self.query.attempt {
            return Ok(None);
        }
        // What is set is shown even if it was set to have expired already.
        let new = match found.new.map(|version| kept(self.value(version))).transpose()? {
            Some(None) => return Ok(None),
            new => new.flatten(),
        };
        let (old, old_removed) = self.old(&found, at)?;
        let Some(subject) = kept(self.subject(&found))? else { return Ok(None) };
        if matches!(subject, Subject::Key(_)) && old.is_none() && new.is_none() && !old_removed {
            return Ok(None);
        }
        let scope = self.scope(&found.scope);
        Ok(Some(Change { seq, at, writer, scope, subject, kind: found.kind, old, old_removed, new }))
    }

    /// The value before a change at a time, and whether it was removed, or may have been.
    fn old(&mut self, found: &Found, at: Timestamp) -> Result<(Option<Value>, bool), ReadError> {
        if found.old_may_be_gone {
            return Ok((None, true));
        }
        let Some(version) = found.old else { return Ok((None, false)) };
        let Some(old) = kept(self.value(version))? else {
            // Of what a change behind the horizon met nothing goes but what had expired at the horizon.
            let horizon = self.pin.shared.retention.horizons().of(&found.scope);
            return Ok((None, !version.expires() || found.place.0 <= horizon.0));
        };
        Ok((Some(old).filter(|value| value.expires_at().is_none_or(|expiry| expiry > at)), false))
    }

    /// When a commit was made, and by whom.
    fn signed(&self, seq: Seq) -> Result<(Timestamp, Option<Writer>), ReadError> {
        let segments = self.pin.shared.reader.segments();
        let found = self.pin.shared.found(&segments, seq)?;
        let meta = read_part(&found, 0, meta_of)?.map_err(|error| self.pin.shared.unreadable(seq, &error))?;
        Ok((found.at(), meta.writer))
    }

    fn subject(&self, found: &Found) -> Result<Subject, ReadError> {
        let seq = Seq(found.place.0);
        let unreadable = |error: BodyError| self.pin.shared.unreadable(seq, &error);
        let name = || CheckpointName::parse(&found.name).expect("checked when it was inserted");
        Ok(match found.kind {
            ChangeKind::Set | ChangeKind::Delete | ChangeKind::Clear => {
                Subject::Key(Key::parse(&found.name).expect("checked when it was inserted"))
            }
            ChangeKind::Checkpoint => {
                let frame = self.pin.shared.frame(seq)?;
                let note = note_at(frame.body(), found.place.1).map_err(unreadable)?;
                let note = note.map(|note| Note::parse(note).expect("checked when it was read"));
                Subject::Checkpoint { name: name(), note }
            }
            ChangeKind::Release => Subject::Checkpoint { name: name(), note: None },
            ChangeKind::Fork => {
                let frame = self.pin.shared.frame(seq)?;
                let ForkAt { origin, point } = fork_at(frame.body(), found.place.1).map_err(unreadable)?;
                Subject::Fork { origin: Scope::from_stored(origin).expect("checked when it was read"), point }
            }
            ChangeKind::Retain | ChangeKind::Unretain | ChangeKind::Hold | ChangeKind::Unhold | ChangeKind::Erase => {
                told::subject(&self.pin.shared, found)?
            }
        })
    }
}

impl Iterator for History {
    type Item = Result<Change, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some(found) = self.found.next() else {
                self.edge.as_ref()?;
                match self.gather() {
                    Ok(()) => continue,
                    Err(error) => return Some(Err(error)),
                }
            };
            self.fetch(2 * AHEAD - 1..2 * AHEAD, AHEAD - 1..AHEAD);
            if let Some(change) = self.change(found).transpose() {
                return Some(change);
            }
        }
    }
}

/// `None` of what was removed.
fn kept<T>(read: Result<T, ReadError>) -> Result<Option<T>, ReadError> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(ReadError::Removed { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
