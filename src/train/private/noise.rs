//! Chance that privacy rests on.
//!
//! Whoever can guess the noise can take it off again. So it comes from a generator of cryptographic
//! strength (ChaCha), which the operating system seeds, unless a run is to be repeated and says its
//! seed. The digits of a single normal number betray a little of what it was added to; as in
//! Opacus's secure mode, each is half the sum of four (Holohan and Braghin, "Secure random sampling
//! in differential privacy", arXiv 2107.10138).

use rand::rngs::{StdRng, SysRng};
use rand::{RngExt, SeedableRng};
use rayon::prelude::*;

/// Numbers that one generator makes.
const CHUNK: usize = 1 << 14;

/// Where the chance of a private training comes from.
pub struct Chance(StdRng);

impl Chance {
    /// From the operating system, or for a step from a seed that is no secret. A run that goes on
    /// later must not draw the same numbers for other steps.
    ///
    /// # Errors
    /// [`crate::Error::Internal`] where the operating system gives no random numbers.
    pub fn new(seed: Option<u64>, step: usize) -> crate::Result<Self> {
        match seed {
            Some(seed) => {
                let mut both = [0; 32];
                both[..8].copy_from_slice(&seed.to_le_bytes());
                both[8..16].copy_from_slice(&(step as u64).to_le_bytes());
                Ok(Self(StdRng::from_seed(both)))
            }
            None => StdRng::try_from_rng(&mut SysRng)
                .map(Self)
                .map_err(|e| crate::Error::Internal(format!("the operating system gives no random numbers: {e}"))),
        }
    }

    /// Each of `count` samples with probability `q`: Poisson sampling.
    pub fn chosen(&mut self, count: usize, q: f64) -> Vec<usize> {
        (0..count).filter(|_| self.0.random::<f64>() < q).collect()
    }

    /// Normal numbers of mean 0 and a deviation.
    pub fn normal(&mut self, count: usize, deviation: f64) -> Vec<f32> {
        let seeds: Vec<[u8; 32]> = (0..count.div_ceil(CHUNK)).map(|_| self.0.random()).collect();
        let mut numbers = vec![0.0f32; count];
        numbers.par_chunks_mut(CHUNK).zip(seeds).for_each(|(chunk, seed)| {
            let mut rng = StdRng::from_seed(seed);
            for pair in chunk.chunks_mut(2) {
                // Four pairs of independent normal numbers give two sums.
                let (mut x, mut y) = (0.0, 0.0);
                for _ in 0..4 {
                    let (a, b) = pair_of(&mut rng);
                    x += a;
                    y += b;
                }
                pair[0] = (0.5 * deviation * x) as f32;
                if let Some(second) = pair.get_mut(1) {
                    *second = (0.5 * deviation * y) as f32;
                }
            }
        });
        numbers
    }
}

/// Two independent standard normal numbers, by Box and Muller.
fn pair_of(rng: &mut StdRng) -> (f64, f64) {
    // From (0, 1]: the logarithm of 0 would be infinite.
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    let (sin, cos) = (2.0 * std::f64::consts::PI * rng.random::<f64>()).sin_cos();
    (radius * cos, radius * sin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_normal_and_samples_are_drawn_at_their_rate() {
        let mut chance = Chance::new(Some(7), 0).unwrap();
        let numbers = chance.normal(200_001, 3.0);
        let moment = |k: i32| numbers.iter().map(|&x| (f64::from(x) / 3.0).powi(k)).sum::<f64>() / numbers.len() as f64;
        // Six standard errors.
        assert!(moment(1).abs() < 0.0135 && (moment(2) - 1.0).abs() < 0.019, "{} {}", moment(1), moment(2));
        assert!(moment(3).abs() < 0.052 && (moment(4) - 3.0).abs() < 0.14, "{} {}", moment(3), moment(4));
        let lag: f64 = numbers.windows(2).map(|w| f64::from(w[0] * w[1])).sum::<f64>() / 9.0 / numbers.len() as f64;
        assert!(lag.abs() < 0.0135, "{lag}");
        let counts: Vec<usize> = (0..200).map(|_| chance.chosen(1000, 0.1).len()).collect();
        let mean = counts.iter().sum::<usize>() as f64 / 200.0;
        let variance = counts.iter().map(|&c| (c as f64 - mean).powi(2)).sum::<f64>() / 199.0;
        assert!((mean - 100.0).abs() < 4.1 && (variance - 90.0).abs() < 55.0, "{mean} {variance}");
        assert_eq!(Chance::new(Some(7), 1).unwrap().normal(5, 1.0), Chance::new(Some(7), 1).unwrap().normal(5, 1.0));
        assert_ne!(Chance::new(None, 0).unwrap().normal(5, 1.0), Chance::new(None, 0).unwrap().normal(5, 1.0));
        assert_ne!(Chance::new(Some(7), 0).unwrap().normal(5, 1.0), Chance::new(Some(7), 1).unwrap().normal(5, 1.0));
    }
}
