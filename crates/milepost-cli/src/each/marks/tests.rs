use std::{
    path::PathBuf,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use milepost::{Seq, Store, Writer};
use tempfile::TempDir;

use super::Marks;
use crate::each::{
    handover::{self, Handover},
    job::{Job, OnChange},
    outlook::Earlier,
    run::FailedBefore,
};

fn begin(dir: &TempDir) -> (Job, Handover, PathBuf) {
    let store = Store::open(dir.path()).unwrap();
    let path = store.dir().join("each.handover");
    let command = ["true".to_owned()];
    let (job, handover) =
        Job::begin(store, "j", &command, OnChange::Refuse, FailedBefore::Skip, &Writer::new("w").unwrap()).unwrap();
    (job, handover, path)
}

fn items(names: &[&str]) -> Vec<Arc<[u8]>> {
    names.iter().map(|&name| name.as_bytes().into()).collect()
}

#[test]
fn a_mark_is_handed_over_at_once_and_becomes_durable_with_all_that_wait() {
    let dir = tempfile::tempdir().unwrap();
    let (job, handover, path) = begin(&dir);
    let marks = Marks::new(handover);
    for item in items(&["c", "a", "b"]) {
        assert!(marks.take(&item) && !marks.take(&item));
        marks.push(item, b"0 1".to_vec(), Earlier::Unmarked);
    }
    // Nobody commits yet, and still they would survive a kill.
    let left: Vec<Vec<u8>> =
        handover::read(&path).unwrap().unwrap().records.into_iter().map(|(item, _)| item).collect();
    assert_eq!(left, [b"c", b"a", b"b"]);
    assert_eq!(job.look_up(b"a").unwrap(), None);
    marks.close();
    marks.commit_all(&job).unwrap();
    let (durable, last) = marks.durable();
    assert_eq!(
        (durable, last.map(|receipt| receipt.seq)),
        (3, Some(Seq(3))),
        "one commit after the claim and that of the run"
    );
    for item in items(&["a", "b", "c"]) {
        assert!(job.look_up(&item).unwrap().is_some_and(|known| known.done && job.is_of_this_run(&known)));
        assert!(marks.take(&item), "out of hand once it is durable");
    }
}

/// With no room for the handover file, only the log can keep a mark: then the slot waits for it.
#[test]
fn without_a_handover_a_push_returns_only_when_the_mark_is_durable() {
    let dir = tempfile::tempdir().unwrap();
    let (job, _, _) = begin(&dir);
    let marks = Marks::new(Handover::full());
    thread::scope(|scope| {
        scope.spawn(|| marks.commit_all(&job).unwrap());
        for item in items(&["a", "b"]) {
            marks.push(Arc::clone(&item), b"0 1".to_vec(), Earlier::Unmarked);
            assert!(job.look_up(&item).unwrap().is_some());
        }
        marks.close();
    });
}

/// A store that takes no more must not leave a slot waiting for it.
#[test]
fn when_the_log_fails_nobody_waits() {
    let dir = tempfile::tempdir().unwrap();
    let (job, _, _) = begin(&dir);
    let marks = Marks::new(Handover::full());
    job.abandon();
    thread::scope(|scope| {
        let committer = scope.spawn(|| marks.commit_all(&job));
        for item in items(&["a", "b"]) {
            marks.push(item, b"0 1".to_vec(), Earlier::Unmarked);
        }
        assert!(committer.join().unwrap().is_err());
    });
    assert_eq!(marks.durable().0, 0);
}

/// What is left is told from time to time. Where the log took that no more, the thread that commits went without a
/// word: a slot with a mark that only the log could keep waited for it for ever.
#[test]
fn when_it_can_not_be_told_what_is_left_nobody_waits() {
    let dir = tempfile::tempdir().unwrap();
    let (job, _, _) = begin(&dir);
    let marks = Arc::new(Marks::new(Handover::full()));
    job.abandon();
    job.outlook().counted(7);
    assert!(marks.commit_all(&job).is_err(), "it looks, and can't tell");
    let (ended, end) = mpsc::channel();
    let pusher = Arc::clone(&marks);
    thread::spawn(move || {
        pusher.push(items(&["a"]).remove(0), b"0 1".to_vec(), Earlier::Unmarked);
        ended.send(()).unwrap();
    });
    end.recv_timeout(Duration::from_secs(60)).expect("the push returns");
}
