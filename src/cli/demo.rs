//! `uplinkd demo`
use super::{Failure, Outcome};
use clap::Args;
#[derive(Debug, Args)]
pub(super) struct Arguments {}
pub(super) fn run(_: &Arguments) -> Result<Outcome, Failure> {
    Ok(Outcome::Bad)
}
