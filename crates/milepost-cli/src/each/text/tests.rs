use std::time::Duration;

use super::{Escaped, Named, command_line, count, counted, duration, last_line};

#[test]
fn names_are_shown_escaped() {
    let rows = [
        ("plain/path.txt", "plain/path.txt"),
        ("", r#""""#),
        ("a b", r#""a b""#),
        ("it's", "it's"),
        ("a\"b", r#""a\"b""#),
        ("a\nb", r#""a\nb""#),
        ("\x1b[31mred", r#""\u{1b}[31mred""#),
        ("\u{202e}evil", r#""\u{202e}evil""#),
        ("ünï", "ünï"),
    ];
    for (text, shown) in rows {
        assert_eq!(Escaped(text).to_string(), shown);
        assert_eq!(Named(text.as_bytes()).to_string(), shown);
    }
}

#[test]
fn command_lines_can_be_pasted() {
    let line = |words: &[&str]| command_line(&words.iter().map(|&w| w.to_owned()).collect::<Vec<_>>());
    assert_eq!(line(&["sha256sum", "{}"]), "sha256sum {}");
    assert_eq!(line(&["sh", "-c", "echo \"$1\"", "", "it's"]), r#"sh -c 'echo "$1"' '' 'it'\''s'"#);
    assert_eq!(line(&["a\n\x1b"]), r"$'a\n\u{1b}'");
}

#[test]
fn last_lines_say_why() {
    let rows: [(&[u8], Option<&str>); 6] = [
        (b"", None),
        (b" \n\t\n", None),
        (b"one", Some("one")),
        (b"one\n  two \n\n", Some("two")),
        (b"bad \xff\x1b[0m", Some("bad \u{fffd}\\u{1b}[0m")),
        (b"say \"it\"", Some("say \"it\"")),
    ];
    for (output, line) in rows {
        assert_eq!(last_line(output).as_deref(), line, "{}", output.escape_ascii());
    }
    assert_eq!(last_line(&[b'x'; 1000]).unwrap().chars().count(), 161);
}

#[test]
fn numbers_are_readable() {
    for (number, text) in [(0, "0"), (999, "999"), (1000, "1 000"), (1_234_567, "1 234 567")] {
        assert_eq!(count(number), text);
    }
    for (number, text) in [(0, "0 marks"), (1, "1 mark"), (2, "2 marks"), (1001, "1 001 marks")] {
        assert_eq!(counted(number, "mark", "marks"), text);
    }
    let rows =
        [(0, "0s"), (523, "523µs"), (1_500, "1.5ms"), (25_400, "25ms"), (1_520_000, "1.52s"), (12_340_000, "12.3s")];
    for (micros, text) in rows {
        assert_eq!(duration(Duration::from_micros(micros)), text);
    }
    assert_eq!(duration(Duration::from_secs(247)), "4m 07s");
    assert_eq!(duration(Duration::from_secs(7_512)), "2h 05m");
}

#[test]
fn items_are_shown_whatever_their_bytes() {
    let long = "x".repeat(1025);
    let rows: [(&[u8], String); 5] = [
        (b"\xff", r#""\xff""#.into()),
        (b"a\xc3\xa9\xc3 \n", r#""aé\xc3 \n""#.into()),
        (br"\xff", r#""\\xff""#.into()),
        (&long.as_bytes()[1..], long[1..].into()),
        (long.as_bytes(), format!("\"{long}\"… (1025 bytes)")),
    ];
    for (item, shown) in rows {
        assert_eq!(Named(item).to_string(), shown);
    }
    assert_eq!(command_line(&[&b"rm"[..], b"caf\xe9'"]), r"rm $'caf\xe9\''");
}
