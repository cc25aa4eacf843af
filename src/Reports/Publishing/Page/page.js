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
  const state = { visible: new Set(runs.map(r => r.index)), all: false, table: { id: null, direction: 1 }, chosen: null, compared: new Set() };

  // Columns of summary.csv that are shown at first, and of categories.csv; what they are called and mean comes with them.
  const shownAtFirst = ["status", "valid", "model", "gpu", "dataset", "tensor_parallel", "pipeline_parallel", "batch_size", "concurrency",
    "max_new_tokens", "fixed_input_tokens", "power_limit_w", "avg_power_w", "energy_scope", "total_energy_j",
    "energy_per_output_token_j", "energy_per_response_j", ...["gpu", "module", "cpu", "memory", "node"].map(scope => `${scope}_energy_j`),
    "beside_invalid_reasons", "tokens_per_s", "ttft_p50_s", "tpot_p50_s", "latency_p50_s", "accuracy", "energy_per_correct_j", "invalid_reasons"];
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
      drawLatency();
    });
    return element("span", {}, box);
  }

  function drawSummary() {
    const shown = visibleRuns();
    const wanted = state.all ? data.columns : pick(data.columns, shownAtFirst);
    const columns = [
      { id: "box", label: "", class: "box", title: "shown among the latency distributions, up to seven", cell: comparisonBox },
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
    const width = chartWidth(body, 3);
    const charts = data.times.map(({ id, title }) =>
      ecdfChart(`${id}-distribution`, title, chosen.map(r => ({ label: r.label, ecdf: r[id] })), width));
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

  const charts = [drawSweeps, drawPhases, drawCaps, drawPareto, drawLatency, drawPower];

  function drawAll() {
    for (const draw of [drawSummary, drawChoices, drawCategories, drawValidity, drawManifest, ...charts]) draw();
  }

  function filter(text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean).join(" ");
    const parts = words ? text.toLowerCase().match(/"[^"]+"|\b(?:tp|pp|batch|concurrency)\s+\d+\b|\S+/g) ?? [] : [];
    const wanted = parts.map(p => p.replaceAll('"', "").replace(/\s+/g, " "));
    const matches = run => wanted.every(w => /^(tp|pp|batch|concurrency) \d+$/.test(w) ? new RegExp(`\\b${w}\\b`).test(run.words) : run.words.includes(w));
    state.visible = new Set(runs.filter(matches).map(r => r.index));
    state.table.shown = null;
    if (!state.visible.has(state.chosen)) state.chosen = first();
    compareFirst();
    drawAll();
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
