use std::fs;
use std::path::Path;

use crate::tree::root;

/// Asserts that a file of the tree, named from its root, is what was rendered. With `UPDATE_GOLDEN` in the environment
/// the file is written instead.
pub fn assert_golden(path: &str, rendered: &str) {
    let file = root().join(path);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        write(&file, rendered);
    }
    let kept = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        kept == rendered,
        "{path} is not what the code says now: run `make docs` and look at the difference"
    );
}

fn write(file: &Path, rendered: &str) {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).expect("the tree can be written");
    }
    fs::write(file, rendered).expect("the tree can be written");
}
