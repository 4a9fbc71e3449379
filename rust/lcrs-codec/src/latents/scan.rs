//! A latent whose symbols become known step by step, each step conditioned on the values before it.
//!
//! A scan is a list of channel groups; a latent that is not split is one group. The networks inside a scan run
//! at a few places at a time, so they must be of a form that [`lcrs_core::scan`] can evaluate there: the context is one
//! masked convolution, the parameters are layers of 1x1 convolutions ([`super::pointwise`]).

use std::cell::RefCell;
use std::sync::Arc;

use lcrs_core::exact::{concat, Binary, Tensor};
use lcrs_core::rans::{Decoder, Encoder, StreamKind};
use lcrs_core::scan::{
    refined_channel_groups, Checkerboard, Coder, Context, Gaussian, Network, Parameters, Parity, Raster, RateSettings,
    Scan, SymbolOrder,
};
use lcrs_core::{Error, Limits, Result, Simd};
use lcrs_format::Section;
use serde_json::Value;

use super::gaussian_conditional::GaussianConditional;
use super::pointwise::{self, pointwise_layers, weights, Layers};
use super::symbols::Coded;
use super::variable_rate::{vector, AtLevel, VariableRate};
use crate::blame::blame_data;
use crate::graph::{Attributes, Op, Shape};
use crate::networks::Networks;
use crate::per_simd::PerSimd;
use crate::runner::Runner;
use crate::tensors::Lookup;

/// Most groups of channels.
const MAX_GROUPS: usize = 64;

/// How the places of one group are scanned.
#[derive(Debug)]
enum Places {
    /// All at once: the side graph gives their parameters.
    Parallel,
    /// Step by step, with a context.
    Serial { order: Order, context: String, parameters: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Raster,
    Checkerboard(Parity),
}

#[derive(Debug)]
struct Group {
    /// `None` for all channels of the latent.
    channels: Option<usize>,
    /// The graph from side information and earlier groups to this group's side information; `None` for the side
    /// information itself.
    side: Option<String>,
    places: Places,
    prior: GaussianConditional,
    by_level: ByLevel,
    /// The graph from what the parameters are made of, and this group's values, to what is added to them afterwards.
    residual: Option<String>,
}

/// What a group is given.
struct Side {
    /// Side information of its scan.
    tensor: Tensor,
    /// What its residual is made of; `None` for the side information itself.
    support: Option<Tensor>,
}

/// Bytes that an encoder keeps of a symbol: those of its entry, and of a stream and its copy more than models of pictures give.
const STREAM_BYTES: u64 = 8;

/// The output of a group's side graph that its residual is made of.
const SUPPORT: &str = "support";

/// A latent that is coded by scans.
#[derive(Debug)]
pub(crate) struct Scanned {
    groups: Vec<Group>,
    /// That of all channels of all groups.
    variable: Option<VariableRate>,
    built: PerSimd<Vec<Scan>>,
}

/// What a group may have of a variable rate.
#[derive(Debug)]
struct ByLevel {
    variable: Option<VariableRate>,
    /// A graph without inputs that gives the bias of the context.
    context_bias: Option<String>,
}

/// What a run has of it.
struct GroupAtLevel<'a> {
    variable: Option<AtLevel<'a>>,
    context_bias: Option<Vec<f32>>,
}

impl Scanned {
    /// A latent coded in one group; `kind` is `raster` or `checkerboard`.
    pub(crate) fn parse(kind: &str, members: &mut Attributes<'_>, tensors: Lookup<'_, '_>) -> Result<Self> {
        let group = parse_leaf(kind, members, tensors)?;
        Ok(Self { groups: vec![group], variable: None, built: PerSimd::default() })
    }

    /// A latent coded in groups of channels.
    pub(crate) fn parse_groups(members: &mut Attributes<'_>, tensors: Lookup<'_, '_>) -> Result<Self> {
        let list = members.list("groups")?;
        if !(1..=MAX_GROUPS).contains(&list.len()) {
            return Err(Error::corrupt(format!("{} groups, must be 1 to {MAX_GROUPS}", list.len())));
        }
        let parse = |(k, value): (usize, &Value)| parse_group(value, tensors).map_err(|e| e.at(format!("group {k}")));
        let groups = list.iter().enumerate().map(parse).collect::<Result<Vec<_>>>()?;
        let precision = groups[0].prior.table().precision();
        if groups.iter().any(|group| group.prior.table().precision() != precision) {
            return Err(Error::corrupt("groups of one stream must have tables of one precision"));
        }
        let variable = VariableRate::parse(members, groups[0].prior.domain())?;
        if variable.is_some() {
            let domain = groups[0].prior.domain();
            for (k, group) in groups.iter().enumerate() {
                if group.by_level.variable.is_some() {
                    return Err(Error::corrupt(format!("there is a 'gain' of all groups and one of group {k}")));
                }
                if group.prior.domain() != domain {
                    return Err(Error::corrupt(format!(
                        "group {k} has another domain than group 0, but the same 'gain'"
                    )));
                }
            }
        }
        Ok(Self { groups, variable, built: PerSimd::default() })
    }

    /// The shortest step of quantisation at the level of the job.
    pub(crate) fn finest_step(&self, runner: Runner<'_>) -> Result<f32> {
        if let Some(variable) = &self.variable {
            return Ok(variable.at_level(runner)?.finest());
        }
        self.groups.iter().try_fold(f32::INFINITY, |finest, group| {
            let variable = group.by_level.variable.as_ref();
            let own = variable.map_or(Ok(1.0), |variable| variable.at_level(runner).map(|rate| rate.finest()));
            own.map(|own: f32| own.min(finest))
        })
    }

    /// Checks that the graphs fit a latent of shape `y` and side information of shape `side`; returns their
    /// multiply-accumulates.
    pub(crate) fn check(
        &self,
        networks: &Networks,
        limits: &Limits,
        y: Shape,
        outputs: &[(&str, Shape)],
    ) -> Result<u64> {
        let &[(_, side)] = outputs else {
            return Err(Error::corrupt("the graph before a scan must have one output"));
        };
        let side = Shape { height: y.height, width: y.width, ..side };
        let (mut known, mut macs) = (0, 0_u64);
        for (k, group) in self.groups.iter().enumerate() {
            let latent = Shape { channels: group.channels.unwrap_or(y.channels), ..y };
            let known_shape = Shape { channels: known, ..y };
            let work = group.check(networks, limits, latent, side, (known > 0).then_some(known_shape));
            let is_split = self.groups.len() > 1;
            let place = |e: Error| if is_split { e.at(format!("group {k}")) } else { e };
            macs = macs.saturating_add(work.map_err(place)?);
            known += latent.channels;
        }
        if known != y.channels {
            return Err(Error::corrupt(format!("groups have {known} channels, the latent has {}", y.channels)));
        }
        let variable = self.variable.as_ref().map(|variable| variable.check(networks, y)).transpose()?;
        Ok(macs.saturating_add(variable.unwrap_or(0)))
    }

    pub(crate) fn encode(&self, runner: Runner<'_>, kind: StreamKind, y: &Tensor, side: Tensor) -> Result<Coded> {
        let limits = runner.job.holding(STREAM_BYTES * y.data().len() as u64, "symbols")?;
        let runner = runner.within(&limits);
        let mut encoder = Encoder::on(kind, runner.job.rt, y.data().len());
        self.run(runner, &mut Coder::Encode { encoder: &mut encoder, y }, y.channels(), side)?;
        let precision = self.groups[0].prior.table().precision() as u8;
        Ok(Coded { precision, data: encoder.finish()? })
    }

    pub(crate) fn decode(
        &self,
        runner: Runner<'_>,
        section: &Section<'_>,
        channels: usize,
        side: Tensor,
    ) -> Result<Tensor> {
        let precision = self.groups[0].prior.table().precision();
        if u32::from(section.precision) != precision {
            return Err(Error::corrupt(format!("precision is {}, the model has {precision}", section.precision)));
        }
        let mut decoder = Decoder::new(StreamKind::from_code(section.kind)?, runner.job.rt.simd, section.data)?;
        let values = self.run(runner, &mut Coder::Decode { decoder: &mut decoder }, channels, side)?;
        decoder.finish()?;
        Ok(values)
    }

    fn run(&self, runner: Runner<'_>, coder: &mut Coder<'_, '_>, channels: usize, side: Tensor) -> Result<Tensor> {
        let scans = self.scans(runner.networks, runner.job.rt.simd, channels)?;
        let all = self.variable.as_ref().map(|variable| variable.at_level(runner)).transpose()?;
        let own = self.groups.iter().map(|group| group.by_level.at_level(runner));
        let own = own.collect::<Result<Vec<_>>>()?;
        let settings = rate_settings(scans, all.as_ref(), &own)?;
        let limits = &runner.job.holding(side.bytes(), "side information")?;
        if let ([scan], [Group { side: None, .. }]) = (scans, self.groups.as_slice()) {
            return scan.run_with(runner.job.rt, limits, coder, &side, settings[0]).map_err(blame_data);
        }
        let mut inputs = vec![side];
        let support = RefCell::new(None);
        let side_of = |k: usize, known: &[Tensor]| {
            let known_bytes = known.iter().map(Tensor::bytes).sum();
            let limits = runner.job.holding(known_bytes, "groups of channels")?;
            let runner = runner.within(&limits);
            if k > 0 {
                runner.job.holding(known_bytes, "groups of channels")?;
                inputs.push(concat(runner.job.limits, &known.iter().collect::<Vec<_>>())?);
            }
            let side = self.groups[k].side(runner, &inputs)?;
            inputs.truncate(1);
            if self.groups[k].residual.is_some() {
                let own = side.support.map_or_else(|| side.tensor.try_clone(runner.job.rt, runner.job.limits), Ok)?;
                support.replace(Some(own));
            }
            Ok(side.tensor)
        };
        let refine = |k: usize, values: Tensor| match (&self.groups[k].residual, support.take()) {
            (Some(graph), Some(support)) => add_residual(runner, graph, support, values),
            _ => Ok(values),
        };
        refined_channel_groups(runner.job.rt, limits, scans, &settings, coder, side_of, refine).map_err(blame_data)
    }

    fn scans(&self, networks: &Networks, simd: Simd, channels: usize) -> Result<&[Scan]> {
        let build = |group: &Group| group.build(networks, simd, group.channels.unwrap_or(channels));
        let make = || self.groups.iter().map(build).collect::<Result<Vec<_>>>().map_err(blame_data);
        self.built.get_or_make(simd, make).map(Vec::as_slice)
    }
}

/// Values with the residual that a graph makes of them.
fn add_residual(runner: Runner<'_>, graph: &str, support: Tensor, values: Tensor) -> Result<Tensor> {
    let inputs = [support, values];
    let mut outputs = runner.run(graph, &inputs)?;
    let (_, residual) = outputs.pop().ok_or_else(|| Error::corrupt(format!("graph '{graph}' has no output")))?;
    let refined = Binary::Add.run(runner.job.rt, runner.job.limits, &inputs[1], &residual)?;
    match refined.data().iter().position(|value| !value.is_finite()) {
        Some(i) => {
            let (channels, width) = (refined.channels(), refined.width());
            let (channel, column, row) = (i % channels, i / channels % width, i / channels / width);
            let place = format!("channel {channel}, row {row}, column {column}");
            let message = format!("value {} at {place} with its residual: it must be finite", refined.data()[i]);
            Err(Error::corrupt(message).at(format!("graph '{graph}'")))
        }
        None => Ok(refined),
    }
}

/// The rate settings of each scan: the gain is that of its channels among `all`, or its own.
fn rate_settings<'a>(
    scans: &[Scan],
    all: Option<&'a AtLevel<'_>>,
    own: &'a [GroupAtLevel<'_>],
) -> Result<Vec<RateSettings<'a>>> {
    let all = all.map(AtLevel::gain).transpose()?;
    let mut first = 0;
    let settings = scans.iter().zip(own).map(|(scan, own)| {
        let gain = match &all {
            Some(all) => Some(all.of_channels(first, scan.channels()).map_err(blame_data)?),
            None => own.variable.as_ref().map(AtLevel::gain).transpose()?,
        };
        first += scan.channels();
        Ok(RateSettings { gain, context_bias: own.context_bias.as_deref() })
    });
    settings.collect()
}

impl ByLevel {
    fn at_level(&self, runner: Runner<'_>) -> Result<GroupAtLevel<'_>> {
        let variable = self.variable.as_ref().map(|variable| variable.at_level(runner)).transpose()?;
        let bias = self.context_bias.as_ref().map(|graph| runner.run_constant(graph)).transpose()?;
        Ok(GroupAtLevel { variable, context_bias: bias })
    }
}

impl Group {
    fn check(
        &self,
        networks: &Networks,
        limits: &Limits,
        latent: Shape,
        side: Shape,
        known: Option<Shape>,
    ) -> Result<u64> {
        let (outputs, mut macs) = match &self.side {
            Some(graph) => {
                networks.infer(graph, &[Some(side), known].into_iter().flatten().collect::<Vec<_>>(), limits)?
            }
            None => (vec![("side", side)], 0),
        };
        if let Some(variable) = &self.by_level.variable {
            macs = macs.saturating_add(variable.check(networks, latent)?);
        }
        if let Some(graph) = &self.residual {
            let support = match self.places {
                Places::Parallel => outputs.iter().find(|(name, _)| *name == SUPPORT),
                Places::Serial { .. } => outputs.first(),
            };
            let &(_, support) = support.ok_or_else(|| Error::corrupt(format!("there is no output '{SUPPORT}'")))?;
            let (residuals, work) = networks.infer(graph, &[support, latent], limits)?;
            if !matches!(residuals.as_slice(), [(_, residual)] if *residual == latent) {
                return Err(Error::corrupt(format!("graph '{graph}' does not make a residual of {latent}")));
            }
            macs = macs.saturating_add(work);
        }
        let Places::Serial { order, context, parameters } = &self.places else {
            self.prior.check(&outputs, |shape| shape == latent)?;
            return Ok(macs);
        };
        let &[(_, side)] = outputs.as_slice() else {
            return Err(Error::corrupt("the side graph of a scan with a context must have one output"));
        };
        if (side.height, side.width) != (latent.height, latent.width) {
            return Err(Error::corrupt(format!("side information of {side} for a latent of {latent}")));
        }
        let (weight, shape, bias) = context_weights(networks, context)?;
        let legal = match order {
            Order::Raster => Context::check_raster(&weight, shape, bias.as_deref()),
            Order::Checkerboard(_) => Context::check_checkerboard(&weight, shape, bias.as_deref()),
        };
        legal.map_err(|e| blame_data(e).at(format!("graph '{context}'")))?;
        let (features, work) = networks.infer(context, &[latent], limits)?;
        macs = macs.saturating_add(work);
        let &[(_, features)] = features.as_slice() else {
            return Err(Error::corrupt(format!("graph '{context}' must have one output")));
        };
        if let Some(graph) = &self.by_level.context_bias {
            vector(networks, graph, &[features.channels])?;
        }
        let (outputs, work) = networks.infer(parameters, &[side, features], limits)?;
        self.prior.check(&outputs, |shape| shape == latent).map_err(|e| e.at(format!("graph '{parameters}'")))?;
        pointwise::extract(networks.program(parameters)?).map_err(|e| e.at(format!("graph '{parameters}'")))?;
        Ok(macs.saturating_add(work))
    }

    /// This group's side information from that of the latent and the values of the groups before.
    fn side(&self, runner: Runner<'_>, inputs: &[Tensor]) -> Result<Side> {
        let graph = self.side.as_ref().ok_or_else(|| Error::corrupt("a group has no side information"))?;
        let mut outputs = runner.run(graph, inputs)?;
        match self.places {
            Places::Parallel => {
                let place = outputs.iter().position(|(name, _)| name == SUPPORT);
                let support = place.map(|place| outputs.swap_remove(place).1);
                Ok(Side { tensor: self.prior.joined(outputs, runner.job.limits)?, support })
            }
            Places::Serial { .. } => {
                let first = outputs.into_iter().next().map(|(_, tensor)| tensor);
                let tensor = first.ok_or_else(|| Error::corrupt(format!("graph '{graph}' has no output")))?;
                Ok(Side { tensor, support: None })
            }
        }
    }

    fn build(&self, networks: &Networks, simd: Simd, channels: usize) -> Result<Scan> {
        let distribution = |parameters: Parameters| {
            Gaussian::new(Arc::clone(self.prior.shared_table()), self.prior.thresholds().to_vec(), channels, parameters)
        };
        let Places::Serial { order, context, parameters } = &self.places else {
            return Ok(Scan::Parallel(distribution(self.prior.joined_parameters())?));
        };
        let (weight, shape, bias) = context_weights(networks, context)?;
        let features = shape[0];
        let context = match order {
            Order::Raster => Context::raster(simd, &weight, shape, bias.as_deref()),
            Order::Checkerboard(_) => Context::checkerboard(simd, &weight, shape, bias.as_deref()),
        }
        .map_err(|e| e.at(format!("graph '{context}'")))?;
        let layers = pointwise::extract(networks.program(parameters)?)?;
        let network =
            build_network(networks, simd, &layers, features).map_err(|e| e.at(format!("graph '{parameters}'")))?;
        let distribution = distribution(layers.order)?;
        Ok(match order {
            Order::Raster => Scan::Raster(Raster::new(context, network, distribution, SymbolOrder::Wavefront)?),
            Order::Checkerboard(first) => {
                Scan::Checkerboard(Checkerboard::new(context, network, distribution, *first)?)
            }
        })
    }
}

fn build_network(networks: &Networks, simd: Simd, layers: &Layers<'_>, features: usize) -> Result<Network> {
    let inputs = layers.layers[0].convolution.in_channels;
    let side = inputs.checked_sub(features).ok_or_else(|| Error::corrupt("fewer inputs than context features"))?;
    pointwise_layers(networks, &layers.layers, |packed| Network::new(simd, side, features, layers.merge, packed))
}

type ContextWeights = (Vec<f32>, [usize; 4], Option<Vec<f32>>);

/// Weights of a graph that is one convolution of stride 1 whose kernel is centred.
fn context_weights(networks: &Networks, graph: &str) -> Result<ContextWeights> {
    let program = networks.program(graph)?;
    let conv = match program.nodes.as_slice() {
        [node] if program.inputs.len() == 1 => match &node.op {
            Op::Conv2d(conv) if conv.groups == 1 && conv.stride == [1, 1] && conv.dilation == [1, 1] => Some(conv),
            _ => None,
        },
        _ => None,
    };
    let is_centred = |side: usize, padding: usize| side == 2 * padding + 1;
    let conv = conv.filter(|conv| (0..2).all(|axis| is_centred(conv.kernel[axis], conv.padding[axis])));
    let Some(conv) = conv else {
        let message = "a context must be one convolution of stride 1, one group and a centred odd kernel";
        return Err(Error::corrupt(message).at(format!("graph '{graph}'")));
    };
    let lookup = networks.lookup();
    let weight = weights(&lookup, &conv.weight)?;
    let bias = conv.bias.as_deref().map(|name| weights(&lookup, name));
    let shape = [conv.out_channels, conv.in_channels, conv.kernel[0], conv.kernel[1]];
    Ok((weight, shape, bias.transpose()?))
}

fn parse_group(value: &Value, tensors: Lookup<'_, '_>) -> Result<Group> {
    let mut members = Attributes::new(value, "it")?;
    let channels = members.count("channels", 1, 1 << 20)?;
    let side = members.text("side")?.to_owned();
    let kind = members.text("type")?;
    let mut group = match kind {
        "gaussian" => {
            let prior = GaussianConditional::parse(&mut members, tensors)?;
            let by_level = ByLevel { variable: VariableRate::parse(&mut members, prior.domain())?, context_bias: None };
            Group { channels: None, side: None, places: Places::Parallel, prior, by_level, residual: None }
        }
        _ => parse_leaf(kind, &mut members, tensors)?,
    };
    group.residual = members.optional_text("residual")?.map(str::to_owned);
    members.finish()?;
    (group.channels, group.side) = (Some(channels), Some(side));
    Ok(group)
}

fn parse_leaf(kind: &str, members: &mut Attributes<'_>, tensors: Lookup<'_, '_>) -> Result<Group> {
    let order = match kind {
        "raster" => Order::Raster,
        "checkerboard" => Order::Checkerboard(match members.text("first")? {
            "even" => Parity::Even,
            "odd" => Parity::Odd,
            other => return Err(Error::corrupt(format!("'first' is {other:?}, must be \"even\" or \"odd\""))),
        }),
        other => return Err(Error::unsupported(format!("unknown type '{other}'"))),
    };
    let context = members.text("context")?.to_owned();
    let parameters = members.text("parameters")?.to_owned();
    let prior = GaussianConditional::parse(members, tensors)?;
    let by_level = ByLevel {
        variable: VariableRate::parse(members, prior.domain())?,
        context_bias: members.optional_text("context_bias")?.map(str::to_owned),
    };
    let places = Places::Serial { order, context, parameters };
    Ok(Group { channels: None, side: None, places, prior, by_level, residual: None })
}
