//! `milepost set`: gives a key a value.

use std::{
    ffi::OsString,
    io::{self, IsTerminal, Read},
    os::unix::ffi::OsStringExt,
    process::ExitCode,
};

use jiff::ZonedDateTime;
use milepost::{ContentType, Seq, SetOptions, Timestamp, limits};

use super::{Context, Signature, argument, key, receipt, scope};
use crate::{
    args::{WriteArgs, whole},
    error::{CliError, say},
    output::Out,
    time,
};

/// Set a key of a scope, durably, and print the commit's seq.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  milepost set task/etl/load cursor 42
  date | milepost set asset/orders loaded-at -
  milepost set asset/orders schema '{\"v\":1}' --content-type application/json
  milepost set lock/nightly owner \"$HOSTNAME\" --if-absent --expires-in '30 minutes'")]
pub(crate) struct SetArgs {
    /// Whose state: segments separated by slashes.
    scope: OsString,
    /// Which key.
    key: OsString,
    /// The value; `-`, or none, reads it from standard input, to the byte.
    #[arg(allow_negative_numbers = true)]
    value: Option<OsString>,
    /// What the value is, as a media type.
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// Let the value expire this long from now, as in "30 minutes".
    #[arg(long, value_name = "DURATION", conflicts_with = "expires_at", allow_hyphen_values = true)]
    expires_in: Option<String>,
    /// Let the value expire at this time.
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
    /// Only if the key has no value.
    #[arg(long, conflicts_with = "if_version")]
    if_absent: bool,
    /// Only if the key's value is the one of this commit.
    #[arg(long, value_name = "SEQ", value_parser = whole::<u64>)]
    if_version: Option<u64>,
    #[command(flatten)]
    write: WriteArgs,
}

pub(crate) fn run(args: SetArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    let (scope, key) = (scope(&args.scope)?, key(&args.key)?);
    let options = SetOptions {
        content_type: args
            .content_type
            .as_deref()
            .map(ContentType::parse)
            .transpose()
            .map_err(argument("--content-type"))?,
        expires_at: expiry(&args)?,
    };
    let value = match args.value {
        Some(value) if value != "-" => value.into_vec(),
        _ => from_input()?,
    };
    if value.len() > limits::VALUE_BYTES_MAX {
        let most = limits::VALUE_BYTES_MAX;
        let why =
            format!("it has more than {most} bytes, the most; keep it in a file, and set the key to the file's name");
        return Err(CliError::Argument { what: "VALUE", why });
    }
    let signature = Signature::of(&args.write, Some(&scope))?;
    let store = context.open()?;
    let mut commit = signature.sign(store.commit());
    if args.if_absent {
        commit = commit.require_absent(&scope, key.as_str());
    }
    if let Some(version) = args.if_version {
        commit = commit.require_version(&scope, key.as_str(), Seq(version));
    }
    let receipt = commit.set_with(&scope, key.as_str(), &value, &options).durable()?;
    receipt::tell_and_close(out, context, &store, receipt)?;
    Ok(ExitCode::SUCCESS)
}

fn expiry(args: &SetArgs) -> Result<Option<Timestamp>, CliError> {
    let now = ZonedDateTime::now();
    if let Some(text) = &args.expires_in {
        let at = time::parse_in(text, &now).map_err(|error| CliError::Time { what: "--expires-in", error })?;
        return Ok(Some(at));
    }
    let Some(text) = &args.expires_at else { return Ok(None) };
    let at = time::parse_time(text, &now).map_err(|error| CliError::Time { what: "--expires-at", error })?;
    if at.0 <= now.timestamp().as_microsecond() {
        return Err(CliError::Argument {
            what: "--expires-at",
            why: format!("{} has passed; a value that expires must live for a while", time::local_text(at, &now)),
        });
    }
    Ok(Some(at))
}

/// All of standard input, up to one byte more than a value may have.
fn from_input() -> Result<Vec<u8>, CliError> {
    let input = io::stdin();
    if input.is_terminal() {
        say("reading the value from the terminal; Ctrl-D ends it");
    }
    let mut value = Vec::new();
    input.lock().take(limits::VALUE_BYTES_MAX as u64 + 1).read_to_end(&mut value).map_err(CliError::Input)?;
    Ok(value)
}
