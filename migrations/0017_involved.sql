-- The services whose alerts an incident took in beside its own service's, because they depend on it.
CREATE TABLE incident_services (
    incident_id TEXT NOT NULL,
    service     TEXT NOT NULL,
    PRIMARY KEY (incident_id, service)
);
CREATE INDEX incident_services_of ON incident_services (service, incident_id);
