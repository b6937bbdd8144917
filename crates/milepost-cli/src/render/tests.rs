//! Cells that spreadsheets would run.

use super::{csv_value, harmless};

#[test]
fn formulas_are_made_harmless() {
    for (cell, shown) in [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+1+2", "'+1+2"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("＝1", "'＝1"),
        ("-", "'-"),
        ("-inf", "'-inf"),
        ("-5", "-5"),
        ("+0.5", "+0.5"),
        ("1=2", "1=2"),
        ("", ""),
    ] {
        assert_eq!(harmless(cell), shown);
    }
}

#[test]
fn values_are_text_or_base64() {
    assert_eq!(csv_value(None), ["", ""]);
    assert_eq!(csv_value(Some(b"a,b")), ["a,b", ""]);
    assert_eq!(csv_value(Some(&[0xff])), ["", "/w=="]);
}
