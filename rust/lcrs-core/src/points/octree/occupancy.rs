//! From positions to occupancies and back.

use super::MAX_DEPTH;
use crate::points::morton;
use crate::{Error, Limits, Result};

/// The occupancies of all levels above the positions, `depth` of them, the root's first.
///
/// `positions` are in Morton order, none twice, and of at most `depth` bits an axis. Without positions there are no nodes: every
/// level is empty.
///
/// # Errors
/// [`crate::ErrorKind::InvalidArgument`] if they are not so.
pub fn occupancies(positions: &[[u32; 3]], depth: u32, limits: &Limits) -> Result<Vec<Vec<u8>>> {
    if depth > MAX_DEPTH {
        return Err(Error::invalid(format!("octree of depth {depth}, legal are 0..={MAX_DEPTH}")));
    }
    check(positions, depth)?;
    let mut levels = Vec::new();
    let mut nodes: Vec<[u32; 3]> = limits.zeroed(positions.len(), "nodes")?;
    nodes.copy_from_slice(positions);
    for _ in 0..depth {
        let mut occupancy = Vec::with_capacity(nodes.len());
        let mut parents = 0;
        for child in 0..nodes.len() {
            let [x, y, z] = nodes[child];
            let parent = [x >> 1, y >> 1, z >> 1];
            if child == 0 || nodes[parents - 1] != parent {
                nodes[parents] = parent;
                parents += 1;
                occupancy.push(0);
            }
            occupancy[parents - 1] |= 1_u8 << (4 * (x & 1) + 2 * (y & 1) + (z & 1));
        }
        nodes.truncate(parents);
        occupancy.shrink_to_fit();
        levels.push(occupancy);
    }
    levels.reverse();
    Ok(levels)
}

/// The positions of the nodes below nodes at `positions`, in Morton order if these are.
///
/// # Errors
/// [`crate::ErrorKind::Limit`] if they exceed the limits.
pub fn leaves(positions: &[[u32; 3]], occupancy: &[u8], limits: &Limits) -> Result<Vec<[u32; 3]>> {
    let count: usize = occupancy.iter().map(|byte| byte.count_ones() as usize).sum();
    let mut children: Vec<[u32; 3]> = limits.zeroed(count, "positions")?;
    let mut places = children.iter_mut();
    for (position, byte) in positions.iter().zip(occupancy) {
        for octant in (0..8).filter(|octant| byte >> octant & 1 == 1) {
            let bits = [octant >> 2, octant >> 1 & 1, octant & 1];
            if let Some(place) = places.next() {
                *place = std::array::from_fn(|axis| position[axis] << 1 | bits[axis]);
            }
        }
    }
    Ok(children)
}

fn check(positions: &[[u32; 3]], depth: u32) -> Result<()> {
    let used = positions.iter().fold(0, |used, [x, y, z]| used | x | y | z);
    let bits = u32::BITS - used.leading_zeros();
    if bits > depth {
        return Err(Error::invalid(format!("positions of {bits} bits an axis in an octree of depth {depth}")));
    }
    let ascends = |pair: &[[u32; 3]]| morton::encode_wide(pair[0]) < morton::encode_wide(pair[1]);
    match positions.windows(2).position(|pair| !ascends(pair)) {
        None => Ok(()),
        Some(at) => Err(Error::invalid(format!(
            "position {} is {:?} after {:?}: Morton order without duplicates is needed",
            at + 1,
            positions[at + 1],
            positions[at]
        ))),
    }
}
