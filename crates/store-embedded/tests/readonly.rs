//! What a process is told that may not write its directory. The process is a child under another user where the test
//! runs as root, who may write everywhere.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use otter_domain::PartitionCount;
use otter_store::Retention;
use otter_store_embedded::{EmbeddedStore, Options};
use otter_store_testkit::{ManualClock, fixture};
use tempfile::TempDir;

/// Names the directory for the process that may not write it.
const DIRECTORY: &str = "OTTER_TEST_READ_ONLY_DIRECTORY";

/// The user that owns nothing.
const NOBODY: u32 = 65_534;

fn open(directory: &Path) -> Result<EmbeddedStore, otter_store::Error> {
    EmbeddedStore::open(&Options {
        directory: directory.to_owned(),
        partitions: PartitionCount::new(4).unwrap(),
        retention: Retention::default(),
        sealer: fixture::sealer(),
        install: [1; 32],
        clock: ManualClock::new(),
    })
}

#[test]
#[ignore = "the process that may not write; started by the test below"]
fn child_that_may_not_write() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    println!("refused: {}", open(Path::new(&directory)).unwrap_err());
}

fn refusal(program: &Path, directory: &Path) -> String {
    let mut child = Command::new(program);
    child.args(["child_that_may_not_write", "--exact", "--ignored", "--nocapture"]);
    child.env(DIRECTORY, directory).current_dir("/");
    if std::fs::metadata(directory).unwrap().uid() == 0 {
        child.uid(NOBODY).gid(NOBODY);
    }
    let output = child.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let refused = text.lines().find_map(|line| line.split_once("refused: "));
    refused.unwrap_or_else(|| panic!("not refused: {text}")).1.to_owned()
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_directory_or_file_that_may_not_be_written_is_refused_with_what_to_do() {
    let directory = TempDir::new().unwrap();
    set_mode(directory.path(), 0o755);
    // The other user may have no way to where tests are built.
    let program = directory.path().join("program");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    set_mode(&program, 0o755);
    let new = directory.path().join("new");
    std::fs::create_dir(&new).unwrap();
    set_mode(&new, 0o555);
    let used = directory.path().join("used");
    drop(open(&used).unwrap());
    set_mode(&used, 0o777);
    set_mode(&used.join("otter.lock"), 0o666);
    set_mode(&used.join("otter.redb"), 0o444);
    for path in [new, used] {
        let why = refusal(&program, &path);
        let says = why.contains("may not be read and written by this process")
            && why.contains("the user that runs it");
        assert!(says && why.contains(path.to_str().unwrap()), "{why}");
    }
}
