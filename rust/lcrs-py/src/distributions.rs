//! Tables built from the parameters of distributions, and the choice of their rows.

use lcrs_core::cdf;
use numpy::{PyArray1, PyArrayDyn};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::arrays::{to_array, Input, Output};
use crate::errors::{caught, detached};
use crate::runtime::{runtime, simd_of};
use crate::table::CdfTable;

/// The field's 64 scales from 0.11 to 256, float32 (64,).
#[pyfunction]
pub(crate) fn default_scale_table(py: Python<'_>) -> PyResult<Bound<'_, PyArray1<f32>>> {
    to_array(py, cdf::default_scale_table().to_vec())
}

/// Scales in geometric progression from `min` to `max`, float32 (levels,).
///
/// Raises:
///     ValueError: a bound is not positive and finite in float32, `min` is above `max`, or there are
///         more than 65,536 levels.
#[pyfunction]
pub(crate) fn scale_table(py: Python<'_>, min: f64, max: f64, levels: i64) -> PyResult<Bound<'_, PyArray1<f32>>> {
    let levels =
        usize::try_from(levels).map_err(|_| PyValueError::new_err(format!("levels is {levels}, must be 0 or more")))?;
    to_array(py, caught(py, || cdf::scale_table(min, max, levels))?)
}

/// The table of zero-mean Gaussians, one row a scale.
///
/// Args:
///     scales: float32, (rows,): standard deviations, positive.
///     tail_mass: the probability outside a row's values, which its escape entry gets.
///     precision: bits of the frequencies' sum, 1 to 16.
///
/// Returns:
///     For the 64 default scales, CompressAI's table integer for integer.
///
/// Raises:
///     ValueError: a scale, the tail mass or the precision is out of range, or a row has more than
///         `2**precision` entries.
#[pyfunction]
#[pyo3(signature = (scales, tail_mass=1e-9, precision=16))]
pub(crate) fn gaussian_table(scales: &Bound<'_, PyAny>, tail_mass: f64, precision: u32) -> PyResult<CdfTable> {
    let py = scales.py();
    let scales = Input::<f32>::new(scales, "scales")?;
    scales.check_ndim("scales", 1, "(rows,)")?;
    let scales = scales.slice()?;
    detached(py, usize::MAX, || cdf::gaussian_table_of_precision(scales, tail_mass, precision)).map(CdfTable::new)
}

/// The table of a learned factorized density (Balle et al. 2018, appendix 6.1), one row a channel.
///
/// Args:
///     matrices: float32, one a layer, (channels, out, in): the raw parameters.
///     biases: float32, one a layer, (channels, out, 1).
///     factors: float32, one a layer but the last, (channels, out, 1).
///     quantiles: float32, (channels, 1, 3): lower tail, median, upper tail; or (channels,): medians. Without
///         them medians and tails come from bisection.
///     tail_mass: the probability outside a row's values, for bisection.
///     tails: where rows end: at the quantiles, or, with medians only or `"bisection"`, where the tails
///         begin.
///     step: float32: rows hold multiples of it around the medians.
///     precision: bits of the frequencies' sum, 1 to 16.
///
/// Raises:
///     ValueError: shapes do not fit, a value is not finite, the step is not positive, the precision is
///         out of range, or a row would exceed `2**precision` entries.
#[pyfunction]
#[pyo3(signature = (matrices, biases, factors, quantiles=None, tail_mass=1e-9, tails="quantiles", step=1.0, precision=16))]
#[allow(clippy::too_many_arguments)] // they are keywords in Python
pub(crate) fn factorized_table(
    matrices: &Bound<'_, PyAny>,
    biases: &Bound<'_, PyAny>,
    factors: &Bound<'_, PyAny>,
    quantiles: Option<&Bound<'_, PyAny>>,
    tail_mass: f64,
    tails: &str,
    step: f32,
    precision: u32,
) -> PyResult<CdfTable> {
    let arrays = FactorizedArrays::new(matrices, biases, factors, quantiles)?;
    let mut parameters = arrays.parameters()?;
    let medians: Vec<f32>;
    match tails {
        "quantiles" => {}
        "bisection" => {
            // Of (channels, 1, 3) only the medians count, of (channels,) all.
            medians = match parameters.quantiles {
                Some(q) if q.len() == 3 * parameters.channels => q.iter().skip(1).step_by(3).copied().collect(),
                other => other.unwrap_or_default().to_vec(),
            };
            parameters.quantiles = parameters.quantiles.map(|_| medians.as_slice());
        }
        _ => return Err(PyValueError::new_err(format!("tails is '{tails}', 'quantiles' or 'bisection' is needed"))),
    }
    detached(matrices.py(), usize::MAX, || cdf::factorized_table_of_precision(&parameters, step, tail_mass, precision))
        .map(CdfTable::new)
}

/// The medians of a learned factorized density by bisection, float32 (channels,).
///
/// Arguments and errors are those of `factorized_table`.
#[pyfunction]
pub(crate) fn factorized_medians<'py>(
    matrices: &Bound<'py, PyAny>,
    biases: &Bound<'py, PyAny>,
    factors: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyArray1<f32>>> {
    let py = matrices.py();
    let arrays = FactorizedArrays::new(matrices, biases, factors, None)?;
    let parameters = arrays.parameters()?;
    let medians = detached(py, usize::MAX, || cdf::factorized_medians(&parameters))?;
    to_array(py, medians)
}

/// The arrays that a factorized density has for parameters.
struct FactorizedArrays<'py> {
    matrices: Vec<Input<'py, f32>>,
    biases: Vec<Input<'py, f32>>,
    factors: Vec<Input<'py, f32>>,
    quantiles: Option<Input<'py, f32>>,
}

impl<'py> FactorizedArrays<'py> {
    fn new(
        matrices: &Bound<'py, PyAny>,
        biases: &Bound<'py, PyAny>,
        factors: &Bound<'py, PyAny>,
        quantiles: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Self> {
        let arrays = |list: &Bound<'py, PyAny>, name: &str| -> PyResult<Vec<Input<'py, f32>>> {
            let items = list.try_iter()?.enumerate();
            items.map(|(i, array)| Input::new(&array?, &format!("{name}[{i}]"))).collect()
        };
        let this = Self {
            matrices: arrays(matrices, "matrices")?,
            biases: arrays(biases, "biases")?,
            factors: arrays(factors, "factors")?,
            quantiles: Input::optional(quantiles, "quantiles")?,
        };
        for (i, matrix) in this.matrices.iter().enumerate() {
            matrix.check_ndim(&format!("matrices[{i}]"), 3, "(channels, out, in)")?;
        }
        Ok(this)
    }

    fn parameters(&self) -> PyResult<cdf::FactorizedParameters<'_>> {
        let widths = self.matrices.iter().map(|matrix| matrix.shape()[1]);
        Ok(cdf::FactorizedParameters {
            channels: self.matrices.first().map_or(0, |matrix| matrix.shape()[0]),
            filters: widths.take(self.matrices.len().saturating_sub(1)).collect(),
            matrices: slices(&self.matrices)?,
            biases: slices(&self.biases)?,
            factors: slices(&self.factors)?,
            quantiles: self.quantiles.as_ref().map(Input::slice).transpose()?,
        })
    }
}

fn slices<'a>(inputs: &'a [Input<'_, f32>]) -> PyResult<Vec<&'a [f32]>> {
    inputs.iter().map(Input::slice).collect()
}

/// Where the rows of a Gaussian table end: the thresholds for `indexes`.
///
/// Args:
///     scales: float32, (rows,): the table's scales, ascending.
///     nearest: a scale picks the row whose scale is nearest in ratio, not the smallest that is not below it.
///     log: for logarithms of scales.
///
/// Returns:
///     float32, (rows - 1,), the same on every machine.
#[pyfunction]
#[pyo3(signature = (scales, *, nearest=false, log=false))]
pub(crate) fn thresholds<'py>(
    scales: &Bound<'py, PyAny>,
    nearest: bool,
    log: bool,
) -> PyResult<Bound<'py, PyArray1<f32>>> {
    let py = scales.py();
    let scales = Input::<f32>::new(scales, "scales")?;
    scales.check_ndim("scales", 1, "(rows,)")?;
    let choice = if nearest { cdf::Choice::Nearest } else { cdf::Choice::Above };
    let domain = if log { cdf::Domain::Log } else { cdf::Domain::Linear };
    let scales = scales.slice()?;
    to_array(py, detached(py, scales.len(), || Ok(cdf::thresholds(scales, choice, domain)))?)
}

/// The table of Gaussian mixtures, one row a mixture, for the integers from `-max` to `max`.
///
/// Args:
///     scales: float32, (components, rows): standard deviations, brought into 0.11..=256.
///     means: float32, of that shape.
///     weights: float32, of that shape, not negative.
///     max: the largest magnitude, 1 to 2**14 - 1.
///
/// Raises:
///     ValueError: shapes do not fit, or a parameter or the magnitude is out of range.
#[pyfunction]
pub(crate) fn mixture_table(
    scales: &Bound<'_, PyAny>,
    means: &Bound<'_, PyAny>,
    weights: &Bound<'_, PyAny>,
    max: u32,
) -> PyResult<CdfTable> {
    let py = scales.py();
    let scales = Input::<f32>::new(scales, "scales")?;
    scales.check_ndim("scales", 2, "(components, rows)")?;
    let (means, weights) = (Input::<f32>::new(means, "means")?, Input::<f32>::new(weights, "weights")?);
    means.check_shape("means", scales.shape(), "scales")?;
    weights.check_shape("weights", scales.shape(), "scales")?;
    let runtime = runtime(py, None)?;
    let parameters = cdf::MixtureParameters {
        components: scales.shape()[0],
        scales: scales.slice()?,
        means: means.slice()?,
        weights: weights.slice()?,
    };
    detached(py, usize::MAX, || cdf::mixture_table(&runtime, &parameters, max)).map(CdfTable::new)
}

/// Table rows for scales: the number of `thresholds` that a scale exceeds.
///
/// Args:
///     scales: float32, any shape.
///     thresholds: float32, (rows - 1,), increasing.
///
/// Returns:
///     int32, the shape of `scales`, from 0 to `rows - 1`.
///
/// Raises:
///     ValueError: a scale is not a number, with its position.
#[pyfunction]
pub(crate) fn indexes<'py>(
    scales: &Bound<'py, PyAny>,
    thresholds: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyArrayDyn<i32>>> {
    let py = scales.py();
    let scales = Input::<f32>::new(scales, "scales")?;
    let thresholds = Input::<f32>::new(thresholds, "thresholds")?;
    thresholds.check_ndim("thresholds", 1, "(rows - 1,)")?;
    let mut out = Output::empty(py, scales.shape())?;
    let (scales, thresholds, rows) = (scales.slice()?, thresholds.slice()?, out.slice()?);
    let simd = simd_of(py)?;
    detached(py, scales.len(), || cdf::indexes(simd, scales, thresholds, rows))?;
    Ok(out.into_array())
}
