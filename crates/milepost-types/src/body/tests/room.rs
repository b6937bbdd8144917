//! Limits of a body, met and missed by one; what an encoder says of its size.

use super::*;
use crate::{Digest, ScopeError};

#[test]
fn what_a_commit_carries_has_its_limits() {
    let scope = Scope::parse("s").unwrap();
    let finish = |meta: &Meta| BodyEncoder::default().finish(meta).map(|body| decode(&body).unwrap().0);
    for (bytes, ok) in [(0, false), (1, true), (256, true), (257, false)] {
        let meta = Meta { idempotency_key: Some("k".repeat(bytes)), ..Meta::default() };
        assert_eq!(finish(&meta).ok(), ok.then_some(meta), "key of {bytes}");
    }
    for (count, ok) in [(1024, true), (1025, false)] {
        let meta = Meta { fences: vec![Fence { scope: scope.clone(), token: 7 }; count], ..Meta::default() };
        assert_eq!(finish(&meta).ok(), ok.then_some(meta), "{count} fences");
    }
    for (token, ok) in [(0, true), (limits::FENCING_TOKEN_MAX, true), (limits::FENCING_TOKEN_MAX + 1, false)] {
        let meta = Meta { fences: vec![Fence { scope: scope.clone(), token }], ..Meta::default() };
        assert_eq!(finish(&meta).ok(), ok.then_some(meta), "token {token}");
    }
}

/// Small events have an entry in the table for every 16th alone: below 64 bytes each, on average.
#[test]
fn a_table_of_small_events_is_sparse() {
    let scope = Scope::parse("s").unwrap();
    for (events, spare, stride, entries) in [(2, 0, 0, 1), (2, 1, 4, 0), (17, 0, 0, 16), (17, 1, 4, 1), (33, 33, 4, 2)]
    {
        let mut encoder = BodyEncoder::default();
        for index in 1..events {
            encoder.set(&scope, &format!("{index:04}"), &[7; 48], None, None).unwrap();
        }
        // The last one makes up for what the others fall short of.
        let rest = 64 * events - spare - encoder.record_bytes();
        let key = "another key";
        encoder.set(&scope, key, &vec![7; rest - key.len() - 4 - usize::from(rest > 140)], None, None).unwrap();
        assert_eq!((encoder.record_bytes(), encoder.events()), (64 * events - spare, events));
        let bytes = encoder.finish(&Meta::default()).unwrap();
        assert_eq!((bytes[1], bytes.len()), (stride, 3 + 64 * events - spare + 4 * entries + 4), "{events}, {spare}");
        assert_eq!(addressed(&bytes).len(), events);
    }
}

/// What memory a waiting commit takes is counted, and an encoder that is used again is as a new one.
#[test]
fn an_encoder_says_how_large_it_is() {
    let scope = Scope::parse("s").unwrap();
    let mut encoder = BodyEncoder::new(10);
    let fresh = encoder.memory_bytes();
    assert!((100..1000).contains(&fresh), "{fresh}");
    for index in 0..5000 {
        encoder.set(&scope, &format!("{index}"), b"v", None, None).unwrap();
    }
    let (used, memory) = (encoder.record_bytes() + 4 * encoder.events(), encoder.memory_bytes());
    assert!((used..2 * used + fresh).contains(&memory), "{memory} bytes for {used}");
    let mut again = encoder.reused(11);
    assert_eq!((again.events(), again.record_bytes(), again.memory_bytes()), (0, 0, memory));
    again.set(&scope, "k", &[7; 11], None, None).unwrap();
    assert!(again.set(&scope, "k", &[7; 12], None, None).is_err());
    let mut other = BodyEncoder::default();
    other.set(&scope, "k", &[7; 11], None, None).unwrap();
    assert_eq!(again.finish(&Meta::default()), other.finish(&Meta::default()));
}

/// Adds two values, of as many bytes that `rest` more of names and values are the last to fit.
fn fill(encoder: &mut BodyEncoder, scope: &Scope, value: &[u8], rest: usize) {
    encoder.set(scope, "a", value, None, None).unwrap();
    // Its tag, its key with two lengths, and the length of its value.
    let last = limits::COMMIT_BYTES_MAX - rest - encoder.record_bytes() - 4 - 4;
    encoder.set(scope, "b", &value[..last], None, None).unwrap();
    assert_eq!(encoder.record_bytes() + rest, limits::COMMIT_BYTES_MAX);
}

/// FAULTS H1: of every kind, the event that is too much by one byte is refused, and leaves nothing behind.
#[test]
fn an_event_beyond_the_largest_commit_is_refused() {
    let name = |bytes: usize| "n".repeat(bytes);
    let scope = |bytes: usize| Scope::parse(&name(bytes)).unwrap();
    let prefix = |bytes: usize| ScopePrefix::from(&scope(bytes));
    let mut encoder = BodyEncoder::new(limits::VALUE_BYTES_CEILING);
    fill(&mut encoder, &scope(1), &vec![7; limits::VALUE_BYTES_CEILING], 900);
    let note = Note::parse(&name(301)).unwrap();
    let events = encoder.events();
    type Add<'a> = &'a dyn Fn(&mut BodyEncoder) -> Result<(), ScopeError>;
    let kinds: [Add<'_>; 14] = [
        &|encoder| encoder.set(&scope(300), &name(300), &[7; 301], None, None),
        &|encoder| encoder.delete(&scope(400), &name(501)),
        &|encoder| encoder.clear(&scope(901)),
        &|encoder| encoder.clear_prefix(&prefix(901)),
        &|encoder| encoder.checkpoint(&scope(300), &name(300), Some(&note)),
        &|encoder| encoder.release(&scope(400), &name(501)),
        &|encoder| encoder.fork(&scope(400), &scope(501), Seq(1)),
        &|encoder| encoder.retain(&prefix(901 - 48), &Policy::default()),
        &|encoder| encoder.unretain(&prefix(901)),
        &|encoder| encoder.hold(&prefix(300), &name(300), Some(&note)),
        &|encoder| encoder.unhold(&prefix(400), &name(501)),
        &|encoder| encoder.erase(&scope(400), &name(501), 1),
        &|encoder| encoder.erase_scope(&scope(901), 1),
        &|encoder| encoder.erase_prefix(&prefix(901 - 10), 1),
    ];
    for (kind, add) in kinds.into_iter().enumerate() {
        let refused = add(&mut encoder).unwrap_err();
        let right = LimitError {
            what: "commit",
            unit: "bytes",
            actual: limits::COMMIT_BYTES_MAX as u64 + 1,
            min: 0,
            max: limits::COMMIT_BYTES_MAX as u64,
        };
        assert_eq!(refused, ScopeError::Limit(right), "kind {kind}");
        assert_eq!((encoder.events(), encoder.record_bytes()), (events, limits::COMMIT_BYTES_MAX - 900));
    }
    encoder.delete(&scope(400), &name(500)).unwrap();
    assert_eq!(encoder.events(), events + 1);
}

/// The largest body there can be; the digest of what is left of a commit is the first to go where there is no room.
#[test]
fn a_body_is_as_large_as_its_limit_and_no_larger() {
    let scope = Scope::parse("s").unwrap();
    let meta = Meta { idempotency_key: Some("once".to_owned()), ..Meta::default() };
    let value = vec![7; limits::VALUE_BYTES_CEILING];
    let mut encoder = BodyEncoder::new(limits::VALUE_BYTES_CEILING);
    // Flags, stride, count, key; an entry of the table and where that begins.
    let around = 3 + 5 + 4 + 4;
    let rows =
        [(around - 1, false, false), (around, true, false), (around + 15, true, false), (around + 16, true, true)];
    for (rest, fits, has_digest) in rows {
        fill(&mut encoder, &scope, &value, rest);
        let finished = encoder.finish_kept(&meta, Some(Digest([9; 16])));
        assert_eq!(finished.is_ok(), fits, "{rest}");
        if let Ok(body) = finished {
            assert_eq!(Body::parse(&body).unwrap().kept_digest().is_some(), has_digest, "{rest}");
            assert_eq!(body.len() + rest, limits::COMMIT_BYTES_MAX + around + 16 * usize::from(has_digest));
        }
    }
    // Without a key nobody repeats it, and it has none.
    let mut small = BodyEncoder::default();
    small.clear(&scope).unwrap();
    let body = small.finish_kept(&Meta::default(), Some(Digest([9; 16]))).unwrap();
    assert_eq!(Body::parse(&body).unwrap().kept_digest(), None);
}
