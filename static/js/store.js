// What this browser keeps between loads: drafts and unacknowledged messages of one person, in localStorage.

const PREFIX = "parley:";
const OWNER = `${PREFIX}owner`;

function attempt(action, fallback = null) {
  try {
    return action();
  } catch {
    return fallback; // storage is full or forbidden: the page works without it
  }
}

export function read(key) {
  return attempt(() => JSON.parse(localStorage.getItem(PREFIX + key)));
}

export function write(key, value) {
  attempt(() => {
    if (value === null || value === "") localStorage.removeItem(PREFIX + key);
    else localStorage.setItem(PREFIX + key, JSON.stringify(value));
  });
}

export function keys(start) {
  return attempt(() => Object.keys(localStorage), [])
    .filter((key) => key.startsWith(PREFIX + start))
    .map((key) => key.slice(PREFIX.length));
}

/**
 * Forget everything of the last person when another one uses this browser. A guest who signs in stays the same person, and so does one
 * whose page was asked for before the guest was made: it knows nobody.
 */
export function claim(userId, isGuest) {
  const last = read("owner");
  const isSame = last?.id === userId || (last?.guest && !(userId && isGuest));
  if (last?.id && !isSame) {
    for (const key of keys("")) write(key, null);
  }
  if (userId) write("owner", { id: userId, guest: isGuest });
}

/** The name of this tab: it survives a reload. */
export function tabName() {
  return attempt(() => {
    const name = sessionStorage.getItem(OWNER) ?? crypto.randomUUID();
    sessionStorage.setItem(OWNER, name);
    return name;
  }, "only");
}
