//! What a screen may see.

use super::{json, lines, one_line, value};

#[test]
fn one_line_has_nothing_that_acts_on_a_screen() {
    for (text, shown) in [
        ("plain ünïcode 日本", "plain ünïcode 日本"),
        ("हिन्दी e\u{301}", "हिन्दी e\u{301}"),
        ("it's \"quoted\"", "it's \"quoted\""),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\u{1b}[31mred", "\\u{1b}[31mred"),
        ("back\\slash", "back\\\\slash"),
        ("\u{202e}txt.exe", "\\u{202e}txt.exe"),
        ("a\u{200b}b\u{feff}", "a\\u{200b}b\\u{feff}"),
        ("\u{85}\u{9b}31m\u{2028}", "\\u{85}\\u{9b}31m\\u{2028}"),
    ] {
        assert_eq!(one_line(text), shown);
    }
}

#[test]
fn lines_keep_their_ends() {
    assert_eq!(lines("a\n\tb\\n\u{1b}\r\n"), "a\n\tb\\n\\u{1b}\\r\n");
}

#[test]
fn json_says_the_same() {
    let line = serde_json::to_string("a\"\\\n\u{7f}\u{9b}\u{202e}\u{e0001}ä日").unwrap();
    let shown = json(&line);
    assert_eq!(shown, r#""a\"\\\n\u007f\u009b\u202e\udb40\udc01ä日""#);
    assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), serde_json::from_str::<String>(&line).unwrap());
}

#[test]
fn values_are_text_or_hexadecimal() {
    for (bytes, chars_max, shown) in [
        (&b"42"[..], 10, "42"),
        (b"", 10, ""),
        (b"0123456789", 10, "0123456789"),
        (b"0123456789x", 10, "0123456789…"),
        ("ääääää".as_bytes(), 3, "äää…"),
        ("日日日日日日日日".as_bytes(), 1, "日…"),
        ("\u{e0001}".repeat(9).as_bytes(), 2, "\\u{e0001}\\u{e0001}…"),
        (&[0, 255, 1], 10, "0x00ff01 (3 bytes)"),
        (&[255; 100], 10, "0xffffffffff… (100 bytes)"),
        (b"a\nb", 10, "a\\nb"),
    ] {
        assert_eq!(value(bytes, chars_max), shown);
    }
    assert_eq!(value(&[b'x'; 100], usize::MAX).len(), 100);
}
