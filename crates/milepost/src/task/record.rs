//! What patterns keep as JSON under one key: read with its version, written on the condition of it.
//!
//! Invariant: what is not written by the pattern is refused and left as it is.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use milepost_types::{ContentType, Key, Seq};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned, de::Error as _};

use super::{Task, TaskError};
use crate::{CommitBuilder, Result, SetOptions, Value};

/// The content type of a pattern's record.
pub(crate) fn content_type_of(pattern: &str) -> String {
    format!("application/json;milepost={pattern}")
}

/// A record and its version; [`Seq::ZERO`] where there is none.
pub(crate) struct Versioned<R> {
    pub(crate) record: Option<R>,
    pub(crate) version: Seq,
}

impl Task {
    /// What a pattern has recorded under a key.
    pub(crate) fn record<R: DeserializeOwned>(&self, pattern: &'static str, key: &Key) -> Result<Versioned<R>> {
        let Some(value) = self.store.get(&self.scope, key.as_str())? else {
            return Ok(Versioned { record: None, version: Seq::ZERO });
        };
        self.read_record(pattern, key, &value)
    }

    /// Reads a value as what a pattern has recorded.
    pub(crate) fn read_record<R: DeserializeOwned>(
        &self,
        pattern: &'static str,
        key: &Key,
        value: &Value,
    ) -> Result<Versioned<R>> {
        let version = value.seq();
        if value.content_type() != Some(&content_type_of(pattern)) {
            return Err(self.other_value(pattern, key, value).into());
        }
        match serde_json::from_slice(value) {
            Ok(record) => Ok(Versioned { record: Some(record), version }),
            Err(source) => Err(self.unreadable(pattern, key, value, source.into()).into()),
        }
    }

    pub(crate) fn other_value(&self, what: &'static str, key: &Key, value: &Value) -> TaskError {
        TaskError::OtherValue {
            what,
            scope: self.scope.clone(),
            key: key.to_string(),
            seq: value.seq(),
            content_type: value.content_type().map(str::to_owned),
        }
    }

    pub(crate) fn unreadable(&self, what: &'static str, key: &Key, value: &Value, source: super::Boxed) -> TaskError {
        TaskError::Unreadable { what, scope: self.scope.clone(), key: key.to_string(), seq: value.seq(), source }
    }

    /// A commit that records it, if the version is still the one that was read.
    pub(crate) fn write_record<R: Serialize>(
        &self,
        pattern: &'static str,
        key: &Key,
        version: Seq,
        record: &R,
    ) -> Result<CommitBuilder> {
        let commit = self.commit_at(key, version);
        let content_type = ContentType::parse(&content_type_of(pattern))?;
        let text = serde_json::to_vec(record).expect("records have names and numbers that JSON takes");
        let options = SetOptions { content_type: Some(content_type), ..SetOptions::default() };
        Ok(commit.set_with(&self.scope, key.as_str(), &text, &options))
    }

    /// A commit on the condition that a key has this version still.
    pub(crate) fn commit_at(&self, key: &Key, version: Seq) -> CommitBuilder {
        let commit = self.commit();
        if version == Seq::ZERO {
            commit.require_absent(&self.scope, key.as_str())
        } else {
            commit.require_version(&self.scope, key.as_str(), version)
        }
    }
}

/// Bytes, kept in JSON as text where they are text, and else in base64: a result of a step or a job that has no other
/// type.
///
/// ```
/// use milepost::task::Bytes;
/// assert_eq!(serde_json::to_string(&Bytes::from("done"))?, r#""done""#);
/// let bytes = Bytes::from(vec![0xff, 0x00]);
/// assert_eq!(serde_json::to_string(&bytes)?, r#"{"base64":"/wA="}"#);
/// assert_eq!(serde_json::from_str::<Bytes>(r#"{"base64":"/wA="}"#)?, bytes);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Bytes(pub Vec<u8>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum TextOrBase64<'a> {
    Text(std::borrow::Cow<'a, str>),
    Base64 { base64: String },
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match str::from_utf8(&self.0) {
            Ok(text) => TextOrBase64::Text(text.into()),
            Err(_) => TextOrBase64::Base64 { base64: STANDARD.encode(&self.0) },
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Bytes, D::Error> {
        match TextOrBase64::deserialize(deserializer)? {
            TextOrBase64::Text(text) => Ok(Bytes(text.into_owned().into_bytes())),
            TextOrBase64::Base64 { base64 } => STANDARD.decode(base64).map(Bytes).map_err(D::Error::custom),
        }
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Bytes {
        Bytes(bytes)
    }
}

impl From<String> for Bytes {
    fn from(text: String) -> Bytes {
        Bytes(text.into_bytes())
    }
}

impl From<&str> for Bytes {
    fn from(text: &str) -> Bytes {
        Bytes(text.into())
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Bytes {
        Bytes(bytes.into())
    }
}

impl std::ops::Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// FNV-1a of 128 bits, in hexadecimal: tells a changed request or input from an unchanged one. Kept in stores: it never
/// changes. Two share one by chance once in 2^128; by intent, easily: it guards against accidents only.
pub(crate) fn fingerprint(bytes: &[u8]) -> String {
    const BEGIN: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let hash = bytes.iter().fold(BEGIN, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME));
    format!("{hash:032x}")
}
