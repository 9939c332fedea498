-- One index instead of two, since each is a page more in every commit of the intake; it answers all that is asked of many rows without their
-- bodies.
DROP INDEX journal_by_turn;
DROP INDEX journal_by_integration;
CREATE INDEX journal_in_turn ON journal (turn, id, integration, signals);
