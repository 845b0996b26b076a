//! How the programs are made. What is missing is a failure that says how to get it.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use otter_tests::{binary, files_below, root};
use tempfile::TempDir;

use crate::program::Program;

/// Where Debian puts the sources of Go packages.
const GO_PACKAGES: &str = "/usr/share/gocode";

/// The import path that the Go program has.
const GO_PROGRAM: &str = "src/example.com/shop";

/// `grpcio-tools` makes the stubs; Python runs the program as it is.
pub(crate) fn python() -> Program {
    let python = from_setup(root().join(".venv/bin/python"));
    let folder = folder();
    let output = |kind: &str| format!("--{kind}_out={}", folder.path().display());
    let make = Command::new(&python)
        .current_dir(root())
        .args(["-m", "grpc_tools.protoc", "--proto_path=proto"])
        .args(["python", "pyi", "grpc_python"].map(output))
        .args(files_below("proto/otter", ".proto").iter().map(|path| path.trim_start_matches("proto/")))
        .output();
    succeeded("grpc_tools.protoc", make);
    Program {
        command: vec![python.into(), client("python/send_and_check.py").into()],
        environment: vec![("PYTHONPATH", folder.path().into()), ("PYTHONDONTWRITEBYTECODE", "1".into())],
        _made_in: Some(folder),
    }
}

/// `buf` with `ts-proto` makes the stubs, the compiler of TypeScript checks and compiles, Node runs.
pub(crate) fn typescript() -> Program {
    let folder = folder();
    let at = folder.path();
    for file in ["send_and_check.ts", "tsconfig.json", "package.json"] {
        std::fs::copy(client("typescript").join(file), at.join(file)).unwrap();
    }
    std::os::unix::fs::symlink(from_setup(npm("")), at.join("node_modules")).unwrap();
    generate("typescript", at);
    let compile = Command::new(from_setup(npm(".bin/tsc"))).current_dir(at).output();
    succeeded("tsc", compile);
    Program {
        command: vec![on_path("node"), at.join("out/send_and_check.js").into()],
        environment: Vec::new(),
        _made_in: Some(folder),
    }
}

/// `buf` with `protoc-gen-go` and `protoc-gen-go-grpc` makes the stubs; Go compiles against the packages of the
/// distribution, which needs no module proxy.
pub(crate) fn go() -> Program {
    for tool in ["protoc-gen-go", "protoc-gen-go-grpc"] {
        on_path(tool);
    }
    let folder = folder();
    let program = folder.path().join(GO_PROGRAM);
    std::fs::create_dir_all(&program).unwrap();
    std::fs::copy(client("go/main.go"), program.join("main.go")).unwrap();
    generate("go", &program);
    let packages = from_setup(PathBuf::from(GO_PACKAGES));
    let path = std::env::join_paths([folder.path(), &packages]).unwrap();
    let compile = Command::new(on_path("go"))
        .current_dir(&program)
        .args(["build", "-o", "send_and_check"])
        .env("GO111MODULE", "off")
        .env("GOFLAGS", "")
        .env("GOPATH", path)
        .env("GOCACHE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("go"))
        .output();
    succeeded("go build", compile);
    Program {
        command: vec![program.join("send_and_check").into()],
        environment: Vec::new(),
        _made_in: Some(folder),
    }
}

/// Cargo has built the program with the tests.
pub(crate) fn rust() -> Program {
    let program = binary().with_file_name("examples").join("send_and_check");
    assert!(
        program.exists(),
        "the program is not built: run `cargo build -p otter-tests --example send_and_check`"
    );
    Program { command: vec![program.into()], environment: Vec::new(), _made_in: None }
}

/// The stubs of a client, in the folder of the program.
fn generate(language: &str, at: &Path) {
    let make = Command::new(from_setup(npm(".bin/buf")))
        .current_dir(at)
        .arg("generate")
        .arg("--template")
        .arg(client(language).join("buf.gen.yaml"))
        .arg(root().join("proto"))
        .output();
    succeeded("buf generate", make);
}

fn folder() -> TempDir {
    TempDir::with_prefix("otter-client-").unwrap()
}

fn client(path: &str) -> PathBuf {
    root().join("tests/clients").join(path)
}

fn npm(path: &str) -> PathBuf {
    client("typescript/node_modules").join(path)
}

fn from_setup(path: PathBuf) -> PathBuf {
    assert!(path.exists(), "{} is missing: run `make setup`", path.display());
    path
}

fn on_path(program: &str) -> OsString {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).any(|folder| folder.join(program).exists());
    assert!(found, "{program} is missing: run `make setup`");
    OsStr::new(program).into()
}

fn succeeded(what: &str, output: std::io::Result<std::process::Output>) {
    let output = output.unwrap_or_else(|error| panic!("could not run {what}: {error}; run `make setup`"));
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{what} failed:\n{said}\n{complained}");
}
