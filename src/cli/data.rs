//! `lacuna data`

use super::{print, print_json};
use clap::{Args, Subcommand};
use lacuna::data::generate::{Request, SHAPES};
use lacuna::data::{Samples, write_labelled};
use lacuna::report::{Picture, Scatter, Table, check_plot_name};
use lacuna::{Error, Result};
use serde_json::json;
use std::path::PathBuf;

/// Point sets whose Betti numbers are known.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  lacuna data list\n  lacuna data make disks --copies 75 --out d.npy")]
pub struct Data {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// The shapes that can be made
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Make the points of a shape
    Make(Make),
}

#[derive(Clone, Debug, Args)]
struct Make {
    /// disks, concentric, rings, spheres or torus-curves
    shape: String,
    /// Copies: disks, rings, pairs of linked rings, nested spheres, curves [default: the shape's
    /// own]
    #[arg(long)]
    copies: Option<usize>,
    /// Points in all [default: 4000, or more for many copies]
    #[arg(long, conflicts_with = "density")]
    points: Option<usize>,
    /// Points per copy
    #[arg(long)]
    density: Option<usize>,
    /// Free space between the classes, in the shape's own units, up to 0.9 [default: the shape's
    /// own]
    #[arg(long)]
    margin: Option<f64>,
    /// Standard deviation of what is added to every coordinate
    #[arg(long, default_value_t = 0.0)]
    noise: f64,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Only the points of this class, 0 or 1
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..2))]
    class: Option<u8>,
    /// Where the points go: .npy (then the labels beside it, as NAME-labels.npy) or .csv (then the
    /// label is the last column)
    #[arg(long, short)]
    out: PathBuf,
    /// Draw the points, as .svg or .png
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Say what was made as JSON
    #[arg(long)]
    json: bool,
}

impl Data {
    pub fn run(&self) -> Result<()> {
        match &self.what {
            What::List { json } => list(*json),
            What::Make(make) => make.run(),
        }
    }
}

fn list(json: bool) -> Result<()> {
    if json {
        let shapes = SHAPES.iter().map(|s| {
            json!({"name": s.name, "about": s.about, "features": s.features, "copies": s.copies, "margin": s.margin,
                   "classes": s.classes, "betti": (s.betti)(s.copies)})
        });
        return print_json(&shapes.collect::<Vec<_>>());
    }
    let mut table = Table::new(&["shape", "what", "copies", "R^", "Betti numbers of the classes"]);
    for s in SHAPES {
        let [a, b] = (s.betti)(s.copies).map(|b| format!("({}, {}, {})", b[0], b[1], b[2]));
        table.row([s.name.into(), s.about.into(), s.copies.to_string(), s.features.to_string(), format!("{a} {b}")]);
    }
    print(&table.markdown())
}

impl Make {
    fn run(&self) -> Result<()> {
        let csv = match self.out.extension().and_then(|e| e.to_str()) {
            Some("csv") => true,
            Some("npy") => false,
            _ => return Err(Error::input(format!("{}: points go to .npy or .csv", self.out.display()))),
        };
        if let Some(plot) = &self.plot {
            check_plot_name(plot)?;
        }
        let request = Request::new(&self.shape, 2, self.seed)?;
        let copies = self.copies.unwrap_or(request.shape.copies);
        let usual = (request.shape.points_per_copy.saturating_mul(copies)).max(4000);
        let count = self.points.or(self.density.map(|d| d.saturating_mul(copies))).unwrap_or(usual);
        let train = count.checked_sub(2).filter(|t| *t >= 2).ok_or_else(|| Error::input("at least 4 points are needed"))?;
        let request = Request { copies: self.copies, train, test: 2, margin: self.margin, noise: self.noise, ..request };
        let set = request.generate()?;
        // Two parts of one draw: here they are one.
        let mut rows: Vec<(Vec<f32>, u8)> = Vec::with_capacity(count);
        for part in [&set.train, &set.test] {
            let wanted = |s: &Samples, i: usize| self.class.is_none_or(|c| s.labels[i] == c);
            rows.extend((0..part.len()).filter(|&i| wanted(part, i)).map(|i| (part.gather(&[i]), part.labels[i])));
        }
        write_labelled(&self.out, csv, &rows)?;
        if let Some(plot) = &self.plot {
            let at = |(p, label): &(Vec<f32>, u8)| (p.iter().map(|&x| f64::from(x)).collect(), usize::from(*label));
            let title = format!("{} {}", request.copies(), self.shape);
            Scatter { title, names: set.classes.clone(), points: rows.iter().map(at).collect() }.save(plot)?;
        }
        let betti = request.betti();
        let classes = self.class.map_or(vec![0, 1], |c| vec![usize::from(c)]);
        if self.json {
            return print_json(&json!({
                "shape": self.shape, "copies": request.copies(), "points": rows.len(), "seed": self.seed, "noise": self.noise,
                "margin": self.margin.unwrap_or(request.shape.margin), "classes": set.classes, "betti": betti,
                "class": self.class, "total_betti": classes.iter().flat_map(|&c| betti[c]).sum::<usize>(), "out": self.out,
            }));
        }
        let of = |c: usize| format!("{} ({}, {}, {})", set.classes[c], betti[c][0], betti[c][1], betti[c][2]);
        print(&format!(
            "{}: {} points; true Betti numbers: {}; {} in all\n",
            self.out.display(),
            rows.len(),
            classes.iter().map(|&c| of(c)).collect::<Vec<_>>().join(", "),
            classes.iter().flat_map(|&c| betti[c]).sum::<usize>()
        ))
    }
}
