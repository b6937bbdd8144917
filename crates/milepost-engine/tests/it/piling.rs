//! Runs do not pile up where merges are not done before the process ends, or while a large one goes on.

use std::{path::Path, sync::Arc};

use milepost_engine::{Engine, Parts, Settings, Threads};
use milepost_io::{Disk, SimDisk};
use milepost_types::At;

use crate::scope;

fn open(disk: &SimDisk) -> Engine {
    open_with(disk, 64 << 10)
}

fn open_with(disk: &SimDisk, memory_bytes: u64) -> Engine {
    let parts = Parts { disk: Arc::new(disk.clone()), ..Parts::real() };
    let settings = Settings { threads: Threads::Stepped, memory_bytes, ..Settings::default() };
    Engine::open(parts, Path::new("/s"), settings).unwrap()
}

/// A commit that sets so many keys, from one on.
fn commit(store: &Engine, from: u64, count: u64) {
    let mut request = store.request();
    for number in from..from + count {
        request = request.set(&scope("many"), &format!("item/{number:06}"), &number.to_le_bytes()).unwrap();
    }
    store.commit(request).unwrap();
}

fn check(store: &Engine, count: u64) {
    for number in (0..count).step_by(count as usize / 500 + 1) {
        let value = store.get("many", &format!("item/{number:06}")).unwrap().unwrap();
        assert_eq!(value.to_vec(), number.to_le_bytes());
    }
}

/// Files of runs.
fn files(disk: &SimDisk) -> Vec<String> {
    let names = disk.list(Path::new("/s/index")).unwrap().into_iter().map(|entry| entry.name);
    names.filter(|name| name.ends_with(".run")).collect()
}

/// Makes a run of what is frozen, and no other.
fn flush(store: &Engine) {
    while store.stats().frozen_bytes > 0 && store.step_index() {}
}

fn runs(store: &Engine, from: u64, count: u64, keys: u64) {
    for round in 0..count {
        commit(store, from + round * keys, keys);
        flush(store);
    }
}

/// Runs that take many steps to merge.
fn four_large_runs(store: &Engine) {
    runs(store, 0, 4, 30_000);
}

/// Runs behind those, that are merged in an instant.
fn twenty_small_runs(store: &Engine) {
    runs(store, 120_000, 20, 200);
}

/// It was so: each process left a run, and none lived to merge them.
#[test]
fn processes_that_end_at_once_leave_few_runs() {
    let disk = SimDisk::new(1);
    for round in 0..120_u64 {
        let store = open(&disk);
        commit(&store, round * 200, 200);
        store.close().unwrap();
        let left = files(&disk).len() as u64;
        let store = open(&disk);
        assert_eq!(left, store.stats().runs, "what was merged is removed");
        assert!(store.stats().runs <= 17, "{} runs after {round} processes", store.stats().runs);
        drop(store);
    }
    let store = open(&disk);
    assert!(store.stats().runs >= 2, "all of it was merged each time: {:?}", store.stats());
    check(&store, 120 * 200);
}

/// It was so: while a merge of gigabytes went on, runs came by the hundred, and each read asked all of them.
#[test]
fn runs_that_come_while_others_are_merged_are_merged_first() {
    let disk = SimDisk::new(1);
    let store = open(&disk);
    four_large_runs(&store);
    assert_eq!(store.stats().runs, 4);
    // The merge of the four is under way.
    assert!(store.step_index() && store.step_index());
    twenty_small_runs(&store);
    assert!(store.stats().runs >= 4 + 17, "{} runs", store.stats().runs);
    let mut steps = 0;
    while store.stats().runs > 8 {
        assert!(store.step_index());
        steps += 1;
    }
    check(&store, 120_000 + 20 * 200);
    // And the large one, that was left standing, comes to its end.
    let mut left = 0;
    while store.step_index() {
        left += 1;
    }
    assert!(left > 3 * steps, "those that are small come first: {steps} steps, and {left} for the large one");
    assert!(store.stats().runs <= 2, "{} runs", store.stats().runs);
    check(&store, 120_000 + 20 * 200);
    drop(store);
    let store = open(&disk);
    check(&store, 120_000 + 20 * 200);
}

/// A small merge that comes first finds the disk full, again and again: meanwhile the large one kept the file that it
/// had written so far, and commits were refused for want of that room.
#[test]
fn where_a_small_merge_finds_no_room_a_large_one_gives_back_its_own() {
    let disk = SimDisk::new(1);
    let store = open(&disk);
    four_large_runs(&store);
    assert!((0..12).all(|_| store.step_index()), "the merge of the four is under way");
    let unfinished = || disk.names().iter().filter(|path| path.to_string_lossy().ends_with(".run.tmp")).count();
    assert!(unfinished() > 0);
    twenty_small_runs(&store);
    disk.set_capacity(Some(disk.used_bytes()));
    while store.step_index() {}
    assert!(store.stats().run_failure.is_some());
    assert_eq!(unfinished(), 0);
    disk.set_capacity(None);
    while store.step_index() {}
    assert!(store.stats().runs <= 2, "{} runs", store.stats().runs);
    check(&store, 120_000 + 20 * 200);
}

/// A merge met damage, and from then on no file of a run was removed that somebody had still been reading.
#[test]
fn what_nobody_reads_is_removed_also_after_damage() {
    let disk = SimDisk::new(1);
    let store = open(&disk);
    four_large_runs(&store);
    drop(store);
    let damaged = Path::new("/s/index").join(&files(&disk)[0]);
    disk.flip_bit(&damaged, disk.file_bytes(&damaged).unwrap().len() as u64 * 8 / 3);
    let store = open(&disk);
    assert_eq!(store.stats().runs, 4, "nothing of it was met yet");
    assert!(store.step_index() && store.step_index());
    twenty_small_runs(&store);
    let mut scan = store.view(At::Latest).unwrap().scan("many", "item/12");
    assert!(scan.next().is_some());
    while store.step_index() {}
    assert_eq!(store.stats().runs, 5, "the small ones are one, the damaged one is merged with none");
    assert!(files(&disk).len() >= 5 + 17, "a scan reads them");
    drop(scan);
    while store.step_index() {}
    assert_eq!(files(&disk).len(), 5);
}

/// A merge that an opening could do without met damage, and the opening made no runs any more: it kept all in memory.
#[test]
fn an_opening_goes_on_making_runs_where_a_merge_fails() {
    let disk = SimDisk::new(1);
    let store = open(&disk);
    for round in 0..20 {
        commit(&store, round * 200, 200);
        flush(&store);
    }
    assert_eq!(store.stats().runs, 20);
    // Much that is in no run; a close would make one of it.
    let disk = disk.kill();
    let store = open_with(&disk, 16 << 20);
    for round in 20..120 {
        commit(&store, round * 200, 200);
    }
    assert_eq!(store.stats().runs, 20);
    let disk = disk.kill();
    let damaged = Path::new("/s/index").join(&files(&disk)[19]);
    disk.flip_bit(&damaged, disk.file_bytes(&damaged).unwrap().len() as u64 * 8 / 3);
    let store = open(&disk);
    let stats = store.stats();
    assert!(stats.runs > 30 && stats.memtable_bytes < 128 << 10, "{stats:?}");
    let is_there = |number: u64| store.get("many", &format!("item/{number:06}")).is_ok_and(|value| value.is_some());
    assert!((20 * 200..120 * 200).step_by(97).all(is_there));
}
