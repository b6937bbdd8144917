//! Which store is meant: the one named, else `.milepost` here or in the nearest directory above.

use std::{
    env, io,
    path::{Path, PathBuf},
};

use crate::error::CliError;

/// The name of a store that is found without being named.
const NAME: &str = ".milepost";

/// The store named by MILEPOST_STORE. Set to nothing, it names none.
pub(crate) fn from_environment() -> Option<PathBuf> {
    env::var_os("MILEPOST_STORE").filter(|named| !named.is_empty()).map(PathBuf::from)
}

/// The store to read from.
pub(crate) fn existing(named: Option<&Path>) -> Result<PathBuf, CliError> {
    if let Some(named) = named {
        return leading_somewhere(named);
    }
    let here = here()?;
    found_from(&here).ok_or_else(|| {
        CliError::NoStore(format!(
            "there is no store: no {NAME} in {} or a directory above it; name one with --store DIR or MILEPOST_STORE, \
             or make one by a first `milepost set SCOPE KEY VALUE`",
            here.display()
        ))
    })
}

/// The store to write to; where none is found, a new one here.
pub(crate) fn for_writing(named: Option<&Path>) -> Result<PathBuf, CliError> {
    if let Some(named) = named {
        return leading_somewhere(named);
    }
    let here = here()?;
    Ok(found_from(&here).unwrap_or_else(|| here.join(NAME)))
}

/// A link whose end is not there leads to no store, and none can be made in its place.
fn leading_somewhere(named: &Path) -> Result<PathBuf, CliError> {
    match named.read_link() {
        Ok(target) if !named.exists() => Err(CliError::NoStore(format!(
            "there is no store: {} is a link to {}, which is not there; mount or make that, or name another store",
            named.display(),
            target.display()
        ))),
        Ok(_) | Err(_) => Ok(named.to_path_buf()),
    }
}

fn found_from(here: &Path) -> Option<PathBuf> {
    here.ancestors().map(|dir| dir.join(NAME)).find(|place| place.is_dir())
}

fn here() -> Result<PathBuf, CliError> {
    env::current_dir().map_err(|error: io::Error| {
        CliError::NoStore(format!("the current directory can't be told ({error}); name a store with --store DIR"))
    })
}
