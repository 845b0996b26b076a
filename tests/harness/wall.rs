//! A wall clock that a test can set, for one process.

use std::path::PathBuf;

use tempfile::TempDir;

/// Where the Debian package `libfaketime` puts its library, below the folder of the machine's architecture.
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

/// The wall clock of a process that is started under [`Self::launcher`]; its monotonic clock stays as it is.
#[derive(Debug)]
pub struct Wall {
    directory: TempDir,
    launcher: Vec<String>,
}

impl Wall {
    /// A clock that is right.
    ///
    /// # Panics
    ///
    /// If the library is not installed.
    pub fn right() -> Self {
        let directory = TempDir::with_prefix("otter-wall-").expect("a temporary directory can be made");
        let file = directory.path().join("clock");
        let launcher = vec![
            "env".to_owned(),
            format!("LD_PRELOAD={}", library().display()),
            format!("FAKETIME_TIMESTAMP_FILE={}", file.display()),
            "FAKETIME_NO_CACHE=1".to_owned(),
            "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned(),
            "DONT_FAKE_MONOTONIC=1".to_owned(),
        ];
        let wall = Self { directory, launcher };
        wall.set(0);
        wall
    }

    /// What a process is started under that has this clock.
    pub fn launcher(&self) -> Vec<&str> {
        self.launcher.iter().map(String::as_str).collect()
    }

    /// Sets the clock to be wrong by this many seconds, at once, for whoever runs.
    pub fn set(&self, seconds: i64) {
        let (file, partial) = (self.directory.path().join("clock"), self.directory.path().join("partial"));
        std::fs::write(&partial, format!("{seconds:+}s\n")).expect("the directory is ours");
        std::fs::rename(&partial, &file).expect("the directory is ours");
    }
}

fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").expect("a system has libraries");
    let mut found = folders.filter_map(|folder| Some(folder.ok()?.path().join(LIBRARY)));
    found.find(|path| path.exists()).expect("make setup installs libfaketime")
}
