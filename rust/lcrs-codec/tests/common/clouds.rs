//! A tiny model of point clouds, and clouds to code with it.

use lcrs_codec::{CloudPackage, PointCloud, Values};
use serde_json::json;

use super::{limits, GraphJson, Model, Random, Weights};

/// Neighbours whose child is within reach 2 of a child, by how many axes their octants differ on.
const SEEN: [usize; 4] = [27, 18, 12, 8];

/// A network of random weights, with everything that a description can say.
pub fn cloud_model() -> Model {
    let mut weights = Weights::new(77);
    let order = [0_u8, 7, 3, 4, 5, 2, 6, 1];
    let (channels, resolution, half) = (6, 8, 40);
    let mut graphs = serde_json::Map::new();
    let mut trunk = GraphJson::new("trunk", &["nodes"], &mut weights);
    let x = trunk.conv(0, [26 + 8 + 124 + 8 + 26 + 5, 8], 1, 1, 1);
    let x = trunk.op("leaky_relu", &[x], json!({"slope": 0.01}));
    let x = trunk.conv(x, [8, channels], 1, 1, 1);
    graphs.insert("trunk".into(), trunk.finish(&[("features", x)]));
    for stage in 0..8 {
        let name = format!("head{stage}");
        let known: usize = order[..stage].iter().map(|then| SEEN[(then ^ order[stage]).count_ones() as usize]).sum();
        let inputs = if stage == 0 { vec!["trunk"] } else { vec!["trunk", "known"] };
        let mut head = GraphJson::new(&name, &inputs, &mut weights);
        let x = if stage == 0 { 0 } else { head.op("concat", &[0, 1], json!({})) };
        let x = head.conv(x, [channels + known, 5], 1, 1, 1);
        let x = head.op("relu", &[x], json!({}));
        let x = head.conv(x, [5, 1], 1, 1, 1);
        graphs.insert(name.clone(), head.finish(&[("logit", x)]));
    }
    let rows: i32 = 2 * half + 1;
    let one = |row: i32| (65535.0 / (1.0 + (-f64::from(row - half) / f64::from(resolution)).exp())) as i32;
    let cdf = (0..rows).flat_map(|row| [0, 65535 - one(row).clamp(1, 65534), 65535, 65536]).collect();
    weights.i32("table.cdf", &[rows as usize, 4], cdf);
    weights.i32("table.lengths", &[rows as usize], vec![4; rows as usize]);
    weights.i32("table.offsets", &[rows as usize], vec![0; rows as usize]);
    let heads: Vec<String> = (0..8).map(|stage| format!("head{stage}")).collect();
    let description = json!({
        "format": "lcrm", "version": 1, "name": "tiny-cloud", "numerics": "f32-fma/1", "graphs": graphs,
        "codec": {
            "type": "occupancy", "window": 1, "ancestors": [2, 1], "known": 2, "order": order,
            "scalars": ["levels_below", "growth_below", "growth", "growth_above", "node_bits"],
            "trunk": "trunk", "heads": heads, "resolution": resolution,
            "table": {"cdf": "table.cdf", "lengths": "table.lengths", "offsets": "table.offsets", "precision": 16},
            "adaptation": {"block": 64, "rows": 5, "strength": 8, "limit": 500},
        },
    });
    Model { description, weights }
}

/// The package of a model of point clouds.
pub fn cloud_package(model: &Model) -> lcrs_core::Result<CloudPackage> {
    CloudPackage::from_bytes(&model.to_bytes(), &limits())
}

/// Points of a wavy surface, `side` by `side`, with some twice.
pub fn surface(side: u32, seed: u64) -> Vec<[i32; 3]> {
    let mut random = Random(seed);
    let mut points = Vec::new();
    for x in 0..side as i32 {
        for y in 0..side as i32 {
            let z = (x * x / 9 + 3 * y / 2 + random.below(2) as i32) % 40;
            points.push([x - 5, y + 100, z]);
            if random.below(10) == 0 {
                points.push([x - 5, y + 100, z]);
            }
        }
    }
    points
}

/// A cloud of these points without attributes.
pub fn cloud(points: &[[i32; 3]]) -> PointCloud<'_> {
    PointCloud { positions: Values::I32(points.as_flattened().into()), attributes: Vec::new() }
}
