//! Compaction of an open store: what retention does not keep leaves the files.

use milepost_engine::{Compacted, CompactionPause, SegmentSurvey};

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

    /// The store's quarantine, if [`Store::compact`] leaves it though it may hold what was erased. It holds what an
    /// opening has cut behind the last whole commit, or what a salvage found damaged: nobody knows whose that was, so
    /// an erasure takes all of it that was there before, unless there is a hold anywhere.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = milepost::Store::open(dir.path())?;
    /// assert_eq!(store.quarantine_kept()?, None);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn quarantine_kept(&self) -> Result<Option<std::path::PathBuf>> {
        Ok(self.engine().quarantine_kept()?)
    }

    /// What is live and what is dead of each segment of the log, and what [`Store::compact`] would make of it now.
    /// Nothing is changed. It walks over all that the index knows, so it takes as long as there are versions:
    /// [`Store::stats`] is for looking often.
    ///
    /// ```
    /// use milepost::{Policy, Scope, ScopePrefix, SegmentFate, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("etl/load")?);
    /// store.retention().set(&ScopePrefix::root(), Policy::default().keep_last(1))?;
    /// for n in 0..100 {
    ///     store.set(&scope, "watermark", format!("{n}").as_bytes())?;
    /// }
    /// let open = &store.segments()?[0];
    /// // The policy stays, and the newest value.
    /// assert_eq!((open.stays, open.goes, open.fate), (2, 99, SegmentFate::Stays));
    /// let dead = open.dead_bytes();
    /// assert!(dead > open.live_bytes());
    /// let done = store.compact()?;
    /// assert!(done.bytes_before - done.bytes_after > dead / 2);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn segments(&self) -> Result<Vec<SegmentSurvey>> {
        self.segments_with_progress(&mut |_seen, _all| ())
    }

    /// The same; `progress` is told how many versions were looked at, and about how many there are.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = milepost::Store::open(dir.path())?;
    /// store.segments_with_progress(&mut |seen, all| println!("{seen} of {all} versions"))?;
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn segments_with_progress(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<Vec<SegmentSurvey>> {
        Ok(self.engine().survey(progress)?)
    }

    /// Keeps compaction from running by itself until what is returned is dropped, for the hours in which the disk is
    /// for others. On return nothing of it is under way. Commits, reads, the index and [`Store::compact`] go on;
    /// horizons do not move, and tasks that have ended do not expire, but by hand. Meanwhile the log only grows: a disk
    /// that gets full has to be seen to by hand as well.
    ///
    /// It is a guard and no pair of calls, so that a part of a program that fails does not leave it paused, and parts
    /// that know nothing of each other can both pause it: it goes on when the last of them lets go. It does not outlive
    /// the process, and does nothing for a store that is opened read-only. [`crate::Stats::is_compaction_paused`]
    /// tells.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = milepost::Store::open(dir.path())?;
    /// let pause = store.pause_compaction();
    /// assert!(store.stats().is_compaction_paused);
    /// // The hours in which nothing else may use the disk.
    /// drop(pause);
    /// assert!(!store.stats().is_compaction_paused);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn pause_compaction(&self) -> CompactionPause {
        self.engine().pause_compaction()
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
