//! `milepost step`: a command that runs once.

use std::{
    ffi::{OsStr, OsString},
    io::{self, Read},
    os::unix::{ffi::OsStrExt, process::ExitStatusExt},
    process::{Command, ExitCode, Stdio},
};

use milepost::{
    CheckpointName, ErrorKind, limits,
    task::{Bytes, Step},
};
use serde::{Deserialize, Serialize};

use super::{Context, argument, scope, task};
use crate::{
    args::TaskArgs,
    error::{CliError, exit, say},
    output::Out,
};

/// Run a command once: a step of a script that is not run again.
///
/// Once it has finished, its output is recorded; ever after, that is printed, and it does not run. A command that fails
/// or is killed runs again the next time. The same name with other words is refused.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The command's output goes through, and is recorded up to the limit of a value (16 MiB); its errors go through. Where nobody \
reads the output any more, as with `| head -1`, the command still runs to its end and is recorded. The store is held while it runs.

Exit codes:
  the command's own: also when it is a recorded one that is printed
  127  the command can't be started; 128 and more: it was killed by that signal less 128
  1    refused: the words have changed, or a newer attempt has taken over

Examples:
  milepost step hello -- sh -c 'echo ran >&2; date'
  milepost step hello -- sh -c 'echo ran >&2; date'
  milepost step hello --again -- date
  milepost step compare --accept 1 -- diff /etc/hostname /etc/hosts

A script that goes on where it was killed:
  export MILEPOST_SCOPE=task/nightly
  milepost step list -- sh -c 'ls /etc > /tmp/list'
  milepost step count -- sh -c 'wc -l < /tmp/list'")]
pub(crate) struct StepArgs {
    /// The step's name.
    name: String,
    /// Whose state.
    #[arg(long, value_name = "SCOPE", env = "MILEPOST_SCOPE", default_value = "task/script")]
    scope: OsString,
    /// Take this exit code for success, too.
    #[arg(long, value_name = "CODE")]
    accept: Vec<u8>,
    /// Run it again, with all that began after it: puts the scope back to what it was before.
    #[arg(long)]
    again: bool,
    /// Run again all that came after this checkpoint of the scope, then this step if it is one of those.
    #[arg(long, value_name = "CHECKPOINT", conflicts_with = "again")]
    replay_from: Option<String>,
    #[command(flatten)]
    task: TaskArgs,
    /// The command and its arguments.
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// What is recorded of a command that has finished.
#[derive(Serialize, Deserialize)]
struct Finished {
    status: u8,
    output: Bytes,
}

/// How a command ended that has not finished.
#[derive(Debug, thiserror::Error)]
enum Unfinished {
    #[error("it can't be started: {0}")]
    NotStarted(io::Error),
    #[error("exit {0}")]
    Exit(u8),
    #[error("killed by signal {0}")]
    Signal(u8),
    #[error("its output can't be read: {0}")]
    Output(io::Error),
    #[error("its output has more than {} bytes, which can't be recorded", limits::VALUE_BYTES_MAX)]
    TooLong,
}

impl Unfinished {
    fn code(&self) -> u8 {
        match self {
            Unfinished::NotStarted(_) => 127,
            Unfinished::Exit(code) => *code,
            Unfinished::Signal(signal) => exit::BY_SIGNAL + signal,
            Unfinished::Output(_) | Unfinished::TooLong => exit::SYSTEM,
        }
    }
}

pub(crate) fn run(args: StepArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    context.refuse_format("step")?;
    let scope = scope(&args.scope)?;
    let checkpoint = args.replay_from.as_deref().map(CheckpointName::parse).transpose();
    let checkpoint = checkpoint.map_err(argument("--replay-from"))?;
    let step = Step::new(args.name.as_str()).input(words(&args.command)).in_any_order();
    let store = context.open()?;
    let task = task(&store, &args.task, &scope)?;
    if let Some(checkpoint) = checkpoint {
        task.replay_from(checkpoint)?;
    }
    if args.again {
        match task.replay_from(Step::new(args.name.as_str())) {
            // It has not begun: there is nothing to put back.
            Err(error) if error.kind() == ErrorKind::Invalid => {}
            replayed => drop(replayed?),
        }
    }
    let (mut ran, mut code, mut unheard) = (false, 0, None);
    let finished = task.step(step, || {
        ran = true;
        execute(&args, out, &mut unheard).inspect_err(|error| code = error.code())
    });
    let finished = match finished {
        Err(error) if error.kind() == ErrorKind::Caller => {
            say(&error.to_string());
            None
        }
        other => Some(other?),
    };
    store.close()?;
    if let Some(finished) = finished {
        code = finished.status;
        if !ran {
            let shown = out.shown(&finished.output);
            unheard = out.pass(&shown).err();
        }
    }
    // Who has had enough, as `head` has, is not told so.
    if let Some(error) = unheard.filter(|error| error.kind() != io::ErrorKind::BrokenPipe) {
        say(&CliError::Output(error).to_string());
    }
    Ok(ExitCode::from(code))
}

/// Runs the command, its output going through. Where nobody takes that any more, it is recorded all the same: the
/// command goes on to its end, and is waited for.
fn execute(args: &StepArgs, out: &mut Out, unheard: &mut Option<io::Error>) -> Result<Finished, Unfinished> {
    let mut command = Command::new(&args.command[0]);
    let mut child = command.args(&args.command[1..]).stdout(Stdio::piped()).spawn().map_err(Unfinished::NotStarted)?;
    let mut stdout = child.stdout.take().expect("it is piped");
    let mut output = Vec::new();
    let read = pass_on(&mut stdout, out, unheard, &mut output);
    // Before the wait: a command whose output is read no more must not wait for that itself.
    drop(stdout);
    let status = child.wait().map_err(Unfinished::Output)?;
    read.map_err(Unfinished::Output)?;
    let byte = |number: i32| u8::try_from(number).unwrap_or(u8::MAX);
    match (status.code().map(byte), status.signal().map(byte)) {
        (Some(code), _) if code != 0 && !args.accept.contains(&code) => Err(Unfinished::Exit(code)),
        (Some(_), _) if output.len() > limits::VALUE_BYTES_MAX => Err(Unfinished::TooLong),
        (Some(status), _) => Ok(Finished { status, output: Bytes(output) }),
        (None, signal) => Err(Unfinished::Signal(signal.unwrap_or_default())),
    }
}

/// Reads what the command prints to its end, keeps it, and writes it on until that fails: with what, says `unheard`.
fn pass_on(
    stdout: &mut impl Read,
    out: &mut Out,
    unheard: &mut Option<io::Error>,
    output: &mut Vec<u8>,
) -> io::Result<()> {
    let mut buffer = [0; 16 << 10];
    loop {
        let count = match stdout.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if unheard.is_none() {
            *unheard = out.pass(&buffer[..count]).err();
        }
        // What is too long is kept so far that it is seen to be.
        let room = (limits::VALUE_BYTES_MAX + 1).saturating_sub(output.len());
        output.extend_from_slice(&buffer[..count.min(room)]);
    }
}

/// The words of a command, told apart.
fn words(command: &[OsString]) -> Vec<u8> {
    command.iter().map(OsString::as_os_str).map(OsStr::as_bytes).collect::<Vec<_>>().join(&0)
}
