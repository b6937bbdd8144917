//! `milepost retain explain`: what goes of a place, when, and why.

use std::{ffi::OsString, time::Duration};

use milepost::{Explanation, Horizon};
use serde_json::json;

use super::{Context, prefix_given, retain::policy_text};
use crate::{
    error::CliError,
    escape,
    output::Out,
    render::{Object, Row, Rows, Screen},
    time::{duration_text, screen_text, utc_text},
};

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  milepost retain explain task/etl/load
  milepost retain explain / -o jsonl")]
pub(super) struct ExplainArgs {
    /// A scope, or where scopes begin; / for every scope.
    prefix: OsString,
}

pub(super) fn run(args: &ExplainArgs, context: &Context, out: &mut Out) -> Result<(), CliError> {
    let place = prefix_given(&args.prefix)?;
    let store = context.open_read_only()?;
    let told = store.retention().explain(place)?;
    let mut rows = Rows::new(out, context.format)?;
    rows.push(&ExplainRow(told))?;
    rows.flush()
}

/// What is said of a place, one thing a row; one JSON object.
struct ExplainRow(Explanation);

impl ExplainRow {
    fn policy(&self) -> String {
        match &self.0.policy {
            Some(set) => format!("{} (said of {})", policy_text(&set.policy), set.prefix.given_raw()),
            None if self.0.policies_below.is_empty() => "none speaks of it: everything is kept".to_owned(),
            None => "none speaks of all of it".to_owned(),
        }
    }

    fn rows(&self, time: impl Fn(milepost::Timestamp) -> String) -> Vec<Vec<String>> {
        let told = &self.0;
        let horizon = |row: &Option<Horizon>| match row {
            Some(row) => format!("commit {} ({})", row.seq, time(row.at)),
            None => "the first commit".to_owned(),
        };
        let mut rows = vec![["policy", &*self.policy()].map(str::to_owned)];
        for set in &told.policies_below {
            let policy = format!("{} (said of {})", policy_text(&set.policy), set.prefix.given_raw());
            rows.push(["policy below".to_owned(), policy]);
        }
        if told.place.is_root() {
            let time = duration_text(Duration::from_micros(told.idempotency_for_us));
            rows.push(["idempotency keys are remembered for".to_owned(), time]);
        }
        let holds = told.hold.iter().map(|hold| ("hold", hold));
        for (name, hold) in holds.chain(told.holds_below.iter().map(|hold| ("hold below", hold))) {
            let note = hold.note.as_ref().map(|note| format!(": {}", note.as_str())).unwrap_or_default();
            let place = hold.prefix.given_raw();
            rows.push([name.to_owned(), format!("{} (on {place}){note}", hold.name.as_str())]);
        }
        rows.push(["can be read from".to_owned(), horizon(&told.horizon)]);
        rows.push(["after a compaction from".to_owned(), horizon(&told.next_horizon)]);
        rows.push(["older points that stay".to_owned(), told.points.to_string()]);
        if told.ended > 0 {
            let next = told.next_expires_at.map_or_else(|| "never: a hold or a fork keeps it".to_owned(), &time);
            rows.push(["tasks that have ended".to_owned(), told.ended.to_string()]);
            rows.push(["of them kept by a hold or a fork".to_owned(), told.ended_kept.to_string()]);
            rows.push(["the next of them expires at".to_owned(), next]);
        }
        if let Some(above) = &told.ended_above {
            let never = || "never: its own policy, a hold or a fork keeps it".to_owned();
            rows.push(["a task above it has ended".to_owned(), above.task.to_string()]);
            rows.push(["it expires for that at".to_owned(), above.expires_at.map_or_else(never, &time)]);
        }
        if told.erased_held > 0 {
            rows.push(["erased values that wait for a hold".to_owned(), told.erased_held.to_string()]);
        }
        rows.push(["scopes".to_owned(), told.scopes.to_string()]);
        rows.push(["versions".to_owned(), told.versions.to_string()]);
        rows.push(["go with a compaction".to_owned(), told.goes_now.to_string()]);
        let next = told.next_goes_at.map_or_else(|| "no time decides it".to_owned(), time);
        rows.push(["the next one goes at".to_owned(), next]);
        rows.into_iter().map(Vec::from).collect()
    }
}

impl Row for ExplainRow {
    const TABLE: &'static [&'static str] = &["NAME", "VALUE"];
    const CSV: &'static [&'static str] = &["name", "value"];

    fn table(&self, screen: &Screen) -> Vec<Vec<String>> {
        let rows = self.rows(|at| screen_text(at, screen));
        rows.into_iter().map(|row| row.iter().map(|cell| escape::one_line(cell)).collect()).collect()
    }

    fn csv(&self) -> Vec<Vec<String>> {
        self.rows(utc_text)
    }

    fn json(&self, line: &mut Vec<u8>) -> Result<(), CliError> {
        let told = &self.0;
        let mut object = Object::begin(line);
        object.put("prefix", told.place.as_str());
        if let Some(set) = &told.policy {
            object.put("policy_prefix", set.prefix.as_str());
            object.put("policy", policy_text(&set.policy));
            object.put("policy_seq", set.seq.0);
        }
        if let Some(hold) = &told.hold {
            object.put("hold_prefix", hold.prefix.as_str());
            object.put("hold", hold.name.as_str());
            object.put("hold_seq", hold.seq.0);
        }
        if !told.policies_below.is_empty() {
            let below = told.policies_below.iter().map(
                |set| json!({ "prefix": set.prefix.as_str(), "policy": policy_text(&set.policy), "seq": set.seq.0 }),
            );
            object.put("policies_below", below.collect::<Vec<_>>());
        }
        if !told.holds_below.is_empty() {
            let below = told
                .holds_below
                .iter()
                .map(|hold| json!({ "prefix": hold.prefix.as_str(), "hold": hold.name.as_str(), "seq": hold.seq.0 }));
            object.put("holds_below", below.collect::<Vec<_>>());
        }
        for (name, row) in [("horizon", &told.horizon), ("next_horizon", &told.next_horizon)] {
            object.put(name, row.as_ref().map_or(0, |row| row.seq.0));
        }
        if told.place.is_root() {
            object.put("idempotency_for_us", told.idempotency_for_us);
        }
        object.put("points", told.points);
        object.put("scopes", told.scopes);
        object.put("versions", told.versions);
        object.put("goes_now", told.goes_now);
        if told.ended > 0 {
            object.put("ended", told.ended);
            object.put("ended_kept", told.ended_kept);
        }
        if let Some(at) = told.next_expires_at {
            object.put("next_expires_at", utc_text(at));
        }
        if let Some(above) = &told.ended_above {
            object.put("ended_above", above.task.as_str());
            if let Some(at) = above.expires_at {
                object.put("expires_at", utc_text(at));
            }
        }
        if told.erased_held > 0 {
            object.put("erased_held", told.erased_held);
        }
        if let Some(at) = told.next_goes_at {
            object.put("next_goes_at", utc_text(at));
        }
        object.end();
        Ok(())
    }
}
