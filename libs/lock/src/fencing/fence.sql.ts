import { TOKEN_FORMAT } from '../stores/lock.token.js';

/** Raised by one with every change below: a schema that is newer than this code is left alone. */
export const FENCE_SCHEMA_VERSION = 2;

const { sinceMs, sequenceBits, bitsPerMs } = TOKEN_FORMAT;
/** Ms since epochs count. */
const msNow = `(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint - ${sinceMs})`;
/**
 * Greater than every token that Redis has given in an epoch that began before: 33 bits count the grants of a second, and
 * each of its milliseconds begins 2^23 later, there as well as here.
 */
const tokenNow = `(${msNow} / 1000 << ${sequenceBits}) + (${msNow} % 1000 << ${bitsPerMs})`;

/**
 * Who wrote last: locked by every fenced transaction until it commits, and by a claim while it is decided. Guard mode's
 * leases stand apart, so that they are renewed while a long transaction holds the row.
 */
const tables = [
  `CREATE TABLE IF NOT EXISTS roost_fence (
  resource text COLLATE "C" PRIMARY KEY,
  token bigint NOT NULL,
  holder text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
)`,
  `CREATE TABLE IF NOT EXISTS roost_lease (
  resource text COLLATE "C" PRIMARY KEY,
  token bigint NOT NULL,
  holder text NOT NULL,
  owner text NOT NULL,
  since timestamptz NOT NULL,
  until timestamptz NOT NULL,
  wanted timestamptz
)`,
  `CREATE TABLE IF NOT EXISTS roost_lock_space (
  space text PRIMARY KEY,
  since timestamptz NOT NULL DEFAULT clock_timestamp()
)`,
];

/**
 * The first statement of a transaction: lets it in, and locks the row until it ends, unless a later holder was here
 * (LK001, DETAIL: `<newest token> <resource>`) or somebody else holds a lease of guard mode (LK002).
 */
const fence = `CREATE OR REPLACE FUNCTION roost_fence(p_resource text, p_token bigint, p_holder text) RETURNS void
LANGUAGE plpgsql AS $roost$
DECLARE
  v_newest bigint;
BEGIN
  INSERT INTO roost_fence AS f (resource, token, holder) VALUES (p_resource, p_token, p_holder)
  ON CONFLICT (resource) DO UPDATE SET token = excluded.token, holder = excluded.holder, at = clock_timestamp()
  WHERE f.token < excluded.token OR f.token = excluded.token AND f.holder = excluded.holder;
  IF NOT FOUND THEN
    SELECT f.token INTO v_newest FROM roost_fence f WHERE f.resource = p_resource;
    RAISE EXCEPTION 'stale fencing token % for %', p_token, p_resource
      USING ERRCODE = 'LK001', DETAIL = v_newest || ' ' || p_resource;
  END IF;
  IF EXISTS (
    SELECT FROM roost_lease l
    WHERE l.resource = p_resource AND l.holder <> p_holder AND l.until > clock_timestamp()
  ) THEN
    RAISE EXCEPTION 'somebody else holds %', p_resource USING ERRCODE = 'LK002', DETAIL = p_resource;
  END IF;
END $roost$`;

/** Several fences in one statement, always in the same order: two that want the same never wait for each other. */
const fences = `CREATE OR REPLACE FUNCTION roost_fences(p_resources text[], p_tokens bigint[], p_holders text[]) RETURNS void
LANGUAGE plpgsql AS $roost$
DECLARE
  v_one record;
BEGIN
  FOR v_one IN
    SELECT * FROM unnest(p_resources, p_tokens, p_holders) AS one (resource, token, holder)
    ORDER BY resource COLLATE "C"
  LOOP
    PERFORM roost_fence(v_one.resource, v_one.token, v_one.holder);
  END LOOP;
END $roost$`;

/**
 * Claims all or none: `o_token` when granted, otherwise `o_retry_ms`, when a present holder's time ends at the latest.
 * A row that stays locked is being written by a fenced transaction: busy as well, so that a claim never waits long.
 */
const claim = `CREATE OR REPLACE FUNCTION roost_claim(
  p_resources text[], p_holder text, p_owner text, p_ttl_ms bigint, p_min_token bigint, p_wait boolean,
  OUT o_token bigint, OUT o_retry_ms bigint
) LANGUAGE plpgsql SET lock_timeout = '100ms' AS $roost$
DECLARE
  v_resources text[] := ARRAY(SELECT DISTINCT r COLLATE "C" FROM unnest(p_resources) r ORDER BY 1);
  v_token bigint := greatest(p_min_token, ${tokenNow});
  v_until timestamptz;
  v_mine int := 0;
  v_resource text;
  v_newest bigint;
  v_lease roost_lease;
BEGIN
  FOREACH v_resource IN ARRAY v_resources LOOP
    INSERT INTO roost_fence (resource, token, holder) VALUES (v_resource, 0, '') ON CONFLICT DO NOTHING;
    SELECT f.token INTO v_newest FROM roost_fence f WHERE f.resource = v_resource FOR UPDATE;
    v_token := greatest(v_token, v_newest + 1);
  END LOOP;
  FOREACH v_resource IN ARRAY v_resources LOOP
    SELECT * INTO v_lease FROM roost_lease l WHERE l.resource = v_resource FOR UPDATE;
    CONTINUE WHEN v_lease.until IS NULL OR v_lease.until <= clock_timestamp();
    IF v_lease.holder = p_holder THEN
      v_mine := v_mine + 1;
      v_newest := v_lease.token;
    ELSE
      o_retry_ms := greatest(o_retry_ms, ceil(extract(epoch FROM v_lease.until - clock_timestamp()) * 1000)::bigint, 1);
    END IF;
  END LOOP;
  IF o_retry_ms IS NOT NULL THEN
    -- What force has left of several: all or none.
    DELETE FROM roost_lease l WHERE v_mine > 0 AND l.resource = ANY (v_resources) AND l.holder = p_holder;
    -- Seen by roost_hand_on. A process need not tell itself.
    UPDATE roost_lease l SET wanted = clock_timestamp()
    WHERE p_wait AND l.resource = ANY (v_resources) AND split_part(l.holder, '.', 1) <> split_part(p_holder, '.', 1);
    RETURN;
  END IF;
  IF v_mine = cardinality(v_resources) THEN
    v_token := v_newest;
  END IF;
  v_until := clock_timestamp() + p_ttl_ms * interval '1 millisecond';
  INSERT INTO roost_fence AS f (resource, token, holder) SELECT r, v_token, p_holder FROM unnest(v_resources) r
  ON CONFLICT (resource) DO UPDATE SET token = excluded.token, holder = excluded.holder, at = clock_timestamp();
  INSERT INTO roost_lease AS l (resource, token, holder, owner, since, until)
    SELECT r, v_token, p_holder, p_owner, clock_timestamp(), v_until FROM unnest(v_resources) r
  ON CONFLICT (resource) DO UPDATE SET
    token = excluded.token, holder = excluded.holder, owner = excluded.owner, until = excluded.until, wanted = NULL,
    since = CASE WHEN l.token = excluded.token THEN l.since ELSE excluded.since END;
  o_token := v_token;
EXCEPTION WHEN lock_not_available OR deadlock_detected OR serialization_failure THEN
  o_token := NULL;
  o_retry_ms := 50;
END $roost$`;

/**
 * Gives each claim its full time again, all of its resources or none. Not when its time ran out: somebody may have been
 * there since. Names the holders that have it.
 */
const extend = `CREATE OR REPLACE FUNCTION roost_extend(
  p_resources text[], p_holders text[], p_tokens bigint[], p_ttls_ms bigint[]
) RETURNS SETOF text LANGUAGE sql AS $roost$
  WITH asked AS (
    SELECT * FROM unnest(p_resources, p_holders, p_tokens, p_ttls_ms) AS one (resource, holder, token, ttl_ms)
  ), whole AS (
    SELECT a.holder FROM asked a LEFT JOIN roost_lease l
      ON l.resource = a.resource AND l.holder = a.holder AND l.token = a.token AND l.until > clock_timestamp()
    GROUP BY a.holder HAVING count(*) = count(l.resource)
  ), extended AS (
    UPDATE roost_lease l SET until = clock_timestamp() + a.ttl_ms * interval '1 millisecond'
    FROM asked a JOIN whole w ON w.holder = a.holder
    WHERE l.resource = a.resource AND l.holder = a.holder AND l.token = a.token AND l.until > clock_timestamp()
    RETURNING l.holder
  )
  SELECT a.holder FROM asked a GROUP BY a.holder
  HAVING count(*) = (SELECT count(*) FROM extended e WHERE e.holder = a.holder)
$roost$`;

/** Gives all back: `released`, or `foreign` when somebody else has one of them, or `absent`. */
const release = `CREATE OR REPLACE FUNCTION roost_release(p_resources text[], p_holder text) RETURNS text
LANGUAGE plpgsql AS $roost$
DECLARE
  v_outcome text := 'released';
  v_resource text;
  v_until timestamptz;
BEGIN
  FOREACH v_resource IN ARRAY p_resources LOOP
    DELETE FROM roost_lease l WHERE l.resource = v_resource AND l.holder = p_holder RETURNING l.until INTO v_until;
    IF v_until IS NULL AND EXISTS (
      SELECT FROM roost_lease l WHERE l.resource = v_resource AND l.until > clock_timestamp()
    ) THEN
      v_outcome := 'foreign';
    ELSIF (v_until IS NULL OR v_until <= clock_timestamp()) AND v_outcome = 'released' THEN
      v_outcome := 'absent';
    END IF;
  END LOOP;
  RETURN v_outcome;
END $roost$`;

/**
 * Gives back, and claims for the next of the same process in one step; not while another process wants it, which has no
 * place in any queue and would never find it free.
 */
const handOn = `CREATE OR REPLACE FUNCTION roost_hand_on(
  p_resources text[], p_holder text, p_next text, p_owner text, p_ttl_ms bigint, p_min_token bigint, p_wait boolean,
  OUT o_outcome text, OUT o_token bigint, OUT o_retry_ms bigint
) LANGUAGE plpgsql AS $roost$
DECLARE
  v_wanted boolean := EXISTS (
    SELECT FROM roost_lease l WHERE l.resource = ANY (p_resources) AND l.holder = p_holder
      AND l.wanted > clock_timestamp() - interval '500 milliseconds'
  );
BEGIN
  o_outcome := roost_release(p_resources, p_holder);
  IF v_wanted AND p_wait THEN
    o_retry_ms := 0;
  ELSE
    SELECT c.o_token, c.o_retry_ms INTO o_token, o_retry_ms
    FROM roost_claim(p_resources, p_next, p_owner, p_ttl_ms, p_min_token, p_wait) c;
  END IF;
END $roost$`;

const version = `CREATE OR REPLACE FUNCTION roost_fence_version() RETURNS int LANGUAGE sql IMMUTABLE
AS $roost$ SELECT ${FENCE_SCHEMA_VERSION} $roost$`;

/** The statements in their order; the version comes last, so that it says that all others ran. */
export const fenceStatements: readonly string[] = [...tables, fence, fences, claim, extend, release, handOn, version];

/** All that fencing and guard mode need in a database, for those who run migrations by hand. May be run again. */
export const fenceSchemaSql: string = fenceStatements.map((statement) => `${statement};\n`).join('\n');
