"""Small line charts as SVG, one below the other, each with a scale of its own; no library draws them more simply.

There is no ground, and the colours are read on a light page as on a dark one.
"""

from math import floor, log10
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 170, 70, 40, 34, 34
WORDS, GRID = "#757575", "#8888"
COLOURS = ("#2f81f7", "#c77700", "#2c9c48", "#a05be0", "#d0453e", "#0f9a9a")


def lines(path, title, below, charts, logarithmic=False):
    """`charts`: a caption, and for each its lines by name with their points; the one line of a chart needs no name."""
    height = len(charts) * HEIGHT + 34
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="system-ui, sans-serif" font-size="12">',
        f'<title>{escape(title)}</title><text x="{LEFT}" y="20" font-size="15" font-weight="600" fill="{WORDS}">{escape(title)}</text>',
    ]
    for n, (caption, series) in enumerate(charts.items()):
        parts.append(f'<g transform="translate(0 {34 + n * HEIGHT})">{chart(caption, series, below, logarithmic)}</g>')
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join([*parts, "</svg>", ""]))


def chart(caption, series, below, logarithmic):
    place = log10 if logarithmic else float
    ats = sorted({at for points in series.values() for at, _ in points})
    if not logarithmic:
        ats = [0, ats[-1] / 2, ats[-1]]
    first, last = place(ats[0]), place(ats[-1])
    step = step_of(max(value for points in series.values() for _, value in points) or 1)
    top = step * 4
    x = lambda at: LEFT + (place(at) - first) / ((last - first) or 1) * (WIDTH - LEFT - RIGHT)
    y = lambda value: HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM)
    names = "".join(f'<tspan dx="14" fill="{colour}">{escape(name)}</tspan>' for name, colour in zip(series, COLOURS) if name)
    drawn = [f'<text x="{LEFT}" y="{TOP - 12}" fill="{WORDS}"><tspan font-weight="600">{escape(caption)}</tspan>{names}</text>']
    for value in (0, 2 * step, top):
        drawn.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="{GRID}"/>')
        drawn.append(f'<text x="{LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end" fill="{WORDS}">{said(value)}</text>')
    for at in ats:
        anchor = "middle" if at != ats[-1] or len(ats) == 1 else "end"
        right = x(at) if anchor == "middle" else WIDTH - 2
        drawn.append(f'<text x="{right:.1f}" y="{HEIGHT - BOTTOM + 17}" text-anchor="{anchor}" fill="{WORDS}">{said(round(at, 1))} {escape(below)}</text>')
    for points, colour in zip(series.values(), COLOURS):
        path = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in points)
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if len(points) < 20:
            drawn += [f'<circle cx="{x(at):.1f}" cy="{y(value):.1f}" r="3" fill="{colour}"/>' for at, value in points]
    return "".join(drawn)


def step_of(most):
    """A quarter of the scale, in a round figure."""
    power = 10 ** floor(log10(most / 4))
    return next(times * power for times in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if times * power * 4 >= most)


def said(value):
    if value >= 10 or value == 0:
        return f"{value:,.0f}"
    return f"{value:.3g}"
