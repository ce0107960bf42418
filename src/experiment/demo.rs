//! The whole story on bundled data: activations and their Betti numbers, then a smaller network.

use crate::data::files::{create_folder, write_text};
use crate::data::{DataSet, disks, images};
use crate::error::{Error, Result};
use crate::nn::{Activation, Arch, Compute, Net};
use crate::progress::{Unwatched, Watch};
use crate::prune::{Budget, Compensation, Criterion, Keep, Outcome, Plan, Rule, Shares, cut_and_compensate, prune_run, score};
use crate::report::{Lines, Page, Persistence, Table};
use crate::topology::{Barcode, Options, PointCloud};
use crate::trace::{LayerBetti, Procedure, trace_class};
use crate::train::{Config, ModelKind, Optimiser, Run, Settings, Trainer, accuracy};
use std::path::PathBuf;

/// Where the demo writes, and what it draws.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// Folder of the page and the runs.
    pub out: PathBuf,
    /// Decides weights and samples.
    pub seed: u64,
}

/// The activations that are compared, with the learning rate at which each was fastest in our
/// measurements on this set.
const RIVALS: [(&str, f64); 3] = [("relu", 0.01), ("relu-normalised", 0.01), ("cabs", 0.005)];
/// Full-batch steps after which a network is given up.
const MOST_STEPS: usize = 600;
/// Share of right answers on the training points that counts as learnt.
const LEARNT: f64 = 0.999;
/// How the layers are measured, class by class.
/// Points and nearest neighbours.
const PROCEDURES: [(usize, usize); 2] = [(1500, 14), (3000, 35)];

/// File that tells an earlier demo's folder from somebody else's.
const MARKER: &str = ".lacuna-demo";

struct Learner {
    name: String,
    /// Steps to [`LEARNT`], if it got there.
    steps: Option<usize>,
    best: f64,
    held_out: f64,
    curve: Vec<(f64, f64)>,
    layers: [Vec<LayerBetti>; 2],
}

/// Runs the demo and returns the table for the terminal; the page is `report.html` in the folder.
///
/// # Errors
/// [`Error::Interrupted`] when stopped; [`Error::Io`] when the folder cannot be written;
/// [`Error::Device`].
pub fn demo(options: &DemoOptions, compute: &Compute, watch: &mut dyn Watch) -> Result<String> {
    let out = &options.out;
    let marker = out.join(MARKER);
    for old in ["cnn", "cnn-pruned"].map(|n| out.join(n)).into_iter().filter(|p| p.exists()) {
        if !marker.is_file() {
            return Err(Error::setting(
                format!("{} is there and not an earlier demo's: use another folder", old.display()),
                &["out"],
            ));
        }
        std::fs::remove_dir_all(&old).map_err(Error::io(&old, "remove"))?;
    }
    create_folder(out)?;
    write_text(&marker, "This folder was made by `lacuna demo`, which replaces the runs in it.\n")?;
    tell(options, compute, watch).map_err(|e| match e {
        Error::Interrupted(_) => Error::Interrupted("stopped; the demo begins anew next time".into()),
        other => other,
    })
}

fn tell(options: &DemoOptions, compute: &Compute, watch: &mut dyn Watch) -> Result<String> {
    let out = &options.out;
    let disks = disks(4000, options.seed)?;
    let points = outside(&disks)?;
    let rows: String = (0..points.len()).map(|i| points.point(i)).map(|p| format!("{},{}\n", p[0], p[1])).collect();
    write_text(&out.join("nine-holes.csv"), &rows)?;
    let barcode = compute.engine.barcode(points, &Options::default())?;
    watch.note("1. Nine disks in the plane: inside has Betti numbers (9, 0), outside (1, 9)");
    let mut learners = Vec::new();
    for (name, rate) in RIVALS {
        learners.push(learn(name, rate, &disks, options.seed, compute, watch)?);
    }
    watch
        .note("2. A small convolutional network on 6,000 real images of Fashion-MNIST, then half of its multiplications removed");
    let fashion = images::bundled()?;
    let run = Run::create(&out.join("cnn"), cnn_config(options.seed)?, &fashion)?;
    run.train(None, &fashion, compute, watch)?;
    run.write_engine(&compute.engine.info())?;
    watch.note("scoring every filter by its effect on the answers, cutting, and fitting what is left to the whole network");
    let rule = Rule::Target { budget: Budget::Macs, share: 0.5, shares: Shares::Same };
    let plan = Plan { rule, ..Plan::ratio(Criterion::named("effect", 512, options.seed)?, 0.0) };
    let plan = plan.compensated(Compensation { seed: options.seed, ..Compensation::default() });
    let (outcome, _) = prune_run(&run, &plan, &out.join("cnn-pruned"), &fashion, compute, watch)?;
    watch.note("as many filters by other criteria, with and without fitting what is left");
    let controls = controls(&run, &outcome, &fashion, options.seed, compute)?;
    let page = page(&barcode, &learners, &run, &outcome, &controls, compute)?;
    let report = out.join("report.html");
    page.save(&report)?;
    let mut told = format!("{}\n", learner_table(&learners).markdown());
    told += &format!("{}\n{}\n", betti_table(&learners, 0).markdown(), betti_table(&learners, 1).markdown());
    told += &format!("{}\n{}\n", outcome.layer_table().markdown(), outcome.cost_table().markdown());
    told += &format!("{}\n{}\nPage: {}\n", controls.markdown(), conclusion(&outcome), report.display());
    Ok(told)
}

/// Some points outside the disks: their barcode has nine long loops.
fn outside(disks: &DataSet) -> Result<PointCloud> {
    let which: Vec<usize> = disks.train.of_class(1).into_iter().take(800).collect();
    PointCloud::new(which.len(), 2, disks.train.gather(&which))
}

fn learn(name: &str, rate: f64, data: &DataSet, seed: u64, compute: &Compute, watch: &mut dyn Watch) -> Result<Learner> {
    let arch = Arch::mlp(2, 10, 15, 2, Activation::parse(name)?)?;
    let settings = Settings::new(MOST_STEPS, 0, Optimiser::adam(rate), seed);
    let mut trainer = Trainer::new(Net::new(&arch, seed, &compute.device)?, settings, &compute.device);
    let (mut steps, mut best, mut curve) = (None, 0.0f64, Vec::new());
    while trainer.epochs_done() < MOST_STEPS {
        if watch.stopped() {
            return Err(Error::Interrupted("stopped".into()));
        }
        // The accuracy is that of the weights before the step.
        let record = trainer.epoch(&data.train, &mut Unwatched)?;
        best = best.max(record.train_accuracy);
        curve.push(((record.epoch - 1) as f64, 100.0 * record.train_accuracy));
        watch.at(&format!("{name}: {:.2} % right", 100.0 * record.train_accuracy), record.epoch as u64, MOST_STEPS as u64);
        if record.train_accuracy >= LEARNT {
            steps = Some(record.epoch - 1);
            break;
        }
    }
    let net = trainer.network();
    let held_out = accuracy(&net, &data.test, &compute.device, &mut Unwatched)?;
    let everything = disks(15_000, seed)?;
    let layers = |class: u8| {
        let (points, k) = PROCEDURES[usize::from(class)];
        trace_class(&net, &everything.train, class, Procedure::hops(points, k), compute)
    };
    let learner = Learner { name: name.into(), steps, best, held_out, curve, layers: [layers(0)?, layers(1)?] };
    let took = learner.steps.map_or(format!("not within {MOST_STEPS}"), |s| s.to_string());
    watch.note(&format!("{name}: steps to 99.9 % of the training points: {took}"));
    Ok(learner)
}

/// What is left right after a cut that takes as many filters of each layer by other criteria, with
/// and without compensation.
fn controls(run: &Run, outcome: &Outcome, data: &DataSet, seed: u64, compute: &Compute) -> Result<Table> {
    let mut table = Table::new(&["as many filters per layer, chosen by", "right after the cut", "compensated"]);
    let net = run.network(compute)?;
    let some = |name: &str| Criterion::named(name, 512, seed);
    let rivals = [
        ("effect on the answers", some("effect")?),
        ("smallest weights (l1)", Criterion::L1),
        ("chance", Criterion::Random { seed }),
        ("largest Betti numbers", some("betti")?),
    ];
    for (name, criterion) in rivals {
        let rows = score(&net, data, &Plan::same_counts(criterion, &outcome.layers), compute, &mut Unwatched)?;
        let keep: Keep = rows.into_iter().map(|r| (r.scores.layer, r.kept)).collect();
        let right = |by: Option<&Compensation>| -> Result<String> {
            let rival = cut_and_compensate(&net, &keep, &data.train, compute, by, &mut Unwatched)?;
            Ok(format!("{:.2} %", 100.0 * accuracy(&rival, &data.test, &compute.device, &mut Unwatched)?))
        };
        let by = Compensation::of_at_most(data.train.len(), seed);
        table.row([name.into(), right(None)?, right(Some(&by))?]);
    }
    Ok(table)
}

/// What the pruning shows.
fn conclusion(outcome: &Outcome) -> String {
    let (before, after) = (&outcome.before, &outcome.after_cut);
    format!(
        "The pruned network needs {:.1} million multiplications in place of {:.1}, and gives {:.2} % right answers in place of {:.2} %. It was not trained after \
         the cut: the weights that are left were fitted to what the whole network gives.",
        after.macs as f64 / 1e6,
        before.macs as f64 / 1e6,
        100.0 * after.accuracy,
        100.0 * before.accuracy,
    )
}

fn cnn_config(seed: u64) -> Result<Config> {
    let model = ModelKind::Cnn { filters: vec![16, 32], hidden: 128, norm: true };
    let settings = Settings::new(3, 64, Optimiser::adam(0.001), seed);
    Ok(Config::new("fashion-mnist", model, Activation::parse("relu")?, settings))
}

fn learner_table(learners: &[Learner]) -> Table {
    let mut table =
        Table::new(&["activation (10-layer MLP, disks)", "steps to 99.9 %", "held out", "the inside is one piece from"]);
    for l in learners {
        let first = l.layers[0].iter().find(|l| l.betti[0] == 1).map_or("none".into(), |l| l.layer.clone());
        let steps = l.steps.map_or(format!("> {MOST_STEPS} (best {:.2} %)", 100.0 * l.best), |s| s.to_string());
        table.row([l.name.clone(), steps, format!("{:.2} %", 100.0 * l.held_out), first]);
    }
    table
}

/// Betti numbers of a class after every layer, a row per activation.
fn betti_table(learners: &[Learner], class: usize) -> Table {
    let mut table = Table::new(&[["inside: b0,b1 after layer", "outside: b0,b1 after layer"][class]]);
    let layers = learners.first().map_or(&[][..], |l| &l.layers[class]);
    table.header.extend(layers.iter().map(|l| l.layer.trim_start_matches("layer ").to_string()));
    for l in learners {
        let cells = l.layers[class].iter().map(|b| format!("{},{}", b.betti[0], b.betti[1]));
        table.row(std::iter::once(l.name.clone()).chain(cells));
    }
    table
}

fn betti_picture(learners: &[Learner], class: usize, dim: usize, title: &str) -> Lines {
    let points = |l: &Learner| l.layers[class].iter().enumerate().map(|(i, b)| (i as f64, b.betti[dim] as f64)).collect();
    Lines {
        title: title.into(),
        x: "layer (0 is the input, the last the logits)".into(),
        y: format!("Betti number {dim}"),
        series: learners.iter().map(|l| (l.name.clone(), points(l))).collect(),
    }
}

fn page(
    barcode: &Barcode,
    learners: &[Learner],
    run: &Run,
    outcome: &Outcome,
    controls: &Table,
    compute: &Compute,
) -> Result<Page> {
    let mut page = Page::new("Lacuna: from real data to a smaller network");
    let info = compute.engine.info();
    page.paragraph(&conclusion(outcome));
    page.paragraph(&format!(
        "On the way there: what a hole is to a barcode, three activation functions that learn to tell the inside of nine disks from the outside, and \
         what their layers do to those holes. Computed by the {} engine on {}.",
        info.kind, info.adapter
    ));
    page.heading("Nine holes");
    page.paragraph(
        "Points of a square out of which nine disks are cut. Each hole is one long bar of dimension 1: it is born when \
         the points around it join up, and dies when the complex fills it. `lacuna barcode nine-holes.csv --plot nine-holes.svg` draws it again.",
    );
    page.picture(&Persistence { title: "800 points outside nine disks".into(), barcode })?;
    page.heading("Three activations, one network");
    page.paragraph(&format!(
        "The same 10-layer network learns to tell inside from outside with three activation functions: ReLU; ReLU shifted and scaled to \
         mean 0 and variance 1 on a standard normal input; and CAbs, the absolute value normalised the same way. Adam on all 4,000 points at \
         once, at the learning rates {}. One seed: an illustration, not a measurement.",
        RIVALS.map(|(n, r)| format!("{r} ({n})")).join(", ")
    ));
    page.table(&learner_table(learners));
    let curves = learners.iter().map(|l| (l.name.clone(), l.curve.clone())).collect();
    page.picture(&Lines {
        title: "Training accuracy".into(),
        x: "full-batch steps".into(),
        y: "right answers, %".into(),
        series: curves,
    })?;
    page.heading("Betti numbers, layer by layer");
    let [a, b] = PROCEDURES;
    page.paragraph(&format!(
        "After training, the points of each class are followed through the network (numbers of hops in the graph of nearest neighbours, complex at \
         2 hops; {} points and k = {} inside, {} and k = {} outside; the procedure of Naitzat, Zhitnikov and Lim).",
        a.0, a.1, b.0, b.1
    ));
    page.table(&betti_table(learners, 0));
    page.table(&betti_table(learners, 1));
    page.pictures(&[
        betti_picture(learners, 0, 0, "Inside: components"),
        betti_picture(learners, 0, 1, "Inside: loops"),
        betti_picture(learners, 1, 1, "Outside: loops"),
    ])?;
    page.heading("A smaller network");
    page.paragraph(&format!(
        "{} on 6,000 images of Fashion-MNIST. Of every layer the same share of filters goes, those with the least effect on the network's answers, until half \
         of the multiplications are left. Then the weights of what is left are fitted, in closed form and without labels, to what the whole network gives \
         for 512 images. No training follows.",
        run.arch.title()
    ));
    page.table(&outcome.layer_table());
    page.table(&outcome.cost_table());
    page.paragraph(
        "The same number of filters of each layer, chosen in other ways, with and without the fit. One network and one seed show how the tool works, \
         not which criterion is best.",
    );
    page.table(controls);
    page.picture(&outcome.filters_picture())?;
    let metrics = run.metrics()?;
    let of = |f: fn(&crate::train::EpochRecord) -> f64| metrics.iter().map(|m| (m.epoch as f64, 100.0 * f(m))).collect();
    page.picture(&Lines {
        title: "Accuracy before pruning".into(),
        x: "epoch".into(),
        y: "right answers, %".into(),
        series: vec![("training".into(), of(|m| m.train_accuracy)), ("test".into(), of(|m| m.test_accuracy.unwrap_or(f64::NAN)))],
    })?;
    Ok(page)
}
