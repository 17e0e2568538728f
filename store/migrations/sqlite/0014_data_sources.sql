-- Further databases that administrators have added. What is secret of them is apart from what is shown.
CREATE TABLE "dataSources" (
    "key"         TEXT PRIMARY KEY NOT NULL,
    "displayName" TEXT,
    "type"        TEXT NOT NULL,
    "options"     TEXT NOT NULL DEFAULT '{}',
    "secrets"     TEXT NOT NULL DEFAULT '{}',
    "enabled"     INTEGER NOT NULL DEFAULT 1,
    "createdAt"   TEXT NOT NULL,
    "updatedAt"   TEXT NOT NULL
);
