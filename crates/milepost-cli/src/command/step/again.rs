//! What goes back with a step that is to run again.
//!
//! Invariant: of a scope that nobody has named, steps go back and nothing else: all scripts and jobs that name none
//! share it.

use milepost::{
    ErrorKind, Restore,
    task::{ReplayPoint, Task},
};

use crate::{each::text, error::CliError, escape};

/// How many are named.
const NAMED_MAX: usize = 12;

/// What a scope would lose, in words; nothing if it is only the step itself.
pub(super) struct Going {
    /// Others than steps: jobs, and whatever is kept there.
    others: Vec<String>,
    steps: Vec<String>,
}

/// What would go; `None` where there is nothing to put back, since the step has not begun.
pub(super) fn going(task: &Task, point: &ReplayPoint, step: &str) -> Result<Option<Going>, CliError> {
    match task.plan_replay(point.clone()) {
        Ok(plan) => Ok(Some(Going::of(&plan, task, step))),
        Err(error) if error.kind() == ErrorKind::NotYet => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl Going {
    fn of(plan: &Restore, task: &Task, step: &str) -> Going {
        let own = format!(".step/{}", step.replace('%', "%25").replace('/', "%2F").replace('[', "%5B"));
        let mut going = Going { others: Vec::new(), steps: Vec::new() };
        for difference in plan.differences() {
            let key = difference.key.as_str();
            let is_own = key.strip_prefix(&own).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '[']));
            if is_own || key.starts_with(".order/") {
                continue;
            }
            match (key.strip_prefix(".step/"), key.strip_prefix(".job/")) {
                (Some(name), _) => going.steps.push(format!("step {}", text::Escaped(name))),
                (None, Some(name)) => going.others.push(job(task, name)),
                (None, None) => going.others.push(escape::one_line(key)),
            }
        }
        going
    }

    /// Refuses it where it is not only steps, of a scope that nobody has named.
    pub(super) fn refuse_unnamed(&self, task: &Task, step: &str) -> Result<(), CliError> {
        if self.others.is_empty() {
            return Ok(());
        }
        let scope = task.scope();
        Err(CliError::NotFound(format!(
            "step {step}: the scope {scope}, which all share that name none, would go back to what it was before, and \
             with it {}: nothing was done; give what belongs together a scope of its own (--scope, MILEPOST_SCOPE), or \
             say --scope {scope}, if that is meant",
            self.names()
        )))
    }

    /// What went, to be told; nothing if nothing else did.
    pub(super) fn told(&self, step: &str) -> Option<String> {
        let is_alone = self.others.is_empty() && self.steps.is_empty();
        (!is_alone).then(|| format!("step {step} runs again; with it went {}", self.names()))
    }

    fn names(&self) -> String {
        let all: Vec<&str> = self.others.iter().chain(&self.steps).map(String::as_str).collect();
        let named = all[..all.len().min(NAMED_MAX)].join(", ");
        match all.len() - all.len().min(NAMED_MAX) {
            0 => named,
            more => format!("{named} and {more} more"),
        }
    }
}

fn job(task: &Task, name: &str) -> String {
    let record = task.job(name).and_then(|job| job.get()).ok().flatten();
    let state = record.and_then(|record| serde_json::to_value(record.state).ok());
    let state = state.as_ref().and_then(|state| state.as_str()).unwrap_or("changed");
    format!("job {} ({state})", text::Escaped(name))
}
