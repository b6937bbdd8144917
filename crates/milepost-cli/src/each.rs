//! `milepost each`: runs a command per item and remembers durably what is done. `milepost results`: what became of
//! them.
//!
//! Invariant: nothing runs and nothing is written before the command line was understood, its program found and the
//! store opened. Standard output has nothing but what `--print` asks for.
//!
//! Knows the command line; the rest of the house is below: `items` and `command` say what is run, `child` runs it,
//! `mark` says how it ended, `marks`, `handover` and `job` keep that, `outlook` says what is left, `run` puts them
//! together.

pub(crate) mod child;
mod command;
mod dry_run;
mod error;
mod halt;
mod handover;
mod items;
mod job;
mod mark;
mod marks;
mod outlook;
mod parallel;
mod past;
mod progress;
mod results;
mod run;
pub(crate) mod text;

pub(crate) use self::job::HANDOVER;

use std::{
    ffi::OsString,
    fs::File,
    io::{self, IsTerminal, Write},
    os::fd::AsFd,
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
    time::Duration,
};

use self::{
    child::TimeLimit,
    command::Template,
    dry_run::DryRun,
    halt::Halt,
    items::Separator,
    job::{Job, OnChange},
    parallel::Parallel,
    past::Past,
    run::{FailedBefore, Input, Order, Plan, Print, Retries, RunEnding},
};
pub(crate) use self::{
    error::EachError,
    results::{ResultsArgs, results},
};
use crate::{
    args::whole,
    command::{Context, default_writer},
    error::{CliError, exit, say},
    output::{Out, Patient},
    time,
};

/// Some items failed or were refused.
const EXIT_FAILED: u8 = 1;
/// Of an output, kept if nothing else is said.
const KEPT_BYTES: usize = 64 << 10;
/// Of an output, at most: both fit into one value, beside what else is in it.
const KEPT_BYTES_MAX: usize = 7 << 20;
const _: () = assert!(2 * KEPT_BYTES_MAX + 4096 < milepost::limits::VALUE_BYTES_MAX);

/// Run a command once per item, and remember durably what is done.
///
/// Items are read from standard input, one a line. `{}` in the command stands for the item, `{.}` for it without its
/// ending, `{/}` for what stands behind its last slash, `{//}` for what stands before, `{/.}` for `{/}` without its
/// ending, `{#}` for its place in the list; without any of these, the item comes last. No shell is in between. Killed
/// at any moment and started again, it goes on with what is left.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  find /usr/share/doc -type f | milepost each --job checksum -- sha256sum {}
  find . -name '*.png' -print0 | milepost each -0 --job thumbs -- convert {} -resize 200x {.}.jpg
  milepost each --job load --items files -j8 -- sh -c 'psql -c \"copy t from stdin\" < \"$1\"' sh {}
  milepost results --job checksum --failed

An item is any bytes but NUL, up to 128 KiB; one that is not UTF-8 shows escaped.

The command sees MILEPOST_ITEM, MILEPOST_JOB and MILEPOST_ATTEMPT; its standard input is empty. An item is done when its \
command exits with 0. A failed one is kept with its outputs and not run again until --retry-failed. One that has taken longer than --timeout \
gets SIGTERM with all its children, SIGKILL after --kill-after, and has failed whatever it exits with. After a kill, at most \
the commands that were running then are run again. The first Ctrl-C starts nothing more and waits for what runs; the second \
ends that with SIGTERM, and with SIGKILL after --kill-after; a third kills it at once.

With --halt now:N, what was running is not counted and runs again the next time. An item fails once, after its last retry; where the run ends before that, the next one takes it up.

Exit: 0 all items done, 1 some failed (also where they halted the run) or were no items, 127 no such command, 130 stopped by Ctrl-C, 143 by SIGTERM.")]
pub(crate) struct EachArgs {
    /// Name of the job: what is done is remembered under it.
    #[arg(long, value_name = "NAME")]
    job: String,
    /// Commands at a time, or a share of the processors, as 50%.
    #[arg(short = 'j', long, value_name = "N|P%", default_value = "100%")]
    parallel: Parallel,
    /// Read the items from a file instead of standard input; `-` is standard input.
    #[arg(long, visible_alias = "input", value_name = "FILE")]
    items: Option<PathBuf>,
    /// Items end with a NUL instead of a line's end, as `find -print0` writes them.
    #[arg(short = '0', long)]
    null: bool,
    /// Run items again that failed in an earlier run.
    #[arg(long, visible_alias = "resume-failed")]
    retry_failed: bool,
    /// Run a failing item up to N times more.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = whole::<u32>)]
    retries: u32,
    /// Pause before the first of them; each one after it is twice as long, up to a minute.
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = time::duration)]
    retry_delay: Duration,
    /// End a command that takes longer, as 90s or 5min: its item has failed. Each attempt has its own time.
    #[arg(long, value_name = "DURATION", value_parser = timeout)]
    timeout: Option<Duration>,
    /// Kill a command that has not ended so long after --timeout, --halt or the second Ctrl-C asked it to.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = time::duration)]
    kill_after: Duration,
    /// When failures end the run: never, soon:N (after N of them nothing more starts), now:N (what runs is ended, too).
    #[arg(long, value_name = "POLICY", default_value = "never")]
    halt: Halt,
    /// Start nothing more once an item has failed: --halt soon:1.
    #[arg(long, conflicts_with = "halt")]
    stop_on_failure: bool,
    /// Bytes to keep of each item's output and of its error output.
    #[arg(long, value_name = "BYTES", default_value_t = KEPT_BYTES as u32, value_parser = clap::value_parser!(u32).range(..=KEPT_BYTES_MAX as i64))]
    keep_output: u32,
    /// Print what each command says as it ends, whole and never mixed.
    #[arg(long)]
    print: bool,
    /// Print in the order of the input, not of the ends.
    #[arg(short = 'k', long, requires = "print")]
    keep_order: bool,
    /// Print each line after its item's name.
    #[arg(long, requires = "print")]
    prefix: bool,
    /// Say how far it is and how long it takes: on a terminal the bar does anyway, elsewhere a plain line so often.
    #[arg(long, value_name = "EVERY", num_args = 0..=1, require_equals = true, default_missing_value = "5s", value_parser = eta)]
    eta: Option<Duration>,
    /// Print the commands that would run now, and do nothing: nothing is marked, no store is made.
    #[arg(long)]
    dry_run: bool,
    /// Go on with what is done although the command is another one.
    #[arg(long, conflicts_with = "restart")]
    same_job: bool,
    /// Forget what is done and start over.
    #[arg(long)]
    restart: bool,
    /// The command and its arguments.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Runs a job.
pub(crate) fn each(args: EachArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    job::scopes(&args.job)?;
    let words = words(&args.command)?;
    let template = Template::new(&words).map_err(EachError::from)?;
    let input = args.input()?;
    let on_change = match (args.same_job, args.restart) {
        (_, true) => OnChange::Restart,
        (true, false) => OnChange::Keep,
        (false, false) => OnChange::Refuse,
    };
    if args.dry_run {
        let store = context.open_if_there()?;
        let past = Past::read(store.as_ref(), &args.job, &words, on_change)?;
        let failed_before = args.failed_before();
        return DryRun { job: &args.job, template: &template, past: &past, failed_before }.print(&input, out);
    }
    let writer = default_writer()?;
    let (job, handover) =
        Job::begin(context.open_to_stay()?, &args.job, &words, on_change, args.failed_before(), &writer)?;
    let finished = run::run(job, handover, args.plan(template), input)?;
    // That it may not be heard is no reason to fail.
    let _ = writeln!(Patient(io::stderr().lock()), "{}", finished.summary);
    match finished.ending {
        RunEnding::Done => Ok(ExitCode::SUCCESS),
        RunEnding::SomeFailed => Ok(ExitCode::from(EXIT_FAILED)),
        RunEnding::Interrupted(signal) => Ok(ExitCode::from(exit::BY_SIGNAL + signal)),
        RunEnding::Stopped(error) => Err(error.into()),
    }
}

impl EachArgs {
    fn failed_before(&self) -> FailedBefore {
        if self.retry_failed { FailedBefore::Retry } else { FailedBefore::Skip }
    }

    fn plan(self, template: Template) -> Plan {
        let failed_before = self.failed_before();
        let processors = thread::available_parallelism().map_or(1, usize::from);
        Plan {
            job: self.job,
            template,
            slots: self.parallel.slots(processors),
            kept_bytes_max: self.keep_output as usize,
            retries: Retries { count: self.retries, pause: self.retry_delay },
            time_limit: self.timeout.map(|timeout| TimeLimit { timeout, grace: self.kill_after }),
            failed_before,
            halt: if self.stop_on_failure { Halt::Soon(1) } else { self.halt },
            grace: self.kill_after,
            print: match (self.print, self.prefix) {
                (true, true) => Print::Prefixed,
                (true, false) => Print::Outputs,
                (false, _) => Print::Nothing,
            },
            order: if self.keep_order { Order::Input } else { Order::Ends },
            lines: self.eta,
        }
    }

    /// Where the items come from, which can be read. Our own standard input becomes `/dev/null`, which every command
    /// then inherits.
    fn input(&self) -> Result<Input, EachError> {
        let system = |action| move |source| EachError::System { action, source };
        let separator = if self.null { Separator::Nul } else { Separator::Newline };
        let (file, name) = match self.items.as_deref().filter(|path| *path != Path::new("-")) {
            Some(path) => {
                let name = path.display().to_string();
                match File::open(path) {
                    Ok(file) => (file, name),
                    Err(source) => return Err(EachError::Items { from: name, source }),
                }
            }
            None => {
                if io::stdin().is_terminal() {
                    say("reading items from the terminal, one a line; Ctrl-D ends them");
                }
                let copy = io::stdin().as_fd().try_clone_to_owned().map_err(system("read standard input"))?;
                (File::from(copy), "standard input".to_owned())
            }
        };
        items::check_readable(&file).map_err(|source| EachError::Items { from: name.clone(), source })?;
        let null = File::open("/dev/null").map_err(system("open /dev/null"))?;
        rustix::stdio::dup2_stdin(&null).map_err(|errno| system("replace standard input")(errno.into()))?;
        Ok(Input { file, name, separator })
    }
}

fn timeout(text: &str) -> Result<Duration, String> {
    match time::duration(text) {
        Ok(Duration::ZERO) => Err("no command ends in no time; leave --timeout out to wait for ever".to_owned()),
        Ok(timeout) => Ok(timeout),
        Err(error) => Err(error.to_string()),
    }
}

fn eta(text: &str) -> Result<Duration, String> {
    match time::duration(text) {
        Ok(Duration::ZERO) => Err("a line needs some time in between".to_owned()),
        Ok(every) => Ok(every),
        Err(error) => Err(error.to_string()),
    }
}

/// The words of the command as text, which is how they are kept.
fn words(command: &[OsString]) -> Result<Vec<String>, EachError> {
    let text = |(index, word): (usize, &OsString)| {
        word.to_str().map(str::to_owned).ok_or(EachError::CommandText { index: index + 1 })
    };
    command.iter().enumerate().map(text).collect()
}
