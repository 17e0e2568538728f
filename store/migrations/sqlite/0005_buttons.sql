-- Buttons of a client's pages, and the workflows that are bound to each, in order. A binding names its workflow by the key that
-- all versions share, and refers to nothing: it outlives its workflow, so that it can be seen to be broken.
CREATE TABLE "buttons" (
    "key"        TEXT PRIMARY KEY NOT NULL,
    "title"      TEXT,
    "type"       TEXT NOT NULL,
    "collection" TEXT NOT NULL,
    "blockId"    TEXT,
    "blockTitle" TEXT,
    "createdAt"  TEXT NOT NULL,
    "updatedAt"  TEXT NOT NULL
);
CREATE INDEX "buttons.collection" ON "buttons" ("collection");

CREATE TABLE "buttonBindings" (
    "id"          INTEGER PRIMARY KEY AUTOINCREMENT,
    "buttonKey"   TEXT NOT NULL REFERENCES "buttons" ("key") ON DELETE CASCADE,
    "workflowKey" TEXT NOT NULL,
    "path"        TEXT NOT NULL DEFAULT '',
    "position"    INTEGER NOT NULL,
    UNIQUE ("buttonKey", "workflowKey", "path")
);
