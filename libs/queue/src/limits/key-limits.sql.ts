/** Who runs, and what was charged, under the names of {@link limitKeyOf}. `until`: when nothing of it means anything. */
const tables = `
CREATE TABLE IF NOT EXISTS roost_queue.key_limit (
  name text COLLATE "C" PRIMARY KEY,
  tat timestamptz,
  until timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS key_limit_until ON roost_queue.key_limit (until);
CREATE TABLE IF NOT EXISTS roost_queue.key_hold (
  name text COLLATE "C" NOT NULL REFERENCES roost_queue.key_limit ON DELETE CASCADE,
  token text COLLATE "C" NOT NULL,
  until timestamptz NOT NULL,
  PRIMARY KEY (name, token)
);`;

/**
 * Takes a place, and charges the rate: `o_by` is null when both were possible. The row of the key is locked first, and
 * the time is asked afterwards, so that claims and renewals of a key come one after the other. Two keys that mean nothing
 * any more are removed along the way, unless somebody has them.
 */
const acquire = `
CREATE OR REPLACE FUNCTION roost_queue.acquire_key(
  p_name text, p_token text, p_concurrency int, p_interval_us bigint, p_burst_us bigint, p_lease_ms bigint,
  OUT o_by text, OUT o_wait_ms double precision
) LANGUAGE plpgsql AS $roost$
DECLARE
  v_interval interval := p_interval_us * interval '1 microsecond';
  v_burst interval := p_burst_us * interval '1 microsecond';
  v_now timestamptz;
  v_tat timestamptz;
  v_running int;
  v_first timestamptz;
  v_wait interval;
BEGIN
  LOOP
    SELECT l.tat INTO v_tat FROM roost_queue.key_limit l WHERE l.name = p_name FOR UPDATE;
    EXIT WHEN FOUND;
    INSERT INTO roost_queue.key_limit (name, until) VALUES (p_name, clock_timestamp()) ON CONFLICT DO NOTHING;
  END LOOP;
  v_now := clock_timestamp();
  DELETE FROM roost_queue.key_hold h WHERE h.name = p_name AND h.until <= v_now;
  IF NOT EXISTS (SELECT FROM roost_queue.key_hold h WHERE h.name = p_name AND h.token = p_token) THEN
    SELECT count(*), min(h.until) INTO v_running, v_first FROM roost_queue.key_hold h WHERE h.name = p_name;
    IF p_concurrency > 0 AND v_running >= p_concurrency THEN
      o_by := 'concurrency';
      v_wait := v_first - v_now;
    ELSIF p_interval_us > 0 THEN
      -- What lies further ahead was charged by a slower rate, which holds no longer.
      v_tat := least(greatest(v_tat, v_now), v_now + v_burst);
      v_wait := v_tat + v_interval - v_burst - v_now;
      IF v_wait > interval '0' THEN
        o_by := 'rate';
        UPDATE roost_queue.key_limit l SET tat = v_tat WHERE l.name = p_name AND l.tat > v_tat;
      ELSE
        v_tat := v_tat + v_interval;
      END IF;
    END IF;
  END IF;
  IF o_by IS NOT NULL THEN
    o_wait_ms := ceil(extract(epoch FROM v_wait) * 1000);
    RETURN;
  END IF;
  INSERT INTO roost_queue.key_hold (name, token, until)
    VALUES (p_name, p_token, v_now + p_lease_ms * interval '1 millisecond')
  ON CONFLICT (name, token) DO UPDATE SET until = excluded.until;
  UPDATE roost_queue.key_limit l
    SET tat = v_tat, until = greatest(l.until, v_tat, v_now + p_lease_ms * interval '1 millisecond')
    WHERE l.name = p_name;
  DELETE FROM roost_queue.key_limit l WHERE l.name IN (
    SELECT o.name FROM roost_queue.key_limit o WHERE o.until < v_now - interval '1 second'
    ORDER BY o.until LIMIT 2 FOR UPDATE SKIP LOCKED
  );
END $roost$;`;

/** Gives places a full lease again, key by key in one order: two that renew never wait for each other. Returns which were lost, from 1. */
const renew = `
CREATE OR REPLACE FUNCTION roost_queue.renew_keys(p_names text[], p_tokens text[], p_lease_ms bigint) RETURNS SETOF int
LANGUAGE plpgsql AS $roost$
DECLARE
  v_one record;
  v_now timestamptz;
  v_until timestamptz;
BEGIN
  FOR v_one IN
    SELECT * FROM unnest(p_names, p_tokens) WITH ORDINALITY AS one (name, token, place) ORDER BY name COLLATE "C"
  LOOP
    PERFORM FROM roost_queue.key_limit l WHERE l.name = v_one.name FOR UPDATE;
    v_now := clock_timestamp();
    v_until := v_now + p_lease_ms * interval '1 millisecond';
    UPDATE roost_queue.key_hold h SET until = v_until
      WHERE h.name = v_one.name AND h.token = v_one.token AND h.until > v_now;
    IF FOUND THEN
      UPDATE roost_queue.key_limit l SET until = greatest(l.until, v_until) WHERE l.name = v_one.name;
    ELSE
      RETURN NEXT v_one.place::int;
    END IF;
  END LOOP;
END $roost$;`;

/**
 * Everything that {@link PostgresKeyLimits} needs, in schema `roost_queue`; running it again changes nothing. One text of
 * several statements, without parameters: Postgres runs it as one transaction, so that of many processes that boot at once
 * one does it and the others wait. A schema that is there is not asked for again, which would take a privilege.
 */
export const keyLimitsSchemaSql = `
SELECT pg_advisory_xact_lock(hashtextextended('roost_queue.key_limit', 0));
DO $roost$ BEGIN
  IF to_regnamespace('roost_queue') IS NULL THEN CREATE SCHEMA roost_queue; END IF;
EXCEPTION WHEN unique_violation OR duplicate_schema THEN NULL; -- somebody else of Roost was quicker
END $roost$;
${tables}
${acquire}
${renew}`;
