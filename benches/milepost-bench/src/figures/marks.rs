//! Bytes on disk for a mark on a file: key = path, value of one byte, a thousand to a commit.
//!
//! Counted on the files themselves, up to their last byte that is not zero: everything that a mark costs, headers of
//! frames and segments included.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use milepost_types::Scope;

use crate::{
    bench::Bench,
    figure::{Aim, Figure, Row, Sample, Unit},
    store,
};

const NAMES: [&str; 1] = ["engine::commit/marks=1000"];
const TREE: &str = "/usr/share/doc";
const MARKS_PER_COMMIT: usize = 1000;
/// The tree is marked by so many jobs, so that what a store costs once does not count for much.
const JOBS: u64 = 20;

/// Bytes beyond the unshared part of the path.
pub(crate) const MARKS: Figure = Figure { names: &NAMES, run };

fn run(bench: &Bench) -> io::Result<Vec<Row>> {
    let mut paths = Vec::new();
    walk(Path::new(TREE), &mut paths)?;
    if paths.is_empty() {
        eprintln!("  left out: there are no files in {TREE}");
        return Ok(Vec::new());
    }
    let jobs = if bench.smoke { 1 } else { JOBS };
    let marks = (paths.len() as u64 * jobs) as f64;
    let unshared: usize = paths.chunks(MARKS_PER_COMMIT).map(unshared_bytes).sum();
    let raw: usize = paths.iter().map(|path| path.len() + 1).sum();
    let turns = bench.take_turns(&mut [
        Box::new(|| {
            let bytes = mark_all(bench, &paths, jobs)?;
            Ok(Sample::value((bytes as f64 - (unshared as u64 * jobs) as f64) / marks))
        }),
        Box::new(|| Ok(Sample::value((raw - unshared) as f64 / paths.len() as f64))),
    ])?;
    Ok(vec![Row {
        name: NAMES[0],
        unit: Unit::Bytes,
        aim: Aim { at_most: Some(8.0), ..Aim::default() },
        measured: turns.samples[0],
        baseline: Some(("path and value alone".to_owned(), turns.samples[1])),
        conditions: turns.conditions,
    }])
}

/// Marks the paths in a new store and counts the bytes of its log.
fn mark_all(bench: &Bench, paths: &[String], jobs: u64) -> io::Result<u64> {
    store::with(bench, |engine, dir| {
        for job in 0..jobs {
            let scope = Scope::parse(&format!("job/checksum-{job:02}")).map_err(io::Error::other)?;
            for paths in paths.chunks(MARKS_PER_COMMIT) {
                let mut request = engine.request();
                for path in paths {
                    request.add_set(&scope, path, b"1").map_err(io::Error::other)?;
                }
                let _receipt = engine.commit(request).map_err(io::Error::other)?;
            }
        }
        written_bytes(dir)
    })
}

/// The bytes of a path that the one before it does not begin with.
fn unshared_bytes(paths: &[String]) -> usize {
    let shared = |pair: &[String]| pair[0].bytes().zip(pair[1].bytes()).take_while(|(a, b)| a == b).count();
    paths.iter().map(String::len).sum::<usize>() - paths.windows(2).map(shared).sum::<usize>()
}

/// The bytes in the segments of a store, without the zeros at their ends.
fn written_bytes(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for segment in store::segments(dir)? {
        let content = fs::read(segment)?;
        bytes += content.iter().rposition(|&byte| byte != 0).map_or(0, |last| last as u64 + 1);
    }
    Ok(bytes)
}

/// All files below a directory as `find` lists them: not sorted, a directory when it is met, links not followed.
fn walk(dir: &Path, paths: &mut Vec<String>) -> io::Result<()> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let (kind, path): (_, PathBuf) = (entry.file_type()?, entry.path());
        if kind.is_dir() {
            walk(&path, paths)?;
        } else if let Some(path) = path.to_str().filter(|_| kind.is_file()) {
            paths.push(path.to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
