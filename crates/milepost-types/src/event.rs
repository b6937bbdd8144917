//! One immutable mutation: [`Event`] owned, [`EventRef`] borrowed from an encoded body.

use std::{borrow::Cow, fmt, sync::Arc};

use crate::{
    HoldName, Policy, Scope, ScopePrefix, Seq, Timestamp,
    limits::{self, LimitError},
    scope::{Escaped, ScopeError, utf8},
};

/// The name of a value in its scope: UTF-8 of 1 to 1024 bytes, any character but NUL.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

impl Key {
    /// Checks a key.
    pub fn parse(text: &str) -> Result<Key, ScopeError> {
        check_key(text)?;
        Ok(Key(text.into()))
    }

    /// Checks a key given as bytes, which must be UTF-8.
    pub fn from_bytes(bytes: &[u8]) -> Result<Key, ScopeError> {
        Key::parse(utf8("key", bytes)?)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Checks a key without making one.
pub(crate) fn check_key(text: &str) -> Result<(), ScopeError> {
    check_text("key", text, limits::KEY_BYTES_MAX)
}

pub(crate) fn check_text(what: &'static str, text: &str, bytes_max: usize) -> Result<(), ScopeError> {
    limits::check(what, "bytes", text.len(), 1, bytes_max)?;
    if text.contains('\0') {
        return Err(ScopeError::Nul { what, text: text.to_owned() });
    }
    Ok(())
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

/// Escaped for a screen.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Escaped(&self.0), f)
    }
}

/// The name of a checkpoint in its scope: as a key, UTF-8 of 1 to 1024 bytes, any character but NUL.
///
/// ```
/// use milepost_types::CheckpointName;
/// assert_eq!(CheckpointName::parse("after file 40000")?.as_str(), "after file 40000");
/// assert!(CheckpointName::parse("").is_err());
/// # Ok::<(), milepost_types::ScopeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckpointName(Arc<str>);

impl CheckpointName {
    /// Checks a name.
    pub fn parse(text: &str) -> Result<CheckpointName, ScopeError> {
        check_checkpoint_name(text)?;
        Ok(CheckpointName(text.into()))
    }

    /// Checks a name given as bytes, which must be UTF-8.
    pub fn from_bytes(bytes: &[u8]) -> Result<CheckpointName, ScopeError> {
        CheckpointName::parse(utf8("checkpoint name", bytes)?)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Checks a checkpoint's name without making one.
pub(crate) fn check_checkpoint_name(text: &str) -> Result<(), ScopeError> {
    check_text("checkpoint name", text, limits::CHECKPOINT_NAME_BYTES_MAX)
}

/// Escaped for a screen.
impl fmt::Display for CheckpointName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Escaped(&self.0), f)
    }
}

/// What a person should know of a checkpoint: UTF-8 of 1 to 4096 bytes, any character but NUL.
///
/// ```
/// use milepost_types::Note;
/// assert!(Note::parse("before the new price list").is_ok());
/// assert!(Note::parse(&"x".repeat(4097)).is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Note(Arc<str>);

impl Note {
    /// Checks a note.
    pub fn parse(text: &str) -> Result<Note, ScopeError> {
        check_note(text)?;
        Ok(Note(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Checks a note without making one.
pub(crate) fn check_note(text: &str) -> Result<(), ScopeError> {
    check_text("note", text, limits::NOTE_BYTES_MAX)
}

/// Escaped for a screen.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Escaped(&self.0), f)
    }
}

/// What a value is, as a media type: visible ASCII of 1 to 127 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ContentType(Cow<'static, str>);

impl ContentType {
    /// Text.
    pub const TEXT: ContentType = ContentType(Cow::Borrowed("text/plain"));
    /// JSON.
    pub const JSON: ContentType = ContentType(Cow::Borrowed("application/json"));
    /// Bytes of no declared kind.
    pub const BYTES: ContentType = ContentType(Cow::Borrowed("application/octet-stream"));

    /// Checks a content type.
    pub fn parse(text: &str) -> Result<ContentType, LimitError> {
        limits::check("content type", "bytes", text.len(), 1, limits::CONTENT_TYPE_BYTES_MAX)?;
        let foreign = text.bytes().filter(|b| !(0x20..0x7f).contains(b)).count();
        limits::check("content type", "characters outside visible ASCII", foreign, 0, 0)?;
        Ok(ContentType(Cow::Owned(text.to_owned())))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One mutation, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A key gets a value.
    Set {
        /// Whose state.
        scope: Scope,
        /// Which key.
        key: Key,
        /// The bytes.
        value: Vec<u8>,
        /// What the bytes are.
        content_type: Option<ContentType>,
        /// From when on the value counts as gone.
        expires_at: Option<Timestamp>,
    },
    /// A key loses its value.
    Delete {
        /// Whose state.
        scope: Scope,
        /// Which key.
        key: Key,
    },
    /// A scope loses all its keys.
    Clear {
        /// Which scope.
        scope: Scope,
    },
    /// A scope and all below it lose their keys.
    ClearPrefix {
        /// Where in the tree of scopes.
        prefix: ScopePrefix,
    },
    /// The state of a scope after this commit gets a name. A name given again moves on.
    Checkpoint {
        /// Whose state.
        scope: Scope,
        /// The name.
        name: CheckpointName,
        /// What a person should know of it.
        note: Option<Note>,
    },
    /// A checkpoint's name is let go.
    Release {
        /// Whose checkpoint.
        scope: Scope,
        /// The name.
        name: CheckpointName,
    },
    /// A scope begins as another one was after some commit.
    Fork {
        /// The scope that begins.
        scope: Scope,
        /// The other one.
        origin: Scope,
        /// After which commit.
        point: Seq,
    },
    /// What of the past is kept below a prefix. Takes the place of what was said of the prefix before.
    Retain {
        /// Where in the tree of scopes.
        prefix: ScopePrefix,
        /// What is kept.
        policy: Policy,
    },
    /// A prefix has no policy of its own any more.
    Unretain {
        /// Where in the tree of scopes.
        prefix: ScopePrefix,
    },
    /// Nothing below a prefix is removed until the hold of this name is released.
    Hold {
        /// Where in the tree of scopes.
        prefix: ScopePrefix,
        /// The name.
        name: HoldName,
        /// What a person should know of it.
        note: Option<Note>,
    },
    /// A hold is released.
    Unhold {
        /// Where in the tree of scopes.
        prefix: ScopePrefix,
        /// The name.
        name: HoldName,
    },
    /// All that a key ever was is gone.
    Erase {
        /// Whose state.
        scope: Scope,
        /// Which key.
        key: Key,
        /// Bytes of the values that there were.
        bytes: u64,
    },
    /// All that a scope ever held is gone.
    EraseScope {
        /// Which scope.
        scope: Scope,
        /// Bytes of the values that there were.
        bytes: u64,
    },
    /// All that a scope and those below it ever held is gone.
    ErasePrefix {
        /// Where in the tree of scopes.
        prefix: ScopePrefix,
        /// Bytes of the values that there were.
        bytes: u64,
    },
}

/// One mutation, borrowed from an encoded body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventRef<'a> {
    /// A key gets a value.
    Set {
        /// Whose state.
        scope: &'a str,
        /// Which key.
        key: &'a str,
        /// The bytes.
        value: &'a [u8],
        /// What the bytes are.
        content_type: Option<&'a str>,
        /// From when on the value counts as gone.
        expires_at: Option<Timestamp>,
    },
    /// A key loses its value.
    Delete {
        /// Whose state.
        scope: &'a str,
        /// Which key.
        key: &'a str,
    },
    /// A scope loses all its keys.
    Clear {
        /// Which scope.
        scope: &'a str,
    },
    /// A scope and all below it lose their keys.
    ClearPrefix {
        /// Where in the tree of scopes, empty for the root.
        prefix: &'a str,
    },
    /// The state of a scope after this commit gets a name.
    Checkpoint {
        /// Whose state.
        scope: &'a str,
        /// The name.
        name: &'a str,
        /// What a person should know of it.
        note: Option<&'a str>,
    },
    /// A checkpoint's name is let go.
    Release {
        /// Whose checkpoint.
        scope: &'a str,
        /// The name.
        name: &'a str,
    },
    /// A scope begins as another one was after some commit.
    Fork {
        /// The scope that begins.
        scope: &'a str,
        /// The other one.
        origin: &'a str,
        /// After which commit.
        point: Seq,
    },
    /// What of the past is kept below a prefix.
    Retain {
        /// Where in the tree of scopes, empty for the root.
        prefix: &'a str,
        /// What is kept.
        policy: Policy,
    },
    /// A prefix has no policy of its own any more.
    Unretain {
        /// Where in the tree of scopes, empty for the root.
        prefix: &'a str,
    },
    /// Nothing below a prefix is removed until the hold of this name is released.
    Hold {
        /// Where in the tree of scopes, empty for the root.
        prefix: &'a str,
        /// The name.
        name: &'a str,
        /// What a person should know of it.
        note: Option<&'a str>,
    },
    /// A hold is released.
    Unhold {
        /// Where in the tree of scopes, empty for the root.
        prefix: &'a str,
        /// The name.
        name: &'a str,
    },
    /// All that a key ever was is gone.
    Erase {
        /// Whose state.
        scope: &'a str,
        /// Which key.
        key: &'a str,
        /// Bytes of the values that there were.
        bytes: u64,
    },
    /// All that a scope ever held is gone.
    EraseScope {
        /// Which scope.
        scope: &'a str,
        /// Bytes of the values that there were.
        bytes: u64,
    },
    /// All that a scope and those below it ever held is gone.
    ErasePrefix {
        /// Where in the tree of scopes, empty for the root.
        prefix: &'a str,
        /// Bytes of the values that there were.
        bytes: u64,
    },
}

impl EventRef<'_> {
    /// An owned copy. Fails on names that no checked writer would have written.
    pub fn to_event(&self) -> Result<Event, ScopeError> {
        Ok(match *self {
            EventRef::Set { scope, key, value, content_type, expires_at } => Event::Set {
                scope: Scope::from_stored(scope)?,
                key: Key::parse(key)?,
                value: value.to_vec(),
                content_type: content_type.map(ContentType::parse).transpose()?,
                expires_at,
            },
            EventRef::Delete { scope, key } => {
                Event::Delete { scope: Scope::from_stored(scope)?, key: Key::parse(key)? }
            }
            EventRef::Clear { scope } => Event::Clear { scope: Scope::from_stored(scope)? },
            EventRef::ClearPrefix { prefix } => Event::ClearPrefix { prefix: ScopePrefix::parse(prefix)? },
            EventRef::Checkpoint { scope, name, note } => Event::Checkpoint {
                scope: Scope::from_stored(scope)?,
                name: CheckpointName::parse(name)?,
                note: note.map(Note::parse).transpose()?,
            },
            EventRef::Release { scope, name } => {
                Event::Release { scope: Scope::from_stored(scope)?, name: CheckpointName::parse(name)? }
            }
            EventRef::Fork { scope, origin, point } => {
                Event::Fork { scope: Scope::from_stored(scope)?, origin: Scope::from_stored(origin)?, point }
            }
            EventRef::Retain { prefix, policy } => Event::Retain { prefix: ScopePrefix::parse(prefix)?, policy },
            EventRef::Unretain { prefix } => Event::Unretain { prefix: ScopePrefix::parse(prefix)? },
            EventRef::Hold { prefix, name, note } => Event::Hold {
                prefix: ScopePrefix::parse(prefix)?,
                name: HoldName::parse(name)?,
                note: note.map(Note::parse).transpose()?,
            },
            EventRef::Unhold { prefix, name } => {
                Event::Unhold { prefix: ScopePrefix::parse(prefix)?, name: HoldName::parse(name)? }
            }
            EventRef::Erase { scope, key, bytes } => {
                Event::Erase { scope: Scope::from_stored(scope)?, key: Key::parse(key)?, bytes }
            }
            EventRef::EraseScope { scope, bytes } => Event::EraseScope { scope: Scope::from_stored(scope)?, bytes },
            EventRef::ErasePrefix { prefix, bytes } => {
                Event::ErasePrefix { prefix: ScopePrefix::parse(prefix)?, bytes }
            }
        })
    }
}
