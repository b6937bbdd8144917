//! [`Gather`]: walks the scopes of a query and collects the changes, as addresses.
//!
//! Invariant: what it keeps took effect: something was there before, or is there after. Whether a value had expired is
//! not known here. What was there before is told only if nothing can have been removed since it came: else that it may
//! be gone.

use std::{ops::ControlFlow, sync::Arc};

use milepost_types::{
    Key, ScopePrefix, Seq,
    body::Body,
    scope::{is_hidden, is_reserved},
};

use super::{ChangeKind, window::Window};
use crate::{
    ReadError,
    engine::Shared,
    lineage::{Bodies, Fork, Lineage},
    state::{CHECKPOINT, Kind, Mark, Version},
};

/// A change, as addresses.
#[derive(Debug)]
pub(super) struct Found {
    /// Commit, and place of the event in it.
    pub(super) place: (u64, u32),
    pub(super) scope: Arc<str>,
    /// The key, or the name of the checkpoint or hold; else empty, or what [`super::told`] makes of it.
    pub(super) name: Arc<str>,
    pub(super) kind: ChangeKind,
    pub(super) old: Option<Version>,
    /// Whether what was there before may have been removed: `old` then stands before it.
    pub(super) old_may_be_gone: bool,
    pub(super) new: Option<Version>,
}

/// What is there of a key between two changes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Live {
    version: Option<Version>,
    /// The commit since which it is known to be so.
    since: u64,
}

/// Collects the changes that a query may ask for.
pub(super) struct Gather<'a> {
    pub(super) lineage: Lineage<'a, Shared>,
    /// The last commit that can be seen.
    pub(super) last: Seq,
    pub(super) key: Option<&'a Key>,
    pub(super) kind: Option<ChangeKind>,
    /// The first commit and the last.
    pub(super) range: (u64, u64),
    /// Of the scope that is walked over: what later reads don't meet may be gone from before it.
    pub(super) horizon: Seq,
    pub(super) window: Window,
    /// Of the key that is walked over: changes through here were erased.
    pub(super) erased: Option<Mark>,
}

/// So many commits are looked at to see whether anything was removed between two changes of a key.
const LOOKED_AT_MAX: u64 = 64;

/// What happens to all keys of a scope at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    /// They are gone.
    Clear,
    /// They are what the fork's origin held.
    Fork,
}

impl Gather<'_> {
    pub(super) fn prefix(&mut self, prefix: &ScopePrefix) -> Result<(), ReadError> {
        let Lineage { tiers, bodies } = self.lineage;
        Lineage { tiers, bodies }.each_scope(prefix, &mut |scope| {
            if !is_hidden(scope) {
                self.scope(&Arc::from(scope))?;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        if self.key.is_none() && !is_reserved(prefix.as_str()) {
            self.checkpoints(prefix)?;
        }
        if !is_reserved(prefix.as_str()) {
            self.told(prefix)?;
        }
        Ok(())
    }

    /// The changes of a scope's keys, and its fork.
    fn scope(&mut self, scope: &Arc<str>) -> Result<(), ReadError> {
        let tiers = self.lineage.tiers;
        self.horizon = self.lineage.bodies.retention.horizons().of(scope);
        let fork = self.lineage.fork(scope, self.last)?;
        let marks = tiers.marks(scope)?;
        let mut turns: Vec<(Mark, Turn)> = marks.into_iter().map(|mark| (mark, Turn::Clear)).collect();
        if let Some(Fork { place, .. }) = &fork {
            turns.push((*place, Turn::Fork));
            turns.sort_unstable();
            if self.key.is_none() {
                self.keep((place.seq, place.record), scope, &"".into(), ChangeKind::Fork, Live::default(), None)?;
            }
        }
        if let Some(key) = self.key {
            self.erased = tiers.erased_of(scope)?.map_or(Ok(None), |erased| erased.mark(key.as_str()))?;
            let inherited = self.inherited(fork.as_ref(), key.as_str())?;
            let versions = tiers.versions(scope, key.as_str())?;
            return self.changes(scope, &key.as_str().into(), &versions, &turns, inherited);
        }
        let erased = tiers.erased_of(scope)?;
        let orders = tiers.key_orders(scope);
        let mut keys = tiers.keys(scope, &orders, "")?;
        while let Some(key) = keys.read_next()? {
            let key: Arc<str> = Arc::from(key);
            self.erased = erased.as_ref().map_or(Ok(None), |erased| erased.mark(&key))?;
            if keys.newest(self.last)?.is_none() {
                continue;
            }
            let inherited = self.inherited(fork.as_ref(), &key)?;
            self.changes(scope, &key, &keys.versions()?, &turns, inherited)?;
        }
        // What was read through to is gone with a clear behind the fork, and the scope has no version that says so.
        match fork {
            Some(fork) if turns.last().is_some_and(|(_, turn)| *turn == Turn::Clear) => {
                self.only_inherited(scope, &fork, &turns)
            }
            Some(_) | None => Ok(()),
        }
    }

    fn only_inherited(&mut self, scope: &Arc<str>, fork: &Fork, turns: &[(Mark, Turn)]) -> Result<(), ReadError> {
        let tiers = self.lineage.tiers;
        let line = self.lineage.line(&fork.origin, fork.point)?;
        let mut keys = line.keys(tiers, "")?;
        while let Some(key) = keys.read_next()? {
            if tiers.newest(scope, key, self.last)?.is_none() {
                self.erased = tiers.erased_of(scope)?.map_or(Ok(None), |erased| erased.mark(key))?;
                let key = Arc::from(key);
                let inherited = if self.is_erased_since(fork) { None } else { keys.seen()? };
                self.changes(scope, &key, &[], turns, inherited)?;
            }
        }
        Ok(())
    }

    /// What a key was when its scope began.
    fn inherited(&self, fork: Option<&Fork>, key: &str) -> Result<Option<Version>, ReadError> {
        let Some(fork) = fork.filter(|fork| !self.is_erased_since(fork)) else { return Ok(None) };
        self.lineage.find(&fork.origin, key, fork.point)
    }

    /// Whether the key that is walked over was erased behind a fork.
    fn is_erased_since(&self, fork: &Fork) -> bool {
        self.erased.is_some_and(|mark| mark > fork.place)
    }

    /// Merges the versions of a key with what happened to all keys, and keeps the changes.
    fn changes(
        &mut self,
        scope: &Arc<str>,
        key: &Arc<str>,
        versions: &[Version],
        turns: &[(Mark, Turn)],
        inherited: Option<Version>,
    ) -> Result<(), ReadError> {
        let mut live = Live::default();
        let mut turns = turns.iter().peekable();
        for version in versions {
            let place = (version.seq, version.record);
            while let Some(turn) = turns.next_if(|(mark, _)| (mark.seq, mark.record) < place) {
                self.turn(scope, key, *turn, &mut live, inherited)?;
            }
            let now = |version| Live { version, since: place.0 };
            match version.kind {
                Kind::Set | Kind::Expiring => {
                    let old = std::mem::replace(&mut live, now(Some(*version)));
                    self.keep(place, scope, key, ChangeKind::Set, old, Some(*version))?;
                }
                Kind::Delete => {
                    let old = std::mem::replace(&mut live, now(None));
                    self.keep(place, scope, key, ChangeKind::Delete, old, None)?;
                }
                Kind::Claim => {}
            }
        }
        turns.try_for_each(|turn| self.turn(scope, key, *turn, &mut live, inherited))
    }

    fn turn(
        &mut self,
        scope: &Arc<str>,
        key: &Arc<str>,
        (mark, turn): (Mark, Turn),
        live: &mut Live,
        inherited: Option<Version>,
    ) -> Result<(), ReadError> {
        let now = |version| Live { version, since: mark.seq };
        match turn {
            Turn::Clear => {
                let old = std::mem::replace(live, now(None));
                self.keep((mark.seq, mark.record), scope, key, ChangeKind::Clear, old, None)
            }
            Turn::Fork => {
                *live = now(inherited);
                Ok(())
            }
        }
    }

    /// Checkpoints made and released.
    fn checkpoints(&mut self, prefix: &ScopePrefix) -> Result<(), ReadError> {
        let tiers = self.lineage.tiers;
        let mut scopes = tiers.scopes(&prefix.below_reserved(CHECKPOINT))?;
        while let Some(names_of) = scopes.read_next()? {
            let Some(scope) = names_of.strip_prefix(CHECKPOINT).and_then(|rest| rest.strip_prefix('/')) else {
                continue;
            };
            let scope = Arc::from(scope);
            let orders = tiers.key_orders(names_of);
            let mut names = tiers.keys(names_of, &orders, "")?;
            while let Some(name) = names.read_next()? {
                let (name, mut is_there) = (Arc::from(name), false);
                for version in names.versions()? {
                    let place = (version.seq, version.record);
                    match version.kind {
                        Kind::Claim => {
                            self.keep(place, &scope, &name, ChangeKind::Checkpoint, Live::default(), None)?;
                        }
                        Kind::Delete if is_there => {
                            self.keep(place, &scope, &name, ChangeKind::Release, Live::default(), None)?;
                        }
                        Kind::Delete | Kind::Set | Kind::Expiring => {}
                    }
                    is_there = version.kind == Kind::Claim;
                }
            }
        }
        Ok(())
    }

    pub(super) fn keep(
        &mut self,
        place: (u64, u32),
        scope: &Arc<str>,
        name: &Arc<str>,
        kind: ChangeKind,
        old: Live,
        new: Option<Version>,
    ) -> Result<(), ReadError> {
        let is_of_key = match kind {
            ChangeKind::Set | ChangeKind::Delete | ChangeKind::Clear => true,
            ChangeKind::Checkpoint
            | ChangeKind::Release
            | ChangeKind::Fork
            | ChangeKind::Retain
            | ChangeKind::Unretain
            | ChangeKind::Hold
            | ChangeKind::Unhold
            | ChangeKind::Erase => false,
        };
        let (from, until) = self.range;
        let is_erased = self.erased.is_some_and(|mark| place <= (mark.seq, mark.record));
        let is_wanted = (from..=until).contains(&place.0)
            && self.kind.is_none_or(|wanted| wanted == kind)
            && self.window.may_take(place, scope, name);
        if !is_wanted || (is_of_key && is_erased) {
            return Ok(());
        }
        let old_may_be_gone = is_of_key && self.may_be_gone(old.since, place.0)?;
        let old = old.version;
        // A delete met something: where it did not, it is no event.
        if is_of_key && old.is_none() && new.is_none() && !(old_may_be_gone && kind == ChangeKind::Delete) {
            return Ok(());
        }
        let (scope, name) = (Arc::clone(scope), Arc::clone(name));
        self.window.push(Found { place, scope, name, kind, old, old_may_be_gone, new });
        Ok(())
    }

    /// Whether a version of a key, of the scope that is walked over, may have been removed that a commit at or behind
    /// `since` made and the one at `until` replaced. What was replaced behind the horizon a read at the horizon meets:
    /// that is there, and in the index.
    fn may_be_gone(&self, since: u64, until: u64) -> Result<bool, ReadError> {
        let shared = self.lineage.bodies;
        let since = since.max(Seq::FIRST.0);
        if until > self.horizon.0 {
            return Ok(false);
        }
        // How that was first written nobody knows any more.
        if since <= shared.retention.horizons().filled().0 {
            return Ok(true);
        }
        if shared.reader.is_as_written(Seq(since), Seq(until)) {
            return Ok(false);
        }
        if until - since > LOOKED_AT_MAX {
            return Ok(true);
        }
        for seq in since..=until {
            match shared.with_body(Seq(seq), |_, body| Body::parse(body).map(|body| body.is_thinned())) {
                Ok(false) => {}
                Ok(true) | Err(ReadError::Removed { .. }) => return Ok(true),
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }
}
