"""Small line charts as SVG, one below the other, each with a scale of its own; no library draws them more simply."""

from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 160, 70, 20, 34, 34


def lines(path, title, below, series, logarithmic=False):
    """`series`: a name and its points, of which each gets a chart."""
    height = len(series) * HEIGHT + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="system-ui, sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/><text x="{LEFT}" y="20" font-size="14" fill="#222">{escape(title)}</text>',
    ]
    for n, (name, points) in enumerate(series.items()):
        parts.append(f'<g transform="translate(0 {30 + n * HEIGHT})">{chart(name, points, below, logarithmic)}</g>')
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join([*parts, "</svg>", ""]))


def chart(name, points, below, logarithmic):
    from math import log10

    place = log10 if logarithmic else float
    first, last = place(points[0][0]), place(points[-1][0])
    top = max(value for _, value in points) * 1.15 or 1
    x = lambda at: LEFT + (place(at) - first) / ((last - first) or 1) * (WIDTH - LEFT - RIGHT)
    y = lambda value: HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM)
    drawn = [f'<text x="{LEFT}" y="{TOP - 10}" fill="#222">{escape(name)}</text>']
    for value in (0, top / 2, top):
        drawn.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#ddd"/>')
        drawn.append(f'<text x="{LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end" fill="#555">{said(value)}</text>')
    ticks = [at for at, _ in points] if logarithmic else [points[0][0], (points[0][0] + points[-1][0]) / 2, points[-1][0]]
    for at in ticks:
        drawn.append(f'<text x="{x(at):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle" fill="#555">{said(at)} {escape(below)}</text>')
    path = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in points)
    drawn.append(f'<polyline points="{path}" fill="none" stroke="#1f5fd0" stroke-width="2"/>')
    if len(points) < 20:
        drawn += [f'<circle cx="{x(at):.1f}" cy="{y(value):.1f}" r="3" fill="#1f5fd0"/>' for at, value in points]
    return "".join(drawn)


def said(value):
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
