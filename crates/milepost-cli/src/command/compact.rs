//! `milepost compact`: what retention does not keep leaves the files, now.

use std::process::ExitCode;

use milepost::{Compacted, SegmentFate, SegmentKind, SegmentSurvey, Seq};

use super::Context;
use crate::{
    error::CliError,
    output::Out,
    progress::Bytes,
    render::{Object, Row, Rows, Screen},
};

/// Take out of the files what retention does not keep any more, now and all of it.
///
/// A store that stays open does so by itself, as far as it is worth it; this is for when you don't want to wait: after
/// an erasure, or on a store that is only opened for moments. What goes: versions that no policy keeps (`milepost
/// retain explain`), and what was erased. What is held, named by a checkpoint, or read through a fork stays. A moment
/// before the horizon can't be read any more; all else answers as before. Prints how many bytes of files went and came.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  milepost compact
  milepost compact --dry-run                     (what it would do, segment by segment)
  milepost erase user/17 && milepost compact")]
pub(crate) struct CompactArgs {
    /// Change nothing: list the segments of the log, what of each would stay and go, and what would become of it.
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(args: &CompactArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    if args.dry_run {
        let store = context.open_read_only()?;
        let mut rows = Rows::new(out, context.format)?;
        for segment in store.segments()? {
            rows.push(&SegmentRow(segment))?;
        }
        rows.flush()?;
        return Ok(ExitCode::SUCCESS);
    }
    let store = context.open()?;
    let mut bar = Bytes::new("compacting");
    let done = store.compact_with_progress(&mut |done, all| bar.at(done, all))?;
    drop(bar);
    store.close()?;
    let mut rows = Rows::new(out, context.format)?;
    rows.push(&DoneRow(done))?;
    rows.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// A segment, and what would become of it.
struct SegmentRow(SegmentSurvey);

impl SegmentRow {
    fn cells(&self) -> Vec<String> {
        let SegmentSurvey { segment, stays, goes, fate } = &self.0;
        let last = last_seq(&self.0);
        vec![
            segment.name.to_string(),
            kind(segment.kind).to_owned(),
            segment.first_seq.to_string(),
            last.to_string(),
            segment.frames.to_string(),
            segment.file_bytes.to_string(),
            stays.to_string(),
            goes.to_string(),
            fate_text(*fate).to_owned(),
        ]
    }
}

fn last_seq(survey: &SegmentSurvey) -> Seq {
    Seq((survey.segment.first_seq.0 + survey.segment.commits).saturating_sub(1))
}

fn kind(kind: SegmentKind) -> &'static str {
    match kind {
        SegmentKind::Open => "open",
        SegmentKind::Sealed => "sealed",
        SegmentKind::Rewritten => "rewritten",
        SegmentKind::Dropped => "dropped",
    }
}

fn fate_text(fate: SegmentFate) -> &'static str {
    match fate {
        SegmentFate::Stays => "stays",
        SegmentFate::Rewritten => "is rewritten",
        SegmentFate::Dropped => "goes",
    }
}

impl Row for SegmentRow {
    const TABLE: &'static [&'static str] =
        &["SEGMENT", "KIND", "FIRST", "LAST", "COMMITS", "BYTES", "STAYS", "GOES", "FATE"];
    const CSV: &'static [&'static str] =
        &["segment", "kind", "first", "last", "commits", "bytes", "stays", "goes", "fate"];

    fn table(&self, _screen: &Screen) -> Vec<Vec<String>> {
        vec![self.cells()]
    }

    fn csv(&self) -> Vec<Vec<String>> {
        vec![self.cells()]
    }

    fn json(&self, line: &mut Vec<u8>) -> Result<(), CliError> {
        let SegmentSurvey { segment, stays, goes, fate } = &self.0;
        let mut object = Object::begin(line);
        object.put("segment", segment.name.to_string());
        object.put("kind", kind(segment.kind));
        object.put("first", segment.first_seq.0);
        object.put("last", last_seq(&self.0).0);
        object.put("commits", segment.frames);
        object.put("bytes", segment.file_bytes);
        object.put("stays", *stays);
        object.put("goes", *goes);
        object.put("fate", fate_text(*fate));
        object.end();
        Ok(())
    }
}

/// What was done.
struct DoneRow(Compacted);

impl DoneRow {
    fn numbers(&self) -> [(&'static str, u64); 5] {
        let Compacted { dropped, rewritten, bytes_before, bytes_after, runs, .. } = self.0;
        [
            ("dropped", dropped),
            ("rewritten", rewritten),
            ("bytes_before", bytes_before),
            ("bytes_after", bytes_after),
            ("runs", runs),
        ]
    }
}

impl Row for DoneRow {
    const TABLE: &'static [&'static str] = &["DROPPED", "REWRITTEN", "BYTES BEFORE", "BYTES AFTER", "INDEX RUNS"];
    const CSV: &'static [&'static str] = &["dropped", "rewritten", "bytes_before", "bytes_after", "runs"];

    fn table(&self, _screen: &Screen) -> Vec<Vec<String>> {
        self.csv()
    }

    fn csv(&self) -> Vec<Vec<String>> {
        vec![self.numbers().map(|(_, number)| number.to_string()).to_vec()]
    }

    fn json(&self, line: &mut Vec<u8>) -> Result<(), CliError> {
        let mut object = Object::begin(line);
        for (name, number) in self.numbers() {
            object.put(name, number);
        }
        object.end();
        Ok(())
    }
}
