//! What is asked of a graph can be answered with no, with the story that shows it: otherwise no claim would mean anything.

use uplinkd::machine::graph::{Graph, Model, explore_model};
use uplinkd::machine::{Command, Event, Selection, Step, Sync, Timer, Timers, View};

/// Five rooms. From the first one `freeze` leads into a round from which timers never let go; `auto` leads the long way there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Maze(u8);

const WAYS: [(u8, Event, u8); 6] = [
    (0, Event::Operator(Command::Freeze), 2),
    (0, Event::Operator(Command::Auto), 1),
    (1, Event::Stop, 4),
    (4, Event::Expired(Timer::Stable(0)), 2),
    (2, Event::Expired(Timer::Retry), 3),
    (3, Event::Expired(Timer::BootDeadline), 2),
];

impl Model for Maze {
    fn events(&self) -> Vec<Event> {
        WAYS.iter().filter(|(from, ..)| *from == self.0).map(|(_, event, _)| *event).collect()
    }

    fn handle(&mut self, event: Event) -> Step {
        if let Some((.., to)) = WAYS.iter().find(|(from, on, _)| (*from, *on) == (self.0, event)) {
            self.0 = *to;
        }
        Step { effects: vec![], handlers: vec![] }
    }

    fn view(&self) -> View {
        View {
            selection: Selection::Frozen { active: Some(self.0) },
            active: Some(self.0),
            health: vec![],
            sync: Sync::Clean,
            timers: Timers::default(),
            stranded: false,
        }
    }
}

fn maze() -> Graph {
    explore_model(Maze(0))
}

fn room(number: u8) -> impl Fn(&View) -> bool {
    move |view| view.active == Some(number)
}

#[test]
fn a_claim_about_every_state_can_fail() {
    assert!(maze().always("", |view| view.active < Some(5)).is_ok());
    insta::assert_snapshot!(maze().always("nobody is in room 3", |view| view.active != Some(3)).unwrap_err());
}

#[test]
fn a_claim_about_every_step_can_fail() {
    assert!(maze().step("", |before, _, _, after| before != after).is_ok());
    let stays = |before: &View, _: Event, _: &[_], after: &View| before.active < after.active;
    insta::assert_snapshot!(maze().step("nobody goes back", stays).unwrap_err());
}

#[test]
fn a_state_that_is_to_occur_may_not() {
    assert!(maze().sometimes("", room(3)).is_ok());
    insta::assert_snapshot!(maze().sometimes("somebody is in room 5", room(5)).unwrap_err());
}

#[test]
fn timers_that_never_come_to_rest_are_found_with_the_way_there_and_once_round() {
    insta::assert_snapshot!(maze().rests("it comes to rest").unwrap_err());
}

#[test]
fn the_depth_is_that_of_the_most_remote_state() {
    assert_eq!(maze().depth(), 2);
}
