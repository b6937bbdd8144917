//! Commits: submitting them, and settling what the engine answered against the model.
//!
//! Invariant: an acknowledgement must be the model's to the microsecond. An error must be one that the faults put into
//! the way explain, and one that says "nothing was appended" is held to it after the next opening.

use std::sync::Arc;

use milepost_engine::{CommitError, Engine, NoFork, Pipeline, ReadError, Refusal, Request, Ticket};
use milepost_types::{At, ContentType, Event, Key, Precondition, Receipt, Scope, Seq};

use super::World;
use crate::{
    check::{self, Agreed, disagree, same},
    model::{self, Ask, Kept, Moment, Outcome, Refused, Version},
};

/// The request that an ask describes.
pub fn request(engine: &Engine, ask: &Ask) -> Result<Request, CommitError> {
    let mut request = engine.request();
    if let Some(writer) = &ask.meta.writer {
        request = request.writer(writer.clone());
    }
    if let Some(key) = &ask.meta.idempotency_key {
        request = request.idempotency_key(key)?;
    }
    for fence in &ask.meta.fences {
        request = request.fence(&fence.scope, fence.token)?;
    }
    for condition in &ask.require {
        request = request.require(condition.clone());
    }
    for event in &ask.events {
        request.add_event(event)?;
    }
    Ok(request)
}

impl World {
    /// One commit by a caller that leads itself.
    pub(super) fn commit(&mut self, ask: &Ask) -> Agreed {
        let engine = self.engine();
        let result = match request(&engine, ask) {
            Ok(request) => engine.commit(request),
            Err(error) => Err(error),
        };
        self.settle(ask, result)
    }

    /// Several commits in flight, then the leader as often as it takes. An odd number of them through a pipeline.
    pub(super) fn flight(&mut self, asks: &[Ask]) -> Agreed {
        let engine = self.engine();
        let mut pipeline = (asks.len() % 2 == 1).then(Pipeline::default);
        let mut tickets: Vec<Result<Ticket, CommitError>> = Vec::new();
        for ask in asks {
            tickets.push(request(&engine, ask).and_then(|request| match &mut pipeline {
                Some(pipeline) => engine.submit_in(pipeline, request),
                None => engine.submit(request),
            }));
        }
        let waiting = |tickets: &[Result<Ticket, CommitError>]| {
            tickets.iter().any(|ticket| ticket.as_ref().is_ok_and(|ticket| !ticket.is_done()))
        };
        let mut rounds = 0;
        while waiting(&tickets) {
            rounds += 1;
            if rounds > asks.len() + 2 {
                return disagree(format!("tickets of {} commits are not done after {rounds} steps", asks.len()));
            }
            let _led = engine.step_leader();
        }
        self.coverage.hit("step/flight of several");
        let mut is_broken = false;
        for (ask, ticket) in asks.iter().zip(tickets) {
            let was_sent = ticket.is_ok();
            let result = ticket.and_then(Ticket::wait);
            let is_skipped = matches!(result, Err(CommitError::Skipped));
            if pipeline.is_some() && ((is_broken && result.is_ok()) || (!is_broken && is_skipped)) {
                return disagree(format!("through a pipeline, broken: {is_broken}, commit of {ask:.400?}: {result:?}"));
            }
            is_broken |= was_sent && result.is_err();
            if is_skipped {
                self.coverage.hit("error/commit: skipped");
                continue;
            }
            self.settle(ask, result)?;
        }
        Ok(())
    }

    /// A scope goes back to what it was, by one commit of the difference.
    pub(super) fn restore(&mut self, scope: &Scope, at: &At) -> Agreed {
        let engine = self.engine();
        let moments = self.model.moment(&At::Latest, self.wall).zip(self.model.moment(at, self.wall));
        let sight = moments.zip(engine.view(at.clone()).ok());
        let sight = sight.map(|((_, then), view)| check::sight(&self.model, at, then, &view));
        let (plan, (now, then)) = match (engine.restoration(scope, at.clone()), moments) {
            (Err(_), _) if self.is_disturbed() => return Ok(()),
            (plan, Some(_)) if sight.as_ref().is_some_and(|sight| sight.before(scope.as_str()).is_some()) => {
                let sight = sight.expect("asked by the arm");
                self.coverage.hit("read/restoring from before a horizon");
                return check::readable(plan.map(drop), &sight, scope.as_str(), || {
                    format!("restoring {scope} to {at:?}")
                })
                .map(drop);
            }
            (Ok(plan), Some(moments)) => (plan, moments),
            // Said rightly or not is asked elsewhere.
            (Err(ReadError::BeforeFirst { .. } | ReadError::BeforeHorizon { .. }), _) if matches!(at, At::Time(_)) => {
                return check::moment(&engine, &self.model, at, self.wall, &mut self.dice);
            }
            (Err(ReadError::NoCheckpoint { .. } | ReadError::Future { .. }), None) => return Ok(()),
            (plan, moments) => {
                return disagree(format!("restoring {scope} to {at:?}\n  engine: {plan:?}\n  model:  {moments:?}"));
            }
        };
        let then = Moment { now: now.now, ..then };
        let name = scope.as_str();
        let differing = self.model.diff((name, now), (name, then));
        check::differences(plan.differences(), &differing, || format!("restoring {scope} to {at:?}"))?;
        let events = differing.into_iter().map(|(key, _, new)| restoring(scope, key, new)).collect();
        let seq = self.model.version_told(name);
        let require = vec![Precondition::ScopeAt { scope: scope.clone(), seq }];
        let ask = Ask { require, events, ..Ask::default() };
        self.coverage.hit(if ask.events.is_empty() { "restore/nothing to do" } else { "restore/done" });
        let result = plan.add_to(engine.request()).and_then(|request| engine.commit(request));
        self.settle(&ask, result)
    }

    fn settle(&mut self, ask: &Ask, result: Result<Receipt, CommitError>) -> Agreed {
        let asked = || format!("commit of {ask:.400?}");
        match result {
            Ok(receipt) => self.acknowledged(ask, receipt),
            Err(CommitError::Refused(refusal)) => {
                self.coverage.hit(refusal_name(&refusal));
                let outcome = self.model.judge(ask, self.wall);
                let Outcome::Refused(refused) = &outcome else {
                    return disagree(format!("{}\n  engine: {refusal}\n  model:  {outcome:.400?}", asked()));
                };
                let found = plain_refusal(&refusal);
                if is_same_but_version(&self.model, ask, &found, refused) {
                    return Ok(());
                }
                same(&found, refused, asked)
            }
            Err(CommitError::Empty) => {
                self.coverage.hit("error/commit: empty");
                same(&Outcome::Refused(Refused::Empty), &self.model.judge(ask, self.wall), asked)
            }
            Err(CommitError::OutcomeUnknown(failure)) => {
                self.coverage.hit("error/commit: outcome unknown");
                if !self.is_disturbed() {
                    return disagree(format!(
                        "{}\n  engine: outcome unknown since {failure}, with no fault near",
                        asked()
                    ));
                }
                self.doubt(ask);
                Ok(())
            }
            Err(CommitError::Stopped(failure)) => {
                self.coverage.hit("error/commit: stopped");
                match self.engine().failure() {
                    Some(_) => Ok(()),
                    None => disagree(format!("{}\n  engine: stopped since {failure}, but not failed", asked())),
                }
            }
            Err(CommitError::DiskFull { need, free }) => {
                self.coverage.hit("error/commit: disk full");
                if self.capacity {
                    self.coverage.hit("fault/capacity");
                }
                self.explained(ask, free.too_little_for(need, None).to_string())
            }
            Err(CommitError::Write(failure)) => {
                self.coverage.hit("error/commit: write");
                self.explained(ask, failure.to_string())
            }
            Err(error) => disagree(format!("{}\n  engine: {error}", asked())),
        }
    }

    fn acknowledged(&mut self, ask: &Ask, receipt: Receipt) -> Agreed {
        let asked = || format!("commit of {ask:.400?}, acknowledged as {receipt:?}");
        if !self.doubt.is_empty() {
            return disagree(format!("{} after one whose outcome is unknown", asked()));
        }
        let right = match self.model.commit_next(ask, self.wall) {
            Outcome::Appended(commit) => {
                self.coverage.hit("commit/appended");
                commit.events.iter().filter_map(rare_name).for_each(|name| self.coverage.hit(name));
                Receipt { seq: commit.seq, at: commit.at }
            }
            Outcome::Nothing(receipt) => {
                self.coverage.hit("commit/nothing to do");
                receipt
            }
            Outcome::Repeated(receipt) => {
                self.coverage.hit("commit/repeated");
                receipt
            }
            Outcome::Refused(refused) => return disagree(format!("{}\n  model: {refused:?}", asked())),
        };
        same(&receipt, &right, asked)
    }

    /// An error that leaves nothing behind and that some fault must explain.
    fn explained(&self, ask: &Ask, said: String) -> Agreed {
        match self.is_disturbed() {
            true => Ok(()),
            false => disagree(format!("commit of {ask:.400?}\n  engine: {said}, with no fault near")),
        }
    }

    /// Notes a commit that may be there or not.
    fn doubt(&mut self, ask: &Ask) {
        let mut after = self.model.clone();
        for kept in &self.doubt {
            after.keep(Arc::clone(kept));
        }
        if let Outcome::Appended(commit) = after.judge(ask, self.wall) {
            self.doubt.push(Arc::new(Kept { commit, ask: ask.clone() }));
        }
    }
}

/// The event that gives a key what it had.
fn restoring(scope: &Scope, key: &str, version: Option<Version<'_>>) -> Event {
    let (scope, key) = (scope.clone(), Key::parse(key).expect("a key of the model"));
    match version {
        Some(Version { value, content_type, expires_at, .. }) => {
            let content_type = content_type.map(|text| ContentType::parse(text).expect("a type of the model"));
            Event::Set { scope, key, value: value.to_vec(), content_type, expires_at }
        }
        None => Event::Delete { scope, key },
    }
}

/// What an event of the rarer kinds is counted as.
fn rare_name(event: &Event) -> Option<&'static str> {
    match event {
        Event::Checkpoint { .. } => Some("commit/checkpoint"),
        Event::Release { .. } => Some("commit/release"),
        Event::Fork { .. } => Some("commit/fork"),
        Event::Retain { .. } => Some("commit/retain"),
        Event::Unretain { .. } => Some("commit/unretain"),
        Event::Hold { .. } => Some("commit/hold"),
        Event::Unhold { .. } => Some("commit/unhold"),
        Event::Erase { .. } | Event::EraseScope { .. } | Event::ErasePrefix { .. } => Some("commit/erase"),
        Event::Set { .. } | Event::Delete { .. } | Event::Clear { .. } | Event::ClearPrefix { .. } => None,
    }
}

/// Whether two refusals of a fork differ only in a version, of whose touch nothing may be left.
fn is_same_but_version(model: &model::Model, ask: &Ask, found: &Refused, right: &Refused) -> bool {
    let (Refused::Fork(of, found), Refused::Fork(scope, right)) = (found, right) else { return false };
    let told = |scope: &Scope, found: &Seq| model.versions_of(scope.as_str(), model.last().seq).contains(found);
    let is_origin = |event: &Event, found: &Seq| match event {
        Event::Fork { scope, origin, .. } => scope == of && told(origin, found),
        _ => false,
    };
    of == scope
        && match (found, right) {
            (model::NoFork::HasState(found), model::NoFork::HasState(_)) => told(scope, found),
            (model::NoFork::NoKeys(found), model::NoFork::NoKeys(_)) => {
                ask.events.iter().any(|event| is_origin(event, found))
            }
            _ => false,
        }
}

fn refusal_name(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Precondition { .. } => "error/refused: precondition",
        Refusal::Fenced { .. } => "error/refused: fenced",
        Refusal::IdempotencyConflict { .. } => "error/refused: idempotency conflict",
        Refusal::Held { .. } => "error/refused: held",
        Refusal::Fork { why, .. } => match why {
            NoFork::Itself => "error/refused: fork of itself",
            NoFork::PointAhead { .. } => "error/refused: fork ahead",
            NoFork::IsFork { .. } => "error/refused: fork of a fork",
            NoFork::HasState { .. } => "error/refused: fork onto state",
            NoFork::TooDeep { .. } => "error/refused: fork too deep",
            NoFork::NoKeys { .. } => "error/refused: fork of nothing",
            NoFork::BeforeHorizon { .. } => "error/refused: fork from before the horizon",
        },
        Refusal::ClockJump { .. } => "error/refused: clock jump",
        Refusal::Exhausted => "error/refused: exhausted",
        Refusal::NotNext { .. } => unreachable!("nothing made before is taken over here"),
        Refusal::Erased { .. } => unreachable!("a restore is planned and made in one go here"),
    }
}

fn plain_refusal(refusal: &Refusal) -> Refused {
    match refusal {
        Refusal::Precondition { failed, actual } => {
            Refused::Precondition(failed.clone(), actual.filter(|seq| *seq > Seq::ZERO))
        }
        Refusal::Fenced { scope, token, highest, holder, .. } => {
            Refused::Fenced(scope.clone(), *token, *highest, holder.clone())
        }
        Refusal::IdempotencyConflict { first, .. } => Refused::Conflict(*first),
        Refusal::Held { .. } => Refused::Held,
        Refusal::Fork { scope, why } => {
            let why = match why {
                NoFork::Itself => model::NoFork::Itself,
                NoFork::PointAhead { point, last } => model::NoFork::PointAhead(*point, *last),
                NoFork::IsFork { since } => model::NoFork::IsFork(*since),
                NoFork::HasState { version } => model::NoFork::HasState(*version),
                NoFork::TooDeep { .. } => model::NoFork::TooDeep,
                NoFork::BeforeHorizon { point, horizon, .. } => model::NoFork::BeforeHorizon(*point, *horizon),
                NoFork::NoKeys { version, .. } => model::NoFork::NoKeys(*version),
            };
            Refused::Fork(scope.clone(), why)
        }
        Refusal::ClockJump { .. } => Refused::ClockJump,
        Refusal::Exhausted => Refused::Exhausted,
        Refusal::NotNext { .. } => unreachable!("nothing made before is taken over here"),
        Refusal::Erased { .. } => unreachable!("a restore is planned and made in one go here"),
    }
}
