-- How far the copy of another database into this one has come. Without a row this database is no copy.
CREATE TABLE "_transfer" (
    "source"      TEXT NOT NULL,
    "startedAt"   TEXT NOT NULL,
    "completedAt" TEXT
);

-- What is copied, as it was in the source when the copy was begun. "cursor" is where the next batch begins, JSON.
CREATE TABLE "_transferTables" (
    "name"   TEXT PRIMARY KEY NOT NULL,
    "rows"   INTEGER NOT NULL,
    "digest" TEXT NOT NULL,
    "copied" INTEGER NOT NULL DEFAULT 0,
    "cursor" TEXT,
    "done"   INTEGER NOT NULL DEFAULT 0
);
