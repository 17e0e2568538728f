-- Tasks that manual nodes give to people. They are stored right before their job, whose id is known by then: so the keys are
-- looked at when the transaction ends.
CREATE TABLE "workflowTasks" (
    "id"               INTEGER PRIMARY KEY AUTOINCREMENT,
    "workflowId"       INTEGER NOT NULL,
    "executionId"      INTEGER NOT NULL REFERENCES "executions" ("id") ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    "nodeId"           INTEGER NOT NULL,
    "jobId"            INTEGER NOT NULL REFERENCES "jobs" ("id") ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    "userId"           INTEGER NOT NULL,
    "title"            TEXT NOT NULL,
    "description"      TEXT NOT NULL DEFAULT '',
    "form"             TEXT NOT NULL,
    "actions"          TEXT NOT NULL,
    "approvalsNeeded"  INTEGER NOT NULL,
    "rejectionsNeeded" INTEGER NOT NULL,
    "status"           INTEGER NOT NULL DEFAULT 0,
    "result"           TEXT,
    "comment"          TEXT,
    "decidedAt"        TEXT,
    "createdAt"        TEXT NOT NULL,
    "updatedAt"        TEXT NOT NULL
);
CREATE INDEX "workflowTasks.userId" ON "workflowTasks" ("userId", "status", "id");
CREATE INDEX "workflowTasks.jobId" ON "workflowTasks" ("jobId");
CREATE INDEX "workflowTasks.executionId" ON "workflowTasks" ("executionId", "status");

-- What notification nodes tell people inside the application.
CREATE TABLE "notifications" (
    "id"        INTEGER PRIMARY KEY AUTOINCREMENT,
    "userId"    INTEGER NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE,
    "title"     TEXT NOT NULL,
    "content"   TEXT NOT NULL DEFAULT '',
    "read"      INTEGER NOT NULL DEFAULT 0,
    "createdAt" TEXT NOT NULL,
    "updatedAt" TEXT NOT NULL
);
CREATE INDEX "notifications.userId" ON "notifications" ("userId", "read", "id");
