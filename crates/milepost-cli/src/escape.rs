//! Text as a screen may see it: what would move the cursor, colour the screen or change its direction shows as an
//! escape.
//!
//! Invariant: the result has no control character; of [`one_line`] it has no line end either.

use std::fmt::Write;

use milepost_types::scope::acts_on_screens;

/// A text on one line. A backslash is doubled, so that the text can be told from its escapes.
pub(crate) fn one_line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        put(&mut shown, c, c == '\\');
    }
    shown
}

/// A text that keeps its line ends and tabs.
pub(crate) fn lines(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\n' | '\t') {
            shown.push(c);
        } else {
            put(&mut shown, c, false);
        }
    }
    shown
}

/// A line of JSON that says the same, with what acts on a screen as JSON's own escapes.
pub(crate) fn json(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    for c in line.chars() {
        if acts_on_screens(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string does not fail.
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Bytes on one line: escaped text, or the first of them in hexadecimal. Cut after `chars_max`.
pub(crate) fn value(bytes: &[u8], chars_max: usize) -> String {
    // A character has at most four bytes; the one that a cut goes through is left out.
    let few = &bytes[..bytes.len().min(chars_max.saturating_add(1).saturating_mul(4))];
    let text = match str::from_utf8(few) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() && few.len() < bytes.len() => {
            str::from_utf8(&few[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return hexadecimal(bytes, chars_max),
    };
    let mut shown = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == chars_max {
            shown.push('…');
            break;
        }
        put(&mut shown, c, c == '\\');
    }
    shown
}

fn hexadecimal(bytes: &[u8], chars_max: usize) -> String {
    let most = (chars_max / 2).max(4);
    let mut shown = String::from("0x");
    for byte in bytes.iter().take(most) {
        // Writing to a string does not fail.
        let _ = write!(shown, "{byte:02x}");
    }
    if bytes.len() > most {
        shown.push('…');
    }
    let _ = write!(shown, " ({} bytes)", bytes.len());
    shown
}

fn put(shown: &mut String, c: char, always: bool) {
    if always || acts_on_screens(c) {
        shown.extend(c.escape_default());
    } else {
        shown.push(c);
    }
}

#[cfg(test)]
mod tests;
