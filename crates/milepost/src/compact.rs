//! Compaction of an open store: what retention does not keep leaves the files.

use milepost_engine::{Compacted, SegmentSurvey};

use crate::{Result, Store};

impl Store {
    /// Takes out of the files what retention does not keep any more, now and all of it; see
    /// [`Store::retention`]. Commits and reads go on meanwhile. A moment before the
    /// horizon can't be read any more, all else answers as before; and what was erased is in no file of the store when
    /// it returns.
    ///
    /// ```
    /// use milepost::{Policy, Scope, ScopePrefix, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("etl/load")?);
    /// store.retention().set(&ScopePrefix::root(), Policy::default().keep_last(1))?;
    /// for n in 0..100 {
    ///     store.set(&scope, "watermark", format!("{n}").as_bytes())?;
    /// }
    /// let done = store.compact()?;
    /// assert!(done.bytes_after < done.bytes_before);
    /// assert_eq!(store.get(&scope, "watermark")?.unwrap().to_vec(), b"99");
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn compact(&self) -> Result<Compacted> {
        self.compact_with_progress(&mut |_done, _all| ())
    }

    /// The same; `progress` is told the bytes of segments that were seen to, and of those that have to be.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = milepost::Store::open(dir.path())?;
    /// store.compact_with_progress(&mut |done, all| println!("{done} of {all} bytes"))?;
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn compact_with_progress(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<Compacted> {
        Ok(self.engine().compact(progress)?)
    }

    /// Does what [`Store::compact`] does, and compresses all segments of the log, whatever their age. Segments that
    /// grow old become so by themselves where a policy says it: [`crate::Policy::cold_after`]. All is read as before; a
    /// value costs what it takes to decompress some kilobytes.
    ///
    /// ```
    /// use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("etl/load")?);
    /// for n in 0..100 {
    ///     store.set(&scope, "watermark", format!("{{\"at\":{n},\"state\":\"running\"}}").as_bytes())?;
    /// }
    /// let done = store.compact_cold(&mut |_done, _all| ())?;
    /// assert!(done.made_cold == 1 && done.bytes_after < done.bytes_before);
    /// assert!(store.get(&scope, "watermark")?.is_some());
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn compact_cold(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<Compacted> {
        Ok(self.engine().compact_cold(progress)?)
    }

    /// What [`Store::compact`] would make of each segment of the log now. Nothing is changed.
    ///
    /// ```
    /// use milepost::{Policy, Scope, ScopePrefix, SegmentFate, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("etl/load")?);
    /// store.set(&scope, "watermark", b"1")?;
    /// assert_eq!(store.segments()?[0].fate, SegmentFate::Stays);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn segments(&self) -> Result<Vec<SegmentSurvey>> {
        Ok(self.engine().survey()?)
    }

    /// What compaction has done since this handle was opened.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = milepost::Store::open(dir.path())?;
    /// assert_eq!(store.compacted().rewritten, 0);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    #[must_use]
    pub fn compacted(&self) -> Compacted {
        self.engine().compacted()
    }
}
