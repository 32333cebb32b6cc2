//! The table at the end.

use super::super::print::Style;
use serde_json::{Value, json};
use std::time::Duration;

/// One act and what came of it.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) event: String,
    pub(super) detected: Option<Duration>,
    pub(super) switched: Option<Duration>,
    pub(super) sent: u64,
    pub(super) lost: u64,
    pub(super) longest_gap: Option<Duration>,
    pub(super) promise: String,
    pub(super) kept: bool,
}

const HEAD: [&str; 7] =
    ["event", "detected after", "switched after", "packets lost", "longest gap", "promise", "kept"];

impl Row {
    pub(super) fn json(&self) -> Value {
        let ms = |duration: Option<Duration>| {
            duration.map(|duration| (duration.as_secs_f64() * 10_000.0).round() / 10.0)
        };
        json!({
            "event": self.event,
            "detected_after_ms": ms(self.detected),
            "switched_after_ms": ms(self.switched),
            "packets_sent": self.sent,
            "packets_lost": self.lost,
            "longest_gap_ms": ms(self.longest_gap),
            "promise": self.promise,
            "kept": self.kept,
        })
    }

    fn cells(&self) -> [String; 7] {
        let after = |duration: Option<Duration>| {
            duration.map_or("–".to_owned(), |duration| format!("{} ms", duration.as_millis()))
        };
        let lost = if self.sent == 0 { "–".to_owned() } else { format!("{} of {}", self.lost, self.sent) };
        [
            self.event.clone(),
            after(self.detected),
            after(self.switched),
            lost,
            after(self.longest_gap),
            self.promise.clone(),
            if self.kept { "yes" } else { "NO" }.to_owned(),
        ]
    }
}

/// Aligned for a screen.
pub(super) fn render(rows: &[Row], style: Style) -> String {
    let cells: Vec<[String; 7]> = rows.iter().map(Row::cells).collect();
    let widths: Vec<usize> = (0..HEAD.len())
        .map(|column| {
            cells.iter().map(|row| row[column].chars().count()).chain([HEAD[column].len()]).max().unwrap_or(0)
        })
        .collect();
    let line = |cells: Vec<&str>| {
        let padded: Vec<String> =
            cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        padded.join("  ").trim_end().to_owned()
    };
    let mut lines = vec![style.bold(&line(HEAD.to_vec()))];
    for (row, cells) in rows.iter().zip(&cells) {
        let text = line(cells.iter().map(String::as_str).collect());
        lines.push(if row.kept { text } else { style.red(&text) });
    }
    lines.join("\n")
}
