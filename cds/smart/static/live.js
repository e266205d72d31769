// Keeps the page as the server has it: late scores, a colleague's signature, the end of the session.
//
// `data-live` on <main> is the address of the events, `data-version` what the page shows. Where the server has
// another version, the main part is fetched anew; a form in which something was chosen is never taken away.

const PAUSE_MS = 5000;

const main = () => document.querySelector("main");
let events = null;

function listen() {
  const address = main().dataset.live;
  if (!address || document.hidden) return;
  events = new EventSource(address);
  events.addEventListener("version", (event) => event.data !== main().dataset.version && changed());
  events.addEventListener("over", renew);
  events.addEventListener("error", () => {
    // The browser asks again by itself, unless the server refused.
    if (events?.readyState === EventSource.CLOSED) setTimeout(renew, PAUSE_MS);
  });
}

function silence() {
  events?.close();
  events = null;
}

function touched() {
  const form = document.querySelector("form[data-keep]");
  return Boolean(form && [...form.elements].some((field) => field.checked !== field.defaultChecked || (field.type !== "hidden" && field.value !== field.defaultValue && field.defaultValue !== undefined)));
}

function changed() {
  if (!touched()) return renew();
  const notice = document.querySelector("#changed");
  if (notice) notice.hidden = false;
}

async function renew() {
  silence();
  let answer;
  try {
    answer = await fetch(main().dataset.page, { headers: { Accept: "text/html" } });
  } catch {
    setTimeout(listen, PAUSE_MS);
    return;
  }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  keepTheSame(page);
  for (const part of ["header", "main"]) {
    const [before, after] = [document.querySelector(part), page.querySelector(part)];
    if (before && after) before.replaceWith(after);
    else before?.remove();
  }
  document.title = page.title;
  listen();
}

// The same film stays as it is looked at, with its window and zoom, and so does a note that is open.
function keepTheSame(page) {
  for (const after of page.querySelectorAll("[data-same]")) {
    const before = document.querySelector(`[data-same="${CSS.escape(after.dataset.same)}"]`);
    if (before) after.replaceWith(before);
  }
}

// How long something has waited goes on while it is looked at.
function age() {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const minutes = Math.floor((Date.now() - Date.parse(time.dateTime)) / 60000);
    const [count, unit] = minutes >= 2880 ? [minutes / 1440, "d"] : minutes >= 120 ? [minutes / 60, "h"] : [minutes, "min"];
    time.textContent = `${Math.floor(count)} ${unit}`;
  }
}

setInterval(age, 15000);
document.addEventListener("visibilitychange", () => {
  silence();
  listen();
});
document.addEventListener("click", (event) => event.target.closest("[data-renew]") && renew());
listen();
