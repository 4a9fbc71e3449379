//! Kernels of point clouds over arrays of one cloud, (N, 3), or of a batch, (B, N, 3).

use lcrs_core::points::{
    farthest, morton, normal, voxelize, BallCoordinate, FarthestCoordinate, NearestCoordinate, Tree,
};
use lcrs_core::{Error, Result, Runtime};
use numpy::{Element, PyArray1, PyArrayDyn, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::arrays::{self, has_type, shape_text, to_array, Input, Output};
use crate::errors::detached;
use crate::limits::{whole, Count};
use crate::runtime::runtime;

/// Queries whose neighbourhoods are held at a time where only what follows from them is kept.
const NEIGHBOURHOODS: usize = 1 << 14;

/// Coordinates that arrays hold.
trait ArrayCoordinate: Element + NearestCoordinate + BallCoordinate + FarthestCoordinate {}

impl ArrayCoordinate for f32 {}
impl ArrayCoordinate for f64 {}

/// Whether the numbers of `points` are of double precision; if not, they are of single precision.
fn is_double(points: &Bound<'_, PyAny>) -> PyResult<bool> {
    let array = arrays::untyped(points, "points")?;
    let is_double = has_type::<f64>(&array);
    if !is_double && !has_type::<f32>(&array) {
        let given = array.dtype();
        let message = format!("points has dtype {given}, float32 or float64 in native byte order is needed");
        return Err(PyValueError::new_err(message));
    }
    Ok(is_double)
}

/// Clouds of one size, one after another.
struct Clouds<'py, T: Element> {
    input: Input<'py, T>,
}

impl<'py, T: ArrayCoordinate> Clouds<'py, T> {
    fn new(object: &Bound<'py, PyAny>, name: &str) -> PyResult<Self> {
        let input = Input::new(object, name)?;
        match input.shape() {
            [_, 3] | [_, _, 3] => Ok(Self { input }),
            shape => Err(PyValueError::new_err(format!(
                "{name} has shape {}, (N, 3) or (B, N, 3) is needed",
                shape_text(shape)
            ))),
        }
    }

    /// The shape without points: of one cloud (), of a batch (B,).
    fn batch(&self) -> &[usize] {
        let shape = self.input.shape();
        &shape[..shape.len() - 2]
    }

    /// Number of points of each cloud.
    fn len(&self) -> usize {
        let shape = self.input.shape();
        shape[shape.len() - 2]
    }

    fn check_same_batch(&self, name: &str, other: &Self, other_name: &str) -> PyResult<()> {
        if self.batch() == other.batch() {
            return Ok(());
        }
        Err(PyValueError::new_err(format!(
            "{name} has shape {}, but {other_name} has shape {}: all but the number of points has to agree",
            shape_text(self.input.shape()),
            shape_text(other.input.shape())
        )))
    }

    fn points(&self) -> PyResult<&[[T; 3]]> {
        Ok(self.input.slice()?.as_chunks::<3>().0)
    }
}

/// `values` in as many parts as there are clouds.
fn parts<T>(values: &mut [T], clouds: usize) -> Vec<&mut [T]> {
    let size = values.len() / clouds.max(1);
    let mut rest = values;
    let mut parts = Vec::with_capacity(clouds);
    for _ in 0..clouds {
        let (part, others) = std::mem::take(&mut rest).split_at_mut(size);
        parts.push(part);
        rest = others;
    }
    parts
}

/// The cloud of number `i` of those of `len` points.
fn cloud<T>(points: &[[T; 3]], i: usize, len: usize) -> &[[T; 3]] {
    &points[i * len..(i + 1) * len]
}

/// The shape `batch` + `rest`; the product is a number that memory can have.
fn shape(batch: &[usize], rest: &[usize]) -> PyResult<Vec<usize>> {
    let shape = [batch, rest].concat();
    let size = shape.iter().try_fold(8_usize, |size, n| size.checked_mul(*n));
    match size {
        Some(size) if isize::try_from(size).is_ok() => Ok(shape),
        _ => Err(PyValueError::new_err(format!("an output of shape {} is too large", shape_text(&shape)))),
    }
}

/// Runs `job` on each cloud; an error says which, if there are several.
fn each<T: Send>(
    rt: &Runtime,
    items: &mut [T],
    job: impl Fn(usize, &mut T, &Runtime) -> Result<()> + Sync + Send,
) -> Result<()> {
    match items {
        [one] => job(0, one, rt),
        _ => rt.each(items, job).map(drop),
    }
}

/// The `k` nearest points of each query, nearest first, of equals the lowest index.
///
/// Args:
///     points: float64 or float32, (N, 3) or (B, N, 3); all finite.
///     queries: of the same type, (M, 3) or (B, M, 3).
///     k: at most N.
///     threads: as everywhere.
///
/// Returns:
///     Squared distances, of the type of `points`, and indexes, int64; both (M, k) or (B, M, k).
#[pyfunction]
#[pyo3(signature = (points, queries, k=Count::of(1), threads=None), text_signature = "(points, queries, k=1, threads=None)")]
pub(crate) fn nearest_points<'py>(
    points: &Bound<'py, PyAny>,
    queries: &Bound<'py, PyAny>,
    k: Count,
    threads: Option<i64>,
) -> PyResult<Bound<'py, PyAny>> {
    let k = whole("k", k)?;
    if is_double(points)? {
        Ok(nearest_of::<f64>(points, queries, k, threads)?.into_pyobject(points.py())?.into_any())
    } else {
        Ok(nearest_of::<f32>(points, queries, k, threads)?.into_pyobject(points.py())?.into_any())
    }
}

type Pair<'py, T> = (Bound<'py, PyArrayDyn<T>>, Bound<'py, PyArrayDyn<i64>>);

fn nearest_of<'py, T: ArrayCoordinate>(
    points: &Bound<'py, PyAny>,
    queries: &Bound<'py, PyAny>,
    k: usize,
    threads: Option<i64>,
) -> PyResult<Pair<'py, T>> {
    let py = points.py();
    let (points, queries) = (Clouds::<T>::new(points, "points")?, Clouds::<T>::new(queries, "queries")?);
    queries.check_same_batch("queries", &points, "points")?;
    if k > points.len() {
        return Err(PyValueError::new_err(format!(
            "k={k} neighbours are asked for, there are {} points",
            points.len()
        )));
    }
    let clouds = points.batch().iter().product();
    let shape = shape(points.batch(), &[queries.len(), k])?;
    let (mut distances, mut indexes) = (Output::<T>::empty(py, &shape)?, Output::<i64>::empty(py, &shape)?);
    {
        let (n, m) = (points.len(), queries.len());
        let (points, queries) = (points.points()?, queries.points()?);
        let (distances, indexes) = (distances.slice()?, indexes.slice()?);
        let rt = runtime(py, threads)?;
        detached(py, 3 * (points.len() + queries.len()), || {
            let mut items: Vec<_> = parts(distances, clouds).into_iter().zip(parts(indexes, clouds)).collect();
            each(&rt, &mut items, |i, (distances, indexes), rt| {
                let tree = Tree::new(cloud(points, i, n), "points", &rt.pool)?;
                tree.nearest(rt, cloud(queries, i, m), k, distances, indexes)
            })
        })?;
    }
    Ok((distances.into_array(), indexes.into_array()))
}

/// The first `count` points, by index, that are not farther than `radius` from each centre.
///
/// Places that are left repeat the first of them; where no point is so near, all are the nearest point.
///
/// Args:
///     points: float64 or float32, (N, 3) or (B, N, 3); all finite.
///     centres: of the same type, (M, 3) or (B, M, 3).
///     radius: not negative; a point at this distance is inside.
///     count: places of each centre.
///     threads: as everywhere.
///
/// Returns:
///     Indexes, int64, (M, count) or (B, M, count); how many points were found, int64, (M,) or (B, M).
#[pyfunction]
#[pyo3(signature = (points, centres, radius, count, threads=None))]
pub(crate) fn ball_points<'py>(
    points: &Bound<'py, PyAny>,
    centres: &Bound<'py, PyAny>,
    radius: f64,
    count: Count,
    threads: Option<i64>,
) -> PyResult<Bound<'py, PyAny>> {
    let count = whole("count", count)?;
    if is_double(points)? {
        Ok(ball_of::<f64>(points, centres, radius, count, threads)?.into_pyobject(points.py())?.into_any())
    } else {
        Ok(ball_of::<f32>(points, centres, radius, count, threads)?.into_pyobject(points.py())?.into_any())
    }
}

fn ball_of<'py, T: ArrayCoordinate>(
    points: &Bound<'py, PyAny>,
    centres: &Bound<'py, PyAny>,
    radius: f64,
    count: usize,
    threads: Option<i64>,
) -> PyResult<Pair<'py, i64>> {
    let py = points.py();
    let (points, centres) = (Clouds::<T>::new(points, "points")?, Clouds::<T>::new(centres, "centres")?);
    centres.check_same_batch("centres", &points, "points")?;
    let clouds = points.batch().iter().product();
    let mut indexes = Output::<i64>::empty(py, &shape(points.batch(), &[centres.len(), count])?)?;
    let mut counts = Output::<i64>::empty(py, &shape(points.batch(), &[centres.len()])?)?;
    {
        let (n, m) = (points.len(), centres.len());
        let (points, centres) = (points.points()?, centres.points()?);
        let (indexes, counts) = (indexes.slice()?, counts.slice()?);
        let rt = runtime(py, threads)?;
        detached(py, 3 * (points.len() + centres.len()), || {
            let mut items: Vec<_> = parts(indexes, clouds).into_iter().zip(parts(counts, clouds)).collect();
            each(&rt, &mut items, |i, (indexes, counts), rt| {
                let tree = Tree::new(cloud(points, i, n), "points", &rt.pool)?;
                tree.ball(rt, cloud(centres, i, m), radius, count, indexes, counts)
            })
        })?;
    }
    Ok((indexes.into_array(), counts.into_array()))
}

/// Indexes of `count` points, each the farthest from those before it; of equals the lowest index.
///
/// Args:
///     points: float64 or float32, (N, 3) or (B, N, 3); all finite.
///     count: if it is above the number of different points, the lowest index follows again and again.
///     start: index of the first.
///     threads: as everywhere; clouds are spread over them.
///
/// Returns:
///     int64, (count,) or (B, count).
#[pyfunction]
#[pyo3(signature = (points, count, start=Count::of(0), threads=None), text_signature = "(points, count, start=0, threads=None)")]
pub(crate) fn farthest_points<'py>(
    points: &Bound<'py, PyAny>,
    count: Count,
    start: Count,
    threads: Option<i64>,
) -> PyResult<Bound<'py, PyAny>> {
    let (count, start) = (whole("count", count)?, whole("start", start)?);
    if is_double(points)? {
        Ok(farthest_of::<f64>(points, count, start, threads)?.into_pyobject(points.py())?.into_any())
    } else {
        Ok(farthest_of::<f32>(points, count, start, threads)?.into_pyobject(points.py())?.into_any())
    }
}

fn farthest_of<'py, T: ArrayCoordinate>(
    points: &Bound<'py, PyAny>,
    count: usize,
    start: usize,
    threads: Option<i64>,
) -> PyResult<Bound<'py, PyArrayDyn<i64>>> {
    let py = points.py();
    let points = Clouds::<T>::new(points, "points")?;
    let clouds = points.batch().iter().product();
    let mut indexes = Output::<i64>::empty(py, &shape(points.batch(), &[count])?)?;
    {
        let n = points.len();
        let (points, indexes) = (points.points()?, indexes.slice()?);
        let rt = runtime(py, threads)?;
        detached(py, 3 * points.len() + indexes.len(), || {
            each(&rt, &mut parts(indexes, clouds), |i, samples, rt| farthest(rt, cloud(points, i, n), start, samples))
        })?;
    }
    Ok(indexes.into_array())
}

/// Normals of the surface around points, by principal components of their `k` nearest.
///
/// A normal's greatest component (of equals, the first) is positive. A neighbourhood of equal points has (0, 0, 1).
///
/// Args:
///     points: float64 or float32, (N, 3) or (B, N, 3); all finite.
///     k: neighbours, the point itself among them; fewer if there are fewer points.
///     threads: as everywhere.
///
/// Returns:
///     Vectors of length one, of the type and shape of `points`.
#[pyfunction]
#[pyo3(signature = (points, k=Count::of(16), threads=None), text_signature = "(points, k=16, threads=None)")]
pub(crate) fn normals_of_points<'py>(
    points: &Bound<'py, PyAny>,
    k: Count,
    threads: Option<i64>,
) -> PyResult<Bound<'py, PyAny>> {
    let k = whole("k", k)?;
    if is_double(points)? {
        Ok(normals_of::<f64>(points, k, threads)?.into_pyobject(points.py())?.into_any())
    } else {
        Ok(normals_of::<f32>(points, k, threads)?.into_pyobject(points.py())?.into_any())
    }
}

fn normals_of<'py, T: ArrayCoordinate>(
    points: &Bound<'py, PyAny>,
    k: usize,
    threads: Option<i64>,
) -> PyResult<Bound<'py, PyArrayDyn<T>>> {
    let py = points.py();
    let points = Clouds::<T>::new(points, "points")?;
    let clouds = points.batch().iter().product();
    if k == 0 {
        return Err(PyValueError::new_err("k=0 neighbours have no normal, at least 1 is needed"));
    }
    let mut normals = Output::<T>::empty(py, points.input.shape())?;
    {
        let n = points.len();
        let (points, normals) = (points.points()?, normals.slice()?.as_chunks_mut::<3>().0);
        let rt = runtime(py, threads)?;
        detached(py, 3 * points.len(), || {
            each(&rt, &mut parts(normals, clouds), |i, normals, rt| {
                normals_of_cloud(cloud(points, i, n), k.min(n), normals, rt)
            })
        })?;
    }
    Ok(normals.into_array())
}

fn normals_of_cloud<T: ArrayCoordinate>(
    points: &[[T; 3]],
    k: usize,
    normals: &mut [[T; 3]],
    rt: &Runtime,
) -> Result<()> {
    let tree = Tree::new(points, "points", &rt.pool)?;
    let some = (NEIGHBOURHOODS / k.max(1)).max(1);
    let size = some.min(points.len()).saturating_mul(k);
    let (mut distances, mut indexes) = (vec![T::default(); size], vec![0_i64; size]);
    // Enough at a time that threads share them.
    let step = some.min(points.len()).max(1);
    for (queries, normals) in points.chunks(step).zip(normals.chunks_mut(step)) {
        let size = queries.len() * k;
        tree.nearest(rt, queries, k, &mut distances[..size], &mut indexes[..size])?;
        let neighbours = indexes[..size].chunks(k);
        let mut found: Vec<_> = neighbours.zip(normals).collect();
        let block = found.len().div_ceil(4 * rt.pool.threads()).max(1);
        let mut blocks: Vec<_> = found.chunks_mut(block).collect();
        rt.pool.map_mut(&mut blocks, |_, block| {
            let mut around = Vec::with_capacity(k);
            for (neighbours, to) in block.iter_mut() {
                around.clear();
                around.extend(neighbours.iter().map(|i| points[*i as usize]));
                **to = normal(&around).map(T::from_f64);
            }
        });
    }
    Ok(())
}

/// The voxels `floor((point - origin) / size)` that have points.
///
/// Args:
///     points: float64 or float32, (N, 3); all finite.
///     size: side of a voxel, positive.
///     origin: a corner of voxel (0, 0, 0).
///     threads: as everywhere.
///
/// Returns:
///     Coordinates of the M voxels, int32, (M, 3), in Morton order; the voxel of each point as an index of these, int64, (N,);
///     numbers of points, int64, (M,).
#[pyfunction]
#[pyo3(signature = (points, size, origin=(0.0, 0.0, 0.0), threads=None))]
pub(crate) fn voxelize_points<'py>(
    points: &Bound<'py, PyAny>,
    size: f64,
    origin: (f64, f64, f64),
    threads: Option<i64>,
) -> PyResult<VoxelArrays<'py>> {
    if is_double(points)? {
        voxels_of::<f64>(points, size, origin, threads)
    } else {
        voxels_of::<f32>(points, size, origin, threads)
    }
}

type VoxelArrays<'py> = (Bound<'py, PyArrayDyn<i32>>, Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<i64>>);

fn voxels_of<'py, T: ArrayCoordinate>(
    points: &Bound<'py, PyAny>,
    size: f64,
    origin: (f64, f64, f64),
    threads: Option<i64>,
) -> PyResult<VoxelArrays<'py>> {
    let py = points.py();
    let input = Input::<T>::new(points, "points")?;
    check_triples(&input, "points")?;
    let points = input.slice()?.as_chunks::<3>().0;
    let rt = runtime(py, threads)?;
    let voxels = detached(py, 3 * points.len(), || voxelize(points, size, origin.into(), &rt.pool))?;
    let mut coordinates = Output::<i32>::empty(py, &[voxels.coordinates.len(), 3])?;
    coordinates.slice()?.copy_from_slice(voxels.coordinates.as_flattened());
    Ok((coordinates.into_array(), to_array(py, voxels.voxel_of)?, to_array(py, voxels.counts)?))
}

/// Indexes of points in Morton order, that of an octree's leaves; equal points keep their order.
///
/// Args:
///     points: int32, (N, 3); from the lowest of each coordinate on.
///     threads: as everywhere.
///
/// Returns:
///     int64, (N,).
#[pyfunction]
#[pyo3(signature = (points, threads=None))]
pub(crate) fn morton_order<'py>(
    points: &Bound<'py, PyAny>,
    threads: Option<i64>,
) -> PyResult<Bound<'py, PyArray1<i64>>> {
    let py = points.py();
    let input = Input::<i32>::new(points, "points")?;
    check_triples(&input, "points")?;
    let points = input.slice()?.as_chunks::<3>().0;
    let rt = runtime(py, threads)?;
    let order = detached(py, 3 * points.len(), || {
        let low = points.iter().fold([i32::MAX; 3], |low, p| [0, 1, 2].map(|axis| low[axis].min(p[axis])));
        let from_low: Vec<[u32; 3]> =
            points.iter().map(|p| [0, 1, 2].map(|axis| p[axis].wrapping_sub(low[axis]) as u32)).collect();
        Ok(morton::order(&from_low, &rt.pool)?.into_iter().map(i64::from).collect::<Vec<_>>())
    })?;
    to_array(py, order)
}

/// Morton codes: of each bit of the coordinates, highest first, those of x, y and z.
///
/// Args:
///     points: int32, (N, 3), in 0..2097152.
///
/// Returns:
///     int64, (N,).
#[pyfunction]
pub(crate) fn morton_codes<'py>(points: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyArray1<i64>>> {
    let py = points.py();
    let input = Input::<i32>::new(points, "points")?;
    check_triples(&input, "points")?;
    let points = input.slice()?.as_chunks::<3>().0;
    let codes = detached(py, 3 * points.len(), || {
        let code = |(i, point): (usize, &[i32; 3])| {
            let legal = point.iter().all(|v| (0..1 << morton::AXIS_BITS).contains(v));
            if !legal {
                let [x, y, z] = point;
                let end = 1 << morton::AXIS_BITS;
                return Err(Error::invalid(format!(
                    "points[{i}] is ({x}, {y}, {z}), coordinates in 0..{end} have codes"
                )));
            }
            Ok(morton::encode(point.map(|v| v as u32)) as i64)
        };
        points.iter().enumerate().map(code).collect::<Result<Vec<_>>>()
    })?;
    to_array(py, codes)
}

fn check_triples<T: Element>(input: &Input<'_, T>, name: &str) -> PyResult<()> {
    match input.shape() {
        [_, 3] => Ok(()),
        shape => Err(PyValueError::new_err(format!("{name} has shape {}, (N, 3) is needed", shape_text(shape)))),
    }
}
