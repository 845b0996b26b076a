//! Compiles `proto/` into the contract's Rust types, with a compiler in Rust, so that nobody needs protoc.

#![allow(clippy::print_stdout)] // How a build script talks to cargo.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use prost::Message as _;

/// Messages that hold what nobody may read by accident; `proto/redact.rs` writes their `Debug` by hand (SEC-10).
const REDACTED: [&str; 6] = [
    ".otter.v1.SendOtpRequest",
    ".otter.v1.CheckOtpRequest",
    ".otter.v1.Payment",
    ".otter.v1.ClientSignals",
    ".otter.admin.v1.GetLocksRequest",
    ".otter.admin.v1.LiftLockRequest",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=proto");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR for build scripts")?);

    let mut files = Vec::new();
    find_protos(Path::new("proto"), &mut files)?;
    files.sort();
    let descriptors = protox::compile(files, ["proto"])?;
    fs::write(out.join("otter.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().skip_debug(REDACTED).compile_fds(descriptors)?;
    Ok(())
}

fn find_protos(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find_protos(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            found.push(path);
        }
    }
    Ok(())
}
