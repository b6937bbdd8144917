//! [`Options`]: how a store is opened, as given. They become the engine's settings when it is opened.
//!
//! Invariant: values only. No file is touched before [`Options::open`].

use std::{fmt, path::Path};

use milepost_engine::{Create, Engine, Index, Parts, Settings, Threads, backup};

use crate::{Result, Store};

/// Called with the bytes read so far and the bytes in all.
type Progress = Box<dyn FnMut(u64, u64) + Send>;

/// How to open a store for writing; made by [`Store::options`].
///
/// ```
/// use milepost::{Create, Store};
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("state");
/// let store = Store::options().segment_bytes(8 << 20).value_bytes_max(1 << 20).open(&path)?;
/// # drop(store);
/// let again = Store::options().create(Create::Never).open(&path)?;
/// # Ok::<(), milepost::Error>(())
/// ```
#[derive(Default)]
#[must_use = "options do nothing until `open` is called"]
pub struct Options {
    settings: Settings,
    progress: Option<Progress>,
}

impl Options {
    /// What to do where there is no store yet; made if nothing is said.
    ///
    /// ```
    /// use milepost::{Create, ErrorKind, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// let error = Store::options().create(Create::Never).open(dir.path().join("typo")).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Missing);
    /// ```
    pub fn create(mut self, create: Create) -> Options {
        self.settings.create = create;
        self
    }

    /// Bytes at which a segment of the log is sealed, 64 MiB if nothing is said.
    ///
    /// ```
    /// use milepost::{ErrorKind, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// let error = Store::options().segment_bytes(1).open(dir.path()).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Invalid);
    /// ```
    pub fn segment_bytes(mut self, bytes: u32) -> Options {
        self.settings.segment_bytes = bytes;
        self
    }

    /// The largest value that this handle takes, 16 MiB if nothing is said.
    ///
    /// ```
    /// use milepost::{ErrorKind, Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// let store = Store::options().value_bytes_max(3).open(dir.path())?;
    /// let error = store.set(&Scope::parse("a")?, "k", b"four").unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Invalid);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn value_bytes_max(mut self, bytes: usize) -> Options {
        self.settings.value_bytes_max = bytes;
        self
    }

    /// Bytes of memory for the versions that are in no run yet, 56 MiB if nothing is said: 64 MiB together with the
    /// cache of cold blocks. It also bounds how much of
    /// the log the next opening reads.
    ///
    /// ```
    /// use milepost::Store;
    /// # let dir = tempfile::tempdir().unwrap();
    /// let store = Store::options().memory_bytes(8 << 20).open(dir.path())?;
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn memory_bytes(mut self, bytes: u64) -> Options {
        self.settings.memory_bytes = bytes;
        self
    }

    /// Whether what retention does not keep is taken out of the log beside the commits, by a thread of the store's own;
    /// so if nothing is said. Without it, it stays until [`Store::compact`] is called.
    ///
    /// ```
    /// use milepost::Store;
    /// # let dir = tempfile::tempdir().unwrap();
    /// let store = Store::options().compaction(false).open(dir.path())?;
    /// store.compact()?;
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn compaction(mut self, is_on: bool) -> Options {
        self.settings.compaction = is_on;
        self
    }

    /// Bytes of memory for what was read from compressed segments a while ago, 8 MiB if nothing is said; 0 keeps
    /// nothing. See [`crate::Policy::cold_after`].
    ///
    /// ```
    /// use milepost::Store;
    /// # let dir = tempfile::tempdir().unwrap();
    /// let store = Store::options().cold_cache_bytes(64 << 20).open(dir.path())?;
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn cold_cache_bytes(mut self, bytes: u64) -> Options {
        self.settings.cold_cache_bytes = bytes;
        self
    }

    /// What to do with the runs that are there; used if nothing is said.
    ///
    /// ```
    /// use milepost::{Index, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// let store = Store::options().index(Index::Rebuild).open(dir.path())?;
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn index(mut self, index: Index) -> Options {
        self.settings.index = index;
        self
    }

    /// Tells how far opening has come, in bytes of the log: a long one replays for a while.
    ///
    /// ```
    /// use milepost::Store;
    /// # let dir = tempfile::tempdir().unwrap();
    /// let store = Store::options().on_progress(|done, all| println!("{done} of {all} bytes")).open(dir.path())?;
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn on_progress(mut self, progress: impl FnMut(u64, u64) + Send + 'static) -> Options {
        self.progress = Some(Box::new(progress));
        self
    }

    /// Opens the store for writing.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// let store = milepost::Store::options().open(dir.path())?;
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn open(self, dir: impl AsRef<Path>) -> Result<Store> {
        let dir = dir.as_ref();
        let settings = Settings { threads: Threads::Spawned, ..self.settings };
        let engine = match self.progress {
            Some(mut progress) => Engine::open_with_progress(Parts::real(), dir, settings, &mut *progress)?,
            None => Engine::open(Parts::real(), dir, settings)?,
        };
        if let Err(error) = backup::take_notes(&engine) {
            tracing::warn!(dir = %dir.display(), %error, "notes of backups are left for the next opening");
        }
        Ok(Store::over(engine))
    }

    /// Opens the store for reading, as [`Store::read_only`] does, and tells its progress. Nothing is written: where
    /// there is no index, all that it would say is held in memory until the store is closed.
    ///
    /// ```
    /// use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// let (writer, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
    /// writer.set(&scope, "k", b"1")?;
    /// let reader = Store::options().on_progress(|done, all| eprintln!("{done} of {all}
    /// bytes")).read_only(dir.path())?; assert_eq!(reader.get(&scope, "k")?.as_deref(), Some(&b"1"[..]));
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn read_only(self, dir: impl AsRef<Path>) -> Result<Store> {
        let mut progress = self.progress.unwrap_or_else(|| Box::new(|_, _| {}));
        Ok(Store::over(Engine::open_read_only_with_progress(Parts::real(), dir.as_ref(), &mut *progress)?))
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("settings", &self.settings).finish_non_exhaustive()
    }
}
