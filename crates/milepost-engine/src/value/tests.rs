//! Addresses that lead to no value: an index that is whole, and wrong, may name any.

use std::path::Path;

use milepost_io::{SimClock, SimDisk};
use milepost_types::{Scope, Seq, Timestamp};

use crate::{Engine, Parts, ReadError, Settings, Threads, state::Version};

#[test]
fn an_address_at_which_no_record_begins_is_refused() {
    let parts = Parts::simulated(&SimDisk::new(1), &SimClock::new(Timestamp(1_700_000_000_000_000)));
    let settings = Settings { threads: Threads::Stepped, ..Settings::default() };
    let engine = Engine::open(parts, Path::new("/s"), settings).unwrap();
    let value = [0xff; 300];
    engine.commit(engine.request().set(&Scope::parse("a").unwrap(), "k", &value).unwrap()).unwrap();
    let shared = engine.shared();
    let right = shared.state.load().find("a", "k", Seq(1)).unwrap().unwrap();
    let (segments, mut damaged) = (shared.reader.segments(), 0);
    // Within the value, and behind it.
    for record in (right.record..right.record + 310).filter(|record| !(1..20).contains(&(record - right.record))) {
        match shared.value(&segments, Version { record, ..right }, || Ok(Timestamp::MIN)) {
            Ok(found) if record == right.record => assert_eq!(found.unwrap().to_vec(), value),
            // What looks like no event that there is yet may be one of a later version.
            Err(ReadError::Corrupt(_) | ReadError::NewerCommit(_)) => damaged += 1,
            other => panic!("at {record}: {other:?}"),
        }
    }
    assert_eq!(damaged, 290);
}
