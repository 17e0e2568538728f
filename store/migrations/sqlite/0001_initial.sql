-- Names are those of the wire (camelCase), so that built-in and run-time collections are read by the same code.
-- Indexes have a point in their names, which no collection has: the two share a namespace.
-- Moments are RFC 3339 text in UTC with milliseconds, which sorts as time; JSON is text; booleans are 0 and 1.

CREATE TABLE "users" (
    "id"               INTEGER PRIMARY KEY AUTOINCREMENT,
    "username"         TEXT COLLATE NOCASE UNIQUE,
    "email"            TEXT COLLATE NOCASE UNIQUE,
    "nickname"         TEXT,
    "phone"            TEXT,
    "password"         TEXT,
    "passwordChangeTz" INTEGER,
    "appLang"          TEXT,
    "systemSettings"   TEXT NOT NULL DEFAULT '{}',
    "createdAt"        TEXT NOT NULL,
    "updatedAt"        TEXT NOT NULL,
    "createdById"      INTEGER,
    "updatedById"      INTEGER
);

CREATE TABLE "roles" (
    "name"      TEXT PRIMARY KEY NOT NULL,
    "title"     TEXT,
    "snippets"  TEXT NOT NULL DEFAULT '[]',
    "strategy"  TEXT NOT NULL DEFAULT '{}',
    "default"   INTEGER NOT NULL DEFAULT 0,
    "createdAt" TEXT NOT NULL,
    "updatedAt" TEXT NOT NULL
);

CREATE TABLE "rolesUsers" (
    "userId"    INTEGER NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE,
    "roleName"  TEXT NOT NULL REFERENCES "roles" ("name") ON DELETE CASCADE,
    "default"   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY ("userId", "roleName")
);
CREATE INDEX "rolesUsers.roleName" ON "rolesUsers" ("roleName");

-- The rights of a role on one collection; "actions" is [{"name", "fields"?}].
CREATE TABLE "dataSourceResources" (
    "id"                 INTEGER PRIMARY KEY AUTOINCREMENT,
    "roleName"           TEXT NOT NULL REFERENCES "roles" ("name") ON DELETE CASCADE,
    "dataSourceKey"      TEXT NOT NULL DEFAULT 'main',
    "name"               TEXT NOT NULL,
    "usingActionsConfig" INTEGER NOT NULL DEFAULT 1,
    "actions"            TEXT NOT NULL DEFAULT '[]',
    "createdAt"          TEXT NOT NULL,
    "updatedAt"          TEXT NOT NULL,
    UNIQUE ("roleName", "dataSourceKey", "name")
);

-- Collections made at run time; the fields keep the order in which they were added.
CREATE TABLE "collections" (
    "name"    TEXT PRIMARY KEY NOT NULL COLLATE NOCASE,
    "title"   TEXT,
    "options" TEXT NOT NULL DEFAULT '{}'
);

CREATE TABLE "fields" (
    "id"             INTEGER PRIMARY KEY AUTOINCREMENT,
    "collectionName" TEXT NOT NULL COLLATE NOCASE REFERENCES "collections" ("name") ON DELETE CASCADE,
    "name"           TEXT NOT NULL COLLATE NOCASE,
    "type"           TEXT NOT NULL,
    "options"        TEXT NOT NULL DEFAULT '{}',
    UNIQUE ("collectionName", "name")
);

CREATE TABLE "workflows" (
    "id"           INTEGER PRIMARY KEY,
    "key"          TEXT NOT NULL,
    "title"        TEXT,
    "description"  TEXT,
    "type"         TEXT NOT NULL,
    "triggerTitle" TEXT,
    "config"       TEXT NOT NULL DEFAULT '{}',
    "options"      TEXT NOT NULL DEFAULT '{}',
    "enabled"      INTEGER NOT NULL DEFAULT 0,
    "current"      INTEGER,
    "sync"         INTEGER NOT NULL DEFAULT 0,
    "invalid"      INTEGER NOT NULL DEFAULT 0,
    "executed"     INTEGER NOT NULL DEFAULT 0,
    "allExecuted"  INTEGER NOT NULL DEFAULT 0,
    "createdAt"    TEXT NOT NULL,
    "updatedAt"    TEXT NOT NULL,
    "createdById"  INTEGER,
    "updatedById"  INTEGER
);
CREATE INDEX "workflows.key" ON "workflows" ("key");
CREATE UNIQUE INDEX "workflows.one_enabled" ON "workflows" ("key") WHERE "enabled" = 1;
CREATE UNIQUE INDEX "workflows.one_current" ON "workflows" ("key") WHERE "current" = 1;

CREATE TABLE "flow_nodes" (
    "id"           INTEGER PRIMARY KEY,
    "key"          TEXT NOT NULL,
    "workflowId"   INTEGER NOT NULL REFERENCES "workflows" ("id") ON DELETE CASCADE,
    "title"        TEXT,
    "type"         TEXT NOT NULL,
    "config"       TEXT NOT NULL DEFAULT '{}',
    "upstreamId"   INTEGER,
    "branchIndex"  INTEGER,
    "downstreamId" INTEGER,
    "createdAt"    TEXT NOT NULL,
    "updatedAt"    TEXT NOT NULL
);
CREATE INDEX "flow_nodes.workflowId" ON "flow_nodes" ("workflowId");

-- The queue. "status" NULL is queued. "waitsFor", "claimedBy" and "leaseUntil" are the queue's own and never leave it.
CREATE TABLE "executions" (
    "id"                INTEGER PRIMARY KEY,
    "workflowId"        INTEGER NOT NULL,
    "key"               TEXT NOT NULL,
    "eventKey"          TEXT NOT NULL,
    "context"           TEXT NOT NULL,
    "status"            INTEGER,
    "dispatched"        INTEGER NOT NULL DEFAULT 0,
    "manually"          INTEGER,
    "stack"             TEXT,
    "parentExecutionId" INTEGER,
    "output"            TEXT,
    "reason"            TEXT,
    "startedAt"         TEXT,
    "expiresAt"         TEXT,
    "createdAt"         TEXT NOT NULL,
    "updatedAt"         TEXT NOT NULL,
    "waitsFor"          INTEGER,
    "claimedBy"         TEXT,
    "leaseUntil"        INTEGER
);
-- What a dispatcher may claim, oldest first within a workflow: stays as small as the backlog, whatever the history.
CREATE INDEX "executions.queue" ON "executions" ("workflowId", "id")
    WHERE "status" IS NULL AND "claimedBy" IS NULL AND "waitsFor" IS NULL;
CREATE INDEX "executions.claimed" ON "executions" ("claimedBy") WHERE "claimedBy" IS NOT NULL;
CREATE INDEX "executions.waitsFor" ON "executions" ("waitsFor") WHERE "waitsFor" IS NOT NULL;
CREATE INDEX "executions.workflowId" ON "executions" ("workflowId", "id");
CREATE INDEX "executions.key" ON "executions" ("key", "id");

CREATE TABLE "jobs" (
    "id"          INTEGER PRIMARY KEY,
    "executionId" INTEGER NOT NULL REFERENCES "executions" ("id") ON DELETE CASCADE,
    "nodeId"      INTEGER NOT NULL,
    "nodeKey"     TEXT NOT NULL,
    "upstreamId"  INTEGER,
    "status"      INTEGER NOT NULL,
    "result"      TEXT,
    "meta"        TEXT,
    "log"         TEXT,
    "startedAt"   TEXT,
    "createdAt"   TEXT NOT NULL,
    "updatedAt"   TEXT NOT NULL,
    "dueAt"       INTEGER
);
CREATE INDEX "jobs.executionId" ON "jobs" ("executionId", "id");
CREATE INDEX "jobs.due" ON "jobs" ("dueAt") WHERE "status" = 0 AND "dueAt" IS NOT NULL;
