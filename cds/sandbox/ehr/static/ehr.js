// The page works without this: it only spares the reload, shows the app beside the order, and looks for reports.
"use strict";

const desk = document.getElementById("desk");
const panel = document.getElementById("panel");
const reports = document.getElementById("reports");

desk.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (button?.formTarget === "app") {
    showPanel(button.dataset.title);
  } else if (button?.formTarget !== "_blank") {
    event.preventDefault();
    send(event.target, button);
  }
});

async function send(form, button) {
  const body = new FormData(form, button);
  form.setAttribute("aria-busy", "true");
  for (const each of form.querySelectorAll("button")) each.disabled = true;
  try {
    const answer = await fetch(button?.getAttribute("formaction") ?? form.action, {
      method: "POST", body, headers: { "X-Fragment": "desk" },
    });
    if (!answer.ok) return location.reload();
    desk.innerHTML = await answer.text();
  } catch {
    return showLost(form);
  }
  desk.querySelector(".advice h2")?.focus({ preventScroll: true });
  say([...desk.querySelectorAll(".problem, .card h3")]);
  lookForReports();
}

// For those who listen: what is new on the desk.
function say(parts) {
  document.getElementById("said").textContent = parts.map((one) => one.textContent.trim()).join(". ");
}

function showLost(form) {
  form.removeAttribute("aria-busy");
  for (const each of form.querySelectorAll("button")) each.disabled = false;
  const said = document.createElement("p");
  said.className = "problem";
  said.setAttribute("role", "alert");
  said.textContent = "The sandbox does not answer. Is it still running?";
  form.prepend(said);
}

function showPanel(title) {
  document.getElementById("panel-title").textContent = title || "App";
  document.body.classList.add("with-panel");
  panel.hidden = false;
}

document.getElementById("panel-close").addEventListener("click", () => {
  panel.querySelector("iframe").src = "about:blank";
  document.body.classList.remove("with-panel");
  panel.hidden = true;
});

let shown = "";

async function lookForReports() {
  if (document.hidden) return;
  try {
    const answer = await fetch(reports.dataset.url);
    const text = answer.ok ? await answer.text() : shown;
    if (text === shown) return;
    shown = text;
    const list = JSON.parse(text);
    if (list.length) reports.replaceChildren(...list.map(drawReport));
  } catch {
    // The sandbox is away for a moment; the next look will tell.
  }
}

function drawReport(report) {
  const drawn = document.createElement("article");
  drawn.className = "report";
  drawn.append(
    part("h3", report.title || "Report"),
    part("p", report.conclusion),
    part("small", [report.status, ...report.labels, when(report.issued), report.id].filter(Boolean).join(" · ")),
  );
  return drawn;
}

function part(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function when(issued) {
  const moment = new Date(issued);
  return Number.isNaN(moment.valueOf()) ? "" : moment.toLocaleString();
}

for (const film of document.querySelectorAll(".film img")) {
  const gone = () => film.parentElement.replaceWith(part("small", "The PACS did not give the image."));
  if (film.complete && !film.naturalWidth) gone();
  else film.addEventListener("error", gone);
}

lookForReports();
setInterval(lookForReports, 3000);
