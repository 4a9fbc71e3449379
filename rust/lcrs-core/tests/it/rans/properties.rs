//! Random tables, symbols and pieces (proptest).

use lcrs_core::cdf::{pmf_to_quantized_cdf, CdfTable};
use proptest::prelude::*;

use crate::rans::round_trip::check;
use crate::rans::support::{table, Rng};

prop_compose! {
    /// Cumulative frequencies of 1 to 300 entries, wild or even.
    fn any_row(precision: u32)(
        weights in prop::collection::vec(prop_oneof![Just(0.0f32), 0.0f32..1.0, 0.0f32..1e-4, Just(1.0)], 1..300),
        bump in 0.5f32..1.0,
    ) -> Vec<i32> {
        let mut pmf = weights;
        pmf.truncate(1 << precision);
        pmf[0] += bump;
        pmf_to_quantized_cdf(&pmf, precision).unwrap().iter().map(|&c| c as i32).collect()
    }
}

fn any_table() -> impl Strategy<Value = CdfTable> {
    (1u32..=16).prop_flat_map(|precision| {
        let offset = prop_oneof![-300i32..300, -40_000i32..40_000, Just(i32::MIN), Just(i32::MAX - 300)];
        prop::collection::vec((any_row(precision), offset), 1..80).prop_map(move |rows| {
            let (rows, offsets): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
            table(&rows, &offsets, precision)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn anything_comes_back(
        table in any_table(),
        picks in prop::collection::vec((any::<u32>(), prop_oneof![8 => 0i64..300, 1 => any::<i32>().prop_map(i64::from)]), 0..3000),
        seed in 1u64..,
    ) {
        let indexes: Vec<i32> = picks.iter().map(|(row, _)| (*row as usize % table.num_rows()) as i32).collect();
        let symbols: Vec<i32> = picks
            .iter()
            .zip(&indexes)
            .map(|((_, v), &index)| (v + i64::from(table.row(index as usize).offset)) as i32)
            .collect();
        check(&mut Rng(seed), &symbols, &indexes, &table);
    }

    #[test]
    fn quantised_cdfs_are_tables(pmf in prop::collection::vec(0.0f32..1.0, 1..2000), precision in 11u32..=16) {
        prop_assume!(pmf.iter().sum::<f32>() > 0.01);
        let cdf = pmf_to_quantized_cdf(&pmf, precision).unwrap();
        prop_assert_eq!((cdf.len(), cdf[0], cdf[cdf.len() - 1]), (pmf.len() + 1, 0, 1 << precision));
        prop_assert!(cdf.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
