//! [`Engine`]: the parts of an open store and its life.
//!
//! Order of locks, outermost first; nobody takes an outer one while holding an inner one:
//!
//! 1. `compactor`: whose pass it is. Held for one step, across its IO and while the step waits for the lead; nobody who
//!    leads takes it, and no reader.
//! 2. `leader`: who leads. Held across IO; no reader takes it. Then `turn`: who folds. Taken before the lead is let go,
//!    so that batches are folded in order; a batch that was judged, and a large one that has no company, holds it
//!    across its IO. No reader takes it.
//! 3. `beside`, `rewriter`, `recycler`, `indexer`, `dir_lock`: one each for a kind of background work, never two of
//!    them at once. Held across IO; no reader of the state takes them. Then MANIFEST's, inside its keeper: taken by the
//!    one who leads, after a roll, by the one who makes runs and by the one who compacts; held across one small write
//!    and its sync, and until readers see what was written anew. The reserve's comes behind all of these.
//! 4. the queue's lock, a fate's wakers, `watch_gate`, the state's spare memtable, the tables of pins, why no run was
//!    made, a worker's thread: held for a few instructions, or until a thread has begun; nothing is taken under them.
//! 5. inside the memtable: a scope's clears; a scope's members; the order of the scopes. Held for one step, and one at
//!    a time.
//!
//! Invariant: what is published only grows, and only after the sync that covers it.

mod beside;
mod close;
mod compact;
mod due;
mod expire;
mod index;
mod pause;
pub(crate) mod quarantine;
mod read;
mod recorded;
mod room;
mod segments;
mod shown;
mod stats;
mod survey;
mod thinning;
mod threads;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering, fence},
    },
};

use milepost_io::{DirLock, Failure, ForkGuard, Held, Latch, Spread};
use milepost_log::{LogReader, LogWriter, Recycled, Recycler, Rewriter, StoreId};
use milepost_types::{Receipt, Seq, Timestamp};
use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::{
    CommitError, OpenError, Parts, Pipeline, Request, Settings, Threads, Ticket,
    commit::{
        Queue, Sealed,
        fold::Turns,
        leader::Leader,
        queue::{Next, Place, Role},
    },
    compaction::Compactor,
    index::Indexer,
    manifest::{self, Keeper},
    open,
    reserve::Reserve,
    retention::{Horizons, Pins, Retaining},
    state::State,
    written::Meters,
};
pub(crate) use beside::Beside;
use index::Indexing;
pub use pause::CompactionPause;
pub(crate) use read::NO_FRAME;
pub use stats::Stats;
use threads::Workers;

/// How many turns of other threads a leader lets pass at most while the queue grows.
const GATHER_TURNS_MAX: usize = 64;
/// With so much in the queue nobody is waited for: a large batch shares its sync well enough, and the disk writes it
/// while the other callers make their commits.
const GATHER_BYTES_MAX: usize = 256 << 10;

/// An open store. Clones are the same store; it closes when the last clone and the last ticket are gone.
#[derive(Clone, Debug)]
pub struct Engine {
    handle: Arc<Handle>,
}

/// Closes the store when the last clone goes.
#[derive(Debug)]
struct Handle {
    shared: Spread<Shared>,
}

/// What all users of an open store share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) dir: PathBuf,
    pub(crate) parts: Parts,
    pub(crate) settings: Settings,
    pub(crate) store: StoreId,
    pub(crate) epoch: u32,
    pub(crate) latch: Latch,
    pub(crate) reader: LogReader,
    pub(crate) state: State,
    pub(crate) queue: Queue,
    /// `None` for a store opened read-only, and after closing. Whoever finds it locked relies on the holder to look at
    /// the queue after letting go: nobody but `lead_some` and `close` locks it while the store is open.
    pub(crate) leader: Mutex<Option<Leader>>,
    /// Whose turn it is to change the memtable.
    pub(crate) turn: Turns,
    /// MANIFEST; `None` for a store opened read-only.
    pub(crate) keeper: Option<Keeper>,
    /// Room for what gives room back.
    pub(crate) reserve: Arc<Reserve>,
    pub(crate) recycler: Mutex<Option<Recycler>>,
    /// `None` for a store opened read-only, and after closing.
    pub(crate) rewriter: Mutex<Option<Rewriter>>,
    /// `None` for a store opened read-only, and after closing.
    pub(crate) indexer: Mutex<Option<Indexer>>,
    pub(crate) indexing: Indexing,
    pub(crate) compactor: Mutex<Compactor>,
    /// How many keep compaction from running by itself. Raised under the compactor's lock.
    compaction_pauses: AtomicU32,
    /// Whether there may be something to compact that nobody was woken for.
    pub(crate) compaction_wanted: AtomicBool,
    /// Whether it was the lack of room that it is wanted for.
    pub(crate) room_wanted: AtomicBool,
    /// `None` for a store opened for writing.
    beside: Mutex<Option<Beside>>,
    dir_lock: Mutex<Option<Box<dyn DirLock>>>,
    /// When the last commit that reads may see was stamped, or a later one: it is stored before that commit is shown.
    published_at: AtomicI64,
    /// Those who wait for the next commit, and what wakes them.
    watch_gate: Mutex<u32>,
    watch_bell: Condvar,
    /// Batches written since this opening.
    pub(crate) batches: AtomicU64,
    /// What this opening has written; of a store opened read-only, what MANIFEST says that the writer had.
    pub(crate) meters: Meters,
    closed: AtomicBool,
    read_only: bool,
    fork: ForkGuard,
    workers: Workers,
    pub(crate) torn_bytes: u64,
    /// What is being read.
    pub(crate) pins: Pins,
    pub(crate) retention: Retaining,
}

/// What a call of [`Engine::step_leader`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Led {
    /// How many commits were told their outcome.
    pub commits: usize,
}

/// What opening found, to make a [`Shared`] of.
pub(crate) struct Found {
    pub(crate) dir: PathBuf,
    pub(crate) store: StoreId,
    pub(crate) epoch: u32,
    pub(crate) latch: Latch,
    pub(crate) reader: LogReader,
    pub(crate) state: State,
    pub(crate) last: Receipt,
    pub(crate) writer: Option<LogWriter>,
    pub(crate) keeper: Option<Keeper>,
    pub(crate) meters: Meters,
    pub(crate) reserve: Arc<Reserve>,
    /// Bytes at which a segment is sealed, by the settings and the room there is.
    pub(crate) segment_bytes: u32,
    pub(crate) recycler: Option<Recycler>,
    pub(crate) rewriter: Option<Rewriter>,
    pub(crate) indexer: Option<Indexer>,
    pub(crate) beside: Option<Beside>,
    pub(crate) dir_lock: Option<Box<dyn DirLock>>,
    pub(crate) torn_bytes: u64,
    pub(crate) horizons: Horizons,
}

impl Engine {
    /// Opens a store for writing, and makes one where there is none if the settings say so.
    pub fn open(parts: Parts, dir: &Path, settings: Settings) -> Result<Engine, OpenError> {
        Engine::open_with_progress(parts, dir, settings, &mut |_, _| {})
    }

    /// Opens a store for writing, calling `progress` with the bytes of the log replayed and the bytes in all.
    pub fn open_with_progress(
        parts: Parts,
        dir: &Path,
        settings: Settings,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Engine, OpenError> {
        let found = open::for_writing(&parts, dir, &settings, progress)?;
        Ok(Engine::of(found, parts, settings))
    }

    /// Opens a store for reading only, beside a writer or without one. Nothing is written.
    pub fn open_read_only(parts: Parts, dir: &Path) -> Result<Engine, OpenError> {
        Engine::open_read_only_with_progress(parts, dir, &mut |_, _| {})
    }

    /// The same, calling `progress` now and then with the bytes of the log that were folded and the bytes in all.
    /// Nothing is written, so what no run covers is folded into memory, all of it if there is no index.
    pub fn open_read_only_with_progress(
        parts: Parts,
        dir: &Path,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Engine, OpenError> {
        let found = open::for_reading(&parts, dir, progress)?;
        Ok(Engine::of(found, parts, Settings::default()))
    }

    pub(crate) fn of(found: Found, parts: Parts, settings: Settings) -> Engine {
        let read_only = found.writer.is_none();
        let leader = found.writer.map(Leader::new);
        found.reader.set_cold_cache_bytes(settings.cold_cache_bytes);
        let shared = Arc::new(Shared {
            dir: found.dir,
            parts,
            settings: Settings { segment_bytes: found.segment_bytes, ..settings },
            store: found.store,
            epoch: found.epoch,
            latch: found.latch,
            reader: found.reader,
            state: found.state,
            queue: Queue::default(),
            leader: Mutex::new(leader),
            turn: Turns::default(),
            keeper: found.keeper,
            reserve: found.reserve,
            recycler: Mutex::new(found.recycler),
            rewriter: Mutex::new(found.rewriter),
            indexer: Mutex::new(found.indexer),
            indexing: Indexing::default(),
            compactor: Mutex::default(),
            compaction_pauses: AtomicU32::new(0),
            compaction_wanted: AtomicBool::new(false),
            room_wanted: AtomicBool::new(false),
            beside: Mutex::new(found.beside),
            dir_lock: Mutex::new(found.dir_lock),
            published_at: AtomicI64::new(found.last.at.0),
            watch_gate: Mutex::new(0),
            watch_bell: Condvar::new(),
            batches: AtomicU64::new(0),
            meters: found.meters,
            closed: AtomicBool::new(false),
            read_only,
            fork: ForkGuard::new(),
            workers: Workers::default(),
            torn_bytes: found.torn_bytes,
            pins: Pins::default(),
            retention: Retaining::new(found.horizons),
        });
        shared.state.publish(found.last.seq);
        shared.look_after_compaction();
        Engine { handle: Arc::new(Handle { shared: Spread::new(shared) }) }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        self.handle.shared.shared()
    }

    /// For views, which come and go in many threads at once.
    fn hold(&self) -> Held<Shared> {
        self.handle.shared.hold()
    }

    /// A new, empty request under this store's limits.
    pub fn request(&self) -> Request {
        Request::new(self.shared().settings.value_bytes_max)
    }

    /// The largest value that this handle takes.
    #[must_use]
    pub fn value_bytes_max(&self) -> usize {
        self.shared().settings.value_bytes_max
    }

    /// Who does its background work: whoever works beside it does as it does.
    #[must_use]
    pub fn threads(&self) -> Threads {
        self.shared().settings.threads
    }

    /// Commits: durable when it returns. Leads the batch itself where nobody else does.
    pub fn commit(&self, request: Request) -> Result<Receipt, CommitError> {
        self.shared().may_commit()?;
        let sealed = request.seal()?;
        self.shared().help_index(&sealed);
        let place = self.shared().queue.push(sealed, true)?;
        self.shared().see_through(&place);
        place.fate.outcome(place.index).expect("seen through until it was there")
    }

    /// Puts a commit into the queue. Its ticket says when it is durable; many may be in flight.
    pub fn submit(&self, request: Request) -> Result<Ticket, CommitError> {
        self.shared().may_commit()?;
        self.submit_sealed(request.seal()?)
    }

    /// The same through a pipeline: once a commit of it was refused, those behind are. One that does not get into the
    /// queue is none of it.
    pub fn submit_in(&self, pipeline: &mut Pipeline, request: Request) -> Result<Ticket, CommitError> {
        self.shared().may_commit()?;
        let sealed = Sealed { in_pipeline: Some(pipeline.next_place()), ..request.seal()? };
        let ticket = self.submit_sealed(sealed)?;
        pipeline.took();
        Ok(ticket)
    }

    fn submit_sealed(&self, sealed: Sealed) -> Result<Ticket, CommitError> {
        let shared = self.shared();
        shared.may_commit()?;
        shared.help_index(&sealed);
        let place = shared.queue.push(sealed, false)?;
        // Pairs with the fence in `Relay`: either whoever leads now sees the commit, or we see that nobody leads.
        fence(Ordering::SeqCst);
        if shared.settings.threads == Threads::Spawned && !shared.leader.is_locked() {
            shared.workers.wake_leader(shared);
        }
        shared.refuse_if_closed();
        Ok(Ticket { place, shared: Arc::clone(shared) })
    }

    /// Leads one generation of commits, if any waits: for [`Threads::Stepped`].
    pub fn step_leader(&self) -> Led {
        let once = std::cell::Cell::new(true);
        Led { commits: self.shared().lead_some(Lead::IfFree, || once.replace(false)) }
    }

    /// Does a bounded piece of seeing to what old segments left behind; whether there was anything to do.
    pub fn step_recycle(&self) -> bool {
        self.shared().step_recycle()
    }

    /// Does a bounded piece of making runs of what memory holds, or of smaller runs; whether there was anything to do.
    /// Commits and reads go on meanwhile, and after an error: it is tried again by a later call.
    pub fn step_index(&self) -> bool {
        self.shared().step_index()
    }

    /// Why the store takes no more commits, if it does not.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        self.shared().latch.failure()
    }

    /// Whether it was opened read-only.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.shared().read_only
    }

    /// Where the store is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.shared().dir
    }

    /// Waits for what was submitted, writes down where the log ends so that the next opening has nothing to look for,
    /// and frees the store for the next writer. Commits are refused from then on; views go on.
    pub fn close(&self) -> Result<(), CommitError> {
        self.shared().close()
    }
}

impl Shared {
    fn may_commit(&self) -> Result<(), CommitError> {
        if self.fork.is_child() {
            return Err(CommitError::Forked);
        }
        if self.read_only {
            return Err(CommitError::ReadOnly);
        }
        if self.closed.load(Ordering::Acquire) {
            return Err(CommitError::Closed);
        }
        if let Some(failure) = self.latch.failure() {
            return Err(CommitError::Stopped(failure));
        }
        Ok(())
    }

    pub(crate) fn is_child(&self) -> bool {
        self.fork.is_child()
    }

    /// Waits until the outcome of a commit is there, leading where nobody else does or where it is this caller's turn.
    pub(crate) fn see_through(self: &Arc<Shared>, place: &Place) {
        let fate = &place.fate;
        if fate.is_done() || self.fork.is_child() {
            return;
        }
        // Pairs with the fence in `Relay`: either whoever leads now sees the commit, or we see that nobody leads.
        fence(Ordering::SeqCst);
        if place.role != Role::Follower {
            self.lead_some(Lead::IfFree, || !fate.is_done());
        }
        if place.role == Role::Successor && !fate.is_done() {
            fate.wait_for_lead();
            self.lead_some(Lead::Wait, || !fate.is_done());
        }
        self.refuse_if_closed();
        fate.wait();
    }

    /// Lets the callers of the last batch, who are being woken, join this one: for as long as the queue grows between
    /// two turns of other threads, up to some size. No timer: where nobody else wants to run it ends at once.
    fn gather(&self) {
        let mut before = self.queue.sizes();
        for _ in 0..GATHER_TURNS_MAX {
            if before.bytes >= GATHER_BYTES_MAX {
                break;
            }
            std::thread::yield_now();
            let now = self.queue.sizes();
            if now.commits <= before.commits {
                break;
            }
            before = now;
        }
    }

    /// Leads generations for as long as some wait and `more` says so; how many commits were told their outcome. Does
    /// nothing where somebody leads already: they look at the queue after letting go, so nothing that waits is
    /// forgotten.
    pub(crate) fn lead_some(self: &Arc<Shared>, lead: Lead, more: impl Fn() -> bool) -> usize {
        let mut told = 0;
        while more() {
            let guard = match lead {
                Lead::IfFree => self.leader.try_lock(),
                Lead::Wait => Some(self.leader.lock()),
            };
            let Some(guard) = guard else { break };
            let mut leading = Leading { guard, _relay: Relay { shared: self } };
            let Some(leader) = leading.guard.as_mut() else { break };
            if leader.has_company {
                self.gather();
            }
            let Some(generation) = self.queue.take() else { break };
            leader.has_company = generation.commits.len() > 1;
            let landed = leader.lead(self, generation);
            let is_left_over = leader.writer.take_recycling_wanted();
            let is_look_due = self.reserve.note_growth(leader.writer.open_bytes());
            // Whoever leads next begins before the callers of this generation are woken, and before it is folded where
            // that was left for now.
            drop(leading);
            told += landed.tell();
            if is_left_over || is_look_due {
                self.wake_recycle();
            }
            self.wake_index_if_wanted();
            self.wake_compact_if_wanted();
        }
        told
    }

    /// Shows a durable commit, and all before it, to readers.
    pub(crate) fn publish(&self, last: Receipt) {
        self.published_at.store(last.at.0, Ordering::Release);
        self.state.publish(last.seq);
        let watchers = *self.watch_gate.lock();
        if watchers > 0 {
            self.watch_bell.notify_all();
        }
    }

    pub(crate) fn published(&self) -> Seq {
        self.state.published()
    }

    pub(crate) fn published_at(&self) -> Timestamp {
        Timestamp(self.published_at.load(Ordering::Acquire))
    }

    /// Writes down what the log consists of.
    pub(crate) fn write_manifest(
        &self,
        writer: &LogWriter,
        clean: Option<manifest::CleanRow>,
    ) -> Result<(), CommitError> {
        let changed = self.keeper().change(|manifest| {
            (manifest.segments, manifest.clean) = (manifest::rows(&writer.segments()), clean);
        });
        changed.map_err(|error| self.not_written(error))
    }

    pub(crate) fn step_recycle(&self) -> bool {
        if self.latch.failure().is_some() {
            return false;
        }
        if self.step_reserve() {
            return true;
        }
        self.recycler.lock().as_mut().is_some_and(|recycler| recycler.step() != Recycled::Nothing)
    }

    pub(crate) fn is_read_only(&self) -> bool {
        self.read_only
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

/// How somebody comes to lead.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lead {
    /// Only if nobody leads.
    IfFree,
    /// After the one who leads now.
    Wait,
}

/// The lead. Dropped in this order, by a panic too: first the lock, then the relay.
struct Leading<'a> {
    guard: MutexGuard<'a, Option<Leader>>,
    _relay: Relay<'a>,
}

/// Hands the lead on when whoever led lets go, by returning or by panicking, while something still waits.
struct Relay<'a> {
    shared: &'a Arc<Shared>,
}

impl Drop for Relay<'_> {
    fn drop(&mut self) {
        // Pairs with the fences in `see_through` and `submit`: either they saw the lead free, or we see their commit.
        fence(Ordering::SeqCst);
        if self.shared.queue.hand_on() == Next::Thread && self.shared.settings.threads == Threads::Spawned {
            self.shared.workers.wake_leader(self.shared);
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.shared.fork.is_child() {
            self.shared.workers.forget();
            return;
        }
        if let Err(error) = self.shared.shared().close() {
            tracing::warn!(dir = %self.shared.dir.display(), %error, "store not closed cleanly");
        }
    }
}
