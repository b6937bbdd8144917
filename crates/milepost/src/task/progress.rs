//! [`Progress`]: which of many items are done.
//!
//! Invariant: an item that was said to be done, and was acknowledged by [`Progress::flush`], is never handed out again;
//! a crash takes back at most what was not, and that is two batches at most. Marks become durable in the order in which
//! a worker says them.
//!
//! Must not know: what an item is, or what is done to it.

pub(crate) mod counts;
pub(crate) mod error;
mod item;
mod leases;
mod listing;
mod pending;
pub(crate) mod places;
mod plan;
mod queue;
pub(crate) mod shared;

use std::{sync::Arc, thread::JoinHandle};

use milepost_engine::Value;
use milepost_types::{At, Receipt, Scope, Seq, Timestamp};
use parking_lot::Mutex;

use self::{
    counts::{Counts, LATELY_US, State, nothing, summary},
    error::ProgressError,
    item::ItemKey,
    places::Places,
    queue::Say,
    shared::{Origin, Shared},
};
use crate::{ErrorKind, Result, Store};

pub use counts::{Expected, Summary};
pub use item::Item;
pub use listing::{Listing, Marked};
pub use pending::Pending;
pub use shared::ProgressOptions;

/// Which of many items are done. Cheap to clone and to share between threads.
///
/// Marks are gathered and committed together; [`Progress::flush`] waits until all that were said are durable, and the
/// last handle that is dropped does the same. A crash in between repeats what was not durable yet: two batches at most,
/// see [`ProgressOptions::batch_marks`].
///
/// ```
/// # use milepost::{Scope, Store};
/// # let dir = tempfile::tempdir().unwrap();
/// let store = Store::open(dir.path())?;
/// let progress = store.progress(&Scope::parse("task/load")?, "checksum")?;
/// let files = ["a.csv", "b.csv", "c.csv"];
/// for file in progress.pending(files) {
///     let file = file?;
///     match file {
///         "b.csv" => progress.failed(file, "no such file")?,
///         _ => progress.done_with(file, b"d41d8cd9")?,
///     }
/// }
/// progress.flush()?;
///
/// assert_eq!(progress.pending(files).count(), 0);
/// progress.retry_failed()?;
/// assert_eq!(progress.pending(files).collect::<Result<Vec<_>, _>>()?, ["b.csv"]);
/// # Ok::<(), milepost::Error>(())
/// ```
#[derive(Clone)]
pub struct Progress(Arc<Handle>);

/// The last one that goes makes the rest durable.
struct Handle {
    shared: Arc<Shared>,
    /// Commits batches as they fill and as time passes. Started with the first mark, where the engine has threads.
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What is known of an item.
///
/// ```
/// # use milepost::{Scope, Store, task::Found};
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = Store::open(dir.path())?;
/// let progress = store.progress(&Scope::parse("task/load")?, "checksum")?;
/// progress.done_with("a", b"d41d8cd9")?;
/// progress.flush()?;
/// assert!(matches!(progress.find("a")?, Found::Done(result) if *result == *b"d41d8cd9"));
/// # Ok::<(), milepost::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Found {
    /// It has no mark.
    Pending,
    /// It failed, and is pending again since [`Progress::retry_failed`].
    Retrying(Value),
    /// It failed: with what.
    Failed(Value),
    /// It was skipped: why.
    Skipped(Value),
    /// It is done, with its result: no bytes if none was given.
    Done(Value),
}

impl Progress {
    pub(crate) fn new(
        store: &Store,
        scope: &Scope,
        name: &str,
        options: &ProgressOptions,
        origin: Origin,
    ) -> Result<Progress> {
        let shared = Shared::new(store.clone(), Places::new(scope, name)?, options.clone(), origin);
        Ok(Progress(Arc::new(Handle { shared: Arc::new(shared), thread: Mutex::new(None) })))
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    /// The items of a list that are still to be done, in its order, each once. The list is not held in memory, but a
    /// hash of 16 bytes is of each item that was handed out, until its mark is durable: an item that is never marked
    /// keeps its own until the list is dropped.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path())?;
    /// let progress = store.progress(&Scope::parse("task/load")?, "checksum")?;
    /// progress.done("b")?;
    /// assert_eq!(progress.pending(["c", "b", "a"]).collect::<Result<Vec<_>, _>>()?, ["c", "a"]);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn pending<I: IntoIterator<Item: Item>>(&self, items: I) -> Pending<I::IntoIter> {
        Pending::new(Arc::clone(self.shared()), items.into_iter())
    }

    /// Marks an item as done.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path())?;
    /// let progress = store.progress(&Scope::parse("task/load")?, "checksum")?;
    /// progress.done("/usr/share/doc/a")?;
    /// progress.done(b"caf\xe9")?;
    /// assert!(progress.done("").is_err());
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn done(&self, item: impl Item) -> Result<()> {
        self.say(Say::Done, item.item(), &[])
    }

    /// The same, with a result to be kept.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path())?;
    /// let progress = store.progress(&Scope::parse("task/load")?, "checksum")?;
    /// progress.done_with("a", b"d41d8cd9")?;
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn done_with(&self, item: impl Item, result: &[u8]) -> Result<()> {
        self.say(Say::Done, item.item(), result)
    }

    /// Marks an item as failed, unless it is done or skipped already. It is not pending before
    /// [`Progress::retry_failed`].
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path())?;
    /// let progress = store.progress(&Scope::parse("task/load")?, "checksum")?;
    /// progress.failed("a", "no such file")?;
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn failed(&self, item: impl Item, error: &str) -> Result<()> {
        self.say(Say::Failed, item.item(), error.as_bytes())
    }

    /// The same, with any bytes to say what went wrong.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path())?;
    /// let progress = store.progress(&Scope::parse("task/load")?, "checksum")?;
    /// progress.failed_with("a", br#"{"status":503}"#)?;
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn failed_with(&self, item: impl Item, error: &[u8]) -> Result<()> {
        self.say(Say::Failed, item.item(), error)
    }

    /// Marks an item as one that is not to be done, unless it is done already.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path())?;
    /// let progress = store.progress(&Scope::parse("task/load")?, "checksum")?;
    /// progress.skip("a.tmp", "not a picture")?;
    /// assert_eq!(progress.pending(["a.tmp"]).count(), 0);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn skip(&self, item: impl Item, reason: &str) -> Result<()> {
        self.say(Say::Skipped, item.item(), reason.as_bytes())
    }

    fn say(&self, say: Say, item: &[u8], value: &[u8]) -> Result<()> {
        if self.shared().push(say, item, value)? {
            let shared = Arc::clone(self.shared());
            match milepost_io::spawn("progress", move || shared.commit_all()) {
                Ok(thread) => *self.0.thread.lock() = Some(thread),
                Err(_) => self.shared().has_no_thread(),
            }
        }
        Ok(())
    }

    /// Waits until everything that was said before is durable.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path())?;
    /// let progress = store.progress(&Scope::parse("task/load")?, "checksum")?;
    /// progress.done("a")?;
    /// progress.flush()?;
    /// assert_eq!(progress.summary()?.done, 1);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn flush(&self) -> Result<()> {
        self.shared().flush()?;
        self.shared().settle_total()
    }

    /// Says how many items there are, whatever lists say: those that are marked and those that are not.
    ///
    /// Without it the list says so that was begun last: there are the items that are marked, be they in it or not, and
    /// those of it that are not. That is exact once it was read to its end, but not where other workers have leased
    /// some of them. A list that knows its length says it before, taking as many of those that it has not read for
    /// marked as can be.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path())?;
    /// let progress = store.progress(&Scope::parse("task/load")?, "checksum")?;
    /// progress.expect_total(1_000_000);
    /// assert_eq!(progress.summary()?.left(), Some(1_000_000));
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn expect_total(&self, items: u64) {
        self.expect(Expected { total: Some(items), again: 0 });
    }

    /// The same, with more to say, in place of what was said before. Durable with the marks that follow, or on the
    /// return of [`Progress::flush`], before any of them: then the job is known to whoever looks.
    ///
    /// ```
    /// # use milepost::{Scope, Store, task::Expected};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path())?;
    /// let progress = store.progress(&Scope::parse("task/load")?, "checksum")?;
    /// progress.failed("a", "no such file")?;
    /// progress.expect(Expected { total: Some(3), again: 1 });
    /// progress.flush()?;
    /// let summary = progress.summary()?;
    /// assert_eq!((summary.failed, summary.left()), (1, Some(3)));
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn expect(&self, expected: Expected) {
        self.shared().expect(expected);
    }

    /// How far it is: what is durable. It costs the same however many items there are.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path())?;
    /// let progress = store.progress(&Scope::parse("task/load")?, "checksum")?;
    /// progress.done("a")?;
    /// progress.flush()?;
    /// println!("{} done, {:?} to go", progress.summary()?.done, progress.summary()?.eta());
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn summary(&self) -> Result<Summary> {
        let shared = self.shared();
        let view = shared.store.view(At::Latest)?;
        let (found, seq) = shared.counts(&view)?;
        let mut counts = found.unwrap_or_default();
        shared.said().put(&mut counts);
        let Some(seq) = seq else { return Ok(nothing(counts.total)) };
        let now = view.at()?;
        let last = Receipt { seq, at: shared.store.view(seq)?.at()? };
        let from = Timestamp(now.0.saturating_sub(LATELY_US).max(counts.began));
        let began = (0, Timestamp(counts.began));
        if from.0 == counts.began {
            return Ok(summary(&counts, last, now, began));
        }
        let then = shared.store.view(At::Time(from)).and_then(|view| shared.counts(&view));
        let before = match then {
            Ok((then, _)) => (then.map_or(0, |counts: Counts| counts.done), from),
            // What there was lately is not kept: the pace is that since it began.
            Err(error) if error.kind() == ErrorKind::BeforeHorizon => began,
            Err(error) => return Err(error),
        };
        Ok(summary(&counts, last, now, before))
    }

    /// What is known of an item.
    ///
    /// ```
    /// # use milepost::{Scope, Store, task::Found};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path())?;
    /// let progress = store.progress(&Scope::parse("task/load")?, "checksum")?;
    /// assert!(matches!(progress.find("a")?, Found::Pending));
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn find(&self, item: impl Item) -> Result<Found> {
        let named = ItemKey::of(item.item()).map_err(ProgressError::from)?;
        let shared = self.shared();
        let view = shared.store.view(At::Latest)?;
        let get = |place: &Scope| view.get(place, &named.key);
        if let Some(value) = get(&shared.places.done)? {
            return Ok(Found::Done(value));
        }
        if let Some(value) = get(&shared.places.skipped)? {
            return Ok(Found::Skipped(value));
        }
        let counts = shared.counts(&view)?.0.unwrap_or_default();
        Ok(match get(&shared.places.failed)? {
            Some(value) if counts.is_retried(value.seq()) => Found::Retrying(value),
            Some(value) => Found::Failed(value),
            None => Found::Pending,
        })
    }

    /// Makes all items that failed pending again; how many. Durable when it returns. It costs the same however many
    /// they are.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path())?;
    /// let progress = store.progress(&Scope::parse("task/load")?, "checksum")?;
    /// progress.failed("a", "no such file")?;
    /// assert_eq!((progress.retry_failed()?, progress.retry_failed()?), (1, 0));
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn retry_failed(&self) -> Result<u64> {
        self.flush()?;
        let mut failed = 0;
        self.shared().change(|_, view, mut counts| {
            failed = counts.failed;
            if failed > 0 {
                (counts.retrying, counts.failed, counts.again) = (counts.retrying + failed, 0, 0);
                counts.retried = view.seq().0;
            }
            Ok((counts, failed > 0))
        })?;
        Ok(failed)
    }

    /// Takes the mark of an item away, whatever it is: it is pending again. Durable when it returns.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path())?;
    /// let progress = store.progress(&Scope::parse("task/load")?, "checksum")?;
    /// progress.done("a")?;
    /// progress.reset("a")?;
    /// assert_eq!(progress.pending(["a"]).count(), 1);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn reset(&self, item: impl Item) -> Result<()> {
        let named = ItemKey::of(item.item()).map_err(ProgressError::from)?;
        self.flush()?;
        let places = &self.shared().places;
        let change = self.shared().change(|request, view, mut counts| {
            let seq = |place: &Scope| Ok::<Option<Seq>, crate::Error>(view.versions(place, &[&named.key])?[0]);
            let from = match (seq(&places.done)?, seq(&places.skipped)?, seq(&places.failed)?) {
                (Some(_), _, _) => State::Done,
                (None, Some(_), _) => State::Skipped,
                (None, None, Some(at)) if counts.is_retried(at) => State::Retrying,
                (None, None, Some(_)) => State::Failed,
                (None, None, None) => State::Pending,
            };
            for place in [&places.done, &places.failed, &places.skipped, &places.leased, &places.long] {
                request.add_delete(place, &named.key)?;
            }
            counts.change(from, State::Pending);
            Ok((counts, from != State::Pending))
        });
        change.map(drop)
    }

    /// Takes all marks away: every item is pending again. Durable when it returns. It costs the same however many they
    /// are, and history keeps them.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path())?;
    /// let progress = store.progress(&Scope::parse("task/load")?, "checksum")?;
    /// progress.done("a")?;
    /// progress.reset_all()?;
    /// assert_eq!((progress.summary()?.done, progress.pending(["a"]).count()), (0, 1));
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn reset_all(&self) -> Result<()> {
        self.flush()?;
        let places = &self.shared().places;
        let change = self.shared().change(|request, view, counts| {
            for place in [&places.done, &places.failed, &places.skipped, &places.leased, &places.long] {
                request.add_clear(place)?;
            }
            Ok((Counts { began: view.at()?.0, total: counts.total, ..Counts::default() }, true))
        });
        change.map(drop)
    }

    /// The items that failed and were not retried since, in the order of their names, with what went wrong.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path())?;
    /// let progress = store.progress(&Scope::parse("task/load")?, "checksum")?;
    /// progress.failed("a", "no such file")?;
    /// progress.flush()?;
    /// for failure in progress.failures()? {
    ///     let failure = failure?;
    ///     assert_eq!((&*failure.item, &*failure.value), (&b"a"[..], &b"no such file"[..]));
    /// }
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn failures(&self) -> Result<Listing> {
        Listing::new(self.shared(), &self.shared().places.failed)
    }

    /// The items that are done, in the order of their names, with their results.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path())?;
    /// let progress = store.progress(&Scope::parse("task/load")?, "checksum")?;
    /// progress.done_with("a", b"d41d8cd9")?;
    /// progress.flush()?;
    /// assert_eq!(&*progress.results()?.next().unwrap()?.value, b"d41d8cd9");
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn results(&self) -> Result<Listing> {
        Listing::new(self.shared(), &self.shared().places.done)
    }

    /// The items that were skipped, in the order of their names, with the reasons.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path())?;
    /// let progress = store.progress(&Scope::parse("task/load")?, "checksum")?;
    /// progress.skip("a.tmp", "not a picture")?;
    /// progress.flush()?;
    /// assert_eq!(progress.skips()?.count(), 1);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn skips(&self) -> Result<Listing> {
        Listing::new(self.shared(), &self.shared().places.skipped)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if !self.shared.is_here() {
            return;
        }
        self.shared.close();
        if let Some(thread) = self.thread.get_mut().take() {
            // What it came upon is come upon again below, where nobody can be told.
            let _ = thread.join();
        }
        let _ = self.shared.flush().and_then(|()| self.shared.settle_total());
    }
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Progress({})", self.shared().places.root)
    }
}

#[cfg(test)]
mod tests;
