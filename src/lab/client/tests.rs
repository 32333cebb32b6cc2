use std::time::Duration;

use super::super::clock;
use super::losses::{Losses, Sample, sum};

#[test]
fn losses_add_up() {
    let start = clock::now();
    let at = |ms| start + Duration::from_millis(ms);
    // Answered at 0, 10 and 40 ms; lost at 20 and 30, and at the end.
    let samples = [0, 10, 20, 30, 40, 150, 160].map(|ms| Sample {
        sent: at(ms),
        answered: [0, 10, 40].contains(&ms).then(|| at(ms + 3)),
        refused: ms == 20,
    });
    let losses = sum(samples.into_iter());
    assert_eq!((losses.sent, losses.lost, losses.refused), (7, 4, 1));
    assert_eq!(losses.longest_gap, Duration::from_millis(120));
    assert_eq!((losses.first_loss, losses.last_loss), (Some(at(20)), Some(at(160))));
    assert_eq!(losses.slowest, Duration::from_millis(3));
    assert_eq!(losses.intervals.iter().map(|interval| interval.lost).collect::<Vec<_>>(), [2, 2]);
    assert_eq!(sum(std::iter::empty()), Losses::default());
}
