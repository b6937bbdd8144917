//! Questions asked of the engine and of the model, and what it means that they agree.
//!
//! Invariant: a check passes only if the engine's answer is the model's, to the byte, order included. Every
//! disagreement says what was asked, what the engine said and what the model says.
//!
//! Must not know: how the store came into its present state.

mod left;

use std::{fmt, ops::ControlFlow};

use milepost_engine::{Change, ChangeKind, Difference, Engine, Entry, HistoryQuery, ReadError, Subject, Value, View};
use milepost_types::{At, Commit, Key, Scope, ScopePrefix, Seq, Timestamp};

use crate::{
    dice::Dice,
    model::{self, Differing, Model, Query, Sight, Version},
    workload::{KEYS, NAMES, SCOPES},
};

pub(crate) use left::comparable;
use left::may_refuse;
pub use left::{horizons, readable, sight};

/// The kinds of change that a query may ask for alone.
const KINDS: [model::ChangeKind; 11] = [
    model::ChangeKind::Set,
    model::ChangeKind::Delete,
    model::ChangeKind::Clear,
    model::ChangeKind::Checkpoint,
    model::ChangeKind::Release,
    model::ChangeKind::Fork,
    model::ChangeKind::Retain,
    model::ChangeKind::Unretain,
    model::ChangeKind::Hold,
    model::ChangeKind::Unhold,
    model::ChangeKind::Erase,
];

/// The engine said one thing and the model another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement(pub String);

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Disagreement {}

/// Agreement, or what was said.
pub type Agreed = Result<(), Disagreement>;

/// A failed check.
pub fn disagree<T>(what: impl Into<String>) -> Result<T, Disagreement> {
    Err(Disagreement(what.into()))
}

/// Compares two answers to one question.
pub fn same<T: PartialEq + fmt::Debug>(engine: &T, model: &T, asked: impl FnOnce() -> String) -> Agreed {
    if engine == model {
        return Ok(());
    }
    disagree(format!("{}\n  engine: {engine:.600?}\n  model:  {model:.600?}", asked()))
}

/// A read that must not fail.
pub fn read<T>(answer: Result<T, ReadError>, asked: impl FnOnce() -> String) -> Result<T, Disagreement> {
    answer.map_err(|error| Disagreement(format!("{}\n  engine: {error}", asked())))
}

/// A version, comparable and printable.
pub(crate) type Plain = (Seq, Timestamp, Vec<u8>, Option<String>, Option<Timestamp>);

fn plain_value(value: &Value) -> Plain {
    (value.seq(), value.at(), value.to_vec(), value.content_type().map(str::to_owned), value.expires_at())
}

pub(crate) fn plain_version(version: &Version<'_>) -> Plain {
    (version.seq, version.at, version.value.to_vec(), version.content_type.map(str::to_owned), version.expires_at)
}

/// A key and its version.
pub(crate) fn plain_entry(entry: Entry) -> (String, Plain) {
    (entry.key.as_str().to_owned(), plain_value(&entry.value))
}

/// A key and its versions on either side.
pub(crate) type PlainDifference = (String, Option<Plain>, Option<Plain>);

pub(crate) fn plain_difference(difference: Difference) -> PlainDifference {
    let side = |value: &Option<Value>| value.as_ref().map(plain_value);
    (difference.key.as_str().to_owned(), side(&difference.old), side(&difference.new))
}

pub(crate) fn plain_differing((key, old, new): &Differing<'_>) -> PlainDifference {
    let side = |version: &Option<Version<'_>>| version.as_ref().map(plain_version);
    ((*key).to_owned(), side(old), side(new))
}

/// Everything that a view shows is what the model says of its moment.
pub fn view(view: &View, model: &Model, sight: &Sight) -> Agreed {
    let at = read(view.at(), || format!("the time of {:?}", sight.moment))?;
    let mut moment = sight.moment;
    if model.there(moment.seq).is_none() && moment.seq > Seq::ZERO && model.may_be_time_of(moment.seq, at) {
        // Of the commit it is of nothing is left, since it was opened maybe.
        moment.now = at;
    }
    let sight = &Sight { moment, ..sight.clone() };
    same(&(view.seq(), at), &(moment.seq, moment.now), || "the moment of a view".into())?;
    let state = model.state(moment.seq);
    scopes(view, (model, sight), &ScopePrefix::root())?;
    for scope in SCOPES {
        let asked = || format!("scan of {scope:?} at {moment:?}");
        let found: Result<Vec<Entry>, ReadError> = view.scan(scope, "").collect();
        if let Some(found) = readable(found, sight, scope, asked)? {
            let found: Vec<_> = found.iter().map(|entry| (entry.key.as_str(), plain_value(&entry.value))).collect();
            let right: Vec<_> = state.scan(scope, "", moment.now).iter().map(|(k, v)| (*k, plain_version(v))).collect();
            same(&found, &right, asked)?;
        }
        let asked = || format!("version of {scope:?} at {moment:?}");
        if let Some(found) = readable(view.scope_version(scope), sight, scope, asked)? {
            let right = model.versions_of(scope, moment.seq);
            same(&right.contains(&found), &true, || format!("{}, which is {found}, not in {right:?}", asked()))?;
        }
    }
    Ok(())
}

/// The scopes within a prefix. Where the past of one of them is not kept, that is said.
fn scopes(view: &View, (model, sight): (&Model, &Sight), prefix: &ScopePrefix) -> Agreed {
    let moment = sight.moment;
    let asked = || format!("scopes within {prefix:?} at {moment:?}");
    let right = model.state(moment.seq).scopes(prefix, moment.now);
    match view.scopes(prefix) {
        // A checkpoint keeps its own scope, and not those below.
        Err(error) if may_refuse(&error, &Sight { pinned: None, ..sight.clone() }, |of| prefix.holds(of)) => Ok(()),
        Ok(_) if !sight.is_beside && right.iter().any(|scope| sight.before(scope).is_some()) => {
            disagree(format!("{}: told, with the past of one of {right:?} not kept", asked()))
        }
        found => {
            let found = read(found, asked)?;
            let found: Vec<&str> = found.iter().map(|scope| scope.as_str()).collect();
            same(&found, &right, asked)
        }
    }
}

/// A few questions to a view that a full scan does not ask.
pub fn view_corners(view: &View, model: &Model, sight: &Sight, dice: &mut Dice) -> Agreed {
    let moment = sight.moment;
    let state = model.state(moment.seq);
    for _ in 0..4 {
        let (scope, key) = (dice.word(&SCOPES), dice.word(&KEYS));
        let asked = || format!("get of {key:?} in {scope:?} at {moment:?}");
        let Some(found) = readable(view.get(scope, key), sight, scope, asked)? else { continue };
        let found = found.map(|value| plain_value(&value));
        same(&found, &state.get(scope, key, moment.now).map(|version| plain_version(&version)), asked)?;
    }
    let scope = dice.word(&SCOPES);
    let asked = || format!("get of many in {scope:?} at {moment:?}");
    if let Some(found) = readable(view.get_many(scope, &KEYS), sight, scope, asked)? {
        let found: Vec<_> = found.into_iter().map(|value| value.map(|value| plain_value(&value))).collect();
        let right = |key: &&str| state.get(scope, key, moment.now).map(|version| plain_version(&version));
        same(&found, &KEYS.iter().map(right).collect(), asked)?;
    }
    let (scope, prefix) = (*dice.pick(&SCOPES), *dice.pick(&["k", "key/with/path", "item/0000", "none"]));
    let after = *dice.pick(&[None, Some("k"), Some("k1x"), Some("item/000007")]);
    let asked = || format!("scan of {scope:?} for {prefix:?} after {after:?} at {moment:?}");
    let found: Result<Vec<Entry>, ReadError> = view.scan_from(scope, prefix, after).collect();
    if let Some(found) = readable(found, sight, scope, asked)? {
        let found: Vec<String> = found.iter().map(|entry| entry.key.as_str().to_owned()).collect();
        let right = state.scan(scope, prefix, moment.now);
        let right: Vec<String> = right
            .iter()
            .map(|(key, _)| (*key).to_owned())
            .filter(|key| after.is_none_or(|after| key.as_str() > after))
            .collect();
        same(&found, &right, asked)?;
    }
    let prefix = ScopePrefix::parse(dice.word(&["a", "a/b", "task", "none", "gr"])).expect("a prefix");
    scopes(view, (model, sight), &prefix)
}

/// A view made now of any moment agrees; one of a moment that is not there yet is refused.
pub fn moment(engine: &Engine, model: &Model, at: &At, wall: Timestamp, dice: &mut Dice) -> Agreed {
    match (engine.view(at.clone()), model.moment(at, wall)) {
        (Ok(opened), Some(moment)) => {
            let is_beside = engine.is_read_only();
            let sight = Sight { is_beside, ..sight(model, at, moment, &opened) };
            view(&opened, model, &sight)?;
            view_corners(&opened, model, &sight, dice)
        }
        (Err(ReadError::Future { last, .. }), None) => {
            same(&last, &model.last().seq, || "the last commit, named".into())
        }
        (Err(ReadError::BeforeFirst { first, at: stamp, .. }), right) => {
            // All commits before it may be gone, and of it no more may be left than about when it was made.
            let is_first = first > Seq::ZERO && model.is_gone(Seq::FIRST, first.prev());
            let named = model.commit(first).map(|commit| commit.at);
            let is_told = named == Some(stamp) || (model.there(first).is_none() && model.may_be_time_of(first, stamp));
            let is_later = matches!(at, At::Time(time) if *time < stamp);
            let is_before = right.is_none_or(|moment| moment.seq < first) || (named != Some(stamp) && is_later);
            same(&(is_before && is_first, is_told), &(true, true), || {
                format!("the first commit, named for {at:?}: {first} of {named:?}, told as of {stamp}")
            })
        }
        (Ok(opened), None) if matches!(at, At::Time(_)) && opened.seq() < model.horizons().last() => {
            before_first(&opened, model, engine.is_read_only())
        }
        (Err(ReadError::NoCheckpoint { scope, others, .. }), None) => {
            let state = model.state(model.last().seq);
            let there = |name: &String| state.checkpoint(scope.as_str(), name).is_some();
            same(&others.iter().all(there), &true, || format!("the checkpoints named in place of {at:?}: {others:?}"))
        }
        (Ok(opened), None) => disagree(format!(
            "view of {at:?}: engine: at {}, {:?}; model: not there, the first commit is {:?}",
            opened.seq(),
            opened.at(),
            model.commit(Seq::FIRST).map(|commit| commit.at)
        )),
        (Err(error), right) => disagree(format!("view of {at:?}: engine: {error}, model: {right:?}")),
    }
}

/// Of a time before the first commit it is told that there was nothing, or that a scope's past is not kept. Who reads
/// beside the writer may not have heard of the newest horizon.
fn before_first(view: &View, model: &Model, is_beside: bool) -> Agreed {
    for scope in SCOPES {
        let told = view.get(scope, "k");
        let is_kept = view.seq() >= model.horizons().of(scope);
        match told {
            Err(ReadError::BeforeFirst { .. }) if is_kept || is_beside => {}
            Err(ReadError::BeforeHorizon { .. }) if !is_kept => {}
            told => return disagree(format!("{scope:?} before the first commit: {told:?}, of {:?}", model.horizons())),
        }
    }
    Ok(())
}

/// The commits from a position on are the model's, replayed either way.
pub fn replay(engine: &Engine, model: &Model, from: Seq) -> Agreed {
    let found = commits(engine, from)?;
    if engine.is_read_only() {
        // It may have files that were replaced since.
        return match from {
            Seq::FIRST => model.holds_no_less(&found).map_err(Disagreement),
            _ => Ok(()),
        };
    }
    let mut right = model.all_there(from);
    for found in &found {
        same(&Some(found), &right.next().as_ref(), || format!("replay from {from}, commit {}", found.seq))?;
    }
    same(&None, &right.next(), || format!("replay from {from}, after its end"))?;
    let mut borrowed = Vec::new();
    let told = engine.replay(from).for_each(&mut |receipt, body| {
        if !body.says_nothing() {
            borrowed.push((receipt.seq, receipt.at, body.event_count() as usize));
        }
        ControlFlow::Continue(())
    });
    read(told, || format!("borrowed replay from {from}"))?;
    let owned: Vec<_> = found.iter().map(|commit| (commit.seq, commit.at, commit.events.len())).collect();
    same(&borrowed, &owned, || format!("replay from {from}, borrowed against owned"))
}

/// The commits from a position on, as the engine replays them.
pub fn commits(engine: &Engine, from: Seq) -> Result<Vec<Commit>, Disagreement> {
    let mut replay = engine.replay(from);
    let mut found = Vec::new();
    while let Some(commit) = read(replay.next(), || format!("replay from {from}"))? {
        // What a thinned one is repeated as, the repetitions ask.
        found.push(Commit { digest: None, ..commit });
    }
    Ok(found)
}

/// History agrees, old and new values included.
pub fn history(engine: &Engine, model: &Model, query: &Query) -> Agreed {
    let asked = || format!("history {query:?}");
    let question = question(query);
    let last = model.last().seq;
    if let Some(ahead) = query.since.into_iter().chain(query.until).find(|seq| *seq > last) {
        let said = engine.history(question).map(drop);
        let is_named = matches!(said, Err(ReadError::Future { asked, last: of }) if asked == ahead && of == last);
        return same(&is_named, &true, || format!("{}, told {said:?}", asked()));
    }
    let found: Result<Vec<Change>, ReadError> = read(engine.history(question), asked)?.collect();
    let found = read(found, asked)?;
    // What a change behind a horizon replaced is seen at it, and stays.
    let is_kept = |change: &&Change| change.seq > model.horizons().of(change.scope.as_str());
    if let Some(change) = found.iter().filter(is_kept).find(|change| change.old_removed) {
        return disagree(format!("{}: what {change:?} replaced is not removed", asked()));
    }
    let found: Vec<model::Change> = found.iter().map(plain_change).collect::<Result<_, _>>()?;
    let found = comparable(found, model);
    if engine.is_read_only() && !model.is_whole() {
        // It may have files that were replaced since.
        let right = comparable(model.history(query), model);
        let mut all = right.iter();
        return match found.iter().find(|found| !all.any(|right| right == *found)) {
            Some(found) => disagree(format!("{}, a reader is told {found:?}, of {right:.900?}", asked())),
            None => Ok(()),
        };
    }
    let right = comparable(model.history_left(query), model);
    for (found, right) in found.iter().zip(&right) {
        same(found, right, asked)?;
    }
    same(&found.len(), &right.len(), || format!("number of changes in {}", asked()))
}

/// A query as the engine takes it.
pub(crate) fn question(query: &Query) -> HistoryQuery {
    HistoryQuery {
        prefix: query.prefix.clone(),
        key: query.key.as_deref().map(|key| Key::parse(key).expect("a key")),
        kind: query.kind.map(kind_asked),
        since: query.since,
        until: query.until,
        since_time: query.since_time,
        until_time: query.until_time,
        writer: query.writer.clone(),
        attempt: query.attempt,
        newest_first: query.newest_first,
    }
}

pub(crate) fn plain_change(change: &Change) -> Result<model::Change, Disagreement> {
    let plain = |value: &Option<Value>| value.as_ref().map(|value| (value.seq(), value.to_vec()));
    Ok(model::Change {
        seq: change.seq,
        at: change.at,
        writer: change.writer.clone(),
        scope: change.scope.as_str().to_owned(),
        subject: match &change.subject {
            Subject::Key(key) => model::Subject::Key(key.as_str().to_owned()),
            Subject::Checkpoint { name, note } => {
                let note = note.as_ref().map(|note| note.as_str().to_owned());
                model::Subject::Checkpoint(name.as_str().to_owned(), note)
            }
            Subject::Fork { origin, point } => model::Subject::Fork(origin.as_str().to_owned(), *point),
            Subject::Policy { policy } => model::Subject::Policy(*policy),
            Subject::Hold { name, note } => {
                let note = note.as_ref().map(|note| note.as_str().to_owned());
                model::Subject::Hold(name.as_str().to_owned(), note)
            }
            Subject::Erased { key, with_below, bytes } => {
                model::Subject::Erased(key.as_ref().map(|key| key.as_str().to_owned()), *with_below, *bytes)
            }
        },
        kind: match change.kind {
            ChangeKind::Set => model::ChangeKind::Set,
            ChangeKind::Delete => model::ChangeKind::Delete,
            ChangeKind::Clear => model::ChangeKind::Clear,
            ChangeKind::Checkpoint => model::ChangeKind::Checkpoint,
            ChangeKind::Release => model::ChangeKind::Release,
            ChangeKind::Fork => model::ChangeKind::Fork,
            ChangeKind::Retain => model::ChangeKind::Retain,
            ChangeKind::Unretain => model::ChangeKind::Unretain,
            ChangeKind::Hold => model::ChangeKind::Hold,
            ChangeKind::Unhold => model::ChangeKind::Unhold,
            ChangeKind::Erase => model::ChangeKind::Erase,
            other => return disagree(format!("a kind of change that the model does not know: {other:?}")),
        },
        old: plain(&change.old),
        new: plain(&change.new),
    })
}

fn kind_asked(kind: model::ChangeKind) -> ChangeKind {
    match kind {
        model::ChangeKind::Set => ChangeKind::Set,
        model::ChangeKind::Delete => ChangeKind::Delete,
        model::ChangeKind::Clear => ChangeKind::Clear,
        model::ChangeKind::Checkpoint => ChangeKind::Checkpoint,
        model::ChangeKind::Release => ChangeKind::Release,
        model::ChangeKind::Fork => ChangeKind::Fork,
        model::ChangeKind::Retain => ChangeKind::Retain,
        model::ChangeKind::Unretain => ChangeKind::Unretain,
        model::ChangeKind::Hold => ChangeKind::Hold,
        model::ChangeKind::Unhold => ChangeKind::Unhold,
        model::ChangeKind::Erase => ChangeKind::Erase,
    }
}

/// What the engine says that two states differ in is what the model says.
pub fn differences(found: &[Difference], right: &[Differing<'_>], asked: impl Fn() -> String) -> Agreed {
    let found: Vec<_> = found.iter().cloned().map(plain_difference).collect();
    let right: Vec<_> = right.iter().map(plain_differing).collect();
    same(&found, &right, asked)
}

/// Two scopes, or one, at two moments.
fn diff(engine: &Engine, model: &Model, wall: Timestamp, dice: &mut Dice) -> Agreed {
    let last = model.last().seq.0;
    let at = |dice: &mut Dice| match dice.below(4) {
        0 => At::Latest,
        1 => At::Time(near(model, wall, dice)),
        _ => At::Seq(Seq(dice.below(last + 1))),
    };
    let (old_at, new_at) = (at(dice), at(dice));
    let old_scope = dice.word(&SCOPES);
    let new_scope = if dice.once_in(2) { old_scope } else { dice.word(&SCOPES) };
    let asked = || format!("diff of {old_scope:?} at {old_at:?} and {new_scope:?} at {new_at:?}");
    for at in [&old_at, &new_at] {
        let is_first_gone =
            matches!(at, At::Time(_)) && matches!(engine.view(at.clone()), Err(ReadError::BeforeFirst { .. }));
        if model.moment(at, wall).is_none() || is_first_gone {
            return moment(engine, model, at, wall, dice);
        }
    }
    let (old, new) = (read(engine.view(old_at.clone()), asked)?, read(engine.view(new_at.clone()), asked)?);
    let found = old.diff(old_scope, &new, new_scope).and_then(Iterator::collect::<Result<Vec<_>, ReadError>>);
    let (Some(old_moment), Some(new_moment)) = (model.moment(&old_at, wall), model.moment(&new_at, wall)) else {
        return disagree(asked());
    };
    let (old, new) = (sight(model, &old_at, old_moment, &old), sight(model, &new_at, new_moment, &new));
    let is_beside = engine.is_read_only();
    let may = |error: &ReadError| {
        let of_either = |sight: &Sight, scope: &'static str| {
            may_refuse(error, &Sight { is_beside, ..sight.clone() }, |of| of == scope)
        };
        of_either(&old, old_scope) || of_either(&new, new_scope)
    };
    let before = [(&old, old_scope), (&new, new_scope)].into_iter().find(|(sight, of)| sight.before(of).is_some());
    match (before, &found) {
        (_, Err(error)) if may(error) => return Ok(()),
        (Some(_), Ok(_)) if is_beside => return Ok(()),
        (Some((sight, _)), other) => return disagree(format!("{}, with {sight:?}: {other:?}", asked())),
        (None, _) => {}
    }
    let (found, old, new) = (read(found, asked)?, old.moment, new.moment);
    differences(&found, &model.diff((old_scope, old), (new_scope, new)), asked)
}

/// A query drawn from the dice.
pub fn query(model: &Model, dice: &mut Dice) -> Query {
    let last = model.last().seq.0;
    let seq = |dice: &mut Dice| dice.once_in(3).then(|| Seq(dice.below(last + 2)));
    let (since, until) = (seq(dice), seq(dice));
    let time = |dice: &mut Dice| {
        let commit = model.commit(Seq(1 + dice.below(last)))?;
        dice.once_in(4).then_some(commit.at)
    };
    Query {
        prefix: ScopePrefix::parse(dice.word(&["", "", "a", "a/b", "task/etl", "none"])).expect("a prefix"),
        key: dice.once_in(2).then(|| (dice.word(&KEYS)).to_owned()),
        since,
        until,
        since_time: time(dice),
        until_time: time(dice),
        writer: dice.once_in(4).then(|| "worker-1".to_owned()),
        attempt: dice.once_in(8).then(|| dice.below(5) as u32),
        kind: dice.once_in(6).then(|| *dice.pick(&KINDS)),
        newest_first: dice.once_in(2),
    }
}

/// The latest state in full, and one more question of many: enough for one crash state of a million.
pub fn glance(engine: &Engine, model: &Model, wall: Timestamp, dice: &mut Dice) -> Agreed {
    same(&engine.last(), &model.last(), || "the last commit".into())?;
    moment(engine, model, &At::Latest, wall, dice)?;
    match dice.below(8) {
        0 => replay(engine, model, Seq(1 + dice.below(model.last().seq.0 + 1))),
        1 => moment(engine, model, &At::Seq(Seq(dice.below(model.last().seq.0 + 2))), wall, dice),
        2 => moment(engine, model, &At::Time(near(model, wall, dice)), wall, dice),
        3 => history(engine, model, &query(model, dice)),
        4 => moment(engine, model, &checkpoint(dice), wall, dice),
        5 => diff(engine, model, wall, dice),
        _ => single(engine, model, wall, dice),
    }
}

/// Every kind of question, once.
pub fn everything(engine: &Engine, model: &Model, wall: Timestamp, dice: &mut Dice) -> Agreed {
    same(&engine.last(), &model.last(), || "the last commit".into())?;
    let last = model.last().seq;
    moment(engine, model, &At::Latest, wall, dice)?;
    moment(engine, model, &checkpoint(dice), wall, dice)?;
    replay(engine, model, Seq(1 + dice.below(last.0 + 1)))?;
    moment(engine, model, &At::Seq(Seq(dice.below(last.0 + 2))), wall, dice)?;
    moment(engine, model, &At::Time(near(model, wall, dice)), wall, dice)?;
    history(engine, model, &query(model, dice))?;
    diff(engine, model, wall, dice)?;
    single(engine, model, wall, dice)
}

/// A checkpoint, there or not.
fn checkpoint(dice: &mut Dice) -> At {
    let scope = Scope::parse(dice.word(&SCOPES)).expect("a scope of the table");
    At::checkpoint(&scope, dice.word(&NAMES))
}

/// A time at a commit, or right beside it.
fn near(model: &Model, wall: Timestamp, dice: &mut Dice) -> Timestamp {
    let commit = model.commit(Seq(1 + dice.below(model.last().seq.0)));
    let near = commit.map_or(wall, |commit| commit.at);
    Timestamp(near.0.saturating_add(dice.below(3) as i64 - 1))
}

/// One commit by its position, and one key without a view.
fn single(engine: &Engine, model: &Model, wall: Timestamp, dice: &mut Dice) -> Agreed {
    let last = model.last();
    let seq = Seq(dice.below(last.seq.0 + 2));
    let found =
        read(engine.commit_at(seq), || format!("commit at {seq}"))?.map(|found| Commit { digest: None, ..found });
    match engine.is_read_only() {
        false => same(&found, &model.there(seq), || format!("commit at {seq}"))?,
        // It may have a file that was replaced since.
        true => same(&(found.is_some() || model.there(seq).is_none()), &true, || format!("commit at {seq}"))?,
    }
    let (scope, key) = (dice.word(&SCOPES), dice.word(&KEYS));
    let found = read(engine.get(scope, key), || format!("get of {key:?} in {scope:?}"))?;
    let now = Timestamp(wall.0.max(last.at.0));
    let state = model.state(last.seq);
    let right = state.get(scope, key, now).map(|version| plain_version(&version));
    same(&found.as_ref().map(plain_value), &right, || format!("get of {key:?} in {scope:?}, latest"))
}
