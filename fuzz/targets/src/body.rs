//! Bodies of commits: what is accepted can be encoded again, and then says the same.

use milepost_types::{
    Event, EventRef, Meta,
    body::{
        Body, BodyEncoder, BodyError, ForkAt, Positioned, SetAt, Thinned, erased_at, fork_at, hold_at, note_at,
        place_of, policy_at, set_at,
    },
};

/// Any bytes as a body, and any place in it as a set.
pub fn check(bytes: &[u8]) {
    if let Some(first) = bytes.first_chunk::<4>() {
        // An address that does not come from the body itself.
        let at = u32::from_le_bytes(*first);
        let _ = (set_at(bytes, at).is_ok(), note_at(bytes, at).is_ok(), fork_at(bytes, at).is_ok());
    }
    let Ok(body) = Body::parse(bytes) else {
        return;
    };
    let walked = walk(&body, bytes);
    if walked.is_ok() {
        thins(&body);
    }
    let (Ok(meta), Ok(Some(events))) = (body.meta(), walked) else {
        return;
    };
    assert_eq!(events.len(), body.event_count() as usize);
    let again = encode(&meta, &events);
    let body = Body::parse(&again).unwrap();
    assert_eq!(body.meta().unwrap(), meta);
    assert_eq!(walk(&body, &again).unwrap().unwrap(), events);
    assert_eq!(encode(&meta, &events), again, "encoding is a function");
}

/// What is kept of a body is there as before, at the same address.
fn thins(body: &Body<'_>) {
    let mut events = Vec::new();
    let mut keep = |found: &Positioned<'_>| {
        let is_kept = found.index % 3 != 1;
        if is_kept {
            events.push((found.offset, format!("{:?}", found.event)));
        }
        is_kept
    };
    let thinned = match body.thin(&mut keep).unwrap() {
        Thinned::Some(bytes) => bytes,
        Thinned::All | Thinned::Nothing => return,
    };
    let thinned = Body::parse(&thinned).unwrap();
    let (mut left, mut walk) = (Vec::new(), thinned.events());
    while let Some(found) = walk.next().unwrap() {
        left.push((found.offset, format!("{:?}", found.event)));
    }
    assert_eq!(left, events);
}

/// The events, or `None` if a name in them is one that no writer could have given.
fn walk(body: &Body<'_>, bytes: &[u8]) -> Result<Option<Vec<Event>>, BodyError> {
    let (mut events, mut nameable) = (Vec::new(), true);
    let mut walk = body.events();
    let mut index = 0;
    while let Some(found) = walk.next()? {
        assert_eq!(found.index, index);
        index += 1;
        stands_there(&found, bytes);
        // What a reader finds at the event's address is what the walk saw.
        match found.event {
            EventRef::Set { value, content_type, expires_at, .. } => {
                assert_eq!(set_at(bytes, found.offset), Ok(SetAt { value, content_type, expires_at }));
            }
            EventRef::Checkpoint { note, .. } => assert_eq!(note_at(bytes, found.offset), Ok(note)),
            EventRef::Fork { origin, point, .. } => {
                assert_eq!(fork_at(bytes, found.offset), Ok(ForkAt { origin, point }));
            }
            EventRef::Delete { .. }
            | EventRef::Clear { .. }
            | EventRef::ClearPrefix { .. }
            | EventRef::Release { .. }
            | EventRef::Unretain { .. }
            | EventRef::Unhold { .. } => {}
            EventRef::Retain { policy, .. } => assert_eq!(policy_at(bytes, found.offset), Ok(policy)),
            EventRef::Hold { note, .. } => assert_eq!(hold_at(bytes, found.offset), Ok(note)),
            EventRef::Erase { bytes: gone, .. }
            | EventRef::EraseScope { bytes: gone, .. }
            | EventRef::ErasePrefix { bytes: gone, .. } => assert_eq!(erased_at(bytes, found.offset), Ok(gone)),
        }
        match found.event.to_event() {
            Ok(event) => events.push(event),
            Err(_) => nameable = false,
        }
    }
    Ok(nameable.then_some(events))
}

/// The table has the place of every 2^stride-th event, and a key is as long as its record says.
fn stands_there(found: &Positioned<'_>, bytes: &[u8]) {
    let (stride, place) = (1 << bytes[1], place_of(bytes, found.offset).unwrap().unwrap());
    if found.index > 0 && found.index.is_multiple_of(stride) {
        let table = u32_at(bytes, bytes.len() - 4);
        let entry = table + 4 * (found.index / stride - 1);
        assert_eq!(u32_at(bytes, entry as usize), place);
    }
    if let EventRef::Set { key, .. }
    | EventRef::Delete { key, .. }
    | EventRef::Checkpoint { name: key, .. }
    | EventRef::Release { name: key, .. } = found.event
    {
        let (shared, behind) = varint(&bytes[place as usize + 1..]);
        let (rest, behind) = varint(behind);
        assert_eq!(key.len(), shared + rest);
        assert!(key.as_bytes().ends_with(&behind[..rest]));
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(*bytes[at..].first_chunk().unwrap())
}

/// A varint and what stands behind it.
fn varint(bytes: &[u8]) -> (usize, &[u8]) {
    let count = bytes.iter().take_while(|byte| **byte >= 0x80).count() + 1;
    let (own, behind) = bytes.split_at(count);
    (own.iter().rev().fold(0, |value, byte| value << 7 | usize::from(byte & 0x7f)), behind)
}

pub(crate) fn encode(meta: &Meta, events: &[Event]) -> Vec<u8> {
    let mut encoder = BodyEncoder::default();
    for event in events {
        encoder.event(event).unwrap();
    }
    encoder.finish(meta).unwrap()
}
