"use strict";
// Tables that sort by every column and show many rows a page at a time. Texts go in as text, never as markup.

function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes))
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value != null) node.setAttribute(key, value);
  node.append(...children.filter(child => child != null));
  return node;
}

const missing = "–";

/** Four significant digits, thousands separated. */
function significant(value) {
  if (value == null) return missing;
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value)) return value.toLocaleString("en");
  const size = Math.abs(value);
  return size >= 1e9 || size < 1e-5 ? value.toExponential(3) : value.toLocaleString("en", { maximumSignificantDigits: size >= 1000 ? Math.ceil(Math.log10(size)) : 4 });
}

function percent(fraction) {
  return fraction == null ? missing : `${fraction > 0 ? "+" : ""}${(100 * fraction).toFixed(2)} %`;
}

const naturally = new Intl.Collator("en", { numeric: true }).compare;

/** Missing values come last in both directions. */
function compareValues(a, b, direction) {
  if (a == null || b == null) return a == null ? (b == null ? 0 : 1) : -1;
  return direction * (typeof a === "number" && typeof b === "number" ? a - b : naturally(String(a), String(b)));
}

/**
 * columns: { id, label, title, of: row => value, text: value => string, cell: row => Node }.
 * options: rowClass: row => string, page: rows at first, sort: { id, direction }.
 */
function sortedTable(rows, columns, options = {}) {
  const page = options.page ?? 100;
  const state = options.state ?? { id: null, direction: 1, shown: page };
  state.shown ??= page;
  const host = element("div");
  const numeric = new Set(columns.filter(c => !c.cell && rows.some(r => c.of(r) != null) && rows.every(r => c.of(r) == null || typeof c.of(r) === "number")).map(c => c.id));

  function sort(column) {
    // Numbers are first wanted from the best or the worst end, texts from A.
    state.direction = state.id === column.id ? -state.direction : 1;
    state.id = column.id;
    draw(column.id);
  }

  function draw(focus) {
    const by = columns.find(c => c.id === state.id);
    const sorted = by ? rows.map((row, i) => [row, i]).sort(([a, i], [b, j]) => compareValues(by.of(a), by.of(b), state.direction) || i - j).map(([row]) => row) : rows;
    const head = columns.map(c => element("th", {
      scope: "col", class: numeric.has(c.id) ? "number" : c.class, title: c.title, "data-column": c.id,
      "aria-sort": state.id === c.id ? (state.direction > 0 ? "ascending" : "descending") : null,
    }, c.of ? element("button", { type: "button", onclick: () => sort(c) }, c.label) : c.label));
    const body = sorted.slice(0, state.shown).map(row => element("tr", { class: options.rowClass?.(row) || null },
      ...columns.map(c => element("td", { class: [numeric.has(c.id) ? "number" : "", c.class ?? ""].join(" ").trim() || null },
        c.cell ? c.cell(row) : (c.text ?? significant)(c.of(row))))));
    const more = rows.length > state.shown && element("p", { class: "more" },
      `${state.shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")} rows. `,
      element("button", { type: "button", onclick: () => { state.shown += 5 * page; draw(); } }, "Show more"));
    host.replaceChildren(element("div", { class: "scroll" }, element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body))), ...(more ? [more] : []));
    if (focus) host.querySelector(`th[data-column="${CSS.escape(focus)}"] button`)?.focus();
  }

  draw();
  return host;
}
