//! g_a of one picture, at one level or at many.

use lcrs_core::exact::Tensor;
use lcrs_core::{Limits, Result};

use crate::graph::{Graph, Rows, Shape};
use crate::networks::{blame_data, Job};
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
    gather(y, job.limits, |sink| {
        package.networks.run_in_strips(ANALYSIS, job, x, &mut |rows| source.rows(rows, job.limits), sink)
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

    /// y at the level of the job.
    pub(crate) fn at_level(&self, job: Job<'_>) -> Result<Tensor> {
        let Some(Kept { value, after }) = &self.kept else { return analyse(self.package, self.source, job) };
        let Some(after) = after else { return Ok(value.clone()) };
        let y = self.package.y_shape(self.source.height, self.source.width, job.limits)?;
        let mut limits = *job.limits;
        limits.max_bytes = limits.max_bytes.saturating_sub(bytes(value.into()));
        let row = value.channels() * value.width();
        let mut source = |rows: &Rows| {
            let data = value.data()[rows.start * row..rows.end * row].to_vec();
            Tensor::from_vec(value.channels(), rows.len(), value.width(), data)
        };
        let run = |sink: Sink<'_>| after.run_in_strips(job.rt, &limits, job.level, value.into(), &mut source, sink);
        gather(y, job.limits, run).map_err(blame)
    }
}

/// The last value of g_a that is the same at every level, unless it takes more than half of the memory that is allowed.
fn keep(package: &Package, source: Source<'_>, job: Job<'_>) -> Result<Option<Kept>> {
    let Some((before, after)) = package.networks.split_at_level(ANALYSIS, job.rt.simd)? else { return Ok(None) };
    let x = package.picture_shape(source.height, source.width);
    let shape = before.output_shape(x)?;
    if bytes(shape) > job.limits.max_bytes / 2 {
        return Ok(None);
    }
    let value = gather(shape, job.limits, |sink| {
        before.run_in_strips(job.rt, job.limits, job.level, x, &mut |rows| source.rows(rows, job.limits), sink)
    });
    Ok(Some(Kept { value: value.map_err(blame)?, after }))
}

type Sink<'a> = &'a mut dyn FnMut(Rows, Tensor) -> Result<()>;

/// The whole of what `run` gives in strips.
fn gather(shape: Shape, limits: &Limits, run: impl FnOnce(Sink<'_>) -> Result<()>) -> Result<Tensor> {
    let mut whole = Tensor::zeroed(shape.channels, shape.height, shape.width, limits)?;
    let row = shape.channels * shape.width;
    run(&mut |rows: Rows, strip: Tensor| {
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
