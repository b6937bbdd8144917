//! Bodies of commits: what is accepted can be encoded again, and then says the same.

use milepost_types::{
    Event, EventRef, Meta,
    body::{Body, BodyEncoder, BodyError, SetAt, set_at},
};

/// Any bytes as a body, and any place in it as a set.
pub fn check(bytes: &[u8]) {
    if let Some(first) = bytes.first_chunk::<4>() {
        // An address that does not come from the body itself.
        let _ = set_at(bytes, u32::from_le_bytes(*first));
    }
    let Ok(body) = Body::parse(bytes) else {
        return;
    };
    let walked = walk(&body, bytes);
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

/// The events, or `None` if a name in them is one that no writer could have given.
fn walk(body: &Body<'_>, bytes: &[u8]) -> Result<Option<Vec<Event>>, BodyError> {
    let (mut events, mut nameable) = (Vec::new(), true);
    let mut walk = body.events();
    let mut index = 0;
    while let Some(found) = walk.next()? {
        assert_eq!(found.index, index);
        index += 1;
        if let EventRef::Set { value, content_type, expires_at, .. } = found.event {
            // What a reader finds at the event's address is what the walk saw.
            assert_eq!(set_at(bytes, found.offset), Ok(SetAt { value, content_type, expires_at }));
        }
        match found.event.to_event() {
            Ok(event) => events.push(event),
            Err(_) => nameable = false,
        }
    }
    Ok(nameable.then_some(events))
}

pub(crate) fn encode(meta: &Meta, events: &[Event]) -> Vec<u8> {
    let mut encoder = BodyEncoder::default();
    for event in events {
        encoder.event(event).unwrap();
    }
    encoder.finish(meta, 0).unwrap().bytes
}
