use std::{ffi::OsStr, fs, os::unix::fs::PermissionsExt, path::Path};

use super::{Template, look_up};

fn check(words: &[&str], item: &str, expected: &[&str]) {
    let words: Vec<String> = words.iter().map(|&w| w.to_owned()).collect();
    let template = Template::new(&words).unwrap();
    let command = template.command(item.as_bytes(), 7);
    let mut line = vec![command.get_program().to_str().unwrap().to_owned()];
    line.extend(command.get_args().map(|a| a.to_str().unwrap().to_owned()));
    assert_eq!(line, expected);
    let words = template.words(item.as_bytes(), 7);
    assert_eq!(words, expected.iter().map(|word| word.as_bytes()).collect::<Vec<_>>());
}

#[test]
fn the_item_takes_its_places() {
    check(&["/bin/true"], "a b", &["/bin/true", "a b"]);
    check(&["/bin/true", "-x"], "-rf", &["/bin/true", "-x", "-rf"]);
    check(&["/bin/true", "{}", "y"], "a\n'b", &["/bin/true", "a\n'b", "y"]);
    check(&["/bin/true", "in={}/{}.txt", "z"], "q", &["/bin/true", "in=q/q.txt", "z"]);
    check(&["/bin/true", "{}"], "{}", &["/bin/true", "{}"]);
    check(&["/bin/{}", "-v"], "true", &["/bin/true", "-v"]);
    check(&["/bin/true", "{", "}"], "i", &["/bin/true", "{", "}", "i"]);
}

#[test]
fn parts_of_the_item_take_their_places() {
    for (word, item, expected) in [
        ("{.}.png", "a/b.tar.gz", "a/b.tar.png"),
        ("{.}", "a.d/b", "a.d/b"),
        ("{.}", "a/.bashrc", "a/.bashrc"),
        ("{.}", ".b", ".b"),
        ("{/}", "a/b.c", "b.c"),
        ("{/}", "b.c", "b.c"),
        ("{//}", "a/b/c", "a/b"),
        ("{//}", "c", "."),
        ("{//}", "/c", "/"),
        ("{/.}", "a/b.c", "b"),
        ("{#}-{}", "x", "7-x"),
        ("{}{/}", "{/}", "{/}}"),
        ("{{}}{ {x}", "i", "{i}{ {x}"),
    ] {
        check(&["/bin/true", word], item, &["/bin/true", expected]);
    }
    check(&["/bin/true", "{x}"], "i", &["/bin/true", "{x}", "i"]);
}

#[test]
fn programs_are_found_as_a_shell_finds_them() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    for (path, mode) in [(one.join("plain"), 0o644), (two.join("tool"), 0o755), (two.join("plain2"), 0o644)] {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::create_dir(one.join("tool")).unwrap();
    let path = format!("{}:{}:/nonexistent", one.display(), two.display());
    let find = |name: &str| look_up(name, Some(OsStr::new(&path)));
    // A directory of that name does not hide the program behind it.
    assert_eq!(find("tool").unwrap(), two.join("tool"));
    let tool = two.join("tool").to_str().unwrap().to_owned();
    assert_eq!(find(&tool).unwrap(), Path::new(&tool));
    for (name, message) in [
        ("nonesuch", "was not found in any directory of PATH"),
        ("", "was not found"),
        ("plain", "not executable"),
        ("/nonexistent/x", "No such file"),
        ("./", "directory"),
    ] {
        let error = find(name).unwrap_err().to_string();
        assert!(error.contains(message), "{name:?}: {error}");
    }
}
