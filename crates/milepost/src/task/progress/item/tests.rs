//! Every item has a key of its own, and comes back from it.

use proptest::prelude::*;

use super::*;

fn key(item: &[u8]) -> String {
    ItemKey::of(item).unwrap().key.into_owned()
}

#[test]
fn text_is_its_own_key_and_other_bytes_are_escaped() {
    for (item, expected) in [
        (&b"/usr/share/doc/a b"[..], "/usr/share/doc/a b"),
        (b"a\\b", "a\\b"),
        (b"caf\xe9\\", "\u{1}caf\\xe9\\\\"),
        (b"\x01a", "\u{1}\u{1}a"),
        (b"\x02a", "\u{1}\u{2}a"),
    ] {
        assert_eq!(key(item), expected);
        assert_eq!(item_of(expected).as_deref(), Some(item));
    }
}

#[test]
fn what_is_too_long_for_a_key_is_hashed_and_kept_beside() {
    let longest = vec![b'x'; KEY_BYTES_MAX];
    assert_eq!(key(&longest).as_bytes(), longest);
    for item in [vec![b'x'; KEY_BYTES_MAX + 1], vec![0xff; 500], vec![b'y'; 64 << 10], vec![1; ITEM_BYTES_MAX]] {
        let named = ItemKey::of(&item).unwrap();
        assert_eq!((named.key.len(), named.beside), (33, Some(&item[..])));
        assert_eq!(item_of(&named.key), None);
    }
}

#[test]
fn what_can_be_no_item_is_refused() {
    for (item, why) in [
        (vec![], "an item has 0 bytes, allowed are 1 to 1048576"),
        (vec![b'x'; ITEM_BYTES_MAX + 1], "an item has 1048577 bytes, allowed are 1 to 1048576"),
        (b"ab\0".to_vec(), "an item holds a NUL at byte 2"),
    ] {
        assert_eq!(ItemKey::of(&item).unwrap_err().to_string(), why);
    }
}

proptest! {
    #[test]
    fn items_come_back_and_never_share_a_key(
        a in prop::collection::vec(prop_oneof![Just(1u8), Just(2), Just(b'\\'), Just(b'x'), 1..=255u8], 1..40),
        b in prop::collection::vec(prop_oneof![Just(1u8), Just(2), Just(b'\\'), Just(b'x'), 1..=255u8], 1..40),
    ) {
        prop_assert_eq!(item_of(&key(&a)), Some(a.clone()));
        prop_assert_eq!(key(&a) == key(&b), a == b);
    }
}
