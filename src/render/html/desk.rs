//! The pages beside the incidents: on call, integrations, people, one's own.
