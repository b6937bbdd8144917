//! `milepost verify`: reads every byte of a store and says what it finds. Changes nothing.

use std::process::ExitCode;

use milepost::{Report, Verdict};
use serde_json::json;

use super::Context;
use crate::{
    each::HANDOVER,
    error::{CliError, exit},
    escape,
    output::Out,
    progress::Bar,
    render::{Object, damage_json},
    time::utc_text,
};

/// Read every byte of the store, check it, and say what was found. Changes nothing, and works beside a writer.
///
/// The bytes that it counts are those of the commits' bodies: what was said, without what keeps it safe.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  milepost verify
  milepost verify --store backup --json

Exit: 0 clean, 3 a torn tail (the remains of an unacknowledged write; the next writer moves them to quarantine), 4 damage.")]
pub(crate) struct VerifyArgs {
    /// Write the report as one JSON object, as -o jsonl does.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &VerifyArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    let dir = context.dir()?;
    if !dir.exists() {
        let dir = dir.display();
        return Err(CliError::NoStore(format!(
            "there is no store at {dir}; name one with --store DIR or MILEPOST_STORE"
        )));
    }
    let is_json = args.json || context.wants_json("verify", "--json")?;
    let mut bar = Bar::of_bytes("verifying");
    let mut report = milepost::verify(dir, &mut |done, all| bar.at(done, all))?;
    report.strays.retain(|name| name != HANDOVER);
    drop(bar);
    if is_json {
        let mut line = Vec::new();
        object(&report, &mut line);
        out.json(&line)?;
    } else {
        print(out, &report)?;
    }
    out.flush()?;
    Ok(match report.verdict {
        Verdict::Clean => ExitCode::SUCCESS,
        Verdict::TornTail { .. } => ExitCode::from(exit::TORN),
        Verdict::Corrupt(_) => ExitCode::from(exit::CORRUPT),
    })
}

fn print(out: &mut Out, report: &Report) -> Result<(), CliError> {
    let range = if report.commits == 0 {
        "no commits".to_owned()
    } else {
        let (commits, events) = (count(report.commits, "commit"), count(report.events, "event"));
        format!("{commits} (seq {} to {}), {events}", report.first, report.last)
    };
    let files = format!("{}, {}", count(report.segments, "segment"), count(report.runs, "run"));
    let size = format!("{files}, {}", count(report.bytes, "byte"));
    let verdict = match &report.verdict {
        Verdict::Clean => "clean",
        Verdict::TornTail { .. } => "torn tail",
        Verdict::Corrupt(_) => "damaged",
    };
    out.line(format!("{verdict}: {range}, {size}").as_bytes())?;
    match &report.verdict {
        Verdict::Clean => {}
        Verdict::TornTail { file, offset, bytes } => {
            let file = escape::one_line(&file.display().to_string());
            let what = format!(
                "  {file}: {bytes} bytes from byte {offset} on are the remains of a write that was never acknowledged; \
                 the next writer moves them to quarantine"
            );
            out.line(what.as_bytes())?;
        }
        Verdict::Corrupt(damage) => {
            for one in damage {
                out.line(format!("  {}", escape::one_line(&one.to_string())).as_bytes())?;
            }
        }
    }
    for run in &report.missing_runs {
        let run = escape::one_line(run);
        let what = format!("  {run} is missing: no damage, the next writer makes the index anew from the log");
        out.line(what.as_bytes())?;
    }
    for stray in &report.strays {
        out.line(format!("  ignored, not of this store: {}", escape::one_line(stray)).as_bytes())?;
    }
    if let Some(holder) = &report.held {
        out.line(format!("  held by {holder}: what it writes now is not judged").as_bytes())?;
    }
    Ok(())
}

fn count(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn object(report: &Report, line: &mut Vec<u8>) {
    let mut object = Object::begin(line);
    let verdict = match &report.verdict {
        Verdict::Clean => "clean",
        Verdict::TornTail { .. } => "torn_tail",
        Verdict::Corrupt(_) => "corrupt",
    };
    object.put("verdict", verdict);
    object.put("commits", report.commits);
    object.put("events", report.events);
    object.put("segments", report.segments);
    object.put("runs", report.runs);
    object.put("bytes", report.bytes);
    object.put("first", report.first.0);
    object.put("last", report.last.0);
    if report.commits > 0 {
        object.put("last_at", utc_text(report.last_at));
    }
    match &report.verdict {
        Verdict::TornTail { file, offset, bytes } => {
            object.put("torn", json!({ "file": file.display().to_string(), "offset": offset, "bytes": bytes }));
        }
        Verdict::Corrupt(damage) => object.put("damage", damage.iter().map(damage_json).collect::<Vec<_>>()),
        Verdict::Clean => {}
    }
    object.put("missing_runs", &*report.missing_runs);
    object.put("strays", &*report.strays);
    if let Some(holder) = &report.held {
        object.put("held", json!({ "pid": holder.pid, "host": holder.host, "since": utc_text(holder.since) }));
    }
    object.end();
}
