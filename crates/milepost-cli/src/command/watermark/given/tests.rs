use super::{Kind, Reading};

fn read(given: &str, asked: Option<Kind>, found: Option<Kind>) -> Result<String, String> {
    let read = Reading { name: "t", asked, found }.read("VALUE", given);
    read.map(|mark| format!("{} {mark}", mark.type_name())).map_err(|error| error.to_string())
}

/// What looks like a number or a date and is none became text, without a word: 10.5 was below 9.5, and 2026-1-5 stood
/// beside the times of other days.
#[test]
fn what_looks_like_a_number_or_a_date_is_one_or_is_refused() {
    let taken = [
        ("42", "integer 42"),
        ("-5", "integer -5"),
        ("2026-11-24T03:12:00Z", "timestamp 2026-11-24T03:12:00Z"),
        ("2026-11-24T05:12:00+02:00", "timestamp 2026-11-24T03:12:00Z"),
        ("", "text "),
        ("part-0041", "text part-0041"),
        ("1.2.3", "text 1.2.3"),
        ("2026.1.0", "text 2026.1.0"),
        ("2026-11", "text 2026-11"),
        ("2026-11-24-7", "text 2026-11-24-7"),
        ("2026-11-24 late", "text 2026-11-24 late"),
        ("inf", "text inf"),
        ("nan", "text nan"),
        ("1e", "text 1e"),
        ("0xff", "text 0xff"),
    ];
    for (given, expected) in taken {
        assert_eq!(read(given, None, None).as_deref(), Ok(expected), "{given}");
    }
    let refused = [
        ("9.5", "is no whole number; write one"),
        ("-9.5", "is no whole number; write one"),
        ("1e6", "is no whole number; write one"),
        (".5", "is no whole number; write one"),
        ("1,000", "is no whole number; write one"),
        ("99999999999999999999", "is a number that does not fit into 64 bits"),
        (" 5", "has white space around it"),
        ("5\r", "has white space around it"),
        ("2026-01-05 ", "has white space around it"),
        ("2026-01-05\r", "has white space around it"),
        ("2026-1-5", "is no time: month and day have two digits, as in 2026-01-05"),
        ("2026-13-45", "is no time: there is no month 13"),
        ("2026-02-29", "is no time: there is no day 29 in that month, which has 28"),
        ("2026/01/05", "is no time: write the year first, then month and day"),
        ("05.01.2026", "is no time: write the year first, then month and day"),
        ("2026-01-05T25:00", "is no time: what stands behind its date, \"T25:00\", is no time of a day"),
    ];
    for (given, expected) in refused {
        let why = read(given, None, None).unwrap_err();
        assert!(why.starts_with(&format!("VALUE: {given:?} {expected}")), "{why}");
        assert!(why.contains("with --as text it is text"), "{why}");
        assert_eq!(read(given, Some(Kind::Text), None), Ok(format!("text {given}")));
        assert_eq!(read(given, None, Some(Kind::Text)), Ok(format!("text {given}")));
    }
}

/// The type was guessed from the argument, so that a watermark of text was told that 5 is no text.
#[test]
fn a_watermark_has_its_own_type() {
    assert_eq!(read("5", None, Some(Kind::Text)).as_deref(), Ok("text 5"));
    assert_eq!(read("0x00ff", None, Some(Kind::Bytes)).as_deref(), Ok("bytes 0x00ff"));
    assert_eq!(
        read("2026-11-24T03:12:00Z", None, Some(Kind::Timestamp)).as_deref(),
        Ok("timestamp 2026-11-24T03:12:00Z")
    );
    // What was said counts more.
    assert_eq!(read("5", Some(Kind::Integer), Some(Kind::Text)).as_deref(), Ok("integer 5"));
    let refused = [
        (
            "soon",
            Kind::Integer,
            "\"soon\" is no integer: invalid digit found in string; watermark t is of type integer",
        ),
        ("9.5", Kind::Integer, "\"9.5\" is no integer: invalid digit found in string; watermark t is of type integer"),
        (
            "2026-13-45",
            Kind::Timestamp,
            "\"2026-13-45\" is no time: there is no month 13; watermark t is of type timestamp",
        ),
        ("fg", Kind::Bytes, "\"fg\" is no hexadecimal: two digits a byte, as in 0x00ff; watermark t is of type bytes"),
    ];
    for (given, found, expected) in refused {
        assert_eq!(read(given, None, Some(found)), Err(format!("VALUE: {expected}")));
    }
    let why = read("soon", None, Some(Kind::Timestamp)).unwrap_err();
    assert!(
        why.starts_with("VALUE: \"soon\" is no time; write one") && why.ends_with("watermark t is of type timestamp"),
        "{why}"
    );
}
