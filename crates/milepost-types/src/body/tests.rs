use proptest::{collection::vec, option, prelude::*};

use super::*;
use crate::{
    CheckpointName, ContentType, Event, EventRef, Fence, HoldName, Key, LimitError, Meta, Note, Policy, Scope,
    ScopePrefix, Seq, Timestamp, Writer, limits,
};

mod room; // limits that are met and missed by one; what an encoder says of its size
mod spelled; // bodies spelled out byte by byte, and what is wrong with some

fn encode(meta: &Meta, events: &[Event]) -> Vec<u8> {
    let mut encoder = BodyEncoder::default();
    for event in events {
        encoder.event(event).unwrap();
    }
    encoder.finish(meta).unwrap()
}

fn decode(bytes: &[u8]) -> Result<(Meta, Vec<Event>), BodyError> {
    let body = Body::parse(bytes)?;
    let meta = body.meta()?;
    assert_eq!(meta_of(bytes).as_ref(), Ok(&meta));
    let mut events = Vec::new();
    let mut walk = body.events();
    while let Some(found) = walk.next()? {
        found_at_its_address(bytes, &found);
        assert_eq!(found.index as usize, events.len());
        let name = BodyError { offset: found.offset as usize, what: BodyFault::Name };
        events.push(found.event.to_event().map_err(|_| name)?);
    }
    Ok((meta, events))
}

/// What is read at an event's address is what the walk saw, and nothing where the event is of another kind.
fn found_at_its_address(bytes: &[u8], found: &Positioned<'_>) {
    let (mut set, mut note, mut fork) = (None, None, None);
    let (mut said, mut held, mut erased) = (None, None, None);
    match found.event {
        EventRef::Set { value, content_type, expires_at, .. } => set = Some(SetAt { value, content_type, expires_at }),
        EventRef::Checkpoint { note: text, .. } => note = Some(text),
        EventRef::Fork { origin, point, .. } => fork = Some(ForkAt { origin, point }),
        EventRef::Retain { policy, .. } => said = Some(policy),
        EventRef::Hold { note: text, .. } => held = Some(text),
        EventRef::Erase { bytes, .. } | EventRef::EraseScope { bytes, .. } | EventRef::ErasePrefix { bytes, .. } => {
            erased = Some(bytes);
        }
        EventRef::Delete { .. }
        | EventRef::Clear { .. }
        | EventRef::ClearPrefix { .. }
        | EventRef::Release { .. }
        | EventRef::Unretain { .. }
        | EventRef::Unhold { .. } => {}
    }
    let wrong = BodyError { offset: found.offset as usize, what: BodyFault::Address };
    assert_eq!(set_at(bytes, found.offset), set.ok_or(wrong.clone()));
    assert_eq!(note_at(bytes, found.offset), note.ok_or(wrong.clone()));
    assert_eq!(fork_at(bytes, found.offset), fork.ok_or(wrong.clone()));
    assert_eq!(policy_at(bytes, found.offset), said.ok_or(wrong.clone()));
    assert_eq!(hold_at(bytes, found.offset), held.ok_or(wrong.clone()));
    assert_eq!(erased_at(bytes, found.offset), erased.ok_or(wrong));
}

fn scopes() -> impl Strategy<Value = Scope> {
    "[a-cé$]{1,3}(/[ab\n]{1,2}){0,2}".prop_filter_map("reserved", |text| Scope::parse(&text).ok())
}

fn keys() -> impl Strategy<Value = Key> {
    "(/usr/share/)?[a-zé/\u{1b}]{1,12}".prop_map(|text| Key::parse(&text).unwrap())
}

fn names() -> impl Strategy<Value = CheckpointName> {
    "(after )?[a-zé/\u{1b}]{1,12}".prop_map(|text| CheckpointName::parse(&text).unwrap())
}

fn prefixes() -> impl Strategy<Value = ScopePrefix> {
    option::of(scopes()).prop_map(|scope| scope.map_or(ScopePrefix::root(), |scope| (&scope).into()))
}

fn policies() -> impl Strategy<Value = Policy> {
    let time = || option::of(0..=limits::POLICY_TIME_MAX_US);
    (time(), option::of(0..=limits::KEEP_LAST_MAX), time(), time(), time()).prop_map(
        |(keep_for_us, keep_last, expire_ended_us, cold_after_us, idempotency_for_us)| Policy {
            keep_for_us,
            keep_last,
            expire_ended_us,
            cold_after_us,
            idempotency_for_us,
        },
    )
}

fn retention_events() -> impl Strategy<Value = Event> {
    let holds = || "(case )?[a-zé/\u{1b}]{1,12}".prop_map(|text| HoldName::parse(&text).unwrap());
    prop_oneof![
        (prefixes(), policies()).prop_map(|(prefix, policy)| Event::Retain { prefix, policy }),
        prefixes().prop_map(|prefix| Event::Unretain { prefix }),
        (prefixes(), holds(), option::of("\\PC{1,40}")).prop_map(|(prefix, name, note)| Event::Hold {
            prefix,
            name,
            note: note.map(|note| Note::parse(&note).unwrap()),
        }),
        (prefixes(), holds()).prop_map(|(prefix, name)| Event::Unhold { prefix, name }),
        (scopes(), keys(), any::<u64>()).prop_map(|(scope, key, bytes)| Event::Erase { scope, key, bytes }),
        (scopes(), any::<u64>()).prop_map(|(scope, bytes)| Event::EraseScope { scope, bytes }),
        (prefixes(), any::<u64>()).prop_map(|(prefix, bytes)| Event::ErasePrefix { prefix, bytes }),
    ]
}

fn events() -> impl Strategy<Value = Event> {
    let content_type = prop_oneof![
        Just(ContentType::TEXT),
        Just(ContentType::JSON),
        Just(ContentType::BYTES),
        "[a-z]{1,8}/[a-z]{1,8}".prop_map(|text| ContentType::parse(&text).unwrap()),
    ];
    prop_oneof![
        6 => (scopes(), keys(), vec(any::<u8>(), 0..200), option::of(content_type), option::of(any::<i64>()))
            .prop_map(|(scope, key, value, content_type, at)| Event::Set {
                scope, key, value, content_type, expires_at: at.map(Timestamp),
            }),
        2 => (scopes(), keys()).prop_map(|(scope, key)| Event::Delete { scope, key }),
        1 => scopes().prop_map(|scope| Event::Clear { scope }),
        1 => scopes().prop_map(|scope| Event::ClearPrefix { prefix: (&scope).into() }),
        1 => Just(Event::ClearPrefix { prefix: ScopePrefix::root() }),
        1 => (scopes(), names(), option::of("\\PC{1,40}")).prop_map(|(scope, name, note)| Event::Checkpoint {
            scope, name, note: note.map(|note| Note::parse(&note).unwrap()),
        }),
        1 => (scopes(), names()).prop_map(|(scope, name)| Event::Release { scope, name }),
        1 => (scopes(), scopes(), any::<u64>())
            .prop_map(|(scope, origin, point)| Event::Fork { scope, origin, point: Seq(point) }),
        3 => retention_events(),
    ]
}

fn metas() -> impl Strategy<Value = Meta> {
    let writer = ("\\PC{1,20}", option::of(any::<u32>())).prop_map(|(name, attempt)| {
        let writer = Writer::new(&name).unwrap();
        attempt.map_or(writer.clone(), |attempt| writer.attempt(attempt))
    });
    let fence = (scopes(), 0..=limits::FENCING_TOKEN_MAX).prop_map(|(scope, token)| Fence { scope, token });
    (option::of(writer), option::of("\\PC{1,20}"), vec(fence, 0..3))
        .prop_map(|(writer, idempotency_key, fences)| Meta { writer, idempotency_key, fences })
}

proptest! {
    #[test]
    fn what_goes_in_comes_out(meta in metas(), events in vec(events(), 0..60)) {
        let bytes = encode(&meta, &events);
        prop_assert_eq!(decode(&bytes).unwrap(), (meta, events));
    }

    #[test]
    fn every_truncation_is_refused(meta in metas(), events in vec(events(), 1..8)) {
        let bytes = encode(&meta, &events);
        for length in 0..bytes.len() {
            prop_assert!(decode(&bytes[..length]).is_err(), "{length} of {} bytes", bytes.len());
        }
    }

    /// A flipped bit may turn one valid body into another (the checksum is the frame's), but what is accepted can be
    /// written again and then says the same, and nothing panics.
    #[test]
    fn a_flipped_bit_is_refused_or_means_something_whole(meta in metas(), events in vec(events(), 1..6)) {
        let bytes = encode(&meta, &events);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok((meta, events)) = decode(&flipped) {
                let again = decode(&encode(&meta, &events)).unwrap();
                prop_assert_eq!(again, (meta, events));
            }
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..400)) {
        let _ = decode(&bytes);
    }

    #[test]
    fn varints_have_one_form(value in any::<u64>()) {
        let mut bytes = Vec::new();
        varint::put(&mut bytes, value);
        prop_assert_eq!(varint::get(&bytes).unwrap(), (value, bytes.len()));
        *bytes.last_mut().unwrap() |= 0x80;
        bytes.push(0);
        prop_assert!(varint::get(&bytes).is_err());
    }
}

/// How many events a walk meets.
fn walked(bytes: &[u8]) -> Result<usize, BodyError> {
    let mut walk = Body::parse(bytes)?.events();
    let mut count = 0;
    while walk.next()?.is_some() {
        count += 1;
    }
    Ok(count)
}

/// The events of a body, each with the address that it is known by, checked there.
fn addressed(bytes: &[u8]) -> Vec<(u32, Event)> {
    let body = Body::parse(bytes).unwrap();
    let (mut found, mut walk) = (Vec::new(), body.events());
    while let Some(next) = walk.next().unwrap() {
        found_at_its_address(bytes, &next);
        found.push((next.offset, next.event.to_event().unwrap()));
    }
    assert_eq!(found.len(), body.event_count() as usize);
    found
}

/// Keeps the events whose bit is set, again and again; what is left is the same each time, at the same addresses.
fn thin_again_and_again(meta: &Meta, events: &[Event], keeps: &[Vec<bool>]) {
    let first = encode(meta, events);
    let mut left = addressed(&first);
    let mut bytes = first.clone();
    for keep in keeps {
        let body = Body::parse(&bytes).unwrap();
        let mut asked = Vec::new();
        let mut bits = keep.iter().cycle();
        let thinned = body.thin(&mut |found| {
            asked.push(found.offset);
            *bits.next().unwrap()
        });
        assert_eq!(asked, left.iter().map(|(offset, _)| *offset).collect::<Vec<_>>());
        let removed: Vec<_> = left.iter().zip(keep.iter().cycle()).filter(|(_, keep)| !**keep).collect();
        let removed: Vec<u32> = removed.into_iter().map(|((offset, _), _)| *offset).collect();
        left.retain(|(offset, _)| !removed.contains(offset));
        let next = match thinned.unwrap() {
            Thinned::All => bytes.clone(),
            Thinned::Some(bytes) => bytes,
            Thinned::Nothing => body.husk().unwrap(),
        };
        assert_eq!(next == bytes, removed.is_empty() && (!left.is_empty() || body.is_thinned()));
        assert_eq!(addressed(&next), left);
        assert_eq!(decode(&next).unwrap().0, *meta);
        for offset in removed {
            let gone = BodyError { offset: offset as usize, what: BodyFault::Removed };
            assert_eq!(set_at(&next, offset), Err(gone.clone()));
            assert_eq!(note_at(&next, offset), Err(gone.clone()));
            assert_eq!(fork_at(&next, offset), Err(gone));
            assert_eq!(place_of(&next, offset), Ok(None));
        }
        bytes = next;
    }
    let (whole, body) = (Body::parse(&first).unwrap(), Body::parse(&bytes).unwrap());
    let knows = !body.is_thinned() || meta.idempotency_key.is_some();
    assert_eq!((body.holds_the_same(&whole), whole.holds_the_same(&body)), (knows, knows));
    let other = encode(meta, &events[..events.len() - 1]);
    assert!(!body.holds_the_same(&Body::parse(&other).unwrap()));
    taken_over(meta, &body, &whole);
}

/// In another log, what is left of a body is a body like any other; it is still told from another one.
fn taken_over(meta: &Meta, left: &Body<'_>, whole: &Body<'_>) {
    let plain = left.plain().unwrap();
    let body = Body::parse(&plain).unwrap();
    assert!(!body.is_thinned());
    let says = |found: Vec<(u32, Event)>| found.into_iter().map(|(_, event)| event).collect::<Vec<_>>();
    let own: Vec<Event> = decode(&plain).unwrap().1;
    assert_eq!(says(addressed(&plain)), own);
    assert_eq!((own.len() as u32, decode(&plain).unwrap().0), (left.event_count(), meta.clone()));
    assert_eq!(body.kept_digest(), left.kept_digest());
    if meta.idempotency_key.is_some() {
        assert!(body.holds_the_same(whole) && whole.holds_the_same(&body) && body.holds_the_same(left));
        let husk = body.husk().unwrap();
        assert!(Body::parse(&husk).unwrap().holds_the_same(whole));
    }
    for length in 0..plain.len() {
        assert!(decode(&plain[..length]).is_err(), "{length} of {} bytes", plain.len());
    }
}

/// The digest is flagged only where it says something.
#[test]
fn a_digest_without_a_key_or_of_a_thinned_body_is_refused() {
    let events = [Event::Clear { scope: Scope::parse("a").unwrap() }];
    for key in [None, Some("once".to_owned())] {
        let meta = Meta { idempotency_key: key.clone(), ..Meta::default() };
        let whole = encode(&meta, &events);
        let thinned = Body::parse(&whole).unwrap().husk().unwrap();
        let flag = |bytes: &[u8]| [&[bytes[0] | HAS_DIGEST], &bytes[1..]].concat();
        let wrong = BodyError { offset: 0, what: BodyFault::Length };
        assert_eq!(Body::parse(&flag(&thinned)).unwrap_err(), wrong);
        if key.is_none() {
            assert_eq!(Body::parse(&flag(&whole)).unwrap_err(), wrong);
        }
    }
}

proptest! {
    #[test]
    fn what_is_kept_says_the_same(
        meta in metas(),
        events in vec(events(), 1..40),
        keeps in vec(vec(any::<bool>(), 1..7), 1..4),
    ) {
        thin_again_and_again(&meta, &events, &keeps);
    }

    /// What a thinned body becomes by a flipped bit or a cut is refused, or is whole.
    #[test]
    fn a_thinned_body_is_as_strict_as_any(meta in metas(), events in vec(events(), 2..5)) {
        let bytes = encode(&meta, &events);
        let mut index = 0;
        let thinned = Body::parse(&bytes).unwrap().thin(&mut |_| { index += 1; index != 1 }).unwrap();
        let Thinned::Some(bytes) = thinned else { panic!("one of several was removed: {thinned:?}") };
        for length in 0..bytes.len() {
            prop_assert!(decode(&bytes[..length]).is_err(), "{length} of {} bytes", bytes.len());
        }
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let _ = walked(&flipped);
        }
    }
}

/// Nothing is left of what was removed: neither its value, nor a part of a key that a later one shared.
#[test]
fn nothing_is_left_of_what_was_removed() {
    let scope = Scope::parse("s").unwrap();
    let mut encoder = BodyEncoder::default();
    encoder.set(&scope, "secret-key/1", b"secret-value", None, None).unwrap();
    encoder.set(&scope, "s", b"kept", None, None).unwrap();
    let bytes = encoder.finish(&Meta::default()).unwrap();
    let thinned = Body::parse(&bytes).unwrap().thin(&mut |found| found.index == 1).unwrap();
    let Thinned::Some(bytes) = thinned else { panic!("{thinned:?}") };
    assert!(!bytes.windows(6).any(|window| window == b"secret"));
    assert!(bytes.windows(4).any(|window| window == b"kept"));
}

/// The largest commit can be thinned, though it may grow by that.
#[test]
fn the_largest_commit_is_thinned() {
    let scope = Scope::parse("s").unwrap();
    let mut encoder = BodyEncoder::new(limits::VALUE_BYTES_CEILING);
    let value = vec![7; 29 << 20];
    encoder.set(&scope, "a", &value, None, None).unwrap();
    encoder.set(&scope, "b", &value, None, None).unwrap();
    for index in 0..400_000 {
        encoder.set(&scope, &index.to_string(), b"v", None, None).unwrap();
    }
    let bytes = encoder.finish(&Meta::default()).unwrap();
    assert!(bytes.len() > limits::COMMIT_BYTES_MAX / 10 * 9);
    let body = Body::parse(&bytes).unwrap();
    let last = body.event_count() - 1;
    let thinned = body.thin(&mut |found| found.index != last).unwrap();
    let Thinned::Some(thinned) = thinned else { panic!("one of many was removed") };
    assert_eq!(Body::parse(&thinned).unwrap().event_count(), last);
    assert!(thinned.len() > bytes.len());
}

/// Places given out for a thinned body lead nowhere else in it.
#[test]
fn origins_out_of_order_are_refused() {
    let scope = Scope::parse("s").unwrap();
    let mut encoder = BodyEncoder::default();
    for key in ["a", "b", "c"] {
        encoder.set(&scope, key, b"v", None, None).unwrap();
    }
    let bytes = encoder.finish(&Meta::default()).unwrap();
    let thinned = Body::parse(&bytes).unwrap().thin(&mut |found| found.index > 0).unwrap();
    let Thinned::Some(thinned) = thinned else { panic!("{thinned:?}") };
    let origins = 3;
    for (at, to) in [(origins, origins + 8), (origins + 4, origins + 12)] {
        let mut crafted = thinned.clone();
        let (left, right) = (crafted[at..at + 4].to_vec(), crafted[to..to + 4].to_vec());
        crafted[at..at + 4].copy_from_slice(&right);
        crafted[to..to + 4].copy_from_slice(&left);
        assert_eq!(walked(&crafted).unwrap_err().what, BodyFault::Table);
    }
    // Two events that say that they began in one place.
    let mut crafted = thinned;
    crafted.copy_within(origins..origins + 4, origins + 8);
    assert_eq!(walked(&crafted).unwrap_err().what, BodyFault::Table);
}

/// Of a request without a key nobody can tell any more what it was once events of it went: what is left is the same as
/// nothing, not even as what is left of it elsewhere. With a key it is.
#[test]
fn what_is_left_is_the_same_as_another_only_where_that_is_known() {
    let events = ["a", "b"].map(|scope| Event::Clear { scope: Scope::parse(scope).unwrap() });
    for key in [None, Some("once".to_owned())] {
        let (knows, meta) = (key.is_some(), Meta { idempotency_key: key, ..Meta::default() });
        let whole = encode(&meta, &events);
        let whole = Body::parse(&whole).unwrap();
        let left = |index: u32| match whole.thin(&mut |found| found.index == index).unwrap() {
            Thinned::Some(bytes) => bytes,
            other => panic!("one of two was removed: {other:?}"),
        };
        let (first, second) = (left(0), left(1));
        let (first, second) = (Body::parse(&first).unwrap(), Body::parse(&second).unwrap());
        assert!(whole.holds_the_same(&whole));
        for (one, other) in [(first, first), (first, second), (second, first), (first, whole), (whole, second)] {
            assert_eq!(one.holds_the_same(&other), knows, "{one:?} and {other:?}");
        }
    }
}

/// A crafted body could bring names into a store that no writer can write, and reading them back would have panicked.
#[test]
fn names_that_no_writer_can_write_are_refused() {
    let bytes = encode(
        &Meta::default(),
        &[
            Event::Set {
                scope: Scope::parse("sss/t").unwrap(),
                key: Key::parse("kkk").unwrap(),
                value: b"v".to_vec(),
                content_type: None,
                expires_at: None,
            },
            Event::Delete { scope: Scope::parse("sss/t").unwrap(), key: Key::parse("ddd").unwrap() },
            Event::ClearPrefix { prefix: ScopePrefix::parse("ppp").unwrap() },
            Event::Checkpoint {
                scope: Scope::parse("sss/t").unwrap(),
                name: CheckpointName::parse("nnn").unwrap(),
                note: Some(Note::parse("mmm").unwrap()),
            },
            Event::Release { scope: Scope::parse("sss/t").unwrap(), name: CheckpointName::parse("lll").unwrap() },
            Event::Fork { scope: Scope::parse("sss/t").unwrap(), origin: Scope::parse("ooo").unwrap(), point: Seq(7) },
            Event::Hold {
                prefix: ScopePrefix::parse("hhh").unwrap(),
                name: HoldName::parse("jjj").unwrap(),
                note: Some(Note::parse("iii").unwrap()),
            },
            Event::Retain { prefix: ScopePrefix::parse("rrr").unwrap(), policy: Policy::default() },
            Event::Erase { scope: Scope::parse("sss/t").unwrap(), key: Key::parse("eee").unwrap(), bytes: 1 },
        ],
    );
    assert!(decode(&bytes).is_ok());
    for (name, wrong) in [
        ("sss/t", "s\0s/t"),
        ("sss/t", "s//st"),
        ("sss/t", "sss/."),
        ("kkk", "k\0k"),
        ("ddd", "d\0d"),
        ("ppp", "p\0p"),
        ("ppp", "p//"),
        ("nnn", "n\0n"),
        ("mmm", "m\0m"),
        ("lll", "l\0l"),
        ("hhh", "h//"),
        ("jjj", "j\0j"),
        ("iii", "i\0i"),
        ("rrr", "r\0r"),
        ("eee", "e\0e"),
        ("ooo", "o\0o"),
        ("ooo", "o//"),
    ] {
        let at = bytes.windows(name.len()).position(|window| window == name.as_bytes()).unwrap();
        let mut crafted = bytes.clone();
        crafted[at..at + name.len()].copy_from_slice(wrong.as_bytes());
        let body = Body::parse(&crafted).unwrap();
        let mut walk = body.events();
        let fault = loop {
            match walk.next() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("{wrong:?} was taken"),
                Err(error) => break error.what,
            }
        };
        assert_eq!(fault, BodyFault::Name, "{wrong:?}");
    }
}

/// A name that shares more with the one before than that has, or a content type that is not printable, is none.
#[test]
fn names_that_share_too_much_and_unprintable_types_are_refused() {
    let scope = Scope::parse("sss").unwrap();
    let mut encoder = BodyEncoder::default();
    encoder.set(&scope, "kkk", b"v", Some(&ContentType::parse("text/none").unwrap()), None).unwrap();
    let bytes = encoder.finish(&Meta::default()).unwrap();
    assert!(walked(&bytes).is_ok());
    let at = |name: &str| bytes.windows(name.len()).position(|window| window == name.as_bytes()).unwrap();
    let mut crafted = bytes.clone();
    assert_eq!(crafted[at("kkk") - 2..at("kkk")], [0, 3], "bytes shared, bytes of its own");
    crafted[at("kkk") - 2] = 1;
    assert_eq!(walked(&crafted).unwrap_err().what, BodyFault::Length);
    let mut crafted = bytes.clone();
    crafted[at("text/none")] = 1;
    assert_eq!(walked(&crafted).unwrap_err().what, BodyFault::Name);
}

/// A kind or a flag that is not known is no damage: a newer version wrote it.
#[test]
fn what_a_newer_version_wrote_is_told_from_damage() {
    let scope = Scope::parse("s").unwrap();
    let name = CheckpointName::parse("n").unwrap();
    let bytes = encode(&Meta::default(), &[Event::Checkpoint { scope, name, note: None }]);
    let at = Body::parse(&bytes).unwrap().events().next().unwrap().unwrap().offset as usize;
    for tag in [0x0f, 0x19, 0x1b, 0x2a, 0x1c, 0x25, 0x45, 0x85, 0x11 | 0x40, 0x16, 0x17] {
        let mut newer = bytes.clone();
        newer[at] = tag;
        let error = decode(&newer).unwrap_err();
        assert!(error.is_newer(), "{tag:#04x}: {error}");
    }
    assert!(!decode(&bytes[..bytes.len() - 1]).unwrap_err().is_newer());
}

/// The figure that the format was made for: a mark costs at most 8 bytes beyond the unshared part of its path.
#[test]
fn a_batch_of_file_marks_is_small() {
    let scope = Scope::parse("each/checksum").unwrap();
    let paths: Vec<String> =
        (0..1000).map(|i| format!("/usr/share/doc/package-{:03}/file-{i:06}.txt", i / 8)).collect();
    let mut encoder = BodyEncoder::default();
    let mut unshared = 0;
    let mut before = "";
    for path in &paths {
        encoder.set(&scope, path, b"x", None, None).unwrap();
        unshared += path.len() - path.bytes().zip(before.bytes()).take_while(|(a, b)| a == b).count();
        before = path;
    }
    let bytes = encoder.finish(&Meta::default()).unwrap().len();
    assert!(bytes <= unshared + 8 * paths.len(), "{bytes} bytes, {unshared} unshared");
}

/// FAULTS H1: limits are exact and named.
#[test]
fn limits_are_exact() {
    let scope = Scope::parse("s").unwrap();
    let mut encoder = BodyEncoder::new(10);
    for (key, ok) in [(0, false), (1, true), (1024, true), (1025, false)] {
        assert_eq!(encoder.set(&scope, &"k".repeat(key), b"", None, None).is_ok(), ok, "key of {key}");
    }
    for (value, ok) in [(0, true), (10, true), (11, false)] {
        assert_eq!(encoder.set(&scope, "k", &vec![0; value], None, None).is_ok(), ok, "value of {value}");
    }
    for (name, ok) in [(0, false), (1, true), (1024, true), (1025, false)] {
        assert_eq!(encoder.checkpoint(&scope, &"n".repeat(name), None).is_ok(), ok, "name of {name}");
        assert_eq!(encoder.release(&scope, &"n".repeat(name)).is_ok(), ok, "name of {name}");
    }
    for (note, ok) in [(0, false), (1, true), (4096, true), (4097, false)] {
        assert_eq!(Note::parse(&"n".repeat(note)).is_ok(), ok, "note of {note}");
    }
    let error = encoder.set(&scope, "k", &[0; 11], None, None).unwrap_err();
    assert_eq!(error.to_string(), "value has 11 bytes, allowed are 0 to 10");
    assert_eq!(encoder.events(), 8, "a refused event leaves nothing behind");

    let mut encoder = BodyEncoder::default();
    for _ in 0..limits::COMMIT_EVENTS_MAX {
        encoder.delete(&scope, "k").unwrap();
    }
    let error = encoder.delete(&scope, "k").unwrap_err();
    assert_eq!(error.to_string(), "commit has 1000001 events, allowed are 1 to 1000000");
    let body = encoder.finish(&Meta::default()).unwrap();
    assert_eq!(Body::parse(&body).unwrap().event_count(), 1_000_000);
}

#[test]
fn a_body_above_the_limit_is_refused() {
    let scope = Scope::parse("s").unwrap();
    let mut encoder = BodyEncoder::new(limits::VALUE_BYTES_CEILING);
    let value = vec![7; limits::VALUE_BYTES_CEILING];
    encoder.set(&scope, "a", &value, None, None).unwrap();
    let LimitError { what, max, .. } = match encoder.set(&scope, "b", &value, None, None).unwrap_err() {
        crate::ScopeError::Limit(error) => error,
        other => panic!("{other}"),
    };
    assert_eq!((what, max), ("commit", limits::COMMIT_BYTES_MAX as u64));
}
