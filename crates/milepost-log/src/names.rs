//! The names of the log's files.
//!
//! ```text
//! log/0000000017.seg                 segment 17
//! log/0000000017-2.seg               the same, or more from 17 on, as it was written anew
//! log/new-0000000018.tmp             a segment being created
//! log/new-0000000017-2.tmp           a segment being written anew
//! log/spare-3.tmp                    the file of a dropped segment, to become one again
//! quarantine/0000000017-4096-9.bytes what recovery cut from segment 17 at byte 4096, in epoch 9
//! ```

use std::path::{Path, PathBuf};

use crate::{SegmentId, SegmentName};

/// What a name in the log's directory stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogName {
    Segment(SegmentName),
    /// A file that never became a segment: nothing in it is needed.
    Unfinished,
    /// Not a name of the log's.
    Stray,
}

pub(crate) fn log_dir(dir: &Path) -> PathBuf {
    dir.join("log")
}

pub(crate) fn quarantine_dir(dir: &Path) -> PathBuf {
    dir.join("quarantine")
}

pub(crate) fn segment(log_dir: &Path, name: SegmentName) -> PathBuf {
    log_dir.join(format!("{name}.seg"))
}

pub(crate) fn first_written(id: SegmentId) -> SegmentName {
    SegmentName { id, generation: 0 }
}

pub(crate) fn new_segment(log_dir: &Path, name: SegmentName) -> PathBuf {
    log_dir.join(format!("new-{name}.tmp"))
}

pub(crate) fn spare(log_dir: &Path, number: u64) -> PathBuf {
    log_dir.join(format!("spare-{number}.tmp"))
}

pub(crate) fn quarantined(dir: &Path, id: SegmentId, offset: u64, epoch: u32) -> PathBuf {
    quarantine_dir(dir).join(format!("{id}-{offset}-{epoch}.bytes"))
}

/// Reads a name. Only the exact spelling counts, so that no two names mean the same segment.
pub(crate) fn parse(name: &str) -> LogName {
    if let Some(stem) = name.strip_suffix(".seg")
        && let (id, generation) = stem.split_once('-').unwrap_or((stem, "0"))
        && let (Ok(id), Ok(generation)) = (id.parse().map(SegmentId), generation.parse())
        && id >= SegmentId::FIRST
        && (SegmentName { id, generation }).to_string() == stem
    {
        return LogName::Segment(SegmentName { id, generation });
    }
    let unfinished = name
        .strip_suffix(".tmp")
        .and_then(|stem| stem.strip_prefix("new-").or_else(|| stem.strip_prefix("spare-")))
        .is_some_and(|number| {
            let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            number.split_once('-').map_or(is_number(number), |(id, generation)| is_number(id) && is_number(generation))
        });
    if unfinished { LogName::Unfinished } else { LogName::Stray }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_names_are_the_logs() {
        for (name, expected) in [
            ("0000000017.seg", LogName::Segment(SegmentName { id: SegmentId(17), generation: 0 })),
            ("0000000017-3.seg", LogName::Segment(SegmentName { id: SegmentId(17), generation: 3 })),
            ("0000000017-0.seg", LogName::Stray),
            ("0000000017-03.seg", LogName::Stray),
            ("0000000017-.seg", LogName::Stray),
            ("0000000017-1-2.seg", LogName::Stray),
            ("new-0000000018-2.tmp", LogName::Unfinished),
            ("new-0000000018-.tmp", LogName::Stray),
            ("12345678901.seg", LogName::Segment(SegmentName { id: SegmentId(12_345_678_901), generation: 0 })),
            ("0000000000.seg", LogName::Stray),
            ("17.seg", LogName::Stray),
            ("00000000017.seg", LogName::Stray),
            ("+000000017.seg", LogName::Stray),
            ("99999999999999999999999.seg", LogName::Stray),
            ("0000000017.seg.bak", LogName::Stray),
            ("new-0000000018.tmp", LogName::Unfinished),
            ("spare-3.tmp", LogName::Unfinished),
            ("spare-.tmp", LogName::Stray),
            ("spare-x.tmp", LogName::Stray),
            ("notes.tmp", LogName::Stray),
            ("", LogName::Stray),
        ] {
            assert_eq!(parse(name), expected, "{name}");
        }
    }
}
