//! The table: what was reached, beside what others reach, beside what is wanted.

use std::fmt;

use serde_json::{Value, json};

/// What is wanted of a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Goal {
    /// Nothing: it is told for comparison.
    None,
    /// At most this much, in the row's unit.
    AtMost(f64),
    /// At most so many times the reference.
    Times(f64),
}

/// One figure.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    what: String,
    unit: &'static str,
    ours: Option<f64>,
    reference: Option<f64>,
    goal: Goal,
    note: Option<String>,
}

impl Row {
    /// A row that nothing is known of yet.
    pub(crate) fn new(what: impl Into<String>, unit: &'static str) -> Self {
        Self { what: what.into(), unit, ours: None, reference: None, goal: Goal::None, note: None }
    }

    /// What was measured of the daemon.
    pub(crate) fn ours(self, ours: impl Into<Option<f64>>) -> Self {
        Self { ours: ours.into(), ..self }
    }

    /// What was measured of something else under the same conditions.
    pub(crate) fn against(self, reference: impl Into<Option<f64>>) -> Self {
        Self { reference: reference.into(), ..self }
    }

    /// What is wanted.
    pub(crate) fn goal(self, goal: Goal) -> Self {
        Self { goal, ..self }
    }

    /// A remark, below the table.
    pub(crate) fn note(self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..self }
    }

    fn ratio(&self) -> Option<f64> {
        // Of two zeros nothing can be said.
        self.ours
            .zip(self.reference)
            .filter(|(_, reference)| *reference > 0.0)
            .map(|(ours, theirs)| ours / theirs)
    }

    fn met(&self) -> Option<bool> {
        match self.goal {
            Goal::None => None,
            Goal::AtMost(most) => self.ours.map(|ours| ours <= most),
            Goal::Times(most) => self.ratio().map(|ratio| ratio <= most),
        }
    }

    fn cells(&self) -> [String; 6] {
        let amount = |value: Option<f64>| value.map_or("–".to_owned(), |value| with_unit(value, self.unit));
        let goal = match self.goal {
            Goal::None => String::new(),
            Goal::AtMost(most) => format!("≤ {}", with_unit(most, self.unit)),
            Goal::Times(most) => format!("≤ {} ×", digits(most)),
        };
        let met = match (self.goal, self.met()) {
            (Goal::None, _) => "",
            (_, Some(true)) => "yes",
            (_, Some(false)) => "NO",
            (_, None) => "?",
        };
        let ratio = self.ratio().map_or(String::new(), |ratio| format!("{} ×", digits(ratio)));
        [self.what.clone(), amount(self.ours), amount(self.reference), ratio, goal, met.to_owned()]
    }

    /// The row as progress.
    pub(crate) fn sentence(&self) -> String {
        let [what, ours, reference, ratio, goal, met] = self.cells();
        let beside = self.reference.map_or(String::new(), |_| format!(", reference {reference} ({ratio})"));
        let wanted = if goal.is_empty() { goal } else { format!(", goal {goal}: {met}") };
        let note = self.note.as_ref().map_or(String::new(), |note| format!(" – {note}"));
        format!("{what}: {ours}{beside}{wanted}{note}")
    }

    fn json(&self) -> Value {
        let (most, times) = match self.goal {
            Goal::None => (None, None),
            Goal::AtMost(most) => (Some(most), None),
            Goal::Times(times) => (None, Some(times)),
        };
        json!({
            "what": self.what, "unit": self.unit, "ours": self.ours, "reference": self.reference,
            "ratio": self.ratio(), "goal_at_most": most, "goal_ratio": times, "met": self.met(), "note": self.note,
        })
    }
}

/// All figures, in the order in which they were measured.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    pub(crate) rows: Vec<Row>,
}

impl Table {
    /// For programs.
    pub(crate) fn json(&self, quick: bool) -> Value {
        json!({"version": 1, "quick": quick, "rows": self.rows.iter().map(Row::json).collect::<Vec<_>>()})
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heads = ["what", "ours", "reference", "ratio", "goal", "met"].map(ToOwned::to_owned);
        let mut lines = vec![heads];
        let mut notes: Vec<&str> = vec![];
        for row in &self.rows {
            let mut cells = row.cells();
            if let Some(note) = row.note.as_deref() {
                // Rows that have the same remark share it.
                let number = notes.iter().position(|known| *known == note).unwrap_or_else(|| {
                    notes.push(note);
                    notes.len() - 1
                });
                cells[0] = format!("{} [{}]", cells[0], number + 1);
            }
            lines.push(cells);
        }
        let widths: [usize; 6] =
            core::array::from_fn(|at| lines.iter().map(|cells| cells[at].chars().count()).max().unwrap_or(0));
        for (number, cells) in lines.iter().enumerate() {
            let [what, figures @ ..] = cells;
            write!(f, "{what:<width$}", width = widths[0])?;
            for (cell, width) in figures.iter().zip(&widths[1..]) {
                write!(f, "  {cell:>width$}")?;
            }
            writeln!(f)?;
            if number == 0 {
                writeln!(f, "{}", "─".repeat(widths.iter().sum::<usize>() + 2 * (widths.len() - 1)))?;
            }
        }
        for (number, note) in notes.iter().enumerate() {
            write!(f, "\n[{}] {note}", number + 1)?;
        }
        let missed = self.rows.iter().filter(|row| row.met() == Some(false)).count();
        let met = self.rows.iter().filter(|row| row.met() == Some(true)).count();
        write!(f, "\n\n{met} goals met, {missed} missed")
    }
}

fn with_unit(value: f64, unit: &str) -> String {
    if unit.is_empty() { digits(value) } else { format!("{} {unit}", digits(value)) }
}

/// Three digits that mean something.
fn digits(value: f64) -> String {
    let text = match value.abs() {
        size if size >= 100.0 => return format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
