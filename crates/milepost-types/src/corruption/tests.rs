//! What is told of damage: where it is, which commit it is of if that is known, and what is wrong.

use super::*;

#[test]
fn damage_is_told_with_its_place() {
    let of =
        |seq| Corruption { file: "/store/log/7.seg".into(), offset: 64, seq, what: "checksum mismatch".to_owned() };
    assert_eq!(of(Some(Seq(9))).to_string(), "/store/log/7.seg at byte 64 (seq 9): checksum mismatch");
    assert_eq!(of(None).to_string(), "/store/log/7.seg at byte 64: checksum mismatch");
}
