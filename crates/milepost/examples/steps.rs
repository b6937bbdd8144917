//! A task of three steps that dies in the second, goes on there, and is then replayed from it.
//!
//! `cargo run -p milepost --example steps`

#![expect(clippy::print_stdout, reason = "an example says what it does")]

use std::error::Error;

use milepost::{Scope, Store, Task, Writer, task::Step};

fn run(task: &Task, price: Result<u64, &'static str>) -> milepost::Result<u64> {
    let rows = task.step("extract", || {
        println!("  extract runs");
        Ok::<u64, std::io::Error>(12)
    })?;
    let price = task.step("price", || {
        println!("  price runs");
        price
    })?;
    task.step("report", || {
        println!("  report runs");
        Ok::<u64, std::io::Error>(rows * price)
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let (store, scope) = (Store::open(dir.path())?, Scope::parse("task/etl/2026-11-24")?);
    let attempt = |number| store.task(&scope, Writer::new("worker-7")?.attempt(number));

    println!("attempt 1");
    println!("  {}", run(&attempt(1)?, Err("the price list is not there yet")).expect_err("it fails"));
    println!("attempt 2: {}", run(&attempt(2)?, Ok(3))?);
    println!("attempt 3: {}", run(&attempt(3)?, Ok(5))?);
    attempt(4)?.replay_from(Step::new("price"))?;
    println!("replayed from the price: {}", run(&attempt(5)?, Ok(5))?);
    Ok(())
}
