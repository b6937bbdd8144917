//! Tasks that have ended, and what goes with them: which commits retention may make of its own accord, and which clears
//! and erasures hide nothing any more.
//!
//! Invariant: a task goes if it said that it ended, long enough ago, and nothing at or below its scope was touched or
//! claimed since, nor is what goes held, or read through to. Of its scopes each goes as the policy says that speaks of
//! it; that of the task with the last of them.

use std::collections::{BTreeMap, BTreeSet};

use milepost_types::{CheckpointName, Commit, Event, Scope, ScopePrefix, Seq, Timestamp};

use super::{Kept, Model, Pins, State};

/// The key under which a task says that it has ended.
pub const ENDED_KEY: &str = ".task/end";
/// Who lets it go.
const RETENTION: &str = "retention";

impl Model {
    /// The scopes that are to go at a time, and of which anything is left, in order.
    #[must_use]
    pub fn due(&self, now: Timestamp) -> Vec<String> {
        let state = self.state_as_told();
        let named: Vec<&str> = state.scopes(&ScopePrefix::root(), Timestamp::MIN);
        let tasks = named.iter().map(|task| self.going(&state, &state, task));
        let mut due: Vec<String> = Vec::new();
        for going in tasks {
            let is_due = |scope: &&str| going.get(scope).is_some_and(|at| *at <= now);
            due.extend(named.iter().copied().filter(is_due).map(str::to_owned));
        }
        due.sort();
        due.dedup();
        due
    }

    /// The scopes that go for the end of a task, of those that are known, and when.
    fn going<'a>(&self, state: &State<'a>, known: &State<'a>, scope: &str) -> BTreeMap<&'a str, Timestamp> {
        let none = BTreeMap::new();
        let Some(end) = state.get(scope, ENDED_KEY, Timestamp::MIN) else { return none };
        let Ok(task) = ScopePrefix::parse(scope) else { return none };
        let claims = |kept: &Kept| kept.commit.meta.fences.iter().any(|fence| fence.scope.as_str() == scope);
        let claimed = self.kept.iter().rev().find(|kept| claims(kept)).map_or(Seq::ZERO, |kept| kept.commit.seq);
        // What expired since is no work that goes on.
        let goes_on = |name: &str| state.scope_version(name) > end.seq && !self.has_expired(state, name);
        if claimed > end.seq || state.ever_within(&task).any(goes_on) || state.is_cleared_below(&task, end.seq) {
            return none;
        }
        let left = known.ever_within(&task).filter(|name| known.scope_version(name) <= end.seq);
        let after = |name: &str| state.policy_of(name).and_then(|policy| policy.expire_ended_us);
        let at = |name| after(name).map(|after| (name, Timestamp(end.at.0.saturating_add_unsigned(after))));
        let mut going: BTreeMap<&str, Timestamp> = left.filter_map(at).collect();
        // What is held below it, and holds nothing, keeps nothing.
        let place = |name: &str| ScopePrefix::parse(name).expect("a scope that was written to");
        let is_origin = |name: &str| state.forks().any(|(_, origin, _)| origin == name);
        if going.keys().any(|name| is_origin(name) || state.hold_on(&place(name), false).is_some()) {
            return none;
        }
        let last = going.values().copied().max();
        if let (Some(own), Some(last)) = (going.get_mut(scope), last) {
            *own = last;
        }
        going
    }

    /// Whether a scope was touched last by being let go.
    fn has_expired(&self, state: &State<'_>, scope: &str) -> bool {
        let Some(kept) = self.kept.iter().find(|kept| kept.commit.seq == state.scope_version(scope)) else {
            return false;
        };
        kept.commit.meta.writer.as_ref().is_some_and(|writer| writer.name() == RETENTION)
    }

    /// What a commit that nobody asked for said when it was made, if it lets go what is to go of a task, and their
    /// checkpoints. The pass that made it may have taken the releases with what they let go; one before it all of a
    /// scope that nobody had touched since the end, so that its policy counts no more. `all` are the commits that were
    /// found.
    #[must_use]
    pub fn expiry(&self, found: &Commit, all: &[Commit]) -> Option<Commit> {
        let mut left = State::default();
        for commit in all.iter().take_while(|commit| commit.seq < found.seq) {
            commit.events.iter().for_each(|event| left.touch(event, commit.seq));
        }
        let state = self.state_as_told();
        let mut known = state.clone();
        // What the commit itself lets go is shown no more.
        let is_erased = |name: &str| {
            let mut events = found.events.iter();
            events.any(|event| matches!(event, Event::EraseScope { scope, .. } if scope.as_str() == name))
        };
        for scope in state.ever_within(&ScopePrefix::root()) {
            if left.scope_version(scope) == Seq::ZERO && !is_erased(scope) {
                known.touch_as_told(scope, Seq::ZERO);
            }
        }
        self.expiry_by((&state, &state), found).or_else(|| self.expiry_by((&state, &known), found))
    }

    fn expiry_by(&self, (state, known): (&State<'_>, &State<'_>), found: &Commit) -> Option<Commit> {
        let meta = &found.meta;
        let is_own = meta.writer.as_ref().is_some_and(|writer| writer.name() == RETENTION)
            && meta.idempotency_key.is_none()
            && meta.fences.is_empty()
            && found.at > self.last().at;
        let Some(Event::EraseScope { scope, .. }) = found.events.first().filter(|_| is_own) else { return None };
        // Those of which nothing is left are among them.
        let erased: Vec<&Scope> = found
            .events
            .iter()
            .filter_map(|event| match event {
                Event::EraseScope { scope, bytes: 0 } => Some(scope),
                _ => None,
            })
            .collect();
        let is_erased = |name: &str| erased.iter().any(|scope| scope.as_str() == name);
        let named = state.checkpoints().keys().filter(|(of, _)| is_erased(of));
        let released = named.map(|(of, name)| Event::Release {
            scope: Scope::parse(of).expect("a scope that was written to"),
            name: CheckpointName::parse(name).expect("it was taken"),
        });
        let said: Vec<Event> = found.events[..erased.len()].iter().cloned().chain(released).collect();
        let there = state.scopes(&ScopePrefix::root(), Timestamp::MIN);
        let lets_go = |task: &str| {
            let going = self.going(state, known, task);
            // By a clock that may be behind the stamp.
            let last = erased.iter().filter_map(|scope| going.get(scope.as_str())).max().copied();
            let is_due = |name: &str| going.get(name).is_some_and(|at| *at <= found.at && Some(*at) <= last);
            let within = |name: &str| ScopePrefix::parse(task).is_ok_and(|task| task.holds(name));
            !going.is_empty()
                && erased.iter().all(|scope| within(scope.as_str()))
                // Of one that was forgotten with all that it held nothing is known here.
                && erased.iter().all(|scope| is_due(scope.as_str()) || known.scope_version(scope.as_str()) == Seq::ZERO)
                && there.iter().filter(|name| is_due(name)).all(|name| is_erased(name))
        };
        let is_said = found.events.iter().all(|event| said.contains(event));
        let above = scope.as_str().match_indices('/').map(|(at, _)| &scope.as_str()[..at]);
        let is_it = is_said && above.chain([scope.as_str()]).any(lets_go);
        is_it.then(|| Commit { events: said, ..found.clone() })
    }

    /// Whether something below what an expiry let go is still there, and whether it is of a task that is.
    #[must_use]
    pub fn expires_in_part(&self, expiry: &Commit) -> (bool, bool) {
        let state = self.state_as_told();
        let there = state.scopes(&ScopePrefix::root(), Timestamp::MIN);
        let mut erased = BTreeSet::new();
        for event in &expiry.events {
            if let Event::EraseScope { scope, .. } = event {
                erased.insert(scope.as_str());
            }
        }
        let is_below =
            |name: &str, above: &str| name != above && ScopePrefix::parse(above).is_ok_and(|p| p.holds(name));
        let mut left = there.iter().filter(|name| !erased.contains(**name));
        let is_kept_below = left.clone().any(|name| erased.iter().any(|above| is_below(name, above)));
        let is_before_task = left
            .any(|task| !self.going(&state, &state, task).is_empty() && erased.iter().any(|name| is_below(name, task)));
        (is_kept_below, is_before_task)
    }

    /// How many clears and erasures of scopes and prefixes are gone.
    #[must_use]
    pub fn clears_gone(&self) -> u64 {
        let places = |kept: &Kept| 0..kept.commit.events.len();
        let all = self.kept.iter().flat_map(|kept| places(kept).map(move |place| (kept, place)));
        let is_clear = |event: &Event| {
            matches!(
                event,
                Event::Clear { .. } | Event::ClearPrefix { .. } | Event::EraseScope { .. } | Event::ErasePrefix { .. }
            )
        };
        let gone = all
            .filter(|(kept, place)| is_clear(&kept.commit.events[*place]) && !self.is_there(kept.commit.seq, *place));
        gone.count() as u64
    }

    /// Whether compaction may take a clear, or an erasure, of a scope or of all below a prefix.
    pub(super) fn void_may_go(
        &self,
        kept: &Kept,
        place: usize,
        (of, with_below): (&ScopePrefix, bool),
        pins: &Pins,
    ) -> Result<(), String> {
        let state = self.state(self.last().seq);
        let seq = kept.commit.seq;
        if let Some(hold) = state.hold_on(of, with_below) {
            return Err(format!("it is held: {hold:?}"));
        }
        if pins.from.is_some_and(|from| seq >= from) {
            return Err(format!("somebody goes through all commits from {:?} on", pins.from));
        }
        let is_met = |scope: &str| if with_below { of.holds(scope) } else { of.as_str() == scope };
        if let Some((older, index)) = self.first_left(seq, is_met) {
            return Err(format!("it hides event {index} of commit {older}"));
        }
        let is_erasure = matches!(kept.commit.events[place], Event::EraseScope { .. } | Event::ErasePrefix { .. });
        if !is_erasure {
            let policy = state.policy_of(of.as_str()).filter(|policy| !policy.keeps_everything());
            let is_behind_horizon = policy.is_some() && seq <= self.horizons.of(of.as_str());
            let is_erased = !with_below && self.is_erased(of.as_str(), "", (seq, place));
            return if is_behind_horizon || is_erased {
                Ok(())
            } else {
                Err("reads from before it are possible".into())
            };
        }
        let is_own = kept.commit.meta.writer.as_ref().is_some_and(|writer| writer.name() == RETENTION);
        let is_claimed = self.kept.iter().zip(&self.left).any(|(claim, left)| {
            claim.commit.seq <= seq
                && *left != super::past::Left::Removed
                && claim.commit.meta.fences.iter().any(|fence| is_met(fence.scope.as_str()))
        });
        if is_own && !is_claimed && kept.commit.at <= self.forgotten_by() {
            return Ok(());
        }
        Err(format!("it is history: by itself {is_own}, claims before it are left: {is_claimed}"))
    }

    /// The first event before a commit that is left of scopes, and that a clear of them hides.
    fn first_left(&self, seq: Seq, is_met: impl Fn(&str) -> bool) -> Option<(Seq, usize)> {
        let before = self.kept.iter().take_while(|kept| kept.commit.seq < seq);
        let events =
            before.flat_map(|kept| kept.commit.events.iter().enumerate().map(|found| (kept.commit.seq, found)));
        let mut hidden = events.filter(|(older, (index, event))| {
            let of = match event {
                Event::Set { scope, .. }
                | Event::Delete { scope, .. }
                | Event::Erase { scope, .. }
                | Event::Fork { scope, .. } => scope,
                _ => return false,
            };
            is_met(of.as_str()) && self.is_there(*older, *index)
        });
        hidden.next().map(|(older, (index, _))| (older, index))
    }
}
