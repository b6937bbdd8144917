//! [`Stop`]: Ctrl-C, SIGTERM, SIGHUP and SIGQUIT for a milepost that runs a command of somebody's.
//!
//! Invariant: a command is signalled only while it has not been reaped, so that a number that was given to another
//! process is never hit. Whoever has seen that a signal came starts nothing any more, and ends by that signal. Once a
//! [`Stop`] is gone a signal ends the process at once, as if nobody had listened. What was ignored when the process
//! began stays ignored, by its commands too.
//!
//! Must not know: what the command is for, and how its output is read.

use std::{
    fs, io,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};
use rustix::process::{Pid, Signal, getpid, kill_process, kill_process_group};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM},
    flag,
    iterator::Signals,
    low_level,
};

use crate::error::{CliError, exit, say, signal_name};

/// What is listened for, unless it was ignored before.
const HEARD: [i32; 4] = [SIGINT, SIGTERM, SIGHUP, SIGQUIT];

/// The same signal within this time is the same one still: `timeout` sends it to its command and then to the group that
/// the command is in.
const TWICE_WITHIN: Duration = Duration::from_millis(100);

/// For how long what a stopped command has started may still hold its output, once the command itself has ended: it got
/// the signal as well, and may have something to put in order.
const LEFT_WITHIN: Duration = Duration::from_secs(5);

/// Listens from its making on until it is dropped.
#[derive(Debug)]
pub(super) struct Stop {
    shared: Arc<Shared>,
    /// The last signal that came; 0 before. Known before the thread that listens has had its turn.
    last: Arc<AtomicUsize>,
    /// Whether signals have their usual effect again.
    is_over: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Locked for a look, a signal or a message.
    state: Mutex<State>,
    /// Told of each signal.
    came: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The first signal that came. Set by the thread that listens, and never unset.
    asked: Option<Asked>,
    /// What runs; from its start until it is about to be reaped.
    running: Option<Running>,
}

/// A signal that asked for the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked(i32);

#[derive(Debug)]
struct Running {
    pid: Pid,
    on_signal: OnSignal,
    /// The first signal that it has met.
    first: Option<Instant>,
    /// The last one.
    last: Option<(Asked, Instant)>,
    was_killed: bool,
}

/// What a signal does to a command. A second one kills it, but for a SIGHUP: a terminal that goes away sends two.
#[derive(Clone, Debug)]
pub(super) enum OnSignal {
    /// It is killed with its group, by the first one already.
    Kill,
    /// It may end, which this message says; it is killed with its group.
    WaitFor(String),
    /// Its group gets the same signal, which this message says; it is killed with its group.
    HandOn(String),
    /// It gets the same signal, and is killed, alone: it is in milepost's group, in the foreground of a terminal. Of a
    /// Ctrl-C nobody knows whether the terminal has sent it to both.
    HandOnOutside {
        /// Says that it has got the signal.
        got: String,
        /// Says that it has got it from the terminal, or not at all.
        unknown: String,
    },
}

impl Asked {
    pub(super) fn name(self) -> &'static str {
        signal_name(self.number())
    }

    pub(super) fn number(self) -> u8 {
        u8::try_from(self.0).expect("one of those listened for")
    }

    /// Ends this process by the signal, once all is closed and said: a shell ends its script on a Ctrl-C only if the
    /// command that it waits for has died of it. The first process of a container can't die of it, and exits with the
    /// code that a shell gives it then.
    #[must_use]
    pub(super) fn ends_process(self) -> ExitCode {
        if !getpid().is_init() {
            // It fails only for a number that is no signal's.
            let _ = low_level::emulate_default_handler(self.0);
        }
        ExitCode::from(exit::BY_SIGNAL + self.number())
    }

    /// Whether a command in the foreground may have got it from the terminal, and would notice that it came twice. One
    /// that does not catch it has died of it then, or ignores it.
    fn is_doubtful(self, pid: Pid) -> bool {
        let status = || fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero()));
        matches!(self.0, SIGINT | SIGQUIT)
            && status().map_or(true, |status| signals_of(&status, "SigCgt") & bit(self.0) != 0)
    }

    fn signal(self) -> Signal {
        Signal::from_named_raw(self.0).expect("one of those listened for")
    }
}

impl Stop {
    pub(super) fn listen() -> Result<Stop, CliError> {
        let stop = Stop { shared: Arc::default(), last: Arc::default(), is_over: Arc::default() };
        stop.register().map_err(CliError::Signals)?;
        Ok(stop)
    }

    fn register(&self) -> io::Result<()> {
        let ignored = fs::read_to_string("/proc/self/status").map_or(0, |status| signals_of(&status, "SigIgn"));
        let heard = HEARD.into_iter().filter(|signal| ignored & bit(*signal) == 0).collect::<Vec<_>>();
        for &signal in &heard {
            flag::register_conditional_default(signal, Arc::clone(&self.is_over))?;
            flag::register_usize(signal, Arc::clone(&self.last), signal as usize)?;
        }
        let (mut signals, shared) = (Signals::new(&heard)?, Arc::clone(&self.shared));
        let listen = move || signals.forever().for_each(|signal| shared.takes(Asked(signal)));
        thread::Builder::new().name("signals".to_owned()).spawn(listen).map(drop)
    }

    /// The first signal that came, if one did.
    pub(super) fn asked(&self) -> Option<Asked> {
        let last = i32::try_from(self.last.load(Ordering::SeqCst)).ok().filter(|signal| *signal > 0).map(Asked);
        self.shared.state.lock().asked.or(last)
    }

    /// Waits for so long, or until a signal comes.
    pub(super) fn pause(&self, pause: Duration) {
        let mut state = self.shared.state.lock();
        self.shared.came.wait_while_for(&mut state, |state| state.asked.is_none(), pause);
    }

    /// A command was started; a signal that came meanwhile is for it, too.
    pub(super) fn begins(&self, pid: Pid, on_signal: OnSignal) {
        let mut state = self.shared.state.lock();
        let mut running = Running { pid, on_signal, first: None, last: None, was_killed: false };
        if let Some(asked) = state.asked {
            running.takes(asked);
        }
        state.running = Some(running);
    }

    /// Whether what the command has left behind is waited for no more; since when the command has ended by itself.
    pub(super) fn leaves_what_is_left(&self, ended: Instant) -> bool {
        let state = self.shared.state.lock();
        state.running.as_ref().is_some_and(|running| running.leaves_what_is_left(ended))
    }

    /// It has ended and is about to be reaped; whether a signal had it killed.
    pub(super) fn ends(&self) -> bool {
        self.shared.state.lock().running.take().is_some_and(|running| running.was_killed)
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
    }
}

impl Shared {
    fn takes(&self, asked: Asked) {
        let mut state = self.state.lock();
        state.asked.get_or_insert(asked);
        if let Some(running) = &mut state.running {
            running.takes(asked);
        }
        self.came.notify_all();
    }
}

impl Running {
    fn takes(&mut self, asked: Asked) {
        let now = Instant::now();
        if self.last.is_some_and(|(last, at)| last == asked && now.duration_since(at) < TWICE_WITHIN) {
            return;
        }
        self.last = Some((asked, now));
        let is_first = self.first.is_none();
        self.first.get_or_insert(now);
        let is_kill = matches!(self.on_signal, OnSignal::Kill) || (!is_first && asked.0 != SIGHUP);
        self.was_killed |= is_kill;
        let is_doubtful = !is_kill && asked.is_doubtful(self.pid);
        if is_first {
            self.on_signal.says(asked, is_doubtful);
        }
        let signal = if is_kill { Signal::KILL } else { asked.signal() };
        // What has ended by itself is a zombie still: nothing happens to it then.
        let _ = match self.on_signal {
            OnSignal::WaitFor(_) if !is_kill => Ok(()),
            OnSignal::HandOnOutside { .. } if is_doubtful => Ok(()),
            OnSignal::HandOnOutside { .. } => kill_process(self.pid, signal),
            OnSignal::Kill | OnSignal::WaitFor(_) | OnSignal::HandOn(_) => kill_process_group(self.pid, signal),
        };
    }

    fn leaves_what_is_left(&self, ended: Instant) -> bool {
        self.first.is_some_and(|first| self.was_killed || first.max(ended).elapsed() >= LEFT_WITHIN)
    }
}

impl OnSignal {
    fn says(&self, asked: Asked, is_doubtful: bool) {
        let text = match self {
            OnSignal::Kill => return,
            OnSignal::HandOnOutside { unknown, .. } if is_doubtful => unknown,
            OnSignal::WaitFor(text) | OnSignal::HandOn(text) | OnSignal::HandOnOutside { got: text, .. } => text,
        };
        say(&text.replace("{signal}", asked.name()));
    }
}

/// Whether this process is what its terminal is talking to. Only a command in the same group may read from it then.
pub(super) fn is_in_foreground() -> bool {
    fs::read_to_string("/proc/self/stat").is_ok_and(|stat| is_foreground(&stat))
}

/// Of the line of `/proc/PID/stat`: the name in brackets may hold anything; behind it come the state, the parent, the
/// group, the session, the terminal and the group in front of it, which is -1 where there is no terminal.
fn is_foreground(stat: &str) -> bool {
    let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    matches!(fields[..], [_, _, group, _, _, front, ..] if group == front)
}

/// Of `/proc/PID/status`: the signals that a line names, as bits; none where there is no such line.
fn signals_of(status: &str, line: &str) -> u64 {
    let named = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':'));
    named.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or(0)
}

fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

#[cfg(test)]
mod tests {
    use super::{SIGINT, SIGTERM, bit, is_foreground, signals_of};

    #[test]
    fn the_signals_of_a_line() {
        let status = "Name:\tSigIgn:\nShdPnd:\t0000000000004000\nSigIgn:\t0000000000001002\nSigCgt:\tx\n";
        assert_eq!(signals_of(status, "SigIgn") & bit(SIGINT), bit(SIGINT));
        assert_eq!(signals_of(status, "SigIgn") & bit(SIGTERM), 0);
        for line in ["SigCgt", "SigBlk"] {
            assert_eq!(signals_of(status, line), 0, "{line}");
        }
    }

    #[test]
    fn the_group_in_front_of_the_terminal() {
        for (stat, expected) in [
            ("7 (milepost) R 5 7 5 34816 7 4194304 1", true),
            ("7 (mile) post) R 5 7 5 34816 7 4194304 1", true),
            ("7 (milepost) R 5 7 5 34816 9 4194304 1", false),
            ("7 (milepost) R 5 7 5 0 -1 4194304 1", false),
            ("", false),
        ] {
            assert_eq!(is_foreground(stat), expected, "{stat}");
        }
    }
}
