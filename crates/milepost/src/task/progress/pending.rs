//! [`Pending`]: the items of a list that are still to be done.
//!
//! Invariant: an item is handed out once, in the order of the list, and not if it is marked. What is held of the list
//! is what is looked up at once, and a hash of each item that was handed out and is not durably marked.

use std::{collections::VecDeque, sync::Arc};

use milepost_engine::{CommitError, Refusal};
use milepost_types::{At, Key, Precondition, Seq, Timestamp, limits};

use super::{
    counts::Counts,
    error::ProgressError,
    item::{Item, ItemKey},
    shared::{Hand, Shared},
};
use crate::{Error, Result, View};

/// Items that are looked up at once, at most.
const CHUNK_MAX: usize = 1024;
/// How often a lease is asked for anew because others took it meanwhile.
const TRIES_MAX: usize = 100;

/// The items of a list that are neither done nor failed nor skipped, as [`super::Progress::pending`] finds them.
///
/// An item that can be none (it is empty, or holds a NUL) comes as an error in its place; the walk goes on behind it.
/// It ends with an error of the store.
///
/// ```
/// # use milepost::{Scope, Store};
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = Store::open(dir.path())?;
/// let progress = store.progress(&Scope::parse("task/load")?, "checksum")?;
/// progress.done("b")?;
/// for item in progress.pending(["a", "b", "a"]) {
///     assert_eq!(item?, "a"); // once
/// }
/// # Ok::<(), milepost::Error>(())
/// ```
#[must_use = "a list is read as it is iterated"]
pub struct Pending<I: Iterator> {
    shared: Arc<Shared>,
    items: I,
    hand: Arc<Hand>,
    ready: VecDeque<Result<I::Item>>,
    /// How many are looked up at once: few where items are handed out, many where they are done.
    chunk: usize,
    chunk_max: usize,
    is_flushed: bool,
    /// What is known of how many items there are.
    tally: Tally,
    /// Whether others have leased items of the list: what becomes of those is not known here.
    is_shared: bool,
    /// The store could not be read: what comes behind is not known.
    is_over: bool,
    /// It was read to its end.
    is_read: bool,
}

/// How many items a job has, while a list is read: those that were marked before, and those of the list that were not.
/// Of what is not read yet as many count as marked as can be.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    marked: u64,
    /// Of the list, so far.
    met: u64,
    /// Handed out, so far.
    fresh: u64,
}

impl Tally {
    fn total(&self, unread: u64) -> u64 {
        let others = unread.saturating_sub(self.marked.saturating_sub(self.met));
        self.marked.saturating_add(self.fresh).saturating_add(others)
    }
}

impl<I: Iterator<Item: Item>> Pending<I> {
    pub(crate) fn new(shared: Arc<Shared>, items: I) -> Pending<I> {
        let (least, _) = items.size_hint();
        // A list that knows its length is there already: nobody waits for it to come.
        let chunk = if least >= CHUNK_MAX { CHUNK_MAX / 4 } else { 1 };
        let hand = Arc::new(Hand::default());
        shared.hold(&hand);
        let ready = VecDeque::new();
        let (tally, is_flushed, is_shared, is_over, is_read) = (Tally::default(), false, false, false, false);
        let chunk_max = CHUNK_MAX;
        Pending { shared, items, hand, ready, chunk, chunk_max, is_flushed, tally, is_shared, is_over, is_read }
    }

    /// Reads no more than so many items ahead of the one that is handed out: for a list that is slow to come. 1024 if
    /// nothing is said.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path())?;
    /// let progress = store.progress(&Scope::parse("task/load")?, "checksum")?;
    /// let lines = ["a", "b"]; // or of a pipe
    /// assert_eq!(progress.pending(lines).read_ahead(1).count(), 2);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn read_ahead(mut self, items: usize) -> Pending<I> {
        self.chunk_max = items.clamp(1, CHUNK_MAX);
        self.chunk = self.chunk.min(self.chunk_max);
        self
    }

    /// Takes up to `count` items that nobody else has claimed, for as long as a lease lasts: another worker with the
    /// same list does not get them before it ends. None are left to be claimed if it gives none: what others have under
    /// a lease is not done for that, and theirs may have been killed. Whether anything is left says
    /// [`Progress::summary`](super::Progress::summary); a new list has it once the lease has ended.
    ///
    /// An item that can be none ends the lot before it, and is the error of the next call.
    ///
    /// ```
    /// # use milepost::{Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let store = Store::open(dir.path())?;
    /// # let scope = Scope::parse("task/load")?;
    /// let (one, other) = (store.progress(&scope, "checksum")?, store.progress(&scope, "checksum")?);
    /// assert_eq!(one.pending(["a", "b", "c"]).claim(2)?, ["a", "b"]);
    /// assert_eq!(other.pending(["a", "b", "c"]).claim(2)?, ["c"]);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn claim(&mut self, count: usize) -> Result<Vec<I::Item>> {
        let count = count.min(limits::PRECONDITIONS_MAX);
        let mut claimed = Vec::new();
        while claimed.len() < count {
            let (mut wanted, mut wrong) = (Vec::new(), None);
            for item in self.by_ref().take(count - claimed.len()) {
                match item {
                    Ok(item) => wanted.push(item),
                    Err(error) => {
                        wrong = Some(error);
                        break;
                    }
                }
            }
            if wanted.is_empty() && wrong.is_none() {
                break;
            }
            if let Some(error) = wrong {
                if wanted.is_empty() && claimed.is_empty() {
                    return Err(error);
                }
                self.ready.push_front(Err(error));
                if wanted.is_empty() {
                    break;
                }
            }
            let leased = self.lease(&mut wanted);
            if let Err(error) = leased {
                // They are in hand: whoever asks again gets them.
                wanted.into_iter().rev().for_each(|item| self.ready.push_front(Ok(item)));
                if claimed.is_empty() {
                    return Err(error);
                }
                self.ready.push_front(Err(error));
                break;
            }
            claimed.append(&mut wanted);
        }
        Ok(claimed)
    }

    /// Keeps those of the items that are now ours; all of them where it fails.
    fn lease(&mut self, wanted: &mut Vec<I::Item>) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        let leased = &shared.places.leased;
        for _ in 0..TRIES_MAX {
            let view = shared.store.view(At::Latest)?;
            let before = wanted.len();
            self.keep(wanted, |keys| view.versions(leased, keys))?;
            self.is_shared |= wanted.len() < before;
            if wanted.is_empty() {
                return Ok(());
            }
            let who = shared.origin.writer.as_ref().map_or("", |writer| writer.name());
            let lease_us = i64::try_from(shared.options.lease.as_micros()).unwrap_or(i64::MAX);
            let now = view.at()?;
            let expires_at = Timestamp(now.0.saturating_add(lease_us));
            let mut request = shared.request()?;
            for item in &*wanted {
                let named = ItemKey::of(item.item()).map_err(ProgressError::from)?;
                let key = Key::parse(&named.key)?;
                request = request.require(Precondition::KeyAbsent { scope: leased.clone(), key });
                request.add_set_with(leased, &named.key, who.as_bytes(), None, Some(expires_at))?;
            }
            match shared.store.engine().commit(request) {
                Ok(receipt) => {
                    shared.leases.took(receipt.seq, expires_at, now);
                    // Whoever had them before may have marked them until then.
                    let view = shared.store.view(At::Latest)?;
                    let counts = shared.counts(&view)?.0.unwrap_or_default();
                    return self.keep(wanted, |keys| marked(&shared, &view, &counts, keys));
                }
                Err(CommitError::Refused(refusal)) if matches!(*refusal, Refusal::Precondition { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        // Others were faster every time, and have them.
        self.is_shared = true;
        wanted.drain(..).for_each(|item| {
            if let Ok(named) = ItemKey::of(item.item()) {
                self.hand.let_go(&named.key);
            }
        });
        Ok(())
    }

    /// Keeps the items that are not found; the others are out of hand.
    fn keep(&self, items: &mut Vec<I::Item>, find: impl FnOnce(&[&str]) -> Result<Vec<Option<Seq>>>) -> Result<()> {
        let keys = items.iter().map(|item| ItemKey::of(item.item()).map_err(ProgressError::from));
        let keys: Vec<ItemKey<'_>> = keys.collect::<Result<_, _>>()?;
        let names: Vec<&str> = keys.iter().map(|key| &*key.key).collect();
        let found = find(&names)?;
        for (name, found) in names.iter().zip(&found) {
            if found.is_some() {
                self.hand.let_go(name);
            }
        }
        let mut found = found.into_iter();
        items.retain(|_| found.next().flatten().is_none());
        Ok(())
    }

    /// Looks the next items of the list up; whether there were any.
    fn fill(&mut self) -> Result<bool> {
        if !std::mem::replace(&mut self.is_flushed, true) {
            // What was marked before is found then.
            self.shared.flush()?;
            let view = self.shared.store.view(At::Latest)?;
            self.tally.marked = self.shared.counts(&view)?.0.unwrap_or_default().marked();
        }
        let items: Vec<I::Item> = self.items.by_ref().take(self.chunk).collect();
        if items.is_empty() {
            self.ended()?;
            return Ok(false);
        }
        let view = self.shared.store.view(At::Latest)?;
        let counts = self.shared.counts(&view)?.0.unwrap_or_default();
        let is_out = self.choose(&items, &view, &counts)?;
        let before = self.ready.len();
        for (item, fate) in items.into_iter().zip(is_out) {
            match fate {
                Fate::Out => {}
                Fate::Ready => self.ready.push_back(Ok(item)),
                Fate::Wrong(error) => self.ready.push_back(Err(error)),
            }
        }
        let is_there = self.items.size_hint().0 >= CHUNK_MAX;
        let grows = is_there || self.ready.len() == before;
        self.chunk = if grows { self.chunk * 2 } else { self.chunk.div_ceil(2) }.min(self.chunk_max);
        match self.items.size_hint() {
            (0, Some(0)) => self.ended()?,
            (unread, Some(most)) if unread == most => self.shared.list_has(self.tally.total(unread as u64)),
            _ => {}
        }
        Ok(true)
    }

    /// The list was read to its end.
    fn ended(&mut self) -> Result<()> {
        if !std::mem::replace(&mut self.is_read, true) && !self.is_shared {
            self.shared.list_ended(&self.hand)?;
        }
        Ok(())
    }

    fn choose(&mut self, items: &[I::Item], view: &View, counts: &Counts) -> Result<Vec<Fate>> {
        let mut fates: Vec<Fate> = Vec::with_capacity(items.len());
        let mut keys = Vec::with_capacity(items.len());
        for item in items {
            match ItemKey::of(item.item()) {
                Ok(key) => {
                    keys.push((fates.len(), key));
                    fates.push(Fate::Out);
                }
                Err(error) => fates.push(Fate::Wrong(ProgressError::from(error).into())),
            }
        }
        let names: Vec<&str> = keys.iter().map(|(_, key)| &*key.key).collect();
        let found = marked(&self.shared, view, counts, &names)?;
        self.tally.met += found.iter().flatten().count() as u64;
        let mut fresh = Vec::new();
        for ((index, key), found) in keys.iter().zip(&found) {
            if let (Some(item), true) = (key.beside, found.is_some()) {
                self.compare(view, &key.key, item)?;
            }
            // In hand first, and looked up again then: whoever marks it lets go of it when the mark can be seen.
            if found.is_none() && self.hand.take(&key.key) {
                fresh.push((*index, &*key.key));
            }
        }
        let names: Vec<&str> = fresh.iter().map(|(_, key)| *key).collect();
        let now = self.shared.store.view(At::Latest)?;
        let again = if now.seq() == view.seq() {
            vec![None; names.len()]
        } else {
            marked(&self.shared, &now, &self.shared.counts(&now)?.0.unwrap_or_default(), &names)?
        };
        for ((index, key), found) in fresh.iter().zip(again) {
            match found {
                Some(_) => self.hand.let_go(key),
                None => {
                    self.tally.fresh += 1;
                    fates[*index] = Fate::Ready;
                }
            }
        }
        Ok(fates)
    }

    /// A hash that is marked must be of this item.
    fn compare(&self, view: &View, key: &str, item: &[u8]) -> Result<()> {
        let scope = &self.shared.places.long;
        match view.get(scope, key)? {
            Some(kept) if *kept == *item => Ok(()),
            Some(_) => Err(ProgressError::Collision { scope: scope.clone(), key: key.to_owned() }.into()),
            None => Err(ProgressError::Beside { scope: scope.clone(), key: key.to_owned() }.into()),
        }
    }
}

/// What becomes of an item that was read.
enum Fate {
    /// It is marked, or in hand already.
    Out,
    Ready,
    /// It is no item.
    Wrong(Error),
}

/// Of each item a commit that marked it, `None` if it is pending.
fn marked(shared: &Shared, view: &View, counts: &Counts, keys: &[&str]) -> Result<Vec<Option<Seq>>> {
    let mut found = view.versions(&shared.places.done, keys)?;
    if counts.failed > 0 {
        let failed = view.versions(&shared.places.failed, keys)?;
        let failed = failed.into_iter().map(|seq| seq.filter(|seq| !counts.is_retried(*seq)));
        found.iter_mut().zip(failed).for_each(|(found, failed)| *found = found.or(failed));
    }
    if counts.skipped > 0 {
        let skipped = view.versions(&shared.places.skipped, keys)?;
        found.iter_mut().zip(skipped).for_each(|(found, skipped)| *found = found.or(skipped));
    }
    Ok(found)
}

impl<I: Iterator<Item: Item>> Iterator for Pending<I> {
    type Item = Result<I::Item>;

    fn next(&mut self) -> Option<Result<I::Item>> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(item);
            }
            if self.is_over {
                return None;
            }
            match self.fill() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    self.is_over = true;
                    return Some(Err(error));
                }
            }
        }
    }
}

impl<I: Iterator> std::fmt::Debug for Pending<I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pending").field("ready", &self.ready.len()).finish_non_exhaustive()
    }
}
