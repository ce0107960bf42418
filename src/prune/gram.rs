//! Least squares by the Gram matrix: what a layer reads, what it should give, and the weights that
//! bring the one nearest to the other.
//!
//! Rows come batch by batch and are summed up on the device that the network runs on; what is kept
//! grows with the number of inputs, not with that of rows. Sums are of differences from the first
//! batch's means, so that little is lost in single precision. The host solves in double precision,
//! by the Cholesky factors of one matrix for all outputs.

use crate::error::{Error, Result};
use crate::nn::bridge;
use burn::tensor::Tensor;
use faer::linalg::solvers::Solve;
use faer::{Mat, Side};

/// Sums over rows, as they come in.
#[derive(Debug, Default)]
pub(super) struct Gram {
    rows: usize,
    sums: Option<Sums>,
}

#[derive(Debug)]
struct Sums {
    /// What is taken off inputs and outputs before they are summed.
    shift: [Tensor<2>; 2],
    /// Inputs by inputs.
    gram: Tensor<2>,
    /// Inputs by outputs.
    cross: Tensor<2>,
    /// Sums of inputs, of outputs, and of squares of outputs.
    inputs: Tensor<2>,
    outputs: Tensor<2>,
    squares: Tensor<2>,
}

impl Gram {
    /// Adds rows: what is read `[rows, inputs]`, and what should be given `[rows, outputs]`.
    pub fn add(&mut self, u: Tensor<2>, z: Tensor<2>) {
        self.rows += u.dims()[0];
        let shift = match &self.sums {
            Some(s) => s.shift.clone(),
            None => [u.clone().mean_dim(0), z.clone().mean_dim(0)],
        };
        let (u, z) = (u - shift[0].clone(), z - shift[1].clone());
        let turned = u.clone().transpose();
        let new = Sums {
            shift,
            gram: turned.clone().matmul(u.clone()),
            cross: turned.matmul(z.clone()),
            inputs: u.sum_dim(0),
            outputs: z.clone().sum_dim(0),
            squares: (z.clone() * z).sum_dim(0),
        };
        self.sums = Some(match self.sums.take() {
            None => new,
            Some(old) => Sums {
                shift: old.shift,
                gram: old.gram + new.gram,
                cross: old.cross + new.cross,
                inputs: old.inputs + new.inputs,
                outputs: old.outputs + new.outputs,
                squares: old.squares + new.squares,
            },
        });
    }

    /// Adds rows of which nothing is to be made: what is read alone.
    pub fn add_inputs(&mut self, u: Tensor<2>) {
        let none = Tensor::zeros([u.dims()[0], 1], &u.device());
        self.add(u, none);
    }

    /// Means and covariances on the host, or the moments about zero where `centred` is false.
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails, [`Error::Input`] when there were no rows or numbers
    /// that are not finite.
    pub fn moments(self, centred: bool) -> Result<Moments> {
        let Some(sums) = self.sums else { return Err(Error::Internal("least squares without rows".into())) };
        let n = self.rows as f64;
        let read = |t: Tensor<2>| -> Result<Vec<f64>> { Ok(bridge::read(t)?.into_iter().map(f64::from).collect()) };
        let [shift_in, shift_out] = sums.shift;
        let (mut mean_in, mut mean_out) = (read(shift_in)?, read(shift_out)?);
        let (off_in, off_out) = (read(sums.inputs)?, read(sums.outputs)?);
        let (gram, cross, squares) = (read(sums.gram)?, read(sums.cross)?, read(sums.squares)?);
        let (d, o) = (off_in.len(), off_out.len());
        let finite = |v: &[f64]| v.iter().all(|x| x.is_finite());
        if !(finite(&gram) && finite(&cross) && finite(&squares) && finite(&mean_in) && finite(&mean_out)) {
            return Err(Error::input("what a layer gives is not finite: has the network diverged?"));
        }
        // About the shift the sums are sum(u' z'); about the mean n * m m' less; about zero n *
        // (shift + m)(shift + m)' more than that.
        let (di, dj): (Vec<f64>, Vec<f64>) = (off_in.iter().map(|x| x / n).collect(), off_out.iter().map(|x| x / n).collect());
        mean_in.iter_mut().zip(&di).for_each(|(m, x)| *m += x);
        mean_out.iter_mut().zip(&dj).for_each(|(m, x)| *m += x);
        let more = |a: f64, b: f64| if centred { 0.0 } else { a * b };
        let gram = Mat::from_fn(d, d, |i, j| {
            let both = 0.5 * (gram[i * d + j] + gram[j * d + i]);
            both / n - di[i] * di[j] + more(mean_in[i], mean_in[j])
        });
        let cross = Mat::from_fn(d, o, |i, j| cross[i * o + j] / n - di[i] * dj[j] + more(mean_in[i], mean_out[j]));
        let squares = (0..o).map(|j| squares[j] / n - dj[j] * dj[j] + more(mean_out[j], mean_out[j])).collect();
        if !centred {
            mean_in.iter_mut().chain(&mut mean_out).for_each(|m| *m = 0.0);
        }
        Ok(Moments { rows: self.rows, gram, cross, mean_in, mean_out, squares })
    }
}

/// Means over rows of products, on the host.
#[derive(Clone, Debug)]
pub(super) struct Moments {
    /// Rows that they are of.
    pub rows: usize,
    /// Covariance of the inputs, `[inputs, inputs]`.
    pub gram: Mat<f64>,
    /// Covariance of inputs with outputs, `[inputs, outputs]`.
    pub cross: Mat<f64>,
    pub mean_in: Vec<f64>,
    pub mean_out: Vec<f64>,
    /// Variance of each output.
    pub squares: Vec<f64>,
}

/// Weights that were found.
#[derive(Clone, Debug)]
pub(super) struct Fit {
    /// `[inputs, outputs]`
    pub weights: Mat<f64>,
    /// What is added to each output.
    pub intercept: Vec<f64>,
    /// The share of the outputs' variance that the old weights miss, with an intercept of their
    /// own, and that the new ones miss.
    pub missed: [f64; 2],
    /// The ridge that was needed: more than the one asked for where the matrix is singular.
    pub ridge: f64,
}

/// The least ridge that is tried where a matrix has no Cholesky factors.
const LEAST_RIDGE: f64 = 1e-8;

impl Moments {
    /// The mean of the inputs' variances, the unit of a ridge.
    pub fn mean_variance(&self) -> f64 {
        let d = self.gram.nrows().max(1);
        (0..self.gram.nrows()).map(|i| self.gram[(i, i)]).sum::<f64>() / d as f64
    }

    /// The moments of some of the inputs.
    pub fn of_inputs(&self, which: &[usize]) -> Self {
        Self {
            rows: self.rows,
            gram: Mat::from_fn(which.len(), which.len(), |i, j| self.gram[(which[i], which[j])]),
            cross: Mat::from_fn(which.len(), self.cross.ncols(), |i, o| self.cross[(which[i], o)]),
            mean_in: which.iter().map(|&i| self.mean_in[i]).collect(),
            mean_out: self.mean_out.clone(),
            squares: self.squares.clone(),
        }
    }

    /// What weights miss of the outputs' variance, summed over outputs.
    fn missed(&self, weights: &Mat<f64>) -> f64 {
        let through = &self.gram * weights;
        let of_output = |j: usize| {
            let column = |i: usize| weights[(i, j)] * (through[(i, j)] - 2.0 * self.cross[(i, j)]);
            (self.squares[j] + (0..weights.nrows()).map(column).sum::<f64>()).max(0.0)
        };
        (0..weights.ncols()).map(of_output).sum()
    }

    /// The weights `W` and intercepts `b` with the least mean square of `u W + b - z`, plus `ridge`
    /// times the mean variance of an input times the square of `W - start`. A matrix that is
    /// singular gets as much more ridge as its factors need; inputs that never vary change nothing.
    ///
    /// # Errors
    /// [`Error::Input`] when no ridge helps, as with numbers that are not finite.
    pub fn fit(&self, start: &Mat<f64>, ridge: f64) -> Result<Fit> {
        let (d, unit) = (self.gram.nrows(), self.mean_variance());
        let total: f64 = self.squares.iter().sum();
        let share = |missed: f64| if total > 0.0 { missed / total } else { 0.0 };
        let before = self.missed(start);
        let mut used = ridge;
        let weights = if unit > 0.0 {
            let rest = &self.cross - &self.gram * start;
            loop {
                let mut matrix = self.gram.clone();
                (0..d).for_each(|i| matrix[(i, i)] += used * unit);
                let step = matrix.llt(Side::Lower).ok().map(|factors| factors.solve(&rest));
                match step.filter(|s| s.col_iter().all(|c| c.iter().all(|x| x.is_finite()))) {
                    Some(step) => break start + step,
                    None if used < 1e3 => used = (used * 10.0).max(LEAST_RIDGE),
                    None => return Err(Error::input("a layer's inputs allow no least squares: are its numbers finite?")),
                }
            }
        } else {
            start.clone()
        };
        let given = |j: usize| (0..d).map(|i| self.mean_in[i] * weights[(i, j)]).sum::<f64>();
        let intercept = (0..weights.ncols()).map(|j| self.mean_out[j] - given(j)).collect();
        let missed = [share(before), share(self.missed(&weights))];
        Ok(Fit { weights, intercept, missed, ridge: used })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    fn rows(n: usize, width: usize, seed: u64, offset: f32) -> Vec<f32> {
        let mut rng = StdRng::seed_from_u64(seed);
        (0..n * width).map(|_| rng.random_range(-1.0f32..1.0) + offset).collect()
    }

    fn moments(u: &[f32], z: &[f32], n: usize, centred: bool) -> Moments {
        let device = Device::flex();
        let tensor =
            |v: &[f32], rows: usize| Tensor::<2>::from_data(TensorData::new(v.to_vec(), [rows, v.len() / rows]), &device);
        let (d, o) = (u.len() / n, z.len() / n);
        let mut gram = Gram::default();
        for (u, z) in u.chunks(13 * d).zip(z.chunks(13 * o)) {
            gram.add(tensor(u, u.len() / d), tensor(z, z.len() / o));
        }
        gram.moments(centred).unwrap()
    }

    /// At the solution the gradient of the penalised mean square is zero: computed here from the
    /// rows, in double precision.
    #[test]
    fn the_gradient_vanishes() {
        let (n, d, o) = (60, 7, 3);
        // Far from the origin, where sums of squares in single precision would lose everything.
        let (u, z) = (rows(n, d, 1, 300.0), rows(n, o, 2, -50.0));
        let start = Mat::from_fn(d, o, |i, j| 0.1 * i as f64 - 0.2 * j as f64);
        let m = moments(&u, &z, n, true);
        for ridge in [0.0, 0.1, 2.0] {
            let fit = m.fit(&start, ridge).unwrap();
            assert_eq!(fit.ridge, ridge);
            let miss = |r: usize, j: usize| {
                let given: f64 = (0..d).map(|i| f64::from(u[r * d + i]) * fit.weights[(i, j)]).sum();
                given + fit.intercept[j] - f64::from(z[r * o + j])
            };
            for j in 0..o {
                assert!((0..n).map(|r| miss(r, j)).sum::<f64>().abs() / (n as f64) < 1e-3, "by the intercept");
                for i in 0..d {
                    let mean = (0..n).map(|r| f64::from(u[r * d + i])).sum::<f64>() / n as f64;
                    let slope = (0..n).map(|r| (f64::from(u[r * d + i]) - mean) * miss(r, j)).sum::<f64>() / n as f64;
                    let penalty = ridge * m.mean_variance() * (fit.weights[(i, j)] - start[(i, j)]);
                    assert!((slope + penalty).abs() < 1e-3, "{ridge}: {slope} {penalty}");
                }
            }
            assert!(fit.missed[1] <= fit.missed[0] + 1e-9);
        }
        assert!(m.fit(&start, 1e9).unwrap().weights[(3, 2)] - start[(3, 2)] < 1e-6, "a large ridge keeps the old weights");
    }

    #[test]
    fn singular_and_dead_inputs_are_carried() {
        let (n, d) = (40, 4);
        let mut u = rows(n, d, 5, 0.0);
        // The third input is twice the first, the fourth is constant.
        u.chunks_mut(d).for_each(|r| (r[2], r[3]) = (2.0 * r[0], 7.0));
        let z: Vec<f32> = u.chunks(d).map(|r| r[0] - r[1] + 3.0).collect();
        let start = Mat::<f64>::zeros(d, 1);
        let m = moments(&u, &z, n, true);
        let fit = m.fit(&start, 0.0).unwrap();
        assert!(fit.missed[1] < 1e-6, "{fit:?}");
        // Fewer rows than inputs.
        let few = moments(&u[..3 * d], &z[..3], 3, true).fit(&start, 0.0).unwrap();
        assert!(few.weights.col_iter().all(|c| c.iter().all(|x| x.is_finite())) && few.missed[1] < 1e-3, "{few:?}");
        // Nothing varies: weights stay, the intercept does what can be done.
        let still = moments(&vec![2.0; n * d], &z, n, true).fit(&Mat::from_fn(d, 1, |_, _| 1.0), 0.1).unwrap();
        assert_eq!(still.weights[(0, 0)], 1.0);
        let mean = z.iter().map(|&x| f64::from(x)).sum::<f64>() / n as f64;
        assert!((still.intercept[0] + 8.0 - mean).abs() < 1e-5);
        let nan = vec![f32::NAN; n * d];
        let device = Device::flex();
        let mut gram = Gram::default();
        gram.add(
            Tensor::from_data(TensorData::new(nan, [n, d]), &device),
            Tensor::from_data(TensorData::new(z.clone(), [n, 1]), &device),
        );
        assert_eq!(gram.moments(true).unwrap_err().exit_code(), 2);
    }

    /// Without an intercept the fit goes through zero.
    #[test]
    fn moments_about_zero() {
        let (n, d) = (50, 2);
        let u = rows(n, d, 8, 4.0);
        let z: Vec<f32> = u.chunks(d).map(|r| 0.5 * r[0] + 2.0 * r[1]).collect();
        let fit = moments(&u, &z, n, false).fit(&Mat::zeros(d, 1), 0.0).unwrap();
        assert!((fit.weights[(0, 0)] - 0.5).abs() < 1e-3 && (fit.weights[(1, 0)] - 2.0).abs() < 1e-3, "{fit:?}");
        assert_eq!(fit.intercept, [0.0]);
    }
}
