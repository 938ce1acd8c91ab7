// The token that a POST proves itself with. It changes when somebody signs in, in whichever tab: read it each time.

export function csrfToken() {
  return decodeURIComponent(/(?:^|; )csrftoken=([^;]*)/.exec(document.cookie)?.[1] ?? "");
}
