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

/// FAULTS H2: whatever has a name is shown alike.
#[test]
fn every_kind_of_name_is_escaped_on_a_screen() {
    use crate::{CheckpointName, HoldName, Key, Note};
    let (given, shown) = ("a\u{1b}[2J\\\u{2028}é", r"a\u{1b}[2J\\\u{2028}é");
    let scope = Scope::parse(given).unwrap();
    let told = [
        Escaped(given).to_string(),
        scope.to_string(),
        ScopePrefix::from(&scope).to_string(),
        ScopePrefix::from(&scope).given().to_string(),
        Key::parse(given).unwrap().to_string(),
        CheckpointName::parse(given).unwrap().to_string(),
        HoldName::parse(given).unwrap().to_string(),
        Note::parse(given).unwrap().to_string(),
    ];
    for told in told {
        assert_eq!(told, shown);
    }
    let quoted = [format!("{:?}", Scope::parse("a\n").unwrap()), format!("{:?}", Key::parse("a\n").unwrap())];
    assert_eq!(quoted, [r#""a\n""#, r#""a\n""#]);
}

#[test]
fn screens_act_on_these_characters_and_not_on_their_neighbours() {
    for c in "\0\u{1f}\u{7f}\u{9f}\u{ad}\u{61c}\u{180e}\u{200b}\u{200f}\u{2028}\u{202e}\u{2060}\u{206f}\u{feff}\u{fff9}\
              \u{fffb}\u{e0000}\u{e007f}"
        .chars()
    {
        assert!(acts_on_screens(c), "{c:?}");
    }
    for c in " ~\u{a0}\u{ae}\u{61b}\u{180f}\u{200a}\u{2010}\u{2027}\u{202f}\u{205f}\u{2070}\u{fefe}\u{fff8}\u{fffc}\
              \u{e0080}é\u{301}א語"
        .chars()
    {
        assert!(!acts_on_screens(c), "{c:?}");
    }
}

#[test]
fn segments_are_joined_as_they_were_parted() {
    for segments in [&["a"][..], &["a", "b"], &["a", "b", "c d"]] {
        let scope = Scope::from_segments(segments.iter().copied()).unwrap();
        assert_eq!(scope.as_str(), segments.join("/"));
        assert_eq!(scope.segments().collect::<Vec<_>>(), segments);
    }
    assert!(matches!(Scope::from_segments([]), Err(ScopeError::Limit(_))));
    assert!(matches!(Scope::from_segments(["a", ""]), Err(ScopeError::EmptySegment { index: 1, .. })));
}

#[test]
fn names_in_bytes_are_the_same_names() {
    use crate::{CheckpointName, Key};
    let text = "caf\u{e9}/x";
    assert_eq!(Scope::from_bytes(text.as_bytes()), Scope::parse(text));
    assert_eq!(Scope::parse(text).unwrap().as_ref(), text);
    assert_eq!(Key::from_bytes(text.as_bytes()).unwrap().as_str(), text);
    assert_eq!(CheckpointName::from_bytes(text.as_bytes()).unwrap().as_str(), text);
    assert!(matches!(Key::from_bytes(b"ab\xff"), Err(ScopeError::NotUtf8 { what: "key", offset: 2 })));
}

#[test]
fn what_is_wrong_with_a_name_is_told() {
    for (text, told) in [
        (
            "a//b",
            r#"segment 2 of scope "a//b" is empty; write segments separated by single slashes, as in task/etl/load"#,
        ),
        ("a/b/..", r#"segment 3 of scope "a/b/.." is "..", which URLs fold away; choose another name"#),
        ("a\0", r#"scope "a\0" holds a NUL character, which command lines can't carry; leave it out"#),
    ] {
        assert_eq!(Scope::parse(text).unwrap_err().to_string(), told);
    }
    assert_eq!(
        Scope::parse(&vec!["s"; 33].join("/")).unwrap_err().to_string(),
        "scope has 33 segments, allowed are 1 to 32"
    );
}

#[test]
fn the_root_is_the_empty_prefix_and_given_as_a_slash() {
    let (root, prefix) = (ScopePrefix::root(), ScopePrefix::parse("a/b/").unwrap());
    assert_eq!(ScopePrefix::parse("").unwrap(), root);
    assert_eq!((root.as_str(), root.given_raw(), root.is_root()), ("", "/", true));
    assert_eq!((prefix.as_str(), prefix.given_raw(), prefix.is_root()), ("a/b", "a/b", false));
    assert_eq!(root.below_reserved("$/x").as_str(), "$/x");
    assert_eq!(prefix.below_reserved("$/x").as_str(), "$/x/a/b");
    for wrong in ["/", "//", "a//", "/a"] {
        assert!(matches!(ScopePrefix::parse(wrong), Err(ScopeError::EmptySegment { .. })), "{wrong:?}");
    }
    let scope = Scope::parse("a/b/c").unwrap();
    assert!(scope.is_within(&root) && scope.is_within(&prefix) && scope.is_within(&(&scope).into()));
    assert!(!Scope::parse("a/bc").unwrap().is_within(&prefix));
}

#[test]
fn the_store_hides_what_it_keeps_for_itself_but_for_two_scopes() {
    for (text, reserved, hidden) in [
        ("a", false, false),
        ("$a", false, false),
        ("a/$", false, false),
        ("$", true, true),
        ("$/fence", true, true),
        ("$/backup", true, false),
        ("$/lost", true, false),
        ("$/lost/x", true, true),
    ] {
        assert_eq!((is_reserved(text), is_hidden(text)), (reserved, hidden), "{text}");
    }
}
