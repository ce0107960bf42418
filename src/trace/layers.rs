//! The Betti numbers of one class of samples after every layer.

use crate::data::Samples;
use crate::error::Result;
use crate::nn::{Compute, Flow, Layer, Net, bridge};
use crate::topology::{Cloud, Options, PointCloud, knn_hops};
use burn::tensor::{Tensor, TensorData};
use serde::Serialize;

/// How a layer's points become Betti numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Procedure {
    /// Points of the class that are looked at, the first in an order that the seed decides.
    pub points: usize,
    /// Nearest neighbours in the graph, the point itself among them.
    pub k: usize,
    /// Decides which points.
    pub seed: u64,
}

/// Betti numbers after one layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LayerBetti {
    /// `input`, `layer 1`, ..., `logits`.
    pub layer: String,
    /// Distinct points.
    pub points: usize,
    /// Betti numbers of dimensions 0 and 1.
    pub betti: [usize; 2],
}

/// Follows the samples of a class through a network: Naitzat's procedure (see [`knn_hops`]) on the input, after every
/// activation, and on the logits. All layers are one batch for the engine.
///
/// # Errors
/// [`crate::Error::Input`] when there is no sample of the class, [`crate::Error::Device`] when the device fails.
pub fn trace_class(net: &Net, samples: &Samples, class: u8, procedure: Procedure, compute: &Compute) -> Result<Vec<LayerBetti>> {
    let wanted = samples.shuffled(procedure.seed).into_iter().filter(|&i| samples.labels[i] == class);
    let which: Vec<usize> = wanted.take(procedure.points).collect();
    let data = TensorData::new(samples.gather(&which), [which.len(), samples.width()]);
    let x = Tensor::<2>::from_data(data, &compute.device);
    let last = net.arch.layers.len() - 1;
    let mut flows = vec![("input".to_string(), x.clone())];
    net.forward_with(x, &mut |at, flow| {
        let is_activation = matches!(net.arch.layers[at], Layer::Activation);
        if is_activation || at == last {
            let name = if at == last { "logits".into() } else { format!("layer {}", flows.len()) };
            let points = match flow {
                Flow::Flat(x) => x.clone(),
                Flow::Maps(x) => x.clone().flatten(1, 3),
            };
            flows.push((name, points));
        }
        true
    });
    let mut clouds = Vec::new();
    let mut found = Vec::new();
    for (layer, tensor) in flows {
        let [_, features] = tensor.dims();
        let points = distinct(&bridge::read(tensor)?, features)?;
        found.push(LayerBetti { layer, points: points.len(), betti: [0, 0] });
        // Where nearly all points have become one, fewer neighbours are left than asked for.
        clouds.push(Cloud::Edges(knn_hops(&points, procedure.k.min(points.len()), Some(2))?));
    }
    let options = Options { threshold: Some(2.0), ..Options::default() };
    for (layer, barcode) in found.iter_mut().zip(compute.engine.barcodes(&clouds, &options)?) {
        layer.betti = [barcode.betti(0, 2.0), barcode.betti(1, 2.0)];
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
    use crate::nn::{Activation, Arch};

    /// The true Betti numbers of the generated disks, found by the engine: (9, 0) inside and (1, 9) outside.
    #[test]
    fn the_disks_have_their_betti_numbers() {
        let compute = Compute::cpu();
        let data = crate::data::disks(20_000, 0).unwrap_err();
        assert!(data.to_string().contains("no test samples"));
        let set = crate::data::disks(9_000, 0).unwrap();
        let arch = Arch::mlp(2, 1, 1, 2, Activation::parse("relu").unwrap()).unwrap();
        let net = Net::new(&arch, 0, &compute.device).unwrap();
        let inside = trace_class(&net, &set.train, 0, Procedure { points: 1500, k: 14, seed: 0 }, &compute).unwrap();
        assert_eq!((inside[0].layer.as_str(), inside[0].betti), ("input", [9, 0]));
        let outside = trace_class(&net, &set.train, 1, Procedure { points: 6000, k: 35, seed: 0 }, &compute).unwrap();
        assert_eq!(outside[0].betti, [1, 9]);
        assert_eq!(outside.len(), 2, "input and logits");
    }
}
