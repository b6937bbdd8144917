//! `milepost erase`: a key, a scope or all below a prefix goes from every moment of the past.

use std::{ffi::OsString, process::ExitCode};

use serde_json::json;

use super::{Context, key, prefix_given, receipt, retain::writer, scope};
use crate::{
    each::text::counted,
    error::{CliError, say},
    output::Out,
};

/// Erase all that a key, a scope or a prefix ever held, durably, and print the commit's seq.
///
/// No moment of the past shows it from then on. Its bytes leave the files with the next compaction: a store that stays
/// open sees to that by itself, `milepost compact` does it now. The history says that it was erased, when, by whom and
/// how many bytes there were. What a hold keeps is not erased: release the hold first. Forks that were made before read
/// nothing of it either; what was copied by a restore or a commit of its own is another value. Backups that were made
/// before the bytes left the files may hold them still: the places that the store knows are named.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  milepost erase user/17 mail                    (one key)
  milepost erase user/17                         (all keys of the scope)
  milepost erase user/17 --with-below            (and of all scopes below it)
  milepost erase user/17 && milepost compact     (and its bytes leave the files now)
  milepost log --kind erase                      (what was erased, when, by whom)")]
pub(crate) struct EraseArgs {
    /// Whose state.
    scope: OsString,
    /// Only this key.
    #[arg(conflicts_with = "with_below")]
    key: Option<OsString>,
    /// All scopes below it as well.
    #[arg(long)]
    with_below: bool,
    /// Who erases (default: user@host of this process).
    #[arg(long, value_name = "NAME")]
    writer: Option<String>,
}

pub(crate) fn run(args: EraseArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    let by = writer(args.writer.as_deref())?;
    let key = args.key.as_deref().map(key).transpose()?;
    let prefix = prefix_given(&args.scope)?;
    let of = if args.with_below { None } else { Some(scope(&args.scope)?) };
    let store = context.open_existing()?;
    let eraser = store.retention().by(by);
    let erased = match (&of, &key) {
        (Some(scope), Some(key)) => eraser.erase(scope, key.as_str()),
        (Some(scope), None) => eraser.erase_scope(scope),
        (None, _) => eraser.erase_prefix(&prefix),
    }?;
    let place = prefix.given();
    let (values, bytes) = (erased.values, erased.bytes);
    let (values, bytes) = (counted(values, "value is", "values are"), counted(bytes, "byte", "bytes"));
    say(&format!(
        "{values} erased from every moment of {place}, with {bytes}; `milepost compact` takes them out of the files now"
    ));
    if erased.unreadable > 0 {
        let count = erased.unreadable;
        say(&format!(
            "{count} of its values are damaged and not counted; they leave the files with a `milepost salvage`"
        ));
    }
    let quarantine = store.quarantine_kept()?;
    for backup in erased.not_covered.iter().filter(|place| Some(*place) != quarantine.as_ref()) {
        say(&format!("backups in {} are not covered: those made before then may hold them still", backup.display()));
    }
    if let Some(quarantine) = quarantine {
        say(&format!("{} is not covered, since there is a hold: bytes of them may stand there", quarantine.display()));
    }
    let places: Vec<_> = erased.not_covered.iter().map(|place| place.to_string_lossy()).collect();
    let more = [
        ("values", json!(erased.values)),
        ("bytes", json!(erased.bytes)),
        ("unreadable", json!(erased.unreadable)),
        ("not_covered", json!(places)),
    ];
    receipt::tell_more_and_close(out, context, &store, erased.receipt, &more)?;
    Ok(ExitCode::SUCCESS)
}
