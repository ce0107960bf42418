//! Labelled samples, whatever they are of.

use crate::error::{Error, Result};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

/// The numbers of labelled samples.
#[derive(Clone, Debug, PartialEq)]
enum Values {
    /// Pixels; a network sees `(pixel / 255 - mean) / deviation`, channel by channel.
    Bytes(Vec<u8>, Vec<(f32, f32)>),
    /// As they are.
    Floats(Vec<f32>),
}

/// Labelled samples of one shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    /// `[channels, height, width]` of images, `[features]` of vectors.
    pub shape: Vec<usize>,
    /// The class of each sample.
    pub labels: Vec<u8>,
    values: Values,
}

impl Samples {
    /// Images as bytes, channel by channel, row by row; labels below 256. `mean` and `deviation`
    /// are of pixels over 255.
    ///
    /// # Errors
    /// [`Error::Input`] when the counts do not fit.
    pub fn images(shape: [usize; 3], pixels: Vec<u8>, labels: Vec<u8>, mean: f32, deviation: f32) -> Result<Self> {
        let need = labels.len() * shape.iter().product::<usize>();
        if pixels.len() != need {
            return Err(Error::input(format!("{} pixels for {} labels: {need} are needed", pixels.len(), labels.len())));
        }
        Ok(Self { shape: shape.to_vec(), labels, values: Values::Bytes(pixels, vec![(mean, deviation); shape[0]]) })
    }

    /// Vectors of `features` numbers.
    ///
    /// # Errors
    /// [`Error::Input`] when the counts do not fit.
    pub fn vectors(features: usize, numbers: Vec<f32>, labels: Vec<u8>) -> Result<Self> {
        if numbers.len() != labels.len() * features {
            return Err(Error::input(format!("{} numbers for {} labels in R^{features}", numbers.len(), labels.len())));
        }
        Ok(Self { shape: vec![features], labels, values: Values::Floats(numbers) })
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Numbers per sample.
    pub fn width(&self) -> usize {
        self.shape.iter().product()
    }

    /// What a network sees of some samples, one after the other.
    pub fn gather(&self, which: &[usize]) -> Vec<f32> {
        let width = self.width();
        let mut out = Vec::with_capacity(which.len() * width);
        for &i in which {
            match &self.values {
                Values::Bytes(bytes, scales) => {
                    let planes = bytes[i * width..(i + 1) * width].chunks(width / scales.len());
                    for (plane, (mean, deviation)) in planes.zip(scales) {
                        out.extend(plane.iter().map(|b| (f32::from(*b) / 255.0 - mean) / deviation));
                    }
                }
                Values::Floats(numbers) => out.extend_from_slice(&numbers[i * width..(i + 1) * width]),
            }
        }
        out
    }

    /// All numbers and labels as bytes.
    #[cfg(feature = "nn")]
    fn bytes(&self) -> Box<dyn Iterator<Item = u8> + '_> {
        let labels = self.labels.iter().copied();
        match &self.values {
            Values::Bytes(bytes, _) => Box::new(labels.chain(bytes.iter().copied())),
            Values::Floats(numbers) => Box::new(labels.chain(numbers.iter().flat_map(|x| x.to_le_bytes()))),
        }
    }

    /// All indices in an order that depends on the seed alone.
    pub fn shuffled(&self, seed: u64) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.shuffle(&mut StdRng::seed_from_u64(seed));
        order
    }

    /// Some of the samples, in the order given.
    pub fn select(&self, which: &[usize]) -> Self {
        let width = self.width();
        let values = match &self.values {
            Values::Bytes(bytes, scales) => {
                let pixels = which.iter().flat_map(|&i| bytes[i * width..(i + 1) * width].iter().copied()).collect();
                Values::Bytes(pixels, scales.clone())
            }
            Values::Floats(x) => {
                Values::Floats(which.iter().flat_map(|&i| x[i * width..(i + 1) * width].iter().copied()).collect())
            }
        };
        Self { shape: self.shape.clone(), labels: which.iter().map(|&i| self.labels[i]).collect(), values }
    }

    /// By what images are normalised, channel by channel: means and deviations of pixels over 255.
    pub fn normalisation(&self) -> Option<(Vec<f32>, Vec<f32>)> {
        match &self.values {
            Values::Bytes(_, scales) => Some(scales.iter().copied().unzip()),
            Values::Floats(_) => None,
        }
    }

    /// Normalises images by other means and deviations, of pixels over 255; one for all channels,
    /// or one per channel. Vectors, which have to be as they were read, by those of their features.
    ///
    /// # Errors
    /// [`Error::Input`] for another number of channels or features, or a deviation that is not
    /// above 0.
    pub fn normalise(&mut self, mean: &[f32], deviation: &[f32]) -> Result<()> {
        let (parts, what) = match &self.values {
            Values::Bytes(_, scales) => (scales.len(), "channels"),
            Values::Floats(_) => (self.width(), "features"),
        };
        let fits = |n: usize| n == 1 || n == parts;
        if !fits(mean.len()) || !fits(deviation.len()) {
            return Err(Error::input(format!(
                "{} means and {} deviations for samples of {parts} {what}: one, or one for each, are needed",
                mean.len(),
                deviation.len(),
            )));
        }
        if deviation.iter().any(|d| !(*d > 0.0 && d.is_finite())) || mean.iter().any(|m| !m.is_finite()) {
            return Err(Error::input("means must be numbers and deviations numbers above 0"));
        }
        let of = |c: usize| (mean[c.min(mean.len() - 1)], deviation[c.min(deviation.len() - 1)]);
        match &mut self.values {
            Values::Bytes(_, scales) => scales.iter_mut().enumerate().for_each(|(c, scale)| *scale = of(c)),
            Values::Floats(numbers) => {
                numbers.iter_mut().enumerate().for_each(|(i, x)| *x = (*x - of(i % parts).0) / of(i % parts).1);
            }
        }
        Ok(())
    }

    /// Indices of the samples of one class.
    pub fn of_class(&self, class: u8) -> Vec<usize> {
        (0..self.len()).filter(|&i| self.labels[i] == class).collect()
    }
}

/// Samples to learn from and samples to judge by.
#[derive(Clone, Debug, PartialEq)]
pub struct DataSet {
    /// What it is called in results.
    pub name: String,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// To learn from.
    pub train: Samples,
    /// To judge by.
    pub test: Samples,
}

impl DataSet {
    /// A number that stands for all samples and their labels. It tells results of one data set from
    /// those of another that has the same name.
    #[cfg(feature = "nn")]
    pub(crate) fn fingerprint(&self) -> String {
        crate::data::files::checksum_of(self.train.bytes().chain(self.test.bytes()))
    }

    /// The set of some of its classes, which become 0, 1, ... in that order.
    ///
    /// # Errors
    /// [`Error::Input`] when a class has no samples.
    pub fn of_classes(&self, name: &str, classes: &[u8]) -> Result<Self> {
        let part = |samples: &Samples| {
            let which: Vec<usize> = (0..samples.len()).filter(|&i| classes.contains(&samples.labels[i])).collect();
            let mut some = samples.select(&which);
            for label in &mut some.labels {
                *label = classes.iter().position(|c| c == label).unwrap_or(0) as u8;
            }
            some
        };
        let names = classes.iter().filter_map(|&c| self.classes.get(usize::from(c)).cloned()).collect();
        Self { name: name.into(), classes: names, train: part(&self.train), test: part(&self.test) }.checked()
    }

    /// [`Samples::normalise`] of both parts.
    ///
    /// # Errors
    /// As there.
    pub fn normalise(&mut self, mean: &[f32], deviation: &[f32]) -> Result<()> {
        self.train.normalise(mean, deviation)?;
        self.test.normalise(mean, deviation)
    }

    /// The set with at most so many training and test samples, the first in an order that the seed
    /// decides.
    pub fn with_at_most(&self, train: usize, test: usize, seed: u64) -> Self {
        let some = |samples: &Samples, most: usize| {
            let mut which = samples.shuffled(seed);
            which.truncate(most);
            samples.select(&which)
        };
        Self {
            name: self.name.clone(),
            classes: self.classes.clone(),
            train: some(&self.train, train),
            test: some(&self.test, test),
        }
    }

    /// Checks that labels have names and both parts have one shape.
    ///
    /// # Errors
    /// [`Error::Input`] otherwise, or when a part is empty.
    pub fn checked(self) -> Result<Self> {
        for (part, samples) in [("training", &self.train), ("test", &self.test)] {
            if samples.is_empty() {
                return Err(Error::input(format!("{}: there are no {part} samples", self.name)));
            }
            if let Some(at) = samples.labels.iter().position(|&l| usize::from(l) >= self.classes.len()) {
                return Err(Error::input(format!(
                    "{}: {part} sample {at} has the label {}, but there are {} classes",
                    self.name,
                    samples.labels[at],
                    self.classes.len()
                )));
            }
        }
        if self.train.shape != self.test.shape {
            return Err(Error::input(format!("{}: training and test samples differ in shape", self.name)));
        }
        Ok(self)
    }
}
