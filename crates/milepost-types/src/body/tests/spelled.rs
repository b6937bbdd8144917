//! Bodies spelled out byte by byte, as the table of the format has them: what is wrong with one is told with its place.

use super::*;

/// A body of these parts, with a table of these entries.
fn spelled(flags: u8, stride: u8, events: u64, rest: &[u8], entries: &[u32]) -> Vec<u8> {
    let mut bytes = vec![flags, stride];
    varint::put(&mut bytes, events);
    bytes.extend_from_slice(rest);
    let table = bytes.len() as u32;
    for entry in entries.iter().chain([&table]) {
        bytes.extend_from_slice(&entry.to_le_bytes());
    }
    bytes
}

/// Reads all of a body.
fn fault(bytes: &[u8]) -> Option<(usize, BodyFault)> {
    decode(bytes).err().map(|error| (error.offset, error.what))
}

#[test]
fn a_body_is_what_its_table_says() {
    let records = [SCOPE, 0, 1, b's', SET, 0, 1, b'k', 1, b'v', DELETE, 1, 1, b'l', CLEAR];
    let meta = Meta::default();
    let right = [
        Event::Set {
            scope: Scope::parse("s").unwrap(),
            key: Key::parse("k").unwrap(),
            value: b"v".to_vec(),
            content_type: None,
            expires_at: None,
        },
        Event::Delete { scope: Scope::parse("s").unwrap(), key: Key::parse("kl").unwrap() },
        Event::Clear { scope: Scope::parse("s").unwrap() },
    ];
    // Behind two flags and the number of events the set begins at 7, the delete at 13, the clear at 17.
    for (stride, entries) in [(0, &[13, 17][..]), (1, &[17]), (2, &[]), (15, &[])] {
        assert_eq!(decode(&spelled(0, stride, 3, &records, entries)).unwrap(), (meta.clone(), right.to_vec()));
    }
    for (stride, entries, at) in [(0, [13, 18], 18), (0, [12, 17], 14), (1, [13, 0], 18)] {
        let entries = &entries[..2 - usize::from(stride)];
        assert_eq!(fault(&spelled(0, stride, 3, &records, entries)), Some((at, BodyFault::Table)), "{entries:?}");
    }
}

/// Each with the byte at which it is met.
#[test]
fn what_is_wrong_is_told_with_its_place() {
    let key = [1, b'x'];
    let nothing = spelled(0, 0, 0, &[], &[]);
    let mut elsewhere = nothing.clone();
    elsewhere[3] += 1;
    for (bytes, at, what) in [
        (vec![], 0, BodyFault::Truncated),
        (spelled(0x40, 0, 0, &[], &[]), 0, BodyFault::Unknown(0x40)),
        (spelled(0x80 | HAS_WRITER, 0, 0, &key, &[]), 0, BodyFault::Unknown(0x81)),
        (spelled(HAS_ATTEMPT, 0, 0, &[7], &[]), 0, BodyFault::Length),
        (spelled(HAS_DIGEST, 0, 0, &[0; 16], &[]), 0, BodyFault::Length),
        (spelled(0, 16, 0, &[], &[]), 2, BodyFault::Table),
        (spelled(0, 0, 1_000_001, &[], &[]), 5, BodyFault::Length),
        (spelled(0, 0, 1_000_000, &[], &[]), 5, BodyFault::Truncated),
        (vec![0, 0, 2, 3, 0, 0, 0], 3, BodyFault::Truncated),
        (nothing[..6].to_vec(), 3, BodyFault::Truncated),
        (elsewhere, 3, BodyFault::Table),
        (spelled(0, 0, 0, &[CLEAR], &[]), 3, BodyFault::Length),
        (spelled(HAS_WRITER, 0, 0, &[3, b'x'], &[]), 4, BodyFault::Truncated),
        (spelled(HAS_WRITER, 0, 0, &[0], &[]), 4, BodyFault::Name),
        (spelled(HAS_WRITER, 0, 0, &[0x81, 2], &[]), 5, BodyFault::Length),
        (spelled(HAS_IDEMPOTENCY_KEY, 0, 0, &[0], &[]), 4, BodyFault::Name),
        (spelled(HAS_IDEMPOTENCY_KEY | THINNED, 0, 0, &key, &[]), 5, BodyFault::Truncated),
        (spelled(0, 0, 1, &[CLEAR], &[]), 4, BodyFault::Name),
        (spelled(0, 0, 1, &[SCOPE, 0, 1, b's', 0x0f], &[]), 7, BodyFault::Unknown(0x0f)),
        (spelled(0, 0, 1, &[SCOPE, 0, 1, b's', CLEAR | 0x10], &[]), 7, BodyFault::Unknown(0x13)),
        (spelled(0, 0, 1, &[SCOPE, 1, 1, b's', CLEAR], &[]), 6, BodyFault::Length),
        (spelled(0, 0, 1, &[SCOPE, 0, 0, CLEAR], &[]), 6, BodyFault::Length),
        (spelled(0, 0, 1, &[SCOPE, 0, 1, 0xff, CLEAR], &[]), 7, BodyFault::Name),
        (
            spelled(0, 0, 1, &[SCOPE, 0, 1, b's', SET | WITH_CONTENT_TYPE, 0, 1, b'k', 0x85, 0], &[]),
            12,
            BodyFault::Unknown(0x85),
        ),
        (spelled(0, 0, 1, &[SCOPE, 0, 1, b's', SET | WITH_CONTENT_TYPE, 0, 1, b'k', 0, 0], &[]), 12, BodyFault::Name),
        (spelled(0, 0, 1, &[RETAIN | MORE, 0, 0], &[]), 5, BodyFault::Length),
        (spelled(0, 0, 1, &[RETAIN | MORE, 0, 4], &[]), 5, BodyFault::Unknown(4)),
        (spelled(0, 0, 1, &[RETAIN | MORE, 0, 1 | 4, 9], &[]), 5, BodyFault::Unknown(5)),
        (spelled(0, 0, 1, &[UNRETAIN, 1, b'/'], &[]), 6, BodyFault::Name),
    ] {
        assert_eq!(fault(&bytes), Some((at, what)), "{bytes:?}");
    }
    for flags in [HAS_DIGEST | HAS_IDEMPOTENCY_KEY | THINNED, HAS_DIGEST | HAS_WRITER, HAS_DIGEST | THINNED] {
        let bytes = spelled(flags, 0, 0, &[&key[..], &[0; 16]].concat(), &[]);
        assert_eq!(fault(&bytes), Some((0, BodyFault::Length)), "{flags:#x}");
    }
    let digest = spelled(HAS_DIGEST | HAS_IDEMPOTENCY_KEY, 0, 0, &[&key[..], &[7; 16]].concat(), &[]);
    assert_eq!(Body::parse(&digest).unwrap().kept_digest(), Some(crate::Digest([7; 16])));
}

/// A flag that a kind of event does not have is of a newer version: what follows it may mean anything.
#[test]
fn a_flag_that_a_kind_does_not_have_is_told_as_newer() {
    let (key, path, number) = (&[0, 1, b'k'][..], &[1, b's'][..], &[7][..]);
    // Each kind with the flags that it has, and what follows them where none is set.
    let kinds: [(u8, u8, Vec<u8>); 13] = [
        (SET, WITH_CONTENT_TYPE | WITH_EXPIRY, [key, &[0]].concat()),
        (DELETE, 0, key.to_vec()),
        (CLEAR, 0, vec![]),
        (CLEAR_PREFIX, 0, path.to_vec()),
        (CHECKPOINT, WITH_NOTE, key.to_vec()),
        (RELEASE, 0, key.to_vec()),
        (FORK, 0, [path, number].concat()),
        (UNRETAIN, 0, path.to_vec()),
        (HOLD, WITH_NOTE, [path, path].concat()),
        (UNHOLD, 0, [path, path].concat()),
        (ERASE, 0, [key, number].concat()),
        (ERASE_SCOPE, 0, number.to_vec()),
        (ERASE_PREFIX, 0, [path, number].concat()),
    ];
    for (kind, flags, fields) in kinds {
        let body = |tag: u8| spelled(0, 0, 1, &[&[SCOPE, 0, 1, b's', tag][..], &fields].concat(), &[]);
        assert_eq!(fault(&body(kind)), None, "{kind:#x}");
        for flag in [0x10, 0x20, 0x40, 0x80].into_iter().filter(|flag| flags & flag == 0) {
            let tag = kind | flag;
            assert_eq!(fault(&body(tag)), Some((7, BodyFault::Unknown(tag))), "{tag:#x}");
            assert_eq!(fault(&body(tag | flags)), Some((7, BodyFault::Unknown(tag | flags))), "{tag:#x}");
        }
    }
}

/// FAULTS H1: what could not be written is not read, and what is as large as it may be is.
#[test]
fn sizes_beyond_a_limit_are_not_read() {
    let text = |bytes: usize| {
        let mut out = Vec::new();
        varint::put(&mut out, bytes as u64);
        out.resize(out.len() + bytes, b'x');
        out
    };
    let shared = |shared: u64, rest: usize| {
        let mut out = vec![SCOPE];
        varint::put(&mut out, shared);
        [out, text(rest), vec![CLEAR]].concat()
    };
    let number = |value: u64| {
        let mut out = Vec::new();
        varint::put(&mut out, value);
        out
    };
    let attempt = |value: u64| [text(1), number(value)].concat();
    let fence = |token: u64| [number(1), text(1), number(token)].concat();
    let fences = |count: usize| [number(count as u64), [1, b'x', 0].repeat(count)].concat();
    let rows: [(u8, u64, Vec<u8>, Vec<u8>); 8] = [
        (HAS_WRITER, 0, text(256), text(257)),
        (HAS_WRITER | HAS_ATTEMPT, 0, attempt(u32::MAX.into()), attempt(1 << 32)),
        (HAS_IDEMPOTENCY_KEY, 0, text(256), text(257)),
        (HAS_FENCES, 0, fence(limits::FENCING_TOKEN_MAX), fence(limits::FENCING_TOKEN_MAX + 1)),
        (HAS_FENCES, 0, fences(1024), fences(1025)),
        (0, 2, [shared(0, 1000), shared(1000, 24)].concat(), [shared(0, 1000), shared(1000, 25)].concat()),
        (0, 2, [shared(0, 9), shared(9, 0)].concat(), [shared(0, 9), shared(10, 1)].concat()),
        (0, 1, [vec![UNRETAIN], text(1024)].concat(), [vec![UNRETAIN], text(1025)].concat()),
    ];
    for (flags, events, right, wrong) in rows {
        assert_eq!(fault(&spelled(flags, 15, events, &right, &[])), None, "{flags}, {} bytes", right.len());
        let what = fault(&spelled(flags, 15, events, &wrong, &[])).map(|(_, what)| what);
        assert_eq!(what, Some(BodyFault::Length), "{flags}, {} bytes", wrong.len());
    }
}

#[test]
fn varints_end_where_the_number_does() {
    let most = [&[0xff; 9][..], &[1]].concat();
    for (bytes, right) in [
        (&[][..], Err(BodyFault::Truncated)),
        (&[0], Ok((0, 1))),
        (&[0x7f, 9], Ok((127, 1))),
        (&[0x80], Err(BodyFault::Truncated)),
        (&[0x80, 0], Err(BodyFault::Varint)),
        (&[0x80, 1, 9], Ok((128, 2))),
        (&[0xff, 0x7f], Ok((16_383, 2))),
        (&[0x80; 9], Err(BodyFault::Truncated)),
        (&[0x80; 10], Err(BodyFault::Varint)),
        (&[0x80; 11], Err(BodyFault::Varint)),
        (&most, Ok((u64::MAX, 10))),
        (&[&[0x80; 9][..], &[2]].concat(), Err(BodyFault::Varint)),
        (&[&[0x80; 9][..], &[0]].concat(), Err(BodyFault::Varint)),
    ] {
        assert_eq!(varint::get(bytes), right, "{bytes:?}");
    }
}

/// Whoever looks for one record of a long body reads its beginning, and then the record.
#[test]
fn a_record_is_found_by_the_beginning_of_its_body() {
    let scope = Scope::parse("s").unwrap();
    let meta = Meta { idempotency_key: Some("once".to_owned()), ..Meta::default() };
    let mut encoder = BodyEncoder::default();
    for key in ["a", "b", "c"] {
        encoder.set(&scope, key, key.as_bytes(), Some(&ContentType::TEXT), Some(Timestamp(7))).unwrap();
    }
    let whole = encoder.finish(&meta).unwrap();
    let offsets: Vec<u32> = addressed(&whole).into_iter().map(|(offset, _)| offset).collect();
    assert_eq!(place_of(&whole[..1], offsets[2]), Ok(Some(offsets[2])), "nothing was moved");
    let thinned = Body::parse(&whole).unwrap().thin(&mut |found| found.index != 1).unwrap();
    let Thinned::Some(bytes) = thinned else { panic!("{thinned:?}") };
    // Flags, stride, count, key, digest, and eight bytes for each of two events.
    let beginning = 3 + 5 + 16 + 16;
    let places: Vec<_> = offsets.iter().map(|offset| place_of(&bytes[..beginning], *offset).unwrap()).collect();
    assert_eq!((places[0], places[1]), (Some(beginning as u32 + 4), None));
    let cut = place_of(&bytes[..beginning - 1], offsets[0]).unwrap_err();
    assert_eq!((cut.offset, cut.what), (24, BodyFault::Truncated));
    assert_eq!(meta_of(&bytes[..8]).as_ref(), Ok(&meta));
    for (place, value) in [(places[0], b"a"), (places[2], b"c")] {
        let right = SetAt { value, content_type: Some("text/plain"), expires_at: Some(Timestamp(7)) };
        assert_eq!(set_in(&bytes[place.unwrap() as usize..]), Ok(right));
    }
    // What is no set: told from what a newer version wrote.
    assert_eq!(set_in(&[DELETE, 0, 1, b'a']), Err(BodyError { offset: 0, what: BodyFault::Address }));
    assert_eq!(set_in(&[SET | 0x40, 0, 1, b'a', 0]), Err(BodyError { offset: 0, what: BodyFault::Unknown(0x41) }));
    assert_eq!(set_in(&[0x0f]), Err(BodyError { offset: 0, what: BodyFault::Unknown(0x0f) }));
    for unknown in [0x40, 0xff] {
        let newer = [unknown, 0, 0];
        let fault = BodyError { offset: 0, what: BodyFault::Unknown(unknown) };
        assert_eq!((place_of(&newer, 3), meta_of(&newer)), (Err(fault.clone()), Err(fault)));
    }
}

/// Whoever meets a fault asks whether it is damage.
#[test]
fn what_was_removed_and_what_is_newer_is_no_damage() {
    for (what, newer, removed) in [
        (BodyFault::Unknown(0x0f), true, false),
        (BodyFault::Removed, false, true),
        (BodyFault::Truncated, false, false),
        (BodyFault::Address, false, false),
        (BodyFault::Point, false, false),
    ] {
        let error = BodyError { offset: 7, what };
        assert_eq!((error.is_newer(), error.is_removed()), (newer, removed), "{error}");
    }
    let error = BodyError { offset: 7, what: BodyFault::Truncated };
    assert_eq!(error.to_string(), "body ends too early at byte 7 of the commit's body");
}

/// Only what claims something is kept once its events went.
#[test]
fn a_body_says_nothing_without_events_and_claims() {
    let scope = Scope::parse("s").unwrap();
    let writer = Meta { writer: Some(Writer::new("w").unwrap()), ..Meta::default() };
    let key = Meta { idempotency_key: Some("once".to_owned()), ..Meta::default() };
    let fence = Meta { fences: vec![Fence { scope: scope.clone(), token: 1 }], ..Meta::default() };
    for (meta, claims) in [(Meta::default(), false), (writer, false), (key, true), (fence, true)] {
        let bytes = encode(&meta, &[Event::Clear { scope: scope.clone() }]);
        let body = Body::parse(&bytes).unwrap();
        assert_eq!((body.has_claims(), body.says_nothing()), (claims, false));
        let husk = body.husk().unwrap();
        let husk = Body::parse(&husk).unwrap();
        assert_eq!((husk.has_claims(), husk.says_nothing()), (claims, !claims));
    }
    let nothing = BodyEncoder::nothing();
    assert_eq!(nothing, encode(&Meta::default(), &[]));
    assert!(Body::parse(&nothing).unwrap().says_nothing());
}
