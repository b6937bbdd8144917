//! What the pages point to exists.

use super::Finding;
use crate::tree::Tree;

/// A path in backticks that begins with a folder of the repository leads somewhere.
pub(super) fn in_backticks(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    each_line(tree, |page, number, line| {
        for quoted in line.split('`').skip(1).step_by(2) {
            let path = quoted.split(':').next().unwrap_or(quoted);
            if is_repository_path(tree, path) && !tree.holds(path) {
                findings.push(Finding::new(page, number, format!("`{path}` does not exist")));
            }
        }
    });
    findings
}

/// A test or another function named as `path.rs::name` is in that file.
pub(super) fn of_functions(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    each_line(tree, |page, number, line| {
        for quoted in line.split('`').skip(1).step_by(2) {
            let Some((path, name)) = quoted.split_once("::") else { continue };
            if !path.ends_with(".rs") || !is_repository_path(tree, path) {
                continue;
            }
            let text = tree.files().find(|(file, _)| *file == path).map_or("", |(_, text)| text);
            if !text.contains(&format!("fn {name}(")) {
                findings.push(Finding::new(page, number, format!("`{path}` has no function {name}")));
            }
        }
    });
    findings
}

/// A function named as `Type::name` in the page on the house is in a file that has an `impl` of that type.
pub(super) fn of_methods(tree: &Tree) -> Vec<Finding> {
    let is_name = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let has = |text: &str, of: &str, name: &str| {
        let is_impl = |line: &str| {
            line.starts_with("impl") && line.split(|c: char| !is_name(&c.to_string())).any(|word| word == of)
        };
        text.lines().any(is_impl) && (text.contains(&format!("fn {name}(")) || text.contains(&format!("fn {name}<")))
    };
    let mut findings = Vec::new();
    each_line(tree, |page, number, line| {
        for quoted in line.split('`').skip(1).step_by(2).filter(|_| page == "docs/architecture.md") {
            let Some((of, name)) = quoted.split_once("::") else { continue };
            let is_method =
                of.starts_with(|c: char| c.is_ascii_uppercase()) && name.starts_with(|c: char| c.is_ascii_lowercase());
            if !is_method || !is_name(of) || !is_name(name) {
                continue;
            }
            let mut sources = tree.files().filter(|(path, _)| path.ends_with(".rs"));
            if !sources.any(|(_, text)| has(text, of, name)) {
                findings.push(Finding::new(page, number, format!("no `impl` of {of} has a function {name}")));
            }
        }
    });
    findings
}

/// A link to a file leads to one.
pub(super) fn of_links(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    each_line(tree, |page, number, line| {
        for rest in line.split("](").skip(1) {
            let target = rest.split([')', '#', ' ']).next().unwrap_or(rest);
            if target.is_empty() || target.contains(':') {
                continue;
            }
            match resolve(page, target) {
                Some(path) if tree.holds(&path) => {}
                _ => findings.push(Finding::new(page, number, format!("link to `{target}`, which does not exist"))),
            }
        }
    });
    findings
}

/// Calls for every line of prose: what stands between fences is an example.
fn each_line<'a>(tree: &'a Tree, mut visit: impl FnMut(&'a str, usize, &'a str)) {
    for (page, text) in tree.files().filter(|(path, _)| path.ends_with(".md")) {
        let mut fenced = false;
        for (index, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("```") {
                fenced = !fenced;
            } else if !fenced {
                visit(page, index + 1, line);
            }
        }
    }
}

fn is_repository_path(tree: &Tree, path: &str) -> bool {
    let plain = path.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    let Some((first, _)) = path.split_once('/') else {
        return false;
    };
    plain && !first.is_empty() && tree.holds(&format!("{first}/"))
}

/// The path of `target` as seen from the page, `None` if it leads out of the repository.
pub(super) fn resolve(page: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in target.trim_end_matches('/').split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
