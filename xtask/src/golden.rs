//! A new golden store: what today's code writes for the commits of `crates/milepost/tests/it/golden.rs`.
//!
//! Written by that test itself, which knows the commits; a folder that is there is never written again.

use std::{path::Path, process::Command};

/// Has the test write the folder `name` of `crates/milepost/tests/golden`.
pub(crate) fn write(root: &Path, name: &str) -> Result<(), String> {
    let is_name = name.strip_prefix('v').is_some_and(|version| version.parse::<u32>().is_ok());
    if !is_name {
        return Err(format!("{name:?} names no format; write, for instance, v2"));
    }
    let mut test = Command::new(env!("CARGO"));
    test.args(["test", "-p", "milepost", "--test", "it", "golden::what_is_written_today"]);
    let status = test.env("MILEPOST_GOLDEN", name).current_dir(root).status();
    match status.map_err(|error| format!("cargo: {error}"))?.success() {
        true => Ok(()),
        false => Err("the test says why; TODAY in it names the folder it compares with".to_owned()),
    }
}
