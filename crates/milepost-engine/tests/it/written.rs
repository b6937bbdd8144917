//! What was written is counted, every byte that the disk took and no other; and what a reader is told of it.

use std::{path::Path, sync::Arc};

use milepost_engine::{Engine, Index, Parts, Settings, Threads, Written};
use milepost_io::{Meter, Metered, Process, SimClock, SimDisk, SimEntropy};
use milepost_types::{Policy, ScopePrefix, Seq, Timestamp};

use crate::{compaction::DIR, scope};

/// A disk whose bytes are counted below everything that the engine does.
struct Below {
    disk: SimDisk,
    clock: Arc<SimClock>,
}

impl Below {
    fn parts(&self) -> (Parts, Meter) {
        let meter = Meter::default();
        // All but the note of who holds the store.
        let meters = vec![("/s/LOCK".into(), Meter::default()), ("/".into(), meter.clone())];
        let disk = Arc::new(Metered::new(Arc::new(self.disk.clone()), meters));
        let clock = Arc::clone(&self.clock);
        (Parts { disk, clock, entropy: Arc::new(SimEntropy::new(7)), process: Process::simulated() }, meter)
    }

    fn open(&self, index: Index) -> (Engine, Meter) {
        let (parts, meter) = self.parts();
        let (segment_bytes, memory_bytes, threads) = (4 << 10, 8 << 10, Threads::Stepped);
        let settings = Settings { segment_bytes, memory_bytes, threads, index, ..Settings::default() };
        (Engine::open(parts, Path::new(DIR), settings).unwrap(), meter)
    }
}

#[test]
fn every_byte_that_was_written_is_counted() {
    let below = Below { disk: SimDisk::new(1), clock: Arc::new(SimClock::new(Timestamp(1_700_000_000_000_000))) };
    let (store, meter) = below.open(Index::Keep);
    let of = |store: &Engine| store.stats().written;
    assert_eq!((of(&store).frame_bytes, of(&store).amplification()), (0, None));
    let mut request = store.request();
    request.add_retain(&ScopePrefix::root(), &Policy::default().keep_last(1)).unwrap();
    store.commit(request).unwrap();
    for n in 0..300u64 {
        store.commit(store.request().set(&scope("a"), &format!("k{}", n % 9), &[n as u8; 40]).unwrap()).unwrap();
        while store.step_index() {}
    }
    let before = of(&store);
    assert_eq!(before.frame_bytes, store.stats().log_bytes, "all of it is there still");
    assert!(before.log_bytes > before.frame_bytes && before.index_bytes > 0 && before.other_bytes > 0, "{before:?}");
    let done = store.compact(&mut |_, _| ()).unwrap();
    while store.step_recycle() {}
    let after = of(&store);
    assert!(after.log_bytes >= before.log_bytes + done.bytes_after, "{after:?} {done:?}");
    assert_eq!(after.frame_bytes, before.frame_bytes, "what is written anew is no commit");
    assert_eq!(after.bytes(), meter.bytes());
    let ratio = after.amplification().unwrap();
    assert!((ratio - meter.bytes() as f64 / after.frame_bytes as f64).abs() < 1e-9 && ratio > 1.0, "{ratio}");

    // The horizon stands in the same answer.
    let horizons = store.stats().horizons;
    assert_eq!(horizons.len(), 1, "{horizons:?}");
    assert!(horizons[0].prefix == ScopePrefix::root() && horizons[0].seq == store.last().seq, "{horizons:?}");

    // A reader is told as of MANIFEST: of what was appended since there is nothing in it.
    store.commit(store.request().set(&scope("a"), "k0", b"more").unwrap()).unwrap();
    let told = of(&Engine::open_read_only(below.parts().0, Path::new(DIR)).unwrap());
    assert!(told.frame_bytes > 0 && told.frame_bytes < of(&store).frame_bytes, "{told:?}");
    assert!(told.bytes() < of(&store).bytes(), "{told:?}");
    store.close().unwrap();
    drop(store);
    let (parts, meter_of_reader) = below.parts();
    let reader = Engine::open_read_only(parts, Path::new(DIR)).unwrap();
    assert!(of(&reader).frame_bytes > told.frame_bytes, "the close has said it all");
    assert_eq!(reader.stats().horizons, horizons);
    assert_eq!(meter_of_reader.bytes(), 0, "who reads writes nothing");
}

#[test]
fn an_opening_begins_anew_and_counts_itself() {
    let below = Below { disk: SimDisk::new(2), clock: Arc::new(SimClock::new(Timestamp(1_700_000_000_000_000))) };
    let (store, _) = below.open(Index::Keep);
    for n in 0..200u64 {
        store.commit(store.request().set(&scope("a"), &format!("k{n}"), &[n as u8; 40]).unwrap()).unwrap();
    }
    store.close().unwrap();
    drop(store);
    for index in [Index::Keep, Index::Rebuild] {
        let (store, meter) = below.open(index);
        let Written { frame_bytes, index_bytes, .. } = store.stats().written;
        assert_eq!((frame_bytes, store.last().seq), (0, Seq(200)));
        assert_eq!(index_bytes > 0, index == Index::Rebuild);
        assert_eq!(store.stats().written.bytes(), meter.bytes());
        store.close().unwrap();
    }
}
