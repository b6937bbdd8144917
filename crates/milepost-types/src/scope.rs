//! [`Scope`]: the thing whose state is kept, a path of UTF-8 segments; [`ScopePrefix`]: a place in the tree of scopes.
//!
//! Invariant: bytes are identity. Nothing is normalised, folded or decoded; two scopes are the same exactly if their
//! bytes are. A prefix matches whole segments: `a/b` holds `a/b/c` and not `a/bc`.
//!
//! A scope is never used as a file name.

use std::{fmt, sync::Arc};

use thiserror::Error;

use crate::limits::{self, LimitError};

/// Why a text is no scope or no key. The message says what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ScopeError {
    /// Too long, too deep or empty.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// Two slashes in a row, or one at an end.
    #[error(
        "segment {} of scope {text:?} is empty; write segments separated by single slashes, as in task/etl/load",
        .index + 1
    )]
    EmptySegment {
        /// The text given.
        text: String,
        /// Which segment, from 0; the message counts from 1.
        index: usize,
    },
    /// A segment of `.` or `..`, which browsers and proxies would fold away.
    #[error("segment {} of scope {text:?} is {segment:?}, which URLs fold away; choose another name", .index + 1)]
    DotSegment {
        /// The text given.
        text: String,
        /// Which segment, from 0; the message counts from 1.
        index: usize,
        /// The segment.
        segment: String,
    },
    /// A NUL character, which no command line can carry.
    #[error("{what} {text:?} holds a NUL character, which command lines can't carry; leave it out")]
    Nul {
        /// What the text was to be.
        what: &'static str,
        /// The text given.
        text: String,
    },
    /// A segment given on its own that holds a slash.
    #[error("segment {segment:?} holds a slash, which separates segments; encode it first, for instance as %2F")]
    SlashInSegment {
        /// The segment.
        segment: String,
    },
    /// The reserved root, which the store keeps for itself.
    #[error(
        "scope {text:?} is below the reserved root $, which the store keeps for itself; choose another first segment"
    )]
    Reserved {
        /// The text given.
        text: String,
    },
    /// Bytes that are not UTF-8.
    #[error("{what} is not UTF-8 from byte {offset} on; names are UTF-8 text")]
    NotUtf8 {
        /// What the bytes were to be.
        what: &'static str,
        /// Where the first wrong byte stands.
        offset: usize,
    },
}

/// The thing whose state is kept: a path of 1 to 32 UTF-8 segments, at most 1024 bytes in all.
///
/// ```
/// use milepost_types::Scope;
/// let scope = Scope::parse("task/etl/2026-11-24/load/0")?;
/// assert_eq!(scope.segments().count(), 5);
/// assert!(Scope::parse("task//load").is_err());
/// # Ok::<(), milepost_types::ScopeError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(Arc<str>);

impl Scope {
    /// Reads a scope from its text form, segments separated by `/`.
    pub fn parse(text: &str) -> Result<Scope, ScopeError> {
        check_path(text)?;
        if is_reserved(text) {
            return Err(ScopeError::Reserved { text: text.to_owned() });
        }
        Ok(Scope(text.into()))
    }

    /// Reads a scope from bytes, which must be UTF-8.
    pub fn from_bytes(bytes: &[u8]) -> Result<Scope, ScopeError> {
        Scope::parse(utf8("scope", bytes)?)
    }

    /// Joins segments. A segment that holds a slash is refused.
    pub fn from_segments<'a>(segments: impl IntoIterator<Item = &'a str>) -> Result<Scope, ScopeError> {
        let mut text = String::new();
        for (index, segment) in segments.into_iter().enumerate() {
            if segment.contains('/') {
                return Err(ScopeError::SlashInSegment { segment: segment.to_owned() });
            }
            if index > 0 {
                text.push('/');
            }
            text.push_str(segment);
        }
        Scope::parse(&text)
    }

    /// A scope that was checked when it was written; still checked, so that a crafted file gives an error.
    /// The reserved root is allowed here.
    pub fn from_stored(text: &str) -> Result<Scope, ScopeError> {
        check_path(text)?;
        Ok(Scope(text.into()))
    }

    /// The text form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The segments in order.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// Whether this scope is `prefix` or below it.
    #[must_use]
    pub fn is_within(&self, prefix: &ScopePrefix) -> bool {
        prefix.holds(&self.0)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

/// Escaped for a screen: control and direction-changing characters show as `\u{..}`.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Escaped(&self.0), f)
    }
}

impl AsRef<str> for Scope {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// A place in the tree of scopes: the root, or whole segments of a scope.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopePrefix(String);

impl ScopePrefix {
    /// The root, which holds every scope.
    #[must_use]
    pub fn root() -> ScopePrefix {
        ScopePrefix(String::new())
    }

    /// Reads a prefix. The empty text is the root; one slash at the end is allowed.
    pub fn parse(text: &str) -> Result<ScopePrefix, ScopeError> {
        let text = if text.len() > 1 { text.strip_suffix('/').unwrap_or(text) } else { text };
        if text.is_empty() {
            return Ok(ScopePrefix::root());
        }
        check_path(text)?;
        Ok(ScopePrefix(text.to_owned()))
    }

    /// The same place below a name of the reserved root, where what is kept of each scope stands under its own name.
    /// It may be longer and deeper than other prefixes.
    #[must_use]
    pub fn below_reserved(&self, root: &str) -> ScopePrefix {
        debug_assert!(is_reserved(root));
        ScopePrefix(if self.0.is_empty() { root.to_owned() } else { format!("{root}/{}", self.0) })
    }

    /// The text form, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As it is given on a command line, `/` for the root, escaped for a screen.
    ///
    /// ```
    /// use milepost_types::ScopePrefix;
    /// assert_eq!(ScopePrefix::root().given().to_string(), "/");
    /// assert_eq!(ScopePrefix::parse("task/\u{1b}[2J")?.given().to_string(), r"task/\u{1b}[2J");
    /// # Ok::<(), milepost_types::ScopeError>(())
    /// ```
    pub fn given(&self) -> impl fmt::Display + '_ {
        Escaped(self.given_raw())
    }

    /// The same as it is, for whoever escapes it or puts it into a file.
    ///
    /// ```
    /// use milepost_types::ScopePrefix;
    /// assert_eq!(ScopePrefix::root().given_raw(), "/");
    /// assert_eq!(ScopePrefix::parse("task/etl/")?.given_raw(), "task/etl");
    /// # Ok::<(), milepost_types::ScopeError>(())
    /// ```
    #[must_use]
    pub fn given_raw(&self) -> &str {
        if self.is_root() { "/" } else { &self.0 }
    }

    /// Whether it is the root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a scope, given by its text, is this prefix or below it, by whole segments. The root holds every scope
    /// but the reserved ones.
    #[must_use]
    pub fn holds(&self, scope: &str) -> bool {
        if self.0.is_empty() {
            return !is_reserved(scope);
        }
        match scope.strip_prefix(self.0.as_str()) {
            Some(rest) => rest.is_empty() || rest.starts_with('/'),
            None => false,
        }
    }
}

impl From<&Scope> for ScopePrefix {
    fn from(scope: &Scope) -> ScopePrefix {
        ScopePrefix(scope.as_str().to_owned())
    }
}

impl fmt::Display for ScopePrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Escaped(&self.0), f)
    }
}

/// Whether a scope's text is the reserved root or below it.
#[must_use]
pub fn is_reserved(text: &str) -> bool {
    text == "$" || text.starts_with("$/")
}

/// The reserved scopes that hold keys with values, as other scopes do: the places of backups, and what a salvage lost.
pub const KEPT: [&str; 2] = ["$/backup", "$/lost"];

/// Whether a scope's text is the reserved root or below it, and it holds no keys with values.
#[must_use]
pub fn is_hidden(text: &str) -> bool {
    is_reserved(text) && !KEPT.contains(&text)
}

/// A name as a message shows it: it can't move the cursor, colour the screen or change its direction. A backslash is
/// doubled, so that the name can be told from its escapes.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if c == '\\' || acts_on_screens(c) {
                for e in c.escape_default() {
                    fmt::Write::write_char(f, e)?;
                }
            } else {
                fmt::Write::write_char(f, c)?;
            }
        }
        Ok(())
    }
}

/// Whether a character is one that a screen acts on: controls; zero-width and bidirectional marks; separators of lines
/// and paragraphs; tags; the byte order mark. Letters and marks of every script are not.
#[must_use]
pub fn acts_on_screens(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

pub(crate) fn utf8<'a>(what: &'static str, bytes: &'a [u8]) -> Result<&'a str, ScopeError> {
    std::str::from_utf8(bytes).map_err(|e| ScopeError::NotUtf8 { what, offset: e.valid_up_to() })
}

pub(crate) fn check_path(text: &str) -> Result<(), ScopeError> {
    limits::check("scope", "bytes", text.len(), 1, limits::SCOPE_BYTES_MAX)?;
    if text.contains('\0') {
        return Err(ScopeError::Nul { what: "scope", text: text.to_owned() });
    }
    let mut count = 0;
    for (index, segment) in text.split('/').enumerate() {
        match segment {
            "" => return Err(ScopeError::EmptySegment { text: text.to_owned(), index }),
            "." | ".." => {
                return Err(ScopeError::DotSegment { text: text.to_owned(), index, segment: segment.to_owned() });
            }
            _ => count += 1,
        }
    }
    limits::check("scope", "segments", count, 1, limits::SCOPE_SEGMENTS_MAX)?;
    Ok(())
}

#[cfg(test)]
mod tests;
