// Charts, live sections, times in the viewer's zone, copy buttons. Pages work without it.

const dark = matchMedia("(prefers-color-scheme: dark)");

// ---- times: the server writes UTC ----

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

function timeText(moment, now = new Date()) {
  const minutes = Math.round((now - moment) / 60_000);
  if (minutes >= 0 && minutes < 1) return "just now";
  if (minutes >= 0 && minutes < 60) return `${minutes}\u00a0min ago`;
  if (minutes >= 0 && minutes < 24 * 60) return `${Math.floor(minutes / 60)}\u00a0h ago`;
  const year = moment.getFullYear() === now.getFullYear() ? "" : `\u00a0${moment.getFullYear()}`;
  const month = moment.toLocaleString("en", { month: "short" });
  const clock = moment.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  return `${moment.getDate()}\u00a0${month}${year},\u00a0${clock}`;
}

function localTimes(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    element.textContent = timeText(new Date(element.dateTime));
  }
}

// ---- charts: a figure holds its picture as JSON, without colours ----

const drawn = new WeakMap();

function theme() {
  const themes = document.getElementById("themes");
  return themes ? JSON.parse(themes.textContent)[dark.matches ? "dark" : "light"] : {};
}

async function draw(figure, { again = false } = {}) {
  const text = figure.querySelector("script").textContent;
  const before = drawn.get(figure);
  if (before?.text === text && !again) return;
  const entry = { text, view: before?.view };
  drawn.set(figure, entry);
  const canvas = figure.querySelector(".canvas");
  // The new picture is made out of sight and takes the old one's place when it is complete.
  const coming = document.createElement("div");
  coming.className = "coming";
  canvas.append(coming);
  const result = await window.vegaEmbed(coming, JSON.parse(text), {
    config: theme(),
    actions: false,
    renderer: "canvas",
    // The interpreter instead of eval, which our content security policy forbids.
    ast: true,
    defaultStyle: false,
    tooltip: { disableDefaultStyle: true },
  });
  if (drawn.get(figure)?.text !== text) {
    result.finalize();
    coming.remove();
    return;
  }
  for (const child of [...canvas.children]) if (child !== coming) child.remove();
  coming.className = "";
  before?.view?.finalize();
  entry.view = result;
}

async function drawAll(root, options) {
  if (!window.vegaEmbed) return;
  for (const figure of root.querySelectorAll("figure[data-chart]")) await draw(figure, options);
}

// ---- live sections ----

const sections = [...document.querySelectorAll("[data-live]")];

function watches(section, topic) {
  return section.dataset.topics.split(" ").some((wanted) => {
    const name = decodeURIComponent(wanted);
    return name.endsWith("/*") ? topic.startsWith(name.slice(0, -1)) : name === topic;
  });
}

// One request for all sections that changed, and at most one in two seconds.
const due = new Set();
let asking = false;

function refresh(section) {
  due.add(section);
  if (!asking) {
    asking = true;
    setTimeout(ask, 200);
  }
}

async function ask() {
  const wanted = [...due];
  due.clear();
  try {
    await update(wanted);
  } catch (error) {
    console.info("sections could not be refreshed:", error.message);
  }
  setTimeout(() => (due.size ? ask() : (asking = false)), 2000);
}

async function update(wanted) {
  const address = new URL(location.href);
  address.hash = "";
  address.searchParams.set("fragment", wanted.map((section) => section.dataset.live).join(","));
  const answer = await fetch(address, { headers: { accept: "text/html" } });
  if (!answer.ok) throw new Error(`${answer.status} for ${address.pathname}`);
  const parsed = document.createElement("template");
  parsed.innerHTML = await answer.text();
  for (const section of wanted) {
    const found = parsed.content.querySelector(`template[data-fragment=${section.dataset.live}]`);
    const fresh = found.content;
    keep(section, fresh);
    localTimes(fresh);
    section.replaceChildren(fresh);
    await drawAll(section);
  }
}

// Carry over what the viewer did and what is drawn: figures, open details, scroll, focus.
function keep(section, fresh) {
  for (const figure of fresh.querySelectorAll("figure[data-chart]")) {
    const old = section.querySelector(`#${CSS.escape(figure.id)}`);
    if (!old) continue;
    old.querySelector("figcaption").replaceWith(figure.querySelector("figcaption"));
    old.querySelector("script").textContent = figure.querySelector("script").textContent;
    const label = figure.querySelector(".canvas").getAttribute("aria-label");
    old.querySelector(".canvas").setAttribute("aria-label", label);
    figure.replaceWith(old);
  }
  const opened = [...section.querySelectorAll("details")].map((details) => details.open);
  fresh.querySelectorAll("details").forEach((details, i) => (details.open = opened[i] ?? false));
  const scrolled = [...section.querySelectorAll(".scroller")].map((s) => [s.scrollLeft, s.scrollTop]);
  const active = section.contains(document.activeElement) ? document.activeElement : null;
  const path = active && [...section.querySelectorAll(active.tagName)].indexOf(active);
  queueMicrotask(() => {
    section.querySelectorAll(".scroller").forEach((scroller, i) => {
      if (scrolled[i]) [scroller.scrollLeft, scroller.scrollTop] = scrolled[i];
    });
    if (active) section.querySelectorAll(active.tagName)[path]?.focus({ preventScroll: true });
  });
}

// ---- the stream ----

const live = document.getElementById("live");
let lost = 0;

function say(state) {
  if (live.dataset.state === state) return;
  live.hidden = false;
  live.dataset.state = state;
  live.querySelector(".live-word").textContent = state;
  live.title = {
    live: "What you see is kept up to date",
    reconnecting: "The connection was lost; trying again",
    stale: "No connection for a while: what you see may be old. Reload the page",
  }[state];
}

function listen() {
  const stream = new EventSource("/api/v1/events");
  stream.addEventListener("ready", (event) => {
    clearTimeout(lost);
    lost = 0;
    say("live");
    // What changed between the rendering of the page and now.
    for (const section of sections) {
      if (Number(event.data) > Number(section.dataset.newest)) refresh(section);
      section.dataset.newest = event.data;
    }
  });
  stream.addEventListener("change", (event) => {
    for (const section of sections) {
      section.dataset.newest = event.lastEventId;
      if (watches(section, event.data)) refresh(section);
    }
  });
  stream.addEventListener("error", () => {
    say(lost === -1 ? "stale" : "reconnecting");
    if (!lost) {
      lost = setTimeout(() => {
        lost = -1;
        say("stale");
      }, 30_000);
    }
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 5000);
  });
  addEventListener("pagehide", () => stream.close(), { once: true });
}

// ---- begin ----

document.getElementById("zone").textContent = zone;
localTimes(document);
setInterval(() => localTimes(document), 60_000);
document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).innerText);
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy"), 2000);
});
await drawAll(document);
dark.addEventListener("change", () => drawAll(document, { again: true }));
if (sections.length) {
  listen();
  addEventListener("pageshow", (event) => event.persisted && location.reload());
}
