//! What a terminal shows of a training that goes on: how losses and accuracies have gone so far.

use super::trainer::EpochRecord;

/// Heights of a curve that is drawn with letters, from the least to the largest number.
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Epochs that a curve shows at most: the last ones.
const MOST: usize = 40;

fn curve(numbers: &[f64]) -> String {
    let shown = &numbers[numbers.len().saturating_sub(MOST)..];
    let (low, high) = shown.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &x| (l.min(x), h.max(x)));
    let height = |x: f64| if high > low { ((x - low) / (high - low) * 7.0).round() as usize } else { 0 };
    shown.iter().map(|&x| HEIGHTS[height(x).min(7)]).collect()
}

/// Two curves over the epochs, each with its last number, and the time that the epochs still to
/// come will take if they take as long as the last ones.
pub(super) fn panel(metrics: &[EpochRecord], epochs: usize) -> String {
    let Some(last) = metrics.last() else { return String::new() };
    let of = |f: &dyn Fn(&EpochRecord) -> f64| metrics.iter().map(f).collect::<Vec<f64>>();
    let loss = curve(&of(&|m| m.train_loss));
    let accuracy = curve(&of(&|m| m.test_accuracy.unwrap_or(m.train_accuracy)));
    let test = |x: Option<f64>, say: &dyn Fn(f64) -> String| x.map_or(String::new(), |x| format!(", test {}", say(x)));
    let recent = &metrics[metrics.len().saturating_sub(5)..];
    let left = (epochs - last.epoch.min(epochs)) as f64 * recent.iter().map(|m| m.seconds).sum::<f64>() / recent.len() as f64;
    let (train_loss, train) = (last.train_loss, 100.0 * last.train_accuracy);
    let lines = [
        format!("loss      {loss} {train_loss:.4}{}", test(last.test_loss, &|x| format!("{x:.4}"))),
        format!("accuracy  {accuracy} {train:.2} %{}", test(last.test_accuracy, &|x| format!("{:.2} %", 100.0 * x))),
        format!("{} of {epochs} epochs, about {left:.0} s of training left", last.epoch),
    ];
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_go_from_the_least_to_the_largest() {
        assert_eq!(curve(&[0.0, 7.0, 3.0]), "▁█▄");
        assert_eq!(curve(&[2.0, 2.0]), "▁▁");
        assert_eq!(curve(&(0..90).map(f64::from).collect::<Vec<_>>()).chars().count(), MOST);
        let epoch = |epoch, train_loss| EpochRecord {
            epoch,
            steps: 1,
            train_loss,
            train_accuracy: 0.5,
            test_accuracy: Some(0.25),
            test_loss: None,
            validation_loss: None,
            rate: None,
            epsilon: None,
            clipped: None,
            seconds: 3.0,
        };
        let shown = panel(&[epoch(1, 2.0), epoch(2, 1.0)], 4);
        assert!(
            shown.contains("█▁ 1.0000\n")
                && shown.contains("50.00 %, test 25.00 %")
                && shown.ends_with("about 6 s of training left"),
            "{shown}"
        );
    }
}
