// Keeps the admin's libraries inside the content security policy: no style written as text.
window.htmx.config.includeIndicatorStyles = false;

document.addEventListener("alpine:init", () => {
  // A style given as an object is set property by property, which the policy allows.
  document.querySelector("#changelist-actions")?.setAttribute("x-bind:style", "{ width: changeListWidth + 'px' }");
});
