//! Jobs on a simulated disk, under a clock in hand: whatever happens, no mark that was acknowledged is lost, no item is
//! handed out that is done, and the counts are what a walk over the marks counts.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
    time::Duration,
};

use milepost_engine::{Engine, Parts, Settings, Threads};
use milepost_io::{Crash, Process, SimClock, SimDisk, SimEntropy, SimRng};
use milepost_types::Writer;

use super::*;
use crate::ErrorKind;

const SECOND_US: i64 = 1_000_000;

struct World {
    disk: SimDisk,
    clock: SimClock,
    store: Store,
}

impl World {
    fn new(seed: u64) -> World {
        World::of(SimDisk::new(seed), SimClock::new(Timestamp(1_700_000_000_000_000)))
    }

    fn of(disk: SimDisk, clock: SimClock) -> World {
        World::driven(disk, clock, Threads::Stepped)
    }

    fn driven(disk: SimDisk, clock: SimClock, threads: Threads) -> World {
        let entropy = Arc::new(SimEntropy::new(7));
        let parts = Parts {
            disk: Arc::new(disk.clone()),
            clock: Arc::new(clock.clone()),
            entropy,
            process: Process::simulated(),
        };
        let settings = Settings { threads, segment_bytes: 64 << 10, memory_bytes: 128 << 10, ..Settings::default() };
        let store = Store::over(Engine::open(parts, Path::new("/s"), settings).unwrap());
        World { disk, clock, store }
    }

    fn job(&self, worker: &str, options: &ProgressOptions) -> Progress {
        let scope = Scope::parse("task/load").unwrap();
        let task = self.store.task(&scope, Writer::new(worker).unwrap()).unwrap();
        task.progress_with("checksum", options).unwrap()
    }
}

/// Batches that only a flush or their size commits, so that a test says when.
fn by_hand(batch_marks: usize) -> ProgressOptions {
    ProgressOptions { batch_marks, batch_delay: Duration::from_secs(3600), lease: Duration::from_secs(60) }
}

fn names(items: impl IntoIterator<Item = Result<String>>) -> Vec<String> {
    items.into_iter().map(Result::unwrap).collect()
}

fn listed(listing: Listing) -> BTreeMap<Vec<u8>, Vec<u8>> {
    listing.map(|marked| marked.map(|marked| (marked.item, marked.value.to_vec())).unwrap()).collect()
}

#[derive(Clone, Debug, PartialEq)]
enum Is {
    Failed(String, bool),
    Skipped(String),
    Done(String),
}

/// What the job must say: the rules of a mark, once more.
fn say(model: &mut BTreeMap<Vec<u8>, Is>, item: &[u8], is: Is) {
    let before = model.get(item).cloned();
    let after = match (before, is) {
        (Some(Is::Done(old)), Is::Done(new)) if new.is_empty() => Is::Done(old),
        (Some(Is::Done(old)), Is::Failed(..) | Is::Skipped(_)) => Is::Done(old),
        (Some(Is::Skipped(old)), Is::Skipped(new)) if new.is_empty() => Is::Skipped(old),
        (Some(Is::Skipped(old)), Is::Failed(..)) => Is::Skipped(old),
        (Some(Is::Failed(old, false)), Is::Failed(new, _)) if new.is_empty() => Is::Failed(old, false),
        (_, is) => is,
    };
    model.insert(item.to_vec(), after);
}

fn item(number: u64) -> Vec<u8> {
    match number % 5 {
        0 => format!("dir/{number}\\").into_bytes(),
        1 => [b"caf\xe9/", number.to_string().as_bytes()].concat(),
        2 => [vec![b'x'; 1500], number.to_string().into_bytes()].concat(),
        _ => format!("dir/{number}").into_bytes(),
    }
}

fn compare(job: &Progress, model: &BTreeMap<Vec<u8>, Is>, all: u64) {
    let of = |pick: &dyn Fn(&Is) -> Option<&String>| -> BTreeMap<Vec<u8>, Vec<u8>> {
        model.iter().filter_map(|(item, is)| Some((item.clone(), pick(is)?.clone().into_bytes()))).collect()
    };
    let done = of(&|is| if let Is::Done(text) = is { Some(text) } else { None });
    let failed = of(&|is| if let Is::Failed(text, false) = is { Some(text) } else { None });
    let skipped = of(&|is| if let Is::Skipped(text) = is { Some(text) } else { None });
    assert_eq!(listed(job.results().unwrap()), done);
    assert_eq!(listed(job.failures().unwrap()), failed);
    assert_eq!(listed(job.skips().unwrap()), skipped);
    let summary = job.summary().unwrap();
    let counts = (summary.done, summary.failed, summary.skipped);
    assert_eq!(counts, (done.len() as u64, failed.len() as u64, skipped.len() as u64));
    // Twice in a row, and the whole list again.
    let list: Vec<Vec<u8>> =
        (0..all).flat_map(|number| [item(number), item(number)]).chain((0..all).map(item)).collect();
    let pending: Vec<Vec<u8>> = job.pending(list).map(Result::unwrap).collect();
    let expected: Vec<Vec<u8>> = (0..all)
        .map(item)
        .filter(|item| !model.contains_key(item) || matches!(model[item], Is::Failed(_, true)))
        .collect();
    assert_eq!(pending, expected);
}

/// Marks of all kinds, of two handles in turn, with resets, retries, runs made and the store opened again in between.
#[test]
fn a_job_says_what_a_map_says() {
    for seed in 0..12 {
        let mut world = World::new(seed);
        let mut rng = SimRng::new(seed);
        let mut model = BTreeMap::new();
        for round in 0..14 {
            let jobs = [world.job("a", &by_hand(3 + rng.index(40))), world.job("b", &by_hand(7))];
            for _ in 0..rng.below(120) {
                let (job, number) = (&jobs[rng.index(2)], rng.below(90));
                let (item, text) =
                    (item(number), if rng.coin() { format!("{}", rng.below(99)) } else { String::new() });
                match rng.below(9) {
                    0..5 => job.done_with(&item, text.as_bytes()).map(|()| say(&mut model, &item, Is::Done(text))),
                    5..7 => job.failed(&item, &text).map(|()| say(&mut model, &item, Is::Failed(text, false))),
                    7 => job.skip(&item, &text).map(|()| say(&mut model, &item, Is::Skipped(text))),
                    _ => job.reset(&item).map(|()| drop(model.remove(&item))),
                }
                .unwrap();
                // Handles are not ordered among each other before a flush.
                job.flush().unwrap();
            }
            match rng.below(8) {
                0 => {
                    let failed = jobs[0].retry_failed().unwrap();
                    let mut count = 0;
                    for is in model.values_mut() {
                        if let Is::Failed(_, retried @ false) = is {
                            (*retried, count) = (true, count + 1);
                        }
                    }
                    assert_eq!(failed, count);
                }
                1 if round > 8 => {
                    jobs[1].reset_all().unwrap();
                    model.clear();
                }
                2 => while world.store.engine().step_index() {},
                _ => {}
            }
            compare(&jobs[0], &model, 100);
            compare(&jobs[1], &model, 100);
            drop(jobs);
            if rng.coin() {
                let killed = world.disk.kill();
                world = World::of(killed, world.clock.clone());
            }
        }
    }
}

/// A power loss at any operation: what was flushed is there, what was not is there as whole batches, in order.
#[test]
fn a_crash_repeats_at_most_what_was_not_acknowledged() {
    let list: Vec<String> = (0..200).map(|number| format!("dir/{number:03}")).collect();
    let mut lost_max = 0;
    for seed in 0..60 {
        let mut rng = SimRng::new(seed);
        let mut world = World::new(seed);
        let mut flushed = BTreeSet::new();
        for crash in 0..5 {
            world.disk.power_off_after(rng.below(60));
            let job = world.job("a", &by_hand(8));
            let (mut said, mut begun) = (Vec::new(), BTreeSet::new());
            let mut work = || -> Result<()> {
                for item in job.pending(&list) {
                    let item = item?;
                    assert!(!flushed.contains(item), "seed {seed}: {item} was done");
                    assert!(begun.insert(item), "seed {seed}: {item} twice");
                    job.done(item)?;
                    said.push(item.clone());
                    if rng.below(20) == 0 {
                        job.flush()?;
                        flushed.extend(said.iter().cloned());
                    }
                }
                job.flush()?;
                flushed.extend(said.iter().cloned());
                Ok(())
            };
            let worked = work();
            let after = world.disk.crash(Crash::ALL[rng.index(8)], seed * 8 + crash);
            drop(job);
            world = World::of(after, world.clock.clone());
            let again = world.job("a", &by_hand(8));
            let done = listed(again.results().unwrap()).into_keys().map(|item| String::from_utf8(item).unwrap());
            let done: BTreeSet<String> = done.collect();
            assert!(flushed.is_subset(&done), "seed {seed}: an acknowledged mark is lost");
            assert_eq!(again.summary().unwrap().done, done.len() as u64);
            // In order: what is there of this run is what it said first.
            let kept = said.iter().take_while(|item| done.contains(*item)).count();
            assert!(said[kept..].iter().all(|item| !done.contains(item)), "seed {seed}: a gap");
            let lost = said.len() - kept;
            assert!(lost <= 2 * 8, "seed {seed}: {lost} marks are repeated, which are more than two batches");
            lost_max = lost_max.max(lost);
            flushed = done;
            if worked.is_ok() {
                assert_eq!(flushed.len(), list.len());
                break;
            }
        }
    }
    assert!(lost_max >= 8, "no crash has met a whole batch: {lost_max}");
}

/// A worker that died holds its items for as long as its lease lasts, whatever the clock does.
#[test]
fn a_lease_is_taken_over_once_it_has_expired() {
    let world = World::new(1);
    let list = ["a", "b", "c", "d"].map(String::from);
    let (one, other) = (world.job("one", &by_hand(100)), world.job("other", &by_hand(100)));
    assert_eq!(one.pending(list.clone()).claim(2).unwrap(), ["a", "b"]);
    one.done("a").unwrap();
    one.flush().unwrap();
    let mut rest = other.pending(list.clone());
    assert_eq!(rest.claim(9).unwrap(), ["c", "d"]);
    assert_eq!(rest.claim(9).unwrap(), [""; 0]);
    world.clock.advance(59 * SECOND_US as u64);
    assert_eq!(other.pending(list.clone()).claim(9).unwrap(), [""; 0]);
    world.clock.advance(2 * SECOND_US as u64);
    assert_eq!(other.pending(list.clone()).claim(1).unwrap(), ["b"]);
    // The first was slow, not dead: its word counts, and the second's changes nothing.
    one.done("b").unwrap();
    one.flush().unwrap();
    other.failed("b", "late").unwrap();
    other.flush().unwrap();
    assert!(matches!(other.find("b").unwrap(), Found::Done(_)));
    assert_eq!(other.summary().unwrap().failed, 0);
    assert_eq!(names(one.pending(list.clone())), ["c", "d"]);
}

/// A worker that lost its lease says late that the item failed. It freed the item of whoever had it by then, so that
/// after `retry_failed` a third one got it beside the second.
#[test]
fn a_late_failure_takes_no_lease_from_another() {
    let world = World::new(1);
    let list = ["a", "b"].map(String::from);
    let [slow, second, third] = ["slow", "second", "third"].map(|name| world.job(name, &by_hand(100)));
    assert_eq!(slow.pending(list.clone()).claim(2).unwrap(), ["a", "b"]);
    slow.failed("b", "in time").unwrap();
    slow.flush().unwrap();
    slow.failed("a", "late").unwrap();
    world.clock.advance(61 * SECOND_US as u64);
    assert_eq!(second.pending(list.clone()).claim(1).unwrap(), ["a"]);
    slow.flush().unwrap();
    assert!(matches!(slow.find("a").unwrap(), Found::Failed(_)));
    third.retry_failed().unwrap();
    assert_eq!(third.pending(list.clone()).claim(2).unwrap(), ["b"], "the second one is at the other");
    slow.failed("a", "late again").unwrap();
    slow.flush().unwrap();
    // It has failed already, and this says nothing of it but that the second one is done with it.
    second.failed("a", "").unwrap();
    second.flush().unwrap();
    third.retry_failed().unwrap();
    assert_eq!(third.pending(list.clone()).claim(2).unwrap(), ["a"]);
}

/// Of more failures than a commit has conditions all are told; the leases that can't be given up end by themselves.
#[test]
fn more_failures_than_a_commit_has_conditions_are_told_at_once() {
    let world = World::new(1);
    let list: Vec<String> = (0..3000).map(|item| format!("{item:04}")).collect();
    let (one, other) = (world.job("one", &by_hand(4000)), world.job("other", &by_hand(4000)));
    let mut pending = one.pending(list.clone());
    for _ in 0..3 {
        for item in pending.claim(1000).unwrap() {
            one.failed(item, "no").unwrap();
        }
    }
    one.flush().unwrap();
    assert_eq!(one.summary().unwrap().failed, 3000);
    other.retry_failed().unwrap();
    assert_eq!(other.pending(list.clone()).claim(1024).unwrap(), list[..1023], "those are free at once");
    world.clock.advance(61 * SECOND_US as u64);
    assert_eq!(other.pending(list.clone()).claim(1024).unwrap(), list[..1024]);
}

/// FAULTS: a clock that jumps. Forwards, a lease ends early: an item may be done twice, and is counted once. Backwards,
/// it ends late: time stands still until the clock has caught up, and nothing is handed out twice.
#[test]
fn a_clock_that_jumps_during_a_lease_loses_no_item() {
    let list = ["a", "b"].map(String::from);
    let world = World::new(2);
    let (one, other) = (world.job("one", &by_hand(100)), world.job("other", &by_hand(100)));
    assert_eq!(one.pending(list.clone()).claim(1).unwrap(), ["a"]);
    world.clock.jump(-3600 * SECOND_US);
    assert_eq!(other.pending(list.clone()).claim(2).unwrap(), ["b"]);
    world.clock.jump(2 * 3600 * SECOND_US);
    assert_eq!(other.pending(list.clone()).claim(2).unwrap(), ["a", "b"]);
    for job in [&one, &other] {
        list.iter().for_each(|item| job.done(item).unwrap());
        job.flush().unwrap();
    }
    assert_eq!(one.summary().unwrap().done, 2);
    world.clock.jump(-3600 * SECOND_US);
    assert_eq!(one.pending(list.clone()).claim(2).unwrap(), [""; 0]);
    // The lease of a failed item goes with the failure.
    one.reset_all().unwrap();
    assert_eq!(one.pending(list.clone()).claim(1).unwrap(), ["a"]);
    one.failed("a", "no").unwrap();
    one.retry_failed().unwrap();
    assert_eq!(other.pending(list.clone()).claim(1).unwrap(), ["a"]);
}

/// The rate is of the last minute, and of all; what is left is told with them.
#[test]
fn a_summary_knows_the_pace() {
    let world = World::new(3);
    let job = world.job("a", &by_hand(1000));
    job.expect_total(1000);
    for minute in 0..10 {
        for number in 0..if minute == 9 { 60 } else { 10 } {
            job.done(format!("{minute}/{number}")).unwrap();
        }
        job.flush().unwrap();
        world.clock.advance(60 * SECOND_US as u64);
    }
    let summary = job.summary().unwrap();
    assert_eq!((summary.done, summary.left()), (150, Some(850)));
    // The last marks are a minute old, to the microsecond.
    assert!(summary.per_second_lately < 1.01, "{summary:?}");
    assert!((summary.per_second - 150.0 / 540.0).abs() < 0.01, "{summary:?}");
    world.clock.jump(-30 * SECOND_US);
    let lately = job.summary().unwrap();
    assert!((lately.per_second_lately - 1.0).abs() < 0.01, "{lately:?}");
    assert_eq!(lately.eta().map(|eta| eta.as_secs() / 10), Some(85), "{lately:?}");
    world.clock.jump(3600 * SECOND_US);
    assert_eq!((job.summary().unwrap().per_second_lately, job.summary().unwrap().eta()), (0.0, None));
}

/// A full disk: the worker is told, nothing is lost, and it goes on when there is room.
#[test]
fn a_full_disk_is_told_and_survived() {
    let world = World::new(4);
    let job = world.job("a", &by_hand(4));
    job.done("a").unwrap();
    job.flush().unwrap();
    world.disk.set_capacity(Some(world.disk.used_bytes()));
    let mut told = 0;
    for number in 0..2000 {
        match job.done([format!("{number}"), "x".repeat(900)].concat()) {
            Ok(()) => {}
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::DiskFull, "{error}");
                told += 1;
                break;
            }
        }
    }
    assert_eq!(told, 1);
    world.disk.set_capacity(None);
    job.flush().unwrap();
    let done = job.summary().unwrap().done;
    assert!(done > 1);
    assert_eq!(listed(job.results().unwrap()).len() as u64, done);
}

/// The thread that commits batches goes to sleep when one fails, until somebody has been told. A worker that was told,
/// and said the same again once there was room, committed that batch itself, and then waited for room behind the next
/// one for ever: nobody had woken the thread.
#[test]
fn workers_go_on_after_a_full_disk() {
    let clock = SimClock::new(Timestamp(1_700_000_000_000_000));
    let world = World::driven(SimDisk::new(4), clock, Threads::Spawned);
    let job = world.job("a", &by_hand(4));
    job.done("first").unwrap();
    job.flush().unwrap();
    // Whether the next batch is full when one fails is chance.
    let (mut full, mut round) = (0, 0);
    while full < 25 {
        round += 1;
        assert!(round < 200, "the disk was seldom full: this tests little");
        world.disk.set_capacity(Some(world.disk.used_bytes()));
        let say = |number: u32| job.done([format!("{round}/{number}"), "x".repeat(900)].concat());
        let refused = (0..2000).find(|number| say(*number).is_err());
        world.disk.set_capacity(None);
        // There may be room yet in files that are there.
        let Some(from) = refused else { continue };
        full += 1;
        let (said, heard) = std::sync::mpsc::channel();
        let worker = job.clone();
        let works = milepost_io::spawn("worker", move || {
            for number in from..from + 100 {
                // It may be told of the same failure once more.
                while worker.done([format!("{round}/{number}"), "x".repeat(900)].concat()).is_err() {}
            }
            let _ = said.send(());
        })
        .unwrap();
        let waited = heard.recv_timeout(Duration::from_secs(20));
        assert!(waited.is_ok(), "round {round}: the worker hangs");
        works.join().unwrap();
        job.flush().unwrap();
    }
    assert_eq!(listed(job.results().unwrap()).len() as u64, job.summary().unwrap().done);
}

/// What can't be an item, or a result, is refused where it is said, and keeps nothing else from becoming durable.
#[test]
fn what_is_refused_is_refused_at_once() {
    let world = World::new(5);
    let job = world.job("a", &by_hand(100));
    job.done("a").unwrap();
    assert_eq!(job.done("").unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(job.done("a\0b").unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(job.done_with("b", &vec![0; (16 << 20) + 1]).unwrap_err().kind(), ErrorKind::Invalid);
    job.done_with([0xff_u8; 64 << 10].as_slice(), b"long").unwrap();
    job.flush().unwrap();
    assert_eq!(listed(job.results().unwrap()).len(), 2);
    let mut pending = job.pending(["", "a", "b"]);
    assert_eq!(pending.next().unwrap().unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(pending.next().unwrap().unwrap(), "b");
    assert!(pending.next().is_none());
}

/// A list says how many items there are. What stands in it twice is one of them, and what is no item is none: a
/// finished job is at 100 %, in the first run and in the next, for whoever looks.
#[test]
fn a_list_that_repeats_itself_has_an_end() {
    let list = ["a", "b", "a", "", "c", "b", "a"].map(String::from);
    for batch_marks in [1, 2, 100] {
        let world = World::new(4);
        let job = world.job("a", &by_hand(batch_marks));
        for item in job.pending(list.clone()).flatten() {
            job.done(item).unwrap();
        }
        job.flush().unwrap();
        assert_eq!((job.summary().unwrap().total, job.summary().unwrap().left()), (Some(3), Some(0)));
        assert_eq!(world.job("b", &by_hand(1)).summary().unwrap().left(), Some(0), "batches of {batch_marks}");
        // The next run does nothing, and knows it.
        let again = world.job("a", &by_hand(batch_marks));
        assert_eq!(again.pending(list.clone()).flatten().count(), 0);
        assert_eq!(again.summary().unwrap().left(), Some(0));
        // One that brings more, and can't tell how much before its end.
        let more = list.iter().cloned().chain(["d".to_owned(), "d".to_owned()]);
        let pending: Vec<String> = again.pending(more.filter(|_| true)).flatten().collect();
        assert_eq!((pending.len(), again.summary().unwrap().left()), (1, Some(1)));
        again.failed("d", "no").unwrap();
        again.flush().unwrap();
        assert_eq!(world.job("b", &by_hand(1)).summary().unwrap().left(), Some(0));
        assert_eq!(again.retry_failed().unwrap(), 1);
        assert_eq!(again.pending(list.clone()).flatten().count(), 0);
        // What was said counts more than what a list has.
        again.expect_total(10);
        assert_eq!(again.pending(list.clone()).flatten().count(), 0);
        assert_eq!(again.summary().unwrap().total, Some(10));
    }
}

/// A list of one item made the total 1 until it was read to its end, and so nothing was left while it was worked on;
/// and ten items of another list were the total beside five that were done.
#[test]
fn a_list_counts_on_top_of_what_is_marked() {
    let world = World::new(4);
    let job = world.job("a", &by_hand(100));
    let says = |job: &Progress| job.summary().map(|summary| (summary.total, summary.left())).unwrap();
    for number in 0..5 {
        for item in job.pending([format!("{number}")]).map(Result::unwrap) {
            assert_eq!(says(&job), (Some(number + 1), Some(1)));
            job.done(item).unwrap();
            job.flush().unwrap();
            assert_eq!(says(&world.job("b", &by_hand(1))), (Some(number + 1), Some(0)));
        }
    }
    // Five may be those that are done, until it is known that they are not.
    let others: Vec<String> = (10..30).map(|number| number.to_string()).collect();
    let mut pending = job.pending(others);
    assert_eq!(pending.next().unwrap().unwrap(), "10");
    assert_eq!(says(&job), (Some(20), Some(15)));
    let mut left = vec!["10".to_owned()];
    left.extend(pending.map(Result::unwrap));
    for (done, item) in (1..).zip(left) {
        job.done(item).unwrap();
        job.flush().unwrap();
        assert_eq!(says(&job), (Some(25), Some(20 - done)));
    }
    // What failed and is to be done again is left, and no more marked.
    job.failed("x", "no").unwrap();
    job.retry_failed().unwrap();
    for item in job.pending(["1", "x"]).map(Result::unwrap) {
        assert_eq!((item, says(&job)), ("x", (Some(26), Some(1))));
        job.done(item).unwrap();
        job.flush().unwrap();
    }
    assert_eq!(says(&world.job("b", &by_hand(1))), (Some(26), Some(0)));
}

/// A job of which nothing was marked was not there, however long its first item took; and a total that was known to be
/// wrong could not be taken back.
#[test]
fn what_is_expected_is_there_before_the_first_mark() {
    let world = World::new(4);
    let job = world.job("a", &by_hand(100));
    job.flush().unwrap();
    let jobs = || world.store.progress_jobs(milepost_types::ScopePrefix::default()).unwrap().len();
    assert_eq!(jobs(), 0);
    job.expect(Expected::default());
    job.flush().unwrap();
    assert_eq!((jobs(), world.job("b", &by_hand(1)).summary().unwrap().total), (1, None));
    job.failed("a", "no").unwrap();
    job.expect(Expected { total: Some(3), again: 1 });
    job.flush().unwrap();
    let summary = world.job("b", &by_hand(1)).summary().unwrap();
    assert_eq!((summary.total, summary.failed, summary.left()), (Some(3), 1, Some(3)));
    let last = world.store.last();
    job.flush().unwrap();
    assert_eq!(world.store.last(), last, "nothing new, no commit");
    job.done("a").unwrap();
    job.expect(Expected { total: None, again: 0 });
    job.flush().unwrap();
    let summary = world.job("b", &by_hand(1)).summary().unwrap();
    assert_eq!((summary.total, summary.done, summary.left()), (None, 1, None));
}

/// What is no item comes as an error, behind those before it: they are leased, and nobody else would get them.
#[test]
fn an_unusable_item_takes_no_others_with_it() {
    let world = World::new(5);
    let list = ["a", "b", "", "c", "\0", "d"].map(String::from);
    let (one, other) = (world.job("one", &by_hand(100)), world.job("other", &by_hand(100)));
    let mut rest = one.pending(list.clone());
    for claimed in [&["a", "b"][..], &["c"], &["d"]] {
        assert_eq!(rest.claim(9).unwrap(), claimed);
        if claimed != ["d"] {
            assert_eq!(rest.claim(9).unwrap_err().kind(), ErrorKind::Invalid);
        }
    }
    assert_eq!(rest.claim(9).unwrap(), [""; 0]);
    let mut others = other.pending(list);
    for _ in 0..2 {
        assert_eq!(others.claim(9).unwrap_err().kind(), ErrorKind::Invalid);
    }
    assert_eq!(others.claim(9).unwrap(), [""; 0]);
}

/// Items whose lease the store refuses are not lost either: the same list still has them.
#[test]
fn a_refused_lease_keeps_its_items() {
    let world = World::new(6);
    let scope = Scope::parse("task/load").unwrap();
    let attempt = |number| world.store.task(&scope, Writer::new("w").unwrap().attempt(number)).unwrap();
    let job = attempt(1).progress_with("checksum", &by_hand(100)).unwrap();
    let mut rest = job.pending(["a", "b", "c"]);
    attempt(2);
    assert_eq!(rest.claim(2).unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(rest.map(Result::unwrap).collect::<Vec<_>>(), ["a", "b", "c"]);
}

/// Where the engine is driven by hand no thread is started: the simulator decides what comes when.
#[test]
fn no_thread_beside_a_stepped_engine() {
    let world = World::new(7);
    let job = world.job("a", &by_hand(1));
    for number in 0..100 {
        job.done(format!("{number}")).unwrap();
        assert!(job.0.thread.lock().is_none());
    }
    // Two wait at most, and nobody waits for a thread.
    assert!(job.summary().unwrap().done >= 100 - 2);
}
