// fhirclient.js (SMART's own) reads the endpoint: node fhirclient.cjs LIBRARY BASE TOKEN PATIENT; prints what it found.
async function main(library, serverUrl, token, patient) {
  const smart = require(library);
  const request = { headers: {}, url: "/", connection: {} };
  const client = smart(request, {}, new Map()).client({ serverUrl, tokenResponse: { access_token: token } });
  const [report] = await client.request(`DiagnosticReport?patient=${patient}`, { flat: true });
  const observations = await client.request(`Observation?patient=${patient}&_count=3`, { flat: true, pageLimit: 0 });
  const whole = await client.request(`DiagnosticReport/${report.id}`, { resolveReferences: "result" });
  const [provenance] = await client.request(`Provenance?target=DiagnosticReport/${report.id}`, { flat: true });
  return {
    status: report.status,
    results: report.result.map((result) => result.reference),
    observations: observations.map((observation) => `Observation/${observation.id}`),
    resolved: whole.result.map((observation) => `Observation/${observation.id}`),
    authors: provenance.agent.map((agent) => agent.who.reference),
  };
}

main(...process.argv.slice(2)).then(
  (found) => console.log(JSON.stringify(found)),
  (error) => {
    console.error(error.message);
    process.exit(1);
  },
);
