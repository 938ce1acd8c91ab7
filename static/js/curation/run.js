// Waits for a run of the publish gate, shows how far it is, and shows the result once there is one.

const page = document.getElementById("run");
const bar = page.querySelector("progress");
const asked = document.getElementById("asked");

async function look() {
  let found;
  try {
    const response = await fetch(page.dataset.progress, { headers: { Accept: "application/json" } });
    found = response.ok && !response.redirected ? await response.json() : null;
  } catch {
    found = null; // Offline: look again later.
  }
  if (found && !found.open) {
    location.reload();
    return;
  }
  if (found?.total && bar) {
    bar.max = found.total;
    bar.value = found.asked;
    asked.textContent = `${found.asked} / ${found.total}`;
  }
  setTimeout(look, bar ? 700 : 5000);
}

look();
