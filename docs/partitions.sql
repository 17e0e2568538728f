-- Keeps executions and jobs in partitions by time, so that old ones are dropped instead of deleted. For PostgreSQL 15 or newer; read
-- scaling.md before. With all hosts stopped, once:
--
--   psql --set ON_ERROR_STOP=1 --single-transaction --file docs/partitions.sql "$DATABASE_URL"
--
-- then, with the hosts running, at the beginning of each period (a day, a week), and as often as there is something to drop:
--
--   SELECT "_beginPartition"();
--   SELECT * FROM "_dropPartitions"(timestamptz '2026-01-01');
--
-- Partitions are ranges of execution ids, which rise with time. Each has room for 2^33; a new one is begun by counting on from its first id.

-- Jobs are in the partition of their execution, so their key begins with it.
ALTER TABLE "workflowTasks" DROP CONSTRAINT "workflowTasks_executionId_fkey", DROP CONSTRAINT "workflowTasks_jobId_fkey";
ALTER TABLE "approvals" DROP CONSTRAINT "approvals_executionId_fkey", DROP CONSTRAINT "approvals_jobId_fkey";
ALTER TABLE "jobs" DROP CONSTRAINT "jobs_executionId_fkey", DROP CONSTRAINT "jobs_pkey";
ALTER TABLE "jobs" ADD CONSTRAINT "jobs_pkey" PRIMARY KEY ("executionId", "id");
CREATE INDEX "jobs.id" ON "jobs" ("id");

-- Puts a table of the same shape in the place of one, which becomes its first partition.
CREATE FUNCTION "_partition"("name" text, "key" text, "upTo" bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    "index" record;
    "definitions" text[] := '{}';
    "primaryKey" text;
BEGIN
    FOR "index" IN
        SELECT "indexrelid"::regclass AS "was", pg_get_indexdef("indexrelid") AS "definition", "indisprimary",
               (SELECT pg_get_constraintdef("oid") FROM "pg_constraint" WHERE "conindid" = "indexrelid") AS "constraint",
               (SELECT "relname" FROM "pg_class" WHERE "oid" = "indexrelid") AS "relname"
        FROM "pg_index" WHERE "indrelid" = format('%I', "name")::regclass ORDER BY "indexrelid"
    LOOP
        IF "index"."indisprimary" THEN
            "primaryKey" := "index"."constraint";
        ELSE
            "definitions" := "definitions" || "index"."definition";
        END IF;
        EXECUTE format('ALTER INDEX %s RENAME TO %I', "index"."was", '_' || "index"."relname" || '.0');
    END LOOP;
    EXECUTE format('ALTER TABLE %I RENAME TO %I', "name", '_' || "name" || '.0');
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS) PARTITION BY RANGE (%I)', "name", '_' || "name" || '.0', "key");
    EXECUTE format('ALTER TABLE %I ADD CONSTRAINT %I %s', "name", "name" || '_pkey', "primaryKey");
    FOR "i" IN 1..coalesce(array_length("definitions", 1), 0) LOOP
        EXECUTE "definitions"["i"];
    END LOOP;
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (MINVALUE) TO (%s)', "name", '_' || "name" || '.0', "upTo");
END $$;

-- The first id that a partition can begin with behind an id.
CREATE FUNCTION "_partitionBehind"("id" bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT (("id" >> 33) + 1) << 33 $$;

-- Adds the partition that begins at an id, if it is not there.
CREATE FUNCTION "_addPartition"("start" bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    "name" text;
BEGIN
    FOREACH "name" IN ARRAY ARRAY['executions', 'jobs'] LOOP
        EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF %I FOR VALUES FROM (%s) TO (%s)',
                       '_' || "name" || '.' || ("start" >> 33), "name", "start", "start" + (1::bigint << 33));
    END LOOP;
END $$;

-- Begins a partition for what is stored from now on. Answers its first id.
CREATE FUNCTION "_beginPartition"() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    "start" bigint;
BEGIN
    PERFORM set_config('lock_timeout', '2s', true);
    -- Two hosts, or a timer that fires twice, begin one after the other.
    PERFORM pg_advisory_xact_lock(hashtext('_beginPartition'));
    "start" := "_partitionBehind"((SELECT "last_value" FROM "_engineIds"));
    -- Usually it is there: begun before as the one behind the current one.
    PERFORM set_config('client_min_messages', 'warning', true);
    PERFORM "_addPartition"("start");
    -- Where ids go on if they ever should fill this one.
    PERFORM "_addPartition"("_partitionBehind"("start"));
    PERFORM setval('"_engineIds"', "start");
    RETURN "start";
END $$;

-- Drops the partitions that hold only what was created before a moment, oldest first. Stops at the first that holds something that has not
-- ended, or a dead letter. What people decided in those executions goes with them.
CREATE FUNCTION "_dropPartitions"("before" timestamptz) RETURNS TABLE ("partition" text, "executions" bigint) LANGUAGE plpgsql AS $$
DECLARE
    "moment" text := to_char("before" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
    "current" bigint := (SELECT "last_value" >> 33 FROM "_engineIds");
    "number" bigint;
    "last" text;
    "held" boolean;
BEGIN
    PERFORM set_config('lock_timeout', '2s', true);
    FOR "number" IN
        SELECT substring("relname" FROM '\.(\d+)$')::bigint AS "of" FROM "pg_inherits" JOIN "pg_class" ON "oid" = "inhrelid"
        WHERE "inhparent" = '"executions"'::regclass ORDER BY "of"
    LOOP
        EXIT WHEN "number" >= "current";
        EXECUTE format('SELECT "createdAt" FROM %I ORDER BY "id" DESC LIMIT 1', '_executions.' || "number") INTO "last";
        EXIT WHEN "last" >= "moment";
        EXECUTE format('SELECT count(*), coalesce(bool_or("status" IS NULL OR "status" = 0 OR "deadLetter" = 1), false) FROM %I',
                       '_executions.' || "number") INTO "executions", "held";
        EXIT WHEN "held";
        "partition" := '_executions.' || "number";
        EXECUTE format('DELETE FROM "workflowTasks" WHERE "executionId" IN (SELECT "id" FROM %I)', "partition");
        EXECUTE format('DELETE FROM "approvals" WHERE "executionId" IN (SELECT "id" FROM %I)', "partition");
        EXECUTE format('ALTER TABLE "jobs" DETACH PARTITION %I', '_jobs.' || "number");
        EXECUTE format('DROP TABLE %I', '_jobs.' || "number");
        EXECUTE format('ALTER TABLE "executions" DETACH PARTITION %I', "partition");
        EXECUTE format('DROP TABLE %I', "partition");
        RETURN NEXT;
    END LOOP;
END $$;

DO $$
DECLARE
    "start" bigint := "_partitionBehind"((SELECT "last_value" FROM "_engineIds"));
BEGIN
    PERFORM "_partition"('executions', 'id', "start");
    PERFORM "_partition"('jobs', 'executionId', "start");
END $$;
DROP FUNCTION "_partition"(text, text, bigint);

ALTER TABLE "jobs" ADD CONSTRAINT "jobs_executionId_fkey"
    FOREIGN KEY ("executionId") REFERENCES "executions" ("id") ON DELETE CASCADE;
ALTER TABLE "workflowTasks"
    ADD CONSTRAINT "workflowTasks_executionId_fkey"
    FOREIGN KEY ("executionId") REFERENCES "executions" ("id") ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT "workflowTasks_jobId_fkey"
    FOREIGN KEY ("executionId", "jobId") REFERENCES "jobs" ("executionId", "id") ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE "approvals"
    ADD CONSTRAINT "approvals_executionId_fkey"
    FOREIGN KEY ("executionId") REFERENCES "executions" ("id") ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT "approvals_jobId_fkey"
    FOREIGN KEY ("executionId", "jobId") REFERENCES "jobs" ("executionId", "id") ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;

SELECT "_beginPartition"();
