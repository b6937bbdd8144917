//! What becomes of a request at its place in the order.
//!
//! Invariant: the order of the questions is fixed. First a repeated idempotency key, whatever has changed since it was
//! used. Then whether there is a place in the order at all: a position, a stamp from a clock that can be right. Then
//! the fences, the preconditions; only then is anything decided about the events.

use std::sync::Arc;

use milepost_types::{Commit, Event, Precondition, Receipt, Scope, Seq, Timestamp, Writer, limits};

use super::{Ask, Kept, Model, State};

/// The outcome of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It became this commit.
    Appended(Commit),
    /// It changed nothing and left no trace; the receipt is that of the commit before.
    Nothing(Receipt),
    /// It is a repetition; the receipt is that of the first time.
    Repeated(Receipt),
    /// It was refused.
    Refused(Refused),
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It asks for nothing.
    Empty,
    /// A condition does not hold; the version that is there.
    Precondition(Precondition, Option<Seq>),
    /// A claim that is not the highest: scope, token, highest token and its writer.
    Fenced(Scope, u64, u64, Option<Writer>),
    /// The idempotency key was used for something else, by this commit.
    Conflict(Seq),
    /// A scope that can't begin as another one.
    Fork(Scope, NoFork),
    /// Something to be erased is held: which of several holds it is does not matter.
    Held,
    /// The wall clock can't be right.
    ClockJump,
    /// No position or stamp is left.
    Exhausted,
}

/// Why a scope can't begin as another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoFork {
    /// It is the other one.
    Itself,
    /// The point, and the last commit there is.
    PointAhead(Seq, Seq),
    /// It is a fork since this commit.
    IsFork(Seq),
    /// It holds keys; its version.
    HasState(Seq),
    /// Too many forks lie behind it.
    TooDeep,
    /// The point, and from where on the past of what it would begin as can be read.
    BeforeHorizon(Seq, Seq),
    /// The other one held no key; its version.
    NoKeys(Seq),
}

impl Model {
    /// What becomes of a request if it is the next one in the order.
    #[must_use]
    pub fn judge(&self, ask: &Ask, wall: Timestamp) -> Outcome {
        if ask.events.is_empty() && ask.meta.fences.is_empty() {
            return Outcome::Refused(Refused::Empty);
        }
        if let Some(first) = self.first_use(ask) {
            let receipt = Receipt { seq: first.commit.seq, at: first.commit.at };
            return match first.commit.events == ask.events {
                true => Outcome::Repeated(receipt),
                false => Outcome::Refused(Refused::Conflict(receipt.seq)),
            };
        }
        let last = self.last();
        let (Some(seq), Some(at)) = (last.seq.next(), last.at.stamp_after(wall)) else {
            return Outcome::Refused(Refused::Exhausted);
        };
        if clock_jumped(last.at, at) {
            return Outcome::Refused(Refused::ClockJump);
        }
        if let Some(refused) = self.fenced(ask) {
            return Outcome::Refused(refused);
        }
        let state = self.state_as_told();
        for condition in &ask.require {
            if let Some(actual) = state.contradicts(condition, at) {
                return Outcome::Refused(Refused::Precondition(condition.clone(), actual));
            }
        }
        let effective = match effective(self, &state, ask, Receipt { seq, at }) {
            Ok(events) => events,
            Err(refused) => return Outcome::Refused(refused),
        };
        // A commit with an idempotency key is kept as it was asked for, so that a repetition can be compared with it.
        let events = if ask.meta.idempotency_key.is_some() { ask.events.clone() } else { effective };
        if events.is_empty() && ask.meta.fences.is_empty() {
            return Outcome::Nothing(last);
        }
        Outcome::Appended(Commit { seq, at, meta: ask.meta.clone(), digest: None, events })
    }

    fn first_use(&self, ask: &Ask) -> Option<&Kept> {
        let key = ask.meta.idempotency_key.as_ref()?;
        let uses = |kept: &&Arc<Kept>| kept.commit.meta.idempotency_key.as_ref() == Some(key);
        let newest = self.kept.iter().rev().filter(|kept| self.is_claim_there(kept)).find(uses)?;
        (newest.commit.at > self.forgotten_by()).then_some(&**newest)
    }

    /// The time of the last commit whose idempotency key is forgotten.
    pub(super) fn forgotten_by(&self) -> Timestamp {
        let last = self.last();
        let root = self.state(last.seq).policy_of("").and_then(|policy| policy.idempotency_for_us);
        Timestamp(last.at.0.saturating_sub_unsigned(root.unwrap_or(limits::IDEMPOTENCY_FOR_US)))
    }

    /// Whether an event of a commit erases all of a scope.
    fn erases_whole(event: &Event, scope: &str) -> bool {
        match event {
            Event::EraseScope { scope: of, .. } => of.as_str() == scope,
            Event::ErasePrefix { prefix, .. } => prefix.holds(scope),
            _ => false,
        }
    }

    /// The last commit that erased all of a scope so long ago that claims from before are forgotten.
    pub(super) fn claims_forgotten(&self, scope: &str) -> Seq {
        let erases = |kept: &&Arc<Kept>| kept.commit.events.iter().any(|event| Self::erases_whole(event, scope));
        let forgotten_by = self.forgotten_by();
        let mut long_ago = self.kept.iter().filter(|kept| kept.commit.at <= forgotten_by);
        long_ago.rfind(erases).map_or(Seq::ZERO, |kept| kept.commit.seq)
    }

    /// The highest token of the newest claim on a scope, if that is not forgotten, and who brought it. One from before
    /// an erasure may be higher: it was forgotten when this one came, whatever is remembered since.
    #[must_use]
    pub fn highest_token(&self, scope: &Scope) -> Option<(u64, Option<&Writer>)> {
        let forgotten = self.claims_forgotten(scope.as_str());
        let remembered = self.kept.iter().rev().take_while(|kept| kept.commit.seq >= forgotten);
        let mut claims = remembered.filter(|kept| self.is_claim_there(kept)).filter_map(|kept| {
            let tokens = kept.commit.meta.fences.iter().filter(|fence| fence.scope == *scope);
            Some((tokens.map(|fence| fence.token).max()?, kept.commit.meta.writer.as_ref()))
        });
        claims.next()
    }

    fn fenced(&self, ask: &Ask) -> Option<Refused> {
        let name = |writer: Option<&Writer>| writer.map(|writer| writer.name().to_owned());
        for fence in &ask.meta.fences {
            let Some((highest, holder)) = self.highest_token(&fence.scope) else { continue };
            let other = name(holder) != name(ask.meta.writer.as_ref());
            if fence.token < highest || (fence.token == highest && other) {
                return Some(Refused::Fenced(fence.scope.clone(), fence.token, highest, holder.cloned()));
            }
        }
        None
    }
}

/// Whether the wall clock is so far ahead of the last commit that it can't be right. A last stamp of before 2020 was
/// made by a clock that was wrong itself.
fn clock_jumped(last: Timestamp, next: Timestamp) -> bool {
    let right_since = Timestamp(1_577_836_800_000_000);
    last >= right_since && next.0.saturating_sub(last.0) > limits::CLOCK_JUMP_MAX_US
}

/// The events that change something, in the order they were asked for, each judged after those before it.
fn effective(model: &Model, state: &State<'_>, ask: &Ask, next: Receipt) -> Result<Vec<Event>, Refused> {
    let before = state;
    let mut state = state.clone();
    let mut kept = Vec::new();
    for event in &ask.events {
        let changes = match event {
            Event::Set { .. } | Event::Checkpoint { .. } => true,
            Event::Delete { scope, key } => state.get(scope.as_str(), key.as_str(), next.at).is_some(),
            Event::Clear { scope } => !state.scan(scope.as_str(), "", next.at).is_empty(),
            Event::ClearPrefix { prefix } => !state.scopes(prefix, next.at).is_empty(),
            Event::Release { scope, name } => state.checkpoint(scope.as_str(), name.as_str()).is_some(),
            Event::Fork { scope, origin, point } => {
                if let Some(why) = no_fork(model, before, &state, (scope, origin, *point), next) {
                    return Err(Refused::Fork(scope.clone(), why));
                }
                true
            }
            Event::Retain { .. } | Event::Hold { .. } => true,
            Event::Unretain { prefix } => state.has_policy(prefix.as_str()),
            Event::Unhold { prefix, name } => state.has_hold(prefix.as_str(), name.as_str()),
            Event::Erase { scope, .. } | Event::EraseScope { scope, .. } => {
                held(state.hold_on(&scope.into(), false))?;
                true
            }
            Event::ErasePrefix { prefix, .. } => {
                held(state.hold_on(prefix, true))?;
                true
            }
        };
        if changes {
            state.apply_event(model, event, (next.seq, kept.len()), next.at);
            kept.push(event.clone());
        }
    }
    Ok(kept)
}

/// Refuses what a hold keeps.
fn held(hold: Option<(&str, &str)>) -> Result<(), Refused> {
    hold.map_or(Ok(()), |_| Err(Refused::Held))
}

/// Why a scope can't begin as another one, if it can't: after the commits before this one, and what this one did.
fn no_fork(
    model: &Model,
    before: &State<'_>,
    state: &State<'_>,
    (scope, origin, point): (&Scope, &Scope, Seq),
    next: Receipt,
) -> Option<NoFork> {
    let last = model.last().seq;
    if scope == origin {
        return Some(NoFork::Itself);
    }
    if point > last {
        return Some(NoFork::PointAhead(point, last));
    }
    if let Some((since, ..)) = state.fork(scope.as_str()) {
        return Some(NoFork::IsFork(since));
    }
    if !state.scan(scope.as_str(), "", next.at).is_empty() {
        return Some(NoFork::HasState(before.scope_version(scope.as_str())));
    }
    if depth(model, origin.as_str(), point) >= limits::FORK_DEPTH_MAX {
        return Some(NoFork::TooDeep);
    }
    let horizon = model.horizons().of(origin.as_str());
    let is_named = before.checkpoints().iter().any(|((of, _), seq)| *of == origin.as_str() && *seq == point);
    if point < horizon && !is_named {
        return Some(NoFork::BeforeHorizon(point, horizon));
    }
    let held = !model.state(point).scan(origin.as_str(), "", next.at).is_empty();
    (!held).then(|| NoFork::NoKeys(before.scope_version(origin.as_str())))
}

/// How many forks lie between a scope and what it began as at last.
fn depth(model: &Model, scope: &str, at: Seq) -> usize {
    model.state(at).fork(scope).map_or(0, |(_, origin, point)| 1 + depth(model, origin, point))
}
