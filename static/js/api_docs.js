// The reference of the API: Swagger UI over this installation's own OpenAPI document.
const place = document.getElementById("api-docs");

window.SwaggerUIBundle({
  domNode: place,
  url: place.dataset.schema,
  deepLinking: true,
  docExpansion: "none",
  validatorUrl: null,
});
