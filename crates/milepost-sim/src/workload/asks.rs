//! Requests drawn from a seed: few scopes and few keys, so that everything meets everything.

use milepost_types::{
    CheckpointName, ContentType, Event, Fence, HoldName, Key, Meta, Note, Policy, Precondition, Scope, ScopePrefix,
    Seq, Timestamp, Writer,
};

use crate::{
    dice::Dice,
    model::{Ask, ENDED_KEY, Model},
};

/// The scopes: one within another, one that only looks as if it were, one that is not ASCII.
pub const SCOPES: [&str; 8] = ["a", "a/b", "a/bc", "a/b/c", "task/etl/2026-11-24/load/0", "größe\n", "a/fork", "fork"];
/// The keys: alike at their beginnings.
pub const KEYS: [&str; 7] = ["k", "k1", "k2", "key/with/path", "key/with/pathology", "\u{1b}[2J", "ключ"];
/// The names of checkpoints.
pub const NAMES: [&str; 3] = ["after-40000", "k", "до"];
const VALUE_BYTES: [usize; 12] = [0, 1, 1, 5, 5, 30, 30, 100, 300, 900, 2_500, 6_000];
const WRITERS: [&str; 3] = ["worker-1", "worker-2", "someone else"];

/// Draws requests.
#[derive(Clone, Debug)]
pub struct Asks {
    dice: Dice,
    /// Counts up, so that hardly two values are alike and a wrong one is seen.
    serial: u64,
    weights: [u32; 9],
    value_bytes_most: usize,
    /// Of so many commits one has an idempotency key, and one a fencing token,
    claims_once_in: (u64, u64),
    /// and of so many events that would be forks one tells retention something.
    told_once_in: u64,
    /// Of so many sets one says that a task has ended; none for 0.
    ends_once_in: u64,
}

impl Asks {
    /// Requests to the taste of a seed.
    #[must_use]
    pub fn new(mut dice: Dice) -> Asks {
        let mut weights = [40, 8, 6, 3, 2, 3, 2, 3, 6];
        for weight in &mut weights[1..] {
            *weight *= *dice.pick(&[0, 1, 1, 2, 5]);
        }
        let value_bytes_most = *dice.pick(&[30, 100, 900, 6_000]);
        Asks { dice, serial: 0, weights, value_bytes_most, claims_once_in: (6, 8), told_once_in: 3, ends_once_in: 0 }
    }

    /// Has retention told more, of fewer places.
    pub(super) fn retain_often(&mut self) {
        self.weights[7] = self.weights[7].max(3);
        self.told_once_in = *self.dice.pick(&[1, 2]);
        self.ends_once_in = *self.dice.pick(&[0, 2, 8]);
        self.claims_once_in = *self.dice.pick(&[(6, 8), (30, 2), (2, 30), (2, 2)]);
    }

    /// A request.
    pub fn draw(&mut self, model: &Model, now: Timestamp) -> Ask {
        if self.dice.once_in(12)
            && let Some(again) = self.repeated(model)
        {
            return again;
        }
        if self.ends_once_in > 0 && self.dice.once_in(24) {
            return self.ended_task();
        }
        let many = self.dice.once_in(6);
        let count = if many { 2 + self.dice.index(30) } else { 1 + self.dice.index(2) };
        let one_scope = many.then(|| self.scope());
        let events = (0..count).map(|_| self.event(model, one_scope.as_ref(), now)).collect();
        let require = if self.dice.once_in(5) { vec![self.condition(model)] } else { Vec::new() };
        Ask { meta: self.meta(model), require, events }
    }

    /// A set of a value of so many bytes.
    pub fn set(&mut self, scope: &str, key: &str, bytes: usize) -> Event {
        Event::Set {
            scope: Scope::parse(scope).expect("a scope of the table"),
            key: Key::parse(key).expect("a key of the table"),
            value: self.value(bytes),
            content_type: None,
            expires_at: None,
        }
    }

    fn repeated(&mut self, model: &Model) -> Option<Ask> {
        let keyed: Vec<&Ask> =
            model.kept().iter().map(|kept| &kept.ask).filter(|ask| ask.meta.idempotency_key.is_some()).collect();
        if keyed.is_empty() {
            return None;
        }
        let mut ask = (*self.dice.pick(&keyed)).clone();
        if self.dice.once_in(3) {
            ask.events = vec![self.event(model, None, Timestamp(0))];
        }
        Some(ask)
    }

    fn meta(&mut self, model: &Model) -> Meta {
        let writer = self.dice.once_in(2).then(|| {
            let writer = Writer::new(self.dice.word(&WRITERS)).expect("a writer of the table");
            if self.dice.once_in(2) { writer.attempt(self.dice.below(5) as u32) } else { writer }
        });
        self.serial += 1;
        let idempotency_key = self.dice.once_in(self.claims_once_in.0).then(|| format!("request {}", self.serial));
        let mut fences = Vec::new();
        if self.dice.once_in(self.claims_once_in.1) {
            let scope = self.scope();
            let highest = model.highest_token(&scope).map_or(0, |(token, _)| token);
            let token = (highest + self.dice.below(3)).saturating_sub(self.dice.below(2));
            fences.push(Fence { scope, token });
        }
        Meta { writer, idempotency_key, fences }
    }

    fn event(&mut self, model: &Model, one_scope: Option<&Scope>, now: Timestamp) -> Event {
        let scope = one_scope.cloned().unwrap_or_else(|| self.scope());
        let key = self.key();
        match self.dice.weighted(&self.weights) {
            0 if self.ends_once_in > 0 && self.dice.once_in(self.ends_once_in) => self.end(model, scope),
            0 => {
                let content_type = self.dice.once_in(4).then(|| self.content_type());
                Event::Set { scope, key, value: self.drawn_value(), content_type, expires_at: None }
            }
            1 => {
                let end = *self.dice.pick(&[i64::MIN, -1, 0, 1, 1_000, 20_000, 10_000_000, i64::MAX]);
                let end = if end.unsigned_abs() > 1 << 40 { end } else { now.0.saturating_add(end) };
                Event::Set {
                    scope,
                    key,
                    value: self.drawn_value(),
                    content_type: None,
                    expires_at: Some(Timestamp(end)),
                }
            }
            2 => Event::Delete { scope, key },
            3 => Event::Clear { scope },
            4 => Event::ClearPrefix { prefix: self.prefix() },
            5 => {
                let note = self.dice.once_in(2).then(|| Note::parse("what for").expect("a short note"));
                Event::Checkpoint { scope, name: self.name(), note }
            }
            6 => Event::Release { scope, name: self.name() },
            7 if self.dice.once_in(self.told_once_in) => self.told(scope, key),
            7 => self.fork(model, scope),
            _ => {
                self.serial += 1;
                let key = Key::parse(&format!("item/{:06}", self.serial)).expect("a short name");
                Event::Set { scope, key, value: self.drawn_value(), content_type: None, expires_at: None }
            }
        }
    }

    /// That the task of a scope has ended, mostly of one that is there.
    fn end(&mut self, model: &Model, scope: Scope) -> Event {
        let state = model.state(model.last().seq);
        let there = state.scopes(&ScopePrefix::root(), model.last().at);
        let parsed = |name: &str| Scope::parse(name).expect("a scope of the model");
        let of = if there.is_empty() { scope } else { parsed(there[self.dice.index(there.len())]) };
        let key = Key::parse(ENDED_KEY).expect("a key");
        Event::Set { scope: of, key, value: b"ended".to_vec(), content_type: None, expires_at: None }
    }

    /// A task that ends with scopes below it, of which other policies speak.
    fn ended_task(&mut self) -> Ask {
        let mut events: Vec<Event> = ["a", "a/b", "a/b/c"].iter().map(|scope| self.set(scope, "k", 5)).collect();
        for (place, once_in) in [("a", 1), ("a/b", 2)] {
            let expire_ended_us = self.dice.once_in(once_in).then(|| *self.dice.pick(&[0, 20_000]));
            let prefix = ScopePrefix::parse(place).expect("a prefix of the table");
            events.push(Event::Retain { prefix, policy: Policy { expire_ended_us, ..Policy::default() } });
        }
        let (scope, key) = (Scope::parse("a").expect("a scope of the table"), Key::parse(ENDED_KEY).expect("a key"));
        events.push(Event::Set { scope, key, value: b"ended".to_vec(), content_type: None, expires_at: None });
        Ask { meta: Meta::default(), require: Vec::new(), events }
    }

    /// What retention is told.
    fn told(&mut self, scope: Scope, key: Key) -> Event {
        let bytes = self.dice.below(1000);
        let kinds = if self.told_once_in < 3 { 12 } else { 9 };
        match self.dice.below(kinds) {
            0 | 9 | 10 | 11 => self.retain(),
            1 => Event::Unretain { prefix: self.prefix() },
            2 => {
                let note = self.dice.once_in(2).then(|| Note::parse("by whom").expect("a short note"));
                Event::Hold { prefix: self.prefix(), name: self.hold(), note }
            }
            3 | 4 => Event::Unhold { prefix: self.prefix(), name: self.hold() },
            5 => Event::EraseScope { scope, bytes },
            6 => Event::ErasePrefix { prefix: self.prefix(), bytes },
            _ => Event::Erase { scope, key, bytes },
        }
    }

    fn retain(&mut self) -> Event {
        let prefix = self.prefix();
        let times = [0, 1, 20_000, 5_000_000];
        // What is said of all scopes at once is said of the root.
        let (is_root, mut dice) = (prefix.is_root(), self.dice.apart());
        let mut time = |once_in| dice.once_in(once_in).then(|| *dice.pick(&times));
        // An expiry that is forgotten as it is made leaves nothing by which it could be seen.
        let is_seen = |window: &u64| self.ends_once_in == 0 || *window >= times[2];
        let policy = Policy {
            keep_for_us: time(2),
            expire_ended_us: time(if self.ends_once_in > 0 { 1 } else { 4 }),
            cold_after_us: time(2).filter(|_| is_root),
            idempotency_for_us: time(2).filter(|window| is_root && is_seen(window)),
            keep_last: self.dice.once_in(2).then(|| self.dice.below(4)),
        };
        Event::Retain { prefix, policy }
    }

    fn hold(&mut self) -> HoldName {
        HoldName::parse(self.dice.word(&NAMES)).expect("a name of the table")
    }

    /// A fork, mostly of a scope that can begin, from a point that is there.
    fn fork(&mut self, model: &Model, origin: Scope) -> Event {
        let last = model.last();
        let state = model.state(last.seq);
        let can_begin: Vec<&'static str> = SCOPES
            .into_iter()
            .filter(|scope| state.fork(scope).is_none() && state.scan(scope, "", last.at).is_empty())
            .collect();
        let scope = match can_begin.is_empty() || self.dice.once_in(6) {
            true => self.scope(),
            false => Scope::parse(self.dice.word(&can_begin)).expect("a scope of the table"),
        };
        let ahead = u64::from(self.dice.once_in(12));
        Event::Fork { scope, origin, point: Seq(self.dice.below(last.seq.0 + 1) + ahead) }
    }

    fn content_type(&mut self) -> ContentType {
        let own = ContentType::parse("application/vnd.own; v=1").expect("visible ASCII");
        self.dice.pick(&[ContentType::JSON, ContentType::TEXT, own]).clone()
    }

    /// A place in the tree.
    pub fn prefix(&mut self) -> ScopePrefix {
        match self.dice.below(4) {
            0 => ScopePrefix::root(),
            1 => ScopePrefix::parse("a").expect("a prefix of the table"),
            2 => ScopePrefix::parse("task/etl").expect("a prefix of the table"),
            _ => ScopePrefix::from(&self.scope()),
        }
    }

    /// A scope of the table.
    pub fn scope(&mut self) -> Scope {
        Scope::parse(self.dice.word(&SCOPES)).expect("a scope of the table")
    }

    /// A key of the table.
    pub fn key(&mut self) -> Key {
        Key::parse(self.dice.word(&KEYS)).expect("a key of the table")
    }

    fn name(&mut self) -> CheckpointName {
        CheckpointName::parse(self.dice.word(&NAMES)).expect("a name of the table")
    }

    fn drawn_value(&mut self) -> Vec<u8> {
        let bytes = (*self.dice.pick(&VALUE_BYTES)).min(self.value_bytes_most);
        self.value(bytes)
    }

    fn value(&mut self, bytes: usize) -> Vec<u8> {
        self.serial += 1;
        let mut value = format!("{}:", self.serial).into_bytes();
        let zeros = self.dice.once_in(4);
        // Runs of zeros look like free space to a careless reader.
        value.resize(bytes, if zeros { 0 } else { self.serial as u8 });
        value
    }

    /// A condition: right as often as wrong.
    fn condition(&mut self, model: &Model) -> Precondition {
        let (scope, key) = (self.scope(), self.key());
        let last = model.last();
        let state = model.state(last.seq);
        let found = state.get(scope.as_str(), key.as_str(), last.at);
        let drawn = Seq(1 + self.dice.below(last.seq.0 + 1));
        let right = self.dice.once_in(2);
        match self.dice.below(4) {
            0 => Precondition::KeyAbsent { scope, key },
            1 => {
                let seq = found.map(|version| version.seq).filter(|_| right).unwrap_or(drawn);
                Precondition::KeyAt { scope, key, seq }
            }
            2 => {
                let version = state.scope_version(scope.as_str());
                Precondition::ScopeAt { scope, seq: if right { version } else { drawn } }
            }
            _ => {
                let bound = if right { vec![0xff; 4] } else { b"1".to_vec() };
                Precondition::ValueBelow { scope, key, bound }
            }
        }
    }
}
