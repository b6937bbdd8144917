//! `milepost step`: a command that runs once.

mod again;
mod output;

use std::{
    ffi::{OsStr, OsString},
    io,
    os::unix::{
        ffi::OsStrExt,
        process::{CommandExt, ExitStatusExt},
    },
    process::{Command, ExitCode, Stdio},
};

use milepost::{
    CheckpointName, Error, ErrorKind, Task,
    task::{Bytes, ReplayPoint, Step, TaskError},
};
use rustix::process::Pid;
use serde::{Deserialize, Serialize};

use again::Going;
use output::Output;

use super::{
    Context, argument, name, scope,
    stop::{Asked, OnSignal, Stop, is_in_foreground},
    task,
};
use crate::{
    args::TaskArgs,
    each::{child::wait_unreaped, text},
    error::{CliError, exit, say},
    output::Out,
};

/// Run a command once: a step of a script that is not run again.
///
/// Once it has finished, its output is recorded; ever after, that is printed, and it does not run. A command that fails
/// or is killed runs again the next time. The same name with other words is refused.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The command's output goes through, and is recorded; its errors go through. Where nobody reads the output any more, as with \
`| head -1`, the command still runs to its end and is recorded. The store is held while it runs.

An output is recorded as JSON of at most 16 MiB. Text takes its own bytes, but two for the end of a line, a tab, a quote or a \
backslash, and six for most other control characters; an output that is not UTF-8 is recorded in base64, so nearly 12 MiB of it. Of a \
command that prints more nothing is recorded, and the next run runs it again: let it write to a file.

Ctrl-C, SIGTERM, SIGHUP and SIGQUIT are handed on to the command and what it has started, and it is waited for; a second signal, but \
for a SIGHUP, kills it. Whatever it exits with, it has not finished, and the next run runs it again. What holds its output open \
5 s after it has ended is left running. The command is in a process group of its own, but for one in the foreground of a \
terminal: that gets Ctrl-C from the terminal, and any other signal, and the kill, alone, without what it has started; a Ctrl-C that \
came from elsewhere it gets if it does not catch it. A milepost that is killed (-9) leaves it running. A signal that is ignored when \
it starts, as by nohup, stays so, for the command too.

With --again all goes that came into the scope after the step began: later steps, jobs, watermarks, keys; what went is said. \
Where no scope is named, all scripts and jobs that name none share task/script: there --again is refused if anything but \
steps would go. Give a script a scope of its own.

Exit codes:
  the command's own: also when it is a recorded one that is printed
  125  the command succeeded, and its output is too large to be recorded: the next run runs it again
  127  the command can't be started; 128 and more: it was killed by that signal less 128
  130, 143  stopped by Ctrl-C or SIGTERM: it dies of the signal, so that a script of steps ends too
  1    refused: its words changed, no such checkpoint, or a newer attempt took over

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
    /// Whose state (default: task/script, which all share that name none).
    #[arg(long, value_name = "SCOPE", env = "MILEPOST_SCOPE")]
    scope: Option<OsString>,
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
    #[error("can't start {}: {source}", text::command_line(&[program.as_bytes()]))]
    NotStarted { program: OsString, source: io::Error },
    #[error("exit {0}")]
    Exit(u8),
    #[error("stopped by {}; the next run runs it again", .0.name())]
    Stopped(Asked),
    #[error("killed by signal {0}")]
    Signal(u8),
    #[error("its output can't be read: {0}")]
    Output(io::Error),
    #[error("it succeeded, and its output of {0} bytes is too large to be recorded")]
    TooLong(u64),
}

impl Unfinished {
    fn code(&self) -> u8 {
        match self {
            Unfinished::NotStarted { .. } => 127,
            Unfinished::Exit(code) => *code,
            Unfinished::Stopped(asked) => exit::BY_SIGNAL + asked.number(),
            Unfinished::Signal(signal) => exit::BY_SIGNAL + signal,
            Unfinished::Output(_) => exit::SYSTEM,
            Unfinished::TooLong(_) => exit::UNRECORDED,
        }
    }
}

pub(crate) fn run(args: StepArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    context.refuse_format("step")?;
    let scope = scope(args.scope.as_deref().unwrap_or(OsStr::new(SHARED_SCOPE)))?;
    let checkpoint = args.replay_from.as_deref().map(CheckpointName::parse).transpose();
    let checkpoint = checkpoint.map_err(argument("--replay-from"))?;
    let step = Step::new(args.name.as_str()).input(words(&args.command)).in_any_order();
    name(OsStr::new(&args.name))?;
    let store = context.open()?;
    // Before the attempt is claimed: who is refused has not taken over.
    let unclaimed = TaskArgs { attempt: None, task: None, ..args.task.clone() };
    let replay = Replay::plan(&args, checkpoint, &task(&store, &unclaimed, &scope)?, &step)?;
    let task = task(&store, &args.task, &scope)?;
    if let Some(replay) = replay {
        replay.commit(&args.name, &task)?;
    }
    let stop = Stop::listen()?;
    let (mut ran, mut code, mut unheard, mut printed) = (false, 0, None, 0);
    let finished = task.step(step, || {
        ran = true;
        let ended = execute(&args, &stop, out, &mut unheard);
        match &ended {
            Ok(finished) => printed = finished.output.len() as u64,
            Err(Unfinished::TooLong(bytes)) => printed = *bytes,
            Err(unfinished) => code = unfinished.code(),
        }
        ended
    });
    let finished = match finished {
        // The command has succeeded. What is wrong is the size of its output, as it is or as JSON.
        Err(error) if ran && code == 0 && matches!(error.kind(), ErrorKind::Caller | ErrorKind::Invalid) => {
            say(&format!(
                "step {}: the command succeeded, and its output of {printed} bytes is too large to be recorded: \
                 nothing is, and the next run runs it again; let it write to a file, as in `-- sh -c '... > FILE'`",
                args.name
            ));
            code = exit::UNRECORDED;
            None
        }
        Err(error) if error.kind() == ErrorKind::Caller => {
            say(&error.to_string());
            None
        }
        other => Some(other.map_err(|error| told(error, &args))?),
    };
    let asked = stop.asked();
    drop(stop);
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
    // Also where it came when the command had finished: who asked for the end has a script of steps that is to end.
    Ok(asked.map_or(ExitCode::from(code), Asked::ends_process))
}

/// The scope of all that name none.
const SHARED_SCOPE: &str = "task/script";

/// The scope is to be put back before the step runs.
struct Replay {
    point: ReplayPoint,
    going: Going,
}

impl Replay {
    /// What is to be put back, if that was asked for and there is anything. Refused are a checkpoint that is not
    /// there, a step that would be refused after it all the same, and the loss of others' work.
    fn plan(
        args: &StepArgs,
        checkpoint: Option<CheckpointName>,
        task: &Task,
        step: &Step,
    ) -> Result<Option<Replay>, CliError> {
        let point = match checkpoint {
            Some(checkpoint) => {
                can_replay(&checkpoint, args, task, step)?;
                ReplayPoint::from(checkpoint)
            }
            None if args.again => ReplayPoint::from(Step::new(args.name.as_str())),
            None => return Ok(None),
        };
        let Some(going) = again::going(task, &point, &args.name)? else { return Ok(None) };
        if args.scope.is_none() {
            going.refuse_unnamed(task, &args.name)?;
        }
        Ok(Some(Replay { point, going }))
    }

    fn commit(self, step: &str, task: &Task) -> Result<(), CliError> {
        task.replay_from(self.point)?;
        if let Some(told) = self.going.told(step) {
            say(&told);
        }
        Ok(())
    }
}

/// Refuses a checkpoint that is not there, and a step that would be refused after a replay from it all the same.
fn can_replay(checkpoint: &CheckpointName, args: &StepArgs, task: &Task, step: &Step) -> Result<(), CliError> {
    task.check_replay(checkpoint.clone(), step).map_err(|error| match error.kind() {
        ErrorKind::NoCheckpoint => CliError::NotFound(format!(
            "scope {0} has no checkpoint {checkpoint} to replay from; `milepost checkpoint list {0}` lists those it has",
            task.scope()
        )),
        _ => told(error, args),
    })
}

/// An error of the library, which speaks of its functions, with the words and the options that are meant.
fn told(error: Error, args: &StepArgs) -> CliError {
    let message = match error.task() {
        Some(TaskError::StepInput { step, recorded, .. }) => {
            let before = recorded.as_deref().map_or("none".to_owned(), |kept| format!("fingerprint {kept}"));
            let now: Vec<&[u8]> = args.command.iter().map(|word| word.as_bytes()).collect();
            format!(
                "step {step} ran other words before, of which only a fingerprint is kept\n  before: {before}\n  \
                 now:    {}\nrun it with these words, and again all that began after it: --again",
                text::command_line(&now)
            )
        }
        Some(TaskError::StepResult { step, seq, .. }) => format!(
            "what is recorded of step {step} (commit {seq}) is not of a command: take another name, or run it again, \
             with all that began after it: --again"
        ),
        _ => return error.into(),
    };
    CliError::Own { message, code: exit::NOT_FOUND }
}

/// Runs the command, its output going through. Where nobody takes that any more, it is recorded all the same: the
/// command goes on to its end, and is waited for.
fn execute(
    args: &StepArgs,
    stop: &Stop,
    out: &mut Out,
    unheard: &mut Option<io::Error>,
) -> Result<Finished, Unfinished> {
    if let Some(asked) = stop.asked() {
        return Err(Unfinished::Stopped(asked));
    }
    let program = &args.command[0];
    let mut command = Command::new(program);
    command.args(&args.command[1..]).stdout(Stdio::piped());
    let on_signal = on_signal(&args.name);
    if matches!(on_signal, OnSignal::HandOn(_)) {
        command.process_group(0);
    }
    let spawned = command.spawn();
    let mut child = spawned.map_err(|source| Unfinished::NotStarted { program: program.clone(), source })?;
    let pid = Pid::from_child(&child);
    stop.begins(pid, on_signal);
    let mut output = Output::new(out, unheard);
    // The pipe is closed before the wait: a command whose output is read no more must not wait for that itself.
    let read = output.read(child.stdout.take().expect("it is piped"), pid, stop);
    let waited = wait_unreaped(pid);
    stop.ends();
    let status = waited.and_then(|()| child.wait()).map_err(Unfinished::Output)?;
    if output.is_left {
        say(&format!(
            "step {}: something that its command has started holds its output, and is left running",
            args.name
        ));
    }
    if let Some(asked) = stop.asked() {
        return Err(Unfinished::Stopped(asked));
    }
    read.map_err(Unfinished::Output)?;
    let Output { kept, printed, .. } = output;
    let byte = |number: i32| u8::try_from(number).unwrap_or(u8::MAX);
    match (status.code().map(byte), status.signal().map(byte)) {
        (Some(code), _) if code != 0 && !args.accept.contains(&code) => Err(Unfinished::Exit(code)),
        (Some(_), _) if printed > kept.len() as u64 => Err(Unfinished::TooLong(printed)),
        (Some(status), _) => Ok(Finished { status, output: Bytes(kept) }),
        (None, signal) => Err(Unfinished::Signal(signal.unwrap_or_default())),
    }
}

/// What a signal does to the command of a step.
fn on_signal(step: &str) -> OnSignal {
    let got = format!(
        "step {step}: stopped by {{signal}}; its command has got that too, and is waited for; a second signal kills it"
    );
    if !is_in_foreground() {
        return OnSignal::HandOn(got);
    }
    // In a group of its own it could not read from the terminal.
    let unknown = format!(
        "step {step}: stopped by {{signal}}; its command, which has got that if it came from the terminal, is waited for; \
         a second signal kills it"
    );
    OnSignal::HandOnOutside { got, unknown }
}

/// The words of a command, told apart.
fn words(command: &[OsString]) -> Vec<u8> {
    command.iter().map(OsString::as_os_str).map(OsStr::as_bytes).collect::<Vec<_>>().join(&0)
}
