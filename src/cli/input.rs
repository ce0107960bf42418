//! The input file and the options of the filtration, the same for `barcode` and `betti`.

use super::choice::one_of;
use clap::Args;
use clap::builder::{PossibleValue, TypedValueParser};
use lacuna::data::points::{InputFormat, ReadOptions, read_cloud};
use lacuna::topology::{Cloud, Metric, Options};
use lacuna::{Error, Result};
use std::path::{Path, PathBuf};

fn formats() -> impl TypedValueParser<Value = InputFormat> {
    // Ripser's name for points is understood too.
    let also = |format| if format == InputFormat::PointCloud { &["point-cloud"][..] } else { &[] };
    one_of(InputFormat::ALL.map(|(name, format)| PossibleValue::new(name).aliases(also(format).iter().copied())))
}

fn metrics() -> impl TypedValueParser<Value = Metric> {
    let known = Metric::OF_POINTS.into_iter().chain([Metric::KnnHops]);
    one_of(known.map(|m| PossibleValue::new(m.name()).aliases(m.synonyms().iter().copied())))
}

/// A file and how to filter it.
#[derive(Clone, Debug, Args)]
pub struct InputArgs {
    /// Points, distances or edges: text (csv), .npy or .npz (a sparse matrix of SciPy too); - reads
    /// the standard input
    file: PathBuf,
    /// What the numbers mean [default: by the file's name; else distances for a square, symmetric
    /// table with a diagonal of zeros, and points for every other]
    #[arg(long, value_name = "FORMAT", value_parser = formats())]
    format: Option<InputFormat>,
    /// Columns of the table that are read, by name or number from 0 on, as x,y or 0,2..5 [default:
    /// all]
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    columns: Vec<String>,
    /// Lines of a text that are passed over before it is read
    #[arg(long, default_value_t = 0, value_name = "N")]
    skip: usize,
    /// Which array of an archive (.npz) that holds several
    #[arg(long, value_name = "NAME")]
    array: Option<String>,
    /// Metric on points; l2 is euclidean, l1 and manhattan are cityblock, max and linf are
    /// chebyshev [default: euclidean]
    #[arg(long, value_parser = metrics())]
    metric: Option<Metric>,
    /// Nearest neighbours in the graph of knn-hops, the point itself among them [default: 14]
    #[arg(long)]
    k: Option<usize>,
    /// Keep at most so many points, by farthest-point sampling [default: all]
    #[arg(long, value_name = "N")]
    max_points: Option<usize>,
    /// Highest dimension of homology: 0 to 3
    #[arg(long, visible_alias = "maxdim", default_value_t = 1)]
    dim: usize,
    /// Longest edge that enters [default: the enclosing radius, from where on nothing changes]
    #[arg(long)]
    threshold: Option<f32>,
}

impl InputArgs {
    /// Reads the file, and says what was assumed unless quiet.
    pub fn cloud(&self, quiet: bool) -> Result<Cloud> {
        let read = ReadOptions {
            format: self.format,
            metric: self.metric(),
            columns: self.columns.clone(),
            skip: self.skip,
            array: self.array.clone(),
        };
        let found = read_cloud(&self.file, &read)?;
        if self.metric.is_some() && !matches!(found.cloud, Cloud::Points(_)) {
            let hint = if self.format.is_none() { "; if its numbers are coordinates, give --format points" } else { "" };
            return Err(Error::input(format!("--metric is for points; this file brings its own distances{hint}")));
        }
        if !quiet {
            found.notes.iter().for_each(|note| super::say(&format!("note: {}: {note}", self.file.display())));
            if self.format.is_none() && !found.notes.is_empty() && matches!(found.cloud, Cloud::Distances(_)) {
                super::say("note: --format points would read coordinates");
            }
        }
        Ok(found.cloud)
    }

    fn metric(&self) -> Metric {
        self.metric.unwrap_or_default()
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
        if self.k.is_some() && self.metric() != Metric::KnnHops {
            return Err(Error::input("--k is for --metric knn-hops"));
        }
        let options = Options::default().max_dim(self.dim).metric(self.metric());
        Ok(options.k(self.k.unwrap_or(options.k)).threshold(self.threshold).max_points(self.max_points))
    }

    /// The file's name, for titles.
    pub fn name(&self) -> String {
        self.file.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}
