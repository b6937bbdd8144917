//! The task patterns while the power goes off at any operation of the disk. A watermark never goes back, a remote side
//! sees one job, no result of a step changes.

mod progress; // no item is lost, none done twice
mod troubled; // the same on a disk that fails, with all that they have

use std::collections::BTreeMap;

use milepost::{
    ErrorKind, Result, Scope, Store, Task, Writer,
    task::{Pace, Polled},
};
use milepost_io::Crash;
use milepost_sim::{dice::Dice, machine::Machine};
use milepost_types::Timestamp;

const NOW: Timestamp = Timestamp(1_795_000_000_000_000);
const SEEDS: u64 = 100;
const LIVES: u32 = 8;

/// What was promised, and what the world outside has seen.
#[derive(Default)]
struct Outside {
    /// The highest mark whose advance was acknowledged.
    mark: Option<i64>,
    /// The highest that was tried.
    mark_tried: Option<i64>,
    /// What each step has returned.
    steps: BTreeMap<u64, u64>,
    /// Of each job that was submitted, its token.
    jobs: Vec<String>,
    /// Lives that ended without power, and results that came from an earlier life.
    cut: u32,
    replayed: u32,
}

#[test]
fn patterns_survive_power_losses() {
    let (mut cut, mut replayed) = (0, 0);
    for seed in 0..SEEDS {
        let outside = run(seed);
        cut += outside.cut;
        replayed += outside.replayed;
    }
    assert!(cut > 300 && replayed > 1000, "too little happened: {cut} power losses, {replayed} results replayed");
}

fn run(seed: u64) -> Outside {
    let mut dice = Dice::new(seed);
    let mut machine = Machine::new(seed, 4 << 10, NOW);
    machine.memory_bytes = 4 << 10;
    let mut outside = Outside::default();
    for attempt in 1..=LIVES {
        let is_last = attempt == LIVES;
        if !is_last {
            machine.disk.power_off_after(dice.below(90));
        }
        let lived = live(&machine, attempt, &mut dice, &mut outside, is_last);
        if let Err(error) = lived {
            assert!(machine.disk.is_off(), "seed {seed}, attempt {attempt}: {error}");
            outside.cut += 1;
        }
        let disk = machine.disk.crash(*dice.pick(&Crash::ALL), dice.bits());
        machine = machine.with_disk(disk);
        machine.clock.advance(dice.below(1_000_000));
    }
    assert_eq!(outside.jobs.len(), 1, "seed {seed}");
    outside
}

fn live(machine: &Machine, attempt: u32, dice: &mut Dice, outside: &mut Outside, is_last: bool) -> Result<()> {
    let engine = machine.open()?;
    let store = Store::over(engine.clone());
    let writer = Writer::new("worker").unwrap().attempt(attempt);
    let task = store.task(&Scope::parse("task/a").unwrap(), writer)?;
    let found = task.watermark::<i64>("id")?.get()?;
    let expected = outside.mark..=outside.mark_tried;
    assert!(expected.contains(&found), "{found:?} is not in {expected:?}");
    outside.mark = found;
    for _ in 0..30 {
        match dice.below(8) {
            0..3 => advance(&task, dice, outside)?,
            3..6 => step(&task, dice, outside)?,
            6 => job(&task, dice, outside, false)?,
            _ => while dice.once_in(2) && (engine.step_index() || engine.step_recycle()) {},
        }
    }
    if is_last {
        job(&task, dice, outside, true)?;
        let moves = task.watermark::<i64>("id")?.history().collect::<Result<Vec<_>>>()?;
        assert!(moves.iter().all(|moved| moved.from.mark() < moved.to.mark()), "it went back: {moves:?}");
        for index in outside.steps.clone().into_keys() {
            say(&task, index, u64::MAX, outside)?;
        }
    }
    Ok(())
}

fn advance(task: &Task, dice: &mut Dice, outside: &mut Outside) -> Result<()> {
    let to = outside.mark.unwrap_or(0) + 20 - dice.below(40) as i64;
    outside.mark_tried = outside.mark_tried.max(Some(to));
    match task.watermark::<i64>("id")?.advance(to) {
        Ok(_) => {
            assert!(Some(to) >= outside.mark);
            outside.mark = Some(to);
        }
        Err(error) if error.kind() == ErrorKind::Conflict => assert!(Some(to) < outside.mark),
        Err(error) => return Err(error),
    }
    Ok(())
}

fn step(task: &Task, dice: &mut Dice, outside: &mut Outside) -> Result<()> {
    let (index, what) = (dice.below(40), dice.bits());
    say(task, index, what, outside)
}

fn say(task: &Task, index: u64, what: u64, outside: &mut Outside) -> Result<()> {
    let said = task.step(("s", index), || Ok::<_, String>(what))?;
    // The first that is seen may be that of a life whose acknowledgement never came.
    if let Some(before) = outside.steps.insert(index, said) {
        outside.replayed += 1;
        assert_eq!(said, before, "step {index}");
    }
    Ok(())
}

/// The remote side makes a job of every submit; the answer may be lost, and a poll may fail.
fn job(task: &Task, dice: &mut Dice, outside: &mut Outside, to_the_end: bool) -> Result<()> {
    let pace = Pace { first: std::time::Duration::ZERO, longest: std::time::Duration::ZERO, timeout: None };
    let fails: [bool; 4] = std::array::from_fn(|_| !to_the_end && dice.once_in(3));
    let jobs = std::cell::RefCell::new(&mut outside.jobs);
    let mut polls = 0;
    let ended = task.job("build")?.pace(pace).run(
        |token| {
            if fails[0] {
                return Err("never reached it");
            }
            jobs.borrow_mut().push(token.to_owned());
            if fails[1] { Err("the answer was lost") } else { Ok(token.to_owned()) }
        },
        |token| {
            if fails[2] { Err("down") } else { Ok(jobs.borrow().iter().find(|known| *known == token).cloned()) }
        },
        |id| {
            assert_eq!(jobs.borrow().as_slice(), [id]);
            polls += 1;
            match polls {
                _ if fails[3] => Err("down"),
                3 => Ok(Polled::Finished("ok".into())),
                _ => Ok(Polled::Pending(format!("poll {polls}"))),
            }
        },
    );
    match ended {
        Ok(result) => assert_eq!(&*result, b"ok"),
        Err(error) if error.kind() == ErrorKind::Caller => assert!(!to_the_end),
        Err(error) => return Err(error),
    }
    Ok(())
}
