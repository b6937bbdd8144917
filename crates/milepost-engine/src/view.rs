//! [`View`]: the state at one moment. [`Scan`]: a scope's keys at that moment, in order.
//!
//! Invariant: a view never changes. Every version it can see is durable, and what comes later has a higher `Seq`.

use std::{fmt, ops::ControlFlow, sync::Arc, vec};

use milepost_log::{Found, FoundFrame, Segments};
use milepost_types::{Key, Scope, ScopePrefix, Seq, Timestamp, scope::is_hidden};

use crate::{
    ReadError, Value,
    engine::{NO_FRAME, Shared},
    lineage::Line,
    retention::{Horizon, Horizons, Pin},
    state::{GROUP, Kind, Loaded, State, Tiers, Version},
};

/// The state at one moment.
#[derive(Clone, Debug)]
pub struct View {
    /// Keeps what it can see, and holds the store.
    pub(crate) pin: Pin,
    pub(crate) seq: Seq,
    /// `None` for the time of the commit at `seq`: looked up when it is asked for, since a point read needs it only for
    /// a value that expires.
    pub(crate) at: Option<Timestamp>,
    /// Before which it can't see a scope; `None` if no horizon is behind it, and no checkpoint is asked for.
    pub(crate) before: Option<Arc<Before>>,
    /// What it reads from, of a store beside its writer, where nothing else keeps that; `None` for what the store has
    /// now, in which the pin keeps what it can see.
    pub(crate) held: Option<Arc<Held>>,
}

/// Log and index as they were when a view was opened beside a writer, which goes on without asking who reads.
pub(crate) struct Held {
    segments: Segments,
    tiers: Arc<Tiers>,
}

impl Held {
    /// As they are now. The log first: an index that is newer than the log does for it, and not the other way round.
    pub(crate) fn of(shared: &Shared) -> Held {
        let segments = shared.reader.segments().again();
        Held { segments, tiers: shared.state.pin() }
    }

    pub(crate) fn segments(&self) -> Segments {
        self.segments.again()
    }

    pub(crate) fn tiers(&self) -> Arc<Tiers> {
        Arc::clone(&self.tiers)
    }

    /// When a commit was stamped, if it is there.
    pub(crate) fn stamp(&self, seq: Seq) -> Option<Timestamp> {
        match self.segments.find(seq) {
            Ok(Found::Frame(found)) => Some(found.at()),
            Ok(Found::Removed | Found::Ahead) | Err(_) => None,
        }
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").field("tiers", &self.tiers).finish_non_exhaustive()
    }
}

/// From where on the scopes could be read when a view was opened, which stays so while it is open.
#[derive(Debug)]
pub(crate) struct Before {
    pub(crate) horizons: Arc<Horizons>,
    /// The scope whose checkpoint it is.
    pub(crate) pinned: Option<Scope>,
    /// What is said of a scope that no horizon speaks of, if the time asked for is before the first commit.
    pub(crate) too_early: Option<ReadError>,
}

/// A key and its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// Its value.
    pub value: Value,
}

impl View {
    /// The last commit that it sees; [`Seq::ZERO`] for none.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// Its time: values that expire at or before it are gone.
    pub fn at(&self) -> Result<Timestamp, ReadError> {
        match self.at {
            Some(at) => Ok(at),
            None if self.seq == Seq::ZERO => Ok(Timestamp::MIN),
            None => self.pin.shared.stamp(self.seq),
        }
    }

    /// What it holds, unless something was erased since of which that knows nothing: then the store answers, which may
    /// have nothing any more from before that.
    #[inline]
    fn held(&self) -> Option<&Held> {
        let knows = |held: &&Held| self.pin.shared.state.load().last_erasure_ever() <= held.tiers.last_erasure_ever();
        self.held.as_deref().filter(knows)
    }

    fn segments(&self) -> Segments {
        self.held().map_or_else(|| self.pin.shared.reader.segments(), Held::segments)
    }

    fn tiers(&self) -> Loaded {
        self.held().map_or_else(|| self.pin.shared.state.load(), |held| State::loaded(&held.tiers))
    }

    fn pinned_tiers(&self) -> Arc<Tiers> {
        self.held().map_or_else(|| self.pin.shared.state.pin(), Held::tiers)
    }

    /// Whether the past of a scope is there in what this view reads from, as of this moment.
    #[inline]
    fn may_see(&self, scope: &str) -> Result<(), ReadError> {
        match (self.held(), &self.before) {
            (None, _) => self.may_see_in_store(scope),
            (Some(_), before) => {
                self.pin.shared.may_read()?;
                before.as_ref().map_or(Ok(()), |before| before.check(scope, self.seq))
            }
        }
    }

    /// Whether the past of a scope is there in what the store reads from now, as of this moment. Asked once the tiers
    /// are at hand: of those that were taken up from another process it is known by then from where on they answer.
    #[inline]
    pub(crate) fn may_see_in_store(&self, scope: &str) -> Result<(), ReadError> {
        self.pin.shared.may_read()?;
        if self.seq < self.pin.shared.retention.taken_up() {
            let horizons = self.pin.shared.retention.horizons();
            let (pinned, too_early) = match &self.before {
                Some(before) => (before.pinned.clone(), before.too_early.clone()),
                None => (None, None),
            };
            // A checkpoint that was released since has kept nothing.
            let pinned = match pinned.filter(|pinned| pinned.as_str() == scope) {
                Some(pinned) => self.pin.shared.has_checkpoint_at(&pinned, self.seq)?.then_some(pinned),
                None => None,
            };
            return Before { horizons, pinned, too_early }.check(scope, self.seq);
        }
        match &self.before {
            None => Ok(()),
            Some(before) => before.check(scope, self.seq),
        }
    }

    /// Whether the past of all that lies at or below a prefix is there, as of this moment. A checkpoint keeps its own
    /// scope, and not those below, of which nothing may be left that tells that they were there.
    fn may_list(&self, prefix: &ScopePrefix) -> Result<(), ReadError> {
        let horizons = match &self.before {
            _ if self.held().is_none() && self.seq < self.pin.shared.retention.taken_up() => {
                self.pin.shared.retention.horizons()
            }
            Some(before) => Arc::clone(&before.horizons),
            None => return Ok(()),
        };
        let within = horizons.rows().iter().map(|row| row.prefix.as_str()).filter(|place| prefix.holds(place));
        let own = Some(prefix.as_str()).filter(|place| horizons.row_of(place).is_some());
        let too_early = self.before.as_ref().and_then(|before| before.too_early.clone());
        let before = Before { horizons: Arc::clone(&horizons), pinned: None, too_early };
        within.chain(own).try_for_each(|place| before.check(place, self.seq))
    }

    /// The value of a key.
    pub fn get(&self, scope: &str, key: &str) -> Result<Option<Value>, ReadError> {
        let segments = self.segments();
        let tiers = self.tiers();
        self.may_see(scope)?;
        let glance = |version: Version| segments.glance(Seq(version.seq), version.record);
        match self.pin.shared.lineage(&tiers).find_glancing(scope, key, self.seq, glance)? {
            Some(version) => self.value(&segments, version),
            None => Ok(None),
        }
    }

    /// The value at the address of a version that it meets, unless it has expired.
    #[inline]
    fn value(&self, segments: &Segments, version: Version) -> Result<Option<Value>, ReadError> {
        match self.pin.shared.value(segments, version, || self.at()) {
            Err(ReadError::Removed { .. }) if version.expires() && self.was_kept() => Ok(None),
            value => value,
        }
    }

    /// The same, of a version that was met in what the store had when a difference was gathered: a reader beside the
    /// writer holds that, and here the pins of the views keep it.
    pub(crate) fn value_in_store(&self, segments: &Segments, version: Version) -> Result<Option<Value>, ReadError> {
        match self.pin.shared.value(segments, version, || self.at()) {
            Err(ReadError::Removed { .. }) if version.expires() => Ok(None),
            value => value,
        }
    }

    /// Whether what it sees is surely there in what it reads from. In what it holds it is: of the scopes that it may
    /// see nothing had been removed by then but what had expired, whatever other places keep.
    fn was_kept(&self) -> bool {
        self.held().is_some() || self.is_kept()
    }

    /// Whether what it sees is surely there in the store. Then of the values that it meets none was removed but those
    /// that had expired, which the index still knows. A reader beside the writer pins nothing there.
    pub(crate) fn is_kept(&self) -> bool {
        !self.pin.shared.is_read_only() || self.seq >= self.pin.shared.retention.last_horizon()
    }

    /// The values of keys, in their order. Many at once cost less than one after the other: what they are read from is
    /// fetched from memory for a group of them before any is read.
    pub fn get_many(&self, scope: &str, keys: &[&str]) -> Result<Vec<Option<Value>>, ReadError> {
        let segments = self.segments();
        let found = self.find_many(scope, keys)?;
        let mut values = Vec::with_capacity(found.len());
        for group in found.chunks(GROUP) {
            let there = || group.iter().flatten();
            there().for_each(|version| segments.aim(Seq(version.seq)));
            there().for_each(|version| segments.glance(Seq(version.seq), version.record));
            for version in group {
                values.push(version.map_or(Ok(None), |version| self.value(&segments, version))?);
            }
        }
        Ok(values)
    }

    /// Of each of these keys the commit that set the value it has, `None` if it has none, in their order. Many keys at
    /// once cost less than one after the other, and no value is read.
    pub fn versions(&self, scope: &str, keys: &[&str]) -> Result<Vec<Option<Seq>>, ReadError> {
        let found = self.find_many(scope, keys)?;
        let is_live = |version: Version| match version.kind {
            Kind::Set => Ok(Some(Seq(version.seq))),
            Kind::Delete | Kind::Claim => Ok(None),
            Kind::Expiring => {
                let value = self.value(&self.segments(), version)?;
                Ok(value.map(|value| value.seq()))
            }
        };
        found.into_iter().map(|version| version.map_or(Ok(None), is_live)).collect()
    }

    /// Of each of these keys the version that it meets, whether or not it has expired.
    fn find_many(&self, scope: &str, keys: &[&str]) -> Result<Vec<Option<Version>>, ReadError> {
        let tiers = self.tiers();
        self.may_see(scope)?;
        let lineage = self.pin.shared.lineage(&tiers);
        let mut found = Vec::new();
        if lineage.tiers.has_forks() {
            for key in keys {
                found.push(lineage.find(scope, key, self.seq)?);
            }
        } else {
            tiers.find_each(scope, keys, self.seq, &mut found)?;
        }
        Ok(found)
    }

    /// The keys of a scope that begin with `key_prefix`, in order, with their values.
    #[must_use]
    pub fn scan(&self, scope: &str, key_prefix: &str) -> Scan {
        self.scan_from(scope, key_prefix, None)
    }

    /// The same, beginning behind the key `after`.
    #[must_use]
    pub fn scan_from(&self, scope: &str, key_prefix: &str, after: Option<&str>) -> Scan {
        let from = match after {
            // Nothing is greater than a key and less than this.
            Some(after) if after >= key_prefix => format!("{after}\0"),
            _ => key_prefix.to_owned(),
        };
        Scan {
            view: self.clone(),
            walk: None,
            erasure: Seq::ZERO,
            scope: scope.to_owned(),
            key_prefix: key_prefix.to_owned(),
            from: Some(from).filter(|_| !is_hidden(scope)),
            ready: Vec::new().into_iter(),
            piece: PIECE_FIRST,
        }
    }

    /// The scopes at and below a prefix that hold a key, in order. Where the past of any of them is not kept as of this
    /// moment, that is said: of one of which nothing is left the store does not know any more that it was there.
    pub fn scopes(&self, prefix: &ScopePrefix) -> Result<Vec<Scope>, ReadError> {
        self.pin.shared.may_read()?;
        let tiers = self.pinned_tiers();
        self.may_list(prefix)?;
        let mut scopes = Vec::new();
        self.pin.shared.lineage(&tiers).each_scope(prefix, &mut |name| {
            let first = if is_hidden(name) { None } else { self.scan(name, "").next() };
            if first.transpose()?.is_some() {
                scopes.push(Scope::from_stored(name).expect("checked when it was inserted"));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(scopes)
    }

    /// The last commit that touched a scope, as of this moment; [`Seq::ZERO`] for none.
    pub fn scope_version(&self, scope: &str) -> Result<Seq, ReadError> {
        let tiers = self.tiers();
        self.may_see(scope)?;
        self.pin.shared.lineage(&tiers).scope_version(scope, self.seq)
    }
}

impl Before {
    #[cold]
    fn check(&self, scope: &str, asked: Seq) -> Result<(), ReadError> {
        let Some(row) = self.horizons.row_of(scope).filter(|row| asked < row.seq) else {
            return self.too_early.clone().map_or(Ok(()), Err);
        };
        if self.pinned.as_ref().is_some_and(|pinned| pinned.as_str() == scope) {
            return Ok(());
        }
        let Horizon { seq: horizon, at, .. } = *row;
        Err(ReadError::BeforeHorizon { scope: scope.to_owned(), asked, horizon, at })
    }
}

impl Shared {
    pub(crate) fn may_read(&self) -> Result<(), ReadError> {
        if self.is_child() { Err(ReadError::Forked) } else { Ok(()) }
    }

    /// The value at a version's address, unless it has expired at `now`, which is asked only where an expiry depends on
    /// it.
    #[inline]
    pub(crate) fn value(
        &self,
        segments: &Segments,
        version: Version,
        now: impl FnOnce() -> Result<Timestamp, ReadError>,
    ) -> Result<Option<Value>, ReadError> {
        if matches!(version.kind, Kind::Delete | Kind::Claim) {
            return Ok(None);
        }
        let value = self.value_ever(segments, version)?;
        if version.kind != Kind::Expiring {
            return Ok(Some(value));
        }
        let now = now()?;
        Ok(Some(value).filter(|value| value.expires_at().is_none_or(|expiry| expiry > now)))
    }

    /// The frame of a durable commit, of which nothing was read.
    #[inline]
    pub(crate) fn found<'s>(&self, segments: &'s Segments, seq: Seq) -> Result<FoundFrame<'s>, ReadError> {
        match segments.find(seq).map_err(ReadError::Corrupt)? {
            Found::Frame(found) => Ok(found),
            Found::Removed => Err(ReadError::Removed { seq }),
            Found::Ahead => Err(ReadError::Corrupt(self.corruption(seq, NO_FRAME))),
        }
    }

    /// The value at the address of a set, expired or not.
    #[inline]
    pub(crate) fn value_ever(&self, segments: &Segments, version: Version) -> Result<Value, ReadError> {
        let seq = Seq(version.seq);
        let found = self.found(segments, seq)?;
        let read = Value::of_record(&found, version.record).map_err(ReadError::Corrupt)?;
        Ok(read.map_err(|error| self.unreadable(seq, &error))?)
    }
}

/// Keys that a scan looks up at once: few at first, for whoever wants the first ones only.
const PIECE_FIRST: usize = 16;
const PIECE_MAX: usize = 1024;

/// A walk over a scope's keys, in order. What is erased meanwhile it does not show any more.
#[derive(Debug)]
pub struct Scan {
    view: View,
    /// What it walks over, from its first step on.
    walk: Option<(Arc<Tiers>, Line)>,
    /// The last erasure that this surely knows.
    erasure: Seq,
    scope: String,
    key_prefix: String,
    /// The next piece begins with the first key that is not less; `None` behind the last.
    from: Option<String>,
    ready: vec::IntoIter<(Key, Version)>,
    /// Keys of the next piece.
    piece: usize,
}

impl Scan {
    /// Looks the keys of the next piece up.
    fn fill(&mut self) -> Result<(), ReadError> {
        let Some(from) = self.from.take() else { return Ok(()) };
        let erasure = self.view.pin.shared.last_erasure();
        if self.walk.is_none() || erasure > self.erasure {
            self.erasure = erasure;
            let tiers = self.view.pinned_tiers();
            self.view.may_see(&self.scope)?;
            let line = self.view.pin.shared.lineage(&tiers).line(&self.scope, self.view.seq)?;
            self.walk = Some((tiers, line));
        }
        let Some((tiers, line)) = &self.walk else { return Ok(()) };
        let mut keys = line.keys(tiers, &from)?;
        let mut ready = Vec::new();
        while let Some(name) = keys.read_next()?.filter(|key| key.starts_with(&self.key_prefix)) {
            if ready.len() == self.piece {
                self.from = Some(name.to_owned());
                break;
            }
            if let Some(version) = keys.seen()? {
                ready.push((Key::parse(keys.key()).expect("checked when it was inserted"), version));
            }
        }
        self.piece = (self.piece * 2).min(PIECE_MAX);
        self.ready = ready.into_iter();
        Ok(())
    }
}

impl Iterator for Scan {
    type Item = Result<Entry, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((key, version)) = self.ready.next() {
                let value = if self.view.pin.shared.last_erasure() > self.erasure {
                    self.view.get(&self.scope, key.as_str())
                } else {
                    self.view.value(&self.view.segments(), version)
                };
                match value {
                    Ok(None) => continue,
                    Ok(Some(value)) => return Some(Ok(Entry { key, value })),
                    Err(error) => return Some(Err(error)),
                }
            }
            self.from.as_ref()?;
            if let Err(error) = self.fill() {
                return Some(Err(error));
            }
        }
    }
}
