//! The bytes of a value: a function of its lane, its key and the number of its commit.
//!
//! Invariant: [`number`] of what [`bytes`] made is the number, and of anything else it is an error: bytes of another
//! key, of another lane, or with one bit changed are seen.

use crate::dice::mix;

const BYTES_MIN: u64 = 64;
const BYTES_MAX: u64 = 1024;

/// The value that commit `n` of a lane gives to a key.
pub(crate) fn bytes(lane: &str, key: &str, n: u64) -> Vec<u8> {
    let mut word = mix(name_hash(lane, key) ^ mix(n));
    let length = (BYTES_MIN + word % (BYTES_MAX - BYTES_MIN)) as usize;
    let mut bytes = n.to_le_bytes().to_vec();
    while bytes.len() < length {
        word = mix(word);
        // Sixteen letters only, so that what grows cold can be compressed as real text can.
        bytes.extend((0..16).map(|place| b'a' + ((word >> (4 * place)) & 15) as u8));
    }
    bytes
}

/// Which commit a value is of, checked to the last byte.
pub(crate) fn number(lane: &str, key: &str, value: &[u8]) -> Result<u64, String> {
    let Some(first) = value.first_chunk::<8>() else {
        return Err(format!("{lane} {key} has a value of {} bytes, at least {BYTES_MIN} were written", value.len()));
    };
    let n = u64::from_le_bytes(*first);
    if bytes(lane, key, n) != value {
        return Err(format!("{lane} {key} has {} bytes that say they are of commit {n} and are not", value.len()));
    }
    Ok(n)
}

fn name_hash(lane: &str, key: &str) -> u64 {
    lane.bytes().chain([0]).chain(key.bytes()).fold(0, |hash, byte| mix(hash ^ u64::from(byte)))
}
