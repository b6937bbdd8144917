//! What `verify` says of a store that is not as it was left: all that is damaged, and nothing that is not.

use std::{fs, path::Path};

use super::world::{Ran, World};

/// The golden store: four segments, the last of them empty, and two runs.
fn golden() -> World {
    let world = World::new();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../milepost/tests/golden/v1/clean");
    copy(&from, &world.store());
    assert!(world.ok(["verify"]).starts_with("clean: 24 commits (seq 1 to 24), 35 events, 4 segments, 2 runs"));
    world
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if from.is_dir() { copy(&from, &to) } else { fs::copy(&from, &to).map(drop).unwrap() }
    }
}

/// As JSON, with its exit code.
fn json(world: &World, code: i32) -> serde_json::Value {
    let ran = world.run(["verify", "--json"]);
    assert_eq!((ran.code, &*ran.stderr), (Some(code), ""), "{ran:?}");
    serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

fn says(ran: &Ran, what: &[&str]) {
    let said = ran.text();
    what.iter().for_each(|what| assert!(said.contains(what), "it does not say {what:?}: {said}"));
}

/// An empty segment behind the missing one was called damaged, and nothing before it was counted.
#[test]
fn a_missing_segment_is_all_that_is_damaged() {
    let world = golden();
    fs::remove_file(world.store().join("log/0000000003.seg")).unwrap();
    let ran = world.verify();
    assert_eq!((ran.code, ran.text().lines().count()), (Some(4), 2), "{ran:?}");
    says(&ran, &["damaged: 7 commits (seq 1 to 7)", "3 segments", "0000000003.seg is missing", "seq 8 to 24"]);
    let json = json(&world, 4);
    // Whoever opens it is told the same.
    for args in [&["get", "a", "k"][..], &["set", "a", "k", "1"]] {
        let ran = world.run(args);
        assert_eq!((ran.code, ran.stdout.len()), (Some(4), 0), "{ran:?}");
        assert!(ran.stderr.contains("is missing, and with it the commits from seq 8 to 24"), "{ran:?}");
    }
    assert_eq!((&json["commits"], json["damage"].as_array().unwrap().len()), (&7.into(), 1), "{json}");
}

/// What is whole behind the damage was not counted.
#[test]
fn commits_behind_damage_are_counted() {
    let world = golden();
    let segment = world.store().join("log/0000000001.seg");
    flip(&segment, 80);
    let json = json(&world, 4);
    assert!(json["commits"].as_u64().unwrap() >= 21 && json["commits"].as_u64().unwrap() < 24, "{json}");
    assert_eq!((&json["segments"], &json["last"]), (&4.into(), &24.into()), "{json}");
}

/// FAULTS D3, below the runs: an opening does not read there. What meets the damage names it, all else is served, and
/// commits are taken.
#[test]
fn damage_below_the_runs_hurts_what_meets_it() {
    let world = golden();
    world.ok(["set", "mine", "k", "1"]);
    flip(&world.store().join("log/0000000002.seg"), 3000);
    for _ in 0..2 {
        assert_eq!(world.ok(["get", "mine", "k"]), "1");
        let ran = world.run(["replay", "--from", "7"]);
        assert_eq!(ran.code, Some(4), "{ran:?}");
        assert!(ran.stderr.contains("0000000002.seg at byte 64 (seq 7)"), "{ran:?}");
        assert_eq!(world.verify().code, Some(4));
        world.ok(["set", "mine", "l", "1"]);
    }
}

/// FAULTS D3, behind the runs: an opening reads all of it, and none is made that would not see a part, not even for
/// reading; nothing is changed, and salvage is the way out.
#[test]
fn damage_behind_the_runs_refuses_every_opening() {
    let world = World::with_commits(9);
    let segment = world.store().join("log/0000000001.seg");
    flip(&segment, 200);
    let before = fs::read(&segment).unwrap();
    for args in [&["get", "a/b", "k9"][..], &["set", "a", "k", "1"], &["replay"]] {
        let ran = world.run(args);
        assert_eq!((ran.code, ran.stdout.len()), (Some(4), 0), "{ran:?}");
        assert!(ran.stderr.contains("0000000001.seg at byte") && ran.stderr.contains("`milepost salvage`"), "{ran:?}");
    }
    assert!(fs::read(&segment).unwrap() == before, "something was changed");
    assert_eq!(world.run(["salvage", "saved"]).code, Some(11));
    assert_eq!(world.ok(["--store", "saved", "get", "a/b", "k9"]), "9");
}

fn flip(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 1;
    fs::write(file, bytes).unwrap();
}

/// Without MANIFEST there was no JSON; without `log/` whoever ran `verify` was told to run `verify`.
#[test]
fn what_is_missing_is_in_the_report() {
    let world = golden();
    fs::rename(world.store().join("MANIFEST"), world.dir().join("MANIFEST")).unwrap();
    let found = json(&world, 4);
    assert_eq!(found["verdict"], "corrupt");
    assert!(found["damage"][0]["file"].as_str().unwrap().ends_with("/MANIFEST"), "{found}");
    says(&world.verify(), &["MANIFEST", "it is missing", "`milepost salvage`"]);
    fs::rename(world.dir().join("MANIFEST"), world.store().join("MANIFEST")).unwrap();
    fs::rename(world.store().join("log"), world.dir().join("log")).unwrap();
    let found = json(&world, 4);
    assert_eq!(found["damage"].as_array().unwrap().len(), 1, "{found}");
    let ran = world.verify();
    assert!(!ran.text().contains("milepost verify") && ran.stderr.is_empty(), "{ran:?}");
}

/// The index can be deleted at any time: that was called damage.
#[test]
fn a_missing_index_is_no_damage() {
    for (lost, runs) in [("index", 0), ("index/000030.run", 1), ("index/000029.run", 1)] {
        let world = golden();
        let path = world.store().join(lost);
        if path.is_dir() {
            fs::remove_dir_all(&path).unwrap()
        } else {
            fs::remove_file(&path).unwrap()
        }
        let ran = world.verify();
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(ran.text().matches("is missing: no damage").count(), 2 - runs, "{ran:?}");
        let found = json(&world, 0);
        assert_eq!(found["runs"], runs, "{found}");
        assert_eq!(found["missing_runs"].as_array().unwrap().len(), 2 - runs, "{found}");
        world.ok(["set", "a", "k", "1"]);
        let ran = world.verify();
        assert!(ran.code == Some(0) && !ran.text().contains("missing"), "{ran:?}");
    }
}

/// Strays were listed only where they lay in `log/`.
#[test]
fn strays_are_listed_wherever_they_are() {
    let world = golden();
    for stray in ["mine.txt", "log/notes.txt", "index/notes.txt"] {
        fs::write(world.store().join(stray), "mine").unwrap();
    }
    fs::create_dir(world.store().join("photos")).unwrap();
    // What `each` lays there is not a stranger's.
    fs::write(world.store().join("each.handover"), "").unwrap();
    assert_eq!(json(&world, 0)["strays"].to_string(), r#"["index/notes.txt","log/notes.txt","mine.txt","photos"]"#);
    world.ok(["set", "a", "k", "1"]);
    assert_eq!(fs::read(world.store().join("index/notes.txt")).unwrap(), b"mine");
    assert_eq!(json(&world, 0)["strays"].as_array().unwrap().len(), 4);
}

/// A file where the index belongs: reads go on, a writer is told what to do.
#[test]
fn a_file_in_the_place_of_the_index() {
    let world = golden();
    let (before, index) = (world.ok(["scan"]), world.store().join("index"));
    fs::remove_dir_all(&index).unwrap();
    fs::write(&index, "mine").unwrap();
    assert_eq!(world.ok(["scan"]), before);
    assert_eq!(json(&world, 0)["strays"].to_string(), r#"["index"]"#);
    for args in [&["set", "a", "k", "1"][..], &["index", "rebuild"]] {
        let ran = world.run(args);
        assert_eq!(ran.code, Some(8), "{ran:?}");
        assert!(
            ran.stderr.contains("/index: a directory belongs there") && ran.stderr.contains("move it away"),
            "{ran:?}"
        );
    }
    assert_eq!(fs::read(&index).unwrap(), b"mine");
    fs::rename(&index, world.dir().join("index")).unwrap();
    world.ok(["set", "a", "k", "1"]);
    assert_eq!(world.verify().code, Some(0));
}
