use std::{collections::BTreeMap, sync::atomic::AtomicU32};

use proptest::prelude::*;

use super::super::{
    Version,
    keys::{Keys, Kind},
    scopes::ScopeIndex,
};

const SCOPE: ScopeIndex = ScopeIndex(7);

fn hash(key: &str) -> u64 {
    milepost_index::ScopeHash(3).key(key).0
}

/// Names that share beginnings of any length, and ends that decide within 16 bytes, behind them, or by length alone.
fn names() -> impl Strategy<Value = Vec<String>> {
    let wide = prop_oneof!["[a-h0@]{1,4}", "[a-h0@]{60,90}"];
    let end = prop_oneof!["[ab\u{0}ä]{1,3}", "[ab]{14,20}", "x{0,40}[ab]{1,2}", wide];
    let names = proptest::collection::vec(end, 1..80);
    // The beginning alone is a name as well.
    ("k{0,30}", names).prop_map(|(begin, ends)| {
        let whole = ends.into_iter().map(|end| begin.clone() + &end);
        Some(begin.clone()).filter(|begin| !begin.is_empty()).into_iter().chain(whole).collect()
    })
}

/// Puts each name in as a commit of its own, some of which fail; what must be found, oldest version first.
fn fill(keys: &Keys, newest: &AtomicU32, names: &[String], fails: &[bool]) -> BTreeMap<String, Vec<Version>> {
    let mut expected: BTreeMap<String, Vec<Version>> = BTreeMap::new();
    for ((name, seq), fails) in names.iter().zip(1..).zip(fails.iter().cycle()) {
        let version = Version { seq, record: 9, kind: Kind::Set };
        keys.begin(seq);
        keys.put(hash(name), SCOPE, name, version, newest);
        let versions = expected.entry(name.clone()).or_default();
        if *fails {
            keys.cut(hash(name), SCOPE, name, seq - 1);
        } else {
            versions.push(version);
        }
    }
    expected
}

proptest! {
    /// Every key in its place, whatever decides it, and every version of each once, from the newest on.
    #[test]
    fn keys_and_versions_come_in_order(names in names(), fails in proptest::collection::vec(any::<bool>(), 1..9)) {
        let (keys, newest) = (Keys::new(), AtomicU32::new(0));
        let expected = fill(&keys, &newest, &names, &fails);
        let order = keys.in_order(&newest);
        keys.touch_keys(&order);
        let mut key = String::new();
        let mut found = Vec::new();
        for index in order {
            let entry = keys.entry(index);
            entry.read_key(&mut key);
            let mut versions = Vec::new();
            if let Some(mut descent) = entry.descent() {
                versions.extend(std::iter::from_fn(|| keys.descend(&mut descent)));
            }
            versions.reverse();
            found.push((key.clone(), versions));
        }
        prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn a_scope_without_keys_has_none_in_order() {
    assert_eq!(Keys::new().in_order(&AtomicU32::new(0)), []);
}

/// What two keys share ends at the first byte in which they differ, in whichever of its bits.
#[test]
fn two_keys_stand_in_order_by_the_first_byte_that_differs() {
    for begin in ["", "k", "kkkkkk", "kkkkkkk", "kkkkkkkk", "kkkkkkkkk"] {
        for (less, greater) in [('0', '1'), ('0', '@'), ('0', 'z'), ('a', 'b'), ('a', 'c'), ('a', 'e'), ('a', 'q')] {
            // The rest of the greater one is the lesser.
            let names = [format!("{begin}{greater}a"), format!("{begin}{less}z")];
            for names in [&names, &[names[1].clone(), names[0].clone()]] {
                let (keys, newest) = (Keys::new(), AtomicU32::new(0));
                fill(&keys, &newest, names, &[false]);
                let found: Vec<Box<str>> =
                    keys.in_order(&newest).into_iter().map(|index| keys.entry(index).key()).collect();
                assert!(found.is_sorted(), "{found:?}");
            }
        }
    }
}
