//! Which of many items are done: what was acknowledged outlives a SIGKILL, and workers share a job without doing an
//! item twice.

#![expect(clippy::print_stdout, reason = "a process that is to be killed says how far it came")]

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    thread,
};

use milepost::{
    ErrorKind, Store, Writer,
    task::{Progress, ProgressOptions},
};

use super::{Dice, Place, scope};

const ITEMS: usize = 20_000;
/// Marks of a batch.
const BATCH: usize = 64;
/// Names the store of a process that is to be killed.
const VICTIM: &str = "MILEPOST_TEST_PROGRESS_VICTIM";

fn items() -> impl Iterator<Item = String> {
    (0..ITEMS).map(|number| format!("/srv/lake/{:03}/part-{number:06}", number / 50))
}

fn job(store: &Store) -> Progress {
    let options = ProgressOptions { batch_marks: BATCH, ..ProgressOptions::default() };
    store.progress_with(&scope("task/load"), "checksum", &options).unwrap()
}

/// What the killed process does: says each item before it marks it, and what it knows to be durable.
fn victim(path: &str) {
    let store = Store::open(path).unwrap();
    let job = job(&store);
    for (count, item) in job.pending(items()).enumerate() {
        let item = item.unwrap();
        println!("begin {item}");
        job.done(&item).unwrap();
        if count % 500 == 499 {
            job.flush().unwrap();
            println!("durable");
        }
    }
    job.flush().unwrap();
    println!("durable");
    println!("over");
}

/// Kills a job again and again: nothing that was acknowledged is handed out again, nothing is left out, and of what was
/// marked no more comes again than two batches.
#[test]
fn sigkill_repeats_at_most_what_was_not_acknowledged() {
    if let Ok(path) = std::env::var(VICTIM) {
        return victim(&path);
    }
    let place = Place::new();
    let mut dice = Dice(5);
    let (mut durable, mut begun) = (BTreeSet::new(), BTreeSet::new());
    let (mut kills, mut repeated_max) = (0, 0);
    loop {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "progress::sigkill_repeats_at_most_what_was_not_acknowledged", "--nocapture"])
            .env(VICTIM, place.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut of_run, mut is_over, mut repeated) = (Vec::new(), false, 0);
        let lines_max = 200 + dice.roll(3000);
        for (count, line) in BufReader::new(child.stdout.take().unwrap()).lines().enumerate() {
            let line = line.unwrap();
            if let Some(item) = line.split_once("begin ").map(|(_, item)| item.to_owned()) {
                assert!(!durable.contains(&item), "{item} was acknowledged, and comes again after {kills} kills");
                repeated += usize::from(!begun.insert(item.clone()));
                of_run.push(item);
            } else if line.contains("durable") {
                durable.extend(of_run.drain(..));
            }
            is_over |= line.contains("over");
            if count as u64 == lines_max {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        // One was begun, and killed before it was marked.
        assert!(repeated <= 2 * BATCH + 1, "{repeated} items came again after kill {kills}");
        repeated_max = repeated_max.max(repeated);
        if is_over {
            break;
        }
        kills += 1;
    }
    assert!(kills > 4 && repeated_max > 0, "{kills} kills, {repeated_max} items came again");
    assert_eq!(begun.len(), ITEMS);
    let store = place.open();
    assert_eq!((job(&store).summary().unwrap().done, job(&store).pending(items()).count()), (ITEMS as u64, 0));
}

/// Threads that claim from lists of their own: each item is done by one of them.
#[test]
fn workers_that_claim_share_a_job() {
    let place = Place::new();
    let store = place.open();
    let mut done: Vec<String> = thread::scope(|threads| {
        let workers: Vec<_> = (0..4)
            .map(|worker| {
                let store = &store;
                threads.spawn(move || {
                    let task = store.task(&scope("task/load"), Writer::new(&format!("w{worker}")).unwrap()).unwrap();
                    let job = task.progress("checksum").unwrap();
                    let (mut list, mut did) = (job.pending(items().take(3000)), Vec::new());
                    loop {
                        let claimed = list.claim(97).unwrap();
                        if claimed.is_empty() {
                            return did;
                        }
                        for item in claimed {
                            job.done(&item).unwrap();
                            did.push(item);
                        }
                    }
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    done.sort();
    assert_eq!(done, items().take(3000).collect::<Vec<_>>());
    assert_eq!(job(&store).summary().unwrap().done, 3000);
}

/// Many threads that share one handle: all marks are there when the last handle is gone.
#[test]
fn dropping_the_last_handle_makes_the_rest_durable() {
    let place = Place::new();
    let store = place.open();
    let shared = job(&store);
    thread::scope(|threads| {
        for worker in 0..16 {
            let job = shared.clone();
            threads.spawn(move || (0..500).for_each(|number| job.done(format!("{worker}/{number}")).unwrap()));
        }
    });
    drop(shared);
    drop(store);
    let store = place.open();
    assert_eq!(job(&store).summary().unwrap().done, 8000);
    assert_eq!(job(&store).results().unwrap().count(), 8000);
}

/// An attempt that was overtaken is told so, and changes nothing more.
#[test]
fn a_zombie_marks_nothing() {
    let place = Place::new();
    let store = place.open();
    let open = |attempt| {
        let writer = Writer::new("w").unwrap().attempt(attempt);
        store.task(&scope("task/load"), writer).unwrap().progress("checksum").unwrap()
    };
    let zombie = open(1);
    zombie.done("a").unwrap();
    zombie.flush().unwrap();
    let next = open(2);
    zombie.done("b").unwrap();
    let error = zombie.flush().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    assert!(error.to_string().contains('1') && error.to_string().contains('2'), "{error}");
    assert_eq!(zombie.reset_all().unwrap_err().kind(), ErrorKind::Fenced);
    // What would change nothing is refused as well: it was once told that all was well, and went on.
    let other = open(2);
    drop(open(3));
    other.done("a").unwrap();
    assert_eq!(other.flush().unwrap_err().kind(), ErrorKind::Fenced, "marked as it is already");
    let overtaken = open(3);
    drop(open(4));
    assert_eq!(overtaken.retry_failed().unwrap_err().kind(), ErrorKind::Fenced, "nothing has failed");
    assert_eq!(overtaken.reset("none").unwrap_err().kind(), ErrorKind::Fenced, "it is pending already");
    assert_eq!(next.pending(["a", "b"]).map(Result::unwrap).collect::<Vec<_>>(), ["b"]);
}
