//! [`Shared`]: the way of a mark from the worker that says it to the log.
//!
//! Workers put marks into batches; whoever finds a batch full, or a thread of its own, commits it. While one commits,
//! workers go on with the next batch, up to a bound.
//!
//! Invariant: batches become durable in the order in which they were begun, one at a time. What could not be committed
//! stays where it was, and is tried again by whoever comes next, who is told what is wrong.
//!
//! Locks: `committing`, then `queue` or `hands` or `said` or that of `leases`. `queue` is held for a few instructions,
//! never while the log is written.

use std::{
    collections::HashSet,
    hash::{BuildHasherDefault, Hasher},
    sync::{Arc, Weak},
    time::Duration,
};

use milepost_engine::{CommitError, Refusal, Request, Threads};
use milepost_types::{At, ContentType, Key, Precondition, Receipt, Scope, Seq, Writer};
use parking_lot::{Condvar, Mutex, MutexGuard};
use xxhash_rust::xxh3::xxh3_128;

use super::{
    counts::{Counts, Expected},
    error::ProgressError,
    item::ItemKey,
    leases::Leases,
    places::{COUNTS, Places},
    plan,
    queue::{Batch, Mark, Queue, Say},
};
use crate::{ErrorKind, Result, Store, View};

/// Batches that wait before workers do: with the one that is being committed they are what a crash repeats. So two at
/// most are on their way.
const BATCHES_WAITING_MAX: usize = 1;
/// Bytes at which a batch is full whatever its marks; one mark is always let in.
const BATCH_BYTES_MAX: usize = 4 << 20;
/// How often a change is judged anew because others changed the job meanwhile.
const TRIES_MAX: usize = 1000;

/// How marks of a job are gathered, and how long a lease lasts.
///
/// ```
/// use milepost::task::ProgressOptions;
/// let options = ProgressOptions { batch_marks: 100, ..ProgressOptions::default() };
/// # assert_eq!(options.batch_marks, 100);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgressOptions {
    /// Marks of one commit. Of what a handle and its clones have said, twice as many at most are not durable yet, and
    /// so are repeated after a crash: one batch that is being committed, and one that is filled meanwhile.
    pub batch_marks: usize,
    /// How long a mark waits for others before it is committed.
    pub batch_delay: Duration,
    /// How long a claimed item is the claimer's alone.
    pub lease: Duration,
}

impl Default for ProgressOptions {
    fn default() -> ProgressOptions {
        ProgressOptions { batch_marks: 4096, batch_delay: Duration::from_millis(50), lease: Duration::from_secs(300) }
    }
}

/// Who writes, and with which token.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    pub(crate) writer: Option<Writer>,
    pub(crate) fence: Option<(Scope, u64)>,
}

/// What all handles of a job share.
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) places: Places,
    pub(crate) options: ProgressOptions,
    pub(crate) origin: Origin,
    /// Held by whoever commits a batch.
    committing: Mutex<()>,
    queue: Mutex<State>,
    /// There is something to commit, or the end has come: for the thread.
    work: Condvar,
    /// A batch has become durable, or could not: for workers that wait for room.
    room: Condvar,
    /// What lists have handed out and is not durable yet.
    hands: Mutex<Vec<Weak<Hand>>>,
    /// What is known of how much there is to do; written with the next batch. Held for a moment, by itself.
    said: Mutex<Said>,
    /// What was claimed by this handle and its clones.
    pub(crate) leases: Leases,
    /// The engine is driven by hand, and this with it: whoever finds the batches full commits them.
    is_stepped: bool,
}

/// Who says how much there is to do.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Said {
    /// Nobody here: it is as it stands in the store.
    #[default]
    Nothing,
    /// A list, of the items in all.
    List(u64),
    /// The caller, who knows better than lists do.
    Caller(Expected),
}

impl Said {
    /// Puts it into the counts.
    pub(crate) fn put(self, counts: &mut Counts) {
        match self {
            Said::Nothing => {}
            Said::List(total) => (counts.total, counts.again) = (Some(total), 0),
            Said::Caller(Expected { total, again }) => (counts.total, counts.again) = (total, again),
        }
    }
}

#[derive(Default)]
struct State {
    batches: Queue,
    /// The last attempt to commit failed: the thread waits for somebody who can be told.
    has_failed: bool,
    /// What the thread came upon, for whoever comes next.
    error: Option<crate::Error>,
    /// No more marks come.
    is_closed: bool,
    /// The thread was started.
    has_thread: bool,
}

impl Shared {
    pub(crate) fn new(store: Store, places: Places, options: ProgressOptions, origin: Origin) -> Shared {
        let is_stepped = store.engine().threads() == Threads::Stepped;
        Shared {
            is_stepped,
            store,
            places,
            options,
            origin,
            committing: Mutex::default(),
            queue: Mutex::default(),
            work: Condvar::new(),
            room: Condvar::new(),
            hands: Mutex::default(),
            said: Mutex::default(),
            leases: Leases::default(),
        }
    }

    /// Takes a mark. It is durable with its batch. Whether the thread is to be started.
    pub(crate) fn push(&self, say: Say, item: &[u8], value: &[u8]) -> Result<bool> {
        let named = ItemKey::of(item).map_err(ProgressError::from)?;
        // Here, not when its batch is committed: one mark that can't be must not keep others from becoming durable.
        self.store.check_value(value)?;
        let mark = Mark { say, key: &named.key, value, beside: named.beside.unwrap_or_default() };
        let mut state = self.queue.lock();
        while state.has_failed || state.batches.full_batches() >= BATCHES_WAITING_MAX {
            if let Some(error) = state.error.take() {
                return Err(error);
            }
            if state.has_failed || !state.has_thread {
                drop(state);
                self.step()?;
                state = self.queue.lock();
            } else {
                self.room.wait(&mut state);
            }
        }
        let is_full = state.batches.push(&mark, self.options.batch_marks.max(1), BATCH_BYTES_MAX);
        let is_first = state.batches.open_marks() == 1;
        if is_full || is_first {
            self.work.notify_one();
        }
        Ok(!self.is_stepped && !std::mem::replace(&mut state.has_thread, true))
    }

    /// The thread could not be started: then whoever finds the batches full commits them.
    pub(crate) fn has_no_thread(&self) {
        self.queue.lock().has_thread = false;
    }

    /// Commits the oldest batch, if there is one.
    pub(crate) fn step(&self) -> Result<bool> {
        let _committing = self.committing.lock();
        let Some(batch) = self.queue.lock().batches.take() else { return Ok(false) };
        let committed = self.commit(&batch);
        if committed.is_ok() {
            self.let_go(&batch);
        }
        let mut state = self.queue.lock();
        if std::mem::replace(&mut state.has_failed, committed.is_err()) {
            // Since then the thread waits for somebody who can be told, and that was the caller.
            self.work.notify_one();
        }
        match committed {
            Ok(()) => {
                state.error = None;
                state.batches.settle(batch);
            }
            Err(_) => state.batches.put_back(batch),
        }
        drop(state);
        self.room.notify_all();
        committed.map(|()| true)
    }

    /// Commits all that was said before.
    pub(crate) fn flush(&self) -> Result<()> {
        let target = self.queue.lock().batches.came;
        while self.queue.lock().batches.durable < target {
            self.step()?;
        }
        Ok(())
    }

    /// Says that no more marks come.
    pub(crate) fn close(&self) {
        self.queue.lock().is_closed = true;
        self.work.notify_all();
    }

    /// What the thread does until no more marks come.
    pub(crate) fn commit_all(&self) {
        let mut state = self.queue.lock();
        loop {
            let is_idle = state.batches.full_batches() == 0 || state.has_failed;
            if is_idle && state.is_closed {
                return;
            }
            if is_idle && (state.batches.open_marks() == 0 || state.has_failed) {
                self.work.wait(&mut state);
            } else if is_idle {
                if self.work.wait_for(&mut state, self.options.batch_delay).timed_out() {
                    state.batches.seal();
                }
            } else {
                let stepped = MutexGuard::unlocked(&mut state, || self.step());
                // Unless somebody came by meanwhile, and it went well.
                state.error = stepped.err().filter(|_| state.has_failed).or(state.error.take());
            }
        }
    }

    fn commit(&self, batch: &Batch) -> Result<()> {
        let add = |request: &mut Request, view: &View, counts| {
            plan::add(request, batch, &self.places, view, counts, &self.leases)
        };
        self.change(add).map(drop)
    }

    /// Changes the job as one commit, judged by what `add` sees: nobody changes it in between. `None` if there was
    /// nothing to change.
    pub(crate) fn change(
        &self,
        mut add: impl FnMut(&mut Request, &View, Counts) -> Result<(Counts, bool)>,
    ) -> Result<Option<Receipt>> {
        let mut tries = 0;
        loop {
            let view = self.store.view(At::Latest)?;
            let (counts, version) = self.counts(&view)?;
            let before = counts.map_or_else(|| self.begin(&view), Ok)?;
            let mut request = self.request()?;
            let (mut after, changes) = add(&mut request, &view, before)?;
            let said = self.said();
            said.put(&mut after);
            // Said before the first mark, it makes the job known.
            let is_new = version.is_none() && matches!(said, Said::Caller(_));
            if !changes && !is_new && after == before {
                if self.origin.fence.is_some() {
                    // A zombie learns of the newer attempt also where it has nothing to say.
                    self.store.engine().commit(self.request()?.only_ask())?;
                }
                return Ok(None);
            }
            let (scope, key) = (self.places.root.clone(), Key::parse(COUNTS).expect("a short word"));
            request = request.require(match version {
                Some(seq) => Precondition::KeyAt { scope, key, seq },
                None => Precondition::KeyAbsent { scope, key },
            });
            let text = serde_json::to_vec(&after).expect("numbers are JSON");
            request.add_set_with(&self.places.root, COUNTS, &text, Some(&ContentType::JSON), None)?;
            tries += 1;
            match self.store.engine().commit(request) {
                Ok(receipt) => return Ok(Some(receipt)),
                Err(CommitError::Refused(refusal)) if is_outrun(&refusal) && tries < TRIES_MAX => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn begin(&self, view: &View) -> Result<Counts> {
        Ok(Counts { began: view.at()?.0, ..Counts::default() })
    }

    /// A commit of this job's writer, with nothing in it.
    pub(crate) fn request(&self) -> Result<Request> {
        let mut request = self.store.engine().request();
        if let Some(writer) = &self.origin.writer {
            request = request.writer(writer.clone());
        }
        if let Some((scope, token)) = &self.origin.fence {
            request = request.fence(scope, *token)?;
        }
        Ok(request)
    }

    /// The counts as of a moment, and the commit that they are of.
    pub(crate) fn counts(&self, view: &View) -> Result<(Option<Counts>, Option<Seq>)> {
        let Some(value) = view.get(&self.places.root, COUNTS)? else { return Ok((None, None)) };
        let (scope, seq) = (&self.places.root, value.seq());
        let counts = serde_json::from_slice(&value).map_err(|source| ProgressError::Counts {
            scope: scope.clone(),
            seq,
            source,
        })?;
        Ok((Some(counts), Some(seq)))
    }

    pub(crate) fn said(&self) -> Said {
        *self.said.lock()
    }

    pub(crate) fn expect(&self, expected: Expected) {
        *self.said.lock() = Said::Caller(expected);
    }

    /// How many items there are by a list, unless somebody knows better.
    pub(crate) fn list_has(&self, items: u64) {
        let mut said = self.said.lock();
        if !matches!(*said, Said::Caller(_)) {
            *said = Said::List(items);
        }
    }

    /// A list has been read to its end: there are the items that are marked, and those it has handed out since. What
    /// stood in it twice, or was no item, is none of either.
    pub(crate) fn list_ended(&self, hand: &Hand) -> Result<()> {
        // Nothing becomes durable meanwhile, so that no item is counted twice or not at all.
        let _committing = self.committing.lock();
        let counts = self.counts(&self.store.view(At::Latest)?)?.0.unwrap_or_default();
        self.list_has(counts.marked().saturating_add(hand.len() as u64));
        Ok(())
    }

    /// Makes durable what is said, where it stands otherwise in the store. A list that was only read says nothing.
    pub(crate) fn settle_total(&self) -> Result<()> {
        match self.said() {
            Said::Nothing => return Ok(()),
            Said::List(_) if self.queue.lock().batches.came == 0 => return Ok(()),
            Said::List(_) | Said::Caller(_) => {}
        }
        self.change(|_, _, counts| Ok((counts, false))).map(drop)
    }

    pub(crate) fn hold(&self, hand: &Arc<Hand>) {
        let mut hands = self.hands.lock();
        hands.retain(|hand| hand.strong_count() > 0);
        hands.push(Arc::downgrade(hand));
    }

    /// Lets go of what is durable: whoever meets it again finds its mark.
    fn let_go(&self, batch: &Batch) {
        for hand in self.hands.lock().iter().filter_map(Weak::upgrade) {
            let mut items = hand.0.lock();
            if !items.is_empty() {
                for mark in batch.marks() {
                    items.remove(&fingerprint(mark.key));
                }
            }
        }
    }

    /// Whether this is the process that opened the store, and not a child forked from it: that has no thread.
    pub(crate) fn is_here(&self) -> bool {
        !matches!(self.store.view(At::Latest), Err(error) if error.kind() == ErrorKind::Forked)
    }
}

/// Whether somebody else changed the counts since they were read.
fn is_outrun(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Precondition { .. })
}

/// What a list has handed out and is not durably marked: by a hash of 128 bits, since all of it may be items by the
/// million.
#[derive(Default)]
pub(crate) struct Hand(Mutex<HashSet<u128, BuildHasherDefault<FirstWord>>>);

impl Hand {
    /// Takes an item in hand; whether it was not.
    pub(crate) fn take(&self, key: &str) -> bool {
        self.0.lock().insert(fingerprint(key))
    }

    pub(crate) fn let_go(&self, key: &str) {
        self.0.lock().remove(&fingerprint(key));
    }

    fn len(&self) -> usize {
        self.0.lock().len()
    }
}

fn fingerprint(key: &str) -> u128 {
    xxh3_128(key.as_bytes())
}

/// A hasher for what is a hash already.
#[derive(Default)]
pub(crate) struct FirstWord(u64);

impl Hasher for FirstWord {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let word = bytes.first_chunk::<8>().expect("a hash has more bytes");
        self.0 = u64::from_le_bytes(*word);
    }
}
