//! What tiers say of how much there is, of what may be there, and of what changed, against a plain list of all that
//! happened and of which commits each tier covers.

use std::collections::{BTreeMap, BTreeSet};

use milepost_types::{Corruption, Policy};

use super::*;

const KEYS: [&str; 5] = ["k0", "k1", "k2", "k3", "k4"];

/// Each event with its place.
type Told = Vec<(Mark, EventRef<'static>)>;
/// The first commit of a tier and the last.
type Range = (u64, u64);

/// Under which name, and in which scope, the version of an event stands, and of which kind it is.
fn version_of(event: &EventRef<'static>) -> Option<(String, &'static str, Kind)> {
    Some(match *event {
        EventRef::Set { scope, key, expires_at: None, .. } => (scope.to_owned(), key, Kind::Set),
        EventRef::Set { scope, key, .. } => (scope.to_owned(), key, Kind::Expiring),
        EventRef::Delete { scope, key } => (scope.to_owned(), key, Kind::Delete),
        EventRef::Checkpoint { scope, name, .. } => (checkpoints_of(scope), name, Kind::Claim),
        EventRef::Fork { scope, .. } => (FORK.to_owned(), scope, Kind::Claim),
        EventRef::Retain { prefix, .. } => (POLICY.to_owned(), prefix, Kind::Claim),
        _ => return None,
    })
}

/// The scope that an event names.
fn scope_of(event: &EventRef<'static>) -> Option<&'static str> {
    match *event {
        EventRef::Set { scope, .. } | EventRef::Delete { scope, .. } | EventRef::Clear { scope } => Some(scope),
        _ => None,
    }
}

fn drawn(rng: &mut SimRng) -> EventRef<'static> {
    let (scope, key) = (SCOPES[rng.index(SCOPES.len())], KEYS[rng.index(KEYS.len())]);
    match rng.below(60) {
        0..3 => EventRef::Clear { scope },
        3 => EventRef::Fork { scope: "f", origin: "a", point: Seq(1) },
        4 => EventRef::Retain { prefix: PREFIXES[1 + rng.index(3)], policy: Policy::default() },
        5..8 => EventRef::Checkpoint { scope, name: key, note: None },
        8..15 => EventRef::Delete { scope, key },
        // In few scopes.
        15 => EventRef::Set { scope: SCOPES[rng.index(3)], key, value: b"", content_type: None, expires_at: SOON },
        _ => EventRef::Set { scope, key, value: b"v", content_type: None, expires_at: None },
    }
}

const SOON: Option<Timestamp> = Some(Timestamp(7));

fn commit(told: &mut Told, state: &State, seq: u64, events: &[EventRef<'static>]) {
    let mut encoder = BodyEncoder::new(limits::VALUE_BYTES_MAX);
    events.iter().for_each(|event| encoder.copy(event).unwrap());
    let body = encoder.finish(&Meta::default()).unwrap();
    insert(state, seq, &body);
    let parsed = Body::parse(&body).unwrap();
    let mut read = parsed.events();
    for event in events {
        told.push((Mark { seq, record: read.next().unwrap().unwrap().offset }, *event));
    }
}

fn within(told: &Told, (first, last): Range) -> impl Iterator<Item = &(Mark, EventRef<'static>)> {
    told.iter().filter(move |(mark, _)| (first..=last).contains(&mark.seq))
}

/// Scopes, keys and versions of users in a tier, and all keys in it.
fn counts(told: &Told, range: Range) -> ([u64; 3], u64) {
    let scopes: BTreeSet<&str> = within(told, range).filter_map(|(_, event)| scope_of(event)).collect();
    let versions = || within(told, range).filter_map(|(_, event)| version_of(event));
    let keys: BTreeSet<_> = versions().map(|(scope, key, _)| (scope, key)).collect();
    let own = |scope: &str| scope.starts_with('$');
    let own_keys = keys.iter().filter(|(scope, _)| own(scope)).count();
    let of_users = versions().filter(|(scope, ..)| !own(scope)).count();
    ([scopes.len(), keys.len() - own_keys, of_users].map(|count| count as u64), keys.len() as u64)
}

fn check(tiers: &Tiers, told: &Told, last: u64) {
    let runs: Vec<Range> = tiers.runs().iter().map(|run| (run.facts().first_seq, run.facts().last_seq)).collect();
    let frozen: Option<Range> = tiers.frozen().map(|frozen| (frozen.first.0, frozen.last.0));
    let memory: Vec<Range> = std::iter::once((tiers.active_first().0, last)).chain(frozen).collect();
    let all = || runs.iter().chain(&memory);

    let sizes = tiers.sizes();
    let expected = all().map(|range| counts(told, *range).0);
    let expected = expected.fold([0; 3], |all, of| [all[0] + of[0], all[1] + of[1], all[2] + of[2]]);
    assert_eq!([sizes.scopes, sizes.keys, sizes.versions], expected, "at {last}");
    let run_bytes: u64 = tiers.runs().iter().map(|run| run.facts().bytes).sum();
    assert_eq!((sizes.runs, sizes.run_bytes), (runs.len() as u64, run_bytes));
    assert_eq!(sizes.active_bytes, tiers.active().bytes());
    assert_eq!(sizes.frozen_bytes, tiers.frozen().map_or(0, |frozen| frozen.memtable.bytes()));

    let is_fork = |(_, event): &(Mark, EventRef<'_>)| matches!(event, EventRef::Fork { .. });
    assert_eq!(tiers.has_forks(), told.iter().any(is_fork), "at {last}");
    let is_told = |(_, event): &&(Mark, EventRef<'_>)| matches!(event, EventRef::Retain { .. });
    assert_eq!(tiers.last_told(), told.iter().rev().find(is_told).map_or(0, |(mark, _)| mark.seq), "at {last}");
    for scope in SCOPES.into_iter().chain(["none"]) {
        let keys_of = |range: &Range| {
            let versions = within(told, *range).filter_map(|(_, event)| version_of(event));
            versions.filter(|(of, ..)| of == scope).map(|(_, key, _)| key).collect::<BTreeSet<_>>()
        };
        let in_memory: u64 = memory.iter().map(|range| counts(told, *range).1).sum();
        let in_runs: u64 = runs.iter().map(|range| keys_of(range).len() as u64).sum();
        assert_eq!(tiers.keys_at_most(scope), Ok(in_memory + in_runs), "{scope} at {last}");
        check_scope(tiers, told, scope, last);
        for seq in [1, last / 2, last - 1, last] {
            let expires = |range: &Range| {
                let versions = within(told, *range).filter_map(|(_, event)| version_of(event));
                versions.filter(|(of, ..)| of == scope).any(|(.., kind)| kind == Kind::Expiring)
            };
            let may = memory.iter().any(expires) || runs.iter().filter(|range| range.0 <= seq).any(expires);
            assert_eq!(tiers.may_expire(scope, Seq(seq)), Ok(may), "{scope} at {seq} of {last}");
            for before in [0, 1, last / 3, last / 2, last - 1, last] {
                let changes = in_runs_and_memory(tiers, told, scope, (before, seq));
                assert_eq!(changes.0, changes.1, "{scope} from {before} to {seq} of {last}");
            }
        }
    }
}

fn check_scope(tiers: &Tiers, told: &Told, scope: &str, last: u64) {
    let of_scope = || told.iter().filter(|(_, event)| scope_of(event) == Some(scope));
    let cleared = of_scope().rfind(|(_, event)| matches!(event, EventRef::Clear { .. })).map(|(mark, _)| *mark);
    let set = of_scope().rfind(|(_, event)| matches!(event, EventRef::Set { .. })).map_or(0, |(mark, _)| mark.seq);
    // What one commit sets and clears is looked at.
    assert_eq!(tiers.is_surely_empty(scope), Ok(cleared.is_some_and(|mark| set < mark.seq)), "{scope} at {last}");
    for seq in [0, 1, last / 2, last - 1, last, u64::MAX] {
        let touched = of_scope().rfind(|(mark, _)| mark.seq <= seq).map_or(0, |(mark, _)| mark.seq);
        assert_eq!(tiers.scope_version(scope, Seq(seq)), Ok(Seq(touched)), "{scope} at {seq} of {last}");
        // Those in runs that have come since are asked for as well.
        let known = told.iter().filter(|(mark, _)| mark.seq <= seq).filter_map(|(_, event)| version_of(event));
        let known: BTreeSet<&str> = known.filter(|(of, ..)| of == scope).map(|(_, key, _)| key).collect();
        let mut asked = BTreeSet::new();
        let found = tiers.any_key::<Corruption>(scope, Seq(seq), &mut |key| {
            asked.insert(key.to_owned());
            Ok(false)
        });
        assert_eq!(found, Ok(false));
        assert!(known.iter().all(|key| asked.contains(*key)), "{scope} at {seq} of {last}: {asked:?}");
        for key in known {
            assert_eq!(tiers.any_key::<Corruption>(scope, Seq(seq), &mut |asked| Ok(asked == key)), Ok(true));
        }
    }
}

/// What changed, as it is told, and as it should be: of runs the records of each commit, of memory the keys.
type Changed = (BTreeMap<u64, Vec<u32>>, BTreeSet<String>);

fn in_runs_and_memory(tiers: &Tiers, told: &Told, scope: &str, (before, last): Range) -> (Changed, Changed) {
    let is_in_run = |seq: u64| tiers.runs().iter().any(|run| seq <= run.facts().last_seq);
    let changed = within(told, (before + 1, last)).filter_map(|(mark, event)| Some((mark, version_of(event)?)));
    let mut expected = Changed::default();
    for (mark, (_, key, _)) in changed.filter(|(_, (of, ..))| of == scope) {
        if is_in_run(mark.seq) {
            expected.0.entry(mark.seq).or_default().push(mark.record);
        } else {
            expected.1.insert(key.to_owned());
        }
    }
    let listed: u64 = expected.0.values().map(|records| records.len() as u64).sum();
    let mut left = listed + 3;
    let changes = tiers.changes(scope, (Seq(before), Seq(last)), &mut left).unwrap().expect("enough is left");
    assert_eq!(left, 3, "each that a run lists is counted");
    let too_few = listed.checked_sub(1).map(|left| tiers.changes(scope, (Seq(before), Seq(last)), &mut { left }));
    assert!(too_few.is_none_or(|changes| changes.unwrap().is_none()), "it stops where no more is left");

    let mut found = Changed::default();
    found.1.extend(changes.keys.into_iter().map(String::from));
    for wanted in changes.commits {
        match wanted {
            Wanted::Records(seq, records) => {
                assert_eq!(found.0.insert(seq.0, records), None, "commit {seq} comes once");
            }
            // Memory that has more keys than there are commits leaves it at these.
            Wanted::All(commits) => {
                assert!(!commits.is_empty() && *commits.start() > before && *commits.end() <= last, "{commits:?}");
                assert!(!is_in_run(*commits.start()), "{commits:?}");
                let of_memory =
                    within(told, (*commits.start(), *commits.end())).filter_map(|(_, event)| version_of(event));
                found.1.extend(of_memory.filter(|(of, ..)| of == scope).map(|(_, key, _)| key.to_owned()));
            }
        }
    }
    (found, expected)
}

#[test]
fn tiers_count_and_tell_what_there_is() {
    for seed in 0..4 {
        let (mut rng, disk) = (SimRng::new(seed), SimDisk::new(seed));
        disk.create_dir(Path::new("/index")).unwrap();
        let (state, mut told) = (State::new(ScopeHash::seed(&STORE), Vec::new()), Told::new());
        for seq in 1..=90 {
            let events: Vec<_> = (0..=rng.below(3)).map(|_| drawn(&mut rng)).collect();
            commit(&mut told, &state, seq, &events);
            state.publish(Seq(seq));
            if seq % 9 == 0 {
                check(&state.load(), &told, seq);
            }
            move_on(&disk, &state, seq, &mut rng);
        }
        assert!(state.load().runs().len() > 2, "seed {seed}: or this tests little");
    }
}
