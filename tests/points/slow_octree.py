"""Octrees the slow way: sets of positions, one node at a time, written from the definition alone."""

import itertools

ORDER = (0, 7, 3, 4, 5, 2, 6, 1)


class SlowOctree:
    """The tree as a set of nodes for each level; a node is its position in units of its level."""

    def __init__(self, points):
        points = {tuple(int(v) for v in point) for point in points}
        self.depth = max((v.bit_length() for point in points for v in point), default=0)
        self.levels = [
            {tuple(v >> (self.depth - level) for v in point) for point in points}
            for level in range(self.depth + 1)
        ]

    def nodes(self, level):
        """In Morton order."""

        def key(node):
            bits = (node[axis] >> bit & 1 for bit in reversed(range(self.depth)) for axis in range(3))
            return tuple(bits)

        return sorted(self.levels[level], key=key)

    def window(self, level, node, reach):
        if level < 0:
            return [0] * ((2 * reach + 1) ** 3 - 1)
        places = itertools.product(range(-reach, reach + 1), repeat=3)
        return [
            int(tuple(n + d for n, d in zip(node, place, strict=True)) in self.levels[level])
            for place in places
            if any(place)
        ]

    def trunk_flags(self, level, node, reach, ancestors):
        """Window, then for each ancestor the octant of the way and its window."""
        # The root has no neighbours, and what is above it is nothing at all.
        flags = self.window(level, node, reach)
        for number, reach_above in enumerate(ancestors, 1):
            below = [v >> (number - 1) for v in node]
            octant = 4 * (below[0] & 1) + 2 * (below[1] & 1) + (below[2] & 1)
            exists = level - number >= 0
            flags += [int(exists and octant == o) for o in range(8)]
            above = [v >> 1 for v in below]
            flags += self.window(level - number, above, reach_above)
        return flags

    def children(self, level, node):
        """Whether each octant is there, by number."""
        return [
            int((2 * node[0] + x, 2 * node[1] + y, 2 * node[2] + z) in self.levels[level + 1])
            for x, y, z in itertools.product((0, 1), repeat=3)
        ]

    def known_flags(self, level, node, stage, reach, order=ORDER):
        """Children of earlier stages near the octant of a stage, of all nodes around."""

        def corner(octant):
            return [octant >> 2 & 1, octant >> 1 & 1, octant & 1]

        mine, flags = corner(order[stage]), []
        for octant in order[:stage]:
            for step in itertools.product((-1, 0, 1), repeat=3):
                apart = [2 * s + c - m for s, c, m in zip(step, corner(octant), mine, strict=True)]
                if max(map(abs, apart)) <= reach:
                    child = tuple(2 * n + m + a for n, m, a in zip(node, mine, apart, strict=True))
                    flags.append(int(child in self.levels[level + 1]))
        return flags

    def numbers(self, level):
        """Of a level: levels below, children a node as a byte, growth here and above, bits of the count."""
        counts = [len(nodes) for nodes in self.levels]

        def growth(above):
            at = level - above
            return counts[at] / counts[at - 1] / 8 if at >= 1 else 0.0

        byte = min(255, max(8, int(32 * counts[level + 1] / counts[level] + 0.5)))
        below = min(15, self.depth - 1 - level) / 16
        return [below, byte / 256, growth(0), growth(1), counts[level].bit_length() / 32]
