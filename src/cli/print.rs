//! Words for people: colour only on terminals, and a closed pipe is no error.

use std::io::{IsTerminal as _, Write as _};
use std::sync::OnceLock;

/// Colours, or none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    on: bool,
}

impl Style {
    /// Nothing but text.
    pub(super) const NONE: Self = Self { on: false };

    /// For what goes to stdout.
    pub(super) fn stdout() -> Self {
        Self { on: std::io::stdout().is_terminal() && wanted() }
    }

    /// For what goes to stderr.
    pub(super) fn stderr() -> Self {
        Self { on: std::io::stderr().is_terminal() && wanted() }
    }

    pub(super) fn red(self, text: &str) -> String {
        self.paint("31", text)
    }

    pub(super) fn green(self, text: &str) -> String {
        self.paint("32", text)
    }

    pub(super) fn yellow(self, text: &str) -> String {
        self.paint("33", text)
    }

    pub(super) fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    pub(super) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// <https://no-color.org>
fn wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// The first failure to write a result.
static TROUBLE: OnceLock<std::io::Error> = OnceLock::new();

/// A result. False when nobody reads any more: then there is no sense in going on.
pub(super) fn print_line(line: &str) -> bool {
    let mut out = std::io::stdout().lock();
    let written = writeln!(out, "{line}").and_then(|()| out.flush());
    written.map_err(|error| TROUBLE.set(error)).is_ok()
}

/// Why results could not be written; a reader who has seen enough is no reason.
pub(super) fn trouble() -> Option<&'static std::io::Error> {
    TROUBLE.get().filter(|error| error.kind() != std::io::ErrorKind::BrokenPipe)
}

/// A message.
pub(super) fn eprint_line(line: &str) {
    _ = writeln!(std::io::stderr().lock(), "{line}");
}
