//! What the readers of a group give for some samples once they are fitted anew to the filters that
//! stay.
//!
//! The fitness of a set of filters is then asked after compensation, not before it: a filter that
//! the others can replace is no loss. Each reader's weights are fitted by ridge regression towards
//! what it gave with all filters, as [`crate::prune::compensate`] does; a sample is the mean of
//! what comes out over the places that are looked at, of all readers together, each in units of its
//! own deviation.

use crate::error::{Error, Result};
use crate::nn::{Flow, Group, bridge};
use crate::prune::compensate::{Compensation, weights_of};
use crate::prune::gram::Gram;
use crate::prune::patches::{Places, rows_read};
use crate::prune::scoring::{BATCH, SampleOptions, Scoring, maps_of};
use crate::prune::surgery::rows;
use crate::topology::{Cloud, PointCloud};
use faer::linalg::solvers::Solve;
use faer::{Mat, Side};

/// One reader of a group, on the host.
#[derive(Clone, Debug)]
struct Reads {
    /// Numbers that each filter gives it.
    block: usize,
    /// Covariance of what it reads, with the ridge on its diagonal apart.
    gram: Mat<f64>,
    ridge: f64,
    /// Its weights `[inputs, outputs]`, in units of the deviation of what it gives.
    weights: Mat<f64>,
    /// What it reads of each sample, the mean over places: `[samples, inputs]`.
    inputs: Mat<f64>,
}

/// The readers of a group.
#[derive(Clone, Debug)]
pub(super) struct Refitted {
    filters: usize,
    readers: Vec<Reads>,
}

/// For every group, what its readers read of so many samples.
pub(super) fn read(scoring: &mut Scoring<'_>, samples: usize, seed: u64) -> Result<Vec<Refitted>> {
    let usual = Compensation::default();
    let which = scoring.chosen(SampleOptions { samples, seed })?;
    let net = scoring.net;
    let readers: Vec<(usize, usize, usize)> = {
        let of_group =
            |(g, group): (usize, &Group)| group.readers.iter().map(move |r| (r.layer(), g, group.filters)).collect::<Vec<_>>();
        scoring.groups.iter().enumerate().flat_map(of_group).collect()
    };
    let mut grams: Vec<Gram> = readers.iter().map(|_| Gram::default()).collect();
    let mut inputs: Vec<Vec<f32>> = vec![Vec::new(); readers.len()];
    for (nth, some) in which.chunks(BATCH).enumerate() {
        scoring.go_on()?;
        let mut pass = net.begin(scoring.rows(some));
        while pass.next < net.arch.layers.len() {
            let at = pass.next;
            let input = pass.flow.clone();
            pass = net.advance(pass);
            for (r, &(_, _, filters)) in readers.iter().enumerate().filter(|(_, reader)| reader.0 == at) {
                let maps = maps_of(input.clone(), filters);
                let plane = match &pass.flow {
                    Flow::Maps(out) => [out.dims()[2], out.dims()[3]],
                    Flow::Flat(_) => [1, 1],
                };
                let seed = Places::seed(seed, at, nth);
                let rows = rows_read(&net.arch.layers[at], maps, plane, usual.places, seed);
                let [count, width] = rows.dims();
                let per_image = rows.clone().reshape([some.len(), count / some.len(), width]).mean_dim(1);
                inputs[r].extend(bridge::read(per_image)?);
                grams[r].add_inputs(rows);
            }
        }
    }
    let mut found: Vec<Refitted> = scoring.groups.iter().map(|g| Refitted { filters: g.filters, readers: Vec::new() }).collect();
    for ((&(at, g, filters), gram), inputs) in readers.iter().zip(grams).zip(inputs) {
        let moments = gram.moments(true)?;
        let weights = weights_of(net, at)?;
        let width = weights.nrows();
        let through = &moments.gram * &weights;
        let variance: f64 =
            (0..weights.ncols()).map(|o| (0..width).map(|i| weights[(i, o)] * through[(i, o)]).sum::<f64>()).sum();
        let unit = variance.sqrt().max(f64::MIN_POSITIVE);
        found[g].readers.push(Reads {
            block: width / filters,
            ridge: usual.ridge * moments.mean_variance() + f64::MIN_POSITIVE,
            gram: moments.gram,
            weights: Mat::from_fn(width, weights.ncols(), |i, o| weights[(i, o)] / unit),
            inputs: Mat::from_fn(which.len(), width, |s, i| f64::from(inputs[s * width + i])),
        });
    }
    Ok(found)
}

impl Refitted {
    /// Number of filters.
    pub fn filters(&self) -> usize {
        self.filters
    }

    /// The samples as points, when the filters that are not kept are gone and the readers fitted
    /// anew.
    pub fn cloud(&self, kept: &[bool]) -> Result<Cloud> {
        let samples = self.readers.first().map_or(0, |r| r.inputs.nrows());
        let mut points: Vec<Vec<f32>> = vec![Vec::new(); samples];
        for reader in &self.readers {
            let given = reader.given(kept)?;
            for (s, point) in points.iter_mut().enumerate() {
                point.extend((0..given.ncols()).map(|o| given[(s, o)] as f32));
            }
        }
        let width = points.first().map_or(0, Vec::len);
        Ok(PointCloud::new(samples, width, points.concat())?.into())
    }
}

impl Reads {
    /// What it gives for the samples, `[samples, outputs]`.
    fn given(&self, kept: &[bool]) -> Result<Mat<f64>> {
        let of = |wanted: bool| -> Vec<usize> {
            rows(&(0..kept.len()).filter(|&f| kept[f] == wanted).collect::<Vec<_>>(), self.block)
        };
        let (stay, go) = (of(true), of(false));
        let outputs = self.weights.ncols();
        let mut weights = Mat::from_fn(stay.len(), outputs, |i, o| self.weights[(stay[i], o)]);
        if !go.is_empty() {
            // With the old weights for a start what is missing is what the others gave.
            let cross = Mat::from_fn(stay.len(), go.len(), |i, j| self.gram[(stay[i], go[j])]);
            let missing = cross * Mat::from_fn(go.len(), outputs, |j, o| self.weights[(go[j], o)]);
            let gram = Mat::from_fn(stay.len(), stay.len(), |i, j| {
                self.gram[(stay[i], stay[j])] + if i == j { self.ridge } else { 0.0 }
            });
            let factors = gram.llt(Side::Lower).map_err(|_| Error::input("what a layer reads is not finite"))?;
            weights += factors.solve(&missing);
        }
        let inputs = Mat::from_fn(self.inputs.nrows(), stay.len(), |s, i| self.inputs[(s, stay[i])]);
        Ok(inputs * weights)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Activation, Arch, Compute, Net};
    use crate::topology::{Engine, Options};
    use burn::tensor::Tensor;

    /// With all filters the points are what the readers give; without a copy of another filter they
    /// stay where they are.
    #[test]
    fn a_copy_is_not_missed() {
        let compute = Compute::cpu();
        let arch = Arch::cnn([1, 8, 8], &[4, 3], 6, 3, Activation::parse("relu").unwrap()).unwrap();
        let mut net = Net::new(&arch, 2, &compute.device).unwrap();
        let weight = net.conv(0).weight.val();
        let twins =
            Tensor::cat(vec![weight.clone().slice_dim(0, 0..2), weight.clone().slice_dim(0, 1..2), weight.slice_dim(0, 3..4)], 0);
        net.conv_mut(0).weight = burn::module::Param::from_tensor(twins);
        let samples = crate::prune::criteria::testing::waves(60);
        let mut watch = crate::progress::Unwatched;
        let mut scoring = Scoring::new(&net, &samples, &compute, &mut watch).unwrap();
        let groups = read(&mut scoring, 60, 0).unwrap();
        assert_eq!((groups.len(), groups[0].filters()), (2, 4));
        let barcode = |kept: [bool; 4]| {
            let cloud = groups[0].cloud(&kept).unwrap();
            Engine::cpu().barcode(&cloud, &Options::default().max_dim(0)).unwrap()
        };
        let sum =
            |kept: [bool; 4]| -> f64 { barcode(kept).bars[0].iter().map(|b| f64::from(b.death)).filter(|d| d.is_finite()).sum() };
        let whole = sum([true; 4]);
        let copy = sum([true, true, false, true]);
        let other = sum([false, true, true, true]);
        assert!(whole > 0.0 && (copy - whole).abs() < 0.1 * whole, "{whole} {copy}");
        assert!((copy - whole).abs() < (other - whole).abs(), "{whole} {copy} {other}");
    }
}
