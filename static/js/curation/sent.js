// Which copy in this browser belongs to the form that was sent: the page that comes next drops it if it shows that it was saved, a FAQ with
// that word or the run that publishes it.

const SENT = "parley.faq.sent";

/** The form goes out. */
export function noteSent(key) {
  try {
    sessionStorage.setItem(SENT, JSON.stringify({ key, copy: localStorage.getItem(key), from: location.href.split("#")[0] }));
  } catch {
    // A browser without storage has no copy either.
  }
}

/** Whoever had to sign in first does not come from the form: what was sent is lost, and the copy is needed. So is what was written since. */
function settleSent(isSaved) {
  try {
    const sent = JSON.parse(sessionStorage.getItem(SENT));
    sessionStorage.removeItem(SENT);
    if (isSaved && sent?.from === document.referrer && sent.copy === localStorage.getItem(sent.key)) localStorage.removeItem(sent.key);
  } catch {
    // As above.
  }
}

settleSent(document.querySelector(".saved, #run") !== null);
