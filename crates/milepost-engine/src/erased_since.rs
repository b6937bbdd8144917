//! [`ErasedSince`]: what of a past moment was erased afterwards, so that whoever goes back to it is told what it lacks.
//!
//! Invariant: a key that a read as of the moment would meet, had nothing been erased since, is told, once and in order,
//! for as long as the index knows that it was there. Once compaction has taken that out, a key that was erased by its
//! name is told as one that may have been there; names that went with their whole scope are in no file any more, and
//! [`ErasedSince::whole`] says that there may have been some.
//!
//! Nothing else can be missing: before the horizon nothing is read, and what a read behind it can meet is kept.

use std::{collections::BTreeSet, ops::ControlFlow};

use milepost_types::{Key, Seq};

use crate::{
    ReadError, View,
    engine::Shared,
    lineage::Lineage,
    state::{ErasedOf, Kind, Mark, Tiers, Version, erased_keys_of},
};

/// A key that was erased since a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasedKey {
    /// The key.
    pub key: Key,
    /// The commit that last erased it.
    pub by: Seq,
    /// Whether it surely had a value at the moment. Else that is not known any more.
    pub is_sure: bool,
}

/// What of a scope was erased since a moment, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErasedSince {
    /// Keys that had a value then.
    pub keys: u64,
    /// Keys that were erased by their names, of which it is not known any more whether they had a value then.
    pub perhaps: u64,
    /// The commit that last erased all of the scope, if one did. Compaction takes the names of keys with it, and those
    /// are not counted then.
    pub whole: Option<Seq>,
}

impl ErasedSince {
    /// Whether nothing is missing.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == ErasedSince::default()
    }
}

/// What the index says of a key as of a moment, erased since or not.
enum Was {
    There(Version),
    NotThere,
    /// No version of it is known.
    Unknown,
}

/// Whether a key was erased by its name.
#[derive(Clone, Copy)]
enum Named {
    Yes,
    No,
}

/// One of the scopes that a moment is read from: its own first, then what it was forked from.
struct Part<'t> {
    scope: String,
    /// Versions above it are not seen.
    seq: Seq,
    /// The fork that the scope began with: versions that stand before it are not seen.
    behind: Option<Mark>,
    /// The last clear that meets the scope.
    clear: Option<Mark>,
    erased: Option<ErasedOf<'t>>,
    /// Whether neither it nor any part in front of it had been erased as a whole by the moment.
    is_shown: bool,
}

impl View {
    /// What of a scope was erased since this moment; `visit` is called with each key, in order, until it breaks off.
    pub fn each_erased_since(
        &self,
        scope: &str,
        visit: &mut dyn FnMut(ErasedKey) -> ControlFlow<()>,
    ) -> Result<ErasedSince, ReadError> {
        let shared = &self.pin.shared;
        let tiers = shared.state.pin();
        self.may_see_in_store(scope)?;
        let mut told = ErasedSince::default();
        if tiers.last_erasure_ever() <= self.seq.0 {
            return Ok(told);
        }
        let lineage = shared.lineage(&tiers);
        let parts = parts(&lineage, scope, self.seq)?;
        let shown = parts.iter().filter(|part| part.is_shown);
        let whole = shown.filter_map(|part| part.erased.as_ref()?.whole()).max();
        told.whole = whole.map(|mark| Seq(mark.seq)).filter(|by| *by > self.seq);
        let mut named = named(&tiers, &parts, self.seq, shared.published())?.into_iter().peekable();
        let mut tell = |key: &str, is_named| {
            let Some(erased) = self.erased_key(&tiers, &parts, key, is_named)? else {
                return Ok(ControlFlow::Continue(()));
            };
            match erased.is_sure {
                true => told.keys += 1,
                false => told.perhaps += 1,
            }
            Ok::<_, ReadError>(visit(erased))
        };
        // Only what took all of a scope is worth a walk over all of its keys.
        if whole.is_some_and(|mark| mark.seq > self.seq.0) {
            let line = lineage.line(scope, self.seq)?;
            let mut keys = line.keys(&tiers, "")?;
            while keys.read_next()?.is_some() {
                while let Some(name) = named.next_if(|name| name.as_str() < keys.key()) {
                    if tell(&name, Named::Yes)?.is_break() {
                        return Ok(told);
                    }
                }
                let is_named = named.next_if(|name| name == keys.key()).is_some();
                if tell(keys.key(), if is_named { Named::Yes } else { Named::No })?.is_break() {
                    return Ok(told);
                }
            }
        }
        for name in named {
            if tell(&name, Named::Yes)?.is_break() {
                break;
            }
        }
        Ok(told)
    }

    /// What there is to be told of a key.
    fn erased_key(
        &self,
        tiers: &Tiers,
        parts: &[Part<'_>],
        key: &str,
        named: Named,
    ) -> Result<Option<ErasedKey>, ReadError> {
        let (was, mark) = was(tiers, parts, key, self.seq)?;
        let Some(by) = mark.map(|mark| Seq(mark.seq)).filter(|by| *by > self.seq) else { return Ok(None) };
        let is_sure = match (was, named) {
            (Was::NotThere, _) | (Was::Unknown, Named::No) => return Ok(None),
            (Was::Unknown, Named::Yes) => false,
            (Was::There(version), _) => {
                match self.pin.shared.value(&self.pin.shared.reader.segments(), version, || self.at()) {
                    Ok(None) => return Ok(None),
                    Ok(Some(_)) => true,
                    // Its bytes are gone, and with them when it would have expired.
                    Err(ReadError::Removed { .. }) => !version.expires(),
                    Err(error) => return Err(error),
                }
            }
        };
        Ok(Some(ErasedKey { key: Key::parse(key).expect("checked when it was inserted"), by, is_sure }))
    }
}

/// What a moment of a scope is read from.
fn parts<'t>(lineage: &Lineage<'t, Shared>, scope: &str, seq: Seq) -> Result<Vec<Part<'t>>, ReadError> {
    let (tiers, mut parts) = (lineage.tiers, Vec::new());
    let (mut scope, mut seq, moment) = (scope.to_owned(), seq, seq);
    let mut is_shown = true;
    loop {
        let (fork, clear) = (lineage.fork(&scope, seq)?, tiers.last_clear(&scope, seq)?);
        let (erased, behind) = (tiers.erased_of(&scope)?, fork.as_ref().map(|fork| fork.place));
        // Behind the fork, of an origin.
        is_shown = is_shown && tiers.erased_behind(&scope, seq.0)?.is_none_or(|erased| erased > moment);
        parts.push(Part { scope, seq, behind, clear, erased, is_shown });
        let Some(fork) = fork.filter(|fork| clear.is_none_or(|clear| clear < fork.place)) else { return Ok(parts) };
        (scope, seq) = (fork.origin, fork.point);
    }
}

/// The keys that were erased by their names behind a moment.
fn named(tiers: &Tiers, parts: &[Part<'_>], behind: Seq, last: Seq) -> Result<BTreeSet<String>, ReadError> {
    let mut named = BTreeSet::new();
    for part in parts.iter().filter(|part| part.erased.is_some()) {
        let keys_of = erased_keys_of(&part.scope);
        let orders = tiers.key_orders(&keys_of);
        let mut keys = tiers.keys(&keys_of, &orders, "")?;
        while keys.read_next()?.is_some() {
            if keys.seen(last, None)?.is_some_and(|claim| claim.seq > behind.0) {
                named.insert(keys.key().to_owned());
            }
        }
    }
    Ok(named)
}

/// What a key was at a moment, whatever was erased since, and the last erasure that hides it.
fn was(tiers: &Tiers, parts: &[Part<'_>], key: &str, moment: Seq) -> Result<(Was, Option<Mark>), ReadError> {
    let (mut last, mut is_hidden) = (None, false);
    for Part { scope, seq, behind, clear, erased, is_shown } in parts {
        last = last.max(erased.as_ref().map_or(Ok(None), |erased| erased.mark(key))?);
        // What was erased of an origin by then, though behind the fork, the moment did not show.
        let is_passed = erased.is_some() && *seq < moment;
        is_hidden |= !is_shown || is_passed && is_named_between(tiers, (scope.as_str(), key), *seq, moment)?;
        let newest = tiers.newest(scope, key, *seq)?;
        if let Some(own) = newest.filter(|own| behind.is_none_or(|behind| !behind.stands_after(own))) {
            let is_gone = own.kind == Kind::Delete || clear.is_some_and(|clear| clear.stands_after(&own));
            return Ok((if is_gone || is_hidden { Was::NotThere } else { Was::There(own) }, last));
        }
    }
    Ok((Was::Unknown, last))
}

/// Whether a key was erased by its name behind one commit and through another.
fn is_named_between(tiers: &Tiers, (scope, key): (&str, &str), behind: Seq, through: Seq) -> Result<bool, ReadError> {
    let claims = tiers.versions_ever(&erased_keys_of(scope), key)?;
    Ok(claims.iter().any(|claim| claim.seq > behind.0 && claim.seq <= through.0))
}
