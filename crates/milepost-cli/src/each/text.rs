//! Names and command lines as a person reads them.
//!
//! Invariant: nothing that is shown can move the cursor, colour the screen or break a line.

use std::{
    fmt::{self, Write},
    time::Duration,
};

/// A text with all that is not printable escaped, quoted if it would else be unclear where it ends.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = !self.0.is_empty() && !self.0.chars().any(|c| c.is_whitespace() || c == '"' || needs_escape(c));
        if plain {
            return f.write_str(self.0);
        }
        f.write_char('"')?;
        for c in self.0.chars() {
            if c == '"' || needs_escape(c) {
                write!(f, "{}", c.escape_default())?;
            } else {
                f.write_char(c)?;
            }
        }
        f.write_char('"')
    }
}

fn needs_escape(c: char) -> bool {
    // `escape_debug` knows the controls, the format characters and all that is not printable; a lone combining mark is
    // escaped by it as well, which does no harm. It leaves the quote alone that we don't use.
    c != '\'' && c.escape_debug().nth(1).is_some()
}

/// A command line, its words separated as a shell would want them.
pub(crate) fn command_line(words: &[String]) -> String {
    let mut line = String::new();
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            line.push(' ');
        }
        let bare = !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || "-_./{}:=,@%+".contains(c));
        if bare {
            line.push_str(word);
        } else if word.chars().any(|c| c != '"' && c != '\\' && needs_escape(c)) {
            let _ = write!(line, "$'{}'", word.escape_debug());
        } else {
            let _ = write!(line, "'{}'", word.replace('\'', r"'\''"));
        }
    }
    line
}

/// The last line of an output that says something, escaped and cut to a screen's width.
pub(crate) fn last_line(output: &[u8]) -> Option<String> {
    const CHARS_MAX: usize = 160;
    let end = output.iter().rposition(|b| !b.is_ascii_whitespace())? + 1;
    let start = output[..end].iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
    let line = String::from_utf8_lossy(&output[start..end]);
    let mut shown = String::new();
    for (count, c) in line.trim().chars().enumerate() {
        if count == CHARS_MAX {
            shown.push('…');
            break;
        }
        if c != '"' && needs_escape(c) {
            let _ = write!(shown, "{}", c.escape_default());
        } else {
            shown.push(c);
        }
    }
    Some(shown)
}

/// A count with its thousands apart: `1 234 567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A duration to about three figures: `523µs`, `1.52s`, `4m 07s`, `2h 05m`.
pub(crate) fn duration(duration: Duration) -> String {
    let micros = duration.as_micros();
    let seconds = duration.as_secs();
    match seconds {
        0 if micros < 1000 => format!("{micros}µs"),
        0 if micros < 10_000 => format!("{:.1}ms", micros as f64 / 1e3),
        0 => format!("{}ms", micros / 1000),
        1..10 => format!("{:.2}s", duration.as_secs_f64()),
        10..60 => format!("{:.1}s", duration.as_secs_f64()),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests;
