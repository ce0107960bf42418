//! Tables and pictures of active learning.

use super::{ActiveLearning, ActiveRow};
use crate::data::files::write_text;
use crate::error::Result;
use crate::experiment::stats::{extremes, median};
use crate::nn::Compute;
use crate::report::{Lines, Page, Picture, Table, counted};

/// A number of a row.
type Figure = fn(&ActiveRow) -> f64;

/// Least, median and largest of some shares, in percent.
fn range(values: &[f64]) -> String {
    let (low, high) = extremes(values);
    format!("{:.1} ({:.1} to {:.1})", 100.0 * median(values), 100.0 * low, 100.0 * high)
}

/// Writes `report.md`, `report.html` and the pictures.
pub(super) fn report(options: &ActiveLearning, rows: &[ActiveRow], compute: &Compute) -> Result<()> {
    let title = "Active learning by what is left of the version space";
    let about = format!(
        "{} networks, trained until they agree with all labels, stand for the version space ({}). {} labels are drawn by chance, and \
         each query asks for {} more. Accuracy is that of the networks' vote on the test samples; one less it is the bias. The diameter \
         is the mean share of the pool that two networks answer differently. The last column has the mean length of the bars of \
         dimension 0 that the networks have at these distances. Medians over {}, with the least and the largest.",
        options.members,
        compute.engine.info().adapter,
        options.first,
        options.step,
        counted(options.seeds, "seed")
    );
    let (mut page, mut text) = (Page::new(title), format!("# {title}\n\n{about}\n\n"));
    page.paragraph(&about);
    let mut sets: Vec<&str> = rows.iter().map(|r| r.data.as_str()).collect();
    sets.dedup();
    let base = options.queries[0].name();
    for data in sets {
        let of = |query: &str, labels: usize, f: fn(&ActiveRow) -> f64| -> Vec<f64> {
            rows.iter().filter(|r| r.data == data && r.query == query && r.labels == labels).map(f).collect()
        };
        let mut steps: Vec<usize> = rows.iter().filter(|r| r.data == data).map(|r| r.labels).collect();
        steps.sort_unstable();
        steps.dedup();
        let last = steps[steps.len() - 1];
        let mut shown = vec![steps[(steps.len() / 2).min(steps.len().saturating_sub(2))], last];
        shown.dedup();
        // The labels that chance has at its end, over those that a query needs for the same
        // accuracy.
        let goal = median(&of(base, last, |r| r.vote));
        let reaches = |query: &str| steps.iter().copied().find(|&l| median(&of(query, l, |r| r.vote)) >= goal);
        let mut header = vec!["query".to_string()];
        header.extend(shown.iter().map(|labels| format!("accuracy at {labels}, %")));
        header.extend([format!("labels for {:.1} %", 100.0 * goal), "diameter, %".into(), "bars, %".into()]);
        let mut table = Table::new(&header.iter().map(String::as_str).collect::<Vec<_>>());
        for query in &options.queries {
            let name = query.name();
            let mut cells = vec![name.to_string()];
            cells.extend(shown.iter().map(|&labels| range(&of(name, labels, |r| r.vote))));
            cells.push(reaches(name).map_or("more".into(), |l| l.to_string()));
            cells.extend([range(&of(name, last, |r| r.diameter)), range(&of(name, last, |r| r.bars))]);
            table.row(cells);
        }
        page.heading(data);
        page.table(&table);
        text += &format!("## {data}\n\n{}\n", table.markdown());
        let wrong: usize = rows.iter().filter(|r| r.data == data).map(|r| r.inconsistent).sum();
        if wrong > 0 {
            let all = rows.iter().filter(|r| r.data == data).count() * options.members;
            let told = format!("{wrong} of {all} networks did not agree with all labels when they were given up.");
            page.paragraph(&told);
            text += &format!("{told}\n\n");
        }
        let figures: [(&str, &str, Figure); 3] = [
            ("accuracy", "accuracy of the vote, %", |r| r.vote),
            ("diameter", "diameter, %", |r| r.diameter),
            ("bars", "mean bar of dimension 0, %", |r| r.bars),
        ];
        for (name, y, f) in figures {
            let line = |query: &&str| {
                let points = steps.iter().map(|&l| (l as f64, 100.0 * median(&of(query, l, f)))).collect();
                ((*query).to_string(), points)
            };
            let names: Vec<&str> = options.queries.iter().map(|q| q.name()).collect();
            let series = names.iter().map(line).collect();
            let picture = Lines { title: format!("{data}: {name}"), x: "labels".into(), y: y.into(), series };
            picture.save(&options.out.join(format!("{data}-{name}.svg")))?;
            page.picture(&picture)?;
        }
    }
    write_text(&options.out.join("report.md"), &text)?;
    page.save(&options.out.join("report.html"))
}
