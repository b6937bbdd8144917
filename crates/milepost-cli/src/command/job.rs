//! `milepost job`: a job that runs elsewhere, by three commands that know how to talk to it.

mod record;
mod shell;
mod unfinished;

use std::{
    ffi::OsString,
    pin::pin,
    process::ExitCode,
    sync::Arc,
    task::{Context as Polling, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

use milepost::{
    Scope, Writer,
    task::{Job, Pace, Polled},
};

use super::{
    Context, name, scope,
    stop::{OnSignal, Stop},
    task,
};
use crate::{
    args::TaskArgs,
    error::{CliError, say},
    output::Out,
    render::Rows,
    time,
};
use record::RecordRow;
use shell::{Part, Shell};
use unfinished::Unfinished;

/// Start a job elsewhere once, and find it again after a crash.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  milepost job run demo --submit 'echo job-7' --find true --poll 'echo finished s3://out/7'
  milepost job get demo -o jsonl
  milepost job reset demo

How its commands are given to it, and what each exit code of it says: `milepost job run --help`.")]
pub(crate) struct JobArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Bring it to its end, from wherever an earlier run has left it, and print its result.
    #[command(after_long_help = "\
The commands of `job run` are run by sh:
  --submit  starts the job under the name $MILEPOST_TOKEN, and prints its id in one line
  --find    prints the id of the job of $MILEPOST_TOKEN; nothing if there is none
  --poll    prints of job $MILEPOST_ID: pending STATUS, finished RESULT, failed WHY or cancelled
One that exits with something else than 0 has failed: `job run` ends with exit 10, and goes on from there the next time. \
When its shell has ended, what it has printed by then is what counts, with or without the end of a line: what it leaves in the \
background is not waited for.

Ctrl-C, SIGTERM, SIGHUP and SIGQUIT: while a submit runs, the first one lets it end, so that its id is recorded, and ends the run \
then; a second one, but for a SIGHUP, kills it with all that it has started, and the next run asks find first. At any other time the run ends at once. In each \
case the same command, run again, goes on.

The store is held for the whole wait: meanwhile any other command that writes, `job cancel` and `job reset` too, is refused \
with exit 5. End the wait first (Ctrl-C, or --timeout): the job goes on, and the next run of it, too.

Exit codes of `job run`: 0 finished, and its result is printed; 1 the job failed, was cancelled or is refused; 9 not ended in \
time, and a submit that is killed then may have been submitted: the next run asks find first; 10 a command failed; \
125 what a command printed is too large to be recorded: let it print where that is; 130 stopped by Ctrl-C, 143 by SIGTERM: \
it dies of the signal then, and with it the script that runs it; \
see `milepost --help` for the others.

Example, a job in the background that takes a second:
  milepost job run demo \\
    --submit 'sleep 1 & echo $! | tee \"/tmp/$MILEPOST_TOKEN\"' \\
    --find 'cat \"/tmp/$MILEPOST_TOKEN\" 2>/dev/null || true' \\
    --poll 'kill -0 $MILEPOST_ID 2>/dev/null && echo pending RUNNING || echo finished ok' \\
    --every 200ms")]
    Run(Box<RunArgs>),
    /// Print what is recorded of it; exit 1 if nothing is.
    #[command(after_long_help = "\
Examples:
  milepost job get demo
  milepost job get emr-step --scope task/etl/load -o jsonl")]
    Get(NameArgs),
    /// Cancel it: run a command with $MILEPOST_TOKEN and $MILEPOST_ID that does so, then record it.
    #[command(after_long_help = "Example:\n  milepost job cancel demo --with 'kill $MILEPOST_ID'")]
    Cancel(CancelArgs),
    /// Forget it, so that the next run submits a new one. Its history stays.
    #[command(after_long_help = "Example:\n  milepost job reset demo")]
    Reset(ResetArgs),
}

#[derive(Debug, clap::Args)]
struct NameArgs {
    /// The job's name.
    name: String,
    /// Whose state.
    #[arg(long, value_name = "SCOPE", env = "MILEPOST_SCOPE", default_value = "task/script")]
    scope: OsString,
}

#[derive(Debug, clap::Args)]
struct RunArgs {
    #[command(flatten)]
    name: NameArgs,
    /// The command that starts it.
    #[arg(long, value_name = "CMD")]
    submit: String,
    /// The command that looks for it.
    #[arg(long, value_name = "CMD")]
    find: String,
    /// The command that asks how it is.
    #[arg(long, value_name = "CMD")]
    poll: String,
    /// What is asked for: a later run that asks for something else is refused.
    #[arg(long, value_name = "TEXT")]
    request: Option<String>,
    /// Pause after the first poll; each one after it is half as long again.
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = time::duration)]
    every: Duration,
    /// The longest pause.
    #[arg(long, value_name = "DURATION", default_value = "1min", value_parser = time::duration)]
    longest: Duration,
    /// Wait for so long at most (default: for ever). A command that takes longer is killed.
    #[arg(long, value_name = "DURATION", value_parser = time::duration)]
    timeout: Option<Duration>,
    /// Submit a new one if the request has changed.
    #[arg(long)]
    restart_if_changed: bool,
    /// Submit a new one if the last one failed or was cancelled.
    #[arg(long)]
    restart_if_failed: bool,
    #[command(flatten)]
    task: TaskArgs,
}

#[derive(Debug, clap::Args)]
struct CancelArgs {
    #[command(flatten)]
    name: NameArgs,
    /// The command that cancels it on the remote side.
    #[arg(long, value_name = "CMD")]
    with: String,
    #[command(flatten)]
    task: TaskArgs,
}

#[derive(Debug, clap::Args)]
struct ResetArgs {
    #[command(flatten)]
    name: NameArgs,
    #[command(flatten)]
    task: TaskArgs,
}

pub(crate) fn run(args: JobArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    let ended = match args.command {
        Command::Run(args) => submit_and_wait(&args, context, out),
        Command::Get(args) => get(&args, context, out).map_err(Unfinished::from),
        Command::Cancel(args) => cancel(&args, context),
        Command::Reset(args) => reset(&args, context).map_err(Unfinished::from),
    };
    ended.map_or_else(Unfinished::end, |()| Ok(ExitCode::SUCCESS))
}

fn submit_and_wait(args: &RunArgs, context: &Context, out: &mut Out) -> Result<(), Unfinished> {
    context.refuse_format("job run")?;
    let scope = scope(&args.name.scope)?;
    name(args.name.name.as_ref())?;
    let store = context.open()?;
    let mut job = task(&store, &args.task, &scope)?.job(&args.name.name)?;
    if let Some(request) = &args.request {
        job = job.request(request);
    }
    if args.restart_if_changed {
        job = job.restart_if_changed();
    }
    if args.restart_if_failed {
        job = job.restart_if_failed();
    }
    let job = job.pace(Pace { first: args.every, longest: args.longest, timeout: args.timeout });
    let stop = Stop::listen()?;
    let shell = Shell::new(args.timeout, &stop);
    let on_submit = OnSignal::WaitFor(format!(
        "job {}: {{signal}} came, and its submit is waited for, so that its id is recorded; a second signal kills it",
        job.name()
    ));
    let submit = async |token: String| {
        let output = shell.run(Part::Submit, &args.submit, &[("MILEPOST_TOKEN", &token)], on_submit.clone())?;
        one_line(&output)?.ok_or("it printed no id".to_owned())
    };
    let find = async |token: String| {
        one_line(&shell.run(Part::Find, &args.find, &[("MILEPOST_TOKEN", &token)], OnSignal::Kill)?)
    };
    let poll = async |id: String| match shell.run(Part::Poll, &args.poll, &[("MILEPOST_ID", &id)], OnSignal::Kill) {
        Ok(output) => polled(&output),
        // Killed in the midst of it. That the time is over is the run's to say.
        Err(_) if shell.is_over() && stop.asked().is_none() => Ok(Polled::Pending(last_status(&job))),
        Err(error) => Err(error),
    };
    // A pause that a signal ends: what is asked next is not started then.
    let run = job.run_async(submit, find, poll, async |pause| stop.pause(pause));
    let result = wait_for(run)
        .map_err(|error| unfinished::of_run(error, &job, args.request.as_deref(), &shell, stop.asked()))?;
    let asked = stop.asked();
    drop(stop);
    store.close()?;
    out.bytes(&result)?;
    if !result.is_empty() && !result.ends_with(b"\n") {
        out.raw(b"\n")?;
    }
    let Some(asked) = asked else { return Ok(()) };
    out.flush()?;
    let message = format!("job {}: {} came when it had finished", args.name.name, asked.name());
    Err(Unfinished::Stopped { asked, message })
}

/// Waits for a future that a thread of the store wakes.
fn wait_for<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let (mut future, waker) = (pin!(future), Waker::from(Arc::new(Unpark(thread::current()))));
    loop {
        match future.as_mut().poll(&mut Polling::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

fn get(args: &NameArgs, context: &Context, out: &mut Out) -> Result<(), CliError> {
    let scope = scope(&args.scope)?;
    name(args.name.as_ref())?;
    let writer = Writer::new("reader").map_err(milepost::Error::from)?;
    let job = context.open_read_only()?.task(&scope, writer)?.job(&args.name)?;
    let Some(record) = job.get()? else { return Err(unknown(&scope, &job)) };
    let mut rows = Rows::new(out, context.format)?;
    rows.push(&RecordRow::new(&scope, job.name(), &record))?;
    rows.flush()
}

fn cancel(args: &CancelArgs, context: &Context) -> Result<(), Unfinished> {
    context.refuse_format("job cancel")?;
    let scope = scope(&args.name.scope)?;
    name(args.name.name.as_ref())?;
    let store = context.open()?;
    let job = task(&store, &args.task, &scope)?.job(&args.name.name)?;
    let stop = Stop::listen()?;
    let (shell, mut was_running) = (Shell::new(None, &stop), false);
    let on_signal = OnSignal::WaitFor(format!(
        "job {}: {{signal}} came, and its cancel is waited for, so that it is recorded; a second signal kills it",
        job.name()
    ));
    let cancelled = job.cancel(|record| {
        was_running = true;
        let id = record.id.as_deref().unwrap_or_default();
        let environment = [("MILEPOST_TOKEN", record.token.as_str()), ("MILEPOST_ID", id)];
        shell.run(Part::Cancel, &args.with, &environment, on_signal).map(drop)
    });
    if let Some(asked) = stop.asked() {
        return Err(unfinished::of_cancel(&job, asked));
    }
    cancelled?;
    drop(stop);
    store.close()?;
    if !was_running {
        say(&format!("job {} is not under way: nothing was done", args.name.name));
    }
    Ok(())
}

fn reset(args: &ResetArgs, context: &Context) -> Result<(), CliError> {
    context.refuse_format("job reset")?;
    let scope = scope(&args.name.scope)?;
    name(args.name.name.as_ref())?;
    let store = context.open()?;
    let job = task(&store, &args.task, &scope)?.job(&args.name.name)?;
    if job.get()?.is_none() {
        return Err(unknown(&scope, &job));
    }
    job.reset()?;
    Ok(store.close()?)
}

fn unknown(scope: &Scope, job: &Job) -> CliError {
    CliError::NotFound(format!("scope {scope} has no job {}", job.name()))
}

fn last_status(job: &Job) -> String {
    job.get().ok().flatten().and_then(|record| record.status).unwrap_or_default()
}

/// The line that a command has printed, if it has printed anything. Of more than one nobody knows which is the id.
fn one_line(output: &[u8]) -> Result<Option<String>, String> {
    let text = String::from_utf8_lossy(output).trim().to_owned();
    if text.lines().count() > 1 {
        return Err(format!("it printed more than one line: {text:?}"));
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

fn polled(output: &[u8]) -> Result<Polled, String> {
    let text = String::from_utf8_lossy(output);
    let (word, rest) = text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), ""));
    match (word, rest.trim()) {
        ("pending", status) => Ok(Polled::Pending(status.to_owned())),
        ("finished", result) => Ok(Polled::Finished(result.into())),
        ("failed", error) => Ok(Polled::Failed(error.to_owned())),
        ("cancelled", _) => Ok(Polled::Cancelled),
        (other, _) => Err(format!("it printed {other:?}; expected is pending, finished, failed or cancelled")),
    }
}
