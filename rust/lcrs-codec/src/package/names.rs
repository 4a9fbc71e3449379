//! Names that mean something in every description.

/// Name of the graph from picture to latent.
pub(crate) const ANALYSIS: &str = "g_a";

/// Name of the graph from latent to picture.
pub(crate) const SYNTHESIS: &str = "g_s";

/// Members of a graph node or of a codec tree whose value is the name of a tensor.
pub(super) const TENSOR_KEYS: [&str; 11] =
    ["weight", "bias", "factor", "beta", "gamma", "tensor", "cdf", "lengths", "offsets", "medians", "thresholds"];
