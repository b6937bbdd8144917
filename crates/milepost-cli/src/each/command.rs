//! The command line: a template in which `{}` stands for the item, and the program it names.
//!
//! ```text
//! {}   the item              {/}   what stands behind its last slash
//! {.}  without its ending    {//}  what stands before it, . for nothing
//! {#}  its place in the list {/.}  {/} without its ending
//! ```
//!
//! Invariant: an item is one argument or a part of one, whatever is in it; no shell reads it. The program is looked up
//! once, before anything runs.
//!
//! Knows nothing of how a command is run, nor of what became of it.

use std::{
    env,
    ffi::{OsStr, OsString},
    io,
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::PermissionsExt,
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
};

use thiserror::Error;

/// What stands for the item, or for a part of it.
const PLACES: [&str; 6] = ["{}", "{.}", "{/}", "{//}", "{/.}", "{#}"];

/// Why a command line can't be run for any item.
#[derive(Debug, Error)]
pub(crate) enum CommandError {
    /// No such program.
    #[error("command {name:?} was not found in any directory of PATH; install it, or give its path")]
    NotFound {
        /// As it was given.
        name: String,
    },
    /// A path that can't be run.
    #[error("command {name:?} can't be run: {source}")]
    NotRunnable {
        /// As it was given.
        name: String,
        /// Why.
        source: io::Error,
    },
}

/// A command line with a place for the item.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    /// The program and its arguments as given; without any `{}`, the item comes last.
    words: Vec<String>,
    /// The program's path; `None` if its name depends on the item.
    program: Option<PathBuf>,
    appends: bool,
}

impl Template {
    /// Reads a command line of at least one word, and looks its program up.
    pub(crate) fn new(words: &[String]) -> Result<Template, CommandError> {
        let name = &words[0];
        let program = if has_place(name) { None } else { Some(look_up(name, env::var_os("PATH").as_deref())?) };
        let appends = !words.iter().any(|word| has_place(word));
        Ok(Template { words: words.to_vec(), program, appends })
    }

    /// Whether a command that can't be started says something about its item, rather than about all.
    pub(crate) fn program_depends_on_item(&self) -> bool {
        self.program.is_none()
    }

    /// The words of the command for an item, to be shown.
    pub(crate) fn words(&self, item: &[u8], place: u64) -> Vec<Vec<u8>> {
        let mut words: Vec<Vec<u8>> = self.words.iter().map(|word| filled(word, item, place)).collect();
        words.extend(self.appends.then(|| item.to_owned()));
        words
    }

    /// The command for an item, which is the one at `place` of the list, from 1.
    pub(crate) fn command(&self, item: &[u8], place: u64) -> Command {
        let name = &self.words[0];
        let mut command = match &self.program {
            Some(program) => {
                let mut command = Command::new(program);
                // A program may act by the name it is called by.
                command.arg0(name);
                command
            }
            None => Command::new(OsString::from_vec(filled(name, item, place))),
        };
        for word in &self.words[1..] {
            if has_place(word) {
                command.arg(OsString::from_vec(filled(word, item, place)));
            } else {
                command.arg(word);
            }
        }
        if self.appends {
            command.arg(OsStr::from_bytes(item));
        }
        command
    }
}

fn has_place(word: &str) -> bool {
    PLACES.iter().any(|place| word.contains(place))
}

/// A word with the item in its places. What the item brings in is not looked at again.
fn filled(word: &str, item: &[u8], place: u64) -> Vec<u8> {
    let (mut filled, mut rest) = (Vec::with_capacity(word.len() + item.len()), word);
    while let Some(at) = rest.find('{') {
        filled.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at..];
        match PLACES.iter().find(|mark| rest.starts_with(**mark)) {
            Some(mark) => {
                let (dir, name) = split_at_last(b'/', item).unwrap_or((b".", item));
                match *mark {
                    "{.}" => filled.extend_from_slice(without_ending(item)),
                    "{/}" => filled.extend_from_slice(name),
                    "{//}" => filled.extend_from_slice(if dir.is_empty() { b"/" } else { dir }),
                    "{/.}" => filled.extend_from_slice(without_ending(name)),
                    "{#}" => filled.extend_from_slice(place.to_string().as_bytes()),
                    _ => filled.extend_from_slice(item),
                }
                rest = &rest[mark.len()..];
            }
            None => {
                filled.push(b'{');
                rest = &rest[1..];
            }
        }
    }
    filled.extend_from_slice(rest.as_bytes());
    filled
}

/// What stands before and behind the last such byte.
fn split_at_last(byte: u8, item: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = item.iter().rposition(|other| *other == byte)?;
    Some((&item[..at], &item[at + 1..]))
}

/// `a/b.tar` of `a/b.tar.gz`. A name that begins with its only dot, or has it in a directory, has no ending.
fn without_ending(item: &[u8]) -> &[u8] {
    match split_at_last(b'.', item) {
        Some((stem, ending)) if !ending.contains(&b'/') && !stem.is_empty() && !stem.ends_with(b"/") => stem,
        Some(_) | None => item,
    }
}

/// Finds a program as a shell would: a name with a slash is a path, any other is looked for in PATH.
fn look_up(name: &str, path: Option<&OsStr>) -> Result<PathBuf, CommandError> {
    if name.contains('/') {
        return match runnable(Path::new(name)) {
            Ok(()) => Ok(PathBuf::from(name)),
            Err(source) => Err(CommandError::NotRunnable { name: name.to_owned(), source }),
        };
    }
    let mut refused = None;
    for dir in env::split_paths(path.unwrap_or(OsStr::from_bytes(b"/usr/local/bin:/usr/bin:/bin"))) {
        // An empty entry of PATH is the current directory.
        let at = if dir.as_os_str().is_empty() { Path::new(".").join(name) } else { dir.join(name) };
        match runnable(&at) {
            Ok(()) if !name.is_empty() => return Ok(at),
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => refused = Some(e),
            Ok(()) | Err(_) => {}
        }
    }
    match refused {
        Some(source) => Err(CommandError::NotRunnable { name: name.to_owned(), source }),
        None => Err(CommandError::NotFound { name: name.to_owned() }),
    }
}

fn runnable(path: &Path) -> io::Result<()> {
    let meta = path.metadata()?;
    if meta.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory"));
    }
    if meta.permissions().mode() & 0o111 == 0 {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is not executable; `chmod +x` makes it so"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
