-- What a trigger's configuration keeps from readers, by the names of its fields.
ALTER TABLE "workflows" ADD COLUMN "secrets" text COLLATE "C" NOT NULL DEFAULT '{}';
