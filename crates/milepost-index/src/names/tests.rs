use super::*;

#[test]
fn only_exact_names_are_runs() {
    for (name, run, unfinished) in [
        ("000042.run", Some(42), false),
        ("1234567.run", Some(1_234_567), false),
        ("000000.run", Some(0), false),
        ("42.run", None, false),
        ("0000042.run", None, false),
        ("+00042.run", None, false),
        (".run", None, false),
        ("99999999999999999999.run", None, false),
        ("9223372036854775807.run", Some(u64::MAX / 2), false),
        // Opening a store with this file beside its runs panicked: it had no number for the next one.
        ("18446744073709551615.run", None, false),
        ("9223372036854775808.run.tmp", None, false),
        ("000042.run.bak", None, false),
        ("000042.run.tmp", None, true),
        ("000042.run.changes.tmp", None, true),
        ("000042.run.offsets.tmp", None, true),
        ("000042.run.hashes.tmp", None, true),
        ("000042.run.notes.tmp", None, false),
        ("42.run.tmp", None, false),
        ("notes.tmp", None, false),
        ("", None, false),
    ] {
        assert_eq!(parse(name), run.map(RunId), "{name}");
        assert_eq!(is_unfinished(name), unfinished, "{name}");
    }
}
