//! FAULTS E2: a store that an earlier release wrote, taken over by this one, and cut off meanwhile.

use std::path::Path;

use milepost_engine::{Engine, Verdict};
use milepost_io::{Crash, Disk as _, OsDisk, read_file};
use milepost_sim::machine::{Machine, STORE};
use milepost_types::{Commit, Seq, Timestamp};

/// A moment after all of them were written.
const NOW: Timestamp = Timestamp(1_800_000_000_000_000);

/// Puts what lies below a real directory onto the simulated disk, below another.
fn put(machine: &Machine, from: &Path, to: &Path) {
    for entry in OsDisk.list(from).unwrap() {
        let (from, to) = (from.join(&entry.name), to.join(&entry.name));
        if entry.is_dir {
            put(machine, &from, &to)
        } else {
            machine.disk.put_file(&to, read_file(&OsDisk, &from).unwrap())
        }
    }
}

fn commits(engine: &Engine) -> Vec<Commit> {
    let mut replay = engine.replay(Seq::FIRST);
    std::iter::from_fn(|| replay.next().unwrap()).collect()
}

/// At every operation of the opening that takes it over, of the first commit and of the close, in every way of losing
/// what was not synced: the store is there, whole, with that commit or without.
#[test]
fn a_released_store_survives_an_opening_cut_off_anywhere() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../milepost/tests/golden");
    let mut states = 0;
    for format in OsDisk.list(&golden).unwrap() {
        for left in ["clean", "torn"] {
            let machine = Machine::new(1, 4096, NOW);
            put(&machine, &golden.join(&format.name).join(left), Path::new(STORE));
            let released = commits(&machine.open_read_only().unwrap());
            assert!(released.len() > 10);
            for cut in 0.. {
                let cut_off = machine.with_disk(machine.disk.copy());
                cut_off.disk.power_off_after(cut);
                let mut acknowledged = false;
                if let Ok(engine) = cut_off.open() {
                    let request = engine.request().delete(&released_scope(), "part-00").unwrap();
                    acknowledged = engine.commit(request).is_ok();
                    let _ = engine.close();
                }
                let whole = !cut_off.disk.is_off();
                cut_off.disk.power_off();
                for (seed, crash) in Crash::ALL.into_iter().enumerate() {
                    let found = cut_off.with_disk(cut_off.disk.crash(crash, seed as u64));
                    let context = format!("{} {left}, cut off at {cut}, {crash:?}", format.name);
                    let report = milepost_engine::verify(&found.parts().disk, Path::new(STORE), &mut |_, _| {});
                    let verdict = report.unwrap_or_else(|error| panic!("{context}: {error}")).verdict;
                    assert!(!matches!(verdict, Verdict::Corrupt(_)), "{context}: {verdict:?}");
                    let engine = found.open().unwrap_or_else(|error| panic!("{context}: {error}"));
                    let there = commits(&engine);
                    assert_eq!(there[..released.len()], released, "{context}");
                    let more = there.len() - released.len();
                    assert!(more <= 1 && (more == 1 || !acknowledged), "{context}: {more} more");
                    states += 1;
                }
                if whole {
                    break;
                }
            }
        }
    }
    assert!(states > 200, "only {states} states");
}

fn released_scope() -> milepost_types::Scope {
    milepost_types::Scope::parse("task/etl/load").unwrap()
}
