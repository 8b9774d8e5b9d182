// Rendering that updates existing elements, so that nothing flickers and readers keep their scroll position.

import { count, rate, time } from "./texts.js";

const SVG = "http://www.w3.org/2000/svg";
const AXIS_HEIGHT = 22;
const LABEL_WIDTH = 90;

export function setText(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

/** Shows a message, or hides its element if the message is empty. */
export function setMessage(element, value) {
  element.hidden = !value;
  setText(element, value ?? "");
}

/** Renders rows of texts as a table; `shares` are the lengths of the bars behind the first cells. */
export function table(element, rows, empty, shares = null) {
  const body = element.tBodies[0];
  const columns = element.tHead.rows[0].cells.length;
  const shown = rows.length ? rows : [[empty]];
  resize(body, shown.length, () => document.createElement("tr"));
  shown.forEach((cells, index) => {
    const row = body.rows[index];
    resize(row, cells.length, () => document.createElement("td"));
    cells.forEach((value, column) => setText(row.cells[column], value));
    const [first] = row.cells;
    first.colSpan = rows.length ? 1 : columns;
    first.className = rows.length ? (shares ? "ranked" : "") : "empty";
    first.dir = "auto";
    first.title = shares && rows.length ? cells[0] : "";
    if (shares && rows.length) first.style.setProperty("--share", shares[index]);
  });
}

/** Renders a bar chart of posts per second; each bucket is `{from, to, posts, rate, running}`. */
export function chart(svg, buckets) {
  const { width, height } = svg.getBoundingClientRect();
  const plotHeight = height - AXIS_HEIGHT;
  const top = ceiling(Math.max(...buckets.map((bucket) => bucket.rate)));
  const step = width / buckets.length;
  const y = (value) => plotHeight - (value / top) * (plotHeight - 16);
  const shapes = [
    ...[0, top / 2, top].flatMap((value) => [
      ["line", { x1: 0, x2: width, y1: y(value), y2: y(value) }],
      ["text", { x: 0, y: y(value) - 4 }, value ? rate(value) : ""],
    ]),
    ...buckets.map((bucket, index) => [
      "rect",
      {
        x: index * step + step * 0.1,
        y: y(bucket.rate),
        width: step * 0.8,
        height: plotHeight - y(bucket.rate),
        rx: Math.min(2, step * 0.2),
        class: bucket.running ? "running" : "",
      },
      `${time(bucket.from)} to ${time(bucket.to)}: ${count(bucket.posts)} posts, ${rate(bucket.rate)} per second`,
    ]),
    ...timeLabels(buckets, width).map(([index, label]) => ["text", { x: index * step, y: height - 5 }, label]),
  ];
  draw(svg, shapes);
}

function timeLabels(buckets, width) {
  const interval = Math.ceil((buckets.length * LABEL_WIDTH) / width / 5) * 5;
  const seconds = buckets[0].to - buckets[0].from < 60_000;
  return buckets
    .map((bucket, index) => [index, time(bucket.from, { seconds })])
    .filter(([index]) => index % interval === 0 && (buckets.length - index) * width > LABEL_WIDTH * buckets.length * 0.6);
}

function draw(svg, shapes) {
  while (svg.childElementCount > shapes.length) svg.lastElementChild.remove();
  shapes.forEach(([name, attributes, label], index) => {
    let shape = svg.children[index];
    if (shape?.tagName !== name) {
      const created = document.createElementNS(SVG, name);
      shape ? shape.replaceWith(created) : svg.append(created);
      shape = created;
      if (name === "rect") shape.append(document.createElementNS(SVG, "title"));
    }
    for (const [key, value] of Object.entries(attributes)) {
      const formatted = typeof value === "number" ? value.toFixed(1) : value;
      if (shape.getAttribute(key) !== formatted) shape.setAttribute(key, formatted);
    }
    if (label !== undefined) setText(name === "rect" ? shape.firstChild : shape, label);
  });
}

/** Returns the next greater number whose half is a round number too. */
function ceiling(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 3, 4, 6, 8, 10].map((digit) => digit * power).find((round) => round >= value);
}

function resize(parent, length, create) {
  while (parent.childElementCount > length) parent.lastElementChild.remove();
  while (parent.childElementCount < length) parent.append(create());
}
