//! Normals of surfaces by principal components of neighbourhoods (Hoppe et al., "Surface reconstruction from unorganized
//! points", SIGGRAPH 1992, section 3).

use super::coordinate::Coordinate;

/// Rounds of rotations, each of which squares what is off the diagonal: four or five are enough.
const ROUNDS: usize = 8;

/// What is off the diagonal by this much less than the whole does not turn a vector.
const NEGLIGIBLE: f64 = 1e-20;

/// The direction in which `points` extend least, of length one: the eigenvector of their covariance's smallest eigenvalue.
///
/// Its greatest component (of equals, the first) is positive. Points that extend in less than two directions have many; one of
/// them is given, and of a single point (0, 0, 1).
pub fn normal<T: Coordinate>(points: &[[T; 3]]) -> [f64; 3] {
    let Some(first) = points.first() else { return [0.0, 0.0, 1.0] };
    // From one of them: of far away neighbours the mean has the same digits as they.
    let offset = |point: &[T; 3]| [0, 1, 2].map(|axis| point[axis].to_f64() - first[axis].to_f64());
    let scale = points.iter().flat_map(offset).fold(0.0, |scale: f64, v| scale.max(v.abs()));
    if scale == 0.0 || !scale.is_finite() {
        return [0.0, 0.0, 1.0];
    }
    let scaled = |point: &[T; 3]| offset(point).map(|v| v / scale);
    let sum = points.iter().map(scaled).fold([0.0; 3], |sum, v| [0, 1, 2].map(|axis| sum[axis] + v[axis]));
    let mean = sum.map(|v| v / points.len() as f64);
    let mut covariance = [[0.0; 3]; 3];
    for v in points.iter().map(scaled) {
        let centred = [0, 1, 2].map(|axis| v[axis] - mean[axis]);
        for (i, row) in covariance.iter_mut().enumerate() {
            for (j, entry) in row.iter_mut().enumerate() {
                *entry += centred[i] * centred[j];
            }
        }
    }
    oriented(smallest_eigenvector(covariance))
}

/// Of a symmetric matrix, by Jacobi's rotations: additions, products, quotients and square roots in one order.
fn smallest_eigenvector(mut a: [[f64; 3]; 3]) -> [f64; 3] {
    let mut vectors = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    let whole = a[0][0] + a[1][1] + a[2][2];
    for _ in 0..ROUNDS {
        if a[0][1].abs() + a[0][2].abs() + a[1][2].abs() <= NEGLIGIBLE * whole {
            break;
        }
        for (p, q) in [(0, 1), (0, 2), (1, 2)] {
            if a[p][q] == 0.0 {
                continue;
            }
            let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
            // theta may be infinite, where the rotation is none.
            let t = 1.0 / (theta.abs() + (theta * theta + 1.0).sqrt());
            let t = if theta < 0.0 { -t } else { t };
            let c = 1.0 / (t * t + 1.0).sqrt();
            let s = t * c;
            for row in &mut a {
                (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
            }
            let (row_p, row_q) = (a[p], a[q]);
            a[p] = [0, 1, 2].map(|k| c * row_p[k] - s * row_q[k]);
            a[q] = [0, 1, 2].map(|k| s * row_p[k] + c * row_q[k]);
            for vector in &mut vectors {
                (vector[p], vector[q]) = (c * vector[p] - s * vector[q], s * vector[p] + c * vector[q]);
            }
        }
    }
    // Of equals the last, so that a heap of equal points has the normal of a single one.
    let smaller = |i: usize, j: usize| if a[j][j] <= a[i][i] { j } else { i };
    let column = smaller(smaller(0, 1), 2);
    vectors.map(|row| row[column])
}

/// Of length one, the greatest component positive.
fn oriented(vector: [f64; 3]) -> [f64; 3] {
    let [x, y, z] = vector;
    let length = (x * x + y * y + z * z).sqrt();
    let greatest = vector.iter().fold(0.0, |greatest: f64, v| if v.abs() > greatest.abs() { *v } else { greatest });
    let sign = if greatest < 0.0 { -1.0 } else { 1.0 };
    vector.map(|v| sign * v / length)
}
