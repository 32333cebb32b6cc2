//! From a TOML value to ours, or what was expected instead.

use core::time::Duration;

use toml::de::{DeInteger, DeValue};

use crate::config::draft::Timeout;
use crate::config::finding::{Complaint, excerpt, quote};
use crate::config::{duration as durations, suggest, text as words};

/// What a value is, for a message.
fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the text \"{}\"", excerpt(text)),
        DeValue::Integer(number) => format!("the number {}", excerpt(number.as_str())),
        DeValue::Float(number) => format!("the number {}", excerpt(number.as_str())),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// The complaint about a value of the wrong type.
pub(super) fn expected(what: &str, value: &DeValue<'_>, remedy: impl Into<String>) -> Complaint {
    Complaint::new(format!("must be {what}, is {}", describe(value)), remedy)
}

/// Text.
pub(super) fn text<'v>(value: &'v DeValue<'_>) -> Result<&'v str, Complaint> {
    value.as_str().ok_or_else(|| {
        let remedy = match value {
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {
                "put it in quotes"
            }
            DeValue::String(_) | DeValue::Array(_) | DeValue::Table(_) => "write one text in quotes",
        };
        expected("text", value, remedy)
    })
}

/// `true` or `false`.
pub(super) fn boolean(value: &DeValue<'_>) -> Result<bool, Complaint> {
    value.as_bool().ok_or_else(|| expected("true or false", value, "write true or false, without quotes"))
}

/// A whole number.
pub(super) fn integer(value: &DeValue<'_>) -> Result<i128, Complaint> {
    if let DeValue::Integer(number) = value {
        return wide(number);
    }
    let remedy = match value.as_str().map(str::parse::<i128>) {
        Some(Ok(number)) => format!("write {number}, without quotes"),
        Some(Err(_)) | None => "write digits only, such as 3".to_owned(),
    };
    Err(expected("a whole number", value, remedy))
}

fn wide(number: &DeInteger<'_>) -> Result<i128, Complaint> {
    i128::from_str_radix(number.as_str(), number.radix())
        .map_err(|_| Complaint::new("is too large a number", "write a smaller one"))
}

/// A duration; a bare number is the common mistake.
pub(super) fn duration(value: &DeValue<'_>) -> Result<Duration, Complaint> {
    match value {
        DeValue::String(text) => durations::parse(text),
        DeValue::Integer(number) if number.radix() == 10 => Err(durations::no_unit(number.as_str())),
        DeValue::Float(number) => Err(durations::no_unit(number.as_str())),
        DeValue::Integer(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_)
        | DeValue::Table(_) => Err(expected("a duration", value, "write text such as \"250ms\" or \"1s\"")),
    }
}

/// `"adaptive"` or a duration.
pub(super) fn timeout(value: &DeValue<'_>) -> Result<Timeout, Complaint> {
    match value.as_str() {
        Some(text) => Timeout::parse(text),
        None => duration(value).map(Timeout::Fixed),
    }
}

/// A mark: a number, or text with a mask.
pub(super) fn mark(value: &DeValue<'_>) -> Result<(u32, u32), Complaint> {
    match value {
        DeValue::String(text) => words::mark(text),
        DeValue::Integer(number) => {
            let mark = u32::try_from(wide(number)?).map_err(|_| {
                Complaint::new("must be a number of 32 bits", "choose a mark from 1 to 0xffffffff")
            })?;
            words::check_mark(mark, u32::MAX)
        }
        DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_)
        | DeValue::Table(_) => {
            Err(expected("a mark", value, "write a number, or text with a mask such as \"0x10/0xff\""))
        }
    }
}

/// The one value of a key that is built, where others are documented.
pub(super) fn only(text: &str, built: &str, later: &[&str]) -> Result<(), Complaint> {
    let remedy = format!("write \"{built}\", or leave the key out");
    if later.contains(&text) {
        return Err(Complaint::not_yet(quote(text), remedy));
    }
    suggest::choice(text, &[(built, ())])
}
