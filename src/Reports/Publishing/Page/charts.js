"use strict";
// Charts drawn by Observable Plot. Colours are CSS variables, so that the theme changes without drawing anew; marks and
// dashes tell lines apart where colours do not.

const colours = [0, 1, 2, 3, 4, 5, 6].map(i => `var(--s${i})`);
const symbols = ["circle", "square", "triangle", "diamond", "star", "wye", "cross"];
const dashes = ["", "6 3", "2 2", "8 2 2 2"];
const mostLines = 28;

const look = index => ({
  colour: colours[index % colours.length],
  symbol: symbols[index % symbols.length],
  dash: dashes[Math.floor(index / colours.length) % dashes.length],
});

const windowColours = { measured: "var(--s2)", idle: "var(--quiet)", warmup: "var(--s4)", load: "var(--s0)", cooldown: "var(--s3)", torn: "var(--s1)" };

function plot(width, options) {
  const drawing = Plot.plot({
    width, height: Math.round(Math.max(220, Math.min(320, width * 0.62))), marginLeft: 60, marginBottom: 40, marginRight: 18, marginTop: 26,
    style: { fontSize: "12px", background: "transparent", color: "currentColor" }, ...options,
  });
  drawing.setAttribute("role", "img");
  return drawing;
}

function legend(entries) {
  return element("ul", { class: "legend" }, ...entries.map(({ label, colour, symbol, dash, block, hollow }) => {
    const key = d3.create("svg").attr("width", 26).attr("height", 12).attr("aria-hidden", "true");
    if (block) key.append("rect").attr("width", 26).attr("height", 12).attr("fill", colour).attr("fill-opacity", 0.25);
    if (dash != null) key.append("line").attr("x1", 0).attr("x2", 26).attr("y1", 6).attr("y2", 6).attr("stroke", colour).attr("stroke-width", 1.6).attr("stroke-dasharray", dash || null);
    if (symbol) key.append("path").attr("transform", "translate(13 6)").attr("d", d3.symbol(shapeOf(symbol), 34)()).attr("fill", hollow ? "none" : colour).attr("stroke", hollow ? colour : null);
    return element("li", {}, key.node(), element("span", {}, label));
  }));
}

function shapeOf(name) {
  return { circle: d3.symbolCircle, square: d3.symbolSquare, triangle: d3.symbolTriangle, diamond: d3.symbolDiamond, star: d3.symbolStar, wye: d3.symbolWye, cross: d3.symbolCross }[name];
}

/** A drawing with its title, its legend and what saves it. */
function chartFigure(id, title, drawing, ...below) {
  const save = element("span", { class: "save" },
    element("button", { type: "button", title: "Save as SVG", onclick: () => saveSvg(id, drawing) }, "SVG"),
    element("button", { type: "button", title: "Save as PNG", onclick: () => savePng(id, drawing) }, "PNG"));
  drawing.setAttribute("aria-label", title);
  return element("figure", { id: `chart-${id}` }, element("figcaption", {}, element("span", {}, title), save), element("div", { class: "drawing" }, drawing), ...below.flat());
}

const emptyState = text => element("p", { class: "empty" }, text);

/** The points of a line: at each x the mean of the valid runs, or of all where none is valid. */
function means(points, isValid) {
  return d3.sort(d3.rollups(points, at => {
    const valid = at.filter(p => isValid(p.run));
    return d3.mean(valid.length ? valid : at, p => p.y);
  }, p => p.x).map(([x, y]) => ({ x, y })), p => p.x);
}

const hollowIf = (style, valid) => valid ? style.colour : "var(--panel)";

function seriesMarks(series, style, isValid) {
  return [
    Plot.line(means(series.points, isValid), { x: "x", y: "y", stroke: style.colour, strokeWidth: 1.6, strokeDasharray: style.dash || undefined, className: "line" }),
    Plot.dot(series.points, { x: "x", y: "y", stroke: style.colour, fill: p => hollowIf(style, isValid(p.run)), symbol: style.symbol, r: 4, strokeWidth: 1.5, className: "mark" }),
  ];
}

function tips(series, runs, x, y) {
  const all = series.flatMap(s => s.points.map(p => ({ ...p, label: s.label })));
  return Plot.tip(all, Plot.pointer({
    x: "x", y: "y", fontSize: 12,
    title: p => `${runs[p.run].label}${runs[p.run].valid ? "" : " (energy not valid)"}${p.label ? `\n${p.label}` : ""}\n${x}: ${significant(p.x)}\n${y}: ${significant(p.y)}`,
  }));
}

/** What others published: hollow, grey, without a line. */
function referenceMarks(references) {
  return references.map((reference, i) =>
    Plot.dot(reference.points, { x: "x", y: "y", stroke: "var(--quiet)", fill: "var(--panel)", symbol: symbols[i % symbols.length], r: 3, strokeWidth: 1, className: "reference" }));
}

function referenceTips(references, x, y) {
  return Plot.tip(references.flatMap(r => r.points.map(p => ({ ...p, label: r.label }))), Plot.pointer({
    x: "x", y: "y", fontSize: 12, maxRadius: 12, title: p => `${p.label}\n${x}: ${significant(p.x)}\n${y}: ${significant(p.y)}`,
  }));
}

/** A figure of points and lines against something that was varied. */
function sweepChart(figure, title, runs, visible, width) {
  const isValid = run => !figure.showsEnergy || runs[run].valid;
  const all = figure.series.map(s => ({ ...s, points: s.points.filter(p => visible.has(p.run)) })).filter(s => s.points.length);
  if (!all.length) return null;
  const series = all.slice(0, mostLines);
  const references = figure.references ?? [];
  const points = [...series, ...references].flatMap(s => s.points);
  const values = [...new Set(points.map(p => p.x))].sort((a, b) => a - b);
  const few = values.length <= 9;
  const x = figure.logX
    ? { type: "log", base: 2, ticks: few ? values : undefined, tickFormat: v => v.toLocaleString("en"), label: figure.xLabel }
    : { label: figure.xLabel, ticks: few ? values : undefined, reverse: false };
  const drawing = plot(width, {
    x: { ...x, inset: 14 }, y: { label: figure.yLabel, grid: true, nice: true, zero: figure.fromZero },
    marks: [figure.fromZero ? null : Plot.ruleY([0], { stroke: "var(--quiet)" }), ...referenceMarks(references), referenceTips(references, figure.xLabel, figure.yLabel), ...series.flatMap((s, i) => seriesMarks(s, look(i), isValid)), tips(series, runs, figure.xLabel, figure.yLabel)],
  });
  return { figure: chartFigure(figure.id, title, drawing), labels: series.map(s => s.label), lines: all.length, references: references.map(r => r.label), scope: figure.referenceScope };
}

/** The bars of a figure of stacked parts: of the visible runs at each place the mean of the valid ones, or of all where none is valid. */
function stackedBars(figure, runs, visible) {
  return figure.xNames.map((name, x) => {
    const at = [...new Set(figure.series.flatMap(s => s.points.filter(p => p.x === x && visible.has(p.run)).map(p => p.run)))];
    const valid = at.filter(run => runs[run].valid);
    const counted = valid.length ? valid : at;
    const parts = figure.series.map(s => d3.mean(s.points.filter(p => p.x === x && counted.includes(p.run)), p => p.y));
    return { name, runs: counted, valid: valid.length > 0, parts, sum: d3.sum(parts) };
  }).filter(bar => bar.runs.length);
}

function stackedChart(figure, bars, width) {
  let parts = [];
  for (const bar of bars) {
    let below = 0;
    bar.parts.forEach((height, i) => parts.push({ bar, i, height, y1: below, y2: below += height }));
  }
  parts = parts.filter(p => p.height > 0);
  const label = p => `${figure.series[p.i].label}, ${p.bar.name}${p.bar.valid ? "" : " (energy not valid)"}\n${significant(p.height)} of ${significant(p.bar.sum)} ${figure.yLabel}\n${(100 * p.height / p.bar.sum).toFixed(1)} %`;
  const drawing = plot(width, {
    x: { type: "band", domain: bars.map(b => b.name), label: figure.xLabel, padding: 0.3 }, y: { label: figure.yLabel, grid: true, nice: true, zero: true },
    marks: [
      Plot.rect(parts, { x: p => p.bar.name, y1: "y1", y2: "y2", fill: p => hollowIf(look(p.i), p.bar.valid), stroke: p => p.bar.valid ? "var(--panel)" : look(p.i).colour, strokeWidth: p => p.bar.valid ? 0.6 : 1.5, className: "part" }),
      Plot.ruleY([0], { stroke: "var(--quiet)" }),
      Plot.tip(parts, Plot.pointer({ x: p => p.bar.name, y: p => (p.y1 + p.y2) / 2, fontSize: 12, title: label })),
    ],
  });
  return chartFigure(figure.id, figure.title, drawing, legend(figure.series.map((s, i) => ({ label: s.label, colour: look(i).colour, symbol: "square" }))));
}

/** Figures of a row, with one legend where they have the same lines. */
function chartRow(charts) {
  const key = ({ labels, lines, references, scope }) => [
    labels.length > 1 || references.length ? legend([
      ...labels.map((label, i) => ({ label: label || "these runs", ...look(i) })),
      ...references.map((label, i) => ({ label, colour: "var(--quiet)", symbol: symbols[i % symbols.length], hollow: true })),
    ]) : null,
    scope ? element("p", { class: "hint" }, `${scope[0].toUpperCase()}${scope.slice(1)}.`) : null,
    lines > labels.length ? element("p", { class: "hint" }, `${labels.length} of ${lines} lines are drawn; filter to see others.`) : null,
  ].filter(Boolean);
  const named = c => [...c.labels, ...c.references].join("\n");
  const shared = charts.every(c => named(c) === named(charts[0]));
  if (!shared) for (const chart of charts) chart.figure.append(...key(chart));
  return [element("div", { class: "grid" }, ...charts.map(c => c.figure)), ...(shared ? key(charts[0]) : [])];
}

/** Valid points that no other valid point beats in both. */
function paretoFront(points, runs) {
  const front = [];
  for (const p of d3.sort(points.filter(p => runs[p.run].valid), p => p.x, p => p.y)) if (!front.length || p.y < front.at(-1).y) front.push(p);
  return front;
}

function paretoChart(pareto, runs, visible, width) {
  const points = pareto.points.filter(p => visible.has(p.run));
  if (!points.length) return chartEmpty(pareto.title, "No run has both energy per token and this latency.");
  // Energy of two scopes is not comparable: each has a front of its own.
  const scopes = d3.sort(d3.groups(points, p => runs[p.run].of("energy_scope") ?? ""), ([scope]) => scope);
  const fronts = scopes.map(([scope, own], i) => ({ scope: scope || "an unknown scope", front: paretoFront(own, runs), style: look(i ? i + 1 : 0) }));
  const front = fronts.flatMap(f => f.front);
  const nameOf = f => scopes.length > 1 ? `Pareto front, energy of ${f.scope}` : "Pareto front";
  const on = new Set(front.map(p => p.run));
  const others = points.filter(p => !on.has(p.run));
  const scale = name => { const [low, high] = d3.extent(points, p => p[name]); return low > 0 && high > 10 * low ? { type: "log" } : { zero: true, nice: true }; };
  const other = look(1);
  const drawing = plot(width, {
    x: { label: pareto.xLabel, inset: 8, ticks: Math.max(3, width / 90), tickFormat: plain, ...scale("x") }, y: { label: pareto.yLabel, grid: true, ticks: 6, tickFormat: plain, ...scale("y") },
    marks: [
      ...fronts.map(f => Plot.line(f.front, { x: "x", y: "y", stroke: f.style.colour, strokeWidth: 1.8, className: "line" })),
      Plot.dot(others, { x: "x", y: "y", stroke: other.colour, fill: p => hollowIf(other, runs[p.run].valid), symbol: other.symbol, r: points.length > 300 ? 1.8 : 3.5, strokeOpacity: points.length > 300 ? 0.6 : 1, className: "mark" }),
      ...fronts.map(f => Plot.dot(f.front, { x: "x", y: "y", stroke: f.style.colour, fill: f.style.colour, symbol: f.style.symbol, r: 5, className: "mark front" })),
      tips(scopes.map(([scope, own]) => ({ label: scopes.length > 1 ? `energy of ${scope || "an unknown scope"}` : "", points: own })), runs, pareto.xLabel, pareto.yLabel),
    ],
  });
  return chartFigure(pareto.id, pareto.title, drawing, legend([...fronts.map(f => ({ label: f.front.length ? nameOf(f) : `${nameOf(f)}: no run is valid`, dash: "", ...f.style })), { label: "other runs (hollow: energy not valid)", colour: other.colour, symbol: other.symbol }]), ...fronts.filter(f => f.front.length).map(f => element("p", { class: "hint" }, `On the ${scopes.length > 1 ? `front of ${f.scope}` : "front"}, by latency: ${f.front.slice(0, 12).map(p => runs[p.run].label).join(", ")}${f.front.length > 12 ? ` and ${f.front.length - 12} more` : ""}.`)));
}

const plain = v => v.toLocaleString("en", { maximumSignificantDigits: 4 });

const chartEmpty = (title, text) => element("figure", {}, element("figcaption", {}, element("span", {}, title)), emptyState(text));

function ecdfChart(id, title, of, chosen, width) {
  const drawn = chosen.map((c, i) => ({ ...c, style: ecdfLook(i) })).filter(c => c.ecdf?.count);
  if (!drawn.length) return chartEmpty(title, "None of the chosen runs has such times.");
  const steps = drawn.map(({ ecdf }) => [{ x: ecdf.values[0], y: 0 }, ...ecdf.values.map((x, i) => ({ x, y: ecdf.share[i] }))]);
  const drawing = plot(width, {
    x: { label: `${title.toLowerCase()} (s)`, zero: true }, y: { label: `share of ${of}`, domain: [0, 1], grid: true },
    marks: [
      ...steps.map((points, i) => Plot.line(points, { x: "x", y: "y", curve: "step-after", stroke: drawn[i].style.colour, strokeWidth: 1.6, strokeDasharray: drawn[i].style.dash || undefined, className: "line" })),
      Plot.ruleY([0.5], { stroke: "var(--quiet)", strokeDasharray: "2 3" }),
      Plot.tip(steps.flatMap((points, i) => points.map(p => ({ ...p, run: drawn[i].label }))), Plot.pointer({ x: "x", y: "y", fontSize: 12, title: p => `${p.run}\n${(100 * p.y).toFixed(1)} % within ${significant(p.x)} s` })),
    ],
  });
  const thinned = drawn.filter(c => c.ecdf.values.length < c.ecdf.count);
  return chartFigure(id, title, drawing, thinned.length ? [element("p", { class: "hint" }, `Drawn through ${thinned[0].ecdf.values.length} of the ${of}, evenly spaced by rank.`)] : []);
}

const ecdfLook = index => ({ colour: colours[index % colours.length], dash: dashes[index % dashes.length] });

/** Steps of several runs against a bound, and above all the least of the valid ones; y: what the steps are of. */
function boundChart(id, title, xLabel, yLabel, curves, fronts, runs, width) {
  const drawn = [...fronts.map((f, i) => ({ ...f, ...frontLook(i) })), ...curves.map((c, i) => ({ ...c, ...ecdfLook(i), thin: true }))].filter(c => c.points.length);
  if (!drawn.length) return null;
  const all = drawn.flatMap(c => c.points);
  const scale = (name, ticks) => { const [low, high] = d3.extent(all, p => p[name]); return low > 0 && high > 10 * low ? { type: "log", ticks: logTicks(low, high, ticks) } : { zero: true, nice: true, ticks }; };
  const drawing = plot(width, {
    x: { label: xLabel, inset: 8, tickFormat: plain, ...scale("x", Math.max(3, width / 90)) }, y: { label: yLabel, grid: true, tickFormat: plain, ...scale("y", 6) },
    marks: [
      ...drawn.toReversed().map(c => Plot.line(c.points, { x: "x", y: "y", curve: "step-after", stroke: c.colour, strokeWidth: c.thin ? 1.4 : 4, strokeOpacity: c.thin ? 1 : 0.45, strokeDasharray: c.dash || undefined, className: c.thin ? "line" : "front" })),
      Plot.tip(drawn.flatMap(c => c.points.map(p => ({ ...p, label: c.label }))), Plot.pointer({ x: "x", y: "y", fontSize: 12, title: p => `${p.run == null ? p.label : runs[p.run].label}\n${xLabel}: ${significant(p.x)}\n${yLabel}: ${significant(p.y)}` })),
    ],
  });
  return { figure: chartFigure(id, title, drawing), drawn };
}

/** Round values of a logarithmic axis, as many as have room. */
function logTicks(low, high, most) {
  const powers = d3.range(Math.floor(Math.log10(low)), Math.ceil(Math.log10(high)) + 1);
  const choices = [[1, 2, 5], [1, 3], [1]].map(digits => powers.flatMap(power => digits.map(digit => digit * 10 ** power)).filter(v => v >= low && v <= high));
  return choices.find(ticks => ticks.length <= most) ?? choices.at(-1).filter((_, i) => i % Math.ceil(choices.at(-1).length / most) === 0);
}

const frontLook = index => ({ colour: "var(--quiet)", dash: dashes[index % dashes.length] });

/** Watts of every device of one start of a run, over its windows. */
function powerChart(id, title, trace, width) {
  const starts = trace.windows.map(w => w.start);
  const zero = starts.length ? d3.min(starts) : d3.min(trace.series, s => s.seconds[0]);
  const series = trace.series.slice(0, mostLines).map(s => ({
    ...s, label: [s.host, s.device].join(" "),
    points: s.seconds.map((t, i) => ({ t: t - zero, mean: s.mean[i], low: s.low?.[i], high: s.high?.[i] })),
  }));
  const windows = trace.windows.map(w => ({ ...w, start: w.start - zero, end: w.end - zero }));
  const end = Math.max(d3.max(windows, w => w.end) ?? 0, d3.max(series, s => s.points.at(-1).t));
  const high = d3.max(series, s => d3.max(s.points, p => p.high ?? p.mean));
  const wideEnough = w => (w.end - w.start) / end * (width - 80) > 7 * w.name.length;
  const drawing = plot(width, {
    height: 320, x: { label: "time (s)" }, y: { label: "power (W)", grid: true, domain: [0, high * 1.12 || 1], nice: true },
    marks: [
      Plot.rectX(windows, { x1: "start", x2: "end", fill: w => windowColours[w.kind] ?? "var(--quiet)", fillOpacity: 0.16, className: "window" }),
      Plot.text(windows.filter(wideEnough), { x: w => (w.start + w.end) / 2, frameAnchor: "top", dy: 4, text: "name", fontSize: 11, fill: "currentColor", className: "window-name" }),
      ...series.flatMap((s, i) => [
        s.low ? Plot.areaY(s.points, { x: "t", y1: "low", y2: "high", fill: look(i).colour, fillOpacity: 0.22, className: "envelope" }) : null,
        Plot.line(s.points, { x: "t", y: "mean", stroke: look(i).colour, strokeWidth: 1.3, strokeDasharray: look(i).dash || undefined, className: "line" }),
      ]),
      Plot.tip(series.flatMap(s => s.points.map(p => ({ ...p, label: s.label }))), Plot.pointerX({ x: "t", y: "mean", fontSize: 12, title: p => `${p.label}\n${significant(p.t)} s: ${significant(p.mean)} W${p.low != null && p.high > p.low ? `\n${significant(p.low)} to ${significant(p.high)} W` : ""}` })),
    ],
  });
  const kinds = [...new Set(windows.map(w => w.kind))];
  const hints = [];
  if (series.some(s => s.thinned)) hints.push("Several samples stand behind each point: the line is their mean, the band their range.");
  if (series.some(s => s.derived)) hints.push("Without a reading of power, the line is the counter's mean over several samples.");
  if (trace.series.length > series.length) hints.push(`${series.length} of ${trace.series.length} devices are drawn.`);
  if (!windows.length) hints.push("The run has no windows.jsonl: windows are not shown.");
  return chartFigure(id, title, drawing, [
    legend([...series.map((s, i) => ({ label: `${s.label} (${s.source})`, colour: look(i).colour, dash: look(i).dash })), ...kinds.map(kind => ({ label: `${kind} window`, colour: windowColours[kind] ?? "var(--quiet)", block: true }))]),
    ...hints.map(hint => element("p", { class: "hint" }, hint)),
  ]);
}

/** A copy that needs no style sheet: computed colours in place of variables. */
function standalone(drawing) {
  const copy = drawing.cloneNode(true);
  const [from, to] = [[drawing, ...drawing.querySelectorAll("*")], [copy, ...copy.querySelectorAll("*")]];
  from.forEach((node, i) => {
    const style = getComputedStyle(node);
    for (const name of ["fill", "stroke"])
      if (/var\(|currentColor/.test(node.getAttribute(name) ?? "")) to[i].setAttribute(name, style[name]);
  });
  const { color, fontFamily, fontSize } = getComputedStyle(drawing);
  copy.setAttribute("style", `color: ${color}; font-family: ${fontFamily}; font-size: ${fontSize}; background: ${getComputedStyle(drawing.closest("section")).backgroundColor}; overflow: visible`);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  return new XMLSerializer().serializeToString(copy);
}

function download(name, url) {
  element("a", { href: url, download: name }).click();
}

function saveSvg(id, drawing) {
  const url = URL.createObjectURL(new Blob([standalone(drawing)], { type: "image/svg+xml" }));
  download(`${id}.svg`, url);
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

function savePng(id, drawing) {
  const [width, height, scale] = [drawing.width.baseVal.value, drawing.height.baseVal.value, 3];
  const image = new Image();
  image.onload = () => {
    const canvas = element("canvas", { width: width * scale, height: height * scale });
    canvas.getContext("2d").drawImage(image, 0, 0, width * scale, height * scale);
    download(`${id}.png`, canvas.toDataURL("image/png"));
  };
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(standalone(drawing))}`;
}
