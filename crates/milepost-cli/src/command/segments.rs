//! What is live and what is dead of each segment of the log, and what becomes of it: of `compact --dry-run` and of
//! `stats --segments`.

use std::process::ExitCode;

use milepost::{SegmentFate, SegmentKind, SegmentSurvey, Seq};

use super::Context;
use crate::{
    args::Format,
    error::CliError,
    output::Out,
    progress::Bar,
    render::{Object, Row, Rows, Screen},
};

pub(super) fn run(context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    let store = context.open_read_only()?;
    let mut bar = Bar::of_versions("counting");
    let segments = store.segments_with_progress(&mut |seen, all| bar.at(seen, all))?;
    drop(bar);
    let all = Line::All {
        file: segments.iter().map(|of| of.segment.file_bytes).sum(),
        live: segments.iter().map(SegmentSurvey::live_bytes).sum(),
        dead: segments.iter().map(SegmentSurvey::dead_bytes).sum(),
        by_itself: segments.iter().map(SegmentSurvey::gain_by_itself).sum(),
    };
    let mut rows = Rows::new(out, context.format)?;
    for segment in segments {
        rows.push(&Line::Segment(Box::new(segment)))?;
    }
    // Programs add for themselves.
    if context.format == Format::Table {
        rows.push(&all)?;
    }
    rows.flush()?;
    Ok(ExitCode::SUCCESS)
}

enum Line {
    Segment(Box<SegmentSurvey>),
    /// For people: bytes of all of them, and how many the store would gain by itself.
    All {
        file: u64,
        live: u64,
        dead: u64,
        by_itself: u64,
    },
}

impl Line {
    fn cells(&self) -> Vec<String> {
        match self {
            Line::Segment(survey) => cells(survey),
            Line::All { file, live, dead, by_itself } => {
                let bytes = [*file, *live, *dead].map(|bytes| bytes.to_string());
                let gain = [format!("{dead} bytes go"), format!("{by_itself} bytes go")];
                let blank = |count| vec![String::new(); count];
                [vec!["all".to_owned()], blank(4), bytes.to_vec(), blank(2), gain.to_vec()].concat()
            }
        }
    }
}

fn cells(survey: &SegmentSurvey) -> Vec<String> {
    let SegmentSurvey { segment, stays, goes, fate, by_itself } = survey;
    vec![
        segment.name.to_string(),
        kind(segment.kind).to_owned(),
        segment.first_seq.to_string(),
        last_seq(survey).to_string(),
        segment.frames.to_string(),
        segment.file_bytes.to_string(),
        survey.live_bytes().to_string(),
        survey.dead_bytes().to_string(),
        stays.to_string(),
        goes.to_string(),
        fate_text(*fate).to_owned(),
        fate_text(*by_itself).to_owned(),
    ]
}

fn last_seq(survey: &SegmentSurvey) -> Seq {
    Seq((survey.segment.first_seq.0 + survey.segment.commits).saturating_sub(1))
}

fn kind(kind: SegmentKind) -> &'static str {
    match kind {
        SegmentKind::Open => "open",
        SegmentKind::Sealed => "sealed",
        SegmentKind::Rewritten => "rewritten",
        SegmentKind::Cold => "cold",
        SegmentKind::Dropped => "dropped",
    }
}

fn fate_text(fate: SegmentFate) -> &'static str {
    match fate {
        SegmentFate::Stays => "stays",
        SegmentFate::Rewritten => "is rewritten",
        SegmentFate::Cold => "becomes cold",
        SegmentFate::Dropped => "goes",
    }
}

impl Row for Line {
    const TABLE: &'static [&'static str] =
        &["SEGMENT", "KIND", "FIRST", "LAST", "COMMITS", "BYTES", "LIVE", "DEAD", "STAYS", "GOES", "FATE", "BY ITSELF"];
    const CSV: &'static [&'static str] = &[
        "segment",
        "kind",
        "first",
        "last",
        "commits",
        "bytes",
        "live_bytes",
        "dead_bytes",
        "stays",
        "goes",
        "fate",
        "by_itself",
    ];

    fn table(&self, _screen: &Screen) -> Vec<Vec<String>> {
        vec![self.cells()]
    }

    fn csv(&self) -> Vec<Vec<String>> {
        vec![self.cells()]
    }

    fn json(&self, line: &mut Vec<u8>) -> Result<(), CliError> {
        let mut object = Object::begin(line);
        match self {
            Line::Segment(survey) => {
                let SegmentSurvey { segment, stays, goes, fate, by_itself } = &**survey;
                object.put("segment", segment.name.to_string());
                object.put("kind", kind(segment.kind));
                object.put("first", segment.first_seq.0);
                object.put("last", last_seq(survey).0);
                object.put("commits", segment.frames);
                object.put("bytes", segment.file_bytes);
                object.put("live_bytes", survey.live_bytes());
                object.put("dead_bytes", survey.dead_bytes());
                object.put("stays", *stays);
                object.put("goes", *goes);
                object.put("fate", fate_text(*fate));
                object.put("by_itself", fate_text(*by_itself));
            }
            Line::All { file, live, dead, .. } => {
                object.put("bytes", *file);
                object.put("live_bytes", *live);
                object.put("dead_bytes", *dead);
            }
        }
        object.end();
        Ok(())
    }
}
