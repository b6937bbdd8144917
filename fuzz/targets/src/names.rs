//! Names of scopes and keys: bytes are identity, and what is shown can't do anything to a screen.

use milepost_types::{Key, Scope, ScopePrefix, Writer};

/// Any bytes as a scope, a prefix, a key and a writer.
pub fn check(bytes: &[u8]) {
    if let Ok(scope) = Scope::from_bytes(bytes) {
        assert_eq!(scope.as_str().as_bytes(), bytes);
        assert_eq!(Scope::from_segments(scope.segments()).as_ref(), Ok(&scope));
        assert_eq!(Scope::from_stored(scope.as_str()).as_ref(), Ok(&scope));
        shown(&format!("{scope}"));
        let prefix = ScopePrefix::from(&scope);
        assert!(scope.is_within(&prefix) && scope.is_within(&ScopePrefix::root()));
        assert!(!prefix.holds(&format!("{scope}x", scope = scope.as_str())));
        assert!(prefix.holds(&format!("{scope}/x", scope = scope.as_str())));
    }
    if let Ok(key) = Key::from_bytes(bytes) {
        assert_eq!(key.as_str().as_bytes(), bytes);
        shown(&key.to_string());
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(prefix) = ScopePrefix::parse(text) {
        assert_eq!(ScopePrefix::parse(prefix.as_str()).as_ref(), Ok(&prefix));
        assert!(text == prefix.as_str() || text.strip_suffix('/') == Some(prefix.as_str()));
        shown(&prefix.to_string());
    }
    if let Ok(writer) = Writer::new(text) {
        assert_eq!(writer.name(), text);
        shown(&writer.to_string());
    }
}

fn shown(text: &str) {
    assert!(!text.chars().any(char::is_control), "{text:?} reaches the screen");
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}');
    assert!(!text.chars().any(turns), "{text:?} turns the line around");
}
