//! What was erased, for whoever reads the past: an erased version is not there, as if it had never been.
//!
//! Invariant: an erasure that was published hides every version that stands before it, at once and for good, whether
//! its bytes are still in a file or not. The newest state needs no such question: an erasure is a delete or a clear as
//! well.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use milepost_types::{Corruption, Key, Seq, scope::is_reserved};

use super::{ERASED, ERASED_BELOW, Kind, Mark, Tiers, Version, erased_keys_of, look, prefix_key};
use crate::memtable::Memtable;

/// What of one scope was erased.
#[derive(Debug)]
pub(crate) struct ErasedOf<'t> {
    tiers: &'t Tiers,
    /// The last time that all of it was.
    whole: Option<Mark>,
    /// Where its erased keys are named, if any was.
    keys_of: Option<String>,
}

impl ErasedOf<'_> {
    /// The last time that all of it was.
    pub(crate) fn whole(&self) -> Option<Mark> {
        self.whole
    }

    /// What stands before it of a key is erased.
    pub(crate) fn mark(&self, key: &str) -> Result<Option<Mark>, Corruption> {
        let of_key = self.keys_of.as_ref().map_or(Ok(None), |keys_of| self.tiers.last_claim(keys_of, key))?;
        Ok(self.whole.max(of_key))
    }

    /// Appends the keys of it that were erased behind a place, each by itself.
    pub(crate) fn push_keys_behind(&self, place: Mark, keys: &mut Vec<Key>) -> Result<(), Corruption> {
        let Some(keys_of) = &self.keys_of else { return Ok(()) };
        let orders = self.tiers.key_orders(keys_of);
        let mut names = self.tiers.keys(keys_of, &orders, "")?;
        while let Some(name) = names.read_next()? {
            if self.tiers.last_claim(keys_of, name)?.is_some_and(|mark| mark > place) {
                keys.push(Key::parse(name).expect("checked when it was inserted"));
            }
        }
        Ok(())
    }
}

impl Tiers {
    /// No erasure was made by a commit behind it: 0 if none was ever.
    #[inline]
    pub(super) fn last_erasure(&self) -> u64 {
        self.memtables().map(Memtable::last_erasure).fold(self.runs_last_erasure, u64::max)
    }

    /// The same, with what is not published yet erased as well: for the judge of the next commit. `None` if these tell
    /// it too.
    pub(crate) fn with_unpublished_erasures(&self) -> Option<Tiers> {
        let has_some = self.last_erasure() > self.published.load(Ordering::SeqCst);
        has_some.then(|| Tiers { published: Arc::new(AtomicU64::new(u64::MAX)), ..self.clone() })
    }

    /// What of a scope was erased; `None` if nothing was.
    pub(crate) fn erased_of(&self, scope: &str) -> Result<Option<ErasedOf<'_>>, Corruption> {
        if self.last_erasure() == 0 || is_reserved(scope) {
            return Ok(None);
        }
        let mut whole = self.last_claim(ERASED, scope)?;
        for prefix in prefixes_of(scope) {
            whole = whole.max(self.last_claim(ERASED_BELOW, prefix_key(prefix))?);
        }
        let keys_of = erased_keys_of(scope);
        let mut has_keys = self.memtables().any(|memtable| memtable.scope(&keys_of).is_some());
        for run in &self.runs {
            has_keys |= look::scope(run, self.seed, &keys_of)?.is_some();
        }
        let keys_of = has_keys.then_some(keys_of);
        Ok((whole.is_some() || keys_of.is_some()).then_some(ErasedOf { tiers: self, whole, keys_of }))
    }

    /// The first commit behind another one that erased all of a scope.
    pub(crate) fn erased_behind(&self, scope: &str, seq: u64) -> Result<Option<Seq>, Corruption> {
        if self.last_erasure() <= seq {
            return Ok(None);
        }
        let mut erasures = self.versions_ever(ERASED, scope)?;
        for prefix in prefixes_of(scope) {
            erasures.extend(self.versions_ever(ERASED_BELOW, prefix_key(prefix))?);
        }
        Ok(erasures.iter().map(|version| version.seq).filter(|erased| *erased > seq).min().map(Seq))
    }

    /// Whether anything of a scope was erased behind a commit.
    pub(crate) fn is_any_erased_since(&self, scope: &str, known: Seq) -> Result<bool, Corruption> {
        if self.last_erasure() <= known.0 {
            return Ok(false);
        }
        let whole = self.erased_of(scope)?.and_then(|erased| erased.whole());
        let keys = self.scope_version(&erased_keys_of(scope), Seq(self.published.load(Ordering::SeqCst)))?;
        Ok(whole.is_some_and(|mark| mark.seq > known.0) || keys > known)
    }

    /// Whether a key, with all that it stands for in the scope, was erased behind a place.
    pub(crate) fn is_erased_since(&self, scope: &str, key: &str, place: Mark) -> Result<bool, Corruption> {
        let mark = self.erased_of(scope)?.map_or(Ok(None), |erased| erased.mark(key))?;
        Ok(mark.is_some_and(|mark| mark > place))
    }

    /// What was found, unless it was erased since.
    #[cold]
    pub(super) fn unless_erased(
        &self,
        scope: &str,
        key: &str,
        found: Option<Version>,
    ) -> Result<Option<Version>, Corruption> {
        let Some(version) = found else { return Ok(None) };
        let mark = self.erased_of(scope)?.map_or(Ok(None), |erased| erased.mark(key))?;
        Ok(found.filter(|_| !mark.is_some_and(|mark| mark.stands_after(&version))))
    }

    /// Takes out what was erased.
    pub(super) fn drop_erased(&self, scope: &str, key: &str, versions: &mut Vec<Version>) -> Result<(), Corruption> {
        let mark = self.erased_of(scope)?.map_or(Ok(None), |erased| erased.mark(key))?;
        if let Some(mark) = mark {
            versions.retain(|version| !mark.stands_after(version));
        }
        Ok(())
    }

    /// The newest claim that is published of what the engine keeps for itself, which nothing erases.
    fn last_claim(&self, scope: &str, key: &str) -> Result<Option<Mark>, Corruption> {
        let published = Seq(self.published.load(Ordering::SeqCst));
        let found = self.newest(scope, key, published)?.filter(|version| version.kind == Kind::Claim);
        Ok(found.map(|version| Mark { seq: version.seq, record: version.record }))
    }
}

/// The prefixes that a scope lies at or below, the root first.
pub(crate) fn prefixes_of(scope: &str) -> impl Iterator<Item = &str> {
    let inner = scope.char_indices().filter(|(_, c)| *c == '/').map(|(at, _)| &scope[..at]);
    std::iter::once("").chain(inner).chain(std::iter::once(scope))
}
