// See xregexp.min.js.
