//! Many threads and many tickets: one total order, each commit in it once, each thread's own order kept.

use std::collections::BTreeSet;

use milepost::{Event, Seq};

use super::{Place, scope};

#[test]
fn threads_share_one_order() {
    let place = Place::new();
    let store = place.open();
    let (threads_count, rounds) = (8u8, 100u32);
    std::thread::scope(|threads| {
        for thread in 0..threads_count {
            let store = store.clone();
            threads.spawn(move || {
                let scope = scope(&format!("t/{thread}"));
                let mut last = Seq::ZERO;
                for round in 0..rounds {
                    let receipt = store.set(&scope, "k", &round.to_le_bytes()).unwrap();
                    assert!(receipt.seq > last);
                    last = receipt.seq;
                }
            });
        }
    });
    let mut seen = BTreeSet::new();
    for commit in store.replay(Seq::FIRST) {
        let commit = commit.unwrap();
        let [Event::Set { scope, value, .. }] = &commit.events[..] else { panic!("{commit:?}") };
        assert!(seen.insert((scope.clone(), value.clone())), "a commit stands twice in the log");
    }
    assert_eq!(seen.len(), usize::from(threads_count) * rounds as usize);
    assert_eq!(store.last().seq.0, seen.len() as u64);
}

#[test]
fn tickets_of_a_thread_keep_their_order() {
    let place = Place::new();
    let store = place.open();
    let scope = scope("a");
    let submit = |i: u32| store.commit().set(&scope, "k", &i.to_le_bytes()).submit().unwrap();
    let tickets: Vec<_> = (0..1000).map(submit).collect();
    for (index, ticket) in tickets.into_iter().enumerate() {
        assert_eq!(ticket.wait().unwrap().seq, Seq(index as u64 + 1));
    }
    assert_eq!(&*store.get(&scope, "k").unwrap().unwrap(), &999u32.to_le_bytes());
}

/// A dropped ticket is not a cancelled commit.
#[test]
fn a_dropped_ticket_commits_all_the_same() {
    let place = Place::new();
    let store = place.open();
    let scope = scope("a");
    for i in 0..10u8 {
        drop(store.commit().set(&scope, &i.to_string(), b"").submit().unwrap());
    }
    store.close().unwrap();
    assert_eq!(place.open().last().seq, Seq(10));
}

#[test]
fn tickets_are_futures_of_no_runtime() {
    let place = Place::new();
    let store = place.open();
    let scope = scope("a");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let tasks: Vec<_> = (0..100u8)
        .map(|i| {
            let (store, scope) = (store.clone(), scope.clone());
            runtime.spawn(async move { store.commit().set(&scope, &i.to_string(), &[i]).submit()?.await })
        })
        .collect();
    let mut seqs = BTreeSet::new();
    for task in tasks {
        seqs.insert(runtime.block_on(task).unwrap().unwrap().seq.0);
    }
    assert_eq!(seqs, (1..=100).collect());
}

/// Awaiting in one task and dropping its future half-way must not hurt the others of its batch.
#[test]
fn a_future_dropped_half_way_hurts_nobody() {
    let place = Place::new();
    let store = place.open();
    let scope = scope("a");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        for i in 0..50u8 {
            let dropped = store.commit().set(&scope, "dropped", &[i]).submit().unwrap();
            let kept = store.commit().set(&scope, "kept", &[i]).submit().unwrap();
            let _ = tokio::time::timeout(std::time::Duration::ZERO, dropped).await;
            kept.await.unwrap();
        }
    });
    assert_eq!(store.last().seq, Seq(100));
}
