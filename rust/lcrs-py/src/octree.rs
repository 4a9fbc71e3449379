//! Octrees of point clouds, for those who train networks on what the geometry codec sees.

use std::sync::{Mutex, PoisonError};

use lcrs_core::points::morton;
use lcrs_core::points::octree::{
    growth_bytes, occupancies, Ancestry, Planes, Scalar, Stages, Told, TrunkInputs, MAX_DEPTH,
};
use lcrs_core::{Error, Limits, Pool, Result};
use numpy::{PyArray1, PyArray2, PyArrayMethods};
use pyo3::prelude::*;

use crate::arrays::{to_array, Input, Output};
use crate::errors::{caught, detached};
use crate::runtime::runtime;

/// The octree of a point cloud: the levels that the geometry codec codes, and what its networks see.
///
/// Level 0 is the root; the nodes of level `depth` are the positions themselves. Nodes of a level are in Morton order (of each
/// bit, highest first, x, then y, then z). Octant `4 x + 2 y + z` is the place of a child in its parent.
///
/// Args:
///     positions: uint32, (N, 3), N at least 1, in any order; what is there twice counts once.
///     depth: bits of a coordinate, at most 32; by default as many as are needed.
///     threads: how many to use; by default `num_threads`.
///
/// Raises:
///     ValueError: there are no positions, or one has more bits.
#[pyclass(frozen, module = "lcrs.coding")]
pub(crate) struct Octree {
    depth: u32,
    levels: Vec<Vec<u8>>,
    /// Where the last call was.
    place: Mutex<Option<Ancestry>>,
}

#[pymethods]
impl Octree {
    #[new]
    #[pyo3(signature = (positions, depth=None, *, threads=None))]
    fn new(positions: &Bound<'_, PyAny>, depth: Option<u32>, threads: Option<i64>) -> PyResult<Self> {
        let py = positions.py();
        let positions = Input::<u32>::new(positions, "positions")?;
        positions.check_ndim("positions", 2, "(N, 3)")?;
        positions.check_shape("positions", &[positions.shape()[0], 3], "a point")?;
        let runtime = runtime(py, threads)?;
        let (points, _) = positions.slice()?.as_chunks::<3>();
        detached(py, points.len(), || Self::of(points, depth, &runtime.pool))
    }

    /// Levels above the positions.
    #[getter]
    fn depth(&self) -> u32 {
        self.depth
    }

    /// The number of nodes of a level that have children, 0 to `depth - 1`.
    fn num_nodes(&self, py: Python<'_>, level: usize) -> PyResult<usize> {
        caught(py, || self.occupancy_of(level).map(Vec::len))
    }

    /// Which octants of each node of a level hold points: uint8, (N,), bit `o` for octant `o`.
    fn occupancy<'py>(&self, py: Python<'py>, level: usize) -> PyResult<Bound<'py, PyArray1<u8>>> {
        let occupancy = caught(py, || self.occupancy_of(level).cloned())?;
        to_array(py, occupancy)
    }

    /// The 27 neighbours of each node of a level: int32, (N, 27), indexes of nodes, -1 for none.
    ///
    /// Neighbour `(dx, dy, dz)`, each -1 to 1, has the number `9 (dx + 1) + 3 (dy + 1) + dz + 1`.
    fn neighbours<'py>(&self, py: Python<'py>, level: usize) -> PyResult<Bound<'py, PyArray2<i32>>> {
        let found = self.at(py, level, |ancestry, _| {
            let nodes = ancestry.level().len() as u32;
            let numbers = ancestry.level().neighbours().as_flattened().iter();
            Ok(numbers.map(|index| if *index == nodes { -1 } else { *index as i32 }).collect::<Vec<_>>())
        })?;
        to_array(py, found)?.reshape([self.levels[level].len(), 27])
    }

    /// The index of each node's parent in the level above: uint32, (N,).
    fn parents<'py>(&self, py: Python<'py>, level: usize) -> PyResult<Bound<'py, PyArray1<u32>>> {
        let parents = self.at(py, level, |ancestry, _| Ok(ancestry.level().parents().to_vec()))?;
        to_array(py, parents)
    }

    /// The octant of each node in its parent: uint8, (N,).
    fn octants<'py>(&self, py: Python<'py>, level: usize) -> PyResult<Bound<'py, PyArray1<u8>>> {
        let octants = self.at(py, level, |ancestry, _| Ok(ancestry.level().octants().to_vec()))?;
        to_array(py, octants)
    }

    /// What the trunk of a geometry package sees of each node of a level.
    ///
    /// Args:
    ///     level: 0 to `depth - 1`.
    ///     reach: of the window around the node, at most 2.
    ///     ancestors: the same for each ancestor, the nearest first.
    ///     scalars: numbers of the level: `"levels_below"`, `"growth_below"`, `"growth"`, `"growth_above"`, `"node_bits"`.
    ///
    /// Returns:
    ///     float32, (N, F): flags of the window without its middle, by `((dx + r) (2 r + 1) + dy + r) (2 r + 1) + dz + r`; for each
    ///     ancestor eight numbers, 1 at the octant that leads from it to the node, and its window; the numbers of the level.
    ///
    /// Raises:
    ///     ValueError: there is no such level, reach or number.
    #[pyo3(signature = (level, *, reach, ancestors, scalars))]
    fn trunk_features<'py>(
        &self,
        py: Python<'py>,
        level: usize,
        reach: usize,
        ancestors: Vec<usize>,
        scalars: Vec<String>,
    ) -> PyResult<Bound<'py, numpy::PyArrayDyn<f32>>> {
        let inputs = caught(py, || trunk_inputs(reach, ancestors, &scalars))?;
        let nodes = caught(py, || self.occupancy_of(level).map(Vec::len))?;
        let told = Told { depth: self.depth, growth_below: growth_bytes(&self.levels[level..=level])[0] };
        let mut out = Output::empty(py, &[nodes, inputs.count()])?;
        let numbers = out.slice()?;
        self.at(py, level, |ancestry, _| inputs.write(ancestry, told, 0..nodes, numbers))?;
        Ok(out.into_array())
    }

    /// What a head of a geometry package sees of each node of a level beside the trunk's numbers.
    ///
    /// All octants of earlier stages are known.
    ///
    /// Args:
    ///     level: 0 to `depth - 1`.
    ///     stage: 0 to 7.
    ///     order: the octants in the order of stages.
    ///     reach: how far from the child in question the head sees, at most 3.
    ///
    /// Returns:
    ///     float32, (N, F): for each stage before, in order, and each of the 27 neighbours whose child of that stage is within reach on
    ///     every axis, 1 if it has that child, else 0; none at stage 0.
    ///
    /// Raises:
    ///     ValueError: there is no such level, stage, order or reach.
    #[pyo3(signature = (level, stage, *, order, reach))]
    fn head_features<'py>(
        &self,
        py: Python<'py>,
        level: usize,
        stage: usize,
        order: [u8; 8],
        reach: usize,
    ) -> PyResult<Bound<'py, numpy::PyArrayDyn<f32>>> {
        let stages = caught(py, || Stages::new(order, reach).and_then(|stages| check_stage(stage).map(|()| stages)))?;
        let occupancy = caught(py, || self.occupancy_of(level))?;
        let count = stages.count(stage);
        let mut out = Output::empty(py, &[occupancy.len(), count])?;
        let numbers = out.slice()?;
        self.at(py, level, |ancestry, pool| {
            let mut planes = Planes::new(occupancy.len(), &Limits::default())?;
            for octant in &order[..stage] {
                let there: Vec<u8> = occupancy.iter().map(|byte| byte >> octant & 1).collect();
                planes.learn(ancestry.level(), &stages, &there, pool)?;
            }
            planes.write(&stages, 0..occupancy.len(), count, numbers)
        })?;
        Ok(out.into_array())
    }

    fn __repr__(&self) -> String {
        format!("Octree(depth={})", self.depth)
    }
}

impl Octree {
    fn of(points: &[[u32; 3]], depth: Option<u32>, pool: &Pool) -> Result<Self> {
        if points.is_empty() {
            return Err(Error::invalid("no positions, an octree needs one"));
        }
        let mut sorted: Vec<[u32; 3]> =
            morton::order(points, pool)?.into_iter().map(|index| points[index as usize]).collect();
        sorted.dedup();
        let used = sorted.iter().flatten().fold(0, |used, v| used | v);
        let depth = depth.unwrap_or(u32::BITS - used.leading_zeros());
        if depth > MAX_DEPTH {
            return Err(Error::invalid(format!("depth is {depth} (0 to {MAX_DEPTH})")));
        }
        let levels = occupancies(&sorted, depth, &Limits::default())?;
        Ok(Self { depth, levels, place: Mutex::new(None) })
    }

    fn occupancy_of(&self, level: usize) -> Result<&Vec<u8>> {
        let above = || Error::invalid(format!("level {level} of an octree of depth {} (below that)", self.depth));
        self.levels.get(level).ok_or_else(above)
    }

    /// Goes to a level and does something there.
    fn at<T: Send>(
        &self,
        py: Python<'_>,
        level: usize,
        job: impl FnOnce(&Ancestry, &Pool) -> Result<T> + Send,
    ) -> PyResult<T> {
        let runtime = runtime(py, None)?;
        let size = caught(py, || self.occupancy_of(level))?.len();
        detached(py, size, || {
            let taken = self.place.lock().unwrap_or_else(PoisonError::into_inner).take();
            let mut place = taken
                .filter(|place| place.depth() <= level)
                .unwrap_or_else(|| Ancestry::at_root(TrunkInputs::MAX_ANCESTORS));
            for occupancy in &self.levels[place.depth()..level] {
                place.descend(occupancy, &runtime.pool, &Limits::default())?;
            }
            let done = job(&place, &runtime.pool);
            *self.place.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
            done
        })
    }
}

fn trunk_inputs(reach: usize, ancestors: Vec<usize>, scalars: &[String]) -> Result<TrunkInputs> {
    let scalar = |name: &String| {
        let known = Scalar::ALL.map(Scalar::name).join(", ");
        Scalar::from_name(name).ok_or_else(|| Error::invalid(format!("no number of a level is {name:?}: {known} are")))
    };
    let inputs = TrunkInputs { reach, ancestors, scalars: scalars.iter().map(scalar).collect::<Result<_>>()? };
    inputs.check().map(|()| inputs)
}

fn check_stage(stage: usize) -> Result<()> {
    if stage > 7 {
        return Err(Error::invalid(format!("stage is {stage} (0 to 7)")));
    }
    Ok(())
}
