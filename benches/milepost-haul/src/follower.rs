//! The part that reads beside the writer and follows it: refreshes, and looks at what it sees.
//!
//! A round: a refresh; sixteen keys of the newest state; four keys as of random moments; and in turn a whole lane, now
//! or as of a random moment, or the history of a key. Now and then the list of marks.
//!
//! Invariant: it knows nothing but what it reads. A past that can't be read must be older than its policy keeps.

use std::{
    ops::ControlFlow,
    thread,
    time::{Duration, Instant, SystemTime},
};

use milepost::{Change, Policy, Seq, Store, View};

use crate::{
    check,
    dice::Dice,
    ending::Ending,
    fault::{At, Fault},
    lanes::{HEADS, LANES, Lane},
    latency::Recorder,
    marks,
    plan::Plan,
    said::{Kind, Said},
};

const BEAT: Duration = Duration::from_millis(500);
/// Moments that are asked for lie so many commits back at most: by far more than is kept.
const COMMITS_BACK: u64 = 1 << 20;
const HISTORY_CHANGES: usize = 30;
/// How much younger than its policy says a past may be that can't be read: the clock is read at two moments.
const SLACK: Duration = Duration::from_millis(50);

struct Follower<'a> {
    plan: &'a Plan,
    lanes: [Lane; LANES],
    store: Store,
    dice: Dice,
    recorder: Recorder,
    /// Things that were compared.
    checks: u64,
    /// How far each lane was seen to have come.
    seen: Vec<u64>,
}

/// Reads until it is asked to end.
pub(crate) fn run(plan: &Plan) -> Result<(), Fault> {
    let ending = Ending::listen();
    let store = Store::read_only(&plan.store).at(|| "opening to follow".to_owned())?;
    let mut follower = Follower {
        plan,
        lanes: plan.lanes(),
        store,
        dice: Dice::new(plan.seed),
        recorder: Recorder::default(),
        checks: 0,
        seen: vec![0; LANES],
    };
    let mut beat = Instant::now();
    while !ending.is_asked() {
        follower.round()?;
        if beat.elapsed() >= BEAT {
            follower.say()?;
            beat = Instant::now();
        }
        thread::sleep(Duration::from_millis(plan.reader_pause_ms));
    }
    follower.say()?;
    follower.store.close().at(|| "closing a reader".to_owned())?;
    Ok(Said::Closed.say()?)
}

impl Follower<'_> {
    fn say(&mut self) -> Result<(), Fault> {
        let checks = std::mem::take(&mut self.checks);
        Ok(Said::Beat { latencies: self.recorder.take(), checks }.say()?)
    }

    fn round(&mut self) -> Result<(), Fault> {
        let before = Instant::now();
        let last = self.store.refresh().at(|| "in a refresh".to_owned())?.seq;
        self.recorder.record(Kind::Refresh, before.elapsed());
        let view = self.view(milepost::At::Latest)?;
        if view.seq() < last {
            return Err(Fault::Wrong(format!("a view of the newest state is at {}, before {last}", view.seq())));
        }
        for _ in 0..16 {
            self.newest(&view)?;
        }
        for _ in 0..4 {
            let seq = self.moment(last);
            self.past(seq)?;
        }
        match self.dice.roll(64) {
            0 => self.whole_now(&view),
            1 => self.whole_then(last),
            2..=9 => self.history(),
            10 => marks::listed(&self.store).map(|count| self.checks += count),
            _ => Ok(()),
        }
    }

    fn view(&self, at: impl Into<milepost::At>) -> Result<View, Fault> {
        let at = at.into();
        self.store.view(at.clone()).at(|| format!("in a view at {at:?}"))
    }

    /// A seq of the last ones.
    fn moment(&mut self, last: Seq) -> Seq {
        // Most of them where something changes, some far back.
        let back = 1 << self.dice.roll(COMMITS_BACK.ilog2().into());
        Seq(last.0.saturating_sub(self.dice.roll(back)))
    }

    /// A key of a lane of single events, with the number of its keys.
    fn key(&mut self) -> (usize, Lane, u64, String) {
        loop {
            let place = self.dice.roll(LANES as u64) as usize;
            let lane = self.lanes[place];
            if let Some(keys) = lane.keys_in_turn() {
                return (place, lane, keys, Lane::key_in_turn(keys, self.dice.roll(keys)));
            }
        }
    }

    /// A key of the newest state: nothing goes back.
    fn newest(&mut self, view: &View) -> Result<(), Fault> {
        let (place, lane, keys, key) = self.key();
        let scope = check::scope(&lane.name())?;
        let before = Instant::now();
        let value = view.get(&scope, &key).at(|| format!("in {scope} {key}"))?;
        self.recorder.record(Kind::Read, before.elapsed());
        self.checks += 1;
        let n = value.map_or(Ok(0), |value| check::single(lane, keys, &key, &value))?;
        // Seen before was a commit of this lane, and of the `keys` up to it one was of this key.
        let seen = self.seen[place];
        if n + keys <= seen {
            let at = view.seq();
            return Err(Fault::Wrong(format!("{scope} {key} is of commit {n} at {at}, after {seen} had been seen")));
        }
        self.seen[place] = seen.max(n);
        Ok(())
    }

    /// A key as of a moment.
    fn past(&mut self, seq: Seq) -> Result<(), Fault> {
        let (place, lane, keys, key) = self.key();
        let scope = check::scope(&lane.name())?;
        let before = Instant::now();
        let view = self.view(seq)?;
        let value = view.get(&scope, &key).at(|| format!("in {scope} {key} as of {seq}"));
        self.recorder.record(Kind::Read, before.elapsed());
        let ControlFlow::Continue(value) = self.rightly(&view, lane, value)? else { return Ok(()) };
        let Some(value) = value else { return Ok(()) };
        let n = check::single(lane, keys, &key, &value)?;
        if value.seq() > seq {
            return Err(Fault::Wrong(format!("{scope} {key} as of {seq} is of {}", value.seq())));
        }
        self.seen[place] = self.seen[place].max(n);
        Ok(())
    }

    fn whole_now(&mut self, view: &View) -> Result<(), Fault> {
        let place = self.dice.roll(LANES as u64) as usize;
        let lane = self.lanes[place];
        let before = Instant::now();
        let entries = check::entries(view, lane)?;
        self.recorder.record(Kind::Scan, before.elapsed());
        let n = check::judge(view, lane, &entries)?;
        self.checks += entries.len() as u64;
        if n < self.seen[place] {
            return Err(Fault::Wrong(format!("{} went back from {} to {n}", lane.name(), self.seen[place])));
        }
        self.seen[place] = n;
        Ok(())
    }

    fn whole_then(&mut self, last: Seq) -> Result<(), Fault> {
        let lane = self.lanes[self.dice.roll(LANES as u64) as usize];
        let seq = self.moment(last);
        let view = self.view(seq)?;
        let n = check::whole(&view, lane);
        let ControlFlow::Continue(n) = self.rightly(&view, lane, n)? else { return Ok(()) };
        self.checks += n.min(lane.keys_in_turn().unwrap_or(1));
        Ok(())
    }

    /// Judges a read that was refused since what it asks for is not kept: it must be older than the policy says.
    fn rightly<T>(&mut self, view: &View, lane: Lane, read: Result<T, Fault>) -> Result<ControlFlow<(), T>, Fault> {
        self.checks += 1;
        match read {
            Ok(read) => Ok(ControlFlow::Continue(read)),
            Err(fault) if fault.is_before_horizon() => {
                let kept = kept_for(self.plan, lane);
                let at = view.at().at(|| format!("asking the time of {}", view.seq()))?;
                match kept.filter(|kept| age(at.0) + SLACK < *kept) {
                    None => Ok(ControlFlow::Break(())),
                    Some(kept) => Err(Fault::Wrong(format!(
                        "{} as of {}, {} ms ago, is refused though {} ms are kept: {fault}",
                        lane.name(),
                        view.seq(),
                        age(at.0).as_millis(),
                        kept.as_millis()
                    ))),
                }
            }
            Err(fault) => Err(fault),
        }
    }

    fn history(&mut self) -> Result<(), Fault> {
        let (_, lane, keys, key) = self.key();
        let scope = check::scope(&lane.name())?;
        let history = self.store.history(&scope).key(&key).newest_first().iter().take(HISTORY_CHANGES);
        let changes: milepost::Result<Vec<Change>> = history.collect();
        let changes = changes.at(|| format!("in the history of {scope} {key}"))?;
        self.checks += changes.len() as u64;
        check::changes(lane, keys, &key, &changes)
    }
}

/// How long the past of a lane is kept at least; `None` if no time is promised.
pub(crate) fn kept_for(plan: &Plan, lane: Lane) -> Option<Duration> {
    let shortest = |name: &str| {
        let speaks = |prefix: &str| prefix.is_empty() || name == prefix || name.starts_with(&format!("{prefix}/"));
        let policies = plan.policies();
        let policy: Option<Policy> = policies
            .iter()
            .filter(|(prefix, _)| speaks(prefix))
            .max_by_key(|(prefix, _)| prefix.len())
            .map(|row| row.1);
        policy.and_then(|policy| policy.keep_for_us).map(Duration::from_micros)
    };
    let own = shortest(&format!("haul/{}", lane.name()))?;
    if lane.keys_in_turn().is_some() { Some(own) } else { shortest(HEADS).map(|heads| heads.min(own)) }
}

/// How long ago a time of the store was.
pub(crate) fn age(at_us: i64) -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_micros();
    Duration::from_micros((now as i64).saturating_sub(at_us).max(0) as u64)
}
