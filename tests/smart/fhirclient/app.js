// Ends a launch, and shows what came of it.
const show = (value) => { document.getElementById("seen").textContent = JSON.stringify(value); };

FHIR.oauth2.ready()
  .then(async (client) => {
    const patient = await client.patient.read();
    const studies = await client.patient.request("ImagingStudy", { pageLimit: 0, flat: true });
    const user = await client.user.read();
    show({
      patient: patient.name[0].family,
      encounter: client.encounter.id,
      user: `${user.resourceType}/${user.id}`,
      studies: studies.map((study) => study.id),
      banner: client.getState("tokenResponse.need_patient_banner"),
      context: client.getState("tokenResponse.fhirContext"),
      scope: client.getState("tokenResponse.scope"),
    });
  })
  .catch((error) => show({ error: String(error) }));
