//! Items as keys: an item is any bytes but NUL, a key is UTF-8 text of limited length. Pure.
//!
//! ```text
//! text of up to 1024 bytes           the key is the item
//! other bytes                        U+0001, then the item: a byte that is no text as \xHH, a backslash as two
//! what gets longer than a key may be U+0002, then 32 digits: the XXH3-128 of the item, which is kept beside
//! ```
//!
//! A text that begins with one of the two marks is written as other bytes are, so that no two items have one key. Two
//! long items with the same hash would: whoever looks one up compares the bytes that are kept beside.
//!
//! Invariant: what [`ItemKey::of`] writes, [`item_of`] reads back, but for a hash.

use std::{
    borrow::Cow,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use milepost_types::limits::KEY_BYTES_MAX;
use xxhash_rust::xxh3::xxh3_128;

use super::error::ItemError;

/// Bytes of an item.
pub(crate) const ITEM_BYTES_MAX: usize = 1 << 20;
const ESCAPED: char = '\u{1}';
const HASHED: char = '\u{2}';

/// What can be an item: text, bytes, paths.
///
/// ```
/// use milepost::task::Item;
/// assert_eq!("a".item(), b"a");
/// assert_eq!(std::path::Path::new("/tmp/a").item(), b"/tmp/a");
/// ```
pub trait Item {
    /// The bytes of its name.
    ///
    /// ```
    /// use milepost::task::Item;
    /// assert_eq!(b"\xff".item(), [0xff]);
    /// ```
    fn item(&self) -> &[u8];
}

macro_rules! item {
    ($($kind:ty: $this:ident => $bytes:expr;)*) => {$(
        impl Item for $kind {
            fn item(&self) -> &[u8] {
                let $this = self;
                $bytes
            }
        }
    )*};
}

item! {
    str: text => text.as_bytes();
    String: text => text.as_bytes();
    [u8]: bytes => bytes;
    Vec<u8>: bytes => bytes;
    Box<[u8]>: bytes => bytes;
    OsStr: name => name.as_encoded_bytes();
    OsString: name => name.as_encoded_bytes();
    Path: path => path.as_os_str().as_encoded_bytes();
    PathBuf: path => path.as_os_str().as_encoded_bytes();
}

impl<const N: usize> Item for [u8; N] {
    fn item(&self) -> &[u8] {
        self
    }
}

impl<T: Item + ?Sized> Item for &T {
    fn item(&self) -> &[u8] {
        (**self).item()
    }
}

/// An item as it is looked up.
#[derive(Debug)]
pub(crate) struct ItemKey<'a> {
    pub(crate) key: Cow<'a, str>,
    /// The item, if the key is only its hash.
    pub(crate) beside: Option<&'a [u8]>,
}

impl<'a> ItemKey<'a> {
    /// The key of an item, or why it is none.
    #[inline]
    pub(crate) fn of(item: &'a [u8]) -> Result<ItemKey<'a>, ItemError> {
        if item.is_empty() || item.len() > ITEM_BYTES_MAX {
            return Err(ItemError::Length { bytes: item.len() });
        }
        // Whether there is one is found out many bytes at a time.
        if item.contains(&0) {
            let offset = item.iter().take_while(|byte| **byte != 0).count();
            return Err(ItemError::Nul { offset });
        }
        match str::from_utf8(item) {
            Ok(text) if !text.starts_with([ESCAPED, HASHED]) => {
                if text.len() <= KEY_BYTES_MAX {
                    return Ok(ItemKey { key: Cow::Borrowed(text), beside: None });
                }
            }
            Ok(_) | Err(_) => {
                let key = escaped(item);
                if key.len() <= KEY_BYTES_MAX {
                    return Ok(ItemKey { key: Cow::Owned(key), beside: None });
                }
            }
        }
        Ok(ItemKey { key: Cow::Owned(format!("{HASHED}{:032x}", xxh3_128(item))), beside: Some(item) })
    }
}

/// The item of a key; `None` if the key is only a hash. A key that no item has, put there by hand, is its own item.
pub(crate) fn item_of(key: &str) -> Option<Vec<u8>> {
    if key.starts_with(HASHED) {
        return None;
    }
    let plain = || key.as_bytes().to_vec();
    Some(key.strip_prefix(ESCAPED).map_or_else(plain, |text| unescaped(text).unwrap_or_else(plain)))
}

fn escaped(item: &[u8]) -> String {
    let mut key = String::from(ESCAPED);
    for chunk in item.utf8_chunks() {
        key.push_str(&chunk.valid().replace('\\', "\\\\"));
        chunk.invalid().iter().for_each(|byte| key.push_str(&format!("\\x{byte:02x}")));
    }
    key
}

fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut item = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'\\' {
            item.push(*byte);
        } else if let Some(after) = rest.strip_prefix(b"\\") {
            item.push(b'\\');
            rest = after;
        } else {
            let digits = rest.strip_prefix(b"x")?.get(..2)?;
            item.push(u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?);
            rest = &rest[3..];
        }
    }
    Some(item)
}

#[cfg(test)]
mod tests;
