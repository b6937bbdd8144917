//! The parts as processes of their own: started, listened to, asked to end, killed.
//!
//! Invariant: a process that was started is in the list until it was waited for, so [`Processes::kill_all`] leaves
//! none.

use std::{
    io::{self, BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::Sender,
    },
    thread,
};

use parking_lot::Mutex;

use crate::{ending::CLOSE, plan::Plan, said::Said};

/// What a process is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Writer,
    Follower,
    Holder,
}

impl Part {
    pub(crate) const ALL: [Part; 3] = [Part::Writer, Part::Follower, Part::Holder];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Part::Writer => "writer",
            Part::Follower => "follower",
            Part::Holder => "holder",
        }
    }
}

/// What the parent hears of a process.
pub(crate) struct Message {
    pub(crate) part: Part,
    pub(crate) pid: u32,
    pub(crate) heard: Heard,
}

pub(crate) enum Heard {
    Said(Said),
    /// A line that is none of ours.
    Noise(String),
    /// Its standard output has ended: all that it said was heard.
    Ended,
}

/// The processes that are alive.
#[derive(Clone, Default)]
pub(crate) struct Processes(Arc<Inner>);

#[derive(Default)]
struct Inner {
    alive: Mutex<Vec<(Child, Option<ChildStdin>)>>,
    /// Somebody wants all of this to end, and sees to it: whoever finds a process gone says nothing.
    is_interrupted: AtomicBool,
}

impl Processes {
    /// Starts a part. Returns its number.
    pub(crate) fn start(&self, part: Part, plan: &Plan, to: &Sender<Message>) -> io::Result<u32> {
        let mut alive = self.0.alive.lock();
        if self.0.is_interrupted.load(Ordering::SeqCst) {
            return Err(io::Error::other("interrupted"));
        }
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--part", part.name(), &serde_json::to_string(plan)?]);
        // A group of its own, so that Ctrl-C is told to the parent alone, which ends the others in order.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut child = command.spawn()?;
        let (pid, stdin) = (child.id(), child.stdin.take());
        let stdout = child.stdout.take().ok_or_else(|| io::Error::other("a process without standard output"))?;
        alive.push((child, stdin));
        let to = to.clone();
        thread::spawn(move || {
            let tell = |heard| to.send(Message { part, pid, heard });
            let mut lines = BufReader::new(stdout);
            let mut line = String::new();
            // A line without its end was cut by a kill: it was not said.
            while lines.read_line(&mut line).is_ok_and(|bytes| bytes > 0) && line.ends_with('\n') {
                let heard = serde_json::from_str(&line).map_or_else(|_| Heard::Noise(line.clone()), Heard::Said);
                if tell(heard).is_err() {
                    return;
                }
                line.clear();
            }
            // If nobody listens, nobody needs to know.
            let _ = tell(Heard::Ended);
        });
        Ok(pid)
    }

    /// Asks a process to end in order.
    pub(crate) fn ask_to_end(&self, pid: u32) -> io::Result<()> {
        let mut alive = self.0.alive.lock();
        match alive.iter_mut().find(|(child, _)| child.id() == pid) {
            Some((_, Some(stdin))) => {
                // One that has ended says why on its way out; that nobody reads this is no news.
                let _ = writeln!(stdin, "{CLOSE}");
                Ok(())
            }
            _ => Err(io::Error::other(format!("there is no process {pid} to be asked"))),
        }
    }

    /// Kills a process with SIGKILL, and waits until it is gone.
    pub(crate) fn kill(&self, pid: u32) -> io::Result<ExitStatus> {
        let (mut child, _stdin) = self.take(pid)?;
        child.kill()?;
        child.wait()
    }

    /// Waits for a process that has ended or is about to.
    pub(crate) fn wait(&self, pid: u32) -> io::Result<ExitStatus> {
        let (mut child, _stdin) = self.take(pid)?;
        child.wait()
    }

    /// Kills all since somebody wants it. Nothing is started any more.
    pub(crate) fn interrupt(&self) {
        // Before any is killed, so that whoever finds one gone finds this too.
        self.0.is_interrupted.store(true, Ordering::SeqCst);
        self.kill_all();
    }

    /// Kills all, on the way out.
    pub(crate) fn kill_all(&self) {
        let mut alive = self.0.alive.lock();
        for (child, _) in alive.iter_mut() {
            // One that is gone already is as wanted.
            let _ = child.kill();
            let _ = child.wait();
        }
        alive.clear();
    }

    pub(crate) fn is_interrupted(&self) -> bool {
        self.0.is_interrupted.load(Ordering::SeqCst)
    }

    fn take(&self, pid: u32) -> io::Result<(Child, Option<ChildStdin>)> {
        let mut alive = self.0.alive.lock();
        let place = alive.iter().position(|(child, _)| child.id() == pid);
        place.map(|place| alive.swap_remove(place)).ok_or_else(|| io::Error::other(format!("process {pid} is gone")))
    }
}
