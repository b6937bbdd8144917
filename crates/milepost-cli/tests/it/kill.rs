//! Killed at random moments, two hundred times on one store: every acknowledged commit is there, whole and in order;
//! the store is free at once; what is found is clean or a torn tail, never damage.

use std::{
    hint::spin_loop,
    io::{BufRead, BufReader, Write},
    os::unix::process::ExitStatusExt,
    process::Command,
    time::{Duration, Instant},
};

use milepost::{At, Event, Scope, Seq, Store};

use super::world::{World, line, lines};

const KILLS: u64 = 200;

/// A small sequence from a seed, so that a failing run can be looked at again.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

#[test]
fn two_hundred_kills_lose_nothing() {
    let world = World::new();
    world.ok(["set", "first", "k", "1"]);
    let seed = std::process::id().into();
    let mut dice = Dice(seed);
    let (mut acknowledged, mut receipts) = (1, 0);
    for kill in 0..KILLS {
        let (told, count) = killed_run(world.command(["append"]), acknowledged, &mut dice);
        receipts += count;
        let context = format!("seed {seed}, kill {kill}: told {told}");
        assert!(told == 0 || told > acknowledged, "{context}, told before: {acknowledged}");
        let least = told.max(acknowledged);
        let verified = world.verify();
        assert!(matches!(verified.code, Some(0 | 3)), "{context}: {verified:?}");
        acknowledged = check_tail(&world, least, &context);
    }
    // Half of the rounds wait for up to sixty of them: a test that told of few would prove little.
    assert!(receipts > 10 * KILLS, "seed {seed}: only {receipts} commits were acknowledged before the kills");
    let seqs: Vec<_> = check_all(&world);
    assert_eq!(seqs, (1..=acknowledged).collect::<Vec<_>>());
    assert_eq!(world.verify().code, Some(0));
}

/// Feeds lines that say which `Seq` they expect to get, and kills at some moment. Returns the last receipt, or 0, and
/// how many there were.
fn killed_run(mut append: Command, from: u64, dice: &mut Dice) -> (u64, u64) {
    let mut child = append.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let feeder = std::thread::spawn(move || {
        // More than a run is given the time for; a killed reader ends it. Those that are not killed by then wait for
        // it.
        let _ = (from + 1..from + 80).try_for_each(|n| writeln!(stdin, "{}", line(n)));
        stdin
    });
    let (mut told, mut count) = (0, 0);
    let mut receipt = String::new();
    let mut next = |told: &mut u64| {
        receipt.clear();
        match stdout.read_line(&mut receipt) {
            // The last receipt may be cut by the kill: then it was not told.
            Ok(_) if receipt.ends_with('\n') => *told = receipt.trim_end().parse().unwrap(),
            _ => return false,
        }
        count += 1;
        true
    };
    if dice.roll(2) == 0 {
        // In the middle of opening, or shortly after.
        let moment = Instant::now() + Duration::from_micros(dice.roll(12_000));
        while Instant::now() < moment {
            spin_loop();
        }
    } else {
        // Right after a receipt.
        for _ in 0..dice.roll(60) {
            if !next(&mut told) {
                break;
            }
        }
    }
    child.kill().unwrap();
    // It was alive, and did not end by itself or by an error.
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    // What is in the pipe was told, too.
    while next(&mut told) {}
    drop(feeder.join().unwrap());
    (told, count)
}

/// Checks the last commits, and returns how many there are.
fn check_tail(world: &World, least: u64, context: &str) -> u64 {
    let store = Store::read_only(world.store()).unwrap_or_else(|error| panic!("{context}: {error}"));
    let last = store.last().seq.0;
    assert!(last >= least, "{context}: {least} were acknowledged, {last} are there");
    for commit in store.replay(Seq(least.saturating_sub(50).max(2))) {
        check_commit(&commit.unwrap());
    }
    last
}

fn check_all(world: &World) -> Vec<u64> {
    let store = Store::open(world.store()).unwrap();
    let view = store.view(At::Latest).unwrap();
    let scope = Scope::parse("a/b").unwrap();
    let mut seqs = vec![1];
    for commit in store.replay(Seq(2)) {
        let commit = commit.unwrap();
        check_commit(&commit);
        let seq = commit.seq.to_string();
        assert_eq!(view.get(&scope, &format!("k{seq}")).unwrap().unwrap().to_vec(), seq.as_bytes());
        seqs.push(commit.seq.0);
    }
    seqs
}

/// The commit at a `Seq` is the line that was sent for it.
fn check_commit(commit: &milepost::Commit) {
    let [Event::Set { key, value, .. }] = &commit.events[..] else { panic!("{commit:?}") };
    assert_eq!((key.as_str(), &value[..]), (&*format!("k{}", commit.seq), commit.seq.to_string().as_bytes()));
}

/// Stopped for a while and let go on, as a laptop does when its lid is closed: nothing is lost, and nobody got in.
#[test]
fn a_pause_changes_nothing() {
    let world = World::new();
    let mut append = world.command(["append"]).spawn().unwrap();
    let pid = rustix::process::Pid::from_child(&append);
    let signal = |signal| rustix::process::kill_process(pid, signal).unwrap();
    let (mut stdin, stdout) = (append.stdin.take().unwrap(), append.stdout.take().unwrap());
    let input = lines(2000);
    std::thread::scope(|threads| {
        threads.spawn(move || stdin.write_all(input.as_bytes()).unwrap());
        let mut receipts = BufReader::new(stdout).lines();
        for n in 1..=2000 {
            assert_eq!(receipts.next().unwrap().unwrap(), n.to_string());
            if n % 500 == 0 {
                signal(rustix::process::Signal::STOP);
                assert_eq!(world.run(["set", "a", "k", "1"]).code, Some(5));
                signal(rustix::process::Signal::CONT);
            }
        }
    });
    assert_eq!(append.wait().unwrap().code(), Some(0));
}
