// The page of one crawl, or of the jobs of a folder. What it shows comes by server-sent events; see frame.py.
// All of it was written by others: it goes into the page as text, never as HTML.
"use strict";

const $ = (id) => document.getElementById(id);
const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const FINAL = new Set(["finished", "failed", "stopped", "interrupted", "killed", "replaced"]);
const WINDOW = 600; // points that a chart holds
const LONGEST = 240; // characters of a URL or a message in a table
const job = location.pathname.startsWith("/jobs/") ? decoded(location.pathname.slice(6)) : "";

function decoded(path) {
  try {
    return decodeURIComponent(path);
  } catch {
    return path; // %zz is no encoding of anything
  }
}

// Elements

function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function draw(tag, attributes) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

function put(node, text) {
  if (node.textContent !== text) node.textContent = text; // what stays is not read out again, nor loses its selection
}

// Make the children of parent those that rows want, by key: a node that stays keeps its focus and its state.
function sync(parent, rows, key, build, fill) {
  const focused = document.activeElement;
  const keys = new Set(rows.map((row) => String(key(row))));
  const nodes = new Map();
  for (const node of [...parent.children]) {
    if (keys.has(node.dataset.key)) nodes.set(node.dataset.key, node);
    else node.remove();
  }
  let at = parent.firstElementChild;
  for (const row of rows) {
    const name = String(key(row));
    const node = nodes.get(name) ?? build(row);
    node.dataset.key = name;
    fill(node, row);
    if (node === at) at = at.nextElementSibling;
    else parent.insertBefore(node, at);
  }
  if (focused !== document.activeElement && parent.contains(focused)) focused.focus({ preventScroll: true });
  parent.closest("section")?.classList.toggle("none", rows.length === 0);
}

function pairs(list, entries) {
  const build = () => make("div", {}, make("dt"), make("dd"));
  sync(list, entries, (entry) => entry[0], build, (node, [name, value]) => {
    put(node.children[0], name);
    put(node.children[1], value);
  });
}

// Each cell is a function of the row: text, or an element that is made once. Its class may follow.
function table(id, rows, key, cells) {
  const build = (row) => make("tr", {}, ...cells.map(([cell, kind]) => {
    const content = kind === "url" ? cell(row) : "";
    return make("td", kind ? { class: kind } : {}, content);
  }));
  sync($(id), rows, key, build, (node, row) => cells.forEach(([cell, kind], index) => {
    if (kind !== "url") putLong(node.children[index], cell(row));
  }));
}

// As much of a text as a table has room for; all of it where the pointer rests.
function putLong(node, text) {
  put(node, cut(text));
  if (text.length > LONGEST) node.title = text;
  else node.removeAttribute("title");
}

function cut(text) {
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}\u2026` : text;
}

function link(url) {
  const known = /^https?:\/\//.test(url); // never javascript: or data:
  const parts = [known ? make("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, cut(url)) : cut(url)];
  const ask = make("button", { type: "button", class: "ask", "aria-label": `Why? ${url}` }, "why?");
  ask.addEventListener("click", () => {
    $("why-url").value = url;
    $("why-url").focus();
    look(url);
  });
  return make("span", url.length > LONGEST ? { title: url } : {}, ...parts, ask);
}

// Words

function seconds(value) {
  if (value === null) return "\u2013";
  return value < 1 ? `${short.format(value * 1000)} ms` : `${short.format(value)} s`;
}

function span(value) {
  const total = Math.round(value);
  const [hours, minutes, rest] = [Math.floor(total / 3600), Math.floor(total / 60) % 60, total % 60];
  return hours ? `${hours} h ${minutes} min` : minutes ? `${minutes} min ${rest} s` : `${rest} s`;
}

function bytes(value) {
  const power = value < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(value) / 3));
  return `${short.format(value / 1000 ** power)} ${["B", "kB", "MB", "GB", "TB"][power]}`;
}

const clock = (at) => new Date(at * 1000).toLocaleTimeString("en-GB");
const day = (at) => new Date(at * 1000).toLocaleString("en-GB");

function notice(text, bad = false) {
  put($("notice"), text);
  $("notice").classList.toggle("bad", bad);
}

// Charts

class Chart {
  constructor(id, title, series, format) {
    this.series = series;
    this.format = format;
    this.points = [];
    this.svg = draw("svg", { viewBox: "0 0 600 100", preserveAspectRatio: "none", role: "img" });
    this.svg.append(draw("path", { class: "net", d: "M0 .5H600M0 50H600M0 99.5H600" }));
    this.at = draw("path", { class: "at", d: "" });
    this.paths = series.map(({ look }) => draw("path", { class: look, d: "" }));
    this.svg.append(...this.paths, this.at);
    this.values = series.map(() => make("b"));
    const keys = series.map(({ name, look }, index) => {
      const line = draw("svg", { viewBox: "0 0 20 8", "aria-hidden": "true" });
      line.append(draw("path", { class: look, d: "M0 4H20" }));
      return make("span", { class: "key" }, line, `${name} `, this.values[index]);
    });
    this.top = make("span", { class: "top" });
    this.start = make("span");
    this.end = make("span");
    $(id).append(
      make("figcaption", {}, make("h2", {}, title), ...keys),
      this.top,
      make("div", { class: "plot" }, this.svg),
      make("div", { class: "ends" }, this.start, this.end),
    );
    this.title = title;
    this.svg.addEventListener("pointermove", (event) => {
      const box = this.svg.getBoundingClientRect();
      this.hover = (event.clientX - box.left) / box.width;
      this.legend();
    });
    this.svg.addEventListener("pointerleave", () => {
      this.hover = undefined;
      this.legend();
    });
  }

  // The points, and what stands below their ends; without that, the last one is of now.
  show(points, ends) {
    this.points = points;
    const last = points.length ? points[points.length - 1].n : 0;
    this.first = last - Math.max(ends ? 0.1 : 30, points.length ? last - points[0].n : 0);
    this.last = last;
    const all = points.flatMap((point) => this.series.map(({ field }) => point[field] ?? 0));
    const most = nice(Math.max(...all, 0));
    this.series.forEach(({ field }, index) => {
      let d = "";
      let pen = "M";
      for (const point of points) {
        if (point[field] === null) {
          pen = "M"; // nothing was measured: a gap, not a zero
          continue;
        }
        d += `${pen}${this.x(point).toFixed(1)} ${(99 - (98 * point[field]) / most).toFixed(1)}`;
        pen = "L";
      }
      this.paths[index].setAttribute("d", d);
    });
    put(this.top, this.format(most));
    put(this.start, ends?.[0] ?? (points.length ? `${span(this.last - this.first)} ago` : ""));
    put(this.end, ends?.[1] ?? (points.length ? "now" : "nothing measured yet"));
    this.legend();
  }

  x(point) {
    return (600 * (point.n - this.first)) / (this.last - this.first);
  }

  legend() {
    let point = this.points[this.points.length - 1];
    if (this.hover !== undefined && point) {
      const n = this.first + this.hover * (this.last - this.first);
      point = this.points.reduce((best, each) => (Math.abs(each.n - n) < Math.abs(best.n - n) ? each : best));
      this.at.setAttribute("d", `M${this.x(point).toFixed(1)} 0V100`);
    } else this.at.setAttribute("d", "");
    const said = this.series.map(({ name, field }, index) => {
      const value = point && point[field] !== null ? this.format(point[field]) : "\u2013";
      put(this.values[index], value);
      return `${name} ${value}`;
    });
    this.svg.setAttribute("aria-label", `${this.title}: ${said.join(", ")}`);
  }
}

function nice(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((step) => step * power >= value) * power;
}

const rate = (value) => `${short.format(value)}/s`;
const charts = [
  new Chart("chart-rate", "Rate", [
    { name: "pages", field: "pages", look: "s0" },
    { name: "requests", field: "requests", look: "s1" },
  ], rate),
  new Chart("chart-latency", "Latency", [
    { name: "50 %", field: "p50", look: "s0" },
    { name: "90 %", field: "p90", look: "s1" },
    { name: "99 %", field: "p99", look: "s2" },
  ], seconds),
  new Chart("chart-errors", "Errors and retries", [
    { name: "failed", field: "failed", look: "s0 bad" },
    { name: "retries", field: "retries", look: "s1" },
  ], rate),
];

// One crawl

let now = { run: null, points: [], phase: "" };

function show(frame) {
  if (frame.run !== now.run) now = { run: frame.run, points: [], phase: "" }; // another crawl, or the same again
  const seen = now.points.length ? now.points[now.points.length - 1].n : -1;
  now.points = [...now.points, ...frame.points.filter((point) => point.n > seen)].slice(-WINDOW);
  tell(frame);
  $("jobs").hidden = true;
  $("crawl").hidden = false;
  document.title = `${frame.phase} \u2013 ${frame.spider} \u2013 scrapekit`;
  put($("title"), frame.job || frame.spider);
  badge(frame.phase);
  controls(frame);
  const n = frame.numbers;
  pairs($("numbers"), [
    ["Pages", whole.format(n.pages)],
    ["Pages a second", short.format(frame.rate)],
    ["Items", whole.format(n.items)],
    ["Queued", whole.format(n.queued)],
    ["In flight", whole.format(n.in_flight)],
    ["Failed", whole.format(n.failed)],
    ["Requests", whole.format(n.requests)],
    ["Received", bytes(n.bytes)],
  ]);
  put($("facts"), facts(frame));
  $("charts").hidden = !frame.live && !frame.course;
  $("chart-latency").hidden = !frame.live;
  if (frame.live) charts.forEach((chart) => chart.show(now.points));
  else if (frame.course) charts.forEach((chart) => chart.show(...past(frame.course)));
  $("spiders").hidden = frame.spiders.length === 0;
  table("spiders-rows", frame.spiders, (each) => each.name, [
    [(each) => each.name, "long"], [(each) => whole.format(each.items), "n"], [(each) => each.ended, "long"],
  ]);
  hosts(frame);
  sync($("statuses"), Object.entries(frame.statuses), (each) => each[0], () => make("li"), (node, [status, count]) =>
    put(node, `${status}: ${whole.format(count)}`));
  kinds("errors-rows", frame.errors);
  kinds("left-rows", frame.left_out);
  table("failing-rows", frame.failing, (each) => each.attempt, [
    [(each) => link(each.url), "url"], [(each) => each.error, "long"], [(each) => whole.format(each.attempts), "n"],
    [(each) => each.state, "word"], [(each) => clock(each.at), "when"],
  ]);
  table("slowest-rows", frame.slowest, (each) => each.attempt, [
    [(each) => link(each.url), "url"], [(each) => each.seconds.toFixed(3), "n"],
    [(each) => each.error || String(each.status), "long"], [(each) => clock(each.at), "when"],
  ]);
  items(frame.items);
  pool(frame.pool);
}

// Of a job that is read: what its ledger knows of each stretch of time, as points.
function past({ start, width, done, failed }) {
  const points = done.map((count, index) => ({
    n: (index + 0.5) * width, pages: count / width, requests: (count + failed[index]) / width,
    failed: failed[index] / width, retries: null, p50: null, p90: null, p99: null,
  }));
  return [points, [day(start), day(start + width * done.length)]];
}

function kinds(id, rows) {
  table(id, rows, (each) => each.kind, [
    [(each) => each.kind, "long"], [(each) => whole.format(each.count), "n"],
    [(each) => [each.url && cut(each.url), each.message && `(${each.message})`].filter(Boolean).join(" "), "long"],
  ]);
}

// What a change of phase means, said once, for whoever can't see it too.
function tell(frame) {
  if (frame.phase === now.phase) return;
  const n = frame.numbers;
  const sums = `${whole.format(n.pages)} pages, ${whole.format(n.items)} items, ${whole.format(n.failed)} failed.`;
  const again = frame.resume ? ` To go on: ${frame.resume}` : "";
  if (frame.phase === "paused") notice("Paused: nothing more is started until you resume it.");
  else if (frame.phase === "stopping") notice("Stopping: requests in flight may finish. Stop again to leave them.");
  else if (frame.phase === "finishing") notice("Finishing: nothing is in flight any more, and the output is completed.");
  else if (FINAL.has(frame.phase)) {
    notice(`${frame.live ? "The crawl has ended: " : ""}${frame.phase}. ${frame.why ? `${frame.why}. ` : ""}${sums}${again}`,
      frame.phase === "failed");
  } else notice(now.phase === "paused" ? "The crawl goes on." : "");
  now.phase = frame.phase;
}

function badge(phase) {
  $("phase").className = `phase ${phase}`;
  $("phase").hidden = false;
  put($("phase"), phase);
}

function controls(frame) {
  $("controls").hidden = !frame.controls;
  $("pause").hidden = frame.phase === "stopping";
  put($("pause"), frame.phase === "paused" ? "Resume" : "Pause");
  put($("stop"), frame.phase === "stopping" ? "Stop now" : "Stop");
  put($("sure-text"), `Requests in flight may finish first. Nothing is lost: ${frame.resume} goes on from there.`);
}

function facts(frame) {
  const n = frame.numbers;
  return [
    frame.spider, `${span(n.elapsed)}`, frame.workers ? `${frame.workers} workers` : "",
    `${whole.format(n.retries)} retries`,
    frame.latency[0] === null ? "" : `latency ${frame.latency.map(seconds).join(", ")} (50, 90, 99 %)`,
    frame.output && `items go to ${frame.output}`,
    frame.started ? `started ${day(frame.started)}` : "",
  ].filter(Boolean).join(" \u00b7 ");
}

function hosts(frame) {
  const waits = (host) => {
    if (!host.why) return "";
    const left = host.until === null ? 0 : host.until - frame.at;
    return left >= 0.5 ? `${host.why}, ${span(left)} (until ${clock(host.until)})` : host.why;
  };
  table("hosts-rows", frame.hosts, (host) => host.name, [
    [(host) => host.name, "long"],
    [(host) => (host.maxsize ? `${host.in_flight} of ${host.limit}${host.limit < host.maxsize ? ` (at most ${host.maxsize})` : ""}` : ""), "n"],
    [(host) => whole.format(host.queued), "n"],
    [waits, "long"],
  ]);
}

function items(latest) {
  const build = (item) => make("li", {}, make("details", {}, make("summary", {}, brief(item.text)), make("pre", {}, pretty(item.text))));
  sync($("items-rows"), [...latest].reverse(), (item) => item.n, build, () => {});
}

function brief(text) {
  try {
    const item = JSON.parse(text);
    return Object.entries(item).map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`).join("  \u00b7  ");
  } catch {
    return text; // it was too long, and is cut off
  }
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function pool(stats) {
  $("pool").hidden = !stats;
  if (!stats) return;
  pairs($("pool-rows"), [
    ["Pools, one a host and process", whole.format(stats.pools)],
    ["In use", `${whole.format(stats.in_use)} of ${whole.format(stats.maxsize)}`],
    ["Threads that wait for one", whole.format(stats.waiting)],
    ["Opened", whole.format(stats.opened)],
    ["Used again", whole.format(stats.reused)],
    ["Closed by the server while idle", whole.format(stats.retried)],
  ]);
}

// The jobs of a folder

function list(jobs) {
  $("crawl").hidden = true;
  $("jobs").hidden = false;
  document.title = "Jobs \u2013 scrapekit";
  put($("title"), "Jobs");
  notice("");
  table("jobs-rows", jobs, (each) => each.job, [
    [(each) => make("a", { href: `/jobs/${encodeURIComponent(each.job)}` }, each.job), "url"],
    [(each) => each.spider, "long"], [(each) => each.state, "word"], [(each) => (each.started ? day(each.started) : ""), "when"],
    ...["done", "pending", "failed"].map((name) => [(each) => (each[name] === null ? "?" : whole.format(each[name])), "n"]),
    [(each) => each.output, "long"],
  ]);
}

// What people do

async function act(what) {
  const answer = await fetch(`/${what}`, { method: "POST" }).catch(() => null);
  if (!answer?.ok) notice(answer ? await answer.text() : "The crawl can't be reached.", true);
}

$("pause").addEventListener("click", () => act(now.phase === "paused" ? "resume" : "pause"));
$("stop").addEventListener("click", () => (now.phase === "stopping" ? act("stop") : $("sure").showModal()));
$("sure-no").addEventListener("click", () => $("sure").close());
$("sure-yes").addEventListener("click", () => {
  $("sure").close();
  act("stop");
});
$("why-form").addEventListener("submit", (event) => {
  event.preventDefault();
  look($("why-url").value);
});

async function look(url) {
  const query = new URLSearchParams({ url, ...(job && { job }) });
  const answer = await fetch(`/why?${query}`).catch(() => null);
  put($("why-answer"), answer ? await answer.text() : "The crawl can't be reached.");
  $("why-answer").hidden = false;
}

// The connection

const events = job ? `/events?job=${encodeURIComponent(job)}` : "/events";
let patience = 1000; // milliseconds until the next try
let source;
let next; // try, if one is to come
let live = true; // for all that is known

function connect() {
  clearTimeout(next);
  source = new EventSource(events);
  source.addEventListener("frame", (event) => {
    patience = 1000;
    const frame = JSON.parse(event.data);
    show(frame);
    live = frame.live;
    rest();
  });
  source.addEventListener("jobs", (event) => {
    patience = 1000;
    list(JSON.parse(event.data));
    live = false;
    rest();
  });
  source.addEventListener("gone", (event) => {
    source.close();
    notice(JSON.parse(event.data), true);
    [now.phase, live] = ["", false];
    next = setTimeout(connect, 15000); // its state may only be in the making
  });
  source.addEventListener("error", () => {
    source.close();
    lost();
    next = setTimeout(connect, patience);
    patience = Math.min(15000, patience * 1.5);
  });
}

// A browser keeps six connections to a server, in all its tabs, and a seventh tab would never load. So one that nobody
// looks at lets go of its own, and asks now and then; but for that of a crawl, which is told how it has ended only once.
function rest() {
  if (!document.hidden || live) return;
  source.close();
  clearTimeout(next);
  next = setTimeout(connect, 15000);
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) rest();
  else if (!live && source.readyState === EventSource.CLOSED) connect();
});

async function lost() {
  if (FINAL.has(now.phase)) {
    $("controls").hidden = true;
    return; // it has ended and said so; if it is started again, this page goes on with it
  }
  const answer = await fetch(events, { method: "HEAD" }).catch(() => null); // why? EventSource does not say
  if (source.readyState === EventSource.OPEN) return; // it is back already
  if (answer && !answer.ok) notice(await (await fetch(events)).text(), true);
  else notice(answer ? "" : "No connection: the crawl has ended without a word, or can't be reached. Trying again.", !answer);
  now.phase = ""; // so that it is said how it stands as soon as that is known
  if (!answer && !$("crawl").hidden) badge("lost");
}

if (new URLSearchParams(location.search).has("token")) history.replaceState(null, "", location.pathname); // it is a cookie now
connect();
