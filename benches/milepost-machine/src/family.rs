//! This process and all that it started, directly or not: an engine may be a server.
//!
//! Invariant: what can't be found out is left out.

use std::{fs, process};

/// Their ids, this process's first.
pub fn pids() -> Vec<u32> {
    below(process::id())
}

/// A process and all that it started and that are there.
pub fn below(root: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = all().into_iter().filter_map(|pid| Some((pid, parent_of(pid)?))).collect();
    let (mut found, mut looked_at) = (vec![root], 0);
    while let Some(&parent) = found.get(looked_at) {
        found.extend(parents.iter().filter(|(_, its)| *its == parent).map(|(pid, _)| *pid));
        looked_at += 1;
    }
    found
}

fn all() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn parent_of(pid: u32) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program is in parentheses and may hold anything; the second field behind it is the parent.
    let (_, fields) = text.rsplit_once(')')?;
    fields.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests;
