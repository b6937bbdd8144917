//! [`View`]: the state as of one moment, held open; [`Scan`]: the keys of a scope in order.
//!
//! Invariant: a view answers the same for as long as it is held, but for what is erased.

use std::ops::ControlFlow;

use milepost_engine::{Entry, ErasedKey, ErasedSince};
use milepost_types::{Scope, ScopePrefix, Seq, Timestamp};

use crate::{Diff, Result, Value};

/// The state as of one moment. Cheap to clone; commits that follow don't change it, but for erasures: what they take is
/// gone from it, too. One of a read-only handle keeps the files that it reads from.
///
/// ```
/// use milepost::{At, Scope, Store};
/// # let dir = tempfile::tempdir().unwrap();
/// let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
/// store.set(&scope, "k", b"1")?;
/// let view = store.view(At::Latest)?;
/// store.delete(&scope, "k")?;
/// assert_eq!(view.get(&scope, "k")?.as_deref(), Some(&b"1"[..]));
/// # Ok::<(), milepost::Error>(())
/// ```
#[derive(Clone)]
pub struct View(pub(crate) milepost_engine::View);

impl View {
    /// The last commit it shows; [`Seq::ZERO`] before the first.
    ///
    /// ```
    /// # use milepost::{At, Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// let receipt = store.set(&scope, "k", b"1")?;
    /// assert_eq!(store.view(At::Latest)?.seq(), receipt.seq);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.0.seq()
    }

    /// Its moment, by which values have expired or not.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// let receipt = store.set(&scope, "k", b"1")?;
    /// assert_eq!(store.view(receipt.seq)?.at()?, receipt.at);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn at(&self) -> Result<Timestamp> {
        Ok(self.0.at()?)
    }

    /// The value of a key.
    ///
    /// ```
    /// # use milepost::{At, Scope, Seq, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// store.set(&scope, "k", b"1")?;
    /// assert!(store.view(Seq::ZERO)?.get(&scope, "k")?.is_none());
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn get(&self, scope: &Scope, key: &str) -> Result<Option<Value>> {
        Ok(self.0.get(scope.as_str(), key)?)
    }

    /// The values of keys, in their order, `None` of those that have none. Many at once cost less than one after the
    /// other, as the processor fetches them from memory together: some hundred at a time are enough.
    ///
    /// ```
    /// # use milepost::{At, Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// store.commit().set(&scope, "k", b"1").set(&scope, "m", b"2").durable()?;
    /// let values = store.view(At::Latest)?.get_many(&scope, &["k", "l", "m"])?;
    /// let values: Vec<Option<&[u8]>> = values.iter().map(Option::as_deref).collect();
    /// assert_eq!(values, [Some(&b"1"[..]), None, Some(&b"2"[..])]);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn get_many(&self, scope: &Scope, keys: &[&str]) -> Result<Vec<Option<Value>>> {
        Ok(self.0.get_many(scope.as_str(), keys)?)
    }

    /// Of each of these keys the commit that set the value it has, `None` if it has none, in their order. Many keys at
    /// once cost less than one after the other, and no value is read.
    ///
    /// ```
    /// # use milepost::{At, Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// let receipt = store.set(&scope, "k", b"1")?;
    /// assert_eq!(store.view(At::Latest)?.versions(&scope, &["k", "l"])?, [Some(receipt.seq), None]);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn versions(&self, scope: &Scope, keys: &[&str]) -> Result<Vec<Option<Seq>>> {
        Ok(self.0.versions(scope.as_str(), keys)?)
    }

    /// The keys of a scope that begin with `key_prefix`, in the order of their bytes.
    ///
    /// ```
    /// # use milepost::{At, Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// store.commit().set(&scope, "x/2", b"").set(&scope, "x/1", b"").set(&scope, "y", b"").durable()?;
    /// let mut found = Vec::new();
    /// for entry in store.view(At::Latest)?.scan(&scope, "x/") {
    ///     found.push(entry?.key.as_str().to_owned());
    /// }
    /// assert_eq!(found, ["x/1", "x/2"]);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn scan(&self, scope: &Scope, key_prefix: &str) -> Scan {
        Scan(self.0.scan(scope.as_str(), key_prefix))
    }

    /// The same, from after a key on: the next page of a listing.
    ///
    /// ```
    /// # use milepost::{At, Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// store.commit().set(&scope, "1", b"").set(&scope, "2", b"").durable()?;
    /// assert_eq!(store.view(At::Latest)?.scan_after(&scope, "", "1").count(), 1);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn scan_after(&self, scope: &Scope, key_prefix: &str, after: &str) -> Scan {
        Scan(self.0.scan_from(scope.as_str(), key_prefix, Some(after)))
    }

    /// The scopes below a prefix that hold at least one key, in order.
    ///
    /// ```
    /// # use milepost::{At, Scope, ScopePrefix, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// store.set(&scope, "k", b"1")?;
    /// assert_eq!(store.view(At::Latest)?.scopes(&ScopePrefix::root())?, [scope]);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn scopes(&self, prefix: &ScopePrefix) -> Result<Vec<Scope>> {
        Ok(self.0.scopes(prefix)?)
    }

    /// The keys of every scope at and below a prefix, scope after scope, each in the order of [`View::scan`].
    ///
    /// ```
    /// # use milepost::{At, Scope, ScopePrefix, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// let below = Scope::parse("a/b/c")?;
    /// store.commit().set(&scope, "k", b"1").set(&below, "k", b"2").set(&Scope::parse("ab")?, "k", b"3").durable()?;
    /// let found = store.view(At::Latest)?.scan_below(&ScopePrefix::parse("a")?, "")?;
    /// let found: Vec<Scope> = found.map(|found| Ok(found?.0)).collect::<milepost::Result<_>>()?;
    /// assert_eq!(found, [scope, below]);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn scan_below(
        &self,
        prefix: &ScopePrefix,
        key_prefix: &str,
    ) -> Result<impl Iterator<Item = Result<(Scope, Entry)>> + use<>> {
        let (view, key_prefix) = (self.clone(), key_prefix.to_owned());
        let scan = move |scope: Scope| view.scan(&scope, &key_prefix).map(move |entry| Ok((scope.clone(), entry?)));
        Ok(self.scopes(prefix)?.into_iter().flat_map(scan))
    }

    /// The keys in which the state of `scope` here and that of `other_scope` in `other` differ. Views of two handles
    /// are refused.
    ///
    /// Two moments of one scope cost what changed between them; a fork and what it was forked from, or two forks of
    /// the same, cost what changed in each since. What both sides hold is gone through where it can't be told from
    /// that: of scopes that have nothing in common, where one was cleared or forked in between, where a fork was erased
    /// as a whole since, and where a value may have expired between the times of the two views.
    ///
    /// ```
    /// # use milepost::{At, Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// let again = Scope::parse("a/again")?;
    /// store.set(&scope, "k", b"1")?;
    /// store.fork(&scope, At::Latest, &again)?;
    /// store.set(&again, "k", b"2")?;
    /// let now = store.view(At::Latest)?;
    /// assert_eq!(now.diff(&scope, &now, &again)?.count(), 1);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn diff(&self, scope: &Scope, other: &View, other_scope: &Scope) -> Result<Diff> {
        Ok(Diff(self.0.diff(scope.as_str(), &other.0, other_scope.as_str())?))
    }

    /// What of a scope this moment would show if it had not been erased since: counts, and `visit` is called with each
    /// key, in order, until it breaks off. To be asked before a fork from a past moment, or beside a diff: neither has
    /// these values.
    ///
    /// A value that had expired is not among them. Once compaction has taken the values out of the files, a key that
    /// was erased by its name may be told without being sure; of a scope that was erased as a whole the names of keys
    /// go with it, and [`ErasedSince::whole`] is all there is to tell.
    ///
    /// ```
    /// # use std::ops::ControlFlow;
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("user/17")?);
    /// let before = store.set(&scope, "mail", b"ann@example.org")?;
    /// let erased = store.erase_scope(&scope)?;
    /// let mut keys = Vec::new();
    /// let told = store.view(before.seq)?.each_erased(&scope, |erased| {
    ///     keys.push(erased.key.to_string());
    ///     ControlFlow::Continue(())
    /// })?;
    /// assert_eq!((told.keys, told.whole, keys), (1, Some(erased.receipt.seq), vec!["mail".to_owned()]));
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn each_erased(
        &self,
        scope: &Scope,
        mut visit: impl FnMut(ErasedKey) -> ControlFlow<()>,
    ) -> Result<ErasedSince> {
        Ok(self.0.each_erased_since(scope.as_str(), &mut visit)?)
    }

    /// The last commit that touched a scope: what [`crate::Precondition::ScopeAt`] compares with.
    ///
    /// ```
    /// # use milepost::{At, Scope, Seq, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
    /// assert_eq!(store.view(At::Latest)?.scope_version(&scope)?, Seq::ZERO);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn scope_version(&self, scope: &Scope) -> Result<Seq> {
        Ok(self.0.scope_version(scope.as_str())?)
    }
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").field("seq", &self.seq()).finish_non_exhaustive()
    }
}

/// The keys of a scope in order, as [`View::scan`] finds them.
///
/// ```
/// # use milepost::{At, Scope, Store};
/// # let dir = tempfile::tempdir().unwrap();
/// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a/b")?);
/// store.set(&scope, "k", b"1")?;
/// for entry in store.view(At::Latest)?.scan(&scope, "") {
///     let entry = entry?;
///     println!("{} = {:?}", entry.key, &*entry.value);
/// }
/// # Ok::<(), milepost::Error>(())
/// ```
#[must_use = "a scan reads nothing until it is iterated"]
pub struct Scan(milepost_engine::Scan);

impl Iterator for Scan {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Result<Entry>> {
        Some(self.0.next()?.map_err(Into::into))
    }
}

impl std::fmt::Debug for Scan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scan")
    }
}
