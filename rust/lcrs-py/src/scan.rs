//! Raster and checkerboard scans, on encoders and decoders that other symbols may share.

use lcrs_core::exact::{Tensor, Unary};
use lcrs_core::scan::{
    raster_steps, Checkerboard, Coder, Context, Gain, Gaussian, Merge, Network, Parameters, Parity, Pointwise, Raster,
    RateSettings, Scan, Shrinkage, SymbolOrder,
};
use lcrs_core::{Error, Limits, Result, Simd};
use numpy::PyArray4;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pyclass::boolean_struct::False;
use pyo3::types::PyList;
use pyo3::PyClass;

use crate::arrays::{to_array, Input, Output};
use crate::coder::{finished, Decoder, Encoder};
use crate::errors::{detached, to_py};
use crate::runtime::{runtime, simd_of};
use crate::table::CdfTable;

/// One layer as Python gives it: weight (out, in), bias, name and parameter of the function that follows.
type PyLayer<'py> = (Bound<'py, PyAny>, Option<Bound<'py, PyAny>>, Option<(String, f32)>);

/// Calls `step(rows, columns)`, int64 arrays, for each step of a raster scan with other networks.
///
/// Args:
///     height: rows of the latent.
///     width: its columns.
///     kernel_size: k of the k x k context.
///     order: as in `RasterScan`.
///     step: does what is to be done at these places, which do not see each other.
///
/// Raises:
///     ValueError: the order is another. What `step` raises ends the scan.
#[pyfunction]
pub(crate) fn each_step(
    height: usize,
    width: usize,
    kernel_size: usize,
    order: &str,
    step: &Bound<'_, PyAny>,
) -> PyResult<()> {
    for places in raster_steps(symbol_order(order)?, kernel_size, height, width) {
        let (rows, columns): (Vec<i64>, Vec<i64>) =
            places.iter().map(|&(row, column)| (row as i64, column as i64)).unzip();
        step.call1((to_array(step.py(), rows)?, to_array(step.py(), columns)?))?;
    }
    Ok(())
}

fn symbol_order(name: &str) -> PyResult<SymbolOrder> {
    match name {
        "wavefront" => Ok(SymbolOrder::Wavefront),
        "raster" => Ok(SymbolOrder::Raster),
        _ => Err(unknown("order", name, "\"wavefront\" or \"raster\"")),
    }
}

/// A scan in which every place sees those before it in raster order (Minnen et al. 2018).
#[pyclass(frozen, module = "lcrs.coding")]
pub(crate) struct RasterScan {
    inner: BatchScan,
    shrinkage: Option<Shrinkage>,
}

#[pymethods]
impl RasterScan {
    #[new]
    #[pyo3(signature = (weight, bias, layers, table, thresholds, order="wavefront", shrinkage=None))]
    fn new(
        weight: &Bound<'_, PyAny>,
        bias: Option<&Bound<'_, PyAny>>,
        layers: Vec<PyLayer<'_>>,
        table: &CdfTable,
        thresholds: &Bound<'_, PyAny>,
        order: &str,
        shrinkage: Option<(Vec<PyLayer<'_>>, f32)>,
    ) -> PyResult<Self> {
        let order = symbol_order(order)?;
        let parts = Parts::new(weight, bias, &layers, thresholds)?;
        let table = table.shared();
        let inner = parts.build(weight.py(), |simd, weight, shape, bias, network, thresholds| {
            let context = Context::raster(simd, weight, shape, bias)?;
            let gaussian = Gaussian::new(table, thresholds, shape[1], Parameters::ScalesMeans)?;
            let network = network(Merge::SideFirst)?;
            Ok(Scan::Raster(Raster::new(context, network, gaussian, order)?))
        })?;
        let shrinkage = shrinkage.map(|(layers, bound)| {
            let simd = simd_of(weight.py())?;
            let layers = layers.iter().map(Layer::new).collect::<PyResult<Vec<_>>>()?;
            let layers = layers.iter().map(Layer::view).collect::<PyResult<Vec<_>>>()?;
            detached(weight.py(), 0, || Shrinkage::new(simd, &layers, bound))
        });
        Ok(Self { inner, shrinkage: shrinkage.transpose()? })
    }

    /// Appends the symbols of latents to streams.
    ///
    /// Args:
    ///     encoders: one for each of N latents.
    ///     y: float32, (N, C, H, W).
    ///     side: float32, (N, S, H, W): side features.
    ///     threads: how many to use; by default `num_threads`. The bytes do not depend on it.
    ///     gain: float32, (1,) or (C,): inverse of the step of quantisation, which scales are multiplied by; by default 1.
    ///     context_bias: float32, (features,): instead of the context's bias.
    ///     log_gain: float32, as many as `gain`: where scales and thresholds are logarithms, what is added to scales instead.
    ///
    /// Returns:
    ///     The latents as they will be decoded, float32 (N, C, H, W).
    ///
    /// Raises:
    ///     ValueError: shapes do not fit, or a number is not finite or too large.
    #[pyo3(signature = (encoders, y, side, threads=None, gain=None, context_bias=None, log_gain=None))]
    #[allow(clippy::too_many_arguments)] // Python passes them by name
    fn encode<'py>(
        &self,
        encoders: &Bound<'py, PyList>,
        y: &Bound<'py, PyAny>,
        side: &Bound<'py, PyAny>,
        threads: Option<i64>,
        gain: Option<&Bound<'py, PyAny>>,
        context_bias: Option<&Bound<'py, PyAny>>,
        log_gain: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyArray4<f32>>> {
        let rate = Rate::new(gain, context_bias, log_gain)?;
        self.inner.encode(encoders, y, side, threads, rate.settings(self.shrinkage.as_ref())?)
    }

    /// The latents, float32 (N, C, H, W), whose symbols come next in streams; arguments as in `encode`.
    ///
    /// Raises:
    ///     ValueError: shapes do not fit, or a parameter is not finite.
    ///     LcrsError: a stream is not what was encoded with this side information.
    #[pyo3(signature = (decoders, side, threads=None, gain=None, context_bias=None, log_gain=None))]
    fn decode<'py>(
        &self,
        decoders: &Bound<'py, PyList>,
        side: &Bound<'py, PyAny>,
        threads: Option<i64>,
        gain: Option<&Bound<'py, PyAny>>,
        context_bias: Option<&Bound<'py, PyAny>>,
        log_gain: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyArray4<f32>>> {
        let rate = Rate::new(gain, context_bias, log_gain)?;
        self.inner.decode(decoders, side, threads, rate.settings(self.shrinkage.as_ref())?)
    }
}

/// What one call has of a variable rate.
struct Rate<'py> {
    gain: Option<Input<'py, f32>>,
    context_bias: Option<Input<'py, f32>>,
    log_gain: Option<Input<'py, f32>>,
}

impl<'py> Rate<'py> {
    fn new(
        gain: Option<&Bound<'py, PyAny>>,
        context_bias: Option<&Bound<'py, PyAny>>,
        log_gain: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Self> {
        let gain = Input::optional(gain, "gain")?;
        let log_gain = Input::optional(log_gain, "log_gain")?;
        if gain.is_none() && log_gain.is_some() {
            return Err(PyValueError::new_err("log_gain is given without gain"));
        }
        Ok(Self { gain, context_bias: Input::optional(context_bias, "context_bias")?, log_gain })
    }

    fn settings<'a>(&'a self, shrinkage: Option<&'a Shrinkage>) -> PyResult<RateSettings<'a>> {
        let gain = self.gain.as_ref().map(Input::slice).transpose()?;
        let log_gain = self.log_gain.as_ref().map(Input::slice).transpose()?;
        if log_gain.is_some() && shrinkage.is_some() {
            return Err(PyValueError::new_err("log_gain is given, but the scan has a shrinkage, which needs scales"));
        }
        let gain = gain.map(|gain| match log_gain {
            Some(log_gain) => Gain::logarithmic(gain, log_gain),
            None => Gain::new(gain, shrinkage),
        });
        let gain = gain.transpose().map_err(|error| Python::attach(|py| to_py(py, &error)))?;
        Ok(RateSettings { gain, context_bias: self.context_bias.as_ref().map(Input::slice).transpose()? })
    }
}

/// A scan in which the places of one colour of a checkerboard are coded first, and seen by the others (He et al. 2021).
#[pyclass(frozen, module = "lcrs.coding")]
pub(crate) struct CheckerboardScan {
    inner: BatchScan,
}

#[pymethods]
impl CheckerboardScan {
    #[new]
    #[pyo3(signature = (weight, bias, layers, table, thresholds, parameters="scales, means", first="even"))]
    fn new(
        weight: &Bound<'_, PyAny>,
        bias: Option<&Bound<'_, PyAny>>,
        layers: Vec<PyLayer<'_>>,
        table: &CdfTable,
        thresholds: &Bound<'_, PyAny>,
        parameters: &str,
        first: &str,
    ) -> PyResult<Self> {
        let parameters = match parameters {
            "scales" => Parameters::Scales,
            "scales, means" => Parameters::ScalesMeans,
            "means, scales" => Parameters::MeansScales,
            _ => return Err(unknown("parameters", parameters, "\"scales\", \"scales, means\" or \"means, scales\"")),
        };
        let first = match first {
            "even" => Parity::Even,
            "odd" => Parity::Odd,
            _ => return Err(unknown("first", first, "\"even\" or \"odd\"")),
        };
        let parts = Parts::new(weight, bias, &layers, thresholds)?;
        let table = table.shared();
        let inner = parts.build(weight.py(), |simd, weight, shape, bias, network, thresholds| {
            let context = Context::checkerboard(simd, weight, shape, bias)?;
            let gaussian = Gaussian::new(table, thresholds, shape[1], parameters)?;
            let network = network(Merge::ContextFirst)?;
            Ok(Scan::Checkerboard(Checkerboard::new(context, network, gaussian, first)?))
        })?;
        Ok(Self { inner })
    }

    /// Appends the symbols of latents to streams; arguments and errors as in `RasterScan.encode`.
    #[pyo3(signature = (encoders, y, side, threads=None, gain=None, context_bias=None, log_gain=None))]
    #[allow(clippy::too_many_arguments)] // Python passes them by name
    fn encode<'py>(
        &self,
        encoders: &Bound<'py, PyList>,
        y: &Bound<'py, PyAny>,
        side: &Bound<'py, PyAny>,
        threads: Option<i64>,
        gain: Option<&Bound<'py, PyAny>>,
        context_bias: Option<&Bound<'py, PyAny>>,
        log_gain: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyArray4<f32>>> {
        let rate = Rate::new(gain, context_bias, log_gain)?;
        self.inner.encode(encoders, y, side, threads, rate.settings(None)?)
    }

    /// The latents whose symbols come next in streams; arguments and errors as in `RasterScan.decode`.
    #[pyo3(signature = (decoders, side, threads=None, gain=None, context_bias=None, log_gain=None))]
    fn decode<'py>(
        &self,
        decoders: &Bound<'py, PyList>,
        side: &Bound<'py, PyAny>,
        threads: Option<i64>,
        gain: Option<&Bound<'py, PyAny>>,
        context_bias: Option<&Bound<'py, PyAny>>,
        log_gain: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyArray4<f32>>> {
        let rate = Rate::new(gain, context_bias, log_gain)?;
        self.inner.decode(decoders, side, threads, rate.settings(None)?)
    }
}

/// What both scans are made of.
struct Parts<'py> {
    weight: Input<'py, f32>,
    bias: Option<Input<'py, f32>>,
    layers: Vec<Layer<'py>>,
    thresholds: Input<'py, f32>,
    /// (features, C, k, k) of the context's weight.
    shape: [usize; 4],
    /// Number of side features.
    side: usize,
}

impl<'py> Parts<'py> {
    fn new(
        weight: &Bound<'py, PyAny>,
        bias: Option<&Bound<'py, PyAny>>,
        layers: &[PyLayer<'py>],
        thresholds: &Bound<'py, PyAny>,
    ) -> PyResult<Self> {
        let weight = Input::<f32>::new(weight, "weight")?;
        weight.check_ndim("weight", 4, "(features, C, k, k)")?;
        let shape = [0, 1, 2, 3].map(|dim| weight.shape()[dim]);
        let layers = layers.iter().map(Layer::new).collect::<PyResult<Vec<_>>>()?;
        let inputs = layers.first().map_or(0, |layer| layer.weight.shape()[1]);
        let side = inputs.checked_sub(shape[0]).ok_or_else(|| {
            let features = shape[0];
            PyValueError::new_err(format!("the first layer has {inputs} inputs, the context alone {features} features"))
        })?;
        let bias = Input::optional(bias, "bias")?;
        Ok(Self { weight, bias, layers, thresholds: Input::new(thresholds, "thresholds")?, shape, side })
    }

    /// The scan that `make` makes of the context's parts, of the parameter network, and of the thresholds.
    fn build(
        &self,
        py: Python<'_>,
        make: impl FnOnce(Simd, &[f32], [usize; 4], Option<&[f32]>, MakeNetwork<'_>, Vec<f32>) -> Result<Scan> + Send,
    ) -> PyResult<BatchScan> {
        let simd = simd_of(py)?;
        let layers = self.layers.iter().map(Layer::view).collect::<PyResult<Vec<_>>>()?;
        let bias = self.bias.as_ref().map(Input::slice).transpose()?;
        let (weight, thresholds) = (self.weight.slice()?, self.thresholds.slice()?.to_vec());
        let (shape, side) = (self.shape, self.side);
        let network = move |merge| Network::new(simd, side, shape[0], merge, &layers);
        let inner = detached(py, usize::MAX, || make(simd, weight, shape, bias, &network, thresholds))?;
        Ok(BatchScan { inner })
    }
}

/// Makes the parameter network.
type MakeNetwork<'a> = &'a (dyn Fn(Merge) -> Result<Network> + Sync);

/// A scan over the items of a batch.
struct BatchScan {
    inner: Scan,
}

impl BatchScan {
    fn encode<'py>(
        &self,
        encoders: &Bound<'py, PyList>,
        y: &Bound<'py, PyAny>,
        side: &Bound<'py, PyAny>,
        threads: Option<i64>,
        settings: RateSettings<'_>,
    ) -> PyResult<Bound<'py, PyArray4<f32>>> {
        let y = Batch::new(y, "y")?;
        let y = y.view(encoders.len())?;
        let mut held = Held::<Encoder>::new(encoders)?;
        let mut inner = held.take(|encoder| &mut encoder.inner)?;
        let result = self.run(&mut inner, side, threads, settings, |item, encoder, scan| {
            scan(&mut Coder::Encode { encoder, y: &y.tensor(item)? })
        });
        held.put_back(inner, |encoder| &mut encoder.inner);
        result
    }

    fn decode<'py>(
        &self,
        decoders: &Bound<'py, PyList>,
        side: &Bound<'py, PyAny>,
        threads: Option<i64>,
        settings: RateSettings<'_>,
    ) -> PyResult<Bound<'py, PyArray4<f32>>> {
        let py = decoders.py();
        let mut held = Held::<Decoder>::new(decoders)?;
        let mut inner = held.take(|decoder| &mut decoder.inner)?;
        let result = self.run(&mut inner, side, threads, settings, |_, decoder, scan| {
            decoder.with_dependent_mut(|_, decoder| match decoder {
                Some(decoder) => scan(&mut Coder::Decode { decoder }),
                None => Err(Error::invalid("this decoder is used up")),
            })
        });
        // A wrong argument is refused before anything is decoded; after any other error the places are lost.
        if result.as_ref().err().is_none_or(|error| error.get_type(py).is(py.get_type::<PyValueError>())) {
            held.put_back(inner, |decoder| &mut decoder.inner);
        }
        result
    }

    /// Calls `code` for each item of a batch with its coder, in parallel; gathers the latents, (N, C, H, W).
    fn run<'py, T: Send>(
        &self,
        coders: &mut [T],
        side: &Bound<'py, PyAny>,
        threads: Option<i64>,
        settings: RateSettings<'_>,
        code: impl Fn(usize, &mut T, ScanItem<'_>) -> Result<Tensor> + Send + Sync,
    ) -> PyResult<Bound<'py, PyArray4<f32>>> {
        let py = side.py();
        let side = Batch::new(side, "side")?;
        let side = side.view(coders.len())?;
        let [items, _, height, width] = side.shape;
        let (runtime, limits) = (runtime(py, threads)?, Limits::default());
        let latents = detached(py, usize::MAX, || {
            runtime.each(coders, |item, coder, runtime| {
                let side = side.tensor(item)?;
                let scan = |coder: &mut Coder<'_, '_>| self.inner.run_with(runtime, &limits, coder, &side, settings);
                code(item, coder, &scan)?.to_nchw()
            })
        })?;
        let mut out = Output::empty(py, &[items, self.inner.channels(), height, width])?;
        let size = latents.first().map_or(0, Vec::len).max(1);
        out.slice()?.chunks_mut(size).zip(&latents).for_each(|(item, latent)| item.copy_from_slice(latent));
        Ok(out.into_array().cast_into()?)
    }
}

/// Runs the scan of one item with a coder.
type ScanItem<'a> = &'a dyn Fn(&mut Coder<'_, '_>) -> Result<Tensor>;

/// The coders of a batch, which nobody else can use for as long.
struct Held<'py, T: PyClass<Frozen = False>> {
    coders: Vec<PyRefMut<'py, T>>,
}

impl<'py, T: PyClass<Frozen = False>> Held<'py, T> {
    fn new(list: &Bound<'py, PyList>) -> PyResult<Self> {
        let borrow = |(i, coder): (usize, Bound<'py, PyAny>)| {
            let in_use = |_| PyValueError::new_err(format!("coder {i} is in use, or twice in the list"));
            coder.cast_into::<T>()?.try_borrow_mut().map_err(in_use)
        };
        Ok(Self { coders: list.iter().enumerate().map(borrow).collect::<PyResult<_>>()? })
    }

    /// Takes `part` out of each; refused if one has none.
    fn take<P>(&mut self, part: impl Fn(&mut T) -> &mut Option<P>) -> PyResult<Vec<P>> {
        if self.coders.iter_mut().any(|coder| part(coder).is_none()) {
            return Err(finished());
        }
        Ok(self.coders.iter_mut().filter_map(|coder| part(coder).take()).collect())
    }

    fn put_back<P>(&mut self, parts: Vec<P>, part: impl Fn(&mut T) -> &mut Option<P>) {
        for (coder, inner) in self.coders.iter_mut().zip(parts) {
            *part(coder) = Some(inner);
        }
    }
}

/// One 1x1 convolution and the function that follows.
struct Layer<'py> {
    weight: Input<'py, f32>,
    bias: Option<Input<'py, f32>>,
    activation: Option<Unary>,
}

impl<'py> Layer<'py> {
    fn new((weight, bias, activation): &PyLayer<'py>) -> PyResult<Self> {
        let weight = Input::<f32>::new(weight, "layer weight")?;
        weight.check_ndim("layer weight", 2, "(out, in)")?;
        let bias = Input::<f32>::optional(bias.as_ref(), "layer bias")?;
        let activation = activation.as_ref().map(|(name, value)| unary(name, *value)).transpose()?;
        Ok(Self { weight, bias, activation })
    }

    fn view(&self) -> PyResult<Pointwise<'_>> {
        let bias = self.bias.as_ref().map(Input::slice).transpose()?;
        Ok(Pointwise {
            weight: self.weight.slice()?,
            outputs: self.weight.shape()[0],
            bias,
            activation: self.activation,
        })
    }
}

/// A float32 array (N, C, H, W).
struct Batch<'py> {
    array: Input<'py, f32>,
    name: &'static str,
    shape: [usize; 4],
}

impl<'py> Batch<'py> {
    fn new(object: &Bound<'py, PyAny>, name: &'static str) -> PyResult<Self> {
        let array = Input::<f32>::new(object, name)?;
        array.check_ndim(name, 4, "(N, C, H, W)")?;
        let shape = [0, 1, 2, 3].map(|dim| array.shape()[dim]);
        Ok(Self { array, name, shape })
    }

    /// The data, refused if there is not an item for each coder.
    fn view(&self, coders: usize) -> PyResult<BatchView<'_>> {
        let items = self.shape[0];
        if items != coders {
            let message = format!("there are {coders} coders, but {} has {items} items", self.name);
            return Err(PyValueError::new_err(message));
        }
        Ok(BatchView { data: self.array.slice()?, shape: self.shape })
    }
}

/// The data of a [`Batch`].
struct BatchView<'a> {
    data: &'a [f32],
    shape: [usize; 4],
}

impl BatchView<'_> {
    fn tensor(&self, item: usize) -> Result<Tensor> {
        let [_, channels, height, width] = self.shape;
        let size = channels * height * width;
        Tensor::from_nchw(channels, height, width, &self.data[item * size..(item + 1) * size], &Limits::default())
    }
}

fn unknown(name: &str, given: &str, legal: &str) -> PyErr {
    PyValueError::new_err(format!("{name} is {given:?}, must be {legal}"))
}

fn unary(name: &str, value: f32) -> PyResult<Unary> {
    match name {
        "relu" => Ok(Unary::Relu),
        "leaky_relu" => Ok(Unary::LeakyRelu(value)),
        "abs" => Ok(Unary::Abs),
        "sigmoid" => Ok(Unary::Sigmoid),
        "softplus" => Ok(Unary::Softplus),
        "exp" => Ok(Unary::Exp),
        "tanh" => Ok(Unary::Tanh),
        "gelu" => Ok(Unary::Gelu),
        "gelu_tanh" => Ok(Unary::GeluTanh),
        "silu" => Ok(Unary::Silu),
        "mish" => Ok(Unary::Mish),
        "elu" => Ok(Unary::Elu(value)),
        "hard_sigmoid" => Ok(Unary::HardSigmoid),
        "hard_swish" => Ok(Unary::HardSwish),
        _ => Err(PyValueError::new_err(format!("there is no function {name:?} between layers"))),
    }
}
