//! Matrices turned round: rows become columns.

#[cfg(target_arch = "x86_64")]
mod avx2;

use crate::Simd;

/// Rows and columns of the tiles that SIMD paths take at once.
const TILE: usize = 8;

/// `to[j * to_stride + i] = from[i * from_stride + j]` for `i` and `j` below the two numbers of `shape`.
pub(super) fn transpose(
    simd: Simd,
    from: &[i32],
    from_stride: usize,
    to: &mut [i32],
    to_stride: usize,
    shape: [usize; 2],
) {
    let [rows, columns] = shape;
    if rows == 0 || columns == 0 {
        return;
    }
    if rows == 1 && to_stride == 1 {
        return to[..columns].copy_from_slice(&from[..columns]);
    }
    if columns == 1 && from_stride == 1 {
        return to[..rows].copy_from_slice(&from[..rows]);
    }
    let tiles = [rows / TILE, columns / TILE];
    match simd {
        #[cfg(target_arch = "x86_64")]
        Simd::Avx2 | Simd::Avx512 => avx2::tiles(from, from_stride, to, to_stride, tiles),
        _ => tiles_plain(from, from_stride, to, to_stride, tiles),
    }
    let [rows_done, columns_done] = tiles.map(|count| count * TILE);
    let mut rest = |rows: std::ops::Range<usize>, columns: std::ops::Range<usize>| {
        for i in rows {
            for j in columns.clone() {
                to[j * to_stride + i] = from[i * from_stride + j];
            }
        }
    };
    rest(0..rows_done, columns_done..columns);
    rest(rows_done..rows, 0..columns);
}

/// Whole tiles, plainly.
fn tiles_plain(from: &[i32], from_stride: usize, to: &mut [i32], to_stride: usize, tiles: [usize; 2]) {
    for i in (0..tiles[0]).map(|tile| tile * TILE) {
        for j in (0..tiles[1]).map(|tile| tile * TILE) {
            for (column, row) in (0..TILE).flat_map(|column| (0..TILE).map(move |row| (column, row))) {
                to[(j + column) * to_stride + i + row] = from[(i + row) * from_stride + j + column];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_turns_every_shape() {
        let from: Vec<i32> = (0..40 * 50).collect();
        for simd in Simd::available() {
            for shape @ [rows, columns] in
                [[1, 1], [1, 40], [37, 1], [8, 8], [16, 24], [7, 9], [40, 33], [9, 50], [0, 3], [3, 0]]
            {
                for (from_stride, to_stride) in [(columns, rows), (50, 43)] {
                    let mut to = vec![-1; 50 * 43];
                    transpose(simd, &from, from_stride, &mut to, to_stride, shape);
                    for (i, value) in to.iter().enumerate() {
                        let (column, row) = (i / to_stride.max(1), i % to_stride.max(1));
                        let inside = row < rows && column < columns;
                        let expected = if inside { from[row * from_stride + column] } else { -1 };
                        assert_eq!(*value, expected, "{simd:?} {shape:?} at {i}");
                    }
                }
            }
        }
    }
}
