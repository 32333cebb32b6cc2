//! What a trial expects, with both sides in the message when it is otherwise.

use super::site::{PATIENCE, PAUSE};
use libtest_mimic::Failed;
use std::time::{Duration, Instant};
use uplinkd::lab::clock::now;

/// Waits until something is as it should be.
pub(super) fn becomes<T: PartialEq + std::fmt::Debug>(
    what: &str,
    should: &T,
    mut look: impl FnMut() -> Result<T, Failed>,
) -> Result<(), Failed> {
    let begin = now();
    loop {
        let is = look()?;
        if is == *should || begin.elapsed() > PATIENCE {
            return same(&is, should, what);
        }
        std::thread::sleep(PAUSE);
    }
}

/// Watches for a while that something does not change.
pub(super) fn remains<T: PartialEq + std::fmt::Debug>(
    what: &str,
    duration: Duration,
    mut look: impl FnMut() -> Result<T, Failed>,
) -> Result<T, Failed> {
    let (begin, before): (Instant, T) = (now(), look()?);
    while begin.elapsed() < duration {
        same(&look()?, &before, what)?;
        std::thread::sleep(PAUSE * 2);
    }
    Ok(before)
}

/// An error with both sides, unless they are equal.
pub(super) fn same<T: PartialEq + std::fmt::Debug>(is: &T, should: &T, what: &str) -> Result<(), Failed> {
    if is == should {
        Ok(())
    } else {
        Err(format!("{what}\n      is: {is:#?}\n  should: {should:#?}").into())
    }
}

/// An error with the value, unless it is within bounds.
pub(super) fn within<T: PartialOrd + std::fmt::Debug>(
    is: &T,
    bounds: std::ops::RangeInclusive<T>,
    what: &str,
) -> Result<(), Failed> {
    if bounds.contains(is) { Ok(()) } else { Err(format!("{what}: {is:?} is not within {bounds:?}").into()) }
}
