//! The tests, and which mutants each of them comes past.
//!
//! Invariant: a test is run in a process and a folder of its own, as the only one of its program.
//!
//! Knows nothing of what a mutant is.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, Stdio},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use super::build::TestProgram;

/// A test, as it went without a mutant.
pub(super) struct Test<'a> {
    program: &'a TestProgram,
    pub(super) name: String,
    pub(super) took: Duration,
    /// Of the mutants that it came past.
    pub(super) met: Vec<u32>,
}

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Passed,
    Failed,
    /// It was ended: it took several times what it takes otherwise.
    Late,
}

/// What a test of no time may take.
const GRACE: Duration = Duration::from_secs(8);

impl<'a> Test<'a> {
    pub(super) fn package(&self) -> &'a str {
        &self.program.package
    }

    /// Runs it with a mutant on.
    pub(super) fn run(&self, mutant: u32, room: &Path) -> Result<Ended, String> {
        self.start(("MUTANT", &mutant.to_string()), room, self.took * 3 + GRACE)
    }

    #[expect(clippy::disallowed_methods, reason = "another process ends when it does; nobody says so within a time")]
    fn start(&self, variable: (&str, &str), room: &Path, most: Duration) -> Result<Ended, String> {
        let told = |error: std::io::Error| format!("{}: {error}", self.name);
        fs::create_dir_all(room).map_err(told)?;
        let mut process = Command::new(&self.program.path)
            .args(["--exact", &self.name])
            .current_dir(&self.program.folder)
            .env("CARGO_MANIFEST_DIR", &self.program.folder)
            .env("TMPDIR", room)
            .env(variable.0, variable.1)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(told)?;
        let began = Instant::now();
        let mut pause = Duration::from_millis(1);
        let ended = loop {
            match process.try_wait().map_err(told)? {
                Some(status) if status.success() => break Ended::Passed,
                Some(_) => break Ended::Failed,
                None if began.elapsed() > most => break Ended::Late,
                None => thread::sleep(pause),
            }
            pause = (pause * 2).min(Duration::from_millis(50));
        };
        // Itself if it is late, and what it started and left: they are a group.
        let _gone =
            Command::new("kill").args(["-KILL", "--", &format!("-{}", process.id())]).stderr(Stdio::null()).status();
        let _waited = process.wait();
        let _left = fs::remove_dir_all(room);
        Ok(ended)
    }

    fn trace(&mut self, number: usize, dir: &Path, most: Duration) -> Result<Ended, String> {
        let trace = dir.join(format!("trace-{number}"));
        let _old = fs::remove_file(&trace);
        let began = Instant::now();
        let variable = ("MUTANT_TRACE", trace.to_str().ok_or("the folder's name is not text")?);
        let ended = self.start(variable, &dir.join(format!("room-{number}")), most)?;
        self.took = began.elapsed();
        let bytes = fs::read(&trace).unwrap_or_default();
        self.met = bytes.chunks_exact(4).map(|id| u32::from_le_bytes([id[0], id[1], id[2], id[3]])).collect();
        // Each process that it starts notes what that one came past.
        self.met.sort_unstable();
        self.met.dedup();
        let _read = fs::remove_file(&trace);
        Ok(ended)
    }
}

/// All tests of some programs, each run once to see what it comes past. One that fails as it is says nothing, and one
/// that takes longer than `most` is never asked: they are named and left out.
pub(super) fn trace<'a>(
    programs: &'a [TestProgram],
    dir: &Path,
    threads: usize,
    most: Duration,
) -> Result<Vec<Test<'a>>, String> {
    let mut waiting = Vec::new();
    for program in programs {
        let all = names(program, &[])?;
        let ignored = names(program, &["--ignored"])?;
        waiting.extend(all.into_iter().filter(|name| !ignored.contains(name)).map(|name| Test {
            program,
            name,
            took: Duration::ZERO,
            met: Vec::new(),
        }));
    }
    println!("{} tests, each once to see which mutants it comes past", waiting.len());
    let waiting = Mutex::new(waiting.into_iter().enumerate());
    let traced = Mutex::new(BTreeMap::new());
    each_thread(threads, |_| {
        loop {
            // A statement of its own: what a loop asks for in its head stays locked until its end.
            let Some((number, mut test)) = lock(&waiting).next() else { break };
            match test.trace(number, dir, most)? {
                Ended::Passed => _ = lock(&traced).insert(number, test),
                ended => println!("left out, {ended:?} without a mutant: {} {}", test.package(), test.name),
            }
        }
        Ok(())
    })?;
    Ok(traced.into_inner().map_err(|_| "a thread panicked")?.into_values().collect())
}

fn names(program: &TestProgram, arguments: &[&str]) -> Result<Vec<String>, String> {
    let told = |error: std::io::Error| format!("{}: {error}", program.path.display());
    let listed =
        Command::new(&program.path).args(["--list", "--format", "terse"]).args(arguments).output().map_err(told)?;
    let listed = String::from_utf8_lossy(&listed.stdout);
    Ok(listed.lines().filter_map(|line| Some(line.strip_suffix(": test")?.to_owned())).collect())
}

/// Does the same on some threads, with a number each, until all are done.
pub(super) fn each_thread(threads: usize, work: impl Fn(usize) -> Result<(), String> + Sync) -> Result<(), String> {
    thread::scope(|scope| {
        let work = &work;
        let running: Vec<_> = (0..threads).map(|number| scope.spawn(move || work(number))).collect();
        running.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|_| Err("a thread panicked".to_owned())))
    })
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
