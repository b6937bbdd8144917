//! Builds the program with all its mutants in it, less those that are none: what does not compile.
//!
//! Invariant: the tree that is built is a copy; the one that is worked in stays as it is.
//!
//! Knows nothing of tests but where their programs lie.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    ops::Range,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

use super::{
    list::Mutant,
    place,
    render::{arm_after, mutants_at, render},
};

/// What a crate with mutants has at its end: a look at one number, kept from the environment.
const SWITCH: &str = include_str!("switch.txt");

/// A copy of the tree, built in a folder of its own.
pub(super) struct Copy {
    tree: PathBuf,
    target: PathBuf,
    /// The names of those that are known not to compile.
    unviable: PathBuf,
}

/// A program that runs tests.
pub(super) struct TestProgram {
    pub(super) package: String,
    pub(super) path: PathBuf,
    /// Where its tests expect to be started.
    pub(super) folder: PathBuf,
}

impl Copy {
    /// Of what git knows in `root`, as it lies there.
    pub(super) fn of(root: &Path, dir: &Path) -> Result<Copy, String> {
        let copy = Copy { tree: dir.join("tree"), target: dir.join("target"), unviable: dir.join("unviable.txt") };
        let listed = run(Command::new("git").args(["ls-files", "-z"]).current_dir(root))?;
        for file in listed.split('\0').filter(|file| !file.is_empty()) {
            let to = copy.tree.join(file);
            fs::create_dir_all(to.parent().unwrap_or(&copy.tree))
                .map_err(|error| format!("{}: {error}", to.display()))?;
            // Only what has changed, or all would be built again.
            let bytes = fs::read(root.join(file)).map_err(|error| format!("{file}: {error}"))?;
            write_changed(&to, &bytes)?;
        }
        Ok(copy)
    }

    /// Puts the mutants in, and takes out again what does not compile; those that stay.
    pub(super) fn place(&self, root: &Path, mutants: &[Mutant], crates: &[String]) -> Result<BTreeSet<u32>, String> {
        let known = fs::read_to_string(&self.unviable).unwrap_or_default();
        let known: BTreeSet<&str> = known.lines().collect();
        let is_known = |mutant: &&Mutant| mutant.is_of_unnamed_type() || known.contains(mutant.name.as_str());
        let mut unviable: BTreeSet<u32> = mutants.iter().filter(is_known).map(|mutant| mutant.id).collect();
        loop {
            let placed = self.write(root, mutants, &unviable, crates)?;
            let refused = self.refused(crates)?;
            let names = mutants.iter().filter(|mutant| unviable.contains(&mutant.id) || refused.contains(&mutant.id));
            let names: String = names.map(|mutant| format!("{}\n", mutant.name)).collect();
            fs::write(&self.unviable, names).map_err(|error| format!("{}: {error}", self.unviable.display()))?;
            println!("{} mutants placed, {} of them do not compile", placed.len(), refused.len());
            if refused.is_empty() {
                return Ok(placed);
            }
            unviable.extend(refused);
        }
    }

    fn write(
        &self,
        root: &Path,
        mutants: &[Mutant],
        unviable: &BTreeSet<u32>,
        crates: &[String],
    ) -> Result<BTreeSet<u32>, String> {
        let mut files: BTreeMap<String, Vec<&Mutant>> = BTreeMap::new();
        for mutant in mutants {
            let of_file = files.entry(mutant.file.clone()).or_default();
            if !unviable.contains(&mutant.id) {
                of_file.push(mutant);
            }
        }
        for name in crates {
            files.entry(format!("crates/{name}/src/lib.rs")).or_default();
        }
        let mut placed = BTreeSet::new();
        for (file, mutants) in files {
            let text = fs::read_to_string(root.join(&file)).map_err(|error| format!("{file}: {error}"))?;
            let (edits, found) = place::edits(&text, &mutants).map_err(|error| format!("{file}: {error}"))?;
            let mut written = render(&text, &edits);
            if file.ends_with("/src/lib.rs") {
                // What overflows for sure is a mutant like any other: it panics where a test comes past.
                written = format!("#![allow(arithmetic_overflow, unconditional_panic)] {written}{SWITCH}");
            }
            placed.extend(found);
            write_changed(&self.tree.join(&file), written.as_bytes())?;
        }
        Ok(placed)
    }

    /// The mutants that the compiler refuses.
    fn refused(&self, crates: &[String]) -> Result<BTreeSet<u32>, String> {
        let messages = self.cargo("check", &["--keep-going"], crates)?;
        let mut refused = BTreeSet::new();
        let mut others = Vec::new();
        for error in messages.iter().filter(|message| message["message"]["level"] == "error") {
            let spans: Vec<(&str, Range<usize>)> =
                error["message"]["spans"].as_array().into_iter().flatten().filter_map(place_in_tree).collect();
            let mut blamed = None;
            for (file, bytes) in &spans {
                let written = fs::read_to_string(self.tree.join(file)).map_err(|error| format!("{file}: {error}"))?;
                let is_open_match = error["message"]["code"]["code"] == "E0004";
                blamed = match is_open_match {
                    true => arm_after(&written, bytes.start),
                    false => mutants_at(&written, bytes).first().copied(),
                };
                if blamed.is_some() {
                    break;
                }
            }
            match blamed {
                Some(id) => _ = refused.insert(id),
                None if spans.is_empty() => {}
                None => others.push(error["message"]["rendered"].as_str().unwrap_or_default().to_owned()),
            }
        }
        if refused.is_empty() && !others.is_empty() {
            return Err(format!("what the compiler says belongs to no mutant:\n{}", others.join("\n")));
        }
        Ok(refused)
    }

    /// Builds the tests of some packages with the mutants in.
    pub(super) fn tests(&self, packages: &[String]) -> Result<Vec<TestProgram>, String> {
        let messages = self.cargo("test", &["--no-run"], packages)?;
        if messages.iter().any(|message| message["success"] == false) {
            return Err(format!("tests do not build: see cargo test --no-run in {}", self.tree.display()));
        }
        let built = messages.iter().filter(|message| message["profile"]["test"] == true);
        Ok(built
            .filter_map(|message| {
                let folder = Path::new(message["manifest_path"].as_str()?).parent()?.to_owned();
                let package = folder.file_name()?.to_str()?.to_owned();
                Some(TestProgram { package, path: message["executable"].as_str()?.into(), folder })
            })
            .collect())
    }

    fn cargo(&self, verb: &str, arguments: &[&str], packages: &[String]) -> Result<Vec<Value>, String> {
        let mut command = Command::new("cargo");
        command.arg(verb).args(arguments).arg("--message-format=json");
        for package in packages {
            command.args(["-p", package]);
        }
        command.current_dir(&self.tree).env("CARGO_TARGET_DIR", &self.target).env("CARGO_PROFILE_DEV_DEBUG", "false");
        let done = command.stderr(Stdio::null()).output().map_err(|error| format!("cargo {verb}: {error}"))?;
        let lines = String::from_utf8_lossy(&done.stdout);
        Ok(lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }
}

/// A file of the tree that the compiler speaks of, and the bytes.
fn place_in_tree(span: &Value) -> Option<(&str, Range<usize>)> {
    let byte = |name: &str| usize::try_from(span[name].as_u64()?).ok();
    let file = span["file_name"].as_str()?;
    if file.starts_with("crates/") {
        return Some((file, byte("byte_start")?..byte("byte_end")?));
    }
    // What a macro of another crate was written as: where it was used.
    place_in_tree(span.get("expansion").filter(|expansion| expansion.is_object())?.get("span")?)
}

fn write_changed(path: &Path, bytes: &[u8]) -> Result<(), String> {
    if fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))
}

fn run(command: &mut Command) -> Result<String, String> {
    let done = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if !done.status.success() {
        return Err(format!("{command:?}: {}", String::from_utf8_lossy(&done.stderr)));
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}
