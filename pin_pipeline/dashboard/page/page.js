// Asks for the numbers of the window in the address every second, and draws them.

import { bars, notice, table, text } from "./drawing.js";
import { ago, count, duration, rate, time } from "./texts.js";

const EVERY = 1000;
const PATIENCE = 15_000;
const links = [...document.querySelectorAll("nav a")];
const part = (id) => document.getElementById(id);
const windowOf = (address) => new URL(address).searchParams.get("minutes");
let lostAt = null;

function chosen() {
  const asked = windowOf(location.href);
  return links.find((link) => windowOf(link.href) === asked) ?? links[1];
}

async function refresh() {
  const link = chosen();
  const { data, failure } = await fetched(windowOf(link.href));
  if (link !== chosen()) return;
  lostAt = failure ? (lostAt ?? new Date()) : null;
  notice(part("dashboard-problem"), failure && `Since ${time(lostAt, { now: new Date() })}: The dashboard at ${location.host} tells nothing: ${failure}; is it up? (\`pin-pipeline status\`)`);
  for (const name of ["realtime", "tables"]) part(name).classList.toggle("stale", Boolean(failure));
  if (data) draw(data);
  const all = !document.querySelector(".stale");
  text(part("state"), all ? `Live: as of ${time(new Date(data.at))}, in your time zone` : "What is pale is as it was last told.");
}

function draw({ at, realtime, tables }) {
  const now = new Date(at);
  if (answered("realtime", realtime, now)) drawRealtime(realtime.answer, now);
  if (answered("tables", tables, now)) drawTables(tables.answer, now);
}

async function fetched(minutes) {
  try {
    const response = await fetch(`data?minutes=${minutes}`, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
    if (!response.ok) throw new Error(`it answers ${response.status}, and its log says why`);
    return { data: await response.json() };
  } catch (error) {
    return { failure: error.message };
  }
}

/** Whether a part told something; what it told last stays, pale, while it does not. */
function answered(name, told, now) {
  const since = told.since && time(new Date(told.since), { now });
  notice(part(`${name}-problem`), told.problem && `Since ${since}: ${told.problem}`);
  part(name).classList.toggle("stale", Boolean(told.problem));
  return !told.problem;
}

function drawRealtime(answer, now) {
  const there = answer?.lag.newest;
  notice(part("realtime-hint"), there ? null : "No post is in Postgres yet: the streaming job kafka_to_postgres puts them there as soon as it runs and somebody posts.");
  if (!answer) return;
  const { lag } = answer;
  const total = answer.posts.reduce((sum, posts) => sum + posts, 0);
  const since = (moment, seconds = false) => `since ${time(new Date(moment), { seconds, now })}`;
  text(part("rate"), rate(lag.posted_in_last_minute / 60));
  text(part("posts"), count(total));
  text(part("posts-since"), since(answer.posts_since, answer.bucket_seconds < 60));
  text(part("lag"), lag.median_seconds === null ? "–" : duration(lag.median_seconds));
  text(part("worst-lag"), lag.worst_seconds === null ? "nothing came in the last minute" : `median of the last minute, worst ${duration(lag.worst_seconds)}`);
  text(part("newest"), there ? ago(new Date(there), now) : "–");
  text(part("newest-at"), there ? `written at ${time(new Date(there), { now })}` : "in Postgres");
  drawChart(answer, total);
  text(part("categories-note"), `${since(answer.categories_since)}, from five-minute windows`);
  ranking(part("categories"), answer.categories, ({ name, posts }) => [name, count(posts)]);
  text(part("posters-note"), `${since(answer.posters_since)}, from ${answer.posters_hours === 1 ? "one hourly window" : `${answer.posters_hours} hourly windows`}`);
  ranking(part("posters"), answer.posters, ({ name, posts, followers }) => [name, count(posts), followers === null ? "–" : count(followers)]);
}

function drawChart(answer, total) {
  const begin = new Date(answer.posts_since).getTime();
  const length = answer.bucket_seconds * 1000;
  const buckets = answer.posts.map((posts, index) => ({
    from: new Date(begin + index * length),
    to: new Date(begin + (index + 1) * length),
    posts,
    rate: posts / answer.bucket_seconds,
    running: index === answer.posts.length - 1,
  }));
  bars(part("chart"), buckets);
  const each = answer.bucket_seconds < 60 ? `${answer.bucket_seconds} seconds` : answer.bucket_seconds === 60 ? "a minute" : `${answer.bucket_seconds / 60} minutes`;
  text(part("chart-note"), total ? `Each bar is ${each}; the last one, paler, is not over yet.` : "Nothing was posted in this window.");
  table(part("buckets"), buckets.toReversed().map((bucket) => [time(bucket.from), time(bucket.to), count(bucket.posts), rate(bucket.rate)]), "");
}

function ranking(element, rows, cells) {
  const shares = rows.map((row) => row.posts / rows[0].posts);
  table(element, rows.map(cells), "Nothing was posted since then.", shares);
}

function drawTables(tables, now) {
  const rows = Object.entries(tables).map(([key, progress]) => [key, ...(progress ? figures(progress, now) : ["not there yet", "–", "–", "–"])]);
  table(part("progress"), rows, "");
}

function figures({ records, quarantined, committed, lag_seconds: lag }, now) {
  return [count(records), count(quarantined), ago(new Date(committed), now), lag === null ? "no record yet" : duration(lag)];
}

function showChosen() {
  for (const link of links) {
    if (link === chosen()) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  return refresh();
}

for (const link of links) {
  link.addEventListener("click", (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    history.pushState(null, "", link.href);
    showChosen();
  });
}
addEventListener("popstate", showChosen);
document.addEventListener("visibilitychange", () => document.hidden || refresh());

await showChosen();
for (;;) {
  await new Promise((resolve) => setTimeout(resolve, EVERY));
  if (!document.hidden) await refresh();
}
