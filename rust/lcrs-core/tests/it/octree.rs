//! Octrees against sets of positions: what is seen around a node is what lies there.

use lcrs_core::points::morton;
use lcrs_core::points::octree::{
    growth_byte, leaves, occupancies, Ancestry, Level, Planes, Scalar, Stages, Told, TrunkInputs, MAX_DEPTH,
    NUM_NEIGHBOURS,
};
use lcrs_core::{ErrorKind, Limits, Pool};
use proptest::prelude::*;
use std::collections::BTreeSet;

type Position = [u32; 3];

/// Positions in Morton order, each once.
fn sorted(points: &[Position]) -> Vec<Position> {
    let mut codes: Vec<u128> = points.iter().map(|point| morton::encode_wide(*point)).collect();
    codes.sort_unstable();
    codes.dedup();
    codes.into_iter().map(morton::decode_wide).collect()
}

/// The nodes of a level, by the definition.
fn nodes(points: &[Position], depth: u32, level: u32) -> Vec<Position> {
    sorted(&points.iter().map(|point| point.map(|v| (u64::from(v) >> (depth - level)) as u32)).collect::<Vec<_>>())
}

/// What lies at a distance from a node, if that is a place at all.
fn moved(node: Position, by: [i64; 3]) -> Option<Position> {
    let moved = [0, 1, 2].map(|axis| u32::try_from(i64::from(node[axis]) + by[axis]).ok());
    Some([moved[0]?, moved[1]?, moved[2]?])
}

fn offsets(reach: i64) -> Vec<[i64; 3]> {
    let axis = || -reach..=reach;
    axis().flat_map(|x| axis().flat_map(move |y| axis().map(move |z| [x, y, z]))).collect()
}

fn octant([x, y, z]: Position) -> u8 {
    (4 * (x & 1) + 2 * (y & 1) + (z & 1)) as u8
}

/// The flags of a window without its middle.
fn window(level: &BTreeSet<Position>, node: Position, reach: i64) -> Vec<f32> {
    let around = offsets(reach).into_iter().filter(|by| *by != [0; 3]);
    around.map(|by| f32::from(u8::from(moved(node, by).is_some_and(|place| level.contains(&place))))).collect()
}

/// Points that crowd, so that there is something to see around them, of `depth` bits.
fn clouds() -> impl Strategy<Value = (u32, Vec<Position>)> {
    (0..=MAX_DEPTH, any::<[u32; 3]>()).prop_flat_map(|(depth, base)| {
        let mask = ((1_u64 << depth) - 1) as u32;
        let at = move |(near, crowd): (Position, u32)| {
            [0, 1, 2].map(|axis| base[axis].wrapping_mul(crowd).wrapping_add(near[axis]) & mask)
        };
        let point = (prop::array::uniform3(0_u32..6), 0_u32..3).prop_map(at);
        (Just(depth), prop::collection::vec(point, 1..60))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_level_sees_what_lies_around((depth, points) in clouds(), threads in 1_usize..3, reach in 0_i64..=3, stage_seed: u64) {
        let (pool, limits) = (Pool::new(threads).unwrap(), Limits::default());
        let leaf_positions = sorted(&points);
        let levels = occupancies(&leaf_positions, depth, &limits).unwrap();
        prop_assert_eq!(levels.len() as u32, depth);
        let mut order: Vec<u8> = (0..8).collect();
        (0..8_usize).for_each(|i| order.swap(i, (stage_seed >> (8 * i)) as usize % 8));
        let stages = Stages::new(order.clone().try_into().unwrap(), reach as usize).unwrap();
        let inputs = TrunkInputs { reach: 2, ancestors: vec![1, 2], scalars: Scalar::ALL.to_vec() };
        let mut ancestry = Ancestry::at_root(2);
        let mut positions = vec![[0; 3]];
        for (l, occupancy) in (0_u32..).zip(&levels) {
            let expected = nodes(&points, depth, l);
            prop_assert_eq!(&positions, &expected);
            let set: BTreeSet<Position> = expected.iter().copied().collect();
            let below: BTreeSet<Position> = nodes(&points, depth, l + 1).into_iter().collect();
            let around = offsets(1);
            for (node, position) in expected.iter().enumerate() {
                let found: Vec<Option<Position>> = ancestry.level().neighbours()[node]
                    .iter().map(|index| expected.get(*index as usize).copied()).collect();
                let wanted: Vec<Option<Position>> = around.iter()
                    .map(|by| moved(*position, *by).filter(|place| set.contains(place))).collect();
                prop_assert_eq!(found, wanted);
            }
            let mut features = vec![f32::NAN; inputs.count() * expected.len()];
            let told = Told { depth, growth_below: growth_byte(expected.len() as u64, below.len() as u64) };
            inputs.write(&ancestry, told, 0..expected.len(), &mut features).unwrap();
            for (position, features) in expected.iter().zip(features.chunks(inputs.count())) {
                let mut wanted = window(&set, *position, 2);
                for (step, reach) in [(1, 1), (2, 2)] {
                    let mut octants = vec![0.0; 8];
                    let mut around = vec![0.0; (2 * reach as usize + 1).pow(3) - 1];
                    if l >= step {
                        let above = nodes(&points, depth, l - step).into_iter().collect();
                        octants[usize::from(octant(position.map(|v| v >> (step - 1))))] = 1.0;
                        around = window(&above, position.map(|v| v >> step), reach);
                    }
                    wanted.extend(octants);
                    wanted.extend(around);
                }
                let nodes_at = |level: Option<u32>| level.map(|level| nodes(&points, depth, level).len() as f32);
                let growth = |level: Option<u32>| match (nodes_at(level), nodes_at(level.and_then(|l| l.checked_sub(1)))) {
                    (Some(nodes), Some(above)) => nodes / above / 8.0,
                    _ => 0.0,
                };
                let bits = (expected.len() as f32).log2().floor() + 1.0;
                wanted.extend([(depth - l - 1).min(15) as f32 / 16.0, (32.0 * below.len() as f32 / expected.len() as f32 + 0.5).floor().clamp(8.0, 255.0) / 256.0, growth(Some(l)), growth(l.checked_sub(1)), bits / 32.0]);
                prop_assert_eq!(features, &wanted[..]);
            }
            let mut planes = Planes::new(expected.len(), &limits).unwrap();
            for (stage, now) in order.iter().enumerate() {
                let count = stages.count(stage);
                let mut features = vec![f32::NAN; (count + 1) * expected.len()];
                planes.write(&stages, 0..expected.len(), count + 1, &mut features).unwrap();
                for (position, features) in expected.iter().zip(features.chunks(count + 1)) {
                    let child = [0, 1, 2].map(|axis| i64::from(position[axis]) * 2 + i64::from(now >> (2 - axis) & 1));
                    let mut wanted = Vec::new();
                    for then in &order[..stage] {
                        for by in &around {
                            let place = [0, 1, 2].map(|axis| (i64::from(position[axis]) + by[axis]) * 2 + i64::from(then >> (2 - axis) & 1));
                            if (0..3).all(|axis| (place[axis] - child[axis]).abs() <= reach) {
                                let place = place.map(|v| u32::try_from(v).ok());
                                let there = matches!(place, [Some(x), Some(y), Some(z)] if below.contains(&[x, y, z]));
                                wanted.push(f32::from(u8::from(there)));
                            }
                        }
                    }
                    prop_assert!(features[0].is_nan());
                    prop_assert_eq!(&features[1..], &wanted[..]);
                }
                let there: Vec<u8> = occupancy.iter().map(|byte| byte >> now & 1).collect();
                planes.learn(ancestry.level(), &stages, &there, &pool).unwrap();
            }
            prop_assert_eq!(planes.known(), &occupancy[..]);
            positions = leaves(&positions, occupancy, &limits).unwrap();
            if l + 1 < depth {
                ancestry.descend(occupancy, &pool, &limits).unwrap();
            }
        }
        prop_assert_eq!(positions, leaf_positions);
    }
}

/// Many nodes, so that several threads have blocks of them.
#[test]
fn levels_do_not_depend_on_the_number_of_threads() {
    let points: Vec<Position> = (0..20_000_u32).map(|i| [i % 97, i / 97 % 89, (i * i) % 61]).collect();
    let points = sorted(&points);
    let levels = occupancies(&points, 7, &Limits::default()).unwrap();
    let level = |threads| {
        let pool = Pool::new(threads).unwrap();
        let down = |level: Level, occupancy: &Vec<u8>| level.children(occupancy, &pool, &Limits::default()).unwrap();
        levels.iter().fold(Level::root(), down)
    };
    let (one, three) = (level(1), level(3));
    assert!(one.len() == points.len() && one.neighbours() == three.neighbours());
    assert_eq!((one.parents(), one.octants()), (three.parents(), three.octants()));
    assert!(one.neighbours().iter().zip(0..).all(|(around, node)| around[NUM_NEIGHBOURS / 2] == node));
}

#[test]
fn what_is_no_tree_is_refused() {
    let limits = Limits::default();
    let refused = |points: &[Position], depth| occupancies(points, depth, &limits).unwrap_err().to_string();
    assert!(refused(&[[0; 3], [0; 3]], 4).contains("position 1 is [0, 0, 0] after [0, 0, 0]"));
    assert!(refused(&[[1, 0, 0], [0, 1, 1]], 4).contains("Morton order"));
    assert!(refused(&[[0, 16, 0]], 4).contains("5 bits an axis in an octree of depth 4"));
    assert!(refused(&[], 33).contains("depth 33, legal are 0..=32"));
    assert_eq!(occupancies(&[], 2, &limits).unwrap(), vec![Vec::<u8>::new(); 2]);
    let children = |occupancy: &[u8], limits| Level::root().children(occupancy, &Pool::serial(), limits);
    assert!(children(&[], &limits).unwrap_err().to_string().contains("0 occupancies given, the level has 1 nodes"));
    assert!(children(&[0], &limits).unwrap_err().to_string().contains("occupancy of node 0 is 0"));
    let mut few = limits;
    few.max_bytes = 100;
    assert_eq!(children(&[255], &few).unwrap_err().kind(), ErrorKind::Limit);
    assert!(Stages::new([0, 1, 2, 3, 4, 5, 6, 6], 2).is_err() && Stages::new([0, 1, 2, 3, 4, 5, 6, 200], 2).is_err());
    assert!(Stages::new([7, 6, 5, 4, 3, 2, 1, 0], 4).is_err());
}
