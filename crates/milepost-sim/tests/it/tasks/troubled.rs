//! The patterns on a disk that fails and fills up, under a clock that jumps, with all that they have: a watermark that
//! is reset, a job that is cancelled and begun anew, steps in order and within each other, and replays of them.

use std::{cell::RefCell, collections::BTreeMap, error::Error, time::Duration};

use milepost::{
    ErrorKind, Result, Scope, Store, Task, Writer,
    task::{JobState, Pace, Polled, Step, Stood},
};
use milepost_io::{Crash, Fault, FaultKind, Op};
use milepost_sim::{dice::Dice, machine::Machine};

use super::NOW;

const SEEDS: u64 = 150;
const LIVES: u32 = 10;
const DAY_US: u64 = 86_400_000_000;
const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// What a job may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Job {
    Open,
    Finished,
    Cancelled,
}

/// What was promised, and what the world outside has seen.
struct Outside {
    /// Where the watermark may be.
    marks: Vec<Option<i64>>,
    /// What the job may be.
    job: Vec<Job>,
    /// The tokens that were submitted.
    submitted: RefCell<Vec<String>>,
    /// How often the job was begun anew, at most.
    begun_anew: usize,
    /// What each step has said last.
    said: BTreeMap<&'static str, u64>,
    /// Of steps that are to run again, what is older than anything that they say then.
    older: BTreeMap<&'static str, u64>,
    /// What a step says next.
    next: u64,
    met: Met,
}

/// How often what is to be met was met.
#[derive(Debug, Default)]
struct Met {
    cut: u32,
    faults: usize,
    full: u32,
    resets: u32,
    cancels: u32,
    replays: u32,
    kept: u32,
}

#[test]
fn patterns_survive_faults_of_the_disk_and_of_the_clock() {
    let mut all = Met::default();
    for seed in 0..SEEDS {
        let met = run(seed);
        all.cut += met.cut;
        all.faults += met.faults;
        all.full += met.full;
        all.resets += met.resets;
        all.cancels += met.cancels;
        all.replays += met.replays;
        all.kept += met.kept;
    }
    let Met { cut, faults, full, resets, cancels, replays, kept } = all;
    let is_enough = cut > 300 && faults > 100 && full > 20 && resets > 100 && cancels > 30 && replays > 100;
    assert!(is_enough && kept > 1000, "too little happened: {all:?}");
}

fn run(seed: u64) -> Met {
    let mut dice = Dice::new(seed ^ 0x7461_736b);
    let mut machine = Machine::new(seed, 4 << 10, NOW);
    machine.memory_bytes = 4 << 10;
    let mut outside = Outside {
        marks: vec![None],
        job: vec![Job::Open],
        submitted: RefCell::default(),
        begun_anew: 0,
        said: BTreeMap::new(),
        older: BTreeMap::new(),
        next: 1,
        met: Met::default(),
    };
    for attempt in 1..=LIVES {
        let is_last = attempt == LIVES;
        let is_faulty = !is_last && put_fault(&machine, &mut dice, &mut outside.met);
        let lived = live(&machine, attempt, &mut dice, &mut outside, is_last);
        if let Err(error) = lived {
            assert!(is_faulty || machine.disk.is_off(), "seed {seed}, attempt {attempt}: {error} ({:?})", error.kind());
            outside.met.cut += 1;
        }
        outside.met.faults += machine.disk.faults_hit().len();
        let is_killed = !machine.disk.is_off() && dice.once_in(2);
        let disk =
            if is_killed { machine.disk.kill() } else { machine.disk.crash(*dice.pick(&Crash::ALL), dice.bits()) };
        disk.clear_faults();
        disk.set_capacity(None);
        machine = machine.with_disk(disk);
    }
    outside.met
}

/// Has something go wrong in a life; whether it is the disk's doing.
fn put_fault(machine: &Machine, dice: &mut Dice, met: &mut Met) -> bool {
    let nth = dice.below(40);
    let (on, what) = match dice.below(8) {
        0..2 => {
            machine.disk.power_off_after(dice.below(120));
            return false;
        }
        2 => return false,
        3 => {
            met.full += 1;
            machine.disk.set_capacity(Some(machine.disk.used_bytes() + dice.below(20_000)));
            return true;
        }
        4 => (Op::Sync, FaultKind::Error(EIO)),
        5 => (Op::Sync, FaultKind::SyncFailsAndDropsPages),
        6 => (Op::Write, FaultKind::Error(ENOSPC)),
        _ => (Op::Write, FaultKind::ShortWriteThenError { bytes: dice.index(200), errno: EIO }),
    };
    machine.disk.inject(Fault { on, file: None, nth, times: 1, what });
    true
}

fn live(machine: &Machine, attempt: u32, dice: &mut Dice, outside: &mut Outside, is_last: bool) -> Result<()> {
    let engine = machine.open()?;
    let store = Store::over(engine.clone());
    let task = |scope: &str| store.task(&Scope::parse(scope).unwrap(), Writer::new("worker").unwrap().attempt(attempt));
    let mark = task("asset/orders")?;
    let found = mark.watermark::<i64>("id")?.get()?;
    assert!(outside.marks.contains(&found), "{found:?} is none of {:?}", outside.marks);
    outside.marks = vec![found];
    for _ in 0..20 {
        match dice.below(12) {
            0..3 => advance(&mark, dice, outside)?,
            3 => reset(&mark, dice, outside)?,
            4..6 => job(&task("task/job")?, dice, outside, false)?,
            6 => cancel(&task("task/job")?, outside)?,
            7 if dice.once_in(2) => begin_anew(&task("task/job")?, outside)?,
            7..9 => steps(&task("task/steps")?, dice, outside)?,
            9 => replay(&task("task/steps")?, dice, outside)?,
            10 => {
                let by = dice.below(4 * DAY_US) as i64;
                machine.clock.jump(by - 2 * DAY_US as i64);
            }
            _ => while dice.once_in(2) && (engine.step_index() || engine.step_recycle()) {},
        }
    }
    if is_last {
        at_the_end(&mark, &task("task/job")?, dice, outside)?;
    }
    Ok(())
}

fn at_the_end(mark: &Task, of_job: &Task, dice: &mut Dice, outside: &mut Outside) -> Result<()> {
    let moves = mark.watermark::<i64>("id")?.history().collect::<Result<Vec<_>>>()?;
    let is_right = |moved: &milepost::task::Move<i64>| {
        moved.reason.is_some() || matches!(moved.from, Stood::Nowhere) || moved.from.mark() < moved.to.mark()
    };
    assert!(moves.iter().all(is_right), "it went back, and nobody had said so: {moves:?}");
    if outside.job != [Job::Finished] {
        begin_anew(of_job, outside)?;
    }
    job(of_job, dice, outside, true)?;
    assert_eq!(outside.job, [Job::Finished]);
    Ok(())
}

fn advance(task: &Task, dice: &mut Dice, outside: &mut Outside) -> Result<()> {
    let to = outside.marks[0].unwrap_or(0) + 20 - dice.below(40) as i64;
    let before = outside.marks.clone();
    outside.marks.push(Some(to));
    match task.watermark::<i64>("id")?.advance(to) {
        Ok(_) => outside.marks = vec![Some(to)],
        Err(error) if error.kind() == ErrorKind::Conflict => {
            assert!(before.iter().any(|mark| *mark > Some(to)), "{to} was refused at {before:?}");
            outside.marks = before;
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

fn reset(task: &Task, dice: &mut Dice, outside: &mut Outside) -> Result<()> {
    let to = dice.below(200) as i64;
    outside.marks.push(Some(to));
    task.watermark::<i64>("id")?.reset(to, "a backfill")?;
    outside.marks = vec![Some(to)];
    outside.met.resets += 1;
    Ok(())
}

/// The remote side makes a job of every submit; the answer may be lost, and a poll may fail.
fn job(task: &Task, dice: &mut Dice, outside: &mut Outside, to_the_end: bool) -> Result<()> {
    let pace = Pace { first: Duration::ZERO, longest: Duration::ZERO, timeout: None };
    let fails: [bool; 4] = std::array::from_fn(|_| !to_the_end && dice.once_in(3));
    let submitted = &outside.submitted;
    let mut polls = 0;
    let ended = task.job("build")?.pace(pace).run(
        |token| {
            if fails[0] {
                return Err("never reached it");
            }
            assert!(!submitted.borrow().iter().any(|known| known == token), "{token} a second time");
            submitted.borrow_mut().push(token.to_owned());
            if fails[1] { Err("the answer was lost") } else { Ok(token.to_owned()) }
        },
        |token| {
            if fails[2] { Err("down") } else { Ok(submitted.borrow().iter().find(|known| *known == token).cloned()) }
        },
        |id| {
            assert!(submitted.borrow().iter().any(|known| known == id), "nobody knows {id}");
            polls += 1;
            match polls {
                _ if fails[3] => Err("down"),
                3 => Ok(Polled::Finished("ok".into())),
                _ => Ok(Polled::Pending(format!("poll {polls}"))),
            }
        },
    );
    let jobs = outside.submitted.borrow().len();
    assert!(jobs <= 1 + outside.begun_anew, "{jobs} jobs, begun anew {} times", outside.begun_anew);
    let may_be = |job| outside.job.contains(&job);
    outside.job = match ended {
        Ok(result) => {
            assert!(&*result == b"ok" && (may_be(Job::Open) || may_be(Job::Finished)), "{:?}", outside.job);
            vec![Job::Finished]
        }
        Err(error) if error.kind() == ErrorKind::Caller => {
            assert!(may_be(Job::Open) && !to_the_end, "{error} of {:?}", outside.job);
            vec![Job::Open]
        }
        Err(error) if error.kind() == ErrorKind::Failed => {
            assert!(may_be(Job::Cancelled), "{error} of {:?}", outside.job);
            vec![Job::Cancelled]
        }
        Err(error) => {
            if may_be(Job::Open) {
                outside.job.push(Job::Finished);
            }
            return Err(error);
        }
    };
    Ok(())
}

fn cancel(task: &Task, outside: &mut Outside) -> Result<()> {
    let job = task.job("build")?;
    let before = outside.job.clone();
    outside.job.push(Job::Cancelled);
    job.cancel(|_| Ok::<_, String>(()))?;
    // What never began is not cancelled.
    let found = match job.get()?.map(|record| record.state) {
        None => Job::Open,
        Some(JobState::Finished) => Job::Finished,
        Some(JobState::Cancelled) => Job::Cancelled,
        other => panic!("{other:?} after a cancel"),
    };
    assert!(found == Job::Cancelled || before.contains(&found), "{found:?} of {before:?}");
    outside.met.cancels += u32::from(found == Job::Cancelled);
    outside.job = vec![found];
    Ok(())
}

fn begin_anew(task: &Task, outside: &mut Outside) -> Result<()> {
    outside.begun_anew += 1;
    outside.job.push(Job::Open);
    task.job("build")?.reset()?;
    outside.job = vec![Job::Open];
    Ok(())
}

/// A run of the workflow: three steps in order, of which the second one has steps within it.
fn steps(task: &Task, dice: &mut Dice, outside: &mut Outside) -> Result<()> {
    const PARTS: [&str; 3] = ["load/part[0]", "load/part[1]", "load/part[2]"];
    let fails: [bool; 3] = std::array::from_fn(|_| dice.once_in(4));
    let next = RefCell::new(&mut outside.next);
    let fresh = |fails: bool| {
        let mut next = next.borrow_mut();
        **next += 1;
        if fails { Err("down") } else { Ok(**next) }
    };
    let mut said = Vec::new();
    let mut ran = || {
        said.push(("extract", task.step("extract", || fresh(fails[0]))?));
        let loaded = task.step("load", || {
            for (n, path) in PARTS.into_iter().enumerate() {
                said.push((path, task.step(("part", n), || fresh(n == 1 && fails[1]))?));
            }
            Ok::<_, Box<dyn Error + Send + Sync>>(fresh(false)?)
        })?;
        said.push(("load", loaded));
        said.push(("publish", task.step("publish", || fresh(fails[2]))?));
        Ok(())
    };
    let ended: Result<()> = ran();
    for (path, value) in said {
        if let Some(before) = outside.said.insert(path, value) {
            assert_eq!(value, before, "step {path}");
            outside.met.kept += 1;
        }
        let older = outside.older.remove(path).unwrap_or(0);
        assert!(value > older, "step {path} was to run again, and said {value} as before {older}");
    }
    match ended {
        // Also of an inner one that the disk failed: the next thing that is done shows that.
        Err(error) if error.kind() == ErrorKind::Caller => Ok(()),
        ended => ended,
    }
}

/// Has the steps from one on run again. What they said before counts no more, and what came before them stays.
fn replay(task: &Task, dice: &mut Dice, outside: &mut Outside) -> Result<()> {
    let from = dice.index(2);
    let again: &[&str] = match from {
        0 => &["load/part[0]", "load/part[1]", "load/part[2]", "load", "publish"],
        _ => &["publish"],
    };
    let step = ["load", "publish"][from];
    let is_known = outside.said.contains_key(step);
    for path in again {
        outside.said.remove(path);
    }
    match task.replay_from(Step::new(step)) {
        Ok(_) => {
            outside.older.extend(again.iter().map(|path| (*path, outside.next)));
            outside.met.replays += 1;
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::NotYet => {
            assert!(!is_known, "{error}, and {step} had a result");
            Ok(())
        }
        Err(error) => Err(error),
    }
}
