//! [`Stop`]: Ctrl-C and SIGTERM for a milepost that runs a command of somebody's.
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
    time::Duration,
};

use parking_lot::{Condvar, Mutex};
use rustix::process::{Pid, Signal, getpid, kill_process, kill_process_group};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
    iterator::Signals,
    low_level,
};

use crate::error::{CliError, exit, say, signal_name};

/// What is listened for, unless it was ignored before.
const HEARD: [i32; 2] = [SIGINT, SIGTERM];

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
    /// How many signals it has met.
    signals: u32,
    was_killed: bool,
}

/// What a signal does to a command.
#[derive(Clone, Debug)]
pub(super) enum OnSignal {
    /// It is killed with its group.
    Kill,
    /// It may end, which this message says; a second signal kills it with its group.
    WaitFor(String),
    /// Its group gets the same signal, which this message says.
    HandOn(String),
    /// It gets the same signal, but for a Ctrl-C, which the terminal has sent it already: it is in milepost's group.
    HandOnOutside(String),
}

impl Asked {
    pub(super) fn name(self) -> &'static str {
        signal_name(self.number())
    }

    pub(super) fn number(self) -> u8 {
        u8::try_from(self.0).expect("one of the two listened for")
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

    fn signal(self) -> Signal {
        if self.0 == SIGINT { Signal::INT } else { Signal::TERM }
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
        let mut running = Running { pid, on_signal, signals: 0, was_killed: false };
        if let Some(asked) = state.asked {
            running.takes(asked);
        }
        state.running = Some(running);
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
        self.signals += 1;
        let is_first = self.signals == 1;
        // What has ended by itself is a zombie still: nothing happens to it then.
        let _ = match &self.on_signal {
            OnSignal::WaitFor(_) | OnSignal::HandOn(_) | OnSignal::HandOnOutside(_) if is_first => {
                self.on_signal.says(asked);
                self.on_signal.hand_on(self.pid, asked)
            }
            OnSignal::HandOn(_) | OnSignal::HandOnOutside(_) => self.on_signal.hand_on(self.pid, asked),
            OnSignal::Kill | OnSignal::WaitFor(_) => {
                self.was_killed = true;
                kill_process_group(self.pid, Signal::KILL)
            }
        };
    }
}

impl OnSignal {
    fn says(&self, asked: Asked) {
        if let OnSignal::WaitFor(text) | OnSignal::HandOn(text) | OnSignal::HandOnOutside(text) = self {
            say(&text.replace("{signal}", asked.name()));
        }
    }

    fn hand_on(&self, pid: Pid, asked: Asked) -> rustix::io::Result<()> {
        match self {
            OnSignal::HandOn(_) => kill_process_group(pid, asked.signal()),
            OnSignal::HandOnOutside(_) if asked.signal() == Signal::TERM => kill_process(pid, Signal::TERM),
            OnSignal::HandOnOutside(_) | OnSignal::Kill | OnSignal::WaitFor(_) => Ok(()),
        }
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
