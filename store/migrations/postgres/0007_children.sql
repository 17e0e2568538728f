-- What jobs wait for: as small as the subflows that run.
CREATE INDEX "executions.parentJobId" ON "executions" ("parentJobId")
    WHERE "parentJobId" IS NOT NULL AND coalesce("status", 0) = 0;
