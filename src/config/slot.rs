//! A key's value on its way from the text to the settings: written or not, right or not, and where.

use core::cell::RefCell;
use core::ops::RangeInclusive;

use super::finding::{Complaint, Finding, Place};

/// Where something was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    /// Key or flag, as in [`Finding::key`].
    pub(super) key: String,
    /// Place in the file.
    pub(super) place: Option<Place>,
}

impl Origin {
    pub(super) fn flag(name: &str) -> Self {
        Self { key: name.to_owned(), place: None }
    }

    /// `line 4`, or the flag.
    pub(super) fn cite(&self) -> String {
        match self.place {
            Some(place) => format!("line {}", place.line),
            None => self.key.clone(),
        }
    }
}

/// Collects the findings. Shared, because readers of nested tables are alive at the same time.
#[derive(Debug, Default)]
pub(super) struct Notes(RefCell<Vec<Finding>>);

impl Notes {
    pub(super) fn add(&self, origin: &Origin, problem: impl Into<String>, remedy: impl Into<String>) {
        self.complain(origin, Complaint::new(problem, remedy));
    }

    pub(super) fn complain(&self, origin: &Origin, complaint: Complaint) {
        let Complaint { problem, remedy } = complaint;
        self.0.borrow_mut().push(Finding { place: origin.place, key: origin.key.clone(), problem, remedy });
    }

    pub(super) fn into_findings(self) -> Vec<Finding> {
        self.0.into_inner()
    }
}

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Given<T> {
    pub(super) value: T,
    pub(super) origin: Origin,
}

/// What became of one key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Slot<T> {
    /// It was not written; the default applies.
    #[default]
    Absent,
    /// It was written and is wrong, and there is a finding about it: nothing more can be said.
    Broken,
    /// It was written.
    Given(Given<T>),
}

impl<T> Slot<T> {
    /// The outcome of a conversion, with the complaint noted if there is one.
    pub(super) fn noted(result: Result<T, Complaint>, origin: Origin, notes: &Notes) -> Self {
        match result {
            Ok(value) => Self::Given(Given { value, origin }),
            Err(complaint) => {
                notes.complain(&origin, complaint);
                Self::Broken
            }
        }
    }

    pub(super) fn given(&self) -> Option<&Given<T>> {
        match self {
            Self::Given(given) => Some(given),
            Self::Absent | Self::Broken => None,
        }
    }
}

impl<T: Clone> Slot<T> {
    /// The value or its default; `None` if it is broken, or the default is unknown because something else is.
    pub(super) fn or(&self, default: impl Into<Option<T>>) -> Option<Settled<T>> {
        match self {
            Self::Absent => default.into().map(|value| Settled { value, origin: None }),
            Self::Broken => None,
            Self::Given(Given { value, origin }) => {
                Some(Settled { value: value.clone(), origin: Some(origin.clone()) })
            }
        }
    }

    /// Converts what was written, with the complaint noted if that fails.
    pub(super) fn convert<U>(
        &self,
        notes: &Notes,
        convert: impl FnOnce(&T) -> Result<U, Complaint>,
    ) -> Slot<U> {
        match self {
            Self::Absent => Slot::Absent,
            Self::Broken => Slot::Broken,
            Self::Given(Given { value, origin }) => Slot::noted(convert(value), origin.clone(), notes),
        }
    }

    /// Refuses what is out of bounds; `why` is the reason for them.
    pub(super) fn within(&self, notes: &Notes, bounds: &RangeInclusive<T>, why: &str) -> Self
    where
        T: PartialOrd + Show,
    {
        self.convert(notes, |value| check(value, bounds, why).map(|()| value.clone()))
    }
}

impl Slot<i128> {
    /// Refuses what is out of bounds, and gives the number the type of the bounds.
    pub(super) fn number<U>(&self, notes: &Notes, bounds: &RangeInclusive<U>, why: &str) -> Slot<U>
    where
        U: Copy + Into<i128> + TryFrom<i128>,
    {
        let wide = (*bounds.start()).into()..=(*bounds.end()).into();
        self.convert(notes, |value| {
            check(value, &wide, why)?;
            // Cannot fail: both bounds came from the narrow type.
            U::try_from(*value).map_err(|_| out_of_bounds(value, &wide, why))
        })
    }
}

fn check<T: PartialOrd + Show>(value: &T, bounds: &RangeInclusive<T>, why: &str) -> Result<(), Complaint> {
    if bounds.contains(value) { Ok(()) } else { Err(out_of_bounds(value, bounds, why)) }
}

fn out_of_bounds<T: PartialOrd + Show>(value: &T, bounds: &RangeInclusive<T>, why: &str) -> Complaint {
    let (low, high) = (bounds.start().show(), bounds.end().show());
    let limit = if value < bounds.start() { format!("least {low}") } else { format!("most {high}") };
    Complaint::new(
        format!("must be at {limit}, is {}", value.show()),
        format!("choose from {low} to {high}: {why}"),
    )
}

/// A value that applies: written, or a default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settled<T> {
    pub(super) value: T,
    /// `None` for a default.
    pub(super) origin: Option<Origin>,
}

impl<T: Show> Settled<T> {
    /// The value and where it comes from, for a message about another: `1s (line 4)`.
    pub(super) fn cite(&self) -> String {
        let value = self.value.show();
        match &self.origin {
            Some(origin) => format!("{value} ({})", origin.cite()),
            None => format!("{value} (the default)"),
        }
    }
}

/// A value in the words of the configuration.
pub(super) trait Show {
    fn show(&self) -> String;
}

/// Numbers are shown as they are.
macro_rules! show_number {
    ($($number:ty),*) => {
        $(impl Show for $number {
            fn show(&self) -> String {
                self.to_string()
            }
        })*
    };
}
show_number!(i128, u8, u16, u32);
