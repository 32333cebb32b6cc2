//! What the daemon is compared with: programs of C that are compiled here, and fping where it is installed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;
use uplinkd::lab::{Namespace, Process};

use crate::Failure;

/// A program, or why there is none.
pub(crate) type Tool = Result<PathBuf, String>;

/// All of them.
pub(crate) struct Tools {
    /// A bare loop: carrier lost, route added.
    pub(crate) carrier: Tool,
    /// A bare loop: echo requests in bursts.
    pub(crate) echo: Tool,
    /// The usual prober.
    pub(crate) fping: Tool,
    /// For a rule that masquerades.
    pub(crate) nft: Tool,
    _compiled: TempDir,
}

impl Tools {
    /// Looks for programs and compiles our own.
    pub(crate) fn find() -> Result<Self, Failure> {
        let compiled = TempDir::new()?;
        Ok(Self {
            carrier: compile("carrier", compiled.path()),
            echo: compile("echo", compiled.path()),
            fping: installed("fping", "apt install fping"),
            nft: installed("nft", "apt install nftables"),
            _compiled: compiled,
        })
    }

    /// What is missing, and how to get it.
    pub(crate) fn missing(&self) -> impl Iterator<Item = &String> {
        [&self.carrier, &self.echo, &self.fping, &self.nft].into_iter().filter_map(|tool| tool.as_ref().err())
    }
}

/// A program of the system. Some live where only root looks.
fn installed(name: &str, remedy: &str) -> Tool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    places
        .map(|place| place.join(name))
        .find(|file| file.is_file())
        .ok_or_else(|| format!("needs {name}, which is not installed: `{remedy}` on Debian"))
}

/// One of `benches/reference/*.c`.
fn compile(name: &str, into: &Path) -> Tool {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("benches/reference/{name}.c"));
    let program = into.join(name);
    let output = Command::new("cc").arg("-O2").arg("-o").arg(&program).arg(&source).output();
    match output {
        Ok(output) if output.status.success() => Ok(program),
        Ok(output) => Err(format!(
            "{} cannot be compiled: {}",
            source.display(),
            String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or("no reason given")
        )),
        Err(_) => Err("needs a C compiler: `apt install gcc libc6-dev` on Debian".to_owned()),
    }
}

/// Starts a reference in a namespace, silent.
pub(crate) fn start(
    namespace: &Namespace,
    program: &Path,
    arguments: impl IntoIterator<Item = String>,
) -> Result<Process, Failure> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(namespace.spawn(command)?)
}
