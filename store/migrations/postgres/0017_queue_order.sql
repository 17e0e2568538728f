-- Claims ask for this order, which no other index has: with "id" alone the planner may prefer the primary key, and read past all that was
-- queued before.
DROP INDEX "executions.queue";
CREATE INDEX "executions.queue" ON "executions" ("workflowId", ("id" + 0))
    WHERE "status" IS NULL AND "claimedBy" IS NULL AND "waitsFor" IS NULL AND "notBefore" IS NULL AND "heldBack" IS NULL;
