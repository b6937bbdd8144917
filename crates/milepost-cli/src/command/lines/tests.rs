//! Where lines end, and what becomes of long ones.

use super::{Line, Lines};

#[test]
fn lines_end_at_line_ends() {
    for (input, expected) in [
        ("", &[][..]),
        ("\n", &[Some("")]),
        ("a", &[Some("a")]),
        ("a\nb\n", &[Some("a"), Some("b")]),
        ("a\r\n\nb", &[Some("a\r"), Some(""), Some("b")]),
        ("01234567\nb", &[Some("01234567"), Some("b")]),
        ("012345678\nb", &[None, Some("b")]),
        ("012345678901234567890123456789\n\nb\n", &[None, Some(""), Some("b")]),
        ("012345678", &[None]),
    ] {
        let mut lines = Lines { bytes_max: 8, ..Lines::of(input.as_bytes()) };
        for (index, expected) in expected.iter().enumerate() {
            let number = index as u64 + 1;
            let line = lines.next().unwrap();
            let expected = match expected {
                Some(text) => Line::Whole { number, bytes: text.as_bytes() },
                None => Line::TooLong { number },
            };
            assert_eq!(line, Some(expected), "{input:?}");
        }
        assert_eq!(lines.next().unwrap(), None, "{input:?}");
    }
}
