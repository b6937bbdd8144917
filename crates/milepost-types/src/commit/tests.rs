//! Who commits, and what a commit is repeated as: both come back from how they are shown.

use super::*;

#[test]
fn a_digest_is_read_in_one_spelling() {
    let digest = Digest(std::array::from_fn(|index| 0xf0 ^ index as u8));
    let text = digest.to_string();
    assert_eq!(text, "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
    assert_eq!(Digest::parse(&text), Some(digest));
    let zero = "0".repeat(32);
    assert_eq!(Digest::parse(&zero), Some(Digest([0; 16])));
    for wrong in [
        "",
        &text[1..],
        &format!("0{text}"),
        &text.to_uppercase(),
        &format!("+{}", &text[1..]),
        &format!(" {}", &text[1..]),
        &text.replace("f0", "g0"),
        &text.replace("f0f1", "é"),
    ] {
        assert_eq!(Digest::parse(wrong), None, "{wrong:?}");
    }
}

#[test]
fn a_writer_is_a_name_and_an_attempt_if_one_was_said() {
    let writer = Writer::new("load\u{1b}").unwrap();
    assert_eq!((writer.name(), writer.attempt_number()), ("load\u{1b}", None));
    assert_eq!(writer.to_string(), r"load\u{1b}");
    let again = writer.attempt(7);
    assert_eq!((again.name(), again.attempt_number()), ("load\u{1b}", Some(7)));
    assert_eq!(again.to_string(), r"load\u{1b}#7");
    for (bytes, ok) in [(0, false), (1, true), (256, true), (257, false)] {
        assert_eq!(Writer::new(&"w".repeat(bytes)).is_ok(), ok, "{bytes}");
    }
}
