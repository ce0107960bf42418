//! `shaders/distances.wgsl`: points to keys.

use super::batch::Batch;
use crate::error::Result;
use crate::gpu::{Bound, Recorder, Work, all};
use crate::topology::metric::Metric;

/// Fills the tables of all clouds that have points.
pub(super) async fn record(batch: &Batch<'_>, recorder: &mut Recorder<'_>, points: Bound<'_>, metric: Metric) -> Result<()> {
    let (name, code) = match metric {
        Metric::Cityblock => ("distances cityblock", 1.0),
        Metric::Chebyshev => ("distances chebyshev", 2.0),
        Metric::Cosine => ("distances cosine", 3.0),
        Metric::Correlation => ("distances correlation", 4.0),
        _ => ("distances squared", 0.0),
    };
    let kernel = batch.kernel_with(name, include_str!("../../../shaders/distances.wgsl"), &[("METRIC", code)])?;
    let features = f64::from(batch.most(|r| r.features));
    let groups = batch.most(|r| r.blocks().div_ceil(64));
    let work = Work { first: 0, groups, clouds: batch.len(), a: 0, b: 0, cost: 64.0 * (24.0 + 8.0 * features), most_groups: 0 };
    recorder.dispatch(&kernel, &[all(&batch.clouds), points, all(&batch.state), batch.table.all()], work).await
}
