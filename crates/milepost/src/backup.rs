//! Backups: made by [`Store::backup`] while commits go on; listed, verified, restored and removed here.
//!
//! A directory holds the backups of one store. The first one brings all of it, each later one what is new since. Any
//! can be restored, to its last commit or an earlier one. The store remembers where its backups are:
//! [`Store::backups`].
//!
//! ```
//! use milepost::{Scope, Store, backup::{self, Until}};
//! # let dir = tempfile::tempdir().unwrap();
//! let (store, scope) = (Store::open(dir.path().join("state"))?, Scope::parse("asset/orders")?);
//! let first = store.set(&scope, "rows", b"12")?;
//! store.set(&scope, "rows", b"13")?;
//! let backups = dir.path().join("backups");
//! store.backup(&backups)?;
//!
//! let restored = dir.path().join("restored");
//! backup::restore(&backups, &restored, Until::Seq(first.seq), &mut |_done, _all| ())?;
//! assert_eq!(Store::open(&restored)?.get(&scope, "rows")?.as_deref(), Some(&b"12"[..]));
//! # Ok::<(), milepost::Error>(())
//! ```

use std::path::{self, Path};

pub use milepost_engine::backup::{Backup, BackupReport, KnownBackup, Listing, Pruned, Restored, Rollback, Until};
use milepost_engine::{Parts, Settings, backup};

use crate::{Result, Store};

impl Store {
    /// Makes a backup of all commits that are durable now, in a directory that is empty, not there, or holds earlier
    /// backups of this store. Commits and reads go on meanwhile, here and in a process that writes beside a handle that
    /// only reads. Every byte is checked on its way and read back.
    ///
    /// What was brought before an error or a crash is used by the next attempt.
    ///
    /// ```
    /// use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// let (store, scope) = (Store::open(dir.path().join("state"))?, Scope::parse("a")?);
    /// store.set(&scope, "k", &[7; 10_000])?;
    /// let first = store.backup(dir.path().join("backups"))?;
    /// store.set(&scope, "k", b"2")?;
    /// let second = store.backup(dir.path().join("backups"))?;
    /// assert!(first.new_bytes > 10_000 && second.new_bytes < 1000);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn backup(&self, dir: impl AsRef<Path>) -> Result<Backup> {
        self.backup_with(dir, Rollback::Refuse, &mut |_, _| {})
    }

    /// The same; `rollback` says what to do where a backup holds commits that the store has lost, and `progress` is
    /// told the bytes brought and the bytes in all.
    ///
    /// ```
    /// use milepost::{Store, backup::Rollback};
    /// # let dir = tempfile::tempdir().unwrap();
    /// let store = Store::open(dir.path().join("state"))?;
    /// let backups = dir.path().join("backups");
    /// let backup = store.backup_with(&backups, Rollback::Refuse, &mut |done, all| println!("{done} of {all} bytes"))?;
    /// assert_eq!(backup.number, 1);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn backup_with(
        &self,
        dir: impl AsRef<Path>,
        rollback: Rollback,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Backup> {
        let dir = dir.as_ref();
        let named = path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
        if path::absolute(self.dir()).is_ok_and(|store| named.starts_with(store)) {
            return Err(backup::BackupError::InStore { dir: named }.into());
        }
        let made = backup::create(self.engine(), dir, rollback, progress)?;
        if let Err(error) = backup::remember(self.engine(), &named.to_string_lossy(), &made) {
            tracing::warn!(dir = %named.display(), %error, "the backup is whole, but the store does not remember it");
        }
        Ok(made)
    }

    /// The directories in which backups of this store were made or begun, and the one that it was restored from, as far
    /// as it remembers, each with the last one made there. What is erased from the store is still in these.
    ///
    /// ```
    /// use milepost::Store;
    /// # let dir = tempfile::tempdir().unwrap();
    /// let store = Store::open(dir.path().join("state"))?;
    /// store.backup(dir.path().join("backups"))?;
    /// let known = store.backups()?;
    /// assert!(known[0].dir.ends_with("backups") && known[0].number == 1);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn backups(&self) -> Result<Vec<KnownBackup>> {
        Ok(backup::known(self.engine())?)
    }
}

/// Names the backups in a directory.
///
/// ```
/// use milepost::{Store, backup};
/// # let dir = tempfile::tempdir().unwrap();
/// Store::open(dir.path().join("state"))?.backup(dir.path().join("backups"))?;
/// let listing = backup::list(dir.path().join("backups"))?;
/// assert_eq!((listing.backups.len(), listing.damage.len()), (1, 0));
/// # Ok::<(), milepost::Error>(())
/// ```
pub fn list(dir: impl AsRef<Path>) -> Result<Listing> {
    Ok(backup::list(&Parts::real().disk, dir.as_ref())?)
}

/// Reads every byte of all backups in a directory, or of one. Changes nothing. `progress` is told the bytes read and
/// the bytes in all.
///
/// ```
/// use milepost::{Store, backup};
/// # let dir = tempfile::tempdir().unwrap();
/// Store::open(dir.path().join("state"))?.backup(dir.path().join("backups"))?;
/// assert!(backup::verify(dir.path().join("backups"), None, &mut |_done, _all| ())?.is_clean());
/// # Ok::<(), milepost::Error>(())
/// ```
pub fn verify(dir: impl AsRef<Path>, number: Option<u64>, progress: &mut dyn FnMut(u64, u64)) -> Result<BackupReport> {
    Ok(backup::verify(&Parts::real().disk, dir.as_ref(), number, progress)?)
}

/// Makes a store of a backup, in a directory that is empty, not there, or holds what a restore left that did not come
/// to its end. Nobody can open it before it is whole. It is the same store, in a later epoch. `progress` is told the
/// bytes restored and the bytes in all.
///
/// ```
/// use milepost::{ErrorKind, Store, backup::{self, Until}};
/// # let dir = tempfile::tempdir().unwrap();
/// Store::open(dir.path().join("state"))?.backup(dir.path().join("backups"))?;
/// let into = |place: &str| {
///     backup::restore(dir.path().join("backups"), dir.path().join(place), Until::Newest, &mut |_done, _all| ())
/// };
/// into("restored")?;
/// assert_eq!(into("state").unwrap_err().kind(), ErrorKind::NotAStore);
/// # Ok::<(), milepost::Error>(())
/// ```
pub fn restore(
    from: impl AsRef<Path>,
    dir: impl AsRef<Path>,
    until: Until,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Restored> {
    Ok(backup::restore(Parts::real(), from.as_ref(), dir.as_ref(), until, Settings::default(), progress)?)
}

/// Keeps the newest `keep` backups in a directory, at least one, and removes the others and what only they needed.
///
/// ```
/// use milepost::{Store, backup};
/// # let dir = tempfile::tempdir().unwrap();
/// let store = Store::open(dir.path().join("state"))?;
/// store.backup(dir.path().join("backups"))?;
/// store.backup(dir.path().join("backups"))?;
/// let pruned = backup::prune(dir.path().join("backups"), 1)?;
/// assert_eq!((pruned.backups, pruned.kept), (1, 1));
/// # Ok::<(), milepost::Error>(())
/// ```
pub fn prune(dir: impl AsRef<Path>, keep: u64) -> Result<Pruned> {
    Ok(backup::prune(&Parts::real().disk, dir.as_ref(), keep)?)
}
