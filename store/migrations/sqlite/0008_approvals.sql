-- How a task was answered, by name; which round of its job it belongs to; and the task in whose place it stands.
ALTER TABLE "workflowTasks" ADD COLUMN "action" TEXT;
ALTER TABLE "workflowTasks" ADD COLUMN "round" INTEGER NOT NULL DEFAULT 1;
ALTER TABLE "workflowTasks" ADD COLUMN "delegatedFrom" INTEGER;
UPDATE "workflowTasks" SET "action" = CASE "status" WHEN 1 THEN 'approve' ELSE 'reject' END WHERE "status" IN (1, -5);

-- What becomes of an application: one row for each job that asks people about one. Stored right before its job.
CREATE TABLE "approvals" (
    "id"          INTEGER PRIMARY KEY AUTOINCREMENT,
    "workflowId"  INTEGER NOT NULL,
    "executionId" INTEGER NOT NULL REFERENCES "executions" ("id") ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    "nodeId"      INTEGER NOT NULL,
    "jobId"       INTEGER NOT NULL UNIQUE REFERENCES "jobs" ("id") ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    "userId"      INTEGER,
    "title"       TEXT NOT NULL,
    "status"      TEXT NOT NULL,
    "createdAt"   TEXT NOT NULL,
    "updatedAt"   TEXT NOT NULL
);
CREATE INDEX "approvals.userId" ON "approvals" ("userId", "id");
CREATE INDEX "approvals.executionId" ON "approvals" ("executionId");
