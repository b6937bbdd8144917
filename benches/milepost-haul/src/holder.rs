//! The part that holds one view for as long as it lives, while the writer writes, dies, and compacts, and while its own
//! handle moves on.
//!
//! Invariant: whatever is written, merged, compressed or dropped meanwhile, the view answers the same to the byte.

use std::{
    thread,
    time::{Duration, Instant},
};

use milepost::{At as Moment, Store, View};

use crate::{
    check,
    dice::mix,
    ending::Ending,
    fault::{At, Fault},
    latency::Recorder,
    plan::Plan,
    said::{Kind, Said},
};

/// Between two looks whether it was asked to end.
const NAP: Duration = Duration::from_millis(20);

/// Holds a view until it is asked to end.
pub(crate) fn run(plan: &Plan) -> Result<(), Fault> {
    let ending = Ending::listen();
    let store = Store::read_only(&plan.store).at(|| "opening to hold a view".to_owned())?;
    let view = store.view(Moment::Latest).at(|| "in the view to be held".to_owned())?;
    let recorder = Recorder::default();
    let first = read_whole(plan, &view, &recorder)?;
    let pause = Duration::from_millis(plan.holder_ms.unwrap_or_default());
    let began = Instant::now();
    let mut next = began;
    while !ending.is_asked() {
        if Instant::now() < next {
            thread::sleep(NAP);
            continue;
        }
        next = Instant::now() + pause;
        store.refresh().at(|| "in a refresh beside a held view".to_owned())?;
        let again = read_whole(plan, &view, &recorder)?;
        if again != first {
            return Err(Fault::Wrong(format!(
                "a view of {} held for {} s has another state: {again:?}, it was {first:?}",
                view.seq(),
                began.elapsed().as_secs()
            )));
        }
        Said::Beat { latencies: recorder.take(), checks: again.values }.say()?;
    }
    Ok(Said::Closed.say()?)
}

/// What a view holds.
#[derive(Debug, PartialEq, Eq)]
struct Whole {
    values: u64,
    /// Of every key, its commit and its value.
    hash: u64,
    /// How far each lane has come.
    lanes: Vec<u64>,
}

fn read_whole(plan: &Plan, view: &View, recorder: &Recorder) -> Result<Whole, Fault> {
    let mut whole = Whole { values: 0, hash: 0, lanes: Vec::new() };
    for lane in plan.lanes() {
        let before = Instant::now();
        let entries = check::entries(view, lane)?;
        recorder.record(Kind::Scan, before.elapsed());
        whole.lanes.push(check::judge(view, lane, &entries)?);
        for entry in &entries {
            whole.values += 1;
            whole.hash = mix(whole.hash ^ entry.value.seq().0);
            whole.hash = entry.key.as_str().bytes().fold(whole.hash, |hash, byte| mix(hash ^ u64::from(byte)));
            whole.hash = entry.value.iter().fold(whole.hash, |hash, byte| mix(hash ^ u64::from(*byte)));
        }
    }
    Ok(whole)
}
