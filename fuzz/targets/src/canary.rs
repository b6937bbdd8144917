//! A target that must fail: shows that a panic in a target is seen.

/// Panics on bytes that begin with `mile`. Compared byte by byte, so that a fuzzer finds its way there.
pub fn check(bytes: &[u8]) {
    if let [b'm', b'i', b'l', b'e', ..] = bytes {
        panic!("the canary sings");
    }
}
