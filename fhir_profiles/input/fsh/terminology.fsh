// What the profiles speak with. SNOMED CT and LOINC codes are those of cds/findings.py and cds/reporting/codes.py.

Alias: $SCT = http://snomed.info/sct
Alias: $LNC = http://loinc.org
Alias: $UCUM = http://unitsofmeasure.org
Alias: $ObsValue = http://terminology.hl7.org/CodeSystem/v3-ObservationValue
Alias: $ActCode = http://terminology.hl7.org/CodeSystem/v3-ActCode
Alias: $Interpretation = http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation
Alias: $Participation = http://terminology.hl7.org/CodeSystem/v3-ParticipationType
Alias: $DCM = http://dicom.nema.org/resources/ontology/DCM
Alias: $EventType = http://terminology.hl7.org/CodeSystem/audit-event-type
Alias: $Restful = http://hl7.org/fhir/restful-interaction
Alias: $EntityType = http://terminology.hl7.org/CodeSystem/audit-entity-type
Alias: $ObjectRole = http://terminology.hl7.org/CodeSystem/object-role
Alias: $Author = http://terminology.hl7.org/CodeSystem/provenance-participant-type
Alias: $AiDevice = http://hl7.org/fhir/uv/aitransparency/CodeSystem/AIdeviceTypeCS
Alias: $AiInputs = http://hl7.org/fhir/uv/aitransparency/CodeSystem/AIinputsCS
Alias: $BalpAgent = https://profiles.ihe.net/ITI/BALP/CodeSystem/UserAgentTypes

CodeSystem: TaskCode
Id: task-code
Title: "What a Task asks for"
Description: "The work that Sightline puts in a queue."
* ^caseSensitive = true
* ^experimental = false
* #review-ai-result "Review the result of a model"

ValueSet: Findings
Id: findings
Title: "Findings"
Description: "What models look for on a chest radiograph, and what bundles of your own may look for on a CT."
* ^experimental = false
* $SCT#46621007 "Atelectasis"
* $SCT#8186001 "Cardiomegaly"
* $SCT#95436008 "Consolidation"
* $SCT#19242006 "Pulmonary edema"
* $SCT#60046008 "Pleural effusion"
* $SCT#87433001 "Emphysema"
* $SCT#51615001 "Fibrosis of lung"
* $SCT#84089009 "Hiatal hernia"
* $SCT#409609008 "Lung infiltrate"
* $SCT#309529002 "Lung mass"
* $SCT#786838002 "Nodule of lung"
* $SCT#57089007 "Pleural thickening"
* $SCT#233604007 "Pneumonia"
* $SCT#36118008 "Pneumothorax"
* $SCT#1386000 "Intracranial hemorrhage"
* $SCT#59282003 "Pulmonary embolism"
* $SCT#71642004 "Fracture of skull"
* $SCT#125605004 "Fracture of bone"

ValueSet: Levels
Id: levels
Title: "Levels"
Description: "What a probability asks of the clinician: high, in need of review, low."
* ^experimental = false
* $Interpretation#POS "Positive"
* $Interpretation#IND "Indeterminate"
* $Interpretation#NEG "Negative"

ValueSet: Priorities
Id: priorities
Title: "Priorities of a review"
Description: "A finding that cannot wait, and one that can wait a little."
* ^experimental = false
* http://hl7.org/fhir/request-priority#stat
* http://hl7.org/fhir/request-priority#urgent
