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
