//! A target that must fail: shows that a panic in a target is seen.

/// Panics on bytes that begin with the project's name.
pub fn check(bytes: &[u8]) {
    assert!(!bytes.starts_with(b"milepost"), "the canary sings");
}
