//! The functions of the exact path against 60-digit references, and their behaviour at the edges.

use lcrs_core::exact::math::{elu, erfc, exp, gelu, gelu_tanh, ln, mish, ppf, sigmoid, silu, softplus, tanh};

type Function = fn(f64) -> f64;

/// The functions in the order of the vectors, with the bounds that the module promises, in ulp.
const FUNCTIONS: [(&str, Function, f64); 7] = [
    ("exp", exp, 1.0),
    ("ln", ln, 1.0),
    ("tanh", tanh, 3.0),
    ("sigmoid", sigmoid, 3.0),
    ("softplus", softplus, 2.0),
    ("erfc", erfc, 8.0),
    ("ppf", ppf, 8.0),
];

/// The distance from `value` to its neighbour away from zero.
fn ulp(value: f64) -> f64 {
    let value = value.abs();
    f64::from_bits(value.to_bits() + 1) - value
}

#[test]
fn errors_are_within_their_bounds() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/exact/functions.bin");
    let bytes = std::fs::read(path).unwrap();
    let numbers: Vec<f64> = bytes.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect();
    let points: Vec<&[f64]> = numbers.chunks_exact(3).collect();
    assert_eq!(points.len(), 300 * FUNCTIONS.len());
    for ((name, function, bound), points) in FUNCTIONS.iter().zip(points.chunks(300)) {
        let mut worst = (0.0, 0.0);
        for p in points {
            let (x, value, remainder) = (p[0], p[1], p[2]);
            // near its zero the quantile cannot be better than the distribution function there
            let size = if *name == "ppf" { value.abs().max(0.5) } else { value };
            let error = ((function(x) - value) - remainder).abs() / ulp(size);
            if error > worst.0 && (value.is_normal() || *name != "erfc") {
                worst = (error, x);
            }
        }
        assert!(worst.0 <= *bound, "{name}({:e}) is {:.2} ulp off, promised are {bound}", worst.1, worst.0);
        assert!(worst.0 > 0.0, "{name}: the vectors are not being compared");
    }
}

/// A dense sweep against the platform's functions, which are good to an ulp or two.
#[test]
fn agrees_with_the_platform_everywhere() {
    let close = |ours: f64, theirs: f64, ulps: f64| (ours - theirs).abs() <= ulps * ulp(theirs);
    for i in -200_000..200_000 {
        let x = f64::from(i) * 0.003_543_21;
        assert!(close(exp(x), x.exp(), 2.0), "exp({x})");
        let t = x * 0.02;
        assert!(close(tanh(t), t.tanh(), 4.0), "tanh({t})");
        if i > 0 {
            let v = x * x * 1e-3;
            assert!(close(ln(v), v.ln(), 2.0), "ln({v})");
        }
    }
}

/// Activations of binary32 numbers, against their formulas in functions that are tested above.
#[test]
fn activations_are_their_formulas() {
    let close = |found: f64, wanted: f64, what: &str, x: f64| {
        let bound = wanted.abs() * 2.0_f64.powi(-30) + 1e-50; // zero in binary32
        assert!((found - wanted).abs() <= bound, "{what}({x}) is {found}, not {wanted}");
    };
    for i in -40_000..40_000 {
        let x = f64::from((f64::from(i) * 0.000_913) as f32);
        let x = if i % 3 == 0 { f64::from((x * 1e-6) as f32) } else { x };
        close(gelu(x), x * 0.5 * erfc(-x * std::f64::consts::FRAC_1_SQRT_2), "gelu", x);
        let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
        close(gelu_tanh(x), x / (1.0 + (-2.0 * inner).exp()), "gelu_tanh", x);
        close(silu(x), x / (1.0 + (-x).exp()), "silu", x);
        close(mish(x), x * x.exp().ln_1p().tanh(), "mish", x);
        close(elu(x, 0.7), if x > 0.0 { x } else { 0.7 * x.exp_m1() }, "elu", x);
    }
    for (name, function) in [("gelu", gelu as Function), ("gelu_tanh", gelu_tanh), ("silu", silu), ("mish", mish)] {
        assert_eq!([function(0.0), function(3e38)], [0.0, 3e38], "{name}");
        assert_eq!(function(-3e38), 0.0, "{name}");
        assert!(function(f64::NAN).is_nan() && function(f64::INFINITY) == f64::INFINITY, "{name}");
    }
    assert_eq!([elu(-3e38, 0.5), elu(f64::NEG_INFINITY, 2.0), elu(0.0, 1.0)], [-0.5, -2.0, 0.0]);
    assert!(elu(f64::NAN, 1.0).is_nan());
}

#[test]
fn edges() {
    for (_, function, _) in FUNCTIONS {
        assert!(function(f64::NAN).is_nan());
    }
    assert_eq!([exp(0.0), exp(f64::NEG_INFINITY), exp(f64::INFINITY)], [1.0, 0.0, f64::INFINITY]);
    assert_eq!([exp(709.78).is_finite(), exp(709.79).is_finite()], [true, false]);
    assert_eq!(exp(-745.13).to_bits(), 1);
    assert_eq!(exp(-745.14), 0.0);
    assert_eq!([ln(1.0), ln(0.0), ln(f64::INFINITY)], [0.0, f64::NEG_INFINITY, f64::INFINITY]);
    assert!(ln(-1.0).is_nan());
    assert_eq!([tanh(1e3), tanh(-1e3), tanh(f64::INFINITY)], [1.0, -1.0, 1.0]);
    assert!(tanh(-0.0).is_sign_negative());
    assert_eq!([sigmoid(0.0), sigmoid(1e3), sigmoid(-1e3)], [0.5, 1.0, 0.0]);
    assert_eq!([softplus(1e3), softplus(-1e3)], [1e3, 0.0]);
    assert!((erfc(0.0) - 1.0).abs() < 2e-16);
    assert_eq!([erfc(30.0), erfc(-30.0)], [0.0, 2.0]);
    assert_eq!([ppf(0.5), ppf(0.0), ppf(1.0)], [0.0, f64::NEG_INFINITY, f64::INFINITY]);
    assert!(ppf(1.5).is_nan());
    assert_eq!(ppf(0.75), -ppf(0.25));
}
