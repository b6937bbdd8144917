//! What was erased, in tiers that are cut in all ways, against a plain list of all that happened.

use super::*;

const KEYS: [&str; 5] = ["k0", "k1", "k2", "k3", "k4"];

/// All that happened, each event with its place.
#[derive(Default)]
struct Told(Vec<(Mark, EventRef<'static>)>);

fn holds(prefix: &str, scope: &str) -> bool {
    let rest = scope.strip_prefix(prefix);
    prefix.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn erases_all(event: &EventRef<'_>, of: &str) -> bool {
    match *event {
        EventRef::EraseScope { scope, .. } => scope == of,
        EventRef::ErasePrefix { prefix, .. } => holds(prefix, of),
        _ => false,
    }
}

fn clears(event: &EventRef<'_>, of: &str) -> bool {
    match *event {
        EventRef::Clear { scope } => scope == of,
        EventRef::ClearPrefix { prefix } => holds(prefix, of),
        _ => erases_all(event, of),
    }
}

fn kind(event: &EventRef<'_>, of: (&str, &str)) -> Option<Kind> {
    match *event {
        EventRef::Set { scope, key, .. } if (scope, key) == of => Some(Kind::Set),
        EventRef::Delete { scope, key } | EventRef::Erase { scope, key, .. } if (scope, key) == of => {
            Some(Kind::Delete)
        }
        _ => None,
    }
}

impl Told {
    /// Where something like this happened, oldest first.
    fn places(&self, is_wanted: impl Fn(&EventRef<'_>) -> bool) -> Vec<Mark> {
        self.0.iter().filter(|(_, event)| is_wanted(event)).map(|(mark, _)| *mark).collect()
    }

    fn whole(&self, of: &str, through: u64) -> Option<Mark> {
        self.places(|event| erases_all(event, of)).into_iter().rfind(|mark| mark.seq <= through)
    }

    /// The last time that a key was erased by its name.
    fn named(&self, of: (&str, &str), through: u64) -> Option<Mark> {
        let is_named =
            |event: &EventRef<'_>| matches!(*event, EventRef::Erase { scope, key, .. } if (scope, key) == of);
        self.places(is_named).into_iter().rfind(|mark| mark.seq <= through)
    }

    fn mark(&self, of: (&str, &str), through: u64) -> Option<Mark> {
        self.whole(of.0, through).max(self.named(of, through))
    }

    fn versions(&self, of: (&str, &str), through: u64) -> Vec<Version> {
        let erased = self.mark(of, through);
        let version = |(mark, event): &(Mark, EventRef<'_>)| {
            kind(event, of).map(|kind| Version { seq: mark.seq, record: mark.record, kind })
        };
        let all = self.0.iter().filter_map(version);
        all.filter(|version| !erased.is_some_and(|erased| erased.stands_after(version))).collect()
    }

    fn find(&self, of: (&str, &str), seq: u64, through: u64) -> Option<Version> {
        let found = self.versions(of, through).into_iter().rfind(|version| version.seq <= seq)?;
        let cleared = self.places(|event| clears(event, of.0)).into_iter().rfind(|mark| mark.seq <= seq);
        let is_gone = found.kind == Kind::Delete || cleared.is_some_and(|mark| mark.stands_after(&found));
        (!is_gone).then_some(found)
    }
}

fn drawn(rng: &mut SimRng) -> Vec<EventRef<'static>> {
    let event = |rng: &mut SimRng| {
        let (scope, key) = (SCOPES[rng.index(SCOPES.len())], KEYS[rng.index(KEYS.len())]);
        let prefix = PREFIXES[rng.index(PREFIXES.len())];
        match rng.below(30) {
            0 => EventRef::EraseScope { scope, bytes: 1 },
            1 => EventRef::ErasePrefix { prefix, bytes: 1 },
            2 => EventRef::Clear { scope },
            3 => EventRef::ClearPrefix { prefix },
            4..7 => EventRef::Erase { scope, key, bytes: 1 },
            7 | 8 => EventRef::Delete { scope, key },
            _ => EventRef::Set { scope, key, value: b"v", content_type: None, expires_at: None },
        }
    };
    (0..=rng.below(3)).map(|_| event(rng)).collect()
}

fn commit(told: &mut Told, state: &State, seq: u64, events: &[EventRef<'static>]) {
    let mut encoder = BodyEncoder::new(limits::VALUE_BYTES_MAX);
    events.iter().for_each(|event| encoder.copy(event).unwrap());
    let body = encoder.finish(&Meta::default()).unwrap();
    insert(state, seq, &body);
    let parsed = Body::parse(&body).unwrap();
    let mut read = parsed.events();
    for event in events {
        told.0.push((Mark { seq, record: read.next().unwrap().unwrap().offset }, *event));
    }
}

/// What these tiers tell is what happened, as far as it is published.
fn check(tiers: &Tiers, told: &Told, published: u64) {
    let last_places = told.0.iter().rev().take(5).flat_map(|(mark, _)| {
        [Mark { record: mark.record.saturating_sub(1), ..*mark }, *mark, Mark { record: mark.record + 1, ..*mark }]
    });
    let places: Vec<Mark> = last_places.chain([Mark { seq: 0, record: 0 }]).collect();
    // The root reaches nothing that the store keeps for itself.
    assert!(tiers.erased_of(IDEMPOTENCY).unwrap().is_none());
    for scope in SCOPES {
        let erased = tiers.erased_of(scope).unwrap();
        assert_eq!(erased.as_ref().and_then(ErasedOf::whole), told.whole(scope, published), "{scope} at {published}");
        for key in KEYS {
            let mark = told.mark((scope, key), published);
            assert_eq!(erased.as_ref().and_then(|erased| erased.mark(key).unwrap()), mark, "{scope} {key}");
            assert_eq!(tiers.versions(scope, key).unwrap(), told.versions((scope, key), published), "{scope} {key}");
            for seq in [1, published / 2, published - 1, published] {
                let found = tiers.find(scope, key, Seq(seq)).unwrap();
                assert_eq!(found, told.find((scope, key), seq, published), "{scope} {key} at {seq} of {published}");
            }
            for place in &places {
                let is_since = tiers.is_erased_since(scope, key, *place).unwrap();
                assert_eq!(is_since, mark.is_some_and(|mark| mark > *place), "{scope} {key} since {place:?}");
            }
        }
        let orders = tiers.key_orders(scope);
        let mut walk = tiers.keys(scope, &orders, "").unwrap();
        while let Some(key) = walk.read_next().unwrap().map(str::to_owned) {
            let of = (scope, key.as_str());
            assert_eq!(walk.versions().unwrap(), told.versions(of, published), "{of:?} at {published}");
            for seq in [published / 2, published] {
                let clear = tiers.last_clear(scope, Seq(seq)).unwrap();
                assert_eq!(walk.seen(Seq(seq), clear).unwrap(), told.find(of, seq, published), "{of:?} at {seq}");
            }
            for place in &places {
                let is_since = walk.is_erased_since(&key, *place).unwrap();
                assert_eq!(is_since, told.mark(of, published).is_some_and(|mark| mark > *place), "{of:?}");
            }
        }
        for seq in [published / 2, published] {
            let mut each = Vec::new();
            tiers.find_each(scope, &KEYS, Seq(seq), &mut each).unwrap();
            let expected = KEYS.map(|key| told.find((scope, key), seq, published));
            assert_eq!(each, expected, "{scope} at {seq} of {published}");
        }
        for place in &places {
            let mut behind = Vec::new();
            erased.iter().for_each(|erased| erased.push_keys_behind(*place, &mut behind).unwrap());
            let is_behind = |key: &&&str| told.named((scope, key), published).is_some_and(|mark| mark > *place);
            let keys = behind.iter().map(|key| key.as_str());
            assert!(keys.eq(KEYS.iter().filter(is_behind).copied()), "{scope} behind {place:?}: {behind:?}");
        }
        for known in (0..=published).rev().take(12) {
            let named = KEYS.iter().filter_map(|key| told.named((scope, key), published)).max();
            let last = told.whole(scope, published).max(named).map_or(0, |mark| mark.seq);
            assert_eq!(tiers.is_any_erased_since(scope, Seq(known)), Ok(last > known), "{scope} since {known}");
            // Of that the judge is told before it is published.
            let next = told.places(|event| erases_all(event, scope)).into_iter().find(|mark| mark.seq > known);
            assert_eq!(tiers.erased_behind(scope, known), Ok(next.map(|mark| Seq(mark.seq))), "{scope} behind {known}");
        }
    }
}

#[test]
fn what_was_erased_is_told_by_tiers_as_by_a_list_of_all_that_happened() {
    let mut unpublished = 0;
    for seed in 0..4 {
        let (mut rng, disk) = (SimRng::new(seed), SimDisk::new(seed));
        disk.create_dir(Path::new("/index")).unwrap();
        let (state, mut told) = (State::new(ScopeHash::seed(&STORE), Vec::new()), Told::default());
        assert!(state.load().erased_of("a").unwrap().is_none());
        for seq in 1..=120 {
            commit(&mut told, &state, seq, &drawn(&mut rng));
            let lag = if seq > 3 { rng.below(3) } else { 0 };
            state.publish(Seq(seq - lag));
            if seq % 10 == 0 {
                check(&state.load(), &told, seq - lag);
                let has_some = told.0.iter().any(|(mark, event)| {
                    let erases = matches!(event, EventRef::Erase { .. });
                    mark.seq > seq - lag && (erases || SCOPES.iter().any(|scope| erases_all(event, scope)))
                });
                let all = state.load().with_unpublished_erasures();
                assert_eq!(all.is_some(), has_some, "seed {seed}, {seq}");
                if let Some(all) = all {
                    check(&all, &told, seq);
                    unpublished += 1;
                }
            }
            state.publish(Seq(seq));
            move_on(&disk, &state, seq, &mut rng);
        }
        assert!(state.load().runs().len() > 2, "seed {seed}: or this tests little");
    }
    assert!(unpublished > 5, "{unpublished}");
}
