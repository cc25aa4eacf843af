"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const column = new Map(data.columns.map((c, i) => [c.name, i]));
  const runs = data.runs.map((run, index) => ({ ...run, index, of: name => run.values[column.get(name)] }));
  for (const run of runs) run.words = [run.label, run.directory, run.status, ...run.reasons, ...run.values.filter(v => typeof v === "string"),
    `tp ${run.of("tensor_parallel")}`, `pp ${run.of("pipeline_parallel")}`,
    run.of("concurrency") == null ? `batch ${run.of("batch_size")}` : `concurrency ${run.of("concurrency")}`].join(" ").toLowerCase();

  const byId = id => document.getElementById(id);
  const bodyOf = id => byId(id).querySelector(".body");
  const plural = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
  const mostCompared = 7;
  const [narrowest, gap] = [310, 26]; // as in the grid of the style sheet
  const state = { visible: new Set(runs.map(r => r.index)), all: false, table: { id: null, direction: 1 }, goodput: { id: null, direction: 1 }, chosen: null, compared: new Set() };

  // Columns of summary.csv that are shown at first, and of categories.csv; what they are called and mean comes with them.
  const shownAtFirst = ["status", "valid", "model", "gpu", "dataset", "tensor_parallel", "pipeline_parallel", "batch_size", "concurrency",
    "max_new_tokens", "fixed_input_tokens", "power_limit_w", "avg_power_w", "energy_scope", "total_energy_j",
    "energy_per_output_token_j", "energy_per_response_j", ...["gpu", "module", "cpu", "memory", "node"].map(scope => `${scope}_energy_j`),
    "beside_invalid_reasons", "tokens_per_s", "ttft_p50_s", "tpot_p50_s", "itl_p99_s", "latency_p50_s", "latency_p99_s", "slo", "goodput_per_s", "energy_per_good_request_j", "accuracy", "energy_per_correct_j", "invalid_reasons"];
  const shownOfCategories = ["completed", "total_input_tokens", "total_output_tokens", "energy_j", "energy_per_output_token_j",
    "energy_per_response_j", "ttft_p50_s", "tpot_p50_s", "latency_p50_s", "latency_p90_s", "accuracy", "energy_per_correct_j"];
  const pick = (columns, names) => names.map(name => columns.find(c => c.name === name)).filter(Boolean);

  // In the first view joules of a scope stand where they are beside the run's own, so that nobody adds them to themselves.
  const scopeOf = name => state.all ? null : /^(gpu|module|cpu|memory|node)_energy_j$/.exec(name)?.[1];
  const valueOf = (run, name) => (run.of("energy_scope") ?? "").split("+").includes(scopeOf(name)) ? null : run.of(name);

  const visibleRuns = () => runs.filter(r => state.visible.has(r.index));
  const rowClass = run => run.status !== "complete" ? "unfinished" : run.valid ? "" : "invalid";

  function comparisonBox(run) {
    const box = element("input", { type: "checkbox", "aria-label": `show ${run.label} among the latency distributions` });
    box.checked = state.compared.has(run.index);
    box.addEventListener("change", () => {
      if (box.checked && state.compared.size >= mostCompared) box.checked = false;
      else state.compared[box.checked ? "add" : "delete"](run.index);
      drawGoodput();
      drawLatency();
    });
    return element("span", {}, box);
  }

  function drawSummary() {
    const shown = visibleRuns();
    const wanted = state.all ? data.columns : pick(data.columns, shownAtFirst);
    const columns = [
      { id: "box", label: "", class: "box", title: "shown among the latency distributions and in the figures of goodput, up to seven", cell: comparisonBox },
      { id: "label", label: "run", class: "name", title: "opens its power and manifest", of: r => r.label, cell: r => element("button", { type: "button", class: "link", title: r.directory, onclick: () => choose(r.index, true) }, r.label) },
      ...wanted.filter(({ name }) => name === "status" || name === "valid" || runs.some(r => valueOf(r, name) != null)).map(({ name, heading, title }) => ({
        id: name, label: scopeOf(name) ? `${scopeOf(name)} beside it (J)` : heading, title, of: r => valueOf(r, name),
        text: name === "valid" ? v => v ? "valid" : "✗ not valid" : name.endsWith("invalid_reasons") ? v => v ? v.replaceAll(";", ", ") : "" : name === "status" ? v => v === "complete" ? v : `◌ ${v}` : undefined,
      })),
    ];
    bodyOf("summary").replaceChildren(shown.length ? sortedTable(shown, columns, { rowClass, state: state.table }) : emptyState("No run matches the filter."));
  }

  /** How wide a chart may be in this section, where so many stand side by side if there is room. */
  function chartWidth(body, most) {
    const width = body.clientWidth || 900;
    const count = Math.min(most, Math.max(1, Math.floor((width + gap) / (narrowest + gap))));
    return Math.floor((width - gap * (count - 1)) / count);
  }

  function drawSweeps() {
    const body = bodyOf("sweeps");
    const width = chartWidth(body, 4);
    const parts = [];
    for (const figures of d3.groups(data.figures, f => f.xLabel).map(([, group]) => group)) {
      const charts = figures.filter(f => !f.empty).map(f => sweepChart(f, f.title.split(" by ")[0], runs, state.visible, width)).filter(Boolean);
      const title = figures[0].title.split(" by ")[1];
      const part = element("div", { class: "chart-row" }, element("h3", {}, `By ${title}`));
      parts.push(part);
      const note = figures.map(f => f.note).find(Boolean);
      if (note) part.append(element("p", { class: "hint" }, note));
      if (charts.length) part.append(...chartRow(charts));
      const empty = figures.filter(f => f.empty).map(f => f.empty);
      for (const text of new Set(empty.length === figures.length ? empty.slice(0, 1) : empty)) part.append(emptyState(text));
      if (!charts.length && figures.some(f => !f.empty)) part.append(emptyState("No run matches the filter."));
    }
    body.replaceChildren(...parts);
  }

  function drawPhases() {
    const body = bodyOf("phases");
    byId("phases").querySelector(".hint").textContent = data.phaseScope;
    if (!data.phases.length) return body.replaceChildren(emptyState("No run knows what its ranks did with its joules: without a meter, through NCCL and in older directories that is not told."));
    const shown = data.phases.map(figure => ({ figure, bars: stackedBars(figure, runs, state.visible) })).filter(({ bars }) => bars.length);
    if (!shown.length) return body.replaceChildren(emptyState("No run matches the filter."));
    const width = chartWidth(body, 2);
    body.replaceChildren(...shown.flatMap(({ figure, bars }) => [
      element("div", { class: "grid wide" }, stackedChart(figure, bars, width)),
      sortedTable(bars, [
        { id: "layout", label: figure.xLabel, of: b => b.name },
        { id: "sum", label: "J/token", of: b => b.sum },
        ...figure.series.map((s, i) => ({ id: s.label, label: `${s.label} (J/token)`, of: b => b.parts[i] })),
        { id: "share", label: "communication (%)", title: "of the joules", of: b => 100 * b.parts[figure.series.findIndex(s => s.label === "communication")] / b.sum },
        { id: "runs", label: "runs", of: b => b.runs.length },
        { id: "valid", label: "energy", of: b => b.valid ? "valid" : "✗ not valid" },
      ], { rowClass: b => b.valid ? "" : "invalid" }),
      ...(figure.note ? [element("p", { class: "hint" }, figure.note)] : []),
    ]));
  }

  function drawCaps() {
    const body = bodyOf("caps");
    if (data.capFigure.empty) return body.replaceChildren(emptyState(data.capFigure.empty));
    const groups = data.caps.filter(g => g.rows.some(r => r.runs.some(i => state.visible.has(i))));
    const rows = groups.flatMap(g => g.rows.map(r => ({ ...r, group: g.label })));
    const columns = [
      groups.some(g => g.label) ? { id: "group", label: "configuration", of: r => r.group } : null,
      { id: "limit", label: "limit (W)", of: r => r.limitWatts },
      { id: "seconds", label: "time (s)", of: r => r.seconds },
      { id: "joules", label: "energy (J)", of: r => r.joules },
      ...[["timeChange", "time"], ["energyChange", "energy"], ["rateChange", "tokens/s"], ["expectedRateChange", "1/(1+Δt) − 1"]].map(([id, label]) => ({ id, label, of: r => r[id], text: percent })),
      { id: "valid", label: "energy", of: r => r.valid ? "valid" : "✗ not valid" },
    ].filter(Boolean);
    const chart = sweepChart(data.capFigure, data.capFigure.title, runs, state.visible, chartWidth(body, 2));
    body.replaceChildren(element("div", { class: "grid wide" }, chart ? element("div", {}, ...chartRow([chart])) : emptyState("No run matches the filter."),
      sortedTable(rows, columns, { rowClass: r => r.valid ? "" : "invalid" })));
  }

  function drawPareto() {
    const body = bodyOf("pareto");
    const width = chartWidth(body, 2);
    body.replaceChildren(...data.pareto.map(p => paretoChart(p, runs, state.visible, width)));
  }

  function compareFirst() {
    const able = visibleRuns().filter(r => r.latency?.count);
    state.compared = new Set(d3.sort(able, r => !r.valid).slice(0, mostCompared - 1).map(r => r.index));
  }

  function drawLatency() {
    const body = bodyOf("latency");
    if (!runs.some(r => r.latency?.count)) return body.replaceChildren(emptyState("No run has finished prompts with times."));
    const chosen = visibleRuns().filter(r => state.compared.has(r.index));
    if (!chosen.length) return body.replaceChildren(emptyState("No run is chosen: tick boxes in the table of runs."));
    const width = chartWidth(body, 4);
    const charts = data.times.map(({ id, title, of }) =>
      ecdfChart(`${id}-distribution`, title, of, chosen.map(r => ({ label: r.label, ecdf: r[id] })), width));
    body.replaceChildren(element("div", { class: "grid" }, ...charts),
      legend(chosen.map((r, i) => ({ label: `${r.label} (${plural(r.latency?.count ?? 0, "prompt")})`, ...ecdfLook(i) }))));
  }

  function drawPower() {
    const body = bodyOf("power");
    const run = runs[state.chosen];
    if (!run) return body.replaceChildren(emptyState("No run matches the filter."));
    const traces = run.power?.filter(t => t.series.length) ?? [];
    if (!traces.length) return body.replaceChildren(emptyState(run.reasons.includes("no_meter") ? `${run.label} was not measured: it ran without a meter.` : `${run.label} has no samples of power${run.status === "incomplete" ? ": it is incomplete" : ""}.`));
    body.replaceChildren(...traces.map(t => powerChart(`power-${t.piece}`, traces.length > 1 ? `${run.label}, start ${t.piece}` : run.label, t, chartWidth(body, 1))));
  }

  function drawCategories() {
    const rows = visibleRuns().flatMap(r => (r.categories ?? []).map(c => ({ ...c, run: r })));
    if (!rows.length) return bodyOf("categories").replaceChildren(emptyState("No complete run has categories.csv: its prompts have no category (a field of JSON-lines data)."));
    const columns = [
      { id: "run", label: "run", class: "name", of: r => r.run.label },
      { id: "category", label: "category", of: r => r.category, class: "name" },
      ...pick(data.categoryColumns, shownOfCategories).filter(({ name }) => rows.some(r => r[name] != null))
        .map(({ name, heading, title }) => ({ id: name, label: heading, title, of: r => r[name] })),
    ];
    bodyOf("categories").replaceChildren(sortedTable(rows, columns, { rowClass: r => rowClass(r.run), page: 60 }));
  }

  const statuses = {
    incomplete: "there is no summary.csv: the run still goes on, or ended without a word",
    interrupted: "ended early, in order, by a signal or a time limit; what was finished is kept",
    skipped: "not measured: the devices did not take the power setting",
  };

  function drawValidity() {
    const shown = visibleRuns();
    const named = list => list.slice(0, 8).map(r => r.label).join(", ") + (list.length > 8 ? ` and ${list.length - 8} more` : "");
    const rows = [
      ...[...new Set(shown.flatMap(r => r.reasons))].map(code => ({ code, text: data.reasons[code] ?? "not explained by this version", runs: shown.filter(r => r.reasons.includes(code)) })),
      ...Object.entries(statuses).map(([code, text]) => ({ code, text, runs: shown.filter(r => r.status === code && !r.reasons.includes(code)) })).filter(r => r.runs.length),
      { code: "valid", text: "everything was checked and found right", runs: shown.filter(r => r.valid) },
    ];
    bodyOf("validity").replaceChildren(sortedTable(rows.filter(r => r.runs.length), [
      { id: "code", label: "reason", of: r => r.code, cell: r => element("code", {}, r.code) },
      { id: "text", label: "means", class: "name", of: r => r.text },
      { id: "count", label: "runs", of: r => r.runs.length },
      { id: "runs", label: "which", class: "name", of: r => named(r.runs) },
    ]));
  }

  function drawManifest() {
    const body = bodyOf("manifest");
    const run = runs[state.chosen];
    if (!run) return body.replaceChildren(emptyState("No run matches the filter."));
    const facts = [["directory", run.directory], ["run id", run.of("run_id")], ["status", run.status], ["energy", run.valid ? "valid" : "not valid"], ...run.reasons.map(code => [code, data.reasons[code] ?? ""])];
    const parts = [part("run", facts.map(([key, value]) => [key, value]))];
    if (!run.manifest) parts.push(emptyState("There is no manifest of this run here."));
    else for (const [name, section] of Object.entries(run.manifest))
      parts.push(name === "configuration" ? configuration(section) : part(name, flattened(section)));
    body.replaceChildren(element("div", { class: "parts" }, ...parts));
  }

  function configuration(section) {
    const rows = Object.entries(section).map(([key, entry]) => ({ key, value: entry?.value ?? JSON.stringify(entry), source: entry?.source ?? "" }));
    return element("div", {}, element("h3", {}, "configuration, as resolved"), sortedTable(rows, [
      { id: "key", label: "key", of: r => r.key }, { id: "value", label: "value", of: r => r.value, text: v => v === "" ? missing : v }, { id: "source", label: "from", of: r => r.source },
    ], { rowClass: r => r.source && r.source !== "default" ? "chosen" : "" }));
  }

  const part = (name, pairs) => element("div", {}, element("h3", {}, name.replaceAll("_", " ")), element("table", {}, element("tbody", {}, ...pairs.map(([key, value]) => element("tr", {}, element("td", {}, key), element("td", {}, value == null ? missing : String(value)))))));

  function flattened(tree, path = "") {
    if (tree === null || typeof tree !== "object") return [[path, tree]];
    if (Array.isArray(tree) && tree.every(v => typeof v !== "object")) return [[path, tree.join(", ")]];
    return Object.entries(tree).flatMap(([key, value]) => flattened(value, path ? `${path} · ${key.replaceAll("_", " ")}` : key.replaceAll("_", " ")));
  }

  function choose(index, scroll) {
    state.chosen = index;
    drawChoices();
    drawPower();
    drawManifest();
    if (scroll) byId("power").scrollIntoView({ behavior: "smooth" });
  }

  function drawChoices() {
    for (const place of document.querySelectorAll(".run-choice")) {
      const select = element("select", { "aria-label": "run", onchange: event => choose(Number(event.target.value)) },
        ...visibleRuns().map(r => element("option", { value: r.index, selected: r.index === state.chosen }, `${r.label}${rowClass(r) ? ` (${r.status === "complete" ? "energy not valid" : r.status})` : ""}`)));
      place.replaceChildren(select);
    }
  }

  const charts = [drawSweeps, drawPhases, drawCaps, drawPareto, drawGoodput, drawLatency, drawPower];

  function drawAll() {
    for (const draw of [drawSummary, drawChoices, drawCategories, drawValidity, drawManifest, ...charts]) draw();
  }

  function filter(text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean).join(" ");
    const parts = words ? text.toLowerCase().match(/"[^"]+"|\b(?:tp|pp|batch|concurrency)\s+\d+\b|\S+/g) ?? [] : [];
    const wanted = parts.map(p => p.replaceAll('"', "").replace(/\s+/g, " "));
    const matches = run => wanted.every(w => /^(tp|pp|batch|concurrency) \d+$/.test(w) ? new RegExp(`\\b${w}\\b`).test(run.words) : run.words.includes(w));
    state.visible = new Set(runs.filter(matches).map(r => r.index));
    state.table.shown = state.goodput.shown = null;
    if (!state.visible.has(state.chosen)) state.chosen = first();
    compareFirst();
    drawAll();
  }

  // A bound is a number of seconds, or null for none.
  const bounds = Object.fromEntries(data.slo.times.map(({ id }) => [id, data.slo.bounds[id] ?? null]));
  const slo = () => data.slo.times.filter(({ id }) => bounds[id] != null).map(({ id }) => `${id}=${timeText(bounds[id])}`).join(",");
  const timesOf = run => run.requests?.times;
  const boundSteps = 400;

  const units = { min: 60, s: 1, "": 1, ms: 1e-3, us: 1e-6, "µs": 1e-6 };

  /** Seconds of 200ms, 1.5s, 2min or a bare number; null where nothing is written, NaN for anything else or what is not above 0. */
  function secondsOf(text) {
    if (!text.trim()) return null;
    const parts = /^\s*([0-9]*\.?[0-9]+)\s*(min|ms|us|µs|s|)\s*$/.exec(text);
    return parts && Number(parts[1]) > 0 ? Number((Number(parts[1]) * units[parts[2]]).toPrecision(12)) : NaN;
  }

  function timeText(seconds) {
    return seconds < 1 ? `${Number((seconds * 1000).toPrecision(12))}ms` : `${seconds}s`;
  }

  /** Whether request i keeps every bound but that of one time; a request of a single token has no gaps, and keeps their bounds. */
  function keeps(times, i, except) {
    for (const { id } of data.slo.times) if (id !== except && bounds[id] != null && times[id][i] != null && times[id][i] > bounds[id]) return false;
    return true;
  }

  /** Good requests of a run, of how many; null where the page does not know the times that are bounded. */
  function goodOf(run) {
    const times = timesOf(run);
    const bounded = data.slo.times.filter(({ id }) => bounds[id] != null);
    const known = (run.of("completed") ?? 0) + (run.of("failed") ?? 0);
    if (!bounded.length) return run.of("completed") == null ? null : { good: run.of("completed"), all: known };
    if (times && bounded.every(({ id }) => times[id])) return { good: d3.sum(times.latency ?? times[bounded[0].id], (_, i) => keeps(times, i) ? 1 : 0), all: run.requests.count };
    return run.of("slo") === slo() && run.of("good_requests") != null ? { good: run.of("good_requests"), all: known } : null;
  }

  /** What one more good request makes of a run, from the tightest bound on a time to the loosest: of(requests that are good). */
  function curveOf(run, id, of) {
    const times = timesOf(run);
    if (!times?.[id] || data.slo.times.some(other => other.id !== id && bounds[other.id] != null && !times[other.id])) return [];
    const order = (run.order ??= {})[id] ??= d3.range(times[id].length).sort((a, b) => (times[id][a] ?? 0) - (times[id][b] ?? 0));
    const points = [];
    let good = 0;
    for (const i of order) {
      if (!keeps(times, i, id)) continue;
      const [x, y] = [times[id][i], of(++good)];
      if (!x) continue;
      if (points.length && points.at(-1).x === x) points.at(-1).y = y;
      else points.push({ x, y, run: run.index });
    }
    return points;
  }

  const mostDrawn = 300;
  const thinned = points => { const every = Math.ceil(points.length / mostDrawn); return points.filter((_, i) => i % every === 0 || i === points.length - 1); };

  // Requests of all valid runs with energy by one of their times, sorted once: a slider asks for the front many times a second.
  const sorted = {};
  const requestsBy = id => sorted[id] ??= d3.sort(runs.filter(run => run.valid && run.of("total_energy_j") != null && timesOf(run)?.[id])
    .flatMap(run => timesOf(run)[id].map((x, i) => ({ run: run.index, i, x: x ?? 0 }))), p => p.x);

  /** The fewest joules per good request that any of these runs has, at every bound on a time where that changes. */
  function frontOf(own, id) {
    const able = new Map(own.filter(run => data.slo.times.every(other => other.id === id || bounds[other.id] == null || timesOf(run)?.[other.id])).map(run => [run.index, { times: timesOf(run), joules: run.of("total_energy_j"), good: 0 }]));
    const front = [];
    for (const { run, i, x } of requestsBy(id)) {
      const one = able.get(run);
      if (!one || !keeps(one.times, i, id)) continue;
      const y = one.joules / ++one.good;
      if (!x || (front.length && y >= front.at(-1).y)) continue;
      if (front.at(-1)?.x === x) front.pop();
      front.push({ x, y, run });
    }
    return front;
  }

  function drawGoodput() {
    const body = bodyOf("goodput");
    const shown = visibleRuns();
    const rows = shown.map(run => ({ run, judged: goodOf(run) })).filter(r => r.judged && r.judged.all > 0);
    const unknown = shown.filter(run => run.of("completed") > 0 && !rows.some(r => r.run === run));
    if (!rows.length) return body.replaceChildren(emptyState(unknown.length ? "No run tells the times that are bounded." : "No run has finished requests."));
    const joulesOf = r => r.judged.good > 0 && r.run.of("total_energy_j") != null ? r.run.of("total_energy_j") / r.judged.good : null;
    const table = sortedTable(rows, [
      { id: "run", label: "run", class: "name", of: r => r.run.label },
      { id: "good", label: "good requests", of: r => r.judged.good },
      { id: "all", label: "requests", title: "completed and failed, of all measured repeats", of: r => r.judged.all },
      { id: "share", label: "good (%)", of: r => 100 * r.judged.good / r.judged.all },
      { id: "goodput", label: "goodput (requests/s)", title: "good requests ÷ duration_s", of: r => r.run.of("duration_s") > 0 ? r.judged.good / r.run.of("duration_s") : null },
      { id: "throughput", label: "responses/s", of: r => r.run.of("responses_per_s") },
      { id: "joules", label: "J/good request", title: "total_energy_j ÷ good requests; missing where none is good", of: joulesOf },
      { id: "joules-all", label: "J/response", of: r => r.run.of("energy_per_response_j") },
    ], { rowClass: r => rowClass(r.run), page: 30, state: state.goodput });
    const width = chartWidth(body, 4);
    const compared = rows.map(r => r.run).filter(run => state.compared.has(run.index));
    const measured = rows.map(r => r.run).filter(run => run.of("total_energy_j") != null);
    const parts = [["Energy per good request against each bound, the others as they are", "joules", "energy (J/good request)", run => run.of("total_energy_j") != null ? good => run.of("total_energy_j") / good : null],
      ["Goodput against each bound, the others as they are", "rate", "goodput (requests/s)", run => run.of("duration_s") > 0 ? good => good / run.of("duration_s") : null]].map(([heading, name, yLabel, ofRun]) => {
      const drawn = data.slo.times.map(({ id, title }) => {
        const curve = run => ofRun(run) ? curveOf(run, id, ofRun(run)) : [];
        const scopes = name === "joules" ? d3.sort(d3.groups(measured.filter(run => run.valid), run => run.of("energy_scope") ?? "an unknown scope"), ([scope]) => scope) : [];
        const fronts = scopes.map(([scope, own]) => ({ label: scopes.length > 1 ? `Pareto front, energy of ${scope}` : "Pareto front", points: frontOf(own, id) }));
        const chart = boundChart(`goodput-${name}-${id}`, title, `bound on ${title.toLowerCase()} (s)`, yLabel, compared.map(run => ({ label: name === "joules" && !run.valid ? `${run.label} (energy not valid)` : run.label, points: thinned(curve(run)) })), fronts.map(f => ({ ...f, points: thinned(f.points) })), runs, width);
        return chart && { ...chart, title, fronts };
      }).filter(Boolean);
      if (!drawn.length) return [];
      const entries = new Map(drawn.flatMap(c => c.drawn).map(c => [c.label, c]));
      const named = drawn.flatMap(({ title, fronts }) => fronts.filter(f => f.points.length).map(f => {
        const steps = f.points.filter((p, i) => !i || p.run !== f.points[i - 1].run);
        return element("p", { class: "hint" }, `${f.label} by ${title.toLowerCase()}: ${steps.slice(0, 6).map(p => `${runs[p.run].label} from ${timeText(Number(p.x.toPrecision(3)))}`).join(", ")}${steps.length > 6 ? ` and ${steps.length - 6} more changes` : ""}.`);
      }));
      return [element("div", { class: "chart-row" }, element("h3", {}, heading), element("div", { class: "grid" }, ...drawn.map(c => c.figure)), legend([...entries.values()].map(({ label, colour, dash }) => ({ label, colour, dash }))), ...named)];
    }).flat();
    const missing = unknown.length ? [element("p", { class: "hint" }, `${plural(unknown.length, "run")} ${unknown.length === 1 ? "is" : "are"} left out, whose requests' times are not all known here: ${unknown.slice(0, 8).map(r => r.label).join(", ")}${unknown.length > 8 ? ` and ${unknown.length - 8} more` : ""}.`)] : [];
    const energy = !measured.length ? [emptyState("None of these runs has energy: joules per good request are not known.")]
      : measured.some(run => run.valid) ? [] : [emptyState("None of these runs has valid energy: there is no Pareto front.")];
    body.replaceChildren(table, ...missing, ...energy, ...parts);
  }

  /** Sliders from the shortest to the longest time of all runs, evenly in their logarithms; the last step is no bound. */
  function setUpBounds() {
    let pending = 0;
    const redraw = () => { cancelAnimationFrame(pending); pending = requestAnimationFrame(() => { said.textContent = slo() ? `--slo ${slo()}` : "no bound"; drawGoodput(); }); };
    const said = element("code", {}, slo() ? `--slo ${slo()}` : "no bound");
    const rows = data.slo.times.map(({ id, title }) => {
      let [low, high] = d3.extent(runs.flatMap(run => timesOf(run)?.[id] ? d3.extent(timesOf(run)[id].filter(seconds => seconds > 0)) : []));
      if (!(low > 0)) return null;
      [low, high] = [low / 1.05, high * 1.05];
      const at = step => Number((low * (high / low) ** (step / (boundSteps - 1))).toPrecision(3));
      const stepOf = seconds => seconds == null ? boundSteps : Math.max(0, Math.min(boundSteps - 1, Math.round((boundSteps - 1) * Math.log(seconds / low) / Math.log(high / low))));
      const slider = element("input", { type: "range", min: 0, max: boundSteps, step: 1, value: stepOf(bounds[id]), id: `slider-${id}`, "aria-label": `bound on ${title.toLowerCase()}` });
      const text = element("input", { type: "text", size: 9, id: `bound-${id}`, placeholder: "none", autocomplete: "off", "aria-label": `bound on ${title.toLowerCase()}, as 200ms`, value: bounds[id] == null ? "" : timeText(bounds[id]) });
      slider.addEventListener("input", () => {
        bounds[id] = Number(slider.value) >= boundSteps ? null : at(Number(slider.value));
        text.value = bounds[id] == null ? "" : timeText(bounds[id]);
        text.setCustomValidity("");
        redraw();
      });
      text.addEventListener("input", () => {
        const seconds = secondsOf(text.value);
        text.setCustomValidity(Number.isNaN(seconds) ? "a time above 0, such as 200ms or 5s" : "");
        if (Number.isNaN(seconds)) return;
        bounds[id] = seconds;
        slider.value = stepOf(seconds);
        redraw();
      });
      return element("label", {}, element("span", {}, title), slider, text);
    }).filter(Boolean);
    if (rows.length) byId("goodput").querySelector(".bounds").append(...rows, element("p", { class: "hint" }, "Bounds now: ", said));
  }

  const first = () => { const shown = visibleRuns(); return (shown.find(r => r.power?.length && r.valid) ?? shown.find(r => r.power?.length) ?? shown[0])?.index ?? null; };

  function setUp() {
    const count = predicate => runs.filter(predicate).length;
    byId("about").textContent = `${plural(runs.length, "run")}: ${count(r => r.valid)} with valid energy, ${count(r => !r.valid && r.status === "complete")} without, ${count(r => r.status !== "complete")} not complete. Made ${data.generatedUtc} by harness ${data.version.split("+")[0]}.`;
    document.title = `Energy of LLM inference: ${plural(runs.length, "run")}`;
    document.querySelector("nav").append(...[...document.querySelectorAll("section")].map(s => element("a", { href: `#${s.id}` }, s.querySelector("h2").textContent)));
    if (data.notes.length) {
      byId("notes").hidden = false;
      byId("notes").append(...data.notes.map(note => element("li", {}, note)));
    }
    setUpBounds();
    const all = element("input", { type: "checkbox", id: "all-columns", onchange: event => { state.all = event.target.checked; drawSummary(); } });
    byId("summary").querySelector(".actions").append(element("label", {}, all, " all columns of summary.csv"), element("span", { class: "hint" }, "Click a heading to sort. Grey, slanted rows are not complete; coloured ones have no valid energy."));

    const dark = matchMedia("(prefers-color-scheme: dark)");
    const theme = byId("theme");
    const isDark = () => (document.documentElement.style.colorScheme || (dark.matches ? "dark" : "light")) === "dark";
    const label = () => { theme.textContent = isDark() ? "Light" : "Dark"; theme.setAttribute("aria-label", `change to ${theme.textContent.toLowerCase()} colours`); };
    theme.addEventListener("click", () => { document.documentElement.style.colorScheme = isDark() ? "light" : "dark"; label(); });
    dark.addEventListener("change", label);
    label();

    let pending = 0;
    byId("filter").addEventListener("input", event => { clearTimeout(pending); pending = setTimeout(() => filter(event.target.value), 150); });
    let width = document.body.clientWidth;
    addEventListener("resize", () => {
      if (matchMedia("print").matches || document.body.clientWidth === width) return; // On paper drawings scale.
      width = document.body.clientWidth;
      clearTimeout(pending);
      pending = setTimeout(() => charts.forEach(draw => draw()), 150);
    });
  }

  setUp();
  state.chosen = first();
  compareFirst();
  drawAll();
  document.documentElement.dataset.ready = "true";
})();
