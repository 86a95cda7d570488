// The wish list: one button, sent as JSON. Like many shops, this one sends
// what it can find out about the device along with what was asked.
"use strict";

const status = document.getElementById("wished");

async function wish(sku) {
  const response = await fetch("/api/wishlist", {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify({
      sku,
      note: "for the kitchen",
      device: {
        screen: `${screen.width}x${screen.height}`,
        timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
        languages: navigator.languages.join(" "),
      },
    }),
  });
  if (!response.ok) {
    return `${status.dataset.failed} ${response.status}`;
  }
  const answer = await response.json();
  const names = answer.received.map((field) => field.name).join(", ") || "–";
  const missing = answer.not_received.join(", ");
  return `${status.dataset.saved} ${names}.` + (missing ? ` ${status.dataset.missing} ${missing}.` : "");
}

for (const button of document.querySelectorAll("[data-wish]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    status.hidden = false;
    status.textContent = "…";
    try {
      status.textContent = await wish(button.dataset.wish);
    } catch (error) {
      status.textContent = `${status.dataset.failed} ${error}`;
    }
  });
}
