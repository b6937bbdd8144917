use super::*;

#[test]
fn newer_versions_stand_first_and_keys_of_a_scope_together() {
    let entry = |scope, key, version| VersionKey::default().set(scope, key, version).to_vec();
    let sorted = [
        scope_start("a"),
        entry("a", "k", u64::MAX),
        entry("a", "k", 2),
        entry("a", "k", 1),
        entry("a", "k", 0),
        key_end("a", "k"),
        entry("a", "k2", 9),
        key_end("a", "k2"),
        scope_end("a"),
        scope_start("a/b"),
        entry("a/b", "k", 3),
        scope_end("a/b"),
    ];
    assert!(sorted.is_sorted_by(|one, next| one < next), "{sorted:?}");
    assert_eq!(split("a", &sorted[2]).unwrap(), (&b"k"[..], 2));
    assert!(split("a", b"a\0k").is_err());
}

#[test]
fn a_version_of_another_key_is_not_taken_for_ones_own() {
    let mut key = VersionKey::default();
    key.set("a", "k", 5);
    for (other, same) in [(("a", "k", 0), true), (("a", "l", 5), false), (("b", "k", 5), false)] {
        assert_eq!(key.is_of_same_key(VersionKey::default().set(other.0, other.1, other.2)), same, "{other:?}");
    }
    assert!(!key.is_of_same_key(b""));
}

#[test]
fn the_order_leads_to_the_version() {
    let value = order_value("a", "k");
    let mut followed = Vec::new();
    follow(&value, 7, &mut followed);
    assert_eq!(followed, VersionKey::default().set("a", "k", 7));
    assert_eq!(order_version(&order_key(7, 3)).unwrap(), 7);
    assert!(order_key(7, u32::MAX) < order_key(8, 0));
    assert_eq!(scope_and_key(&value).unwrap(), (&b"a"[..], &b"k"[..]));
}

#[test]
fn the_newest_of_each_key_is_taken_once() {
    let mut newest = NewestOfEach::new("a", 5);
    let mut taken = Vec::new();
    for (key, version) in [("k", 9), ("k", 5), ("k", 4), ("l", 6), ("m", 1), ("m", 0)] {
        let mut entry = VersionKey::default();
        if let Some(key) = newest.take(entry.set("a", key, version)).unwrap() {
            taken.push((String::from_utf8(key.to_vec()).unwrap(), version));
        }
    }
    assert_eq!(taken, [("k".to_owned(), 5), ("m".to_owned(), 1)]);
}
