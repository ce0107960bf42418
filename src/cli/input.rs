//! The input file and the options of the filtration, the same for `barcode` and `betti`.

use clap::Args;
use lacuna::data::points::{InputFormat, read_cloud};
use lacuna::topology::{Cloud, Metric, Options};
use lacuna::{Error, Result};
use std::path::{Path, PathBuf};

/// A file and how to filter it.
#[derive(Clone, Debug, Args)]
pub struct InputArgs {
    /// Points, distances or edges: text (csv) or .npy
    file: PathBuf,
    /// What the numbers mean: point-cloud, distance, lower-distance, upper-distance, sparse or binary (by the file's name
    /// if not given: points, but for Ripser's own endings)
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Metric on points: euclidean, sqeuclidean, cityblock, chebyshev, cosine, correlation or knn-hops [default: euclidean]
    #[arg(long)]
    metric: Option<String>,
    /// Nearest neighbours in the graph of knn-hops, the point itself among them
    #[arg(long, default_value_t = 14)]
    k: usize,
    /// Keep at most so many points, by farthest-point sampling [default: all]
    #[arg(long, value_name = "N")]
    max_points: Option<usize>,
    /// Highest dimension of homology: 0 to 3
    #[arg(long, visible_alias = "maxdim", default_value_t = 1)]
    dim: usize,
    /// Longest edge that enters [default: the enclosing radius, from where on nothing changes]
    #[arg(long, allow_negative_numbers = true)]
    threshold: Option<f32>,
}

impl InputArgs {
    /// Reads the file.
    pub fn cloud(&self) -> Result<Cloud> {
        let format = match &self.format {
            Some(name) => InputFormat::parse(name)?,
            None => InputFormat::of_path(&self.file),
        };
        let cloud = read_cloud(&self.file, format)?;
        if self.metric.is_some() && !matches!(cloud, Cloud::Points(_)) {
            return Err(Error::input("--metric is for points; this file brings its own distances"));
        }
        Ok(cloud)
    }

    /// An error if an output would replace the input.
    pub fn refuse_as_output(&self, output: Option<&Path>) -> Result<()> {
        let place = |p: &Path| std::fs::canonicalize(p).ok();
        match output {
            Some(out) if place(out).is_some() && place(out) == place(&self.file) => {
                Err(Error::input(format!("{} is the input: name another file for the output", out.display())))
            }
            _ => Ok(()),
        }
    }

    /// The options of the filtration.
    pub fn options(&self) -> Result<Options> {
        Ok(Options {
            max_dim: self.dim,
            metric: self.metric.as_deref().map_or(Ok(Metric::Euclidean), Metric::parse)?,
            k: self.k,
            threshold: self.threshold,
            max_points: self.max_points,
            ..Options::default()
        })
    }

    /// The file's name, for titles.
    pub fn name(&self) -> String {
        self.file.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}
