//! A directory to run the binary in, and what it says there.

use std::{
    ffi::OsStr,
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use tempfile::TempDir;

/// An empty directory.
pub(crate) struct World {
    dir: TempDir,
}

/// How a process ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl World {
    pub(crate) fn new() -> World {
        World { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The store that is found here.
    pub(crate) fn store(&self) -> PathBuf {
        self.dir().join(".milepost")
    }

    /// The binary, in this directory and with nothing from outside.
    pub(crate) fn command<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_milepost"));
        clean(&mut command, self.dir());
        command.args(args);
        command
    }

    pub(crate) fn run<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Ran {
        self.feed(args, b"")
    }

    /// Runs it with bytes on its standard input.
    pub(crate) fn feed<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>, input: &[u8]) -> Ran {
        finish(self.command(args).spawn().unwrap(), input)
    }

    /// Runs it, and expects that it went well.
    pub(crate) fn ok<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> String {
        let ran = self.run(args);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran.text()
    }

    /// A store with a few commits that are the same in every test.
    pub(crate) fn with_commits(count: u64) -> World {
        let world = World::new();
        let ran = world.feed(["append"], lines(count).as_bytes());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        world
    }

    /// A copy of a file or directory of this place, elsewhere.
    pub(crate) fn copied(&self, name: &str, to: impl AsRef<Path>) {
        let copied = Command::new("cp").arg("-a").arg(self.dir().join(name)).arg(to.as_ref()).status().unwrap();
        assert!(copied.success());
    }

    /// Every file of the store in which these bytes stand.
    pub(crate) fn files_with(&self, text: &str) -> Vec<String> {
        files_with(&self.store(), text)
    }

    /// Checks every byte of the store.
    pub(crate) fn verify(&self) -> Ran {
        self.run(["verify"])
    }

    /// Runs command lines one after the other, and shows them with what they answered. Times and the directory, which
    /// differ from run to run, are masked.
    pub(crate) fn transcript(&self, script: &[&str]) -> String {
        let mut shown = String::new();
        for line in script {
            let ran = self.run(words(line));
            let _ = writeln!(shown, "$ milepost {line}");
            shown.push_str(&ran.text());
            if !ran.stdout.is_empty() && !ran.stdout.ends_with(b"\n") {
                shown.push_str("⏎\n");
            }
            for line in ran.stderr.lines() {
                let _ = writeln!(shown, "! {line}");
            }
            if ran.code != Some(0) {
                let _ = writeln!(shown, "exit {}", ran.code.map_or("signal".into(), |code| code.to_string()));
            }
        }
        self.masked(&shown)
    }

    pub(crate) fn masked(&self, text: &str) -> String {
        let dir = fs::canonicalize(self.dir()).unwrap();
        let text = text.replace(&dir.display().to_string(), "<dir>");
        mask_times(&text.replace(&self.dir().display().to_string(), "<dir>"))
    }
}

impl Ran {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// Every file of a directory, and of those in it, in which these bytes stand.
pub(crate) fn files_with(dir: &Path, text: &str) -> Vec<String> {
    let mut dirs = vec![dir.to_owned()];
    let mut found = Vec::new();
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if fs::read(&path).unwrap().windows(text.len()).any(|window| window == text.as_bytes()) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

/// A binary in a directory, with nothing of who runs the test.
pub(crate) fn clean(command: &mut Command, dir: &Path) {
    command.current_dir(dir).env_remove("MILEPOST_STORE").env_remove("MILEPOST_LOG");
    command.env("USER", "ann").env("TZ", "UTC").env("NO_COLOR", "1");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
}

/// Feeds a process, and waits for its end.
pub(crate) fn finish(mut child: Child, input: &[u8]) -> Ran {
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|threads| {
        // A program that ends early closes its end: that is its right.
        threads.spawn(move || drop(stdin.write_all(input)));
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        Ran { code: status.code(), stdout, stderr: String::from_utf8_lossy(&stderr).into_owned() }
    })
}

/// Lines for `append`: key `k<n>` of one scope gets the value `<n>`.
pub(crate) fn lines(count: u64) -> String {
    (1..=count).fold(String::new(), |mut lines, n| {
        let _ = writeln!(lines, "{}", line(n));
        lines
    })
}

pub(crate) fn line(n: u64) -> String {
    format!(r#"{{"writer":"w","events":[{{"event":"set","scope":"a/b","key":"k{n}","value":"{n}"}}]}}"#)
}

/// Says that a test was skipped and why, past the capture of what tests print: nothing is skipped silently.
pub(crate) fn skipped(test: &str, why: &str) {
    let _ = std::io::stderr().write_all(format!("SKIPPED {test}: {why}\n").as_bytes());
}

/// Splits at spaces, but for those between single quotes.
pub(crate) fn words(line: &str) -> Vec<String> {
    shlex::split(line).unwrap()
}

/// Replaces whatever looks like a time by 9s, of the same width.
pub(crate) fn mask_times(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut masked = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let shape = "dddd-dd-dd_dd:dd:dd.dddddd";
        let fits = bytes.len() >= at + shape.len()
            && bytes[at..].iter().zip(shape.bytes()).all(|(byte, shape)| match shape {
                b'd' => byte.is_ascii_digit(),
                b'_' => *byte == b'T' || *byte == b' ',
                other => *byte == other,
            });
        if fits {
            masked.extend(text[at..at + shape.len()].chars().map(|c| if c.is_ascii_digit() { '9' } else { c }));
            at += shape.len();
        } else {
            let c = text[at..].chars().next().unwrap();
            masked.push(c);
            at += c.len_utf8();
        }
    }
    masked
}
