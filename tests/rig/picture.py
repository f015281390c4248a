# SPDX-License-Identifier: GPL-2.0-or-later
"""A migration as a picture: what went over, what got dirty again, and what a client noticed (SVG)."""
import dataclasses
from xml.sax.saxutils import escape


@dataclasses.dataclass
class Round:
    number: int
    start: float                # seconds since the migration began
    end: float
    mib: float                  # sent in this round
    dirty_rate: float           # pages a second the guest wrote in the meantime; 0 if not known


@dataclasses.dataclass
class Move:
    title: str
    seconds: float              # the whole migration
    rounds: list
    suspended: float            # when it stopped at the source ...
    resumed: float              # ... and went on at the target
    beats: list                 # times at which the client heard from the guest


WIDTH, PANEL, LEFT, RIGHT, LANE, HEAD = 900, 300, 150, 20, 70, 40
INK, SOFT, SENT, DIRTY, GAP = "#222", "#999", "#4a78b5", "#c98a1b", "#c0392b"


class Drawing:
    def __init__(self):
        self.parts = []

    def text(self, x, y, words, size=12, anchor="start", fill=INK):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{fill}">'
                          f"{escape(words)}</text>")

    def box(self, x, y, w, h, fill, opacity=1.0):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(w, 0.8):.1f}" height="{h:.1f}" fill="{fill}" '
                          f'opacity="{opacity}"/>')

    def line(self, x1, y1, x2, y2, stroke, width=1.0):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}" '
                          f'stroke-width="{width}"/>')


def lane(d, number, top, name, unit, most):
    """An empty lane with its scale; returns (floor, scale) to draw in it."""
    floor = top + HEAD + (number + 1) * LANE
    d.line(LEFT, floor, WIDTH - RIGHT, floor, SOFT, 0.5)
    d.text(LEFT - 8, floor - LANE / 2 + 4, name, 12, "end")
    d.text(LEFT - 8, floor - LANE + 24, f"{most:.0f} {unit}" if most else "", 10, "end", SOFT)
    return floor, (LANE - 16) / most if most else 0


def panel(d, move, top):
    begin, end = -0.5, move.seconds + 1.0
    scale = (WIDTH - LEFT - RIGHT) / (end - begin)

    def x(t):
        return LEFT + (min(max(t, begin), end) - begin) * scale

    d.text(LEFT, top + 22, f"{move.title}: {move.seconds:.1f} s, {sum(r.mib for r in move.rounds):.0f} MiB in "
           f"{len(move.rounds)} rounds", 14)
    d.box(x(move.suspended), top + HEAD, x(move.resumed) - x(move.suspended), 3 * LANE, GAP, 0.12)

    floor, unit = lane(d, 0, top, "sent a round", "MiB", max((r.mib for r in move.rounds), default=0))
    for r in move.rounds:
        d.box(x(r.start), floor - r.mib * unit, x(r.end) - x(r.start), r.mib * unit, SENT)
        d.text((x(r.start) + x(r.end)) / 2, floor - r.mib * unit - 3, f"{r.mib:.0f}" if r.mib >= 1 else "", 9, "middle")

    floor, unit = lane(d, 1, top, "dirty rate", "pages/s", max((r.dirty_rate for r in move.rounds), default=0))
    for r in move.rounds:
        d.box(x(r.start), floor - r.dirty_rate * unit, x(r.end) - x(r.start), r.dirty_rate * unit, DIRTY)

    pauses = [(a, b) for a, b in zip(move.beats, move.beats[1:]) if b >= begin and a <= end]
    longest = max(((b - a) * 1000 for a, b in pauses), default=0)
    floor, unit = lane(d, 2, top, "service gap", "ms", longest)
    for a, b in pauses:
        d.box(x(a), floor - (b - a) * 1000 * unit, x(b) - x(a), (b - a) * 1000 * unit, GAP)

    axis = top + HEAD + 3 * LANE
    step = max(1, round(move.seconds / 10))
    for second in range(0, int(end) + 1, step):
        d.line(x(second), axis, x(second), axis + 4, SOFT)
        d.text(x(second), axis + 16, f"{second} s", 10, "middle", SOFT)


def svg(moves):
    d = Drawing()
    for number, move in enumerate(moves):
        panel(d, move, number * PANEL)
    height = PANEL * len(moves)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif">\n'
            f'<rect width="{WIDTH}" height="{height}" fill="white"/>\n' + "\n".join(d.parts) + "\n</svg>\n")
