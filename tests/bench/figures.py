# SPDX-License-Identifier: GPL-2.0-or-later
"""Figures, their aims and the tables that show them.

A group's measure() returns Tables; the last two cells of a row are its aim and the verdict on it
("reached", "short", or nothing where there is no aim).
"""
import statistics


def verdict(value, aim, more=False):
    """The two last cells for @value: at most @aim, or at least when @more."""
    if aim is None:
        return ["", ""]
    sign = ">=" if more else "<="
    text = f"{sign} {aim:,}" if isinstance(aim, int) else f"{sign} {aim:.2f}"
    if value is None:
        return [text, "not measured"]
    good = value >= aim if more else value <= aim
    return [text, "reached" if good else "short"]


def ratio(ours, theirs):
    return ours / theirs if ours is not None and theirs else None


def show(value, unit=""):
    if value is None:
        return "-"
    text = f"{value:,}" if isinstance(value, int) else f"{value:,.0f}" if abs(value) >= 1000 else \
        f"{value:.1f}" if abs(value) >= 100 else f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"
    return f"{text} {unit}".rstrip()


def median(values):
    return statistics.median(values) if values else None


class Table:
    """One group's rows. @header names the columns but the last two."""

    def __init__(self, name, title, header):
        self.name, self.title = name, title
        self.header = header + ["aim", "verdict"]
        self.rows = []

    def add(self, cells, aim=("", "")):
        self.rows.append(list(cells) + list(aim))

    def compare(self, what, xen, ours, unit, aim=None, more=False):
        """A row of @ours against Xen's; the aim is one for the ratio."""
        share = ratio(ours, xen)
        self.add([what, show(xen, unit), show(ours, unit), show(share)], verdict(share, aim, more))

    def value(self, what, ours, unit, aim=None, more=False):
        """A row of a figure that stands alone."""
        self.add([what, "", show(ours, unit), ""], verdict(ours, aim, more))

    def text(self):
        rows = [self.header] + self.rows
        widths = [max(len(row[i]) for row in rows) for i in range(len(self.header))]
        last = len(self.header) - 1
        lines = ["  ".join(cell.ljust(w) if i in (0, last) else cell.rjust(w)
                           for i, (cell, w) in enumerate(zip(row, widths))).rstrip() for row in rows]
        return "\n".join([self.title, "-" * len(self.title)] + lines)

    def plain(self):
        """For results.json."""
        return {"title": self.title, "rows": [dict(zip(self.header, row)) for row in self.rows]}


def against_xen(name, title):
    return Table(name, title, ["", "Xen 4.17 with xl", "Paravane with vane", "ratio"])
