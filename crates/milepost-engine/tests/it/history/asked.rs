//! What a history tells for any question, against a plain list that is kept of all that took effect.

use std::collections::BTreeMap;

use milepost_engine::{ChangeKind, HistoryQuery, Request, Subject};
use milepost_io::SimRng;
use milepost_types::{CheckpointName, HoldName, Key, Note, Policy, ScopePrefix, Seq, Timestamp, Writer};

use crate::{
    compaction::{Rig, place},
    scope,
};

const SCOPES: [&str; 4] = ["a", "a/b", "a/bc", "d"];
const PREFIXES: [&str; 3] = ["", "a", "a/b"];
const KEYS: [&str; 3] = ["k0", "k1", "k2"];
/// Names of checkpoints and holds: one of them is a key's as well.
const NAMES: [&str; 2] = ["k0", "name"];
/// Microseconds from one commit to the next.
const STEP: i64 = 10;

#[derive(Clone, Debug, PartialEq)]
struct Told {
    seq: Seq,
    at: Timestamp,
    writer: Option<Writer>,
    scope: String,
    subject: Subject,
    kind: ChangeKind,
    old: Option<Vec<u8>>,
    old_removed: bool,
    new: Option<Vec<u8>>,
}

/// A value, and from when on it counts as gone.
type Live = (Vec<u8>, Option<Timestamp>);
type State = BTreeMap<(String, String), Live>;

/// A commit that is being made, and what it changes.
struct Making {
    request: Request,
    changes: Vec<Told>,
    at: Timestamp,
    writer: Option<Writer>,
    seq: Seq,
}

struct World {
    rig: Rig,
    rng: SimRng,
    told: Vec<Told>,
    /// As of each commit, the empty one first.
    states: Vec<State>,
    checkpoints: Vec<(&'static str, &'static str)>,
    holds: Vec<(&'static str, &'static str)>,
    policies: Vec<&'static str>,
    forks: Vec<String>,
    /// Histories with erasures are others than those with forks.
    erases: bool,
}

impl Making {
    fn tell(&mut self, of: &str, subject: Subject, kind: ChangeKind, old: Option<Vec<u8>>, new: Option<Vec<u8>>) {
        let (seq, at, writer, scope) = (self.seq, self.at, self.writer.clone(), of.to_owned());
        self.changes.push(Told { seq, at, writer, scope, subject, kind, old, old_removed: false, new });
    }

    /// A key gets another value, or none. Where there was none before, nothing happened.
    fn change(&mut self, state: &mut State, of: (&str, &str), kind: ChangeKind, new: Option<Live>) {
        let key = (of.0.to_owned(), of.1.to_owned());
        let old = match &new {
            Some(new) => state.insert(key, new.clone()),
            None => state.remove(&key),
        };
        let old = old.filter(|(_, expiry)| expiry.is_none_or(|expiry| expiry > self.at)).map(|(value, _)| value);
        if old.is_some() || new.is_some() {
            let subject = Subject::Key(Key::parse(of.1).unwrap());
            self.tell(of.0, subject, kind, old, new.map(|(value, _)| value));
        }
    }
}

impl World {
    fn new(seed: u64) -> World {
        let (told, states, erases) = (Vec::new(), vec![State::new()], seed.is_multiple_of(2));
        let (checkpoints, holds, policies, forks) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (rig, rng) = (Rig::new(seed), SimRng::new(seed));
        World { rig, rng, told, states, checkpoints, holds, policies, forks, erases }
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.rng.index(of.len())]
    }

    fn scope(&mut self) -> String {
        let names: Vec<String> = SCOPES.into_iter().map(str::to_owned).chain(self.forks.clone()).collect();
        names[self.rng.index(names.len())].clone()
    }

    fn commit(&mut self) {
        self.rig.clock.advance(STEP as u64);
        let last = self.rig.store.last();
        let named = |name: &str| Writer::new(name).unwrap();
        let writers = [None, Some(named("w")), Some(named("w").attempt(1)), Some(named("v").attempt(1))];
        let writer = writers[self.rng.index(4)].clone();
        let at = Timestamp((last.at.0 + STEP).max(1_700_000_000_000_000 + STEP));
        let mut request = self.rig.store.request();
        if let Some(writer) = &writer {
            request = request.writer(writer.clone());
        }
        let mut making = Making { request, changes: Vec::new(), at, writer, seq: Seq(last.seq.0 + 1) };
        let mut state = self.states.last().unwrap().clone();
        if !self.erases && self.rng.below(12) == 0 && last.seq.0 > 0 {
            self.fork(&mut making, &mut state);
        }
        // One event at least takes effect.
        self.set(&mut making, &mut state);
        for _ in 0..self.rng.below(4) {
            match self.rng.below(3) {
                0 => self.set(&mut making, &mut state),
                1 => self.take(&mut making, &mut state),
                _ => self.say(&mut making, &mut state),
            }
        }
        let receipt = self.rig.store.commit(making.request).unwrap();
        assert_eq!((receipt.seq, receipt.at), (making.seq, making.at));
        self.told.extend(making.changes);
        self.states.push(state);
        if self.rng.below(3) == 0 {
            while self.rig.store.step_index() {}
        }
    }

    fn set(&mut self, making: &mut Making, state: &mut State) {
        let (of, key, value) = (self.scope(), self.one_of(&KEYS), vec![self.rng.below(3) as u8]);
        // Some are gone just when the next commit is made, or with this one already.
        let expiry = Timestamp(making.at.0 + STEP * self.rng.below(4) as i64);
        let expiry = Some(expiry).filter(|_| self.rng.below(3) == 0);
        making.request.add_set_with(&scope(&of), key, &value, None, expiry).unwrap();
        making.change(state, (&of, key), ChangeKind::Set, Some((value, expiry)));
    }

    /// Takes away what users have.
    fn take(&mut self, making: &mut Making, state: &mut State) {
        let (of, key, prefix) = (self.scope(), self.one_of(&KEYS), self.one_of(&PREFIXES));
        match self.rng.below(8) {
            0 => {
                making.request.add_clear(&scope(&of)).unwrap();
                let gone: Vec<_> = state.keys().filter(|(scope, _)| *scope == of).cloned().collect();
                gone.iter().for_each(|(of, key)| making.change(state, (of, key), ChangeKind::Clear, None));
            }
            1 => {
                making.request.add_clear_prefix(&place(prefix)).unwrap();
                let gone: Vec<_> = state.keys().filter(|(scope, _)| place(prefix).holds(scope)).cloned().collect();
                gone.iter().for_each(|(of, key)| making.change(state, (of, key), ChangeKind::Clear, None));
            }
            _ => {
                making.request.add_delete(&scope(&of), key).unwrap();
                making.change(state, (&of, key), ChangeKind::Delete, None);
            }
        }
    }

    /// Says something of a scope or of what is kept.
    fn say(&mut self, making: &mut Making, state: &mut State) {
        let (of, name, prefix) = (self.one_of(&SCOPES), self.one_of(&NAMES), self.one_of(&PREFIXES));
        let note = Some(Note::parse("a note").unwrap()).filter(|_| self.rng.coin());
        match self.rng.below(9) {
            0 | 1 => {
                making.request.add_checkpoint(&scope(of), name, note.as_ref()).unwrap();
                self.checkpoints.push((of, name));
                let name = CheckpointName::parse(name).unwrap();
                making.tell(of, Subject::Checkpoint { name, note }, ChangeKind::Checkpoint, None, None);
            }
            2 => {
                // One that is not there is not let go.
                making.request.add_release(&scope(of), name).unwrap();
                if self.checkpoints.contains(&(of, name)) {
                    self.checkpoints.retain(|there| *there != (of, name));
                    let name = CheckpointName::parse(name).unwrap();
                    making.tell(of, Subject::Checkpoint { name, note: None }, ChangeKind::Release, None, None);
                }
            }
            3 => {
                let policy = Policy::default().keep_last(self.rng.below(9));
                making.request.add_retain(&place(prefix), &policy).unwrap();
                self.policies.push(prefix);
                making.tell(prefix, Subject::Policy { policy: Some(policy) }, ChangeKind::Retain, None, None);
            }
            4 => {
                making.request.add_unretain(&place(prefix)).unwrap();
                if self.policies.contains(&prefix) {
                    self.policies.retain(|there| *there != prefix);
                    making.tell(prefix, Subject::Policy { policy: None }, ChangeKind::Unretain, None, None);
                }
            }
            _ if self.erases => self.erase(making, state),
            5 | 6 => {
                making.request.add_hold(&place(prefix), name, note.as_ref()).unwrap();
                self.holds.push((prefix, name));
                let name = HoldName::parse(name).unwrap();
                making.tell(prefix, Subject::Hold { name, note }, ChangeKind::Hold, None, None);
            }
            _ => {
                making.request.add_unhold(&place(prefix), name).unwrap();
                if self.holds.contains(&(prefix, name)) {
                    self.holds.retain(|there| *there != (prefix, name));
                    let name = HoldName::parse(name).unwrap();
                    making.tell(prefix, Subject::Hold { name, note: None }, ChangeKind::Unhold, None, None);
                }
            }
        }
    }

    /// What is erased is told no more.
    fn erase(&mut self, making: &mut Making, state: &mut State) {
        let (of, key, prefix) = (self.scope(), self.one_of(&KEYS), self.one_of(&PREFIXES[1..]));
        let (place_of, with_below, key) = match self.rng.below(6) {
            0 => (prefix.to_owned(), true, None),
            1 => (of, false, None),
            _ => (of, false, Some(Key::parse(key).unwrap())),
        };
        match &key {
            Some(key) => making.request.add_erase(&scope(&place_of), key.as_str(), 7).unwrap(),
            None if with_below => making.request.add_erase_prefix(&place(&place_of), 8).unwrap(),
            None => making.request.add_erase_scope(&scope(&place_of), 9).unwrap(),
        }
        let bytes = if key.is_some() { 7 } else { 9 - u64::from(with_below) };
        let is_met = |scope: &str, of: &str| {
            let is_there = if with_below { place(&place_of).holds(scope) } else { scope == place_of };
            is_there && key.as_ref().is_none_or(|key| key.as_str() == of)
        };
        let stays = |told: &Told| !matches!(&told.subject, Subject::Key(of) if is_met(&told.scope, of.as_str()));
        self.told.retain(stays);
        making.changes.retain(stays);
        state.retain(|(scope, key), _| !is_met(scope, key));
        making.tell(&place_of, Subject::Erased { key, with_below, bytes }, ChangeKind::Erase, None, None);
    }

    /// A new scope begins as another one was, if that held anything then that had not expired.
    fn fork(&mut self, making: &mut Making, state: &mut State) {
        let (origin, point) = (self.scope(), self.rng.index(self.states.len()));
        let then = self.states[point].iter().filter(|((of, _), _)| *of == origin);
        let then: Vec<_> = then.map(|((_, key), live)| (key.clone(), live.clone())).collect();
        if !then.iter().any(|(_, (_, expiry))| expiry.is_none()) {
            return;
        }
        let name = format!("f{}", self.forks.len());
        let subject = Subject::Fork { origin: scope(&origin), point: Seq(point as u64) };
        making.request.add_fork(&scope(&name), &scope(&origin), Seq(point as u64)).unwrap();
        making.tell(&name, subject, ChangeKind::Fork, None, None);
        state.extend(then.into_iter().map(|(key, live)| ((name.clone(), key), live)));
        self.forks.push(name);
    }

    /// Any of what can be asked, each now and then.
    fn question(&mut self) -> HistoryQuery {
        let last = self.rig.store.last();
        let seq = |rng: &mut SimRng| Some(Seq(1 + rng.below(last.seq.0))).filter(|_| rng.below(4) == 0);
        // The time of a commit, or just beside it.
        let time = |rng: &mut SimRng| {
            let commits = last.at.0 - 1_700_000_000_000_000;
            let time =
                1_700_000_000_000_000 + rng.below(commits as u64 / 10 + 2) as i64 * STEP + rng.below(3) as i64 - 1;
            Some(Timestamp(time)).filter(|_| rng.below(4) == 0)
        };
        let prefixes = ["", "", "a", "a/b", "d", "f0", "none"];
        let prefix = place(prefixes[self.rng.index(prefixes.len())]);
        let key = Some(Key::parse(self.one_of(&KEYS)).unwrap()).filter(|_| self.rng.below(4) == 0);
        let kind = Some(self.one_of(&ChangeKind::ALL)).filter(|_| self.rng.below(3) == 0);
        let (since, until) = (seq(&mut self.rng), seq(&mut self.rng));
        let (since_time, until_time) = (time(&mut self.rng), time(&mut self.rng));
        let writer = Some(self.one_of(&["w", "v", "u"]).to_owned()).filter(|_| self.rng.below(4) == 0);
        let attempt = Some(self.rng.below(3) as u32).filter(|_| self.rng.below(4) == 0);
        let newest_first = self.rng.coin();
        HistoryQuery { prefix, key, kind, since, until, since_time, until_time, writer, attempt, newest_first }
    }

    fn check(&self, query: &HistoryQuery) {
        let mut expected: Vec<Told> = self.told.iter().filter(|told| is_asked(told, query)).cloned().collect();
        if query.newest_first {
            expected.reverse();
        }
        let found = self.rig.store.history(query.clone()).unwrap().map(|change| {
            let change = change.unwrap();
            let [old, new] = [&change.old, &change.new].map(|value| value.as_ref().map(|value| value.to_vec()));
            let (seq, at, writer, old_removed) = (change.seq, change.at, change.writer, change.old_removed);
            let (scope, subject, kind) = (change.scope.to_string(), change.subject, change.kind);
            Told { seq, at, writer, scope, subject, kind, old, old_removed, new }
        });
        let found: Vec<Told> = found.collect();
        let differs = (0..expected.len().max(found.len())).find(|index| found.get(*index) != expected.get(*index));
        let differs = differs.map(|index| (found.get(index), expected.get(index)));
        assert_eq!(differs, None, "{query:?}: what is told, and what should be");
    }
}

fn is_asked(told: &Told, query: &HistoryQuery) -> bool {
    let key = match &told.subject {
        Subject::Key(key) => Some(key),
        Subject::Erased { key, .. } => key.as_ref(),
        _ => None,
    };
    query.prefix.holds(&told.scope)
        && (query.key.is_none() || query.key.as_ref() == key)
        && query.kind.is_none_or(|kind| kind == told.kind)
        && query.since.is_none_or(|since| told.seq >= since)
        && query.until.is_none_or(|until| told.seq <= until)
        && query.since_time.is_none_or(|since| told.at >= since)
        && query.until_time.is_none_or(|until| told.at <= until)
        && query.writer.as_ref().is_none_or(|name| told.writer.as_ref().map(Writer::name) == Some(name))
        && (query.attempt.is_none() || told.writer.as_ref().and_then(Writer::attempt_number) == query.attempt)
}

#[test]
fn any_question_is_answered_as_by_a_list_of_all_that_took_effect() {
    for seed in 0..4 {
        let mut world = World::new(seed);
        for _ in 0..60 {
            world.commit();
        }
        world.check(&HistoryQuery::default());
        world.check(&HistoryQuery { prefix: ScopePrefix::root(), newest_first: true, ..HistoryQuery::default() });
        for _ in 0..40 {
            let query = world.question();
            world.check(&query);
        }
    }
}
