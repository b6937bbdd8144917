//! A memtable against a plain list of all that happened: whatever it is asked, it answers as a look through the list
//! does, also where commits failed and their places were given to others.

use std::collections::BTreeSet;

use milepost_io::SimRng;
use milepost_types::Timestamp;

use super::*;
use crate::memtable::{Kind, Mark, Version};

/// One stands before the names that the store keeps for itself.
const SCOPES: [&str; 5] = ["#1", "a", "a/b", "a/bc", "b"];
const PREFIXES: [&str; 3] = ["", "a", "a/b"];
const KEYS: [&str; 4] = ["k", "key/0", "key/1", "a key of more than sixteen bytes"];

/// The commit, and where in it the event stands.
type Place = (u64, u32);

#[derive(Default)]
struct Told {
    /// What happened, but for commits that failed.
    events: Vec<(Place, EventRef<'static>)>,
    /// Of every commit, failed or not: scopes, keys, how many versions, and where a value may expire.
    scopes: BTreeSet<&'static str>,
    keys: BTreeSet<(&'static str, &'static str)>,
    versions: u64,
    expiring: BTreeSet<&'static str>,
}

/// The scope that an event names.
fn scope_of(event: &EventRef<'static>) -> Option<&'static str> {
    match *event {
        EventRef::Set { scope, .. } | EventRef::Delete { scope, .. } | EventRef::Erase { scope, .. } => Some(scope),
        EventRef::Clear { scope } | EventRef::EraseScope { scope, .. } => Some(scope),
        _ => None,
    }
}

fn version_of(event: &EventRef<'static>) -> Option<(&'static str, &'static str, Kind)> {
    match *event {
        EventRef::Set { scope, key, expires_at: None, .. } => Some((scope, key, Kind::Set)),
        EventRef::Set { scope, key, .. } => Some((scope, key, Kind::Expiring)),
        EventRef::Delete { scope, key } | EventRef::Erase { scope, key, .. } => Some((scope, key, Kind::Delete)),
        _ => None,
    }
}

/// Whether an event clears a scope, and whether it does so by a prefix.
fn clears(event: &EventRef<'_>, of: &str) -> (bool, bool) {
    match *event {
        EventRef::Clear { scope } | EventRef::EraseScope { scope, .. } => (scope == of, false),
        EventRef::ClearPrefix { prefix } | EventRef::ErasePrefix { prefix, .. } => {
            let below = of.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/'));
            (prefix.is_empty() || below.is_some(), true)
        }
        _ => (false, false),
    }
}

impl Told {
    fn commit(&mut self, memtable: &Memtable, seq: u64, events: &[EventRef<'static>], fails: bool) {
        let body = body(events);
        let body = Body::parse(&body).unwrap();
        memtable.insert(Seq(seq), &body).unwrap();
        let mut places = body.events();
        for event in events {
            self.scopes.extend(scope_of(event));
            if let Some((scope, key, kind)) = version_of(event) {
                self.keys.insert((scope, key));
                self.versions += 1;
                self.expiring.extend((kind == Kind::Expiring).then_some(scope));
            }
            if !fails {
                self.events.push(((seq, places.next().unwrap().unwrap().offset), *event));
            }
        }
        if fails {
            memtable.forget(Seq(seq - 1), &body).unwrap();
        }
    }

    fn versions(&self, scope: &str, key: &str) -> Vec<Version> {
        let version = |&((seq, record), ref event): &(Place, EventRef<'static>)| {
            version_of(event).filter(|of| (of.0, of.1) == (scope, key)).map(|(.., kind)| Version { seq, record, kind })
        };
        self.events.iter().filter_map(version).collect()
    }

    fn newest(&self, scope: &str, key: &str, seq: u64) -> Option<Version> {
        self.versions(scope, key).into_iter().rfind(|version| version.seq <= seq)
    }

    /// Where a scope was cleared: all such places, or those by a prefix only.
    fn marks(&self, scope: &str, by_prefix_only: bool) -> Vec<Mark> {
        let is_meant = |event: &EventRef<'_>| {
            let (does, by_prefix) = clears(event, scope);
            does && (by_prefix || !by_prefix_only)
        };
        let meant = self.events.iter().filter(|(_, event)| is_meant(event));
        meant.map(|&((seq, record), _)| Mark { seq, record }).collect()
    }

    fn look(&self, scope: &str, key: &str, seq: u64) -> Met {
        let clear = self.marks(scope, false).into_iter().rfind(|mark| mark.seq <= seq);
        let clear = clear.map(|mark| (mark.seq, mark.record));
        match self.newest(scope, key, seq) {
            Some(version) if version.kind == Kind::Delete => Met::Gone,
            Some(version) if clear > Some((version.seq, version.record)) => Met::Gone,
            Some(version) => Met::Version(version),
            None if clear.is_some() => Met::Gone,
            None => Met::Nothing,
        }
    }

    /// The last commit through one that named the scope, and the last that set a key of it.
    fn touched(&self, scope: &str, seq: u64) -> u64 {
        let named = self.events.iter().filter(|(place, event)| place.0 <= seq && scope_of(event) == Some(scope));
        named.map(|(place, _)| place.0).max().unwrap_or(0)
    }

    fn last_set(&self, scope: &str) -> u64 {
        let is_set = |event: &EventRef<'_>| matches!(*event, EventRef::Set { scope: of, .. } if of == scope);
        self.events.iter().filter(|(_, event)| is_set(event)).map(|(place, _)| place.0).max().unwrap_or(0)
    }

    /// The keys of a scope with a version behind a commit and through another, in order.
    fn changed(&self, scope: &str, before: u64, last: u64) -> Vec<&'static str> {
        let is_changed = |key: &&str| self.newest(scope, key, last).is_some_and(|version| version.seq > before);
        let mut keys: Vec<&str> = KEYS.into_iter().filter(is_changed).collect();
        keys.sort_unstable();
        keys
    }
}

fn drawn(rng: &mut SimRng) -> EventRef<'static> {
    let (scope, key) = (SCOPES[rng.index(SCOPES.len())], KEYS[rng.index(KEYS.len())]);
    let prefix = PREFIXES[rng.index(PREFIXES.len())];
    match rng.below(40) {
        0 => EventRef::Clear { scope },
        1 => EventRef::ClearPrefix { prefix },
        2 => EventRef::EraseScope { scope, bytes: 1 },
        3 => EventRef::ErasePrefix { prefix, bytes: 1 },
        4..6 => EventRef::Erase { scope, key, bytes: 1 },
        6 => EventRef::Checkpoint { scope, name: key, note: None },
        7 => EventRef::Release { scope, name: key },
        8..14 => EventRef::Delete { scope, key },
        // In one scope only.
        14 => EventRef::Set { scope: "b", key, value: b"v", content_type: None, expires_at: Some(Timestamp(7)) },
        _ => EventRef::Set { scope, key, value: b"v", content_type: None, expires_at: None },
    }
}

fn sorted(keys: impl IntoIterator<Item = Box<str>>) -> Vec<String> {
    let mut keys: Vec<String> = keys.into_iter().map(String::from).collect();
    keys.sort_unstable();
    keys
}

fn check_scope(memtable: &Memtable, told: &Told, scope: &str, moments: &[u64]) {
    assert_eq!(memtable.marks(scope), told.marks(scope, false), "{scope}");
    assert_eq!(memtable.last_set(scope), told.last_set(scope), "{scope}");
    assert_eq!(memtable.may_expire(scope), told.expiring.contains(scope), "{scope}");
    for key in KEYS {
        assert_eq!(memtable.versions(scope, key), told.versions(scope, key), "{scope} {key}");
    }
    let known = told.keys.iter().filter(|(of, _)| *of == scope).count() as u64;
    for &seq in moments {
        let clear = |by_prefix_only| told.marks(scope, by_prefix_only).into_iter().rfind(|mark| mark.seq <= seq);
        assert_eq!(memtable.last_clear(scope, Seq(seq)), clear(false), "{scope} at {seq}");
        assert_eq!(memtable.last_prefix_clear(scope, Seq(seq)), clear(true), "{scope} at {seq}");
        assert_eq!(memtable.touched(scope, Seq(seq)), told.touched(scope, seq), "{scope} at {seq}");
        for key in KEYS {
            let met = memtable.look(&Name::new(7, scope, key), Seq(seq), |_| {});
            assert_eq!(met, told.look(scope, key, seq), "{scope} {key} at {seq}");
            assert_eq!(memtable.newest(scope, key, Seq(seq)), told.newest(scope, key, seq), "{scope} {key} at {seq}");
        }
        assert_eq!(sorted(memtable.keys_as_of(scope, Seq(seq))), told.changed(scope, 0, seq), "{scope} at {seq}");
        for &before in moments {
            let whole = memtable.changed(scope, Seq(before), Seq(seq), known);
            let expected = told.changed(scope, before, seq);
            assert_eq!(whole.map(sorted), Some(expected.iter().map(|key| (*key).to_owned()).collect()), "{scope}");
            // Where nothing came since, none is asked.
            let fewer = known.checked_sub(1).map(|max| memtable.changed(scope, Seq(before), Seq(seq), max));
            let is_untouched = told.touched(scope, u64::MAX) <= before;
            assert!(fewer.is_none_or(|fewer| fewer == is_untouched.then(Vec::new)), "{scope} from {before}");
        }
    }
}

#[test]
fn a_memtable_answers_as_a_list_of_all_that_happened() {
    for seed in 0..6 {
        let (memtable, mut told, mut rng) = (Memtable::new(7), Told::default(), SimRng::new(seed));
        // A memtable covers the commits behind those of the runs.
        let first = [1, 1000][seed as usize % 2];
        for seq in first..first + 60 {
            let events = |rng: &mut SimRng| (0..=rng.below(4)).map(|_| drawn(rng)).collect::<Vec<_>>();
            while seed % 3 > 0 && rng.below(6) == 0 {
                told.commit(&memtable, seq, &events(&mut rng), true);
            }
            told.commit(&memtable, seq, &events(&mut rng), false);
        }
        let moments = [0, first, first + 7, first + 40, first + 58, first + 59, first + 60, u64::MAX];
        for scope in SCOPES.into_iter().chain(["none", "a/b/c"]) {
            check_scope(&memtable, &told, scope, &moments);
        }
        let sizes = memtable.sizes();
        let counted = (told.scopes.len() as u64, told.keys.len() as u64);
        assert_eq!((sizes.scopes, sizes.keys), counted, "seed {seed}");
        // What failed commits said of the store's own is not told from what users wrote.
        let is_exact = seed % 3 == 0;
        assert!(sizes.versions == told.versions || (!is_exact && sizes.versions > told.versions), "seed {seed}");
        assert!(memtable.key_count() > counted.1, "what the store keeps for itself has keys as well");
    }
}
