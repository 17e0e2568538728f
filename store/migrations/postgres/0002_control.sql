-- Leases, timeouts, retries and concurrency.

-- The processes that hold claims. A claim counts as long as its process is here and "leaseUntil", in milliseconds since
-- 1970, lies ahead. "instance" names what comes back under the same name after a crash.
CREATE TABLE "claimants" (
    "id"         text COLLATE "C" PRIMARY KEY,
    "instance"   text COLLATE "C",
    "leaseUntil" bigint NOT NULL
);

-- Versions that are gone and whose executions are still to be deleted.
CREATE TABLE "workflowRemains" (
    "workflowId" bigint PRIMARY KEY
);

ALTER TABLE "executions" DROP COLUMN "leaseUntil";
-- Started, held by nobody, and to be gone on with: what it waited for has happened, or its process is gone.
ALTER TABLE "executions" ADD COLUMN "ready" bigint;
-- How often it was taken over from a process that died, or a run that broke.
ALTER TABLE "executions" ADD COLUMN "takeovers" bigint NOT NULL DEFAULT 0;
-- 1 for the first run, and what it repeats otherwise.
ALTER TABLE "executions" ADD COLUMN "attempt" bigint NOT NULL DEFAULT 1;
ALTER TABLE "executions" ADD COLUMN "retryOf" bigint;
-- Queued, and not to begin before; NULL from then on.
ALTER TABLE "executions" ADD COLUMN "notBefore" text COLLATE "C";
-- 1: failed for good, and kept until it is put back.
ALTER TABLE "executions" ADD COLUMN "deadLetter" bigint;
-- What executions have in common that run in order; NULL if the workflow has no key.
ALTER TABLE "executions" ADD COLUMN "concurrencyKey" text COLLATE "C";
-- 1: queued behind executions with the same key.
ALTER TABLE "executions" ADD COLUMN "heldBack" bigint;

DROP INDEX "executions.queue";
CREATE INDEX "executions.queue" ON "executions" ("workflowId", "id")
    WHERE "status" IS NULL AND "claimedBy" IS NULL AND "waitsFor" IS NULL AND "notBefore" IS NULL AND "heldBack" IS NULL;
-- What occupies its workflow: as small as what runs.
CREATE INDEX "executions.running" ON "executions" ("workflowId")
    WHERE "status" = 0 AND ("claimedBy" IS NOT NULL OR "ready" = 1);
CREATE INDEX "executions.ready" ON "executions" ("id") WHERE "ready" = 1;
CREATE INDEX "executions.expiresAt" ON "executions" ("expiresAt") WHERE "status" = 0 AND "expiresAt" IS NOT NULL;
CREATE INDEX "executions.notBefore" ON "executions" ("notBefore") WHERE "status" IS NULL AND "notBefore" IS NOT NULL;
CREATE INDEX "executions.deadLetter" ON "executions" ("workflowId", "id") WHERE "deadLetter" = 1;
CREATE INDEX "executions.retryOf" ON "executions" ("retryOf") WHERE "retryOf" IS NOT NULL;
-- What runs or may run with a key, and what is queued behind it.
CREATE INDEX "executions.keyRunning" ON "executions" ("workflowId", "concurrencyKey")
    WHERE "status" = 0 AND ("claimedBy" IS NOT NULL OR "ready" = 1) AND "concurrencyKey" IS NOT NULL;
CREATE INDEX "executions.keyQueued" ON "executions" ("workflowId", "concurrencyKey")
    WHERE "status" IS NULL AND "heldBack" IS NULL AND "notBefore" IS NULL AND "concurrencyKey" IS NOT NULL;
CREATE INDEX "executions.heldBack" ON "executions" ("workflowId", "concurrencyKey", "id") WHERE "heldBack" = 1;
