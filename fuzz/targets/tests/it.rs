//! The corpus, replayed on stable.
//!
//! Every file in `fuzz/seeds/TARGET` goes through its target, and so do bytes near it: every truncation, every flipped
//! bit, and mixtures drawn from a fixed seed. A crash that the fuzzer found is put into the folder and stays.

#![expect(clippy::unwrap_used, reason = "a test says with a panic that something is wrong")]

use std::{
    collections::BTreeSet,
    fs,
    panic::catch_unwind,
    path::{Path, PathBuf},
};

use milepost_fuzz_targets::{TARGETS, Target, canary, seeds};

/// Targets that open a whole store each time: tried with fewer bytes.
const SLOW: &[&str] =
    &["asides", "backup", "backup_place", "import", "manifest", "progress", "records", "segment", "store_ops", "typed"];

/// Above this many bytes a file is not changed bit by bit.
fn near_bytes_max(target: &str) -> usize {
    match target {
        _ if SLOW.contains(&target) => 40,
        // The least run with all that there is in one.
        "run" => 1500,
        _ => 512,
    }
}

fn mixtures(target: &str) -> u64 {
    if SLOW.contains(&target) { 200 } else { 2_000 }
}

fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../seeds").join(target);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// Runs a target; a panic is told with the bytes that caused it.
fn run(target: Target, bytes: &[u8], from: &Path, what: &str) {
    if catch_unwind(|| target(bytes)).is_err() {
        panic!("{}, {what}, fails with these bytes:\n{bytes:02x?}", from.display());
    }
}

#[test]
fn every_file_of_the_corpus_and_every_bit_of_it() {
    for (name, target) in TARGETS {
        let files = corpus(name);
        assert!(!files.is_empty(), "{name} has no corpus");
        for (path, bytes) in &files {
            run(*target, bytes, path, "as it is");
            if bytes.len() > near_bytes_max(name) {
                continue;
            }
            for length in 0..bytes.len() {
                run(*target, &bytes[..length], path, "cut");
            }
            for bit in 0..8 * bytes.len() {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                run(*target, &flipped, path, "with a flipped bit");
            }
        }
    }
}

/// Numbers from a fixed seed (splitmix64).
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

/// The bytes after a few changes of the kind that fuzzers make.
fn mixed(files: &[(PathBuf, Vec<u8>)], draw: &mut Draw) -> Vec<u8> {
    let mut bytes = files[draw.below(files.len())].1.clone();
    for _ in 0..=draw.below(4) {
        let at = draw.below(bytes.len() + 1);
        match draw.below(6) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, draw.next() as u8),
            2 if at < bytes.len() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff, draw.next() as u8][draw.below(6)],
            3 if at < bytes.len() => drop(bytes.remove(at)),
            4 => {
                let other = &files[draw.below(files.len())].1;
                bytes.truncate(at);
                bytes.extend_from_slice(&other[at.min(other.len())..]);
            }
            _ => {
                let word = [0, 1, u32::MAX, draw.next() as u32, draw.below(200) as u32][draw.below(5)];
                for (byte, new) in bytes.iter_mut().skip(at / 4 * 4).zip(word.to_le_bytes()) {
                    *byte = new;
                }
            }
        }
    }
    bytes
}

#[test]
fn mixtures_of_the_corpus() {
    for (name, target) in TARGETS {
        let files = corpus(name);
        let mut draw = Draw(0);
        for round in 0..mixtures(name) {
            run(*target, &mixed(&files, &mut draw), Path::new(name), &format!("mixture {round}"));
        }
    }
}

#[test]
fn the_corpus_holds_what_the_encoders_write() {
    for seed in seeds::all() {
        let found = corpus(seed.target).into_iter().find(|(path, _)| path.ends_with(seed.name));
        let found = found.unwrap_or_else(|| panic!("{}/{} is missing", seed.target, seed.name)).1;
        assert_eq!(found, seed.bytes, "{}/{}: the encoding changed", seed.target, seed.name);
    }
}

#[test]
fn the_canary_fails() {
    for (path, bytes) in corpus("canary") {
        assert!(catch_unwind(|| canary::check(&bytes)).is_err(), "{} passes", path.display());
    }
}

#[test]
fn every_target_has_a_folder_and_a_fuzzer() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let names = |of: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(folder.join(of)).unwrap();
        entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect()
    };
    let targets = TARGETS.iter().map(|(name, _)| *name).chain(["canary"]);
    let targets: BTreeSet<String> = targets.map(str::to_owned).collect();
    assert_eq!(names("seeds"), targets);
    assert_eq!(names("fuzz_targets"), targets);
}
