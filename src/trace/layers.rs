//! The Betti numbers of every class after every layer.

use crate::data::Samples;
use crate::error::{Error, Result};
use crate::nn::{ActivationClouds, Compute, Flow, Layer, Net, bridge, spread};
use crate::progress::Unwatched;
use crate::topology::{Cloud, Options, PointCloud};
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// How points become a complex.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Measure {
    /// Numbers of hops in the graph of the `k` nearest (the point itself among them), complex at 2
    /// hops: Naitzat's, which sees neither scale nor density.
    Hops {
        /// Nearest neighbours.
        k: usize,
    },
    /// Euclidean distances, complex at this scale, in units of the root mean square distance of the
    /// cloud's points to their mean.
    Euclidean {
        /// The scale.
        scale: f32,
    },
}

impl std::fmt::Display for Measure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Measure::Hops { k } => write!(f, "hops in the graph of the {k} nearest, complex at 2"),
            Measure::Euclidean { scale } => write!(f, "Euclidean distances, complex at {scale} times the spread"),
        }
    }
}

/// What decides the class of a sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Its label.
    #[default]
    True,
    /// What the network takes it for.
    Predicted,
}

/// How layers become Betti numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Procedure {
    /// Points of each class that are looked at, the first in an order that the seed decides.
    pub points: usize,
    /// How they become a complex.
    pub measure: Measure,
    /// Highest dimension, 0 to 2.
    pub max_dim: usize,
    /// What decides their class.
    pub split: Split,
    /// Decides which points.
    pub seed: u64,
}

impl Procedure {
    /// Naitzat's, dimensions 0 and 1, by true class.
    pub fn hops(points: usize, k: usize) -> Self {
        Self { points, measure: Measure::Hops { k }, max_dim: 1, split: Split::True, seed: 0 }
    }

    /// Whether it makes sense for this sample of points.
    ///
    /// # Errors
    /// [`Error::Input`] naming what does not.
    pub fn check(&self) -> Result<()> {
        if self.max_dim > 2 {
            return Err(Error::input("a trace knows dimensions 0 to 2"));
        }
        match self.measure {
            Measure::Hops { k } if k < 2 || k > self.points => Err(Error::input(format!(
                "{k} nearest neighbours of {} points: k must be from 2 to the number of points per class",
                self.points
            ))),
            Measure::Euclidean { scale } if !(scale > 0.0 && scale.is_finite()) => {
                Err(Error::input("the scale must be a number above 0"))
            }
            _ => Ok(()),
        }
    }
}

/// Betti numbers after one layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerBetti {
    /// `input`, `layer 1`, ..., `logits`.
    pub layer: String,
    /// Distinct points; with Euclidean distances all of them.
    pub points: usize,
    /// Betti numbers, dimension by dimension.
    pub betti: Vec<usize>,
}

/// Follows the samples of one class through one network.
///
/// # Errors
/// As [`trace_nets`].
pub fn trace_class(net: &Net, samples: &Samples, class: u8, procedure: Procedure, compute: &Compute) -> Result<Vec<LayerBetti>> {
    let found = trace_nets(&[net], samples, &[class], &procedure, compute)?;
    Ok(found.into_iter().flatten().next().unwrap_or_default())
}

/// Follows the samples of some classes through some networks: Betti numbers of the input, after
/// every activation, and of the logits, for every network and class. All layers, classes and
/// networks are one batch for the engine; with Euclidean distances on a GPU the activations never
/// leave it.
///
/// # Errors
/// [`Error::Input`] when a class has too few samples or the procedure makes no sense,
/// [`Error::Device`] when the device fails.
pub fn trace_nets(
    nets: &[&Net],
    samples: &Samples,
    classes: &[u8],
    procedure: &Procedure,
    compute: &Compute,
) -> Result<Vec<Vec<Vec<LayerBetti>>>> {
    procedure.check()?;
    let mut named = Vec::new();
    let mut tensors = Vec::new();
    for net in nets {
        for &class in classes {
            let which = chosen(net, samples, class, procedure, compute)?;
            // A network that takes hardly anything for a class has no cloud of it.
            let of_net = if which.len() < 2 { Vec::new() } else { flows(net, samples, &which, compute) };
            named.push((which.len(), names(net), !of_net.is_empty()));
            tensors.extend(of_net);
        }
    }
    let found = match procedure.measure {
        Measure::Hops { k } => by_hops(tensors, k, procedure.max_dim, compute)?,
        Measure::Euclidean { scale } => by_length(tensors, scale, procedure.max_dim, compute)?,
    };
    let mut found = found.into_iter();
    let mut per_class = named.into_iter().map(|(samples, names, is_cloud)| {
        let nothing = || (samples, vec![usize::from(samples > 0), 0, 0][..=procedure.max_dim].to_vec());
        let layer = |layer| {
            let (points, betti) = if is_cloud { found.next().unwrap_or_else(nothing) } else { nothing() };
            LayerBetti { layer, points, betti }
        };
        names.into_iter().map(layer).collect::<Vec<_>>()
    });
    Ok(nets.iter().map(|_| per_class.by_ref().take(classes.len()).collect()).collect())
}

/// Whether a trace looks behind a layer: behind every activation, and at the logits.
fn is_seen(net: &Net, at: usize) -> bool {
    matches!(net.arch.layers[at], Layer::Activation { .. }) || at + 1 == net.arch.layers.len()
}

/// `input`, `layer 1`, ..., `logits`.
pub(super) fn names(net: &Net) -> Vec<String> {
    let seen = (0..net.arch.layers.len()).filter(|&at| is_seen(net, at)).count();
    let name = |i: usize| if i == seen { "logits".into() } else { format!("layer {i}") };
    std::iter::once("input".into()).chain((1..=seen).map(name)).collect()
}

/// The samples of a class that are looked at.
fn chosen(net: &Net, samples: &Samples, class: u8, procedure: &Procedure, compute: &Compute) -> Result<Vec<usize>> {
    let order = samples.shuffled(procedure.seed);
    let of_class: Vec<usize> = match procedure.split {
        Split::True => order.into_iter().filter(|&i| samples.labels[i] == class).take(procedure.points).collect(),
        Split::Predicted => {
            let mut kept = Vec::new();
            for some in order.chunks(1000) {
                let data = TensorData::new(samples.gather(some), [some.len(), samples.width()]);
                let logits = net.forward(Tensor::<2>::from_data(data, &compute.device));
                let classes = logits.dims()[1];
                let logits = bridge::read(logits)?;
                let taken_for = |row: &[f32]| (0..classes).max_by(|&a, &b| row[a].total_cmp(&row[b]).then(b.cmp(&a)));
                let predicted = logits.chunks(classes).map(taken_for);
                kept.extend(some.iter().zip(predicted).filter(|(_, p)| *p == Some(usize::from(class))).map(|(&i, _)| i));
                if kept.len() >= procedure.points {
                    break;
                }
            }
            kept.truncate(procedure.points);
            kept
        }
    };
    if of_class.len() < 2 && procedure.split == Split::True {
        return Err(Error::input(format!("class {class} has {} samples: a trace needs two at least", of_class.len())));
    }
    Ok(of_class)
}

/// What the input, every activation and the logits are for some samples, one row each.
pub(super) fn flows(net: &Net, samples: &Samples, which: &[usize], compute: &Compute) -> Vec<Tensor<2>> {
    let data = TensorData::new(samples.gather(which), [which.len(), samples.width()]);
    let x = Tensor::<2>::from_data(data, &compute.device);
    let mut flows = vec![x.clone()];
    net.forward_with(x, &mut |at, flow| {
        if is_seen(net, at) {
            flows.push(match flow {
                Flow::Flat(x) => x.clone(),
                Flow::Maps(x) => x.clone().flatten(1, 3),
            });
        }
        true
    });
    flows
}

fn by_hops(tensors: Vec<Tensor<2>>, k: usize, max_dim: usize, compute: &Compute) -> Result<Vec<(usize, Vec<usize>)>> {
    // The graph of nearest neighbours is made on the host.
    let mut clouds = Vec::with_capacity(tensors.len());
    for tensor in tensors {
        let [_, features] = tensor.dims();
        clouds.push(Cloud::from(distinct(&bridge::read(tensor)?, features)?));
    }
    // Where nearly all points have become one, fewer neighbours are left than asked for.
    let k_of = |cloud: &Cloud| k.min(cloud.len());
    let mut betti = Vec::with_capacity(clouds.len());
    for some in clouds.chunk_by(|a, b| k_of(a) == k_of(b)) {
        let options = Options::default().max_dim(max_dim).hops(k_of(&some[0]));
        betti.extend(compute.engine.betti_numbers(some, 2.0, &options, &mut Unwatched)?);
    }
    Ok(clouds.iter().map(Cloud::len).zip(betti).collect())
}

fn by_length(tensors: Vec<Tensor<2>>, scale: f32, max_dim: usize, compute: &Compute) -> Result<Vec<(usize, Vec<usize>)>> {
    let options = Options::default().max_dim(max_dim);
    let mut found = Vec::with_capacity(tensors.len());
    for tensor in tensors {
        let [len, _] = tensor.dims();
        let scale = scale * spread(tensor.clone())? as f32;
        let clouds = ActivationClouds::of_rows(tensor)?;
        let betti = compute.engine.betti_numbers(clouds.input(), scale, &options, &mut Unwatched)?;
        found.extend(betti.into_iter().map(|betti| (len, betti)));
    }
    Ok(found)
}

/// The points without repetitions, in the order of their first occurrence.
fn distinct(numbers: &[f32], features: usize) -> Result<PointCloud> {
    let mut seen = std::collections::HashSet::new();
    let mut kept = Vec::new();
    for point in numbers.chunks(features.max(1)) {
        let bits: Vec<u32> = point.iter().map(|x| (x + 0.0).to_bits()).collect();
        if seen.insert(bits) {
            kept.extend_from_slice(point);
        }
    }
    PointCloud::new(seen.len(), features, kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::AdapterChoice;
    use crate::nn::{Activation, Arch};
    use crate::topology::EngineKind;

    fn net(compute: &Compute) -> Net {
        let arch = Arch::mlp(2, 2, 6, 2, Activation::parse("tanh").unwrap()).unwrap();
        Net::new(&arch, 0, &compute.device).unwrap()
    }

    /// The true Betti numbers of the generated disks, found by the engine: (9, 0) inside and (1, 9)
    /// outside.
    #[test]
    fn the_disks_have_their_betti_numbers() {
        let compute = Compute::cpu();
        let set = crate::data::disks(15_000, 0).unwrap();
        let inside = trace_class(&net(&compute), &set.train, 0, Procedure::hops(1500, 14), &compute).unwrap();
        assert_eq!((inside[0].layer.as_str(), &inside[0].betti[..]), ("input", &[9, 0][..]));
        let outside = trace_class(&net(&compute), &set.train, 1, Procedure::hops(6000, 35), &compute).unwrap();
        assert_eq!(outside[0].betti, [1, 9]);
        assert_eq!(outside.iter().map(|l| l.layer.as_str()).collect::<Vec<_>>(), ["input", "layer 1", "logits"]);
    }

    /// Both engines, both measures, several networks and classes in one call.
    #[test]
    fn engines_and_batches_agree() {
        let (cpu, gpu) = (Compute::cpu(), Compute::new(EngineKind::Gpu, &AdapterChoice::Best).unwrap());
        let set = crate::data::disks(1500, 0).unwrap();
        for measure in [Measure::Hops { k: 10 }, Measure::Euclidean { scale: 0.25 }] {
            let procedure = Procedure { measure, ..Procedure::hops(300, 10) };
            let on = |compute: &Compute| {
                let net = net(compute);
                trace_nets(&[&net, &net], &set.train, &[0, 1], &procedure, compute).unwrap()
            };
            let (a, b) = (on(&cpu), on(&gpu));
            assert_eq!((a.len(), a[0].len(), a[0][0].len()), (2, 2, 3));
            assert_eq!(a[0], a[1]);
            // The devices' arithmetic differs in the last places: the input's numbers are the same,
            // the layers' nearly always.
            assert_eq!(a[0][0][0], b[0][0][0]);
            let apart = a.iter().flatten().flatten().zip(b.iter().flatten().flatten()).filter(|(x, y)| x != y).count();
            assert!(apart <= 1, "{a:?} {b:?}");
        }
    }

    #[test]
    fn a_network_may_decide_the_classes() {
        let compute = Compute::cpu();
        let set = crate::data::disks(1500, 0).unwrap();
        let net = net(&compute);
        let procedure = Procedure { split: Split::Predicted, ..Procedure::hops(200, 10) };
        let which = chosen(&net, &set.train, 1, &procedure, &compute).unwrap();
        let data = TensorData::new(set.train.gather(&which), [which.len(), 2]);
        let logits: Vec<f32> = net.forward(Tensor::<2>::from_data(data, &compute.device)).try_into_vec_as().unwrap();
        assert!(!which.is_empty() && logits.chunks(2).all(|l| l[1] > l[0]));
        // A class that the network never gives is an empty cloud.
        let none = trace_class(&net, &set.train, 7, procedure, &compute).unwrap();
        assert!(none.len() == 3 && none.iter().all(|l| l.points == 0 && l.betti == [0, 0]));
        for (bad, says) in [
            (Procedure::hops(200, 500), "from 2 to the number"),
            (Procedure { max_dim: 3, ..Procedure::hops(200, 10) }, "dimensions 0 to 2"),
            (Procedure { measure: Measure::Euclidean { scale: f32::NAN }, ..Procedure::hops(200, 10) }, "above 0"),
        ] {
            assert!(trace_class(&net, &set.train, 0, bad, &compute).unwrap_err().to_string().contains(says));
        }
        assert!(trace_class(&net, &set.train, 7, Procedure::hops(200, 10), &compute).is_err());
    }
}
