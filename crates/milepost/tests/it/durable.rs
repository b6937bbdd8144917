//! Acknowledged means durable: whatever was acknowledged is in the files at that moment, whole and in order.

use milepost::{Seq, Store, Verdict};

use super::{Dice, Place, export, get, random_commit, scope};

/// The files are copied under a running writer after each acknowledgement: a copy is what a kill leaves behind.
#[test]
fn what_was_acknowledged_is_in_the_files_at_once() {
    let place = Place::new();
    let store = place.open_small();
    let mut dice = Dice(1);
    for _ in 0..60 {
        let receipt = random_commit(&store, &mut dice);
        let copy = place.copy();
        let found = copy.open();
        assert_eq!(found.last(), receipt);
        assert_eq!(export(&found), export(&store));
    }
}

#[test]
fn the_order_has_no_gap_over_many_openings() {
    let place = Place::new();
    let mut dice = Dice(2);
    let mut last = Seq::ZERO;
    for opening in 0..20u32 {
        let store = if opening % 2 == 0 { place.open_small() } else { place.open() };
        assert_eq!(store.last().seq, last);
        for _ in 0..dice.roll(8) {
            last = random_commit(&store, &mut dice).seq;
        }
        if opening % 3 == 0 {
            store.close().unwrap();
        }
    }
    let store = place.open();
    let mut expected = 0;
    let mut before = None;
    for commit in store.replay(Seq::FIRST) {
        let commit = commit.unwrap();
        expected += 1;
        assert_eq!(commit.seq, Seq(expected));
        assert!(before < Some(commit.at), "stamps rise strictly");
        before = Some(commit.at);
    }
    assert_eq!(store.last().seq, Seq(expected));
}

/// A batch that was cut off in the middle was never acknowledged: it goes, and is told apart from damage.
#[test]
fn a_torn_tail_goes_and_nothing_else() {
    let place = Place::new();
    let store = place.open();
    let scope = scope("a");
    store.set(&scope, "k", b"acknowledged").unwrap();
    let before = export(&store);
    let whole = place.copy();
    store.set(&scope, "k", &[b'x'; 500]).unwrap();
    let segment = |place: &Place| std::fs::read_dir(place.path().join("log")).unwrap().next().unwrap().unwrap().path();
    let short = std::fs::read(segment(&whole)).unwrap();
    let long = std::fs::read(segment(&place)).unwrap();
    let end = short.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    for cut in [end + 9, end + 20, end + 300] {
        let torn = Place::new();
        super::copy_dir(&whole.path(), &torn.path());
        let mut bytes = long.clone();
        bytes[cut..].fill(0);
        std::fs::write(segment(&torn), bytes).unwrap();
        let report = milepost::verify(torn.path(), &mut |_, _| ()).unwrap();
        assert!(matches!(report.verdict, Verdict::TornTail { .. }), "cut at {cut}: {report:?}");
        let store = Store::open(torn.path()).unwrap();
        assert_eq!(export(&store), before);
        assert!(store.stats().torn_bytes > 0);
        store.set(&scope, "k", b"goes on").unwrap();
        assert_eq!(get(&store, &scope, "k").as_deref(), Some(&b"goes on"[..]));
    }
}
