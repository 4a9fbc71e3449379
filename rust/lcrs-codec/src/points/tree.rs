//! From the occupancies of an octree to a stream and back, level by level, one octant of all nodes at a time.

use lcrs_core::exact::Tensor;
use lcrs_core::points::octree::{growth_byte, leaves, Ancestry, Planes, Told};
use lcrs_core::rans::{Decoder, Encoder, StreamKind};
use lcrs_core::{Error, Result};

use super::adaptation::Adapter;
use super::model::OccupancyModel;
use crate::blame::blame_data;
use crate::graph::{Graph, Job};
use crate::networks::Networks;

/// Nodes that the networks run on at a time; no result depends on it.
pub(crate) const BLOCK_NODES: usize = 2048;

/// Bytes that a node takes beside what its ancestry counts and the trunk gives: rows, symbols, what is known of its children.
const NODE_BYTES: u64 = 48;

/// What codes octrees: a model with its networks, on one runtime.
#[derive(Clone, Copy)]
pub(crate) struct TreeCoder<'a> {
    pub model: &'a OccupancyModel,
    pub networks: &'a Networks,
    pub job: Job<'a>,
    pub block_nodes: usize,
}

/// Takes or gives symbols: of these rows, in this order.
trait Symbols {
    fn code(&mut self, indexes: &[i32], symbols: &mut [i32]) -> Result<()>;
}

impl TreeCoder<'_> {
    /// The stream of a tree with these occupancies, from the root on.
    ///
    /// # Errors
    /// [`lcrs_core::ErrorKind::Corrupt`] if a network's numbers stop being finite, [`lcrs_core::ErrorKind::Limit`] above the limits.
    pub(crate) fn encode(&self, kind: StreamKind, occupancies: &[Vec<u8>], told: &[u8]) -> Result<Vec<u8>> {
        let mut encoder = Pushing { encoder: Encoder::new(kind, self.job.rt.simd), model: self.model };
        let depth = occupancies.len() as u32;
        let mut walk = Walk::new(self, depth)?;
        for (level, occupancy) in occupancies.iter().enumerate() {
            walk.level(&mut encoder, Some(occupancy), told.get(level).copied().unwrap_or(0))
                .map_err(|e| e.at(format!("level {level}")))?;
            if level + 1 < occupancies.len() {
                walk.descend(occupancy)?;
            }
        }
        encoder.encoder.finish()
    }

    /// The positions of the leaves of a tree, of which there are `num_leaves`, in Morton order.
    ///
    /// # Errors
    /// `Truncated`, `Corrupt` or `Desync` for a stream of something else, [`lcrs_core::ErrorKind::Limit`] above the limits.
    pub(crate) fn decode(
        &self,
        kind: StreamKind,
        data: &[u8],
        told: &[u8],
        depth: u32,
        num_leaves: u64,
    ) -> Result<Vec<[u32; 3]>> {
        let mut decoder = Pulling { decoder: Decoder::new(kind, self.job.rt.simd, data)?, model: self.model };
        let mut positions = vec![[0; 3]];
        let mut walk = Walk::new(self, depth)?;
        for level in 0..depth {
            let told = told.get(level as usize).copied();
            let occupancy = walk
                .level(&mut decoder, None, told.unwrap_or(0))
                .map_err(|e| blame_data(e).at(format!("level {level}")))?;
            let count: u64 = occupancy.iter().map(|byte| u64::from(byte.count_ones())).sum();
            if count > num_leaves || (level + 1 == depth && count != num_leaves) {
                let message = format!("{count} nodes, the file announces {num_leaves} leaves");
                return Err(Error::corrupt(message).at(format!("level {}", level + 1)));
            }
            if told.is_some_and(|told| told != growth_byte(occupancy.len() as u64, count)) {
                let message =
                    format!("{} nodes have {count} children, which is not what is told of them", occupancy.len());
                return Err(Error::corrupt(message).at(format!("level {level}")));
            }
            positions = leaves(&positions, &occupancy, self.job.limits)?;
            walk.held = size_of_val(&positions[..]) as u64;
            if level + 1 < depth {
                walk.descend(&occupancy)?;
            }
        }
        decoder.decoder.finish()?;
        Ok(positions)
    }
}

/// The way down one tree.
struct Walk<'a, 'm> {
    coder: &'a TreeCoder<'m>,
    ancestry: Ancestry,
    adapter: Adapter<'m>,
    trunk: &'m Graph,
    heads: Vec<&'m Graph>,
    depth: u32,
    /// Bytes that are held beside the levels.
    held: u64,
}

impl<'a, 'm> Walk<'a, 'm> {
    fn new(coder: &'a TreeCoder<'m>, depth: u32) -> Result<Self> {
        let graph = |name: &String| coder.networks.graph(name, coder.job.rt);
        Ok(Self {
            coder,
            ancestry: Ancestry::at_root(coder.model.inputs.ancestors.len()),
            adapter: Adapter::new(coder.model.adaptation, &coder.model.ones, coder.model.resolution),
            trunk: graph(&coder.model.trunk)?,
            heads: coder.model.heads.iter().map(graph).collect::<Result<_>>()?,
            depth,
            held: 0,
        })
    }

    fn descend(&mut self, occupancy: &[u8]) -> Result<()> {
        let Job { rt, limits, .. } = self.coder.job;
        let limits = limits.without(self.held + self.ancestry.bytes(), "an octree")?;
        self.ancestry.descend(occupancy, &rt.pool, &limits)
    }

    /// Codes the children of the current level, which are `given` or found; gives the occupancies.
    fn level(&mut self, symbols: &mut dyn Symbols, given: Option<&[u8]>, growth_below: u8) -> Result<Vec<u8>> {
        let (model, Job { rt, limits, .. }) = (self.coder.model, self.coder.job);
        let nodes = self.ancestry.level().len();
        let limits = limits.without(self.held + self.ancestry.bytes(), "a level of an octree")?;
        let mut features: Vec<f32> = limits.zeroed(nodes * model.channels, "numbers of nodes")?;
        let bytes = size_of_val(&features[..]) as u64 + nodes as u64 * NODE_BYTES;
        let limits = &limits.without(bytes, "a level of an octree")?;
        let mut blocks: Vec<&mut [f32]> = features.chunks_mut(self.coder.block_nodes * model.channels).collect();
        let (ancestry, block_nodes) = (&self.ancestry, self.coder.block_nodes);
        let told = Told { depth: self.depth, growth_below };
        let done = rt.each(&mut blocks, |block, out, rt| {
            let range = block * block_nodes..block * block_nodes + out.len() / model.channels;
            let mut x = Tensor::output(rt, limits, (model.inputs.count(), 1, range.len()))?;
            model.inputs.write(ancestry, told, range, x.data_mut())?;
            let y = single(self.trunk, Job { rt, limits, level: None }, &[x])?;
            out.copy_from_slice(y.data());
            Ok(())
        });
        done.map_err(|e| blame_data(e).at(format!("graph '{}'", model.trunk)))?;
        let mut planes = Planes::new(nodes, limits)?;
        for (stage, octant) in model.stages.order().into_iter().enumerate() {
            let mut rows: Vec<i32> = limits.zeroed(nodes, "rows")?;
            let mut blocks: Vec<_> =
                rows.chunks_mut(block_nodes).zip(features.chunks(block_nodes * model.channels)).collect();
            let done = rt.each(&mut blocks, |block, (rows, features), rt| {
                let range = block * block_nodes..block * block_nodes + rows.len();
                self.rows(stage, &planes, range, features, rows, Job { rt, limits, level: None })
            });
            done.map_err(|e| blame_data(e).at(format!("graph '{}'", model.heads[stage])))?;
            let mut there: Vec<u8> = limits.zeroed(nodes, "children")?;
            if let Some(given) = given {
                there.iter_mut().zip(given).for_each(|(there, byte)| *there = byte >> octant & 1);
            }
            self.stage(stage, symbols, &rows, planes.known(), &mut there)?;
            planes.learn(self.ancestry.level(), &model.stages, &there, &rt.pool)?;
        }
        Ok(planes.known().to_vec())
    }

    /// The rows of some nodes for their child of a stage, by the network.
    fn rows(
        &self,
        stage: usize,
        planes: &Planes,
        nodes: std::ops::Range<usize>,
        features: &[f32],
        rows: &mut [i32],
        job: Job<'_>,
    ) -> Result<()> {
        let model = self.coder.model;
        let known = model.stages.count(stage);
        let mut inputs = vec![Tensor::output(job.rt, job.limits, (model.channels, 1, nodes.len()))?];
        inputs[0].data_mut().copy_from_slice(features);
        if known > 0 {
            let mut x = Tensor::output(job.rt, job.limits, (known, 1, nodes.len()))?;
            planes.write(&model.stages, nodes, known, x.data_mut())?;
            inputs.push(x);
        }
        let logits = single(self.heads[stage], job, &inputs)?;
        for (row, logit) in rows.iter_mut().zip(logits.data()) {
            *row = model.row(*logit)?;
        }
        Ok(())
    }

    /// Codes whether nodes have their child of a stage. At the last one a node without a child has this one: that is not coded.
    fn stage(
        &mut self,
        stage: usize,
        symbols: &mut dyn Symbols,
        rows: &[i32],
        known: &[u8],
        there: &mut [u8],
    ) -> Result<()> {
        let (mut block_rows, mut block_symbols, mut indexes) = (Vec::new(), Vec::new(), Vec::new());
        let block = self.adapter.block();
        let is_certain = |node: usize| stage == 7 && known[node] == 0;
        let mut begin = 0;
        while begin < rows.len() {
            self.coder.job.rt.pool.check()?;
            let (mut end, mut count) = (begin, 0);
            while end < rows.len() && count < block {
                count += usize::from(!is_certain(end));
                end += 1;
            }
            let open = || (begin..end).filter(|node| !is_certain(*node));
            block_rows.clear();
            block_rows.extend(open().map(|node| rows[node]));
            block_symbols.clear();
            block_symbols.extend(open().map(|node| i32::from(there[node])));
            self.adapter.indexes(stage, &block_rows, &mut indexes);
            symbols.code(&indexes, &mut block_symbols)?;
            self.adapter.learn(stage, &block_rows, &block_symbols);
            let mut found = block_symbols.iter();
            for (node, there) in (begin..end).zip(&mut there[begin..end]) {
                *there = if is_certain(node) { 1 } else { found.next().map_or(0, |symbol| *symbol as u8) };
            }
            begin = end;
        }
        Ok(())
    }
}

/// Runs a graph of one output.
fn single(graph: &Graph, job: Job<'_>, inputs: &[Tensor]) -> Result<Tensor> {
    let mut outputs = graph.run(job.rt, job.limits, inputs, None)?;
    outputs.pop().map(|(_, tensor)| tensor).ok_or_else(|| Error::corrupt("no output"))
}

struct Pushing<'m> {
    encoder: Encoder,
    model: &'m OccupancyModel,
}

impl Symbols for Pushing<'_> {
    fn code(&mut self, indexes: &[i32], symbols: &mut [i32]) -> Result<()> {
        self.encoder.push(symbols, indexes, &self.model.table)
    }
}

struct Pulling<'d, 'm> {
    decoder: Decoder<'d>,
    model: &'m OccupancyModel,
}

impl Symbols for Pulling<'_, '_> {
    fn code(&mut self, indexes: &[i32], symbols: &mut [i32]) -> Result<()> {
        self.decoder.pull(indexes, &self.model.table, symbols)?;
        match symbols.iter().find(|symbol| !(0..=1).contains(*symbol)) {
            Some(symbol) => Err(Error::corrupt(format!("a child is {symbol}, must be 0 or 1"))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use lcrs_core::points::octree::{growth_bytes, occupancies};
    use lcrs_core::{Limits, Runtime, Simd};

    use super::*;
    use crate::CloudPackage;

    /// However many nodes the networks run on at a time: the bytes are the same.
    #[test]
    fn no_block_size_changes_a_stream() {
        let limits = Limits::default();
        let bytes = include_bytes!("../../../../tests/golden/clouds/tiny-cloud.lcrm");
        let package = CloudPackage::from_bytes(bytes, &limits).unwrap();
        let mut leaves: Vec<[u32; 3]> = (0..900).map(|i| [i % 30, i / 30, (i * i / 40) % 30]).collect();
        leaves.sort_by_key(|leaf| lcrs_core::points::morton::encode(*leaf));
        let levels = occupancies(&leaves, 5, &limits).unwrap();
        let told = growth_bytes(&levels);
        let mut streams = Vec::new();
        for (block_nodes, threads) in [(1, 1), (7, 2), (100, 3), (BLOCK_NODES, 2)] {
            let rt = Runtime::new(Simd::detect(), threads).unwrap();
            let job = Job { rt: &rt, limits: &limits, level: None };
            let coder = TreeCoder { model: &package.model, networks: &package.networks, job, block_nodes };
            let stream = coder.encode(StreamKind::Lcrs, &levels, &told).unwrap();
            assert_eq!(coder.decode(StreamKind::Lcrs, &stream, &told, 5, 900).unwrap(), leaves);
            streams.push(stream);
        }
        assert!(streams.iter().all(|stream| *stream == streams[0]));
    }
}
