use proptest::{collection::vec, option, prelude::*};

use super::*;
use crate::{ContentType, Event, Fence, Key, LimitError, Meta, Scope, ScopePrefix, Timestamp, Writer, limits};

fn encode(meta: &Meta, events: &[Event]) -> Vec<u8> {
    let mut encoder = BodyEncoder::default();
    for event in events {
        encoder.event(event).unwrap();
    }
    encoder.finish(meta, 0).unwrap().bytes
}

fn decode(bytes: &[u8]) -> Result<(Meta, Vec<Event>), BodyError> {
    let body = Body::parse(bytes)?;
    let meta = body.meta()?;
    let mut events = Vec::new();
    let mut walk = body.events();
    while let Some(found) = walk.next()? {
        if let EventRef::Set { value, content_type, expires_at, .. } = found.event {
            assert_eq!(set_at(bytes, found.offset).unwrap(), SetAt { value, content_type, expires_at });
        }
        assert_eq!(found.index as usize, events.len());
        let name = BodyError { offset: found.offset as usize, what: BodyFault::Name };
        events.push(found.event.to_event().map_err(|_| name)?);
    }
    Ok((meta, events))
}

use crate::EventRef;

fn scopes() -> impl Strategy<Value = Scope> {
    "[a-cé$]{1,3}(/[ab\n]{1,2}){0,2}".prop_filter_map("reserved", |text| Scope::parse(&text).ok())
}

fn keys() -> impl Strategy<Value = Key> {
    "(/usr/share/)?[a-zé/\u{1b}]{1,12}".prop_map(|text| Key::parse(&text).unwrap())
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
            Event::ClearPrefix { prefix: ScopePrefix::parse("ppp").unwrap() },
        ],
    );
    assert!(decode(&bytes).is_ok());
    for (name, wrong) in
        [("sss/t", "s\0s/t"), ("sss/t", "s//st"), ("sss/t", "sss/."), ("kkk", "k\0k"), ("ppp", "p\0p"), ("ppp", "p//")]
    {
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
    let bytes = encoder.finish(&Meta::default(), 0).unwrap().bytes.len();
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
    let error = encoder.set(&scope, "k", &[0; 11], None, None).unwrap_err();
    assert_eq!(error.to_string(), "value has 11 bytes, allowed are 0 to 10");
    assert_eq!(encoder.events(), 4, "a refused event leaves nothing behind");

    let mut encoder = BodyEncoder::default();
    for _ in 0..limits::COMMIT_EVENTS_MAX {
        encoder.delete(&scope, "k").unwrap();
    }
    let error = encoder.delete(&scope, "k").unwrap_err();
    assert_eq!(error.to_string(), "commit has 1000001 events, allowed are 1 to 1000000");
    let body = encoder.finish(&Meta::default(), 0).unwrap();
    assert_eq!(Body::parse(body.body()).unwrap().event_count(), 1_000_000);
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
