//! The processor's way: every member a loop of its own, one member a thread.

use super::kernel::{Found, Layout, PIECE, Piece, Scratch, pass};
use super::{Grown, Member, Recipe, order, power_of};
use crate::data::Samples;
use crate::error::{Error, Result};
use crate::progress::Watch;
use rayon::prelude::*;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

/// Samples in pieces, in their order.
fn pieces(samples: &Samples, which: &[usize]) -> Vec<Piece> {
    let piece = |which: &[usize]| {
        let labels: Vec<u8> = which.iter().map(|&i| samples.labels[i]).collect();
        Piece::new(&samples.gather(which), samples.width(), &labels)
    };
    which.chunks(PIECE).map(piece).collect()
}

/// What all members share.
struct Shared<'a> {
    recipe: &'a Recipe,
    layout: Layout,
    train: &'a Samples,
    /// All training samples, where a step takes them all.
    whole: Vec<Piece>,
    test: Vec<Piece>,
    power: f64,
    done: AtomicU64,
    stop: AtomicBool,
}

pub(super) fn train(
    recipe: &Recipe,
    members: &[Member],
    train: &Samples,
    test: &Samples,
    watch: &mut dyn Watch,
    take: &mut dyn FnMut(usize, Grown) -> Result<()>,
) -> Result<()> {
    let all = |samples: &Samples| pieces(samples, &(0..samples.len()).collect::<Vec<_>>());
    let shared = Shared {
        recipe,
        layout: Layout::new(&recipe.widths()?, recipe.learnt()),
        train,
        whole: if recipe.batch == 0 { all(train) } else { Vec::new() },
        test: all(test),
        power: power_of(train),
        done: AtomicU64::new(0),
        stop: AtomicBool::new(false),
    };
    let total = (members.len() * recipe.steps) as u64;
    let (send, receive) = mpsc::channel();
    std::thread::scope(|scope| {
        let shared = &shared;
        scope.spawn(move || {
            // Work is taken one by one: members end at different times.
            members.par_iter().enumerate().with_max_len(1).for_each_with(send, |send, (at, member)| {
                if let Some(grown) = shared.grow(*member) {
                    // Nobody listens after an error.
                    let _ = send.send((at, grown));
                }
            });
        });
        let mut failed = None;
        loop {
            match receive.recv_timeout(Duration::from_millis(100)) {
                Ok((at, grown)) => {
                    if failed.is_none()
                        && let Err(e) = take(at, grown)
                    {
                        shared.stop.store(true, Ordering::Relaxed);
                        failed = Some(e);
                    }
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => {}
            }
            watch.at("steps of an ensemble", shared.done.load(Ordering::Relaxed), total);
            if watch.stopped() {
                shared.stop.store(true, Ordering::Relaxed);
            }
        }
        match failed {
            Some(e) => Err(e),
            None if shared.stop.load(Ordering::Relaxed) => Err(Error::Interrupted("stopped; what has ended is kept".into())),
            None => Ok(()),
        }
    })
}

impl Shared<'_> {
    /// Trains one member to its end; `None` when it was stopped before.
    fn grow(&self, member: Member) -> Option<Grown> {
        let (recipe, layout) = (self.recipe, &self.layout);
        let mut parameters = recipe.begin(member.seed, self.power, layout);
        let mut adam = Adam::new(layout.len);
        let mut gradient = vec![0.0; layout.len];
        let mut scratch = Scratch::new(layout);
        let mut grown = Grown::new(member, recipe.targets.len());
        let batch = if recipe.batch == 0 { self.train.len() } else { recipe.batch.min(self.train.len()) };
        let per_epoch = self.train.len().div_ceil(batch);
        let mut shuffled = Vec::new();
        for step in 0..=recipe.steps {
            if self.stop.load(Ordering::Relaxed) {
                return None;
            }
            let own;
            let (step_pieces, count) = if recipe.batch == 0 {
                (&self.whole, self.train.len())
            } else {
                if step % per_epoch == 0 {
                    shuffled = order(self.train, member.seed, step / per_epoch);
                }
                let which = &shuffled[step % per_epoch * batch..][..batch.min(self.train.len() - step % per_epoch * batch)];
                own = pieces(self.train, which);
                (&own, which.len())
            };
            if recipe.keep_at.contains(&step) {
                grown.kept.push((step, parameters.clone()));
            }
            if recipe.check_every > 0 && step % recipe.check_every == 0 {
                grown.checks.push((step, self.test_accuracy(&parameters, &mut scratch)));
            }
            gradient.fill(0.0);
            let found = step_pieces.iter().fold(Found::default(), |sum, piece| {
                let f = pass(layout, &parameters, &recipe.arch.activation, piece, count, Some(&mut gradient), &mut scratch);
                Found { loss: sum.loss + f.loss, right: sum.right + f.right }
            });
            let count = count as f64;
            if grown.note(step, found.right as f64 / count, found.loss / count, &recipe.targets) || step == recipe.steps {
                break;
            }
            adam.step(&mut parameters, &gradient, recipe.rate(&member, step));
            self.done.fetch_add(1, Ordering::Relaxed);
        }
        self.done.fetch_add((recipe.steps - grown.steps) as u64, Ordering::Relaxed);
        grown.test_accuracy = self.test_accuracy(&parameters, &mut scratch);
        grown.weights = parameters;
        Some(grown)
    }

    fn test_accuracy(&self, parameters: &[f32], scratch: &mut Scratch) -> f64 {
        let right = |piece| pass(&self.layout, parameters, &self.recipe.arch.activation, piece, 1, None, scratch).right;
        let count: usize = self.test.iter().map(|p| p.labels.len()).sum();
        self.test.iter().map(right).sum::<usize>() as f64 / count.max(1) as f64
    }
}

/// Kingma and Ba's rule.
struct Adam {
    mean: Vec<f32>,
    square: Vec<f32>,
    steps: i32,
}

impl Adam {
    fn new(len: usize) -> Self {
        Self { mean: vec![0.0; len], square: vec![0.0; len], steps: 0 }
    }

    fn step(&mut self, parameters: &mut [f32], gradient: &[f32], rate: f64) {
        self.steps += 1;
        let unbias = |beta: f64| (1.0 / (1.0 - beta.powi(self.steps))) as f32;
        let (mean_scale, square_scale, rate) = (unbias(0.9), unbias(0.999), rate as f32);
        let moments = self.mean.iter_mut().zip(&mut self.square);
        for ((p, &g), (m, v)) in parameters.iter_mut().zip(gradient).zip(moments) {
            *m = 0.9 * *m + 0.1 * g;
            *v = 0.999 * *v + 0.001 * g * g;
            *p -= rate * (*m * mean_scale) / ((*v * square_scale).sqrt() + 1e-8);
        }
    }
}
