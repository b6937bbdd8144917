use milepost_types::{At, Seq};

use crate::{open, scope};

#[test]
fn many_tickets_of_one_thread_keep_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let submit = |n: u32| store.submit(store.request().set(&scope("s"), "k", &n.to_le_bytes()).unwrap()).unwrap();
    let tickets: Vec<_> = (0..500).map(submit).collect();
    for (n, ticket) in tickets.into_iter().enumerate() {
        assert_eq!(ticket.wait().unwrap().seq, Seq(n as u64 + 1));
    }
    assert!(store.stats().batches < 500, "tickets share syncs");
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
    assert_eq!(view.scopes(&"t".parse_prefix()).unwrap().len(), 16);
}

trait ParsePrefix {
    fn parse_prefix(&self) -> milepost_types::ScopePrefix;
}

impl ParsePrefix for str {
    fn parse_prefix(&self) -> milepost_types::ScopePrefix {
        milepost_types::ScopePrefix::parse(self).unwrap()
    }
}

/// A commit was never answered: `stats` held the lead for a moment, so the commit's thread went to sleep until whoever
/// led would wake it; nobody led.
#[test]
fn looking_at_the_store_makes_no_commit_sleep() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (looking, done) = (store.engine.clone(), std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false)));
    let ended = std::sync::Arc::clone(&done);
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

#[test]
fn a_ticket_is_a_plain_future() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let mut tasks = Vec::new();
        for n in 0..200u32 {
            let store = store.engine.clone();
            tasks.push(tokio::spawn(async move {
                let request = store.request().set(&scope("s"), &format!("{n}"), b"").unwrap();
                store.submit(request).unwrap().await.unwrap().seq.0
            }));
        }
        let mut seqs = Vec::new();
        for task in tasks {
            seqs.push(task.await.unwrap());
        }
        seqs.sort_unstable();
        assert_eq!(seqs, (1..=200).collect::<Vec<u64>>());
        // A future dropped before its end does not take the commit back, and hangs nobody.
        let dropped = store.submit(store.request().set(&scope("s"), "dropped", b"").unwrap()).unwrap();
        drop(dropped);
        store.submit(store.request().set(&scope("s"), "last", b"").unwrap()).unwrap().await.unwrap();
        assert!(store.get("s", "dropped").unwrap().is_some());
    });
}
