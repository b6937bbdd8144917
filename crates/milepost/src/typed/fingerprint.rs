//! [`Fingerprint`]: a number that changes with a type's fields, computed by the compiler.
//!
//! Invariant: two types with the same fingerprint have the same archived layout, and fields of the same names in the
//! same order. (Two may share a number by chance, once in 2^64.)

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// A type whose archived form has a fingerprint. [`typed_state!`](crate::typed_state) makes it of those of its fields.
///
/// Not for `usize` and `isize`, whose width differs between machines.
pub trait Fingerprint {
    /// The number.
    const FINGERPRINT: u64;
}

/// What the fingerprint of a struct begins with.
const BEGIN: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a. What may stand in a file is pinned by a test.
const fn mix(mut hash: u64, bytes: &[u8]) -> u64 {
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        at += 1;
    }
    hash
}

/// A fingerprint with another field.
#[must_use]
pub const fn field(hash: u64, name: &str, of: u64) -> u64 {
    mix(mix(mix(hash, b"."), name.as_bytes()), &of.to_le_bytes())
}

/// A fingerprint with another variant, whose fields follow.
#[must_use]
pub const fn variant(hash: u64, name: &str) -> u64 {
    mix(mix(hash, b"|"), name.as_bytes())
}

/// The fingerprint of a type of this name, without fields yet.
#[must_use]
pub const fn begin(name: &str) -> u64 {
    mix(BEGIN, name.as_bytes())
}

/// Whether a type may be called so where it is stored.
#[must_use]
pub const fn is_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_alphanumeric() && !matches!(bytes[at], b'-' | b'_' | b'.' | b'/' | b':') {
            return false;
        }
        at += 1;
    }
    !bytes.is_empty() && bytes.len() <= 64
}

macro_rules! named {
    ($($type:ty),*) => {
        $(impl Fingerprint for $type {
            const FINGERPRINT: u64 = begin(stringify!($type));
        })*
    };
}

named!((), bool, char, u8, u16, u32, u64, u128, i8, i16, i32, i64, i128, f32, f64, String);

macro_rules! generic {
    ($($name:ident<$($of:ident),*>),*) => {
        $(impl<$($of: Fingerprint),*> Fingerprint for $name<$($of),*> {
            const FINGERPRINT: u64 = {
                let hash = begin(stringify!($name));
                $(let hash = field(hash, "", $of::FINGERPRINT);)*
                hash
            };
        })*
    };
}

generic!(Option<T>, Vec<T>, Box<T>, BTreeMap<K, V>, BTreeSet<K>);

impl<K: Fingerprint, V: Fingerprint, S> Fingerprint for HashMap<K, V, S> {
    const FINGERPRINT: u64 = field(field(begin("HashMap"), "", K::FINGERPRINT), "", V::FINGERPRINT);
}

impl<K: Fingerprint, S> Fingerprint for HashSet<K, S> {
    const FINGERPRINT: u64 = field(begin("HashSet"), "", K::FINGERPRINT);
}

impl<T: Fingerprint, const N: usize> Fingerprint for [T; N] {
    const FINGERPRINT: u64 = field(field(begin("array"), "", T::FINGERPRINT), "", N as u64);
}

macro_rules! tuple {
    ($($of:ident),*) => {
        impl<$($of: Fingerprint),*> Fingerprint for ($($of,)*) {
            const FINGERPRINT: u64 = {
                let hash = begin("tuple");
                $(let hash = field(hash, "", $of::FINGERPRINT);)*
                hash
            };
        }
    };
}

tuple!(A);
tuple!(A, B);
tuple!(A, B, C);
tuple!(A, B, C, D);

/// Defines a type whose values a store can hold: a struct with named fields, or an enum.
///
/// The text behind `=` is what the type is called where it is stored. Fields may be of the types that implement
/// [`Fingerprint`](crate::typed::Fingerprint), other types made by this macro among them.
///
/// ```
/// milepost::typed_state! {
///     /// What became of a file.
///     #[derive(Clone, Debug, PartialEq)]
///     pub enum Outcome = "copy.outcome" {
///         Skipped,
///         Copied { bytes: u64 },
///         Failed(String, u32),
///     }
/// }
/// milepost::typed_state! {
///     pub struct Checkpoint = "copy.checkpoint" {
///         pub next: u64,
///         pub outcomes: Vec<Outcome>,
///     }
/// }
/// ```
#[macro_export]
macro_rules! typed_state {
    (
        $(#[$attribute:meta])*
        $vis:vis struct $name:ident = $stored:literal {
            $($(#[$field_attribute:meta])* $field_vis:vis $field:ident: $type:ty),* $(,)?
        }
    ) => {
        #[derive($crate::rkyv::Archive, $crate::rkyv::Serialize, $crate::rkyv::Deserialize)]
        #[rkyv(crate = $crate::rkyv)]
        $(#[$attribute])*
        $vis struct $name {
            $($(#[$field_attribute])* $field_vis $field: $type),*
        }

        impl $crate::typed::Fingerprint for $name {
            const FINGERPRINT: u64 = {
                let hash = $crate::typed::begin($stored);
                $(let hash = $crate::typed::field(
                    hash,
                    stringify!($field),
                    <$type as $crate::typed::Fingerprint>::FINGERPRINT,
                );)*
                hash
            };
        }

        $crate::typed_state!(@name $name = $stored);
    };
    (
        $(#[$attribute:meta])*
        $vis:vis enum $name:ident = $stored:literal {
            $(
                $(#[$variant_attribute:meta])*
                $variant:ident
                $({ $($(#[$field_attribute:meta])* $field:ident: $type:ty),* $(,)? })?
                $(( $($place:ty),* $(,)? ))?
            ),* $(,)?
        }
    ) => {
        #[derive($crate::rkyv::Archive, $crate::rkyv::Serialize, $crate::rkyv::Deserialize)]
        #[rkyv(crate = $crate::rkyv)]
        $(#[$attribute])*
        $vis enum $name {
            $(
                $(#[$variant_attribute])*
                $variant
                $({ $($(#[$field_attribute])* $field: $type),* })?
                $(( $($place),* ))?
            ),*
        }

        impl $crate::typed::Fingerprint for $name {
            const FINGERPRINT: u64 = {
                let hash = $crate::typed::begin($stored);
                $(
                    let hash = $crate::typed::variant(hash, stringify!($variant));
                    $($(let hash = $crate::typed::field(
                        hash,
                        stringify!($field),
                        <$type as $crate::typed::Fingerprint>::FINGERPRINT,
                    );)*)?
                    $($(let hash =
                        $crate::typed::field(hash, "", <$place as $crate::typed::Fingerprint>::FINGERPRINT);)*)?
                )*
                hash
            };
        }

        $crate::typed_state!(@name $name = $stored);
    };
    (@name $name:ident = $stored:literal) => {
        impl $crate::typed::TypedState for $name {
            const NAME: &'static str = {
                assert!($crate::typed::is_name($stored), "1 to 64 letters, digits and - _ . / :");
                $stored
            };
        }
    };
}
