//! g_a of one picture, at one level or at many.

use std::borrow::Cow;

use lcrs_core::exact::{Tensor, View};
use lcrs_core::{Limits, Result};

use crate::blame::blame_data;
use crate::graph::Job;
use crate::graph::{Graph, Rows, Shape};
use crate::package::ANALYSIS;
use crate::samples::Scale;
use crate::{Package, Picture};

/// A picture, ready for g_a.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub picture: &'a Picture,
    pub scale: &'a Scale,
    /// What it is padded to.
    pub height: usize,
    pub width: usize,
}

/// y of a picture at the level of the job.
pub(crate) fn analyse(package: &Package, source: Source<'_>, job: Job<'_>) -> Result<Tensor> {
    let x = package.picture_shape(source.height, source.width);
    let y = package.y_shape(source.height, source.width, job.limits)?;
    gather(y, 0, job, |job, sink| {
        package.runner(job).run_in_strips(ANALYSIS, x, &mut |rows| source.rows(rows, job.limits), sink)
    })
}

impl Source<'_> {
    fn rows(self, rows: &Rows, limits: &Limits) -> Result<Tensor> {
        self.picture.padded_rows(self.scale, rows, self.width, limits)
    }
}

/// g_a of a picture at many levels: what does not depend on the level is run once, if there is memory to keep it.
pub(crate) struct Analysis<'a> {
    package: &'a Package,
    source: Source<'a>,
    kept: Option<Kept>,
}

struct Kept {
    value: Tensor,
    /// What makes y of it.
    after: Option<Graph>,
}

impl<'a> Analysis<'a> {
    /// Runs what is the same at every level.
    pub(crate) fn new(package: &'a Package, source: Source<'a>, job: Job<'_>) -> Result<Self> {
        Ok(Self { package, source, kept: keep(package, source, job)? })
    }

    /// Bytes that it keeps for all levels, beside a y that is itself the same at all of them.
    pub(crate) fn held(&self) -> u64 {
        self.kept.as_ref().map_or(0, |kept| if kept.after.is_some() { kept.value.bytes() } else { 0 })
    }

    /// y at the level of the job.
    pub(crate) fn at_level(&self, job: Job<'_>) -> Result<Cow<'_, Tensor>> {
        let Some(Kept { value, after }) = &self.kept else {
            return analyse(self.package, self.source, job).map(Cow::Owned);
        };
        let Some(after) = after else { return Ok(Cow::Borrowed(value)) };
        let y = self.package.y_shape(self.source.height, self.source.width, job.limits)?;
        let mut source = |rows: &Rows| value.view().rows(rows.clone())?.to_tensor(job.rt, job.limits);
        let run = |job: Job<'_>, sink: Sink<'_>| after.run_in_strips(job, value.into(), &mut source, sink);
        gather(y, self.held(), job, run).map(Cow::Owned).map_err(blame)
    }
}

/// The last value of g_a that is the same at every level, unless it takes more than half of the memory that is allowed.
fn keep(package: &Package, source: Source<'_>, job: Job<'_>) -> Result<Option<Kept>> {
    let Some((before, after)) = package.networks.split_at_level(ANALYSIS, job.rt)? else { return Ok(None) };
    let x = package.picture_shape(source.height, source.width);
    let shape = before.output_shape(x)?;
    if bytes(shape) > job.limits.max_bytes / 2 {
        return Ok(None);
    }
    let value = gather(shape, 0, job, |job, sink| {
        before.run_in_strips(job, x, &mut |rows| source.rows(rows, job.limits), sink)
    });
    Ok(Some(Kept { value: value.map_err(blame)?, after }))
}

type Sink<'a> = &'a mut dyn FnMut(Rows, View<'_>) -> Result<()>;

/// The whole of what `run` gives in strips, while `held` bytes are held besides the picture.
fn gather(shape: Shape, held: u64, job: Job<'_>, run: impl FnOnce(Job<'_>, Sink<'_>) -> Result<()>) -> Result<Tensor> {
    let limits = job.holding(held.saturating_add(bytes(shape)), "a picture with its latent")?;
    let mut whole = Tensor::zeroed(shape.channels, shape.height, shape.width, job.limits)?;
    let row = shape.channels * shape.width;
    run(Job { limits: &limits, ..job }, &mut |rows: Rows, strip: View<'_>| {
        whole.data_mut()[rows.start * row..rows.end * row].copy_from_slice(strip.data());
        Ok(())
    })?;
    Ok(whole)
}

fn bytes(shape: Shape) -> u64 {
    shape.elements().map_or(u64::MAX, |elements| elements.saturating_mul(size_of::<f32>() as u64))
}

fn blame(error: lcrs_core::Error) -> lcrs_core::Error {
    blame_data(error).at(format!("graph '{ANALYSIS}'"))
}
