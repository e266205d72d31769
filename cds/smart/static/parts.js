// What is asked of the EHR only when it is wanted: a part of another page of ours, shown where a <details> opens.
//
// `data-part` on the <details> is the page's address; of the page the element `data-part` is taken.

async function fill(details) {
  const place = details.querySelector("[data-place]");
  details.dataset.filled = "";
  place.textContent = "Asking your EHR…";
  try {
    const answer = await fetch(details.dataset.part, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const part = page.querySelector("[data-part]");
    if (part) place.replaceChildren(part);
    else place.textContent = `${page.querySelector("h1").textContent}. ${page.querySelector("h1 ~ p").textContent}`;
    if (!part) delete details.dataset.filled;
  } catch {
    delete details.dataset.filled;
    place.textContent = "It did not arrive. Close this and open it again.";
  }
}

// A toggle does not bubble, but it can be caught on its way.
document.addEventListener(
  "toggle",
  ({ target }) => target.open && target.dataset.part && target.dataset.filled === undefined && fill(target),
  true,
);
