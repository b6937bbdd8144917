//! A service in a process of its own counts the jobs that it was asked for, and makes a new one of every submit. The
//! task's process is killed (SIGKILL) at every step of the protocol in turn, and started again: one job each time.
//!
//! Both processes are this test's executable, told by the environment what they are. It is one of its own: between the
//! fork and the exec of a process, that process holds whatever locks its parent has, and other tests open their stores
//! again.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    env,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use milepost::{
    Scope, Store, Task, Verdict, Writer,
    task::{JobRecord, Pace, Polled},
};
use tempfile::TempDir;

const ROLE: &str = "MILEPOST_TEST_ROLE";

/// Where the task's process is killed, in the order of the protocol.
const STEPS: [&str; 12] = [
    "opened",
    "find: before it is asked",
    "find: answered",
    "submit: before it is sent",
    "submit: sent, not answered",
    "submit: answered, not recorded",
    "poll 0: before it is asked",
    "poll 0: answered",
    "poll 1: answered",
    "poll 2: before it is asked",
    "poll 2: finished, not recorded",
    "recorded",
];

#[test]
fn killed_at_every_step_there_is_one_job() {
    for first in STEPS {
        // A kill in `find` needs a run before it that has left an intent alone.
        for before in ["submit: before it is sent", "submit: sent, not answered"] {
            let place = tempfile::tempdir().unwrap();
            let service = Service::start();
            let needs_intent = first.starts_with("find");
            if needs_intent {
                assert!(!service.works(&store_in(&place), 1, before), "killed {before}");
            }
            assert!(!service.works(&store_in(&place), 2, first), "not killed {first}");
            assert!(service.works(&store_in(&place), 3, "never"), "after a kill {first}");
            assert_eq!(ask(service.port, "count"), "1", "after a kill {first}");
            let store = Store::read_only(store_in(&place)).unwrap();
            let record = recorded(&store);
            assert_eq!((record.id.as_deref(), record.result.as_deref()), (Some("job-0"), Some(&b"ok"[..])));
            let report = milepost::verify(store_in(&place), &mut |_, _| ()).unwrap();
            assert!(matches!(report.verdict, Verdict::Clean), "{report:?}");
            if !needs_intent {
                break;
            }
        }
    }
}

/// Killed again and again, at one step after the other, in one life of the job.
#[test]
fn killed_at_all_steps_one_after_the_other() {
    let (place, service) = (tempfile::tempdir().unwrap(), Service::start());
    // The remote side has the job once it was sent: from then on nothing is sent.
    let ordered = [&STEPS[..1], &STEPS[3..4], &STEPS[1..3], &STEPS[4..5], &STEPS[1..3], &STEPS[6..]].concat();
    for (index, step) in ordered.iter().enumerate() {
        assert!(!service.works(&store_in(&place), index as u32 + 1, step), "not killed {step}");
    }
    assert!(service.works(&store_in(&place), ordered.len() as u32 + 1, "never"));
    assert_eq!(ask(service.port, "count"), "1");
}

fn store_in(place: &TempDir) -> PathBuf {
    place.path().join("store")
}

fn task(store: &Store, writer: Writer) -> Task {
    store.task(&Scope::parse("task/a").unwrap(), writer).unwrap()
}

fn recorded(store: &Store) -> JobRecord {
    task(store, Writer::new("reader").unwrap()).job("build").unwrap().get().unwrap().unwrap()
}

struct Service {
    process: Child,
    port: u16,
}

impl Service {
    fn start() -> Service {
        let mut process = this("service_main").env(ROLE, "service").stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = lines.map(Result::unwrap).find_map(|line| Some(line.split_once("PORT ")?.1.parse().unwrap()));
        Service { process, port: port.unwrap() }
    }

    /// Runs the task in a process of its own; whether it came to its end.
    fn works(&self, store: &Path, number: u32, killed_at: &str) -> bool {
        let mut worker = this("worker_main");
        worker.env(ROLE, "worker").env("STORE", store).env("PORT", self.port.to_string());
        worker.env("ATTEMPT", number.to_string()).env("KILLED_AT", killed_at).stdout(Stdio::null());
        let ended = worker.status().unwrap();
        assert!(ended.success() || std::os::unix::process::ExitStatusExt::signal(&ended) == Some(9), "{ended:?}");
        ended.success()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// This executable, running one of its tests.
fn this(test: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).stdin(Stdio::null());
    command
}

fn is(role: &str) -> bool {
    env::var_os(ROLE).is_some_and(|given| given == role)
}

#[test]
fn worker_main() {
    if !is("worker") {
        return;
    }
    let var = |name| env::var(name).unwrap();
    let (port, killed_at) = (var("PORT").parse().unwrap(), var("KILLED_AT"));
    let at = |step: &str| {
        if step == killed_at {
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
        }
    };
    let store = Store::open(var("STORE")).unwrap();
    let writer = Writer::new("worker").unwrap().attempt(var("ATTEMPT").parse().unwrap());
    let task = task(&store, writer);
    at("opened");
    let pace = Pace { first: Duration::ZERO, longest: Duration::ZERO, timeout: None };
    let mut polls = 0;
    let result = task.job("build").unwrap().pace(pace).run(
        |token| {
            at("submit: before it is sent");
            let sent = send(port, &format!("submit {token}"));
            at("submit: sent, not answered");
            let id = answer(sent);
            at("submit: answered, not recorded");
            Ok::<_, String>(id)
        },
        |token| {
            at("find: before it is asked");
            let found = ask(port, &format!("find {token}"));
            at("find: answered");
            Ok(Some(found).filter(|id| id != "none"))
        },
        |id| {
            at(&format!("poll {polls}: before it is asked"));
            let status = ask(port, &format!("poll {id}"));
            at(&format!("poll {polls}: {}", if polls == 2 { "finished, not recorded" } else { "answered" }));
            polls += 1;
            Ok(if polls == 3 { Polled::Finished("ok".into()) } else { Polled::Pending(status) })
        },
    );
    assert_eq!(&*result.unwrap(), b"ok");
    at("recorded");
}

#[test]
fn service_main() {
    if !is("service") {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("\nPORT {}", listener.local_addr().unwrap().port());
    let (mut tokens, mut polls) = (Vec::<String>::new(), 0);
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).unwrap();
        let said = match line.trim_end().split_once(' ').unwrap_or((line.trim_end(), "")) {
            ("submit", token) => {
                tokens.push(token.to_owned());
                format!("job-{}", tokens.len() - 1)
            }
            ("find", token) => match tokens.iter().position(|known| known == token) {
                Some(at) => format!("job-{at}"),
                None => "none".to_owned(),
            },
            ("poll", _) => {
                polls += 1;
                format!("RUNNING {polls}")
            }
            _ => tokens.len().to_string(),
        };
        // Who asked may be dead.
        let _ = writeln!(stream, "{said}");
    }
}

fn send(port: u16, line: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    writeln!(stream, "{line}").unwrap();
    stream
}

fn answer(stream: TcpStream) -> String {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

fn ask(port: u16, line: &str) -> String {
    answer(send(port, line))
}
