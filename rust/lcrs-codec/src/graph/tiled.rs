//! The interpreter that runs units of nodes ([`super::plan`]), each on the rows that are new.
//!
//! Of a strip only those rows of a value are computed that the strip before has not: what it leaves are the rows that the
//! next one sees too. So no row is computed twice, however thin strips are.

use std::borrow::Cow;

use lcrs_core::exact::{Chain, Head, Step, Tensor, View};
use lcrs_core::{Error, Limits, Result};

use super::job::Job;
use super::kernel::Kernel;
use super::op::{Op, Shape};
use super::plan::{Links, Unit};
use super::prepared::Graph;
use super::program::{bytes, list, list_of, Node};
use super::rows::{union, Rows};
use super::slot::Slot;

/// The rows of each value in one strip.
#[derive(Debug, Clone)]
pub(super) struct Strip {
    /// Those that are there once it is computed; none if nothing needs them.
    pub rows: Vec<Rows>,
    /// Those that the strip before has left.
    pub kept: Vec<Rows>,
    /// Those that are computed.
    computed: Vec<Rows>,
    /// So many of the inputs are the caller's, who holds them until the run ends.
    pub lent: usize,
}

/// What a strip leaves to the next one: rows of values.
pub(super) type Left = Vec<Option<Tensor>>;

/// What the first strip finds.
///
/// # Errors
/// [`lcrs_core::ErrorKind::Limit`] if memory is short.
pub(super) fn nothing_left(values: usize) -> Result<Left> {
    let mut left = list(values)?;
    left.resize_with(values, || None);
    Ok(left)
}

impl Strip {
    /// What precedes the first strip, and follows the last one.
    ///
    /// # Errors
    /// [`lcrs_core::ErrorKind::Limit`] if memory is short.
    pub(super) fn nothing(values: usize) -> Result<Self> {
        let none = || list_of(values, 0..0);
        Ok(Self { rows: none()?, kept: none()?, computed: none()?, lent: 0 })
    }
}

impl Graph {
    /// Plans a strip that gives rows `wanted` of the outputs, after one that had the rows `before` of each value.
    ///
    /// # Errors
    /// [`lcrs_core::ErrorKind::Limit`] if memory is short.
    pub(super) fn strip(&self, shapes: &[Shape], before: &[Rows], wanted: impl Fn(Shape) -> Rows) -> Result<Strip> {
        let Strip { mut rows, mut kept, mut computed, lent } = Strip::nothing(shapes.len())?;
        let mut needed = list_of(shapes.len(), 0..0)?;
        for (_, value) in &self.program.outputs {
            needed[*value] = union(&needed[*value], wanted(shapes[*value]));
        }
        let num_inputs = self.program.inputs.len();
        for unit in self.units.iter().rev() {
            let result = num_inputs + unit.node;
            let (needs, had) = (needed[result].clone(), &before[result]);
            if needs.is_empty() {
                continue;
            }
            let factor = unit.chain.as_ref().map_or(1, |links| links.shuffle);
            let goes_on = had.contains(&needs.start);
            // an operation that needs all of its input does not get it twice
            let is_global = unit.chain.is_none() && self.program.nodes[unit.node].op.is_global();
            let first = if is_global { 0 } else { needs.start / factor * factor };
            let end = if is_global { shapes[result].height } else { needs.end.next_multiple_of(factor) };
            let start = if goes_on { had.end } else { first };
            computed[result] = start..end.max(start);
            rows[result] = if goes_on { needs.start } else { start }..computed[result].end;
            kept[result] = rows[result].start..start;
            if computed[result].is_empty() {
                continue;
            }
            for value in &unit.inputs {
                let more = self.input_rows(unit, *value, &computed[result], shapes);
                needed[*value] = union(&needed[*value], more);
            }
        }
        rows[..num_inputs].clone_from_slice(&needed[..num_inputs]);
        Ok(Strip { rows, kept, computed, lent })
    }

    /// The rows of `value` that a unit takes to compute `rows` of its own.
    fn input_rows(&self, unit: &Unit, value: usize, rows: &Rows, shapes: &[Shape]) -> Rows {
        let (nodes, result) = (&self.program.nodes, self.program.inputs.len() + unit.node);
        let Some(links) = &unit.chain else {
            return nodes[unit.node].op.input_rows(rows, shapes[value], shapes[result]);
        };
        let grid = rows.start / links.shuffle..rows.end / links.shuffle;
        let others = links.steps.iter().filter_map(|link| link.other.as_ref()).filter(|other| other.value == value);
        let mut taken =
            others.map(|other| if other.is_vector { 0..1 } else { grid.clone() }).fold(0..0, |a, b| union(&a, b));
        if links.input == value {
            let of_head = links.head.map(|head| nodes[head].op.input_rows(&grid, shapes[value], shapes[value]));
            taken = union(&taken, of_head.unwrap_or(grid));
        }
        taken
    }

    /// The most bytes that a strip holds at a time, with what it leaves for the next one.
    pub(super) fn strip_bytes(&self, strip: &Strip, next: Option<&Strip>, shapes: &[Shape], threads: usize) -> u64 {
        self.live_bytes(strip, next, shapes, threads).map(|(_, bytes)| bytes).max().unwrap_or(0)
    }

    /// Checks that a strip stays within the limits.
    ///
    /// # Errors
    /// [`lcrs_core::ErrorKind::Limit`], with the first place that would exceed them.
    pub(super) fn check_strip(
        &self,
        strip: &Strip,
        next: Option<&Strip>,
        shapes: &[Shape],
        job: Job<'_>,
    ) -> Result<()> {
        for (node, needed) in self.live_bytes(strip, next, shapes, job.rt.pool.threads()) {
            if needed > job.limits.max_bytes {
                let message =
                    format!("values of {needed} bytes, at most {} are allowed (max_bytes)", job.limits.max_bytes);
                return Err(Error::limit(message).at(&self.program.nodes[node].place));
            }
        }
        Ok(())
    }

    /// For each unit, by its last node, the bytes that are held while it runs.
    fn live_bytes<'a>(
        &'a self,
        strip: &'a Strip,
        next: Option<&'a Strip>,
        shapes: &'a [Shape],
        threads: usize,
    ) -> impl Iterator<Item = (usize, u64)> + 'a {
        let num_inputs = self.program.inputs.len();
        let size = move |value: usize, rows: &Rows| bytes(Shape { height: rows.len(), ..shapes[value] });
        let mut live = (0..num_inputs).map(|value| size(value, &strip.rows[value])).fold(0, u64::saturating_add);
        let left = strip.kept.iter().enumerate().map(|(value, rows)| size(value, rows));
        live = left.fold(live, u64::saturating_add);
        self.units.iter().enumerate().map(move |(i, unit)| {
            let result = num_inputs + unit.node;
            live = live.saturating_add(size(result, &strip.rows[result]));
            let now = live.saturating_add(self.work_bytes(unit, &strip.computed[result], threads, shapes));
            live = live.saturating_sub(size(result, &strip.kept[result]));
            for value in self.dying(i).filter(|value| *value >= strip.lent) {
                live = live.saturating_sub(size(value, &strip.rows[value]));
                live = live.saturating_add(next.map_or(0, |next| size(value, &next.kept[value])));
            }
            (unit.node, now)
        })
    }

    /// Bytes of the buffers that a unit works with to compute `rows`, about.
    fn work_bytes(&self, unit: &Unit, rows: &Rows, threads: usize, shapes: &[Shape]) -> u64 {
        if rows.is_empty() {
            return 0;
        }
        let Some(links) = unit.chain.as_ref() else { return self.program.work_bytes(unit.node, shapes, threads) };
        let num_inputs = self.program.inputs.len();
        let nodes = links.head.into_iter().chain(links.steps.iter().map(|link| link.node));
        let is_layer = |node: &usize| !matches!(self.program.nodes[*node].op, Op::Unary(_) | Op::Binary(_));
        let mut layers: Vec<usize> = nodes.filter(is_layer).map(|node| shapes[num_inputs + node].channels).collect();
        if links.shuffle == 1 {
            layers.pop(); // the last one writes where its outputs stay
        }
        // powers of a normalisation, and phases of a transposed layer before they are interleaved
        let more = |node: &Node| match &node.op {
            Op::Gdn { channels, .. } => *channels,
            Op::ConvTranspose2d(conv) => conv.out_channels,
            _ => 0,
        };
        let steps = links.head.into_iter().chain(links.steps.iter().map(|link| link.node));
        let more = steps.map(|node| more(&self.program.nodes[node])).max().unwrap_or(0);
        let between = layers.iter().sum::<usize>() + more;
        let window = |rows: usize, columns: usize| match links.head.map(|head| &self.program.nodes[head].op) {
            Some(Op::Conv2d(conv)) if conv.groups < conv.in_channels.max(2) => {
                let side = |outputs: usize, axis: usize| outputs.saturating_mul(conv.stride[axis]) + conv.reach(axis);
                Shape::new(conv.in_channels, side(rows, 0), side(columns, 1))
            }
            Some(Op::ConvTranspose2d(conv)) => {
                let side = |outputs: usize, axis: usize| (outputs + conv.kernel[axis]) / conv.stride[axis] + 2;
                Shape::new(conv.in_channels, side(rows, 0), side(columns, 1))
            }
            _ => Shape::new(0, 0, 0),
        };
        let tile = |rows: usize, columns: usize| {
            bytes(window(rows, columns)).saturating_add(bytes(Shape::new(between, rows, columns)))
        };
        let (height, width) = (rows.len() / links.shuffle, shapes[num_inputs + unit.node].width / links.shuffle);
        let most = tile(1, TILE_COLUMNS.min(width)).max(TILE_BYTES).min(tile(height, width));
        most.saturating_mul(threads as u64)
    }

    /// The values that nobody takes after unit `i`.
    fn dying(&self, i: usize) -> impl Iterator<Item = usize> + '_ {
        let unit = &self.units[i];
        let result = self.program.inputs.len() + unit.node;
        let values = unit.inputs.iter().copied().chain([result]);
        values.filter(move |value| self.last_use[*value] == i)
    }

    /// Runs a strip on `inputs` that hold its rows of each input; `left` is what the strip before has left, and becomes what
    /// this one leaves for `next`.
    pub(super) fn run_strip(
        &self,
        inputs: Vec<Slot<'_>>,
        strip: &Strip,
        next: Option<&Strip>,
        left: &mut Left,
        shapes: &[Shape],
        job: Job<'_>,
    ) -> Result<Vec<(String, Tensor)>> {
        let last = Strip::nothing(shapes.len())?;
        let mut slots = list(shapes.len())?;
        slots.extend(inputs);
        slots.resize_with(shapes.len(), || Slot::Free);
        let live = self.live_bytes(strip, next, shapes, job.rt.pool.threads());
        for (i, (unit, (_, live))) in self.units.iter().zip(live).enumerate() {
            job.rt.pool.check()?;
            // what is kept for later counts as well
            job.rt.trim(job.limits.max_bytes.saturating_sub(live));
            let result = self.program.inputs.len() + unit.node;
            let kept = left[result].take();
            if !strip.rows[result].is_empty() {
                let tensor = self.run_unit(i, &mut slots, [strip, next.unwrap_or(&last)], kept, shapes, job);
                slots[result] = Slot::Owned(tensor.map_err(|e| e.at(&self.program.nodes[unit.node].place))?);
            }
            for value in self.dying(i) {
                left[value] = leave(&slots[value], &strip.rows[value], next.map(|next| &next.kept[value]), job)?;
                slots[value] = Slot::Free;
            }
        }
        for (_, value) in &self.program.outputs {
            left[*value] = leave(&slots[*value], &strip.rows[*value], next.map(|next| &next.kept[*value]), job)?;
        }
        self.collect(slots, job)
    }

    /// The rows of a unit's value: those that are kept, and those that are computed.
    fn run_unit(
        &self,
        i: usize,
        slots: &mut [Slot<'_>],
        [strip, next]: [&Strip; 2],
        kept: Option<Tensor>,
        shapes: &[Shape],
        job: Job<'_>,
    ) -> Result<Tensor> {
        let unit = &self.units[i];
        let result = self.program.inputs.len() + unit.node;
        let (rows, computed) = (&strip.rows[result], &strip.computed[result]);
        let kept = match kept {
            Some(kept) if computed.is_empty() => return Ok(kept),
            kept => kept,
        };
        let Some(links) = &unit.chain else {
            let tensor = self.run_node(unit.node, slots, strip, shapes, job)?;
            return match kept {
                Some(kept) if rows != computed => {
                    let mut both = Tensor::output(job.rt, job.limits, (tensor.channels(), rows.len(), tensor.width()))?;
                    let (first, second) = both.data_mut().split_at_mut(kept.data().len());
                    first.copy_from_slice(kept.data());
                    second.copy_from_slice(tensor.data());
                    Ok(both)
                }
                _ => Ok(tensor),
            };
        };
        let is_last = self.last_use[links.input] == i && next.kept[links.input].is_empty();
        let is_ours = is_last && matches!(slots[links.input], Slot::Owned(_));
        if is_ours && links.is_functions() && rows == computed && *rows == strip.rows[links.input] {
            let mut tensor = slots[links.input].take(true, job)?;
            self.chain(links, computed, slots, strip, job)?.change(job.rt, &mut tensor)?;
            return Ok(tensor);
        }
        let shape = shapes[result];
        let mut tensor = Tensor::output(job.rt, job.limits, (shape.channels, rows.len(), shape.width))?;
        let done = (computed.start - rows.start) * shape.width * shape.channels;
        let (first, new) = tensor.data_mut().split_at_mut(done);
        match &kept {
            Some(kept) if kept.data().len() == done => first.copy_from_slice(kept.data()),
            _ if done == 0 => {}
            _ => return Err(Error::corrupt("rows of the strip before are missing")),
        }
        let grid = computed.start / links.shuffle..computed.end / links.shuffle;
        let chain = self.chain(links, &grid, slots, strip, job)?;
        let there = &strip.rows[links.input];
        let needs = match links.head {
            Some(head) => self.program.nodes[head].op.input_rows(&grid, shapes[links.input], shapes[links.input]),
            None => grid.clone(),
        };
        let first = links.head.map_or(grid.start, |head| self.program.nodes[head].op.first_row(&grid, &needs));
        let x = view(&slots[links.input], there, &needs)?;
        chain.run_rows(job.rt, job.limits, x, grid.start - first..grid.end - first, new)?;
        Ok(tensor)
    }

    /// The layers of a chain, with their operands for the rows `grid`.
    fn chain<'a>(
        &'a self,
        links: &Links,
        grid: &Rows,
        slots: &'a [Slot<'_>],
        strip: &Strip,
        job: Job<'_>,
    ) -> Result<Chain<'a>> {
        let head = match links.head.map(|head| (&self.kernels[head], &self.program.nodes[head].op)) {
            None => Head::Input,
            Some((Kernel::Conv2d(conv), _)) => Head::Conv2d(conv),
            Some((Kernel::ConvTranspose2d(conv), _)) => Head::ConvTranspose2d(conv),
            Some((_, Op::PixelUnshuffle { factor })) => Head::PixelUnshuffle(*factor),
            Some((_, op)) => return Err(Error::corrupt(format!("operation {op:?} cannot begin a chain"))),
        };
        let mut steps = Vec::with_capacity(links.steps.len());
        for link in &links.steps {
            steps.push(match (&self.kernels[link.node], &self.program.nodes[link.node].op, &link.other) {
                (Kernel::Conv2d(conv), ..) => Step::Conv2d(conv),
                (Kernel::Gdn(gdn), ..) => Step::Gdn(gdn),
                (_, Op::Unary(function), _) => Step::Unary(*function),
                (_, Op::Binary(op), Some(other)) if other.is_vector => {
                    let vector = slots[other.value].get()?.data();
                    let other_values = match link.repeat {
                        1 => Cow::Borrowed(vector),
                        repeat => Cow::Owned(repeated(vector, repeat, job.limits)?),
                    };
                    Step::Vector { op: *op, other: other_values, is_left: other.is_left }
                }
                (_, Op::Binary(op), Some(other)) => {
                    let other_rows = view(&slots[other.value], &strip.rows[other.value], grid)?;
                    Step::Map { op: *op, other: other_rows, is_left: other.is_left }
                }
                (_, op, _) => return Err(Error::corrupt(format!("operation {op:?} cannot be in a chain"))),
            });
        }
        Ok(Chain::new(head, steps, links.shuffle))
    }

    /// The computed rows of a node that is in no chain.
    fn run_node(
        &self,
        node: usize,
        slots: &mut [Slot<'_>],
        strip: &Strip,
        shapes: &[Shape],
        job: Job<'_>,
    ) -> Result<Tensor> {
        let result = self.program.inputs.len() + node;
        let mut rows = list(shapes.len())?;
        rows.extend_from_slice(&strip.rows);
        rows[result] = strip.computed[result].clone();
        self.step(node, slots, &rows, shapes, job)
    }
}

/// Each number `repeat` times.
fn repeated(vector: &[f32], repeat: usize, limits: &Limits) -> Result<Vec<f32>> {
    let mut out = limits.zeroed(vector.len().saturating_mul(repeat), "a vector")?;
    for (to, value) in out.chunks_exact_mut(repeat).zip(vector) {
        to.fill(*value);
    }
    Ok(out)
}

/// Rows `wanted` of a value of which rows `there` are there.
fn view<'a>(slot: &'a Slot<'_>, there: &Rows, wanted: &Rows) -> Result<View<'a>> {
    if wanted.start < there.start {
        return Err(Error::corrupt(format!("rows {wanted:?} are needed, {there:?} are there")));
    }
    slot.get()?.view().rows(wanted.start - there.start..wanted.end - there.start)
}

/// A copy of the rows that the next strip keeps.
fn leave(slot: &Slot<'_>, there: &Rows, kept: Option<&Rows>, job: Job<'_>) -> Result<Option<Tensor>> {
    match kept {
        Some(kept) if !kept.is_empty() && !there.is_empty() => {
            view(slot, there, kept)?.to_tensor(job.rt, job.limits).map(Some)
        }
        _ => Ok(None),
    }
}

/// Columns of a tile at most where a layer is too wide for tiles of a few hundred kilobytes.
const TILE_COLUMNS: usize = 48;
/// Bytes of the buffers of one tile otherwise.
const TILE_BYTES: u64 = 1 << 20;
