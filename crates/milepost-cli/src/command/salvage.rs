//! `milepost salvage`: what is whole of a damaged store, in a new one.

use std::{path::PathBuf, process::ExitCode};

use milepost::{Corruption, Horizon, Lost, Quarantined, Salvaged, Seq};
use serde_json::{Value, json};

use super::Context;
use crate::{
    error::{CliError, exit},
    escape,
    output::Out,
    progress::Bar,
    render::Object,
    time::utc_text,
};

/// Copy what is whole of a damaged store into a new one, and say exactly what is lost. The damaged store is only read.
///
/// Every commit keeps its seq, its time and its writer. In the place of one that is lost stands a commit that says so:
/// `milepost log '$/lost'` lists them. Keys that were set in lost commits have the values they had before. The damaged
/// bytes are laid into the quarantine directory of the new store. A damaged index loses nothing, see `milepost index
/// rebuild`; if there is a backup, restoring it may lose less.
///
/// From where on the past can be read only MANIFEST says. Where that is damaged, the past of places with a policy can't
/// be read any more in the new store, nor any past if commits are lost too; histories and the newest state can. How far
/// the log went MANIFEST says too: without it whether newer segments are missing nobody knows.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  milepost verify
  milepost salvage salvaged
  milepost log '$/lost' --store salvaged

Exit: 0 if surely no commit is lost and no past is closed, 11 otherwise.")]
pub(crate) struct SalvageArgs {
    /// Where to make the new store: a directory that is empty or not there.
    dest: PathBuf,
    /// Write the report as one JSON object, as -o jsonl does.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &SalvageArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    let is_json = args.json || context.wants_json("salvage", "--json")?;
    let dir = context.dir()?;
    let mut bar = Bar::of_bytes("salvaging");
    let done = milepost::salvage(dir, &args.dest, &mut |done, all| bar.at(done, all))?;
    drop(bar);
    if is_json {
        let mut line = Vec::new();
        object(&done, &mut line);
        out.json(&line)?;
    } else {
        print(&done, out)?;
    }
    out.flush()?;
    Ok(if done.is_whole() { ExitCode::SUCCESS } else { ExitCode::from(exit::LOST) })
}

fn print(done: &Salvaged, out: &mut Out) -> Result<(), CliError> {
    let lost = match done.lost_count() {
        0 if done.is_end_known => "nothing is lost".to_owned(),
        0 => "nothing up to there is lost".to_owned(),
        1 => "1 is lost".to_owned(),
        count => format!("{count} are lost"),
    };
    let commits = if done.commits == 1 { "commit" } else { "commits" };
    out.line(format!("salvaged {} {commits} through seq {}; {lost}", done.commits, done.last.seq).as_bytes())?;
    for Lost { first, last, place } in &done.lost {
        let range = if first == last { format!("seq {first}") } else { format!("seq {first} to {last}") };
        out.line(format!("  lost: {range}: {}", escape::one_line(&at(place))).as_bytes())?;
    }
    for Quarantined { place, bytes, copy } in done.damage.iter().chain(&done.torn) {
        let copied = copy.as_ref().map_or(String::new(), |copy| format!(", copied to {}", copy.display()));
        let what = format!("{}: {bytes} bytes{copied}", at(place));
        out.line(format!("  damage: {}", escape::one_line(&what)).as_bytes())?;
    }
    if !done.is_end_known {
        let why = "how far the log went MANIFEST says, which can't be read";
        out.line(format!("  not known: whether commits came behind seq {}: {why}", done.last.seq).as_bytes())?;
    }
    for Horizon { prefix, seq, .. } in &done.closed {
        let place = prefix.given();
        let why = "what is kept of it MANIFEST alone said";
        out.line(format!("  closed: the past of {place} before seq {seq}: {why}").as_bytes())?;
    }
    Ok(())
}

fn at(place: &Corruption) -> String {
    format!("{}, at byte {} of {}", place.what, place.offset, place.file.display())
}

fn object(done: &Salvaged, line: &mut Vec<u8>) {
    let place = |place: &Corruption| json!({ "file": place.file.display().to_string(), "offset": place.offset, "what": place.what });
    let lost = |lost: &Lost| json!({ "first": lost.first.0, "last": lost.last.0, "place": place(&lost.place) });
    let quarantined = |one: &Quarantined| {
        let copy = one.copy.as_ref().map(|copy| copy.display().to_string());
        json!({ "place": place(&one.place), "bytes": one.bytes, "copy": copy })
    };
    let mut object = Object::begin(line);
    object.put("store", &*done.store);
    object.put("commits", done.commits);
    object.put("last", done.last.seq.0);
    if done.last.seq > Seq::ZERO {
        object.put("at", utc_text(done.last.at));
    }
    object.put("lost_count", done.lost_count());
    object.put("lost", done.lost.iter().map(lost).collect::<Vec<Value>>());
    object.put("damage", done.damage.iter().map(quarantined).collect::<Vec<Value>>());
    let closed = |of: &Horizon| json!({ "prefix": of.prefix.as_str(), "seq": of.seq.0, "at": utc_text(of.at) });
    object.put("closed", done.closed.iter().map(closed).collect::<Vec<Value>>());
    object.put("end_known", done.is_end_known);
    object.put("torn", done.torn.as_ref().map_or(Value::Null, quarantined));
    object.end();
}
