//! Windows around nodes, as flags.

use super::NUM_NEIGHBOURS;

/// How far the window of a node reaches on each axis.
pub const WINDOW_REACH: usize = 2;

/// Children of the neighbours on an axis.
const BLOCK_SIDE: usize = 6;

/// The flags of the children of a node's neighbours: bit `6 y + z` of slice `x`, counted from the lowest corner.
pub(super) type ChildBlock = [u64; BLOCK_SIDE];

/// The children of neighbours with these occupancies.
pub(super) fn child_block(occupancies: [u8; NUM_NEIGHBOURS]) -> ChildBlock {
    let spread = |half: u8| u64::from(half & 0b11) | u64::from(half & 0b1100) << 4;
    let mut block = [0; BLOCK_SIDE];
    for (x, plane) in occupancies.chunks_exact(9).enumerate() {
        for (at, occupancy) in plane.iter().enumerate() {
            let shift = 2 * (BLOCK_SIDE * (at / 3) + at % 3);
            block[2 * x] |= spread(occupancy & 15) << shift;
            block[2 * x + 1] |= spread(occupancy >> 4) << shift;
        }
    }
    block
}

/// The window of reach [`WINDOW_REACH`] around child `octant` of the node in the middle.
pub(super) fn window(block: &ChildBlock, octant: u8) -> u128 {
    const SIDE: usize = 2 * WINDOW_REACH + 1;
    let (x, shift) = (usize::from(octant >> 2), BLOCK_SIDE * usize::from(octant >> 1 & 1) + usize::from(octant & 1));
    let mut flags = 0;
    for (plane, slice) in block[x..x + SIDE].iter().enumerate() {
        let slice = slice >> shift;
        let rows = (0..SIDE).fold(0, |rows, y| rows | (slice >> (BLOCK_SIDE * y) & 0b11111) << (SIDE * y));
        flags |= u128::from(rows) << (SIDE * SIDE * plane);
    }
    flags
}

/// The numbers in a window of reach [`WINDOW_REACH`] of the places of one of reach `reach`, its middle left out.
pub(super) fn places(reach: usize) -> Vec<u32> {
    let (reach, whole) = (reach as i32, WINDOW_REACH as i32);
    let side = 2 * whole + 1;
    let mut places = Vec::new();
    for dx in -reach..=reach {
        for dy in -reach..=reach {
            for dz in -reach..=reach {
                if (dx, dy, dz) != (0, 0, 0) {
                    places.push((((dx + whole) * side + dy + whole) * side + dz + whole) as u32);
                }
            }
        }
    }
    places
}
