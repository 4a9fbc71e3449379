"""The plain network of `GainSpaceChannelHyperprior`, written a second time: formulas on a state dict.

Its keys are the plain ones; nothing of lcrs is in it.
"""

import re

import torch
from torch.nn import functional as F

# The keys of lcrs on the left, the plain ones on the right.
TO_PLAIN = [
    (r"^(g_a\.\d\.blocks\.0)\.1\.", r"\1.conv."),
    (r"^(g_s\.\d\.blocks\.\d+)\.0\.", r"\1.conv."),
    (r"^(g_s\.2\.\d+)\.0\.", r"\1.conv."),
    (r"^h_s\.0\.0\.", "h_s.0."),
    (r"^h_s\.2\.", "h_s.3."),
    (r"^h_s\.4\.0\.", "h_s.5."),
    (r"^h_s\.6\.", "h_s.8."),
    (r"^latent_codec\.side_networks\.y(\d)\.", r"coders.\1."),
    (r"^latent_codec\.latent_codec\.y(\d)\.context_prediction\.", r"coders.\1.context."),
    (r"^latent_codec\.latent_codec\.y(\d)\.entropy_parameters\.0\.", r"coders.\1.parameters1."),
    (r"^latent_codec\.latent_codec\.y(\d)\.entropy_parameters\.2\.", r"coders.\1.parameters2."),
]


def plain_state(net):
    """Parameters of `net` under the plain keys, in a new order, convolutions in binary16."""
    state = {"log_lmbda": net.log_lmbda}
    for key, value in reversed(list(net.named_parameters())):
        for pattern, replacement in TO_PLAIN:
            key, count = re.subn(pattern, replacement, key)
            if count:
                break
        state[key] = value.detach().half() if value.dim() == 4 else value.detach()
    return state


class Plain:
    """Restored pictures and bits of y and z, at one level."""

    def __init__(self, state, level):
        self.state = {key: value.float() for key, value in state.items()}
        self.level = level

    def conv(self, x, place, **options):
        return F.conv2d(x, self.state[f"{place}.weight"], self.state[f"{place}.bias"], **options)

    def at(self, place):
        """The row of a table at the level, between its neighbours."""
        rows = self.state[f"{place}.values"]
        low = min(int(self.level), len(rows) - 2)
        return torch.lerp(rows[low], rows[low + 1], self.level - low).reshape(1, -1, 1, 1)

    def block(self, x, place):
        if f"{place}.depthwise.weight" in self.state:
            y = self.conv(self.conv(x, f"{place}.depthwise", padding=1, groups=x.shape[1]), f"{place}.conv1")
        else:
            y = self.conv(x, f"{place}.conv1", padding=1)
        return x + self.conv(F.leaky_relu(y, 0.1), f"{place}.conv2")

    def blocks(self, x, place, unshuffle=0, shuffle=0):
        numbers = {key[len(place) + 1 :].split(".")[0] for key in self.state if key.startswith(f"{place}.")}
        for i in sorted(int(number) for number in numbers if number.isdigit()):
            if f"{place}.{i}.conv.weight" in self.state:
                x = F.pixel_unshuffle(x, unshuffle) if unshuffle else x
                x = self.conv(x, f"{place}.{i}.conv")
                x = F.pixel_shuffle(x, shuffle) if shuffle else x
            else:
                x = self.block(x, f"{place}.{i}")
        return x

    def stage(self, x, place, **resampling):
        return self.blocks(x, f"{place}.blocks", **resampling) * self.at(f"{place}.log_gain").exp()

    def bits(self, symbols, log_scales):
        scales = log_scales.exp().clamp(min=0.11)
        normal = torch.distributions.Normal(0.0, 1.0)
        low, high = ((symbols.abs() + side) / scales for side in (-0.5, 0.5))
        return -(normal.cdf(-low) - normal.cdf(-high)).clamp(min=1e-9).log2().sum()

    def hyper(self, y):
        """Side information of y's size, and the bits of z."""
        z = F.leaky_relu(self.conv(y, "h_a.0", padding=1), 0.1)
        z = F.leaky_relu(self.conv(z, "h_a.2", stride=2, padding=2), 0.1)
        gain, mean = self.at("z_log_gain").exp(), self.at("z_mean")
        symbols = torch.round(self.conv(z, "h_a.4", stride=2, padding=2) * gain - mean)
        bits = self.bits(symbols, self.at("z_log_scale"))
        side = F.leaky_relu(F.pixel_shuffle(self.conv((symbols + mean) / gain, "h_s.0"), 2), 0.1)
        side = F.leaky_relu(self.conv(side, "h_s.3", padding=1), 0.1)
        side = F.leaky_relu(F.pixel_shuffle(self.conv(side, "h_s.5"), 2), 0.1)
        return self.conv(side, "h_s.8")[..., : y.shape[2], : y.shape[3]], bits

    def group(self, y, side, known, place, log_gain):
        """The restored channels of a group, and their bits, place by place of the two colours."""
        x = self.conv(torch.cat((side, *known), 1), f"{place}.entry")
        x = self.blocks(x, f"{place}.blocks") * self.at(f"{place}.log_gain").exp() + self.at(f"{place}.shift")
        weight = self.state[f"{place}.context.weight"]
        i = torch.arange(5)
        weight = weight * ((i[:, None] + i) % 2 == 1)
        rows, columns = torch.arange(y.shape[2])[:, None], torch.arange(y.shape[3])
        gain, y_hat, bits = log_gain.exp(), torch.zeros_like(y), 0.0
        for parity in (0, 1):
            seen = F.conv2d(y_hat, weight, self.state[f"{place}.context.bias"], padding=2)
            seen = seen if parity else torch.zeros_like(seen)
            hidden = F.leaky_relu(self.conv(torch.cat((seen, x), 1), f"{place}.parameters1"), 0.1)
            means, log_scales = self.conv(hidden, f"{place}.parameters2").chunk(2, 1)
            symbols = torch.round((y - means) * gain)
            here = ((rows + columns) % 2 == parity).expand_as(y)
            y_hat = torch.where(here, symbols / gain + means, y_hat)
            bits = bits + self.bits(symbols[here], (log_scales + log_gain).clamp(-8, 8)[here])
        return y_hat, bits

    def run(self, x):
        """Of a picture (1, 3, H, W) whose sides are multiples of 16: x_hat, bits of y, bits of z."""
        y = x - 0.5
        for i, factor in enumerate((4, 2, 2)):
            y = self.stage(y, f"g_a.{i}", unshuffle=factor)
        side, z_bits = self.hyper(y)
        log_gain, known, y_bits, start = self.at("y_log_gain"), [], 0.0, 0
        while f"coders.{len(known)}.entry.weight" in self.state:
            place = f"coders.{len(known)}"
            end = start + self.state[f"{place}.context.weight"].shape[1]
            part, bits = self.group(y[:, start:end], side, known, place, log_gain[:, start:end])
            known.append(part)
            y_bits, start = y_bits + bits, end
        x_hat = torch.cat(known, 1) * self.at("y_log_scale").exp()
        for i in range(2):
            x_hat = self.stage(x_hat, f"g_s.{i}", shuffle=2)
        return self.blocks(x_hat, "g_s.2", shuffle=4) + 0.5, y_bits, z_bits
