//! A disk without room, a file that may not grow, a file system without inodes: refused by name, nothing lost, reads go
//! on, and commits are taken again when there is room. Skipped, loudly, where no file system can be mounted.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use milepost::{ErrorKind, Scope, Store};

use super::kill::Dice;
use super::world::{Ran, World, clean, finish, skipped};

/// A small file system in memory, unmounted in the end.
struct Small {
    world: World,
}

impl Small {
    /// Mounts one; `None`, said loudly, where that is not allowed.
    fn mount(test: &str, options: &str) -> Option<Small> {
        let world = World::new();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(world.dir())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if mounted {
            return Some(Small { world });
        }
        skipped(test, "a tmpfs can't be mounted here; it takes root");
        None
    }

    fn dir(&self) -> &Path {
        self.world.dir()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.dir()).status();
    }
}

fn scope() -> Scope {
    Scope::parse("a/b").unwrap()
}

/// Lines with values of 20 KiB.
fn large_lines(from: u64, to: u64) -> String {
    let value = "x".repeat(20_000);
    (from..to).fold(String::new(), |lines, n| {
        lines
            + &format!(
                r#"{{"writer":"w","events":[{{"event":"set","scope":"a/b","key":"k{n}","value":"{n} {value}"}}]}}"#
            )
            + "\n"
    })
}

fn told(ran: &Ran) -> u64 {
    ran.text().lines().last().map_or(0, |line| line.parse().unwrap())
}

/// As many answers as there were must be those of the lines before the one that was refused, if one was: none behind
/// it is taken.
fn taken_in_order(told: u64, said: &str) -> u64 {
    let refused = said.split("line ").nth(1).and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    assert!(refused.is_none_or(|line| told < line), "{told} answers: {said}");
    told
}

fn check_all_told(world: &World, told: u64) {
    let store = Store::read_only(world.store()).unwrap();
    assert!(store.last().seq.0 >= told, "{told} were told, {} are there", store.last().seq);
    for n in 1..=told {
        let value = store.get(&scope(), &format!("k{n}")).unwrap().unwrap();
        assert!(value.starts_with(format!("{n} xxx").as_bytes()));
    }
}

/// The binary on a full disk, again and again with other amounts of room.
#[test]
fn the_binary_says_that_the_disk_is_full() {
    let Some(small) = Small::mount("the_binary_says_that_the_disk_is_full", "size=8m") else { return };
    let world = &small.world;
    let ballast = small.dir().join("ballast");
    // Of keys, not of commits: one that was written and not told has taken a number, and its line is sent again.
    let (mut key, mut rounds) = (0, 0);
    for room in [4 << 20, 3 << 20, (2 << 20) + 4096, (1 << 20) + 77 * 4096] {
        fs::write(&ballast, vec![1; room]).unwrap();
        let ran = world.feed(["append"], large_lines(key + 1, key + 2000).as_bytes());
        assert_eq!(ran.code, Some(6), "{} {}", ran.code.unwrap_or(-1), ran.stderr);
        assert!(ran.stderr.contains("disk is full") || ran.stderr.contains("the disk of"), "{}", ran.stderr);
        key += taken_in_order(ran.text().lines().count() as u64, &ran.stderr);
        check_all_told(world, key);
        assert!(matches!(world.verify().code, Some(0 | 3)));
        fs::remove_file(&ballast).unwrap();
        let ran = world.feed(["append"], large_lines(key + 1, key + 3).as_bytes());
        assert_eq!((ran.code, ran.text().lines().count()), (Some(0), 2), "{}", ran.stderr);
        key += 2;
        check_all_told(world, key);
        assert_eq!(Store::read_only(world.store()).unwrap().last().seq.0, told(&ran));
        assert_eq!(world.verify().code, Some(0));
        rounds += 1;
    }
    assert!(rounds == 4 && key > 8, "{key} keys in {rounds} rounds");
}

/// One handle through it all: refused while there is no room, taken again when there is, without a restart.
#[test]
fn a_handle_goes_on_when_there_is_room_again() {
    let Some(small) = Small::mount("a_handle_goes_on_when_there_is_room_again", "size=8m") else { return };
    let world = &small.world;
    let store = Store::options().segment_bytes(256 << 10).open(world.store()).unwrap();
    let value = [b'x'; 3000];
    let mut taken = 0u32;
    for round in 0..3 {
        let ballast = small.dir().join("ballast");
        let room = (5 << 20) - round * 1_300_000;
        fs::write(&ballast, vec![1; room]).unwrap();
        let error = loop {
            match store.set(&scope(), &taken.to_string(), &value) {
                Ok(_) => taken += 1,
                Err(error) => break error,
            }
            assert!(taken < 100_000, "the disk never fills");
        };
        assert_eq!(error.kind(), ErrorKind::DiskFull, "{error}");
        assert!(error.to_string().contains("bytes are needed"), "{error}");
        for key in 0..taken {
            assert!(store.get(&scope(), &key.to_string()).unwrap().is_some(), "a read failed on a full disk");
        }
        assert_eq!(store.set(&scope(), "large", &vec![0; 1 << 20]).unwrap_err().kind(), ErrorKind::DiskFull);
        assert!(store.failure().is_none());
        fs::remove_file(&ballast).unwrap();
        store.set(&scope(), "again", &value).unwrap();
    }
    // Killed here: everything that was acknowledged is found again.
    std::mem::forget(store);
    let found = Store::read_only(world.store()).unwrap();
    assert!((0..taken).all(|key| found.get(&scope(), &key.to_string()).unwrap().is_some()));
}

/// No inode is left for the next file.
#[test]
fn without_inodes_nothing_is_lost() {
    let Some(small) = Small::mount("without_inodes_nothing_is_lost", "size=8m,nr_inodes=20") else { return };
    let world = &small.world;
    let store = Store::options().segment_bytes(64 << 10).open(world.store()).unwrap();
    store.set(&scope(), "first", b"1").unwrap();
    let stuffing = (0..20).map(|n| small.dir().join(format!("f{n}"))).take_while(|file| fs::write(file, "").is_ok());
    let stuffing: Vec<_> = stuffing.collect();
    let value = [b'x'; 3000];
    let mut taken = 0u32;
    let error = loop {
        match store.set(&scope(), &taken.to_string(), &value) {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
        assert!(taken < 3000, "a store of many segments found inodes where there are none");
    };
    assert_eq!(error.kind(), ErrorKind::DiskFull, "{error}");
    assert_eq!(&*store.get(&scope(), "first").unwrap().unwrap(), b"1");
    stuffing.iter().for_each(|file| fs::remove_file(file).unwrap());
    store.set(&scope(), "again", &value).unwrap();
    store.close().unwrap();
    assert_eq!(world.verify().code, Some(0));
}

/// Over `ulimit -f` the kernel writes a part and then refuses: what was told stays, nothing half stays in the way.
#[test]
fn a_file_that_may_not_grow() {
    let world = World::new();
    let mut last = 0;
    for blocks in [200, 333, 1001] {
        let mut command = Command::new("sh");
        clean(&mut command, world.dir());
        command.args(["-c", &format!("ulimit -f {blocks}; exec \"$0\" append"), env!("CARGO_BIN_EXE_milepost")]);
        // Lines with a condition are taken one by one: so it is the single commit that fits or not, and not many at
        // once.
        let condition = r#"{"require":[{"condition":"key_absent","scope":"none","key":"k"}],"#;
        let input = large_lines(last + 1, last + 200).replace("{\"writer\"", &format!("{condition}\"writer\""));
        let ran = finish(command.spawn().unwrap(), input.as_bytes());
        assert!(ran.code == Some(6), "ulimit -f {blocks}: {:?} {}", ran.code, ran.stderr);
        // Half the disk is free: to say that it is full would send people to clean up.
        assert!(ran.stderr.contains("limit on a file's size is reached (`ulimit -f`"), "{}", ran.stderr);
        assert!(told(&ran) > last, "ulimit -f {blocks}: nothing was taken: {}", ran.stderr);
        last = told(&ran);
        check_all_told(&world, last);
        assert_eq!(world.verify().code, Some(0));
    }
    assert_eq!(world.feed(["append"], large_lines(last + 1, last + 3).as_bytes()).code, Some(0));
    check_all_told(&world, last + 2);
}

fn wait(time: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < time {
        thread::yield_now();
    }
}

/// Fills all that is left with a file of its own.
fn fill(file: &Path) {
    let mut file = fs::File::create(file).unwrap();
    let mut piece: &[u8] = &[1; 64 << 10];
    while !piece.is_empty() {
        match file.write(piece) {
            Ok(written) if written > 0 => {}
            Ok(_) | Err(_) => piece = &piece[..piece.len() / 2],
        }
    }
}

/// FAULTS C4: somebody else has filled the disk of a small store. What only takes away is taken, by programs that open
/// the store for it; nothing else is.
#[test]
fn a_disk_that_others_have_filled_takes_deletions() {
    let Some(small) = Small::mount("a_disk_that_others_have_filled_takes_deletions", "size=8m") else { return };
    let world = &small.world;
    world.ok(["set", "a/b", "k1", "1"]);
    world.ok(["set", "a/b", "k2", "2"]);
    world.ok(["set", "a/c", "k3", "3"]);
    let ballast = small.dir().join("ballast");
    fill(&ballast);
    for round in 0..10 {
        let large = format!("{round}{}", "x".repeat(200_000));
        assert_eq!(world.run(["set", "a/b", "large", &large[..100_000]]).code, Some(6), "round {round}");
        for cure in ["delete a/b k1", "clear a/c", "retain set a --last 2", "erase a/b k2", "compact"] {
            let ran = world.run(cure.split(' '));
            assert_eq!(ran.code, Some(0), "round {round}, {cure}: {}", ran.stderr);
        }
        assert_eq!(world.run(["set", "a/b", "large", &large[..100_000]]).code, Some(6), "round {round}");
        assert_eq!(world.verify().code, Some(0));
    }
    assert_eq!(world.run(["get", "a/b", "k1"]).code, world.run(["get", "a/b", "none"]).code);
    fs::remove_file(&ballast).unwrap();
    world.ok(["set", "a/b", "k1", "again"]);
    assert_eq!(world.ok(["get", "a/b", "k1"]), "again");
}

/// What `append` was told to set, and what must be found of it.
#[derive(Default)]
struct Bulk {
    /// Of each key the highest number that was acknowledged, since it was last taken away.
    told: BTreeMap<u64, u64>,
    next: u64,
}

const BULK_KEYS: u64 = 40;

impl Bulk {
    /// Appends until the disk is full, or for so long; then it is killed.
    fn append(&mut self, world: &World, kill_after: Option<Duration>) -> Option<i32> {
        let mut child = world.command(["append"]).spawn().unwrap();
        let (mut stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let first = self.next + 1;
        let feeder = thread::spawn(move || {
            let value = "x".repeat(20_000);
            let line = |n| {
                let key = n % BULK_KEYS;
                format!(
                    r#"{{"writer":"w","events":[{{"event":"set","scope":"a/b","key":"k{key}","value":"{n} {value}"}}]}}"#
                )
            };
            (first..first + 5000).take_while(|n| writeln!(stdin, "{}", line(*n)).is_ok()).count() as u64
        });
        let reader = thread::spawn(move || BufReader::new(stdout).lines().map_while(Result::ok).count() as u64);
        if let Some(after) = kill_after {
            wait(after);
            child.kill().unwrap();
        }
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        let code = child.wait().unwrap().code();
        let (fed, told) = (feeder.join().unwrap(), reader.join().unwrap());
        let told = taken_in_order(told, &said);
        // The last receipt may be cut by the kill: then it was not told.
        let told = if kill_after.is_some() { told.saturating_sub(1) } else { told };
        self.told.extend((first..first + told).map(|n| (n % BULK_KEYS, n)));
        self.next = first + fed;
        code
    }

    fn check(&self, world: &World, context: &str) {
        let store = Store::read_only(world.store()).unwrap();
        for (key, told) in &self.told {
            let found = store.get(&scope(), &format!("k{key}")).unwrap();
            let found = found.unwrap_or_else(|| panic!("{context}: k{key} of {told} is gone"));
            let text = std::str::from_utf8(&found).unwrap();
            let n: u64 = text.split(' ').next().unwrap().parse().unwrap();
            // One that was not told may be there.
            assert!(n >= *told && n % BULK_KEYS == *key, "{context}: k{key} is {n}, told was {told}");
        }
    }
}

/// FAULTS C4, fifty times in a row: fill, with kills between, take something away, compact, with kills between, go on.
#[test]
fn fifty_full_disks_are_cured_by_taking_away() {
    let Some(small) = Small::mount("fifty_full_disks_are_cured_by_taking_away", "size=8m") else { return };
    let world = &small.world;
    let mut bulk = Bulk::default();
    let mut dice = Dice(std::process::id().into());
    for round in 0..50_u64 {
        let context = format!("dice {}, round {round}", std::process::id());
        // What fills the disk would compact it as well, if anything might go.
        world.ok(["retain", "set", "a", "--everything"]);
        if dice.roll(2) == 0 {
            bulk.append(world, Some(Duration::from_millis(dice.roll(150))));
            bulk.check(world, &format!("{context}, killed"));
        }
        let code = bulk.append(world, None);
        assert_eq!(code, Some(6), "{context}: the disk was to be full");
        bulk.check(world, &context);
        let cures: &[&str] = match round % 4 {
            0 => &["delete a/b k7", "retain set a --last 1", "delete a/b k8"],
            1 => &["erase a/b"],
            2 => &["clear a/b", "retain set a --last 1"],
            _ => &["retain set a --last 1"],
        };
        for cure in cures {
            let ran = world.run(cure.split(' '));
            assert_eq!(ran.code, Some(0), "{context}, {cure}: {}", ran.stderr);
        }
        match round % 4 {
            0 => bulk.told.retain(|key, _| *key != 7 && *key != 8),
            1 | 2 => bulk.told.clear(),
            _ => {}
        }
        if dice.roll(2) == 0 {
            let mut child = world.command(["compact"]).spawn().unwrap();
            wait(Duration::from_millis(dice.roll(60)));
            child.kill().unwrap();
            child.wait().unwrap();
            bulk.check(world, &context);
        }
        let ran = world.run(["compact"]);
        assert_eq!(ran.code, Some(0), "{context}: {}", ran.stderr);
        let ran = world.run(["set", "kept", &format!("r{round}"), "yes"]);
        assert_eq!(ran.code, Some(0), "{context}: {}, {}", ran.stderr, world.ok(["stats"]));
        bulk.check(world, &context);
    }
    let store = Store::read_only(world.store()).unwrap();
    let kept = Scope::parse("kept").unwrap();
    assert!((0..50).all(|round| store.get(&kept, &format!("r{round}")).unwrap().is_some()));
    assert_eq!(world.verify().code, Some(0));
}

/// The same by one handle that stays open: its own compaction gives the room back, and commits are taken again.
#[test]
fn a_handle_cures_itself() {
    let Some(small) = Small::mount("a_handle_cures_itself", "size=8m") else { return };
    let store = Store::open(small.world.store()).unwrap();
    let value = [b'x'; 20_000];
    for round in 0..10 {
        let mut taken = 0;
        let deadline = Instant::now() + Duration::from_secs(20);
        let error = loop {
            match store.set(&scope(), &format!("{round}/{taken}"), &value) {
                Ok(_) => taken += 1,
                // A rewrite may be at it still.
                Err(error) if taken <= 50 && error.kind() == ErrorKind::DiskFull && Instant::now() < deadline => {
                    wait(Duration::from_millis(5));
                }
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::DiskFull, "{error}");
        assert!(taken > 50, "round {round}: only {taken} had room");
        store.erase_scope(&scope()).unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut is_taken = false;
        while !is_taken || store.stats().log_bytes > 2 << 20 {
            match store.set(&scope(), "again", b"1") {
                Ok(_) => is_taken = true,
                Err(error) => assert_eq!(error.kind(), ErrorKind::DiskFull, "{error}"),
            }
            assert!(Instant::now() < deadline, "round {round}: no room came back: {:?}", store.stats());
            wait(Duration::from_millis(5));
        }
    }
    store.close().unwrap();
    assert_eq!(small.world.verify().code, Some(0));
}
