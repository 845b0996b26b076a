use std::fs;
use std::path::{Path, PathBuf};

/// What is made by building and installing, and never looked at.
const MADE: [&str; 4] = ["target", "node_modules", ".venv", ".git"];

/// The folder of the whole repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the suites lie one below the root")
}

/// Every file below a folder whose name ends so, as paths from the root with `/`, in order. A file is below itself.
pub fn files_below(folder: &str, ending: &str) -> Vec<String> {
    let mut found = Vec::new();
    collect(&root().join(folder), ending, &mut found);
    let mut paths: Vec<_> = found.iter().map(|path| relative(path)).collect();
    paths.sort();
    paths
}

/// The text of a file, named from the root.
pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("could not read {path}: {error}"))
}

fn collect(path: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if path.is_dir() && !MADE.contains(&name) {
        let entries = fs::read_dir(path).expect("a folder of the tree can be listed");
        for entry in entries {
            collect(&entry.expect("a folder of the tree can be listed").path(), ending, found);
        }
    } else if path.is_file() && name.ends_with(ending) {
        found.push(path.to_path_buf());
    }
}

fn relative(path: &Path) -> String {
    let inside = path.strip_prefix(root()).expect("only paths below the root are collected");
    inside.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}
