//! A job in another process, started once: the first attempt dies right after the submit, the second one finds the job.
//!
//! `cargo run -p milepost --example job`

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "an example says what it does; it keeps a file")]

use std::{error::Error, fs, path::Path, process::Command, time::Duration};

use milepost::{
    Scope, Store, Writer,
    task::{Pace, Polled},
};

/// The remote side: a process that writes what it was asked for into a file named by the token.
fn submit(dir: &Path, token: &str) -> Result<String, Box<dyn Error + Send + Sync>> {
    let file = dir.join(token);
    println!("  submitting {token}");
    let script = format!("echo running > '{0}'; sleep 0.3; echo 5050 > '{0}'", file.display());
    Command::new("sh").args(["-c", &script]).spawn()?;
    Ok(file.display().to_string())
}

fn find(dir: &Path, token: &str) -> Result<Option<String>, Box<dyn Error + Send + Sync>> {
    println!("  asking for {token}");
    let file = dir.join(token);
    Ok(fs::exists(&file)?.then(|| file.display().to_string()))
}

fn poll(id: &str) -> Result<Polled, Box<dyn Error + Send + Sync>> {
    match fs::read_to_string(id).unwrap_or_default().trim() {
        "" | "running" => Ok(Polled::Pending("running".into())),
        result => Ok(Polled::Finished(result.into())),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let (store, scope) = (Store::open(dir.path().join("store"))?, Scope::parse("task/sum")?);
    let pace = Pace { first: Duration::from_millis(50), timeout: Some(Duration::from_secs(20)), ..Pace::default() };
    let job = |attempt| store.task(&scope, Writer::new("worker")?.attempt(attempt))?.job("sum");

    println!("attempt 1");
    let dies = |token: &str| {
        let id = submit(dir.path(), token)?;
        while !fs::exists(&id)? {
            std::thread::yield_now();
        }
        Err("killed before the answer came".into())
    };
    let ended = job(1)?.pace(pace).run(dies, |token| find(dir.path(), token), poll);
    println!("  {}", ended.expect_err("it was killed"));

    println!("attempt 2");
    let result = job(2)?.pace(pace).run(|token| submit(dir.path(), token), |token| find(dir.path(), token), poll)?;
    println!("  the result is {}", String::from_utf8_lossy(&result));
    Ok(())
}
