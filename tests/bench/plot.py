"""A drawing of µs of CPU per request: a panel for each table, a bar for each server. SVG, with
colours for light and dark pages."""

from html import escape

WIDTH, MARGIN = 920, 16
COLUMN = (WIDTH - 3 * MARGIN) // 2
LABEL, FIGURE = 192, 52  # room for names before the bars, and for figures behind them
ROW, BAR, TITLE, GAP = 20, 13, 26, 18

STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f }
.head { font-size: 15px; font-weight: 600 }
.title { font-weight: 600 }
.name { text-anchor: end }
.bar { fill: #afb8c1 }
.own { fill: #8250df }
@media (prefers-color-scheme: dark) {
	text { fill: #e6edf3 }
	.bar { fill: #6e7681 }
	.own { fill: #a371f7 }
}
"""


def height(rows):
    return TITLE + ROW * len(rows) + GAP


def text(x, y, kind, words):
    return f'<text x="{x:g}" y="{y:g}" class="{kind}">{escape(words)}</text>'


def panel(x, y, title, rows, own):
    """Each has a scale of its own: what compares is the bars of one panel."""
    longest = max(figure for _, figure in rows)
    room = COLUMN - LABEL - FIGURE
    yield text(x, y + 14, "title", title)
    for i, (name, figure) in enumerate(rows):
        top = y + TITLE + i * ROW
        kind = "bar own" if own(name) else "bar"
        width = max(figure / longest * room, 1)
        yield text(x + LABEL - 6, top + 11, "name", name)
        yield (f'<rect x="{x + LABEL}" y="{top}" width="{width:.1f}" height="{BAR}" rx="2" '
               f'class="{kind}"/>')
        yield text(x + LABEL + width + 5, top + 11, "figure", f"{figure:,.1f}")


def draw(panels):
    """panels: title -> rows of (name, µs). Each goes where the shorter column ends."""
    ends, parts = [44, 44], []
    for title, rows in panels.items():
        if not rows:
            continue
        side = ends.index(min(ends))
        foreign = ("nginx", "gunicorn", "uwsgi", "lighttpd")
        parts += panel(MARGIN + side * (COLUMN + MARGIN), ends[side], title, rows,
                       lambda name: not name.startswith(foreign))
        ends[side] += height(rows)
    tall = max(ends)
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{tall}" '
        f'viewBox="0 0 {WIDTH} {tall}" role="img" '
        'aria-label="Microseconds of CPU for one request, of Alicorn and other servers">',
        f"<style>{STYLE}</style>",
        text(MARGIN, 24, "head", "Microseconds of CPU for one request, all processes "
                                 "of a server; less is better"),
        *parts, "</svg>", ""])
