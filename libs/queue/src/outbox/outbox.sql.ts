/** On which a relay hears that a transaction with drafts was committed; the payload is a queue. */
export const OUTBOX_CHANNEL = 'roost_outbox';

/**
 * Everything that the outbox needs, in schema `roost_queue`; running it again changes nothing. One statement: of many
 * processes that boot at once one does it and the others wait. Where it is there, as after a migration by hand, no right
 * to create anything is needed.
 *
 * `seq` is the order of insertion. Ids are those of jobs, unique within a queue; a dead draft is not in the way of a new
 * one. A claim moves `available_at` by its lease, a failure by its pause. Who has mended what killed a draft sets its
 * `dead_at` to null.
 */
export const outboxSchemaSql = `
DO $roost$ BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('roost_queue.outbox', 0));
  IF to_regclass('roost_queue.outbox_waiting') IS NOT NULL THEN RETURN; END IF;
  BEGIN
    IF to_regnamespace('roost_queue') IS NULL THEN CREATE SCHEMA roost_queue; END IF;
  EXCEPTION WHEN unique_violation OR duplicate_schema THEN NULL; -- somebody else of Roost was quicker
  END;
  CREATE TABLE IF NOT EXISTS roost_queue.outbox (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    name text NOT NULL,
    data text NOT NULL,
    options text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempts int NOT NULL DEFAULT 0,
    available_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    claimed_by text,
    last_error text,
    dead_at timestamptz
  ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
  CREATE UNIQUE INDEX IF NOT EXISTS outbox_job ON roost_queue.outbox (queue, id) WHERE dead_at IS NULL;
  CREATE INDEX IF NOT EXISTS outbox_waiting ON roost_queue.outbox (seq) WHERE dead_at IS NULL;
END $roost$`;

// Values travel as text, and several rows as one JSON, so that no driver or library converts them in its own way.

/** $1 drafts. Tells of each queue once, at commit. */
export const INSERT_DRAFTS = `
WITH added AS (
  INSERT INTO roost_queue.outbox (queue, id, name, data, options)
  SELECT d->>'queue', d->>'id', d->>'name', d->>'data', d->>'options'
  FROM json_array_elements($1::text::json) WITH ORDINALITY AS given (d, place) ORDER BY place
  ON CONFLICT (queue, id) WHERE dead_at IS NULL DO NOTHING
  RETURNING queue
)
SELECT pg_notify('${OUTBOX_CHANNEL}', queue)::text AS told FROM (SELECT DISTINCT queue FROM added) AS queues`;

/**
 * $1 relay, $2 how many, $3 lease in ms, $4 the names of queues as JSON, or `*`. What this relay has already is what an answer was lost about: it makes one
 * claim at a time.
 */
export const CLAIM_DRAFTS = `
WITH due AS (
  SELECT seq FROM roost_queue.outbox
  WHERE dead_at IS NULL AND (available_at <= clock_timestamp() OR claimed_by = $1::text)
    AND ($4::text = '*' OR queue IN (SELECT json_array_elements_text(NULLIF($4::text, '*')::json)))
  ORDER BY seq LIMIT $2::text::int FOR UPDATE SKIP LOCKED
), claimed AS (
  UPDATE roost_queue.outbox AS o SET claimed_by = $1::text, attempts = o.attempts + 1,
    available_at = clock_timestamp() + $3::text::int * interval '1 millisecond'
  FROM due WHERE o.seq = due.seq RETURNING o.*
)
SELECT seq::text AS place, queue, id, name, data, options, attempts::text FROM claimed ORDER BY claimed.seq`;

/** $1 relay, $2 places. */
export const DELETE_DRAFTS = `
DELETE FROM roost_queue.outbox WHERE claimed_by = $1::text
  AND seq IN (SELECT place::bigint FROM json_array_elements_text($2::text::json) AS place)`;

/** $1 relay, $2 places, each with an error, and either the ms until its next attempt, or null: it is dead. */
export const RELEASE_DRAFTS = `
UPDATE roost_queue.outbox AS o SET claimed_by = NULL, last_error = r.error,
  available_at = clock_timestamp() + coalesce(r.pause, 0) * interval '1 millisecond',
  dead_at = CASE WHEN r.pause IS NULL THEN clock_timestamp() END
FROM json_to_recordset($2::text::json) AS r (place bigint, error text, pause int)
WHERE o.seq = r.place AND o.claimed_by = $1::text`;

/** $1 queue, $2 id. */
export const FIND_DRAFT = `
SELECT attempts::text, last_error, (dead_at IS NOT NULL)::text AS dead FROM roost_queue.outbox
WHERE queue = $1::text AND id = $2::text ORDER BY dead_at DESC NULLS FIRST LIMIT 1`;

/** $1 queue, $2 id. What a relay is delivering just now is not there any more. */
export const REMOVE_DRAFT = `
DELETE FROM roost_queue.outbox
WHERE queue = $1::text AND id = $2::text AND dead_at IS NULL AND claimed_by IS NULL RETURNING id`;

export const MEASURE_DRAFTS = `
SELECT count(*) FILTER (WHERE dead_at IS NULL)::text AS waiting, count(dead_at)::text AS dead,
  greatest(extract(epoch FROM clock_timestamp() - min(created_at) FILTER (WHERE dead_at IS NULL)) * 1000, 0)::text AS age
FROM roost_queue.outbox`;
