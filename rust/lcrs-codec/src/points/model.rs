//! The network of a geometry package: what it sees of an octree, and how its answer becomes a row of the table.

use lcrs_core::cdf::CdfTable;
use lcrs_core::points::octree::{Scalar, Stages, TrunkInputs};
use lcrs_core::{Error, Limits, Result};
use serde_json::Value;

use super::adaptation::Adaptation;
use crate::blame::blame_data;
use crate::graph::{Attributes, Op, Shape};
use crate::latents::parse_table;
use crate::networks::Networks;
use crate::tensors::Lookup;

/// The type of the codec of a geometry package.
pub(crate) const OCCUPANCY: &str = "occupancy";

/// Multiply-accumulates that a node may cost.
const MAX_MACS_PER_NODE: u64 = 1 << 24;

/// Most rows of logits for a unit.
const MAX_RESOLUTION: usize = 1 << 12;

/// The precision of the table.
pub(crate) const PRECISION: u32 = 16;

/// Nodes that a package is checked with: a graph that mixes positions or forgets them shows.
const TRIAL_NODES: usize = 2;

/// What codes the occupancies of an octree.
#[derive(Debug)]
pub(crate) struct OccupancyModel {
    pub inputs: TrunkInputs,
    pub stages: Stages,
    pub trunk: String,
    pub heads: Vec<String>,
    /// Numbers that the trunk gives of a node.
    pub channels: usize,
    /// Row r is for the logit `(r - middle) / resolution`.
    pub table: CdfTable,
    /// Of each row the frequency of 1, of 2^16.
    pub ones: Vec<u32>,
    pub resolution: usize,
    pub adaptation: Option<Adaptation>,
}

impl OccupancyModel {
    /// Reads the codec of a geometry package and checks that its graphs fit it.
    ///
    /// # Errors
    /// [`lcrs_core::ErrorKind::UnsupportedVersion`] for an unknown member, [`lcrs_core::ErrorKind::Corrupt`] for everything else that
    /// is wrong.
    pub(crate) fn parse(codec: &Value, networks: &Networks, tensors: Lookup<'_, '_>) -> Result<Self> {
        let mut members = Attributes::new(codec, "it")?;
        members.text("type")?;
        let inputs = parse_inputs(&mut members)?;
        let order = parse_order(members.list("order")?)?;
        let stages = Stages::new(order, members.count("known", 0, Stages::MAX_REACH)?).map_err(blame_data)?;
        let trunk = members.text("trunk")?.to_owned();
        let heads = members.list("heads")?;
        let heads: Vec<String> = heads.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect();
        if heads.len() != 8 || members.list("heads")?.len() != 8 {
            return Err(Error::corrupt("'heads' is not a list of 8 names"));
        }
        let resolution = members.count("resolution", 1, MAX_RESOLUTION)?;
        let table = parse_table(&mut members, tensors)?;
        let ones = parse_rows(&table).map_err(|e| e.at("table"))?;
        let adaptation = match members.optional("adaptation") {
            Some(value) => Some(Adaptation::parse(value).map_err(|e| e.at("adaptation"))?),
            None => None,
        };
        members.finish()?;
        let mut model = Self { inputs, stages, trunk, heads, channels: 0, table, ones, resolution, adaptation };
        model.channels = model.check(networks)?;
        Ok(model)
    }

    /// The row of the logit 0.
    pub(crate) fn middle(&self) -> usize {
        (self.ones.len() - 1) / 2
    }

    /// The row of a logit.
    ///
    /// # Errors
    /// [`lcrs_core::ErrorKind::Corrupt`] for one that is not finite.
    pub(crate) fn row(&self, logit: f32) -> Result<i32> {
        if !logit.is_finite() {
            return Err(Error::corrupt(format!("logit is {logit}, must be finite")));
        }
        let last = (self.ones.len() - 1) as i64;
        // a product beyond binary32 is an infinity, which `as` brings to the end of the range
        let step = (logit * self.resolution as f32).round_ties_even() as i64;
        Ok(step.saturating_add(self.middle() as i64).clamp(0, last) as i32)
    }

    /// Whether every graph looks at one node at a time and gives what is asked of it; the number of channels of the trunk.
    fn check(&self, networks: &Networks) -> Result<usize> {
        let mut macs = 0_u64;
        let mut run = |name: &str, inputs: &[usize]| -> Result<usize> {
            check_pointwise(networks, name)?;
            let shapes: Vec<Shape> = inputs.iter().map(|count| Shape::new(*count, 1, TRIAL_NODES)).collect();
            let (outputs, cost) = networks.infer(name, &shapes, &Limits::default())?;
            macs = macs.saturating_add(cost);
            match outputs.as_slice() {
                [(_, Shape { channels, height: 1, width: TRIAL_NODES })] => Ok(*channels),
                _ => Err(Error::corrupt(format!("graph '{name}' must have one output, with a position for each node"))),
            }
        };
        if self.inputs.count() == 0 {
            return Err(Error::corrupt("the trunk has no input"));
        }
        let channels = run(&self.trunk, &[self.inputs.count()])?;
        for (stage, head) in self.heads.iter().enumerate() {
            let known = self.stages.count(stage);
            let inputs = [channels, known];
            let outputs = run(head, if known > 0 { &inputs } else { &inputs[..1] })?;
            if outputs != 1 {
                return Err(Error::corrupt(format!("graph '{head}' gives {outputs} channels, must be 1")));
            }
        }
        let macs = macs / TRIAL_NODES as u64;
        if macs > MAX_MACS_PER_NODE {
            let message =
                format!("the networks need {macs} operations a node, at most {MAX_MACS_PER_NODE} are allowed");
            return Err(Error::limit(message));
        }
        Ok(channels)
    }
}

/// Refuses a graph in which a node's numbers may depend on those of another: then blocks would matter.
fn check_pointwise(networks: &Networks, name: &str) -> Result<()> {
    for node in &networks.program(name)?.nodes {
        let is_pointwise = match &node.op {
            Op::Conv2d(conv) => conv.is_pointwise(),
            Op::Gdn { .. } | Op::Unary(_) | Op::Binary(_) | Op::Concat | Op::Slice { .. } | Op::Constant { .. } => true,
            _ => false,
        };
        if !is_pointwise {
            let message = "it looks at more than one node, or is not an operation that geometry packages have";
            return Err(Error::corrupt(message).at(&node.place).at(format!("graph '{name}'")));
        }
    }
    Ok(())
}

fn parse_inputs(members: &mut Attributes<'_>) -> Result<TrunkInputs> {
    let reach = members.count("window", 0, 2)?;
    let ancestors = members.list("ancestors")?.iter().map(|value| {
        let reach = value.as_u64().filter(|reach| *reach <= 2);
        reach.map(|reach| reach as usize).ok_or_else(|| Error::corrupt("'ancestors' is not a list of 0 to 2"))
    });
    let ancestors = ancestors.collect::<Result<_>>()?;
    let scalars = members.list("scalars")?.iter().map(|value| {
        let name = value.as_str().ok_or_else(|| Error::corrupt("'scalars' is not a list of names"))?;
        Scalar::from_name(name).ok_or_else(|| Error::unsupported(format!("unknown number of a level {name:?}")))
    });
    let inputs = TrunkInputs { reach, ancestors, scalars: scalars.collect::<Result<_>>()? };
    inputs.check().map_err(blame_data)?;
    if inputs.scalars.len() > Scalar::ALL.len() {
        return Err(Error::corrupt(format!(
            "{} numbers of a level, there are {}",
            inputs.scalars.len(),
            Scalar::ALL.len()
        )));
    }
    Ok(inputs)
}

fn parse_order(list: &[Value]) -> Result<[u8; 8]> {
    let octants: Option<Vec<u8>> = list.iter().map(|value| value.as_u64().and_then(|o| u8::try_from(o).ok())).collect();
    octants
        .and_then(|octants| octants.try_into().ok())
        .ok_or_else(|| Error::corrupt("'order' is not a list of 8 octants"))
}

/// The frequencies of 1: rows stand for 0, 1 and the escape, and ascend with the logit.
fn parse_rows(table: &CdfTable) -> Result<Vec<u32>> {
    if table.precision() != PRECISION || table.num_rows().is_multiple_of(2) {
        let (rows, bits) = (table.num_rows(), table.precision());
        return Err(Error::corrupt(format!("{rows} rows of {bits} bits, must be an odd number of {PRECISION} bits")));
    }
    let rows = (0..table.num_rows()).map(|r| {
        let row = table.row(r);
        match row.cdf {
            [_, zero, one, _] if row.offset == 0 => Ok(one - zero),
            _ => Err(Error::corrupt(format!("row {r} is not one of 0, 1 and the escape"))),
        }
    });
    let ones: Vec<u32> = rows.collect::<Result<_>>()?;
    match ones.windows(2).position(|pair| pair[0] > pair[1]) {
        Some(r) => Err(Error::corrupt(format!("the probability of 1 descends from row {r}"))),
        None => Ok(ones),
    }
}
