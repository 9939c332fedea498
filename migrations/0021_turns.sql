-- Whose signals a row of the journal holds, and its turn: rows are folded in the order of their turns, so that a key that sends much
-- waits for itself and nobody waits for it. A row without one comes first.
ALTER TABLE journal ADD COLUMN integration TEXT NOT NULL DEFAULT '';
ALTER TABLE journal ADD COLUMN turn BIGINT NOT NULL DEFAULT 0;
CREATE INDEX journal_by_turn ON journal (turn, id);
CREATE INDEX journal_by_integration ON journal (integration, turn);
