//! A job of many items under power losses: two workers claim, mark, retry and take back. No item is lost, and none is
//! handed out again once its mark is acknowledged, or while somebody else has it leased.
//!
//! What is known of an item is the set of what its mark may be: one after an acknowledgement, more while something is
//! on its way. A mark of several that were said wins by its rank, so what a worker has said and not flushed can only
//! raise it; but where it is durable already, as its batch was full, the other worker may have put it back since, and a
//! lower word that comes behind it counts.

use std::{collections::BTreeSet, time::Duration};

use milepost::{
    Result, Scope, Seq, Store, Writer,
    task::{Found, Progress, ProgressOptions},
};
use milepost_io::Crash;
use milepost_sim::{dice::Dice, machine::Machine};

use super::{LIVES, NOW, SEEDS};

const ITEMS: usize = 20;
const WORKERS: usize = 2;
const LEASE_US: i64 = 2_000_000;

/// What the mark of an item is, by rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Is {
    Pending,
    Retrying,
    Failed,
    Skipped,
    Done,
}

/// What is known of an item.
struct Known {
    may_be: BTreeSet<Is>,
    /// What each worker has said and not flushed.
    said: [BTreeSet<Is>; WORKERS],
    /// Whether another worker has put the mark back since.
    put_back: [bool; WORKERS],
    /// Until when it is surely somebody's,
    leased_until: i64,
    /// and whose, if that worker is still there.
    leased_by: Option<usize>,
}

/// What is known of all of them, and what happened.
struct Outside {
    items: Vec<Known>,
    cut: u32,
    claimed: u32,
    marked: u32,
}

impl Known {
    /// What was said may be durable, or may not.
    fn close(&mut self) {
        for said in self.said.iter().flatten() {
            let more: Vec<Is> = self.may_be.iter().map(|is| (*is).max(*said)).collect();
            self.may_be.extend(more);
        }
    }

    fn map(&mut self, to: impl Fn(Is) -> Is) {
        self.may_be = self.may_be.iter().map(|is| to(*is)).collect();
        self.close();
    }

    /// A worker puts the mark back: what others have said may have been durable before.
    fn is_put_back(&mut self, by: usize) {
        for worker in (0..WORKERS).filter(|worker| *worker != by) {
            self.put_back[worker] |= !self.said[worker].is_empty();
        }
    }

    fn is_surely_open(&self) -> bool {
        self.may_be.iter().all(|is| *is < Is::Failed)
    }
}

impl Outside {
    fn new() -> Outside {
        let known = || Known {
            may_be: BTreeSet::from([Is::Pending]),
            said: Default::default(),
            put_back: [false; WORKERS],
            leased_until: 0,
            leased_by: None,
        };
        Outside { items: (0..ITEMS).map(|_| known()).collect(), cut: 0, claimed: 0, marked: 0 }
    }

    fn say(&mut self, worker: usize, item: usize, is: Is) {
        let known = &mut self.items[item];
        known.said[worker].insert(is);
        known.close();
        if is == Is::Failed && known.leased_by == Some(worker) {
            // The worker's own lease goes with the failure, if that comes to be.
            known.leased_until = 0;
        }
    }

    /// All that a worker said is durable.
    fn flushed(&mut self, worker: usize) {
        for known in &mut self.items {
            // With what was said it may be either.
            known.close();
            let is_put_back = std::mem::take(&mut known.put_back[worker]);
            let said = std::mem::take(&mut known.said[worker]).last().copied();
            if let Some(said) = said.filter(|_| !is_put_back) {
                known.map(|is| is.max(said));
            }
        }
    }

    /// The power went off: what was said and not flushed is durable, or gone.
    fn forget(&mut self) {
        for known in &mut self.items {
            (known.said, known.put_back) = (Default::default(), [false; WORKERS]);
            known.leased_by = None;
        }
    }

    fn counts(&self, is: Is) -> u64 {
        self.items.iter().filter(|known| known.may_be.contains(&is)).count() as u64
    }
}

#[test]
fn progress_survives_power_losses() {
    let (mut cut, mut claimed, mut marked) = (0, 0, 0);
    for seed in 0..4 * SEEDS {
        let outside = run(seed);
        cut += outside.cut;
        claimed += outside.claimed;
        marked += outside.marked;
    }
    assert!(
        cut > 300 && claimed > 2000 && marked > 2000,
        "too little happened: {cut} power losses, {claimed} items claimed, {marked} marked"
    );
}

/// The same seed, the same commits: nothing beside the simulator decides what comes when.
#[test]
fn the_same_seed_gives_the_same_marks() {
    let trace = |seed| {
        let outside = run(seed);
        (
            outside.cut,
            outside.claimed,
            outside.marked,
            outside.items.into_iter().map(|known| known.may_be).collect::<Vec<_>>(),
        )
    };
    for seed in 0..5 {
        assert_eq!(trace(seed), trace(seed), "seed {seed}");
    }
}

fn run(seed: u64) -> Outside {
    let mut dice = Dice::new(seed);
    let mut machine = Machine::new(seed, 4 << 10, NOW);
    machine.memory_bytes = 4 << 10;
    let mut outside = Outside::new();
    for attempt in 1..=LIVES {
        let is_last = attempt == LIVES;
        if !is_last {
            machine.disk.power_off_after(dice.below(150));
        }
        let lived = live(&machine, attempt, &mut dice, &mut outside, is_last);
        if let Err(error) = lived {
            assert!(machine.disk.is_off(), "seed {seed}, attempt {attempt}: {error}");
            outside.cut += 1;
        }
        outside.forget();
        let disk = machine.disk.crash(*dice.pick(&Crash::ALL), dice.bits());
        machine = machine.with_disk(disk);
        machine.clock.advance(dice.below(2 * LEASE_US as u64));
    }
    outside
}

fn live(machine: &Machine, attempt: u32, dice: &mut Dice, outside: &mut Outside, is_last: bool) -> Result<()> {
    let engine = machine.open()?;
    let store = Store::over(engine.clone());
    let task = store.task(&Scope::parse("task/a").unwrap(), Writer::new("worker").unwrap().attempt(attempt))?;
    let batch_marks = 1 + dice.index(4);
    let lease = Duration::from_micros(LEASE_US as u64);
    let options = ProgressOptions { batch_marks, lease, ..ProgressOptions::default() };
    let workers = [task.progress_with("items", &options)?, task.progress_with("items", &options)?];
    look(&workers[0], outside)?;
    for _ in 0..40 {
        let worker = dice.index(WORKERS);
        let job = &workers[worker];
        match dice.below(20) {
            0..6 => claim(&store, job, worker, dice, outside)?,
            6..10 => mark(job, worker, dice.index(ITEMS), dice, outside)?,
            10..13 => flush(job, worker, outside)?,
            13 => walk(job, worker, outside)?,
            14 => retry(job, worker, outside)?,
            15 => reset(job, worker, dice, outside)?,
            16..18 => machine.clock.advance(dice.below(LEASE_US as u64)),
            _ => while dice.once_in(2) && (engine.step_index() || engine.step_recycle()) {},
        }
    }
    if is_last {
        finish(machine, &store, &workers, dice, outside)?;
    }
    Ok(())
}

fn name(item: usize) -> String {
    // Some have escaped or hashed keys.
    match item % 4 {
        0 => format!("{item:02}{}", "x".repeat(1100)),
        1 => format!("\u{1}{item:02}"),
        _ => format!("dir/{item:02}"),
    }
}

fn names() -> impl Iterator<Item = String> {
    // Each stands there twice.
    (0..ITEMS).chain(0..ITEMS).map(name)
}

fn index(item: &str) -> usize {
    (0..ITEMS).find(|index| name(*index) == item).unwrap()
}

/// What is there after a power loss is one of what may be; the counts are those of the marks.
fn look(job: &Progress, outside: &mut Outside) -> Result<()> {
    for item in 0..ITEMS {
        let is = match job.find(name(item))? {
            Found::Pending => Is::Pending,
            Found::Retrying(_) => Is::Retrying,
            Found::Failed(_) => Is::Failed,
            Found::Skipped(_) => Is::Skipped,
            Found::Done(_) => Is::Done,
            _ => unreachable!(),
        };
        let known = &mut outside.items[item];
        assert!(known.may_be.contains(&is), "item {item} is {is:?}, expected was one of {:?}", known.may_be);
        known.may_be = BTreeSet::from([is]);
    }
    let summary = job.summary()?;
    let counts = (summary.done, summary.failed, summary.skipped);
    assert_eq!(counts, (outside.counts(Is::Done), outside.counts(Is::Failed), outside.counts(Is::Skipped)));
    assert_eq!(job.failures()?.collect::<Result<Vec<_>>>()?.len() as u64, outside.counts(Is::Failed));
    Ok(())
}

fn claim(store: &Store, job: &Progress, worker: usize, dice: &mut Dice, outside: &mut Outside) -> Result<()> {
    let began = store.view(store.last().seq.max(Seq::FIRST))?.at()?.0;
    let claimed = job.pending(names()).claim(1 + dice.index(4))?;
    // Whoever reads a list makes what was said before durable.
    outside.flushed(worker);
    let now = store.last().at.0;
    for item in claimed {
        let item = index(&item);
        let known = &mut outside.items[item];
        assert!(known.may_be.iter().any(|is| *is < Is::Failed), "item {item} is {:?} and was claimed", known.may_be);
        assert!(
            known.leased_until <= now,
            "item {item} is leased until {} and was claimed at {now}",
            known.leased_until
        );
        (known.leased_until, known.leased_by) = (began + LEASE_US, Some(worker));
        outside.claimed += 1;
        if dice.once_in(2) {
            mark(job, worker, item, dice, outside)?;
        }
    }
    Ok(())
}

fn mark(job: &Progress, worker: usize, item: usize, dice: &mut Dice, outside: &mut Outside) -> Result<()> {
    let is = [Is::Done, Is::Done, Is::Failed, Is::Skipped][dice.index(4)];
    outside.say(worker, item, is);
    outside.marked += 1;
    match is {
        Is::Done => job.done_with(name(item), b"result"),
        Is::Failed => job.failed(name(item), "no"),
        Is::Pending | Is::Retrying | Is::Skipped => job.skip(name(item), "not now"),
    }
}

fn flush(job: &Progress, worker: usize, outside: &mut Outside) -> Result<()> {
    job.flush()?;
    outside.flushed(worker);
    Ok(())
}

/// A list hands out all that is surely open, and nothing that is surely not.
fn walk(job: &Progress, worker: usize, outside: &mut Outside) -> Result<()> {
    let pending = job.pending(names()).collect::<Result<Vec<_>>>()?;
    outside.flushed(worker);
    let handed: BTreeSet<usize> = pending.iter().map(|item| index(item)).collect();
    assert_eq!(handed.len(), pending.len(), "one came twice");
    for (item, known) in outside.items.iter().enumerate() {
        let is_handed = handed.contains(&item);
        assert!(is_handed || !known.is_surely_open(), "item {item} is {:?} and was left out", known.may_be);
        assert!(!is_handed || known.may_be.iter().any(|is| *is < Is::Failed), "item {item} is {:?}", known.may_be);
    }
    Ok(())
}

fn retry(job: &Progress, worker: usize, outside: &mut Outside) -> Result<()> {
    let retried = |is| if is == Is::Failed { Is::Retrying } else { is };
    // It may be durable although nobody says so.
    for known in &mut outside.items {
        let before = known.may_be.clone();
        known.map(retried);
        known.may_be.extend(before);
        known.is_put_back(worker);
    }
    job.retry_failed()?;
    outside.flushed(worker);
    outside.items.iter_mut().for_each(|known| known.map(retried));
    Ok(())
}

fn reset(job: &Progress, worker: usize, dice: &mut Dice, outside: &mut Outside) -> Result<()> {
    let item = Some(dice.index(ITEMS)).filter(|_| !dice.once_in(8));
    let is_meant = |index: usize| item.is_none_or(|item| item == index);
    for (_, known) in outside.items.iter_mut().enumerate().filter(|(index, _)| is_meant(*index)) {
        known.may_be.insert(Is::Pending);
        known.is_put_back(worker);
        known.leased_until = 0;
        known.close();
    }
    match item {
        Some(item) => job.reset(name(item))?,
        None => job.reset_all()?,
    }
    outside.flushed(worker);
    for (_, known) in outside.items.iter_mut().enumerate().filter(|(index, _)| is_meant(*index)) {
        known.map(|_| Is::Pending);
    }
    Ok(())
}

/// The last life brings the job to its end: every item is done, but those that are to be left out.
fn finish(
    machine: &Machine,
    store: &Store,
    workers: &[Progress; WORKERS],
    dice: &mut Dice,
    outside: &mut Outside,
) -> Result<()> {
    for (worker, job) in workers.iter().enumerate() {
        flush(job, worker, outside)?;
    }
    retry(&workers[0], 0, outside)?;
    look(&workers[0], outside)?;
    // Whatever was leased is free again, also what nobody was told of.
    machine.clock.advance(2 * LEASE_US as u64);
    store.task(&Scope::parse("task/b").unwrap(), Writer::new("clock").unwrap().attempt(1))?;
    let mut open: BTreeSet<usize> = (0..ITEMS).filter(|item| outside.items[*item].is_surely_open()).collect();
    while !open.is_empty() {
        let worker = dice.index(WORKERS);
        let claimed = workers[worker].pending(names()).claim(3)?;
        assert!(!claimed.is_empty(), "items {open:?} are lost");
        for item in claimed {
            assert!(open.remove(&index(&item)), "{item} was claimed twice");
            workers[worker].done(&item)?;
            outside.say(worker, index(&item), Is::Done);
        }
    }
    for (worker, job) in workers.iter().enumerate() {
        flush(job, worker, outside)?;
    }
    look(&workers[1], outside)?;
    assert!(outside.items.iter().all(|known| known.may_be.iter().all(|is| *is >= Is::Skipped)));
    let summary = workers[1].summary()?;
    assert_eq!(summary.done + summary.skipped, ITEMS as u64);
    Ok(())
}
