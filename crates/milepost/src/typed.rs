//! Values with a type: a task's checkpoint as a struct of its own, read where it lies.
//!
//! ```
//! use milepost::{Scope, Store, typed_state};
//!
//! typed_state! {
//!     /// How far a copy has got.
//!     #[derive(Debug, PartialEq)]
//!     pub struct CopyCheckpoint = "copy.checkpoint" {
//!         /// The file it is at.
//!         pub file: String,
//!         /// Bytes of it that are there.
//!         pub offset: u64,
//!     }
//! }
//!
//! # let dir = tempfile::tempdir().unwrap();
//! let (store, scope) = (Store::open(dir.path())?, Scope::parse("task/copy/0")?);
//! store.set_typed(&scope, "at", &CopyCheckpoint { file: "part-0041".into(), offset: 4096 })?;
//!
//! let found = store.get_typed::<CopyCheckpoint>(&scope, "at")?.expect("it was just set");
//! assert_eq!((found.file.as_str(), found.offset.to_native()), ("part-0041", 4096));
//! assert_eq!(found.to_value(), CopyCheckpoint { file: "part-0041".into(), offset: 4096 });
//! # Ok::<(), milepost::Error>(())
//! ```
//!
//! What is stored is an rkyv archive. Its content type names the type and a fingerprint of its fields, so that another
//! type, or the same one with its fields changed since, is refused by name instead of being misread.
//!
//! Invariant: a [`Typed`] is given out only after the fingerprint was compared and the archive was checked to the last
//! byte. It borrows from the log where the value happens to lie aligned, and is copied once where it does not (decision
//! record 13).

mod fingerprint;

use std::{fmt, marker::PhantomData, ops::Deref};

use milepost_types::{ContentType, Receipt, Scope, Seq, Timestamp};
use rkyv::{
    Archive, Deserialize, Serialize,
    api::high::{HighDeserializer, HighSerializer, HighValidator},
    bytecheck::CheckBytes,
    rancor::Failure,
    ser::allocator::ArenaHandle,
    util::AlignedVec,
};
use thiserror::Error;
use yoke::Yoke;

pub use self::fingerprint::Fingerprint;
#[doc(hidden)]
pub use self::fingerprint::{begin, field, is_name, variant};
use crate::{CommitBuilder, ErrorKind, Result, SetOptions, Store, Value, View};

/// A type whose values a store can hold. Made by [`typed_state!`](crate::typed_state).
pub trait TypedState:
    Sized
    + Fingerprint
    + Archive<Archived: CheckedState<Self>>
    + for<'a> Serialize<HighSerializer<AlignedVec, ArenaHandle<'a>, Failure>>
{
    /// What it is called where it is stored: may stay when the type moves or is renamed.
    const NAME: &'static str;
}

/// What a [`TypedState`] is in the log. Implemented for whatever rkyv can check and bring back.
pub trait CheckedState<T>:
    'static + for<'a> CheckBytes<HighValidator<'a, Failure>> + Deserialize<T, HighDeserializer<Failure>>
{
}

impl<T, A> CheckedState<T> for A where
    A: 'static + for<'a> CheckBytes<HighValidator<'a, Failure>> + Deserialize<T, HighDeserializer<Failure>>
{
}

/// A value of a type, as it lies in the log. Dereferences to its archived form.
///
/// ```
/// # use milepost::{Scope, Store, typed_state};
/// # let dir = tempfile::tempdir().unwrap();
/// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
/// typed_state! {
///     struct Cursor = "cursor" { page: u32, seen: Vec<u64> }
/// }
/// let receipt = store.set_typed(&scope, "k", &Cursor { page: 7, seen: vec![1, 2] })?;
/// let found = store.get_typed::<Cursor>(&scope, "k")?.expect("it was just set");
/// assert_eq!((found.page.to_native(), found.seen.len(), found.seq()), (7, 2, receipt.seq));
/// # Ok::<(), milepost::Error>(())
/// ```
pub struct Typed<T: TypedState> {
    archived: Yoke<&'static T::Archived, Box<Bytes>>,
    state: PhantomData<fn() -> T>,
}

/// The bytes of a value, where they can be read as what they are.
struct Bytes {
    value: Value,
    /// Where the value does not lie aligned.
    copy: Option<AlignedVec>,
}

/// Why a value is not what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TypedError {
    /// It has no type: it was set as bytes.
    #[error("the value of seq {seq} is no {asked}: it has {}", .content_type.as_ref().map_or("no content type".to_owned(), |text| format!("content type {text:?}")))]
    Untyped {
        /// The commit that set it.
        seq: Seq,
        /// The type asked for.
        asked: &'static str,
        /// What it is instead, if its writer said so.
        content_type: Option<String>,
    },
    /// It has another type.
    #[error("the value of seq {seq} is a {found}, asked for was a {asked}")]
    OtherType {
        /// The commit that set it.
        seq: Seq,
        /// The type asked for.
        asked: &'static str,
        /// The type it has.
        found: String,
    },
    /// The type has changed since.
    #[error(
        "the value of seq {seq} is a {asked} with other fields: fingerprint {found}, that of this program's is {expected}; \
         read it with the type it was written with, and write it again"
    )]
    Changed {
        /// The commit that set it.
        seq: Seq,
        /// The type asked for.
        asked: &'static str,
        /// Its fingerprint when the value was written.
        found: String,
        /// Its fingerprint now.
        expected: String,
    },
    /// It is larger than an archive can be.
    #[error("the {asked} is too large to be archived")]
    TooLarge {
        /// Its type.
        asked: &'static str,
    },
    /// The bytes are no value of this type, though they say so.
    #[error("the value of seq {seq} says that it is a {asked}, and is none")]
    Invalid {
        /// The commit that set it.
        seq: Seq,
        /// The type asked for.
        asked: &'static str,
    },
}

impl TypedError {
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            TypedError::Untyped { .. } | TypedError::OtherType { .. } | TypedError::Changed { .. } => {
                ErrorKind::OtherType
            }
            TypedError::TooLarge { .. } => ErrorKind::Invalid,
            TypedError::Invalid { .. } => ErrorKind::Corrupt,
        }
    }
}

impl<T: TypedState> Typed<T> {
    /// Reads a value as one of this type: one from a scan, say, or from a history.
    ///
    /// ```
    /// # use milepost::{Scope, Store, typed::Typed, typed_state};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
    /// typed_state! { struct Cursor = "cursor" { page: u32 } }
    /// store.set_typed(&scope, "k", &Cursor { page: 7 })?;
    /// for change in store.history(&scope).iter() {
    ///     let new = Typed::<Cursor>::of(change?.new.expect("it is a set"))?;
    ///     assert_eq!(new.page, 7);
    /// }
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn of(value: Value) -> Result<Typed<T>> {
        check_type::<T>(&value)?;
        let seq = value.seq();
        let mut bytes = Box::new(Bytes { value, copy: None });
        // Where it lies it may be unaligned, which is not told apart from damage; in the copy it is not.
        if rkyv::access::<T::Archived, Failure>(&bytes.value).is_err() {
            let mut copy = AlignedVec::with_capacity(bytes.value.len());
            copy.extend_from_slice(&bytes.value);
            bytes.copy = Some(copy);
        }
        let archived = Yoke::try_attach_to_cart(bytes, |bytes| rkyv::access::<T::Archived, Failure>(bytes));
        let archived = archived.map_err(|Failure| TypedError::Invalid { seq, asked: T::NAME })?;
        Ok(Typed { archived, state: PhantomData })
    }

    /// The value on its own, as it was given.
    #[must_use]
    pub fn to_value(&self) -> T {
        rkyv::deserialize::<T, Failure>(&**self).expect("it was checked, and fails for no other reason")
    }

    /// The commit that set it: the key's version.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.archived.backing_cart().value.seq()
    }

    /// When it was committed.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.archived.backing_cart().value.at()
    }
}

impl<T: TypedState> Deref for Typed<T> {
    type Target = T::Archived;

    fn deref(&self) -> &T::Archived {
        self.archived.get()
    }
}

impl<T: TypedState> fmt::Debug for Typed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Typed({} of seq {})", T::NAME, self.seq())
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.copy {
            Some(copy) => copy,
            None => &self.value,
        }
    }
}

const TYPE: &str = "application/x-rkyv;type=";
const FINGERPRINT: &str = ";fingerprint=";

/// Compares what the value's content type says with the type asked for.
fn check_type<T: TypedState>(value: &Value) -> Result<(), TypedError> {
    let (seq, asked, content_type) = (value.seq(), T::NAME, value.content_type());
    let named = content_type.and_then(|text| text.strip_prefix(TYPE)?.split_once(FINGERPRINT));
    let Some((name, found)) = named else {
        return Err(TypedError::Untyped { seq, asked, content_type: content_type.map(str::to_owned) });
    };
    if name != asked {
        return Err(TypedError::OtherType { seq, asked, found: name.to_owned() });
    }
    // In its one spelling: 16 digits, none of them large.
    let is_spelled = found.len() == 16 && found.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    if !is_spelled || u64::from_str_radix(found, 16) != Ok(T::FINGERPRINT) {
        let (found, expected) = (found.to_owned(), format!("{:016x}", T::FINGERPRINT));
        return Err(TypedError::Changed { seq, asked, found, expected });
    }
    Ok(())
}

fn content_type_of<T: TypedState>() -> Result<ContentType> {
    Ok(ContentType::parse(&format!("{TYPE}{}{FINGERPRINT}{:016x}", T::NAME, T::FINGERPRINT))?)
}

impl CommitBuilder {
    /// Adds a set of a value with a type; see [`typed`](crate::typed).
    ///
    /// ```
    /// # use milepost::{Scope, Store, typed_state};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
    /// typed_state! { struct Cursor = "cursor" { page: u32 } }
    /// store.commit().set_typed(&scope, "at", &Cursor { page: 7 }).set(&scope, "note", b"half way").durable()?;
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn set_typed<T: TypedState>(self, scope: &Scope, key: &str, value: &T) -> CommitBuilder {
        let encoded = content_type_of::<T>().and_then(|content_type| Ok((content_type, archive(value)?)));
        match encoded {
            Ok((content_type, bytes)) => {
                let options = SetOptions { content_type: Some(content_type), ..SetOptions::default() };
                self.set_with(scope, key, &bytes, &options)
            }
            Err(error) => self.failed(error),
        }
    }
}

fn archive<T: TypedState>(value: &T) -> Result<AlignedVec> {
    rkyv::to_bytes::<Failure>(value).map_err(|Failure| TypedError::TooLarge { asked: T::NAME }.into())
}

impl Store {
    /// Sets a key to a value with a type, durably on return; see [`typed`](crate::typed).
    ///
    /// ```
    /// # use milepost::{Scope, Store, typed_state};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
    /// typed_state! { struct Cursor = "cursor" { page: u32 } }
    /// let receipt = store.set_typed(&scope, "at", &Cursor { page: 7 })?;
    /// assert_eq!(receipt.seq.0, 1);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn set_typed<T: TypedState>(&self, scope: &Scope, key: &str, value: &T) -> Result<Receipt> {
        self.commit().set_typed(scope, key, value).durable()
    }

    /// The value a key has now, as one of this type. A value of another type is an error that names both.
    ///
    /// ```
    /// # use milepost::{ErrorKind, Scope, Store, typed_state};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
    /// typed_state! { struct Cursor = "cursor" { page: u32 } }
    /// assert!(store.get_typed::<Cursor>(&scope, "at")?.is_none());
    /// store.set(&scope, "at", b"7")?;
    /// assert_eq!(store.get_typed::<Cursor>(&scope, "at").unwrap_err().kind(), ErrorKind::OtherType);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn get_typed<T: TypedState>(&self, scope: &Scope, key: &str) -> Result<Option<Typed<T>>> {
        self.get(scope, key)?.map(Typed::of).transpose()
    }
}

impl View {
    /// The value a key has at this moment, as one of this type.
    ///
    /// ```
    /// # use milepost::{Scope, Store, typed_state};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
    /// typed_state! { struct Cursor = "cursor" { page: u32 } }
    /// let first = store.set_typed(&scope, "at", &Cursor { page: 7 })?;
    /// store.set_typed(&scope, "at", &Cursor { page: 8 })?;
    /// let then = store.view(first.seq)?.get_typed::<Cursor>(&scope, "at")?.expect("it was there");
    /// assert_eq!(then.page, 7);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn get_typed<T: TypedState>(&self, scope: &Scope, key: &str) -> Result<Option<Typed<T>>> {
        self.get(scope, key)?.map(Typed::of).transpose()
    }
}

#[cfg(test)]
mod tests;
