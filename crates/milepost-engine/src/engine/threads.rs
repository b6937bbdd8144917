//! [`Workers`]: the threads that call the engine's steps. They start when there is first something for them to do, so
//! that a process of one commit has none.
//!
//! Knows nothing of what a step does.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use crossbeam::sync::{Parker, Unparker};
use parking_lot::Mutex;

use super::{Lead, Shared};

/// Room comes back within a second of the last read of what was dropped.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// The engine's threads.
#[derive(Debug, Default)]
pub(super) struct Workers {
    leader: Worker,
    recycle: Worker,
    index: Worker,
    compact: Worker,
    stopping: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Worker {
    /// `None` until the thread is first needed.
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    unparker: Unparker,
    thread: JoinHandle<()>,
}

impl Workers {
    /// Has the leading thread look at the queue.
    pub(super) fn wake_leader(&self, shared: &Arc<Shared>) {
        let step = |shared: &Arc<Shared>| {
            // A generation with a caller who waits for it is that caller's to lead.
            shared.lead_some(Lead::IfFree, || shared.queue.is_for_thread());
            Then::Sleep
        };
        self.leader.wake("milepost-leader", &self.stopping, shared, step);
    }

    /// Has the thread that sees to what old segments left look for work.
    pub(super) fn wake_recycle(&self, shared: &Arc<Shared>) {
        self.recycle.wake("milepost-recycle", &self.stopping, shared, |shared| match shared.step_recycle() {
            true => Then::GoOn,
            // Whoever still reads a file that was dropped does not say when they are done.
            false if shared.waits_for_readers() => Then::LookIn(LOOK_AGAIN),
            false => Then::Sleep,
        });
    }

    /// Has the thread that makes runs look for work.
    pub(super) fn wake_index(&self, shared: &Arc<Shared>) {
        self.index.wake("milepost-index", &self.stopping, shared, |shared| Then::go_on(shared.step_index()));
    }

    /// Has the thread that compacts look for work, now and from time to time.
    pub(super) fn wake_compact(&self, shared: &Arc<Shared>) {
        self.begin_compact(shared);
        self.compact.unpark();
    }

    /// The same, but not now.
    pub(super) fn begin_compact(&self, shared: &Arc<Shared>) {
        let first = Then::LookIn(shared.settings.look_every);
        self.compact.begin("milepost-compact", &self.stopping, shared, first, |shared| match shared.compact_gently() {
            true => Then::GoOn,
            // What is kept for a time goes by the clock, which wakes nobody.
            false => Then::LookIn(shared.settings.look_every),
        });
    }

    /// Ends the threads and waits for them.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        for worker in self.all() {
            let running = worker.running.lock().take();
            if let Some(running) = running {
                running.unparker.unpark();
                // The last handle may go in a ticket dropped by one of these threads, which can't wait for itself.
                if running.thread.thread().id() != std::thread::current().id() {
                    let _ = running.thread.join();
                }
            }
        }
    }

    fn all(&self) -> [&Worker; 4] {
        [&self.leader, &self.recycle, &self.index, &self.compact]
    }

    /// In a forked child: the threads are not there, so there is nothing to wait for.
    pub(super) fn forget(&self) {
        for worker in self.all() {
            std::mem::forget(worker.running.try_lock().and_then(|mut running| running.take()));
        }
    }
}

impl Worker {
    fn wake(&self, name: &str, stopping: &Arc<AtomicBool>, shared: &Arc<Shared>, step: fn(&Arc<Shared>) -> Then) {
        self.begin(name, stopping, shared, Then::Sleep, step);
        self.unpark();
    }

    fn unpark(&self) {
        if let Some(running) = self.running.lock().as_ref() {
            running.unparker.unpark();
        }
    }

    /// Starts the thread where there is none yet. It does `first` first, until it is woken.
    fn begin(
        &self,
        name: &str,
        stopping: &Arc<AtomicBool>,
        shared: &Arc<Shared>,
        first: Then,
        step: fn(&Arc<Shared>) -> Then,
    ) {
        let mut running = self.running.lock();
        if running.is_some() || stopping.load(Ordering::Acquire) {
            return;
        }
        let parker = Parker::new();
        let unparker = parker.unparker().clone();
        let (stopping, weak) = (Arc::clone(stopping), Arc::downgrade(shared));
        match milepost_io::spawn(name, move || run(&parker, &stopping, &weak, first, step)) {
            Ok(thread) => *running = Some(Running { unparker, thread }),
            // Without a thread the callers lead for themselves when they wait.
            Err(error) => tracing::warn!(%error, name, "no thread for background work"),
        }
    }
}

/// What a thread does after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    GoOn,
    Sleep,
    /// Sleeps for so long, unless it is woken.
    LookIn(Duration),
}

impl Then {
    fn go_on(is_more: bool) -> Then {
        if is_more { Then::GoOn } else { Then::Sleep }
    }
}

/// Steps for as long as a step says there is more, then sleeps until woken. A panic of a step is caught: the step's own
/// guard has told its callers, and those that still wait must be told too.
fn run(parker: &Parker, stopping: &AtomicBool, shared: &Weak<Shared>, first: Then, step: fn(&Arc<Shared>) -> Then) {
    let mut then = first;
    loop {
        match then {
            Then::GoOn => {}
            Then::Sleep => parker.park(),
            Then::LookIn(time) => parker.park_timeout(time),
        }
        if stopping.load(Ordering::Acquire) {
            return;
        }
        let Some(shared) = shared.upgrade() else { return };
        then = catch_unwind(AssertUnwindSafe(|| step(&shared))).unwrap_or(Then::GoOn);
    }
}
