//! LEB128 in its shortest form.

use super::BodyFault;

pub(super) fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads a varint at the front of `bytes`: the value and how many bytes it took.
#[inline]
pub(super) fn get(bytes: &[u8]) -> Result<(u64, usize), BodyFault> {
    match bytes.first() {
        Some(&byte) if byte < 0x80 => Ok((u64::from(byte), 1)),
        Some(_) => get_long(bytes),
        None => Err(BodyFault::Truncated),
    }
}

fn get_long(bytes: &[u8]) -> Result<(u64, usize), BodyFault> {
    let mut value = 0u64;
    for (index, &byte) in bytes.iter().take(10).enumerate() {
        let part = u64::from(byte & 0x7f);
        if index == 9 && part > 1 {
            return Err(BodyFault::Varint);
        }
        value |= part << (7 * index);
        if byte < 0x80 {
            // A last byte of zero could have been left out.
            return if byte == 0 { Err(BodyFault::Varint) } else { Ok((value, index + 1)) };
        }
    }
    if bytes.len() < 10 { Err(BodyFault::Truncated) } else { Err(BodyFault::Varint) }
}
