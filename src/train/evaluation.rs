//! How good a network's answers are, and how far its own certainty can be trusted.

use serde::Serialize;

/// Answers of a network on labelled samples.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// Number of samples.
    pub samples: usize,
    /// Share of right answers.
    pub accuracy: f64,
    /// Mean cross entropy, in nats.
    pub loss: f64,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// For each class, in the order of `classes`, how its samples were answered.
    pub confusion: Vec<Vec<usize>>,
    /// Of what was answered with each class, the share that is of it; nothing where it was never
    /// answered.
    pub precision: Vec<Option<f64>>,
    /// Of the samples of each class, the share that was found; nothing where there are none.
    pub recall: Vec<Option<f64>>,
    /// By ten steps of the largest probability: how many samples, the mean of that probability, and
    /// the share of right answers.
    pub calibration: Vec<(usize, f64, f64)>,
    /// The mean distance between the largest probability and the share of right answers, over
    /// samples: the expected calibration error (Guo et al., arXiv 1706.04599).
    pub calibration_error: f64,
}

/// Probabilities of the classes, from logits.
pub fn probabilities(logits: &[f32]) -> Vec<f64> {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = logits.iter().map(|l| f64::from(l - most).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|p| p / sum).collect()
}

/// The class of the largest number; of equals the first.
pub fn largest(numbers: &[f64]) -> usize {
    (0..numbers.len()).max_by(|&a, &b| numbers[a].total_cmp(&numbers[b]).then(b.cmp(&a))).unwrap_or(0)
}

impl Evaluation {
    /// From the logits of samples, one row of classes after the other, and their labels.
    pub fn new(logits: &[f32], labels: &[u8], classes: &[String]) -> Self {
        let (n, k) = (labels.len(), classes.len());
        let mut confusion = vec![vec![0usize; k]; k];
        let mut bins = vec![(0usize, 0.0, 0.0); 10];
        let mut loss = 0.0;
        for (row, &label) in logits.chunks(k.max(1)).zip(labels) {
            let p = probabilities(row);
            let (answer, label) = (largest(&p), usize::from(label));
            confusion[label][answer] += 1;
            loss -= p[label].max(1e-300).ln();
            let bin = &mut bins[((p[answer] * 10.0) as usize).min(9)];
            bin.0 += 1;
            bin.1 += p[answer];
            bin.2 += f64::from(u8::from(answer == label));
        }
        let share = |part: usize, all: usize| (all > 0).then(|| part as f64 / all as f64);
        let right: usize = (0..k).map(|c| confusion[c][c]).sum();
        let error = bins.iter().map(|b: &(usize, f64, f64)| (b.1 - b.2).abs()).sum::<f64>() / n.max(1) as f64;
        let mean = |b: (usize, f64, f64)| (b.0, b.1 / b.0.max(1) as f64, b.2 / b.0.max(1) as f64);
        Self {
            samples: n,
            accuracy: right as f64 / n.max(1) as f64,
            loss: loss / n.max(1) as f64,
            classes: classes.to_vec(),
            precision: (0..k).map(|c| share(confusion[c][c], confusion.iter().map(|row| row[c]).sum())).collect(),
            recall: (0..k).map(|c| share(confusion[c][c], confusion[c].iter().sum())).collect(),
            confusion,
            calibration: bins.into_iter().map(mean).collect(),
            calibration_error: error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_by_hand() {
        // Three samples of class a, one of b: answered a, a, b, b.
        let logits = [2.0f32, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 3.0];
        let names = ["a".to_string(), "b".to_string()];
        let e = Evaluation::new(&logits, &[0, 0, 0, 1], &names);
        assert_eq!((e.samples, e.accuracy, e.confusion.clone()), (4, 0.75, vec![vec![2, 1], vec![0, 1]]));
        assert_eq!((e.precision[0], e.precision[1], e.recall[0]), (Some(1.0), Some(0.5), Some(2.0 / 3.0)));
        let p = |x: f64| x.exp() / (1.0 + x.exp());
        let loss = -(p(2.0).ln() + p(1.0).ln() + (1.0 - p(1.0)).ln() + p(3.0).ln()) / 4.0;
        assert!((e.loss - loss).abs() < 1e-6);
        // p(1) = 0.73 twice, once right; p(2) = 0.88 and p(3) = 0.95 right.
        let error = ((2.0 * p(1.0) - 1.0).abs() + (p(2.0) - 1.0).abs() + (p(3.0) - 1.0).abs()) / 4.0;
        assert!((e.calibration_error - error).abs() < 1e-6, "{} {error}", e.calibration_error);
        assert_eq!(e.calibration[7].0, 2);
        let never = Evaluation::new(&[1.0, 0.0], &[0], &names);
        assert_eq!((never.precision[1], never.recall[1]), (None, None));
    }
}
