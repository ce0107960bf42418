//! Options of which the values have names.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use lacuna::Error;
use std::str::FromStr;

/// Takes one of these names: completions know them, the help lists them, and what is none of them
/// is refused before anything is read.
pub fn one_of<T>(names: impl IntoIterator<Item = impl Into<PossibleValue>>) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = Error> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse::<T>())
}
