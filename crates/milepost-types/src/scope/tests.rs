use proptest::prelude::*;

use super::*;

fn check(text: &str, ok: bool) {
    let got = Scope::parse(text);
    assert_eq!(got.is_ok(), ok, "{text:?}: {got:?}");
    if let Ok(scope) = got {
        assert_eq!(scope.as_str().as_bytes(), text.as_bytes(), "bytes are identity");
    }
}

/// FAULTS H1, H2: the table of names, each with its verdict.
#[test]
fn names_are_taken_as_they_are_or_refused() {
    let long = "x".repeat(limits::SCOPE_BYTES_MAX);
    let too_long = "x".repeat(limits::SCOPE_BYTES_MAX + 1);
    let huge = "x".repeat(64 << 10);
    let deep = vec!["s"; limits::SCOPE_SEGMENTS_MAX].join("/");
    let too_deep = vec!["s"; limits::SCOPE_SEGMENTS_MAX + 1].join("/");
    for (text, ok) in [
        ("", false),
        ("/", false),
        ("a//b", false),
        ("/a", false),
        ("a/", false),
        (".", false),
        ("a/..", false),
        ("a/../b", false),
        ("a/...", true),
        ("a\0b", false),
        ("$", false),
        ("$/fence", false),
        ("$a", true),
        ("a/$", true),
        ("a", true),
        ("task/etl/2026-11-24/load/0", true),
        ("a\\b", true),
        ("a%2Fb", true),
        ("a\nb", true),
        ("a\u{1b}[31mb", true),
        ("a\u{202e}b", true),
        ("caf\u{e9}", true),
        ("cafe\u{301}", true),
        ("-rf", true),
        (" ", true),
        (&long, true),
        (&too_long, false),
        (&huge, false),
        (&deep, true),
        (&too_deep, false),
    ] {
        check(text, ok);
    }
    assert_ne!(Scope::parse("caf\u{e9}").unwrap(), Scope::parse("cafe\u{301}").unwrap(), "no normalisation");
    assert!(matches!(Scope::from_bytes(b"a\xffb"), Err(ScopeError::NotUtf8 { offset: 1, .. })));
    assert!(matches!(Scope::from_segments(["a", "b/c"]), Err(ScopeError::SlashInSegment { .. })));
}

#[test]
fn limits_are_named_with_their_numbers() {
    let error = Scope::parse(&"x".repeat(1025)).unwrap_err().to_string();
    assert_eq!(error, "scope has 1025 bytes, allowed are 1 to 1024");
}

#[test]
fn a_name_on_a_screen_can_not_move_the_cursor() {
    let scope = Scope::parse("a\n\u{1b}[2J\u{202e}b\\").unwrap();
    assert_eq!(scope.to_string(), r"a\n\u{1b}[2J\u{202e}b\\");
}

/// FAULTS H3: prefixes match whole segments.
#[test]
fn a_prefix_holds_whole_segments() {
    for (prefix, scope, holds) in [
        ("a/b", "a/b", true),
        ("a/b", "a/b/c", true),
        ("a/b", "a/bc", false),
        ("a/b/", "a/b/c", true),
        ("a/b/", "a/b", true),
        ("", "a", true),
        ("", "$/fence", false),
        ("$", "$/fence", true),
        ("a/b/c", "a/b", false),
    ] {
        assert_eq!(ScopePrefix::parse(prefix).unwrap().holds(scope), holds, "{prefix:?} {scope:?}");
    }
}

proptest! {
    #[test]
    fn prefix_means_the_same_as_a_list_of_segments(a in "[ab]{1,2}(/[ab]{1,2}){0,3}", b in "[ab]{1,2}(/[ab]{1,2}){0,3}") {
        let (prefix, scope) = (ScopePrefix::parse(&a).unwrap(), Scope::parse(&b).unwrap());
        let want: Vec<&str> = a.split('/').collect();
        let have: Vec<&str> = b.split('/').collect();
        prop_assert_eq!(scope.is_within(&prefix), have.starts_with(&want));
    }
}
