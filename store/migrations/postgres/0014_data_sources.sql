-- Further databases that administrators have added. What is secret of them is apart from what is shown.
CREATE TABLE "dataSources" (
    "key"         text COLLATE "C" PRIMARY KEY NOT NULL,
    "displayName" text COLLATE "C",
    "type"        text COLLATE "C" NOT NULL,
    "options"     text COLLATE "C" NOT NULL DEFAULT '{}',
    "secrets"     text COLLATE "C" NOT NULL DEFAULT '{}',
    "enabled"     bigint NOT NULL DEFAULT 1,
    "createdAt"   text COLLATE "C" NOT NULL,
    "updatedAt"   text COLLATE "C" NOT NULL
);
