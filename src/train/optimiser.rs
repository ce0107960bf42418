//! Rules that turn gradients into steps.

use crate::error::{Error, Result};
use crate::nn::{Net, bridge};
use burn::module::Param;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{
    AdaGradConfig, AdamConfig, LearningRate, ModuleOptimizer, Optimizer, RecordState, RmsPropConfig, SgdConfig, StateSink,
    StateSource,
};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// Which rule turns gradients into steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimiserKind {
    /// Adam with betas 0.9 and 0.999, epsilon 1e-8.
    Adam,
    /// Adam whose second moment never falls (Reddi et al., "On the convergence of Adam and beyond",
    /// 2018).
    Amsgrad,
    /// Stochastic gradient descent, with momentum if that is above 0.
    Sgd,
    /// Steps over the root of the sum of squares, epsilon 1e-10 (Duchi et al., 2011).
    Adagrad,
    /// Steps over running root mean squares, in units of earlier steps; rho 0.9, epsilon 1e-6
    /// (Zeiler, arXiv 1212.5701).
    Adadelta,
    /// Steps over the running root mean square; alpha 0.99, epsilon 1e-8 (Hinton, 2012).
    Rmsprop,
}

impl std::str::FromStr for OptimiserKind {
    type Err = Error;
    fn from_str(name: &str) -> Result<Self> {
        let known = Self::ALL.iter().find(|(_, n, _)| *n == name).map(|(kind, ..)| *kind);
        known.ok_or_else(|| Error::unknown("optimiser", name, &Self::ALL.map(|(_, n, _)| n)))
    }
}

impl OptimiserKind {
    /// All of them, with their names and usual learning rates.
    pub const ALL: [(OptimiserKind, &'static str, f64); 6] = [
        (OptimiserKind::Adam, "adam", 1e-3),
        (OptimiserKind::Amsgrad, "amsgrad", 1e-3),
        (OptimiserKind::Sgd, "sgd", 0.05),
        (OptimiserKind::Adagrad, "adagrad", 1e-2),
        (OptimiserKind::Adadelta, "adadelta", 1.0),
        (OptimiserKind::Rmsprop, "rmsprop", 1e-3),
    ];

    /// The name on the command line and the usual learning rate.
    pub fn usual(self) -> (&'static str, f64) {
        Self::ALL.iter().find(|(kind, ..)| *kind == self).map_or(("", 1e-3), |&(_, name, rate)| (name, rate))
    }
}

/// A rule with its rates.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Optimiser {
    /// Which rule.
    pub kind: OptimiserKind,
    /// Learning rate.
    pub rate: f64,
    /// Momentum, of SGD.
    pub momentum: f64,
    /// Regularisation: `lambda` times the weights is added to the gradient (L2), or taken off the
    /// weights after each step.
    pub weight_decay: f32,
    /// Whether it is taken off the weights, `w <- (1 - lambda) w`, whatever the learning rate
    /// (Mehta et al., arXiv 1811.12495).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub decoupled: bool,
}

impl Optimiser {
    /// A rule at a rate, without momentum or regularisation.
    pub fn new(kind: OptimiserKind, rate: f64) -> Self {
        Self { kind, rate, momentum: 0.0, weight_decay: 0.0, decoupled: false }
    }

    /// Adam at this rate.
    pub fn adam(rate: f64) -> Self {
        Self::new(OptimiserKind::Adam, rate)
    }

    /// Whether the numbers make sense.
    ///
    /// # Errors
    /// [`Error::Input`] with the one that does not.
    pub fn check(&self) -> Result<()> {
        if !(self.rate > 0.0 && self.rate.is_finite()) {
            return Err(Error::input("the learning rate must be a number above 0"));
        }
        if !(self.weight_decay >= 0.0 && self.weight_decay.is_finite()) || (self.decoupled && self.weight_decay >= 1.0) {
            return Err(Error::input("the weight decay must be a number, 0 or more; below 1 where it is decoupled"));
        }
        if !(0.0..1.0).contains(&self.momentum) {
            return Err(Error::input("the momentum must be at least 0 and below 1"));
        }
        Ok(())
    }

    pub(super) fn build(&self) -> ModuleOptimizer {
        let decay = (self.weight_decay > 0.0 && !self.decoupled).then(|| WeightDecayConfig::new(self.weight_decay));
        match self.kind {
            OptimiserKind::Adam => AdamConfig::new().with_epsilon(1e-8).with_weight_decay(decay).init(),
            OptimiserKind::Amsgrad => AdamConfig::new().with_epsilon(1e-8).with_amsgrad(true).with_weight_decay(decay).init(),
            OptimiserKind::Sgd => {
                let momentum = (self.momentum > 0.0)
                    .then(|| MomentumConfig::new().with_momentum(self.momentum).with_dampening(0.0).with_nesterov(false));
                SgdConfig::new().with_momentum(momentum).with_weight_decay(decay).init()
            }
            OptimiserKind::Adagrad => AdaGradConfig::new().with_epsilon(1e-10).with_weight_decay(decay).init(),
            OptimiserKind::Adadelta => {
                let decay = if self.decoupled { 0.0 } else { f64::from(self.weight_decay) };
                ModuleOptimizer::from(Adadelta { rho: 0.9, epsilon: 1e-6, decay })
            }
            OptimiserKind::Rmsprop => RmsPropConfig::new()
                .with_alpha(0.99)
                .with_momentum(0.0)
                .with_epsilon(1e-8)
                .with_centered(false)
                .with_weight_decay(decay)
                .init(),
        }
    }

    /// Decoupled regularisation after a step.
    pub(super) fn decay(&self, mut net: Net) -> Net {
        if !self.decoupled || self.weight_decay == 0.0 {
            return net;
        }
        let keep = 1.0 - f64::from(self.weight_decay);
        fn less<const D: usize>(param: &mut Param<Tensor<D>>, keep: f64) {
            *param = param.clone().map(|t| Tensor::from_inner(t.inner() * keep).require_grad());
        }
        for conv in net.convs_mut() {
            less(&mut conv.weight, keep);
            conv.bias.iter_mut().for_each(|b| less(b, keep));
        }
        for norm in net.norms_mut() {
            less(&mut norm.gamma, keep);
            less(&mut norm.beta, keep);
        }
        for linear in net.linears_mut() {
            less(&mut linear.weight, keep);
            linear.bias.iter_mut().for_each(|b| less(b, keep));
        }
        for learnt in net.learnt_mut() {
            less(learnt, keep);
        }
        net
    }
}

/// Zeiler's rule, which burn does not have.
#[derive(Clone)]
struct Adadelta {
    rho: f64,
    epsilon: f64,
    decay: f64,
}

/// Running means of squares.
#[derive(Clone)]
struct AdadeltaState<const D: usize> {
    gradients: Tensor<D>,
    steps: Tensor<D>,
}

// By hand: burn's derive names paths that only its own crate has.
impl<const D: usize> RecordState for AdadeltaState<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        out.push_tensor(prefix, "gradients", bridge::data(&self.gradients));
        out.push_tensor(prefix, "steps", bridge::data(&self.steps));
    }

    fn state_unflatten(prefix: &str, src: &mut StateSource, device: &Device) -> Option<Self> {
        let mut take = |name: &str| Some(Tensor::from_data(src.take_tensor(prefix, name)?, device));
        Some(Self { gradients: take("gradients")?, steps: take("steps")? })
    }
}

impl Optimizer for Adadelta {
    type State<const D: usize> = AdadeltaState<D>;

    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        tensor: Tensor<D>,
        mut gradient: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        if self.decay > 0.0 {
            gradient = gradient + tensor.clone() * self.decay;
        }
        let mut state = state.unwrap_or_else(|| AdadeltaState { gradients: gradient.zeros_like(), steps: gradient.zeros_like() });
        let mixed = |old: Tensor<D>, new: Tensor<D>| old * self.rho + new.square() * (1.0 - self.rho);
        state.gradients = mixed(state.gradients, gradient.clone());
        let root = |x: Tensor<D>| (x + self.epsilon).sqrt();
        let step = root(state.steps.clone()) / root(state.gradients.clone()) * gradient;
        state.steps = mixed(state.steps, step.clone());
        (tensor - step * rate, Some(state))
    }

    fn to_device<const D: usize>(mut state: Self::State<D>, device: &Device) -> Self::State<D> {
        state.gradients = state.gradients.to_device(device);
        state.steps = state.steps.to_device(device);
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Activation, Arch};
    use burn::module::Module;
    use burn::optim::GradientsParams;

    /// Decay that is taken off after a step reaches everything that learns, an activation's
    /// parameters too.
    #[test]
    fn decoupled_decay_forgets_nothing() {
        let device = Device::flex();
        let mut arch = Arch::cnn([1, 4, 4], &[2], 3, 2, Activation::parse("fold:0.5,1").unwrap()).unwrap();
        arch.learn_activation = true;
        let net = Net::new(&arch, 1, &device).unwrap().train();
        let rule = Optimiser { weight_decay: 0.5, decoupled: true, ..Optimiser::new(OptimiserKind::Sgd, 0.1) };
        let sizes = |net: &Net| -> Vec<f32> {
            let net = net.valid();
            let learnt = (0..net.layers.len()).filter_map(|at| net.learnt(at)).map(|t| t.abs().sum());
            let weights = net.convs().map(|c| c.weight.val().abs().sum());
            learnt.chain(weights).map(|t| t.try_into_vec_as::<f32>().unwrap()[0]).collect()
        };
        let (before, after) = (sizes(&net), sizes(&rule.decay(net)));
        assert!(before.len() == 3 && before[0] > 0.0);
        assert!(before.iter().zip(&after).all(|(b, a)| (0.5 * b - a).abs() < 1e-6), "{before:?} {after:?}");
    }

    /// The first weight of a network whose gradient is its weight itself, after some steps: against
    /// the rules by hand.
    fn after(optimiser: Optimiser, steps: usize) -> f64 {
        let device = Device::flex();
        let arch = Arch::mlp(1, 1, 1, 1, Activation::parse("identity").unwrap()).unwrap();
        let mut net = Net::new(&arch, 0, &device).unwrap();
        net.linear_mut(0).weight = Param::from_tensor(Tensor::from_floats([[0.5]], &device));
        let mut net = net.train();
        let mut rule = optimiser.build();
        for _ in 0..steps {
            let loss = net.linear(0).weight.val().powi_scalar(2).sum() * 0.5;
            let gradients = GradientsParams::from_grads(loss.backward(), &net);
            net = optimiser.decay(rule.step(optimiser.rate, net, gradients));
        }
        let w: Vec<f32> = net.valid().linear(0).weight.val().try_into_vec_as().unwrap();
        f64::from(w[0])
    }

    #[test]
    fn rules_are_those_of_their_papers() {
        type Rule = fn(f64, f64, &mut [f64; 4]) -> f64;
        let by_hand = |rule: Rule, rate: f64, l2: f64, keep: f64| {
            let (mut w, mut state) = (0.5, [0.0; 4]);
            for _ in 0..5 {
                w -= rate * rule(w + l2 * w, rate, &mut state);
                w *= keep;
            }
            w
        };
        let adam: Rule = |g, _, s| {
            s[2] += 1.0;
            (s[0], s[1]) = (0.9 * s[0] + 0.1 * g, 0.999 * s[1] + 0.001 * g * g);
            s[0] / (1.0 - 0.9f64.powf(s[2])) / ((s[1] / (1.0 - 0.999f64.powf(s[2]))).sqrt() + 1e-8)
        };
        let adagrad: Rule = |g, _, s| {
            s[0] += g * g;
            g / (s[0].sqrt() + 1e-10)
        };
        let adadelta: Rule = |g, _, s| {
            s[0] = 0.9 * s[0] + 0.1 * g * g;
            let step = (s[1] + 1e-6).sqrt() / (s[0] + 1e-6).sqrt() * g;
            s[1] = 0.9 * s[1] + 0.1 * step * step;
            step
        };
        let rmsprop: Rule = |g, _, s| {
            s[0] = 0.99 * s[0] + 0.01 * g * g;
            g / (s[0].sqrt() + 1e-8)
        };
        let sgd: Rule = |g, _, _| g;
        for (kind, rule) in [
            (OptimiserKind::Adam, adam),
            (OptimiserKind::Sgd, sgd),
            (OptimiserKind::Adagrad, adagrad),
            (OptimiserKind::Adadelta, adadelta),
            (OptimiserKind::Rmsprop, rmsprop),
        ] {
            for (weight_decay, decoupled) in [(0.0, false), (0.25, false), (0.25, true)] {
                let got = after(Optimiser { weight_decay, decoupled, ..Optimiser::new(kind, 0.05) }, 5);
                let lambda = f64::from(weight_decay);
                let want = if decoupled { by_hand(rule, 0.05, 0.0, 1.0 - lambda) } else { by_hand(rule, 0.05, lambda, 1.0) };
                assert!((got - want).abs() < 1e-5, "{kind:?} {weight_decay} {decoupled}: {got} {want}");
            }
        }
        // The second moment of AMSGrad never falls: where gradients become small, its steps do too,
        // and Adam's do not.
        let shrinking: Rule = |g, _, s| {
            s[2] += 1.0;
            (s[0], s[1]) = (0.9 * s[0] + 0.1 * g, 0.999 * s[1] + 0.001 * g * g);
            s[3] = s[3].max(s[1]);
            s[0] / (1.0 - 0.9f64.powf(s[2])) / ((s[3] / (1.0 - 0.999f64.powf(s[2]))).sqrt() + 1e-8)
        };
        let run = |rule: Rule| {
            let (mut w, mut state) = (0.5, [0.0; 4]);
            (0..3000).for_each(|_| w -= 0.05 * rule(w, 0.05, &mut state));
            w
        };
        let got = after(Optimiser::new(OptimiserKind::Amsgrad, 0.05), 40);
        let (ams, plain) = {
            let after = |rule: Rule| {
                let (mut w, mut state) = (0.5, [0.0; 4]);
                (0..40).for_each(|_| w -= 0.05 * rule(w, 0.05, &mut state));
                w
            };
            (after(shrinking), after(adam))
        };
        assert!((got - ams).abs() < 1e-4 && (got - after(Optimiser::adam(0.05), 40)).abs() < 1e-2, "{got} {ams} {plain}");
        assert!(run(shrinking).abs() < 1e-3);
        let momentum = after(Optimiser { momentum: 0.9, ..Optimiser::new(OptimiserKind::Sgd, 0.05) }, 5);
        assert!(momentum < after(Optimiser::new(OptimiserKind::Sgd, 0.05), 5));
        assert!(Optimiser { decoupled: true, weight_decay: 1.0, ..Optimiser::adam(0.1) }.check().is_err());
    }
}
