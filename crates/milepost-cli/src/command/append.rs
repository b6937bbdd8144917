//! `milepost append`: commits as JSON lines in, a `Seq` per durable commit out.
//!
//! Invariant: a receipt is written and flushed only after its commit is durable, in the order of the lines. Lines are
//! sent ahead, so that many share a sync, through one pipeline: none behind a line that was refused becomes durable.
//! However it ends, also by a signal, what was sent is waited for and told: nothing becomes durable unsaid.

mod interrupt;

use std::{io, process::ExitCode};

use milepost::{ErrorKind, Pipeline, Store, Ticket, Writer, json};

use self::interrupt::{Input, Interrupt};
use super::{
    Context, default_writer,
    lines::{self, Line, Lines},
    receipt,
};
use crate::{
    args::Format,
    error::{CliError, say},
    output::Out,
};

/// Commits on their way to the disk at a time.
const UNDER_WAY_MAX: usize = 1024;
/// Bytes of lines on their way to the disk at a time, unless a single line has more.
const UNDER_WAY_BYTES_MAX: usize = 64 << 20;

/// Read commits from standard input, one JSON object a line, and print the seq of each once it is durable.
///
/// Each line of the output is flushed: what was printed is on the disk. At the first line that is refused it stops and
/// says which; what was printed before stays. At Ctrl-C or SIGTERM it reads nothing more, makes durable what it has
/// taken, prints that too, and ends; a second one ends it at once.
///
/// With -o jsonl each answer has the number of its line in the input, from 1: a receipt is
/// {"seq":..,"at":..,"line":..}, a refusal {"line":..,"refused":..,"code":..}, with why and the code to exit with. With
/// -o csv receipts have it in the column "line", and refusals are told on standard error, as they always are.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  echo '{\"events\":[{\"event\":\"set\",\"scope\":\"a/b\",\"key\":\"k\",\"value\":\"1\"}]}' | milepost append
  milepost replay -o jsonl --from 100 | milepost append --store copy

A commit has \"events\", a list of
  {\"event\":\"set\",\"scope\":..,\"key\":..,\"value\":..}
      or \"value_base64\" in place of \"value\"; also \"content_type\" and \"expires_at\"
  {\"event\":\"delete\",\"scope\":..,\"key\":..}
  {\"event\":\"clear\",\"scope\":..}
  {\"event\":\"clear_prefix\",\"prefix\":..}
  {\"event\":\"checkpoint\",\"scope\":..,\"name\":..} and perhaps \"note\"
  {\"event\":\"release\",\"scope\":..,\"name\":..}
  {\"event\":\"fork\",\"scope\":..,\"origin\":..,\"point\":..}
  {\"event\":\"retain\",\"prefix\":..} and \"keep_for_us\", \"keep_last\", \"expire_ended_us\", \"cold_after_us\",
   \"idempotency_for_us\"
  {\"event\":\"unretain\",\"prefix\":..}
  {\"event\":\"hold\",\"prefix\":..,\"name\":..} and perhaps \"note\"
  {\"event\":\"unhold\",\"prefix\":..,\"name\":..}
  {\"event\":\"erase\",\"scope\":..,\"key\":..}
  {\"event\":\"erase_scope\",\"scope\":..}
  {\"event\":\"erase_prefix\",\"prefix\":..}
and may have \"writer\", \"attempt\", \"idempotency_key\", \"fences\": [{\"scope\":..,\"token\":..}] and \"require\": a list of
  {\"condition\":\"key_absent\",\"scope\":..,\"key\":..}
  {\"condition\":\"key_at\",\"scope\":..,\"key\":..,\"seq\":..}
  {\"condition\":\"scope_at\",\"scope\":..,\"seq\":..}
  {\"condition\":\"value_below\",\"scope\":..,\"key\":..,\"bound\":..}
\"seq\" and \"at\" of an exported line are accepted and not kept: this store gives its own. For the same history, with the \
same seqs and times, see `milepost import`.")]
pub(crate) struct AppendArgs {
    /// Go on after a line that is refused; say which, and exit with the code of the first at the end.
    #[arg(long)]
    keep_going: bool,
}

pub(crate) fn run(args: &AppendArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    let (store, interrupt, mut lines) = begin(args, context)?;
    receipt::write_header(out, context.format, &["line"])?;
    out.flush()?;
    let mut append = Append {
        store,
        writer: default_writer()?,
        out,
        format: context.format,
        keep_going: args.keep_going,
        pipeline: Pipeline::new(),
        under_way: Default::default(),
        under_way_bytes: 0,
        durable: 0,
        refused: 0,
        first_code: 0,
    };
    let ended = append.take_all(&mut lines, &interrupt);
    // Whatever ended it, what was sent is waited for and told.
    let told = append.settle(0);
    let closed = append.store.close();
    let ended = match ended {
        // What was under way came before the input that could not be read.
        Err(CliError::Input(_)) => told.and(ended),
        ended => ended.and_then(|ended| told.map(|()| ended)),
    }?;
    closed?;
    if let Ended::Signal(signal) = ended {
        return Err(CliError::Interrupted { signal, durable: append.durable });
    }
    if append.refused > 0 {
        let all = append.refused + append.durable;
        return Err(CliError::Lines { failed: append.refused, all, code: append.first_code });
    }
    Ok(ExitCode::SUCCESS)
}

/// Opens the store. One is only made for a first line that is a commit, or for lines that may be refused.
fn begin(args: &AppendArgs, context: &Context) -> Result<(Store, Interrupt, Lines<Input>), CliError> {
    // Opening may take a while: until it is done a signal ends it at once.
    let opened = if context.has_place()? { Some(context.open_to_stay()?) } else { None };
    let interrupt = Interrupt::listen().map_err(CliError::Signals)?;
    let mut lines = Lines::of(Input::until(&interrupt).map_err(CliError::Input)?);
    let store = match opened {
        Some(store) => store,
        None => {
            if !args.keep_going {
                look_at_first(&mut lines, &interrupt)?;
            }
            context.open_to_stay()?
        }
    };
    Ok((store, interrupt, lines))
}

/// Refuses the first line if it is no commit; else it is the next one still.
fn look_at_first(lines: &mut Lines<Input>, interrupt: &Interrupt) -> Result<(), CliError> {
    loop {
        match (lines.next(), interrupt.signal()) {
            (_, Some(signal)) => return Err(CliError::Interrupted { signal, durable: 0 }),
            (Err(error), None) => return Err(CliError::Input(error)),
            (Ok(None), None) => return Ok(()),
            (Ok(Some(Line::TooLong { number })), None) => return Err(too_long(number)),
            (Ok(Some(Line::Whole { number, bytes })), None) => {
                if is_blank(bytes) {
                    continue;
                }
                json::parse_commit(bytes).map_err(|error| CliError::Line { line: number, error: error.into() })?;
                lines.again();
                return Ok(());
            }
        }
    }
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}

fn too_long(line: u64) -> CliError {
    CliError::LongLine { line, input: "standard input".to_owned(), max: lines::LINE_BYTES_MAX }
}

/// What ended the reading, if it was no error.
enum Ended {
    /// The end of the input.
    Input,
    /// This signal.
    Signal(u8),
}

/// A line whose outcome was not told yet.
struct UnderWay {
    line: u64,
    bytes: usize,
    /// Or why it was not sent.
    sent: Result<Ticket, CliError>,
}

impl UnderWay {
    fn is_done(&self) -> bool {
        self.sent.as_ref().map_or(true, Ticket::is_done)
    }
}

struct Append<'o> {
    store: Store,
    /// Who writes where the line does not say it.
    writer: Writer,
    out: &'o mut Out,
    format: Format,
    keep_going: bool,
    /// All lines go through it, where the first that is refused ends it.
    pipeline: Pipeline,
    /// In the order of the lines.
    under_way: std::collections::VecDeque<UnderWay>,
    under_way_bytes: usize,
    durable: u64,
    refused: u64,
    first_code: u8,
}

impl Append<'_> {
    fn take_all(&mut self, lines: &mut Lines<Input>, interrupt: &Interrupt) -> Result<Ended, CliError> {
        loop {
            if let Some(signal) = interrupt.signal() {
                return Ok(Ended::Signal(signal));
            }
            // What is done already is told before waiting for input that may not come soon.
            self.tell_done()?;
            if !lines.has_more_buffered() {
                self.settle(0)?;
            }
            let line = match lines.next() {
                Ok(line) => line,
                // A line of which a part was read is not taken: more of it may have been to come.
                Err(_) if interrupt.signal().is_some() => continue,
                Err(error) => return Err(CliError::Input(error)),
            };
            match line {
                None => return Ok(Ended::Input),
                Some(Line::TooLong { number }) => self.add(number, 0, Err(too_long(number)))?,
                Some(Line::Whole { number, bytes }) => self.take(number, bytes)?,
            }
        }
    }

    fn take(&mut self, number: u64, bytes: &[u8]) -> Result<(), CliError> {
        if is_blank(bytes) {
            return Ok(());
        }
        let bytes_count = bytes.len();
        while self.under_way.len() >= UNDER_WAY_MAX
            || (self.under_way_bytes + bytes_count > UNDER_WAY_BYTES_MAX && !self.under_way.is_empty())
        {
            self.settle(self.under_way.len() - 1)?;
        }
        let sent = self.send(bytes).map_err(|error| CliError::Line { line: number, error });
        self.add(number, bytes_count, sent)
    }

    fn send(&mut self, line: &[u8]) -> milepost::Result<Ticket> {
        let commit = json::add_commit(line, self.store.commit().writer(self.writer.clone()))?;
        if self.keep_going { commit.submit() } else { commit.submit_in(&mut self.pipeline) }
    }

    /// Adds a line whose outcome is to be told behind those before it. One that could not be sent ends it, unless it
    /// was asked to go on.
    fn add(&mut self, line: u64, bytes: usize, sent: Result<Ticket, CliError>) -> Result<(), CliError> {
        let is_end = sent.is_err() && !self.keep_going;
        self.under_way.push_back(UnderWay { line, bytes, sent });
        self.under_way_bytes += bytes;
        if is_end { self.settle(0) } else { Ok(()) }
    }

    /// Tells what is done without waiting.
    fn tell_done(&mut self) -> Result<(), CliError> {
        let mut told = false;
        while self.under_way.front().is_some_and(UnderWay::is_done) {
            self.tell_first()?;
            told = true;
        }
        if told { self.flush() } else { Ok(()) }
    }

    /// Waits until at most `most` are under way, and tells each.
    fn settle(&mut self, most: usize) -> Result<(), CliError> {
        let mut result = Ok(());
        while self.under_way.len() > most {
            let told = self.tell_first();
            // The others are waited for all the same: they may be durable, and are told if standard output is there.
            result = result.and(told);
            if result.is_err() && matches!(result, Err(CliError::Untold { .. })) {
                break;
            }
            if !self.under_way.front().is_some_and(UnderWay::is_done) {
                result = result.and(self.flush());
            }
        }
        result.and(self.flush())
    }

    fn tell_first(&mut self) -> Result<(), CliError> {
        let Some(UnderWay { line, bytes, sent }) = self.under_way.pop_front() else { return Ok(()) };
        self.under_way_bytes -= bytes;
        let outcome = sent.and_then(|ticket| ticket.wait().map_err(|error| CliError::Line { line, error }));
        match outcome {
            Ok(receipt) => {
                self.durable += 1;
                let written = receipt::write(self.out, self.format, receipt, &[("line", line.into())]);
                written.map_err(|error| untold(error, self.durable))
            }
            Err(error) => self.refuse(line, error),
        }
    }

    /// Ends with the error, or says it and goes on if that was asked for and can help.
    fn refuse(&mut self, number: u64, error: CliError) -> Result<(), CliError> {
        // As if it had not been read.
        if matches!(&error, CliError::Line { error, .. } if error.kind() == ErrorKind::Skipped) {
            return Err(error);
        }
        let written = receipt::write_refusal(self.out, self.format, number, &error);
        if !self.keep_going || ends_all(&error) {
            return Err(error);
        }
        say(&error.to_string());
        self.refused += 1;
        if self.first_code == 0 {
            self.first_code = error.code();
        }
        written.map_err(|error| untold(error, self.durable))
    }

    fn flush(&mut self) -> Result<(), CliError> {
        self.out.flush().map_err(|error| untold(error, self.durable))
    }
}

/// Whether the lines after it would fail as well.
fn ends_all(error: &CliError) -> bool {
    let CliError::Line { error, .. } = error else { return false };
    !matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Conflict | ErrorKind::Fenced)
}

/// That nobody reads is no quiet end here: there were receipts to tell.
fn untold(error: CliError, durable: u64) -> CliError {
    match error {
        CliError::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => CliError::Untold { durable },
        other => other,
    }
}
