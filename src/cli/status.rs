//! `uplinkd status`

use super::print::{Style, print_line};
use super::{Failure, Outcome};
use crate::config::DEFAULT_SOCKET;
use crate::control::client;
use clap::Args;
use serde_json::Value;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Where the daemon listens
    #[arg(long, value_name = "PATH", default_value = DEFAULT_SOCKET)]
    control_socket: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Again every second, until interrupted
    #[arg(long)]
    watch: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    loop {
        let status = client::ask(&arguments.control_socket, "status")?;
        let text = if arguments.json { status.to_string() } else { render(&status, Style::stdout()) };
        if !print_line(&text) || !arguments.watch {
            return Ok(Outcome::Done);
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// The status for people.
fn render(status: &Value, style: Style) -> String {
    let mut text = String::new();
    let mut shown = vec![];
    for (family, state) in status["families"].as_object().into_iter().flatten() {
        // A family that no uplink has is not worth a line.
        let unused = |uplink: &Value| matches!(string(&uplink["families"][family]["health"]), "unready" | "");
        if items(&status["uplinks"]).all(unused) && state["active"].is_null() {
            continue;
        }
        shown.push(family.as_str());
        family_line(&mut text, family, state, style);
    }
    if shown.is_empty() {
        text.push_str("no uplink is ready in any family\n");
        shown.extend(
            status["families"].as_object().into_iter().flatten().map(|(family, _)| family.as_str()).take(1),
        );
    }
    for uplink in items(&status["uplinks"]) {
        uplink_lines(&mut text, uplink, &shown, style);
    }
    text.trim_end().to_owned()
}

fn family_line(text: &mut String, family: &str, state: &Value, style: Style) {
    let active = state["active"].as_str().unwrap_or("nothing chosen yet");
    _ = write!(text, "{family}: {}", style.bold(&format!("{} on {active}", string(&state["state"]))));
    if let Some(detail) = state["detail"].as_str() {
        _ = write!(text, " ({detail})");
    }
    _ = write!(text, " since {}", string(&state["since"]));
    if state["stranded"] == true {
        _ = write!(text, ", {}", style.red("stranded: no uplink is usable"));
    }
    for (uplink, left) in state["stable_window_left_s"].as_object().into_iter().flatten() {
        _ = write!(text, ", home to {uplink} in {:.0} s", left.as_f64().unwrap_or_default());
    }
    text.push('\n');
    for notice in items(&state["notices"]) {
        _ = writeln!(text, "  {}", style.yellow(string(notice)));
    }
}

fn uplink_lines(text: &mut String, uplink: &Value, shown: &[&str], style: Style) {
    for (family, path) in uplink["families"].as_object().into_iter().flatten() {
        let health = string(&path["health"]);
        let readiness = string(&path["readiness"]);
        // Not wanted, or not had: where no uplink has ever had the family there is nothing to say.
        if readiness == "no target of this family to probe" || !shown.contains(&family.as_str()) {
            continue;
        }
        let painted = match health {
            "healthy" => style.green(health),
            "down" | "unready" => style.red(health),
            _ => style.yellow(health),
        };
        _ = write!(
            text,
            "  {} ({}, {family}): {painted}",
            string(&uplink["name"]),
            string(&uplink["interface"])
        );
        if readiness != "ready" {
            _ = write!(text, ", {readiness}");
        }
        if let Some(gateway) = path["gateway"].as_str() {
            _ = write!(text, ", via {gateway}");
        }
        if let Some(rtt) = path["rtt_ms"].as_f64() {
            _ = write!(text, ", {rtt:.1} ms");
        }
        _ = writeln!(text, ", loss {:.1} %", path["loss_percent"].as_f64().unwrap_or_default());
        for target in items(&path["targets"]) {
            let answer = match (target["unanswered"].as_u64().unwrap_or(0), target["rtt_ms"].as_f64()) {
                (0, Some(rtt)) => format!("answers in {rtt:.1} ms"),
                (count, _) => format!("{count} unanswered in a row"),
            };
            let complaint = target["complaint"].as_str().map(|why| format!(" ({why})")).unwrap_or_default();
            _ = writeln!(
                text,
                "    {}",
                style.dim(&format!("{}: {answer}{complaint}", string(&target["target"])))
            );
        }
    }
}

fn string(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
