//! Points of two classes whose Betti numbers are known by construction, any number of copies of
//! each shape.
//!
//! `disks`, `rings` and `spheres` have the topology of Naitzat, Zhitnikov and Lim's D-I, D-II and
//! D-III (JMLR 21, 2020): nine copies of each are theirs. Coordinates are scaled to about `[-1.1,
//! 1.1]`.

mod plane;
mod space;

use super::samples::{DataSet, Samples};
use crate::error::{Error, Result};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

/// A point with its class, 0 or 1.
type Labelled = ([f64; 3], u8);

/// A kind of set.
pub struct Shape {
    /// Name on the command line.
    pub name: &'static str,
    /// What it looks like, for people.
    pub about: &'static str,
    /// Coordinates of a point.
    pub features: usize,
    /// Copies where none are asked for.
    pub copies: usize,
    /// Points that a copy needs for its Betti numbers to be seen and learnt.
    pub points_per_copy: usize,
    /// Space left free between the classes where none is asked for, in the shape's own units.
    pub margin: f64,
    /// Names of the classes.
    pub classes: [&'static str; 2],
    /// Betti numbers of dimensions 0, 1 and 2 of both classes, for so many copies.
    pub betti: fn(usize) -> [[usize; 3]; 2],
    /// Points enough to choose from, by the layout that the copies, margin and random numbers
    /// decide.
    draw: fn(&Draw, &mut StdRng) -> Result<Vec<Labelled>>,
    /// Half of the side of the square or cube that so many copies take, in the shape's own units.
    extent: fn(usize) -> f64,
}

impl std::fmt::Debug for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// What a shape draws.
struct Draw {
    copies: usize,
    margin: f64,
    /// Points wanted.
    points: usize,
    /// Decides where copies lie, where that is by chance: the same for training and test points.
    layout: u64,
}

/// All shapes.
pub static SHAPES: &[Shape] = &[
    Shape {
        name: "disks",
        about: "disks cut out of a square; nine lie as in D-I, other numbers irregularly",
        features: 2,
        copies: 9,
        points_per_copy: 94,
        margin: 0.5,
        classes: ["inside", "outside"],
        betti: |n| [[n, 0, 0], [1, n, 0]],
        draw: plane::disks,
        extent: plane::disks_extent,
    },
    Shape {
        name: "concentric",
        about: "concentric rings in the plane, of either class in turn",
        features: 2,
        copies: 6,
        points_per_copy: 700,
        margin: 0.5,
        classes: ["even", "odd"],
        betti: |n| [[n.div_ceil(2), n.div_ceil(2), 0], [n / 2, n / 2, 0]],
        draw: plane::concentric,
        extent: |n| 1.5 * n as f64 + 0.5,
    },
    Shape {
        name: "rings",
        about: "pairs of linked rings in space, one of either class; nine pairs are D-II",
        features: 3,
        copies: 9,
        points_per_copy: 200,
        margin: 0.0,
        classes: ["first", "second"],
        betti: |n| [[n, n, 0], [n, n, 0]],
        draw: space::rings,
        extent: space::rings_extent,
    },
    Shape {
        name: "spheres",
        about: "nested spheres in space, the middle one of three of its own class; nine are D-III",
        features: 3,
        copies: 9,
        points_per_copy: 400,
        margin: 0.0,
        classes: ["middle", "inner and outer"],
        betti: |n| [[n, 0, n], [2 * n, 0, 2 * n]],
        draw: space::spheres,
        extent: space::spheres_extent,
    },
    Shape {
        name: "torus-curves",
        about: "curves that wind around a torus side by side, of either class in turn",
        features: 3,
        copies: 2,
        points_per_copy: 1000,
        margin: 0.0,
        classes: ["even", "odd"],
        betti: |n| [[n.div_ceil(2), n.div_ceil(2), 0], [n / 2, n / 2, 0]],
        draw: space::torus_curves,
        extent: |_| 4.0,
    },
];

/// What to generate.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Which shape.
    pub shape: &'static Shape,
    /// Disks, rings, pairs of rings, spheres or curves; the shape's own number where `None`.
    pub copies: Option<usize>,
    /// Training points.
    pub train: usize,
    /// Test points.
    pub test: usize,
    /// Space between the classes, in the shape's own units; the shape's own where `None`.
    pub margin: Option<f64>,
    /// Standard deviation of what is added to every coordinate, after scaling.
    pub noise: f64,
    /// Decides everything random.
    pub seed: u64,
}

impl Request {
    /// A shape by its name, with its own numbers, and as many test points as training points.
    ///
    /// # Errors
    /// [`Error::Input`] with the names that there are.
    pub fn new(name: &str, train: usize, seed: u64) -> Result<Self> {
        let shape = SHAPES.iter().find(|s| s.name == name).ok_or_else(|| {
            let names: Vec<_> = SHAPES.iter().map(|s| s.name).collect();
            Error::unknown("shape", name, &names)
        })?;
        Ok(Self { shape, copies: None, train, test: train, margin: None, noise: 0.0, seed })
    }

    /// Copies that will be made.
    pub fn copies(&self) -> usize {
        self.copies.unwrap_or(self.shape.copies)
    }

    /// True Betti numbers of dimensions 0, 1 and 2, for both classes.
    pub fn betti(&self) -> [[usize; 3]; 2] {
        (self.shape.betti)(self.copies())
    }

    /// Draws the points. Training and test points are different ones of the same layout.
    ///
    /// # Errors
    /// [`Error::Input`] for numbers that make no sense.
    pub fn generate(&self) -> Result<DataSet> {
        let copies = self.copies();
        let least =
            if self.shape.features == 2 && self.shape.name != "disks" || self.shape.name == "torus-curves" { 2 } else { 1 };
        if copies < least || copies > 5_000 {
            return Err(Error::input(format!("{} takes from {least} to 5,000 copies", self.shape.name)));
        }
        let margin = self.margin.unwrap_or(self.shape.margin);
        if !(0.0..=0.9).contains(&margin) || !(0.0..1e3).contains(&self.noise) {
            return Err(Error::input("the margin must be from 0 to 0.9, the noise from 0 to 1000"));
        }
        let wanted = self.train.saturating_add(self.test);
        if self.train < 2 || self.test < 2 || wanted > 1 << 26 {
            return Err(Error::input("at least 2 training and 2 test points are needed, and 67 million at most in all"));
        }
        let mut rng = StdRng::seed_from_u64(self.seed);
        let mut points = (self.shape.draw)(&Draw { copies, margin, points: wanted, layout: self.seed }, &mut rng)?;
        points.shuffle(&mut rng);
        points.truncate(wanted);
        if points.len() < wanted {
            return Err(Error::input(format!(
                "{} has {} points at most, {wanted} were asked for",
                self.shape.name,
                points.len()
            )));
        }
        let scale = 1.1 / (self.shape.extent)(copies);
        let features = self.shape.features;
        let mut part = |points: &[Labelled]| {
            let mut numbers = Vec::with_capacity(points.len() * features);
            for (p, _) in points {
                for x in &p[..features] {
                    numbers.push((x * scale + self.noise * normal(&mut rng)) as f32);
                }
            }
            Samples::vectors(features, numbers, points.iter().map(|p| p.1).collect())
        };
        let (train, test) = (part(&points[..self.train])?, part(&points[self.train..])?);
        let name = if self.copies.is_some() { format!("{}-{copies}", self.shape.name) } else { self.shape.name.into() };
        DataSet { name, classes: self.shape.classes.map(String::from).to_vec(), train, test }.checked()
    }
}

/// The disks of D-I, `train` points to learn from and the others to judge by.
///
/// # Errors
/// [`Error::Input`] when there are not enough points.
pub fn disks(train: usize, seed: u64) -> Result<DataSet> {
    let request = Request::new("disks", train, seed)?;
    let test = plane::D1_POINTS.checked_sub(train).filter(|&t| t > 1);
    let test =
        test.ok_or_else(|| Error::input(format!("the disks have {} points: there are no test samples", plane::D1_POINTS)))?;
    Request { test, ..request }.generate()
}

/// A standard normal number, by Box and Muller.
fn normal(rng: &mut StdRng) -> f64 {
    let (u, v): (f64, f64) = (rng.random(), rng.random());
    (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::{Engine, Options, PointCloud, knn_hops};

    fn of_class(set: &DataSet, class: u8, most: usize) -> PointCloud {
        let which: Vec<usize> = set.train.of_class(class).into_iter().take(most).collect();
        PointCloud::new(which.len(), set.train.width(), set.train.gather(&which)).unwrap()
    }

    /// The engine finds the true Betti numbers by Naitzat's procedure: for nine copies with their k
    /// and sample sizes, and for others.
    #[test]
    fn the_engine_confirms_the_true_betti_numbers() {
        let engine = Engine::cpu();
        for (name, copies, train, class, points, k, dims) in [
            ("disks", None, 15_000, 0, 1500, 14, 1),
            ("disks", None, 15_000, 1, 6000, 35, 1),
            ("rings", None, 12_000, 0, 1500, 14, 1),
            ("rings", None, 12_000, 1, 1500, 14, 1),
            ("spheres", None, 3_780, 0, 1800, 14, 2),
            ("spheres", None, 20_000, 1, 20_000, 14, 2),
            ("disks", Some(20), 20_000, 0, 3000, 14, 1),
            ("concentric", None, 6_000, 0, 2500, 14, 1),
            ("concentric", None, 6_000, 1, 2500, 14, 1),
            ("torus-curves", Some(4), 4_000, 1, 2000, 14, 1),
            ("rings", Some(38), 15_000, 0, 5000, 14, 1),
        ] {
            let request =
                Request { copies, test: if name == "spheres" { 2 } else { train }, ..Request::new(name, train, 0).unwrap() };
            let set = request.generate().unwrap();
            let points = of_class(&set, class, points);
            let graph = knn_hops(&points, k, Some(2)).unwrap();
            let options = Options::default().max_dim(dims).threshold(2.0);
            let barcode = engine.barcode(graph, &options).unwrap();
            let want = request.betti()[usize::from(class)];
            let got: Vec<usize> = (0..=dims).map(|d| barcode.betti(d, 2.0)).collect();
            assert_eq!(got, want[..=dims], "{name}, {copies:?} copies, class {class}, {} points", points.len());
        }
    }

    #[test]
    fn requests_decide_everything() {
        let request = Request { copies: Some(75), noise: 0.001, ..Request::new("disks", 7000, 4).unwrap() };
        let set = request.generate().unwrap();
        assert_eq!((set.train.len(), set.test.len(), set.name.as_str()), (7000, 7000, "disks-75"));
        assert_eq!(request.betti(), [[75, 0, 0], [1, 75, 0]]);
        assert_eq!(set, request.generate().unwrap());
        assert_ne!(set, Request { seed: 5, ..request }.generate().unwrap());
        let largest = set.train.gather(&(0..7000).collect::<Vec<_>>()).into_iter().map(f32::abs).fold(0.0, f32::max);
        assert!(largest > 0.9 && largest < 1.3, "{largest}");
        assert!(Request { copies: Some(0), ..request }.generate().is_err());
        assert!(Request { noise: f64::NAN, ..request }.generate().is_err());
        assert!(Request { margin: Some(2.0), ..request }.generate().is_err());
        let crowded = Request { copies: Some(2), margin: Some(0.9), ..request }.generate();
        assert!(crowded.is_err_and(|e| e.to_string().contains("no room for 2 disks")));
        assert!(Request::new("cubes", 10, 0).unwrap_err().to_string().contains("spheres"));
        assert!(disks(20_000, 0).unwrap_err().to_string().contains("no test samples"));
    }

    /// Points of different classes keep their distance, and a layout is the same for training and
    /// test points.
    #[test]
    fn classes_are_apart() {
        for shape in SHAPES {
            let set = Request::new(shape.name, 2000, 1).unwrap().generate().unwrap();
            let gather = |s: &Samples, class| s.of_class(class).into_iter().map(|i| s.gather(&[i])).collect::<Vec<_>>();
            let distance = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum::<f32>().sqrt();
            let (ours, theirs) = (gather(&set.train, 0), gather(&set.test, 1));
            let least = ours.iter().flat_map(|a| theirs.iter().map(move |b| distance(a, b))).fold(f32::INFINITY, f32::min);
            assert!(least > 0.02, "{}: {least}", shape.name);
        }
    }
}
