//! The process that is killed: writes commits, says which are acknowledged, and never ends by itself.
//!
//! Invariant: a commit is told only after the engine said that it is durable, and the next one begins at once: the kill
//! meets the engine at work.

use std::{
    fs,
    io::{self, BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};

use crate::{
    bench::Bench,
    data::{Data, Source},
    options::Victim,
    peers::Kind,
};

/// Writes until it is killed, or until nobody listens any more.
pub(crate) fn write(options: &Victim) -> io::Result<()> {
    let data = Data { scopes: options.scopes, versions: 1 };
    let peer = (options.engine.open)(&options.store)?;
    let (mut events, mut told) = (Vec::new(), io::stdout().lock());
    for commit in peer.last()? + 1.. {
        data.fill(commit, &mut events);
        peer.commit(commit, &events)?;
        writeln!(told, "{commit}")?;
        told.flush()?;
    }
    Ok(())
}

/// Has a process write at least the commits of `data` to a new store, and kills it; the last commit it acknowledged.
pub(crate) fn kill_one(bench: &Bench, kind: &Kind, dir: &Path, data: Data) -> io::Result<u64> {
    fs::create_dir(dir)?;
    kill_behind(bench, kind, dir, data, data.commits())
}

/// Commits that a process makes of a store that is full already, before it is killed.
const COMMITS_MORE: u64 = 100;

/// The same, of a store that holds all commits of `data`: some more are written.
pub(crate) fn kill_while_writing(bench: &Bench, kind: &Kind, dir: &Path, data: Data) -> io::Result<u64> {
    kill_behind(bench, kind, dir, data, data.commits() + COMMITS_MORE)
}

fn kill_behind(bench: &Bench, kind: &Kind, dir: &Path, data: Data, commits: u64) -> io::Result<u64> {
    let mut command = Command::new(&bench.program);
    command.args(["victim", "--engine", kind.name, "--scopes", &data.scopes.to_string(), "--store"]).arg(dir);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let stdout = child.stdout.take().ok_or_else(|| io::Error::other("the child has no output"))?;
    let (mut last, mut killed) = (0, false);
    for line in BufReader::new(stdout).lines() {
        last = line?.parse().map_err(io::Error::other)?;
        if last >= commits && !killed {
            (kind.kill)(&mut child, dir)?;
            killed = true;
        }
    }
    let status = child.wait()?;
    if !killed {
        return Err(io::Error::other(format!("{} ended by itself after commit {last}: {status}", kind.name)));
    }
    Ok(last)
}
