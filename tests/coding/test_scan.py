"""Scans from Python: round trips beside other symbols, and what is refused."""

import numpy as np
import pytest

from lcrs import coding
from lcrs.errors import LcrsError


@pytest.fixture
def table():
    return coding.gaussian_table(coding.default_scale_table(), tail_mass=1e-9)


def make_scan(rng, table, order="wavefront", **changes):
    """A scan of 2 channels with 3 side features, 4 context features and two layers."""
    weight = rng.standard_normal((4, 2, 5, 5), dtype=np.float32)
    weight[:, :, 2, 2:] = 0
    weight[:, :, 3:] = 0
    layers = [
        (
            rng.standard_normal((6, 7), dtype=np.float32),
            rng.standard_normal(6, dtype=np.float32),
            ("leaky_relu", 0.1),
        ),
        (rng.standard_normal((4, 6), dtype=np.float32), None, None),
    ]
    arguments = {
        "weight": weight,
        "bias": rng.standard_normal(4, dtype=np.float32),
        "layers": layers,
        "table": table,
        "thresholds": coding.default_scale_table()[:-1],
        "order": order,
    }
    return coding.RasterScan(**{**arguments, **changes})


def latents(rng, num_items=2):
    y = 3 * rng.standard_normal((num_items, 2, 6, 7), dtype=np.float32)
    return y, rng.standard_normal((num_items, 3, 6, 7), dtype=np.float32)


@pytest.mark.parametrize(("kind", "order"), [("lcrs", "wavefront"), ("ans", "raster")])
def test_shares_a_stream_with_other_symbols(rng, table, kind, order):
    scan, (y, side) = make_scan(rng, table, order), latents(rng)
    other = np.arange(5, dtype=np.int32)
    encoders = [coding.Encoder(kind) for _ in y]
    for encoder in encoders:
        encoder.push(other, other, table)
    y_hat = scan.encode(encoders, y, side)
    for encoder in encoders:
        encoder.push(other, other, table)
    decoders = [coding.Decoder(encoder.finish(), kind) for encoder in encoders]
    for decoder in decoders:
        assert (decoder.pull(other, table) == other).all()
    assert (scan.decode(decoders, side) == y_hat).all()
    for decoder in decoders:
        assert (decoder.pull(other, table) == other).all()
        decoder.finish()
    assert np.abs(y_hat - y).max() <= 0.5 + 1e-4


@pytest.mark.parametrize("num_items", [1, 2, 5])
def test_results_do_not_depend_on_threads(rng, table, num_items):
    scan, (y, side) = make_scan(rng, table), latents(rng, num_items)

    def strings(threads):
        encoders = [coding.Encoder() for _ in y]
        scan.encode(encoders, y, side, threads=threads)
        return [encoder.finish() for encoder in encoders]

    coded = strings(1)
    assert coded == strings(2) == strings(3)
    decoded = [
        scan.decode([coding.Decoder(s) for s in coded], side, threads=threads) for threads in (1, 2, 7)
    ]
    assert (decoded[0] == decoded[1]).all()
    assert (decoded[0] == decoded[2]).all()


def test_damage_is_an_error(rng, table):
    scan, (y, side) = make_scan(rng, table), latents(rng, 1)
    encoder = coding.Encoder()
    scan.encode([encoder], y, side)
    with pytest.raises(LcrsError, match="item 0"):
        scan.decode([coding.Decoder(encoder.finish()[:-8])], side)


@pytest.mark.parametrize("threads", [1, 2])
def test_damage_of_one_item_loses_the_place_in_all(rng, table, threads):
    scan, (y, side) = make_scan(rng, table), latents(rng, 3)
    encoders = [coding.Encoder() for _ in y]
    scan.encode(encoders, y, side)
    strings = [encoder.finish() for encoder in encoders]
    strings[1] = strings[1][:-8]
    decoders = [coding.Decoder(string) for string in strings]
    with pytest.raises(LcrsError, match="item 1"):
        scan.decode(decoders, side, threads=threads)
    for decoder in decoders:
        with pytest.raises(ValueError, match="used up"):
            decoder.finish()


def test_one_coder_for_two_items_is_refused_and_kept(rng, table):
    scan, (y, side) = make_scan(rng, table), latents(rng)
    encoder = coding.Encoder()
    with pytest.raises(ValueError, match="coder 1 is in use"):
        scan.encode([encoder, encoder], y, side)
    assert encoder.finish() == coding.Encoder().finish()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"order": "zigzag"}, 'order is "zigzag"'),
        ({"layers": []}, "the first layer has 0 inputs"),
        ({"weight": np.zeros((4, 2, 5), np.float32)}, r"weight has shape \(4, 2, 5\)"),
        ({"weight": np.ones((4, 2, 5, 5), np.float32)}, "hidden tap"),
        ({"layers": [(np.zeros((4, 7), np.float32), None, ("glu", 0.0))]}, 'no function "glu"'),
        ({"layers": [(np.zeros((5, 7), np.float32), None, None)]}, "5"),
    ],
)
def test_parts_that_do_not_fit_are_refused(rng, table, changes, message):
    with pytest.raises(ValueError, match=message):
        make_scan(rng, table, **changes)


def test_arrays_that_do_not_fit_are_refused(rng, table):
    scan, (y, side) = make_scan(rng, table), latents(rng)
    encoders = [coding.Encoder() for _ in y]
    with pytest.raises(ValueError, match="there are 1 coders, but y has 2 items"):
        scan.encode(encoders[:1], y, side)
    with pytest.raises(ValueError, match="there are 2 coders, but y has 1 items"):
        scan.encode(encoders, y[:1], side)
    with pytest.raises(ValueError, match=r"y has shape \(2, 6, 7\)"):
        scan.encode(encoders, y[0], side)
    with pytest.raises(ValueError, match="shape"):
        scan.encode(encoders, y[:, :, :5], side)
    encoders[0].finish()
    with pytest.raises(ValueError, match="used up"):
        scan.encode(encoders, y, side)
    with pytest.raises(TypeError):
        scan.encode([object(), object()], y, side)


def make_checkerboard(rng, table, **changes):
    """A scan of 2 channels with 3 side features and 4 context features."""
    weight = rng.standard_normal((4, 2, 3, 3), dtype=np.float32)
    weight[:, :, ::2, ::2] = 0
    weight[:, :, 1, 1] = 0
    arguments = {
        "weight": weight,
        "bias": None,
        "layers": [(rng.standard_normal((4, 7), dtype=np.float32), None, None)],
        "table": table,
        "thresholds": coding.default_scale_table()[:-1],
    }
    return coding.CheckerboardScan(**{**arguments, **changes})


@pytest.mark.parametrize("first", ["even", "odd"])
@pytest.mark.parametrize("parameters", ["scales, means", "means, scales"])
def test_checkerboard_round_trip(rng, table, first, parameters):
    scan = make_checkerboard(rng, table, first=first, parameters=parameters)
    y, side = latents(rng)
    encoders = [coding.Encoder() for _ in y]
    y_hat = scan.encode(encoders, y, side)
    decoders = [coding.Decoder(encoder.finish()) for encoder in encoders]
    assert (scan.decode(decoders, side) == y_hat).all()
    for decoder in decoders:
        decoder.finish()
    assert np.abs(y_hat - y).max() <= 0.5 + 1e-4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"first": "black"}, 'first is "black"'),
        ({"parameters": "means"}, 'parameters is "means"'),
        ({"weight": np.ones((4, 2, 3, 3), np.float32)}, "hidden tap"),
        ({"parameters": "scales"}, "2"),
    ],
)
def test_checkerboard_parts_that_do_not_fit_are_refused(rng, table, changes, message):
    with pytest.raises(ValueError, match=message):
        make_checkerboard(rng, table, **changes)


def read_symbols(string, scales, thresholds, table, first=0):
    """Symbols of a checkerboard, (H, W, C), whose scaled scales are known."""
    height, width, _ = scales.shape
    decoder, symbols = coding.Decoder(string), np.zeros(scales.shape, np.int32)
    for colour in (first, 1 - first):
        for row, column in np.ndindex(height, width):
            if (row + column) % 2 == colour:
                rows = np.searchsorted(thresholds, scales[row, column]).astype(np.int32)
                symbols[row, column] = decoder.pull(rows, table)
    decoder.finish()
    return symbols


@pytest.mark.parametrize("gains", [1, 2])
@pytest.mark.parametrize("domain", ["linear", "log"])
@pytest.mark.parametrize("kind", ["checkerboard", "raster"])
def test_gains_divide_steps_and_shift_scales(rng, table, kind, domain, gains):
    """Without weights of context and means parameters are those of a bias, so that every number is known."""
    scales, means = np.array([1.3, 0.6], np.float32), np.array([0.25, -3.5], np.float32)
    thresholds = coding.default_scale_table()[:-1]
    gain = np.array([3.7, 0.3], np.float32)[:gains]
    log_gain = np.array([1.1, -0.9], np.float32)[:gains]  # not the gain's: what is added is what is given
    if domain == "log":
        scales, thresholds = np.log(scales), np.log(thresholds)
        rate, scaled = {"gain": gain, "log_gain": log_gain}, scales + log_gain
    else:
        rate, scaled = {"gain": gain}, scales * gain
    bias = np.concatenate([scales, means])
    parts = {"layers": [(np.zeros((4, 7), np.float32), bias, None)], "thresholds": thresholds}
    scan = (make_scan if kind == "raster" else make_checkerboard)(rng, table, **parts)
    y, side = latents(rng)
    encoders = [coding.Encoder() for _ in y]
    y_hat = scan.encode(encoders, y, side, **rate)
    strings = [encoder.finish() for encoder in encoders]
    assert (scan.decode([coding.Decoder(s) for s in strings], side, threads=2, **rate) == y_hat).all()
    channels = np.moveaxis(y, 1, -1)
    symbols = np.rint((channels - means) * gain)
    np.testing.assert_array_equal(
        np.moveaxis(y_hat, 1, -1), symbols.astype(np.float32) / gain + means, strict=True
    )
    if kind == "checkerboard":
        for string, wanted in zip(strings, symbols, strict=True):
            rows = np.broadcast_to(scaled, wanted.shape)
            np.testing.assert_array_equal(read_symbols(string, rows, thresholds, table), wanted)


@pytest.mark.parametrize(
    ("rate", "message"),
    [
        ({"gain": np.zeros(1, np.float32)}, "gain is 0, must be positive and finite"),
        ({"gain": np.full(2, np.nan, np.float32)}, "gain is NaN"),
        ({"gain": np.ones(3, np.float32)}, "3 gains for 2 channels"),
        ({"gain": np.ones(0, np.float32)}, "there is no gain"),
        ({"gain": np.ones(2, np.float32), "log_gain": np.zeros(1, np.float32)}, "2 gains, but 1 log"),
        ({"gain": np.ones(1, np.float32), "log_gain": np.full(1, np.inf, np.float32)}, "is inf, must be"),
        ({"log_gain": np.zeros(1, np.float32)}, "log_gain is given without gain"),
        ({"context_bias": np.zeros(3, np.float32)}, "3 numbers for 4 features"),
    ],
)
@pytest.mark.parametrize("make", [make_scan, make_checkerboard])
def test_illegal_rates_are_refused_and_coders_kept(rng, table, make, rate, message):
    scan, (y, side) = make(rng, table), latents(rng, 1)
    encoder, decoder = coding.Encoder(), coding.Decoder(coding.Encoder().finish())
    with pytest.raises(ValueError, match=message):
        scan.encode([encoder], y, side, **rate)
    with pytest.raises(ValueError, match=message):
        scan.decode([decoder], side, **rate)
    assert encoder.finish() == coding.Encoder().finish()
    decoder.finish()


def test_a_shrinkage_has_no_logarithms(rng, table):
    shrinkage = ([(np.zeros((1, 2), np.float32), None, None)], 0.11)
    scan, (y, side) = make_scan(rng, table, shrinkage=shrinkage), latents(rng, 1)
    one = np.ones(1, np.float32)
    with pytest.raises(ValueError, match="shrinkage"):
        scan.encode([coding.Encoder()], y, side, gain=one, log_gain=one)
