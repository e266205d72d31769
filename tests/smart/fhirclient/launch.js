// Begins a launch. What this app is registered as stands at client.json; by iss alone it is a standalone launch.
fetch("client.json")
  .then((answer) => answer.json())
  .then((client) => FHIR.oauth2.authorize({ ...client, redirectUri: "app.html", pkceMode: "required" }))
  .catch((error) => { document.title = String(error); });
