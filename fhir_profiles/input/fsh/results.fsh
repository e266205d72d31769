// What an algorithm asserts, labelled so on the resource and on the element.

RuleSet: SlicedBy(path, discriminator)
* {path} ^slicing.discriminator.type = #pattern
* {path} ^slicing.discriminator.path = "{discriminator}"
* {path} ^slicing.rules = #open

// One coding, by its parts: not every validator reads a pattern on a whole CodeableConcept as FHIR means it.
RuleSet: Coded(path, system, code)
* {path} 1..1
* {path}.coding 1..1
* {path}.coding.system 1..1
* {path}.coding.system = "{system}" (exactly)
* {path}.coding.code 1..1
* {path}.coding.code = #{code} (exactly)

RuleSet: AssertedByAI
* meta 1..1
* meta.security 1..*
* insert SlicedBy(meta.security, $this)
* meta.security contains aiast 1..1
* meta.security[aiast] = $ObsValue#AIAST

Invariant: labelled-conclusion
Description: "What an algorithm concludes is labelled where it stands."
Severity: #error
Expression: "conclusion.extension.where(url = 'http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label').exists()"

Invariant: signed-or-preliminary
Description: "A result that no clinician has signed is preliminary."
Severity: #error
Expression: "resultsInterpreter.exists() or status = 'preliminary' or status = 'entered-in-error'"

Invariant: confident-code
Description: "Each code that an algorithm concludes says how probable it is."
Severity: #error
Expression: "conclusionCode.all(extension.where(url = 'http://hl7.org/fhir/uv/aitransparency/StructureDefinition/AIconfidence').exists())"

Invariant: probability
Description: "A probability is from 0 to 1."
Severity: #error
Expression: "$this >= 0.0 and $this <= 1.0"

Invariant: sha256
Description: "A model version is known by the SHA-256 of its bundle."
Severity: #error
Expression: "matches('^[0-9a-f]{64}$')"

Invariant: author
Description: "Somebody made it."
Severity: #error
Expression: "agent.where(type.coding.code = 'author').exists()"

Invariant: author-is-ai
Description: "The author is the Device of a model version, in the role of an AI."
Severity: #error
Expression: "agent.where(type.coding.code = 'author').all(role.coding.code = 'Artificial-Intelligence' and who.reference.contains('Device/'))"

Invariant: verifier-is-human
Description: "Who verifies is a clinician."
Severity: #error
Expression: "agent.where(type.coding.code = 'verifier').all(who.reference.contains('Practitioner'))"

Profile: AiPrescreen
Parent: DiagnosticReport
Id: ai-prescreen
Title: "Report of a prescreen"
Description: "What models found in a patient's latest imaging and notes: preliminary until a clinician signs."
* insert AssertedByAI
* meta.security contains inline 1..1
* meta.security[inline] = $ActCode#PROCESSINLINELABEL
* obeys labelled-conclusion and signed-or-preliminary and confident-code
* identifier 1..1
* identifier.system 1..1
* identifier.system = "https://sightline.example/fhir/identifier/prescreen" (exactly)
* identifier.value 1..1
* insert Coded(category, http://terminology.hl7.org/CodeSystem/v2-0074, RAD)
* insert Coded(code, http://loinc.org, 18748-4)
* subject 1..1
* subject only Reference(Patient)
* issued 1..1
* result 1..*
* result only Reference(Observation)
* imagingStudy 0..1
* conclusion 1..1
* conclusionCode from Findings (required)

Profile: AiFinding
Parent: Observation
Id: ai-finding
Title: "One finding"
Description: "How probable one finding is, by image and notes together, and by each, and how far that can be off."
* insert AssertedByAI
* identifier 1..1
* identifier.system 1..1
* identifier.system = "https://sightline.example/fhir/identifier/prescreen" (exactly)
* identifier.value 1..1
* insert Coded(category, http://terminology.hl7.org/CodeSystem/observation-category, imaging)
* code from Findings (required)
* subject 1..1
* subject only Reference(Patient)
* issued 1..1
* value[x] 1..1
* value[x] only Quantity
* valueQuantity.value 1..1
* valueQuantity.value obeys probability
* valueQuantity.comparator 0..0
* valueQuantity.system 1..1
* valueQuantity.system = $UCUM (exactly)
* valueQuantity.code 1..1
* valueQuantity.code = #1 (exactly)
* dataAbsentReason 0..0
* interpretation 1..1
* interpretation from Levels (required)
* derivedFrom 1..*
* derivedFrom only Reference(ImagingStudy or DocumentReference)
* component 0..3
* component.code.text 1..1
* component.value[x] 1..1
* component.value[x] only Quantity or Range
* component.valueRange.low 1..1
* component.valueRange.low.value 1..1
* component.valueRange.low.value obeys probability
* component.valueRange.high 1..1
* component.valueRange.high.value 1..1
* component.valueRange.high.value obeys probability

Invariant: says-something
Description: "An opinion comments, or judges at least one finding."
Severity: #error
Expression: "value.exists() or component.exists()"

Invariant: unsigned
Description: "An opinion stands unsigned, or is over: what is signed stands in the report."
Severity: #error
Expression: "status = 'preliminary' or status = 'cancelled'"

Profile: ClinicianOpinion
Parent: Observation
Id: clinician-opinion
Title: "A clinician's opinion of a prescreen"
Description: "What a clinician thinks of what models found, and has not signed: no algorithm says it."
* obeys says-something and unsigned
* identifier 1..1
* identifier.system 1..1
* identifier.system = "https://sightline.example/fhir/identifier/prescreen" (exactly)
* identifier.value 1..1
* insert Coded(category, http://terminology.hl7.org/CodeSystem/observation-category, imaging)
* insert Coded(code, http://loinc.org, 48767-8)
* subject 1..1
* subject only Reference(Patient)
* focus 1..1
* focus only Reference(DiagnosticReport)
* focus.identifier 1..1
* issued 1..1
* performer 1..1
* performer only Reference(Practitioner)
* value[x] only string
* interpretation 0..0
* component.code from Findings (required)
* component.value[x] 1..1
* component.value[x] only string
* component.interpretation 1..1
* component.interpretation from Levels (required)

Profile: ModelVersion
Parent: Device
Id: model-version
Title: "A model version"
Description: "One exact model: the same digest means the same weights and calibration."
* identifier 1..1
* identifier.system 1..1
* identifier.system = "https://sightline.example/fhir/identifier/model-digest" (exactly)
* identifier.value 1..1
* identifier.value obeys sha256
* status 1..1
* manufacturer 1..1
* deviceName 1..1
* deviceName.type = #model-name (exactly)
* modelNumber 1..1
* version 1..1
* insert Coded(type, http://hl7.org/fhir/uv/aitransparency/CodeSystem/AIdeviceTypeCS, Artificial-Intelligence)
* patient 0..0

Profile: AiAuthorship
Parent: Provenance
Id: ai-authorship
Title: "Who made a result"
Description: "The exact model versions that authored it, of what, and the clinician who verified it."
* insert AssertedByAI
* insert Coded(reason, http://terminology.hl7.org/CodeSystem/v3-ObservationValue, AIAST)
* obeys author and author-is-ai and verifier-is-human
* agent 1..*
* agent.type 1..1
* entity 1..*
* entity.role = #source (exactly)
* entity.what only Reference(ImagingStudy or DocumentReference)

Profile: ReviewTask
Parent: Task
Id: review-task
Title: "A review in the queue"
Description: "Asks a radiologist to look at what a model found."
* identifier 1..1
* intent = #proposal (exactly)
* priority 1..1
* priority from Priorities (required)
* insert Coded(code, https://sightline.example/fhir/CodeSystem/task-code, review-ai-result)
* focus 1..1
* focus only Reference(DiagnosticReport)
* for 1..1
* for only Reference(Patient)
* authoredOn 1..1
* lastModified 1..1
* requester 1..1
* requester only Reference(Device)
* reasonCode 1..1
* reasonCode from Findings (required)

Profile: ModelCard
Parent: DocumentReference
Id: model-card
Title: "A model's card"
Description: "What a model version is for, what it was made of, how good it is and how bad, in Markdown."
* identifier 1..1
* insert Coded(type, http://hl7.org/fhir/uv/aitransparency/CodeSystem/AIinputsCS, AIModelCard)
* insert Coded(category, http://hl7.org/fhir/uv/aitransparency/CodeSystem/AIinputsCS, AIModelCardMarkdownFormat)
* subject 1..1
* subject only Reference(Device)
* date 1..1
* content 1..1
* content.attachment.contentType 1..1
* content.attachment.contentType = #text/markdown (exactly)
* content.attachment.data 1..1
