//! `lacuna barcode`

use super::engine::EngineArgs;
use super::input::InputArgs;
use super::progress::Progress;
use super::{print, print_json};
use clap::{Args, ValueEnum};
use lacuna::data::{barcode_csv, barcode_npy, barcode_pers, files};
use lacuna::report::{CYCLES_ON_A_PAGE, CycleMap, LinkedPage, Persistence, Picture, check_plot_name};
use lacuna::topology::{Answer, Bar, Barcode, Cloud, Estimate, FINISHED_ON_HOST, Metric};
use lacuna::{Error, Result};
use std::path::PathBuf;

/// How the answer is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum OutputFormat {
    Json,
    /// dimension,birth,death
    Csv,
    /// float32 array of birth, death, dimension
    Npy,
    /// GUDHI's text
    Pers,
}

/// Points from where on an estimate is printed before the work begins.
const LONG: usize = 8000;

#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Examples:\n  lacuna barcode points.npy --dim 2\n  lacuna barcode table.csv --columns x,y,z --plot bars.svg"
)]
pub struct BarcodeCommand {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    engine: EngineArgs,
    /// Format of the answer [default: by the ending of --out, else json]
    #[arg(long, value_enum)]
    output_format: Option<OutputFormat>,
    /// File for the answer [default: stdout]
    #[arg(long, short)]
    out: Option<PathBuf>,
    /// Draw barcode and diagram into a .svg or .png file, or link them with the points on a page:
    /// .html
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Cycles that stand for so many longest bars of dimension 1, in the JSON answer
    #[arg(long, value_name = "K")]
    cycles: Option<usize>,
    /// With every bar the edges at which it begins and ends, in the JSON answer: computed by the
    /// native engine
    #[arg(long)]
    edges: bool,
    /// With every bar of dimension 1 and above a cocycle, in the JSON answer: computed by the
    /// native engine, and slower than the bars
    #[arg(long)]
    cocycles: bool,
    /// Draw the points, of two or three coordinates, and on them the cycles of --cycles, into a
    /// .svg or .png file
    #[arg(long, value_name = "FILE", requires = "cycles")]
    plot_cycles: Option<PathBuf>,
    /// Say what memory and time it would take, about, and stop
    #[arg(long)]
    estimate: bool,
    /// The answer, or the estimate, as JSON
    #[arg(long)]
    json: bool,
    /// Print the time of each stage on stderr
    #[arg(long)]
    profile: bool,
}

/// An estimate in words.
fn told(estimate: &Estimate, max_dim: usize) -> String {
    let gib = |bytes: u64| format!("{:.1} GiB", bytes as f64 / (1u64 << 30) as f64);
    let free = estimate.free.map_or(String::new(), |free| format!(" of the {} that are free", gib(free)));
    let size = format!("{} points up to dimension {max_dim} take at most {}{free}", estimate.points, gib(estimate.bytes));
    match (&estimate.limit, estimate.seconds) {
        (Some(why), _) => format!("{size}. This does not fit: {why}."),
        (None, Some([_, least, most])) => {
            format!("{size}, and {} (from samples of up to {} points).", super::duration(least, most), estimate.timed)
        }
        (None, None) => format!("{size}."),
    }
}

/// What bars of a sample say of the whole cloud.
fn certificate(barcode: &Barcode, all: usize) -> String {
    let sampled = format!("note: {} of {all} points were looked at", barcode.n);
    let Some(off) = barcode.uncertainty() else {
        return format!("{sampled}; how far the bars are off is not known for the metric {}", barcode.metric.name());
    };
    let certain = |bars: &Vec<Bar>| bars.iter().filter(|b| barcode.is_certain(b)).count().to_string();
    let counts: Vec<String> = barcode.bars.iter().map(certain).collect();
    let assumed = match barcode.metric {
        Metric::Precomputed => ", if the distances obey the triangle inequality",
        _ => "",
    };
    format!(
        "{sampled}, and every point is within {:.4} of one of them. So bars longer than {off:.4} are certain{assumed}: each \
         begins and ends at most {off:.4} earlier than it is shown, and every bar of all points that is longer is among them. \
         Certain bars by dimension: {}",
        barcode.covering_radius.unwrap_or(0.0),
        counts.join(", ")
    )
}

impl BarcodeCommand {
    fn format(&self) -> OutputFormat {
        let ending = self.out.as_ref().and_then(|p| p.extension()).and_then(|e| e.to_str());
        self.output_format.unwrap_or(match ending {
            Some("csv") => OutputFormat::Csv,
            Some("npy") => OutputFormat::Npy,
            Some("pers") => OutputFormat::Pers,
            _ => OutputFormat::Json,
        })
    }

    pub fn run(&self, quiet: bool) -> Result<()> {
        let page = self.plot.as_ref().filter(|path| path.extension().is_some_and(|e| e == "html"));
        for path in self.plot.iter().chain(&self.plot_cycles) {
            if page != Some(path) {
                check_plot_name(path).map_err(|e| match self.plot_cycles.as_ref() == Some(path) {
                    true => e,
                    false => Error::input(format!("{}: a plot ends in .svg, .png or .html", path.display())),
                })?;
            }
            self.input.refuse_as_output(Some(path))?;
        }
        if self.out.is_none() && matches!(self.format(), OutputFormat::Npy) {
            return Err(Error::input("an npy file is binary: give it a name with --out"));
        }
        self.input.refuse_as_output(self.out.as_deref())?;
        let mut outputs = [&self.out, &self.plot, &self.plot_cycles].into_iter().flatten().collect::<Vec<_>>();
        let given = outputs.len();
        outputs.sort();
        outputs.dedup();
        if outputs.len() < given {
            return Err(Error::input("two of --out, --plot and --plot-cycles name the same file"));
        }
        let options = self.input.options()?.profile(self.profile).cycles(self.cycles.unwrap_or(0));
        let options = options.edges(self.edges).cocycles(self.cocycles);
        if self.cycles == Some(0) {
            return Err(Error::input("--cycles must be at least 1"));
        }
        let cloud = self.input.cloud(quiet)?;
        let points = match &cloud {
            Cloud::Points(points) if (2..=3).contains(&points.features()) => Some(points),
            _ if self.plot_cycles.is_some() => {
                return Err(Error::input("--plot-cycles draws points of two or three coordinates: choose some with --columns"));
            }
            _ => None,
        };
        if page.is_some() {
            if options.max_points.is_some_and(|most| most < cloud.len()) {
                return Err(Error::input(
                    "a page names points, and --max-points looks at other ones than are given: leave it out, or draw into a .svg or .png file",
                ));
            }
            LinkedPage::check(&cloud)?;
        }
        let engine = self.engine.engine(quiet)?;
        if (self.cycles.is_some() || self.edges || self.cocycles) && !matches!(self.format(), OutputFormat::Json) {
            return Err(Error::input("--cycles, --edges and --cocycles need the json format, which has a place for them"));
        }
        if self.estimate {
            let estimate = engine.estimate(&cloud, &options)?;
            return if self.json { print_json(&estimate) } else { print(&(told(&estimate, options.max_dim) + "\n")) };
        }
        if self.json && !matches!(self.format(), OutputFormat::Json) {
            return Err(Error::input("--json contradicts the format of the answer"));
        }
        // What is wrong with the input the computation itself will say.
        if cloud.len() > LONG
            && !quiet
            && let Ok(estimate) = engine.estimate(&cloud, &options)
            && estimate.fits
        {
            super::say(&format!("estimate: {}", told(&estimate, options.max_dim)));
        }
        // A page shows the edges and the cycles of its bars, whether the answer has them or not.
        let cycles = if options.max_dim > 0 { self.cycles.unwrap_or(0).max(CYCLES_ON_A_PAGE) } else { 0 };
        let options = if page.is_some() { options.edges(true).cycles(cycles) } else { options };
        let mut answer = engine.answer(&cloud, &options, &mut Progress::new(quiet))?;
        if !quiet && answer.seconds.iter().any(|(stage, _)| stage == FINISHED_ON_HOST) {
            super::say(match options.max_dim {
                0 | 1 => "note: the columns outgrew the memory set aside for them on the device, and the host finished them",
                2 => "note: the columns of dimension 2 were reduced on the host",
                _ => "note: distances were computed on the device, dimensions 1 to 3 on the host",
            });
        }
        if let (Some(all), false) = (answer.barcode.sampled_from, quiet) {
            super::say(&certificate(&answer.barcode, all));
        }
        if self.profile {
            super::print_stages(&answer.seconds);
        }
        if let (Some(path), Some(points), Some(cycles)) = (&self.plot_cycles, points, &answer.barcode.cycles) {
            CycleMap { title: self.input.name(), points, cycles }.save(path)?;
        }
        if let Some(path) = page {
            let barcode = &answer.barcode;
            LinkedPage { title: &self.input.name(), cloud: &cloud, metric: options.metric, barcode }.save(path)?;
            if !self.edges {
                answer.barcode.edges = None;
            }
            match (self.cycles, &mut answer.barcode.cycles) {
                (Some(count), Some(cycles)) => cycles.truncate(count),
                _ => answer.barcode.cycles = None,
            }
        }
        self.write(&answer)?;
        match &self.plot {
            Some(path) if page.is_none() => Persistence { title: self.input.name(), barcode: &answer.barcode }.save(path),
            _ => Ok(()),
        }
    }

    fn write(&self, answer: &Answer) -> Result<()> {
        let text = match self.format() {
            OutputFormat::Json => match &self.out {
                Some(path) => return files::write_json(path, answer),
                None => return print_json(answer),
            },
            OutputFormat::Csv => barcode_csv(&answer.barcode),
            OutputFormat::Pers => barcode_pers(&answer.barcode),
            OutputFormat::Npy => {
                let path = self.out.as_ref().ok_or_else(|| Error::Internal("an npy file without a name".into()))?;
                let bytes = barcode_npy(&answer.barcode)?;
                return files::write_atomically(path, |w| w.write_all(&bytes));
            }
        };
        match &self.out {
            Some(path) => files::write_text(path, &text),
            None => print(&text),
        }
    }
}
