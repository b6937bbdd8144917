//! Jobs killed at random moments: what had ended is never run again.

use std::{
    collections::BTreeSet,
    hint::spin_loop,
    io::{BufRead, BufReader, Read, Write},
    time::{Duration, Instant},
};

use super::{World, each_args, numbers};

/// Kills a job again and again at random moments, and lets it go on: every item runs, and none again that had ended.
///
/// What was printed had ended. A mark that was still on its way to the log when its next command had begun was once
/// lost with a kill, and its item ran again.
#[test]
fn sigkill_at_any_moment_repeats_only_what_was_running() {
    const ITEMS: usize = 300;
    const SLOTS: usize = 3;
    let world = World::new();
    let args = each_args(&["-j3", "--print"], r#"echo "$1" >> log; echo "$1""#);
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut printed = BTreeSet::new();
    let mut kills = 0;
    loop {
        let mut child = world.milepost(&args).spawn().unwrap();
        child.stdin.take().unwrap().write_all(numbers(ITEMS).as_bytes()).unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let (lines, wait) = (dice.below(12), Duration::from_micros(dice.below(3000)));
        let mut ended = Vec::new();
        for _ in 0..lines {
            stdout.read_until(b'\n', &mut ended).unwrap();
        }
        let until = Instant::now() + wait;
        while Instant::now() < until {
            spin_loop();
        }
        child.kill().unwrap();
        stdout.read_to_end(&mut ended).unwrap();
        for item in String::from_utf8(ended).unwrap().split_inclusive('\n').filter(|item| item.ends_with('\n')) {
            assert!(printed.insert(item.to_owned()), "item {item:?} ran again after it had ended, kill {kills}");
        }
        let status = child.wait().unwrap();
        if status.success() {
            break;
        }
        assert_eq!(status.code(), None, "it fails only by being killed");
        kills += 1;
        assert!(kills < 400, "no way forward");
    }
    assert!(kills > 10, "only {kills} kills: the job is too quick to be tested");
    let runs = world.lines("log");
    assert_eq!(runs.iter().collect::<BTreeSet<_>>().len(), ITEMS);
    let repeats = runs.len() - ITEMS;
    assert!(repeats <= kills * SLOTS, "{repeats} repeats after {kills} kills of {SLOTS} commands at a time");
    world.run(&args, numbers(ITEMS)).says(0, &["0 done, 300 done before"]);
    assert_eq!(world.lines("log").len(), runs.len());
    assert!(!world.store().join("each.handover").exists());
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}
