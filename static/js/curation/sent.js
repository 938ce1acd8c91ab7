// Which copy in this browser belongs to the form that was sent: the page that shows it as saved drops it, no other does.

const SENT = "parley.faq.sent";

/** The form goes out. */
export function noteSent(key) {
  try {
    sessionStorage.setItem(SENT, JSON.stringify({ key, from: location.href.split("#")[0] }));
  } catch {
    // A browser without storage has no copy either.
  }
}

/** The page that came. Whoever had to sign in first does not come from the form: what was sent is lost, and the copy is needed. */
export function settleSent(isSaved) {
  try {
    const sent = JSON.parse(sessionStorage.getItem(SENT));
    sessionStorage.removeItem(SENT);
    if (isSaved && sent?.from === document.referrer) localStorage.removeItem(sent.key);
  } catch {
    // As above.
  }
}
