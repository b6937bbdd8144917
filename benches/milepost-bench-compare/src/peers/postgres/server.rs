//! [`Server`]: a PostgreSQL of this run's own.
//!
//! It has its cluster in the store's directory, listens there and nowhere else, and runs as another user if this
//! program is run by root, whom it refuses.
//!
//! Invariant: no server outlives its [`Server`], nor the process when that is told to stop.

use std::{
    env, fs,
    fs::File,
    io, mem,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{
            fs::{PermissionsExt, chown},
            process::CommandExt,
        },
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, OnceLock},
    thread,
    time::Duration,
};

use postgres::{Client, Config, NoTls};
use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{Pid, PidfdFlags, Signal, geteuid, pidfd_open, pidfd_send_signal},
};

/// Room for the data in memory, and for what is written between two checkpoints. What makes a commit durable is said
/// aloud, though it is the default.
const SETTINGS: &[&str] = &[
    "listen_addresses=",
    "fsync=on",
    "synchronous_commit=on",
    "full_page_writes=on",
    "shared_buffers=2GB",
    "max_wal_size=8GB",
    "checkpoint_timeout=30min",
    "max_connections=200",
];
/// What the server and initdb say, in the directory of the store.
const LOG: &str = "server.log";
/// Between two tries to connect to a server that starts.
const TRY_EVERY: Duration = Duration::from_millis(1);
/// Between two looks at whether a killed process was reaped, and how many there are.
const REAPED_EVERY: Duration = Duration::from_millis(2);
const REAPED_LOOKS: u32 = 5000;

/// What runs, initdb or a server. Held while one is started; never given back once all must end.
static RUNNING: Mutex<Vec<Arc<Running>>> = Mutex::new(Vec::new());

/// A process that was started, so that it can be told to end by another thread than the one that waits for it.
struct Running {
    pid: u32,
    pidfd: OwnedFd,
}

/// The same for whoever started it: it is ended when this is dropped.
struct Process {
    child: Child,
    running: Arc<Running>,
}

/// A server that runs.
pub(super) struct Server {
    process: Process,
    /// Where its socket is: by way of the open directory, since a path to a socket must be short.
    data: File,
}

/// Where initdb and postgres are: in the path, where `pg_config` says, or where Debian puts them.
pub(super) fn programs() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let look = || {
        let path = env::var_os("PATH").unwrap_or_default();
        let told = Command::new("pg_config").arg("--bindir").output().ok();
        let told = told.and_then(|output| String::from_utf8(output.stdout).ok()).map(|text| text.trim().into());
        let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let mut versions: Vec<(u32, PathBuf)> = versions
            .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
            .collect();
        versions.sort();
        let newest_first = versions.into_iter().rev().map(|(_, path)| path);
        let mut places = env::split_paths(&path).chain(told).chain(newest_first);
        places.find(|place| ["initdb", "postgres"].iter().all(|program| place.join(program).is_file()))
    };
    FOUND.get_or_init(look).as_deref()
}

impl Server {
    /// Starts the server of a store, and makes its cluster if there is none; the first connection comes with it.
    pub(super) fn start(dir: &Path) -> io::Result<(Server, Client)> {
        let programs = programs().ok_or_else(|| io::Error::other("initdb and postgres were not found"))?;
        let data = dir.join("data");
        if !data.join("PG_VERSION").exists() {
            init(programs, dir, &data)?;
        }
        let mut command = Command::new(programs.join("postgres"));
        command.arg("-D").arg(&data).args(["-k", "."]);
        command.args(SETTINGS.iter().flat_map(|setting| ["-c", setting]));
        let mut server = Server { process: Process::start(command, dir)?, data: File::open(&data)? };
        let client = server.wait_until_ready(dir)?;
        Ok((server, client))
    }

    /// A new connection.
    pub(super) fn connect(&self) -> io::Result<Client> {
        self.try_to_connect().map_err(io::Error::other)
    }

    /// Ends it: whoever is connected is sent away, and everything is written down.
    pub(super) fn stop(mut self) -> io::Result<()> {
        pidfd_send_signal(&self.process.running.pidfd, Signal::INT)?;
        let status = self.process.child.wait()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("the server ended with {status}"))) }
    }

    fn try_to_connect(&self) -> Result<Client, postgres::Error> {
        let socket_dir = format!("/proc/self/fd/{}", self.data.as_raw_fd());
        Config::new().host_path(socket_dir).user("milepost").dbname("postgres").connect(NoTls)
    }

    #[expect(clippy::disallowed_methods, reason = "a server tells nobody that it is ready")]
    fn wait_until_ready(&mut self, dir: &Path) -> io::Result<Client> {
        loop {
            if let Ok(client) = self.try_to_connect() {
                return Ok(client);
            }
            if let Some(status) = self.process.child.try_wait()? {
                let log = fs::read_to_string(dir.join(LOG))?;
                return Err(io::Error::other(format!("the server ended with {status}:\n{log}")));
            }
            thread::sleep(TRY_EVERY);
        }
    }
}

impl Process {
    /// Starts it as the user that it must have; what it says goes to the log of the store.
    fn start(mut command: Command, dir: &Path) -> io::Result<Process> {
        let log = File::options().create(true).append(true).open(dir.join(LOG))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        // Its user may not be allowed into the directory that we are in.
        command.current_dir("/");
        if let Some((uid, gid)) = its_user()? {
            command.uid(uid).gid(gid);
        }
        let mut all = RUNNING.lock().map_err(|_| io::Error::other("a thread panicked while it started a server"))?;
        let child = command.spawn()?;
        let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
        let running = Arc::new(Running { pid: child.id(), pidfd });
        all.push(Arc::clone(&running));
        Ok(Process { child, running })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            // What fails here can be told to nobody.
            let _ = pidfd_send_signal(&self.running.pidfd, Signal::QUIT);
            let _ = self.child.wait();
        }
        if let Ok(mut all) = RUNNING.lock() {
            all.retain(|running| !Arc::ptr_eq(running, &self.running));
        }
    }
}

/// Ends all with what they started, and lets none start any more.
pub(super) fn end_all() {
    let Ok(all) = RUNNING.lock() else { return };
    let with_theirs: Vec<OwnedFd> = all.iter().flat_map(|running| pidfds_below(running.pid)).collect();
    for running in all.iter() {
        let _ = pidfd_send_signal(&running.pidfd, Signal::QUIT);
    }
    with_theirs.iter().for_each(wait_for_end);
    mem::forget(all);
}

fn pidfds_below(pid: u32) -> Vec<OwnedFd> {
    let pids = milepost_machine::below(pid).into_iter().filter_map(|pid| Pid::from_raw(pid.cast_signed()));
    pids.filter_map(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()).collect()
}

/// Kills a process that uses the server of a store, and the server with all its processes, all at once.
#[expect(clippy::disallowed_methods, reason = "it is reaped by whoever inherits it, who tells nobody")]
pub(super) fn kill(child: &mut Child, dir: &Path) -> io::Result<()> {
    let text = fs::read_to_string(dir.join("data/postmaster.pid"))?;
    let pid = text.lines().next().and_then(|line| line.parse().ok());
    let postmaster: u32 = pid.ok_or_else(|| io::Error::other("the server's file says no process"))?;
    // The first is the postmaster: it starts nobody any more, and those it started are killed right behind it.
    let pidfds = pidfds_below(postmaster);
    child.kill()?;
    for pidfd in &pidfds {
        let _ = pidfd_send_signal(pidfd, Signal::KILL);
    }
    pidfds.iter().for_each(wait_for_end);
    // A server does not start while the process that its file names is there, if only as one that nobody reaped.
    let is_gone = |_| {
        thread::sleep(REAPED_EVERY);
        !Path::new(&format!("/proc/{postmaster}")).exists()
    };
    if (0..REAPED_LOOKS).any(is_gone) { Ok(()) } else { Err(io::Error::other("nobody reaps the killed server")) }
}

fn wait_for_end(pidfd: &OwnedFd) {
    while poll(&mut [PollFd::new(pidfd, PollFlags::IN)], None).is_err() {}
}

/// Makes a cluster that trusts whoever gets to its socket, which is its own user and root: `C` sorts as bytes do.
fn init(programs: &Path, dir: &Path, data: &Path) -> io::Result<()> {
    if let Some((uid, gid)) = its_user()? {
        chown(dir, Some(uid), Some(gid))?;
        if let Some(parent) = dir.parent() {
            let mode = fs::metadata(parent)?.permissions().mode();
            fs::set_permissions(parent, fs::Permissions::from_mode(mode | 0o011))?;
        }
    }
    let mut command = Command::new(programs.join("initdb"));
    command.arg("-D").arg(data).args(["-U", "milepost", "-A", "trust", "--locale=C", "--encoding=UTF8"]);
    let status = Process::start(command, dir)?.child.wait()?;
    if status.success() {
        return Ok(());
    }
    let said = fs::read_to_string(dir.join(LOG))?;
    let hint = "all folders above must let its user through";
    Err(io::Error::other(format!("initdb ended with {status}; {hint}:\n{said}")))
}

/// Root gives it to somebody else: `postgres`, or else `nobody`.
fn its_user() -> io::Result<Option<(u32, u32)>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut ids = line.split(':').skip(2).map(str::parse);
        Some((ids.next()?.ok()?, ids.next()?.ok()?))
    };
    let found = ids("postgres").or_else(|| ids("nobody"));
    found.map(Some).ok_or_else(|| io::Error::other("neither user postgres nor user nobody is there to run it"))
}
