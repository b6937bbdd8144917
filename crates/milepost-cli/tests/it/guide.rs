//! The pages of `docs/guide`: every command on them runs, and answers what stands there.
//!
//! `MILEPOST_GUIDE=write` writes the answers of today into the page; then read it again.

use std::{fs, path::Path};

use super::world::{World, mask_times, words};

/// A page with every answer in its `console` blocks replaced by what is answered now.
fn answered(page: &str) -> String {
    let world = World::new();
    let (mut shown, mut in_console) = (String::new(), false);
    for line in page.lines() {
        if line.starts_with("```") {
            in_console = line == "```console";
        }
        match line.strip_prefix("$ milepost ") {
            Some(command) if in_console => {
                let ran = world.run(words(command));
                shown.push_str(&format!("{line}\n"));
                let said = format!("{}\n{}", ran.text().trim_end(), ran.stderr.trim_end());
                // Where the store was made is another place each time.
                let said = said.lines().filter(|line| !line.is_empty() && !line.contains("made a new store"));
                said.for_each(|line| shown.push_str(&format!("{line}\n")));
            }
            _ if in_console && !line.starts_with("```") => {}
            _ => shown.push_str(&format!("{line}\n")),
        }
    }
    assert_eq!(world.verify().code, Some(0));
    shown
}

/// Whether a page says what is answered today.
fn check(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide").join(name);
    let page = fs::read_to_string(&path).unwrap();
    let today = answered(&page);
    if std::env::var_os("MILEPOST_GUIDE").is_some() {
        fs::write(&path, &today).unwrap();
        return;
    }
    assert_eq!(masked(&page), masked(&today), "see the top of this file");
}

/// Without what differs from run to run: times, how long a job took, and its pace.
fn masked(page: &str) -> String {
    let mut shown = String::new();
    for line in mask_times(page).lines() {
        // In how many commits the marks came is a matter of time, too.
        let line = match line.split_once(" in ") {
            Some((counts, after)) if after.contains(" durable at seq") => format!("{counts} in …"),
            _ => line.to_owned(),
        };
        let cells: Vec<&str> = line.split(',').collect();
        // The pace in the row of a job.
        match cells.as_slice() {
            [before @ .., pace, left, at] if cells.len() == 10 && pace.parse::<f64>().is_ok() => {
                shown.push_str(&format!("{},…,{left},{at}", before.join(",")));
            }
            _ => shown.push_str(&line),
        }
        shown.push('\n');
    }
    shown
}

#[test]
fn the_page_on_history_says_what_is_answered() {
    check("history.md");
}

#[test]
fn the_page_on_watermarks_says_what_is_answered() {
    check("watermark.md");
}

#[test]
fn the_page_on_jobs_says_what_is_answered() {
    check("job.md");
}

#[test]
fn the_page_on_steps_says_what_is_answered() {
    check("step.md");
}

#[test]
fn the_page_on_progress_says_what_is_answered() {
    check("progress.md");
}
