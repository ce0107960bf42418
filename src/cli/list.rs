//! Lists of numbers, written in one way everywhere: `0.1,0.5`, `0.1..0.9`, or `0.1..0.9:0.2`.

use lacuna::{Error, Result};
use std::str::FromStr;

/// Numbers of an option.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers(pub Vec<f64>);

/// Numbers that a range may have.
const MOST: f64 = 1e5;

impl FromStr for Numbers {
    type Err = Error;

    /// A range goes in steps of 1 between whole numbers that differ by at least 1, else in steps of
    /// 0.1; both ends belong to it.
    fn from_str(text: &str) -> Result<Self> {
        let bad = || Error::input(format!("'{text}' are no numbers: write them as 0.1,0.5 or 0.1..0.9 or 0.1..0.9:0.2"));
        let number = |t: &str| t.trim().parse::<f64>().ok().filter(|x| !x.is_nan()).ok_or_else(bad);
        let Some((from, rest)) = text.split_once("..") else {
            return text.split(',').map(number).collect::<Result<_>>().map(Self);
        };
        let (to, step) = rest.split_once(':').map_or((rest, None), |(to, step)| (to, Some(step)));
        let (from, to) = (number(from)?, number(to)?);
        if from.is_infinite() || to.is_infinite() {
            return Err(bad());
        }
        let usual = if from.fract() == 0.0 && to.fract() == 0.0 && to - from >= 1.0 { 1.0 } else { 0.1 };
        let step = step.map_or(Ok(usual), number)?;
        let steps = (to - from) / step + 1e-9;
        if !(step > 0.0 && (0.0..MOST).contains(&steps)) {
            return Err(bad());
        }
        // As it would be written: 0.3, not 0.30000000000000004.
        let digits = (6.0 - step.log10().floor()).max(0.0) as usize;
        (0..=steps as usize).map(|i| number(&format!("{:.digits$}", from + i as f64 * step))).collect::<Result<_>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_ranges() {
        let of = |text: &str| text.parse::<Numbers>().map(|n| n.0);
        assert_eq!(of("0.1, 0.5").unwrap(), [0.1, 0.5]);
        assert_eq!(of("0.1..0.5").unwrap(), [0.1, 0.2, 0.3, 0.4, 0.5]);
        assert_eq!(of("0.1..0.9:0.4").unwrap(), [0.1, 0.5, 0.9]);
        assert_eq!(of("2..5").unwrap(), [2.0, 3.0, 4.0, 5.0]);
        assert_eq!(of("0..1").unwrap().len(), 2);
        assert_eq!(of("1e-5..3e-5:1e-5").unwrap(), [1e-5, 2e-5, 3e-5]);
        assert_eq!(of("0.4,inf").unwrap(), [0.4, f64::INFINITY]);
        for bad in ["", "a", "0.5..0.1", "0.1..0.9:0", "0..1e9", "nan", "1,,2", "0..inf"] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}
