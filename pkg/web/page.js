// Fetches the page again every few seconds and puts the new text in the place of the old. What was unfolded stays so.
// When the daemon does not answer, the page says since when it is old.
"use strict";
const every = 5000;
let last = new Date();

function openDetails() {
  return [...document.querySelectorAll("details[open]")].map((d) => d.id);
}

async function refresh() {
  const stale = document.getElementById("stale");
  try {
    const answer = await fetch(location.pathname, { cache: "no-store", signal: AbortSignal.timeout(4 * every) });
    if (!answer.ok) throw new Error(answer.status);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const open = openDetails();
    document.title = page.title;
    document.querySelector("main").replaceWith(page.querySelector("main"));
    for (const id of open) {
      const d = document.getElementById(id);
      if (d) d.open = true;
    }
    last = new Date();
    stale.hidden = true;
    document.body.classList.remove("stale");
  } catch (e) {
    stale.textContent = "This page is old: the daemon has not answered since " + last.toLocaleTimeString() + ". What it shows may no longer be so.";
    stale.hidden = false;
    document.body.classList.add("stale");
    document.title = "(old) " + document.title.replace(/^\(old\) /, "");
  }
  setTimeout(refresh, every);
}

setTimeout(refresh, every);
