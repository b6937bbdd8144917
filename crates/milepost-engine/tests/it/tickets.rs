use std::{
    future::Future,
    path::Path,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

use milepost_engine::{Engine, Parts, Settings, Threads};
use milepost_io::SimDisk;
use milepost_types::{At, ScopePrefix, Seq, limits::BATCH_BYTES_MAX};

use crate::{open, scope};

#[test]
fn tickets_share_syncs() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let submit = |n: u32| store.submit(store.request().set(&scope("s"), "k", &n.to_le_bytes()).unwrap()).unwrap();
    let tickets: Vec<_> = (0..500).map(submit).collect();
    assert!(tickets.into_iter().all(|ticket| ticket.wait().is_ok()));
    assert!(store.stats().batches < 500);
}

#[test]
fn many_threads_see_their_own_commits() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let threads: Vec<_> = (0..16u32)
        .map(|id| {
            let store = store.engine.clone();
            milepost_io::spawn("committer", move || {
                let (scope, name) = (scope(&format!("t/{id}")), format!("t/{id}"));
                for n in 0..100u32 {
                    let receipt = store.commit(store.request().set(&scope, "n", &n.to_le_bytes()).unwrap()).unwrap();
                    let value = store.get(&name, "n").unwrap().unwrap();
                    assert_eq!((value.seq(), value.to_vec()), (receipt.seq, n.to_le_bytes().to_vec()));
                }
            })
            .unwrap()
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(store.last().seq, Seq(1600));
    let view = store.view(At::Latest).unwrap();
    assert_eq!(view.scopes(&ScopePrefix::parse("t").unwrap()).unwrap().len(), 16);
}

/// A commit was never answered: `stats` held the lead for a moment, so the commit's thread went to sleep until whoever
/// led would wake it; nobody led.
#[test]
fn looking_at_the_store_makes_no_commit_sleep() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (looking, done) = (store.engine.clone(), Arc::new(std::sync::atomic::AtomicBool::new(false)));
    let ended = Arc::clone(&done);
    let looks = milepost_io::spawn("looks", move || {
        let mut looks = 0u64;
        while !ended.load(std::sync::atomic::Ordering::Relaxed) {
            looks += u64::from(looking.stats().epoch) + u64::from(looking.failure().is_none());
        }
        looks
    });
    for n in 0..2000u32 {
        store.commit(store.request().set(&scope("s"), "k", &n.to_le_bytes()).unwrap()).unwrap();
    }
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(looks.unwrap().join().unwrap() > 0);
}

/// A thread that is woken.
struct Woken(std::thread::Thread);

impl Wake for Woken {
    fn wake(self: Arc<Woken>) {
        self.0.unpark();
    }
}

/// It needs no runtime: whoever polls it is woken once its outcome is there.
#[test]
fn a_ticket_is_a_plain_future() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let submit = |key: &str| store.submit(store.request().set(&scope("s"), key, b"").unwrap()).unwrap();
    let waker = Waker::from(Arc::new(Woken(std::thread::current())));
    for n in 1..=200u64 {
        let mut ticket = pin!(submit(&n.to_string()));
        let receipt = loop {
            match ticket.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(outcome) => break outcome.unwrap(),
                Poll::Pending => std::thread::park(),
            }
        };
        assert_eq!(receipt.seq, Seq(n));
    }
    // One that is dropped before its end does not take the commit back, and hangs nobody.
    drop(submit("dropped"));
    assert_eq!(submit("last").wait().unwrap().seq, Seq(202));
    assert!(store.get("s", "dropped").unwrap().is_some());
}

/// Where the caller drives the steps nobody else leads: each step leads what fits into a batch, and what does not fit
/// waits for the next.
#[test]
fn where_the_caller_leads_nobody_else_does() {
    let settings = Settings { threads: Threads::Stepped, ..Settings::default() };
    let parts = Parts { disk: Arc::new(SimDisk::new(1)), ..Parts::real() };
    let store = Engine::open(parts, Path::new("/s"), settings).unwrap();
    let submit = |bytes| store.submit(store.request().set(&scope("s"), "k", &vec![7; bytes]).unwrap()).unwrap();
    let tickets = [BATCH_BYTES_MAX / 2, BATCH_BYTES_MAX / 2, 10, 10].map(submit);
    for led in [1, 3, 0] {
        for _ in 0..1000 {
            std::thread::yield_now();
        }
        assert_eq!(store.step_leader().commits, led);
    }
    assert_eq!(tickets.map(|ticket| ticket.wait().unwrap().seq.0), [1, 2, 3, 4]);
    assert_eq!(store.stats().batches, 2);
}
