// Polls the data of the selected window every second and renders it.

import { chart, setMessage, setText, table } from "./drawing.js";
import { ago, count, duration, rate, time } from "./texts.js";

const POLL_MILLISECONDS = 1000;
const TIMEOUT_MILLISECONDS = 15_000;
const links = [...document.querySelectorAll("nav a")];
const byId = (id) => document.getElementById(id);
const windowOf = (url) => new URL(url).searchParams.get("minutes");
let failingSince = null;

function selectedLink() {
  const requested = windowOf(location.href);
  return links.find((link) => windowOf(link.href) === requested) ?? links[1];
}

async function refresh() {
  const link = selectedLink();
  const { data, error } = await fetchData(windowOf(link.href));
  if (link !== selectedLink()) return;
  failingSince = error ? (failingSince ?? new Date()) : null;
  setMessage(byId("dashboard-error"), error && `Since ${time(failingSince, { now: new Date() })}: the data could not be loaded from ${location.host}: ${error}. Check that the dashboard is running: \`pin-pipeline status\`.`);
  for (const name of ["realtime", "tables"]) byId(name).classList.toggle("stale", Boolean(error));
  if (data) render(data);
  const live = !document.querySelector(".stale");
  setText(byId("state"), live ? `Live: as of ${time(new Date(data.at))}, in your time zone` : "Faded values are out of date.");
}

function render({ at, realtime, tables }) {
  const now = new Date(at);
  if (showStatus("realtime", realtime, now)) renderRealtime(realtime.result, now);
  if (showStatus("tables", tables, now)) renderTables(tables.result, now);
}

async function fetchData(minutes) {
  try {
    const response = await fetch(`data?minutes=${minutes}`, { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MILLISECONDS) });
    if (!response.ok) throw new Error(`status ${response.status}, see its log`);
    return { data: await response.json() };
  } catch (error) {
    return { error: error.message };
  }
}

/** Shows the error of a source, if any. Returns whether there is a result; without one, the last one stays, faded. */
function showStatus(name, { error, since }, now) {
  setMessage(byId(`${name}-error`), error && `Since ${time(new Date(since), { now })}: ${error}`);
  byId(name).classList.toggle("stale", Boolean(error));
  return !error;
}

function renderRealtime(result, now) {
  const newest = result?.lag.newest && new Date(result.lag.newest);
  setMessage(byId("realtime-hint"), newest ? null : "No post is in Postgres yet: the streaming job kafka_to_postgres writes posts as soon as it is running and posts arrive.");
  if (!result) return;
  const { lag } = result;
  const total = result.posts.reduce((sum, posts) => sum + posts, 0);
  const since = (text, seconds = false) => `since ${time(new Date(text), { seconds, now })}`;
  setText(byId("rate"), rate(lag.posted_in_last_minute / 60));
  setText(byId("posts"), count(total));
  setText(byId("posts-since"), since(result.posts_since, result.bucket_seconds < 60));
  setText(byId("lag"), lag.median_seconds === null ? "–" : duration(lag.median_seconds));
  setText(byId("worst-lag"), lag.worst_seconds === null ? "no posts in the last minute" : `median of the last minute, worst ${duration(lag.worst_seconds)}`);
  setText(byId("newest"), newest ? ago(newest, now) : "–");
  setText(byId("newest-at"), newest ? `written at ${time(newest, { now })}` : "in Postgres");
  renderChart(result, total);
  setText(byId("categories-note"), `${since(result.categories_since)}, from five-minute windows`);
  ranking(byId("categories"), result.categories, ({ name, posts }) => [name, count(posts)]);
  setText(byId("posters-note"), `${since(result.posters_since)}, from ${result.posters_hours === 1 ? "one hourly window" : `${result.posters_hours} hourly windows`}`);
  ranking(byId("posters"), result.posters, ({ name, posts, followers }) => [name, count(posts), followers === null ? "–" : count(followers)]);
}

function renderChart({ posts: counts, posts_since: since, bucket_seconds: seconds }, total) {
  const start = new Date(since).getTime();
  const length = seconds * 1000;
  const buckets = counts.map((posts, index) => ({
    from: new Date(start + index * length),
    to: new Date(start + (index + 1) * length),
    posts,
    rate: posts / seconds,
    running: index === counts.length - 1,
  }));
  chart(byId("chart"), buckets);
  const unit = seconds < 60 ? `${seconds} seconds` : seconds === 60 ? "a minute" : `${seconds / 60} minutes`;
  setText(byId("chart-note"), total ? `Each bar is ${unit}; the last one, paler, has not ended.` : "No posts in this window.");
  table(byId("buckets"), buckets.toReversed().map((bucket) => [time(bucket.from), time(bucket.to), count(bucket.posts), rate(bucket.rate)]), "");
}

function ranking(element, rows, cells) {
  const shares = rows.map((row) => row.posts / rows[0].posts);
  table(element, rows.map(cells), "No posts since then.", shares);
}

function renderTables(tables, now) {
  const rows = Object.entries(tables).map(([key, progress]) => [key, ...(progress ? progressCells(progress, now) : ["not created yet", "–", "–", "–"])]);
  table(byId("progress"), rows, "");
}

function progressCells({ records, quarantined, committed, lag_seconds: lag }, now) {
  return [count(records), count(quarantined), ago(new Date(committed), now), lag === null ? "no record yet" : duration(lag)];
}

function showSelected() {
  for (const link of links) {
    if (link === selectedLink()) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  return refresh();
}

for (const link of links) {
  link.addEventListener("click", (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    history.pushState(null, "", link.href);
    showSelected();
  });
}
addEventListener("popstate", showSelected);
document.addEventListener("visibilitychange", () => document.hidden || refresh());

await showSelected();
for (;;) {
  await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS));
  if (!document.hidden) await refresh();
}
