//! Tasks that have ended, and what goes with them: which commits retention may make of its own accord, and which clears
//! and erasures hide nothing any more.
//!
//! Invariant: a task goes if it said that it ended, long enough ago, and nothing at or below its scope was touched or
//! claimed since, nor is held, nor is read through to.

use milepost_types::{CheckpointName, Commit, Event, Scope, ScopePrefix, Seq, Timestamp};

use super::{Kept, Model, Pins, State};

/// The key under which a task says that it has ended.
pub const ENDED_KEY: &str = ".task/end";
/// Who lets it go.
const RETENTION: &str = "retention";

impl Model {
    /// The tasks that are to go at a time, in order.
    #[must_use]
    pub fn due(&self, now: Timestamp) -> Vec<String> {
        let state = self.state_as_told();
        let named: Vec<&str> = state.scopes(&ScopePrefix::root(), Timestamp::MIN);
        named.into_iter().filter(|scope| self.is_due(&state, scope, now)).map(str::to_owned).collect()
    }

    fn is_due(&self, state: &State<'_>, scope: &str, now: Timestamp) -> bool {
        let Some(after) = state.policy_of(scope).and_then(|policy| policy.expire_ended_us) else { return false };
        let Some(end) = state.get(scope, ENDED_KEY, Timestamp::MIN) else { return false };
        let Ok(task) = ScopePrefix::parse(scope) else { return false };
        let claims = |kept: &Kept| kept.commit.meta.fences.iter().any(|fence| fence.scope.as_str() == scope);
        let claimed = self.kept.iter().rev().find(|kept| claims(kept)).map_or(Seq::ZERO, |kept| kept.commit.seq);
        let is_origin = state.forks().any(|(_, origin, _)| task.holds(origin));
        let touched = state.touched_within(&task);
        // What is held below it, and holds nothing, keeps nothing.
        let place = |name: &str| ScopePrefix::parse(name).expect("a scope that was written to");
        let is_held = state.ever_within(&task).any(|name| state.hold_on(&place(name), false).is_some());
        claimed <= end.seq
            && touched <= end.seq
            && !is_origin
            && !is_held
            && end.at.0.saturating_add_unsigned(after) <= now.0
    }

    /// What a commit that nobody asked for said when it was made, if it lets go a task that is to go: its scope with
    /// all below it, and their checkpoints. The pass that made it may have taken the releases with what they let go.
    #[must_use]
    pub fn expiry(&self, found: &Commit) -> Option<Commit> {
        let meta = &found.meta;
        let is_own = meta.writer.as_ref().is_some_and(|writer| writer.name() == RETENTION)
            && meta.idempotency_key.is_none()
            && meta.fences.is_empty()
            && found.at > self.last().at;
        let Some(Event::EraseScope { scope, .. }) = found.events.first().filter(|_| is_own) else { return None };
        let state = self.state_as_told();
        let task = ScopePrefix::from(scope);
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
        let is_said = erased.iter().all(|scope| task.holds(scope.as_str()))
            && state.scopes(&task, found.at).iter().all(|name| is_erased(name))
            && found.events.iter().all(|event| said.contains(event));
        let is_it = is_said && self.is_due(&state, scope.as_str(), found.at);
        is_it.then(|| Commit { events: said, ..found.clone() })
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
