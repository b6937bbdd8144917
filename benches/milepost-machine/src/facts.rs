//! What the numbers were measured on, in one line: processor, cores, memory, file system, kernel.
//!
//! Invariant: what can't be found out says "unknown".

use std::{fs, path::Path, thread};

/// The machine line.
pub fn describe(dir: &Path) -> String {
    let cores = thread::available_parallelism().map_or_else(|_| unknown(), |count| count.to_string());
    let processor = line_of("/proc/cpuinfo", "model name").map_or_else(unknown, after_colon);
    let memory = line_of("/proc/meminfo", "MemTotal").and_then(gibibytes).unwrap_or_else(unknown);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").map_or_else(|_| unknown(), |text| text.trim().into());
    format!("{cores} cores, {processor}, memory {memory}, file system {}, kernel {kernel}", file_system(dir))
}

/// The type of the file system that holds a directory.
pub fn file_system(dir: &Path) -> String {
    let (Ok(mounts), Ok(dir)) = (fs::read_to_string("/proc/self/mounts"), dir.canonicalize()) else { return unknown() };
    deepest_mount(&mounts, &dir).unwrap_or_else(unknown)
}

/// The type of the mount that holds `dir`: the one with the longest path, the later of two at the same place.
fn deepest_mount(mounts: &str, dir: &Path) -> Option<String> {
    let mut deepest: Option<(usize, &str)> = None;
    for line in mounts.lines() {
        let mut fields = line.split(' ').skip(1);
        let (Some(place), Some(kind)) = (fields.next(), fields.next()) else { continue };
        if dir.starts_with(place) && deepest.is_none_or(|(length, _)| place.len() >= length) {
            deepest = Some((place.len(), kind));
        }
    }
    deepest.map(|(_, kind)| kind.to_owned())
}

fn line_of(file: &str, start: &str) -> Option<String> {
    fs::read_to_string(file).ok()?.lines().find(|line| line.starts_with(start)).map(str::to_owned)
}

fn after_colon(line: String) -> String {
    line.split_once(':').map_or_else(unknown, |(_, rest)| rest.trim().to_owned())
}

fn gibibytes(line: String) -> Option<String> {
    let kibibytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(format!("{:.1} GiB", kibibytes / f64::from(1 << 20)))
}

fn unknown() -> String {
    "unknown".to_owned()
}

#[cfg(test)]
mod tests;
