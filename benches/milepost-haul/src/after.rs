//! What must be there after the writer was killed, looked for before anybody repairs anything: the parent reads the
//! store as the kill has left it.
//!
//! Invariant: whatever the writer said was acknowledged is there with its value, or is refused as older than its policy
//! keeps; each lane is whole; and nothing but the end of the log may be missing.

use std::time::{Duration, Instant};

use milepost::{Seq, Store, View};

use crate::{
    check,
    fault::{At, Fault},
    follower::{age, kept_for},
    lanes::{HEADS, LANES, Lane},
    marks,
    plan::Plan,
    said::Ack,
};

/// What the writer was heard to say.
#[derive(Default)]
pub(crate) struct Acknowledged {
    /// Of each lane, and of the marks last, the highest number.
    pub(crate) n: Vec<u64>,
    /// Commits with their seq, since the last look: those that were the newest of a line.
    sample: Vec<Ack>,
    /// How many there were to choose from.
    met: u64,
}

/// More are not looked for after one kill.
const SAMPLE_MAX: usize = 2000;

impl Acknowledged {
    pub(crate) fn new() -> Acknowledged {
        Acknowledged { n: vec![0; LANES + 1], ..Acknowledged::default() }
    }

    pub(crate) fn add(&mut self, ack: Ack) -> Result<(), Fault> {
        let known = self.n.get_mut(ack.lane).ok_or_else(|| Fault::Wrong(format!("there is no lane of {ack:?}")))?;
        if ack.n < *known {
            return Err(Fault::Wrong(format!("{ack:?} was acknowledged after {known}: the lane went back")));
        }
        *known = ack.n;
        self.met += 1;
        if ack.lane < LANES {
            // The newest half always, and of what is older every other one: both the last moment and the past.
            if self.sample.len() == SAMPLE_MAX {
                let mut place = 0;
                self.sample.retain(|_| {
                    place += 1;
                    place > SAMPLE_MAX / 2 || place % 2 == 0
                });
            }
            self.sample.push(ack);
        }
        Ok(())
    }

    /// Whether what a lane was found at is no less than what was acknowledged.
    pub(crate) fn are_in(&self, lanes: &[Lane], found: &[u64]) -> Result<(), Fault> {
        let names = lanes.iter().map(|lane| lane.name()).chain([marks::NAME.to_owned()]);
        for ((name, known), found) in names.zip(&self.n).zip(found) {
            if found < known {
                return Err(Fault::Wrong(format!("LOST: {known} was acknowledged of {name}, {found} is there")));
            }
        }
        Ok(())
    }
}

/// What a look after a kill found.
pub(crate) struct Found {
    /// How long it took to open the store for reading.
    pub(crate) open: Duration,
    /// Commits that were looked for at their seq.
    pub(crate) looked_for: u64,
}

/// Opens the store to read, and looks.
pub(crate) fn look(plan: &Plan, acknowledged: &mut Acknowledged) -> Result<Found, Fault> {
    let began = Instant::now();
    let store = Store::read_only(&plan.store).at(|| "opening to read after a kill".to_owned())?;
    let open = began.elapsed();
    let lanes = plan.lanes();
    let mut found = check::all(&store, &lanes)?;
    found.push(marks::count(&store, plan.size.marks)?);
    acknowledged.are_in(&lanes, &found)?;
    let sample = std::mem::take(&mut acknowledged.sample);
    for ack in &sample {
        let lane = lanes[ack.lane];
        let view = store.view(Seq(ack.seq)).at(|| format!("in a view at {}, which was acknowledged", ack.seq))?;
        match number_at(&view, lane, ack) {
            Ok(n) if n == ack.n => {}
            Ok(n) => {
                let name = lane.name();
                let what = format!("LOST: commit {} of {name} was acknowledged at {}, {n} is there", ack.n, ack.seq);
                return Err(Fault::Wrong(what));
            }
            Err(fault) if fault.is_before_horizon() => {
                let at = view.at().at(|| format!("asking the time of {}", ack.seq))?;
                if kept_for(plan, lane).is_some_and(|kept| age(at.0) < kept) {
                    return Err(Fault::Wrong(format!("a commit of {} that must be kept is not: {fault}", lane.name())));
                }
            }
            Err(fault) => return Err(fault),
        }
    }
    store.close().at(|| "closing what was opened to read".to_owned())?;
    Ok(Found { open, looked_for: sample.len() as u64 })
}

/// Which commit of its lane stands at the seq of an acknowledgement, 0 if none does.
fn number_at(view: &View, lane: Lane, ack: &Ack) -> Result<u64, Fault> {
    let Some(keys) = lane.keys_in_turn() else {
        let name = lane.name();
        let scope = check::scope(HEADS)?;
        let value = view.get(&scope, &name).at(|| format!("in {scope} {name} as of {}", ack.seq))?;
        return if value.is_some_and(|value| value.seq().0 == ack.seq) { check::head(view, lane) } else { Ok(0) };
    };
    let (scope, key) = (check::scope(&lane.name())?, Lane::key_in_turn(keys, ack.n));
    let value = view.get(&scope, &key).at(|| format!("in {scope} {key} as of {}", ack.seq))?;
    match value {
        Some(value) if value.seq().0 == ack.seq => check::single(lane, keys, &key, &value),
        Some(_) | None => Ok(0),
    }
}

/// The store is closed: every byte of it is clean, and nothing lies in it that is not its own.
pub(crate) fn verify(plan: &Plan) -> Result<milepost::Report, Fault> {
    let report = milepost::verify(&plan.store, &mut |_done, _all| ()).at(|| "in verify".to_owned())?;
    let is_clean = matches!(report.verdict, milepost::Verdict::Clean);
    if !is_clean || !report.strays.is_empty() || !report.missing_runs.is_empty() {
        return Err(Fault::Wrong(format!("the closed store is not clean: {report:?}")));
    }
    Ok(report)
}

#[cfg(test)]
mod tests;
