//! What the queue takes and what it refuses, who is to lead what waits, and how callers learn what became of it.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize},
    task::Wake,
};

use milepost_log::format::frame::FRAME_HEADER_BYTES;
use milepost_types::{
    Meta, Seq, Timestamp,
    limits::{BATCH_BYTES_MAX, QUEUE_BYTES_MAX, QUEUE_COMMITS_MAX},
};

use super::*;

/// The smallest commit of these tests.
const SMALL: usize = 48;

/// A commit that takes so many bytes in a segment, a multiple of eight.
fn commit(bytes: usize) -> Sealed {
    let sealed = Sealed {
        body: vec![0; bytes - FRAME_HEADER_BYTES],
        body_crc: 0,
        events: 1,
        preconditions: Vec::new(),
        unerased: None,
        meta: Meta::default(),
        takes_away: false,
        gives_room: false,
        forks: false,
        recorded: None,
        only_asks: false,
        in_pipeline: None,
    };
    assert_eq!(sealed.frame_bytes(), bytes);
    sealed
}

/// How much waits, by the word of a refusal; `None` if the commit was taken.
fn refused(queue: &Queue, bytes: usize) -> Option<(usize, usize)> {
    match queue.push(commit(bytes), true) {
        Ok(_) => None,
        Err(CommitError::QueueFull { commits, bytes }) => Some((commits, bytes)),
        Err(error) => panic!("{error}"),
    }
}

fn sizes(queue: &Queue) -> (usize, usize) {
    let Waits { commits, bytes } = queue.sizes();
    (commits, bytes)
}

/// Memory is bounded by bytes that wait, whatever the commits are; but one that is larger than all of it is not kept
/// out for good.
#[test]
fn what_waits_has_no_more_bytes_than_it_may_and_one_commit_is_always_taken() {
    let queue = Queue::default();
    assert_eq!(refused(&queue, QUEUE_BYTES_MAX + 8), None);
    assert_eq!(refused(&queue, SMALL), Some((1, QUEUE_BYTES_MAX + 8)));
    assert_eq!(queue.take().unwrap().bytes, QUEUE_BYTES_MAX + 8);
    for _ in 0..4 {
        assert_eq!(refused(&queue, QUEUE_BYTES_MAX / 4), None);
    }
    assert_eq!(refused(&queue, SMALL), Some((4, QUEUE_BYTES_MAX)), "as many as may be");
    assert_eq!(queue.take().unwrap().commits.len(), 1);
    assert_eq!(refused(&queue, QUEUE_BYTES_MAX / 4 + 8), Some((3, QUEUE_BYTES_MAX / 4 * 3)), "eight bytes too many");
    assert_eq!(refused(&queue, QUEUE_BYTES_MAX / 4 - SMALL), None);
    assert_eq!(refused(&queue, SMALL), None);
    assert_eq!(sizes(&queue), (5, QUEUE_BYTES_MAX), "what is refused is not counted");
}

#[test]
fn no_more_commits_wait_than_may() {
    let queue = Queue::default();
    for waiting in 0..QUEUE_COMMITS_MAX {
        assert_eq!(refused(&queue, SMALL), None, "beside {waiting}");
    }
    assert_eq!(refused(&queue, SMALL), Some((QUEUE_COMMITS_MAX, QUEUE_COMMITS_MAX * SMALL)));
    let taken = queue.take().unwrap().commits.len();
    assert_eq!(sizes(&queue), (QUEUE_COMMITS_MAX - taken, (QUEUE_COMMITS_MAX - taken) * SMALL));
    assert_eq!(refused(&queue, SMALL), None);
    while queue.take().is_some() {}
    assert_eq!(sizes(&queue), (0, 0));
}

/// All that one leader takes fits into a batch, unless it is a single commit.
#[test]
fn a_generation_ends_where_the_next_commit_would_be_too_much_for_a_batch() {
    let queue = Queue::default();
    for (bytes, index) in [
        (BATCH_BYTES_MAX / 2, 0),
        (BATCH_BYTES_MAX / 2, 1),
        (SMALL, 0),
        (BATCH_BYTES_MAX - SMALL, 1),
        (SMALL, 0),
        (BATCH_BYTES_MAX - SMALL + 8, 0),
        (SMALL, 0),
        (SMALL, 1),
        (2 * BATCH_BYTES_MAX, 0),
        (SMALL, 0),
    ] {
        assert_eq!(queue.push(commit(bytes), true).unwrap().index, index, "{bytes}");
    }
    let taken = std::iter::from_fn(|| queue.take()).map(|taken| (taken.commits.len(), taken.bytes));
    let full = (2, BATCH_BYTES_MAX);
    let small = (1, SMALL);
    let over = (1, BATCH_BYTES_MAX - SMALL + 8);
    assert_eq!(taken.collect::<Vec<_>>(), [full, full, small, over, (2, 2 * SMALL), (1, 2 * BATCH_BYTES_MAX), small]);
}

/// Whoever waits and came first leads; where nobody who waits came first, a thread of the engine does.
#[test]
fn the_first_caller_that_waits_leads_its_generation() {
    let queue = Queue::default();
    assert_eq!((queue.hand_on(), queue.is_for_thread()), (Next::Nobody, false));
    let push = |waits: bool| queue.push(commit(BATCH_BYTES_MAX / 4), waits).unwrap();
    let places: Vec<Place> = [true, false, true, true, false, true, false, false, true].into_iter().map(push).collect();
    let roles: Vec<Role> = places.iter().map(|place| place.role).collect();
    let (first, second) = ([Role::Successor, Role::Follower, Role::Follower, Role::Follower], [Role::Volunteer; 4]);
    assert_eq!(roles, [&first[..], &second, &[Role::Successor]].concat());
    for (index, next) in [(0, Next::Caller), (4, Next::Thread), (8, Next::Caller)] {
        let fate = &places[index].fate;
        assert_eq!(queue.is_for_thread(), next == Next::Thread, "{index}");
        assert_eq!(fate.lead.load(Ordering::SeqCst), 0, "{index}: not told before its turn");
        let told = u32::from(next == Next::Caller);
        assert_eq!(queue.hand_on(), next, "{index}");
        assert_eq!(fate.lead.load(Ordering::SeqCst), told, "{index}");
        assert!(Arc::ptr_eq(&queue.take().unwrap().fate, fate));
    }
    assert_eq!((queue.hand_on(), queue.is_for_thread()), (Next::Nobody, false));
}

fn receipt(seq: u64) -> Receipt {
    Receipt { seq: Seq(seq), at: Timestamp(0) }
}

fn outcome(fate: &Fate, index: u32) -> Option<Seq> {
    fate.outcome(index).map(|outcome| outcome.unwrap().seq)
}

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Woken>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Tickets are polled in any order, some of them never and some of them twice.
#[test]
fn whoever_was_polled_is_woken_once_the_outcome_is_there() {
    let (fate, woken) = (Fate::default(), [(); 5].map(|()| Arc::new(Woken::default())));
    let later = |index: u32, by: usize| fate.wake_later(index, &Waker::from(Arc::clone(&woken[by])));
    assert!(!later(3, 0) && !later(0, 1) && !later(3, 2) && !later(2, 3));
    assert!(!fate.is_done() && outcome(&fate, 0).is_none());
    assert!(woken.iter().all(|woken| woken.0.load(Ordering::SeqCst) == 0));
    fate.complete((1..=4).map(|seq| Ok(receipt(seq))).collect());
    let counts = || woken.each_ref().map(|woken| woken.0.load(Ordering::SeqCst));
    assert_eq!(counts(), [0, 1, 1, 1, 0], "the last that each was polled with");
    assert!(fate.is_done() && later(1, 4), "who comes now need not wait");
    assert_eq!(
        [0, 1, 2, 3, 4].map(|index| outcome(&fate, index).map(|seq| seq.0)),
        [Some(1), Some(2), Some(3), Some(4), None]
    );
    // What is said once stays: a leader that panics later changes nothing of it.
    fate.complete(vec![Ok(receipt(9)); 4]);
    assert_eq!((outcome(&fate, 0), counts()), (Some(Seq(1)), [0, 1, 1, 1, 0]));
}

/// Lets other threads run for a while.
fn let_others_run() {
    for _ in 0..200 {
        std::thread::yield_now();
    }
}

/// Whoever is to lead sleeps until it is its turn, and no longer: also where its commit was led by somebody else.
#[test]
fn the_next_leader_sleeps_until_it_is_told_to_lead_or_its_outcome_is_there() {
    for round in 0..40 {
        let (fate, is_told, begun) = (Fate::default(), AtomicBool::new(false), AtomicBool::new(false));
        std::thread::scope(|threads| {
            threads.spawn(|| {
                begun.store(true, Ordering::SeqCst);
                fate.wait_for_lead();
                assert!(is_told.load(Ordering::SeqCst), "round {round}: it went ahead by itself");
                assert_eq!(fate.is_done(), round % 2 == 1);
            });
            while !begun.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            let_others_run();
            is_told.store(true, Ordering::SeqCst);
            if round % 2 == 0 { fate.give_lead() } else { fate.complete(vec![Ok(receipt(1))]) }
        });
    }
}

/// All callers of a generation are woken, the ones that sleep and those that come too late to sleep.
#[test]
fn those_who_wait_for_an_outcome_find_it_there_when_they_wake() {
    for round in 0..20 {
        let (fate, begun) = (Fate::default(), AtomicUsize::new(0));
        std::thread::scope(|threads| {
            for index in 0..3 {
                let (fate, begun) = (&fate, &begun);
                threads.spawn(move || {
                    begun.fetch_add(1, Ordering::SeqCst);
                    fate.wait();
                    assert_eq!(outcome(fate, index), Some(Seq(u64::from(index) + 1)), "round {round}");
                });
            }
            while begun.load(Ordering::SeqCst) < round % 4 {
                std::thread::yield_now();
            }
            let_others_run();
            fate.complete((1..=3).map(|seq| Ok(receipt(seq))).collect());
        });
    }
}
