"""An EHR and a PACS to try the service against; another party, which the service never imports."""
