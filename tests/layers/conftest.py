"""One thread for torch: small tensors gain nothing from more, and tests may share a machine."""

import torch

torch.set_num_threads(1)
