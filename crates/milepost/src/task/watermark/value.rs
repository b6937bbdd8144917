//! [`Mark`]: what a watermark can be; kept as bytes whose order is that of the values.
//!
//! | type | bytes |
//! | --- | --- |
//! | integer | 8, the highest first, with the sign's bit turned over |
//! | timestamp | the same of its microseconds |
//! | text, bytes | as they are |
//!
//! The content type says which it is.

use std::fmt;

use jiff::fmt::temporal::DateTimePrinter;
use milepost_types::{ContentType, LimitError, Timestamp};

const CONTENT_TYPE: &str = "application/x-milepost-watermark;type=";
const INTEGER: &str = "integer";
const TIMESTAMP: &str = "timestamp";
const TEXT: &str = "text";
const BYTES: &str = "bytes";

/// A watermark of any type.
///
/// ```
/// use milepost::{Timestamp, task::AnyMark};
/// assert_eq!(AnyMark::Integer(42).to_string(), "42");
/// assert_eq!(AnyMark::Timestamp(Timestamp(0)).to_string(), "1970-01-01T00:00:00Z");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnyMark {
    /// A number: an id, an offset, a count.
    Integer(i64),
    /// A moment.
    Timestamp(Timestamp),
    /// Text, in the order of its UTF-8 bytes.
    Text(String),
    /// Bytes, in their order.
    Bytes(Vec<u8>),
}

/// A type that a watermark can have.
pub trait Mark: Into<AnyMark> {
    /// What it is called.
    const TYPE: &'static str;

    /// The mark as one of this type, if it is one.
    fn from_mark(mark: AnyMark) -> Option<Self>;
}

macro_rules! marks {
    ($($inner:ty, $variant:ident, $name:expr;)*) => {$(
        impl From<$inner> for AnyMark {
            fn from(mark: $inner) -> AnyMark {
                AnyMark::$variant(mark)
            }
        }

        impl Mark for $inner {
            const TYPE: &'static str = $name;

            fn from_mark(mark: AnyMark) -> Option<$inner> {
                match mark {
                    AnyMark::$variant(mark) => Some(mark),
                    _ => None,
                }
            }
        }
    )*};
}

marks! {
    i64, Integer, INTEGER;
    Timestamp, Timestamp, TIMESTAMP;
    String, Text, TEXT;
    Vec<u8>, Bytes, BYTES;
}

impl Mark for AnyMark {
    const TYPE: &'static str = "any";

    fn from_mark(mark: AnyMark) -> Option<AnyMark> {
        Some(mark)
    }
}

/// The type that a content type names, if it is that of a watermark.
pub(super) fn type_of(content_type: &str) -> Option<&'static str> {
    let name = content_type.strip_prefix(CONTENT_TYPE)?;
    [INTEGER, TIMESTAMP, TEXT, BYTES].into_iter().find(|known| *known == name)
}

impl AnyMark {
    /// A stored value as a watermark, if its content type says that it is one.
    ///
    /// ```
    /// use milepost::{Scope, Store, Writer, task::AnyMark};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("task/load")?);
    /// store.task(&scope, Writer::new("w")?)?.watermark("id")?.advance(42)?;
    /// let value = store.get(&scope, ".watermark/id")?.expect("it has advanced");
    /// assert_eq!(AnyMark::of_value(value.content_type(), &value), Some(AnyMark::Integer(42)));
    /// # Ok::<(), milepost::Error>(())
    /// ```
    #[must_use]
    pub fn of_value(content_type: Option<&str>, bytes: &[u8]) -> Option<AnyMark> {
        AnyMark::of_type(type_of(content_type?)?, bytes)
    }

    /// What its type is called.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            AnyMark::Integer(_) => INTEGER,
            AnyMark::Timestamp(_) => TIMESTAMP,
            AnyMark::Text(_) => TEXT,
            AnyMark::Bytes(_) => BYTES,
        }
    }

    pub(super) fn of_type(type_name: &str, bytes: &[u8]) -> Option<AnyMark> {
        let number = || Some((u64::from_be_bytes(bytes.try_into().ok()?) ^ SIGN) as i64);
        match type_name {
            INTEGER => Some(AnyMark::Integer(number()?)),
            TIMESTAMP => Some(AnyMark::Timestamp(Timestamp(number()?))),
            TEXT => Some(AnyMark::Text(str::from_utf8(bytes).ok()?.to_owned())),
            BYTES => Some(AnyMark::Bytes(bytes.to_vec())),
            _ => None,
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let number = |number: i64| (number as u64 ^ SIGN).to_be_bytes().to_vec();
        match self {
            AnyMark::Integer(value) => number(*value),
            AnyMark::Timestamp(at) => number(at.0),
            AnyMark::Text(text) => text.clone().into_bytes(),
            AnyMark::Bytes(bytes) => bytes.clone(),
        }
    }

    pub(super) fn content_type(&self) -> Result<ContentType, LimitError> {
        ContentType::parse(&format!("{CONTENT_TYPE}{}", self.type_name()))
    }
}

/// The bit that makes negative numbers lower.
const SIGN: u64 = 1 << 63;

/// As people write it: a number, a time in UTC, text as it is, bytes in hexadecimal.
impl fmt::Display for AnyMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AnyMark::Integer(number) => write!(f, "{number}"),
            AnyMark::Timestamp(at) => match jiff::Timestamp::from_microsecond(at.0) {
                Ok(time) => f.write_str(&DateTimePrinter::new().timestamp_to_string(&time)),
                // Beyond the years that have a date.
                Err(_) => write!(f, "{}", at.0),
            },
            AnyMark::Text(text) => f.write_str(text),
            AnyMark::Bytes(bytes) => {
                f.write_str("0x")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}
