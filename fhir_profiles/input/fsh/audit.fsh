// AuditEvents. The BALP patterns are stated here as Sightline emits them, so that they validate without IHE's package;
// the events name IHE's own profiles. Those without a BALP pattern (hook call, inference, model change, bulk export,
// maintenance) are shaped as RESTful operations. A failed event has another outcome and claims no profile.

RuleSet: Recorded
* outcome 1..1
* outcome = #0 (exactly)
* agent 2..*
* agent.media 0..0
* source.observer 1..1
* insert SlicedBy(agent, type)

RuleSet: Agent(name, code)
* agent contains {name} 1..1
* agent[{name}].type 1..1
* agent[{name}].type = {code}
* agent[{name}].who 1..1
* agent[{name}].requestor = false (exactly)
* agent[{name}].network 1..1

// A read flows from the server to the client; everything else is asked of the server by the client.
RuleSet: Read
* insert Agent(client, $DCM#110152)
* insert Agent(server, $DCM#110153)
RuleSet: Asked
* insert Agent(client, $DCM#110153)
* insert Agent(server, $DCM#110152)

RuleSet: User(code)
* agent contains user 0..1
* agent[user].type 1..1
* agent[user].type = {code}
* agent[user].who 1..1
* agent[user].requestor = true (exactly)
* agent[user].network 0..0

RuleSet: Rest(interaction, action)
* insert Recorded
* type = $EventType#rest
* subtype 1..1
* subtype.system = "http://hl7.org/fhir/restful-interaction" (exactly)
* subtype.code 1..1
* subtype.code = #{interaction} (exactly)
* action 1..1
* action = #{action} (exactly)

RuleSet: Entities
* entity 1..*
* insert SlicedBy(entity, role)

RuleSet: Patient(min)
* entity contains patient {min}..1
* entity[patient].role 1..1
* entity[patient].role = $ObjectRole#1
* entity[patient].type 1..1
* entity[patient].type = $EntityType#1
* entity[patient].what 1..1
* entity[patient].what only Reference(Patient)

RuleSet: Query
* entity contains query 1..1
* entity[query].role 1..1
* entity[query].role = $ObjectRole#24
* entity[query].type 1..1
* entity[query].type = $EntityType#2
* entity[query].query 1..1

RuleSet: Job
* entity contains job 1..1
* entity[job].role 1..1
* entity[job].role = $ObjectRole#20
* obeys named-job

Invariant: data-entity
Description: "What was read or written is named: a report, a job or another resource."
Severity: #error
Expression: "entity.where(role.code in ('3' | '4' | '20') and type.code = '2' and what.reference.exists()).exists()"

Invariant: named-job
Description: "A job has a name."
Severity: #error
Expression: "entity.where(role.code = '20').all(what.identifier.value.exists())"

Invariant: model-digest
Description: "A model that took part is known by the SHA-256 of its bundle."
Severity: #error
Expression: "agent.where(type.coding.code = '110150').all(who.identifier.value.startsWith('sha256:'))"

Invariant: names-no-one
Description: "Identifiers and references only: no names of people."
Severity: #error
Expression: "entity.name.empty() and agent.where(type.coding.code != '110150').name.empty()"

Profile: BalpPatientRead
Parent: AuditEvent
Id: balp-patient-read
Title: "A patient's resource was read"
Description: "IHE.BasicAudit.PatientRead."
* obeys data-entity and names-no-one
* insert Recorded
* type = $EventType#rest
* subtype 1..1
* subtype from ReadInteractions (required)
* action 1..1
* action = #R (exactly)
* insert Read
* insert User($Participation#IRCP)
* insert Entities
* insert Patient(1)

ValueSet: ReadInteractions
Id: read-interactions
Title: "Ways of reading"
Description: "read and vread."
* ^experimental = false
* $Restful#read
* $Restful#vread

Profile: BalpRead
Parent: AuditEvent
Id: balp-read
Title: "A resource about nobody was read"
Description: "IHE.BasicAudit.Read."
* obeys data-entity and names-no-one
* insert Recorded
* type = $EventType#rest
* subtype 1..1
* subtype from ReadInteractions (required)
* action 1..1
* action = #R (exactly)
* insert Read
* insert User($Participation#IRCP)
* insert Entities
* insert Patient(0)
* entity[patient] 0..0

Profile: BalpPatientQuery
Parent: AuditEvent
Id: balp-patient-query
Title: "A search with a patient in it"
Description: "IHE.BasicAudit.PatientQuery."
* obeys names-no-one
* insert Rest(search-type, E)
* insert Asked
* insert User($Participation#IRCP)
* insert Entities
* insert Query
* insert Patient(1)

Profile: BalpQuery
Parent: AuditEvent
Id: balp-query
Title: "A search about nobody"
Description: "IHE.BasicAudit.Query."
* obeys names-no-one
* insert Rest(search-type, E)
* insert Asked
* insert User($Participation#IRCP)
* insert Entities
* insert Query

Profile: BalpPatientCreate
Parent: AuditEvent
Id: balp-patient-create
Title: "A patient's resource was created"
Description: "IHE.BasicAudit.PatientCreate."
* obeys data-entity and names-no-one
* insert Rest(create, C)
* insert Asked
* insert User($Participation#AUT)
* insert Entities
* insert Patient(1)

Profile: BalpPatientUpdate
Parent: AuditEvent
Id: balp-patient-update
Title: "A patient's resource was updated"
Description: "IHE.BasicAudit.PatientUpdate."
* obeys data-entity and names-no-one
* insert Rest(update, U)
* insert Asked
* insert User($Participation#AUT)
* insert Entities
* insert Patient(1)

Profile: BalpToken
Parent: AuditEvent
Id: balp-token
Title: "An access token was obtained"
Description: "IHE.IUA.71 (ITI-71, Get Access Token)."
* insert Recorded
* type = $DCM#110114
* subtype 1..1
* subtype.code 1..1
* subtype.code = #ITI-71 (exactly)
* action 1..1
* action = #E (exactly)
* insert Agent(client, $DCM#110150)
* insert Agent(server, $BalpAgent#AuthzOauthService)
* insert User($Participation#IRCP)
* insert Entities
* insert Query

RuleSet: Model(min)
* agent contains model {min}..*
* agent[model].type 1..1
* agent[model].type = $DCM#110150
* agent[model].who 1..1
* agent[model].name 1..1
* agent[model].requestor = false (exactly)
* obeys model-digest

Profile: HookCall
Parent: AuditEvent
Id: hook-call
Title: "A CDS Hooks call"
Description: "An EHR called a CDS service or had us assess a text, or told what became of a card."
* obeys names-no-one
* insert Rest(operation, E)
* insert Asked
* insert User($Participation#IRCP)
* insert Entities
* insert Job
* insert Patient(0)

Profile: Inference
Parent: AuditEvent
Id: inference
Title: "Models looked at a patient's data"
Description: "Which model versions, at which inputs."
* obeys data-entity and names-no-one
* insert Rest(operation, E)
* insert Asked
* insert User($Participation#IRCP)
* insert Model(1)
* insert Entities
* insert Job
* insert Patient(1)

Profile: ModelChange
Parent: AuditEvent
Id: model-change
Title: "A model version came into use"
Description: "Which, by its digest and its Device."
* obeys data-entity and names-no-one
* insert Rest(operation, E)
* insert Asked
* insert Model(1)
* insert Entities
* insert Job

Profile: BulkExport
Parent: AuditEvent
Id: bulk-export
Title: "A bulk export"
Description: "Asked for, fetched or deleted; the query is the request."
* obeys names-no-one
* insert Rest(operation, E)
* insert Asked
* insert User($Participation#IRCP)
* insert Entities
* insert Job
* insert Query

Profile: Maintenance
Parent: AuditEvent
Id: maintenance
Title: "An operator's work on what is kept"
Description: "A purge, an export of the trail, one patient's data given out or removed; the job's details say how much."
* obeys names-no-one
* insert Rest(operation, E)
* insert Asked
* insert User($Participation#IRCP)
* insert Entities
* insert Job
* insert Patient(0)
