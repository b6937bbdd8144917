//! The command line: a template in which `{}` stands for the item, and the program it names.
//!
//! Invariant: an item is one argument or a part of one, whatever is in it; no shell reads it. The program is looked up
//! once, before anything runs.
//!
//! Knows nothing of how a command is run, nor of what became of it.

use std::{
    env, io,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::Command,
};

use thiserror::Error;

/// What stands for the item.
const PLACE: &str = "{}";

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
        let program = if name.contains(PLACE) { None } else { Some(look_up(name, env::var_os("PATH").as_deref())?) };
        let appends = !words.iter().any(|word| word.contains(PLACE));
        Ok(Template { words: words.to_vec(), program, appends })
    }

    /// Whether a command that can't be started says something about its item, rather than about all.
    pub(crate) fn program_depends_on_item(&self) -> bool {
        self.program.is_none()
    }

    /// The command for an item.
    pub(crate) fn command(&self, item: &str) -> Command {
        let name = &self.words[0];
        let mut command = match &self.program {
            Some(program) => {
                let mut command = Command::new(program);
                // A program may act by the name it is called by.
                command.arg0(name);
                command
            }
            None => Command::new(name.replace(PLACE, item)),
        };
        for word in &self.words[1..] {
            if word.contains(PLACE) {
                command.arg(word.replace(PLACE, item));
            } else {
                command.arg(word);
            }
        }
        if self.appends {
            command.arg(item);
        }
        command
    }
}

/// Finds a program as a shell would: a name with a slash is a path, any other is looked for in PATH.
fn look_up(name: &str, path: Option<&std::ffi::OsStr>) -> Result<PathBuf, CommandError> {
    if name.contains('/') {
        return match runnable(Path::new(name)) {
            Ok(()) => Ok(PathBuf::from(name)),
            Err(source) => Err(CommandError::NotRunnable { name: name.to_owned(), source }),
        };
    }
    let mut refused = None;
    for dir in env::split_paths(path.unwrap_or(std::ffi::OsStr::from_bytes(b"/usr/local/bin:/usr/bin:/bin"))) {
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
