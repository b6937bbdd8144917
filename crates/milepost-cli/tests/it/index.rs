//! The index: damage of a run is named, and `index rebuild` makes it anew from the log.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use milepost::{Scope, Store};

use super::world::World;

const KEYS: usize = 3000;

/// A store in which memory was too small for all its versions.
fn world_with_runs() -> World {
    let world = World::new();
    let store = Store::options().memory_bytes(256 << 10).open(world.store()).unwrap();
    let scope = Scope::parse("a/b").unwrap();
    for first in (0..KEYS).step_by(100) {
        let keys = (first..first + 100).map(|key| format!("key-{key:05}"));
        keys.fold(store.commit(), |commit, key| commit.set(&scope, &key, b"value")).durable().unwrap();
    }
    // Runs are made in the background.
    let begun = Instant::now();
    while store.stats().runs == 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "no run was made: {:?}", store.stats());
        std::thread::yield_now();
    }
    store.close().unwrap();
    world
}

fn runs(world: &World) -> Vec<PathBuf> {
    let named = fs::read_dir(world.store().join("index")).unwrap().map(|entry| entry.unwrap().path());
    named.filter(|path| path.extension().is_some_and(|end| end == "run")).collect()
}

#[test]
fn a_damaged_run_is_named_and_made_anew() {
    let world = world_with_runs();
    let before = world.ok(["scan", "a/b", "-o", "jsonl"]);
    assert_eq!(before.lines().count(), KEYS);
    assert_eq!(world.verify().code, Some(0));
    let damaged = runs(&world);
    assert!(!damaged.is_empty());
    for run in &damaged {
        // In the first page of blocks, right behind the header's page; a run made at closing may be smaller.
        let mut bytes = fs::read(run).unwrap();
        let place = (4096 + 100).min(bytes.len() / 2);
        bytes[place] ^= 1;
        fs::write(run, bytes).unwrap();
    }
    let ran = world.run(["scan", "a/b", "-o", "jsonl"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert!(ran.stderr.contains(".run") && ran.stderr.contains("index rebuild"), "{ran:?}");
    let verified = world.verify();
    assert_eq!(verified.code, Some(4), "{verified:?}");

    let said = world.ok(["index", "rebuild"]);
    assert!(said.starts_with("rebuilt: ") && said.ends_with(&format!("through seq {}\n", KEYS / 100)), "{said}");
    assert_eq!(world.ok(["scan", "a/b", "-o", "jsonl"]), before);
    let verified = world.verify();
    assert_eq!(verified.code, Some(0), "{verified:?}");
}

#[test]
fn a_script_gets_the_sizes_of_the_new_index() {
    let world = World::with_commits(3);
    let said = world.ok(["index", "rebuild", "-o", "jsonl"]);
    assert_eq!(said, "{\"run_bytes\":0,\"runs\":0,\"seq\":3}\n");
    // What is in memory when the store is closed becomes a run then: told were the sizes before.
    let store = Store::open(world.store()).unwrap();
    let keys = (0..20_000).map(|key| format!("key-{key:05}"));
    keys.fold(store.commit(), |commit, key| commit.set(&Scope::parse("a/b").unwrap(), &key, b"")).durable().unwrap();
    store.close().unwrap();
    let said = world.ok(["index", "rebuild"]);
    let made: u64 = runs(&world).iter().map(|run| fs::metadata(run).unwrap().len()).sum();
    assert!(made > 0 && said == format!("rebuilt: 1 run of {made} bytes, through seq 4\n"), "{said}: {made}");
    let ran = world.run(["index", "rebuild", "-o", "csv"]);
    assert_eq!((ran.code, ran.stdout.as_slice()), (Some(2), &b""[..]), "{ran:?}");
    let ran = World::new().run(["index", "rebuild"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("there is no store"), "{ran:?}");
}
