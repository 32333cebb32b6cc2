//! The engine in virtual time: a small world that answers, and one test for each rule.

mod conversing;
mod flushing;
mod knowing;
mod measuring;
mod monitoring;
mod pace;
mod planning;
mod reading;
mod reconciling;
mod returning;
mod selecting;
mod taking;
mod telling;
mod together;
mod weighing;
mod wording;
mod world;
