//! What the journal holds is read back as it was: times, delays, and maps whose keys are no text.

use super::world::MS;
use crate::engine::time::{maybe_nanos, nanos};
use crate::engine::{Time, pairs};
use serde::de::value::{Error, MapDeserializer};
use serde::de::{Deserializer, IntoDeserializer, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};
use std::collections::BTreeMap;
use std::time::Duration;

/// A number that may be missing.
struct Maybe(Option<u64>);

impl<'de> Deserializer<'de> for Maybe {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Some(number) => visitor.visit_some(number.into_deserializer()),
            None => visitor.visit_none(),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[test]
fn a_time_is_read_in_nanoseconds() {
    let number: serde::de::value::U64Deserializer<Error> = 1_500_000_001_u64.into_deserializer();
    assert_eq!(nanos::deserialize(number), Ok(Duration::from_nanos(1_500_000_001)));
    assert_eq!(Time::deserialize(number), Ok(Time(Duration::from_nanos(1_500_000_001))));
}

#[test]
fn a_delay_that_made_no_sense_is_none_and_not_zero() {
    assert_eq!(maybe_nanos::deserialize(Maybe(Some(20_000_000))), Ok(Some(20 * MS)));
    assert_eq!(maybe_nanos::deserialize(Maybe(Some(0))), Ok(Some(Duration::ZERO)));
    assert_eq!(maybe_nanos::deserialize(Maybe(None)), Ok(None));
}

#[test]
fn a_map_is_read_from_a_list_of_pairs() {
    let list = MapDeserializer::<_, Error>::new([(10_u32, 1_u8), (11, 0)].into_iter());
    assert_eq!(pairs::deserialize(list), Ok(BTreeMap::from([(10_u32, 1_u8), (11, 0)])));
}
